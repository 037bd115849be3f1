//! Frames in, frames out, without a socket.

use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::auth::sign;
use crate::config::Secret;
use crate::door::testing::{Bench, bench};

/// A server to connect to.
struct Server {
    door: Arc<Door>,
    keys: Arc<ConversationKeys>,
    config: Arc<Config>,
    _folder: tempfile::TempDir,
}

impl Server {
    async fn start(change: impl FnOnce(&mut Config)) -> Self {
        let Bench { door, .. } = bench().await;
        let mut config = Config::default();
        config.auth.secret = Some(secret());
        config.server.frames_burst = 100;
        change(&mut config);
        let folder = tempfile::tempdir().unwrap();
        Self {
            door: Arc::new(door),
            keys: Arc::new(ConversationKeys::open(folder.path()).unwrap()),
            config: Arc::new(config),
            _folder: folder,
        }
    }

    fn connect(&self) -> Session {
        let (door, keys) = (Arc::clone(&self.door), Arc::clone(&self.keys));
        Session::new(door, keys, Arc::clone(&self.config))
    }
}

fn secret() -> Secret {
    Secret::from("0123456789abcdef0123456789abcdef".to_owned())
}

async fn say(session: &mut Session, frame: Value) -> Vec<Value> {
    let answer = session.receive(&frame.to_string()).await;
    let json = |frame: &ServerFrame| serde_json::from_str(&frame.to_text()).unwrap();
    answer.frames.iter().map(json).collect()
}

async fn news(session: &mut Session) -> Value {
    let event = tokio::time::timeout(Duration::from_secs(5), session.news()).await;
    let frames = ServerFrame::of(&event.unwrap().unwrap());
    serde_json::from_str(&frames[0].to_text()).unwrap()
}

#[tokio::test]
async fn hello_opens_a_conversation_that_its_name_takes_up_again() {
    let server = Server::start(|_| {}).await;
    let mut first = server.connect();
    let frames = say(&mut first, json!({ "type": "hello" })).await;
    let types: Vec<&str> = frames.iter().map(|f| f["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["welcome", "message", "status"]);
    let name = frames[0]["conversation"].as_str().unwrap();

    let message = json!({ "type": "message", "id": "m1", "text": "hello" });
    let frames = say(&mut first, message.clone()).await;
    assert_eq!(frames, [json!({ "type": "ack", "id": "m1", "seq": 2 })]);
    assert_eq!(say(&mut first, message).await[0]["seq"], 2);
    assert_eq!(news(&mut first).await["text"], "hello");

    let mut second = server.connect();
    let hello = json!({ "type": "hello", "conversation": name, "after": 1 });
    let frames = say(&mut second, hello).await;
    assert_eq!(
        frames[0],
        json!({ "type": "welcome", "conversation": name, "seq": 2 })
    );
    assert_eq!(frames[1]["text"], "hello", "what was missed");
    assert_eq!(frames[2]["state"], "bot");
}

#[tokio::test]
async fn a_token_says_who_writes_and_a_wrong_one_is_refused() {
    let server = Server::start(|_| {}).await;
    let token = |customer: &str| sign(&secret(), customer, Duration::from_secs(60)).unwrap();
    let mut ada = server.connect();
    let frames = say(&mut ada, json!({ "type": "hello", "token": token("C-1") })).await;
    let name = frames[0]["conversation"].as_str().unwrap();
    for hello in [
        json!({ "type": "hello", "conversation": name }),
        json!({ "type": "hello", "conversation": name, "token": token("C-2") }),
        json!({ "type": "hello", "conversation": "0190c0ffee.deadbeef" }),
    ] {
        let frames = say(&mut server.connect(), hello.clone()).await;
        assert_eq!(frames[0]["code"], "unknown_conversation", "{hello}");
    }
    let mut stranger = server.connect();
    let frames = say(
        &mut stranger,
        json!({ "type": "hello", "token": "not.a.token" }),
    )
    .await;
    assert_eq!(frames[0]["code"], "bad_token");
    assert!(
        frames[0]["message"]
            .as_str()
            .unwrap()
            .contains("auth.secret")
    );
    let frames = say(&mut stranger, json!({ "type": "hello" })).await;
    assert_eq!(frames[0]["type"], "welcome", "the connection goes on");
}

#[tokio::test]
async fn what_is_no_frame_is_refused_and_changes_nothing() {
    let server = Server::start(|_| {}).await;
    let mut session = server.connect();
    let early = json!({ "type": "message", "id": "1", "text": "too early" });
    assert_eq!(say(&mut session, early).await[0]["code"], "out_of_turn");
    say(&mut session, json!({ "type": "hello" })).await;
    for text in [
        "",
        "{",
        "[]",
        "null",
        r#"{"type":"dance"}"#,
        r#"{"type":"message","text":"no id"}"#,
    ] {
        let answer = session.receive(text).await;
        assert!(answer.refused, "{text}");
        assert!(answer.frames[0].to_text().contains("malformed"), "{text}");
    }
    let again = say(&mut session, json!({ "type": "hello" })).await;
    assert_eq!(again[0]["code"], "out_of_turn");
    for (message, code) in [
        (
            json!({ "type": "message", "id": "1", "text": " \n" }),
            "empty",
        ),
        (
            json!({ "type": "message", "id": "1", "text": "x".repeat(41) }),
            "too_big",
        ),
        (
            json!({ "type": "message", "id": "1", "text": "x".repeat(100_000) }),
            "too_big",
        ),
        (
            json!({ "type": "message", "id": "", "text": "x" }),
            "malformed",
        ),
        (json!({ "type": "rate", "score": 9 }), "malformed"),
    ] {
        assert_eq!(say(&mut session, message).await[0]["code"], code);
    }
    let unknown_field = json!({ "type": "typing", "on": true, "colour": "blue" });
    assert!(say(&mut session, unknown_field).await.is_empty());
}

#[tokio::test]
async fn who_is_too_fast_is_told_how_long_to_wait() {
    let server = Server::start(|config| config.server.frames_burst = 3).await;
    let mut session = server.connect();
    say(&mut session, json!({ "type": "hello" })).await;
    let mut frames = Vec::new();
    for _ in 0..5 {
        frames.extend(say(&mut session, json!({ "type": "typing", "on": true })).await);
    }
    assert_eq!(frames[0]["code"], "too_fast");
    let wait = frames[0]["retry_after"].as_f64().unwrap();
    assert!(wait > 0.0 && wait < 10.0, "{frames:?}");
}

#[tokio::test]
async fn a_person_is_called_and_the_end_is_told_to_everybody() {
    let server = Server::start(|_| {}).await;
    let mut session = server.connect();
    say(
        &mut session,
        json!({ "type": "hello", "language": "zh-CN" }),
    )
    .await;
    assert!(
        say(&mut session, json!({ "type": "human" }))
            .await
            .is_empty()
    );
    let notice = news(&mut session).await;
    assert_eq!(notice["author"], "system");
    let text = notice["text"].as_str().unwrap();
    assert!(text.contains('您') || text.contains('我'), "{text}");
    assert_eq!(news(&mut session).await["type"], "typing");
    assert_eq!(news(&mut session).await["state"], "human");
    say(&mut session, json!({ "type": "end" })).await;
    while news(&mut session).await["state"] != "closed" {}
    let late = say(&mut session, json!({ "type": "human" })).await;
    assert_eq!(late, [json!({ "type": "status", "state": "closed" })]);
    let message = json!({ "type": "message", "id": "1", "text": "still there?" });
    assert_eq!(say(&mut session, message).await[0]["code"], "out_of_turn");
}
