//! Finding phrases in a text.

/// The text as phrases are compared: trimmed, in lower case, with straight apostrophes.
pub fn normal(text: &str) -> String {
    text.trim().to_lowercase().replace('\u{2019}', "'")
}

/// Whether `text` contains one of `phrases`, both in their [`normal`] form.
pub fn contains<'a>(text: &str, phrases: impl IntoIterator<Item = &'a String>) -> bool {
    phrases
        .into_iter()
        .any(|phrase| text.contains(phrase.as_str()))
}

/// Where `phrase` occurs in `text` as whole words: its begin and end in bytes.
pub(crate) fn whole<'t>(text: &'t str, phrase: &'t str) -> impl Iterator<Item = (usize, usize)> {
    text.match_indices(phrase).filter_map(|(at, found)| {
        let end = at + found.len();
        let inner = |c: char| c.is_alphanumeric();
        let parted = !text[..at].ends_with(inner) && !text[end..].starts_with(inner);
        parted.then_some((at, end))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_phrase_is_no_part_of_a_word() {
        assert_eq!(whole("hi i have", "i have").collect::<Vec<_>>(), [(3, 9)]);
        assert_eq!(whole("hawaii have", "i have").count(), 0);
        assert_eq!(whole("i haven", "i have").count(), 0);
    }
}
