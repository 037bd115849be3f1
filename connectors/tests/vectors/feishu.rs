use connectors::channel::{Connector, Hook, HookError, Received, What};
use connectors::feishu::{Feishu, Settings};
use http::{HeaderMap, HeaderValue};
use serde_json::Value;
use url::Url;

use super::vectors;

fn receive(file: &Value, case: &Value) -> Result<Received, HookError> {
    let field = |value: &Value, name: &str| value[name].as_str().unwrap().to_owned();
    let bot = Feishu::new(Settings {
        base: Url::parse("https://open.feishu.cn").unwrap(),
        app_id: String::new(),
        app_secret: String::new(),
        encrypt_key: field(file, "encrypt_key"),
        verification_token: field(file, "verification_token"),
        in_groups: None,
    });
    let mut headers = HeaderMap::new();
    for (name, key) in [
        ("x-lark-request-timestamp", "timestamp"),
        ("x-lark-request-nonce", "nonce"),
        ("x-lark-signature", "signature"),
    ] {
        headers.insert(name, HeaderValue::from_str(&field(case, key)).unwrap());
    }
    bot.receive(&Hook {
        method: &http::Method::POST,
        url: "",
        headers: &headers,
        body: field(case, "body").as_bytes(),
        at: field(case, "timestamp").parse().unwrap(),
    })
}

#[test]
fn events_are_checked_and_decrypted_as_feishu_makes_them() {
    let Some(file) = vectors("feishu.json") else {
        return;
    };
    for case in file["cases"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let received = receive(&file, case);
        if case["valid"] == false {
            assert_eq!(received, Err(HookError::BadSignature), "{name}");
            continue;
        }
        let received = received.unwrap();
        let plain: Value = serde_json::from_str(case["plaintext"].as_str().unwrap()).unwrap();
        let Some(challenge) = plain["challenge"].as_str() else {
            let content = plain["event"]["message"]["content"].as_str().unwrap();
            let content: Value = serde_json::from_str(content).unwrap();
            assert!(
                matches!(&received.events[0].what, What::Message { text, .. } if *text == content["text"]),
                "{name}"
            );
            continue;
        };
        let reply: Value = serde_json::from_str(&received.reply.unwrap().body).unwrap();
        assert_eq!(reply["challenge"], challenge, "{name}");
    }
    let received = receive(&file, &file["old_card_callback"]).unwrap();
    assert!(
        matches!(&received.events[0].what, What::Press { reply, .. } if reply == "q7"),
        "{received:?}"
    );
}
