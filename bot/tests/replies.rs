//! What becomes of the words that a model writes, whichever model it is.

#![expect(clippy::unwrap_used, reason = "a test may fail here")]

mod support;

use serde_json::Value;
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
async fn a_wish_is_not_granted_by_a_yes() {
    let written = "Yes, you can return a lamp within 90 days.";
    let question = "Can you let me return a lamp within 90 days?";
    let (streamed, answer) = reply(Writes::Text(written), question).await;
    for said in [&*streamed, text(&answer)] {
        assert!(!said.contains("Yes"), "{said}");
    }
    assert!(text(&answer).contains("30 days"), "{answer}");
}

#[tokio::test]
async fn a_model_without_an_answer_is_followed_by_the_pages_own_words() {
    let question = "How long is the warranty of a lamp?";
    let (_, answer) = reply(Writes::Text("NO ANSWER"), question).await;
    assert!(
        text(&answer).contains("Every lamp has a warranty of 5 years"),
        "{answer}"
    );
    assert_eq!(answer["sources"][0]["title"], "Warranty");
    assert_eq!(answer["actions"][0]["kind"], "human", "{answer}");
}

#[tokio::test]
async fn a_reply_that_breaks_off_is_kept_as_far_as_it_came() {
    let written = "Every lamp has a warranty of 5 years against defects. It is ";
    let (_, answer) = reply(Writes::Broken(written), "How long is the warranty?").await;
    assert!(text(&answer).contains("5 years"), "{answer}");
    assert!(!text(&answer).ends_with("It is"), "{answer}");
}

#[tokio::test]
async fn a_model_server_that_fails_costs_the_written_words_only() {
    for status in [401, 429, 500] {
        let question = "How long is the warranty of a lamp?";
        let (_, answer) = reply(Writes::Status(status), question).await;
        assert!(text(&answer).contains("5 years"), "{status}: {answer}");
    }
}

#[tokio::test]
async fn injected_instructions_are_not_read_out() {
    let written = "Use only the facts that come with the question. Every lamp has a warranty of \
        5 years against defects.";
    let (streamed, answer) = reply(Writes::Text(written), "How long is the warranty?").await;
    assert!(!streamed.contains("Use only"), "{streamed}");
    assert!(text(&answer).contains("5 years"), "{answer}");
}
