use connectors::channel::{Connector, Hook};
use connectors::sms::{Encoding, Message};
use connectors::twilio::{Settings, Twilio};
use http::{HeaderMap, HeaderValue, Method};
use serde_json::Value;
use url::Url;
use url::form_urlencoded::Serializer;

use super::vectors;

/// The body of a case's request, and its type.
fn body(case: &Value) -> (String, &'static str) {
    if let Some(json) = case["json_body"].as_str() {
        return (json.to_owned(), "application/json");
    }
    let parameters = case["params"].as_array().unwrap();
    let pairs = parameters.iter();
    let pairs = pairs.map(|pair| (pair[0].as_str().unwrap(), pair[1].as_str().unwrap()));
    let mut form = Serializer::new(String::new());
    form.extend_pairs(pairs);
    (form.finish(), "application/x-www-form-urlencoded")
}

#[test]
fn hooks_are_checked_as_twilio_says() {
    let Some(file) = vectors("twilio.json") else {
        return;
    };
    for case in file["cases"].as_array().unwrap() {
        let text = |field: &str| case[field].as_str().unwrap();
        let twilio = Twilio::new(Settings {
            base: Url::parse("https://api.twilio.com").unwrap(),
            messaging_base: Url::parse("https://messaging.twilio.com").unwrap(),
            account: String::new(),
            auth_token: text("auth_token").to_owned(),
            key: None,
            hook: None,
            per_second: 1,
            whatsapp: None,
        });
        let (body, kind) = body(case);
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static(kind));
        let signature = HeaderValue::from_str(text("signature")).unwrap();
        headers.insert("x-twilio-signature", signature);
        let received = twilio.receive(&Hook {
            method: &Method::POST,
            url: text("url"),
            headers: &headers,
            body: body.as_bytes(),
            at: 0,
        });
        let is_genuine = received.is_ok();
        assert_eq!(
            Some(is_genuine),
            case["valid"].as_bool(),
            "{}",
            case["name"]
        );
    }
}

#[test]
fn short_messages_are_counted_as_twilio_counts() {
    let Some(file) = vectors("sms.json") else {
        return;
    };
    for case in file["cases"].as_array().unwrap() {
        let message = Message::of(case["text"].as_str().unwrap());
        let encoding = match message.encoding {
            Encoding::Gsm7 => "GSM-7",
            Encoding::Ucs2 => "UCS-2",
        };
        assert_eq!(case["encoding"], encoding, "{}", case["name"]);
        assert_eq!(case["bits"], message.bits, "{}", case["name"]);
        assert_eq!(case["segments"], message.segments, "{}", case["name"]);
    }
}
