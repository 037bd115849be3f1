use proptest::prelude::*;

use super::*;
use http::{HeaderMap, HeaderValue};

use super::envelope::tests::{AES_KEY, seal, sign};
use crate::channel::{Choice, Incoming, Link, Media, What};

const HOOK_TOKEN: &str = "a-token-of-the-tests";
const APP: &str = "wx0000000000000001";
const NOW: i64 = 1_767_225_601;

fn account(encoding_aes_key: Option<&str>) -> WeChat {
    WeChat::new(Settings {
        base: Url::parse("https://api.weixin.qq.com").unwrap(),
        app_id: APP.to_owned(),
        app_secret: "a-secret".to_owned(),
        token: HOOK_TOKEN.to_owned(),
        encoding_aes_key: encoding_aes_key.map(str::to_owned),
    })
}

fn called(
    account: &WeChat,
    method: &Method,
    query: &str,
    body: &[u8],
) -> Result<Received, HookError> {
    account.receive(&Hook {
        method,
        url: &format!("https://shop.example/hooks/wechat/shop?{query}"),
        headers: &HeaderMap::new(),
        body,
        at: NOW,
    })
}

/// The query of the plain mode, signed at that time.
fn signed(at: i64) -> String {
    let signature = sign(&[HOOK_TOKEN, &at.to_string(), "42"]);
    format!("signature={signature}&timestamp={at}&nonce=42&openid=oAna")
}

/// The query and the body of the encrypted mode.
fn sealed(text: &[u8]) -> (String, String) {
    let hidden = seal(text, APP);
    let signature = sign(&[HOOK_TOKEN, &NOW.to_string(), "42", &hidden]);
    let query =
        format!("msg_signature={signature}&timestamp={NOW}&nonce=42&encrypt_type=aes&signature=x");
    let body =
        format!("<xml><ToUserName>gh_1</ToUserName><Encrypt><![CDATA[{hidden}]]></Encrypt></xml>");
    (query, body)
}

fn receive(body: &[u8]) -> Result<Vec<Incoming>, HookError> {
    Ok(called(&account(None), &Method::POST, &signed(NOW), body)?.events)
}

fn message(kind: &str, fields: &str) -> String {
    format!(
        "<xml><ToUserName><![CDATA[gh_1]]></ToUserName>\
         <FromUserName><![CDATA[oAna]]></FromUserName><CreateTime>1767225600</CreateTime>\
         <MsgType><![CDATA[{kind}]]></MsgType>{fields}</xml>"
    )
}

fn text(content: &str) -> String {
    message(
        "text",
        &format!("<Content><![CDATA[{content}]]></Content><MsgId>2487</MsgId>"),
    )
}

fn event(name: &str, key: &str) -> String {
    let fields = format!("<Event><![CDATA[{name}]]></Event><EventKey><![CDATA[{key}]]></EventKey>");
    message("event", &fields)
}

fn read_one(body: &str) -> Option<Incoming> {
    receive(body.as_bytes()).unwrap().into_iter().next()
}

fn said(body: &str) -> (String, Vec<Media>) {
    let What::Message { text, media, .. } = read_one(body).unwrap().what else {
        panic!("no message")
    };
    (text, media)
}

#[test]
fn a_message_is_read_with_its_writer() {
    let received = called(
        &account(None),
        &Method::POST,
        &signed(NOW),
        text("Where is my order? <b> & 在哪").as_bytes(),
    );
    let received = received.unwrap();
    assert_eq!(received.reply, Some(Reply::text("success")));
    let [event] = received.events.as_slice() else {
        panic!("{received:?}")
    };
    assert_eq!((event.id.as_str(), event.thread.as_str()), ("2487", "oAna"));
    assert_eq!(event.sender.id, "oAna");
    assert!(event.private);
    assert_eq!(event.at, Some(1_767_225_600));
    let What::Message { message, text, .. } = &event.what else {
        panic!("{event:?}")
    };
    assert_eq!(
        (message.as_str(), text.as_str()),
        ("2487", "Where is my order? <b> & 在哪")
    );
    let as_json = json!({
        "FromUserName": "oAna", "MsgType": "text", "CreateTime": 1_767_225_600,
        "MsgId": 24_870_000_000_000_001_u64, "Content": "hi",
    });
    assert_eq!(
        read_one(&as_json.to_string()).unwrap().id,
        "24870000000000001"
    );
}

#[test]
fn the_signature_is_asked_for_before_anything_is_read() {
    let plain = account(None);
    let wrong = signed(NOW).replace("signature=", "signature=0");
    for query in ["", "signature=&timestamp=&nonce=", wrong.as_str()] {
        for method in [Method::GET, Method::POST] {
            assert_eq!(
                called(&plain, &method, query, b"<"),
                Err(HookError::BadSignature),
                "{query:?}"
            );
        }
    }
    for late in [NOW - 301, NOW + 301] {
        let received = called(&plain, &Method::POST, &signed(late), b"<");
        assert_eq!(received, Err(HookError::WrongTime));
    }
    assert_eq!(receive(b"<"), Err(HookError::Malformed));
    assert_eq!(receive(b"<xml></xml>"), Err(HookError::Malformed));
    // Without a token nothing is signed.
    let signature = sign(&["", &NOW.to_string(), "42"]);
    let query = format!("signature={signature}&timestamp={NOW}&nonce=42");
    let unset = WeChat {
        envelope: Envelope::new(String::new(), APP.to_owned(), None),
        ..account(None)
    };
    let received = called(&unset, &Method::POST, &query, text("hi").as_bytes());
    assert_eq!(received, Err(HookError::BadSignature));
}

#[test]
fn what_is_encrypted_is_read_and_nothing_else_beside_it() {
    let account = account(Some(AES_KEY));
    let (query, body) = sealed(text("hi").as_bytes());
    let received = called(&account, &Method::POST, &query, body.as_bytes()).unwrap();
    assert_eq!(
        (received.events.len(), &received.events[0].id[..]),
        (1, "2487")
    );
    let (query, body) = sealed(b"<xml>");
    assert_eq!(
        called(&account, &Method::POST, &query, body.as_bytes()),
        Err(HookError::Malformed)
    );
    // Another's words in the signed one's query, and the plain mode's signature.
    let other = sealed(text("ho").as_bytes()).1;
    for (query, body) in [
        (&query, other),
        (&query, text("hi")),
        (&signed(NOW), text("hi")),
    ] {
        assert_eq!(
            called(&account, &Method::POST, query, body.as_bytes()),
            Err(HookError::BadSignature)
        );
    }
}

#[test]
fn the_address_is_proved_by_an_echo() {
    for account in [account(None), account(Some(AES_KEY))] {
        let query = format!("{}&echostr=5927+%2B", signed(NOW));
        let received = called(&account, &Method::GET, &query, b"").unwrap();
        assert_eq!(received.reply, Some(Reply::text("5927 +")));
        assert_eq!(received.events, Vec::new());
    }
}

#[test]
fn media_places_and_links_are_read() {
    let file = |kind: &str, more: &str| {
        said(&message(
            kind,
            &format!("<MediaId>m-1</MediaId><MsgId>1</MsgId>{more}"),
        ))
    };
    let (words, media) = file(
        "voice",
        "<Format>amr</Format><Recognition>where is it</Recognition>",
    );
    assert_eq!(
        (words.as_str(), media[0].content_type.as_deref()),
        ("where is it", Some("audio/amr"))
    );
    for kind in ["image", "video", "shortvideo"] {
        let (words, media) = file(kind, "");
        assert_eq!((words.as_str(), media[0].place.as_str()), ("", "m-1"));
    }
    let place = "<Location_X>23.13</Location_X><Location_Y>113.36</Location_Y><Label>Shop</Label>";
    assert_eq!(said(&message("location", place)).0, "Shop\n23.13, 113.36");
    let link = "<Title>Lamp</Title><Description/><Url>https://shop.example/</Url>";
    assert_eq!(
        said(&message("link", link)).0,
        "Lamp\nhttps://shop.example/"
    );
}

#[test]
fn presses_and_followers_are_read() {
    let press = |reply: &str| What::Press {
        reply: reply.to_owned(),
        receipt: None,
    };
    let tapped = text("Thanks").replace("</xml>", "<bizmsgmenuid>q:2</bizmsgmenuid></xml>");
    assert_eq!(read_one(&tapped).unwrap().what, press("q:2"));
    let clicked = read_one(&event("CLICK", "ORDERS")).unwrap();
    assert_eq!(clicked.what, press("ORDERS"));
    assert_eq!(clicked.id, "oAna:1767225600:CLICK:ORDERS");
    let what = |name| read_one(&event(name, "")).map(|event| event.what);
    assert_eq!(what("subscribe"), Some(What::Start));
    assert_eq!(what("unsubscribe"), Some(What::Blocked));
}

#[test]
fn what_nobody_said_is_passed_over() {
    for name in [
        "VIEW",
        "SCAN",
        "LOCATION",
        "TEMPLATESENDJOBFINISH",
        "kf_create_session",
        "of_another_year",
    ] {
        assert_eq!(read_one(&event(name, "")), None, "{name}");
    }
    for body in [
        message("of_another_year", "<MsgId>1</MsgId>"),
        message("image", "<MsgId>1</MsgId>"),
        text("  "),
    ] {
        assert_eq!(read_one(&body), None, "{body}");
    }
}

fn sent(outgoing: &Outgoing<'_>) -> Vec<Value> {
    let calls = account(None).send(&Sending::Message(outgoing));
    let body = |call: &Call| {
        assert_eq!(call.url.path(), "/cgi-bin/message/custom/send");
        assert_eq!(call.auth, Auth::Query("access_token"));
        serde_json::from_slice(&call.body).unwrap()
    };
    calls.iter().map(body).collect()
}

#[test]
fn a_text_has_links_and_a_menu_has_none() {
    let outgoing = Outgoing {
        thread: "oAna",
        text: "您的订单 <b>&",
        links: vec![Link {
            title: "Terms > all",
            url: Some("https://shop.example/?a=\"1\""),
        }],
        ..Outgoing::default()
    };
    let expected = "您的订单 <b>&\n\n<a href=\"https://shop.example/?a=%221%22\">Terms  all</a>";
    let text = json!({ "touser": "oAna", "msgtype": "text", "text": { "content": expected } });
    assert_eq!(sent(&outgoing), [text]);
    // What is escaped would be shown as it is.
    let calls = account(None).send(&Sending::Message(&outgoing));
    assert!(str::from_utf8(&calls[0].body).unwrap().contains("订单"));
    let label = "长".repeat(60);
    let outgoing = Outgoing {
        quick_replies: vec![
            Choice {
                id: "q:1",
                label: &label,
            },
            Choice {
                id: "q:2",
                label: "Thanks",
            },
        ],
        ..outgoing
    };
    let sent = sent(&outgoing);
    let menu = &sent[0]["msgmenu"];
    assert_eq!(
        menu["head_content"],
        "您的订单 <b>&\n\nTerms > all: https://shop.example/?a=\"1\""
    );
    let short = format!("{}…", "长".repeat(41));
    assert_eq!(menu["list"][0], json!({ "id": "q:1", "content": short }));
    assert_eq!(menu["list"][1]["content"], "Thanks");
    assert_eq!(menu.get("tail_content"), None);
}

#[test]
fn a_long_text_is_cut_by_bytes_and_its_menu_comes_last() {
    let text = "我们会在星期二送到。".repeat(150); // 4,500 bytes.
    let outgoing = Outgoing {
        text: &text,
        quick_replies: vec![Choice {
            id: "1",
            label: "Thanks",
        }],
        ..Outgoing::default()
    };
    let sent = sent(&outgoing);
    let (menu, texts) = sent.split_last().unwrap();
    assert!(texts.len() <= 3, "{}", texts.len());
    let length = |value: &Value| value.as_str().unwrap().len();
    assert!(
        texts
            .iter()
            .all(|body| length(&body["text"]["content"]) <= 2048)
    );
    assert!((1..=1024).contains(&length(&menu["msgmenu"]["head_content"])));
}

#[test]
fn of_what_else_is_sent_the_platform_offers_typing() {
    let account = account(None);
    let typing = Sending::Typing {
        thread: "oAna",
        context: None,
    };
    let [call] = &account.send(&typing)[..] else {
        panic!("no call")
    };
    assert_eq!(call.url.path(), "/cgi-bin/message/custom/typing");
    let body: Value = serde_json::from_slice(&call.body).unwrap();
    assert_eq!(body, json!({ "touser": "oAna", "command": "Typing" }));
    let outgoing = Outgoing::default();
    for sending in [
        Sending::Seen { receipt: "1" },
        Sending::Reminder(&outgoing),
        Sending::Edit {
            message: "1",
            outgoing: &outgoing,
        },
    ] {
        assert_eq!(account.send(&sending), Vec::new());
    }
}

fn answered<T>(status: u16, body: &[u8], read: impl Fn(&Answer<'_>) -> T) -> T {
    read(&Answer {
        status,
        headers: &HeaderMap::new(),
        body,
    })
}

#[test]
fn an_answer_says_what_to_do() {
    let said = |body: Value| {
        let body = body.to_string();
        answered(200, body.as_bytes(), |answer| {
            account(None).accepted(answer)
        })
    };
    let coded = |code: i64| said(json!({ "errcode": code, "errmsg": "words" }));
    assert_eq!(coded(0), Ok(Sent::default()));
    assert_eq!(
        said(json!({ "ip_list": ["127.0.0.1"] })),
        Ok(Sent::default())
    );
    for code in [40001, 40014, 42001] {
        assert_eq!(coded(code), Err(SendError::Expired), "{code}");
    }
    for code in [-1, 45009, 45011] {
        assert_eq!(coded(code), Err(BUSY), "{code}");
    }
    for code in [48001, 40164] {
        assert_eq!(coded(code), Err(SendError::Unauthorized), "{code}");
    }
    for code in [45015, 45047, 48002] {
        let reason = format!("words ({code})");
        assert_eq!(coded(code), Err(SendError::Unreachable { reason }));
    }
    for code in [45002, 40003, 45098, 12345] {
        assert!(matches!(coded(code), Err(SendError::Refused { .. })));
    }
    assert_eq!(said(Value::Null), Err(BUSY));
    assert_eq!(said(json!({})), Err(BUSY));
    let with = |status| answered(status, b"<html>", |answer| account(None).accepted(answer));
    assert!(matches!(with(502), Err(SendError::Later { .. })));
    assert!(matches!(with(404), Err(SendError::Refused { .. })));
}

#[test]
fn a_token_is_lent_by_the_accounts_secret() {
    let account = account(None);
    let tokens = account.tokens().unwrap();
    let request = tokens.request();
    assert_eq!(request.url.path(), "/cgi-bin/stable_token");
    assert_eq!(request.auth, Auth::Complete);
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(
        (&body["appid"], &body["force_refresh"]),
        (&json!(APP), &json!(false))
    );
    let said = |body: Value| {
        let token = answered(200, body.to_string().as_bytes(), |answer| {
            tokens.token(answer)
        });
        token.map(|token| (token.secret, token.lasts))
    };
    let lent = json!({ "access_token": "t", "expires_in": 7200 });
    assert_eq!(said(lent), Ok(("t".to_owned(), Duration::from_secs(7200))));
    for code in [40125, 40164, 40001, 40013] {
        let refused = said(json!({ "errcode": code }));
        assert_eq!(refused, Err(SendError::Unauthorized), "{code}");
    }
    assert_eq!(said(json!({ "errcode": 45009 })), Err(BUSY));
    assert_eq!(said(json!({ "errcode": 0 })), Err(BUSY));
}

#[test]
fn files_are_asked_for_by_their_ids_alone() {
    let account = account(None);
    let files = account.files().unwrap();
    let request = files.request("m-1_A").unwrap();
    assert_eq!(request.url.path(), "/cgi-bin/media/get");
    assert_eq!(request.url.query(), Some("media_id=m-1_A"));
    for place in ["", "https://elsewhere.example/", "a&b", "../a"] {
        assert_eq!(files.request(place), None, "{place}");
    }
    let said = |kind: &'static str, name: Option<&'static str>, body: &[u8]| {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static(kind));
        if let Some(name) = name {
            headers.insert("content-disposition", HeaderValue::from_static(name));
        }
        files.fetched(&Answer {
            status: 200,
            headers: &headers,
            body,
        })
    };
    assert_eq!(said("image/jpeg", None, b"\xff\xd8"), Ok(Fetched::File));
    let name = Some("attachment; filename=\"a.txt\"");
    assert_eq!(said("text/plain", name, b"hi"), Ok(Fetched::File));
    let expired = br#"{"errcode":42001,"errmsg":"expired"}"#;
    assert_eq!(said("text/plain", None, expired), Err(SendError::Expired));
    let video = br#"{"video_url":"http://mp.video.qq.com/v?id=1"}"#;
    assert!(
        matches!(said("application/json", None, video), Ok(Fetched::At(call))
        if call.auth == Auth::Complete && call.url.host_str() == Some("mp.video.qq.com"))
    );
    for elsewhere in ["http://127.0.0.1/", "http://evilqq.com/", "file:///qq.com"] {
        let body = json!({ "video_url": elsewhere }).to_string();
        let refused = said("text/plain", None, body.as_bytes());
        assert!(
            matches!(refused, Err(SendError::Refused { .. })),
            "{elsewhere}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn malformed_bodies_are_refused(
        start in 0_usize..300,
        junk in prop::collection::vec(any::<u8>(), 0..40),
        length in 0_usize..300,
        is_sealed in any::<bool>(),
    ) {
        let mut body = text("Where is my order?").into_bytes();
        let start = start.min(body.len());
        let end = (start + length).min(body.len());
        body.splice(start..end, junk);
        // Whatever it is: read, or refused with a reason.
        if is_sealed {
            let (query, body) = sealed(&body);
            let received = called(&account(Some(AES_KEY)), &Method::POST, &query, body.as_bytes());
            prop_assert_ne!(received, Err(HookError::BadSignature));
        } else {
            prop_assert_ne!(receive(&body), Err(HookError::BadSignature));
        }
    }

    #[test]
    fn malformed_envelopes_are_refused(
        start in 0_usize..400,
        junk in prop::collection::vec(any::<u8>(), 1..40),
    ) {
        let (query, body) = sealed(text("hi").as_bytes());
        let mut body = body.into_bytes();
        let start = start.min(body.len());
        body.splice(start.., junk);
        let _ = called(&account(Some(AES_KEY)), &Method::POST, &query, &body);
    }
}

proptest! {
    #[test]
    fn every_text_is_within_the_limit(text in "\\PC{0,3000}", title in "\\PC{1,60}") {
        let outgoing = Outgoing {
            thread: "oAna",
            text: &text,
            links: vec![Link { title: &title, url: Some("https://shop.example/") }],
            ..Outgoing::default()
        };
        for body in sent(&outgoing) {
            let text = body["text"]["content"].as_str().unwrap();
            prop_assert!(!text.is_empty() && text.len() <= 2048);
        }
    }
}
