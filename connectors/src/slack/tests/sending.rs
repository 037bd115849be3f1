use super::*;
use crate::channel::Link;

fn sent(outgoing: &Outgoing<'_>) -> Vec<Value> {
    let calls = bot().send(&Sending::Message(outgoing));
    calls
        .iter()
        .map(|call| {
            assert_eq!(call.url.path(), "/api/chat.postMessage");
            assert_eq!(call.headers["authorization"], "Bearer xoxb-1");
            serde_json::from_slice(&call.body).unwrap()
        })
        .collect()
}

#[test]
fn marks_are_escaped_and_links_follow() {
    let outgoing = Outgoing {
        thread: "C1/1767225500.000100",
        key: "k",
        text: "<!channel> fish & chips",
        links: vec![Link {
            title: "Terms & more",
            url: Some("https://shop.example/?a=1&b=|2"),
        }],
        ..Outgoing::default()
    };
    let sent = sent(&outgoing);
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0]["channel"], "C1");
    assert_eq!(sent[0]["thread_ts"], "1767225500.000100");
    assert_eq!(
        sent[0]["text"],
        "&lt;!channel&gt; fish &amp; chips\n\n<https://shop.example/?a=1&amp;b=%7C2|Terms &amp; more>"
    );
    assert_eq!(sent[0]["metadata"]["event_payload"]["id"], "k-0");
    assert_eq!(sent[0]["blocks"], Value::Null);
}

#[test]
fn buttons_stand_under_the_last_piece_and_the_others_are_told() {
    let labels: Vec<String> = (0..30).map(|n| format!("{n}{}", "é".repeat(80))).collect();
    let choices = labels.iter().map(|label| Choice { id: "q:1", label });
    let outgoing = Outgoing {
        thread: "D7",
        text: &"It is. ".repeat(700),
        quick_replies: choices.collect(),
        ..Outgoing::default()
    };
    let sent = sent(&outgoing);
    assert_eq!(sent.len(), 2);
    assert_eq!(sent[0]["blocks"], Value::Null);
    let section = sent[1]["blocks"][0]["text"]["text"].as_str().unwrap();
    assert!(
        section.contains("- 29é") && !section.contains("- 24é"),
        "{section}"
    );
    assert!(
        sent.iter()
            .all(|body| body["text"].as_str().unwrap().len() <= 3000 + 5 * 80)
    );
    let buttons = sent[1]["blocks"][1]["elements"].as_array().unwrap();
    assert_eq!(
        (buttons.len(), &buttons[3]["action_id"]),
        (25, &"qr_3".into())
    );
    for button in buttons {
        let label = button["text"]["text"].as_str().unwrap();
        assert!(BUTTONS.label.holds(label) && label.ends_with('…'));
    }
}

#[test]
fn edits_and_the_assistants_status_are_sent() {
    let outgoing = Outgoing {
        thread: "D7",
        text: "Taken back.",
        ..Outgoing::default()
    };
    let message = "D7/1767225500.000100";
    let calls = bot().send(&Sending::Edit {
        message,
        outgoing: &outgoing,
    });
    let body: Value = serde_json::from_slice(&calls[0].body).unwrap();
    assert_eq!(calls[0].url.path(), "/api/chat.update");
    assert_eq!(body["ts"], "1767225500.000100");
    assert_eq!(body["blocks"], json!([]));
    let typing = |thread| {
        let context = None;
        bot().send(&Sending::Typing { thread, context })
    };
    let status = typing("D7/1767225500.000100");
    assert_eq!(status[0].url.path(), "/api/assistant.threads.setStatus");
    for thread in ["D7", "C1/1767225500.000100", "C1@U1"] {
        assert_eq!(typing(thread), [], "{thread}");
    }
}

fn said(status: u16, body: &str) -> Result<Sent, SendError> {
    bot().accepted(&Answer {
        status,
        headers: &HeaderMap::new(),
        body: body.as_bytes(),
    })
}

#[test]
fn an_answer_says_what_to_do() {
    let ok = r#"{"ok":true,"channel":"D7","ts":"1767225603.000400"}"#;
    let message = Some("D7/1767225603.000400".to_owned());
    assert_eq!(said(200, ok), Ok(Sent { message }));
    assert_eq!(said(200, "ok"), Ok(Sent::default()));
    let error = |error: &str| said(200, &json!({ "ok": false, "error": error }).to_string());
    for name in ["invalid_auth", "account_inactive", "token_revoked"] {
        assert_eq!(error(name), Err(SendError::Unauthorized), "{name}");
    }
    for name in ["internal_error", "fatal_error", "service_unavailable"] {
        assert!(
            matches!(error(name), Err(SendError::Later { .. })),
            "{name}"
        );
    }
    for name in ["channel_not_found", "not_in_channel", "is_archived"] {
        let reason = name.to_owned();
        assert_eq!(error(name), Err(SendError::Unreachable { reason }));
    }
    for name in [
        "missing_scope",
        "msg_too_long",
        "msg_blocks_too_long",
        "invalid_blocks",
        "no_text",
    ] {
        assert!(
            matches!(error(name), Err(SendError::Refused { .. })),
            "{name}"
        );
    }
    for (status, body) in [(500, ""), (503, "<html>"), (200, "<html>")] {
        assert!(matches!(said(status, body), Err(SendError::Later { .. })));
    }
    let mut headers = HeaderMap::new();
    headers.insert("retry-after", HeaderValue::from_static("30"));
    let limited = bot().accepted(&Answer {
        status: 429,
        headers: &headers,
        body: b"",
    });
    let after = Some(Duration::from_secs(30));
    assert_eq!(limited, Err(SendError::Later { status: 429, after }));
}

proptest! {
    #[test]
    fn every_piece_is_within_the_limit(
        text in "(\\PC|[<&>]){1,9000}",
        title in "\\PC{1,60}",
        has_buttons in any::<bool>(),
    ) {
        let choice = Choice { id: "1", label: &title };
        let outgoing = Outgoing {
            thread: "D7",
            text: &text,
            links: vec![Link { title: &title, url: Some("https://shop.example/") }],
            quick_replies: vec![choice; usize::from(has_buttons)],
            ..Outgoing::default()
        };
        for body in sent(&outgoing) {
            let text = body["text"].as_str().unwrap();
            let most = if has_buttons { SECTION } else { TEXT };
            prop_assert!(!text.is_empty() && Unit::Utf16.count(text) <= most);
        }
    }
}
