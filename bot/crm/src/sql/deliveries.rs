//! The outbox: what has to leave for messaging platforms, in the order of each conversation, at least once.

use sqlx::FromRow as _;
use sqlx::types::{Json, Text};

use super::{Pool, Tx};
use crate::error::Fault;
use crate::types::*;

/// Puts a message of the server's side into the outbox, where its conversation is pushed.
pub(super) async fn put(
    tx: &mut Tx,
    conversation: ConversationId,
    seq: i64,
    at: Millis,
) -> Result<(), Fault> {
    sqlx::query(
        "INSERT INTO deliveries (conversation, seq, channel, state, due_at, claimed_until, token,
                                 tries, parts, at)
         SELECT id, $2, channel, $3, $4, 0, 0, 0, $5, $4 FROM conversations
         WHERE id = $1 AND pushed",
    )
    .bind(Text(conversation))
    .bind(seq)
    .bind(Text(DeliveryState::Due))
    .bind(at.0)
    .bind(Json(Vec::<Option<String>>::new()))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

pub(crate) async fn claim(tx: &mut Tx, claim: ClaimDeliveries) -> Result<Vec<Delivery>, Fault> {
    let due: Vec<(Text<ConversationId>, i64)> = sqlx::query_as(skip_locked!(
        "SELECT d.conversation, d.seq FROM deliveries AS d
         WHERE d.state = $1 AND d.channel = $2 AND d.due_at <= $3 AND d.claimed_until <= $3
             AND NOT EXISTS (
                 SELECT 1 FROM deliveries AS e
                 WHERE e.conversation = d.conversation AND e.state = $1 AND e.seq < d.seq)
         ORDER BY d.due_at, d.conversation
         LIMIT $4"
    ))
    .bind(Text(DeliveryState::Due))
    .bind(&claim.channel)
    .bind(claim.at.0)
    .bind(i64::from(claim.limit))
    .fetch_all(&mut **tx)
    .await?;
    let mut claimed = Vec::with_capacity(due.len());
    for (Text(conversation), seq) in due {
        claimed.push(take(tx, conversation, seq, claim.until).await?);
    }
    Ok(claimed)
}

async fn take(
    tx: &mut Tx,
    conversation: ConversationId,
    seq: i64,
    until: Millis,
) -> Result<Delivery, Fault> {
    let (token, tries, Json(parts)) = sqlx::query_as(
        "UPDATE deliveries SET claimed_until = $1, token = token + 1
         WHERE conversation = $2 AND seq = $3
         RETURNING token, tries, parts",
    )
    .bind(until.0)
    .bind(Text(conversation))
    .bind(seq)
    .fetch_one(&mut **tx)
    .await?;
    let row = sqlx::query("SELECT * FROM messages WHERE conversation = $1 AND seq = $2")
        .bind(Text(conversation))
        .bind(seq)
        .fetch_one(&mut **tx)
        .await?;
    let (thread, reply_context, heard_at, blocked, is_first): (_, _, Option<i64>, _, _) =
        sqlx::query_as(
            "SELECT c.thread, c.reply_context, c.heard_at, c.blocked, NOT EXISTS (
                 SELECT 1 FROM deliveries AS d
                 WHERE d.conversation = c.id AND d.seq < $2 AND d.at >= c.heard_at)
             FROM conversations AS c WHERE c.id = $1",
        )
        .bind(Text(conversation))
        .bind(seq)
        .fetch_one(&mut **tx)
        .await?;
    Ok(Delivery {
        conversation,
        thread,
        message: Message::from_row(&row)?,
        token,
        tries,
        parts,
        reply_context,
        heard_at: heard_at.map(Millis),
        is_first,
        blocked,
    })
}

/// Gives whether the claim still held: another one's may not be touched.
pub(crate) async fn settle(tx: &mut Tx, settle: SettleDelivery) -> Result<bool, Fault> {
    let (state, until, due_at, failed, parts, error) = match settle.outcome {
        DeliveryOutcome::Parts { parts, until } => {
            (DeliveryState::Due, until.0, None, 0, Some(parts), None)
        }
        DeliveryOutcome::Sent { parts } => (DeliveryState::Sent, 0, None, 0, Some(parts), None),
        DeliveryOutcome::Later { due_at, error } => {
            (DeliveryState::Due, 0, Some(due_at.0), 1, None, Some(error))
        }
        DeliveryOutcome::Dead { error } => (DeliveryState::Dead, 0, None, 1, None, Some(error)),
    };
    let settled = sqlx::query(
        "UPDATE deliveries
         SET state = $1, claimed_until = $2, due_at = COALESCE($3, due_at), tries = tries + $4,
             parts = COALESCE($5, parts), error = $6
         WHERE conversation = $7 AND seq = $8 AND token = $9 AND state = $10",
    )
    .bind(Text(state))
    .bind(until)
    .bind(due_at)
    .bind(failed)
    .bind(parts.map(Json))
    .bind(error)
    .bind(Text(settle.conversation))
    .bind(settle.seq)
    .bind(settle.token)
    .bind(Text(DeliveryState::Due))
    .execute(&mut **tx)
    .await?;
    Ok(settled.rows_affected() == 1)
}

/// As in [`Delivery::parts`].
type Parts = Vec<Option<String>>;

/// Makes the message that was accepted under that id a dead letter.
pub(crate) async fn fail(
    tx: &mut Tx,
    channel: String,
    thread: String,
    platform_id: String,
    error: String,
) -> Result<bool, Fault> {
    const RECENT: i64 = 50;
    let recent: Vec<(Text<ConversationId>, i64, Json<Parts>)> = sqlx::query_as(
        "SELECT d.conversation, d.seq, d.parts FROM deliveries AS d
         JOIN conversations AS c ON c.id = d.conversation
         WHERE c.channel = $1 AND c.thread = $2 AND d.state = $3
         ORDER BY d.seq DESC LIMIT $4",
    )
    .bind(channel)
    .bind(thread)
    .bind(Text(DeliveryState::Sent))
    .bind(RECENT)
    .fetch_all(&mut **tx)
    .await?;
    let is_it = |parts: &[Option<String>]| parts.iter().flatten().any(|part| *part == platform_id);
    let found = recent.into_iter().find(|(_, _, parts)| is_it(parts));
    let Some((conversation, seq, _)) = found else {
        return Ok(false);
    };
    sqlx::query(
        "UPDATE deliveries SET state = $1, error = $2, parts = $3
         WHERE conversation = $4 AND seq = $5",
    )
    .bind(Text(DeliveryState::Dead))
    .bind(error)
    .bind(Json(Vec::<Option<String>>::new()))
    .bind(conversation)
    .bind(seq)
    .execute(&mut **tx)
    .await?;
    Ok(true)
}

/// When something of a channel is due next: a claim that is held is due when it ends.
pub(crate) async fn next(pool: &Pool, channel: String) -> Result<Option<Millis>, Fault> {
    let next: Option<i64> = sqlx::query_scalar(
        "SELECT MIN(CASE WHEN d.claimed_until > d.due_at THEN d.claimed_until ELSE d.due_at END)
         FROM deliveries AS d
         WHERE d.state = $1 AND d.channel = $2 AND NOT EXISTS (
             SELECT 1 FROM deliveries AS e
             WHERE e.conversation = d.conversation AND e.state = $1 AND e.seq < d.seq)",
    )
    .bind(Text(DeliveryState::Due))
    .bind(channel)
    .fetch_one(pool)
    .await?;
    Ok(next.map(Millis))
}

pub(crate) async fn undelivered(pool: &Pool, limit: u32) -> Result<Vec<Undelivered>, Fault> {
    Ok(sqlx::query_as(
        "SELECT * FROM deliveries WHERE state <> $1 ORDER BY at, conversation, seq LIMIT $2",
    )
    .bind(Text(DeliveryState::Sent))
    .bind(i64::from(limit))
    .fetch_all(pool)
    .await?)
}

/// Makes dead letters due again, of a channel or of all.
pub(crate) async fn send_again(
    tx: &mut Tx,
    channel: Option<String>,
    at: Millis,
) -> Result<u64, Fault> {
    let again = sqlx::query(
        "UPDATE deliveries SET state = $1, due_at = $2, tries = 0
         WHERE state = $3 AND channel = COALESCE($4, channel)",
    )
    .bind(Text(DeliveryState::Due))
    .bind(at.0)
    .bind(Text(DeliveryState::Dead))
    .bind(channel)
    .execute(&mut **tx)
    .await?;
    Ok(again.rows_affected())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use tokio::task::JoinSet;

    use super::super::testing::*;
    use super::*;

    const CHANNEL: &str = "telegram/shop";

    /// A conversation on a platform, its greeting and an answer waiting to leave.
    async fn two_waiting(scratch: &Scratch, number: u128) -> ConversationId {
        let new = NewConversation {
            channel: CHANNEL.into(),
            pushed: true,
            ..opening(number)
        };
        let greeting = Some(NewMessage::text(Author::Bot, "Hello"));
        scratch
            .store
            .open_conversation(new, greeting)
            .await
            .unwrap();
        let id = conversation_id(number);
        let asked = scratch.say(id, "a").await;
        scratch.store.finish_turn(turn(id, asked)).await.unwrap();
        id
    }

    fn claiming(at: i64) -> ClaimDeliveries {
        ClaimDeliveries {
            channel: CHANNEL.into(),
            limit: 10,
            at: Millis(at),
            until: Millis(at + 100),
        }
    }

    async fn settle(store: &Store, delivery: &Delivery, outcome: DeliveryOutcome) -> bool {
        let settle = SettleDelivery {
            conversation: delivery.conversation,
            seq: delivery.message.seq,
            token: delivery.token,
            outcome,
        };
        store.settle_delivery(settle).await.unwrap()
    }

    fn sent() -> DeliveryOutcome {
        DeliveryOutcome::Sent {
            parts: vec![Some("44".into())],
        }
    }

    #[tokio::test]
    async fn what_is_said_leaves_in_order_and_what_customers_write_does_not() {
        let scratch = Scratch::new().await;
        let store = &scratch.store;
        let id = two_waiting(&scratch, 1).await;
        let seqs = [1, 3];
        for (at, seq) in [10, 20].into_iter().zip(seqs) {
            let claimed = store.claim_deliveries(claiming(at)).await.unwrap();
            let [delivery] = claimed.as_slice() else {
                panic!("{claimed:?}")
            };
            assert_eq!((delivery.conversation, delivery.message.seq), (id, seq));
            assert_eq!(delivery.thread, "thread 1");
            assert!(settle(store, delivery, sent()).await);
        }
        assert_eq!(store.claim_deliveries(claiming(30)).await.unwrap(), []);
        assert_eq!(store.next_delivery(CHANNEL).await.unwrap(), None);
    }

    #[tokio::test]
    async fn what_is_fetched_is_not_delivered() {
        let scratch = Scratch::new().await;
        let id = scratch.conversation(1).await;
        scratch.say(id, "a").await;
        scratch.store.finish_turn(turn(id, 1)).await.unwrap();
        assert_eq!(scratch.store.undelivered(9).await.unwrap(), []);
    }

    #[tokio::test]
    async fn of_many_senders_one_sends_and_a_claim_that_ran_out_cannot_settle() {
        let scratch = Scratch::new().await;
        for number in 1..=4 {
            two_waiting(&scratch, number).await;
        }
        let second = scratch.reopen().await;
        let mut tasks = JoinSet::new();
        for store in [&scratch.store, &second].repeat(4) {
            let store = store.clone();
            tasks.spawn(async move { store.claim_deliveries(claiming(10)).await.unwrap() });
        }
        let claimed: Vec<Delivery> = tasks.join_all().await.into_iter().flatten().collect();
        let conversations: BTreeSet<_> = claimed.iter().map(|own| own.conversation).collect();
        assert_eq!((claimed.len(), conversations.len()), (4, 4), "{claimed:?}");

        let next = scratch.store.next_delivery(CHANNEL).await.unwrap();
        assert_eq!(next, Some(Millis(110)), "when the claims end");
        let again = second.claim_deliveries(claiming(110)).await.unwrap();
        assert_eq!(again.len(), 4);
        let late = &claimed[0];
        let current = again
            .iter()
            .find(|own| own.conversation == late.conversation);
        assert!(!settle(&scratch.store, late, sent()).await);
        assert!(settle(&second, current.unwrap(), sent()).await);
        assert!(!settle(&second, current.unwrap(), sent()).await, "once");
    }

    #[tokio::test]
    async fn what_fails_comes_again_from_where_it_was_and_holds_up_no_other() {
        let scratch = Scratch::new().await;
        let store = &scratch.store;
        let id = two_waiting(&scratch, 1).await;
        let first = store
            .claim_deliveries(claiming(10))
            .await
            .unwrap()
            .remove(0);
        let parts = vec![Some("44".into()), None];
        let (until, due_at) = (Millis(60), Millis(500));
        let so_far = DeliveryOutcome::Parts {
            parts: parts.clone(),
            until,
        };
        assert!(settle(store, &first, so_far).await);
        let error = "the platform is busy".to_owned();
        assert!(settle(store, &first, DeliveryOutcome::Later { due_at, error }).await);
        let other = two_waiting(&scratch, 2).await;
        let claimed = store.claim_deliveries(claiming(200)).await.unwrap();
        let of = |claimed: &[Delivery]| {
            claimed
                .iter()
                .map(|own| own.conversation)
                .collect::<Vec<_>>()
        };
        assert_eq!(of(&claimed), [other]);
        let claimed = store.claim_deliveries(claiming(500)).await.unwrap();
        let again = claimed.iter().find(|own| own.conversation == id).unwrap();
        assert_eq!((again.tries, &again.parts), (1, &parts));
    }

    #[tokio::test]
    async fn a_dead_letter_is_seen_lets_others_pass_and_can_be_sent_again() {
        let scratch = Scratch::new().await;
        let store = &scratch.store;
        let id = two_waiting(&scratch, 1).await;
        let first = store
            .claim_deliveries(claiming(10))
            .await
            .unwrap()
            .remove(0);
        let error = "the customer has blocked the bot".to_owned();
        assert!(
            settle(
                store,
                &first,
                DeliveryOutcome::Dead {
                    error: error.clone()
                }
            )
            .await
        );
        let undelivered = store.undelivered(9).await.unwrap();
        let states: Vec<_> = undelivered.iter().map(|own| (own.seq, own.state)).collect();
        assert_eq!(states, [(1, DeliveryState::Dead), (3, DeliveryState::Due)]);
        assert_eq!(undelivered[0].error, Some(error));
        let next = store
            .claim_deliveries(claiming(20))
            .await
            .unwrap()
            .remove(0);
        assert_eq!(next.message.seq, 3);
        assert_eq!(
            store
                .send_again(Some("line/shop"), Millis(30))
                .await
                .unwrap(),
            0
        );
        assert_eq!(
            store.send_again(Some(CHANNEL), Millis(30)).await.unwrap(),
            1
        );
        let again = store
            .claim_deliveries(claiming(30))
            .await
            .unwrap()
            .remove(0);
        assert_eq!(
            (again.conversation, again.message.seq, again.tries),
            (id, 1, 0)
        );
    }

    #[tokio::test]
    async fn what_is_erased_is_not_sent() {
        let scratch = Scratch::new().await;
        let store = &scratch.store;
        store.upsert_customers(&[customer("c1")]).await.unwrap();
        let id = two_waiting(&scratch, 1).await;
        store
            .bind_customer(id, &"c1".into(), Millis(5))
            .await
            .unwrap();
        store.erase_customer(&"c1".into(), Millis(6)).await.unwrap();
        assert_eq!(store.claim_deliveries(claiming(10)).await.unwrap(), []);
        assert_eq!(store.undelivered(9).await.unwrap(), []);
    }
}
