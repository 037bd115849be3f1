//! What a platform allows, as data.

use std::time::Duration;

use crate::text::Length;

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
