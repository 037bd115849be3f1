//! What a person wrote, apart from what their mail client set around it: quotations, headers of quoted originals,
//! signatures.
//!
//! In doubt a line stays: a quotation that is read twice does less harm than words that are lost.

use super::markers::{DEVICES, FORWARDED, FROM, ORIGINAL, OTHERS, PREFIXES, SUBJECT, WROTE};

/// How many lines a signature may have: more below its mark are a text.
const SIGNATURE_LINES: usize = 12;
/// How many lines a client may break the introduction of a quotation into.
const INTRODUCTION_LINES: usize = 3;
/// How many characters such an introduction has at most.
const INTRODUCTION_CHARS: usize = 300;
/// How many digits of a date and a time it has at least.
const INTRODUCTION_DIGITS: usize = 4;
/// How many lines the header of a quoted original has at most.
const HEADER_LINES: usize = 8;
/// How many underscores rule off a quoted original at least.
const RULE_CHARS: usize = 20;
/// How many characters the line of a device has at most.
const DEVICE_CHARS: usize = 60;

/// What is new in `text`; empty where nothing is.
pub(super) fn cut(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    let lines: Vec<&str> = text.lines().collect();
    let mut kept = vec![true; lines.len()];
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        if is_quoted(line) {
            drop_lines(&mut kept, at, at + 1);
            if at == 0 || !lines.get(at - 1).is_some_and(|line| is_quoted(line)) {
                drop_introduction(&lines, &mut kept, at);
            }
        } else if begins_original(&lines, at) {
            drop_lines(&mut kept, at, lines.len());
            break;
        } else if *line == "-- " {
            let below = lines.get(at + 1..).unwrap_or_default();
            let below = below.iter().take(SIGNATURE_LINES + 1);
            let length = below.take_while(|line| !is_quoted(line)).count();
            if length <= SIGNATURE_LINES {
                drop_lines(&mut kept, at, at + 1 + length);
            }
        }
        at += 1;
    }
    drop_device(&lines, &mut kept);
    joined(&lines, &kept)
}

/// `subject` without what clients set before it when it is answered or forwarded, however often.
pub(super) fn subject(subject: &str) -> String {
    // What an earlier reply was tagged with stays in front.
    let (tag, mut rest) = match subject.trim().split_once(']') {
        Some((tag, rest)) if tag.starts_with("[#") => (format!("{tag}] "), rest.trim()),
        _ => (String::new(), subject.trim()),
    };
    while let Some((prefix, below)) = rest.split_once([':', '：']) {
        // Some count: "Re[2]:".
        let word = prefix.trim().to_lowercase();
        let word = word.trim_end_matches([']', ')']);
        let word = word.trim_end_matches(|end: char| end.is_ascii_digit());
        if !PREFIXES.contains(&word.trim_end_matches(['[', '(', '^'])) {
            break;
        }
        rest = below.trim();
    }
    format!("{tag}{rest}").trim().to_owned()
}

fn drop_lines(kept: &mut [bool], from: usize, to: usize) {
    let to = to.min(kept.len());
    kept.get_mut(from..to).unwrap_or_default().fill(false);
}

fn is_quoted(line: &str) -> bool {
    line.trim_start().starts_with('>')
}

/// Drops the lines that introduce the quotation `at`.
fn drop_introduction(lines: &[&str], kept: &mut [bool], at: usize) {
    let above = lines.get(..at).unwrap_or_default();
    let Some(last) = above.iter().rposition(|line| !line.trim().is_empty()) else {
        return;
    };
    for count in 1..=INTRODUCTION_LINES.min(last + 1) {
        let first = last + 1 - count;
        let words = lines.get(first..=last).unwrap_or_default();
        let is_whole = kept.get(first..=last).unwrap_or_default();
        if words.iter().any(|line| line.trim().is_empty()) || is_whole.contains(&false) {
            return;
        }
        let words = words.join(" ");
        if introduces(&words) && (has_address(&words) || has_verb(&words)) {
            drop_lines(kept, first, last + 1);
            return;
        }
    }
}

/// Whether an original that no marks are set before begins in the line `at`.
fn begins_original(lines: &[&str], at: usize) -> bool {
    let Some(line) = lines.get(at) else {
        return false;
    };
    let below = |from: usize| lines.get(from..).unwrap_or_default();
    let next = || {
        let mut rest = below(at + 1).iter();
        rest.position(|line| !line.trim().is_empty())
            .map(|blank| at + 1 + blank)
    };
    if is_between_dashes(line, ORIGINAL) {
        return true;
    }
    let line = line.trim();
    if line.len() >= RULE_CHARS && line.chars().all(|rule| rule == '_') {
        return next().is_some_and(|next| is_header(below(next)));
    }
    if is_header(below(at)) {
        // What is passed on is meant to be read.
        let above = lines.get(..at).unwrap_or_default();
        let above = above.iter().rev().find(|line| !line.trim().is_empty());
        return !above.is_some_and(|line| is_between_dashes(line, FORWARDED));
    }
    // Some clients introduce what they set no marks before.
    (1..=INTRODUCTION_LINES).any(|count| {
        let Some(words) = lines.get(at..at + count) else {
            return false;
        };
        if words
            .iter()
            .any(|line| line.trim().is_empty() || is_quoted(line))
        {
            return false;
        }
        let words = words.join(" ");
        let mut rest = below(at + count).iter();
        introduces(&words)
            && has_address(&words)
            && has_verb(&words)
            && rest
                .find(|line| !line.trim().is_empty())
                .is_some_and(|line| !is_quoted(line))
    })
}

fn introduces(words: &str) -> bool {
    let words = words.trim();
    words.ends_with([':', '：'])
        && words.chars().count() <= INTRODUCTION_CHARS
        && words.chars().filter(char::is_ascii_digit).count() >= INTRODUCTION_DIGITS
}

fn has_address(words: &str) -> bool {
    let mut bracketed = words.split('<').skip(1);
    bracketed.any(|rest| {
        rest.split_once('>')
            .is_some_and(|(inner, _)| inner.contains('@'))
    })
}

fn has_verb(words: &str) -> bool {
    let words = words.to_lowercase();
    WROTE.iter().any(|verb| words.contains(verb))
}

fn is_between_dashes(line: &str, words: &[&str]) -> bool {
    let line = line.trim();
    let inner = line
        .trim_start_matches(['-', '—'])
        .trim_end_matches(['-', '—']);
    let dashed = line.starts_with("---") || line.starts_with('—');
    dashed && line.len() > inner.len() && words.contains(&inner.trim().to_lowercase().as_str())
}

/// A line of a header: its lower-cased name, and its value.
fn field(line: &str) -> Option<(String, &str)> {
    let marks = |mark: char| mark.is_whitespace() || mark == '*';
    let (name, value) = line.split_once([':', '：'])?;
    Some((name.trim_matches(marks).to_lowercase(), value))
}

/// Whether `lines` begin with the header of a mail: one that names an address, or a subject.
fn is_header(lines: &[&str]) -> bool {
    let named = |line: &str, names: &[&str]| {
        field(line).is_some_and(|(name, _)| names.contains(&name.as_str()))
    };
    let Some(first) = lines.first().filter(|first| named(first, FROM)) else {
        return false;
    };
    let rest = lines.iter().skip(1).take(HEADER_LINES);
    let rest: Vec<&str> = rest
        .copied()
        .take_while(|line| !line.trim().is_empty())
        .collect();
    let subjects = rest.iter().filter(|line| named(line, SUBJECT)).count();
    let others = rest.iter().filter(|line| named(line, OTHERS)).count();
    let is_addressed = first.contains('@') && subjects + others > 0;
    is_addressed || (subjects > 0 && others > 0)
}

/// Drops a device's own line, where it is the last and not the only one.
fn drop_device(lines: &[&str], kept: &mut [bool]) {
    let mut left = lines
        .iter()
        .enumerate()
        .rev()
        .filter(|(at, line)| kept.get(*at) == Some(&true) && !line.trim().is_empty());
    let last = left.next();
    let is_only = left.next().is_none();
    let Some((at, line)) = last.filter(|_| !is_only) else {
        return;
    };
    let line = line.trim().to_lowercase();
    let is_device = DEVICES.iter().any(|device| line.starts_with(device));
    let is_alone = at == 0 || lines.get(at - 1).is_some_and(|line| line.trim().is_empty());
    if is_device && is_alone && line.chars().count() <= DEVICE_CHARS {
        drop_lines(kept, at, at + 1);
    }
}

/// The lines that are kept, with no more than one blank line between two.
fn joined(lines: &[&str], kept: &[bool]) -> String {
    let mut text = String::new();
    let left = lines.iter().zip(kept).filter(|(_, kept)| **kept);
    for (line, _) in left {
        let line = line.trim_end();
        if !line.is_empty() || !text.ends_with("\n\n") {
            text.push_str(line);
            text.push('\n');
        }
    }
    text.trim().to_owned()
}
