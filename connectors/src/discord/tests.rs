use std::sync::LazyLock;

use ed25519_dalek::{Signer, SigningKey};
use http::HeaderMap;
use proptest::prelude::*;

use super::*;
use crate::channel::{Choice, Incoming, Link, What};

mod gateway;

const NOW: i64 = 1_767_225_600;

fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

/// For tests of many cases: in their profile it takes milliseconds to compute a key.
static BOT: LazyLock<Discord> = LazyLock::new(bot);

fn settings() -> Settings {
    settings_with(hex(key().verifying_key().as_bytes()))
}

fn settings_with(public_key: String) -> Settings {
    let url = |url| Url::parse(url).unwrap();
    Settings {
        base: url("https://discord.com/api/v10"),
        files: url("https://cdn.discordapp.com"),
        token: "a.bot.token".to_owned(),
        public_key,
        about: url("https://shop.example/"),
        in_groups: true,
    }
}

fn bot() -> Discord {
    Discord::new(settings()).unwrap()
}

fn receive(
    bot: &Discord,
    headers: &[(&'static str, &str)],
    body: &[u8],
) -> Result<Received, HookError> {
    let mut named = HeaderMap::new();
    for (name, value) in headers {
        named.insert(*name, HeaderValue::from_str(value).unwrap());
    }
    bot.receive(&Hook {
        method: &Method::POST,
        url: "https://shop.example/hooks/discord/shop",
        headers: &named,
        body,
        at: NOW,
    })
}

fn signed(body: &[u8], at: i64) -> Result<Received, HookError> {
    let at = at.to_string();
    let signature = key().sign(&[at.as_bytes(), body].concat());
    let signature = hex(&signature.to_bytes());
    receive(&bot(), &[(TIMESTAMP, &at), (SIGNATURE, &signature)], body)
}

fn press() -> Value {
    json!({
        "id": "1200000000000000001", "application_id": "700000000000000001", "type": 3,
        "token": "aW50ZXJhY3Rpb246", "version": 1, "channel_id": "1000000000000000009", "context": 1,
        "user": { "id": "800000000000000001", "username": "ana" }, "locale": "en-US",
        "data": { "component_type": 2, "custom_id": "q7" }, "message": { "id": "1100000000000000002" },
    })
}

#[test]
fn a_press_is_read_and_acknowledged() {
    let received = signed(press().to_string().as_bytes(), NOW).unwrap();
    assert_eq!(received.reply, Some(Reply::json(&json!({ "type": 6 }))));
    let [event] = received.events.as_slice() else {
        panic!("{received:?}")
    };
    assert_eq!(event.id, "1200000000000000001");
    assert_eq!(event.thread, "1000000000000000009");
    assert_eq!(event.sender.language.as_deref(), Some("en-US"));
    assert_eq!(event.at, Some(1_706_172_694));
    assert!(event.private);
    let (reply, receipt) = ("q7".to_owned(), None);
    assert_eq!(event.what, What::Press { reply, receipt });

    let mut of_a_guild = press();
    of_a_guild["context"] = 0.into();
    of_a_guild["guild_id"] = "900000000000000001".into();
    of_a_guild["member"] = json!({ "user": of_a_guild["user"] });
    let event = signed(of_a_guild.to_string().as_bytes(), NOW)
        .unwrap()
        .events
        .remove(0);
    assert_eq!(event.thread, "1000000000000000009/800000000000000001");
    assert!(!event.private);
}

#[test]
fn interactions_that_are_no_presses_give_no_event() {
    let ping = signed(br#"{"type":1}"#, NOW).unwrap();
    assert_eq!(ping.reply, Some(Reply::json(&json!({ "type": 1 }))));
    let mut command = press();
    command["type"] = 2.into();
    command["data"] =
        json!({ "name": "help", "options": [{ "name": "a", "type": 3, "value": "b" }] });
    let mut select = press();
    select["data"] = json!({ "component_type": 3, "custom_id": "s", "values": ["1"] });
    // Events of the application's, whose ping wants an empty answer.
    let asked = json!({ "version": 1, "application_id": "7", "type": 0 });
    let added = json!({ "version": 1, "application_id": "7", "type": 1,
        "event": { "type": "APPLICATION_AUTHORIZED", "timestamp": "2026-01-01T00:00:00Z", "data": {} } });
    for other in [command, select, asked, added, json!({})] {
        let received = signed(other.to_string().as_bytes(), NOW);
        assert_eq!(received, Ok(Received::default()), "{other}");
    }
}

#[test]
fn the_signature_is_asked_for_before_anything_is_read() {
    assert_eq!(signed(b"{", NOW), Err(HookError::Malformed));
    assert_eq!(signed(b"{", NOW - 301), Err(HookError::WrongTime));
    assert_eq!(signed(b"{", NOW + 301), Err(HookError::WrongTime));
    let zeros = "0".repeat(128);
    let at = NOW.to_string();
    for headers in [
        vec![],
        vec![(TIMESTAMP, at.as_str())],
        vec![(TIMESTAMP, at.as_str()), (SIGNATURE, "")],
        vec![(TIMESTAMP, at.as_str()), (SIGNATURE, "+f")],
        vec![(TIMESTAMP, at.as_str()), (SIGNATURE, zeros.as_str())],
    ] {
        let received = receive(&bot(), &headers, br#"{"type":1}"#);
        assert_eq!(received, Err(HookError::BadSignature), "{headers:?}");
    }
    // Without a public key nothing is genuine.
    let without = Discord::new(Settings {
        public_key: " ".to_owned(),
        ..settings()
    })
    .unwrap();
    let headers = [(TIMESTAMP, at.as_str()), (SIGNATURE, zeros.as_str())];
    let received = receive(&without, &headers, br#"{"type":1}"#);
    assert_eq!(received, Err(HookError::BadSignature));
    for wrong in ["12", "zz", &"z".repeat(64), &"1".repeat(63)] {
        let public_key = wrong.to_owned();
        let bot = Discord::new(Settings {
            public_key,
            ..settings()
        });
        assert_eq!(bot.err(), Some(KeyError), "{wrong}");
    }
}

fn sent(outgoing: &Outgoing<'_>) -> Vec<Value> {
    let calls = BOT.send(&Sending::Message(outgoing));
    let read = |call: &Call| serde_json::from_slice(&call.body).unwrap();
    calls.iter().map(read).collect()
}

#[test]
fn marks_are_escaped_links_follow_and_nobody_is_called() {
    let outgoing = Outgoing {
        thread: "1000000000000000009/800000000000000001",
        key: "01a22f55738773e2b1849c7cacbaa243-2",
        context: Some("1100000000000000001"),
        text: "It is *here*, @everyone.",
        links: vec![Link {
            title: "Returns",
            url: Some("https://shop.example/returns"),
        }],
        ..Outgoing::default()
    };
    let calls = bot().send(&Sending::Message(&outgoing));
    let call = &calls[0];
    assert_eq!(
        call.url.path(),
        "/api/v10/channels/1000000000000000009/messages"
    );
    assert_eq!(call.headers["authorization"], "Bot a.bot.token");
    let agent = call.headers["user-agent"].to_str().unwrap();
    assert!(
        agent.starts_with("DiscordBot (https://shop.example/, "),
        "{agent}"
    );
    let body = &sent(&outgoing)[0];
    assert_eq!(
        body["content"],
        "It is \\*here\\*, @everyone.\n\n[Returns](https://shop.example/returns)"
    );
    assert_eq!(body["allowed_mentions"], json!({ "parse": [] }));
    assert_eq!(
        body["message_reference"]["message_id"],
        "1100000000000000001"
    );
    assert_eq!(body["enforce_nonce"], true);
    assert_eq!(body["nonce"].as_str().map(str::len), Some(NONCE));
    let private = Outgoing {
        thread: "1000000000000000009",
        ..outgoing
    };
    assert_eq!(sent(&private)[0].get("message_reference"), None);
}

#[test]
fn a_part_has_the_same_nonce_each_time_and_no_other_has_it() {
    let text = "Kettles are in the back of the shop. ".repeat(200);
    let outgoing = Outgoing {
        thread: "1",
        key: "k-1",
        text: &text,
        ..Outgoing::default()
    };
    let nonces = |outgoing: &Outgoing<'_>| {
        let bodies = sent(outgoing).into_iter();
        bodies
            .map(|body| body["nonce"].to_string())
            .collect::<Vec<_>>()
    };
    let first = nonces(&outgoing);
    assert_eq!(first, nonces(&outgoing));
    let other = Outgoing {
        key: "k-2",
        ..outgoing
    };
    let mut all = [first, nonces(&other)].concat();
    assert!(all.len() > 6);
    all.sort();
    all.dedup();
    assert_eq!(all.len(), sent(&other).len() * 2);
}

#[test]
fn buttons_stand_five_a_row_below_the_last_part_and_others_in_the_text() {
    let ids: Vec<String> = (0..27).map(|id| format!("q{id}")).collect();
    let (long, label) = ("i".repeat(101), "l".repeat(90));
    let text = "Which of these? ".repeat(200);
    let mut outgoing = Outgoing {
        thread: "1",
        text: &text,
        quick_replies: ids.iter().map(|id| Choice { id, label: &label }).collect(),
        ..Outgoing::default()
    };
    outgoing.quick_replies.insert(
        0,
        Choice {
            id: &long,
            label: "Long",
        },
    );
    outgoing.quick_replies.insert(
        1,
        Choice {
            id: "q0",
            label: "Again",
        },
    );
    let bodies = sent(&outgoing);
    let last = bodies.last().unwrap();
    let rows = last["components"].as_array().unwrap();
    let of_row = |row: &Value| row["components"].as_array().unwrap().len();
    assert_eq!(rows.iter().map(of_row).collect::<Vec<_>>(), [5; 5]);
    let button = &rows[0]["components"][0];
    assert_eq!(
        (&button["custom_id"], &button["label"]),
        (&json!("q0"), &json!("Again"))
    );
    let cut = rows[0]["components"][1]["label"].as_str().unwrap();
    assert_eq!((cut.chars().count(), cut.ends_with('…')), (80, true));
    let lines = last["content"].as_str().unwrap();
    assert!(lines.contains("\\- Long\n\\- lll"), "{lines}");
    let others = bodies.split_last().unwrap().1;
    assert!(!others.is_empty() && others.iter().all(|body| body.get("components").is_none()));
}

#[test]
fn a_message_is_changed_and_typing_is_shown() {
    let outgoing = Outgoing {
        thread: "5/8",
        text: "Now this.",
        ..Outgoing::default()
    };
    let calls = bot().send(&Sending::Edit {
        message: "44",
        outgoing: &outgoing,
    });
    assert_eq!(calls[0].method, Method::PATCH);
    assert_eq!(calls[0].url.path(), "/api/v10/channels/5/messages/44");
    let body: Value = serde_json::from_slice(&calls[0].body).unwrap();
    assert_eq!(
        (&body["content"], &body["components"]),
        (&json!("Now this."), &json!([]))
    );
    let calls = bot().send(&Sending::Typing {
        thread: "5/8",
        context: None,
    });
    assert_eq!(calls[0].url.path(), "/api/v10/channels/5/typing");
    assert!(bot().send(&Sending::Reminder(&outgoing)).is_empty());
    assert!(bot().send(&Sending::Seen { receipt: "1" }).is_empty());
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
    let code = |status, code: i64| {
        said(
            status,
            &json!({ "code": code, "message": "no" }).to_string(),
        )
    };
    let message = Some("44".to_owned());
    assert_eq!(
        said(200, r#"{"id":"44","channel_id":"5"}"#),
        Ok(Sent { message })
    );
    assert_eq!(
        said(200, r#"{"id":"7","username":"bot"}"#),
        Ok(Sent::default())
    );
    assert_eq!(said(204, ""), Ok(Sent::default()));
    assert_eq!(code(400, SEEN_BEFORE), Ok(Sent::default()));
    assert_eq!(code(401, 0), Err(SendError::Unauthorized));
    for unreachable in UNREACHABLE {
        let error = code(403, unreachable).unwrap_err();
        assert!(
            matches!(error, SendError::Unreachable { .. }),
            "{unreachable}"
        );
    }
    for refused in [10008, 50035, 10062, 200_000] {
        let error = code(400, refused).unwrap_err();
        assert!(matches!(error, SendError::Refused { .. }), "{refused}");
    }
    let after = Some(Duration::from_millis(64_570));
    let busy = r#"{"message":"slow","retry_after":64.57,"global":false}"#;
    assert_eq!(
        said(429, busy),
        Err(SendError::Later { status: 429, after })
    );
    let after = None;
    assert_eq!(
        said(502, "<html>"),
        Err(SendError::Later { status: 502, after })
    );
    assert_eq!(
        said(200, "<html>"),
        Err(SendError::Later { status: 200, after })
    );
    let blocked = said(403, "<html>blocked").unwrap_err();
    assert!(matches!(blocked, SendError::Refused { status: 403, .. }));
}

#[test]
fn files_are_fetched_from_discord_only_and_without_the_token() {
    let bot = bot();
    let files = bot.files().unwrap();
    let place = "https://cdn.discordapp.com/attachments/1/2/a.png?ex=6&is=5&hm=4";
    let call = files.request(place).unwrap();
    assert_eq!((call.url.as_str(), call.headers.len()), (place, 0));
    for elsewhere in [
        "http://cdn.discordapp.com/a.png",
        "https://cdn.discordapp.com.evil.example/a.png",
        "https://cdn.discordapp.com@evil.example/a.png",
        "https://u:p@cdn.discordapp.com/a.png",
        "https://cdn.discordapp.com:8443/a.png",
        "file:///etc/passwd",
        "a.png",
    ] {
        assert_eq!(files.request(elsewhere), None, "{elsewhere}");
    }
    let fetched = |status| {
        files.fetched(&Answer {
            status,
            headers: &HeaderMap::new(),
            body: b"\xff\xd8",
        })
    };
    assert_eq!(fetched(200), Ok(Fetched::File));
    assert!(matches!(fetched(404), Err(SendError::Refused { .. })));
    assert!(matches!(fetched(403), Err(SendError::Refused { .. })));
    assert!(matches!(fetched(503), Err(SendError::Later { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn malformed_bodies_are_refused(
        start in 0_usize..400,
        junk in prop::collection::vec(any::<u8>(), 0..40),
        length in 0_usize..400,
    ) {
        let mut body = press().to_string().into_bytes();
        let start = start.min(body.len());
        let end = (start + length).min(body.len());
        body.splice(start..end, junk);
        // Whatever it is: read, or refused with a reason. It is taken for signed.
        let _ = BOT.read(&body);
    }
}

proptest! {
    #[test]
    fn every_piece_is_within_the_limit(text in "(\\PC|[*_~\n]){0,5000}", title in "\\PC{1,60}") {
        let outgoing = Outgoing {
            thread: "1",
            text: &text,
            links: vec![Link { title: &title, url: Some("https://shop.example/") }],
            ..Outgoing::default()
        };
        for body in sent(&outgoing) {
            let text = body["content"].as_str().unwrap();
            prop_assert!(!text.is_empty() && BOT.limits().text.holds(text));
        }
    }
}
