use connectors::channel::{Answer, Connector, Hook, HookError, Keys};
use connectors::teams::{Settings, Teams};
use http::{HeaderMap, HeaderValue, Method};
use serde_json::{Value, json};
use url::Url;

use super::vectors;

/// When the tokens of the file are valid.
const NOW: i64 = 1_767_225_600;

fn bot(file: &Value) -> Teams {
    let url = |text: &str| Url::parse(text).unwrap();
    let document = &file["openid_configuration"];
    let bot = Teams::new(Settings {
        openid: url("https://login.botframework.com/v1/.well-known/openidconfiguration"),
        issuer: document["issuer"].as_str().unwrap().to_owned(),
        login: url("https://login.microsoftonline.com"),
        tenant: "botframework.com".to_owned(),
        app_id: file["app_id"].as_str().unwrap().to_owned(),
        app_secret: "secret".to_owned(),
        // That of another service, too: its tokens are to be refused for themselves.
        services: vec![
            url("https://smba.trafficmanager.net"),
            url("https://evil.example"),
        ],
        file_domains: Vec::new(),
        in_groups: false,
    });
    let take_in = |body: &Value| {
        let keys = bot.keys().unwrap().keys(&Answer {
            status: 200,
            headers: &HeaderMap::new(),
            body: body.to_string().as_bytes(),
        });
        keys.unwrap()
    };
    let Keys::At(call) = take_in(document) else {
        panic!("the document leads to the keys");
    };
    assert_eq!(document["jwks_uri"], call.url.as_str());
    assert!(matches!(take_in(&file["jwks"]), Keys::Set { .. }));
    bot
}

#[test]
fn tokens_are_checked_as_microsoft_says() {
    let Some(file) = vectors("teams.json") else {
        return;
    };
    let bot = bot(&file);
    for case in file["cases"].as_array().unwrap() {
        let mut headers = HeaderMap::new();
        let token = format!("Bearer {}", case["token"].as_str().unwrap());
        headers.insert("authorization", HeaderValue::from_str(&token).unwrap());
        let activity = json!({
            "type": "message",
            "id": "1",
            "serviceUrl": case["service_url"],
            "channelId": case["channel_id"],
            "from": { "id": "29:1abc" },
            "recipient": { "id": "28:c9e8" },
            "conversation": { "id": "a:17I0", "conversationType": "personal" },
            "text": "Where is my order?",
        });
        let received = bot.receive(&Hook {
            method: &Method::POST,
            url: "",
            headers: &headers,
            body: activity.to_string().as_bytes(),
            at: NOW,
        });
        let name = case["name"].as_str().unwrap();
        let is_valid = case["valid"].as_bool().unwrap();
        assert_eq!(received.is_ok(), is_valid, "{name}: {received:?}");
        assert_ne!(received, Err(HookError::Malformed), "{name}");
    }
}
