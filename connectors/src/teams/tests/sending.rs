use proptest::prelude::*;

use super::*;
use crate::channel::Link;

fn context() -> String {
    read(&activity(&json!({}))).unwrap().context.unwrap()
}

fn sent(outgoing: &Outgoing<'_>) -> Vec<Value> {
    let calls = BOT_OF_TESTS.send(&Sending::Message(outgoing));
    calls
        .iter()
        .map(|call| {
            let path = "/emea/v3/conversations/19%3Aabc%40thread.tacv2%3Bmessageid%3D17/activities";
            assert_eq!((call.url.path(), &call.method), (path, &Method::POST));
            assert_eq!(call.auth, Auth::Bearer);
            serde_json::from_slice(&call.body).unwrap()
        })
        .collect()
}

fn choices(count: usize) -> Vec<(String, String)> {
    let choices = 0..count;
    choices
        .map(|number| {
            (
                format!("q:{number}"),
                format!("{number} {}", "long ".repeat(20)),
            )
        })
        .collect()
}

#[test]
fn text_comes_before_a_card_and_both_are_labelled() {
    let context = context();
    let names = choices(8);
    let outgoing = Outgoing {
        thread: THREAD,
        context: Some(&context),
        author: "bot",
        text: "Over <at>50</at> & *under* 3.50!\n# not a heading",
        links: vec![Link {
            title: "Terms [new]",
            url: Some("https://shop.example/a_(b)?c=1&d=2"),
        }],
        quick_replies: names
            .iter()
            .map(|(id, label)| Choice { id, label })
            .collect(),
        ..Outgoing::default()
    };
    let sent = sent(&outgoing);
    let [text, card] = sent.as_slice() else {
        panic!("{sent:?}")
    };
    let words = text["text"].as_str().unwrap();
    assert!(
        words.starts_with(
            "Over &lt;at&gt;50&lt;/at&gt; &amp; &#42;under&#42; 3.50!  \n&#35; not a heading\n\n\
         [Terms &#91;new&#93;](https://shop.example/a_%28b%29?c=1&amp;d=2)"
        ),
        "{words}"
    );
    assert!(
        words.contains("- 6 long") && words.contains("- 7 long"),
        "{words}"
    );
    assert_eq!(
        (&text["attachments"], &card["text"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(text["textFormat"], "markdown");
    assert_eq!(text["replyToId"], "17");
    assert_eq!(text["recipient"]["id"], "29:1abc");
    assert_eq!(
        text["conversation"],
        json!({ "id": THREAD, "tenantId": "72f9" })
    );
    for activity in [text, card] {
        assert_eq!(
            activity["entities"][0]["additionalType"][0],
            "AIGeneratedContent"
        );
    }
    let actions = card["attachments"][0]["content"]["actions"]
        .as_array()
        .unwrap();
    assert_eq!(actions.len(), 6);
    for action in actions {
        assert!(LABEL.holds(action["title"].as_str().unwrap()));
    }
    assert_eq!(actions[5]["data"]["msteams"]["value"]["reply"], "q:5");
}

#[test]
fn a_person_is_not_labelled_and_nothing_is_sent_to_nowhere() {
    let context = context();
    let outgoing = Outgoing {
        thread: THREAD,
        context: Some(&context),
        author: "agent",
        text: "Hello",
        ..Outgoing::default()
    };
    assert_eq!(sent(&outgoing)[0]["entities"], Value::Null);
    for context in [None, Some("{"), Some("{}")] {
        let outgoing = Outgoing {
            context,
            ..outgoing.clone()
        };
        assert_eq!(sent(&outgoing), Vec::<Value>::new());
    }
    for thread in ["", ".."] {
        let outgoing = Outgoing {
            thread,
            ..outgoing.clone()
        };
        assert_eq!(sent(&outgoing), Vec::<Value>::new());
    }
}

#[test]
fn typing_and_edits_go_to_the_conversation() {
    let context = context();
    let (thread, context) = (THREAD, Some(context.as_str()));
    let typing = BOT_OF_TESTS.send(&Sending::Typing { thread, context });
    assert_eq!(
        serde_json::from_slice::<Value>(&typing[0].body).unwrap()["type"],
        "typing"
    );
    let outgoing = Outgoing {
        thread,
        context,
        text: "Sorry: on Monday",
        ..Outgoing::default()
    };
    let outgoing = &outgoing;
    let edits = BOT_OF_TESTS.send(&Sending::Edit {
        message: "1:16",
        outgoing,
    });
    assert_eq!(edits[0].method, Method::PUT);
    assert!(edits[0].url.path().ends_with("/activities/1%3A16"));
}

fn said(status: u16, body: &Value) -> Result<Sent, SendError> {
    BOT_OF_TESTS.accepted(&Answer {
        status,
        headers: &HeaderMap::new(),
        body: body.to_string().as_bytes(),
    })
}

#[test]
fn an_answer_says_what_to_do() {
    let message = Some("1767225601000".to_owned());
    assert_eq!(
        said(201, &json!({ "id": "1767225601000" })),
        Ok(Sent { message })
    );
    let empty = Answer {
        status: 202,
        headers: &HeaderMap::new(),
        body: b"",
    };
    assert_eq!(BOT_OF_TESTS.accepted(&empty), Ok(Sent::default()));
    let failed = |status: u16, code: &str| {
        said(
            status,
            &json!({ "error": { "code": code, "message": "words" } }),
        )
        .unwrap_err()
    };
    assert_eq!(failed(401, "BotNotRegistered"), SendError::Unauthorized);
    assert_eq!(failed(401, "Unauthorized"), SendError::Expired);
    for code in [
        "BotNotInConversationRoster",
        "ConversationBlockedByUser",
        "BotDisabledByAdmin",
    ] {
        assert!(
            matches!(failed(403, code), SendError::Unreachable { .. }),
            "{code}"
        );
    }
    let inner = json!({ "errorCode": 209, "message": "{\"subCode\":\"MessageWritesBlocked\"}" });
    assert!(matches!(
        said(403, &inner),
        Err(SendError::Unreachable { .. })
    ));
    for (status, code) in [
        (400, "BadArgument"),
        (404, "ConversationNotFound"),
        (403, "InvalidBotApiHost"),
        (413, "MessageSizeTooBig"),
        (500, "ServiceError"),
        (404, "ActivityNotFoundInConversation"),
    ] {
        assert!(
            matches!(failed(status, code), SendError::Refused { .. }),
            "{code}"
        );
    }
    for (status, code) in [
        (412, "PreconditionFailed"),
        (429, "Throttled"),
        (502, ""),
        (503, ""),
        (504, ""),
    ] {
        assert!(
            matches!(failed(status, code), SendError::Later { .. }),
            "{status}"
        );
    }
    let mut headers = HeaderMap::new();
    headers.insert("retry-after", HeaderValue::from_static("12"));
    let busy = Answer {
        status: 429,
        headers: &headers,
        body: b"{}",
    };
    let after = Some(Duration::from_secs(12));
    assert_eq!(
        BOT_OF_TESTS.accepted(&busy),
        Err(SendError::Later { status: 429, after })
    );
    let page = Answer {
        status: 200,
        headers: &HeaderMap::new(),
        body: b"<html>",
    };
    assert!(matches!(
        BOT_OF_TESTS.accepted(&page),
        Err(SendError::Later { .. })
    ));
}

#[test]
fn tokens_are_lent_for_the_secret() {
    let source = BOT_OF_TESTS.tokens().unwrap();
    let request = source.request();
    assert_eq!(
        request.url.as_str(),
        "https://login.microsoftonline.com/botframework.com/oauth2/v2.0/token"
    );
    let form: Vec<(String, String)> = form_urlencoded::parse(&request.body).into_owned().collect();
    assert!(form.contains(&("client_secret".into(), "the secret & more".into())));
    assert!(form.contains(&("scope".into(), format!("{ISSUER}/.default"))));
    let token = |status: u16, body: Value| {
        let token = source.token(&Answer {
            status,
            headers: &HeaderMap::new(),
            body: body.to_string().as_bytes(),
        });
        token.map(|token| (token.secret, token.lasts.as_secs()))
    };
    let lent = json!({ "token_type": "Bearer", "expires_in": 86399, "access_token": "t" });
    assert_eq!(token(200, lent.clone()), Ok(("t".to_owned(), 86399)));
    // The probe is the same request.
    assert_eq!(said(200, &lent), Ok(Sent::default()));
    let refused = json!({ "error": "invalid_client", "error_description": "AADSTS7000215" });
    assert_eq!(token(401, refused.clone()), Err(SendError::Unauthorized));
    assert_eq!(said(401, &refused), Err(SendError::Unauthorized));
    assert!(matches!(
        token(503, json!({})),
        Err(SendError::Later { .. })
    ));
    assert!(matches!(
        token(200, json!({})),
        Err(SendError::Later { .. })
    ));
}

#[test]
fn a_file_is_fetched_with_the_token_of_the_service_only() {
    let files = BOT_OF_TESTS.files().unwrap();
    let auth = |place: &str| files.request(place).map(|call| call.auth);
    assert_eq!(
        auth("https://smba.trafficmanager.net/emea/v3/a/views/o"),
        Some(Auth::Bearer)
    );
    assert_eq!(
        auth("https://shop-my.sharepoint.com/get?a=1"),
        Some(Auth::Complete)
    );
    for place in [
        "https://evil.example/smba.trafficmanager.net",
        "https://evilsharepoint.com/",
        "https://sharepoint.com.evil.example/",
        "http://shop.sharepoint.com/",
        "https://smba.trafficmanager.net@evil.example/",
        "https://smba.trafficmanager.net:8443/",
        "data:image/png;base64,AA==",
        "none",
    ] {
        assert_eq!(auth(place), None, "{place}");
    }
    let fetched = |status: u16| {
        files.fetched(&Answer {
            status,
            headers: &HeaderMap::new(),
            body: b"\xff\xd8",
        })
    };
    assert_eq!(fetched(200), Ok(Fetched::File));
    assert_eq!(fetched(401), Err(SendError::Expired));
    assert!(matches!(fetched(404), Err(SendError::Refused { .. })));
}

proptest! {
    #[test]
    fn every_piece_is_within_the_limit(text in "[\\PC\n*_#<&]{0,6000}", title in "\\PC{1,60}") {
        let context = context();
        let outgoing = Outgoing {
            thread: THREAD,
            context: Some(&context),
            text: &text,
            links: vec![Link { title: &title, url: Some("https://shop.example/") }],
            ..Outgoing::default()
        };
        for activity in sent(&outgoing) {
            let text = activity["text"].as_str().unwrap();
            prop_assert!(!text.is_empty() && BOT_OF_TESTS.limits().text.holds(text));
        }
    }
}
