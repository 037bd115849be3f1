//! Detokenisation: token bytes become text that is safe to show, made of whole characters and
//! without a stop string.

/// Joins bytes into characters: a token may hold half of one.
#[derive(Debug, Default)]
pub(crate) struct Characters {
    /// Beginning of a character, at most three bytes.
    unfinished: Vec<u8>,
}

impl Characters {
    /// The characters that `bytes` complete. Bytes that can begin no character become U+FFFD.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> String {
        let mut joined = std::mem::take(&mut self.unfinished);
        joined.extend_from_slice(bytes);
        let mut text = String::with_capacity(joined.len());
        let mut chunks = joined.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            text.push_str(chunk.valid());
            let invalid = chunk.invalid();
            if chunks.peek().is_none() && is_beginning(invalid) {
                self.unfinished = invalid.to_vec();
            } else if !invalid.is_empty() {
                text.push(char::REPLACEMENT_CHARACTER);
            }
        }
        text
    }
}

/// Whether more bytes could make a character of `bytes`.
fn is_beginning(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none())
}

/// Text let through by [`StopStrings`].
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Released {
    /// What may be shown.
    pub(crate) text: String,
    /// A stop string is complete: nothing may follow.
    pub(crate) stopped: bool,
}

/// Ends a text before the first stop string to be complete in it, however the text is cut into
/// pieces. Text that may turn out to begin a stop string is withheld.
#[derive(Debug)]
pub(crate) struct StopStrings {
    stops: Vec<String>,
    withheld: String,
}

impl StopStrings {
    /// Looks for `stops`; empty ones are ignored.
    pub(crate) fn new(stops: Vec<String>) -> Self {
        let stops = stops.into_iter().filter(|stop| !stop.is_empty()).collect();
        Self {
            stops,
            withheld: String::new(),
        }
    }

    /// Adds `text`.
    pub(crate) fn push(&mut self, text: &str) -> Released {
        self.withheld.push_str(text);
        if let Some(start) = self.first_stop() {
            self.withheld.truncate(start);
            return Released {
                text: self.finish(),
                stopped: true,
            };
        }
        let doubtful = self
            .stops
            .iter()
            .map(|stop| overlap(&self.withheld, stop))
            .max();
        let certain = self.withheld.len() - doubtful.unwrap_or(0);
        let doubtful = self.withheld.split_off(certain);
        Released {
            text: std::mem::replace(&mut self.withheld, doubtful),
            stopped: false,
        }
    }

    /// The text has ended: what was withheld begins no stop string.
    pub(crate) fn finish(&mut self) -> String {
        std::mem::take(&mut self.withheld)
    }

    /// Where the stop string that is complete first begins; the longer of two that end together.
    fn first_stop(&self) -> Option<usize> {
        let found = self.stops.iter().filter_map(|stop| {
            let start = self.withheld.find(stop.as_str())?;
            Some((start + stop.len(), start))
        });
        found.min().map(|(_, start)| start)
    }
}

/// Length of the longest end of `text` that begins `stop` without being all of it.
fn overlap(text: &str, stop: &str) -> usize {
    let beginnings = stop.char_indices().filter_map(|(end, _)| stop.get(..end));
    beginnings
        .filter(|beginning| text.ends_with(beginning))
        .map(str::len)
        .max()
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `text` cut after the characters that `cuts` names, in order.
    fn pieces(text: &str, cuts: &[usize]) -> Vec<String> {
        let mut pieces = vec![String::new()];
        for (index, character) in text.chars().enumerate() {
            pieces.last_mut().unwrap().push(character);
            if cuts.contains(&index) {
                pieces.push(String::new());
            }
        }
        pieces
    }

    /// What a customer sees of `pieces`, and whether a stop string ended it.
    fn shown(pieces: &[String], stops: &[&str]) -> (String, bool) {
        let mut matcher = StopStrings::new(stops.iter().map(|stop| stop.to_string()).collect());
        let mut text = String::new();
        for piece in pieces {
            let released = matcher.push(piece);
            text.push_str(&released.text);
            if released.stopped {
                return (text, true);
            }
        }
        text.push_str(&matcher.finish());
        (text, false)
    }

    #[test]
    fn half_a_character_waits_for_its_other_half() {
        let mut characters = Characters::default();
        assert_eq!(characters.push(&"é".as_bytes()[..1]), "");
        assert_eq!(characters.push(&"é".as_bytes()[1..]), "é");
        assert_eq!(
            characters.push(&[0xE2, 0x82, b'A', 0xFF]),
            "\u{FFFD}A\u{FFFD}"
        );
    }

    #[test]
    fn a_stop_string_over_two_pieces_is_never_shown() {
        let mut matcher = StopStrings::new(vec!["<end>".to_owned(), String::new()]);
        let released = matcher.push("Bye <e");
        assert_eq!(
            released,
            Released {
                text: "Bye ".to_owned(),
                stopped: false
            }
        );
        let released = matcher.push("nd> more");
        assert_eq!(
            released,
            Released {
                text: String::new(),
                stopped: true
            }
        );
    }

    #[test]
    fn what_only_looked_like_a_stop_string_is_shown() {
        let (text, stopped) = shown(&pieces("a <en <end", &[3, 6]), &["<end>"]);
        assert_eq!((text.as_str(), stopped), ("a <en <end", false));
    }

    #[test]
    fn of_nested_stop_strings_the_first_to_be_complete_ends_the_text() {
        for cuts in [&[][..], &[0], &[1], &[0, 1]] {
            assert_eq!(
                shown(&pieces("abcd", cuts), &["abc", "b"]),
                ("a".to_owned(), true)
            );
            assert_eq!(
                shown(&pieces("abcd", cuts), &["c", "bc"]),
                ("a".to_owned(), true)
            );
        }
    }

    proptest! {
        #[test]
        fn bytes_in_any_pieces_give_the_same_text(
            text in "[aé漢😀]{0,12}",
            noise in proptest::collection::vec(any::<u8>(), 0..6),
            cut in 0usize..40,
        ) {
            let bytes = [noise.as_slice(), text.as_bytes(), b"."].concat();
            let cut = cut.min(bytes.len());
            let mut characters = Characters::default();
            let mut joined = characters.push(&bytes[..cut]);
            joined.push_str(&characters.push(&bytes[cut..]));
            prop_assert_eq!(joined, String::from_utf8_lossy(&bytes));
        }

        #[test]
        fn pieces_do_not_change_what_is_shown(
            text in "[abé]{0,24}",
            cuts in proptest::collection::vec(0usize..24, 0..12),
            stops in proptest::collection::vec("[abé]{1,4}", 0..4),
        ) {
            let stops: Vec<&str> = stops.iter().map(String::as_str).collect();
            let whole = shown(std::slice::from_ref(&text), &stops);
            prop_assert_eq!(&shown(&pieces(&text, &cuts), &stops), &whole);
            let (seen, stopped) = whole;
            prop_assert!(text.starts_with(&seen));
            prop_assert!(!stops.iter().any(|stop| seen.contains(stop)), "{} shows a stop", seen);
            prop_assert_eq!(stopped, stops.iter().any(|stop| text.contains(stop)));
            prop_assert!(stopped || seen == text, "{} lost text of {}", seen, text);
        }
    }
}
