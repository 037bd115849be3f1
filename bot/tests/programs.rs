//! Programs that talk to the bot for their users.

#![expect(clippy::unwrap_used, reason = "a test may fail here")]

mod support;

use frontdesk::{Answers, Config, Program};
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};
use support::{TestServer, start_with};

const KEY: &str = "sk-a-key-of-the-tests";

fn with_programs(config: &mut Config) {
    config.generate.answers = Answers::Extractive;
    let program = Program {
        key: KEY.to_owned().into(),
    };
    config.programs.insert("crm".into(), program);
    config.rasa.enabled = true;
}

/// A client; the first makes the choice of the cryptography, which the server has no need of here.
fn client() -> Client {
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
    Client::new()
}

fn completions(started: &TestServer) -> RequestBuilder {
    let address = started.server.address();
    client().post(format!("http://{address}/v1/chat/completions"))
}

async fn complete(started: &TestServer, body: Value) -> Value {
    let request = completions(started).bearer_auth(KEY).body(body.to_string());
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200, "{body}");
    serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
}

fn content(completion: &Value) -> &str {
    completion["choices"][0]["message"]["content"]
        .as_str()
        .unwrap()
}

#[tokio::test]
async fn a_chat_completion_is_a_turn_of_a_conversation() {
    let started = start_with(with_programs).await;
    let asked = json!([{ "role": "system", "content": "Be a pirate." },
                       { "role": "user", "content": "How long is the warranty?" }]);
    let first = complete(&started, json!({ "model": "x", "messages": asked })).await;
    assert!(content(&first).contains("5 years"), "{first}");
    assert_eq!(first["object"], "chat.completion");
    let extension = |completion: &Value, field: &str| {
        completion["choices"][0]["message"]["frontdesk"][field].clone()
    };
    assert!(
        extension(&first, "greeting")
            .as_str()
            .unwrap()
            .contains("AI")
    );

    // The transcript goes on in the same conversation; another one's does not.
    let mut transcript = asked.as_array().unwrap().clone();
    transcript.push(json!({ "role": "assistant", "content": content(&first) }));
    transcript.push(json!({ "role": "user", "content": [{ "type": "text", "text": "How do I return a lamp?" }] }));
    let second = complete(&started, json!({ "messages": transcript })).await;
    assert_eq!(
        extension(&second, "conversation"),
        extension(&first, "conversation")
    );
    assert_eq!(extension(&second, "greeting"), Value::Null);
    let same_words = complete(&started, json!({ "messages": transcript })).await;
    assert_ne!(
        extension(&same_words, "conversation"),
        extension(&first, "conversation")
    );

    // A name is a conversation, too.
    let named = json!({ "messages": asked, "user": "ada" });
    let third = complete(&started, named.clone()).await;
    let fourth = complete(&started, named).await;
    assert_eq!(
        extension(&third, "conversation"),
        extension(&fourth, "conversation")
    );
    started.server.stop().await;
}

#[tokio::test]
async fn a_completion_is_streamed_as_clients_read_it() {
    let started = start_with(with_programs).await;
    let body = json!({ "stream": true, "messages": [{ "role": "user", "content": "How long is the warranty?" }] });
    let request = completions(&started)
        .bearer_auth(KEY)
        .body(body.to_string());
    let text = request.send().await.unwrap().text().await.unwrap();
    let data: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .collect();
    let (done, chunks) = data.split_last().unwrap();
    assert_eq!(*done, "[DONE]");
    let chunks: Vec<Value> = chunks
        .iter()
        .map(|chunk| serde_json::from_str(chunk).unwrap())
        .collect();
    assert_eq!(chunks[0]["choices"][0]["delta"]["role"], "assistant");
    let last = &chunks.last().unwrap()["choices"][0];
    assert_eq!(
        (&last["delta"], &last["finish_reason"]),
        (&json!({}), &json!("stop"))
    );
    assert!(chunks.iter().all(|chunk| chunk["id"] == chunks[0]["id"]));
    let pieces = chunks
        .iter()
        .filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str());
    let whole: String = pieces.collect();
    assert_eq!(whole.matches("5 years").count(), 1, "{whole}");
    started.server.stop().await;
}

#[tokio::test]
async fn what_is_no_completion_is_refused_with_a_reason() {
    let started = start_with(with_programs).await;
    let question = json!([{ "role": "user", "content": "hi" }]);
    let image = json!([{ "role": "user", "content": [{ "type": "image_url", "image_url": {} }] }]);
    let assistant = json!([{ "role": "assistant", "content": "hi" }]);
    for (key, body, status, code) in [
        (
            "another",
            json!({ "messages": question }).to_string(),
            401,
            "invalid_api_key",
        ),
        (KEY, "{".to_owned(), 400, "malformed"),
        (
            KEY,
            json!({ "messages": question, "n": 2 }).to_string(),
            400,
            "unsupported_value",
        ),
        (
            KEY,
            json!({ "messages": [] }).to_string(),
            400,
            "invalid_value",
        ),
        (
            KEY,
            json!({ "messages": image }).to_string(),
            400,
            "invalid_value",
        ),
        (
            KEY,
            json!({ "messages": assistant }).to_string(),
            400,
            "invalid_value",
        ),
    ] {
        let response = completions(&started)
            .bearer_auth(key)
            .body(body.clone())
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), status, "{body}");
        let told: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
        assert_eq!(told["error"]["code"], code, "{body}");
    }
    started.server.stop().await;
}

#[tokio::test]
async fn a_front_end_of_rasa_is_answered() {
    let started = start_with(with_programs).await;
    let url = format!("http://{}/webhooks/rest/webhook", started.server.address());
    let say = async |sender: &str, message: &str| -> Vec<Value> {
        // As Rasa's widget sends it: without a type.
        let body = json!({ "sender": sender, "message": message }).to_string();
        let response = client()
            .post(&url)
            .header("origin", "https://shop.example")
            .body(body);
        let response = response.send().await.unwrap();
        assert_eq!(
            response.headers()["access-control-allow-origin"],
            "https://shop.example"
        );
        serde_json::from_str(&response.text().await.unwrap()).unwrap()
    };
    let greeting = say("web-1", "/get_started").await;
    assert!(
        greeting[0]["text"].as_str().unwrap().contains("AI"),
        "{greeting:?}"
    );
    let answer = say("web-1", "How long is the warranty?").await;
    assert!(answer.iter().all(|said| said["recipient_id"] == "web-1"));
    let texts: Vec<&str> = answer
        .iter()
        .filter_map(|said| said["text"].as_str())
        .collect();
    assert!(texts.join(" ").contains("5 years"), "{texts:?}");
    let unnamed = client()
        .post(&url)
        .body(json!({ "message": "hi" }).to_string());
    assert_eq!(unnamed.send().await.unwrap().status(), 400);
    started.server.stop().await;
}
