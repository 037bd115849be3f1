//! What was said in the conversation so far, and what the model is told of it.

use crm::{Author, ConversationId, CrmError, Message};
use generate::{PromptMessage, Role};

use super::services::Records;

/// Messages of the conversation that a turn looks back on, those to answer among them.
const LOOK_BACK: u32 = 12;

/// Earlier messages given to the model, at least.
const LEAST: usize = 4;
/// Messages after which the oldest of them are left out, all at once.
const STEP: i64 = 8;
/// Longest of them, in characters.
const CHARS: usize = 300;

/// The last messages of the conversation `id`, oldest first. The welcome is not among them: it is no part
/// of what was talked about.
pub(super) async fn load(
    records: &dyn Records,
    id: ConversationId,
) -> Result<Vec<Message>, CrmError> {
    let mut messages = records.recent_messages(id, LOOK_BACK).await?;
    messages.retain(|message| message.author != Author::System);
    let begins = messages
        .iter()
        .position(|message| message.author == Author::Customer);
    messages.drain(..begins.unwrap_or(messages.len()));
    Ok(messages)
}

/// The last of `messages`, as the model is given them.
pub(super) fn prompt(messages: &[Message]) -> impl Iterator<Item = PromptMessage> {
    recent(messages).iter().map(|message| PromptMessage {
        role: match message.author {
            Author::Customer => Role::User,
            Author::Bot | Author::Agent | Author::System => Role::Assistant,
        },
        content: message.text.chars().take(CHARS).collect(),
    })
}

/// The last of `messages`. Which is the first of them changes every few messages only: in between a prompt
/// begins as the last one did, and that much of it is computed already.
fn recent(messages: &[Message]) -> &[Message] {
    let Some(last) = messages.last() else {
        return &[];
    };
    let least = i64::try_from(LEAST).unwrap_or(i64::MAX);
    // Counted by `seq`, since what is known of the conversation here begins later with every turn.
    let first = (last.seq + 1 - least).div_euclid(STEP) * STEP;
    let begins = messages.partition_point(|message| message.seq < first);
    &messages[begins.min(messages.len().saturating_sub(LEAST))..]
}

#[cfg(test)]
mod tests {
    use crm::Millis;
    use serde_json::Value;

    use super::*;

    fn message(seq: i64) -> Message {
        Message {
            seq,
            author: if seq % 2 == 0 {
                Author::Customer
            } else {
                Author::Bot
            },
            text: "words ".repeat(100),
            sources: Value::Null,
            quick_replies: Value::Null,
            client_id: None,
            pressed: None,
            at: Millis(0),
        }
    }

    /// Messages `first` to `last`.
    fn messages(first: i64, last: i64) -> Vec<Message> {
        (first..=last).map(message).collect()
    }

    #[test]
    fn most_prompts_begin_as_the_one_before() {
        let mut begun_anew = 0;
        let mut before = 0;
        for last in (3..43).step_by(2) {
            let known = messages((last - 11).max(2), last);
            let recent = recent(&known);
            assert!((LEAST.min(known.len())..=11).contains(&recent.len()));
            assert_eq!(recent.last(), known.last());
            begun_anew += usize::from(recent[0].seq != before);
            before = recent[0].seq;
        }
        assert!(begun_anew <= 6, "of 20 prompts, {begun_anew} began anew");
    }

    #[test]
    fn what_does_not_count_leaves_no_gap() {
        let mut known = messages(2, 14);
        known.retain(|message| !(8..=12).contains(&message.seq));
        assert_eq!(recent(&known).len(), LEAST);
        assert!(recent(&[]).is_empty());
    }

    #[test]
    fn long_messages_are_cut() {
        let prompt: Vec<_> = prompt(&messages(2, 3)).collect();
        assert_eq!(
            prompt.iter().map(|m| m.role).collect::<Vec<_>>(),
            [Role::User, Role::Assistant]
        );
        assert!(prompt.iter().all(|message| message.content.len() == CHARS));
    }
}
