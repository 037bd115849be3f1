//! What a long message comes down to.

use language::Pack;

/// Words up to which a message is taken as it is.
const SHORT: usize = 25;

/// The sentences of a long message that ask something; `None` when it is short, asks nothing in so
/// many words, or hardly anything else. People tell the story first, and a small model loses the
/// question in it.
pub(super) fn asked(message: &str, pack: &Pack) -> Option<String> {
    let words = |text: &str| text.split_whitespace().count();
    let all = words(message);
    if all <= SHORT {
        return None;
    }
    let questions: Vec<String> = pack
        .boundaries()
        .split(message)
        .iter()
        .map(|sentence| sentence.trim().to_owned())
        .filter(|sentence| sentence.ends_with(['?', '？']))
        .collect();
    let asked = questions.join(" ");
    (!asked.is_empty() && words(&asked) * 4 <= all * 3).then_some(asked)
}

#[cfg(test)]
mod tests {
    use crate::prompts::Prompts;

    fn asked(message: &str) -> Option<String> {
        super::asked(message, Prompts::builtin().unwrap().own_pack())
    }

    #[test]
    fn the_question_is_found_after_the_story() {
        let message = "So our daughter moved out last week, and you would not believe the mess \
            she left behind, boxes everywhere and a sad looking plant. Anyway. How long do I have \
            to send the lamp back?";
        assert_eq!(
            asked(message).as_deref(),
            Some("How long do I have to send the lamp back?")
        );
    }

    #[test]
    fn a_short_message_is_its_own_question() {
        assert_eq!(asked("Hi there. How long is the warranty?"), None);
    }

    #[test]
    fn a_long_message_without_a_question_is_left_alone() {
        assert_eq!(asked(&"it does not work at all. ".repeat(10)), None);
    }
}
