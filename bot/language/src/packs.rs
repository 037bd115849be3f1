//! All packs, read from their files.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::detection::by_script;
use crate::sections::Sections;
use crate::sentences::Boundaries;
use crate::{Pack, validate};

/// Why a pack cannot be used. The text names file, line and key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PackError {
    /// An entry is not what it should be.
    #[error("{tag}/language.toml, line {line}: {reason}")]
    Invalid {
        /// The language.
        tag: String,
        /// Line, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// A language that has templates has no pack.
    #[error(
        "{tag}/language.toml is missing; begin it with `name = \"…\"`, as en/language.toml does"
    )]
    Missing {
        /// The language.
        tag: String,
    },
}

/// The packs of all languages. Cloning is cheap.
#[derive(Clone, Debug, Default)]
pub struct Packs(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    packs: BTreeMap<String, Pack>,
    boundaries: Boundaries,
}

impl Packs {
    /// Reads packs from the texts of their files, by language tag.
    ///
    /// # Errors
    /// [`PackError::Invalid`] for the first entry that is unknown, of a wrong type, or senseless.
    pub fn from_sources(sources: &BTreeMap<String, String>) -> Result<Self, PackError> {
        let packs = sources
            .iter()
            .map(|(tag, source)| Ok((tag.clone(), read(tag, source)?)))
            .collect::<Result<BTreeMap<_, _>, PackError>>()?;
        let boundaries = Boundaries::union(packs.values().map(Pack::boundaries));
        Ok(Self(Arc::new(Inner { packs, boundaries })))
    }

    /// The pack of the language with this tag.
    #[must_use]
    pub fn get(&self, tag: &str) -> Option<&Pack> {
        self.0.packs.get(tag)
    }

    /// The same, where there must be one.
    ///
    /// # Errors
    /// [`PackError::Missing`].
    pub fn require(&self, tag: &str) -> Result<&Pack, PackError> {
        self.get(tag).ok_or_else(|| PackError::Missing {
            tag: tag.to_owned(),
        })
    }

    /// All packs, by tag.
    pub fn iter(&self) -> impl Iterator<Item = &Pack> {
        self.0.packs.values()
    }

    /// The pack of the language that the script of `text` gives away; `None` for a text in Latin
    /// letters, or mostly so.
    #[must_use]
    pub fn by_script(&self, text: &str) -> Option<&Pack> {
        by_script(self.iter(), text)
    }

    /// How sentences end in a text whose language is not known.
    #[must_use]
    pub fn boundaries(&self) -> &Boundaries {
        &self.0.boundaries
    }
}

fn read(tag: &str, source: &str) -> Result<Pack, PackError> {
    let invalid = |line: usize, reason: String| PackError::Invalid {
        tag: tag.to_owned(),
        line,
        reason,
    };
    let sections: Sections = toml::from_str(source).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        invalid(
            line_at(source, at),
            plain_reason(source, at, error.message()),
        )
    })?;
    let faulty = |fault: validate::Fault| {
        let line = line_of(source, &fault.key, fault.entry.as_deref());
        invalid(line, fault.reason())
    };
    validate::first_fault(&sections).map_or(Ok(()), |fault| Err(faulty(fault)))?;
    Pack::new(tag, sections).map_err(faulty)
}

/// The parser's message, with the key that it is about.
fn plain_reason(source: &str, at: usize, message: &str) -> String {
    let quoted = |text: &str| text.split('`').nth(1).unwrap_or_default().to_owned();
    if message.starts_with("unknown field") {
        let known = message.split_once(", ").map_or("", |(_, rest)| rest);
        return format!("unknown key \"{}\"; {known}", quoted(message));
    }
    if message.starts_with("missing field") {
        return format!("the key \"{}\" is missing", quoted(message));
    }
    let start = source.get(..at).map_or(0, |before| {
        before.rfind('\n').map_or(0, |newline| newline + 1)
    });
    let line = source.get(start..).and_then(|rest| rest.lines().next());
    let key = line.and_then(|line| line.split_once('='));
    match key {
        Some((key, _)) => format!("key \"{}\": {message}", key.trim()),
        None => message.to_owned(),
    }
}

fn line_at(source: &str, at: usize) -> usize {
    let before = source.get(..at).unwrap_or(source);
    before.matches('\n').count() + 1
}

/// The line of an entry of `key` (`words.function`), or of the key itself.
fn line_of(source: &str, key: &str, entry: Option<&str>) -> usize {
    let (section, field) = key.split_once('.').unwrap_or(("", key));
    let header = source.find(&format!("[{section}]")).unwrap_or(0);
    let field = source.get(header..).and_then(|rest| {
        let mut starts = rest.match_indices(field).filter(|(at, _)| {
            *at == 0 || rest.get(..*at).is_some_and(|before| before.ends_with('\n'))
        });
        starts.next().map(|(at, _)| header + at)
    });
    let from = field.unwrap_or(header);
    let entry = entry.and_then(|entry| {
        let spellings = [
            format!("\"{entry}\""),
            format!("'{entry}'"),
            entry.to_owned(),
        ];
        let rest = source.get(from..)?;
        spellings
            .iter()
            .find_map(|quoted| rest.find(quoted.as_str()))
    });
    line_at(source, from + entry.unwrap_or(0))
}

#[cfg(test)]
pub(crate) mod tests {
    use std::path::Path;
    use std::sync::LazyLock;

    use super::*;
    use crate::Section;

    static ALL: LazyLock<Packs> = LazyLock::new(|| Packs::from_sources(&sources()).unwrap());

    /// One of the packs of `prompts/`.
    pub(crate) fn pack(tag: &str) -> Pack {
        ALL.require(tag).unwrap().clone()
    }

    fn sources() -> BTreeMap<String, String> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../prompts");
        let mut sources = BTreeMap::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if let Ok(text) = std::fs::read_to_string(path.join("language.toml")) {
                let tag = path.file_name().unwrap().to_string_lossy().into_owned();
                sources.insert(tag, text);
            }
        }
        sources
    }

    fn error(source: &str) -> String {
        let sources = BTreeMap::from([("xx".to_owned(), source.to_owned())]);
        Packs::from_sources(&sources).unwrap_err().to_string()
    }

    #[test]
    fn the_packs_that_come_with_the_product_are_sound() {
        let english = pack("en");
        assert_eq!((english.tag(), english.name()), ("en", "English"));
        assert_eq!(pack("de").name(), "Deutsch");
        assert!(ALL.iter().count() >= 3);
        assert!(ALL.get("eo").is_none());
    }

    #[test]
    fn a_pack_of_a_name_alone_is_a_pack_and_lacks_all() {
        let sources = BTreeMap::from([("eo".to_owned(), "name = \"Esperanto\"".to_owned())]);
        let packs = Packs::from_sources(&sources).unwrap();
        let pack = packs.require("eo").unwrap();
        for section in [
            Section::FunctionWords,
            Section::Numbers,
            Section::Units,
            Section::Negation,
            Section::Conditions,
            Section::Names,
            Section::Answers,
            Section::Deeds,
            Section::Promises,
            Section::Placeholders,
        ] {
            assert!(!pack.has(section), "{section:?}");
        }
        assert_eq!(pack.content("La Domo"), ["la", "domo"]);
    }

    #[test]
    fn a_mistake_is_told_with_file_line_and_key() {
        for (source, told) in [
            (
                "name = \"X\"\n\n[negatoins]\nwords = []",
                "xx/language.toml, line 3: unknown key \"negatoins\"; expected one of",
            ),
            (
                "name = \"X\"\n[negation]\nwrods = []",
                "xx/language.toml, line 3: unknown key \"wrods\"; expected one of",
            ),
            (
                "name = \"X\"\n[negation]\nwords = \"no\"",
                "xx/language.toml, line 3: key \"words\": invalid type: string \"no\"",
            ),
            (
                "name = \"X\"\n[numbers.words]\ntwo = \"2\"",
                "xx/language.toml, line 3: key \"two\": invalid type",
            ),
            (
                "name = \"X\"\n[numbers.words]\ntwo = -2",
                "xx/language.toml, line 3: key \"two\": invalid value",
            ),
            (
                "[negation]\nwords = []",
                "xx/language.toml, line 1: the key \"name\" is missing",
            ),
            (
                "name = \"X\"\n[negation]\nwords = [\"no\",\n\"Not\"]",
                "xx/language.toml, line 4: key \"negation.words\": write \"Not\" in lower case",
            ),
            (
                "name = \"X\"\n[negation]\nwords = [\"no\",\n\"\"]",
                "xx/language.toml, line 4: key \"negation.words\": an entry is empty",
            ),
            (
                "name = \"X\"\n[words]\nstemmer = \"klingon\"",
                "xx/language.toml, line 3: key \"words.stemmer\": Snowball has no stemmer \"klingon\"",
            ),
            (
                "name = \"X\"\n[numbers]\ndecimal = \",\"",
                "xx/language.toml, line 3: key \"numbers.decimal\": it is the same as",
            ),
            (
                "name = \"X\"\n[days]\nweekdays = [\"Mon\"]\nnamed = \"\"\nin_full = \"\"",
                "xx/language.toml, line 3: key \"days.weekdays\": a week has 7 days, not 1",
            ),
            (
                "name = \"X\"\n[wording]\nciting = [\n'(facts']",
                "xx/language.toml, line 4: key \"wording.citing\": \"(facts\" is no pattern",
            ),
            ("name = \"X\"\n[words\n", "xx/language.toml, line 2: "),
        ] {
            let error = error(source);
            assert!(error.starts_with(told), "{error}\nis not\n{told}");
        }
    }

    #[test]
    fn a_script_gives_its_language_away() {
        for (text, tag) in [
            (
                "急死我了，everyone pay转错钱了！！多久之内可以取消？",
                Some("zh"),
            ),
            ("注文した商品はいつ届きますか", Some("ja")),
            ("iPhone Pro Max のケースはありますか", Some("ja")),
            ("내 주문은 어디 있나요?", Some("ko")),
            ("Где мой заказ?", Some("ru")),
            ("أين طلبي؟", Some("ar")),
            ("איפה ההזמנה שלי?", Some("he")),
            ("Πού είναι η παραγγελία μου;", Some("el")),
            ("मेरा ऑर्डर कहाँ है?", Some("hi")),
            ("สินค้าของฉันอยู่ที่ไหน", Some("th")),
            ("Is the Δ-9 lamp in stock?", None),
            ("Wo bleibt mein Paket für Zoë?", None),
            ("ok 👍", None),
            ("", None),
        ] {
            assert_eq!(ALL.by_script(text).map(Pack::tag), tag, "{text}");
        }
    }

    #[test]
    fn a_language_without_its_file_is_told() {
        let error = ALL.require("fi").unwrap_err().to_string();
        assert!(error.starts_with("fi/language.toml is missing"), "{error}");
    }
}
