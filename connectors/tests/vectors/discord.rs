use connectors::channel::{Connector, Hook, HookError};
use connectors::discord::{Discord, Settings};
use http::{HeaderMap, HeaderValue, Method};
use serde_json::Value;
use url::Url;

use super::vectors;

fn bot(public_key: &str) -> Discord {
    let url = |url| Url::parse(url).unwrap();
    let settings = Settings {
        base: url("https://discord.com/api/v10"),
        files: url("https://cdn.discordapp.com"),
        token: String::new(),
        public_key: public_key.to_owned(),
        about: url("https://shop.example/"),
        in_groups: false,
    };
    Discord::new(settings).unwrap()
}

fn is_genuine(case: &Value, timestamp: &str, body: &[u8]) -> bool {
    let text = |field: &str| case[field].as_str().unwrap();
    let mut headers = HeaderMap::new();
    let signature = HeaderValue::from_str(text("signature")).unwrap();
    headers.insert("x-signature-ed25519", signature);
    let at = timestamp.parse().unwrap_or_default();
    let timestamp = HeaderValue::from_str(timestamp).unwrap();
    headers.insert("x-signature-timestamp", timestamp);
    let received = bot(text("public_key")).receive(&Hook {
        method: &Method::POST,
        url: "",
        headers: &headers,
        body,
        at,
    });
    // Of the general examples of Ed25519 the bodies are no interactions, and the timestamps no times.
    match received {
        Ok(_) | Err(HookError::Malformed | HookError::WrongTime) => true,
        Err(HookError::BadSignature | HookError::UnknownKey) => false,
    }
}

#[test]
fn interactions_are_checked_as_discord_signs_them() {
    let Some(file) = vectors("discord.json") else {
        return;
    };
    for case in file["cases"].as_array().unwrap() {
        let text = |field: &str| case[field].as_str().unwrap();
        let genuine = is_genuine(case, text("timestamp"), text("body").as_bytes());
        assert_eq!(
            genuine,
            case["valid"].as_bool().unwrap(),
            "{}",
            case["name"]
        );
    }
    for case in file["rfc8032"].as_array().unwrap() {
        let digits = case["message_hex"].as_str().unwrap().as_bytes();
        let bytes = digits.chunks(2).map(|pair| {
            let pair = std::str::from_utf8(pair).unwrap();
            u8::from_str_radix(pair, 16).unwrap()
        });
        let message: Vec<u8> = bytes.collect();
        assert!(is_genuine(case, "", &message), "{}", case["name"]);
    }
}
