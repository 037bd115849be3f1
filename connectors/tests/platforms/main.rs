//! Every platform by the same dialogue: a customer writes, is answered with more than one message holds, with
//! links and answers to choose from, and presses one of these.

#![expect(clippy::unwrap_used, reason = "a test may fail here")]

#[path = "../fakes/mod.rs"]
mod fakes;

mod dingtalk;
mod discord;
mod feishu;
mod line;
mod mail;
mod matrix;
mod mattermost;
mod messenger;
mod meta;
mod rocketchat;
mod slack;
mod teams;
mod telegram;
mod twilio;
mod wechat;
mod wecom;
mod whatsapp;

use std::collections::VecDeque;

use connectors::channel::{
    Answer, Auth, Call, Choice, Connector, Hook, HookError, Incoming, Keys, Link, Outgoing,
    SendError, Sending, Sent, What,
};
use fakes::{Fake, HOOK, NOW, Told};
use http::{HeaderMap, HeaderName, HeaderValue};

/// A platform's fake with our connector to it.
struct Platform<F> {
    fake: F,
    connector: Box<dyn Connector>,
    /// The lent token, once there is one.
    token: Option<String>,
    cursor: Option<String>,
    /// Messages of ours so far.
    count: i64,
}

impl<F: Fake> Platform<F> {
    fn new(fake: F, connector: impl Connector + 'static) -> Self {
        Self {
            fake,
            connector: Box::new(connector),
            token: None,
            cursor: None,
            count: 0,
        }
    }

    /// Makes a request, with a lent token where it wants one.
    fn call(&mut self, call: &Call) -> (u16, HeaderMap, Vec<u8>) {
        let mut call = call.clone();
        if call.auth != Auth::Complete && self.token.is_none() {
            let request = self.connector.tokens().unwrap().request();
            let (status, headers, body) = self.call(&request);
            let token = self.connector.tokens().unwrap().token(&Answer {
                status,
                headers: &headers,
                body: &body,
            });
            self.token = Some(token.unwrap().secret);
        }
        let token = self.token.clone().unwrap_or_default();
        match call.auth {
            Auth::Complete => {}
            Auth::Bearer => call = call.bearer(&token),
            Auth::Header(name) => {
                let value = HeaderValue::from_str(&token).unwrap();
                call.headers.insert(HeaderName::from_static(name), value);
            }
            Auth::Query(name) => {
                call.url.query_pairs_mut().append_pair(name, &token);
            }
        }
        let query = call.url.query().map(|query| format!("?{query}"));
        let path = format!("{}{}", call.url.path(), query.unwrap_or_default());
        let answered = self
            .fake
            .answer(&call.method, &path, &call.headers, &call.body);
        let mut headers = HeaderMap::new();
        for (name, value) in &answered.headers {
            headers.insert(*name, value.parse().unwrap());
        }
        (answered.status, headers, answered.body)
    }

    fn accepted(&mut self, call: &Call) -> Result<Sent, SendError> {
        let (status, headers, body) = self.call(call);
        self.connector.accepted(&Answer {
            status,
            headers: &headers,
            body: &body,
        })
    }

    /// What our connector reads of what the platform told.
    fn told(&mut self, told: Told) -> Vec<Incoming> {
        match told {
            Told::Hook {
                method,
                query,
                headers: named,
                body,
            } => {
                let mut headers = HeaderMap::new();
                for (name, value) in named {
                    headers.insert(name, HeaderValue::from_str(&value).unwrap());
                }
                let url = format!("{HOOK}{query}");
                let hook = Hook {
                    method: &method,
                    url: &url,
                    headers: &headers,
                    body: &body,
                    at: NOW,
                };
                let mut received = self.connector.receive(&hook);
                if received == Err(HookError::UnknownKey) {
                    self.fetch_keys();
                    received = self.connector.receive(&hook);
                }
                let received = received.unwrap();
                self.do_at_once(&received.calls);
                match &received.bell {
                    Some(bell) => self.poll(Some(bell)),
                    None => received.events,
                }
            }
            Told::Frame(text) => {
                let mut session = self.connector.gateway().unwrap().session();
                let mut greetings = VecDeque::from(self.fake.opened());
                for text in session.opened() {
                    greetings.extend(self.fake.heard(&text));
                }
                while let Some(greeting) = greetings.pop_front() {
                    for reply in session.heard(&greeting).replies {
                        greetings.extend(self.fake.heard(&reply));
                    }
                }
                let heard = session.heard(&text);
                for reply in &heard.replies {
                    self.fake.heard(reply);
                }
                self.do_at_once(&heard.calls);
                heard.events
            }
            Told::Polled => self.poll(None),
            Told::Letter(raw) => {
                let mailbox = self.connector.mailbox().unwrap();
                mailbox.letter(&raw, NOW).into_iter().collect()
            }
        }
    }

    /// Has the connector take in the platform's keys.
    fn fetch_keys(&mut self) {
        let mut next = Some(self.connector.keys().unwrap().request());
        while let Some(call) = next {
            let (status, headers, body) = self.call(&call);
            let keys = self.connector.keys().unwrap().keys(&Answer {
                status,
                headers: &headers,
                body: &body,
            });
            next = match keys.unwrap() {
                Keys::At(call) => Some(*call),
                Keys::Set { .. } => None,
            };
        }
    }

    fn poll(&mut self, bell: Option<&str>) -> Vec<Incoming> {
        let request = self
            .connector
            .polling()
            .unwrap()
            .request(self.cursor.as_deref(), bell);
        let (status, headers, body) = self.call(&request);
        let polled = self.connector.polling().unwrap().polled(&Answer {
            status,
            headers: &headers,
            body: &body,
        });
        let polled = polled.unwrap();
        self.do_at_once(&polled.calls);
        self.cursor = polled.cursor.or(self.cursor.take());
        polled.events
    }

    fn do_at_once(&mut self, calls: &[Call]) {
        for call in calls {
            self.accepted(call).unwrap();
        }
    }

    /// Sends a message in answer to `event`; what is refused for a while is sent again after it.
    fn reply(&mut self, event: &Incoming, text: &str, choices: &[Choice<'_>]) {
        self.count += 1;
        let mut outgoing = Outgoing {
            thread: &event.thread,
            key: &format!("01a22f55738773e2b1849c7cacbaa243-{}", self.count),
            context: event.context.as_deref(),
            heard_at: Some(NOW),
            is_first: self.count == 1,
            seq: self.count,
            author: "bot",
            text,
            links: vec![Link {
                title: "Returns",
                url: Some("https://shop.example/returns"),
            }],
            quick_replies: choices.to_vec(),
            at: NOW,
        };
        let mut sent = 0;
        while let Some(call) = self.connector.send(&Sending::Message(&outgoing)).get(sent) {
            match self.accepted(call) {
                Err(SendError::Later {
                    after: Some(after), ..
                }) if outgoing.at == NOW => {
                    outgoing.at += i64::try_from(after.as_secs()).unwrap();
                }
                accepted => {
                    accepted.unwrap();
                    sent += 1;
                }
            }
        }
    }
}

/// The dialogue, with a `customer` of the platform's kind of names.
fn talk<F: Fake>(mut platform: Platform<F>, customer: &str) -> Platform<F> {
    let told = platform.fake.says(customer, "Where is my order?");
    let events = platform.told(told);
    let [event] = events.as_slice() else {
        panic!("{events:?}");
    };
    assert!(event.private, "{event:?}");
    let What::Message { text, .. } = &event.what else {
        panic!("{event:?}");
    };
    assert_eq!(text, "Where is my order?");

    // A short answer with everything that an answer may have.
    let choices = [
        Choice {
            id: "q:1",
            label: "Talk to a person",
        },
        Choice {
            id: "q:2",
            label: "Thanks",
        },
    ];
    platform.reply(
        event,
        "It comes on Tuesday, <b>not</b> *before* & not later.",
        &choices,
    );
    let seen = platform.fake.seen(customer);
    let all = |seen: &[fakes::Shown]| {
        let texts = seen.iter().map(|shown| shown.text.clone());
        texts.collect::<Vec<_>>().join("\n")
    };
    let text = all(&seen);
    assert!(text.contains("It comes on Tuesday"), "{text}");
    assert!(text.contains("https://shop.example/returns"), "{text}");
    let buttons: Vec<&String> = seen.iter().flat_map(|shown| &shown.buttons).collect();
    if platform.connector.limits().buttons.is_some() {
        assert_eq!(buttons, ["Talk to a person", "Thanks"]);
        let told = platform.fake.presses(customer, "Thanks").unwrap();
        let pressed = platform.told(told);
        assert!(
            matches!(&pressed[..], [Incoming { what: What::Press { reply, .. }, .. }] if reply == "q:2"),
            "{pressed:?}"
        );
    } else {
        let is_told = |label: &str| text.contains(label) || buttons.iter().any(|it| *it == label);
        assert!(is_told("Talk to a person") && is_told("Thanks"), "{text}");
        // A button that writes in the customer's name.
        if let Some(told) = platform.fake.presses(customer, "Thanks") {
            let wrote = platform.told(told);
            assert!(
                matches!(&wrote[..], [Incoming { what: What::Message { text, .. }, .. }] if text == "Thanks"),
                "{wrote:?}"
            );
        }
    }

    // More than one message holds.
    let long = "Kettles are kept in the back of the shop, beside the lamps. ".repeat(400);
    let before = platform.fake.seen(customer).len();
    platform.reply(event, &long, &[]);
    let seen = platform.fake.seen(customer);
    let words = all(&seen[before..]).matches("beside the lamps").count();
    assert!(words >= 400, "{words}");
    platform
}
