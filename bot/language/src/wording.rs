//! Small repairs of a small model's wording, before its sentences are checked: it tells what "the
//! facts state", which the customer has never seen, and speaks of "the customer" to the customer.

use std::borrow::Cow;

use regex::Regex;

use crate::Pack;
use crate::sections::ThirdPerson;

/// A language's repairs.
#[derive(Debug, Default)]
pub(crate) struct Repairs {
    citing: Vec<Regex>,
    third_person: Option<(Regex, ThirdPerson)>,
}

impl Repairs {
    #[expect(
        clippy::expect_used,
        reason = "the words are escaped, so that the pattern is valid whatever they are"
    )]
    pub(crate) fn new(citing: Vec<Regex>, third_person: Option<ThirdPerson>) -> Self {
        let third_person = third_person.map(|person| {
            let any = |words: &mut dyn Iterator<Item = &String>| -> String {
                let words: Vec<String> = words.map(|word| regex::escape(word)).collect();
                words.join("|")
            };
            let subjects = any(&mut person.subjects.iter());
            let verbs = any(&mut person.verbs.keys());
            let possessive = person.possessive.iter();
            let possessive = any(&mut possessive.map(|(ending, _)| ending));
            let possessive = if possessive.is_empty() {
                String::new()
            } else {
                format!("(?P<possessive>{possessive})|")
            };
            let pattern = format!(r"(?i)\b(?:{subjects})(?:{possessive} (?P<verb>{verbs}))\b");
            (Regex::new(&pattern).expect("the pattern is valid"), person)
        });
        Self {
            citing,
            third_person,
        }
    }
}

/// The sentence without the bullet and the fact's label before it, which the model copies from its
/// list of facts.
#[must_use]
pub fn unlabelled<'s>(sentence: &'s str, labels: &[String]) -> &'s str {
    let bare = sentence.trim_start_matches(['-', '*', '•', ' ']);
    let longest = labels
        .iter()
        .filter_map(|label| bare.strip_prefix(label.as_str())?.strip_prefix(": "))
        .min_by_key(|rest| rest.len());
    longest.unwrap_or(bare)
}

/// The sentence in words for a customer.
pub fn tidy<'s>(sentence: &'s str, pack: Option<&Pack>) -> Cow<'s, str> {
    let mut text = Cow::Borrowed(sentence);
    let Some(repairs) = pack.map(Pack::repairs) else {
        return text;
    };
    for citing in &repairs.citing {
        if citing.is_match(&text) {
            text = Cow::Owned(capitalised(&citing.replace_all(&text, "")));
        }
    }
    if let Some((pattern, person)) = &repairs.third_person
        && pattern.is_match(&text)
    {
        let second = pattern.replace_all(&text, |found: &regex::Captures<'_>| {
            in_second_person(found, person)
        });
        text = Cow::Owned(second.into_owned());
    }
    text
}

fn in_second_person(found: &regex::Captures<'_>, person: &ThirdPerson) -> String {
    let said = found.get(0).map_or("", |said| said.as_str());
    let verb = found.name("verb").map(|verb| verb.as_str());
    let changed = match (verb, &person.possessive) {
        (Some(verb), _) => {
            let form = person.verbs.get(&verb.to_lowercase());
            format!("{} {}", person.second, form.map_or(verb, String::as_str))
        }
        (None, Some((_, your))) => your.clone(),
        (None, None) => said.to_owned(),
    };
    if said.starts_with(char::is_uppercase) {
        capitalised(&changed)
    } else {
        changed
    }
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(chars).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packs::tests::pack;

    fn tidied(tag: &str, said: &str) -> String {
        tidy(said, Some(&pack(tag))).into_owned()
    }

    #[test]
    fn the_facts_are_not_cited() {
        for (said, tidied_text) in [
            ("The facts state that we match 50%. ", "We match 50%. "),
            (
                "Yes, the facts clearly state that it is free.",
                "Yes, it is free.",
            ),
            ("According to the facts, it is free.", "It is free."),
            ("In fact it is free.", "In fact it is free."),
        ] {
            assert_eq!(tidied("en", said), tidied_text);
        }
    }

    #[test]
    fn labels_of_facts_are_not_read_out() {
        let labels = ["Returns".to_owned(), "Returns: What it costs".to_owned()];
        for (said, bare) in [
            ("- Returns: What it costs: Nothing.", "Nothing."),
            ("Returns: Within 30 days.", "Within 30 days."),
            ("Returns are free.", "Returns are free."),
        ] {
            assert_eq!(unlabelled(said, &labels), bare);
        }
    }

    #[test]
    fn the_customer_is_spoken_to() {
        for (tag, said, spoken) in [
            ("en", "The customer has 2 mugs.", "You have 2 mugs."),
            (
                "en",
                "Here the customer should wait.",
                "Here you should wait.",
            ),
            ("en", "The customer's card is valid.", "Your card is valid."),
            ("en", "The user can pay by card.", "You can pay by card."),
            (
                "en",
                "The customer service team is here.",
                "The customer service team is here.",
            ),
            ("de", "Der Kunde hat 2 Tassen.", "Sie haben 2 Tassen."),
            (
                "de",
                "Der Kundendienst hat geöffnet.",
                "Der Kundendienst hat geöffnet.",
            ),
        ] {
            assert_eq!(tidied(tag, said), spoken);
        }
    }
}
