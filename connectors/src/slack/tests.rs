use http::{HeaderMap, HeaderValue};
use proptest::prelude::*;

use super::*;
use crate::channel::{Incoming, Reply, Then, What};

mod sending;

const SIGNING_SECRET: &str = "a-secret-of-the-tests";
const NOW: i64 = 1_767_225_601;

fn bot() -> Slack {
    let url = |url| Url::parse(url).unwrap();
    Slack::new(Settings {
        base: url("https://slack.com/api"),
        files: url("https://files.slack.com"),
        responses: url("https://hooks.slack.com"),
        token: "xoxb-1".into(),
        secret: SIGNING_SECRET.into(),
        app_token: Some("xapp-1".into()),
        status: Some("writes...".into()),
        in_groups: true,
    })
}

fn signature(secret: &str, timestamp: &str, body: &[u8]) -> String {
    let parts = [b"v0:", timestamp.as_bytes(), b":", body];
    format!("v0={}", hex(&hmac_sha256(secret.as_bytes(), &parts)))
}

fn receive(bot: &Slack, body: &[u8], at: i64, signature: &str) -> Result<Received, HookError> {
    let mut headers = HeaderMap::new();
    let is_form = body.starts_with(b"payload=") || body.starts_with(b"command=");
    let kind = if is_form { FORM } else { "application/json" };
    headers.insert("content-type", HeaderValue::from_static(kind));
    headers.insert(TIMESTAMP, NOW.to_string().parse().unwrap());
    if !signature.is_empty() {
        headers.insert(SIGNATURE, signature.parse().unwrap());
    }
    bot.receive(&Hook {
        method: &Method::POST,
        url: "https://shop.example/hooks/slack/shop",
        headers: &headers,
        body,
        at,
    })
}

fn signed(bot: &Slack, body: &[u8]) -> Result<Received, HookError> {
    let signature = signature(SIGNING_SECRET, &NOW.to_string(), body);
    receive(bot, body, NOW, &signature)
}

fn envelope(event: &Value) -> Value {
    json!({
        "type": "event_callback", "team_id": "T1", "event_id": "Ev1",
        "authorizations": [{ "team_id": "T1", "user_id": "UBOT", "is_bot": true }],
        "event": event,
    })
}

fn read(event: &Value) -> Option<Incoming> {
    let received = signed(&bot(), envelope(event).to_string().as_bytes()).unwrap();
    received.events.into_iter().next()
}

fn direct(text: &str) -> Value {
    json!({
        "type": "message", "channel": "D7", "channel_type": "im", "user": "U1", "team": "T1",
        "text": text, "ts": "1767225599.000200",
    })
}

fn in_channel(text: &str) -> Value {
    let mut event = direct(text);
    event["channel"] = "C1".into();
    event["channel_type"] = "channel".into();
    event
}

fn text_of(event: Option<Incoming>) -> Option<String> {
    let What::Message { text, .. } = event?.what else {
        panic!("no message");
    };
    Some(text)
}

#[test]
fn a_direct_message_is_read_with_its_writer() {
    let event = read(&direct("Where is my order &amp; bill?")).unwrap();
    assert_eq!(event.id, "D7/1767225599.000200");
    assert_eq!((event.thread.as_str(), event.private), ("D7", true));
    assert_eq!(event.sender.id, "T1/U1");
    assert_eq!(event.at, Some(1_767_225_599));
    assert_eq!(
        text_of(Some(event)).as_deref(),
        Some("Where is my order & bill?")
    );
    let mut threaded = direct("hi");
    threaded["thread_ts"] = "1767225500.000100".into();
    assert_eq!(read(&threaded).unwrap().thread, "D7/1767225500.000100");
}

#[test]
fn the_signature_is_checked_before_anything_is_read() {
    let bot = bot();
    let (now, body) = (NOW.to_string(), b"{".as_slice());
    let good = signature(SIGNING_SECRET, &now, body);
    for wrong in ["", "v0=", &good[3..], &signature("another", &now, body)] {
        let received = receive(&bot, body, NOW, wrong);
        assert_eq!(received, Err(HookError::BadSignature), "{wrong:?}");
    }
    let at = |at| receive(&bot, body, at, &good);
    assert_eq!(at(NOW), Err(HookError::Malformed));
    assert_eq!(at(NOW + 301), Err(HookError::WrongTime));
    assert_eq!(at(NOW - 301), Err(HookError::WrongTime));
    let mut unset = self::bot();
    unset.settings.secret = String::new();
    let received = receive(&unset, body, NOW, &signature("", &now, body));
    assert_eq!(received, Err(HookError::BadSignature));
}

#[test]
fn a_challenge_is_answered_and_checks_of_the_certificate_are_passed_over() {
    let challenge = json!({ "type": "url_verification", "challenge": "c0ffee" });
    let received = signed(&bot(), challenge.to_string().as_bytes()).unwrap();
    let reply = Reply::json(&json!({ "challenge": "c0ffee" }));
    assert_eq!((received.reply, received.events), (Some(reply), vec![]));
    assert_eq!(signed(&bot(), b"").unwrap(), Received::default());
    let check = b"payload=&ssl_check=1".as_slice();
    assert_eq!(signed(&bot(), check), Err(HookError::Malformed));
}

#[test]
fn in_a_channel_only_those_who_mention_the_bot_are_heard() {
    assert_eq!(read(&in_channel("where is my order?")), None);
    assert_eq!(read(&in_channel("ask <@UBOTTY> about it")), None);
    let event = in_channel("<@UBOT>, where is my order?");
    let named = read(&event).unwrap();
    assert_eq!(named.thread, "C1/1767225599.000200");
    assert!(!named.private);
    assert_eq!(
        text_of(Some(named.clone())).as_deref(),
        Some("where is my order?")
    );
    // The same message as another event, under the same id.
    let mut mention = event.clone();
    mention["type"] = "app_mention".into();
    mention["channel_type"] = Value::Null;
    assert_eq!(read(&mention).unwrap(), named);
    let mut anonymous = envelope(&mention);
    anonymous["authorizations"] = Value::Null;
    let received = signed(&bot(), anonymous.to_string().as_bytes()).unwrap();
    assert_eq!(received.events, [named]);

    let mut quiet = bot();
    quiet.settings.in_groups = false;
    let received = signed(&quiet, envelope(&mention).to_string().as_bytes());
    assert_eq!(received.unwrap().events, []);
}

#[test]
fn what_nobody_said_to_the_bot_is_passed_over() {
    let with = |field: &str, value: Value| {
        let mut event = direct("hello");
        event[field] = value;
        read(&event)
    };
    assert_eq!(with("bot_id", "B1".into()), None);
    assert_eq!(with("user", "UBOT".into()), None);
    assert_eq!(with("user", Value::Null), None);
    assert_eq!(with("subtype", "channel_join".into()), None);
    assert_eq!(with("hidden", true.into()), None);
    assert_eq!(with("text", "".into()), None);
    // The same fields in another form.
    assert_eq!(
        read(&json!({ "type": "channel_created", "channel": {} })),
        None
    );
    // What a person who installed the app may read.
    let mut personal = envelope(&direct("hello"));
    personal["authorizations"][0]["is_bot"] = false.into();
    let received = signed(&bot(), personal.to_string().as_bytes());
    assert_eq!(received.unwrap().events, []);
    let limited = json!({ "type": "app_rate_limited", "minute_rate_limited": 1 });
    assert_eq!(
        signed(&bot(), limited.to_string().as_bytes()),
        Ok(Received::default())
    );
}

#[test]
fn edits_and_deletions_tell_which_message() {
    let changed = |old: &str, new: &str| {
        let mut event = in_channel("");
        event["subtype"] = "message_changed".into();
        event["hidden"] = true.into();
        let inner = |text: &str| {
            json!({
                "type": "message", "user": "U1", "text": text,
                "ts": "1767225500.000100", "thread_ts": "1767225400.000100",
            })
        };
        (event["message"], event["previous_message"]) = (inner(new), inner(old));
        event
    };
    let edit = read(&changed("<@UBOT> in red", "<@UBOT> in blue")).unwrap();
    let message = "C1/1767225500.000100".to_owned();
    assert_eq!(
        (edit.id.as_str(), edit.thread.as_str()),
        ("Ev1", "C1/1767225400.000100")
    );
    let text = "in blue".to_owned();
    let what = What::Edit {
        message: message.clone(),
        text,
    };
    assert_eq!(edit.what, what);
    assert_eq!(read(&changed("<@UBOT> red", "<@UBOT> red")), None);
    assert_eq!(read(&changed("red", "blue")), None);
    assert!(read(&changed("<@UBOT> in red", "in blue")).is_some());

    let mut stone = changed("<@UBOT> in red", "gone");
    stone["message"]["subtype"] = "tombstone".into();
    let mut deleted = changed("<@UBOT> in red", "");
    deleted["subtype"] = "message_deleted".into();
    for event in [stone, deleted] {
        let message = message.clone();
        assert_eq!(read(&event).unwrap().what, What::Deletion { message });
    }
}

#[test]
fn files_and_assistants_threads_are_read() {
    let mut file = direct("");
    file["subtype"] = "file_share".into();
    file["files"] = json!([
        { "id": "F1", "name": "a.png", "mimetype": "image/png", "size": 9,
          "url_private_download": "https://files.slack.com/a.png" },
        { "id": "F2", "file_access": "check_file_info" },
        { "id": "F3", "mode": "tombstone" },
    ]);
    let What::Message { media, .. } = read(&file).unwrap().what else {
        panic!()
    };
    let places: Vec<&str> = media.iter().map(|media| media.place.as_str()).collect();
    assert_eq!(places, ["https://files.slack.com/a.png", "F2"]);
    let started = json!({ "type": "assistant_thread_started", "assistant_thread": {
        "user_id": "U1", "channel_id": "D7", "thread_ts": "1767225500.000100",
    } });
    let started = read(&started).unwrap();
    assert_eq!(
        (started.what, started.thread.as_str()),
        (What::Start, "D7/1767225500.000100")
    );
}

fn form(fields: &[(&str, &str)]) -> Vec<Incoming> {
    let body = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish();
    signed(&bot(), body.as_bytes()).unwrap().events
}

fn press() -> Value {
    json!({
        "type": "block_actions",
        "user": { "id": "U1", "team_id": "T1", "name": "ana" },
        "container": { "type": "message", "message_ts": "1767225601.000300", "channel_id": "D7",
            "thread_ts": "1767225500.000100" },
        "response_url": "https://hooks.slack.com/actions/T1/1/x",
        "actions": [{ "action_id": "qr_0", "value": "q:1", "action_ts": "1767225602.1" }],
    })
}

#[test]
fn presses_are_of_the_conversation_of_their_message() {
    let pressed = |press: &Value| form(&[("payload", &press.to_string())]);
    let events = pressed(&press());
    let (reply, receipt) = ("q:1".to_owned(), None);
    assert_eq!(events[0].what, What::Press { reply, receipt });
    assert_eq!(events[0].thread, "D7/1767225500.000100");
    assert_eq!(events[0].id, "1767225602.1/qr_0/U1");
    assert_eq!((events[0].private, &events[0].context), (true, &None));

    let mut whispered = press();
    whispered["container"]["channel_id"] = "C1".into();
    assert!(!pressed(&whispered)[0].private);
    whispered["container"]["is_ephemeral"] = true.into();
    let event = pressed(&whispered).remove(0);
    assert_eq!((event.thread.as_str(), event.private), ("C1@U1", true));
    assert!(event.context.is_some());

    let mut another = press();
    another["actions"][0]["action_id"] = "approve".into();
    assert_eq!(pressed(&another), []);
    another["type"] = "view_submission".into();
    assert_eq!(pressed(&another), []);
    assert_eq!(signed(&bot(), b"payload={"), Err(HookError::Malformed));
}

#[test]
fn a_slash_command_is_answered_where_only_who_gave_it_reads() {
    let response = "https://hooks.slack.com/commands/T1/1/x";
    let command = |text| {
        let fields = [
            ("command", "/ask"),
            ("text", text),
            ("user_id", "U1"),
            ("channel_id", "C1"),
            ("team_id", "T1"),
            ("trigger_id", "1.2.abc"),
            ("response_url", response),
        ];
        form(&fields).remove(0)
    };
    assert_eq!(command("").what, What::Start);
    let event = command("where is my order?");
    assert_eq!(event.sender.id, "T1/U1");
    let mut outgoing = Outgoing {
        thread: &event.thread,
        context: event.context.as_deref(),
        text: "On its way.",
        ..Outgoing::default()
    };
    let call = bot().send(&Sending::Message(&outgoing)).remove(0);
    assert_eq!(call.url.as_str(), response);
    assert_eq!(call.headers.get("authorization"), None);
    let body: Value = serde_json::from_slice(&call.body).unwrap();
    assert_eq!(body["response_type"], "ephemeral");

    outgoing.context = Some("https://hooks.slack.com.example/x");
    let call = bot().send(&Sending::Message(&outgoing)).remove(0);
    assert_eq!(call.url.path(), "/api/chat.postEphemeral");
    let body: Value = serde_json::from_slice(&call.body).unwrap();
    assert_eq!(
        (&body["channel"], &body["user"]),
        (&"C1".into(), &"U1".into())
    );
}

#[test]
fn the_token_goes_to_slack_only() {
    let bot = bot();
    let files = bot.files().unwrap();
    for place in [
        "https://files.slack.com.example/a",
        "http://files.slack.com/a",
        "https://u@evil.example/files.slack.com",
        "file:///etc/passwd",
        "../a",
        "",
    ] {
        assert_eq!(files.request(place), None, "{place}");
    }
    let call = files.request("https://files.slack.com/a.png").unwrap();
    assert_eq!(call.headers["authorization"], "Bearer xoxb-1");
    let info = files.request("F2").unwrap();
    assert_eq!(
        info.url.as_str(),
        "https://slack.com/api/files.info?file=F2"
    );
}

#[test]
fn a_file_is_the_body_or_elsewhere() {
    let bot = bot();
    let answer = |kind: &'static str, is_attached: bool, body: &str| {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static(kind));
        if is_attached {
            let attached = HeaderValue::from_static("attachment; filename=\"a\"");
            headers.insert("content-disposition", attached);
        }
        bot.files().unwrap().fetched(&Answer {
            status: 200,
            headers: &headers,
            body: body.as_bytes(),
        })
    };
    let json = "application/json; charset=utf-8";
    let info =
        |url: &str| json!({ "ok": true, "file": { "url_private_download": url } }).to_string();
    let theirs = info("https://files.slack.com/a.json");
    assert!(matches!(answer(json, false, &theirs), Ok(Fetched::At(_))));
    assert_eq!(answer(json, true, &theirs), Ok(Fetched::File));
    assert_eq!(answer("image/png", false, "x"), Ok(Fetched::File));
    for (kind, body) in [
        (json, info("https://x.example/a").as_str()),
        ("text/html", "<html>"),
    ] {
        let refused = answer(kind, false, body);
        assert!(matches!(refused, Err(SendError::Refused { .. })), "{body}");
    }
}

#[test]
fn a_socket_is_acknowledged_and_followed() {
    let bot = bot();
    let gateway = bot.gateway().unwrap();
    let request = gateway.request().unwrap();
    assert_eq!(request.headers["authorization"], "Bearer xapp-1");
    let address = |body: &str| {
        gateway.address(Some(&Answer {
            status: 200,
            headers: &HeaderMap::new(),
            body: body.as_bytes(),
        }))
    };
    let url = address(r#"{"ok":true,"url":"wss://wss.slack.com/link/?ticket=1"}"#).unwrap();
    assert_eq!(url.host_str(), Some("wss.slack.com"));
    let refused = address(r#"{"ok":false,"error":"invalid_auth"}"#);
    assert_eq!(refused, Err(SendError::Unauthorized));

    let mut session = gateway.session();
    let mut heard = |frame: Value| session.heard(&frame.to_string());
    assert_eq!(heard(json!({ "type": "hello" })), Default::default());
    let event =
        json!({ "type": "events_api", "envelope_id": "e1", "payload": envelope(&direct("hi")) });
    let heard_event = heard(event);
    assert_eq!(heard_event.replies, [r#"{"envelope_id":"e1"}"#]);
    assert_eq!(heard_event.events, [read(&direct("hi")).unwrap()]);
    let pressed = heard(json!({ "type": "interactive", "envelope_id": "e2", "payload": press() }));
    assert_eq!(pressed.events.len(), 1);
    let command = json!({ "command": "/ask", "text": "hi", "user_id": "U1", "channel_id": "C1", "trigger_id": "1" });
    let command =
        heard(json!({ "type": "slash_commands", "envelope_id": "e3", "payload": command }));
    assert_eq!(command.events.len(), 1);
    let unreadable = heard(json!({ "type": "interactive", "envelope_id": "e4", "payload": 1 }));
    assert_eq!((unreadable.events.len(), unreadable.replies.len()), (0, 1));
    let closed = |reason: &str| json!({ "type": "disconnect", "reason": reason });
    assert_eq!(heard(closed("warning")).then, Then::Reconnect);
    let off = "link_disabled".to_owned();
    assert_eq!(heard(closed(&off)).then, Then::Refused(off));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn malformed_bodies_are_refused(
        is_press in any::<bool>(),
        start in 0_usize..400,
        junk in prop::collection::vec(any::<u8>(), 0..40),
        length in 0_usize..300,
    ) {
        let mut body = match is_press {
            true => format!("payload={}", press()).into_bytes(),
            false => envelope(&direct("Where is my <@UBOT> order?")).to_string().into_bytes(),
        };
        let start = start.min(body.len());
        let end = (start + length).min(body.len());
        body.splice(start..end, junk);
        // Whatever it is: read, or refused with a reason.
        let _ = signed(&bot(), &body);
    }
}
