//! What becomes of the words that a model writes, whichever model it is.

#![expect(clippy::unwrap_used, reason = "a test may fail here")]

mod support;

use std::time::Duration;

use serde_json::{Value, json};
use support::writer::{self, Writes};
use support::{TestServer, config};

/// A server whose model does as told.
async fn server(writes: Writes) -> TestServer {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path());
    writer::write(&mut config, writes).await;
    let server = frontdesk::Server::start(config)
        .await
        .unwrap_or_else(|error| panic!("{error}"));
    TestServer { server, folder }
}

/// The answer to `question`, and all that was streamed before it.
async fn reply(writes: Writes, question: &str) -> (String, Value) {
    let server = server(writes).await;
    let mut client = server.connect().await;
    client.hello().await;
    client.say(question).await;
    let frames = client
        .until(|frame| frame["type"] == "message" && frame["turn"].is_string())
        .await;
    let streamed = frames
        .iter()
        .filter(|frame| frame["type"] == "delta")
        .filter_map(|frame| frame["text"].as_str())
        .collect();
    (streamed, frames.last().unwrap().clone())
}

fn text(answer: &Value) -> &str {
    answer["text"].as_str().unwrap()
}

#[tokio::test]
async fn what_no_fact_bears_never_leaves() {
    let written = "Every lamp has a warranty of 5 years against defects. \
        It is prolonged to 12 years for members. Call Gerald about it.";
    let (streamed, answer) = reply(Writes::Text(written), "How long is the warranty?").await;
    for said in [&*streamed, text(&answer)] {
        assert!(said.contains("5 years"), "{said}");
        assert!(!said.contains("12") && !said.contains("Gerald"), "{said}");
    }
}

#[tokio::test]
async fn a_model_server_that_fails_costs_the_written_words_only() {
    let question = "How long is the warranty of a lamp?";
    let (_, answer) = reply(Writes::Status(429), question).await;
    assert!(text(&answer).contains("5 years"), "{answer}");
}

/// A reply of a dozen seconds.
const LONG: &str = "Every lamp has a warranty of 5 years against defects. Every lamp has a warranty \
    of 5 years against defects of material. Every lamp has a warranty of 5 years against defects \
    of material and workmanship. Returns are free of charge. You can return any lamp within 30 days.";

#[tokio::test]
async fn a_person_who_is_called_in_the_middle_of_a_reply_silences_the_bot_at_once() {
    let server = server(Writes::Slowly(LONG)).await;
    let mut client = server.connect().await;
    client.hello().await;
    client
        .say("How long is the warranty, and can I return a lamp?")
        .await;
    client.until(|frame| frame["type"] == "delta").await;
    client.send(json!({ "type": "human" })).await;
    client.until(|frame| frame["type"] == "status").await;
    let more = tokio::time::timeout(Duration::from_secs(4), client.next()).await;
    assert!(more.is_err(), "{more:?}");
}

#[tokio::test]
async fn a_burst_gets_one_answer() {
    let server = server(Writes::Slowly(LONG)).await;
    let mut client = server.connect().await;
    client.hello().await;
    client.say("How long is the warranty of a lamp?").await;
    for more in ["it is the brass one", "and can I return it?"] {
        client.until(|frame| frame["type"] == "ack").await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        client.say(more).await;
    }
    let frames = client
        .until(|frame| frame["type"] == "message" && frame["turn"].is_string())
        .await;
    assert!(
        frames
            .iter()
            .any(|frame| frame["text"] == "and can I return it?"),
        "{frames:?}"
    );
    // Another turn would say at once that it is typing.
    let more = tokio::time::timeout(Duration::from_secs(2), client.next()).await;
    assert!(more.is_err(), "{more:?}");
}
