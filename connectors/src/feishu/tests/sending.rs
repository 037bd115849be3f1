use super::*;
use crate::channel::{Choice, Link, Outgoing};

fn json_of(call: &Call) -> Value {
    serde_json::from_slice(&call.body).unwrap()
}

fn content(call: &Call) -> Value {
    serde_json::from_str(json_of(call)["content"].as_str().unwrap()).unwrap()
}

fn answer(status: u16, body: &Value) -> Result<Sent, SendError> {
    bot().accepted(&Answer {
        status,
        headers: &HeaderMap::new(),
        body: body.to_string().as_bytes(),
    })
}

fn choices(count: usize) -> Vec<Choice<'static>> {
    let label = "I would like to talk to a person who knows this very kettle by heart";
    vec![Choice { id: "q:1", label }; count]
}

#[test]
fn a_text_goes_to_the_chat_and_an_answer_in_a_group_to_what_was_written() {
    let sent = |thread, context| {
        let outgoing = Outgoing {
            thread,
            context,
            key: "k-1",
            text: "Hi <at user_id=\"all\"></at> 1 < 2",
            ..Outgoing::default()
        };
        let mut calls = bot().send(&Sending::Message(&outgoing));
        assert_eq!((calls.len(), calls[0].auth), (1, Auth::Bearer));
        calls.remove(0)
    };
    let call = sent("oc_1", Some("p2p/om_1"));
    assert_eq!(
        call.url.as_str(),
        "https://open.feishu.cn/open-apis/im/v1/messages?receive_id_type=chat_id"
    );
    let body = json_of(&call);
    assert_eq!(
        (&body["receive_id"], &body["msg_type"]),
        (&json!("oc_1"), &json!("text"))
    );
    assert_eq!(body["uuid"].as_str().unwrap().len(), 40);
    assert_eq!(
        content(&call)["text"],
        "Hi <\u{2060}at user_id=\"all\"><\u{2060}/at> 1 < 2"
    );
    let call = sent("oc_1", Some("group/om_1"));
    assert_eq!(call.url.path(), "/open-apis/im/v1/messages/om_1/reply");
    assert_eq!(json_of(&call)["reply_in_thread"], false);
    let call = sent("oc_1/omt_1", Some("p2p/om_1"));
    assert_eq!(json_of(&call)["reply_in_thread"], true);
    assert_eq!(sent("oc_1", None).url.path(), "/open-apis/im/v1/messages");
    let call = sent("ou_ana", Some("p2p"));
    assert_eq!(call.url.query(), Some("receive_id_type=open_id"));
}

#[test]
fn the_last_piece_is_a_card_where_there_are_buttons() {
    let text = "Kettles are *kept* in the back of the shop. ".repeat(200);
    let outgoing = Outgoing {
        thread: "oc_1",
        context: Some("p2p/om_1"),
        key: "k-1",
        text: &text,
        links: vec![
            Link {
                title: "Terms [1]",
                url: Some("https://shop.example/a(b)"),
            },
            Link {
                title: "Odd",
                url: Some("javascript:alert(1)"),
            },
        ],
        quick_replies: choices(1),
        ..Outgoing::default()
    };
    let calls = bot().send(&Sending::Message(&outgoing));
    let bodies: Vec<Value> = calls.iter().map(json_of).collect();
    let kinds: Vec<&str> = bodies
        .iter()
        .map(|body| body["msg_type"].as_str().unwrap())
        .collect();
    assert!(kinds.len() > 1 && kinds[..kinds.len() - 1].iter().all(|kind| *kind == "text"));
    assert_eq!(kinds.last(), Some(&CARD));
    assert_ne!(bodies[0]["uuid"], bodies[1]["uuid"]);
    assert_eq!(
        bodies,
        bot()
            .send(&Sending::Message(&outgoing))
            .iter()
            .map(json_of)
            .collect::<Vec<_>>()
    );
    let card = content(calls.last().unwrap());
    let words = card["body"]["elements"][0]["content"].as_str().unwrap();
    assert!(words.contains("&#42;kept&#42;"), "{words}");
    assert!(
        words.ends_with("[Terms &#91;1&#93;](https://shop.example/a%28b%29)"),
        "{words}"
    );
    let button = &card["body"]["elements"][1];
    let label = button["text"]["content"].as_str().unwrap();
    assert!(
        label.ends_with('…') && label.chars().count() <= 60,
        "{label}"
    );
    assert_eq!(
        button["behaviors"][0]["value"],
        json!({ "fd": "q:1", "thread": "oc_1", "private": true })
    );
}

#[test]
fn more_choices_than_a_card_has_are_told_in_the_text() {
    let outgoing = Outgoing {
        thread: "oc_1",
        text: "Which?",
        quick_replies: choices(21),
        ..Outgoing::default()
    };
    let calls = bot().send(&Sending::Message(&outgoing));
    let text = content(&calls[0])["text"].to_string();
    assert_eq!(text.matches("- I would like").count(), 21);
}

#[test]
fn a_text_is_replaced_by_a_text_and_a_card_by_a_card() {
    let outgoing = Outgoing {
        thread: "oc_1",
        text: "On Tuesday.",
        quick_replies: choices(1),
        ..Outgoing::default()
    };
    let edit = |message| {
        let outgoing = &outgoing;
        let mut calls = bot().send(&Sending::Edit { message, outgoing });
        assert_eq!(calls.len(), 1);
        calls.remove(0)
    };
    let text = edit("om_2");
    assert_eq!(
        (text.method.as_str(), text.url.path()),
        ("PUT", "/open-apis/im/v1/messages/om_2")
    );
    assert!(
        content(&text)["text"]
            .as_str()
            .unwrap()
            .starts_with("On Tuesday.")
    );
    let card = edit("om_2/card");
    assert_eq!(
        (card.method.as_str(), card.url.path()),
        ("PATCH", "/open-apis/im/v1/messages/om_2")
    );
    assert_eq!(
        content(&card)["body"]["elements"][0]["content"],
        "On Tuesday."
    );
}

#[test]
fn an_answer_says_what_to_do() {
    let stored =
        |kind: &str| json!({ "code": 0, "data": { "message_id": "om_2", "msg_type": kind } });
    let sent = |id: &str| {
        Ok(Sent {
            message: Some(id.to_owned()),
        })
    };
    assert_eq!(answer(200, &stored("text")), sent("om_2"));
    assert_eq!(answer(200, &stored(CARD)), sent("om_2/card"));
    let code = |code: i64| json!({ "code": code, "msg": "no" });
    for (status, told) in [(200, 99_991_663), (400, 99_991_664), (401, 99_991_668)] {
        assert_eq!(answer(status, &code(told)), Err(SendError::Expired));
    }
    for (status, told) in [(200, 99_991_400), (400, 230_020), (500, 1), (429, 1)] {
        let after = None;
        assert_eq!(
            answer(status, &code(told)),
            Err(SendError::Later { status, after })
        );
    }
    for told in [230_002, 230_013] {
        let reason = format!("no ({told})");
        assert_eq!(
            answer(400, &code(told)),
            Err(SendError::Unreachable { reason })
        );
    }
    assert_eq!(answer(400, &code(230_006)), Err(SendError::Unauthorized));
    for told in [230_001, 230_025] {
        assert!(matches!(
            answer(200, &code(told)),
            Err(SendError::Refused { .. })
        ));
    }
    // A proxy's page of errors.
    assert!(matches!(
        answer(200, &Value::Null),
        Err(SendError::Later { .. })
    ));

    let mut headers = HeaderMap::new();
    headers.insert(RATE_RESET, HeaderValue::from_static("7"));
    let busy = bot().accepted(&Answer {
        status: 429,
        headers: &headers,
        body: code(99_991_400).to_string().as_bytes(),
    });
    let after = Some(Duration::from_secs(7));
    assert_eq!(busy, Err(SendError::Later { status: 429, after }));
}

#[test]
fn a_token_is_lent_to_who_has_the_secret() {
    let token = |status, body: Value| {
        bot().token(&Answer {
            status,
            headers: &HeaderMap::new(),
            body: body.to_string().as_bytes(),
        })
    };
    let lent = token(
        200,
        json!({ "code": 0, "tenant_access_token": "t-1", "expire": 7200 }),
    );
    let lent = lent.ok().unwrap();
    assert_eq!((lent.secret.as_str(), lent.lasts.as_secs()), ("t-1", 7200));
    let refused = token(200, json!({ "code": 10014, "msg": "app secret invalid" }));
    assert_eq!(refused.err(), Some(SendError::Unauthorized));
    assert!(matches!(
        token(503, Value::Null).err(),
        Some(SendError::Later { .. })
    ));
}

#[test]
fn a_token_goes_to_no_other_host() {
    let bot = bot();
    let files = bot.files().unwrap();
    let call = files.request("om_1/image/img_v2_1").unwrap();
    assert_eq!(
        call.url.as_str(),
        "https://open.feishu.cn/open-apis/im/v1/messages/om_1/resources/img_v2_1?type=image"
    );
    for place in [
        "",
        "om_1/image",
        "om_1/other/k",
        "om_1/file/../k",
        "https://evil.example/",
        "om_1/file/%2e",
    ] {
        assert!(files.request(place).is_none(), "{place}");
    }
    let fetched = |status, body: &[u8]| {
        let headers = &HeaderMap::new();
        files.fetched(&Answer {
            status,
            headers,
            body,
        })
    };
    assert_eq!(fetched(200, b"\xff\xd8"), Ok(Fetched::File));
    assert_eq!(fetched(200, br#"{"my":"own"}"#), Ok(Fetched::File));
    assert_eq!(
        fetched(400, br#"{"code":99991663,"msg":"no"}"#),
        Err(SendError::Expired)
    );
}

proptest! {
    #[test]
    fn every_message_is_within_the_limits(text in "\\PC{0,9000}", title in "\\PC{1,60}") {
        let outgoing = Outgoing {
            thread: "oc_1",
            text: &text,
            links: vec![Link { title: &title, url: Some("https://shop.example/") }],
            quick_replies: choices(20),
            ..Outgoing::default()
        };
        for call in bot().send(&Sending::Message(&outgoing)) {
            prop_assert!(call.body.len() < 30_000, "{}", call.body.len());
        }
    }
}
