use http::{HeaderMap, HeaderValue};
use proptest::prelude::*;

use super::*;
use crate::channel::{Link, Session, Then};

const BOT: &str = "botid";

fn bot() -> Mattermost {
    Mattermost::new(Settings {
        base: Url::parse("https://chat.example/team").unwrap(),
        token: "token".into(),
        user: BOT.into(),
        in_groups: Some("ShopBot".into()),
        hook: Some(Url::parse("https://shop.example/hooks/mattermost").unwrap()),
        secret: "a-secret-of-the-tests".into(),
    })
}

fn session() -> Box<dyn Session> {
    bot().gateway().unwrap().session()
}

fn post(text: &str) -> Value {
    json!({
        "id": "p1", "create_at": 1_767_225_600_123_i64, "user_id": "u1", "channel_id": "c1",
        "root_id": "", "type": "", "message": text, "props": {}, "metadata": {},
    })
}

fn frame(event: &str, kind: Option<&str>, post: &Value) -> String {
    let data = json!({ "channel_type": kind, "post": post.to_string(), "sender_name": "@ana" });
    json!({ "event": event, "data": data, "broadcast": { "channel_id": "c1" }, "seq": 5 })
        .to_string()
}

fn read(kind: &str, post: &Value) -> Option<Incoming> {
    let heard = session().heard(&frame("posted", Some(kind), post));
    heard.events.into_iter().next()
}

#[test]
fn a_direct_message_is_read_with_its_writer() {
    let event = read("D", &post("Where is my order?")).unwrap();
    assert_eq!((event.id.as_str(), event.thread.as_str()), ("p1", "c1"));
    assert_eq!(event.sender.id, "u1");
    assert_eq!(event.sender.name.as_deref(), Some("ana"));
    assert_eq!((event.private, event.at), (true, Some(1_767_225_600)));
    let text = "Where is my order?".to_owned();
    let what = What::Message {
        message: "p1".to_owned(),
        text,
        media: Vec::new(),
    };
    assert_eq!(event.what, what);
    // In a private conversation a thread is no conversation of its own.
    let mut answer = post("And mine?");
    answer["root_id"] = "p0".into();
    assert_eq!(read("D", &answer).unwrap().thread, "c1");
}

#[test]
fn in_a_channel_only_those_who_name_the_bot_are_heard() {
    for kind in ["O", "P", "G"] {
        assert_eq!(read(kind, &post("where is my order?")), None);
        assert_eq!(read(kind, &post("ask @shopbotty or @all")), None);
        let named = read(kind, &post("@shopbot, where is my order?")).unwrap();
        assert_eq!((named.thread.as_str(), named.private), ("c1/p1", false));
        assert!(matches!(&named.what, What::Message { text, .. } if text == "where is my order?"));
    }
    let mut answer = post("and mine, @ShopBot?");
    answer["root_id"] = "p0".into();
    assert_eq!(read("O", &answer).unwrap().thread, "c1/p0");
    let mut quiet = bot();
    quiet.settings.in_groups = None;
    let mut session = quiet.gateway().unwrap().session();
    let heard = session.heard(&frame("posted", Some("O"), &answer));
    assert_eq!(heard.events, []);
}

#[test]
fn what_nobody_said_to_the_bot_is_passed_over() {
    let with = |field: &str, value: Value| {
        let mut post = post("hello");
        post[field] = value;
        read("D", &post)
    };
    assert_eq!(with("user_id", BOT.into()), None);
    assert_eq!(with("type", "system_join_channel".into()), None);
    assert_eq!(with("props", json!({ "from_bot": "true" })), None);
    assert_eq!(with("props", json!({ "from_webhook": "true" })), None);
    assert_eq!(with("message", " ".into()), None);
    for text in [
        "",
        "{",
        "[]",
        r#"{"event":"posted","data":{"post":"{"}}"#,
        r#"{"event":"typing","data":{"user_id":"u1"},"seq":2}"#,
        r#"{"status":"OK","seq_reply":1}"#,
        r#"{"event":"hello","data":{"connection_id":"x"},"seq":0}"#,
    ] {
        assert_eq!(session().heard(text), Default::default(), "{text}");
    }
}

#[test]
fn edits_and_deletions_are_read_where_it_is_known_who_reads_the_channel() {
    let mut session = session();
    let mut edited = post("in blue, please");
    edited["edit_at"] = 1_767_225_700_000_i64.into();
    let edit = frame("post_edited", None, &edited);
    assert_eq!(session.heard(&edit).events, []);
    session.heard(&frame("posted", Some("D"), &post("in red, please")));
    let event = session.heard(&edit).events.remove(0);
    let (message, text) = ("p1".to_owned(), "in blue, please".to_owned());
    assert_eq!(event.id, "p1/1767225700000");
    assert!(event.private);
    assert_eq!(event.what, What::Edit { message, text });
    // A reaction.
    let reacted = frame("post_edited", None, &post("in red, please"));
    assert_eq!(session.heard(&reacted).events, []);
    let gone = session.heard(&frame("post_deleted", None, &post("in red, please")));
    let message = "p1".to_owned();
    assert_eq!(gone.events[0].what, What::Deletion { message });
}

#[test]
fn files_are_read_with_what_is_known_of_them() {
    let mut file = post("");
    file["file_ids"] = json!(["f1", "f2"]);
    file["metadata"] = json!({ "files": [
        { "id": "f1", "name": "a.png", "mime_type": "image/png", "size": 9 },
    ] });
    let What::Message { media, .. } = read("D", &file).unwrap().what else {
        panic!()
    };
    assert_eq!(media.len(), 2);
    assert_eq!(media[0].content_type.as_deref(), Some("image/png"));
    let bot = bot();
    let call = bot.files().unwrap().request("f1").unwrap();
    let address = "https://chat.example/team/api/v4/files/f1";
    assert_eq!(call.url.as_str(), address);
    assert_eq!(call.headers["authorization"], "Bearer token");
    for place in ["", "../users/me", "https://x.example/f1", "f1?a"] {
        assert_eq!(bot.files().unwrap().request(place), None, "{place}");
    }
}

#[test]
fn the_socket_is_opened_with_the_token() {
    let bot = bot();
    let gateway = bot.gateway().unwrap();
    assert_eq!(gateway.request(), None);
    let address = gateway.address(None).unwrap();
    assert_eq!(address.as_str(), "wss://chat.example/team/api/v4/websocket");
    let challenge: Value = serde_json::from_str(&session().opened()[0]).unwrap();
    assert_eq!(challenge["action"], "authentication_challenge");
    assert_eq!(challenge["data"]["token"], "token");
    let failed = r#"{"status":"FAIL","error":{"id":"a","message":"no"},"seq_reply":1}"#;
    let heard = session().heard(failed);
    assert_eq!(heard.then, Then::Refused("no".to_owned()));
}

/// The first button of a message to `thread`.
fn button(thread: &str) -> Value {
    let outgoing = Outgoing {
        thread,
        text: "Which?",
        quick_replies: vec![Choice {
            id: "q:1",
            label: "Thanks",
        }],
        ..Outgoing::default()
    };
    sent(&outgoing)[0]["props"]["attachments"][0]["actions"][0].clone()
}

fn press(context: &Value) -> Value {
    json!({
        "user_id": "u1", "user_name": "ana", "channel_id": "c1", "team_id": "", "post_id": "p2",
        "trigger_id": "trigger", "context": context,
    })
}

fn receive(bot: &Mattermost, body: &[u8]) -> Result<Received, HookError> {
    bot.receive(&Hook {
        method: &Method::POST,
        url: "https://shop.example/hooks/mattermost",
        headers: &HeaderMap::new(),
        body,
        at: 1_767_225_601,
    })
}

#[test]
fn a_press_is_believed_by_what_its_button_carries() {
    let button = button("c1");
    assert_eq!(
        (&button["id"], &button["name"]),
        (&"q0".into(), &"Thanks".into())
    );
    let context = &button["integration"]["context"];
    let bot = bot();
    let pressed = |press: &Value| receive(&bot, press.to_string().as_bytes());
    let received = pressed(&press(context)).unwrap();
    assert_eq!(received.reply, Some(Reply::json(&json!({}))));
    let event = &received.events[0];
    let (reply, receipt) = ("q:1".to_owned(), None);
    assert_eq!(event.what, What::Press { reply, receipt });
    assert_eq!(
        (event.id.as_str(), event.thread.as_str()),
        ("trigger", "c1")
    );
    assert!(event.private);

    for (field, value) in [("signature", ""), ("reply", "q:2"), ("thread", "c1/p1")] {
        let mut forged = press(context);
        forged["context"][field] = value.into();
        assert_eq!(pressed(&forged), Err(HookError::BadSignature), "{field}");
    }
    let mut elsewhere = press(context);
    elsewhere["channel_id"] = "c2".into();
    assert_eq!(pressed(&elsewhere), Err(HookError::BadSignature));
    assert_eq!(pressed(&json!({})), Err(HookError::BadSignature));
    assert_eq!(receive(&bot, b"{"), Err(HookError::Malformed));

    let mut unset = self::bot();
    unset.settings.secret = String::new();
    let mut forged = press(context);
    forged["context"]["signature"] = unset.signature("c1", "q:1").into();
    let received = receive(&unset, forged.to_string().as_bytes());
    assert_eq!(received, Err(HookError::BadSignature));
    assert_eq!(unset.limits().buttons, None);
}

#[test]
fn presses_in_channels_are_heard_where_groups_are_switched_on() {
    let context = button("c1/p1")["integration"]["context"].clone();
    let body = press(&context).to_string();
    let received = receive(&bot(), body.as_bytes()).unwrap();
    assert_eq!(
        (received.events[0].private, received.events.len()),
        (false, 1)
    );
    let mut quiet = bot();
    quiet.settings.in_groups = None;
    assert_eq!(receive(&quiet, body.as_bytes()).unwrap().events, []);
}

fn sent(outgoing: &Outgoing<'_>) -> Vec<Value> {
    let calls = bot().send(&Sending::Message(outgoing));
    calls
        .iter()
        .map(|call| {
            assert_eq!(call.url.path(), "/team/api/v4/posts");
            assert_eq!(call.headers["authorization"], "Bearer token");
            serde_json::from_slice(&call.body).unwrap()
        })
        .collect()
}

#[test]
fn marks_are_escaped_nobody_calls_everybody_and_links_follow() {
    let outgoing = Outgoing {
        thread: "c1/p1",
        key: "k",
        text: "*Hi* @Channel, see https://shop.example/a_b and a_b.",
        links: vec![Link {
            title: "Terms [new]",
            url: Some("https://shop.example/(1)"),
        }],
        ..Outgoing::default()
    };
    let sent = sent(&outgoing);
    assert_eq!(
        sent[0]["message"],
        "\\*Hi\\* @\u{200b}Channel, see https://shop.example/a_b and a\\_b.\n\n\
         [Terms  new ](https://shop.example/%281%29)"
    );
    assert_eq!(sent[0]["root_id"], "p1");
    assert_eq!(sent[0]["pending_post_id"], "botid:k-0");
    assert_eq!(sent[0]["props"], Value::Null);
    assert_eq!(quiet("@alL a@b @"), "@\u{200b}alL a@b @");
}

#[test]
fn buttons_stand_under_the_last_piece_and_the_others_are_told() {
    let labels: Vec<String> = (0..22).map(|n| format!("{n}{}", "é".repeat(80))).collect();
    let choices = labels.iter().map(|label| Choice { id: "q:1", label });
    let mut outgoing = Outgoing {
        thread: "c1",
        text: &"It is. ".repeat(3000),
        quick_replies: choices.collect(),
        ..Outgoing::default()
    };
    let all = sent(&outgoing);
    assert_eq!((all.len(), &all[0]["props"]), (2, &Value::Null));
    let actions = all[1]["props"]["attachments"][0]["actions"]
        .as_array()
        .unwrap();
    assert_eq!(actions.len(), 20);
    assert!(actions[0]["name"].as_str().unwrap().ends_with('…'));
    let last = all[1]["message"].as_str().unwrap();
    assert!(last.contains("- 21é") && !last.contains("- 19é"));

    outgoing.text = "Which?";
    let mut unset = bot();
    unset.settings.hook = None;
    let call = unset.send(&Sending::Message(&outgoing)).remove(0);
    let body: Value = serde_json::from_slice(&call.body).unwrap();
    assert_eq!(body["props"], Value::Null);
    assert!(body["message"].as_str().unwrap().contains("- 0é"));
}

#[test]
fn edits_and_typing_are_sent() {
    let outgoing = Outgoing {
        thread: "c1/p1",
        text: "Taken back.",
        ..Outgoing::default()
    };
    let edit = |message| {
        let outgoing = &outgoing;
        bot().send(&Sending::Edit { message, outgoing })
    };
    let call = edit("p2").remove(0);
    assert_eq!(call.method, Method::PUT);
    assert_eq!(call.url.path(), "/team/api/v4/posts/p2/patch");
    assert_eq!(edit("../p2"), []);
    let call = bot().send(&Sending::Typing {
        thread: "c1/p1",
        context: None,
    });
    let body: Value = serde_json::from_slice(&call[0].body).unwrap();
    assert_eq!(body, json!({ "channel_id": "c1", "parent_id": "p1" }));
}

#[test]
fn an_answer_says_what_to_do() {
    let said = |status, body: &str| {
        let mut headers = HeaderMap::new();
        headers.insert("x-ratelimit-reset", HeaderValue::from_static("2"));
        bot().accepted(&Answer {
            status,
            headers: &headers,
            body: body.as_bytes(),
        })
    };
    let message = Some("p2".to_owned());
    let posted = r#"{"id":"p2","channel_id":"c1"}"#;
    assert_eq!(said(201, posted), Ok(Sent { message }));
    assert_eq!(said(200, r#"{"status":"OK"}"#), Ok(Sent::default()));
    assert_eq!(said(401, "{}"), Err(SendError::Unauthorized));
    let after = Some(Duration::from_secs(2));
    let limited = Err(SendError::Later { status: 429, after });
    assert_eq!(said(429, ""), limited);
    for (status, body) in [(500, "{}"), (503, ""), (200, "<html>")] {
        let after = None;
        assert_eq!(said(status, body), Err(SendError::Later { status, after }));
    }
    let reason = "no".to_owned();
    let forbidden = r#"{"id":"api.context.permissions.app_error","message":"no"}"#;
    assert_eq!(
        said(403, forbidden),
        Err(SendError::Unreachable {
            reason: reason.clone()
        })
    );
    let deleted = r#"{"id":"api.post.create_post.can_not_post_to_deleted.error","message":"no"}"#;
    assert_eq!(said(400, deleted), Err(SendError::Unreachable { reason }));
    for status in [400, 404, 413] {
        let refused = said(status, r#"{"message":"no"}"#);
        assert!(matches!(refused, Err(SendError::Refused { .. })));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn malformed_bodies_are_refused(
        start in 0_usize..300,
        junk in prop::collection::vec(any::<u8>(), 0..40),
        length in 0_usize..300,
    ) {
        let bot = bot();
        let context = json!({ "thread": "c1", "reply": "q:1", "signature": bot.signature("c1", "q:1") });
        let spoilt = |body: String| {
            let mut body = body.into_bytes();
            let start = start.min(body.len());
            let end = (start + length).min(body.len());
            body.splice(start..end, junk.clone());
            body
        };
        // Whatever it is: read, or refused with a reason.
        let _ = receive(&bot, &spoilt(press(&context).to_string()));
        let told = spoilt(frame("posted", Some("O"), &post("@ShopBot?")));
        let _ = session().heard(&String::from_utf8_lossy(&told));
    }
}

proptest! {
    #[test]
    fn every_piece_is_within_the_limit(
        text in "(\\PC|[*_@]|@all){0,400}",
        title in "\\PC{1,60}",
    ) {
        let outgoing = Outgoing {
            thread: "c1",
            text: &text.repeat(60),
            links: vec![Link { title: &title, url: Some("https://shop.example/") }],
            quick_replies: vec![Choice { id: "1", label: &title }],
            ..Outgoing::default()
        };
        for body in sent(&outgoing) {
            let text = body["message"].as_str().unwrap();
            prop_assert!(!text.is_empty() && TEXT.holds(text));
        }
    }
}
