//! `kill -9` of PostgreSQL under a whole server: ten customers at their sockets lose no message that was
//! acknowledged, and each is answered once.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may fail here"
)]

#[path = "../crm/tests/cluster/mod.rs"]
mod cluster;
mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use frontdesk::{Secret, Server};
use futures::future::join_all;
use serde_json::{Value, json};

use cluster::Cluster;
use support::writer::{self, Writes};
use support::{Client, config};

const CUSTOMERS: usize = 10;
const KILLS: usize = 3;

/// How long they talk between two kills.
const BETWEEN: Duration = Duration::from_millis(2_000);
/// How long the database stays away: long enough for messages to be written meanwhile.
const AWAY: Duration = Duration::from_millis(1_000);

const REPLY: &str = "Every lamp has a warranty of 5 years.";

/// What the customers have seen together.
#[derive(Default)]
struct Seen {
    /// None is to write more.
    stopped: AtomicBool,
    acknowledged: AtomicU64,
    answered: AtomicU64,
    /// Messages that were refused for the moment and sent again.
    repeated: AtomicU64,
    /// Messages whose acknowledgement or answer came as late as a database that was away.
    delayed: AtomicU64,
}

fn is_answer(frame: &Value) -> bool {
    frame["type"] == "message" && frame["author"] == "bot" && frame["turn"].is_string()
}

/// Writes one message after the other and waits for each answer; gives the connection, and what was
/// acknowledged.
async fn converse(url: String, seen: Arc<Seen>) -> (Client, Vec<String>) {
    let mut client = Client::connect(&url).await;
    client.hello().await;
    let mut acknowledged = Vec::new();
    while !seen.stopped.load(Ordering::Relaxed) {
        let id = format!("m{}", acknowledged.len());
        let text = format!("How long is the warranty of lamp {}?", acknowledged.len());
        let message = json!({ "type": "message", "id": id, "text": text });
        let (mut answered, sent) = (false, Instant::now());
        loop {
            client.send(message.clone()).await;
            let frames = client
                .until(|frame| frame["type"] == "ack" || frame["type"] == "error")
                .await;
            // A message that was stored although its sender could not be told is answered all the same.
            answered |= frames.iter().any(is_answer);
            if frames.last().unwrap()["type"] == "ack" {
                break;
            }
            let code = &frames.last().unwrap()["code"];
            assert!(code == "unavailable" || code == "too_fast", "{frames:?}");
            seen.repeated.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        seen.acknowledged.fetch_add(1, Ordering::Relaxed);
        acknowledged.push(text);
        if !answered {
            client.until(is_answer).await;
        }
        seen.answered.fetch_add(1, Ordering::Relaxed);
        if sent.elapsed() >= AWAY {
            seen.delayed.fetch_add(1, Ordering::Relaxed);
        }
    }
    (client, acknowledged)
}

/// Kills the database again and again; gives how long each time took until somebody was answered.
async fn kill(cluster: &Cluster, seen: &Seen) -> Vec<Duration> {
    let mut recoveries = Vec::new();
    for _ in 0..KILLS {
        tokio::time::sleep(BETWEEN).await;
        cluster.kill().await;
        let begun = Instant::now();
        tokio::time::sleep(AWAY).await;
        let before = seen.answered.load(Ordering::Relaxed);
        cluster.start().await;
        while seen.answered.load(Ordering::Relaxed) == before {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        recoveries.push(begun.elapsed());
    }
    tokio::time::sleep(BETWEEN).await;
    seen.stopped.store(true, Ordering::Relaxed);
    recoveries
}

/// The customer's and the bot's texts of a conversation behind its welcome, in order, as one who comes
/// back gets them.
async fn history(url: &str, conversation: &str) -> Vec<(String, String)> {
    let mut client = Client::connect(url).await;
    let frames = client
        .hello_with(json!({ "conversation": conversation, "after": 1 }))
        .await;
    let word = |frame: &Value, key: &str| frame[key].as_str().unwrap().to_owned();
    frames
        .iter()
        .filter(|frame| frame["author"] == "customer" || frame["author"] == "bot")
        .map(|frame| (word(frame, "author"), word(frame, "text")))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_a_killed_database_and_is_answered_once() {
    let (cluster, folder) = (Cluster::new().await, tempfile::tempdir().unwrap());
    let mut config = config(folder.path());
    config.data.url = Some(Secret::from(cluster.url()));
    writer::write(&mut config, Writes::Text(REPLY)).await;
    let server = Server::start(config).await.unwrap();
    let url = format!("ws://{}/v1/chat", server.address());
    let seen = Arc::new(Seen::default());
    let customers: Vec<_> = (0..CUSTOMERS)
        .map(|_| tokio::spawn(converse(url.clone(), Arc::clone(&seen))))
        .collect();
    let recoveries = kill(&cluster, &seen).await;
    for ended in join_all(customers).await {
        let (client, acknowledged) = ended.unwrap();
        let history = history(&url, &client.conversation).await;
        let of = |author: &str| -> Vec<String> {
            let said = history.iter().filter(|(other, _)| other == author);
            said.map(|(_, text)| text.clone()).collect()
        };
        assert_eq!(of("customer"), acknowledged, "each once, in order");
        let authors: Vec<_> = history.iter().map(|(author, _)| author.as_str()).collect();
        assert!(
            authors.chunks(2).all(|pair| pair == ["customer", "bot"]),
            "each answered once: {authors:?}"
        );
    }
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let met = count(&seen.delayed);
    assert!(met > 0, "no message met a database that was away");
    println!(
        "{CUSTOMERS} sockets, {KILLS} kills: {} messages acknowledged, {} answered, {} sent \
         again, {} that waited; answering again after {recoveries:.1?}",
        count(&seen.acknowledged),
        count(&seen.answered),
        count(&seen.repeated),
        count(&seen.delayed),
    );
    server.stop().await;
}
