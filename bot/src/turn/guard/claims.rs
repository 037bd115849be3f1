//! Sentences that are judged by what they are, not by the facts: courtesies, deeds that a bot
//! cannot do, and leaked instructions.

use crate::turn::words;

/// Beginnings of sentences that claim nothing.
const COURTESIES: &[&str] = &[
    "i'm sorry",
    "i am sorry",
    "sorry",
    "i understand",
    "i apologi",
    "we apologi",
    "thank you",
    "thanks",
    "hello",
    "hi ",
    "hi!",
    "hi,",
    "you're welcome",
    "great question",
    "good question",
    "let me know",
    "please let me know",
    "if you have any",
    "feel free",
    "is there anything",
    "i hope",
    "happy to help",
    "i'd be happy",
    "i'm happy",
    "congratulations",
    "good morning",
    "good afternoon",
    "good evening",
    "很抱歉",
    "抱歉",
    "您好",
    "感谢",
    "谢谢",
    "不客气",
    "如果您",
    "如有",
    "希望",
    "好的",
    "lo siento",
    "gracias",
    "hola",
    "claro",
    "es tut mir leid",
    "danke",
];

/// Openers that agree: with anything behind them, they claim it.
const AGREEMENTS: &[&str] = &["of course", "sure", "certainly", "absolutely", "yes", "no"];
/// Words that a courtesy may have beside its opener.
const COURTEOUS_WORDS: usize = 4;

/// Deeds that a bot without hands must not claim.
const DEEDS: &[&str] = &[
    "i have cancelled",
    "i have canceled",
    "i've cancelled",
    "i've canceled",
    "i cancelled",
    "i canceled",
    "i have refunded",
    "i've refunded",
    "i have changed",
    "i've changed",
    "i have updated",
    "i've updated",
    "i have sent",
    "i've sent",
    "i have processed",
    "i've processed",
    "i have submitted",
    "i've submitted",
    "i have removed",
    "i've removed",
    "i have forwarded",
    "i've forwarded",
    "i have closed",
    "i've closed",
    "i will cancel",
    "i'll cancel",
    "i will refund",
    "i'll refund",
    "i will change",
    "i'll change",
    "i will update",
    "i'll update",
    "i will process",
    "i'll process",
    "i have escalated",
    "i've escalated",
    "i have contacted",
    "has been cancelled as requested",
    "has been canceled as requested",
    "closure is confirmed",
    "closure confirmed",
    "your account has been closed",
    "your account is now closed",
    "我已为您取消",
    "我已经为您",
    "已为您办理",
    "已为您退款",
    "已为您取消",
];

/// Traces of the instructions.
const INSTRUCTIONS: &[&str] = &[
    "use only the facts",
    "write only: no answer",
    "never instructions to you",
    "given with the question",
    "只使用随问题给出",
    "<|im_start|>",
    "<|im_end|>",
];

/// The words of a sentence's condition: between "if" and the comma after it.
pub(super) fn condition(sentence: &str) -> Option<&str> {
    const OPENERS: &[&str] = &["if ", "unless ", "in case "];
    let lower = sentence.to_ascii_lowercase();
    let starts = OPENERS.iter().filter_map(|opener| {
        let at = lower.find(opener)?;
        let begins_word = !lower[..at].ends_with(|c: char| c.is_alphanumeric());
        begins_word.then_some(at + opener.len())
    });
    let rest = sentence.get(starts.min()?..)?;
    Some(rest.split(',').next().unwrap_or(rest))
}

/// What a sentence that begins with a condition says of it: the part after the comma.
pub(in crate::turn) fn consequence(sentence: &str) -> Option<&str> {
    let case = condition(sentence)?;
    let (_, rest) = sentence.split_once(case)?;
    Some(rest.trim_start_matches([',', ' '])).filter(|rest| !rest.is_empty())
}

/// Whether the sentence is politeness and nothing else: "I'm sorry, but we take no cards" is more.
pub(super) fn is_courtesy(sentence: &str) -> bool {
    let lower = normal(sentence);
    let after = |openers: &[&str]| {
        let opener = openers.iter().find(|opener| lower.starts_with(**opener))?;
        lower.get(opener.len()..)
    };
    let says = |text: &str| words::content(text).count();
    let claims = |rest: &str| {
        let clause = rest.split_once(',').or_else(|| rest.split_once(" but "));
        says(rest) > COURTEOUS_WORDS || clause.is_some_and(|(_, clause)| says(clause) > 1)
    };
    let is_polite = after(COURTESIES).is_some_and(|rest| !claims(rest));
    let agrees = after(AGREEMENTS).is_some_and(|rest| says(rest) == 0);
    (is_polite || agrees) && !lower.contains(|c: char| c.is_ascii_digit())
}

/// Whether the text invites to call or write: it holds a number and tells nothing.
pub(in crate::turn) fn is_invitation(text: &str) -> bool {
    const INVITATIONS: &[&str] = &[
        "if you have any",
        "please let",
        "feel free",
        "do not hesitate",
    ];
    let lower = normal(text);
    INVITATIONS.iter().any(|start| lower.starts_with(start))
}

/// Whether the sentence says that the bot did or will do something.
pub(super) fn claims_a_deed(sentence: &str) -> bool {
    says_any(sentence, DEEDS)
}

/// Whether the sentence repeats the bot's instructions.
pub(super) fn leaks_instructions(sentence: &str) -> bool {
    says_any(sentence, INSTRUCTIONS)
}

/// Whether records say that something can no longer be done.
pub(super) fn no_longer_can(told: &str) -> bool {
    let lower = normal(told);
    lower.contains("can no longer") || lower.contains("不能再")
}

/// Whether the sentence promises that something can be done to an order after all.
pub(super) fn still_promises(sentence: &str) -> bool {
    const PROMISES: &[&str] = &[
        "can still",
        "may still",
        "you can cancel",
        "you can change",
        "you can modify",
        "you may cancel",
        "仍然可以",
        "还可以",
    ];
    says_any(sentence, PROMISES)
}

/// Whether the sentence says in the model's own way that the facts do not answer.
pub(in crate::turn) fn confesses_ignorance(sentence: &str) -> bool {
    const CONFESSIONS: &[&str] = &[
        "facts do not",
        "facts don't",
        "facts does not",
        "in the given facts",
        "in the provided facts",
        "the information provided is about",
        "information provided does not",
        "not mentioned in the facts",
        "none of the facts",
    ];
    says_any(sentence, CONFESSIONS)
}

/// Whether the text is a yes or a no and nothing else: it tells a customer who asked for a number,
/// or for a condition, nothing.
pub(in crate::turn) fn is_bare_answer(text: &str) -> bool {
    const BARE: &[&str] = &[
        "yes",
        "no",
        "sure",
        "certainly",
        "of course",
        "是",
        "不",
        "是的",
        "sí",
    ];
    let lower = normal(text);
    BARE.contains(&lower.trim_matches(|c: char| !c.is_alphanumeric()))
}

/// Whether the text begins with a yes or a no, and which: true for yes.
pub(super) fn verdict(text: &str) -> Option<bool> {
    const AFFIRMS: &[&str] = &["yes", "sí", "si", "是的", "可以"];
    const DENIES: &[&str] = &["no", "不是", "不可以", "不"];
    let lower = normal(text);
    let first = lower.split(|c: char| !c.is_alphanumeric()).next()?;
    if AFFIRMS.contains(&first) {
        return Some(true);
    }
    DENIES.contains(&first).then_some(false)
}

/// Whether the text has a hole where somebody forgot to put a value: `[value not available]`,
/// `{{ price }}`, `TODO`.
pub(in crate::turn) fn has_placeholder(text: &str) -> bool {
    const HOLES: &[&str] = &[
        "not available",
        "n/a",
        "tbd",
        "todo",
        "insert ",
        "placeholder",
    ];
    let lower = normal(text);
    let bracketed = lower
        .split('[')
        .skip(1)
        .filter_map(|rest| rest.split_once(']'))
        .any(|(inside, _)| HOLES.iter().any(|hole| inside.contains(hole)));
    bracketed || lower.contains("{{") || lower.split_whitespace().any(|word| word == "todo:")
}

fn says_any(sentence: &str, phrases: &[&str]) -> bool {
    let lower = normal(sentence);
    phrases.iter().any(|phrase| lower.contains(phrase))
}

fn normal(sentence: &str) -> String {
    sentence.trim().to_lowercase().replace('\u{2019}', "'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_consequence_follows_its_condition() {
        assert_eq!(
            consequence("If you pay by cheque, it takes 3 days."),
            Some("it takes 3 days.")
        );
        assert_eq!(consequence("It takes 3 days if you pay by cheque."), None);
        assert_eq!(consequence("It takes 3 days."), None);
    }

    #[test]
    fn politeness_with_a_number_is_a_claim() {
        assert!(is_courtesy("I’m sorry for the trouble."));
        assert!(!is_courtesy("I'm sorry, that costs 30."));
    }

    #[test]
    fn a_yes_alone_is_bare_and_a_yes_with_a_reason_is_not() {
        assert!(is_bare_answer(" Yes. "));
        assert!(!is_bare_answer("Yes, within 30 days."));
    }

    #[test]
    fn an_invitation_is_told_from_a_rule_in_friendly_words() {
        assert!(is_invitation("If you have any questions, call 1-800-555."));
        assert!(!is_invitation(
            "Sorry, we cannot send knives outside Europe."
        ));
    }

    #[test]
    fn a_verdict_begins_with_yes_or_no() {
        assert_eq!(verdict("Yes, your daughter can open one."), Some(true));
        assert_eq!(verdict("No. That is not possible."), Some(false));
        assert_eq!(verdict("Nothing is charged."), None);
    }

    #[test]
    fn a_confession_is_no_answer() {
        assert!(confesses_ignorance("The facts do not mention any brands."));
        assert!(!confesses_ignorance("In fact we do not charge for it."));
    }

    #[test]
    fn a_hole_is_seen_and_a_footnote_is_not() {
        assert!(has_placeholder(
            "The late fee is $[value not available] (USD)."
        ));
        assert!(!has_placeholder("Prices include VAT [1]."));
    }

    #[test]
    fn deeds_are_seen_in_the_middle_of_a_sentence() {
        assert!(claims_a_deed("Good news: I've cancelled it."));
        assert!(!claims_a_deed("You can cancel it yourself."));
    }
}
