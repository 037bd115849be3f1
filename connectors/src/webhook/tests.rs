use proptest::prelude::*;

use super::*;
use crate::channel::{Choice, Link};

const SECRET: &str = "whsec_b3VyIHNlY3JldCBvZiB0aGUgdGVzdHM";
const OTHER: &str = "whsec_YW5vdGhlciBzZWNyZXQgb2YgdGhlIHRlc3Rz";
const NOW: i64 = 1_767_225_600;

fn webhook(keys: &[&str]) -> Webhook {
    let keys = keys.iter().map(|key| Key::parse(key).unwrap());
    let url = Url::parse("https://front.example/hook").unwrap();
    Webhook::new(url, keys.collect())
}

/// What `webhook` reads of what another one with `keys` has signed `seconds` ago.
fn received(keys: &[&str], seconds: i64, body: &[u8]) -> Result<Vec<Incoming>, HookError> {
    let headers = webhook(keys).signed("evt-1", NOW - seconds, body);
    receive(&headers, body)
}

fn receive(headers: &HeaderMap, body: &[u8]) -> Result<Vec<Incoming>, HookError> {
    let hook = Hook {
        method: &Method::POST,
        url: "https://shop.example/hooks/webhook/app",
        headers,
        body,
        at: NOW,
    };
    let received = webhook(&[SECRET]).receive(&hook)?;
    Ok(received.events)
}

fn message() -> serde_json::Value {
    json!({
        "type": "message", "id": "m-1", "conversation": "app-77",
        "user": { "id": "u-5", "name": "Ana", "language": "es" },
        "text": "¿Dónde está?", "attachments": [{ "url": "https://a.example/a.pdf", "name": "a.pdf" }],
        "at": "2026-01-01T00:00:00Z", "something": "new",
    })
}

#[test]
fn a_signed_message_is_read() {
    let body = message().to_string();
    let events = received(&[SECRET], 0, body.as_bytes()).unwrap();
    let [event] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert_eq!(
        (event.id.as_str(), event.thread.as_str()),
        ("m-1", "app-77")
    );
    assert_eq!(event.at, Some(NOW));
    assert_eq!(event.sender.language.as_deref(), Some("es"));
    let What::Message { text, media, .. } = &event.what else {
        panic!("{event:?}")
    };
    assert_eq!(text, "¿Dónde está?");
    assert_eq!(media[0].name.as_deref(), Some("a.pdf"));
}

#[test]
fn each_kind_of_event_is_read_and_unknown_ones_are_passed_over() {
    let read = |kind: &str| {
        let mut body = message();
        body["type"] = kind.into();
        body["payload"] = "track".into();
        let events = received(&[SECRET], 0, body.to_string().as_bytes()).unwrap();
        events
            .into_iter()
            .next()
            .map(|event| (event.id, event.what))
    };
    let reply = "track".to_owned();
    let press = What::Press {
        reply,
        receipt: None,
    };
    assert_eq!(read("press"), Some(("m-1".into(), press)));
    let message = "m-1".to_owned();
    // Changing a message is another event than writing it.
    assert_eq!(
        read("delete"),
        Some(("evt-1".into(), What::Deletion { message }))
    );
    assert_eq!(read("human"), Some(("m-1".into(), What::Person)));
    assert_eq!(read("end"), Some(("m-1".into(), What::End)));
    assert_eq!(read("reaction"), None);
}

#[test]
fn what_is_not_signed_here_and_now_is_refused() {
    let body = message().to_string();
    let body = body.as_bytes();
    assert_eq!(received(&[OTHER], 0, body), Err(HookError::BadSignature));
    assert_eq!(received(&[SECRET], 301, body), Err(HookError::WrongTime));
    assert_eq!(received(&[SECRET], -301, body), Err(HookError::WrongTime));
    assert!(received(&[SECRET], 300, body).is_ok());
    assert_eq!(
        receive(&HeaderMap::new(), body),
        Err(HookError::BadSignature)
    );
    let headers = webhook(&[SECRET]).signed("evt-1", NOW, body);
    assert_eq!(receive(&headers, b"{}"), Err(HookError::BadSignature));
    assert_eq!(received(&[SECRET], 0, b"{}"), Err(HookError::Malformed));
}

#[test]
fn keys_can_be_changed_while_messages_come() {
    let body = message().to_string();
    assert!(received(&[OTHER, SECRET], 0, body.as_bytes()).is_ok());
    for bad in [
        "",
        "whsec_",
        "whsec_%%",
        "whsk_aGk=",
        "whpk_aGk=",
        "sec_aGk=",
    ] {
        assert!(Key::parse(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn a_message_leaves_signed_in_parts_with_links_and_buttons_on_the_last() {
    let text = format!("{}\n\n{}", "a ".repeat(1990), "b ".repeat(1990));
    let outgoing = Outgoing {
        context: None,
        heard_at: None,
        is_first: false,
        thread: "app-77",
        key: "turn-9",
        seq: 5,
        author: "bot",
        text: &text,
        links: vec![Link {
            title: "Returns",
            url: Some("https://shop.example/returns"),
        }],
        quick_replies: vec![Choice {
            id: "human",
            label: "A person, please",
        }],
        at: NOW,
    };
    let calls = webhook(&[SECRET]).send(&Sending::Message(&outgoing));
    let sent: Vec<serde_json::Value> = calls
        .iter()
        .map(|call| serde_json::from_slice(&call.body).unwrap())
        .collect();
    assert_eq!(sent.len(), 2);
    assert_eq!(sent[0]["data"]["sources"], json!([]));
    assert_eq!(sent[1]["data"]["sources"][0]["title"], "Returns");
    assert_eq!(sent[1]["data"]["actions"][0]["id"], "human");
    assert_eq!(sent[1]["timestamp"], "2026-01-01T00:00:00Z");
    assert_eq!(calls[0].headers[ID], "turn-9");
    assert_eq!(calls[1].headers[ID], "turn-9-1");
    // The receiver checks it as we check what comes.
    let hook = Hook {
        method: &Method::POST,
        url: "",
        headers: &calls[1].headers,
        body: &calls[1].body,
        at: NOW,
    };
    assert_eq!(webhook(&[SECRET]).verified(&hook), Ok("turn-9-1"));
}

#[test]
fn an_answer_says_whether_to_send_again() {
    let webhook = webhook(&[SECRET]);
    let mut headers = HeaderMap::new();
    headers.insert(header::RETRY_AFTER, HeaderValue::from_static("7"));
    let said = |status| {
        webhook.accepted(&Answer {
            status,
            headers: &headers,
            body: b"no",
        })
    };
    assert!(said(202).is_ok());
    let after = Some(Duration::from_secs(7));
    assert_eq!(said(503), Err(SendError::Later { status: 503, after }));
    assert_eq!(said(401), Err(SendError::Unauthorized));
    assert!(matches!(said(410), Err(SendError::Unreachable { .. })));
    assert!(matches!(said(302), Err(SendError::Refused { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn malformed_bodies_are_refused(
        start in 0_usize..400,
        junk in prop::collection::vec(any::<u8>(), 0..40),
        length in 0_usize..400,
    ) {
        let mut body = message().to_string().into_bytes();
        let start = start.min(body.len());
        let end = (start + length).min(body.len());
        body.splice(start..end, junk);
        // Whatever it is: read, or refused with a reason.
        let _ = received(&[SECRET], 0, &body);
        let headers = webhook(&[SECRET]).signed("evt-1", NOW, b"other");
        prop_assert_eq!(receive(&headers, &body), Err(HookError::BadSignature));
    }
}
