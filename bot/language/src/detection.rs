//! Which language a script gives away.

use regex::Regex;

use crate::Pack;
use crate::sections::Segmentation;

/// The scripts of which a language is the one most written.
#[derive(Debug)]
pub(crate) struct Scripts {
    /// A letter of one of them.
    letter: Regex,
    is_decisive: bool,
    /// Whether a letter is about a word.
    without_spaces: bool,
}

impl Scripts {
    /// The scripts of a pack; `None` where it has none of its own.
    ///
    /// # Errors
    /// The name of what is no script of Unicode's.
    pub(crate) fn of(sections: &crate::Sections) -> Result<Option<Self>, String> {
        let Some(detection) = &sections.detection else {
            return Ok(None);
        };
        let mut class = String::new();
        for name in &detection.scripts {
            let one = format!(r"\p{{sc={name}}}");
            Regex::new(&one).map_err(|_| name.clone())?;
            class.push_str(&one);
        }
        let words = sections.words.as_ref();
        Regex::new(&format!("[{class}]")).map_or(Ok(None), |letter| {
            Ok(Some(Self {
                letter,
                is_decisive: detection.decisive,
                without_spaces: words
                    .is_some_and(|words| words.segmentation == Segmentation::Dictionary),
            }))
        })
    }

    fn letters(&self, text: &str) -> usize {
        self.letter.find_iter(text).count()
    }
}

/// The pack of the language that the script of `text` gives away; `None` for a text in Latin
/// letters, or mostly so.
pub(crate) fn by_script<'p>(packs: impl Iterator<Item = &'p Pack>, text: &str) -> Option<&'p Pack> {
    if text.is_ascii() {
        return None;
    }
    let latin_words = text
        .split(|c: char| !c.is_ascii_alphabetic())
        .filter(|word| word.len() > 1)
        .count();
    let found = packs.filter_map(|pack| {
        let scripts = pack.scripts()?;
        let letters = scripts.letters(text);
        let outweighs = letters > latin_words || scripts.without_spaces && letters == latin_words;
        let tells = letters > 0 && (scripts.is_decisive || outweighs);
        tells.then_some((scripts.is_decisive, letters, pack))
    });
    let best = found.max_by_key(|(is_decisive, letters, _)| (*is_decisive, *letters));
    best.map(|(_, _, pack)| pack)
}
