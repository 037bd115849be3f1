//! Who answers in a conversation, and which of its messages are dealt with.

use serde_json::json;
use sqlx::types::Text;

use super::conversations::load;
use super::{Tx, events, messages};
use crate::error::Fault;
use crate::types::*;

pub(crate) async fn change(tx: &mut Tx, change: StateChange) -> Result<StateChanged, Fault> {
    let StateChange {
        conversation: id,
        from,
        to,
        notice,
        at,
    } = change;
    let before = load(tx, id).await?;
    if before.state == to || !from.contains(&before.state) {
        return Ok(StateChanged::Unchanged {
            state: before.state,
        });
    }
    let answered = match (before.state, to) {
        (ConversationState::Human, ConversationState::Bot) => dealt_with(tx, id).await?,
        (_, ConversationState::Bot) => before.answered_seq,
        (_, ConversationState::Human | ConversationState::Closed) => before.last_seq,
    };
    enter(tx, id, to, at).await?;
    set_answered(tx, id, answered).await?;
    let data = json!({"from": before.state});
    events::append(tx, events::of_state(to), Some(id), data, at).await?;
    let notice = match notice {
        Some(notice) => Some(Box::new(messages::append(tx, id, notice, at).await?)),
        None => None,
    };
    Ok(StateChanged::Changed { notice })
}

/// Draws the line up to which messages are answered.
pub(super) async fn set_answered(
    tx: &mut Tx,
    id: ConversationId,
    answered_seq: i64,
) -> Result<(), Fault> {
    sqlx::query("UPDATE conversations SET answered_seq = $1 WHERE id = $2")
        .bind(answered_seq)
        .bind(Text(id))
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Writes a new state and where it begins. Its notice is to be appended after this.
pub(super) async fn enter(
    tx: &mut Tx,
    id: ConversationId,
    state: ConversationState,
    since: Millis,
) -> Result<(), Fault> {
    sqlx::query(
        "UPDATE conversations SET state = $1, state_since = $2, state_seq = last_seq WHERE id = $3",
    )
    .bind(Text(state))
    .bind(since.0)
    .bind(Text(id))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The last message that people have dealt with in the present state: an agent's own last one, or
/// where the state began.
async fn dealt_with(tx: &mut Tx, id: ConversationId) -> Result<i64, Fault> {
    Ok(sqlx::query_scalar(
        "SELECT COALESCE((SELECT MAX(m.seq) FROM messages AS m
                          WHERE m.conversation = c.id AND m.author = $2 AND m.seq > c.state_seq),
                         c.state_seq)
         FROM conversations AS c WHERE c.id = $1",
    )
    .bind(Text(id))
    .bind(Text(Author::Agent))
    .fetch_one(&mut **tx)
    .await?)
}

#[cfg(test)]
mod tests {
    use tokio::task::JoinSet;

    use super::super::testing::*;
    use super::*;
    use crate::error::CrmError;

    const BOT: ConversationState = ConversationState::Bot;
    const HUMAN: ConversationState = ConversationState::Human;
    const CLOSED: ConversationState = ConversationState::Closed;

    fn notice(text: &str) -> Option<NewMessage> {
        Some(NewMessage::text(Author::System, text))
    }

    #[tokio::test]
    async fn a_state_changes_only_from_where_it_is_expected_and_says_so_once() {
        let scratch = Scratch::new().await;
        let id = scratch.conversation(1).await;
        let change = StateChange {
            notice: notice("A person will answer."),
            ..changing(id, BOT, HUMAN)
        };
        let outcome = scratch.store.change_state(change.clone()).await.unwrap();
        let StateChanged::Changed {
            notice: Some(stored),
        } = outcome
        else {
            panic!("{outcome:?}")
        };
        assert_eq!((stored.seq, stored.at), (1, change.at));
        for from in [vec![BOT], vec![BOT, HUMAN], vec![]] {
            let change = StateChange {
                from,
                ..change.clone()
            };
            let outcome = scratch.store.change_state(change).await.unwrap();
            assert_eq!(outcome, StateChanged::Unchanged { state: HUMAN });
        }
        assert_eq!(scratch.load(id).await.last_seq, 1);
        let outcome = scratch
            .store
            .change_state(changing(conversation_id(9), BOT, HUMAN))
            .await;
        assert!(
            matches!(outcome, Err(CrmError::UnknownConversation(_))),
            "{outcome:?}"
        );
    }

    #[tokio::test]
    async fn of_many_hand_overs_at_once_one_is_announced() {
        let scratch = Scratch::new().await;
        let second = scratch.reopen().await;
        for number in 1..=10 {
            let id = scratch.conversation(number).await;
            let mut tasks = JoinSet::new();
            for store in [&scratch.store, &second].repeat(8) {
                let store = store.clone();
                let change = StateChange {
                    notice: notice("A person will answer."),
                    ..changing(id, BOT, HUMAN)
                };
                tasks.spawn(async move { store.change_state(change).await.unwrap() });
            }
            let outcomes = tasks.join_all().await;
            let changed = |outcome: &&StateChanged| matches!(outcome, StateChanged::Changed { .. });
            assert_eq!(outcomes.iter().filter(changed).count(), 1);
            let messages = scratch.store.messages_after(id, 0, 99).await.unwrap();
            assert_eq!(messages.len(), 1);
        }
        // Two each: opened and handed over.
        assert_eq!(scratch.store.recent_events(99).await.unwrap().len(), 20);
    }

    #[tokio::test]
    async fn no_hand_over_reopens_a_conversation_that_is_being_closed() {
        let scratch = Scratch::new().await;
        let second = scratch.reopen().await;
        let mut tasks = JoinSet::new();
        for number in 1..=40 {
            let id = scratch.conversation(number).await;
            let (one, other) = (scratch.store.clone(), second.clone());
            let closing = StateChange {
                from: vec![BOT, HUMAN],
                ..changing(id, BOT, CLOSED)
            };
            let handing_over = StateChange {
                notice: notice("A person will answer."),
                ..changing(id, BOT, HUMAN)
            };
            tasks.spawn(async move {
                let closing = tokio::spawn(async move { one.change_state(closing).await });
                let handed_over = other.change_state(handing_over).await.unwrap();
                let closed = closing.await.unwrap().unwrap();
                assert_eq!(closed, StateChanged::Changed { notice: None });
                (id, handed_over)
            });
        }
        for (id, handed_over) in tasks.join_all().await {
            let conversation = scratch.load(id).await;
            assert_eq!(conversation.state, CLOSED);
            assert_eq!(conversation.answered_seq, conversation.last_seq);
            let told = match handed_over {
                StateChanged::Changed { .. } => 1,
                StateChanged::Unchanged { state } => {
                    assert_eq!(state, CLOSED);
                    0
                }
            };
            assert_eq!(conversation.last_seq, told);
        }
    }

    /// The numbers of the messages that are owed an answer.
    async fn owed(scratch: &Scratch, id: ConversationId) -> Vec<i64> {
        let conversation = scratch.load(id).await;
        let messages = scratch.store.unanswered_messages(&conversation).await;
        messages
            .unwrap()
            .iter()
            .map(|message| message.seq)
            .collect()
    }

    #[tokio::test]
    async fn what_no_person_answered_is_the_bots_again_when_it_comes_back() {
        let scratch = Scratch::new().await;
        let id = scratch.conversation(1).await;
        scratch.say(id, "before").await;
        let handing_over = StateChange {
            notice: notice("A person will answer."),
            ..changing(id, BOT, HUMAN)
        };
        scratch.store.change_state(handing_over).await.unwrap();
        let meanwhile = scratch.say(id, "meanwhile").await;
        assert!(owed(&scratch, id).await.is_empty());
        assert_eq!(scratch.store.unanswered().await.unwrap(), []);

        let back = changing(id, HUMAN, BOT);
        scratch.store.change_state(back).await.unwrap();
        assert_eq!(owed(&scratch, id).await, [meanwhile]);
        assert_eq!(scratch.store.unanswered().await.unwrap(), [id]);
    }

    #[tokio::test]
    async fn what_came_before_an_agents_last_word_is_dealt_with() {
        let scratch = Scratch::new().await;
        let id = scratch.conversation(1).await;
        let agent = async |text: &str| {
            let new = NewMessage::text(Author::Agent, text);
            scratch
                .store
                .append_message(id, new, Millis(5))
                .await
                .unwrap();
        };
        // An earlier stretch, whose agent's words do not count in the next one.
        scratch.leave_the_bot(id, HUMAN).await;
        agent("Hello").await;
        let back = changing(id, HUMAN, BOT);
        scratch.store.change_state(back.clone()).await.unwrap();
        scratch.say(id, "for the bot").await;

        scratch.leave_the_bot(id, HUMAN).await;
        scratch.say(id, "a").await;
        agent("About a").await;
        let late = [scratch.say(id, "b").await, scratch.say(id, "c").await];
        scratch.store.change_state(back.clone()).await.unwrap();
        assert_eq!(owed(&scratch, id).await, late);

        // Taken over once more, the bot's debts are the person's.
        scratch.leave_the_bot(id, HUMAN).await;
        assert!(owed(&scratch, id).await.is_empty());
        let d = scratch.say(id, "d").await;
        scratch.store.change_state(back).await.unwrap();
        assert_eq!(owed(&scratch, id).await, [d]);
    }

    #[tokio::test]
    async fn a_turn_that_handed_over_marks_where_the_person_begins() {
        let scratch = Scratch::new().await;
        let id = scratch.conversation(1).await;
        scratch.say(id, "a").await;
        scratch.say(id, "during").await;
        let handing_over = FinishedTurn {
            state: HUMAN,
            ..turn(id, 1)
        };
        scratch.store.finish_turn(handing_over).await.unwrap();
        let after = scratch.say(id, "after").await;
        let back = changing(id, HUMAN, BOT);
        scratch.store.change_state(back).await.unwrap();
        assert_eq!(owed(&scratch, id).await, [after]);
    }
}
