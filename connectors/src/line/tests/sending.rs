use proptest::prelude::*;

use super::*;
use crate::channel::Link;

fn outgoing(text: &str) -> Outgoing<'_> {
    Outgoing {
        thread: CUSTOMER,
        key: "01a22f55-2",
        context: Some("token"),
        heard_at: Some(HEARD),
        is_first: true,
        text,
        at: HEARD + 10,
        ..Outgoing::default()
    }
}

fn sent(outgoing: &Outgoing<'_>) -> Vec<(Call, Value)> {
    let calls = account().send(&Sending::Message(outgoing));
    let calls = calls.into_iter();
    let read = calls.map(|call| {
        let body = serde_json::from_slice(&call.body).unwrap();
        (call, body)
    });
    read.collect()
}

#[test]
fn an_answer_goes_by_its_token_while_that_is_fresh() {
    let replied = sent(&outgoing("Tomorrow."));
    let [(call, body)] = replied.as_slice() else {
        panic!("{replied:?}");
    };
    assert_eq!(
        call.url.as_str(),
        "https://api.line.me/v2/bot/message/reply"
    );
    assert_eq!(call.headers[header::AUTHORIZATION], "Bearer channel-token");
    assert!(!call.headers.contains_key(RETRY_KEY));
    let messages = json!([{ "type": "text", "text": "Tomorrow." }]);
    assert_eq!(
        *body,
        json!({ "replyToken": "token", "messages": messages })
    );

    let late = Outgoing {
        at: HEARD + FRESH,
        ..outgoing("Tomorrow.")
    };
    let unheard = Outgoing {
        heard_at: None,
        ..outgoing("Tomorrow.")
    };
    let without = Outgoing {
        context: None,
        ..outgoing("Tomorrow.")
    };
    for pushed in [late, unheard, without] {
        let pushed = sent(&pushed);
        let [(call, body)] = pushed.as_slice() else {
            panic!("{pushed:?}");
        };
        assert_eq!(call.url.path(), "/v2/bot/message/push");
        assert_eq!(body["to"], CUSTOMER);
        assert_eq!(call.headers[RETRY_KEY], retry_key("01a22f55-2", 0));
    }
}

#[test]
fn keys_are_uuids_by_name_and_differ_by_part() {
    // Computed by Python's `uuid.uuid5(uuid.NAMESPACE_URL, "01a22f55-2/0")`.
    assert_eq!(
        retry_key("01a22f55-2", 0),
        "0ffbd327-b1ee-5570-bd1c-86a389bbb3c6"
    );
    assert_ne!(retry_key("01a22f55-2", 1), retry_key("01a22f55-2", 0));
}

#[test]
fn five_pieces_go_at_once_and_the_last_has_the_buttons() {
    let words = "Kettles are kept in the back. ".repeat(1200);
    let message = Outgoing {
        links: vec![Link {
            title: "Returns",
            url: Some("https://shop.example/returns"),
        }],
        quick_replies: vec![Choice {
            id: "human",
            label: "I would like to talk to a person",
        }],
        ..outgoing(&words)
    };
    let parts = sent(&message);
    let paths: Vec<&str> = parts.iter().map(|(call, _)| call.url.path()).collect();
    assert_eq!(paths, ["/v2/bot/message/reply", "/v2/bot/message/push"]);
    assert_eq!(parts[1].0.headers[RETRY_KEY], retry_key(message.key, 1));
    let messages = parts
        .iter()
        .flat_map(|(_, body)| body["messages"].as_array().unwrap());
    let messages: Vec<&Value> = messages.collect();
    assert_eq!(messages.len(), 8);
    let (last, others) = messages.split_last().unwrap();
    assert!(
        others
            .iter()
            .all(|message| message.get("quickReply").is_none())
    );
    assert!(
        last["text"]
            .as_str()
            .unwrap()
            .ends_with("Returns: https://shop.example/returns")
    );
    let action = json!({
        "type": "postback",
        "label": "I would like to tal…",
        "data": "human",
        "displayText": "I would like to tal…",
    });
    assert_eq!(
        last["quickReply"]["items"],
        json!([{ "type": "action", "action": action }])
    );
}

#[test]
fn choices_that_no_button_holds_are_listed() {
    let long = "x".repeat(301);
    let mut quick_replies = vec![
        Choice {
            id: "1",
            label: "Yes"
        };
        14
    ];
    quick_replies.insert(
        0,
        Choice {
            id: &long,
            label: "Odd",
        },
    );
    let sent = sent(&Outgoing {
        quick_replies,
        ..outgoing("Well?")
    });
    let message = &sent[0].1["messages"][0];
    assert_eq!(message["text"], "Well?\n\n- Odd\n- Yes");
    assert_eq!(message["quickReply"]["items"].as_array().unwrap().len(), 13);
}

#[test]
fn loading_is_shown_to_one_person_only() {
    let start = |thread| {
        account().send(&Sending::Typing {
            thread,
            context: None,
        })
    };
    let calls = start(CUSTOMER);
    let body: Value = serde_json::from_slice(&calls[0].body).unwrap();
    assert_eq!(body, json!({ "chatId": CUSTOMER, "loadingSeconds": 20 }));
    assert_eq!(start("C9"), []);
    assert_eq!(account().send(&Sending::Seen { receipt: "1" }), []);
    assert_eq!(account().send(&Sending::Reminder(&outgoing("hi"))), []);
}

fn answer<T>(status: u16, body: &str, read: impl Fn(&Answer<'_>) -> T) -> T {
    read(&Answer {
        status,
        headers: &HeaderMap::new(),
        body: body.as_bytes(),
    })
}

#[test]
fn an_answer_says_what_to_do() {
    let said = |status, body: &str| answer(status, body, |answer| account().accepted(answer));
    let message = Some("461230966842064897".to_owned());
    let ok = r#"{"sentMessages":[{"id":"461230966842064897","quoteToken":"q"},{"id":"2"}]}"#;
    assert_eq!(
        said(200, ok),
        Ok(Sent {
            message: message.clone()
        })
    );
    assert_eq!(said(409, ok), Ok(Sent { message }));
    assert_eq!(said(409, ""), Ok(Sent::default()));
    assert_eq!(said(202, "{}"), Ok(Sent::default()));
    let after = Some(Duration::from_secs(50));
    let used = r#"{"message":"Invalid reply token"}"#;
    assert_eq!(
        said(400, used),
        Err(SendError::Later { status: 400, after })
    );
    let odd = r#"{"message":"The request body has 1 error(s)","details":[{"message":"May not be empty","property":"messages[0].text"}]}"#;
    let reason = "The request body has 1 error(s); messages[0].text: May not be empty".to_owned();
    assert_eq!(
        said(400, odd),
        Err(SendError::Refused {
            status: 400,
            reason
        })
    );
    for status in [401, 403] {
        assert_eq!(said(status, "{}"), Err(SendError::Unauthorized));
    }
    assert!(matches!(
        said(404, "{}"),
        Err(SendError::Unreachable { .. })
    ));
    for status in [410, 413, 415] {
        assert!(matches!(said(status, "{}"), Err(SendError::Refused { .. })));
    }
    let quota = r#"{"message":"You have reached your monthly limit."}"#;
    assert!(matches!(said(429, quota), Err(SendError::Refused { .. })));
    let rate = r#"{"message":"The API rate limit has been exceeded. Try again later."}"#;
    for status in [429, 500, 503] {
        assert!(matches!(
            said(status, rate),
            Err(SendError::Later { after: None, .. })
        ));
    }
    // A proxy's page.
    assert!(matches!(said(200, "<html>"), Err(SendError::Later { .. })));
    let fetched = |status| answer(status, "", |answer| account().fetched(answer));
    assert_eq!(fetched(200), Ok(Fetched::File));
    assert!(matches!(fetched(202), Err(SendError::Later { .. })));
    assert!(matches!(fetched(404), Err(SendError::Refused { .. })));
}

#[test]
fn tokens_are_lent_to_the_channel() {
    assert!(account().tokens().is_none());
    let line = Line::new(Settings {
        access: Access::Channel("165".to_owned()),
        ..settings()
    });
    let tokens = line.tokens().unwrap();
    let request = tokens.request();
    assert_eq!(
        request.url.as_str(),
        "https://api.line.me/v2/oauth/accessToken"
    );
    let form = "grant_type=client_credentials&client_id=165&client_secret=a-secret-of-the-tests";
    assert_eq!(request.body, form.as_bytes());
    assert_eq!(line.probe().unwrap().auth, Auth::Bearer);
    let lent = r#"{"access_token":"t","expires_in":2592000,"token_type":"Bearer"}"#;
    let token = answer(200, lent, |answer| tokens.token(answer))
        .ok()
        .unwrap();
    assert_eq!(
        (token.secret.as_str(), token.lasts.as_secs()),
        ("t", 2_592_000)
    );
    let refused = answer(400, "{}", |answer| tokens.token(answer)).err();
    assert_eq!(refused, Some(SendError::Unauthorized));
    let expired = answer(401, "{}", |answer| line.accepted(answer));
    assert_eq!(expired, Err(SendError::Expired));
}

proptest! {
    #[test]
    fn every_piece_is_within_the_limit(words in "\\PC{0,9000}", title in "\\PC{1,60}") {
        let message = Outgoing {
            links: vec![Link { title: &title, url: Some("https://shop.example/") }],
            ..outgoing(&words)
        };
        for (_, body) in sent(&message) {
            for message in body["messages"].as_array().unwrap() {
                let text = message["text"].as_str().unwrap();
                prop_assert!(!text.is_empty() && account().limits().text.holds(text));
            }
        }
    }
}
