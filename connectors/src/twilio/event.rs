//! What Twilio tells, as far as it is read.

use super::is_whatsapp;
use crate::channel::{Incoming, Media, Receipt, Sender, What};

/// The most files that are read of one message.
const MOST_FILES: usize = 32;

/// The parameters of a request.
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    pub(super) fn new(parameters: Vec<(String, String)>) -> Self {
        Self(parameters)
    }

    /// A parameter that is not empty.
    fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(key, _)| key == name);
        found
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    fn owned(&self, name: &str) -> Option<String> {
        self.get(name).map(str::to_owned)
    }

    /// What happened; `None` of what is not known here.
    pub(super) fn incoming(&self) -> Option<Incoming> {
        let message = self.get("MessageSid").or(self.get("SmsSid"))?;
        let (from, to) = (self.get("From")?, self.get("To")?);
        let status = self.get("MessageStatus").or(self.get("SmsStatus"));
        let status = status.filter(|status| !matches!(*status, "received" | "receiving"));
        if let Some(status) = status {
            let id = format!("{message}/{status}");
            let what = What::Receipt {
                message: message.to_owned(),
                receipt: self.receipt(status)?,
            };
            return Some(event(id, from, to, what));
        }
        let mut event = event(message.to_owned(), to, from, self.said(message)?);
        event.sender.name = self.owned("ProfileName");
        // WhatsApp is told there that its message is being answered.
        event.context = Some(message.to_owned()).filter(|_| is_whatsapp(from));
        Some(event)
    }

    fn receipt(&self, status: &str) -> Option<Receipt> {
        match status {
            "delivered" => Some(Receipt::Delivered),
            "read" => Some(Receipt::Read),
            "failed" | "undelivered" => {
                let reasons = [self.get("ErrorCode"), self.get("ErrorMessage")];
                let reasons: Vec<&str> = reasons.into_iter().flatten().collect();
                Some(Receipt::Failed(reasons.join(" ")))
            }
            _ => None,
        }
    }

    fn said(&self, message: &str) -> Option<What> {
        match self.get("OptOutType") {
            Some("STOP") => return Some(What::Blocked),
            Some("START") => return Some(What::Unblocked),
            // Twilio has answered with the company's address.
            Some(_) => return None,
            None => {}
        }
        if let Some(reply) = self.owned("ButtonPayload").or(self.owned("ListId")) {
            return Some(What::Press {
                reply,
                receipt: None,
            });
        }
        let text = self.get("Body").map(str::trim).unwrap_or_default();
        let text = self.place(text);
        let media = self.media();
        let is_empty = text.is_empty() && media.is_empty();
        (!is_empty).then(|| What::Message {
            message: message.to_owned(),
            text,
            media,
        })
    }

    /// `text`, or a location as its name, its address and a URI (RFC 5870).
    fn place(&self, text: &str) -> String {
        let point = self.get("Latitude").zip(self.get("Longitude"));
        let point = point.map(|(latitude, longitude)| format!("geo:{latitude},{longitude}"));
        if point.is_none() {
            return text.to_owned();
        }
        let address = self.owned("Address").filter(|address| address != text);
        let lines = [Some(text.to_owned()), self.owned("Label"), address, point];
        let lines = lines.into_iter().flatten().filter(|line| !line.is_empty());
        lines.collect::<Vec<_>>().join("\n")
    }

    fn media(&self) -> Vec<Media> {
        let count = self.get("NumMedia").and_then(|count| count.parse().ok());
        let numbers = 0..count.unwrap_or(0).min(MOST_FILES);
        let media = numbers.filter_map(|number| {
            Some(Media {
                place: self.owned(&format!("MediaUrl{number}"))?,
                name: None,
                content_type: self.owned(&format!("MediaContentType{number}")),
                size: None,
            })
        });
        media.collect()
    }
}

/// Something that happened between a number of ours and a customer's.
fn event(id: String, ours: &str, theirs: &str, what: What) -> Incoming {
    Incoming {
        id,
        thread: format!("{ours}/{theirs}"),
        sender: Sender {
            id: theirs.to_owned(),
            ..Sender::default()
        },
        private: true,
        at: None,
        context: None,
        what,
    }
}
