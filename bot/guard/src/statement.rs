//! What a sentence says: its content words, and whether it denies.

use std::collections::HashSet;

use language::Pack;
use language::sentences::Boundaries;
use language::words::plain;

use crate::checks::LEAST_IN_ONE;

/// From this fit on two sentences speak of the same thing, so that their polarity must agree.
const SAME_THING: f32 = 0.75;
/// Words that a statement needs for that.
const LEAST_WORDS: usize = 2;
/// Most words of a heading before a colon.
const HEADING_WORDS: usize = 8;

/// Reads sentences with a language's pack, or without one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'p> {
    pub(crate) pack: Option<&'p Pack>,
}

impl<'p> Reader<'p> {
    pub(crate) fn new(pack: Option<&'p Pack>) -> Self {
        Self { pack }
    }

    /// The words of a text in the form they are compared in.
    pub(crate) fn words(self, text: &str) -> Vec<String> {
        self.pack
            .map_or_else(|| plain(text), |pack| pack.words(text))
    }

    fn content(self, text: &str) -> Vec<String> {
        self.pack
            .map_or_else(|| plain(text), |pack| pack.content(text))
    }

    /// The words of a text that carry content and deny nothing, each once, in order.
    pub(crate) fn sorted_content(self, text: &str) -> Vec<String> {
        let mut content = self.content(text);
        let negations = self.pack.and_then(|pack| pack.sections().negation.as_ref());
        content.retain(|word| negations.is_none_or(|negations| !negations.words.contains(word)));
        content.sort();
        content.dedup();
        content
    }

    pub(crate) fn sentences(self, text: &str, unknown: &Boundaries) -> Vec<String> {
        self.pack.map_or(unknown, Pack::boundaries).split(text)
    }

    pub(crate) fn statement(self, sentence: &str) -> Statement {
        let sentence = self.without_verdict(without_heading(sentence).1);
        let negations = self.negations(sentence);
        Statement {
            content: self.sorted_content(sentence),
            denies: negations % 2 == 1,
            negations,
            heading: Vec::new(),
        }
    }

    /// The sentence without the verdict that it begins with: "No, it is free" denies nothing of it.
    fn without_verdict(self, sentence: &str) -> &str {
        let Some(answers) = self.pack.and_then(|pack| pack.sections().answers.as_ref()) else {
            return sentence;
        };
        let commas = [", ", "，"];
        let mut parts = commas.iter().filter_map(|comma| sentence.split_once(comma));
        let rest = parts.find(|(first, _)| {
            let first = first.trim().to_lowercase();
            answers.yes.contains(&first) || answers.no.contains(&first)
        });
        rest.map_or(sentence, |(_, rest)| rest)
    }

    /// The parts of a sentence that claim something each.
    pub(crate) fn clauses(self, sentence: &str) -> Vec<&str> {
        self.pack
            .map_or_else(|| vec![sentence], |pack| pack.clauses(sentence))
    }

    /// The same, and what is joined within them.
    pub(crate) fn inner_clauses(self, sentence: &str) -> Vec<&str> {
        self.pack
            .map_or_else(|| vec![sentence], |pack| pack.inner_clauses(sentence))
    }

    /// Whether the sentence denies; a double negation affirms.
    pub(crate) fn denies(self, sentence: &str) -> bool {
        self.negations(sentence) % 2 == 1
    }

    fn negations(self, sentence: &str) -> usize {
        let Some(negation) = self.pack.and_then(|pack| pack.sections().negation.as_ref()) else {
            return 0;
        };
        let mut lower = language::normal(sentence);
        for exception in &negation.exceptions {
            lower = lower.replace(exception.as_str(), "");
        }
        let words = lower
            .split(|c: char| !(c.is_alphanumeric() || c == '\''))
            .filter(|word| negation.words.iter().any(|known| known == word))
            .count();
        let marks = negation
            .marks
            .iter()
            .filter(|mark| lower.contains(mark.as_str()))
            .count();
        words + marks
    }
}

/// A line's own heading, "What it costs: Nothing", apart from what it says.
pub(crate) fn without_heading(sentence: &str) -> (Option<&str>, &str) {
    let parts = sentence.split_once(": ").filter(|(heading, rest)| {
        heading.split_whitespace().count() <= HEADING_WORDS
            && !heading.contains(['.', ',', ';', '!'])
            && rest.starts_with(|c: char| c.is_uppercase())
    });
    parts.map_or((None, sentence), |(heading, rest)| (Some(heading), rest))
}

/// A sentence as the guard compares it.
#[derive(Clone, Debug)]
pub(crate) struct Statement {
    content: Vec<String>,
    denies: bool,
    /// How often it denies something.
    negations: usize,
    /// Content of the heading that it is an item of: "What cannot be returned".
    heading: Vec<String>,
}

impl Statement {
    /// The same as an item below a heading that denies.
    pub(crate) fn denied_by(self, heading: Vec<String>) -> Self {
        Self {
            denies: true,
            negations: 1,
            heading,
            ..self
        }
    }

    /// Whether it denies something, and no statement that denies speaks of it: "and Amex is not
    /// accepted" beside facts that do not name it.
    pub(crate) fn denies_beyond(&self, statements: &[Self]) -> bool {
        let bears =
            |statement: &&Self| statement.negations > 0 && self.share_of(statement) >= LEAST_IN_ONE;
        self.denies && self.has_content() && !statements.iter().any(|known| bears(&known))
    }

    /// The largest share of this one's content that one of `statements` holds.
    pub(crate) fn best_support(&self, statements: &[Self]) -> f32 {
        let shares = statements.iter().map(|statement| self.share_of(statement));
        shares.fold(0.0, f32::max)
    }

    fn share_of(&self, statement: &Self) -> f32 {
        self.share(|word| {
            statement.content.binary_search(word).is_ok()
                || statement.heading.binary_search(word).is_ok()
        })
    }

    /// Whether it denies one thing at most, so that it can be told from its number of negations
    /// whether it denies.
    fn is_single(&self) -> bool {
        self.negations < 2
    }

    /// Whether it has words that carry content.
    pub(crate) fn has_content(&self) -> bool {
        !self.content.is_empty()
    }

    /// The statement without `words`.
    pub(crate) fn without(&self, words: &HashSet<String>) -> Self {
        let content = self.content.iter();
        Self {
            content: content
                .filter(|word| !words.contains(*word))
                .cloned()
                .collect(),
            ..self.clone()
        }
    }

    /// Share of the content that `words` hold.
    pub(crate) fn share_in(&self, words: &HashSet<String>) -> f32 {
        self.share(|word| words.contains(word))
    }

    /// Whether both have a word in common that is more than a number.
    pub(crate) fn shares_a_word_with(&self, other: &Self) -> bool {
        let words = || {
            self.content
                .iter()
                .filter(|word| !word.starts_with(|c: char| c.is_ascii_digit()))
        };
        words().next().is_none() || words().any(|word| other.content.binary_search(word).is_ok())
    }

    /// Whether one of `statements` speaks of the same thing and denies what this one affirms, or the
    /// other way round, and none that agrees speaks of it as closely.
    pub(crate) fn is_contradicted_by(&self, statements: &[Self]) -> bool {
        if self.content.len() < LEAST_WORDS {
            return false;
        }
        let best = |agrees: bool| {
            let fits = statements
                .iter()
                .filter(|known| known.content.len() >= LEAST_WORDS)
                // Of one that denies two things, its clauses speak.
                .filter(|known| agrees || known.is_single())
                .filter(|known| (known.denies == self.denies) == agrees)
                .map(|known| self.fit(known));
            fits.fold(0.0, f32::max)
        };
        let against = best(false);
        against >= SAME_THING && against > best(true)
    }

    /// How much two statements have in common, from 0 to 1: the harmonic mean of both shares.
    fn fit(&self, known: &Self) -> f32 {
        let share = self.share_of(known);
        let back = known.share(|word| self.content.binary_search(word).is_ok());
        2.0 * share * back / (share + back).max(f32::MIN_POSITIVE)
    }

    fn share(&self, holds: impl Fn(&String) -> bool) -> f32 {
        if self.content.is_empty() {
            return 1.0;
        }
        self.content.iter().filter(|word| holds(word)).count() as f32 / self.content.len() as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::packs;

    #[test]
    fn a_double_negation_affirms() {
        let packs = packs();
        for (tag, sentence, denies) in [
            ("en", "You cannot return it.", true),
            ("en", "You can’t return it.", true),
            ("en", "It never comes without a cost.", false),
            ("de", "Sie können es nicht zurückgeben.", true),
            ("de", "Das geht nie ohne Rechnung.", false),
            ("de", "Das geht mit oder ohne Rechnung.", false),
            ("zh", "这件商品不能退货。", true),
            ("zh", "不仅免费，还送货上门。", false),
        ] {
            let reader = Reader::new(packs.get(tag));
            assert_eq!(reader.denies(sentence), denies, "{sentence}");
        }
    }

    #[test]
    fn a_sentence_falls_into_what_it_claims() {
        let packs = packs();
        let cut = |tag, sentence: &'static str| Reader::new(packs.get(tag)).clauses(sentence);
        assert_eq!(
            cut("en", "It is free, and it is quick; that is all."),
            ["It is free", "it is quick", "that is all."]
        );
        assert_eq!(
            cut("de", "Es ist nicht schnell, sondern gut, und das reicht."),
            ["Es ist nicht schnell", "gut", "das reicht."]
        );
        assert_eq!(cut("zh", "免费送货；不收税。"), ["免费送货", "不收税。"]);
    }
}
