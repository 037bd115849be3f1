//! A message in parts: its sentences, and what it may ask apart.

use language::Pack;
use unicode_segmentation::UnicodeSegmentation;

/// The last sentences of `text`: what is wanted comes behind the story.
pub(crate) fn sentences(text: &str) -> Vec<String> {
    const MOST_SENTENCES: usize = 6;
    let sentences = text.unicode_sentences().map(str::trim);
    let said = sentences.filter(|sentence| sentence.chars().any(char::is_alphabetic));
    let mut last: Vec<String> = said.map(str::to_owned).collect();
    last.reverse();
    last.truncate(MOST_SENTENCES);
    last
}

/// What a message may ask, apart: its sentences, the items of a list written into one, and their clauses
/// by the language's own joints. A word or two stay with what is before them.
pub(crate) fn questions(text: &str, pack: Option<&Pack>) -> Vec<String> {
    const LEAST_WORDS: usize = 3;
    const MOST_QUESTIONS: usize = 6;
    let sentences = text.unicode_sentences().flat_map(items);
    let clauses = sentences.flat_map(|sentence| match pack {
        Some(pack) => pack.clauses(sentence),
        None => vec![sentence],
    });
    let mut questions: Vec<String> = Vec::new();
    for clause in clauses.map(str::trim) {
        match questions.last_mut() {
            Some(last) if clause.unicode_words().count() < LEAST_WORDS => {
                last.push(' ');
                last.push_str(clause);
            }
            _ => questions.push(clause.to_owned()),
        }
    }
    // What is asked comes behind the story.
    questions.drain(..questions.len().saturating_sub(MOST_QUESTIONS));
    questions
}

/// The items of a list that is written into a sentence, "1) how late are you open 2) where": cut at a
/// number that a bracket closes.
fn items(sentence: &str) -> Vec<&str> {
    let mut items = Vec::new();
    let mut begins = 0;
    for (at, _) in sentence.match_indices([')', '）']) {
        let before = &sentence[..at];
        let marker = before.trim_end_matches(|c: char| c.is_ascii_digit()).len();
        if marker < at && marker > begins {
            items.push(&sentence[begins..marker]);
            begins = marker;
        }
    }
    items.push(&sentence[begins..]);
    items
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// The pack of `tag` in `prompts/`.
    fn pack(tag: &str) -> Pack {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../prompts");
        let text = std::fs::read_to_string(folder.join(tag).join("language.toml")).unwrap();
        let sources = [(tag.to_owned(), text)].into();
        let packs = language::Packs::from_sources(&sources).unwrap();
        packs.require(tag).unwrap().clone()
    }

    #[test]
    fn questions_are_told_apart_by_sentence_clause_and_number() {
        for (tag, text, questions) in [
            (
                "en",
                "Hello there! Where is my parcel, and can I still change the colour?",
                &[
                    "Hello there!",
                    "Where is my parcel",
                    "can I still change the colour?",
                ][..],
            ),
            (
                "en",
                "1) do you repair clocks 2) what does it cost",
                &["1) do you repair clocks", "2) what does it cost"],
            ),
            (
                "en",
                "Do you repair clocks (and watches)?",
                &["Do you repair clocks (and watches)?"],
            ),
            (
                "de",
                "Wann kommt das Paket, und kann ich noch die Farbe ändern?",
                &["Wann kommt das Paket", "kann ich noch die Farbe ändern?"],
            ),
        ] {
            assert_eq!(
                super::questions(text, Some(&pack(tag))),
                questions,
                "{text}"
            );
        }
    }

    #[test]
    fn the_last_questions_are_kept() {
        let text = "Number one is this. ".repeat(9) + "What does it cost now?";
        let questions = questions(&text, None);
        assert_eq!(questions.len(), 6);
        assert_eq!(
            questions.last().map(String::as_str),
            Some("What does it cost now?")
        );
    }

    #[test]
    fn any_text_is_cut_without_losing_a_letter() {
        for text in [
            "",
            ")",
            "12)",
            "a) b) 1) 2)",
            "né 3) où",
            "（1）你好 2）多少钱",
        ] {
            let letters = |text: &str| text.chars().filter(|c| !c.is_whitespace()).count();
            let cut: usize = items(text).iter().map(|item| letters(item)).sum();
            assert_eq!(cut, letters(text), "{text}");
        }
    }
}
