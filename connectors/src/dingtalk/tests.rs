mod sending;

use http::{HeaderMap, HeaderValue};
use proptest::prelude::*;

use super::*;
use crate::channel::{Incoming, Then, What};

const SECRET: &str = "a-client-secret";
const NOW: i64 = 1_767_225_601;

fn settings() -> Settings {
    Settings {
        base: Url::parse("https://api.dingtalk.com").unwrap(),
        sessions: Url::parse("https://oapi.dingtalk.com").unwrap(),
        client_id: "ding-app".into(),
        client_secret: SECRET.into(),
        robot_code: "ding-robot".into(),
        stream: true,
        in_groups: true,
    }
}

fn bot() -> DingTalk {
    DingTalk::new(settings())
}

fn sign(secret: &str, timestamp: &str) -> String {
    let (timestamp, key) = (timestamp.as_bytes(), secret.as_bytes());
    BASE64.encode(hmac_sha256(key, &[timestamp, b"\n", key]))
}

fn with(bot: &DingTalk, timestamp: &str, sign: &str, body: &[u8]) -> Result<Received, HookError> {
    let mut headers = HeaderMap::new();
    for (name, value) in [("timestamp", timestamp), ("sign", sign)] {
        headers.insert(name, HeaderValue::from_str(value).unwrap());
    }
    bot.receive(&Hook {
        method: &Method::POST,
        url: "https://shop.example/hooks/dingtalk/shop",
        headers: &headers,
        body,
        at: NOW,
    })
}

fn receive(body: &[u8]) -> Result<Received, HookError> {
    let time = (NOW * 1000).to_string();
    with(&bot(), &time, &sign(SECRET, &time), body)
}

fn wrote(text: &str) -> Value {
    json!({
        "msgId": "msgA",
        "msgtype": "text",
        "text": { "content": text },
        "conversationId": "cidA==",
        "conversationType": "1",
        "senderId": "$:LWCP_v1:$ana",
        "senderNick": "Ana",
        "senderStaffId": "manager1",
        "chatbotUserId": "$:LWCP_v1:$bot",
        "robotCode": "ding-robot",
        "createAt": 1_767_225_600_000_i64,
        "sessionWebhook": "https://oapi.dingtalk.com/robot/sendBySession?session=1",
        "sessionWebhookExpiredTime": 1_767_231_000_000_i64,
    })
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
fn a_message_is_read_with_its_writer() {
    let event = read(&wrote(" Where is my order? ")).unwrap();
    assert_eq!(
        (event.id.as_str(), event.thread.as_str()),
        ("msgA", "1 cidA== manager1")
    );
    assert_eq!(event.sender.id, "manager1");
    assert_eq!(event.sender.name.as_deref(), Some("Ana"));
    assert!(event.private);
    assert_eq!(event.at, Some(1_767_225_600));
    assert_eq!(
        event.context.as_deref(),
        Some("1767231000000 https://oapi.dingtalk.com/robot/sendBySession?session=1")
    );
    assert_eq!(said(Some(event)).0, "Where is my order?");
    let mut outsider = wrote("hi");
    outsider["senderStaffId"] = "".into();
    assert_eq!(read(&outsider).unwrap().thread, "1 cidA== $:LWCP_v1:$ana");
}

#[test]
fn the_signature_is_asked_for_before_anything_is_read() {
    let time = (NOW * 1000).to_string();
    let refused = Err(HookError::BadSignature);
    for signature in ["", "AAAA", &sign("another", &time)] {
        assert_eq!(with(&bot(), &time, signature, b"{"), refused);
    }
    assert_eq!(receive(b"{"), Err(HookError::Malformed));
    let none = HeaderMap::new();
    let hook = Hook {
        method: &Method::POST,
        url: "",
        headers: &none,
        body: b"{}",
        at: NOW,
    };
    assert_eq!(bot().receive(&hook), refused);
    let unset = DingTalk::new(Settings {
        client_secret: String::new(),
        ..settings()
    });
    assert_eq!(with(&unset, &time, &sign("", &time), b"{}"), refused);
    for seconds in [NOW - 301, NOW + 301] {
        let time = (seconds * 1000).to_string();
        assert_eq!(
            with(&bot(), &time, &sign(SECRET, &time), b"{}"),
            Err(HookError::WrongTime)
        );
    }
}

#[test]
fn files_recordings_and_rich_texts_are_read() {
    let of = |kind: &str, content: Value| {
        let mut body = wrote("");
        body["msgtype"] = kind.into();
        body["text"] = Value::Null;
        body["content"] = content;
        said(read(&body))
    };
    let code = || vec!["code".to_owned()];
    let coded = json!({ "downloadCode": "code", "fileName": "bill.pdf" });
    for kind in ["picture", "video", "file"] {
        assert_eq!(of(kind, coded.clone()), (String::new(), code()), "{kind}");
    }
    let recording = json!({ "downloadCode": "code", "recognition": "where is it" });
    assert_eq!(of("audio", recording), ("where is it".to_owned(), code()));
    let rich = json!({ "richText": [
        { "text": "it is " }, { "text": "broken" },
        { "downloadCode": "code", "type": "picture" },
    ] });
    assert_eq!(of("richText", rich), ("it is broken".to_owned(), code()));
}

#[test]
fn in_a_group_only_those_who_mention_the_robot_are_heard() {
    let mut body = wrote(" where is it?");
    body["conversationType"] = "2".into();
    assert_eq!(read(&body), None);
    body["isInAtList"] = true.into();
    let event = read(&body).unwrap();
    assert_eq!(
        (event.thread.as_str(), event.private),
        ("2 cidA== manager1", false)
    );
    let silent = DingTalk::new(Settings {
        in_groups: false,
        ..settings()
    });
    let time = (NOW * 1000).to_string();
    let received = with(
        &silent,
        &time,
        &sign(SECRET, &time),
        body.to_string().as_bytes(),
    );
    assert_eq!(received.unwrap().events, []);
}

#[test]
fn what_nobody_said_to_the_robot_is_passed_over() {
    let mut own = wrote("hello");
    own["senderId"] = "$:LWCP_v1:$bot".into();
    assert_eq!(read(&own), None);
    let mut of_another = wrote("hello");
    of_another["robotCode"] = "ding-other".into();
    assert_eq!(read(&of_another), None);
    let mut unknown = wrote("hello");
    unknown["msgtype"] = "unknownMsgType".into();
    assert_eq!(read(&unknown), None);
    assert_eq!(read(&wrote(" ")), None);
    assert_eq!(read(&json!({ "conversationType": "3" })), None);
    assert_eq!(read(&json!({})), None);
}

fn frame(kind: &str, topic: &str, data: &str) -> String {
    let frame = json!({
        "specVersion": "1.0",
        "type": kind,
        "headers": { "topic": topic, "messageId": "m1", "contentType": "application/json" },
        "data": data,
    });
    frame.to_string()
}

#[test]
fn frames_are_taken_once_their_message_is_told() {
    let bot = bot();
    let mut session = bot.gateway().unwrap().session();
    assert!(session.opened().is_empty());
    let messages = "/v1.0/im/bot/messages/get";
    let heard = session.heard(&frame("CALLBACK", messages, &wrote("hi").to_string()));
    assert_eq!(heard.events.len(), 1);
    let reply: Value = serde_json::from_str(&heard.replies[0]).unwrap();
    assert_eq!(
        (&reply["code"], &reply["message"]),
        (&json!(200), &json!("OK"))
    );
    assert_eq!(reply["headers"]["messageId"], "m1");
    assert_eq!(reply["data"], r#"{"response":{}}"#);

    let ping = session.heard(&frame("SYSTEM", "ping", r#"{"opaque":"1"}"#));
    let pong: Value = serde_json::from_str(&ping.replies[0]).unwrap();
    assert_eq!(pong["data"], r#"{"opaque":"1"}"#);
    let bye = session.heard(&frame("SYSTEM", "disconnect", "{}"));
    assert_eq!((bye.then, bye.replies.len()), (Then::Reconnect, 0));
    // What cannot be read would come again for ever.
    let odd = session.heard(&frame("CALLBACK", messages, "{"));
    assert_eq!((odd.events.len(), odd.replies.len()), (0, 1));
    assert!(session.heard("{").replies.is_empty());
}

#[test]
fn a_socket_is_opened_with_a_ticket() {
    let bot = bot();
    let gateway = bot.gateway().unwrap();
    let request = gateway.request().unwrap();
    assert_eq!(request.url.path(), "/v1.0/gateway/connections/open");
    let address = |status, body: Value| {
        gateway.address(Some(&Answer {
            status,
            headers: &HeaderMap::new(),
            body: body.to_string().as_bytes(),
        }))
    };
    let told = json!({ "endpoint": "wss://wss.example/connect", "ticket": "a b&c" });
    assert_eq!(
        address(200, told).unwrap().as_str(),
        "wss://wss.example/connect?ticket=a+b%26c"
    );
    let wrong = json!({ "endpoint": "file:///etc/passwd", "ticket": "t" });
    assert!(matches!(address(200, wrong), Err(SendError::Later { .. })));
    let refused = json!({ "code": "authFailed", "message": "no" });
    assert_eq!(address(401, refused), Err(SendError::Unauthorized));
    assert!(matches!(
        gateway.address(None),
        Err(SendError::Later { .. })
    ));
    let hooked = DingTalk::new(Settings {
        stream: false,
        ..settings()
    });
    assert!(hooked.gateway().is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn malformed_bodies_never_panic(
        start in 0_usize..700,
        end in 0_usize..700,
        junk in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let mut body = wrote("Where is my order?").to_string().into_bytes();
        let (start, end) = (start.min(body.len()), end.min(body.len()));
        body.splice(start.min(end)..end.max(start), junk);
        // Whatever it is: read, or refused with a reason.
        let _ = receive(&body);
        let text = String::from_utf8_lossy(&body);
        let mut session = bot().gateway().unwrap().session();
        let _ = session.heard(&frame("CALLBACK", "/v1.0/im/bot/messages/get", &text));
        let _ = session.heard(&text);
    }
}
