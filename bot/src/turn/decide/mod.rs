//! What to do about a message: three tables that an operator can read, and the one place that makes
//! a [`Reaction`].
//!
//! [`decide`] is asked first, of what was understood and where the conversation stands; then
//! [`on_evidence`], of a question, with what records and pages have to say; and [`on_ending`], where
//! no answer was written. Each is a pure function; the first rule that applies wins.

mod evidence;
mod rules;

use serde::Serialize;

pub(crate) use evidence::{Ending, Evidence, Quotes, Searched, WishFit, on_ending, on_evidence};
pub(crate) use rules::{Signals, decide};

/// A reaction, and the rule that chose it, as outcomes record it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Decision {
    pub(crate) reaction: Reaction,
    pub(crate) rule: &'static str,
}

/// Why a person takes over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum HandOverReason {
    /// The customer asks for a person.
    Requested,
    /// Money or account may have been stolen.
    Fraud,
    /// Courts, lawyers, regulators, press.
    Legal,
    /// A customer has died.
    Bereavement,
    /// Somebody may be hurt.
    Safety,
    /// The bot does not get further with an angry customer.
    Frustrated,
}

/// Why a request is declined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RefusalReason {
    /// Instructions to the bot hidden in a message.
    Injection,
    /// Somebody else's data, or the company's internals.
    Privacy,
    /// An order that is not this customer's.
    NotYourOrder,
    /// Account matters without a signed-in customer.
    SignIn,
}

/// What the bot does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reaction {
    /// Answer from facts.
    #[default]
    Answer,
    /// Say hello.
    Greet,
    /// Say you're welcome.
    Thank,
    /// Say goodbye.
    Goodbye,
    /// Say what the bot is.
    About,
    /// Say that this is not what the bot is for.
    OffTopic,
    /// Say that it is not known, and offer a person.
    NoAnswer,
    /// Say that too many are asking.
    Busy,
    /// Pass the conversation to a person.
    HandOver(HandOverReason),
    /// Decline.
    Refuse(RefusalReason),
}

impl Reaction {
    /// The word that outcomes record.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Answer => "answer",
            Self::Greet => "greet",
            Self::Thank => "thank",
            Self::Goodbye => "goodbye",
            Self::About => "about",
            Self::OffTopic => "off_topic",
            Self::NoAnswer => "no_answer",
            Self::Busy => "busy",
            Self::HandOver(_) => "hand_over",
            Self::Refuse(_) => "refuse",
        }
    }

    /// Whether it is about what the customer asked, so that the next message can go on from it.
    pub(crate) fn is_about_something(self) -> bool {
        match self {
            Self::Answer | Self::NoAnswer | Self::Busy => true,
            Self::Greet
            | Self::Thank
            | Self::Goodbye
            | Self::About
            | Self::OffTopic
            | Self::HandOver(_)
            | Self::Refuse(_) => false,
        }
    }

    /// Whether it declines an attack, or a request for others' data.
    pub(crate) fn declines_an_attack(self) -> bool {
        matches!(
            self,
            Self::Refuse(RefusalReason::Injection | RefusalReason::Privacy)
        )
    }

    /// Whether the customer may want a person after it.
    pub(crate) fn may_want_a_person(self) -> bool {
        matches!(
            self,
            Self::NoAnswer | Self::Busy | Self::Refuse(RefusalReason::SignIn)
        )
    }
}
