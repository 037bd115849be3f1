//! What comes over the gateway.

use super::*;
use crate::channel::{Heard, Session, Then};

const OWN: &str = "700000000000000001";

fn frame(op: u64, data: &Value) -> String {
    json!({ "op": op, "d": data, "s": null, "t": null }).to_string()
}

fn dispatch(kind: &str, s: u64, data: &Value) -> String {
    json!({ "op": 0, "t": kind, "s": s, "d": data }).to_string()
}

fn hello() -> String {
    frame(10, &json!({ "heartbeat_interval": 41250 }))
}

fn ready() -> String {
    let data = json!({
        "v": 10, "user": { "id": OWN, "username": "shop", "bot": true }, "session_id": "session-1",
        "resume_gateway_url": "wss://gateway-us-east1-b.discord.gg", "guilds": [],
    });
    dispatch("READY", 1, &data)
}

fn read(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// A session that is ready.
fn session(in_groups: bool) -> Box<dyn Session> {
    let bot = Discord::new(Settings {
        in_groups,
        ..settings_with(String::new())
    })
    .unwrap();
    let mut session = bot.gateway().unwrap().session();
    assert_eq!(session.opened(), Vec::<String>::new());
    session.heard(&hello());
    assert_eq!(session.heard(&ready()), Heard::default());
    session
}

fn heard(kind: &str, data: &Value) -> Option<Incoming> {
    let events = session(true).heard(&dispatch(kind, 2, data)).events;
    events.into_iter().next()
}

fn direct(text: &str) -> Value {
    json!({
        "id": "1100000000000000001", "channel_id": "1000000000000000009", "type": 0,
        "author": { "id": "800000000000000001", "username": "ana", "global_name": "Ana" },
        "content": text, "timestamp": "2023-04-24T17:38:10.000000+00:00", "edited_timestamp": null,
        "mentions": [], "attachments": [], "nonce": "n1",
    })
}

fn of_guild(text: &str) -> Value {
    let mut message = direct(text);
    message["guild_id"] = "900000000000000001".into();
    message["mentions"] = json!([{ "id": OWN }]);
    message
}

#[test]
fn a_direct_message_is_read_with_its_writer_and_files() {
    let mut message = direct(" Where is my order? ");
    message["attachments"] = json!([{
        "id": "1", "filename": "a.png", "content_type": "image/png", "size": 123,
        "url": "https://cdn.discordapp.com/attachments/1/1/a.png?ex=1",
    }]);
    let event = heard("MESSAGE_CREATE", &message).unwrap();
    assert_eq!(event.id, "1100000000000000001");
    assert_eq!(event.thread, "1000000000000000009");
    assert_eq!(event.sender.name.as_deref(), Some("Ana"));
    assert!(event.private);
    assert_eq!((event.at, event.context), (Some(1_682_330_837), None));
    let What::Message { text, media, .. } = event.what else {
        panic!("no message")
    };
    assert_eq!(text, "Where is my order?");
    assert_eq!(
        (media[0].name.as_deref(), media[0].size),
        (Some("a.png"), Some(123))
    );
}

#[test]
fn on_a_server_only_those_who_mention_the_bot_are_heard() {
    let text = format!("<@{OWN}> where is\n  my <@!{OWN}> order?");
    let event = heard("MESSAGE_CREATE", &of_guild(&text)).unwrap();
    assert_eq!(event.thread, "1000000000000000009/800000000000000001");
    assert!(!event.private);
    assert_eq!(event.context.as_deref(), Some("1100000000000000001"));
    assert!(matches!(event.what, What::Message { text, .. } if text == "where is\nmy order?"));
    let mut of_another = of_guild("<@1> where is my order?");
    of_another["mentions"] = json!([{ "id": "1" }]);
    assert_eq!(heard("MESSAGE_CREATE", &of_another), None);
    let switched_off = session(false).heard(&dispatch("MESSAGE_CREATE", 2, &of_guild(&text)));
    assert_eq!(switched_off.events, []);
}

#[test]
fn what_nobody_said_to_the_bot_is_passed_over() {
    let changed = |field: &str, value: Value| {
        let mut message = direct("hello");
        message[field] = value;
        message
    };
    for message in [
        changed("author", json!({ "id": OWN, "bot": false })),
        changed("author", json!({ "id": "9", "bot": true })),
        changed("author", Value::Null),
        changed("webhook_id", json!("5")),
        changed("type", json!(7)),
        changed("content", json!("")),
    ] {
        assert_eq!(heard("MESSAGE_CREATE", &message), None, "{message}");
    }
    assert_eq!(heard("GUILD_CREATE", &json!({ "id": "1" })), None);
    for noise in [
        "",
        "{",
        "[]",
        r#"{"op":"x"}"#,
        r#"{"op":99}"#,
        r#"{"op":0}"#,
    ] {
        assert_eq!(session(true).heard(noise), Heard::default(), "{noise}");
    }
}

#[test]
fn edits_deletions_and_typing_are_read() {
    let mut edit = direct("in blue, please");
    assert_eq!(
        heard("MESSAGE_UPDATE", &edit),
        None,
        "a preview has arrived"
    );
    edit["edited_timestamp"] = "2023-04-24T17:40:00.500000+00:00".into();
    let event = heard("MESSAGE_UPDATE", &edit).unwrap();
    assert_eq!(event.at, Some(1_682_358_000));
    assert_ne!(event.id, "1100000000000000001");
    let (message, text) = (
        "1100000000000000001".to_owned(),
        "in blue, please".to_owned(),
    );
    assert_eq!(
        event.what,
        What::Edit {
            message: message.clone(),
            text
        }
    );

    let deleted = json!({ "id": message, "channel_id": "1000000000000000009" });
    let event = heard("MESSAGE_DELETE", &deleted).unwrap();
    assert_eq!(event.what, What::Deletion { message });

    let typing = json!({ "channel_id": "5", "user_id": "8", "timestamp": 1_700_000_000 });
    assert_eq!(heard("TYPING_START", &typing).unwrap().what, What::Typing);
    let ours = json!({ "channel_id": "5", "user_id": OWN, "timestamp": 1_700_000_000 });
    assert_eq!(heard("TYPING_START", &ours), None);
}

#[test]
fn a_press_is_acknowledged_at_once() {
    let heard = session(false).heard(&dispatch("INTERACTION_CREATE", 2, &press()));
    assert!(matches!(&heard.events[0].what, What::Press { reply, .. } if reply == "q7"));
    let [call] = heard.calls.as_slice() else {
        panic!("{heard:?}")
    };
    let path = "/api/v10/interactions/1200000000000000001/aW50ZXJhY3Rpb246/callback";
    assert_eq!(
        (call.url.path(), call.body.as_slice()),
        (path, br#"{"type":6}"#.as_slice())
    );
}

#[test]
fn who_connects_identifies_and_beats_until_a_beat_is_not_answered() {
    let mut session = bot().gateway().unwrap().session();
    session.opened();
    assert_eq!((session.resume_at(), session.interval()), (None, None));
    let greeted = session.heard(&hello());
    let identify = read(&greeted.replies[0]);
    assert_eq!(
        (&identify["op"], &identify["d"]["intents"]),
        (&json!(2), &json!(20_992))
    );
    assert_eq!(session.interval(), Some(Duration::from_millis(41_250)));
    assert_eq!(
        read(&session.beat().unwrap()),
        json!({ "op": 1, "d": null })
    );
    session.heard(&frame(11, &Value::Null));
    session.heard(&ready());
    assert_eq!(read(&session.beat().unwrap()), json!({ "op": 1, "d": 1 }));
    assert_eq!(session.beat(), None, "the last one was not answered");
    // Asked for, it is sent at once.
    let asked = session.heard(&frame(1, &Value::Null));
    assert_eq!(read(&asked.replies[0]), json!({ "op": 1, "d": 1 }));
}

#[test]
fn a_session_is_resumed_until_it_is_called_invalid() {
    let mut session = session(true);
    session.heard(&dispatch("TYPING_START", 42, &json!({})));
    assert_eq!(session.heard(&frame(7, &Value::Null)).then, Then::Reconnect);
    let url = session.resume_at().unwrap();
    assert_eq!(
        url.as_str(),
        "wss://gateway-us-east1-b.discord.gg/?v=10&encoding=json"
    );
    session.opened();
    let resume = read(&session.heard(&hello()).replies[0]);
    let expected = json!({ "token": "a.bot.token", "session_id": "session-1", "seq": 42 });
    assert_eq!((&resume["op"], &resume["d"]), (&json!(6), &expected));
    assert_eq!(session.heard(&frame(9, &json!(true))).then, Then::Reconnect);
    assert!(session.resume_at().is_some());
    assert_eq!(
        session.heard(&frame(9, &json!(false))).then,
        Then::Reconnect
    );
    assert_eq!(session.resume_at(), None);
    session.opened();
    assert_eq!(read(&session.heard(&hello()).replies[0])["op"], 2);
}

#[test]
fn a_gateway_that_hangs_up_again_and_again_refuses_the_bot() {
    let mut session = bot().gateway().unwrap().session();
    for _ in 0..5 {
        session.opened();
        assert_eq!(session.heard(&hello()).then, Then::Listen);
    }
    session.opened();
    assert!(matches!(session.heard(&hello()).then, Then::Refused(_)));
}

#[test]
fn the_gateway_is_where_the_api_says() {
    let bot = bot();
    let gateway = bot.gateway().unwrap();
    assert_eq!(
        gateway.request().unwrap().url.path(),
        "/api/v10/gateway/bot"
    );
    let address = |status, body: Value| {
        gateway.address(Some(&Answer {
            status,
            headers: &HeaderMap::new(),
            body: body.to_string().as_bytes(),
        }))
    };
    let told = |url: &str, remaining: u64| {
        let limit = json!({ "total": 1000, "remaining": remaining, "reset_after": 5000 });
        json!({ "url": url, "shards": 1, "session_start_limit": limit })
    };
    let url = address(200, told("wss://gateway.discord.gg", 9)).unwrap();
    assert_eq!(url.as_str(), "wss://gateway.discord.gg/?v=10&encoding=json");
    let after = Some(Duration::from_secs(5));
    let spent = address(200, told("wss://gateway.discord.gg", 0));
    assert_eq!(spent, Err(SendError::Later { status: 200, after }));
    assert!(address(200, told("ws://gateway.discord.gg", 9)).is_err());
    assert_eq!(
        address(401, json!({ "code": 0 })),
        Err(SendError::Unauthorized)
    );
    assert!(gateway.address(None).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn malformed_texts_are_passed_over(
        start in 0_usize..400,
        junk in "\\PC{0,40}",
        length in 0_usize..400,
    ) {
        let text: Vec<char> = dispatch("MESSAGE_CREATE", 2, &of_guild("hi")).chars().collect();
        let start = start.min(text.len());
        let end = (start + length).min(text.len());
        let begin: String = text[..start].iter().collect();
        let rest: String = text[end..].iter().collect();
        let _ = session(true).heard(&format!("{begin}{junk}{rest}"));
    }
}
