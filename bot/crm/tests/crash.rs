//! What was acknowledged survives `kill -9` of PostgreSQL, and every message is answered once.
//!
//! The server is the test's own, with fsync on. Ten conversations accept messages and finish turns
//! while its processes are killed and started again; workers repeat what failed as Frontdesk does.

#![cfg(test)]
#![expect(
    clippy::disallowed_methods,
    reason = "turns that several processes end at once need ids that differ"
)]

mod cluster;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crm::{
    AcceptMessage, Accepted, Author, Conversation, ConversationId, ConversationState, CrmError,
    FinishedTurn, Millis, NewConversation, NewMessage, Opened, Outcome, Store, TurnId,
};
use serde_json::json;
use tokio::task::JoinSet;
use uuid::Uuid;

use cluster::Cluster;

const CONVERSATIONS: u128 = 10;
const KILLS: usize = 5;

/// How long the workers work between two kills.
const BETWEEN: Duration = Duration::from_millis(1_200);

/// What the workers have seen.
#[derive(Default)]
struct Seen {
    /// No customer is to write more.
    stopped: AtomicBool,
    /// None does.
    silent: AtomicBool,
    acknowledged: AtomicU64,
    answered: AtomicU64,
    failures: AtomicU64,
}

/// Repeats `call` while the store is out of reach; any other outcome is the macro's value.
macro_rules! insist {
    ($seen:expr, $call:expr) => {
        loop {
            match $call.await {
                Err(error) if error.is_transient() => {
                    $seen.failures.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Err(error) => break Err(error),
                Ok(done) => break Ok(done),
            }
        }
    };
}

fn id_of(number: u128) -> ConversationId {
    ConversationId(Uuid::from_u128(number))
}

/// A customer: writes one message after the other, and knows how many were acknowledged.
async fn write(store: Store, id: ConversationId, seen: Arc<Seen>) -> Vec<String> {
    let mut acknowledged = Vec::new();
    for number in 0.. {
        if seen.stopped.load(Ordering::Relaxed) {
            break;
        }
        let client_id = format!("{number}");
        let message = AcceptMessage {
            conversation: id,
            client_id: client_id.clone(),
            text: format!("message {number}"),
            pressed: None,
            reply_context: None,
            attachments: Vec::new(),
            at: Millis(2),
        };
        let outcome = insist!(seen, store.accept_message(message.clone()));
        let (Accepted::Stored { .. } | Accepted::Duplicate { .. }) = outcome.unwrap();
        seen.acknowledged.fetch_add(1, Ordering::Relaxed);
        acknowledged.push(client_id);
    }
    acknowledged
}

fn turn(conversation: &Conversation, through_seq: i64) -> FinishedTurn {
    FinishedTurn {
        outcome: Outcome {
            turn: TurnId(Uuid::new_v4()),
            conversation: conversation.id,
            through_seq,
            intent: "track_order".into(),
            sentiment: "neutral".into(),
            action: "answer".into(),
            record: json!({}),
            at: Millis(3),
        },
        messages: vec![NewMessage::text(
            Author::Bot,
            format!("answer to {through_seq}"),
        )],
        state: ConversationState::Bot,
        memory: json!({"through": through_seq}),
        language: None,
    }
}

/// The bot: answers what is owed until nothing is, once the customer has stopped.
async fn answer(store: Store, id: ConversationId, seen: Arc<Seen>) {
    loop {
        let last_round = seen.silent.load(Ordering::Relaxed);
        let found = insist!(seen, store.find_conversation(id));
        let conversation = found.unwrap().unwrap();
        let owed = insist!(seen, store.unanswered_messages(&conversation));
        let Some(through) = owed.unwrap().last().map(|message| message.seq) else {
            if last_round {
                return;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
            continue;
        };
        let turn = turn(&conversation, through);
        let outcome = insist!(seen, store.finish_turn(turn.clone()));
        match outcome {
            Ok(_) => seen.answered.fetch_add(1, Ordering::Relaxed),
            // The commit that was not acknowledged had happened.
            Err(CrmError::AlreadyAnswered { .. }) => 0,
            Err(error) => panic!("{error:?}"),
        };
    }
}

/// Kills the server again and again; gives how long each time took until it was written to again.
async fn kill(cluster: &Cluster, store: &Store, seen: &Seen) -> Vec<Duration> {
    let mut recoveries = Vec::new();
    for _ in 0..KILLS {
        tokio::time::sleep(BETWEEN).await;
        let acknowledged = || seen.acknowledged.load(Ordering::Relaxed);
        cluster.kill().await;
        let (begun, before) = (Instant::now(), acknowledged());
        cluster.start().await;
        while acknowledged() == before {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        recoveries.push(begun.elapsed());
        assert!(store.counts().await.is_ok(), "readers come back as well");
    }
    tokio::time::sleep(BETWEEN).await;
    seen.stopped.store(true, Ordering::Relaxed);
    recoveries
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_a_killed_server_and_is_answered_once() {
    let cluster = Cluster::new().await;
    let store = Store::connect(&cluster.url().parse().unwrap())
        .await
        .unwrap();
    let seen = Arc::new(Seen::default());
    let (mut writers, mut bots) = (JoinSet::new(), JoinSet::new());
    for number in 1..=CONVERSATIONS {
        let id = id_of(number);
        let new = NewConversation {
            id,
            channel: "web".into(),
            thread: id.to_string(),
            customer: None,
            language: None,
            pushed: false,
            reply_context: None,
            at: Millis(1),
        };
        let opened = store.open_conversation(new, None).await.unwrap();
        assert!(matches!(opened, Opened::New { .. }));
        let (writer, bot) = (store.clone(), store.clone());
        let (seen, also) = (seen.clone(), seen.clone());
        writers.spawn(async move { (id, write(writer, id, seen).await) });
        bots.spawn(answer(bot, id, also));
    }
    let recoveries = kill(&cluster, &store, &seen).await;
    let written = writers.join_all().await;
    seen.silent.store(true, Ordering::Relaxed);
    bots.join_all().await;

    for (id, acknowledged) in &written {
        check(&store, *id, acknowledged).await;
    }
    let seconds: Vec<_> = recoveries
        .iter()
        .map(|time| format!("{:.1}", time.as_secs_f64()))
        .collect();
    println!(
        "{} messages acknowledged, {} turns, {KILLS} kills, {} calls repeated; writing again after \
         {} s",
        seen.acknowledged.load(Ordering::Relaxed),
        seen.answered.load(Ordering::Relaxed),
        seen.failures.load(Ordering::Relaxed),
        seconds.join(", "),
    );
}

/// Everything acknowledged is there, in unbroken numbers, and answered once.
async fn check(store: &Store, id: ConversationId, acknowledged: &[String]) {
    let messages = store.messages_after(id, 0, 1_000_000).await.unwrap();
    assert!(
        messages
            .iter()
            .zip(1..)
            .all(|(message, seq)| message.seq == seq)
    );
    let customers: Vec<_> = messages
        .iter()
        .filter(|message| message.author == Author::Customer)
        .collect();
    let stored: Vec<_> = customers
        .iter()
        .filter_map(|message| message.client_id.clone())
        .collect();
    assert_eq!(stored, acknowledged, "each once, in order");

    let conversation = store.find_conversation(id).await.unwrap().unwrap();
    assert_eq!(conversation.last_seq, messages.len() as i64);
    let last_question = customers.last().map(|message| message.seq);
    assert_eq!(Some(conversation.answered_seq), last_question);
    // Each outcome has its one answer, and each message the one outcome that reaches it first.
    let outcomes = store.outcomes(id).await.unwrap();
    let through: Vec<_> = outcomes.iter().map(|outcome| outcome.through_seq).collect();
    assert!(through.is_sorted_by(|one, next| one < next));
    assert_eq!(through.last().copied(), last_question);
    let answers: Vec<_> = messages
        .iter()
        .filter(|message| message.author == Author::Bot)
        .map(|message| message.text.clone())
        .collect();
    let expected: Vec<_> = through
        .iter()
        .map(|seq| format!("answer to {seq}"))
        .collect();
    assert_eq!(answers, expected);
    assert_eq!(
        conversation.memory,
        json!({"through": conversation.answered_seq})
    );
}
