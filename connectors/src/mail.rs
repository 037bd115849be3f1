//! E-mail: letters ([RFC 5322](https://www.rfc-editor.org/rfc/rfc5322)) that are read from a mailbox
//! ([RFC 9051](https://www.rfc-editor.org/rfc/rfc9051)) and sent by a mail server
//! ([RFC 5321](https://www.rfc-editor.org/rfc/rfc5321)).
//!
//! Who a letter is from, anybody can write. A sender is called by their address only where the receiving server has
//! found that the letter is of its sender's domain, and else `unverified:` before the address, which belongs to no
//! customer. The two never share a conversation.
//!
//! A letter to be sent is a [`Call`] to `smtp://` (with `STARTTLS`) or `smtps://` (with implicit TLS) whose body is
//! the whole letter. The headers of the call hold what the mail server is told: `x-envelope-from`, `x-envelope-to`,
//! and `x-message-id`, which is to come back with its answer as a header of the [`Answer`], whose status is the reply
//! code and whose body the text of the reply. A call without a body only logs in.

mod compose;
mod guard;
mod html;
mod markers;
mod quote;
mod read;
mod report;
pub mod sasl;
mod thread;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use url::Url;

use crate::channel::{
    Answer, Call, Connector, Hook, HookError, Incoming, Limits, MailServer, Mailbox, Rate,
    Received, Repeats, SendError, Sender, Sending, Sent, What,
};
use crate::text::{Length, Unit};
use compose::MESSAGE_ID;
pub use guard::Silence;
use read::{Letter, Party, one_line};

/// The field by which our letters are recognised when they come back.
const LOOP: &str = "X-Frontdesk-Loop";
/// What stands before the address of a sender who may be anybody.
const UNVERIFIED: &str = "unverified:";
/// How many bytes of message ids are kept to refer to.
const MOST_REFERENCES_BYTES: usize = 4_000;
/// Of a subject that is kept.
const SUBJECT: Length = Length {
    most: 200,
    unit: Unit::Chars,
};
/// Of a text: what is longer nobody wrote.
const TEXT: Length = Length {
    most: 100_000,
    unit: Unit::Chars,
};

/// What an account needs.
pub struct Settings {
    /// The server that letters are sent by: `smtp://host:port`, or `smtps://host:port` with implicit TLS.
    pub smtp: Url,
    /// The server that they are read from: `imap://host:port`, or `imaps://host:port` with implicit TLS.
    pub imap: Url,
    /// The account there.
    pub user: String,
    /// The folder that is read, usually `INBOX`.
    pub folder: String,
    /// The addresses that customers write to, in lower or upper case; the first is answered from.
    pub addresses: Vec<String>,
    /// What customers see beside that address; empty where they see nothing.
    pub name: String,
    /// The domain of the ids of our letters: one that nobody else makes ids in.
    pub domain: String,
    /// What the codes are made with by which our letters are recognised: long, and kept. Without one, no letter is
    /// taken for an answer to one of ours.
    pub secret: String,
    /// What the receiving server calls itself in `Authentication-Results` (RFC 8601, section 2.5); `None` where it
    /// writes none, and no sender is known.
    pub authserv_id: Option<String>,
    /// Whether letters to `name+anything@` reach `name@`: by that, answers are recognised after a server has
    /// changed the ids of our letters.
    pub plus_addresses: bool,
    /// Where what cannot be delivered comes back to; `None` is the first address.
    pub bounces: Option<String>,
}

/// An account of e-mail.
pub struct Mail {
    settings: Settings,
}

/// What is kept of a letter to answer it.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default)]
struct Context {
    /// The sender, as we call them.
    from: String,
    /// Their address.
    address: String,
    /// Where they want to be answered.
    to: String,
    name: Option<String>,
    /// Without what clients set before it.
    subject: String,
    /// The letter.
    id: Option<String>,
    /// The letters before it and it, the first first.
    references: Vec<String>,
}

impl Mail {
    /// An account with these settings.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { settings }
    }

    /// Why a letter is never answered by itself; `None` where it may be.
    #[must_use]
    pub fn silence(&self, raw: &[u8]) -> Option<Silence> {
        let Some(letter) = Letter::read(raw) else {
            return Some(Silence::Unreadable);
        };
        guard::silence(&letter, &self.settings)
    }

    /// The content of the file at `place` ([`Media::place`](crate::channel::Media::place)) of a letter; `None`
    /// where there is none.
    #[must_use]
    pub fn file(raw: &[u8], place: &str) -> Option<Vec<u8>> {
        Letter::read(raw)?.file(place)
    }

    fn event(&self, letter: &Letter<'_>, at: i64) -> Option<Incoming> {
        let party = letter.parties("From").into_iter().next()?;
        let media = letter.files();
        let text = said(letter, media.is_empty());
        if text.is_empty() && media.is_empty() {
            return None;
        }
        let address = party.address.to_lowercase();
        let sender = match guard::is_verified(letter, &self.settings) {
            true => address.clone(),
            false => format!("{UNVERIFIED}{address}"),
        };
        let id = letter.id_or_hash();
        let context = self.context(letter, &party, &sender);
        Some(Incoming {
            thread: thread::thread(letter, &sender, &self.settings),
            sender: Sender {
                id: sender,
                name: party.name,
                language: letter.language(),
            },
            private: true,
            at: Some(at),
            context: serde_json::to_string(&context).ok(),
            what: What::Message {
                message: id.clone(),
                text,
                media,
            },
            id,
        })
    }

    fn context(&self, letter: &Letter<'_>, party: &Party, sender: &str) -> Context {
        let wanted = letter.parties("Reply-To").into_iter().next();
        let wanted = wanted
            .map(|wanted| wanted.address)
            .filter(|wanted| !guard::is_own(wanted, &self.settings) && !guard::is_system(wanted));
        let subject = quote::subject(&letter.subject());
        Context {
            from: sender.to_owned(),
            address: party.address.clone(),
            to: wanted.unwrap_or_else(|| party.address.clone()),
            name: party.name.as_deref().map(|name| SUBJECT.shorten(name)),
            subject: SUBJECT.shorten(&one_line(&subject)),
            id: letter.id(),
            references: references(letter),
        }
    }

    fn reported(&self, letter: &Letter<'_>, at: i64) -> Option<Incoming> {
        let report = report::read(letter, &self.settings)?;
        let party = letter.parties("From").into_iter().next();
        let address = party.map(|party| party.address.to_lowercase());
        Some(Incoming {
            id: letter.id_or_hash(),
            thread: report.thread,
            sender: Sender {
                id: format!("{UNVERIFIED}{}", address.unwrap_or_default()),
                ..Sender::default()
            },
            private: true,
            at: Some(at),
            context: None,
            what: What::Receipt {
                message: report.message,
                receipt: report.receipt,
            },
        })
    }
}

/// What the sender wrote: all of it where nothing of it seems to be theirs, and the subject where that is all.
fn said(letter: &Letter<'_>, is_all: bool) -> String {
    let text = letter.text();
    let mut own = quote::cut(&text);
    if own.is_empty() && is_all {
        own = text.trim().to_owned();
    }
    if own.is_empty() && is_all {
        own = letter.subject();
    }
    TEXT.shorten(&own)
}

/// What an answer to `letter` refers to (RFC 5322, section 3.6.4). Of many ids the first and the last are kept.
fn references(letter: &Letter<'_>) -> Vec<String> {
    let mut ids = letter.ids("References");
    if ids.is_empty() {
        let answered = letter.ids("In-Reply-To");
        if answered.len() == 1 {
            ids = answered;
        }
    }
    ids.extend(letter.id());
    let mut room = MOST_REFERENCES_BYTES;
    let mut fits = |id: &String| {
        let is_within = id.len() <= room;
        room = room.saturating_sub(id.len());
        is_within
    };
    let mut ids = ids.into_iter();
    let first: Vec<String> = ids.by_ref().take(1).filter(|id| fits(id)).collect();
    let mut last: Vec<String> = ids.rev().take_while(|id| fits(id)).collect();
    last.reverse();
    [first, last].concat()
}

/// The enhanced status code of a reply (RFC 3463), such as `5.1.1`.
fn enhanced(text: &str) -> Option<[u16; 3]> {
    let mut words = text.split(|between: char| between.is_whitespace() || between == '-');
    words.find_map(|word| {
        let mut numbers = word.split('.').map(|number| number.parse::<u16>().ok());
        let code = [numbers.next()??, numbers.next()??, numbers.next()??];
        numbers.next().is_none().then_some(code)
    })
}

impl Connector for Mail {
    fn limits(&self) -> Limits {
        Limits {
            text: TEXT,
            buttons: None,
            typing: None,
            edits: false,
            window: None,
            thread_rate: Rate {
                most: 1,
                per: Duration::from_secs(1),
            },
            account_rate: Rate {
                most: 30,
                per: Duration::from_secs(60),
            },
            // Under the same id, of which mailboxes keep one.
            repeats: Repeats::Safe,
            answer_within: Duration::from_secs(60),
        }
    }

    fn receive(&self, _: &Hook<'_>) -> Result<Received, HookError> {
        Err(HookError::BadSignature) // No mailbox calls a hook.
    }

    fn send(&self, sending: &Sending<'_>) -> Vec<Call> {
        match sending {
            Sending::Message(message) => self.letters(message),
            Sending::Edit { .. }
            | Sending::Reminder(_)
            | Sending::Typing { .. }
            | Sending::Seen { .. } => Vec::new(),
        }
    }

    fn accepted(&self, answer: &Answer<'_>) -> Result<Sent, SendError> {
        let reason = answer.excerpt();
        let code = enhanced(&reason);
        let status = answer.status;
        match (status, code) {
            (200..=299, _) => {
                let id = answer.headers.get(MESSAGE_ID);
                let id = id.and_then(|id| id.to_str().ok());
                Ok(Sent {
                    message: id.map(str::to_owned),
                })
            }
            (530 | 534 | 535 | 538, _) => Err(SendError::Unauthorized),
            // The address (5.1), the mailbox (5.2, but not that it takes none of this size), the way there (5.4).
            (521 | 556, _)
            | (500..=599, Some([5, 1, 0..=4 | 6 | 10] | [5, 2, 0..=2] | [5, 4, 1 | 4]))
            | (550 | 551 | 553, None) => Err(SendError::Unreachable { reason }),
            (500..=599, _) => Err(SendError::Refused { status, reason }),
            (status, _) => Err(SendError::Later {
                status,
                after: answer.retry_after(),
            }),
        }
    }

    fn probe(&self) -> Option<Call> {
        Some(Call::get(self.settings.smtp.clone()))
    }

    fn mailbox(&self) -> Option<&dyn Mailbox> {
        Some(self)
    }
}

impl Mailbox for Mail {
    fn server(&self) -> MailServer<'_> {
        MailServer {
            url: &self.settings.imap,
            user: &self.settings.user,
            folder: &self.settings.folder,
        }
    }

    fn letter(&self, raw: &[u8], at: i64) -> Option<Incoming> {
        let letter = Letter::read(raw)?;
        match guard::silence(&letter, &self.settings) {
            None => self.event(&letter, at),
            Some(Silence::Report) => self.reported(&letter, at),
            Some(_) => None,
        }
    }
}

#[cfg(test)]
mod tests;
