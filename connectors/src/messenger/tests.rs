use proptest::prelude::*;

use super::*;
use http::HeaderMap;

use crate::channel::{Choice, Link, Receipt, What};
use crate::meta::tests::{app, asks_who_it_is, received, refused, said};

fn page(service: Service) -> Messenger {
    Messenger::new(Settings {
        service,
        app: app(),
        app_id: "1517776481860111".to_owned(),
        account: "1789000".to_owned(),
        start: "begin".to_owned(),
        human_agent: true,
        media_hosts: vec!["fbcdn.net".to_owned()],
    })
}

fn notification(object: &str, fields: Value) -> Value {
    let mut event = json!({
        "sender": { "id": "PSID-24601" }, "recipient": { "id": "1789000" },
        "timestamp": 1_767_225_600_100_i64,
    });
    if let Value::Object(fields) = fields {
        event.as_object_mut().unwrap().extend(fields);
    }
    json!({ "object": object, "entry": [
        { "id": "1789000", "time": 1_767_225_600_123_i64, "messaging": [event] },
    ] })
}

fn read_all(fields: Value) -> Vec<Incoming> {
    let body = notification("page", fields).to_string();
    let page = page(Service::Messenger);
    received(&page, body.as_bytes()).unwrap().events
}

fn read(fields: Value) -> Option<Incoming> {
    read_all(fields).into_iter().next()
}

#[test]
fn a_message_is_read_with_its_writer() {
    let event = read(json!({ "message": { "mid": "m_1", "text": "Where is my order?" } })).unwrap();
    assert_eq!(
        (event.id.as_str(), event.thread.as_str()),
        ("m_1", "PSID-24601")
    );
    assert_eq!(event.sender.id, "PSID-24601");
    assert_eq!((event.private, event.at), (true, Some(1_767_225_600)));
    let What::Message { message, text, .. } = event.what else {
        panic!("no message");
    };
    assert_eq!(
        (message.as_str(), text.as_str()),
        ("m_1", "Where is my order?")
    );
}

#[test]
fn the_signature_is_asked_for_before_anything_is_read() {
    asks_who_it_is(&page(Service::Messenger));
    asks_who_it_is(&page(Service::Instagram));
}

#[test]
fn each_platform_reads_its_own_events() {
    let message = json!({ "message": { "mid": "m_1", "text": "hi" } });
    for (service, object, count) in [
        (Service::Messenger, "page", 1),
        (Service::Messenger, "instagram", 0),
        (Service::Instagram, "instagram", 1),
        (Service::Instagram, "page", 0),
    ] {
        let body = notification(object, message.clone()).to_string();
        let events = received(&page(service), body.as_bytes()).unwrap().events;
        assert_eq!(events.len(), count, "{service:?} {object}");
    }
    let mut of_other = notification("page", message);
    of_other["entry"][0]["id"] = "1789001".into();
    let page = page(Service::Messenger);
    let events = received(&page, of_other.to_string().as_bytes())
        .unwrap()
        .events;
    assert_eq!(events, []);
}

#[test]
fn files_presses_edits_and_deletions_are_read() {
    let file = read(json!({ "message": { "mid": "m_1", "attachments": [
        { "type": "image", "payload": { "url": "https://scontent.fbcdn.net/x.jpg" } },
        { "type": "location", "payload": { "coordinates": { "lat": 1.5, "long": 2.5 } } },
        { "type": "fallback", "payload": { "url": "https://shop.example/" } },
    ] } }));
    let What::Message { text, media, .. } = file.unwrap().what else {
        panic!("no message");
    };
    assert_eq!((text.as_str(), media.len()), ("", 1));
    assert_eq!(media[0].place, "https://scontent.fbcdn.net/x.jpg");

    let press = |reply: &str| What::Press {
        reply: reply.to_owned(),
        receipt: None,
    };
    let chosen = json!({ "message": {
        "mid": "m_2", "text": "A person", "quick_reply": { "payload": "human" },
    } });
    assert_eq!(read(chosen).unwrap().what, press("human"));
    let posted = read(json!({ "postback": { "title": "Track", "payload": "track:1001" } }));
    let posted = posted.unwrap();
    assert_eq!(posted.id, "PSID-24601:1767225600100:track:1001");
    assert_eq!(posted.what, press("track:1001"));
    let start = read(json!({ "postback": { "mid": "m_3", "payload": "begin" } })).unwrap();
    assert_eq!((start.id.as_str(), start.what), ("m_3", What::Start));

    let edit = read(json!({ "message_edit": { "mid": "m_1", "text": "in blue", "num_edit": 1 } }));
    let edit = edit.unwrap();
    assert_eq!(edit.id, "m_1:1767225600100");
    let (message, text) = ("m_1".to_owned(), "in blue".to_owned());
    assert_eq!(edit.what, What::Edit { message, text });
    let deletion = read(json!({ "message": { "mid": "m_1", "is_deleted": true } })).unwrap();
    assert_eq!(deletion.id, "m_1:deleted");
    let message = "m_1".to_owned();
    assert_eq!(deletion.what, What::Deletion { message });
}

#[test]
fn receipts_name_the_messages_that_arrived() {
    let delivered = read_all(json!({ "delivery": { "mids": ["m_1", "m_2"], "watermark": 5 } }));
    assert_eq!(delivered.len(), 2);
    assert_eq!(delivered[1].id, "m_2:delivered");
    let receipt = |receipt| What::Receipt {
        message: "m_2".to_owned(),
        receipt,
    };
    assert_eq!(delivered[1].what, receipt(Receipt::Delivered));
    let seen = read(json!({ "read": { "mid": "m_2" } })).unwrap();
    assert_eq!(seen.what, receipt(Receipt::Read));
    // Messenger says until when, and not what.
    assert_eq!(read(json!({ "read": { "watermark": 5 } })), None);
}

#[test]
fn our_echoes_are_passed_over_and_those_of_people_take_over() {
    let echo = |message: Value| {
        let mut fields = json!({
            "sender": { "id": "1789000" }, "recipient": { "id": "PSID-24601" }, "message": message,
        });
        fields["message"]["is_echo"] = true.into();
        fields["message"]["mid"] = "m_9".into();
        fields["message"]["text"] = "I look into it".into();
        read(fields)
    };
    assert_eq!(echo(json!({ "app_id": 1_517_776_481_860_111_i64 })), None);
    assert_eq!(echo(json!({ "app_id": "1517776481860111" })), None);
    assert_eq!(echo(json!({ "metadata": "frontdesk" })), None);
    for of_person in [json!({}), json!({ "app_id": 263_902_037_430_900_i64 })] {
        let taken = echo(of_person).unwrap();
        assert_eq!(taken.thread, "PSID-24601");
        let (message, text) = ("m_9".to_owned(), "I look into it".to_owned());
        assert_eq!(taken.what, What::Takeover { message, text });
    }
    let ours = json!({ "sender": { "id": "1789000" }, "message": { "mid": "m_1", "text": "hi" } });
    assert_eq!(read(ours), None);
}

#[test]
fn what_nobody_said_to_the_page_is_passed_over() {
    for fields in [
        json!({ "reaction": { "mid": "m_1", "action": "react" } }),
        json!({ "optin": { "type": "notification_messages" } }),
        json!({ "pass_thread_control": { "new_owner_app_id": "1" } }),
        json!({ "message": { "mid": "m_1", "is_unsupported": true } }),
        json!({ "message": "of another form" }),
        json!({}),
    ] {
        assert_eq!(read(fields.clone()), None, "{fields}");
    }
    // Another app answers.
    let mut standby = notification("page", json!({ "message": { "mid": "m_1", "text": "hi" } }));
    let entry = standby["entry"][0].as_object_mut().unwrap();
    let events = entry.remove("messaging").unwrap();
    entry.insert("standby".to_owned(), events);
    let page = page(Service::Messenger);
    let events = received(&page, standby.to_string().as_bytes())
        .unwrap()
        .events;
    assert_eq!(events, []);
}

fn sent(service: Service, sending: &Sending<'_>) -> Vec<Value> {
    let calls = page(service).send(sending);
    let read = |call: &Call| {
        assert_eq!(call.url.path(), "/v25.0/1789000/messages");
        assert_eq!(call.headers["authorization"], "Bearer EAAtoken");
        serde_json::from_slice(&call.body).unwrap()
    };
    calls.iter().map(read).collect()
}

#[test]
fn quick_replies_stand_under_the_last_piece() {
    let ids: Vec<String> = (1..=14).map(|id| id.to_string()).collect();
    let choices = ids.iter().map(|id| Choice {
        id,
        label: "I would like to talk to a person",
    });
    let long = "Kettles are kept in the back of the shop. ".repeat(60);
    let outgoing = Outgoing {
        thread: "PSID-24601",
        text: &long,
        links: vec![Link {
            title: "Returns",
            url: Some("https://shop.example/returns"),
        }],
        quick_replies: choices.collect(),
        ..Outgoing::default()
    };
    let messenger = sent(Service::Messenger, &Sending::Message(&outgoing));
    let [first, last] = messenger.as_slice() else {
        panic!("{}", messenger.len());
    };
    assert_eq!(first["recipient"]["id"], "PSID-24601");
    assert_eq!(first["messaging_type"], "RESPONSE");
    assert_eq!(first["message"]["quick_replies"], Value::Null);
    let text = last["message"]["text"].as_str().unwrap();
    // The fourteenth has no button.
    let end = "\n\nReturns: https://shop.example/returns\n\n- I would like to talk to a person";
    assert!(text.ends_with(end), "{text}");
    let replies = last["message"]["quick_replies"].as_array().unwrap();
    assert_eq!(replies.len(), 13);
    assert_eq!(
        replies[0],
        json!({ "content_type": "text", "title": "I would like to tal…", "payload": "1" })
    );
    let instagram = sent(Service::Instagram, &Sending::Message(&outgoing));
    assert_eq!(instagram.len(), 3);
    assert_eq!(instagram[0]["messaging_type"], Value::Null);
}

#[test]
fn only_people_answer_after_the_window() {
    let late = |author, heard_at| {
        let outgoing = Outgoing {
            thread: "PSID-24601",
            author,
            heard_at,
            at: HUMAN_AGENT + 5,
            text: "It is here.",
            ..Outgoing::default()
        };
        sent(Service::Messenger, &Sending::Reminder(&outgoing))
    };
    let of_person = late("agent", Some(5));
    assert_eq!(of_person[0]["messaging_type"], "MESSAGE_TAG");
    assert_eq!(of_person[0]["tag"], "HUMAN_AGENT");
    for (author, heard_at) in [
        ("bot", Some(5)),
        ("agent", Some(4)),
        ("agent", Some(i64::MIN)),
        ("agent", None),
    ] {
        assert_eq!(late(author, heard_at), Vec::<Value>::new());
    }
}

#[test]
fn typing_is_a_request_of_its_own() {
    let typing = Sending::Typing {
        thread: "PSID-24601",
        context: None,
    };
    let expected = json!({ "recipient": { "id": "PSID-24601" }, "sender_action": "typing_on" });
    assert_eq!(sent(Service::Instagram, &typing), [expected]);
    let seen = Sending::Seen { receipt: "1" };
    assert_eq!(sent(Service::Messenger, &seen), Vec::<Value>::new());
}

#[test]
fn an_answer_says_what_to_do() {
    let page = page(Service::Messenger);
    let message = Some("m_XyZ".to_owned());
    let accepted = json!({ "recipient_id": "PSID-24601", "message_id": message });
    assert_eq!(said(&page, 200, &accepted), Ok(Sent { message }));
    let typing = json!({ "recipient_id": "PSID-24601" });
    assert_eq!(said(&page, 200, &typing), Ok(Sent::default()));

    for (code, subcode) in [(190, 460), (10, 1_893_063), (10, 0), (200, 0)] {
        let error = refused(&page, code, subcode);
        assert_eq!(error, SendError::Unauthorized, "{code}/{subcode}");
    }
    let error = refused(&page, 551, 1_545_041);
    assert!(matches!(error, SendError::Unreachable { .. }));
    for (code, subcode) in [
        (10, 2_018_278),
        (100, 2_018_001),
        (100, 0),
        (200, 2_018_028),
    ] {
        let error = refused(&page, code, subcode);
        assert!(
            matches!(error, SendError::Refused { .. }),
            "{code}/{subcode}"
        );
    }
    for code in [1, 2, 4, 32, 613, 1200] {
        let error = refused(&page, code, 0);
        assert!(matches!(error, SendError::Later { .. }), "{code}");
    }
    let transient = json!({ "error": { "code": 999_999, "is_transient": true } });
    assert!(matches!(
        said(&page, 400, &transient),
        Err(SendError::Later { .. })
    ));
    assert!(matches!(
        said(&page, 200, &Value::Null),
        Err(SendError::Later { .. })
    ));
}

#[test]
fn files_are_fetched_without_the_token() {
    let page = page(Service::Instagram);
    let files = page.files().unwrap();
    let place = "https://scontent.xx.fbcdn.net/v/x.jpg?oh=1";
    let call = files.request(place).unwrap();
    assert_eq!((call.url.as_str(), call.headers.len()), (place, 0));
    assert_eq!(files.request("https://shop.example/x.jpg"), None);
    let answer = |status| {
        files.fetched(&Answer {
            status,
            headers: &HeaderMap::new(),
            body: b"{}",
        })
    };
    assert_eq!(answer(200), Ok(Fetched::File));
    assert!(matches!(answer(403), Err(SendError::Refused { .. })));
    assert!(matches!(answer(502), Err(SendError::Later { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn malformed_bodies_are_refused(
        start in 0_usize..300,
        junk in prop::collection::vec(any::<u8>(), 0..40),
        length in 0_usize..300,
    ) {
        let message = json!({ "message": { "mid": "m_1", "text": "Where is my order?" } });
        let mut body = notification("page", message).to_string().into_bytes();
        let start = start.min(body.len());
        let end = (start + length).min(body.len());
        body.splice(start..end, junk);
        // Whatever it is: read, or refused with a reason.
        let _ = received(&page(Service::Messenger), &body);
    }
}

proptest! {
    #[test]
    fn every_piece_is_within_the_limit(text in "(\\PC|[客👋 \n.]){0,4000}", label in "\\PC{0,60}") {
        for service in [Service::Messenger, Service::Instagram] {
            let outgoing = Outgoing {
                thread: "1",
                text: &text,
                quick_replies: vec![Choice { id: "1", label: &label }],
                ..Outgoing::default()
            };
            for body in sent(service, &Sending::Message(&outgoing)) {
                let text = body["message"]["text"].as_str().unwrap();
                prop_assert!(!text.is_empty() && service.text().holds(text));
                let title = &body["message"]["quick_replies"][0]["title"];
                prop_assert!(LABEL.holds(title.as_str().unwrap_or_default()));
            }
        }
    }
}
