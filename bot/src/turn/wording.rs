//! Small repairs of a small model's wording, before its sentences are checked: it tells what "the
//! facts state", which the customer has never seen, and speaks of "the customer" to the customer.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;

/// "The facts clearly state that", "according to the facts,".
static CITING: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?i)\b(?:according to|based on) (?:the|these) (?:given |provided )?facts?,? |(?:\bthe )?\bfacts? (?:clearly )?(?:state|say|indicate|mention|show)s? that ",
    )
    .ok()
});
/// "The customer has", "the user's": only forms that can be put right word by word.
static THIRD_PERSON: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"\b([Tt])he (?:customer|user)(?:('s)|( has| is| was| does| needs)\b|( can| could| should| must| may| will| would| had| did| cannot)\b)").ok()
});

/// The sentence without the bullet and the fact's label before it, which the model copies from its
/// list of facts.
pub(super) fn unlabelled<'s>(sentence: &'s str, labels: &[String]) -> &'s str {
    let bare = sentence.trim_start_matches(['-', '*', '•', ' ']);
    let longest = labels
        .iter()
        .filter_map(|label| bare.strip_prefix(label.as_str())?.strip_prefix(": "))
        .min_by_key(|rest| rest.len());
    longest.unwrap_or(bare)
}

/// The sentence in words for a customer.
pub(super) fn tidy(sentence: &str) -> Cow<'_, str> {
    let mut text = Cow::Borrowed(sentence);
    if let Some(citing) = CITING.as_ref()
        && citing.is_match(&text)
    {
        text = Cow::Owned(capitalised(&citing.replace_all(&text, "")));
    }
    if let Some(third) = THIRD_PERSON.as_ref()
        && third.is_match(&text)
    {
        let second = third.replace_all(&text, |found: &regex::Captures<'_>| {
            let part = |at: usize| found.get(at).map_or("", |part| part.as_str());
            let you = if part(1) == "T" { "You" } else { "you" };
            let verb = match part(3) {
                " has" => " have",
                " is" => " are",
                " was" => " were",
                " does" => " do",
                " needs" => " need",
                _ => part(4),
            };
            let possessive = if part(2).is_empty() { "" } else { "r" };
            format!("{you}{possessive}{verb}")
        });
        text = Cow::Owned(second.into_owned());
    }
    text
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

    #[test]
    fn the_facts_are_not_cited() {
        for (said, tidied) in [
            ("The facts state that we match 50%. ", "We match 50%. "),
            (
                "Yes, the facts clearly state that it is free.",
                "Yes, it is free.",
            ),
            ("According to the facts, it is free.", "It is free."),
            ("In fact it is free.", "In fact it is free."),
        ] {
            assert_eq!(tidy(said), tidied);
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
        for (said, tidied) in [
            ("The customer has 2 mugs.", "You have 2 mugs."),
            ("Here the customer should wait.", "Here you should wait."),
            ("The customer's card is valid.", "Your card is valid."),
            ("The user can pay by card.", "You can pay by card."),
            (
                "The customer service team is here.",
                "The customer service team is here.",
            ),
        ] {
            assert_eq!(tidy(said), tidied);
        }
    }
}
