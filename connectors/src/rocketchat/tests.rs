use http::HeaderMap;
use proptest::prelude::*;

use super::*;
use crate::channel::{Choice, Incoming, Link, What};

const HOOK_SECRET: &str = "a-secret-of-the-tests";
const BOT: &str = "bot";

fn bot() -> RocketChat {
    RocketChat::new(Settings {
        base: Url::parse("https://chat.example").unwrap(),
        token: "token".into(),
        user: BOT.into(),
        secret: HOOK_SECRET.into(),
        in_groups: Some("ShopBot".into()),
    })
}

fn receive(bot: &RocketChat, secret: Option<&str>, body: &[u8]) -> Result<Received, HookError> {
    let mut headers = HeaderMap::new();
    if let Some(secret) = secret {
        headers.insert(SECRET, HeaderValue::from_str(secret).unwrap());
    }
    bot.receive(&Hook {
        method: &Method::POST,
        url: "https://shop.example/hooks/rocketchat",
        headers: &headers,
        body,
        at: 1_767_225_601,
    })
}

fn read(session: &Value) -> Vec<Incoming> {
    let body = session.to_string();
    let received = receive(&bot(), Some(HOOK_SECRET), body.as_bytes());
    received.unwrap().events
}

fn session(kind: &str, message: &Value) -> Value {
    json!({
        "_id": "room1", "type": kind,
        "visitor": { "_id": "v1", "token": "t", "name": "Ana", "email": [{ "address": "a@b.example" }] },
        "agent": { "_id": BOT, "username": "shopbot" },
        "messages": [message],
    })
}

fn message(text: &str) -> Value {
    json!({
        "u": { "_id": "v1", "username": "guest-1" }, "_id": "m1",
        "ts": "2026-01-01T00:00:00.000Z", "msg": text,
    })
}

fn posted(text: &str) -> Value {
    json!({
        "token": HOOK_SECRET, "bot": false, "channel_id": "GENERAL", "channel_name": "general",
        "message_id": "m1", "timestamp": "2026-01-01T00:00:00.000Z", "user_id": "u1",
        "user_name": "ana", "text": text,
    })
}

fn read_posted(posted: &Value) -> Option<Incoming> {
    let received = receive(&bot(), None, posted.to_string().as_bytes());
    received.unwrap().events.into_iter().next()
}

#[test]
fn a_visitors_message_is_read() {
    let events = read(&session("Message", &message("Where is my order?")));
    let [event] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert_eq!((event.id.as_str(), event.thread.as_str()), ("m1", "room1"));
    assert_eq!(event.sender.id, "v1");
    assert_eq!(event.sender.name.as_deref(), Some("Ana"));
    assert_eq!((event.private, event.at), (true, Some(1_767_225_600)));
    assert!(matches!(&event.what, What::Message { text, .. } if text == "Where is my order?"));
}

#[test]
fn the_secret_is_asked_for_before_anything_is_read() {
    let bot = bot();
    for secret in ["", "another", "a-secret-of-the-test"] {
        let received = receive(&bot, Some(secret), b"{");
        assert_eq!(received, Err(HookError::BadSignature), "{secret:?}");
        let mut forged = posted("hello");
        forged["token"] = secret.into();
        let received = receive(&bot, None, forged.to_string().as_bytes());
        assert_eq!(received, Err(HookError::BadSignature), "{secret:?}");
    }
    assert_eq!(receive(&bot, None, b"{}"), Err(HookError::BadSignature));
    for secret in [None, Some(HOOK_SECRET)] {
        assert_eq!(receive(&bot, secret, b"{"), Err(HookError::Malformed));
    }
    let mut unset = self::bot();
    unset.settings.secret = String::new();
    for secret in [None, Some("")] {
        let received = receive(&unset, secret, b"{}");
        assert_eq!(received, Err(HookError::BadSignature));
    }
}

#[test]
fn only_rooms_that_the_bot_serves_are_its() {
    let mut another = session("Message", &message("hello"));
    another["agent"]["_id"] = "agent".into();
    assert_eq!(read(&another), []);
    another["agent"] = Value::Null;
    assert_eq!(read(&another).len(), 1);

    let mut ours = message("We are looking.");
    ours["agentId"] = BOT.into();
    ours["u"]["_id"] = BOT.into();
    assert_eq!(read(&session("Message", &ours)), []);

    let mut theirs = message("I will help.");
    theirs["agentId"] = "agent".into();
    theirs["u"]["_id"] = "agent".into();
    let events = read(&session("Message", &theirs));
    let (message, text) = ("m1".to_owned(), "I will help.".to_owned());
    assert_eq!(events[0].what, What::Takeover { message, text });
}

#[test]
fn sessions_begin_end_and_are_taken_over() {
    let told = |kind| read(&session(kind, &message("hello")));
    let start = told("LivechatSessionStart").remove(0);
    assert_eq!(
        (start.id.as_str(), start.what),
        ("room1/start", What::Start)
    );
    let end = told("LivechatSession").remove(0);
    assert_eq!((end.id.as_str(), end.what), ("room1/end", What::End));
    assert_eq!(told("LivechatSessionTaken"), []);
    assert_eq!(told("LivechatSessionQueued"), []);
    let mut taken = session("LivechatSessionTaken", &message("hello"));
    taken["agent"]["_id"] = "agent".into();
    assert!(matches!(read(&taken)[0].what, What::Takeover { .. }));
    let offline = json!({ "type": "LivechatOfflineMessage", "visitor": { "name": "Ana" } });
    assert_eq!(read(&offline), []);
}

#[test]
fn what_nobody_said_is_passed_over_and_files_are_read() {
    assert_eq!(read(&session("Message", &message(" "))), []);
    let mut closed = message("bye");
    closed["t"] = "livechat-close".into();
    assert_eq!(read(&session("Message", &closed)), []);

    let mut file = message("");
    file["file"] = json!({ "_id": "f1", "name": "a.png", "type": "image/png", "size": 9 });
    let path = "https://chat.example/file-upload/f1/a.png";
    file["fileUpload"] = json!({ "publicFilePath": path, "type": "image/png", "size": 9 });
    let What::Message { media, .. } = read(&session("Message", &file)).remove(0).what else {
        panic!()
    };
    assert_eq!((media[0].place.as_str(), media[0].size), (path, Some(9)));

    let bot = bot();
    let files = bot.files().unwrap();
    let call = files.request(path).unwrap();
    assert_eq!(call.headers["x-auth-token"], "token");
    for place in [
        "https://x.example/file-upload/f1",
        "https://chat.example/api/v1/me",
        "https://chat.example/file-upload/../api/v1/me",
        "file:///file-upload/f1",
        "",
    ] {
        assert_eq!(files.request(place), None, "{place}");
    }
}

#[test]
fn in_a_channel_only_those_who_name_the_bot_are_heard() {
    assert_eq!(read_posted(&posted("where is my order?")), None);
    assert_eq!(read_posted(&posted("ask @shopbotty or @all")), None);
    let named = read_posted(&posted("@shopbot, where is it?")).unwrap();
    assert_eq!(named.thread, "GENERAL/m1");
    assert!(!named.private);
    assert!(matches!(&named.what, What::Message { text, .. } if text == "where is it?"));

    let with = |field: &str, value: Value| {
        let mut posted = posted("@shopbot hi");
        posted[field] = value;
        read_posted(&posted)
    };
    assert_eq!(with("bot", json!({ "i": "x" })), None);
    assert_eq!(with("user_id", BOT.into()), None);
    assert_eq!(with("tmid", "m0".into()).unwrap().thread, "GENERAL/m0");
    let edit = with("isEdited", true.into()).unwrap();
    assert!(matches!(&edit.what, What::Edit { message, .. } if message == "m1"));
    let mut quiet = bot();
    quiet.settings.in_groups = None;
    let body = posted("@shopbot hi").to_string();
    let received = receive(&quiet, None, body.as_bytes()).unwrap();
    assert_eq!(received.events, []);

    let mut direct = posted("hi");
    direct["channel_id"] = "botu1".into();
    let event = read_posted(&direct).unwrap();
    assert_eq!((event.thread.as_str(), event.private), ("botu1", true));
}

fn sent(outgoing: &Outgoing<'_>) -> Vec<Value> {
    let calls = bot().send(&Sending::Message(outgoing));
    calls
        .iter()
        .map(|call| {
            assert_eq!(call.url.path(), "/api/v1/chat.sendMessage");
            assert_eq!(call.headers["x-auth-token"], "token");
            assert_eq!(call.headers["x-user-id"], BOT);
            let body: Value = serde_json::from_slice(&call.body).unwrap();
            body["message"].clone()
        })
        .collect()
}

#[test]
fn each_part_has_an_id_of_its_own_and_links_and_choices_follow() {
    let mut outgoing = Outgoing {
        thread: "GENERAL/m0",
        key: "k",
        text: "Hi @all",
        links: vec![Link {
            title: "Terms",
            url: Some("https://shop.example/terms"),
        }],
        quick_replies: vec![Choice {
            id: "1",
            label: "Thanks",
        }],
        ..Outgoing::default()
    };
    let one = sent(&outgoing);
    assert_eq!(one[0]["rid"], "GENERAL");
    assert_eq!(one[0]["tmid"], "m0");
    assert_eq!(
        one[0]["msg"],
        "Hi @\u{200b}all\n\n[Terms](https://shop.example/terms)\n\n- Thanks"
    );
    let long = "It is. ".repeat(1000);
    outgoing.text = &long;
    let two = sent(&outgoing);
    assert_eq!(two.len(), 2);
    assert_eq!(two[0]["_id"], one[0]["_id"]);
    assert_ne!(two[0]["_id"], two[1]["_id"]);
    assert_eq!(two[1]["_id"].as_str().unwrap().len(), 24);

    let message = "m2";
    let outgoing = &outgoing;
    let edit = bot().send(&Sending::Edit { message, outgoing });
    let body: Value = serde_json::from_slice(&edit[0].body).unwrap();
    assert_eq!(
        (&body["roomId"], &body["msgId"]),
        (&"GENERAL".into(), &"m2".into())
    );
}

#[test]
fn an_answer_says_what_to_do() {
    let said = |status, body: &str| {
        bot().accepted(&Answer {
            status,
            headers: &HeaderMap::new(),
            body: body.as_bytes(),
        })
    };
    let ok = r#"{"success":true,"message":{"_id":"m2","rid":"room1"}}"#;
    let message = Some("m2".to_owned());
    assert_eq!(said(200, ok), Ok(Sent { message }));
    let failed = |error: &str| json!({ "success": false, "error": error }).to_string();
    let twice = failed("E11000 duplicate key error collection: rocketchat_message");
    assert_eq!(said(400, &twice), Ok(Sent::default()));
    let login = r#"{"status":"error","message":"You must be logged in to do this."}"#;
    assert_eq!(said(401, login), Err(SendError::Unauthorized));
    let words = "Error, too many requests. Please slow down. You must wait 42 seconds before \
                 trying this endpoint again. [error-too-many-requests]";
    let after = Some(Duration::from_secs(42));
    for status in [400, 429] {
        let limited = said(status, &failed(words));
        assert_eq!(limited, Err(SendError::Later { status, after }));
    }
    for (status, body) in [(500, "{}"), (502, "<html>"), (200, "<html>")] {
        assert!(matches!(said(status, body), Err(SendError::Later { .. })));
    }
    for error in [
        "[error-room-closed]",
        "[error-invalid-room]",
        "[error-not-allowed]",
    ] {
        let reason = error.to_owned();
        let gone = said(400, &failed(error));
        assert_eq!(gone, Err(SendError::Unreachable { reason }));
    }
    let long = said(400, &failed("[error-message-size-exceeded]"));
    assert!(matches!(long, Err(SendError::Refused { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn malformed_bodies_are_refused(
        is_posted in any::<bool>(),
        start in 0_usize..300,
        junk in prop::collection::vec(any::<u8>(), 0..40),
        length in 0_usize..300,
    ) {
        let (secret, body) = match is_posted {
            true => (None, posted("@ShopBot hi")),
            false => (Some(HOOK_SECRET), session("Message", &message("hi"))),
        };
        let mut body = body.to_string().into_bytes();
        let start = start.min(body.len());
        let end = (start + length).min(body.len());
        body.splice(start..end, junk);
        // Whatever it is: read, or refused with a reason.
        let _ = receive(&bot(), secret, &body);
    }
}

proptest! {
    #[test]
    fn every_piece_is_within_the_limit(
        text in "(\\PC|@all){0,400}",
        title in "\\PC{1,60}",
    ) {
        let outgoing = Outgoing {
            thread: "room1",
            text: &text.repeat(20),
            links: vec![Link { title: &title, url: Some("https://shop.example/") }],
            quick_replies: vec![Choice { id: "1", label: &title }],
            ..Outgoing::default()
        };
        for message in sent(&outgoing) {
            let text = message["msg"].as_str().unwrap();
            prop_assert!(!text.is_empty() && TEXT.holds(text));
        }
    }
}
