//! How a reply says that it does not know, and how it declines.
//!
//! The lists are short on purpose: common ways of putting it in English, Chinese, Spanish and
//! German, and nothing that an ordinary answer is likely to contain. A reply that is judged wrongly
//! shows up among the failed turns; add its phrasing here.

/// Ways of saying that something is not known.
#[rustfmt::skip]
const NOT_KNOWN: &[&str] = &[
    // English
    "i don't know", "i do not know", "i'm not sure", "i am not sure", "no information",
    "don't have that information", "do not have that information", "don't have information",
    "do not have information", "don't have any information", "don't have details",
    "do not have details", "information is not available", "i'm unable to", "i am unable to",
    "can't find", "cannot find", "couldn't find", "could not find", "can't tell", "cannot tell",
    "can't say", "cannot say", "rather not guess", "isn't mentioned", "not mentioned",
    "not specified", "doesn't specify", "does not specify", "doesn't say", "does not say",
    "not listed", "i don't have a", "i don't have an", "i do not have a",
    // Chinese
    "不知道", "不清楚", "不确定", "没有相关信息", "没有这方面的信息", "没有找到", "未找到", "未提及",
    "没有提到", "没有提供", "无法确定", "无法告知", "无法提供", "无法回答", "暂无",
    // Spanish
    "no lo sé", "no sé", "no tengo esa información", "no tengo información", "no dispongo de",
    "no encuentro", "no he encontrado", "no se especifica", "no se menciona",
    // German
    "weiß ich nicht", "weiß es nicht", "liegen mir nicht vor", "keine information",
    "keine informationen", "keine angaben", "nicht bekannt",
];

/// Ways of declining a request.
#[rustfmt::skip]
const DECLINED: &[&str] = &[
    // English
    "can't", "cannot", "can not", "couldn't", "unable", "not able", "won't", "not possible",
    "isn't possible", "can no longer", "not allowed", "not permitted", "don't share",
    "do not share",
    // Chinese
    "无法", "不能", "不可以", "不支持",
    // Spanish
    "no puedo", "no podemos", "no es posible", "no se puede", "no está permitido",
    // German
    "kann ich nicht", "können wir nicht", "kann nicht", "darf ich nicht", "nicht möglich",
    "nicht mehr möglich", "nicht erlaubt",
];

/// Whether `reply` says that it does not know.
pub fn does_not_know(reply: &str) -> bool {
    says_one_of(NOT_KNOWN, reply)
}

/// Whether `reply` declines what was asked.
pub fn declines(reply: &str) -> bool {
    says_one_of(DECLINED, reply)
}

fn says_one_of(phrases: &[&str], reply: &str) -> bool {
    let reply = plain(reply);
    phrases.iter().any(|phrase| says(phrase, &reply))
}

/// Lower case, straight apostrophes, single spaces.
fn plain(reply: &str) -> String {
    let reply = reply.to_lowercase().replace('\u{2019}', "'");
    reply.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether the phrase stands in the reply as words of its own: `unable` is not in `tunable`.
/// Chinese does not part its words, so there it may stand anywhere.
fn says(phrase: &str, reply: &str) -> bool {
    reply.match_indices(phrase).any(|(at, found)| {
        let before = reply.get(..at).and_then(|text| text.chars().next_back());
        let after = reply
            .get(at + found.len()..)
            .and_then(|text| text.chars().next());
        is_chinese(phrase) || !(before.is_some_and(in_word) || after.is_some_and(in_word))
    })
}

fn is_chinese(phrase: &str) -> bool {
    phrase
        .chars()
        .all(|letter| ('\u{4e00}'..='\u{9fff}').contains(&letter))
}

fn in_word(letter: char) -> bool {
    letter.is_alphanumeric()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_that_do_not_know_are_heard() {
        for reply in [
            "I'm sorry, I don’t have that information, and I'd rather not guess.",
            "The document does not specify a late fee.",
            "抱歉，我没有这方面的信息，也不想随意猜测。",
            "Lo siento, no tengo  información sobre eso.",
            "Das weiß ich nicht, tut mir leid.",
        ] {
            assert!(does_not_know(reply), "{reply}");
        }
    }

    #[test]
    fn replies_that_decline_are_heard() {
        for reply in [
            "I can’t do that.",
            "Order #W1 is already processed and can no longer be cancelled.",
            "I'm not able to share other customers' data.",
            "抱歉，我无法提供这些信息。",
            "Eso no puedo hacerlo.",
        ] {
            assert!(declines(reply), "{reply}");
        }
    }

    #[test]
    fn an_answer_is_neither() {
        for reply in [
            "The yearly fee is $150.",
            "Our tunable desk lamp is a cantilever of brass.",
            "您可以在17分钟内取消。",
            "Su pedido llega el lunes.",
        ] {
            assert!(!does_not_know(reply) && !declines(reply), "{reply}");
        }
    }

    #[test]
    fn phrases_are_written_as_they_are_compared() {
        for phrase in NOT_KNOWN.iter().chain(DECLINED) {
            assert_eq!(plain(phrase), **phrase);
        }
    }
}
