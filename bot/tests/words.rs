//! What customers say is learned from examples, and what a language has a closed class of is in its pack:
//! no source file of the program holds a list of natural-language words.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::{fs, io};

use language::Packs;
use regex::Regex;

/// Function words in one list that make it one of a language. A list of labels or columns has hardly any.
const TELLING: usize = 2;

/// The source files below `folder`, without those of tests.
fn sources(folder: &Path, all: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.unwrap_or_default();
        if path.is_dir() {
            if !["tests", "target"].contains(&name) {
                sources(&path, all)?;
            }
        } else if name.ends_with(".rs") && !name.contains("test") {
            all.push(path);
        }
    }
    Ok(())
}

fn packs() -> Result<Packs, Box<dyn Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../prompts");
    let mut texts = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let tag = entry.file_name().to_string_lossy().into_owned();
        texts.insert(tag, fs::read_to_string(entry.path().join("language.toml"))?);
    }
    Ok(Packs::from_sources(&texts)?)
}

/// The lists in `source`: of literals, and of alternatives in a regular expression.
fn lists(source: &str) -> Result<Vec<Vec<String>>, regex::Error> {
    let literals = Regex::new(r#"\[((?:\s*"[^"\n]*"\s*,?){3,})\s*\]"#)?;
    let literal = Regex::new(r#""([^"\n]*)""#)?;
    let alternatives = Regex::new(r"\p{L}+(?:\|\p{L}+){2,}")?;
    let of_literals = literals.captures_iter(source).map(|list| {
        let items = literal.captures_iter(&list[1]);
        items.map(|item| item[1].to_lowercase()).collect()
    });
    let of_alternatives = alternatives
        .find_iter(source)
        .map(|list| list.as_str().split('|').map(str::to_lowercase).collect());
    Ok(of_literals.chain(of_alternatives).collect())
}

fn has_function_words(list: &[String], packs: &Packs) -> bool {
    packs.iter().any(|pack| {
        let words = list.iter().flat_map(|item| item.split_whitespace());
        words.filter(|word| pack.is_function_word(word)).count() >= TELLING
    })
}

#[test]
fn no_source_file_lists_the_words_of_a_language() {
    let packs = packs().unwrap();
    assert!(packs.iter().count() > 3);
    let mut files = Vec::new();
    sources(Path::new(env!("CARGO_MANIFEST_DIR")), &mut files).unwrap();
    assert!(files.len() > 100);
    for file in files {
        let source = fs::read_to_string(&file).unwrap();
        let source = source.split("#[cfg(test)]").next().unwrap_or_default();
        for list in lists(source).unwrap() {
            let found = has_function_words(&list, &packs);
            assert!(!found, "{}: {list:?}", file.display());
        }
    }
}

#[test]
fn a_list_of_words_would_be_seen() {
    let packs = packs().unwrap();
    let source = r#"const COMMON: &[&str] = &["over", "with", "small", "the"];"#;
    assert!(has_function_words(&lists(source).unwrap()[0], &packs));
    let pattern = r#"Regex::new(r"(?:nicht|kein|ohne) mehr")"#;
    assert!(has_function_words(&lists(pattern).unwrap()[0], &packs));
    let labels = r#"["cancel_order", "change_order", "get_refund"]"#;
    assert!(!has_function_words(&lists(labels).unwrap()[0], &packs));
}
