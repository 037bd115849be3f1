mod sending;

use proptest::prelude::*;

use super::*;
use crate::channel::{Incoming, Receipt, What};
use crate::signature::{hash, hex, hmac_sha1};

const TOKEN: &str = "auth-token-of-the-tests";
const URL: &str = "https://shop.example/hooks/twilio/shop";
const CUSTOMER: &str = "+15550001111";
const OURS: &str = "+15550002222";
const THREAD: &str = "+15550002222/+15550001111";
const WHATSAPP_THREAD: &str = "whatsapp:+15550002222/whatsapp:+34600111222";

fn settings(whatsapp: Option<WhatsApp>) -> Settings {
    Settings {
        base: Url::parse("https://api.twilio.com").unwrap(),
        messaging_base: Url::parse("https://messaging.twilio.com").unwrap(),
        account: "AC1".to_owned(),
        auth_token: TOKEN.to_owned(),
        key: None,
        hook: Some(Url::parse(URL).unwrap()),
        per_second: 1,
        whatsapp,
    }
}

fn short_messages() -> Twilio {
    Twilio::new(settings(None))
}

fn whatsapp() -> Twilio {
    Twilio::new(settings(Some(WhatsApp {
        answers: vec!["HX1".to_owned(), "HX2".to_owned()],
        reminder: Some("HX9".to_owned()),
    })))
}

fn signature(url: &str, sorted: &str) -> String {
    BASE64.encode(hmac_sha1(
        TOKEN.as_bytes(),
        &[url.as_bytes(), sorted.as_bytes()],
    ))
}

/// What is signed of a form without repeated names.
fn sorted(body: &[u8]) -> String {
    let mut pairs: Vec<_> = url::form_urlencoded::parse(body).into_owned().collect();
    pairs.sort();
    pairs.dedup();
    pairs
        .into_iter()
        .flat_map(|(name, value)| [name, value])
        .collect()
}

struct Request<'a> {
    method: Method,
    url: &'a str,
    kind: &'static str,
    signature: &'a str,
    body: &'a [u8],
}

impl<'a> Request<'a> {
    fn form(body: &'a [u8], signature: &'a str) -> Self {
        Self {
            method: Method::POST,
            url: URL,
            kind: "application/x-www-form-urlencoded; charset=utf-8",
            signature,
            body,
        }
    }

    fn receive(&self, twilio: &Twilio) -> Result<Received, HookError> {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.kind));
        if !self.signature.is_empty() {
            let signature = HeaderValue::from_str(self.signature).unwrap();
            headers.insert("x-twilio-signature", signature);
        }
        twilio.receive(&Hook {
            method: &self.method,
            url: self.url,
            headers: &headers,
            body: self.body,
            at: 1_767_225_600,
        })
    }
}

fn encoded(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut form = Serializer::new(String::new());
    form.extend_pairs(fields);
    form.finish().into_bytes()
}

fn read(fields: &[(&str, &str)]) -> Option<Incoming> {
    let body = encoded(fields);
    let signature = signature(URL, &sorted(&body));
    let received = Request::form(&body, &signature).receive(&short_messages());
    let received = received.unwrap();
    let reply = received.reply.unwrap();
    assert_eq!(
        (reply.content_type, reply.body.as_str()),
        ("text/xml", "<Response/>")
    );
    received.events.into_iter().next()
}

fn from(service: &str, with: &[(&str, &str)]) -> Option<Incoming> {
    let (from, to) = (format!("{service}{CUSTOMER}"), format!("{service}{OURS}"));
    let mut fields = vec![("MessageSid", "SM1"), ("From", from.as_str()), ("To", &to)];
    fields.extend(with);
    read(&fields)
}

fn message_of(event: Option<Incoming>) -> (String, Vec<String>) {
    let Some(What::Message { text, media, .. }) = event.map(|event| event.what) else {
        panic!("no message");
    };
    (text, media.into_iter().map(|media| media.place).collect())
}

#[test]
fn a_message_is_read_with_its_writer() {
    let event = from(
        "",
        &[
            ("Body", " Hi there "),
            ("NumMedia", "0"),
            ("SmsStatus", "received"),
        ],
    );
    let event = event.unwrap();
    assert_eq!((event.id.as_str(), event.thread.as_str()), ("SM1", THREAD));
    assert_eq!((event.sender.id.as_str(), event.private), (CUSTOMER, true));
    assert_eq!((event.at, &event.context), (None, &None));
    assert_eq!(message_of(Some(event)), ("Hi there".to_owned(), Vec::new()));

    let event = from(
        WHATSAPP,
        &[("Body", "Hi"), ("ProfileName", "Ana López 👋"), ("New", "")],
    );
    let event = event.unwrap();
    assert_eq!(event.thread, "whatsapp:+15550002222/whatsapp:+15550001111");
    assert_eq!(event.sender.name.as_deref(), Some("Ana López 👋"));
    assert_eq!(event.context.as_deref(), Some("SM1"));
}

#[test]
fn the_signature_is_of_the_address_and_the_parameters() {
    let body = encoded(&[("MessageSid", "SM1"), ("Body", "Hi")]);
    let right = signature(URL, &sorted(&body));
    let twilio = short_messages();
    let of_another = signature("https://other.example/hooks", &sorted(&body));
    for wrong in ["", "AAAA", &of_another, &signature(URL, "")] {
        let received = Request::form(&body, wrong).receive(&twilio);
        assert_eq!(received, Err(HookError::BadSignature), "{wrong:?}");
    }
    let received = |url| {
        Request {
            url,
            ..Request::form(&body, &right)
        }
        .receive(&twilio)
    };
    assert!(received(URL).is_ok());
    assert!(received("https://shop.example:443/hooks/twilio/shop").is_ok());
    assert!(received("https://shop.example/hooks/twilio/shop#rc=3&rp=all").is_ok());
    assert!(received("https://shop.example/hooks/twilio/shop?x=1").is_err());
    for odd in [
        "",
        "://",
        "https://",
        "https://[::1]",
        "https://user:word@host",
    ] {
        assert_eq!(received(odd), Err(HookError::BadSignature), "{odd:?}");
    }
    let unset = Twilio::new(Settings {
        auth_token: String::new(),
        ..settings(None)
    });
    let sorted = sorted(&body);
    let mac = hmac_sha1(b"", &[URL.as_bytes(), sorted.as_bytes()]);
    let of_nothing = BASE64.encode(mac);
    let received = Request::form(&body, &of_nothing).receive(&unset);
    assert_eq!(received, Err(HookError::BadSignature));
}

#[test]
fn a_body_of_json_is_proved_by_its_hash() {
    let receive = |body: &[u8], hash_of: Option<&[u8]>| {
        let hash_of = hash_of.map(|body| hex(&hash::<sha2::Sha256>(&[body])));
        let query = hash_of.map(|hash| format!("?bodySHA256={hash}"));
        let url = format!("{URL}{}", query.unwrap_or_default());
        let signature = signature(&url, "");
        let form = Request::form(body, &signature);
        let received = Request {
            url: &url,
            kind: "application/json",
            ..form
        }
        .receive(&short_messages());
        received.map(|received| received.events)
    };
    assert_eq!(receive(b"{}", Some(b"{}")), Ok(Vec::new()));
    assert_eq!(receive(b"{}", Some(b"[]")), Err(HookError::BadSignature));
    assert_eq!(receive(b"{}", None), Err(HookError::BadSignature));
    assert_eq!(receive(b"{", Some(b"{")), Err(HookError::Malformed));
}

#[test]
fn a_request_by_get_has_its_parameters_in_the_address() {
    let url = format!("{URL}?MessageSid=SM1&From=%2B1&To=%2B2&Body=Hi");
    let signature = signature(&url, "");
    let form = Request::form(b"Body=another", &signature);
    let received = Request {
        method: Method::GET,
        url: &url,
        ..form
    }
    .receive(&short_messages());
    let event = received.unwrap().events.into_iter().next();
    assert_eq!(message_of(event).0, "Hi");
}

#[test]
fn files_presses_and_places_are_read() {
    let media = [
        ("NumMedia", "2"),
        (
            "MediaUrl0",
            "https://api.twilio.com/2010-04-01/Accounts/AC1/Messages/MM1/Media/ME1",
        ),
        ("MediaContentType0", "image/jpeg"),
        ("MediaUrl1", "https://evil.example/1"),
    ];
    let (text, places) = message_of(from("", &media));
    assert_eq!((text.as_str(), places.len()), ("", 2));
    let twilio = short_messages();
    let files = twilio.files().unwrap();
    let request = files.request(&places[0]).unwrap();
    assert_eq!(
        request.headers[header::AUTHORIZATION],
        format!("Basic {}", BASE64.encode(format!("AC1:{TOKEN}")))
    );
    let others = [
        "http://api.twilio.com/1",
        "https://x@api.twilio.com/1",
        "https://api.twilio.com:8443/1",
        "/1",
        "",
    ];
    for elsewhere in others.iter().copied().chain([places[1].as_str()]) {
        assert_eq!(files.request(elsewhere), None, "{elsewhere:?}");
    }

    let pressed = |field| {
        from(WHATSAPP, &[("Body", "Thanks"), (field, "q:2")])
            .unwrap()
            .what
    };
    for field in ["ButtonPayload", "ListId"] {
        let (reply, receipt) = ("q:2".to_owned(), None);
        assert_eq!(pressed(field), What::Press { reply, receipt });
    }
    let place = [
        ("Latitude", "35.5"),
        ("Longitude", "139.25"),
        ("Label", "Home"),
        ("Address", "1 Road"),
    ];
    assert_eq!(
        message_of(from(WHATSAPP, &place)).0,
        "Home\n1 Road\ngeo:35.5,139.25"
    );
}

#[test]
fn who_opts_out_is_blocked_as_twilio_says() {
    let said =
        |body, kind| from("", &[("Body", body), ("OptOutType", kind)]).map(|event| event.what);
    assert_eq!(said("stop", "STOP"), Some(What::Blocked));
    assert_eq!(said("start", "START"), Some(What::Unblocked));
    assert_eq!(said("help", "HELP"), None);
    // Without Twilio's word on it, it may be about an order.
    assert!(matches!(said("cancel", ""), Some(What::Message { .. })));
}

#[test]
fn what_became_of_a_message_is_told() {
    let told = |status, with: &[(&str, &str)]| {
        let mut fields = vec![
            ("MessageSid", "SM2"),
            ("From", OURS),
            ("To", CUSTOMER),
            ("MessageStatus", status),
        ];
        fields.extend(with);
        read(&fields)
    };
    let event = told("delivered", &[]).unwrap();
    assert_eq!(
        (event.id.as_str(), event.thread.as_str()),
        ("SM2/delivered", THREAD)
    );
    assert_eq!(event.sender.id, CUSTOMER);
    let (message, receipt) = ("SM2".to_owned(), Receipt::Delivered);
    assert_eq!(event.what, What::Receipt { message, receipt });
    let receipt_of = |event: Option<Incoming>| {
        let What::Receipt { receipt, .. } = event?.what else {
            panic!("no receipt");
        };
        Some(receipt)
    };
    assert_eq!(receipt_of(told("read", &[])), Some(Receipt::Read));
    let failed = told("undelivered", &[("ErrorCode", "30003")]);
    assert_eq!(
        receipt_of(failed),
        Some(Receipt::Failed("30003".to_owned()))
    );
    for status in ["queued", "sending", "sent", "of the future"] {
        assert_eq!(told(status, &[]), None, "{status}");
    }
}

#[test]
fn what_nobody_wrote_is_passed_over() {
    assert_eq!(from("", &[("Body", "")]), None);
    assert_eq!(
        from("", &[("Body", " "), ("NumMedia", "99999999999999999999")]),
        None
    );
    assert_eq!(
        read(&[("CallSid", "CA1"), ("From", CUSTOMER), ("To", OURS)]),
        None
    );
    assert_eq!(read(&[]), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn malformed_bodies_are_refused(
        start in 0_usize..200,
        junk in prop::collection::vec(any::<u8>(), 0..40),
        length in 0_usize..200,
    ) {
        let mut body = encoded(&[
            ("MessageSid", "SM1"),
            ("From", CUSTOMER),
            ("To", OURS),
            ("Body", "Where is my order?"),
            ("NumMedia", "1"),
            ("MediaUrl0", "https://api.twilio.com/x"),
        ]);
        let start = start.min(body.len());
        let end = (start + length).min(body.len());
        body.splice(start..end, junk);
        // Whatever it is: read, or passed over.
        let signature = signature(URL, &sorted(&body));
        prop_assert!(Request::form(&body, &signature).receive(&whatsapp()).is_ok());
    }
}
