//! The first table: what a message is, before anything is looked up.

use understand::{Understanding, act};

use super::{Decision, HandOverReason, Reaction, RefusalReason};
use crate::audience::QuickReply;
use crate::config::Policy;
use crate::turn::memory::Pending;

/// What the rules look at.
#[derive(Clone, Debug)]
pub(crate) struct Signals<'a> {
    /// The message.
    pub text: &'a str,
    /// Its meaning.
    pub understanding: &'a Understanding,
    /// Angry messages in a row, this one included.
    pub angry: u32,
    /// Whether the message before was declined.
    pub declined: bool,
    /// What the bot has asked.
    pub pending: Option<Pending>,
    /// Id of the quick reply that was pressed.
    pub pressed: Option<&'a str>,
}

impl Signals<'_> {
    fn intent(&self, label: &str) -> f32 {
        self.understanding.intent.probability(label)
    }

    fn concern(&self, label: &str) -> f32 {
        self.understanding.concern.probability(label)
    }

    /// Whether `label` is the likeliest of a group that together reaches `least`: a message that is
    /// half a theft and half an accident is no less for a person.
    fn leads(&self, label: &str, group: &[&str], least: f32) -> bool {
        let own = self.concern(label);
        let together: f32 = group.iter().map(|other| self.concern(other)).sum();
        together >= least && group.iter().all(|other| own >= self.concern(other))
    }

    /// Whether it gives instructions to the bot, rather than asking for others' data.
    fn is_injection(&self, policy: &Policy) -> bool {
        let injection = self.understanding.injection;
        injection >= self.least_to_refuse(policy) && injection >= self.concern("privacy")
    }

    /// "Oh come on, she asked me to" is said of what was declined: half the evidence will do.
    fn least_to_refuse(&self, policy: &Policy) -> f32 {
        if self.declined {
            policy.refuse / 2.0
        } else {
            policy.refuse
        }
    }

    /// Somebody upset for the second time who seems to ask for a person gets one.
    fn least_for_a_person(&self, policy: &Policy) -> f32 {
        if self.angry >= 2 {
            policy.human / 2.0
        } else {
            policy.human
        }
    }

    /// Small talk asks nothing.
    fn is_small_talk(&self, label: &str, policy: &Policy) -> bool {
        self.intent(label) >= policy.small_talk && !self.asks()
    }

    fn asks(&self) -> bool {
        let questions = [act::ASKS_YES_NO, act::HYPOTHETICAL, act::WISH];
        self.text.contains(['?', '？'])
            || !self.understanding.asks.is_empty()
            || questions
                .iter()
                .any(|act| self.understanding.surely_does(act))
    }

    /// "Am I talking to a person?" asks for none, and "I have had it with this bot, get me a person" does
    /// not ask what the bot is.
    fn asks_what_the_bot_is(&self) -> bool {
        let read = self.understanding;
        let wants_a_person = self.intent("contact_human_agent");
        read.surely_does(act::ABOUT_BOT) && read.probability_of(act::ABOUT_BOT) > wants_a_person
    }

    /// Whether the customer takes up, or turns down, what the bot has offered.
    fn replies_to_offer(&self, label: &str, policy: &Policy) -> bool {
        self.pending == Some(Pending::OfferedPerson) && self.is_small_talk(label, policy)
    }
}

/// Concerns that a person must take up.
const FOR_A_PERSON: &[&str] = &["safety", "fraud", "legal", "bereavement"];

/// A line of the table.
struct Rule {
    /// What outcomes record as the reason.
    name: &'static str,
    applies: fn(&Signals<'_>, &Policy) -> bool,
    reaction: Reaction,
}

/// The table, from what must never be missed to what is merely polite.
const RULES: &[Rule] = &[
    Rule {
        name: "somebody may be hurt",
        applies: |s, p| s.leads("safety", FOR_A_PERSON, p.concern),
        reaction: Reaction::HandOver(HandOverReason::Safety),
    },
    Rule {
        name: "possible fraud",
        applies: |s, p| s.leads("fraud", FOR_A_PERSON, p.concern),
        reaction: Reaction::HandOver(HandOverReason::Fraud),
    },
    Rule {
        name: "legal steps",
        applies: |s, p| s.leads("legal", FOR_A_PERSON, p.concern),
        reaction: Reaction::HandOver(HandOverReason::Legal),
    },
    Rule {
        name: "a customer has died",
        applies: |s, p| s.leads("bereavement", FOR_A_PERSON, p.concern),
        reaction: Reaction::HandOver(HandOverReason::Bereavement),
    },
    Rule {
        name: "instructions to the bot",
        applies: |s, p| s.is_injection(p),
        reaction: Reaction::Refuse(RefusalReason::Injection),
    },
    Rule {
        name: "somebody else's data",
        applies: |s, p| s.concern("privacy") + s.understanding.injection >= s.least_to_refuse(p),
        reaction: Reaction::Refuse(RefusalReason::Privacy),
    },
    Rule {
        name: "asks what the bot is",
        applies: |s, _| s.asks_what_the_bot_is(),
        reaction: Reaction::About,
    },
    Rule {
        name: "pressed the button for a person",
        applies: |s, _| s.pressed == Some(QuickReply::HUMAN),
        reaction: Reaction::HandOver(HandOverReason::Requested),
    },
    Rule {
        name: "accepts a person",
        applies: |s, p| s.replies_to_offer("affirm", p),
        reaction: Reaction::HandOver(HandOverReason::Requested),
    },
    Rule {
        name: "declines a person",
        applies: |s, p| s.replies_to_offer("deny", p),
        reaction: Reaction::Thank,
    },
    Rule {
        name: "asks for a person",
        applies: |s, p| {
            // "And an Admin?" asks again what was asked before.
            s.intent("contact_human_agent") >= s.least_for_a_person(p)
                && !s.understanding.does(act::SAME_AGAIN)
        },
        reaction: Reaction::HandOver(HandOverReason::Requested),
    },
    Rule {
        name: "out of patience",
        applies: |s, p| s.angry >= p.patience,
        reaction: Reaction::HandOver(HandOverReason::Frustrated),
    },
    Rule {
        name: "the last answer did not help",
        applies: |s, _| s.understanding.surely_does(act::UNHELPED) && !s.asks(),
        reaction: Reaction::NoAnswer,
    },
    Rule {
        name: "thanks",
        applies: |s, p| s.is_small_talk("thanks", p),
        reaction: Reaction::Thank,
    },
    Rule {
        name: "goodbye",
        applies: |s, p| s.is_small_talk("goodbye", p),
        reaction: Reaction::Goodbye,
    },
    Rule {
        name: "greeting",
        applies: |s, p| s.is_small_talk("greeting", p),
        reaction: Reaction::Greet,
    },
    Rule {
        name: "a question",
        applies: |_, _| true,
        reaction: Reaction::Answer,
    },
];

/// The reaction to a message, before anything is looked up.
pub(crate) fn decide(signals: &Signals<'_>, policy: &Policy) -> Decision {
    let applying = RULES.iter().find(|rule| (rule.applies)(signals, policy));
    applying.map_or(
        Decision {
            reaction: Reaction::Answer,
            rule: "a question",
        },
        |rule| Decision {
            reaction: rule.reaction,
            rule: rule.name,
        },
    )
}

#[cfg(test)]
mod tests;
