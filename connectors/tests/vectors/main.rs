//! The platforms' own examples, where they are at hand.

#![expect(clippy::unwrap_used, reason = "a test may fail here")]

mod dingtalk;
mod discord;
mod feishu;
mod line;
mod mail;
mod meta;
mod slack;
mod teams;
mod twilio;
mod wechat;

use std::path::Path;

use connectors::channel::{Connector, Hook, HookError};
use connectors::text::Unit;
use connectors::webhook::{Key, Webhook};
use http::{HeaderMap, HeaderValue};
use serde_json::Value;
use url::Url;

/// A file of vectors; `None`, and a word on it, where there is none.
fn vectors(name: &str) -> Option<Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/protocols/vectors");
    let file = folder.join(name);
    if !file.is_file() {
        eprintln!("skipped: there is no {}", file.display());
        return None;
    }
    Some(serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap())
}

fn is_genuine(keys: &[&str], case: &Value, now: i64) -> bool {
    let keys = keys.iter().map(|key| Key::parse(key).unwrap()).collect();
    let webhook = Webhook::new(Url::parse("https://front.example/").unwrap(), keys);
    let mut headers = HeaderMap::new();
    let text = |value: &Value| value.as_str().map_or(value.to_string(), str::to_owned);
    for (name, field) in [
        ("webhook-id", "id"),
        ("webhook-timestamp", "timestamp"),
        ("webhook-signature", "signature"),
    ] {
        headers.insert(name, HeaderValue::from_str(&text(&case[field])).unwrap());
    }
    let received = webhook.receive(&Hook {
        method: &http::Method::POST,
        url: "",
        headers: &headers,
        body: case["body"].as_str().unwrap().as_bytes(),
        at: now,
    });
    // Their bodies are not messages to us.
    match received {
        Ok(_) | Err(HookError::Malformed) => true,
        Err(HookError::BadSignature | HookError::WrongTime | HookError::UnknownKey) => false,
    }
}

#[test]
fn webhooks_are_checked_as_the_standard_says() {
    let Some(file) = vectors("standard-webhooks.json") else {
        return;
    };
    for case in file["cases"].as_array().unwrap() {
        let secret = case["secret"].as_str().unwrap();
        let genuine = is_genuine(&[secret], case, case["now"].as_i64().unwrap());
        assert_eq!(
            genuine,
            case["valid"].as_bool().unwrap(),
            "{}",
            case["name"]
        );
    }
    let v1a = &file["v1a"];
    let (public, now) = (
        v1a["public_key"].as_str().unwrap(),
        v1a["timestamp"].as_i64().unwrap(),
    );
    assert!(is_genuine(&[public], v1a, now));
    assert!(is_genuine(&[v1a["secret_key"].as_str().unwrap()], v1a, now));
}

#[test]
fn lengths_are_counted_as_the_platforms_count() {
    let Some(file) = vectors("text.json") else {
        return;
    };
    for case in file["units"].as_array().unwrap() {
        let text = case["text"].as_str().unwrap();
        for (unit, field) in [
            (Unit::Chars, "chars"),
            (Unit::Utf16, "utf16"),
            (Unit::Bytes, "utf8"),
        ] {
            let count = u64::try_from(unit.count(text)).unwrap();
            assert_eq!(Some(count), case[field].as_u64(), "{text:?}");
        }
    }
}
