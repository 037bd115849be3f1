mod sending;

use http::{HeaderMap, HeaderValue};
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::channel::{Incoming, What};

const KEY: &str = "an-encrypt-key";
const TOKEN: &str = "a-verification-token";
const NOW: i64 = 1_767_225_601;

fn settings() -> Settings {
    Settings {
        base: Url::parse("https://open.feishu.cn").unwrap(),
        app_id: "cli_1".into(),
        app_secret: "a-secret".into(),
        encrypt_key: KEY.into(),
        verification_token: TOKEN.into(),
        in_groups: Some("ou_bot".into()),
    }
}

fn bot() -> Feishu {
    Feishu::new(settings())
}

fn headers(timestamp: &str, signature: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        (TIMESTAMP, timestamp),
        (NONCE, "42"),
        (SIGNATURE, signature),
    ] {
        headers.insert(name, HeaderValue::from_str(value).unwrap());
    }
    headers
}

fn with(bot: &Feishu, headers: &HeaderMap, body: &[u8]) -> Result<Received, HookError> {
    bot.receive(&Hook {
        method: &Method::POST,
        url: "https://shop.example/hooks/feishu/shop",
        headers,
        body,
        at: NOW,
    })
}

/// Signed with the key.
fn receive(body: &[u8]) -> Result<Received, HookError> {
    let time = NOW.to_string();
    let parts = [time.as_bytes(), b"42", KEY.as_bytes(), body];
    let signature = hex(&hash::<Sha256>(&parts));
    with(&bot(), &headers(&time, &signature), body)
}

fn hidden(text: &[u8]) -> Vec<u8> {
    let key = hash::<Sha256>(&[KEY.as_bytes()]);
    let cipher = Cipher::new(key.try_into().unwrap(), [7; 16]);
    let data = [&[7; 16][..], &cipher.encrypt(text, 16)].concat();
    let body = json!({ "encrypt": BASE64.encode(data) });
    body.to_string().into_bytes()
}

fn event(kind: &str, event: &Value) -> Value {
    json!({
        "schema": "2.0",
        "header": {
            "event_id": "e-1",
            "event_type": kind,
            "create_time": "1767225600123",
            "token": TOKEN,
            "app_id": "cli_1",
            "tenant_key": "t1",
        },
        "event": event,
    })
}

fn wrote(kind: &str, content: &Value) -> Value {
    let event_of = json!({
        "sender": { "sender_id": { "open_id": "ou_ana", "user_id": null }, "sender_type": "user" },
        "message": {
            "message_id": "om_1",
            "create_time": "1767225600000",
            "chat_id": "oc_1",
            "chat_type": "p2p",
            "message_type": kind,
            "content": content.to_string(),
        },
    });
    event("im.message.receive_v1", &event_of)
}

fn read(body: &Value) -> Option<Incoming> {
    let received = receive(body.to_string().as_bytes()).unwrap();
    received.events.into_iter().next()
}

fn said(event: Option<Incoming>) -> (String, Vec<String>) {
    let What::Message { text, media, .. } = event.unwrap().what else {
        panic!("no message");
    };
    (text, media.into_iter().map(|media| media.place).collect())
}

#[test]
fn a_message_is_read_hidden_and_plain() {
    let body = wrote("text", &json!({ "text": "Where is my order?" })).to_string();
    for body in [body.clone().into_bytes(), hidden(body.as_bytes())] {
        let received = receive(&body).unwrap();
        let [event] = received.events.as_slice() else {
            panic!("{received:?}");
        };
        assert_eq!((event.id.as_str(), event.thread.as_str()), ("om_1", "oc_1"));
        assert_eq!((event.sender.id.as_str(), event.private), ("ou_ana", true));
        assert_eq!(event.at, Some(1_767_225_600));
        assert_eq!(event.context.as_deref(), Some("p2p/om_1"));
        let (text, _) = said(Some(event.clone()));
        assert_eq!(text, "Where is my order?");
    }
}

#[test]
fn the_published_sample_is_decrypted() {
    let bot = Feishu::new(Settings {
        encrypt_key: "test key".into(),
        ..settings()
    });
    let hidden = "P37w+VZImNgPEO1RBhJ6RtKl7n6zymIbEG1pReEzghk=";
    assert_eq!(bot.decrypted(hidden).unwrap(), b"hello world");
}

#[test]
fn the_signature_is_asked_for_before_anything_is_read() {
    let body = wrote("text", &json!({ "text": "hi" })).to_string();
    let body = body.as_bytes();
    let time = NOW.to_string();
    let sign = |key: &str, time: &str, body: &[u8]| {
        let parts = [time.as_bytes(), b"42", key.as_bytes(), body];
        hex(&hash::<Sha256>(&parts))
    };
    let refused = Err(HookError::BadSignature);
    for signature in ["", "00", &sign("another key", &time, body)] {
        assert_eq!(with(&bot(), &headers(&time, signature), body), refused);
        assert_eq!(with(&bot(), &headers(&time, signature), b"{"), refused);
    }
    assert_eq!(with(&bot(), &HeaderMap::new(), body), refused);
    assert_eq!(receive(b"{"), Err(HookError::Malformed));
    assert_eq!(receive(br#"{"encrypt":"AAAA"}"#), Err(HookError::Malformed));
    let no_key = Feishu::new(Settings {
        encrypt_key: String::new(),
        ..settings()
    });
    assert_eq!(
        with(&no_key, &headers(&time, &sign("", &time, body)), body),
        refused
    );
    let old = (NOW - 301).to_string();
    assert_eq!(
        with(&bot(), &headers(&old, &sign(KEY, &old, body)), body),
        Err(HookError::WrongTime)
    );
}

#[test]
fn the_token_is_asked_for_too() {
    let mut body = wrote("text", &json!({ "text": "hi" }));
    for token in [json!("another"), json!(""), Value::Null] {
        body["header"]["token"] = token;
        assert_eq!(
            receive(body.to_string().as_bytes()),
            Err(HookError::BadSignature)
        );
    }
    assert_eq!(receive(b"[]"), Err(HookError::BadSignature));
}

#[test]
fn a_challenge_is_answered_to_who_has_the_token() {
    let asked = |token: &str| {
        let body = json!({ "challenge": "c0ffee", "token": token, "type": "url_verification" });
        body.to_string().into_bytes()
    };
    let answered = Ok(Some(Reply::json(&json!({ "challenge": "c0ffee" }))));
    let reply = |received: Result<Received, HookError>| received.map(|received| received.reply);
    let unsigned = HeaderMap::new();
    assert_eq!(reply(with(&bot(), &unsigned, &asked(TOKEN))), answered);
    assert_eq!(
        reply(with(&bot(), &unsigned, &hidden(&asked(TOKEN)))),
        answered
    );
    assert_eq!(reply(receive(&asked(TOKEN))), answered);
    let refused = Err(HookError::BadSignature);
    assert_eq!(reply(with(&bot(), &unsigned, &asked("another"))), refused);
    assert_eq!(reply(receive(&asked("another"))), refused);
    let no_token = Feishu::new(Settings {
        verification_token: String::new(),
        ..settings()
    });
    assert_eq!(reply(with(&no_token, &unsigned, &asked(""))), refused);
}

#[test]
fn files_posts_and_places_are_read() {
    let place = |place: &str| vec![place.to_owned()];
    let of = |kind: &str, content: Value| said(read(&wrote(kind, &content)));
    assert_eq!(
        of("image", json!({ "image_key": "img_1" })).1,
        place("om_1/image/img_1")
    );
    let video = json!({ "file_key": "f_1", "image_key": "img_1", "file_name": "a.mp4" });
    assert_eq!(of("media", video).1, place("om_1/file/f_1"));
    let file = json!({ "file_key": "f_2", "file_name": "bill.pdf" });
    let What::Message { media, .. } = read(&wrote("file", &file)).unwrap().what else {
        panic!("no message");
    };
    assert_eq!(media[0].name.as_deref(), Some("bill.pdf"));
    let post = json!({ "title": "Broken", "content": [
        [{ "tag": "text", "text": "see " }, { "tag": "a", "text": "this", "href": "https://a.example/" }],
        [{ "tag": "img", "image_key": "img_2" }],
    ] });
    assert_eq!(
        of("post", post),
        (
            "Broken\nsee this (https://a.example/)".to_owned(),
            place("om_1/image/img_2")
        )
    );
    let shop = json!({ "name": "Shop", "longitude": "13.4", "latitude": "52.5" });
    assert_eq!(of("location", shop).0, "Shop, 52.5, 13.4");
}

#[test]
fn in_a_group_only_those_who_mention_the_bot_are_heard() {
    let group = |mentions: Value, bot: Feishu| {
        let text = "@_user_1 ask @_user_10 where it is";
        let mut body = wrote("text", &json!({ "text": text }));
        body["event"]["message"]["chat_type"] = "group".into();
        body["event"]["message"]["thread_id"] = "omt_1".into();
        body["event"]["message"]["mentions"] = mentions;
        let body = body.to_string();
        let time = NOW.to_string();
        let parts = [time.as_bytes(), b"42", KEY.as_bytes(), body.as_bytes()];
        let signature = hex(&hash::<Sha256>(&parts));
        let received = with(&bot, &headers(&time, &signature), body.as_bytes());
        received.unwrap().events.into_iter().next()
    };
    let bo = json!({ "key": "@_user_10", "id": { "open_id": "ou_bo" }, "name": "Bo" });
    let us = json!({ "key": "@_user_1", "id": { "open_id": "ou_bot" }, "name": "Shop" });
    assert_eq!(group(json!([bo]), bot()), None);
    let silent = Feishu::new(Settings {
        in_groups: None,
        ..settings()
    });
    assert_eq!(group(json!([us, bo]), silent), None);
    let event = group(json!([us, bo]), bot()).unwrap();
    assert_eq!(
        (event.thread.as_str(), event.private),
        ("oc_1/omt_1", false)
    );
    assert_eq!(event.context.as_deref(), Some("group/om_1"));
    assert_eq!(said(Some(event)).0, "ask @Bo where it is");
}

#[test]
fn presses_recalls_and_opened_chats_are_read() {
    let value = json!({ "fd": "q7", "thread": "oc_1/omt_1", "private": true });
    let mut press = event(
        "card.action.trigger",
        &json!({
            "operator": { "open_id": "ou_ana" },
            "token": "c-1",
            "action": { "value": value, "tag": "button" },
            "context": { "open_message_id": "om_2", "open_chat_id": "oc_1" },
        }),
    );
    let (reply, receipt) = ("q7".to_owned(), None);
    let pressed = read(&press).unwrap();
    assert_eq!(pressed.what, What::Press { reply, receipt });
    assert_eq!(
        (pressed.thread.as_str(), pressed.private),
        ("oc_1/omt_1", true)
    );
    assert_eq!(pressed.context.as_deref(), Some("p2p/om_2"));
    // A press is answered with JSON.
    let received = receive(press.to_string().as_bytes()).unwrap();
    assert_eq!(received.reply, Some(Reply::json(&json!({}))));
    // The card was forwarded.
    press["event"]["context"]["open_chat_id"] = "oc_other".into();
    let pressed = read(&press).unwrap();
    assert_eq!(
        (pressed.thread.as_str(), pressed.private),
        ("oc_other", false)
    );

    let recalled =
        json!({ "message_id": "om_1", "chat_id": "oc_1", "recall_time": "1767225600000" });
    let message = "om_1".to_owned();
    assert_eq!(
        read(&event("im.message.recalled_v1", &recalled))
            .unwrap()
            .what,
        What::Deletion { message }
    );

    let entered = "im.chat.access_event.bot_p2p_chat_entered_v1";
    let mut chat = json!({ "chat_id": "oc_1", "operator_id": { "open_id": "ou_ana" } });
    assert_eq!(read(&event(entered, &chat)).unwrap().what, What::Start);
    chat["last_message_id"] = "om_1".into();
    assert_eq!(read(&event(entered, &chat)), None);
}

#[test]
fn a_press_in_an_old_card_is_signed_with_the_token() {
    let press = json!({
        "open_id": "ou_ana",
        "open_message_id": "om_2",
        "token": "c-1",
        "action": { "value": { "fd": "q7" }, "tag": "button" },
    });
    let time = NOW.to_string();
    let signed = |body: &[u8]| {
        let parts = [time.as_bytes(), b"42", TOKEN.as_bytes(), body];
        let signature = hex(&hash::<Sha1>(&parts));
        with(&bot(), &headers(&time, &signature), body)
    };
    let received = signed(press.to_string().as_bytes()).unwrap();
    let [pressed] = received.events.as_slice() else {
        panic!("{received:?}");
    };
    assert_eq!(
        (pressed.id.as_str(), pressed.thread.as_str()),
        ("c-1", "ou_ana")
    );
    // Nothing else is taken with this signature.
    let message = wrote("text", &json!({ "text": "hi" })).to_string();
    assert_eq!(signed(message.as_bytes()).unwrap().events, []);
}

#[test]
fn what_nobody_said_to_the_bot_is_passed_over() {
    let mut of_a_bot = wrote("text", &json!({ "text": "hello" }));
    of_a_bot["event"]["sender"]["sender_type"] = "app".into();
    assert_eq!(read(&of_a_bot), None);
    assert_eq!(
        read(&wrote("share_chat", &json!({ "chat_id": "oc_2" }))),
        None
    );
    assert_eq!(read(&wrote("text", &json!({ "text": " " }))), None);
    for kind in [
        "im.message.message_read_v1",
        "im.message.reaction.created_v1",
    ] {
        assert_eq!(read(&event(kind, &json!({}))), None);
    }
    let old = json!({ "uuid": "1", "token": TOKEN, "type": "event_callback", "event": {} });
    assert_eq!(read(&old), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn malformed_bodies_never_panic(
        start in 0_usize..700,
        end in 0_usize..700,
        junk in prop::collection::vec(any::<u8>(), 0..40),
        is_hidden: bool,
    ) {
        let mut body = wrote("text", &json!({ "text": "Where is my order?" })).to_string().into_bytes();
        let (start, end) = (start.min(body.len()), end.min(body.len()));
        body.splice(start.min(end)..end.max(start), junk);
        let body = if is_hidden { hidden(&body) } else { body };
        // Whatever it is: read, or refused with a reason.
        let _ = receive(&body);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn malformed_contents_never_panic(content in "\\PC{0,60}", kind in "(text|post|image|media|location)") {
        let mut body = wrote(&kind, &Value::Null);
        body["event"]["message"]["content"] = content.into();
        let _ = read(&body);
    }
}
