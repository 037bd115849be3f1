use proptest::prelude::*;

use super::*;
use http::{HeaderMap, Method};
use url::Url;

use crate::channel::{Link, Receipt, Sender, What};
use crate::meta::tests::{app, asks_who_it_is, received, refused, said};

fn number() -> WhatsApp {
    WhatsApp::new(Settings {
        app: app(),
        phone_number: "1060001".to_owned(),
        media_hosts: vec!["lookaside.fbsbx.com".to_owned()],
        list_button: "Choose".to_owned(),
        template: Some(Template {
            name: "we_answered".to_owned(),
            language: "en_US".to_owned(),
        }),
        in_groups: true,
    })
}

fn notification(field: &str, value: &Value) -> Value {
    let mut value = value.clone();
    value["metadata"] = json!({
        "display_phone_number": "15550001111", "phone_number_id": "1060001",
    });
    value["contacts"] = json!([
        { "profile": { "name": "Bo" }, "wa_id": "49151" },
        { "profile": { "name": "Ana" }, "wa_id": "34600111222", "user_id": "ES.13490001" },
    ]);
    json!({ "object": "whatsapp_business_account", "entry": [
        { "id": "102290001", "changes": [{ "field": field, "value": value }] },
    ] })
}

fn read_all(field: &str, value: &Value) -> Vec<Incoming> {
    let body = notification(field, value).to_string();
    received(&number(), body.as_bytes()).unwrap().events
}

/// A message with those fields.
fn message(fields: Value) -> Value {
    let mut message = json!({
        "from": "34600111222", "from_user_id": "ES.13490001", "id": "wamid.HBgAAA=",
        "timestamp": "1767225600",
    });
    if let Value::Object(fields) = fields {
        message.as_object_mut().unwrap().extend(fields);
    }
    message
}

fn read(fields: Value) -> Option<Incoming> {
    let events = read_all("messages", &json!({ "messages": [message(fields)] }));
    events.into_iter().next()
}

fn text(text: &str) -> Value {
    json!({ "type": "text", "text": { "body": text } })
}

#[test]
fn a_message_is_read_with_its_writer() {
    let event = read(text("Where is my order?")).unwrap();
    let expected = Incoming {
        id: "wamid.HBgAAA=".to_owned(),
        thread: "ES.13490001".to_owned(),
        sender: Sender {
            id: "ES.13490001".to_owned(),
            name: Some("Ana".to_owned()),
            language: None,
        },
        private: true,
        at: Some(1_767_225_600),
        context: Some("wamid.HBgAAA=".to_owned()),
        what: What::Message {
            message: "wamid.HBgAAA=".to_owned(),
            text: "Where is my order?".to_owned(),
            media: Vec::new(),
        },
    };
    assert_eq!(event, expected);
    // Without an id for the business it is the number that names them; without a number the id.
    let by_number = json!({ "messages": [{
        "from": "49151", "id": "1", "timestamp": "5", "type": "text", "text": { "body": "hi" },
    }] });
    let by_number = read_all("messages", &by_number);
    assert_eq!(by_number[0].thread, "49151");
    assert_eq!(by_number[0].sender.name.as_deref(), Some("Bo"));
}

#[test]
fn the_signature_is_asked_for_before_anything_is_read() {
    asks_who_it_is(&number());
}

#[test]
fn files_presses_edits_and_deletions_are_read() {
    let file = read(json!({ "type": "document", "document": {
        "id": "70001", "mime_type": "application/pdf", "filename": "bill.pdf", "caption": "this one",
    } }));
    let What::Message { text, media, .. } = file.unwrap().what else {
        panic!("no message");
    };
    assert_eq!(text, "this one");
    assert_eq!(media[0].place, "70001");
    assert_eq!(media[0].name.as_deref(), Some("bill.pdf"));

    for kind in ["button_reply", "list_reply"] {
        let press = json!({ "type": "interactive", "interactive": {
            "type": kind, kind: { "id": "human", "title": "A person" },
        } });
        let (reply, receipt) = ("human".to_owned(), None);
        assert_eq!(read(press).unwrap().what, What::Press { reply, receipt });
    }
    let of_template =
        json!({ "type": "button", "button": { "payload": "Go on", "text": "Go on" } });
    assert!(
        matches!(read(of_template).unwrap().what, What::Message { text, .. } if text == "Go on")
    );

    let edit = read(json!({ "type": "edit", "edit": {
        "original_message_id": "wamid.OLD",
        "message": { "type": "image", "image": { "id": "1", "caption": "in blue" } },
    } }));
    let edit = edit.unwrap();
    let (message, text) = ("wamid.OLD".to_owned(), "in blue".to_owned());
    assert_eq!(edit.what, What::Edit { message, text });
    assert_eq!(edit.context, None);
    let deletion = read(json!({
        "type": "revoke", "revoke": { "original_message_id": "wamid.OLD" },
    }));
    let message = "wamid.OLD".to_owned();
    assert_eq!(deletion.unwrap().what, What::Deletion { message });
    let opened = read(json!({ "type": "request_welcome" }));
    assert_eq!(opened.unwrap().what, What::Start);
}

#[test]
fn statuses_tell_what_became_of_a_message() {
    let status = |status: &str| {
        let value = json!({ "statuses": [{
            "id": "wamid.OUR", "status": status, "timestamp": "1767225600",
            "recipient_id": "34600111222", "recipient_user_id": "ES.13490001",
            "errors": [{ "code": 131047, "title": "Re-engagement message",
                "error_data": { "details": "more than 24 hours" } }],
        }] });
        read_all("messages", &value).into_iter().next()
    };
    assert_eq!(status("sent"), None);
    let delivered = status("delivered").unwrap();
    assert_eq!(delivered.id, "wamid.OUR:delivered");
    assert_eq!(delivered.thread, "ES.13490001");
    assert_eq!(delivered.context, None);
    let failed = Receipt::Failed("more than 24 hours (131047)".to_owned());
    for (name, expected) in [
        ("delivered", Receipt::Delivered),
        ("read", Receipt::Read),
        ("played", Receipt::Read),
        ("failed", failed),
    ] {
        let What::Receipt { message, receipt } = status(name).unwrap().what else {
            panic!("no receipt");
        };
        assert_eq!((message.as_str(), receipt), ("wamid.OUR", expected));
    }
}

#[test]
fn a_person_who_writes_in_the_app_takes_over() {
    let echo = |kind: &str| {
        let value = json!({ "message_echoes": [{
            "from": "15550001111", "to": "34600111222", "to_user_id": "ES.13490001",
            "id": "wamid.APP", "timestamp": "5", "type": kind, "text": { "body": "I look into it" },
        }] });
        read_all("smb_message_echoes", &value).into_iter().next()
    };
    let taken = echo("text").unwrap();
    assert_eq!(taken.thread, "ES.13490001");
    let (message, text) = ("wamid.APP".to_owned(), "I look into it".to_owned());
    assert_eq!(taken.what, What::Takeover { message, text });
    assert_eq!(echo("revoke"), None);
}

#[test]
fn in_a_group_only_those_who_name_the_number_are_heard() {
    let group = |words: &str| {
        let mut fields = text(words);
        fields["group_id"] = "Y2FwaV9n".into();
        read(fields)
    };
    assert_eq!(group("where is my order?"), None);
    assert_eq!(group("ask @155500011112 about 15550001111"), None);
    let named = group("@15550001111 where is my order?").unwrap();
    assert_eq!(
        (named.thread.as_str(), named.private),
        ("group:Y2FwaV9n", false)
    );
    assert_eq!(named.sender.id, "ES.13490001");
    assert!(matches!(named.what, What::Message { text, .. } if text == "where is my order?"));

    let mut number = number();
    number.settings.in_groups = false;
    let mut fields = text("@15550001111 hi");
    fields["group_id"] = "Y2FwaV9n".into();
    let body = notification("messages", &json!({ "messages": [message(fields)] }));
    let events = received(&number, body.to_string().as_bytes())
        .unwrap()
        .events;
    assert_eq!(events, []);
}

#[test]
fn what_nobody_said_to_the_number_is_passed_over() {
    for fields in [
        json!({ "type": "reaction", "reaction": { "message_id": "wamid.OUR", "emoji": "👍" } }),
        json!({ "type": "system", "system": { "type": "user_changed_number", "wa_id": "1" } }),
        json!({ "type": "unsupported", "errors": [{ "code": 131051 }] }),
        json!({ "type": "interactive", "interactive": { "type": "nfm_reply", "nfm_reply": {} } }),
        json!({ "type": "of next year" }),
        json!({ "type": "text", "text": "of another form" }),
        text("  "),
    ] {
        assert_eq!(read(fields.clone()), None, "{fields}");
    }
    assert_eq!(
        read_all("history", &json!({ "messages": [message(text("hi"))] })),
        []
    );
    let mut other = notification("messages", &json!({ "messages": [message(text("hi"))] }));
    other["entry"][0]["changes"][0]["value"]["metadata"]["phone_number_id"] = "1060002".into();
    let events = received(&number(), other.to_string().as_bytes())
        .unwrap()
        .events;
    assert_eq!(events, []);
    // One that cannot be read takes no other with it.
    let both = json!({ "messages": [7, message(text("hi"))] });
    assert_eq!(read_all("messages", &both).len(), 1);
}

fn sent(outgoing: &Outgoing<'_>) -> Vec<Value> {
    let calls = number().send(&Sending::Message(outgoing));
    let read = |call: &Call| {
        assert_eq!(call.url.path(), "/v25.0/1060001/messages");
        assert_eq!(call.headers["authorization"], "Bearer EAAtoken");
        serde_json::from_slice(&call.body).unwrap()
    };
    calls.iter().map(read).collect()
}

#[test]
fn a_text_goes_to_a_number_an_id_or_a_group() {
    let to = |thread| {
        let outgoing = Outgoing {
            thread,
            text: "Hi",
            links: vec![Link {
                title: "Returns",
                url: Some("https://shop.example/returns"),
            }],
            quick_replies: choices(&["Yes"]),
            ..Outgoing::default()
        };
        sent(&outgoing).remove(0)
    };
    let number = to("34600111222");
    assert_eq!(number["to"], "34600111222");
    assert_eq!(
        number["interactive"]["body"]["text"],
        "Hi\n\nReturns: https://shop.example/returns"
    );
    let id = to("ES.13490001");
    assert_eq!(
        (&id["recipient"], &id["to"]),
        (&json!("ES.13490001"), &Value::Null)
    );
    let group = to("group:Y2FwaV9n");
    assert_eq!(
        (&group["to"], &group["recipient_type"]),
        (&json!("Y2FwaV9n"), &json!("group"))
    );
    assert_eq!(
        group["text"]["body"],
        "Hi\n\nReturns: https://shop.example/returns\n\n- Yes"
    );
}

fn choices<'a>(labels: &[&'a str]) -> Vec<Choice<'a>> {
    const IDS: [&str; 12] = [
        "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12",
    ];
    let choices = IDS.iter().zip(labels);
    choices.map(|(id, label)| Choice { id, label }).collect()
}

fn interactive(labels: &[&str]) -> (Value, String) {
    let outgoing = Outgoing {
        thread: "34600111222",
        text: "Which one?",
        quick_replies: choices(labels),
        ..Outgoing::default()
    };
    let sent = sent(&outgoing);
    assert_eq!(sent.len(), 1);
    let interactive = sent[0]["interactive"].clone();
    let text = interactive["body"]["text"].as_str().unwrap().to_owned();
    (interactive, text)
}

#[test]
fn few_answers_are_buttons_and_more_are_a_list() {
    let (three, _) = interactive(&["Yes", "No", "I would like to talk to a person"]);
    assert_eq!(three["type"], "button");
    let titles = |place: usize| three["action"]["buttons"][place]["reply"]["title"].clone();
    assert_eq!(
        (titles(0), titles(2)),
        ("Yes".into(), "I would like to tal…".into())
    );

    let (four, _) = interactive(&["Yes", "No", "Later", "I would like to talk to a person"]);
    assert_eq!(
        (&four["type"], &four["action"]["button"]),
        (&json!("list"), &json!("Choose"))
    );
    let rows = &four["action"]["sections"][0]["rows"];
    assert_eq!(rows[0], json!({ "id": "1", "title": "Yes" }));
    assert_eq!(rows[3]["title"], "I would like to talk to…");
    assert_eq!(rows[3]["description"], "I would like to talk to a person");

    // Two buttons that would read the same.
    let (same, _) = interactive(&[
        "I would like to talk about A",
        "I would like to talk about B",
    ]);
    assert_eq!(same["type"], "list");

    let (twelve, text) = interactive(&["x"; 12]);
    let rows = twelve["action"]["sections"][0]["rows"].as_array();
    assert_eq!(rows.map(Vec::len), Some(10));
    assert_eq!(text, "Which one?\n\n- x\n- x");
}

#[test]
fn the_end_of_a_long_text_stands_above_the_buttons() {
    let long = "Kettles are kept in the back of the shop. ".repeat(60);
    let outgoing = Outgoing {
        thread: "34600111222",
        text: &long,
        quick_replies: choices(&["Yes"]),
        ..Outgoing::default()
    };
    let sent = sent(&outgoing);
    let [before, last] = sent.as_slice() else {
        panic!("{}", sent.len());
    };
    let before = before["text"]["body"].as_str().unwrap();
    let last = last["interactive"]["body"]["text"].as_str().unwrap();
    assert!(BODY.holds(last) && TEXT.holds(before));
    assert_eq!(format!("{before} {last}"), long.trim());
}

#[test]
fn typing_marks_the_last_message_and_a_template_comes_after_the_window() {
    let only = |sending: &Sending<'_>| {
        let calls = number().send(sending);
        calls
            .first()
            .map(|call| serde_json::from_slice::<Value>(&call.body).unwrap())
    };
    let thread = "34600111222";
    let context = Some("wamid.HBgAAA=");
    let typing = only(&Sending::Typing { thread, context }).unwrap();
    assert_eq!(
        (&typing["status"], &typing["message_id"]),
        (&json!("read"), &json!("wamid.HBgAAA="))
    );
    assert_eq!(typing["typing_indicator"]["type"], "text");
    let context = None;
    assert_eq!(only(&Sending::Typing { thread, context }), None);
    assert_eq!(only(&Sending::Seen { receipt: "1" }), None);

    let outgoing = Outgoing {
        thread,
        text: "Are you still there?",
        ..Outgoing::default()
    };
    let reminder = only(&Sending::Reminder(&outgoing)).unwrap();
    assert_eq!(
        reminder["template"],
        json!({ "name": "we_answered", "language": { "code": "en_US" } })
    );
    let mut without = number();
    without.settings.template = None;
    assert_eq!(without.send(&Sending::Reminder(&outgoing)), []);
}

#[test]
fn an_answer_says_what_to_do() {
    let number = number();
    let message = Some("wamid.HBgOUR=".to_owned());
    let accepted = json!({ "messaging_product": "whatsapp", "messages": [{ "id": message }] });
    assert_eq!(said(&number, 200, &accepted), Ok(Sent { message }));
    let read = json!({ "success": true });
    assert_eq!(said(&number, 200, &read), Ok(Sent::default()));

    let refused = |code| refused(&number, code, 0);
    for code in [0, 3, 10, 190, 200, 299, 368, 131031, 133016] {
        assert_eq!(refused(code), SendError::Unauthorized, "{code}");
    }
    let status = 400;
    for (code, seconds) in [(4, 60), (80007, 60), (131057, 60), (131056, 6)] {
        let after = Some(Duration::from_secs(seconds));
        assert_eq!(refused(code), SendError::Later { status, after }, "{code}");
    }
    let after = None;
    for code in [1, 2, 130429, 131000, 131016, 131052, 131053, 135000] {
        assert_eq!(refused(code), SendError::Later { status, after }, "{code}");
    }
    let reason = "(#1) Not so: because".to_owned();
    assert_eq!(refused(131026), SendError::Unreachable { reason });
    for code in [
        100, 131008, 131030, 131042, 131047, 131048, 131049, 131050, 130472, 132001, 137000,
        999_999,
    ] {
        let error = refused(code);
        assert!(matches!(error, SendError::Refused { .. }), "{code}");
    }
    let transient = json!({ "error": { "code": 999_999, "is_transient": true } });
    assert_eq!(
        said(&number, 400, &transient),
        Err(SendError::Later { status, after })
    );
    // Of a proxy.
    assert!(matches!(
        said(&number, 200, &Value::Null),
        Err(SendError::Later { .. })
    ));
    assert_eq!(
        said(&number, 401, &Value::Null),
        Err(SendError::Unauthorized)
    );
    let status = 503;
    assert_eq!(
        said(&number, 503, &Value::Null),
        Err(SendError::Later { status, after })
    );
}

#[test]
fn a_file_is_had_in_two_steps() {
    let number = number();
    let files = number.files().unwrap();
    let request = files.request("70001").unwrap();
    assert_eq!(request.url.path(), "/v25.0/70001");
    for place in [
        "",
        "../me",
        "https://shop.example/a.jpg",
        "70001?method=delete",
    ] {
        assert_eq!(files.request(place), None, "{place}");
    }
    let answer = |status, body: &Value| {
        files.fetched(&Answer {
            status,
            headers: &HeaderMap::new(),
            body: body.to_string().as_bytes(),
        })
    };
    let at = |url: &str| json!({ "messaging_product": "whatsapp", "url": url, "id": "70001" });
    let place = "https://lookaside.fbsbx.com/whatsapp?mid=70001";
    let Ok(Fetched::At(call)) = answer(200, &at(place)) else {
        panic!("the file is elsewhere");
    };
    assert_eq!(call.url, Url::parse(place).unwrap());
    assert_eq!(call.method, Method::GET);
    assert_eq!(call.headers["authorization"], "Bearer EAAtoken");
    for place in [
        "https://shop.example/a",
        "https://graph.facebook.com/v25.0/me?method=delete",
    ] {
        let refused = answer(200, &at(place));
        assert!(matches!(refused, Err(SendError::Refused { .. })), "{place}");
    }
    let of_customer = json!({ "url": "https://lookaside.fbsbx.com/" });
    assert_eq!(answer(200, &of_customer), Ok(Fetched::File));
    let expired = json!({ "error": { "code": 190 } });
    assert_eq!(answer(401, &expired), Err(SendError::Unauthorized));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn malformed_bodies_are_refused(
        start in 0_usize..500,
        junk in prop::collection::vec(any::<u8>(), 0..40),
        length in 0_usize..500,
    ) {
        let value = json!({ "messages": [message(text("Where is my order?"))] });
        let mut body = notification("messages", &value).to_string().into_bytes();
        let start = start.min(body.len());
        let end = (start + length).min(body.len());
        body.splice(start..end, junk);
        // Whatever it is: read, or refused with a reason.
        let _ = received(&number(), &body);
    }
}

proptest! {
    #[test]
    fn every_message_is_within_the_limits(
        text in "\\PC{0,9000}",
        labels in prop::collection::vec("\\PC{0,90}", 0..13),
    ) {
        let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
        let outgoing = Outgoing {
            thread: "1",
            text: &text,
            quick_replies: choices(&labels),
            ..Outgoing::default()
        };
        for message in sent(&outgoing) {
            match message["text"]["body"].as_str() {
                Some(text) => prop_assert!(!text.is_empty() && TEXT.holds(text)),
                None => {
                    let text = message["interactive"]["body"]["text"].as_str().unwrap();
                    prop_assert!(!text.is_empty() && BODY.holds(text));
                }
            }
        }
    }
}
