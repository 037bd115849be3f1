//! What is sent, and how it is answered.

use super::*;
use crate::channel::{Choice, Link};

fn sent(bot: &Matrix, outgoing: &Outgoing<'_>) -> Vec<Value> {
    let calls = bot.send(&Sending::Message(outgoing));
    let read = |call: &Call| serde_json::from_slice(&call.body).unwrap();
    calls.iter().map(read).collect()
}

#[test]
fn a_message_is_a_notice_with_links_and_choices() {
    let outgoing = Outgoing {
        thread: "!r:example.org/$root",
        key: "k-1",
        context: Some("$abc"),
        author: "bot",
        text: "Over <50 & \"new\".\nYes.",
        links: vec![Link {
            title: "Terms",
            url: Some("https://shop.example/?a=1&b=2"),
        }],
        quick_replies: vec![Choice {
            id: "1",
            label: "Thanks",
        }],
        ..Outgoing::default()
    };
    let call = &bot().send(&Sending::Message(&outgoing))[0];
    assert_eq!(call.method, Method::PUT);
    let path = "/_matrix/client/v3/rooms/!r:example.org/send/m.room.message/k-1-0";
    assert_eq!(
        (call.url.path(), &call.headers["authorization"]),
        (path, &HeaderValue::from_static("Bearer as-token"))
    );
    let body = &sent(&bot(), &outgoing)[0];
    assert_eq!(body["msgtype"], "m.notice");
    assert_eq!(
        body["body"],
        "Over <50 & \"new\".\nYes.\n\nTerms: https://shop.example/?a=1&b=2\n\n- Thanks"
    );
    assert_eq!(
        body["formatted_body"],
        "Over &lt;50 &amp; &quot;new&quot;.<br>Yes.<br><br>\
         <a href=\"https://shop.example/?a=1&amp;b=2\">Terms</a><br><br>- Thanks"
    );
    assert_eq!(body["m.relates_to"]["event_id"], "$root");
    assert_eq!(body["m.relates_to"]["m.in_reply_to"]["event_id"], "$abc");

    let simple = Outgoing {
        thread: ROOM,
        author: "agent",
        text: "Yes",
        context: Some("$abc"),
        ..Outgoing::default()
    };
    let expected = json!({ "msgtype": "m.text", "body": "Yes", "m.mentions": {} });
    assert_eq!(sent(&bot(), &simple)[0], expected);
    let answered = &sent(&Matrix::new(settings(true)), &simple)[0]["m.relates_to"];
    assert_eq!(
        *answered,
        json!({ "m.in_reply_to": { "event_id": "$abc" } })
    );
}

#[test]
fn a_message_is_changed_and_typing_is_shown() {
    let outgoing = Outgoing {
        thread: ROOM,
        key: "k",
        text: "Now this.",
        ..Outgoing::default()
    };
    let edit = |outgoing| {
        bot()
            .send(&Sending::Edit {
                message: "$x",
                outgoing,
            })
            .remove(0)
    };
    let call = edit(&outgoing);
    let body: Value = serde_json::from_slice(&call.body).unwrap();
    assert_eq!(
        (&body["body"], &body["m.new_content"]["body"]),
        (&json!("* Now this."), &json!("Now this."))
    );
    assert_eq!(
        body["m.relates_to"],
        json!({ "rel_type": "m.replace", "event_id": "$x" })
    );
    assert_eq!(edit(&outgoing).url, call.url);
    let other = Outgoing {
        text: "Or this.",
        ..outgoing.clone()
    };
    assert_ne!(edit(&other).url, call.url);
    let typing = bot().send(&Sending::Typing {
        thread: "!r:example.org/$root",
        context: None,
    });
    assert_eq!(
        paths(&typing),
        ["/rooms/!r:example.org/typing/@frontdesk:example.org"]
    );
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
    let code = |status, code: &str| {
        said(
            status,
            &json!({ "errcode": code, "error": "no" }).to_string(),
        )
    };
    let message = Some("$x".to_owned());
    assert_eq!(said(200, r#"{"event_id":"$x"}"#), Ok(Sent { message }));
    assert_eq!(said(200, "{}"), Ok(Sent::default()));
    assert_eq!(code(401, "M_UNKNOWN_TOKEN"), Err(SendError::Unauthorized));
    assert_eq!(
        code(403, "M_USER_DEACTIVATED"),
        Err(SendError::Unauthorized)
    );
    assert!(matches!(
        code(403, "M_FORBIDDEN"),
        Err(SendError::Unreachable { .. })
    ));
    for (status, refused) in [
        (413, "M_TOO_LARGE"),
        (404, "M_NOT_FOUND"),
        (404, "M_UNRECOGNIZED"),
    ] {
        assert!(
            matches!(code(status, refused), Err(SendError::Refused { .. })),
            "{refused}"
        );
    }
    let busy = r#"{"errcode":"M_LIMIT_EXCEEDED","error":"slow","retry_after_ms":1500}"#;
    let after = Some(Duration::from_millis(1500));
    assert_eq!(
        said(429, busy),
        Err(SendError::Later { status: 429, after })
    );
    for (status, page) in [(502, "<html>"), (200, "<html>")] {
        assert_eq!(
            said(status, page),
            Err(SendError::Later {
                status,
                after: None
            })
        );
    }
}

#[test]
fn files_are_fetched_from_the_homeserver_only() {
    let bot = bot();
    let files = bot.files().unwrap();
    let call = files.request("mxc://other.example:8448/AbC_d-1").unwrap();
    let url =
        "https://matrix.example.org/_matrix/client/v1/media/download/other.example:8448/AbC_d-1";
    assert_eq!(call.url.as_str(), url);
    for odd in [
        "https://evil.example/a",
        "mxc://example.org",
        "mxc://example.org/",
        "mxc://../a",
        "mxc://example.org/..",
        "mxc://example.org/a/b",
        "mxc://example.org/a?b",
        "mxc:///a",
        "mxc://a@b/c",
    ] {
        assert_eq!(files.request(odd), None, "{odd}");
    }
    let fetched = |status, body: &[u8]| {
        files.fetched(&Answer {
            status,
            headers: &HeaderMap::new(),
            body,
        })
    };
    assert_eq!(fetched(200, b"\xff\xd8"), Ok(Fetched::File));
    let missing = fetched(404, br#"{"errcode":"M_NOT_FOUND","error":"no"}"#);
    assert!(matches!(missing, Err(SendError::Refused { .. })));
    assert!(matches!(
        fetched(302, b"{}"),
        Err(SendError::Refused { .. })
    ));
}

proptest! {
    #[test]
    fn every_event_is_within_the_limit(text in "(\\PC|[<\"\n\\\\]){0,12000}") {
        let outgoing = Outgoing { thread: ROOM, text: &text, ..Outgoing::default() };
        for body in sent(&bot(), &outgoing) {
            prop_assert!(body.to_string().len() < 60_000);
        }
    }
}
