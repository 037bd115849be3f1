//! The seam between Frontdesk and a messaging platform.
//!
//! A [`Connector`] says whether a request is the platform's, reads what happened from it, and writes what is to
//! be sent as requests. It is plain data in, plain data out: it holds no socket, clock or store, so that a
//! platform is one file that is tested by the platform's own examples.

use std::time::Duration;

use http::{HeaderMap, Method};
use url::Url;

use crate::text::Length;

/// A platform.
pub trait Connector: Send + Sync {
    /// What the platform allows.
    fn limits(&self) -> Limits;

    /// Reads a request to the hook. Whether it is the platform's is decided by its raw bytes, before anything of
    /// them is parsed.
    ///
    /// # Errors
    /// [`HookError`]: nothing of the request may be stored then.
    fn receive(&self, hook: &Hook<'_>) -> Result<Received, HookError>;

    /// The requests that send something, in their order: each after the one before has been accepted.
    fn send(&self, sending: &Sending<'_>) -> Vec<Call>;

    /// What the platform's answer to one of the requests means.
    ///
    /// # Errors
    /// [`SendError`] where it was not accepted.
    fn accepted(&self, answer: &Answer<'_>) -> Result<Sent, SendError>;
}

/// What a platform allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Of one message's text.
    pub text: Length,
    /// Of quick replies; `None` where the platform has none, and they are told in the text.
    pub buttons: Option<Buttons>,
    /// How long an indicator of typing lasts; `None` where there is none.
    pub typing: Option<Duration>,
    /// Whether a message can be changed after it was sent.
    pub edits: bool,
    /// How long after a customer's message they may be written to; `None` is always.
    pub window: Option<Duration>,
    /// Messages of one thread.
    pub thread_rate: Rate,
    /// Messages of the account.
    pub account_rate: Rate,
    /// Whether a request whose answer was lost can be sent again.
    pub repeats: Repeats,
    /// In what time the platform wants its hook answered.
    pub answer_within: Duration,
}

/// Quick replies under one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Buttons {
    /// How many.
    pub most: usize,
    /// Of one's label.
    pub label: Length,
    /// Of the id that comes back when it is pressed, in bytes.
    pub id_bytes: usize,
}

/// So many in that time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many.
    pub most: u32,
    /// In what time.
    pub per: Duration,
}

/// What comes of a request that is sent twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeats {
    /// The platform recognises the key and sends the message once.
    Safe,
    /// A second message.
    Doubles,
}

/// A request to a hook, as it came.
#[derive(Clone, Copy, Debug)]
pub struct Hook<'a> {
    /// The address that the platform called, with its query: some sign it.
    pub url: &'a str,
    /// Headers.
    pub headers: &'a HeaderMap,
    /// The raw body.
    pub body: &'a [u8],
    /// When it came, in seconds of Unix time.
    pub at: i64,
}

impl Hook<'_> {
    /// A header's text; `None` where it is missing or no text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// What was read from a hook's request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// What happened, in the order in which the platform tells it.
    pub events: Vec<Incoming>,
    /// The body that the platform expects in return; `None` is an empty one.
    pub reply: Option<String>,
}

/// Something that happened on a platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incoming {
    /// The platform's id of the event, unique within the account: told again, it is the same event.
    pub id: String,
    /// The platform's name of the conversation.
    pub thread: String,
    /// Whose doing it is.
    pub sender: Sender,
    /// Whether nobody else reads the conversation: in a group no customer's records are told.
    pub private: bool,
    /// When, in seconds of Unix time; `None` where the platform does not say.
    pub at: Option<i64>,
    /// What happened.
    pub what: What,
}

/// Somebody on a platform.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sender {
    /// The platform's id of them. It proves nothing about who they are to the company.
    pub id: String,
    /// What they call themselves.
    pub name: Option<String>,
    /// BCP 47 tag of the language that they use the platform in.
    pub language: Option<String>,
}

/// What happened on a platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// Somebody has opened the conversation, and not written yet.
    Start,
    /// Somebody wrote, or sent something.
    Message {
        /// The platform's id of the message.
        message: String,
        /// Text; empty where there is none.
        text: String,
        /// What was sent with it.
        media: Vec<Media>,
    },
    /// A quick reply was pressed.
    Press {
        /// Id of the reply.
        reply: String,
        /// What the platform wants to hear that the press was seen by.
        receipt: Option<String>,
    },
    /// A message was changed.
    Edit {
        /// The platform's id of it.
        message: String,
        /// The text that it has now.
        text: String,
    },
    /// A message was taken back.
    Deletion {
        /// The platform's id of it.
        message: String,
    },
    /// Somebody began to write.
    Typing,
    /// A person is asked for.
    Person,
    /// The conversation was ended.
    End,
    /// They can be reached no more.
    Blocked,
    /// They can be reached again.
    Unblocked,
}

/// A file that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media {
    /// Where the platform keeps it: its id or address there.
    pub place: String,
    /// Name.
    pub name: Option<String>,
    /// Media type, as the sender says.
    pub content_type: Option<String>,
    /// Bytes, as the sender says.
    pub size: Option<u64>,
}

/// Something to be sent.
#[derive(Clone, Copy, Debug)]
pub enum Sending<'a> {
    /// A message.
    Message(&'a Outgoing<'a>),
    /// That an answer is being written.
    Typing {
        /// The conversation.
        thread: &'a str,
    },
    /// That a press was seen.
    Seen {
        /// As in [`What::Press`].
        receipt: &'a str,
    },
}

/// A message to be sent.
#[derive(Clone, Debug, Default)]
pub struct Outgoing<'a> {
    /// The conversation.
    pub thread: &'a str,
    /// Unique among all messages, and the same each time that this one is sent.
    pub key: &'a str,
    /// Its place in the conversation.
    pub seq: i64,
    /// `bot`, `agent` or `system`.
    pub author: &'a str,
    /// Text.
    pub text: &'a str,
    /// What it rests on.
    pub links: Vec<Link<'a>>,
    /// Answers to choose from.
    pub quick_replies: Vec<Choice<'a>>,
    /// When it is sent, in seconds of Unix time.
    pub at: i64,
}

/// A page that can be opened.
#[derive(Clone, Copy, Debug)]
pub struct Link<'a> {
    /// What it is called.
    pub title: &'a str,
    /// Where it is; `None` where it has no address.
    pub url: Option<&'a str>,
}

/// An answer that can be chosen.
#[derive(Clone, Copy, Debug)]
pub struct Choice<'a> {
    /// What comes back.
    pub id: &'a str,
    /// What is shown.
    pub label: &'a str,
}

/// A request to a platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Method.
    pub method: Method,
    /// Address. It may hold a secret: it is neither logged nor told.
    pub url: Url,
    /// Headers.
    pub headers: HeaderMap,
    /// Body.
    pub body: Vec<u8>,
    /// The same without any marks, for a platform that cannot read them.
    pub plain: Option<Vec<u8>>,
}

/// A platform's answer to a request.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// Status.
    pub status: u16,
    /// Headers.
    pub headers: &'a HeaderMap,
    /// Body.
    pub body: &'a [u8],
}

impl Answer<'_> {
    /// How long the platform asks to wait, where it says so in seconds.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        let value = self.headers.get(http::header::RETRY_AFTER)?.to_str().ok()?;
        value.trim().parse().ok().map(Duration::from_secs)
    }
}

/// What was accepted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// The platform's id of the message.
    pub message: Option<String>,
}

/// Why a request to a hook is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HookError {
    /// It is not the platform's, or was changed on its way.
    #[error("the signature is missing or wrong: compare the secret here with the platform's")]
    BadSignature,
    /// It was signed too long ago, or will be.
    #[error("the request was signed at another time: check the clock of this machine")]
    WrongTime,
    /// It cannot be read.
    #[error("the body is not what the platform's documentation describes")]
    Malformed,
}

/// Why a platform did not accept a request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// It may be accepted later.
    #[error("the platform is busy or failed (status {status})")]
    Later {
        /// Status.
        status: u16,
        /// How long the platform asks to wait.
        after: Option<Duration>,
    },
    /// The token or key is wrong, expired or revoked: nothing can be sent until there is another.
    #[error("the platform refuses the account's token: enter a new one")]
    Unauthorized,
    /// It cannot read the marks of the text: [`Call::plain`] may be sent.
    #[error("the platform cannot read the text's marks: {reason}")]
    Marks {
        /// Its words.
        reason: String,
    },
    /// The conversation has another name now.
    #[error("the conversation is now called {thread}")]
    Moved {
        /// It.
        thread: String,
    },
    /// The customer cannot be reached.
    #[error("the customer cannot be reached there: {reason}")]
    Unreachable {
        /// The platform's words.
        reason: String,
    },
    /// It will never be accepted.
    #[error("the platform refuses the message (status {status}): {reason}")]
    Refused {
        /// Status.
        status: u16,
        /// The platform's words.
        reason: String,
    },
}
