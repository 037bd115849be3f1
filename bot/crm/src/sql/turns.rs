//! Turns: what the bot still owes an answer, and the one transaction that ends a turn.

use serde_json::json;
use sqlx::types::{Json, Text};

use super::conversations::load;
use super::states::{enter, set_answered};
use super::{Pool, Tx, events, messages};
use crate::error::{CrmError, Fault};
use crate::types::*;

pub(crate) async fn finish(tx: &mut Tx, turn: FinishedTurn) -> Result<Vec<Message>, Fault> {
    let FinishedTurn {
        outcome,
        messages,
        state,
        memory,
        language,
    } = turn;
    let (id, at) = (outcome.conversation, outcome.at);
    let before = load(tx, id).await?;
    check_in_time(&before, outcome.through_seq)?;

    insert_outcome(tx, &outcome).await?;
    let answered = match state {
        ConversationState::Bot => outcome.through_seq,
        ConversationState::Human | ConversationState::Closed => before.last_seq,
    };
    set_answered(tx, id, answered).await?;
    if state != before.state {
        enter(tx, id, state, at).await?;
        let data = json!({"from": before.state, "turn": outcome.turn});
        events::append(tx, events::of_state(state), Some(id), data, at).await?;
    }
    keep(tx, id, &memory, language.as_deref()).await?;
    let mut stored = Vec::with_capacity(messages.len());
    for message in messages {
        stored.push(messages::append(tx, id, message, at).await?);
    }
    Ok(stored)
}

pub(crate) async fn unanswered(pool: &Pool) -> Result<Vec<ConversationId>, Fault> {
    let ids: Vec<Text<ConversationId>> = sqlx::query_scalar(
        "SELECT id FROM conversations AS c
         WHERE state = $1 AND EXISTS (
             SELECT 1 FROM messages AS m
             WHERE m.conversation = c.id AND m.seq > c.answered_seq AND m.author = $2)
         ORDER BY id",
    )
    .bind(Text(ConversationState::Bot))
    .bind(Text(Author::Customer))
    .fetch_all(pool)
    .await?;
    Ok(ids.into_iter().map(Text::into_inner).collect())
}

pub(crate) async fn outcomes(
    pool: &Pool,
    conversation: ConversationId,
) -> Result<Vec<Outcome>, Fault> {
    Ok(
        sqlx::query_as("SELECT * FROM outcomes WHERE conversation = $1 ORDER BY through_seq")
            .bind(Text(conversation))
            .fetch_all(pool)
            .await?,
    )
}

/// Whether a turn that answers up to `through_seq` may still speak.
fn check_in_time(before: &Conversation, through_seq: i64) -> Result<(), CrmError> {
    let conversation = before.id;
    match before.state {
        ConversationState::Bot => {}
        state @ (ConversationState::Human | ConversationState::Closed) => {
            return Err(CrmError::NotTheBots {
                conversation,
                state,
            });
        }
    }
    if through_seq <= before.answered_seq {
        return Err(CrmError::AlreadyAnswered {
            conversation,
            through_seq,
        });
    }
    if through_seq > before.last_seq {
        let last_seq = before.last_seq;
        return Err(CrmError::BeyondTheEnd {
            conversation,
            through_seq,
            last_seq,
        });
    }
    Ok(())
}

async fn insert_outcome(tx: &mut Tx, outcome: &Outcome) -> Result<(), Fault> {
    sqlx::query(
        "INSERT INTO outcomes (turn, conversation, through_seq, intent, sentiment, action, record,
                               at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(Text(outcome.turn))
    .bind(Text(outcome.conversation))
    .bind(outcome.through_seq)
    .bind(&outcome.intent)
    .bind(&outcome.sentiment)
    .bind(&outcome.action)
    .bind(Json(&outcome.record))
    .bind(outcome.at.0)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Keeps what the next turn needs. A turn that understood no language leaves the last one.
async fn keep(
    tx: &mut Tx,
    id: ConversationId,
    memory: &serde_json::Value,
    language: Option<&str>,
) -> Result<(), Fault> {
    sqlx::query(
        "UPDATE conversations SET memory = $1, language = COALESCE($2, language) WHERE id = $3",
    )
    .bind(Json(memory))
    .bind(language)
    .bind(Text(id))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use tokio::task::JoinSet;

    use super::super::testing::*;
    use super::*;

    #[tokio::test]
    async fn a_finished_turn_leaves_its_answer_outcome_memory_and_language() {
        let scratch = Scratch::new().await;
        let id = scratch.conversation(1).await;
        scratch.say(id, "a").await;
        let finished = turn(id, 1);
        let stored = scratch.store.finish_turn(finished.clone()).await.unwrap();
        assert_eq!(
            stored.iter().map(|message| message.seq).collect::<Vec<_>>(),
            [2]
        );
        assert_eq!(
            scratch.store.messages_after(id, 1, 9).await.unwrap(),
            stored
        );
        assert_eq!(
            scratch.store.outcomes(id).await.unwrap(),
            [finished.outcome]
        );

        let conversation = scratch.load(id).await;
        assert_eq!((conversation.answered_seq, conversation.last_seq), (1, 2));
        assert_eq!(conversation.memory, finished.memory);
        assert_eq!(conversation.language.as_deref(), Some("en"));

        scratch.say(id, "b").await;
        let silent = FinishedTurn {
            language: None,
            messages: Vec::new(),
            ..turn(id, 3)
        };
        assert_eq!(scratch.store.finish_turn(silent).await.unwrap(), []);
        assert_eq!(
            scratch.load(id).await.language.as_deref(),
            Some("en"),
            "kept"
        );
    }

    #[tokio::test]
    async fn a_turn_repeated_after_a_crash_answers_nothing_twice() {
        let scratch = Scratch::new().await;
        let id = scratch.conversation(1).await;
        scratch.say(id, "a").await;
        scratch.store.finish_turn(turn(id, 1)).await.unwrap();
        let store = scratch.reopen().await;
        let repeated = FinishedTurn {
            outcome: Outcome {
                turn: TurnId(uuid::Uuid::from_u128(77)),
                ..turn(id, 1).outcome
            },
            memory: serde_json::json!("spoiled"),
            ..turn(id, 1)
        };
        let outcome = store.finish_turn(repeated).await;
        assert!(
            matches!(
                outcome,
                Err(CrmError::AlreadyAnswered { through_seq: 1, .. })
            ),
            "{outcome:?}"
        );
        assert_eq!(store.messages_after(id, 0, 9).await.unwrap().len(), 2);
        assert_eq!(store.outcomes(id).await.unwrap().len(), 1);
        assert_eq!(scratch.load(id).await.memory, turn(id, 1).memory);
    }

    #[tokio::test]
    async fn of_many_workers_on_one_turn_exactly_one_answers() {
        let scratch = Scratch::new().await;
        let id = scratch.conversation(1).await;
        scratch.say(id, "a").await;
        let second = scratch.reopen().await;
        let mut tasks = JoinSet::new();
        for store in [&scratch.store, &second].repeat(8) {
            let store = store.clone();
            tasks.spawn(async move { store.finish_turn(turn(id, 1)).await });
        }
        let outcomes = tasks.join_all().await;
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
        for outcome in outcomes.iter().filter(|outcome| outcome.is_err()) {
            assert!(
                matches!(outcome, Err(CrmError::AlreadyAnswered { .. })),
                "{outcome:?}"
            );
        }
        assert_eq!(scratch.store.recent_messages(id, 9).await.unwrap().len(), 2);
    }

    #[tokio::test]
    async fn a_turn_that_ends_after_a_hand_over_says_nothing() {
        let scratch = Scratch::new().await;
        for (number, state) in [
            (1, ConversationState::Human),
            (2, ConversationState::Closed),
        ] {
            let id = scratch.conversation(number).await;
            scratch.say(id, "a").await;
            scratch.leave_the_bot(id, state).await;
            let outcome = scratch.store.finish_turn(turn(id, 1)).await;
            assert!(
                matches!(outcome, Err(CrmError::NotTheBots { state: now, .. }) if now == state),
                "{outcome:?}"
            );
            assert_eq!(scratch.store.recent_messages(id, 9).await.unwrap().len(), 1);
            assert_eq!(scratch.store.outcomes(id).await.unwrap(), []);
        }
    }

    #[tokio::test]
    async fn a_message_that_came_during_the_turn_is_still_owed_an_answer() {
        let scratch = Scratch::new().await;
        let id = scratch.conversation(1).await;
        scratch.say(id, "a").await;
        scratch.say(id, "during").await;
        scratch.store.finish_turn(turn(id, 1)).await.unwrap();
        assert_eq!(scratch.store.unanswered().await.unwrap(), [id]);
        let conversation = scratch.load(id).await;
        let owed = scratch
            .store
            .unanswered_messages(&conversation)
            .await
            .unwrap();
        assert_eq!(
            owed.iter().map(|message| message.seq).collect::<Vec<_>>(),
            [2]
        );
    }

    #[tokio::test]
    async fn a_turn_that_hands_over_leaves_nothing_to_the_bot() {
        let scratch = Scratch::new().await;
        let id = scratch.conversation(1).await;
        scratch.say(id, "a").await;
        scratch.say(id, "during").await;
        let handing_over = FinishedTurn {
            state: ConversationState::Human,
            ..turn(id, 1)
        };
        scratch.store.finish_turn(handing_over).await.unwrap();
        let conversation = scratch.load(id).await;
        assert_eq!(conversation.state, ConversationState::Human);
        assert!(
            scratch
                .store
                .unanswered_messages(&conversation)
                .await
                .unwrap()
                .is_empty()
        );
    }

    #[tokio::test]
    async fn a_turn_cannot_answer_messages_to_come() {
        let scratch = Scratch::new().await;
        let id = scratch.conversation(1).await;
        scratch.say(id, "a").await;
        let outcome = scratch.store.finish_turn(turn(id, 2)).await;
        assert!(
            matches!(outcome, Err(CrmError::BeyondTheEnd { last_seq: 1, .. })),
            "{outcome:?}"
        );
        assert_eq!(scratch.store.unanswered().await.unwrap(), [id]);
    }

    #[tokio::test]
    async fn only_the_bots_conversations_with_open_messages_are_taken_up_again() {
        let scratch = Scratch::new().await;
        let answered = scratch.conversation(1).await;
        scratch.say(answered, "a").await;
        scratch.store.finish_turn(turn(answered, 1)).await.unwrap();
        let greeted = scratch.conversation(2).await;
        let hello = NewMessage::text(Author::Bot, "Hello");
        scratch
            .store
            .append_message(greeted, hello, Millis(1))
            .await
            .unwrap();
        let with_a_person = scratch.conversation(3).await;
        scratch.say(with_a_person, "a").await;
        scratch
            .leave_the_bot(with_a_person, ConversationState::Human)
            .await;
        let open = [scratch.conversation(5).await, scratch.conversation(4).await];
        for id in open {
            scratch.say(id, "a").await;
        }
        assert_eq!(
            scratch.store.unanswered().await.unwrap(),
            [open[1], open[0]]
        );
    }
}
