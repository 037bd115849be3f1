//! Does a message go on from the ones before? Asked once a turn, and answered for everybody: the
//! decision table, the desk and the search.

use language::Pack;

/// Words up to which a message may leave out what it is about.
const SHORT: usize = 7;
/// Words up to which a pronoun points to an earlier message and not to this one's own words.
const POINTING: usize = 22;
/// Words up to which "and the other one?" asks again what was asked before.
const ELLIPTICAL: usize = 6;
/// Words up to which a message can hardly stand by itself.
const TERSE: usize = 4;

/// How a message goes on from the ones before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reference {
    /// It stands by itself.
    None,
    /// It is short and names next to nothing: "how long?".
    Perhaps,
    /// It points back, or begins in the middle.
    Certain,
}

/// What the words of a message say of the ones before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Follow {
    /// How many words it has.
    pub(crate) words: usize,
    /// How many of them carry content.
    content: usize,
    /// It begins in the middle: "and ...", "what about ...".
    opens: bool,
    /// It begins by asking the same of something else: "what about ...".
    asks_same: bool,
    /// A pronoun points to something: "it", "that one".
    points: bool,
    /// It counts what it does not name: "how many can come in each month?".
    counts_nothing: bool,
}

impl Follow {
    /// Reads `text`, which is in the language of `pack`. Without a pack, or where it lacks the words,
    /// a message goes on only by being short.
    pub(crate) fn of(text: &str, pack: Option<&Pack>) -> Self {
        let lower = text.trim().to_lowercase();
        let words: Vec<&str> = lower
            .split(|c: char| !(c.is_alphanumeric() || c == '\''))
            .filter(|word| !word.is_empty())
            .collect();
        let counted = Self {
            words: words.len(),
            content: words.len(),
            ..Self::default()
        };
        let Some(pack) = pack else {
            return counted;
        };
        let Some(known) = &pack.sections().follow_ups else {
            return counted;
        };
        let begins = |phrase: &String| starts_with_words(&words, phrase);
        // "Is there a fee?" points to nothing.
        let is_existential = |at: usize| {
            known.existential.iter().any(|phrase| {
                let length = phrase.split(' ').count();
                (at + 1)
                    .checked_sub(length)
                    .is_some_and(|first| words[first..=at].join(" ") == *phrase)
            })
        };
        let points = (0..words.len())
            .any(|at| known.pointers.iter().any(|p| p == words[at]) && !is_existential(at));
        Self {
            content: pack.content(text).len(),
            opens: known.openers.iter().any(begins),
            asks_same: known.elliptical.iter().any(begins),
            points,
            counts_nothing: known
                .counting
                .iter()
                .any(|phrase| (0..words.len()).any(|at| starts_with_words(&words[at..], phrase))),
            ..counted
        }
    }

    /// For the search: whether the message is looked up with what was talked about.
    pub(crate) fn reference(&self) -> Reference {
        if self.words <= POINTING && (self.points || self.opens || self.counts_nothing) {
            Reference::Certain
        } else if self.words <= SHORT && self.content < 2 {
            Reference::Perhaps
        } else {
            Reference::None
        }
    }

    /// For the desk: whether it asks again, of another thing, what was asked before.
    pub(crate) fn is_ellipsis(&self) -> bool {
        self.asks_same && self.words <= ELLIPTICAL
    }

    /// For the desk: whether it may speak of the record that was talked about.
    pub(crate) fn points_back(&self) -> bool {
        self.points || self.opens || self.words <= TERSE
    }
}

fn starts_with_words(words: &[&str], phrase: &str) -> bool {
    let mut wanted = phrase.split(' ').enumerate();
    wanted.all(|(at, wanted)| words.get(at) == Some(&wanted))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompts::Prompts;

    fn follow(message: &str) -> Follow {
        let prompts = Prompts::builtin().unwrap();
        Follow::of(message, prompts.pack("en"))
    }

    #[test]
    fn a_message_points_back_or_stands_by_itself() {
        for (message, reference) in [
            ("and abroad?", Reference::Certain),
            ("how much is it", Reference::Certain),
            ("Do you ship to Australia?", Reference::None),
            ("Is there a monthly fee?", Reference::None),
            ("How long?", Reference::Perhaps),
            (
                "how many can come in each month for nothing?",
                Reference::Certain,
            ),
            ("How many transfers can I make?", Reference::None),
            (
                "What discount do members get on safe deposit boxes of the bank?",
                Reference::None,
            ),
        ] {
            assert_eq!(follow(message).reference(), reference, "{message}");
        }
    }

    #[test]
    fn an_ellipsis_asks_again_of_another_thing() {
        assert!(follow("and the other one?").is_ellipsis());
        assert!(follow("what about the blue lamp?").is_ellipsis());
        assert!(!follow("and where do I find the opening hours of your shop?").is_ellipsis());
        assert!(!follow("Do you sell lamps?").is_ellipsis());
        assert!(!follow("Why not all of it?").is_ellipsis());
    }

    #[test]
    fn without_a_pack_only_a_short_message_goes_on() {
        let long = "et quand est-ce que mon colis arrive enfin chez moi";
        assert_eq!(Follow::of(long, None).reference(), Reference::None);
        assert!(!Follow::of(long, None).points_back());
    }
}
