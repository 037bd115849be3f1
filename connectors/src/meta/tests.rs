use super::*;
use http::{HeaderMap, HeaderValue};

use crate::channel::{Connector, Received};
use crate::text::Unit;

const VERIFY_TOKEN: &str = "what-the-address-was-registered-with";

pub(crate) fn app() -> App {
    App {
        base: Url::parse("https://graph.facebook.com").unwrap(),
        version: "v25.0".to_owned(),
        token: "EAAtoken".to_owned(),
        secrets: vec!["frontdesk-app-secret".to_owned(), "the-next".to_owned()],
        verify_token: VERIFY_TOKEN.to_owned(),
        proves: false,
    }
}

pub(crate) fn asked(
    connector: &dyn Connector,
    method: &Method,
    query: &str,
    signature: &str,
    body: &[u8],
) -> Result<Received, HookError> {
    let mut headers = HeaderMap::new();
    if !signature.is_empty() {
        headers.insert(SIGNATURE, HeaderValue::from_str(signature).unwrap());
    }
    connector.receive(&Hook {
        method,
        url: &format!("https://shop.example/hooks/meta/shop{query}"),
        headers: &headers,
        body,
        at: 1_767_225_601,
    })
}

/// What is read of `body`, signed by the second of the app's secrets.
pub(crate) fn received(connector: &dyn Connector, body: &[u8]) -> Result<Received, HookError> {
    let signature = format!("sha256={}", hex(&hmac_sha256(b"the-next", &[body])));
    asked(connector, &Method::POST, "", &signature, body)
}

pub(crate) fn said(
    connector: &dyn Connector,
    status: u16,
    body: &Value,
) -> Result<Sent, SendError> {
    connector.accepted(&Answer {
        status,
        headers: &HeaderMap::new(),
        body: body.to_string().as_bytes(),
    })
}

/// What an error of that code and subcode means, with a status that says nothing.
pub(crate) fn refused(connector: &dyn Connector, code: i64, subcode: i64) -> SendError {
    let error = serde_json::json!({ "error": {
        "message": "(#1) Not so", "code": code, "error_subcode": subcode,
        "error_data": { "details": "because" },
    } });
    said(connector, 400, &error).unwrap_err()
}

/// That a hook is read by whom it comes from alone.
pub(crate) fn asks_who_it_is(connector: &dyn Connector) {
    let body = b"{";
    let by = |secret: &str| hex(&hmac_sha256(secret.as_bytes(), &[body]));
    let signed = by("frontdesk-app-secret");
    let wrong = [
        String::new(),
        "sha256=".to_owned(),
        signed.clone(),
        format!("sha1={signed}"),
        format!("sha256={}", by("another")),
        format!("sha256={}", by("")),
    ];
    for signature in wrong {
        let refused = asked(connector, &Method::POST, "", &signature, body);
        assert_eq!(refused, Err(HookError::BadSignature), "{signature:?}");
    }
    let signature = format!("sha256={signed}");
    let refused = asked(connector, &Method::POST, "", &signature, body);
    assert_eq!(refused, Err(HookError::Malformed));

    let shake = |mode: &str, token: &str| {
        let query = format!("?hub.mode={mode}&hub.verify_token={token}&hub.challenge=1158201444");
        asked(connector, &Method::GET, &query, "", b"")
    };
    let reply = shake("subscribe", VERIFY_TOKEN).unwrap().reply;
    assert_eq!(reply, Some(Reply::text("1158201444")));
    for (mode, token) in [
        ("subscribe", ""),
        ("subscribe", "x"),
        ("unsubscribe", VERIFY_TOKEN),
    ] {
        assert_eq!(shake(mode, token), Err(HookError::BadSignature));
    }
}

#[test]
fn nobody_knows_an_empty_secret() {
    let mut app = app();
    app.secrets = vec![String::new()];
    app.verify_token.clear();
    let mut headers = HeaderMap::new();
    let signature = format!("sha256={}", hex(&hmac_sha256(b"", &[b"{}"])));
    headers.insert(SIGNATURE, HeaderValue::from_str(&signature).unwrap());
    for method in [Method::POST, Method::GET] {
        let refused = app.admit(&Hook {
            method: &method,
            url: "https://shop.example/?hub.mode=subscribe&hub.verify_token=&hub.challenge=1",
            headers: &headers,
            body: b"{}",
            at: 0,
        });
        assert_eq!(refused, Err(HookError::BadSignature));
    }
}

#[test]
fn requests_prove_the_app_where_it_is_asked_for() {
    let call = app().get("me");
    assert_eq!(call.url.as_str(), "https://graph.facebook.com/v25.0/me");
    assert_eq!(call.headers["authorization"], "Bearer EAAtoken");
    let proving = App {
        proves: true,
        ..app()
    };
    let query = proving.get("me").url.query().map(str::to_owned);
    let proof = "ebb34178d2f097dbeab13144a2904d0c638a34567543281b61ac5ef58988658d";
    assert_eq!(query, Some(format!("appsecret_proof={proof}")));
}

#[test]
fn files_are_fetched_from_listed_hosts_only() {
    let hosts = ["fbsbx.com".to_owned(), "http://127.0.0.1:8080".to_owned()];
    for place in [
        "https://fbsbx.com/a",
        "https://lookaside.fbsbx.com/a?b=c",
        "http://127.0.0.1:8080/a",
    ] {
        assert!(listed(place, &hosts).is_some(), "{place}");
    }
    for place in [
        "",
        "12345",
        "http://lookaside.fbsbx.com/a",
        "https://lookaside.fbsbx.com:8443/a",
        "https://notfbsbx.com/a",
        "https://fbsbx.com.shop.example/a",
        "https://fbsbx.com@shop.example/a",
        "http://127.0.0.1:8081/a",
        "file:///etc/passwd",
    ] {
        assert_eq!(listed(place, &hosts), None, "{place}");
    }
    assert_eq!(listed("https://fbsbx.com/a", &[String::new()]), None);
}

#[test]
fn the_longest_wait_counts() {
    let mut headers = HeaderMap::new();
    let usage = r#"{"10":[{"type":"a","estimated_time_to_regain_access":2},{"type":"b"}],"11":[]}"#;
    headers.insert(USAGE, HeaderValue::from_static(usage));
    let answer = Answer {
        status: 400,
        headers: &headers,
        body: br#"{"error":{"code":4}}"#,
    };
    let after = Some(Duration::from_secs(120));
    let later = Failure::of(&answer).later(Some(PAUSE));
    assert_eq!(later, SendError::Later { status: 400, after });
}

#[test]
fn answers_that_no_button_holds_are_left_for_the_text() {
    let choice = |id, label| Choice { id, label };
    let message = Outgoing {
        quick_replies: vec![
            choice("1", "Yes"),
            choice("too-long", "No"),
            choice("1", "Again"),
            choice("2", "  "),
            choice("3", "Later"),
            choice("4", "Never"),
        ],
        ..Outgoing::default()
    };
    let length = Length {
        most: 20,
        unit: Unit::Chars,
    };
    let buttons = Buttons {
        most: 2,
        label: length,
        id_bytes: 3,
    };
    let (pressed, told) = offered(&message, Some(buttons));
    let labels = |choices: &[Choice<'_>]| {
        let labels = choices.iter().map(|choice| choice.label.to_owned());
        labels.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(labels(&pressed), "Yes Later");
    assert_eq!(labels(&told), "No Again Never");
    assert_eq!(
        label("I want\n to talk to somebody", length),
        "I want to talk to s…"
    );
}
