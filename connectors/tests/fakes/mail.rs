//! A mail server with a mailbox of ours, and the mailboxes of our customers.

use std::collections::BTreeMap;

use http::{HeaderMap, Method};
use mail_parser::{Message, MessageParser};

use super::{Answered, Fake, Shown, Told};

/// Our address.
pub const ADDRESS: &str = "help@example.com";
/// What the server calls itself.
pub const SERVER: &str = "mx.example.com";

/// The server. A customer's name is their address.
#[derive(Default)]
pub struct Mail {
    /// The letters that it has accepted, by receiver.
    sent: BTreeMap<String, Vec<Vec<u8>>>,
    /// Letters so far.
    count: usize,
}

impl Mail {
    /// The last letter to a customer.
    pub fn last(&self, customer: &str) -> Option<Vec<u8>> {
        self.sent.get(customer)?.last().cloned()
    }

    /// Why a letter is refused, as a reply code and its text.
    fn refusal(headers: &HeaderMap, body: &[u8]) -> Option<(u16, &'static str)> {
        let envelope = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        if envelope("x-envelope-from") != Some(ADDRESS) {
            return Some((550, "5.7.60 not your address to send from"));
        }
        let to = envelope("x-envelope-to").unwrap_or_default();
        if to.split('@').count() != 2 || to.contains(char::is_whitespace) {
            return Some((501, "5.1.3 bad address"));
        }
        if !to.ends_with(".example") {
            return Some((550, "5.1.1 no such user"));
        }
        if body.len() > 25 * 1024 * 1024 {
            return Some((552, "5.3.4 message too big"));
        }
        let text = String::from_utf8_lossy(body);
        let bare = text.replace("\r\n", "");
        if bare.contains(['\r', '\n']) || text.split("\r\n").any(|line| line.len() > 998) {
            return Some((554, "5.6.0 bad line"));
        }
        let (header, _) = text.split_once("\r\n\r\n")?;
        let once = |name: &str| {
            let fields = header.lines().filter(|line| line.starts_with(name));
            fields.count() == 1
        };
        let needed = [
            "From: ",
            "To: ",
            "Date: ",
            "Message-ID: ",
            "Auto-Submitted: ",
        ];
        if !header.is_ascii() || !needed.iter().all(|name| once(name)) {
            return Some((554, "5.6.0 bad header"));
        }
        None
    }

    fn read(raw: &[u8]) -> Option<Message<'_>> {
        MessageParser::default().parse(raw)
    }
}

impl Fake for Mail {
    fn answer(&mut self, _: &Method, _: &str, headers: &HeaderMap, body: &[u8]) -> Answered {
        let reply = |status, text: &str, headers| Answered {
            status,
            headers,
            body: text.as_bytes().to_vec(),
        };
        if let Some((status, text)) = Self::refusal(headers, body) {
            return reply(status, text, Vec::new());
        }
        let named = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let to = named("x-envelope-to").unwrap_or_default().to_owned();
        self.count += 1;
        self.sent.entry(to).or_default().push(body.to_vec());
        // The client's own word of which letter it was.
        let id = named("x-message-id").unwrap_or_default().to_owned();
        reply(250, "2.0.0 Ok: queued", vec![("x-message-id", id)])
    }

    fn says(&mut self, customer: &str, text: &str) -> Told {
        self.count += 1;
        let count = self.count;
        let (_, domain) = customer.split_once('@').unwrap_or_default();
        let last = self.last(customer);
        let last = last.as_deref().and_then(Self::read);
        let answered = last.and_then(|last| {
            let quoted = last.body_text(0)?.replace('\n', "\n> ");
            let fields = format!(
                "In-Reply-To: <{0}>\r\nReferences: <{0}>\r\n",
                last.message_id()?
            );
            let quotation =
                format!("On Thu, 1 Jan 2026 at 10:00, <{ADDRESS}> wrote:\r\n\r\n> {quoted}");
            Some((fields, quotation))
        });
        let (fields, quotation) = answered.unwrap_or_default();
        let raw = format!(
            "Return-Path: <{customer}>\r\n\
             Authentication-Results: {SERVER}; dmarc=pass header.from={domain}\r\n\
             Message-ID: <{count}@{domain}>\r\n{fields}\
             From: Ana <{customer}>\r\nTo: {ADDRESS}\r\nSubject: A question\r\n\
             Date: Thu, 01 Jan 2026 00:00:00 +0000\r\nMIME-Version: 1.0\r\n\
             Content-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n\r\n{quotation}\r\n"
        );
        Told::Letter(raw.into_bytes())
    }

    fn presses(&mut self, _: &str, _: &str) -> Option<Told> {
        None
    }

    fn seen(&self, customer: &str) -> Vec<Shown> {
        let sent = self.sent.get(customer).into_iter().flatten();
        let shown = sent.filter_map(|raw| {
            let letter = Self::read(raw)?;
            Some(Shown {
                text: letter.body_text(0)?.into_owned(),
                buttons: Vec::new(),
            })
        });
        shown.collect()
    }
}
