mod sending;

use proptest::prelude::*;

use super::*;
use crate::channel::{Media, What};

const CHANNEL_SECRET: &str = "a-secret-of-the-tests";
const CUSTOMER: &str = "U1a00000000000000000000000000000c";
const HEARD: i64 = 1_767_225_600;

fn settings() -> Settings {
    Settings {
        base: Url::parse("https://api.line.me").unwrap(),
        data_base: Url::parse("https://api-data.line.me").unwrap(),
        access: Access::Token("channel-token".to_owned()),
        secret: CHANNEL_SECRET.to_owned(),
        in_groups: true,
    }
}

fn account() -> Line {
    Line::new(settings())
}

fn signature(secret: &str, body: &[u8]) -> String {
    BASE64.encode(hmac_sha256(secret.as_bytes(), &[body]))
}

fn receive(line: &Line, signature: &str, body: &[u8]) -> Result<Vec<Incoming>, HookError> {
    let mut headers = HeaderMap::new();
    if !signature.is_empty() {
        headers.insert(SIGNATURE, HeaderValue::from_str(signature).unwrap());
    }
    let hook = Hook {
        method: &Method::POST,
        url: "https://shop.example/hooks/line/shop",
        headers: &headers,
        body,
        at: HEARD + 1,
    };
    Ok(line.receive(&hook)?.events)
}

fn read_by(line: &Line, event: &Value) -> Option<Incoming> {
    let body = json!({ "destination": "U0f", "events": [event] }).to_string();
    let signature = signature(CHANNEL_SECRET, body.as_bytes());
    let events = receive(line, &signature, body.as_bytes()).unwrap();
    events.into_iter().next()
}

fn read(event: &Value) -> Option<Incoming> {
    read_by(&account(), event)
}

fn event(kind: &str, with: &Value) -> Value {
    let mut event = json!({
        "type": kind,
        "mode": "active",
        "timestamp": HEARD * 1000 + 123,
        "source": { "type": "user", "userId": CUSTOMER },
        "webhookEventId": "01JGFRAV3M0000000000000001",
        "deliveryContext": { "isRedelivery": false },
        "replyToken": "b60d432864f44d079f6d8efe86cf404b",
    });
    for (name, value) in with.as_object().unwrap() {
        event[name] = value.clone();
    }
    event
}

fn text(text: &str) -> Value {
    let message = json!({ "id": "53", "type": "text", "text": text });
    event("message", &json!({ "message": message }))
}

fn media_of(message: &Value) -> Media {
    let read = read(&event("message", &json!({ "message": message }))).unwrap();
    let What::Message { media, text, .. } = read.what else {
        panic!("no message");
    };
    assert_eq!(text, "");
    media.into_iter().next().unwrap()
}

#[test]
fn a_message_is_read_with_its_writer_and_its_token() {
    let read = read(&text("Where is my order? 👋")).unwrap();
    assert_eq!(read.id, "01JGFRAV3M0000000000000001");
    assert_eq!(
        (read.thread.as_str(), read.sender.id.as_str()),
        (CUSTOMER, CUSTOMER)
    );
    assert_eq!((read.private, read.at), (true, Some(HEARD)));
    assert_eq!(
        read.context.as_deref(),
        Some("b60d432864f44d079f6d8efe86cf404b")
    );
    let (message, text, media) = ("53".into(), "Where is my order? 👋".into(), Vec::new());
    let what = What::Message {
        message,
        text,
        media,
    };
    assert_eq!(read.what, what);
}

#[test]
fn the_signature_is_checked_before_anything_is_read() {
    let line = account();
    let hex = crate::signature::hex(&hmac_sha256(CHANNEL_SECRET.as_bytes(), &[b"{"]));
    for wrong in [
        "",
        "AAAA",
        &hex,
        &signature("another", b"{"),
        &signature(CHANNEL_SECRET, b"{}"),
    ] {
        assert_eq!(
            receive(&line, wrong, b"{"),
            Err(HookError::BadSignature),
            "{wrong:?}"
        );
    }
    let right = signature(CHANNEL_SECRET, b"{");
    assert_eq!(receive(&line, &right, b"{"), Err(HookError::Malformed));
    // The console's button.
    let verify = br#"{"destination":"U0f","events":[]}"#;
    assert_eq!(
        receive(&line, &signature(CHANNEL_SECRET, verify), verify),
        Ok(Vec::new())
    );
    let unset = Line::new(Settings {
        secret: String::new(),
        ..settings()
    });
    let of_nothing = signature("", verify);
    assert_eq!(
        receive(&unset, &of_nothing, verify),
        Err(HookError::BadSignature)
    );
}

#[test]
fn events_of_several_people_come_in_one_request() {
    let mut second = text("second");
    second["source"]["userId"] = "U2".into();
    let odd = json!({ "type": "message", "source": "of another form" });
    let body = json!({ "events": [text("first"), odd, second] }).to_string();
    let events = receive(
        &account(),
        &signature(CHANNEL_SECRET, body.as_bytes()),
        body.as_bytes(),
    );
    let threads = events.unwrap().into_iter().map(|event| event.thread);
    assert_eq!(threads.collect::<Vec<_>>(), [CUSTOMER, "U2"]);
}

#[test]
fn presses_follows_and_deletions_are_read() {
    let what = |kind: &str, with: Value| read(&event(kind, &with)).map(|read| read.what);
    let press = what("postback", json!({ "postback": { "data": "track:1001" } }));
    let (reply, receipt) = ("track:1001".to_owned(), None);
    assert_eq!(press, Some(What::Press { reply, receipt }));
    assert_eq!(what("follow", json!({})), Some(What::Start));
    let again = json!({ "follow": { "isUnblocked": true } });
    assert_eq!(what("follow", again), Some(What::Unblocked));
    assert_eq!(what("unfollow", json!({})), Some(What::Blocked));
    let message = "53".to_owned();
    let unsend = json!({ "unsend": { "messageId": "53" } });
    assert_eq!(what("unsend", unsend), Some(What::Deletion { message }));
    let edited = json!({ "message": { "id": "53", "type": "text", "text": "in blue" } });
    let (message, text) = ("53".to_owned(), "in blue".to_owned());
    assert_eq!(
        what("messageEdited", edited),
        Some(What::Edit { message, text })
    );
}

#[test]
fn files_stickers_and_places_are_read() {
    let provider = json!({ "type": "line" });
    let image = json!({ "id": "54", "type": "image", "contentProvider": provider });
    let image = media_of(&image);
    assert_eq!(
        (image.place.as_str(), image.content_type.as_deref()),
        ("54", Some("image/jpeg"))
    );
    let file = json!({ "id": "55", "type": "file", "fileName": "bill.pdf", "fileSize": 2138 });
    let file = media_of(&file);
    assert_eq!(
        (file.name.as_deref(), file.size),
        (Some("bill.pdf"), Some(2138))
    );
    let sticker = json!({ "id": "56", "type": "sticker", "packageId": "1", "stickerId": "2", "keywords": ["ok", "yes"] });
    let sticker = media_of(&sticker);
    assert_eq!(sticker.name.as_deref(), Some("ok, yes"));

    let files = account();
    let files = files.files().unwrap();
    let request = files.request(&image.place).unwrap();
    assert_eq!(
        request.url.as_str(),
        "https://api-data.line.me/v2/bot/message/54/content"
    );
    assert!(request.headers.contains_key(header::AUTHORIZATION));
    for elsewhere in [
        sticker.place.as_str(),
        "",
        "https://evil.example/1",
        "../53",
        "53?x=1",
    ] {
        assert_eq!(files.request(elsewhere), None, "{elsewhere:?}");
    }
    let provider = json!({ "type": "external", "originalContentUrl": "https://cdn.example/1.mp4" });
    let film = json!({ "id": "57", "type": "video", "contentProvider": provider });
    assert_eq!(media_of(&film).place, "https://cdn.example/1.mp4");

    let place = json!({ "id": "58", "type": "location", "title": "Home", "address": "1 Road", "latitude": 35.5, "longitude": 139.25 });
    let place = read(&event("message", &json!({ "message": place }))).unwrap();
    assert!(
        matches!(place.what, What::Message { text, .. } if text == "Home\n1 Road\ngeo:35.5,139.25")
    );
}

#[test]
fn in_a_group_only_those_who_mention_the_account_are_heard() {
    let group = |words: &str, mentionees: Value| {
        let mut event = text(words);
        event["source"] = json!({ "type": "group", "groupId": "C9", "userId": CUSTOMER });
        event["message"]["mention"] = json!({ "mentionees": mentionees });
        event
    };
    let ours =
        json!([{ "index": 3, "length": 5, "type": "user", "userId": "U0f", "isSelf": true }]);
    let named = group("👋 @Shop where is my order?", ours);
    let heard = read(&named).unwrap();
    assert_eq!(
        (heard.thread.as_str(), heard.sender.id.as_str()),
        ("C9", CUSTOMER)
    );
    assert!(!heard.private);
    assert!(matches!(heard.what, What::Message { text, .. } if text == "👋  where is my order?"));

    let others = json!([{ "index": 0, "length": 4, "type": "user", "userId": "U7" }]);
    assert_eq!(read(&group("@Ana hello", others)), None);
    assert_eq!(read(&group("hello", json!([]))), None);
    // A mention that lies outside the text harms nobody.
    let outside = json!([{ "index": 9, "length": usize::MAX, "isSelf": true }]);
    assert!(read(&group("hello", outside)).is_some());
    let deaf = Line::new(Settings {
        in_groups: false,
        ..settings()
    });
    assert_eq!(read_by(&deaf, &named), None);
}

#[test]
fn what_nobody_said_to_the_account_is_passed_over() {
    let mut standby = text("hello");
    standby["mode"] = "standby".into();
    assert_eq!(read(&standby), None);
    for kind in [
        "join",
        "leave",
        "videoPlayComplete",
        "beacon",
        "memberJoined",
        "delivery",
        "of the future",
    ] {
        assert_eq!(read(&event(kind, &json!({}))), None, "{kind}");
    }
    let unknown = json!({ "message": { "id": "1", "type": "hologram" } });
    assert_eq!(read(&event("message", &unknown)), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn malformed_bodies_are_refused(
        start in 0_usize..500,
        junk in prop::collection::vec(any::<u8>(), 0..40),
        length in 0_usize..500,
    ) {
        let mut body = json!({ "events": [text("Where is my order?")] }).to_string().into_bytes();
        let start = start.min(body.len());
        let end = (start + length).min(body.len());
        body.splice(start..end, junk);
        // Whatever it is: read, or refused with a reason.
        let read = receive(&account(), &signature(CHANNEL_SECRET, &body), &body);
        prop_assert_ne!(read, Err(HookError::BadSignature));
    }
}
