use proptest::prelude::*;

use super::*;
use http::{HeaderMap, HeaderValue};

use crate::channel::{Choice, Link};

const HOOK_SECRET: &str = "a-secret-of-the-tests";

fn bot() -> Telegram {
    let base = Url::parse("https://api.telegram.org").unwrap();
    Telegram::new(
        base,
        "12:token".into(),
        Some(HOOK_SECRET.into()),
        Some("ShopBot".into()),
    )
}

fn receive(secret: &str, body: &[u8]) -> Result<Vec<Incoming>, HookError> {
    let mut headers = HeaderMap::new();
    if !secret.is_empty() {
        headers.insert(SECRET, HeaderValue::from_str(secret).unwrap());
    }
    let hook = Hook {
        method: &Method::POST,
        url: "https://shop.example/hooks/telegram/shop",
        headers: &headers,
        body,
        at: 1_767_225_601,
    };
    Ok(bot().receive(&hook)?.events)
}

fn read(update: &Value) -> Option<Incoming> {
    let events = receive(HOOK_SECRET, update.to_string().as_bytes()).unwrap();
    events.into_iter().next()
}

fn private(text: &str) -> Value {
    json!({ "update_id": 7, "message": {
        "message_id": 42, "date": 1_767_225_600,
        "from": { "id": 5_550_001_234_i64, "is_bot": false, "first_name": "Ana", "language_code": "es" },
        "chat": { "id": 5_550_001_234_i64, "type": "private" },
        "text": text,
    } })
}

fn text_of(event: Option<Incoming>) -> Option<String> {
    let What::Message { text, .. } = event?.what else {
        panic!("no message");
    };
    Some(text)
}

#[test]
fn a_message_is_read_with_its_writer() {
    let event = read(&private("Where is my order?")).unwrap();
    assert_eq!(
        (event.id.as_str(), event.thread.as_str()),
        ("7", "5550001234")
    );
    assert!(event.private);
    assert_eq!(event.sender.name.as_deref(), Some("Ana"));
    assert_eq!(event.sender.language.as_deref(), Some("es"));
    assert_eq!(text_of(Some(event)).as_deref(), Some("Where is my order?"));
    assert_eq!(read(&private("/start abc")).unwrap().what, What::Start);
}

#[test]
fn the_secret_is_asked_for_before_anything_is_read() {
    for secret in ["", "another", "a-secret-of-the-test"] {
        assert_eq!(
            receive(secret, b"{"),
            Err(HookError::BadSignature),
            "{secret:?}"
        );
    }
    assert_eq!(receive(HOOK_SECRET, b"{"), Err(HookError::Malformed));
    let unset = Telegram {
        secret: None,
        ..bot()
    };
    let mut headers = HeaderMap::new();
    headers.insert(SECRET, HeaderValue::from_static(""));
    let hook = Hook {
        method: &Method::POST,
        url: "",
        headers: &headers,
        body: b"{}",
        at: 0,
    };
    assert_eq!(unset.receive(&hook), Err(HookError::BadSignature));
}

#[test]
fn in_a_group_only_those_who_name_the_bot_are_heard() {
    let group = |text: &str| {
        let mut update = private(text);
        update["message"]["chat"] = json!({ "id": -100, "type": "supergroup" });
        update["message"]["is_topic_message"] = true.into();
        update["message"]["message_thread_id"] = 9.into();
        read(&update)
    };
    assert_eq!(group("where is my order?"), None);
    assert_eq!(group("ask @ShopBotty about it"), None);
    let named = group("@shopbot, where is my order?").unwrap();
    assert_eq!(named.thread, "-100/9");
    assert_eq!(
        (named.sender.id.as_str(), named.private),
        ("5550001234", false)
    );
    assert_eq!(text_of(Some(named)).as_deref(), Some("where is my order?"));
}

#[test]
fn files_presses_edits_and_blocks_are_read() {
    let mut photo = private("");
    photo["message"]["caption"] = "it is broken".into();
    photo["message"]["photo"] =
        json!([{ "file_id": "small" }, { "file_id": "large", "file_size": 9000 }]);
    let What::Message { text, media, .. } = read(&photo).unwrap().what else {
        panic!()
    };
    assert_eq!(
        (text.as_str(), media[0].place.as_str()),
        ("it is broken", "large")
    );

    let mut edit = private("");
    edit["edited_message"] = private("in blue, please")["message"].clone();
    edit["message"] = Value::Null;
    let (message, text) = ("42".to_owned(), "in blue, please".to_owned());
    assert_eq!(read(&edit).unwrap().what, What::Edit { message, text });

    let press = json!({ "update_id": 8, "callback_query": {
        "id": "4382", "from": { "id": 1 }, "data": "human",
        "message": { "message_id": 43, "date": 0, "chat": { "id": 1, "type": "private" } },
    } });
    let (reply, receipt) = ("human".to_owned(), Some("4382".to_owned()));
    assert_eq!(read(&press).unwrap().what, What::Press { reply, receipt });

    let blocked = json!({ "update_id": 9, "my_chat_member": {
        "chat": { "id": 1, "type": "private" }, "from": { "id": 1 }, "date": 5,
        "new_chat_member": { "status": "kicked" },
    } });
    assert_eq!(read(&blocked).unwrap().what, What::Blocked);
}

#[test]
fn what_nobody_said_to_the_bot_is_passed_over() {
    let mut of_a_bot = private("hello");
    of_a_bot["message"]["from"]["is_bot"] = true.into();
    assert_eq!(read(&of_a_bot), None);
    let mut joined = private("");
    joined["message"]["new_chat_title"] = "Shop".into();
    assert_eq!(read(&joined), None);
    assert_eq!(read(&json!({ "update_id": 1, "poll": {} })), None);
}

fn sent(outgoing: &Outgoing<'_>) -> Vec<(Value, Value)> {
    let calls = bot().send(&Sending::Message(outgoing));
    let read = |body: &[u8]| serde_json::from_slice(body).unwrap();
    calls
        .iter()
        .map(|call| {
            assert_eq!(call.url.path(), "/bot12:token/sendMessage");
            (read(&call.body), read(call.plain.as_ref().unwrap()))
        })
        .collect()
}

#[test]
fn marks_are_escaped_links_follow_and_buttons_are_one_a_row() {
    let link = |title, url| Link { title, url };
    let outgoing = Outgoing {
        thread: "-100/9",
        text: "Over <50 & under 3.50!",
        links: vec![
            link("Terms & more", Some("https://shop.example/?a=1&b=\"2\"")),
            link("Odd", Some("javascript:alert(1)")),
            link("Order", None),
        ],
        quick_replies: vec![Choice {
            id: "human",
            label: "A person, please",
        }],
        ..Outgoing::default()
    };
    let sent = sent(&outgoing);
    let [(marked, plain)] = sent.as_slice() else {
        panic!("{sent:?}")
    };
    assert_eq!(marked["chat_id"], -100);
    assert_eq!(marked["message_thread_id"], 9);
    assert_eq!(
        marked["text"],
        "Over &lt;50 &amp; under 3.50!\n\n\
         <a href=\"https://shop.example/?a=1&amp;b=&quot;2&quot;\">Terms &amp; more</a>"
    );
    assert_eq!(
        plain["text"],
        "Over <50 & under 3.50!\n\nTerms & more: https://shop.example/?a=1&b=\"2\""
    );
    assert_eq!(plain["parse_mode"], Value::Null);
    let button = &marked["reply_markup"]["inline_keyboard"][0][0];
    assert_eq!(button["callback_data"], "human");
}

#[test]
fn an_answer_says_what_to_do() {
    let said = |status, body: Value| {
        bot().accepted(&Answer {
            status,
            headers: &HeaderMap::new(),
            body: body.to_string().as_bytes(),
        })
    };
    let message = Some("44".to_owned());
    let ok = json!({ "ok": true, "result": { "message_id": 44 } });
    assert_eq!(said(200, ok), Ok(Sent { message }));
    let busy = json!({ "ok": false, "parameters": { "retry_after": 12 } });
    let after = Some(Duration::from_secs(12));
    assert_eq!(
        said(429, busy),
        Err(SendError::Later { status: 429, after })
    );
    let moved = json!({ "ok": false, "parameters": { "migrate_to_chat_id": -1009 } });
    let thread = "-1009".to_owned();
    assert_eq!(said(400, moved), Err(SendError::Moved { thread }));
    let told = |description: &str| json!({ "ok": false, "description": description });
    let marks = told("Bad Request: can't parse entities: Unsupported start tag");
    assert!(matches!(said(400, marks), Err(SendError::Marks { .. })));
    let blocked = told("Forbidden: bot was blocked by the user");
    assert!(matches!(
        said(403, blocked),
        Err(SendError::Unreachable { .. })
    ));
    assert_eq!(
        said(401, told("Unauthorized")),
        Err(SendError::Unauthorized)
    );
    let unknown = told("Bad Request: chat not found");
    assert!(matches!(said(400, unknown), Err(SendError::Refused { .. })));
    // A proxy's page of errors.
    assert!(matches!(
        said(200, Value::Null),
        Err(SendError::Later { .. })
    ));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn malformed_bodies_are_refused(
        start in 0_usize..300,
        junk in prop::collection::vec(any::<u8>(), 0..40),
        length in 0_usize..300,
    ) {
        let mut body = private("Where is my order?").to_string().into_bytes();
        let start = start.min(body.len());
        let end = (start + length).min(body.len());
        body.splice(start..end, junk);
        // Whatever it is: read, or refused with a reason.
        let _ = receive(HOOK_SECRET, &body);
    }
}

proptest! {
    #[test]
    fn every_piece_is_within_the_limit(text in "\\PC{0,9000}", title in "\\PC{1,60}") {
        let outgoing = Outgoing {
            thread: "1",
            text: &text,
            links: vec![Link { title: &title, url: Some("https://shop.example/") }],
            ..Outgoing::default()
        };
        for (_, plain) in sent(&outgoing) {
            let text = plain["text"].as_str().unwrap();
            prop_assert!(!text.is_empty() && bot().limits().text.holds(text));
        }
    }
}

#[test]
fn updates_are_polled_behind_the_last_one() {
    assert!(bot().polling().is_none());
    let bot = Telegram {
        secret: None,
        ..bot()
    };
    let polling = bot.polling().unwrap();
    let body = |call: &Call| serde_json::from_slice::<Value>(&call.body).unwrap();
    assert_eq!(body(&polling.request(None, None)).get("offset"), None);
    assert_eq!(body(&polling.request(Some("8"), None))["offset"], 8);
    let updates = json!({ "ok": true, "result": [
        { "update_id": 8, "message": {
            "message_id": 1, "date": 5, "text": "hi",
            "chat": { "id": 3, "type": "private" }, "from": { "id": 3, "first_name": "Ana" },
        }},
        { "update_id": 9, "message": "of another form" },
    ]});
    let polled = polling.polled(&Answer {
        status: 200,
        headers: &HeaderMap::new(),
        body: updates.to_string().as_bytes(),
    });
    let polled = polled.unwrap();
    assert_eq!(polled.events.len(), 1);
    assert_eq!(polled.cursor.as_deref(), Some("10"));
}

#[test]
fn a_file_is_where_the_bot_api_says() {
    let bot = bot();
    let files = bot.files().unwrap();
    let request = files.request("AgAD").unwrap();
    assert!(request.url.path().ends_with("/getFile"));
    let answer = |kind: &'static str, body: &'static [u8]| {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static(kind));
        files.fetched(&Answer {
            status: 200,
            headers: &headers,
            body,
        })
    };
    let told = br#"{"ok":true,"result":{"file_path":"photos/1.jpg"}}"#;
    let Ok(Fetched::At(call)) = answer("application/json", told) else {
        panic!("the file is elsewhere");
    };
    assert!(call.url.path().ends_with("/photos/1.jpg"));
    assert_eq!(answer("image/jpeg", b"\xff\xd8"), Ok(Fetched::File));
}
