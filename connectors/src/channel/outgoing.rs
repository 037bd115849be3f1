//! What goes to a platform.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, Method};
use url::Url;

/// Something to be sent.
#[derive(Clone, Copy, Debug)]
pub enum Sending<'a> {
    /// A message.
    Message(&'a Outgoing<'a>),
    /// New words for a message that was sent, where [`Limits::edits`](super::Limits::edits) says so.
    Edit {
        /// The platform's id of it.
        message: &'a str,
        /// What it is to say.
        outgoing: &'a Outgoing<'a>,
    },
    /// A message to somebody who last wrote longer ago than [`Limits::window`](super::Limits::window): by a
    /// template that the platform has approved, or nothing.
    Reminder(&'a Outgoing<'a>),
    /// That an answer is being written.
    Typing {
        /// The conversation.
        thread: &'a str,
        /// As in [`Incoming::context`](super::Incoming::context).
        context: Option<&'a str>,
    },
    /// That a press was seen.
    Seen {
        /// As in [`What::Press`](super::What::Press).
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
    /// As in [`Incoming::context`](super::Incoming::context), the latest of the conversation.
    pub context: Option<&'a str>,
    /// When the customer last wrote, in seconds of Unix time; `None` where they have not.
    pub heard_at: Option<i64>,
    /// Whether nothing was sent since then: some platforms lend a reply token that is good once.
    pub is_first: bool,
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
    /// Address: `http`, `https`, or `smtp` for a letter. It may hold a secret: it is neither logged nor told.
    pub url: Url,
    /// Where the account's lent token goes.
    pub auth: Auth,
    /// Headers.
    pub headers: HeaderMap,
    /// Body.
    pub body: Vec<u8>,
    /// The same without any marks, for a platform that cannot read them.
    pub plain: Option<Vec<u8>>,
}

/// Where a request carries the token that a [`TokenSource`](super::TokenSource) lends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Auth {
    /// Nowhere: the request holds what it needs.
    #[default]
    Complete,
    /// `Authorization: Bearer ...`.
    Bearer,
    /// A header of this name.
    Header(&'static str),
    /// A parameter of the query of this name.
    Query(&'static str),
}

impl Call {
    /// A request with a JSON body.
    #[must_use]
    pub fn json(method: Method, url: Url, body: &serde_json::Value) -> Self {
        let mut headers = HeaderMap::new();
        let json = HeaderValue::from_static("application/json; charset=utf-8");
        headers.insert(http::header::CONTENT_TYPE, json);
        Self {
            method,
            url,
            auth: Auth::Complete,
            headers,
            body: body.to_string().into_bytes(),
            plain: None,
        }
    }

    /// A request without a body.
    #[must_use]
    pub fn get(url: Url) -> Self {
        Self {
            method: Method::GET,
            url,
            auth: Auth::Complete,
            headers: HeaderMap::new(),
            body: Vec::new(),
            plain: None,
        }
    }

    /// The same with the lent token in that place.
    #[must_use]
    pub fn with(mut self, auth: Auth) -> Self {
        self.auth = auth;
        self
    }

    /// The same with `Authorization: Bearer` and a token that is no other's business. A token that no header
    /// can hold is left out, and refused by the platform.
    #[must_use]
    pub fn bearer(mut self, token: &str) -> Self {
        if let Ok(mut value) = HeaderValue::from_str(&format!("Bearer {token}")) {
            value.set_sensitive(true);
            self.headers.insert(http::header::AUTHORIZATION, value);
        }
        self
    }
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

    /// The beginning of the body, for people.
    pub(crate) fn excerpt(&self) -> String {
        const MOST_CHARS: usize = 200;
        let text = String::from_utf8_lossy(self.body);
        text.chars().take(MOST_CHARS).collect()
    }
}

/// What was accepted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// The platform's id of the message.
    pub message: Option<String>,
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
    /// The lent token is no longer valid: with another the request may be accepted.
    #[error("the lent token has expired")]
    Expired,
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
