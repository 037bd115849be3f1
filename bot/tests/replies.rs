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
async fn a_yes_to_a_number_of_the_question_needs_a_rule() {
    let written = "Yes, you can hand in 6 lamps at any pickup point.";
    let question = "Do you take 6 lamps at the pickup point?";
    let (streamed, answer) = reply(Writes::Text(written), question).await;
    for said in [&*streamed, text(&answer)] {
        assert!(!said.contains("Yes"), "{said}");
    }
    assert!(text(&answer).contains("any pickup point"), "{answer}");
}

#[tokio::test]
async fn a_rule_stands_in_place_of_the_yes_that_it_denies() {
    let written = "Yes, you can return a lamp within 90 days.";
    let question = "Can you let me return a lamp within 90 days?";
    let (streamed, answer) = reply(Writes::Text(written), question).await;
    for said in [&*streamed, text(&answer)] {
        assert!(!said.contains("Yes"), "{said}");
    }
    assert!(text(&answer).contains("30 days"), "{answer}");
}

#[tokio::test]
async fn a_guess_withheld_of_one_case_is_withheld_of_the_next() {
    let written = "Every lamp has a warranty of 5 years against defects. \
        If you pay by cheque, returns are free of charge. \
        If you hand in the material, returns are free of charge.";
    let (streamed, answer) = reply(Writes::Text(written), "How long is the warranty?").await;
    for said in [&*streamed, text(&answer)] {
        assert!(said.contains("5 years") && !said.contains("free"), "{said}");
    }
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
async fn a_sentence_that_is_cut_off_is_not_said() {
    let written = "Every lamp has a warranty of 5 years";
    let (streamed, answer) = reply(Writes::CutOff(written), "How long is the warranty?").await;
    assert_eq!(streamed, "", "nothing of it is shown");
    let words = text(&answer);
    assert!(words.contains("5 years against defects"), "{answer}");
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
async fn who_would_wait_too_long_is_given_the_pages_own_words() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path());
    config.generate.longest_wait_seconds = 0;
    writer::write(
        &mut config,
        Writes::Slowly("Lamps are covered for 5 years."),
    )
    .await;
    let server = frontdesk::Server::start(config).await.unwrap();
    let server = TestServer { server, folder };
    let mut client = server.connect().await;
    client.hello().await;
    // How long the model takes is not known before it has been asked.
    let first = client.ask("How long is the warranty of a lamp?").await;
    assert!(text(&first).contains("are covered"), "{first}");
    let mut other = server.connect().await;
    other.hello().await;
    let second = other.ask("How long is the warranty of a lamp?").await;
    assert!(!text(&second).contains("are covered"), "{second}");
    assert!(
        text(&second).contains("5 years against defects"),
        "{second}"
    );
}

#[tokio::test]
async fn who_waits_is_told_how_long_and_then_given_the_pages_own_words() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path());
    config.generate.longest_wait_seconds = 7;
    writer::write(&mut config, Writes::Nothing).await;
    let server = frontdesk::Server::start(config).await.unwrap();
    let server = TestServer { server, folder };
    let question = "How long is the warranty of a lamp?";
    let mut first = server.connect().await;
    first.hello().await;
    first.say(question).await;
    // By now it is known that the model keeps others waiting.
    tokio::time::sleep(Duration::from_secs(6)).await;
    let mut second = server.connect().await;
    second.hello().await;
    second.say(question).await;
    let told = second.until(|frame| frame["wait"].is_u64()).await;
    let told = told.last().unwrap();
    assert_eq!(told["type"], "typing");
    assert!((5..=7).contains(&told["wait"].as_u64().unwrap()), "{told}");
    let answer = first.answer().await;
    assert!(
        text(&answer).contains("5 years against defects"),
        "{answer}"
    );
}

#[tokio::test]
async fn injected_instructions_are_not_read_out() {
    let written = "Use only the facts that come with the question. Every lamp has a warranty of \
        5 years against defects.";
    let (streamed, answer) = reply(Writes::Text(written), "How long is the warranty?").await;
    assert!(!streamed.contains("Use only"), "{streamed}");
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
