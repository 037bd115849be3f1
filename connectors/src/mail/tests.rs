mod reading;

use http::HeaderMap;
use mail_parser::{MessageParser, MimeHeaders};

use super::*;
use crate::channel::{Choice, Link, Media, Outgoing, Receipt};

const AT: i64 = 1_767_225_600;

fn settings() -> Settings {
    Settings {
        smtp: Url::parse("smtps://smtp.example.com:465").unwrap(),
        imap: Url::parse("imaps://imap.example.com:993").unwrap(),
        user: "help@example.com".into(),
        folder: "INBOX".into(),
        addresses: vec!["help@example.com".into(), "hola@example.com".into()],
        name: "Example Support".into(),
        domain: "bot.example.com".into(),
        secret: "a secret of the tests".into(),
        authserv_id: Some("mx.example.com".into()),
        plus_addresses: true,
        bounces: None,
    }
}

fn mail() -> Mail {
    Mail::new(settings())
}

/// A letter by Ana, whose server is who it says, with more fields above and a body.
fn raw(fields: &str, body: &str) -> Vec<u8> {
    format!(
        "Authentication-Results: mx.example.com; dmarc=pass header.from=customer.example\r\n\
         From: =?UTF-8?Q?Ana_L=C3=B3pez?= <Ana@Customer.example>\r\n\
         To: help@example.com\r\nMessage-ID: <1@customer.example>\r\n\
         {fields}\r\n{body}"
    )
    .into_bytes()
}

fn letter(fields: &str, body: &str) -> Incoming {
    mail().letter(&raw(fields, body), AT).unwrap()
}

fn content(event: Incoming) -> (String, Vec<Media>) {
    let What::Message { text, media, .. } = event.what else {
        panic!("no message");
    };
    (text, media)
}

fn text(fields: &str, body: &str) -> String {
    content(letter(fields, body)).0
}

fn context(event: &Incoming) -> Context {
    serde_json::from_str(event.context.as_deref().unwrap()).unwrap()
}

fn answer_to<'a>(event: &'a Incoming, text: &'a str) -> Outgoing<'a> {
    Outgoing {
        thread: &event.thread,
        key: "0f3a-2",
        context: event.context.as_deref(),
        author: "bot",
        text,
        at: AT + 60,
        ..Outgoing::default()
    }
}

fn sent(outgoing: &Outgoing<'_>) -> (Call, String) {
    let calls = mail().send(&Sending::Message(outgoing));
    let [call] = calls.as_slice() else {
        panic!("{calls:?}");
    };
    let raw = String::from_utf8(call.body.clone()).unwrap();
    (call.clone(), raw)
}

#[test]
fn a_letter_is_read_with_its_writer() {
    let event = letter("Subject: Re: RE: Order\r\n", "Where is it?\r\n");
    assert_eq!(event.id, "1@customer.example");
    assert_eq!(event.sender.id, "ana@customer.example");
    assert_eq!(event.sender.name.as_deref(), Some("Ana López"));
    assert!(event.private && event.at == Some(AT));
    assert_eq!(context(&event).subject, "Order");
    assert_eq!(content(event).0, "Where is it?");
    // Who forgets to write says it in the subject.
    assert_eq!(text("Subject: Where is it?\r\n", "\r\n"), "Where is it?");
    assert_eq!(mail().letter(&raw("", " \r\n"), AT), None);
}

#[test]
fn a_letter_without_an_id_is_known_by_its_words() {
    let told = |body: &str| {
        let raw = format!("From: a@b.example\r\nTo: help@example.com\r\n\r\n{body}");
        mail().letter(raw.as_bytes(), AT).unwrap().id
    };
    assert!(told("one").starts_with("sha256:"));
    assert_eq!(told("one"), told("one"));
    assert_ne!(told("one"), told("two"));
}

#[test]
fn no_hook_is_answered() {
    let received = mail().receive(&Hook {
        method: &http::Method::POST,
        url: "https://shop.example/hooks/mail/shop",
        headers: &HeaderMap::new(),
        body: b"{}",
        at: AT,
    });
    assert_eq!(received, Err(HookError::BadSignature));
}

#[test]
fn a_sender_is_known_only_where_our_server_says_so() {
    let sender = |results: &str| {
        let raw = format!(
            "{results}From: ana@customer.example\r\nTo: help@example.com\r\n\
             Message-ID: <1@customer.example>\r\n\r\nhello"
        );
        mail().letter(raw.as_bytes(), AT).unwrap().sender.id
    };
    let known = "ana@customer.example";
    for results in [
        "mx.example.com; dmarc=pass (p=none) header.from=customer.example",
        "MX.example.com 1; spf=fail; dmarc=pass header.from=customer.example",
        "mx.example.com; dkim=pass header.d=customer.example header.s=a",
        "mx.example.com;\r\n\tdkim=pass header.i=@customer.example",
        "mx.example.com; spf=pass smtp.mailfrom=ana@customer.example; dmarc=none",
    ] {
        let field = format!("Authentication-Results: {results}\r\n");
        assert_eq!(sender(&field), known, "{results}");
    }
    for results in [
        "mx.evil.example; dmarc=pass header.from=customer.example",
        "mx.example.com; none",
        "mx.example.com; dmarc=fail header.from=customer.example; dkim=pass header.d=customer.example",
        "mx.example.com; dmarc=pass header.from=evil.example",
        "mx.example.com; dkim=pass header.d=evil.example; spf=pass smtp.mailfrom=a@evil.example",
        "mx.example.com; dkim=pass header.d=example",
        "mx.example.com; dkim=fail header.d=customer.example",
        "mx.example.com; spf=pass smtp.mailfrom=\"; dmarc=pass header.from=customer.example; \"@evil.example",
        "mx.example.com; spf=fail (dmarc=pass; dmarc=pass) smtp.mailfrom=x",
        "mx.other.example; none\r\nAuthentication-Results: mx.example.com; dmarc=pass",
        "mx.example.com; dmarc=pass header.from=customer.example\r\nFrom: eve@customer.example",
    ] {
        let field = format!("Authentication-Results: {results}\r\n");
        assert!(sender(&field).starts_with(UNVERIFIED), "{results}");
    }
    assert_eq!(sender(""), "unverified:ana@customer.example");
}

#[test]
fn an_answer_to_us_goes_on_with_its_conversation() {
    let first = letter("Subject: Order\r\n", "Where is it?");
    let (call, composed) = sent(&answer_to(&first, "Which one?"));
    let id = call.headers["x-message-id"].to_str().unwrap().to_owned();
    let token = composed.split_once("\nReply-To: ").unwrap().1;
    let token = token.split_once("\r\n").unwrap().0;
    let thread = |fields: &str| {
        let fields = format!("{fields}Message-ID: <2@customer.example>\r\n");
        let raw = String::from_utf8(raw(&fields, "1001")).unwrap();
        let raw = raw.replacen("Message-ID: <1@customer.example>\r\n", "", 1);
        mail().letter(raw.as_bytes(), AT).unwrap().thread
    };
    assert_eq!(thread(&format!("In-Reply-To: <{id}>\r\n")), first.thread);
    assert_eq!(thread(&format!("Cc: {token}\r\n")), first.thread);
    assert_eq!(thread("References: <1@customer.example>\r\n"), first.thread);
    assert_ne!(thread(""), first.thread);
    assert_ne!(
        thread(&format!("Cc: {}\r\n", token.replace('@', "0@"))),
        first.thread
    );
    // Whoever gets hold of the letter, or says to be Ana, is not in her conversation.
    for (from, to) in [
        ("Ana@Customer.example", "eve@customer.example"),
        ("dmarc=pass", "none"),
    ] {
        let fields = format!("In-Reply-To: <{id}>\r\nReferences: <1@customer.example> <{id}>\r\n");
        let raw = String::from_utf8(raw(&fields, "1001"))
            .unwrap()
            .replace(from, to);
        let event = mail().letter(raw.as_bytes(), AT).unwrap();
        assert_ne!(event.thread, first.thread);
    }
    // Without a secret no code is one.
    let mut unset = settings();
    unset.secret = String::new();
    let code = Mail::new(unset);
    let first = code.letter(&raw("", "hello"), AT).unwrap();
    let call = code
        .send(&Sending::Message(&answer_to(&first, "hi")))
        .remove(0);
    let id = call.headers["x-message-id"].to_str().unwrap().to_owned();
    let again = raw(&format!("In-Reply-To: <{id}>\r\n"), "hello");
    assert_ne!(code.letter(&again, AT).unwrap().thread, first.thread);
}

#[test]
fn our_own_letters_and_automatic_ones_are_passed_over() {
    let first = letter("", "hello");
    let (call, composed) = sent(&answer_to(&first, "hi"));
    assert_eq!(mail().silence(&call.body), Some(Silence::OwnLoop));
    let without = composed.replace("X-Frontdesk-Loop", "X-Other");
    assert_eq!(mail().silence(without.as_bytes()), Some(Silence::OwnLoop));
    let silence = |from: &str| {
        let raw = format!("From: {from}\r\nTo: help@example.com\r\n\r\nhello");
        mail().silence(raw.as_bytes())
    };
    assert_eq!(silence("HELP+c42.x@Example.com"), Some(Silence::OwnAddress));
    for from in [
        "orders-noreply@shop.example",
        "bounces+1=2@x.example",
        "Do.Not.Reply@x.example",
    ] {
        assert_eq!(silence(from), Some(Silence::SystemSender), "{from}");
    }
    for from in [
        "bouncer@x.example",
        "renoreply@x.example",
        "reply@x.example",
    ] {
        assert_eq!(silence(from), None, "{from}");
    }
    assert_eq!(mail().silence(b"hello"), Some(Silence::Unreadable));
}

#[test]
fn a_bounce_is_a_receipt_of_our_letter() {
    let first = letter("", "hello");
    let (call, composed) = sent(&answer_to(&first, "hi"));
    let id = call.headers["x-message-id"].to_str().unwrap();
    let header = composed.split_once("\r\n\r\n").unwrap().0;
    let bounce = |status: &str| {
        let raw = format!(
            "Return-Path: <>\r\nFrom: MAILER-DAEMON@mx.example\r\nTo: help@example.com\r\n\
             Message-ID: <b1@mx.example>\r\nContent-Type: multipart/report;\r\n\
             \treport-type=delivery-status; boundary=b\r\n\r\n--b\r\n\r\nIt could not be delivered.\r\n\
             --b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example\r\n\r\n\
             {status}\r\n--b\r\nContent-Type: text/rfc822-headers\r\n\r\n{header}\r\n\r\n--b--\r\n"
        );
        mail().letter(raw.as_bytes(), AT)
    };
    let failed = "Action: failed\r\nStatus: 5.1.1\r\nDiagnostic-Code: smtp; 550 No such user";
    let event = bounce(failed).unwrap();
    assert_eq!(event.thread, first.thread);
    let What::Receipt { message, receipt } = event.what else {
        panic!("no receipt");
    };
    assert_eq!(message, id);
    assert_eq!(receipt, Receipt::Failed("smtp; 550 no such user".into()));
    let delivered = bounce("Action: delivered\r\nStatus: 2.0.0").unwrap();
    assert!(matches!(
        delivered.what,
        What::Receipt {
            receipt: Receipt::Delivered,
            ..
        }
    ));
    assert_eq!(bounce("Action: delayed\r\nStatus: 4.4.1"), None);
}

#[test]
fn a_message_becomes_a_letter() {
    let event = letter(
        "Subject: Aw: =?utf-8?q?Gr=C3=B6=C3=9Fe?=\r\nReferences: <0@customer.example>\r\n\
         Reply-To: Ana <ana@home.example>\r\n",
        "Where is it?",
    );
    let mut outgoing = answer_to(&event, "It is <here> & now.");
    let url = Some("https://shop.example/?a=1&b=\"2\"");
    outgoing.links = vec![Link {
        title: "Returns",
        url,
    }];
    outgoing.quick_replies = vec![Choice {
        id: "q",
        label: "A person, please",
    }];
    let (call, raw) = sent(&outgoing);
    assert_eq!(call.url.as_str(), "smtps://smtp.example.com:465");
    assert_eq!(call.headers["x-envelope-from"], "help@example.com");
    assert_eq!(call.headers["x-envelope-to"], "ana@home.example");
    let letter = MessageParser::default().parse(&raw).unwrap();
    let id = call.headers["x-message-id"].to_str().unwrap();
    assert_eq!(letter.message_id(), Some(id));
    assert!(id.starts_with(&format!("fd.{}.", event.thread)) && id.ends_with("@bot.example.com"));
    assert_eq!(letter.subject(), Some("Re: Größe"));
    assert_eq!(letter.in_reply_to().as_text(), Some("1@customer.example"));
    let references = letter.references().as_text_list().unwrap();
    assert_eq!(references, ["0@customer.example", "1@customer.example"]);
    assert_eq!(letter.date().unwrap().to_timestamp(), AT + 60);
    let from = letter.from().unwrap().first().unwrap();
    assert_eq!(
        (from.name(), from.address()),
        (Some("Example Support"), Some("help@example.com"))
    );
    let to = letter.to().unwrap().first().unwrap();
    assert_eq!(
        (to.name(), to.address()),
        (Some("Ana López"), Some("ana@home.example"))
    );
    let raw_of = |name: &'static str| letter.header_raw(name).unwrap().trim();
    assert_eq!(raw_of("Auto-Submitted"), "auto-replied");
    assert_eq!(raw_of("X-Auto-Response-Suppress"), "All");
    assert_eq!(raw_of("X-Frontdesk-Loop"), event.thread);
    assert!(raw_of("Reply-To").starts_with(&format!("help+{}.", event.thread)));
    let plain = letter.body_text(0).unwrap().replace("\r\n", "\n");
    assert_eq!(
        plain.trim(),
        "It is <here> & now.\n\nReturns: https://shop.example/?a=1&b=\"2\"\n\n- A person, please"
    );
    let page = letter.body_html(0).unwrap();
    assert!(page.contains("It is &lt;here&gt; &amp; now.<br>"), "{page}");
    assert!(page.contains("<a href=\"https://shop.example/?a=1&amp;b=&quot;2&quot;\">Returns</a>"));
    assert!(letter.parts[1].is_content_type("text", "plain"));
    // The same again, byte by byte; a person's letter is no automatic one.
    assert_eq!(sent(&outgoing).1, raw);
    outgoing.author = "agent";
    assert!(!sent(&outgoing).1.contains("Auto-Submitted"));
}

#[test]
fn nothing_is_sent_to_nobody() {
    let event = letter("", "hello");
    let none = |outgoing: &Outgoing<'_>| {
        assert_eq!(mail().send(&Sending::Message(outgoing)), []);
    };
    none(&Outgoing {
        context: None,
        ..answer_to(&event, "hi")
    });
    none(&Outgoing {
        context: Some("{}"),
        ..answer_to(&event, "hi")
    });
    none(&Outgoing {
        thread: "c42\r\nBcc: x@y.example",
        ..answer_to(&event, "hi")
    });
    none(&answer_to(&event, " "));
    let seen = Sending::Seen { receipt: "1" };
    assert_eq!(mail().send(&seen), []);
}

#[test]
fn no_field_of_a_letter_reaches_the_header_of_another() {
    let event = letter(
        "Subject: =?utf-8?q?x=0D=0ABcc:_eve@evil.example?=\r\n\
         Reply-To: =?utf-8?q?A=0D=0ABcc:_eve@evil.example?= <help@example.com>\r\n",
        "hello",
    );
    let (call, raw) = sent(&answer_to(&event, "hi\r\n.\r\nBcc: eve@evil.example"));
    // We do not answer ourselves either.
    assert_eq!(call.headers["x-envelope-to"], "Ana@Customer.example");
    let header = raw.split_once("\r\n\r\n").unwrap().0;
    assert!(!header.contains("\r\nBcc"), "{header}");
    assert!(!raw.replace("\r\n", "").contains(['\r', '\n']));
}

#[test]
fn a_reply_code_says_what_to_do() {
    let said = |status, text: &str| {
        mail().accepted(&Answer {
            status,
            headers: &HeaderMap::new(),
            body: text.as_bytes(),
        })
    };
    assert_eq!(said(250, "2.0.0 Ok: queued as 4F"), Ok(Sent::default()));
    let mut headers = HeaderMap::new();
    headers.insert(MESSAGE_ID, "fd.x@bot.example.com".parse().unwrap());
    let accepted = mail().accepted(&Answer {
        status: 250,
        headers: &headers,
        body: b"",
    });
    assert_eq!(
        accepted.unwrap().message.as_deref(),
        Some("fd.x@bot.example.com")
    );
    for status in [421, 450, 451, 452, 454] {
        assert_eq!(
            said(status, "4.7.1 later"),
            Err(SendError::Later {
                status,
                after: None
            })
        );
    }
    for status in [530, 534, 535] {
        assert_eq!(said(status, "5.7.8 no"), Err(SendError::Unauthorized));
    }
    for (status, text) in [
        (550, "No such user here"),
        (550, "550-5.1.1 The email account does not exist"),
        (553, "mailbox name not allowed"),
        (554, "5.1.10 recipient not found"),
        (552, "5.2.2 mailbox full"),
        (556, "domain takes no mail"),
    ] {
        let error = said(status, text).unwrap_err();
        assert!(
            matches!(error, SendError::Unreachable { .. }),
            "{status} {text}"
        );
    }
    for (status, text) in [
        (550, "5.7.1 blocked by policy"),
        (552, "5.3.4 message too big"),
        (552, "too big"),
        (554, "rejected"),
        (501, "5.5.4 bad argument"),
    ] {
        let error = said(status, text).unwrap_err();
        assert!(
            matches!(error, SendError::Refused { .. }),
            "{status} {text}"
        );
    }
    let probe = mail().probe().unwrap();
    assert!(probe.body.is_empty() && probe.url.scheme() == "smtps");
}
