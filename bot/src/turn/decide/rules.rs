//! The first table: what a message is, before anything is looked up.

use language::Pack;
use understand::Understanding;

use super::{Decision, HandOverReason, Reaction, RefusalReason};
use crate::audience::QuickReply;
use crate::config::Policy;
use crate::turn::follow::Follow;
use crate::turn::memory::Pending;

/// What the rules look at.
#[derive(Clone, Debug)]
pub(crate) struct Signals<'a> {
    /// The message, lower case.
    pub text: &'a str,
    /// Its meaning.
    pub understanding: &'a Understanding,
    /// How it goes on from the ones before.
    pub follow: Follow,
    /// Angry messages in a row, this one included.
    pub angry: u32,
    /// Whether the message before was declined.
    pub declined: bool,
    /// What the bot has asked.
    pub pending: Option<Pending>,
    /// Id of the quick reply that was pressed.
    pub pressed: Option<&'a str>,
    /// The small words of the message's language.
    pub pack: Option<&'a Pack>,
}

impl Signals<'_> {
    fn intent(&self, label: &str) -> f32 {
        self.understanding.intent.probability(label)
    }

    fn concern(&self, label: &str) -> f32 {
        self.understanding.concern.probability(label)
    }

    /// Whether `label` is the likeliest of a group that together reaches `least`: a message that is
    /// half an attack and half a question for others' data is no less to be declined.
    fn leads(&self, label: &str, group: &[&str], least: f32) -> bool {
        let own = self.concern(label);
        let together: f32 = group.iter().map(|other| self.concern(other)).sum();
        together >= least && group.iter().all(|other| own >= self.concern(other))
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

    /// "And an Admin?" is a follow-up, not a request of its own.
    fn is_elliptical(&self) -> bool {
        self.follow.is_ellipsis() && !self.words().any(|word| PERSON_WORDS.contains(&word))
    }

    /// Small talk is short and asks nothing.
    fn is_small_talk(&self, label: &str, policy: &Policy) -> bool {
        const MOST_WORDS: usize = 14;
        let asks = self.text.contains(['?', '？']);
        self.intent(label) >= policy.small_talk && self.follow.words <= MOST_WORDS && !asks
    }

    /// Whether the customer takes up, or turns down, what the bot has offered.
    fn replies_to_offer(&self, label: &str, policy: &Policy) -> bool {
        self.pending == Some(Pending::OfferedPerson) && self.is_small_talk(label, policy)
    }

    fn words(&self) -> impl Iterator<Item = &str> {
        self.text
            .split(|c: char| !(c.is_alphanumeric() || c == '\''))
            .filter(|word| !word.is_empty())
    }

    /// Whether the message asks if it talks to a machine: a question to "you" about a bot or a person,
    /// or one about "this" that names nothing else. "Is this machine washable?" asks about a thing.
    fn asks_what_the_bot_is(&self) -> bool {
        const MOST_WORDS: usize = 16;
        let text = format!(" {} ", self.words().collect::<Vec<_>>().join(" "));
        let has = |phrase: &&str| text.contains(&format!(" {phrase} "));
        if self.follow.words > MOST_WORDS || ASKS_FOR_SOMEBODY.iter().any(has) {
            return false;
        }
        let behind = |opener: &&str| Some(text.split_once(&format!(" {opener} "))?.1);
        let is_small = |word: &str| self.pack.is_some_and(|pack| pack.is_function_word(word));
        let of_bot = |rest| self.after_bot_word(rest, is_small);
        ASKS_YOU
            .iter()
            .filter_map(behind)
            .any(|rest| of_bot(rest).is_some())
            || ASKS_THIS
                .iter()
                .filter_map(behind)
                .filter_map(of_bot)
                .any(|more| {
                    more.split(' ')
                        .next()
                        .is_none_or(|word| word.is_empty() || is_small(word))
                })
            || UNSPACED.iter().any(|phrase| self.text.contains(phrase))
    }

    /// What stands behind the word for a bot or a person with which `rest` begins, small words aside.
    fn after_bot_word<'t>(
        &self,
        rest: &'t str,
        is_small: impl Fn(&str) -> bool,
    ) -> Option<&'t str> {
        let mut rest = rest;
        loop {
            let found = BOT_WORDS.iter().find_map(|bot| rest.strip_prefix(bot));
            if let Some(more) = found.filter(|more| more.is_empty() || more.starts_with(' ')) {
                return Some(more.trim());
            }
            let (first, more) = rest.split_once(' ')?;
            rest = is_small(first).then_some(more)?;
        }
    }
}

/// Concerns that a person must take up.
const FOR_A_PERSON: &[&str] = &["safety", "fraud", "legal", "bereavement"];
/// Concerns that are declined.
const DECLINED: &[&str] = &["injection", "privacy"];

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
        applies: |s, p| s.leads("injection", DECLINED, s.least_to_refuse(p)),
        reaction: Reaction::Refuse(RefusalReason::Injection),
    },
    Rule {
        name: "somebody else's data",
        applies: |s, p| s.leads("privacy", DECLINED, s.least_to_refuse(p)),
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
            s.intent("contact_human_agent") >= s.least_for_a_person(p) && !s.is_elliptical()
        },
        reaction: Reaction::HandOver(HandOverReason::Requested),
    },
    Rule {
        name: "out of patience",
        applies: |s, p| s.angry >= p.patience,
        reaction: Reaction::HandOver(HandOverReason::Frustrated),
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
        applies: |s, p| s.follow.words <= 6 && s.intent("greeting") >= p.small_talk,
        reaction: Reaction::Greet,
    },
    Rule {
        name: "a question",
        applies: |_, _| true,
        reaction: Reaction::Answer,
    },
];

const PERSON_WORDS: &[&str] = &[
    "human",
    "person",
    "agent",
    "someone",
    "somebody",
    "representative",
    "operator",
    "people",
    "colleague",
];

const BOT_WORDS: &[&str] = &[
    "bot",
    "robot",
    "human",
    "real person",
    "actual person",
    "ai",
    "person",
    "machine",
];

/// Words that ask for somebody, whatever the bot is.
const ASKS_FOR_SOMEBODY: &[&str] = &[
    "talk to", "speak", "connect", "transfer", "put me", "want a", "get me",
];
/// What a question to the bot itself begins with, and one about "this".
const ASKS_YOU: &[&str] = &["are you", "r u", "am i talking", "am i chatting", "eres un"];
const ASKS_THIS: &[&str] = &["is this"];
/// The same in a script without spaces.
const UNSPACED: &[&str] = &[
    "你是机器人",
    "你是真人",
    "你是人工智能",
    "是不是机器人",
    "是不是真人",
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
