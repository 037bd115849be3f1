//! A turn as it was played, and how it was judged.

use crm::{ConversationState, Outcome};
use serde::{Deserialize, Serialize};

use crate::checks::{self, Observed, Verdict};
use crate::dialogue::Expect;
use crate::exchange::{Exchange, FrameKind, Heard};

/// How a turn ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "how")]
pub enum Ending {
    /// With a reply.
    Replied,
    /// The conversation left the bot without a reply.
    Left,
    /// A person had taken over before: the message was not sent.
    Silent,
    /// It broke off.
    Broken {
        /// Why.
        reason: String,
    },
}

/// Times of an answer, in milliseconds from sending the question.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Times {
    /// First preview, part of the reply or reply: there is something to read.
    pub useful_ms: Option<f64>,
    /// First part of the reply or reply.
    pub sentence_ms: Option<f64>,
    /// The whole reply.
    pub reply_ms: Option<f64>,
}

/// A turn as it was played.
#[derive(Clone, Debug, Serialize)]
pub struct PlayedTurn {
    /// Its dialogue.
    pub dialogue: String,
    /// Its place in the dialogue, from 1.
    pub turn: usize,
    /// What the customer wrote.
    pub user: String,
    /// How it ended.
    pub ending: Ending,
    /// The reply as delivered.
    pub reply: Option<String>,
    /// What was shown while the reply was written.
    pub previews: Vec<String>,
    /// Times of the answer.
    pub times: Times,
    /// When everything was heard.
    pub frames: Vec<Heard>,
    /// Who answers after the turn.
    pub state: Option<ConversationState>,
    /// What the server wrote down.
    pub outcome: Option<Outcome>,
    /// What the checks found.
    pub checks: Vec<Verdict>,
    /// Whether every expected fact was in the reply or shown before it; `None` if none is expected.
    pub shown: Option<bool>,
}

impl Times {
    /// The times at which an answer was heard.
    pub(crate) fn of(exchange: &Exchange) -> Self {
        use FrameKind::{Delta, Message, Preview};
        Self {
            useful_ms: exchange.first(&[Preview, Delta, Message]),
            sentence_ms: exchange.first(&[Delta, Message]),
            reply_ms: exchange.first(&[Message]),
        }
    }
}

impl PlayedTurn {
    /// Judges the turn by what was expected of it; `recorded` where the server's records can be read.
    pub(crate) fn judge(&mut self, expect: &Expect, recorded: bool) {
        let observed = Observed {
            reply: self.reply.as_deref(),
            silent: self.ending == Ending::Silent,
            recorded,
            outcome: self.outcome.as_ref(),
            state: self.state,
        };
        let checks = checks::judge(expect, &observed);
        let seen: Vec<_> = self
            .previews
            .iter()
            .chain(&self.reply)
            .map(String::as_str)
            .collect();
        let shown = expect
            .facts
            .as_ref()
            .map(|facts| checks::missing_facts(facts, &seen).is_empty());
        (self.checks, self.shown) = (checks, shown);
    }
}
