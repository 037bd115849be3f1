//! Cuts text into sentences, also while it is still arriving.

/// Sentences out of text that arrives in pieces.
#[derive(Debug, Default)]
pub struct Sentences {
    pending: String,
}

/// Words before a full stop that does not end a sentence.
const ABBREVIATIONS: &[&str] = &[
    "e.g", "i.e", "etc", "mr", "mrs", "ms", "dr", "no", "nr", "st", "vs", "approx", "p.m", "a.m",
    "inc", "ltd", "co",
];

impl Sentences {
    /// Takes in `text`; gives the sentences that are complete now, each with its trailing space.
    pub fn push(&mut self, text: &str) -> Vec<String> {
        self.pending.push_str(text);
        let mut complete = Vec::new();
        while let Some(end) = first_end(&self.pending) {
            let rest = self.pending.split_off(end);
            complete.push(std::mem::replace(&mut self.pending, rest));
        }
        complete
    }

    /// What is left at the end of the stream.
    #[must_use]
    pub fn finish(self) -> Option<String> {
        (!self.pending.trim().is_empty()).then_some(self.pending)
    }
}

/// All sentences of a finished text.
#[must_use]
pub fn split(text: &str) -> Vec<String> {
    let mut sentences = Sentences::default();
    let mut all = sentences.push(text);
    all.extend(sentences.finish());
    all
}

/// Whether the end of `text` ends a sentence.
#[must_use]
pub fn is_whole(text: &str) -> bool {
    let text = text.trim_end().trim_end_matches(['"', '\'', ')', '”']);
    text.ends_with(['.', '!', '?', '。', '！', '？'])
}

/// Adds `next` to `text` as a sentence of its own.
pub fn append(text: &mut String, next: &str) {
    if !text.is_empty() {
        let ended = text.ends_with(['.', '!', '?', ':', ';', '。', '！', '？']);
        text.push_str(if ended { " " } else { ". " });
    }
    text.push_str(next);
}

/// End of the first sentence, past the white space that follows it: known only once something
/// comes after it, since `3.` may go on as `3.5`.
fn first_end(text: &str) -> Option<usize> {
    for (at, c) in text.char_indices() {
        let after = at + c.len_utf8();
        match c {
            '。' | '！' | '？' => return Some(skip_space(text, after)),
            '\n' if !text[..at].trim().is_empty() => return Some(skip_space(text, after)),
            '.' | '!' | '?' => {
                let closing = text[after..]
                    .find(|c| !matches!(c, '.' | '!' | '?' | '"' | '\'' | ')' | '”'))
                    .map(|offset| after + offset)?;
                let next = text[closing..].chars().next()?;
                if next.is_whitespace() && !(c == '.' && is_abbreviation(&text[..at])) {
                    let end = skip_space(text, closing);
                    // The white space may go on in the next piece; a word must have begun.
                    return (end < text.len()).then_some(end);
                }
            }
            _ => {}
        }
    }
    None
}

fn skip_space(text: &str, from: usize) -> usize {
    text[from..]
        .find(|c: char| !c.is_whitespace())
        .map_or(text.len(), |offset| from + offset)
}

fn is_abbreviation(before: &str) -> bool {
    let word = before
        .rsplit(char::is_whitespace)
        .next()
        .unwrap_or_default();
    let word = word.trim_start_matches('(').to_lowercase();
    // A list number ("1. Open the app") belongs to what follows.
    ABBREVIATIONS.contains(&word.as_str())
        || (word.chars().all(|c| c.is_ascii_digit()) && word.len() <= 2 && before.trim() == word)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn trimmed(text: &str) -> Vec<String> {
        split(text)
            .iter()
            .map(|sentence| sentence.trim().to_owned())
            .collect()
    }

    #[test]
    fn amounts_and_abbreviations_do_not_end_sentences() {
        assert_eq!(
            trimmed("It costs $3.50 a month, e.g. by card. Is that all? Yes!"),
            [
                "It costs $3.50 a month, e.g. by card.",
                "Is that all?",
                "Yes!"
            ]
        );
        assert_eq!(
            trimmed("We open at 9 a.m. on Saturdays."),
            ["We open at 9 a.m. on Saturdays."]
        );
    }

    #[test]
    fn chinese_sentences_end_without_a_space() {
        assert_eq!(
            trimmed("您好。订单已发货！还有问题吗？"),
            ["您好。", "订单已发货！", "还有问题吗？"]
        );
    }

    #[test]
    fn a_sentence_comes_out_when_the_next_begins() {
        let mut sentences = Sentences::default();
        assert!(sentences.push("It is $3.").is_empty());
        assert_eq!(sentences.push("50. Th"), ["It is $3.50. "]);
        assert_eq!(sentences.finish().as_deref(), Some("Th"));
    }

    #[test]
    fn a_sentence_without_its_end_is_told() {
        for whole in ["It is $3.50.", "(It is late!) ", "还有问题吗？"] {
            assert!(is_whole(whole), "{whole}");
        }
        for cut_off in ["It is $3.50", "You may return it,", "", "She said \"yes\""] {
            assert!(!is_whole(cut_off), "{cut_off}");
        }
    }

    #[test]
    fn what_is_appended_stands_apart() {
        let mut text = String::new();
        for line in ["Fees", "None.", "Limit: $5"] {
            append(&mut text, line);
        }
        assert_eq!(text, "Fees. None. Limit: $5");
    }

    proptest! {
        #[test]
        fn nothing_is_lost_or_changed(text in "[a-zA-Z0-9 .!?\n。？\")]{0,120}", cut in 0_usize..120) {
            let cut = text.char_indices().map(|(at, _)| at).nth(cut).unwrap_or(text.len());
            let mut sentences = Sentences::default();
            let mut joined: String = sentences.push(&text[..cut]).concat();
            joined.push_str(&sentences.push(&text[cut..]).concat());
            joined.push_str(&sentences.finish().unwrap_or_default());
            prop_assert_eq!(joined.trim_end(), text.trim_end());
        }
    }
}
