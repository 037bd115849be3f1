use proptest::prelude::*;

use super::*;
use crate::channel::Link;

fn fields(call: &Call) -> Vec<(String, String)> {
    url::form_urlencoded::parse(&call.body)
        .into_owned()
        .collect()
}

fn field(call: &Call, name: &str) -> Option<String> {
    let found = fields(call).into_iter().find(|(key, _)| key == name);
    found.map(|(_, value)| value)
}

fn choices<'a>(labels: &[&'a str]) -> Vec<Choice<'a>> {
    labels
        .iter()
        .map(|label| Choice { id: label, label })
        .collect()
}

#[test]
fn a_short_message_says_all_in_its_text() {
    let outgoing = Outgoing {
        thread: THREAD,
        text: "It comes on Tuesday.",
        links: vec![Link {
            title: "Returns",
            url: Some("https://shop.example/returns"),
        }],
        quick_replies: choices(&["Thanks"]),
        ..Outgoing::default()
    };
    let calls = short_messages().send(&Sending::Message(&outgoing));
    let [call] = calls.as_slice() else {
        panic!("{calls:?}");
    };
    assert_eq!(
        call.url.as_str(),
        "https://api.twilio.com/2010-04-01/Accounts/AC1/Messages.json"
    );
    let body = "It comes on Tuesday.\n\nReturns: https://shop.example/returns\n\n- Thanks";
    let expected = [
        ("To", CUSTOMER),
        ("From", OURS),
        ("Body", body),
        ("SmartEncoded", "true"),
        ("StatusCallback", URL),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(fields(call), expected);
    // After a while, too: no window closes.
    assert_eq!(short_messages().send(&Sending::Reminder(&outgoing)), calls);
    assert_eq!(
        short_messages().send(&Sending::Typing {
            thread: THREAD,
            context: None
        }),
        []
    );
    let of_another = Outgoing {
        thread: "5001",
        ..outgoing
    };
    assert_eq!(short_messages().send(&Sending::Message(&of_another)), []);
}

#[test]
fn a_text_of_another_alphabet_is_cut_shorter() {
    let lengths = |text: &str| {
        let outgoing = Outgoing {
            thread: THREAD,
            text,
            ..Outgoing::default()
        };
        let calls = short_messages().send(&Sending::Message(&outgoing));
        let bodies = calls.iter().map(|call| field(call, "Body").unwrap());
        bodies
            .map(|body| body.encode_utf16().count())
            .collect::<Vec<_>>()
    };
    let latin = lengths(&"The kettle is here. ".repeat(100));
    assert_eq!(latin.len(), 2, "{latin:?}");
    let foreign = lengths(&"水壶在这里。".repeat(300));
    assert!(
        foreign.len() == 3 && foreign.iter().all(|length| *length <= 670),
        "{foreign:?}"
    );
}

#[test]
fn answers_of_whatsapp_stand_in_a_template_below_the_last_piece() {
    let text = format!("{}\n\nThe end.", "A word of many. ".repeat(90).trim());
    let outgoing = Outgoing {
        thread: WHATSAPP_THREAD,
        text: &text,
        quick_replies: choices(&["Talk to a person, please", "Thanks", "More"]),
        ..Outgoing::default()
    };
    let calls = whatsapp().send(&Sending::Message(&outgoing));
    let (last, others) = calls.split_last().unwrap();
    assert_eq!(others.len(), 1);
    assert_eq!(field(&others[0], "ContentSid"), None);
    assert_eq!(field(last, "Body"), None);
    assert_eq!(field(last, "ContentSid").as_deref(), Some("HX2"));
    assert_eq!(field(last, "To").as_deref(), Some("whatsapp:+34600111222"));
    let variables: Value = serde_json::from_str(&field(last, "ContentVariables").unwrap()).unwrap();
    let above = variables["1"].as_str().unwrap();
    assert!(
        above.ends_with("The end.\n\n- More") && BODY_ABOVE_BUTTONS.holds(above),
        "{above}"
    );
    assert_eq!(variables["2"], "Talk to a person, p…");
    assert_eq!(variables["3"], "Talk to a person, please");
    assert_eq!(variables["5"], "Thanks");
    assert_eq!(variables.as_object().unwrap().len(), 5);

    // Without templates they are listed.
    let bare = Twilio::new(settings(Some(WhatsApp::default())));
    assert_eq!(bare.limits().buttons, None);
    let calls = bare.send(&Sending::Message(&outgoing));
    assert!(
        field(calls.last().unwrap(), "Body")
            .unwrap()
            .ends_with("- Thanks\n- More")
    );
}

#[test]
fn whatsapp_hears_of_typing_and_is_reminded_by_its_template() {
    let typing = |context| {
        whatsapp().send(&Sending::Typing {
            thread: WHATSAPP_THREAD,
            context,
        })
    };
    let calls = typing(Some("SM1"));
    assert_eq!(
        calls[0].url.as_str(),
        "https://messaging.twilio.com/v2/Indicators/Typing.json"
    );
    assert_eq!(calls[0].body, b"channel=whatsapp&messageId=SM1");
    assert_eq!(typing(None), []);
    let outgoing = Outgoing {
        thread: WHATSAPP_THREAD,
        text: "It is\nhere.",
        ..Outgoing::default()
    };
    let calls = whatsapp().send(&Sending::Reminder(&outgoing));
    assert_eq!(field(&calls[0], "ContentSid").as_deref(), Some("HX9"));
    assert_eq!(
        field(&calls[0], "ContentVariables").as_deref(),
        Some(r#"{"1":"It is here."}"#)
    );
    let bare = Twilio::new(settings(Some(WhatsApp::default())));
    assert_eq!(bare.send(&Sending::Reminder(&outgoing)), []);
}

#[test]
fn an_api_key_is_used_where_there_is_one() {
    let key = ApiKey {
        sid: "SK1".to_owned(),
        secret: "word".to_owned(),
    };
    let twilio = Twilio::new(Settings {
        key: Some(key),
        ..settings(None)
    });
    let probe = twilio.probe().unwrap();
    assert_eq!(probe.headers[header::AUTHORIZATION], "Basic U0sxOndvcmQ=");
    assert!(
        probe
            .url
            .as_str()
            .ends_with("/Accounts/AC1/Messages.json?PageSize=1")
    );
}

#[test]
fn an_answer_says_what_to_do() {
    let said = |status, body: &str| {
        let headers = HeaderMap::new();
        short_messages().accepted(&Answer {
            status,
            headers: &headers,
            body: body.as_bytes(),
        })
    };
    let coded = |status, code: u32| {
        said(
            status,
            &format!(r#"{{"code":{code},"message":"No.","status":{status}}}"#),
        )
    };
    let message = Some("SM2".to_owned());
    let accepted = r#"{"sid":"SM2","status":"queued","error_code":null}"#;
    assert_eq!(said(201, accepted), Ok(Sent { message }));
    assert_eq!(said(200, r#"{"success":true}"#), Ok(Sent::default()));
    assert_eq!(coded(401, 20003), Err(SendError::Unauthorized));
    assert_eq!(coded(403, 20003), Err(SendError::Unauthorized));
    assert!(matches!(
        coded(429, 20429),
        Err(SendError::Later { status: 429, .. })
    ));
    for code in [21211, 21614, 21610] {
        let reason = format!("No. ({code})");
        assert_eq!(coded(400, code), Err(SendError::Unreachable { reason }));
    }
    for code in [21617, 63016, 21656] {
        assert!(
            matches!(coded(400, code), Err(SendError::Refused { .. })),
            "{code}"
        );
    }
    assert!(matches!(said(503, "<html>"), Err(SendError::Later { .. })));
    assert!(matches!(said(200, "<html>"), Err(SendError::Later { .. })));
}

#[test]
fn a_file_elsewhere_is_fetched_without_the_accounts_password() {
    let twilio = short_messages();
    let fetched = |location: &str| {
        let mut headers = HeaderMap::new();
        headers.insert(header::LOCATION, HeaderValue::from_str(location).unwrap());
        let fetched = twilio.fetched(&Answer {
            status: 307,
            headers: &headers,
            body: b"",
        });
        fetched.map(|fetched| match fetched {
            Fetched::At(call) => call.headers.contains_key(header::AUTHORIZATION),
            Fetched::File => panic!("no file"),
        })
    };
    assert_eq!(fetched("https://media.twiliocdn.com/1?signed=x"), Ok(false));
    assert_eq!(fetched("/2010-04-01/Accounts/AC1/Media/2"), Ok(true));
    for unsafe_one in ["http://media.twiliocdn.com/1", "file:///etc/passwd"] {
        assert!(fetched(unsafe_one).is_err(), "{unsafe_one}");
    }
}

proptest! {
    #[test]
    fn every_piece_is_within_the_limit(text in "\\PC{0,5000}", title in "\\PC{1,60}") {
        for (twilio, thread) in [(short_messages(), THREAD), (whatsapp(), WHATSAPP_THREAD)] {
            let outgoing = Outgoing {
                thread,
                text: &text,
                links: vec![Link { title: &title, url: Some("https://shop.example/") }],
                quick_replies: choices(&["Yes", "No", "Perhaps"]),
                ..Outgoing::default()
            };
            for call in twilio.send(&Sending::Message(&outgoing)) {
                let (text, limit) = match field(&call, "ContentVariables") {
                    Some(variables) => {
                        let variables: Value = serde_json::from_str(&variables).unwrap();
                        (variables["1"].as_str().unwrap().to_owned(), BODY_ABOVE_BUTTONS)
                    }
                    None => (field(&call, "Body").unwrap(), BODY),
                };
                prop_assert!(!text.is_empty() && limit.holds(&text));
            }
        }
    }
}
