use proptest::prelude::*;

use super::*;
use http::HeaderMap;

use crate::channel::{Auth, Choice, Incoming, Link, Receipt, What};
use crate::wechat::envelope::tests::{AES_KEY, seal, sign};

const HOOK_TOKEN: &str = "a-token-of-the-tests";
const CORP: &str = "ww0000000000000001";
const NOW: i64 = 1_767_225_601;

fn account() -> WeCom {
    WeCom::new(Settings {
        base: Url::parse("https://qyapi.weixin.qq.com").unwrap(),
        corp_id: CORP.to_owned(),
        secret: "a&secret".to_owned(),
        token: HOOK_TOKEN.to_owned(),
        encoding_aes_key: AES_KEY.to_owned(),
        open_kfid: "wk1".to_owned(),
    })
}

fn query(hidden: &str, at: i64) -> String {
    let signature = sign(&[HOOK_TOKEN, &at.to_string(), "42", hidden]);
    format!("msg_signature={signature}&timestamp={at}&nonce=42")
}

fn called(method: &Method, query: &str, body: &[u8]) -> Result<Received, HookError> {
    account().receive(&Hook {
        method,
        url: &format!("https://shop.example/hooks/wecom/shop?{query}"),
        headers: &HeaderMap::new(),
        body,
        at: NOW,
    })
}

fn wrapped(hidden: &str) -> String {
    format!(
        "<xml><ToUserName><![CDATA[{CORP}]]></ToUserName><AgentID/>\
         <Encrypt><![CDATA[{hidden}]]></Encrypt></xml>"
    )
}

fn rung(text: &[u8]) -> Result<Received, HookError> {
    let hidden = seal(text, CORP);
    called(
        &Method::POST,
        &query(&hidden, NOW),
        wrapped(&hidden).as_bytes(),
    )
}

fn bell(account: &str, event: &str) -> String {
    format!(
        "<xml><ToUserName>{CORP}</ToUserName><CreateTime>1767225600</CreateTime>\
         <MsgType>event</MsgType><Event>{event}</Event><Token>ENC客服</Token>\
         <OpenKfId>{account}</OpenKfId></xml>"
    )
}

#[test]
fn a_hook_is_a_bell() {
    let received = rung(bell("wk1", "kf_msg_or_event").as_bytes()).unwrap();
    assert_eq!(received.bell.as_deref(), Some("ENC客服"));
    assert_eq!(received.reply, Some(Reply::text("success")));
    assert_eq!(received.events, Vec::new());
    for other in [bell("wk2", "kf_msg_or_event"), bell("wk1", "of_another")] {
        assert_eq!(rung(other.as_bytes()).unwrap().bell, None);
    }
}

#[test]
fn the_address_is_proved_by_an_opened_echo() {
    let hidden = seal(b"1616140317555161061", CORP);
    let echo = |hidden: &str| {
        let escaped: String = url::form_urlencoded::byte_serialize(hidden.as_bytes()).collect();
        format!("&echostr={escaped}")
    };
    let expected = Some(Reply::text("1616140317555161061"));
    // Some leave the plus as it is.
    for echo in [echo(&hidden), format!("&echostr={hidden}")] {
        let query = format!("{}{echo}", query(&hidden, NOW));
        assert_eq!(called(&Method::GET, &query, b"").unwrap().reply, expected);
    }
    let other = format!("{}{}", query(&hidden, NOW), echo(&seal(b"2", CORP)));
    assert_eq!(
        called(&Method::GET, &other, b""),
        Err(HookError::BadSignature)
    );
}

#[test]
fn the_signature_is_asked_for_before_anything_is_read() {
    let hidden = seal(bell("wk1", "kf_msg_or_event").as_bytes(), CORP);
    let body = wrapped(&hidden);
    let refused = |query: &str, body: &str| called(&Method::POST, query, body.as_bytes());
    for query in ["", "msg_signature=&timestamp=1767225601&nonce=42"] {
        assert_eq!(refused(query, &body), Err(HookError::BadSignature));
    }
    for body in ["<", "{}", "<xml/>"] {
        assert_eq!(
            refused(&query(&hidden, NOW), body),
            Err(HookError::BadSignature)
        );
    }
    let late = query(&hidden, NOW - 301);
    assert_eq!(refused(&late, &body), Err(HookError::WrongTime));
    let of_another = seal(b"<xml/>", "ww2");
    assert_eq!(
        refused(&query(&of_another, NOW), &wrapped(&of_another)),
        Err(HookError::BadSignature)
    );
    assert_eq!(rung(b"<xml>"), Err(HookError::Malformed));
    let unset = WeCom {
        envelope: Envelope::new(String::new(), CORP.to_owned(), Some(AES_KEY)),
        ..account()
    };
    let signature = sign(&["", &NOW.to_string(), "42", &hidden]);
    let hook = Hook {
        method: &Method::POST,
        url: &format!("https://a.example/?msg_signature={signature}&timestamp={NOW}&nonce=42"),
        headers: &HeaderMap::new(),
        body: body.as_bytes(),
        at: NOW,
    };
    assert_eq!(unset.receive(&hook), Err(HookError::BadSignature));
}

fn answered<T>(body: &Value, read: impl Fn(&Answer<'_>) -> T) -> T {
    read(&Answer {
        status: 200,
        headers: &HeaderMap::new(),
        body: body.to_string().as_bytes(),
    })
}

fn polled(messages: Value) -> Polled {
    let page = json!({ "errcode": 0, "errmsg": "ok", "next_cursor": "c2", "has_more": 1, "msg_list": messages });
    answered(&page, |answer| account().polled(answer)).unwrap()
}

fn message(origin: i64, kind: &str, content: Value) -> Value {
    let mut message = json!({
        "msgid": "4H2r", "open_kfid": "wk1", "external_userid": "wmAna", "send_time": 1_767_225_600,
        "origin": origin, "msgtype": kind,
    });
    message[kind] = content;
    message
}

fn event(kind: &str, fields: Value) -> Value {
    let mut event = json!({ "event_type": kind, "open_kfid": "wk1", "external_userid": "wmAna" });
    event
        .as_object_mut()
        .unwrap()
        .extend(fields.as_object().unwrap().clone());
    json!({ "msgid": "4H2s", "send_time": 1_767_225_600, "origin": 4, "msgtype": "event", "event": event })
}

fn read_one(message: Value) -> Option<Incoming> {
    polled(json!([message])).events.into_iter().next()
}

#[test]
fn a_message_is_read_with_its_writer() {
    let event = read_one(message(
        3,
        "text",
        json!({ "content": "Where is my order?" }),
    ))
    .unwrap();
    assert_eq!(
        (event.id.as_str(), event.thread.as_str()),
        ("4H2r", "wmAna")
    );
    assert_eq!((event.sender.id.as_str(), event.private), ("wmAna", true));
    assert_eq!(event.at, Some(1_767_225_600));
    let What::Message { text, media, .. } = event.what else {
        panic!("no message")
    };
    assert_eq!((text.as_str(), media.len()), ("Where is my order?", 0));
    let press = message(3, "text", json!({ "content": "Thanks", "menu_id": "q:2" }));
    let (reply, receipt) = ("q:2".to_owned(), None);
    assert_eq!(
        read_one(press).unwrap().what,
        What::Press { reply, receipt }
    );
}

#[test]
fn media_places_and_links_are_read() {
    let said = |kind: &str, content: Value| {
        let What::Message { text, media, .. } = read_one(message(3, kind, content)).unwrap().what
        else {
            panic!("no message")
        };
        (text, media.into_iter().next().map(|media| media.place))
    };
    for kind in ["image", "voice", "video", "file"] {
        let place = Some("m-1".to_owned());
        assert_eq!(
            said(kind, json!({ "media_id": "m-1" })),
            (String::new(), place)
        );
    }
    let place =
        json!({ "latitude": 23.13, "longitude": 113.36, "name": "Shop", "address": "Road 1" });
    assert_eq!(said("location", place).0, "Shop\nRoad 1\n23.13, 113.36");
    let link = json!({ "title": "Lamp", "desc": "", "url": "https://shop.example/" });
    assert_eq!(said("link", link).0, "Lamp\nhttps://shop.example/");
    assert_eq!(said("miniprogram", json!({ "title": "Lamp" })).0, "Lamp");
}

#[test]
fn a_persons_answer_is_a_takeover() {
    let mut theirs = message(5, "text", json!({ "content": "It is here." }));
    theirs["servicer_userid"] = "zhangsan".into();
    let event = read_one(theirs).unwrap();
    assert_eq!(
        (event.thread.as_str(), event.sender.id.as_str()),
        ("wmAna", "zhangsan")
    );
    let (message, text) = ("4H2r".to_owned(), "It is here.".to_owned());
    assert_eq!(event.what, What::Takeover { message, text });
}

#[test]
fn events_are_read() {
    let what = |kind, fields| read_one(event(kind, fields)).map(|event| event.what);
    let entered = read_one(event("enter_session", json!({ "welcome_code": "W" }))).unwrap();
    assert_eq!(entered.what, What::Start);
    assert_eq!(entered.context.as_deref(), Some("1767225600:W"));
    let again = read_one(event("enter_session", json!({ "scene": "a" }))).unwrap();
    assert_eq!((again.what, again.context), (What::Start, None));
    let failed = what(
        "msg_send_fail",
        json!({ "fail_msgid": "f", "fail_type": 10 }),
    );
    let Some(What::Receipt {
        message,
        receipt: Receipt::Failed(reason),
    }) = failed
    else {
        panic!("{failed:?}")
    };
    assert!(message == "f" && reason.contains("(10)"), "{reason}");
    let message = "4H2r".to_owned();
    assert_eq!(
        what("user_recall_msg", json!({ "recall_msgid": "4H2r" })),
        Some(What::Deletion { message })
    );
    let changed = |change: i64| what("session_status_change", json!({ "change_type": change }));
    assert_eq!((changed(1), changed(3)), (None, Some(What::End)));
    assert_eq!(what("of_another_year", json!({})), None);
}

#[test]
fn what_nobody_said_to_the_account_is_passed_over() {
    let mut of_another = message(3, "text", json!({ "content": "hi" }));
    of_another["open_kfid"] = "wk2".into();
    let others = json!([
        of_another,
        message(6, "text", json!({ "content": "hi" })),
        message(3, "of_another_year", json!({})),
        message(3, "image", json!({})),
        message(3, "text", json!(7)),
        "of another form",
        { "origin": 4, "msgtype": "event", "msgid": "1", "event": { "event_type": "servicer_status_change" } },
    ]);
    let polled = polled(others);
    assert_eq!(polled.events, Vec::new());
    assert_eq!(polled.cursor.as_deref(), Some("c2"));
    assert!(polled.more);
}

#[test]
fn pages_are_asked_for_by_cursor_and_bell() {
    let account = account();
    let polling = account.polling().unwrap();
    let body = |cursor, bell| {
        let call = polling.request(cursor, bell);
        assert_eq!(call.url.path(), "/cgi-bin/kf/sync_msg");
        assert_eq!(call.auth, Auth::Query("access_token"));
        serde_json::from_slice::<Value>(&call.body).unwrap()
    };
    assert_eq!(
        body(None, None),
        json!({ "limit": 1000, "open_kfid": "wk1" })
    );
    let both = json!({ "limit": 1000, "open_kfid": "wk1", "cursor": "c1", "token": "ENC" });
    assert_eq!(body(Some("c1"), Some("ENC")), both);
    let last = json!({ "errcode": 0, "next_cursor": "", "has_more": 0 });
    assert_eq!(
        answered(&last, |answer| polling.polled(answer)),
        Ok(Polled::default())
    );
    let busy = json!({ "errcode": 45009 });
    assert_eq!(answered(&busy, |answer| polling.polled(answer)), Err(BUSY));
}

fn sent(outgoing: &Outgoing<'_>) -> Vec<(String, Value)> {
    let calls = account().send(&Sending::Message(outgoing));
    let sent = calls.iter().map(|call| {
        assert_eq!(call.auth, Auth::Query("access_token"));
        let body = serde_json::from_slice(&call.body).unwrap();
        (call.url.path().to_owned(), body)
    });
    sent.collect()
}

#[test]
fn a_message_has_ids_of_its_own_and_a_menu() {
    let text = "我们会在星期二送到。".repeat(100); // 3,000 bytes.
    let outgoing = Outgoing {
        thread: "wmAna",
        key: "01a22f55738773e2b1849c7cacbaa243-2",
        text: &text,
        links: vec![Link {
            title: "Returns",
            url: Some("https://shop.example/returns"),
        }],
        quick_replies: vec![Choice {
            id: "q:1",
            label: "Thanks",
        }],
        ..Outgoing::default()
    };
    let sent_once = sent(&outgoing);
    assert_eq!(sent_once, sent(&outgoing));
    let mut ids: Vec<&str> = sent_once
        .iter()
        .map(|(path, body)| {
            assert_eq!(path, "/cgi-bin/kf/send_msg");
            assert_eq!(
                (&body["touser"], &body["open_kfid"]),
                (&json!("wmAna"), &json!("wk1"))
            );
            body["msgid"].as_str().unwrap()
        })
        .collect();
    assert!(ids.iter().all(|id| id.len() == 32));
    ids.dedup();
    assert_eq!(ids.len(), sent_once.len());
    let (menu, texts) = sent_once.split_last().unwrap();
    assert!(!texts.is_empty());
    for (_, body) in texts {
        assert!(body["text"]["content"].as_str().unwrap().len() <= 2048);
    }
    let menu = &menu.1["msgmenu"];
    let head = menu["head_content"].as_str().unwrap();
    assert!(head.len() <= 1024 && head.ends_with("Returns: https://shop.example/returns"));
    assert_eq!(
        menu["list"],
        json!([{ "type": "click", "click": { "id": "q:1", "content": "Thanks" } }])
    );
}

#[test]
fn who_has_not_written_is_welcomed_while_the_code_is_valid() {
    let first = |context, at, heard_at| {
        let text = "Welcome! ".repeat(400);
        let outgoing = Outgoing {
            thread: "wmAna",
            text: &text,
            context,
            at,
            heard_at,
            ..Outgoing::default()
        };
        let sent = sent(&outgoing);
        assert_eq!(sent[1].0, "/cgi-bin/kf/send_msg");
        let (path, body) = sent.into_iter().next().unwrap();
        assert_eq!(body.get("touser").is_none(), path.ends_with("_on_event"));
        body["code"].as_str().map(str::to_owned)
    };
    let context = Some("1767225600:W:1");
    let code = Some("W:1".to_owned());
    assert_eq!(first(context, 1_767_225_620, None), code);
    assert_eq!(first(context, 1_767_225_620, Some(1_767_000_000)), code);
    assert_eq!(first(context, 1_767_225_621, None), None);
    assert_eq!(first(context, i64::MIN, None), None);
    assert_eq!(first(context, 1_767_225_610, Some(1_767_225_605)), None);
    assert_eq!(first(Some("of another form"), 0, None), None);
    assert_eq!(first(None, 0, None), None);
}

#[test]
fn what_the_platform_does_not_offer_is_not_sent() {
    let outgoing = Outgoing::default();
    for sending in [
        Sending::Seen { receipt: "1" },
        Sending::Reminder(&outgoing),
        Sending::Edit {
            message: "1",
            outgoing: &outgoing,
        },
        Sending::Typing {
            thread: "wmAna",
            context: None,
        },
    ] {
        assert_eq!(account().send(&sending), Vec::new());
    }
}

#[test]
fn an_answer_says_what_to_do() {
    let said = |body: Value| answered(&body, |answer| account().accepted(answer));
    let coded = |code: i64| said(json!({ "errcode": code, "errmsg": "words" }));
    let message = Some("fd_8f3a".to_owned());
    assert_eq!(
        said(json!({ "errcode": 0, "msgid": "fd_8f3a" })),
        Ok(Sent { message })
    );
    for code in [-1, 45009] {
        assert_eq!(coded(code), Err(BUSY), "{code}");
    }
    for code in [40014, 42001] {
        assert_eq!(coded(code), Err(SendError::Expired), "{code}");
    }
    for code in [60020, 48002] {
        assert_eq!(coded(code), Err(SendError::Unauthorized), "{code}");
    }
    let reason = "words (95001)".to_owned();
    assert_eq!(coded(95001), Err(SendError::Unreachable { reason }));
    for code in [45002, 95000, 95004, 95018] {
        assert!(matches!(coded(code), Err(SendError::Refused { .. })));
    }
    assert_eq!(said(Value::Null), Err(BUSY));
}

#[test]
fn tokens_and_files_are_asked_for() {
    let account = account();
    let request = account.tokens().unwrap().request();
    assert_eq!(
        request.url.as_str(),
        "https://qyapi.weixin.qq.com/cgi-bin/gettoken?corpid=ww0000000000000001&corpsecret=a%26secret"
    );
    let lent = json!({ "errcode": 0, "access_token": "t", "expires_in": 7200 });
    let token = answered(&lent, |answer| account.token(answer)).ok();
    assert_eq!(token.map(|token| token.secret), Some("t".to_owned()));
    let refused = answered(&json!({ "errcode": 40001 }), |answer| account.token(answer));
    assert_eq!(refused.err(), Some(SendError::Unauthorized));
    let file = account.files().unwrap().request("m-1").unwrap();
    assert_eq!(file.url.path(), "/cgi-bin/media/get");
    assert_eq!(account.files().unwrap().request("https://a.example/"), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn malformed_bodies_are_refused(
        start in 0_usize..300,
        junk in prop::collection::vec(any::<u8>(), 0..40),
        length in 0_usize..300,
    ) {
        let spoilt = |text: String| {
            let mut body = text.into_bytes();
            let start = start.min(body.len());
            let end = (start + length).min(body.len());
            body.splice(start..end, junk.clone());
            body
        };
        // Whatever it is: read, or refused with a reason.
        let received = rung(&spoilt(bell("wk1", "kf_msg_or_event")));
        prop_assert_ne!(received, Err(HookError::BadSignature));
        let page = json!({ "errcode": 0, "msg_list": [message(3, "text", json!({ "content": "hi" }))] });
        let _ = account().polled(&Answer {
            status: 200,
            headers: &HeaderMap::new(),
            body: &spoilt(page.to_string()),
        });
    }
}
