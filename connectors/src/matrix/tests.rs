use http::{HeaderMap, HeaderValue};
use proptest::prelude::*;

use super::*;
use crate::channel::{Incoming, Receipt, Reply, What};

mod sending;
mod sync;

const HS_TOKEN: &str = "a-token-of-the-homeserver";
const OWN: &str = "@frontdesk:example.org";
const ANA: &str = "@ana:example.org";
const ROOM: &str = "!r:example.org";

fn settings(in_groups: bool) -> Settings {
    Settings {
        homeserver: Url::parse("https://matrix.example.org").unwrap(),
        token: "as-token".to_owned(),
        hook_token: HS_TOKEN.to_owned(),
        user: OWN.to_owned(),
        servers: vec!["example.org".to_owned()],
        in_groups,
        cannot_read: Some("We cannot read this.".to_owned()),
    }
}

fn bot() -> Matrix {
    Matrix::new(settings(false))
}

fn receive(
    bot: &Matrix,
    (method, path): (&Method, &str),
    authorization: Option<&str>,
    body: &[u8],
) -> Result<Received, HookError> {
    let mut headers = HeaderMap::new();
    if let Some(value) = authorization {
        headers.insert("authorization", HeaderValue::from_str(value).unwrap());
    }
    bot.receive(&Hook {
        method,
        url: &format!("https://shop.example/hooks/matrix/shop{path}"),
        headers: &headers,
        body,
        at: 1_767_225_601,
    })
}

const TRANSACTION: (&Method, &str) = (&Method::PUT, "/_matrix/app/v1/transactions/17");

fn told(bot: &Matrix, body: &Value) -> Received {
    let authorization = format!("Bearer {HS_TOKEN}");
    let body = body.to_string();
    receive(bot, TRANSACTION, Some(&authorization), body.as_bytes()).unwrap()
}

fn pushed(in_groups: bool, event: &Value) -> Received {
    told(
        &Matrix::new(settings(in_groups)),
        &json!({ "events": [event] }),
    )
}

fn read(event: &Value) -> Option<Incoming> {
    pushed(false, event).events.into_iter().next()
}

fn event(kind: &str, content: Value) -> Value {
    json!({
        "type": kind, "event_id": "$abc", "room_id": ROOM, "sender": ANA,
        "origin_server_ts": 1_767_225_600_123_i64, "content": content,
    })
}

fn text(body: &str) -> Value {
    event(
        "m.room.message",
        json!({ "msgtype": "m.text", "body": body }),
    )
}

fn member(user: &str, membership: &str, before: Option<&str>) -> Value {
    let mut member = event("m.room.member", json!({ "membership": membership }));
    member["state_key"] = user.into();
    if let Some(before) = before {
        member["unsigned"] = json!({ "prev_content": { "membership": before } });
    }
    member
}

fn text_of(event: Option<Incoming>) -> Option<String> {
    let What::Message { text, .. } = event?.what else {
        panic!("no message");
    };
    Some(text)
}

fn paths<'a>(calls: &'a [Call]) -> Vec<&'a str> {
    let path = |call: &'a Call| call.url.path().strip_prefix("/_matrix/client/v3");
    calls.iter().map(|call| path(call).unwrap()).collect()
}

#[test]
fn a_message_is_read_with_its_writer() {
    let event = read(&text(" Where is my order? ")).unwrap();
    assert_eq!((event.id.as_str(), event.thread.as_str()), ("$abc", ROOM));
    assert_eq!(
        (event.sender.id.as_str(), event.at),
        (ANA, Some(1_767_225_600))
    );
    assert!(event.private);
    assert_eq!(event.context.as_deref(), Some("$abc"));
    assert_eq!(text_of(Some(event)).as_deref(), Some("Where is my order?"));
    let done = Some(Reply::json(&json!({})));
    assert_eq!(pushed(false, &text("hi")).reply, done);

    let mut threaded = text("> <@bob:example.org> quoted\n> more\n\nIn blue.");
    threaded["content"]["m.relates_to"] = json!({
        "rel_type": "m.thread", "event_id": "$root", "m.in_reply_to": { "event_id": "$p" },
    });
    let event = read(&threaded).unwrap();
    assert_eq!(event.thread, "!r:example.org/$root");
    assert_eq!(text_of(Some(event)).as_deref(), Some("In blue."));
}

#[test]
fn the_token_is_asked_for_before_anything_is_read() {
    let bearer = format!("Bearer {HS_TOKEN}");
    for authorization in [
        None,
        Some(""),
        Some(HS_TOKEN),
        Some("Bearer "),
        Some("Bearer as-token"),
    ] {
        let received = receive(&bot(), TRANSACTION, authorization, b"{");
        assert_eq!(received, Err(HookError::BadSignature), "{authorization:?}");
    }
    let malformed = Err(HookError::Malformed);
    assert_eq!(receive(&bot(), TRANSACTION, Some(&bearer), b"{"), malformed);
    let with = |token: &str| {
        let path = format!("/_matrix/app/v1/transactions/1?access_token={token}");
        receive(&bot(), (&Method::PUT, &path), Some(&bearer), b"{}")
    };
    assert_eq!(with("another"), Err(HookError::BadSignature));
    assert!(with(HS_TOKEN).is_ok());
    // An account alone has no hook.
    let account = Matrix::new(Settings {
        hook_token: String::new(),
        ..settings(false)
    });
    let received = receive(&account, TRANSACTION, Some("Bearer "), b"{}");
    assert_eq!(received, Err(HookError::BadSignature));
}

#[test]
fn pings_are_answered_and_there_are_no_other_users() {
    let ask = |method: &Method, path: &str| {
        let bearer = format!("Bearer {HS_TOKEN}");
        receive(&bot(), (method, path), Some(&bearer), b"{}")
    };
    let done = Some(Reply::json(&json!({})));
    let ping = ask(&Method::POST, "/_matrix/app/v1/ping").unwrap();
    assert_eq!((ping.reply, ping.events), (done.clone(), vec![]));
    assert_eq!(ask(&Method::PUT, "/transactions/1").unwrap().reply, done);
    for path in [
        "users/@frontdesk_x:example.org",
        "rooms/%23shop:example.org",
        "other",
    ] {
        let asked = ask(&Method::GET, &format!("/_matrix/app/v1/{path}"));
        assert_eq!(asked, Err(HookError::Malformed), "{path}");
    }
}

#[test]
fn invitations_into_direct_rooms_are_followed() {
    let invitation = |sender: &str, is_direct: bool| {
        let mut invitation = member(OWN, "invite", None);
        invitation["sender"] = sender.into();
        invitation["content"]["is_direct"] = is_direct.into();
        invitation
    };
    let direct = pushed(false, &invitation(ANA, true));
    assert_eq!(paths(&direct.calls), ["/join/!r:example.org"]);
    assert_eq!(direct.events[0].what, What::Start);
    for refused in [invitation(ANA, false), invitation("@eve:example.com", true)] {
        let received = pushed(false, &refused);
        assert_eq!(paths(&received.calls), ["/rooms/!r:example.org/leave"]);
        assert_eq!(received.events, []);
    }
    let group = pushed(true, &invitation(ANA, false));
    assert_eq!(
        (paths(&group.calls), group.events),
        (vec!["/join/!r:example.org"], vec![])
    );
    // Once there, what was written before is asked for.
    let joined = pushed(false, &member(OWN, "join", Some("invite")));
    assert_eq!(joined.bell.as_deref(), Some("!r:example.org $abc"));
    assert_eq!(pushed(false, &member(OWN, "join", Some("join"))).bell, None);
}

#[test]
fn a_direct_room_is_left_when_somebody_else_comes_or_the_customer_goes() {
    for (membership, before) in [("invite", None), ("join", None), ("join", Some("leave"))] {
        let received = pushed(false, &member("@bob:example.org", membership, before));
        assert_eq!(paths(&received.calls), ["/rooms/!r:example.org/leave"]);
        assert_eq!(
            pushed(true, &member("@bob:example.org", membership, before)).calls,
            []
        );
    }
    // Nobody can hide behind odd content.
    let mut odd = member("@bob:example.org", "join", None);
    odd["content"]["body"] = 5.into();
    odd["content"]["is_direct"] = "x".into();
    assert_eq!(pushed(false, &odd).calls.len(), 1);
    // A new name.
    assert_eq!(pushed(false, &member(ANA, "join", Some("join"))).calls, []);
    let gone = pushed(false, &member(ANA, "leave", Some("join")));
    assert_eq!(
        (gone.events[0].what.clone(), gone.calls.len()),
        (What::End, 1)
    );
    let removed = pushed(false, &member(OWN, "ban", Some("join")));
    assert_eq!(
        (removed.events[0].what.clone(), removed.calls.len()),
        (What::End, 0)
    );
}

#[test]
fn in_a_group_only_those_who_mention_the_bot_are_heard() {
    let group = |content: Value| {
        let received = pushed(true, &event("m.room.message", content));
        received.events.into_iter().next()
    };
    let plain = |body: &str| json!({ "msgtype": "m.text", "body": body });
    assert_eq!(group(plain("where is my order?")), None);
    let named = group(plain("@frontdesk:example.org: where is my order?")).unwrap();
    assert!(!named.private);
    assert_eq!(text_of(Some(named)).as_deref(), Some("where is my order?"));
    let pill = |mentions: Value| {
        let mut content = plain("Hello Shop, where is my order?");
        content["formatted_body"] =
            "Hello <a href=\"https://matrix.to/#/@frontdesk:example.org\">Shop</a>, \
             where is my order?"
                .into();
        content["m.mentions"] = mentions;
        group(content)
    };
    let heard = "Hello where is my order?";
    assert_eq!(
        text_of(pill(json!({ "user_ids": [OWN] }))).as_deref(),
        Some(heard)
    );
    assert_eq!(text_of(pill(Value::Null)).as_deref(), Some(heard));
    assert_eq!(pill(json!({})), None);
}

#[test]
fn files_edits_deletions_typing_and_receipts_are_read() {
    let mut photo = json!({
        "msgtype": "m.image", "body": "a.png", "url": "mxc://example.org/abc",
        "info": { "mimetype": "image/png", "size": 123 },
    });
    let of = |photo: &Value| {
        let What::Message {
            text, mut media, ..
        } = read(&event("m.room.message", photo.clone())).unwrap().what
        else {
            panic!("no message")
        };
        (text, media.remove(0))
    };
    let (text, media) = of(&photo);
    assert_eq!((text.as_str(), media.name.as_deref()), ("", Some("a.png")));
    assert_eq!(
        (media.place.as_str(), media.size),
        ("mxc://example.org/abc", Some(123))
    );
    photo["filename"] = "b.png".into();
    photo["body"] = "It is broken".into();
    let (text, media) = of(&photo);
    assert_eq!(
        (text.as_str(), media.name.as_deref()),
        ("It is broken", Some("b.png"))
    );

    let edit = event(
        "m.room.message",
        json!({
            "msgtype": "m.text", "body": "* in blue", "m.new_content": { "msgtype": "m.text", "body": "in blue" },
            "m.relates_to": { "rel_type": "m.replace", "event_id": "$first" },
        }),
    );
    let (message, text) = ("$first".to_owned(), "in blue".to_owned());
    assert_eq!(
        read(&edit).unwrap().what,
        What::Edit {
            message: message.clone(),
            text
        }
    );
    let mut old = event("m.room.redaction", json!({}));
    old["redacts"] = "$first".into();
    let new = event("m.room.redaction", json!({ "redacts": "$first" }));
    for redaction in [old, new] {
        let message = message.clone();
        assert_eq!(read(&redaction).unwrap().what, What::Deletion { message });
    }
    let typing =
        json!({ "type": "m.typing", "room_id": ROOM, "content": { "user_ids": [OWN, ANA] } });
    let receipts = json!({ "type": "m.receipt", "room_id": ROOM,
        "content": { "$ours": { "m.read": { ANA: { "ts": 5 }, OWN: { "ts": 5 } } } } });
    let events = told(&bot(), &json!({ "ephemeral": [typing, receipts] })).events;
    let what: Vec<What> = events.into_iter().map(|event| event.what).collect();
    let (message, receipt) = ("$ours".to_owned(), Receipt::Read);
    assert_eq!(what, [What::Typing, What::Receipt { message, receipt }]);
}

#[test]
fn what_nobody_said_to_the_bot_is_passed_over() {
    let mut ours = text("hello");
    ours["sender"] = OWN.into();
    let notice = event(
        "m.room.message",
        json!({ "msgtype": "m.notice", "body": "I am a bot" }),
    );
    let unknown = event(
        "m.room.message",
        json!({ "msgtype": "m.new", "body": "hello" }),
    );
    let odd = event("m.room.message", json!({ "msgtype": "m.text", "body": 5 }));
    let mut state = text("hello");
    state["state_key"] = "".into();
    let topic = event("m.room.topic", json!({ "topic": "Orders" }));
    for passed in [
        ours,
        notice,
        unknown,
        odd,
        state,
        topic,
        json!("x"),
        text(" "),
    ] {
        let received = pushed(false, &passed);
        assert_eq!(
            (received.events, received.calls),
            (vec![], vec![]),
            "{passed}"
        );
    }
    let encrypted = pushed(
        false,
        &event("m.room.encrypted", json!({ "ciphertext": "x" })),
    );
    assert_eq!(encrypted.events, []);
    let path = "/rooms/!r:example.org/send/m.room.message/encrypted";
    assert_eq!(paths(&encrypted.calls), [path]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn malformed_bodies_are_refused(
        start in 0_usize..500,
        junk in prop::collection::vec(any::<u8>(), 0..40),
        length in 0_usize..500,
    ) {
        let events = json!({ "events": [text("hi"), member(OWN, "invite", None)] });
        let mut body = events.to_string().into_bytes();
        let start = start.min(body.len());
        let end = (start + length).min(body.len());
        body.splice(start..end, junk);
        // Whatever it is: read, or refused with a reason.
        let bearer = format!("Bearer {HS_TOKEN}");
        let _ = receive(&bot(), TRANSACTION, Some(&bearer), &body);
    }
}
