//! What comes from a platform.

use http::{HeaderMap, Method};
use url::Url;

use super::Call;

/// A request to a hook, as it came.
#[derive(Clone, Copy, Debug)]
pub struct Hook<'a> {
    /// Method: some platforms ask by `GET` whether the address is theirs to call.
    pub method: &'a Method,
    /// The address that the platform called, from the scheme on, with its query: some sign it.
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

    /// A parameter of the query; `None` where it is missing.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        let url = Url::parse(self.url).ok()?;
        let found = url.query_pairs().find(|(key, _)| key == name)?;
        Some(found.1.into_owned())
    }
}

/// What was read from a hook's request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// What happened, in the order in which the platform tells it.
    pub events: Vec<Incoming>,
    /// What the platform expects in return; `None` is an empty answer.
    pub reply: Option<Reply>,
    /// Requests that what happened asks for at once, such as joining a room after an invitation.
    pub calls: Vec<Call>,
    /// The hook only tells that there is something to be polled: what the platform gave with it for
    /// [`Polling::request`](super::Polling::request).
    pub bell: Option<String>,
}

impl From<Vec<Incoming>> for Received {
    fn from(events: Vec<Incoming>) -> Self {
        Self {
            events,
            ..Self::default()
        }
    }
}

/// The body of the answer to a hook's request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Media type.
    pub content_type: &'static str,
    /// Body.
    pub body: String,
}

impl Reply {
    /// A JSON body.
    #[must_use]
    pub fn json(body: &serde_json::Value) -> Self {
        Self {
            content_type: "application/json",
            body: body.to_string(),
        }
    }

    /// A plain text.
    #[must_use]
    pub fn text(body: impl Into<String>) -> Self {
        Self {
            content_type: "text/plain; charset=utf-8",
            body: body.into(),
        }
    }
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
    /// What the platform wants to hear when it is answered: a reply token, the message that is answered, the
    /// address of the conversation's server. The latest is kept with the conversation, for
    /// [`Outgoing::context`](super::Outgoing::context).
    pub context: Option<String>,
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
    /// A person of the company has answered with the platform's own tools: the bot is to be silent.
    Takeover {
        /// The platform's id of the message.
        message: String,
        /// What they wrote.
        text: String,
    },
    /// What became of a message of ours.
    Receipt {
        /// The platform's id of it, as in [`Sent::message`](super::Sent::message).
        message: String,
        /// It.
        receipt: Receipt,
    },
    /// They can be reached no more, or do not want to be.
    Blocked,
    /// They can be reached again.
    Unblocked,
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Receipt {
    /// It is on their device.
    Delivered,
    /// They have seen it.
    Read,
    /// It was accepted and did not arrive, for the platform's reason.
    Failed(String),
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

/// Why a request to a hook is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HookError {
    /// It is not the platform's, or was changed on its way.
    #[error("the signature is missing or wrong: compare the secret here with the platform's")]
    BadSignature,
    /// It was signed too long ago, or will be.
    #[error("the request was signed at another time: check the clock of this machine")]
    WrongTime,
    /// It names a key that [`KeySource`](super::KeySource) has not brought: after new ones it may be taken.
    #[error("the platform's keys are not known yet")]
    UnknownKey,
    /// It cannot be read.
    #[error("the body is not what the platform's documentation describes")]
    Malformed,
}
