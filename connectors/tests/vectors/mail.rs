//! Letters: whether they may be answered, what they answer, and what of them is new.

use connectors::channel::{Connector, Incoming, Mailbox, Outgoing, Sending, What};
use connectors::mail::{Mail, Settings, sasl};
use serde_json::Value;
use url::Url;

use super::vectors;

const AT: i64 = 1_767_225_600;

fn account() -> Mail {
    Mail::new(Settings {
        smtp: Url::parse("smtp://smtp.example.com:587").unwrap(),
        imap: Url::parse("imaps://imap.example.com:993").unwrap(),
        user: "help@example.com".to_owned(),
        folder: "INBOX".to_owned(),
        addresses: vec!["help@example.com".to_owned()],
        name: String::new(),
        domain: "bot.example.com".to_owned(),
        secret: "the secret of the account".to_owned(),
        authserv_id: None,
        plus_addresses: true,
        bounces: None,
    })
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn words(event: &Incoming) -> String {
    let What::Message { text, .. } = &event.what else {
        panic!("{event:?}");
    };
    text.clone()
}

#[test]
fn only_what_may_be_is_answered() {
    let Some(file) = vectors("email.json") else {
        return;
    };
    let mail = account();
    for case in file["auto_reply"].as_array().unwrap() {
        let mut raw = String::new();
        for field in case["headers"].as_array().unwrap() {
            raw.push_str(&format!("{}: {}\r\n", text(&field[0]), text(&field[1])));
        }
        raw.push_str(&format!("\r\n{}\r\n", text(&case["body"])));
        let silence = mail.silence(raw.as_bytes()).map(|silence| silence.name());
        assert_eq!(silence, case["reason"].as_str(), "{}", case["name"]);
        let answers = mail.letter(raw.as_bytes(), AT).is_some();
        assert_eq!(Some(answers), case["answer"].as_bool(), "{}", case["name"]);
    }
}

/// A letter of Ana's, and our answer to it: the name of the conversation, the local part of our id and the token
/// of our address.
fn answered(mail: &Mail, id: &str) -> (String, String, String) {
    let raw = format!(
        "From: ana@customer.example\r\nTo: help@example.com\r\nMessage-ID: <{id}@customer.example>\r\n\r\nhi"
    );
    let event = mail.letter(raw.as_bytes(), AT).unwrap();
    let outgoing = Outgoing {
        thread: &event.thread,
        key: "7",
        context: event.context.as_deref(),
        text: "hello",
        ..Outgoing::default()
    };
    let call = mail.send(&Sending::Message(&outgoing)).remove(0);
    let id = call.headers["x-message-id"].to_str().unwrap();
    let local = id.split_once('@').unwrap().0.to_owned();
    let body = String::from_utf8(call.body).unwrap();
    let (_, token) = body.split_once("\r\nReply-To: help+").unwrap();
    let token = token.split_once('@').unwrap().0.to_owned();
    (event.thread, local, token)
}

#[test]
fn answers_go_on_with_their_conversation() {
    let Some(file) = vectors("email.json") else {
        return;
    };
    let mail = account();
    // Our own ids in place of those of the file, which nobody has made a code for.
    let (thread, id, token) = answered(&mail, "first");
    let (_, other, _) = answered(&mail, "other");
    let ours = |value: &Value| {
        let value = text(value)
            .replace("fd.c42.m7", &id)
            .replace("fd.c41.m1", &other);
        let value = value.replace("c42.k9f3", &token);
        value.replace("c42.zzzz", &format!("{thread}.zzzz"))
    };
    for case in file["threading"].as_array().unwrap() {
        let mut raw =
            "From: ana@customer.example\r\nMessage-ID: <new@customer.example>\r\n".to_owned();
        let to = Some(ours(&case["to"])).filter(|to| !to.is_empty());
        let to = to.unwrap_or_else(|| "help@example.com".to_owned());
        for (name, value) in [
            ("To", to),
            ("In-Reply-To", ours(&case["in_reply_to"])),
            ("References", ours(&case["references"])),
            ("Content-Type", ours(&case["content_type"])),
        ] {
            if !value.is_empty() {
                raw.push_str(&format!("{name}: {value}\r\n"));
            }
        }
        raw.push_str("\r\nhello\r\n");
        let event = mail.letter(raw.as_bytes(), AT).unwrap();
        let is_ours = event.thread == thread;
        assert_eq!(is_ours, case["expect"].is_string(), "{}", case["name"]);
        let is_failure = matches!(event.what, What::Receipt { .. });
        assert_eq!(is_failure, case["as_"].is_string(), "{}", case["name"]);
    }
}

#[test]
fn subjects_are_bare() {
    let Some(file) = vectors("email.json") else {
        return;
    };
    for case in file["subjects"].as_array().unwrap() {
        let raw = format!(
            "From: ana@customer.example\r\nTo: help@example.com\r\nSubject: {}\r\n\r\nhello",
            text(&case[0])
        );
        let event = account().letter(raw.as_bytes(), AT).unwrap();
        let context: Value = serde_json::from_str(event.context.as_deref().unwrap()).unwrap();
        assert_eq!(context["subject"], case[1], "{}", case[0]);
    }
}

#[test]
fn what_is_quoted_is_cut() {
    let Some(file) = vectors("email.json") else {
        return;
    };
    for case in file["quotes"].as_array().unwrap() {
        let body = text(&case["body"]);
        let raw = format!(
            "From: ana@customer.example\r\nTo: help@example.com\r\n\
             Content-Type: text/plain; charset=utf-8\r\n\r\n{}",
            body.replace('\n', "\r\n")
        );
        let event = account().letter(raw.as_bytes(), AT).unwrap();
        // Where nothing is left, all of it is taken.
        let visible = Some(text(&case["visible"])).filter(|visible| !visible.is_empty());
        assert_eq!(
            words(&event),
            visible.unwrap_or(body.trim()),
            "{}",
            case["name"]
        );
    }
}

#[test]
fn logins_are_written_as_servers_read_them() {
    let Some(file) = vectors("others.json") else {
        return;
    };
    for case in file["sasl"].as_array().unwrap() {
        let [user, token] = ["user", "token"].map(|name| text(&case[name]));
        let written = match text(&case["mechanism"]) {
            "PLAIN" => sasl::plain(user, text(&case["password"])),
            "XOAUTH2" => sasl::xoauth2(user, token),
            "OAUTHBEARER" => {
                let port = u16::try_from(case["port"].as_u64().unwrap()).unwrap();
                sasl::oauthbearer(user, text(&case["host"]), port, token)
            }
            other => panic!("{other}"),
        };
        assert_eq!(written, text(&case["initial_response"]));
    }
}
