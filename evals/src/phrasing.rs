//! How a reply says that it does not know, and how it declines: the phrases are in `phrasing.toml`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

/// The phrases of a language.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Phrases {
    /// Ways of saying that something is not known.
    not_known: Vec<String>,
    /// Ways of declining a request.
    declined: Vec<String>,
}

/// By language; a reply may be in any of them.
#[expect(
    clippy::expect_used,
    reason = "the phrases are part of the binary, and tests read them"
)]
static PHRASES: LazyLock<BTreeMap<String, Phrases>> = LazyLock::new(|| {
    toml::from_str(include_str!("phrasing.toml")).expect("the phrases in the binary are valid")
});

/// Whether `reply` says that it does not know.
pub fn does_not_know(reply: &str) -> bool {
    says_one_of(|phrases| &phrases.not_known, reply)
}

/// Whether `reply` declines what was asked.
pub fn declines(reply: &str) -> bool {
    says_one_of(|phrases| &phrases.declined, reply)
}

fn says_one_of(list: fn(&Phrases) -> &Vec<String>, reply: &str) -> bool {
    let reply = plain(reply);
    let mut phrases = PHRASES.values().flat_map(list);
    phrases.any(|phrase| says(phrase, &reply))
}

/// Lower case, straight apostrophes, single spaces.
fn plain(reply: &str) -> String {
    let reply = reply.to_lowercase().replace('\u{2019}', "'");
    reply.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether the phrase stands in the reply as words of its own: `unable` is not in `tunable`.
/// A script without spaces does not part its words, so there it may stand anywhere.
fn says(phrase: &str, reply: &str) -> bool {
    reply.match_indices(phrase).any(|(at, found)| {
        let before = reply.get(..at).and_then(|text| text.chars().next_back());
        let after = reply
            .get(at + found.len()..)
            .and_then(|text| text.chars().next());
        is_unspaced(phrase) || !(before.is_some_and(in_word) || after.is_some_and(in_word))
    })
}

fn is_unspaced(phrase: &str) -> bool {
    phrase
        .chars()
        .all(|letter| ('\u{4e00}'..='\u{9fff}').contains(&letter))
}

fn in_word(letter: char) -> bool {
    letter.is_alphanumeric()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_that_do_not_know_are_heard() {
        for reply in [
            "I'm sorry, I don’t have that information, and I'd rather not guess.",
            "The document does not specify a late fee.",
            "抱歉，我没有这方面的信息，也不想随意猜测。",
            "Lo siento, no tengo  información sobre eso.",
            "Das weiß ich nicht, tut mir leid.",
        ] {
            assert!(does_not_know(reply), "{reply}");
        }
    }

    #[test]
    fn replies_that_decline_are_heard() {
        for reply in [
            "I can’t do that.",
            "Order #W1 is already processed and can no longer be cancelled.",
            "I'm not able to share other customers' data.",
            "抱歉，我无法提供这些信息。",
            "Eso no puedo hacerlo.",
        ] {
            assert!(declines(reply), "{reply}");
        }
    }

    #[test]
    fn an_answer_is_neither() {
        for reply in [
            "The yearly fee is $150.",
            "Our tunable desk lamp is a cantilever of brass.",
            "您可以在17分钟内取消。",
            "Su pedido llega el lunes.",
        ] {
            assert!(!does_not_know(reply) && !declines(reply), "{reply}");
        }
    }

    #[test]
    fn phrases_are_written_as_they_are_compared() {
        for phrases in PHRASES.values() {
            for phrase in phrases.not_known.iter().chain(&phrases.declined) {
                assert_eq!(plain(phrase), *phrase);
            }
        }
    }
}
