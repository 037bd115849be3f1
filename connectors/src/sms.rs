//! How a text travels as short messages: in which alphabet, and in how many segments
//! ([3GPP TS 23.038](https://www.3gpp.org/dynareport/23038.htm) and 23.040).
//!
//! One character outside the GSM alphabet makes a whole text travel in UTF-16, at less than half the length. Each
//! segment is charged.

use crate::text::{Length, Unit};

/// The basic table of the GSM alphabet, without the escape.
const BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡\
                     ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
/// What stands behind an escape, and counts twice.
const EXTENSION: &str = "\u{c}^{}\\[~]|€";

/// Segments beyond which carriers may not deliver a message.
const MOST_SEGMENTS: usize = 10;

/// The alphabet of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// The GSM alphabet, of 7 bits a character.
    Gsm7,
    /// UTF-16, which is still called UCS-2.
    Ucs2,
}

impl Encoding {
    /// The smallest alphabet that holds all of `text`.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let is_gsm = |character| BASIC.contains(character) || EXTENSION.contains(character);
        if text.chars().all(is_gsm) {
            Self::Gsm7
        } else {
            Self::Ucs2
        }
    }

    /// Bits of one unit.
    fn bits(self) -> usize {
        match self {
            Self::Gsm7 => 7,
            Self::Ucs2 => 16,
        }
    }

    /// Units of `character`.
    fn units(self, character: char) -> usize {
        match self {
            Self::Gsm7 if EXTENSION.contains(character) => 2,
            Self::Gsm7 => 1,
            Self::Ucs2 => character.len_utf16(),
        }
    }

    /// Units of a message of one segment.
    fn whole(self) -> usize {
        match self {
            Self::Gsm7 => 160,
            Self::Ucs2 => 70,
        }
    }

    /// Units of each of several segments, which have a header.
    fn split(self) -> usize {
        match self {
            Self::Gsm7 => 153,
            Self::Ucs2 => 67,
        }
    }

    /// The longest message of this alphabet that is delivered as one everywhere, but for characters of the GSM
    /// alphabet that count twice.
    #[must_use]
    pub fn limit(self) -> Length {
        Length {
            most: self.split() * MOST_SEGMENTS,
            unit: Unit::Utf16,
        }
    }
}

/// How a text travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its alphabet.
    pub encoding: Encoding,
    /// Its length in bits, without the segments' headers.
    pub bits: usize,
    /// How many segments are charged; one for an empty text, too.
    pub segments: usize,
}

impl Message {
    /// `text` as short messages.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let encoding = Encoding::of(text);
        let lengths = text.chars().map(|character| encoding.units(character));
        let units: usize = lengths.clone().sum();
        let mut segments = 1;
        if units > encoding.whole() {
            let mut spent = 0;
            for length in lengths {
                spent += length;
                // No character is divided between two segments.
                if spent > encoding.split() {
                    segments += 1;
                    spent = length;
                }
            }
        }
        Self {
            encoding,
            bits: units * encoding.bits(),
            segments,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_foreign_character_changes_the_alphabet_of_all() {
        let of = |text: &str| {
            let message = Message::of(text);
            (message.encoding, message.segments)
        };
        assert_eq!(of(&"a".repeat(160)), (Encoding::Gsm7, 1));
        assert_eq!(of(&"a".repeat(161)), (Encoding::Gsm7, 2));
        assert_eq!(of(&format!("{}’", "a".repeat(70))), (Encoding::Ucs2, 2));
        // An escape and what stands behind it stay together: 76 of them fill a segment, but for one unit.
        assert_eq!(of(&"€".repeat(152)), (Encoding::Gsm7, 2));
        assert_eq!(of(&"€".repeat(153)), (Encoding::Gsm7, 3));
    }

    #[test]
    fn the_tables_have_all_their_characters() {
        assert_eq!(BASIC.chars().count(), 127);
        assert_eq!(EXTENSION.chars().count(), 10);
    }

    proptest! {
        #[test]
        fn a_text_within_the_limit_is_delivered_as_one(
            gsm in "[a-zA-Z0-9äöñ .]{0,1530}",
            foreign in "[客服 ]{1,670}",
        ) {
            for text in [gsm, foreign] {
                let message = Message::of(&text);
                prop_assert!(message.encoding.limit().holds(&text));
                prop_assert!(message.segments <= MOST_SEGMENTS);
            }
        }
    }
}
