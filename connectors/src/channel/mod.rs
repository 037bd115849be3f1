//! The seam between Frontdesk and a messaging platform.
//!
//! A [`Connector`] says whether a request is the platform's, reads what happened from it, and writes what is to
//! be sent as requests. It is plain data in, plain data out: it holds no socket, clock or store, so that a
//! platform is one file that is tested by the platform's own examples. What else a platform has (tokens that are
//! lent for a time, polling, a gateway, files) is a trait of its own, and the same for all.

mod incoming;
mod limits;
mod outgoing;

use std::time::Duration;

use url::Url;

pub use incoming::{Hook, HookError, Incoming, Media, Receipt, Received, Reply, Sender, What};
pub use limits::{Buttons, Limits, Rate, Repeats};
pub use outgoing::{Answer, Auth, Call, Choice, Link, Outgoing, SendError, Sending, Sent};

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

    /// The requests that send something, in their order: each after the one before has been accepted. None of
    /// what the platform does not offer.
    fn send(&self, sending: &Sending<'_>) -> Vec<Call>;

    /// What the platform's answer to one of the requests means.
    ///
    /// # Errors
    /// [`SendError`] where it was not accepted.
    fn accepted(&self, answer: &Answer<'_>) -> Result<Sent, SendError>;

    /// A request that changes nothing and tells, by [`Self::accepted`], whether the account can be used;
    /// `None` where the platform has none.
    fn probe(&self) -> Option<Call> {
        None
    }

    /// Where the account's access tokens come from, where they are lent for a time.
    fn tokens(&self) -> Option<&dyn TokenSource> {
        None
    }

    /// Where the keys come from that requests to the hook are checked against, where the platform changes them.
    fn keys(&self) -> Option<&dyn KeySource> {
        None
    }

    /// How what happened is asked for, where the platform can be asked.
    fn polling(&self) -> Option<&dyn Polling> {
        None
    }

    /// The platform's gateway, where it tells what happened over a socket.
    fn gateway(&self) -> Option<&dyn Gateway> {
        None
    }

    /// How files that customers sent are had.
    fn files(&self) -> Option<&dyn Files> {
        None
    }

    /// The account's mailbox, of e-mail.
    fn mailbox(&self) -> Option<&dyn Mailbox> {
        None
    }
}

/// Lends access tokens for a time, such as by OAuth 2.0 client credentials (RFC 6749, section 4.4).
pub trait TokenSource: Send + Sync {
    /// The request for a token.
    fn request(&self) -> Call;

    /// The token in the answer.
    ///
    /// # Errors
    /// [`SendError`]: [`SendError::Unauthorized`] where the account's own secret is refused.
    fn token(&self, answer: &Answer<'_>) -> Result<Token, SendError>;
}

/// A lent token.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// It. It is neither logged nor told.
    pub secret: String,
    /// How long it is valid.
    pub lasts: Duration,
}

/// Brings the keys that requests to the hook are checked against, such as a JSON Web Key Set (RFC 7517). They are
/// fetched at the start, when they are good no longer, and, at most now and then, when a request is refused with
/// [`HookError::UnknownKey`], which is then read once more.
pub trait KeySource: Send + Sync {
    /// The first request for the keys.
    fn request(&self) -> Call;

    /// Takes the keys in, or tells where they are. After an error those from before stay.
    ///
    /// # Errors
    /// [`SendError`].
    fn keys(&self, answer: &Answer<'_>) -> Result<Keys, SendError>;
}

/// An answer to a request for keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keys {
    /// They are elsewhere.
    At(Box<Call>),
    /// The connector has them.
    Set {
        /// How long they are good.
        until: Duration,
    },
}

/// Asks a platform what happened.
pub trait Polling: Send + Sync {
    /// The request for what happened after `cursor`, from the beginning on without one; `bell` is what a hook
    /// told ([`Received::bell`]).
    fn request(&self, cursor: Option<&str>, bell: Option<&str>) -> Call;

    /// What happened.
    ///
    /// # Errors
    /// [`SendError`].
    fn polled(&self, answer: &Answer<'_>) -> Result<Polled, SendError>;

    /// How long to wait between two requests: nothing where the platform itself waits until something happens.
    fn pause(&self) -> Duration;
}

/// What polling brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Polled {
    /// What happened, in its order.
    pub events: Vec<Incoming>,
    /// Where to go on, to be kept once the events are stored; `None` leaves it where it is.
    pub cursor: Option<String>,
    /// Whether there is more by now.
    pub more: bool,
    /// Requests that what happened asks for at once.
    pub calls: Vec<Call>,
}

/// Tells what happened over a WebSocket that Frontdesk opens.
pub trait Gateway: Send + Sync {
    /// The request whose answer tells where to connect; `None` where that is known.
    fn request(&self) -> Option<Call>;

    /// Where to connect: by the answer to [`Self::request`], without one to the known address.
    ///
    /// # Errors
    /// [`SendError`].
    fn address(&self, answer: Option<&Answer<'_>>) -> Result<Url, SendError>;

    /// A session, which outlives its sockets.
    fn session(&self) -> Box<dyn Session>;
}

/// A session of a [`Gateway`].
pub trait Session: Send {
    /// Where to resume it; `None` to ask for an address anew.
    fn resume_at(&self) -> Option<Url> {
        None
    }

    /// A socket was opened: the texts to be sent first.
    fn opened(&mut self) -> Vec<String>;

    /// A text has come.
    fn heard(&mut self, text: &str) -> Heard;

    /// How often [`Self::beat`] is to be sent; `None` leaves it to the pings of WebSocket.
    fn interval(&self) -> Option<Duration> {
        None
    }

    /// The heartbeat; `None` where the last one was not answered, and the socket is dead.
    fn beat(&mut self) -> Option<String> {
        Some(String::new())
    }
}

/// What a text of a gateway says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// What happened.
    pub events: Vec<Incoming>,
    /// Texts to be sent once the events are stored.
    pub replies: Vec<String>,
    /// Requests that what happened asks for at once.
    pub calls: Vec<Call>,
    /// Whether to go on.
    pub then: Then,
}

/// How a gateway's session goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Then {
    /// On this socket.
    #[default]
    Listen,
    /// On another socket.
    Reconnect,
    /// Not with these settings: the account's token or its rights are refused.
    Refused(String),
}

/// Fetches the files that customers sent.
pub trait Files: Send + Sync {
    /// The first request for the file at `place` ([`Media::place`]); `None` where `place` is not the platform's:
    /// what a message names is no address to send a token to.
    fn request(&self, place: &str) -> Option<Call>;

    /// What the answer is.
    ///
    /// # Errors
    /// [`SendError`].
    fn fetched(&self, answer: &Answer<'_>) -> Result<Fetched, SendError>;
}

/// An answer to a request for a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fetched {
    /// The body is the file.
    File,
    /// The file is elsewhere.
    At(Box<Call>),
}

/// A mailbox that is read by IMAP (RFC 9051).
pub trait Mailbox: Send + Sync {
    /// Where it is.
    fn server(&self) -> MailServer<'_>;

    /// A message (RFC 5322) as an event; `None` of what nobody wrote to us.
    fn letter(&self, raw: &[u8], at: i64) -> Option<Incoming>;
}

/// A mail server, and the account there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MailServer<'a> {
    /// `imap://host:port` or, with implicit TLS, `imaps://host:port`.
    pub url: &'a Url,
    /// Account.
    pub user: &'a str,
    /// Folder.
    pub folder: &'a str,
}
