//! Text within the limits of platforms, which count in different units.

use text_splitter::{ChunkConfig, ChunkSizer, TextSplitter};
use unicode_segmentation::UnicodeSegmentation;

/// What stands for what was cut off.
const ELLIPSIS: &str = "…";

/// What a platform counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Unicode scalar values.
    Chars,
    /// UTF-16 code units.
    Utf16,
    /// Bytes of UTF-8.
    Bytes,
}

impl Unit {
    /// The length of `text` in this unit.
    #[must_use]
    pub fn count(self, text: &str) -> usize {
        match self {
            Self::Chars => text.chars().count(),
            Self::Utf16 => text.encode_utf16().count(),
            Self::Bytes => text.len(),
        }
    }
}

impl ChunkSizer for Unit {
    fn size(&self, chunk: &str) -> usize {
        self.count(chunk)
    }
}

/// The longest that a text may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Length {
    /// How many; at least 4, the bytes of the longest character.
    pub most: usize,
    /// Of what.
    pub unit: Unit,
}

impl Length {
    /// Whether `text` is short enough.
    #[must_use]
    pub fn holds(self, text: &str) -> bool {
        self.unit.count(text) <= self.most
    }

    /// `text` in pieces that are short enough: cut between paragraphs, else sentences, words, and at last
    /// characters as people see them. White space where it is cut is left out; a text of nothing else has no piece.
    #[must_use]
    pub fn split(self, text: &str) -> Vec<String> {
        let text = text.trim();
        if self.holds(text) {
            return Some(text.to_owned())
                .filter(|text| !text.is_empty())
                .into_iter()
                .collect();
        }
        let config = ChunkConfig::new(self.most).with_sizer(self.unit);
        TextSplitter::new(config)
            .chunks(text)
            .map(str::to_owned)
            .collect()
    }

    /// `text`, or as much of its beginning as fits, with an ellipsis.
    #[must_use]
    pub fn shorten(self, text: &str) -> String {
        if self.holds(text) {
            return text.to_owned();
        }
        let room = self.most.saturating_sub(self.unit.count(ELLIPSIS));
        let mut short = String::new();
        let mut spent = 0;
        for character in text.graphemes(true) {
            spent += self.unit.count(character);
            if spent > room {
                break;
            }
            short.push_str(character);
        }
        format!("{}{ELLIPSIS}", short.trim_end())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const UNITS: [Unit; 3] = [Unit::Chars, Unit::Utf16, Unit::Bytes];

    fn bare(text: &str) -> String {
        text.chars()
            .filter(|character| !character.is_whitespace())
            .collect()
    }

    #[test]
    fn each_unit_counts_what_its_platforms_count() {
        let counts = |text: &str| UNITS.map(|unit| unit.count(text));
        assert_eq!(counts("café"), [4, 4, 5]);
        assert_eq!(counts("客服"), [2, 2, 6]);
        assert_eq!(counts("👋"), [1, 2, 4]);
        assert_eq!(counts("👨‍👩‍👧"), [5, 8, 18]);
    }

    #[test]
    fn a_long_text_is_cut_between_sentences_before_words() {
        let length = Length {
            most: 40,
            unit: Unit::Chars,
        };
        let text =
            "Returns are free of charge. Send it back within thirty days. Then we refund it.";
        assert_eq!(
            length.split(text),
            [
                "Returns are free of charge.",
                "Send it back within thirty days.",
                "Then we refund it."
            ]
        );
        assert_eq!(length.split(" \n "), Vec::<String>::new());
    }

    #[test]
    fn what_is_seen_as_one_character_stays_whole_where_it_fits() {
        let length = Length {
            most: 18,
            unit: Unit::Bytes,
        };
        let families = "👨‍👩‍👧".repeat(3);
        assert_eq!(length.split(&families), ["👨‍👩‍👧"; 3]);
    }

    #[test]
    fn a_label_that_is_too_long_ends_in_an_ellipsis() {
        let length = Length {
            most: 20,
            unit: Unit::Chars,
        };
        assert_eq!(length.shorten("Yes"), "Yes");
        assert_eq!(
            length.shorten("I would like to talk to a person"),
            "I would like to tal…"
        );
    }

    proptest! {
        #[test]
        fn pieces_are_short_enough_and_lose_no_letter(
            text in "(\\PC|[ \n.!?。客👋é]){0,400}",
            most in 4_usize..60,
            unit in prop::sample::select(&UNITS),
        ) {
            let length = Length { most, unit };
            let pieces = length.split(&text);
            for piece in &pieces {
                prop_assert!(length.holds(piece), "{piece:?}");
                prop_assert!(!piece.trim().is_empty());
            }
            prop_assert_eq!(bare(&pieces.concat()), bare(&text));
            prop_assert!(length.holds(&length.shorten(&text)));
        }
    }
}
