//! Opening a turn: what is unanswered, who writes, what was said before.

use crm::{
    Conversation, ConversationId, ConversationState, Customer, Message, Order, Store, TurnId,
};
use serde::{Deserialize, Serialize};
use understand::{Language, Understanding};

use super::{Action, Draft, RefusalReason, TurnError, Written, history, words};
use crate::desk::Focus;

/// Longest topic carried over, in characters.
const TOPIC_CHARS: usize = 240;

/// What a conversation remembers between turns.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Memory {
    /// What the desk talked about.
    pub(crate) focus: Focus,
    /// The last questions, in English: what "and the other one?" goes on from.
    pub(crate) topic: String,
    /// Angry messages in a row.
    pub(crate) angry: u32,
    /// Whether the last message was an attack, or asked for others' data.
    pub(crate) declined: bool,
}

/// A turn's beginning.
#[derive(Clone, Debug)]
pub(crate) struct OpenTurn {
    pub(crate) turn: TurnId,
    pub(crate) conversation: Conversation,
    /// The session's customer and their orders, newest first. Nobody else's are ever loaded.
    pub(crate) customer: Option<Customer>,
    pub(crate) orders: Vec<Order>,
    /// Messages before those to answer, oldest first.
    pub(crate) history: Vec<Message>,
    /// The messages to answer, as one text.
    pub(crate) text: String,
    /// `seq` of the last of them.
    pub(crate) through_seq: i64,
    pub(crate) memory: Memory,
}

impl OpenTurn {
    /// Loads what a turn needs; `None` when the bot has nothing to answer.
    pub(crate) async fn open(
        store: &Store,
        id: ConversationId,
        turn: TurnId,
    ) -> Result<Option<Self>, TurnError> {
        let Some(conversation) = store.find_conversation(id).await? else {
            return Ok(None);
        };
        if conversation.state != ConversationState::Bot {
            return Ok(None);
        }
        let unanswered = store.unanswered_messages(&conversation).await?;
        let Some(through_seq) = unanswered.last().map(|message| message.seq) else {
            return Ok(None);
        };
        let first = unanswered
            .first()
            .map_or(through_seq, |message| message.seq);
        let mut history = history::load(store, id).await?;
        history.retain(|message| message.seq < first);
        let customer = match &conversation.customer {
            Some(customer) => store.find_customer(customer).await?,
            None => None,
        };
        let orders = match &customer {
            Some(customer) => store.orders_of(&customer.id).await?,
            None => Vec::new(),
        };
        let text = unanswered
            .iter()
            .map(|m| m.text.trim())
            .collect::<Vec<_>>()
            .join("\n");
        let memory = serde_json::from_value(conversation.memory.clone()).unwrap_or_default();
        Ok(Some(Self {
            turn,
            conversation,
            customer,
            orders,
            history,
            text,
            through_seq,
            memory,
        }))
    }

    /// Language of the conversation so far.
    pub(crate) fn usual_language(&self) -> Language {
        self.conversation
            .language
            .as_deref()
            .map_or_else(Language::english, Language::from_tag)
    }

    /// Angry messages in a row, this one included.
    pub(crate) fn angry_with(&self, understanding: &Understanding) -> u32 {
        if understanding.sentiment.top() == "negative" {
            self.memory.angry + 1
        } else {
            0
        }
    }

    /// How the message goes on from the ones before.
    pub(crate) fn reference(&self, english: &str) -> Reference {
        if self.memory.topic.is_empty() {
            Reference::None
        } else {
            Reference::of(english)
        }
    }

    /// The message after what was talked about.
    pub(super) fn with_topic(&self, english: &str) -> String {
        format!("{} {english}", self.memory.topic)
    }

    /// What the conversation remembers once this turn is answered.
    pub(super) fn memory_after(&self, draft: &Draft<'_>, written: &Written) -> Memory {
        let english = draft.understood.english.trim();
        let topic = match written.action {
            Action::Answer | Action::NoAnswer | Action::Busy => match &written.question {
                Some(question) => question.clone(),
                None if self.reference(english) == Reference::Certain => self.with_topic(english),
                None => english.to_owned(),
            },
            Action::Greet
            | Action::Thank
            | Action::Goodbye
            | Action::About
            | Action::OffTopic
            | Action::HandOver(_)
            | Action::Refuse(_) => self.memory.topic.clone(),
        };
        Memory {
            focus: written
                .focus
                .clone()
                .unwrap_or_else(|| self.memory.focus.clone()),
            topic: last_chars(&topic, TOPIC_CHARS),
            angry: draft.angry,
            declined: matches!(
                written.action,
                Action::Refuse(RefusalReason::Injection | RefusalReason::Privacy)
            ),
        }
    }
}

/// How a message goes on from the ones before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reference {
    /// It stands by itself.
    None,
    /// It is short and names next to nothing: "how long?".
    Perhaps,
    /// It points back, or begins in the middle.
    Certain,
}

impl Reference {
    /// Words up to which a message may leave out what it is about.
    const SHORT: usize = 7;
    /// Words up to which a pronoun points to an earlier message and not to this one's own words.
    const POINTING: usize = 22;

    fn of(english: &str) -> Self {
        const OPENERS: &[&str] = &[
            "and ",
            "what about",
            "how about",
            "ok and",
            "so ",
            "but ",
            "or ",
            "then ",
            "also ",
            "which one",
            "why",
            "k ",
        ];
        const POINTERS: &[&str] = &[
            "it", "that", "one", "ones", "those", "them", "they", "this", "there", "its", "same",
            "that's", "other",
        ];
        let lower = english.trim().to_lowercase();
        let words: Vec<&str> = lower
            .split(|c: char| !(c.is_alphanumeric() || c == '\''))
            .filter(|w| !w.is_empty())
            .collect();
        // "Is there a fee?" points to nothing.
        let is_existential =
            |at: usize| words[at] == "there" && at > 0 && ["is", "are"].contains(&words[at - 1]);
        let points =
            (0..words.len()).any(|at| POINTERS.contains(&words[at]) && !is_existential(at));
        // "How many can come in each month?": of what, the message before says.
        let counts_nothing = words.windows(3).any(|run| {
            run[..2] == ["how", "many"]
                && ["can", "may", "are", "do", "does", "did", "will", "were"].contains(&run[2])
        });
        let opens = OPENERS.iter().any(|opener| lower.starts_with(opener));
        if words.len() <= Self::POINTING && (points || opens || counts_nothing) {
            Self::Certain
        } else if words.len() <= Self::SHORT && words::content(english).count() < 2 {
            Self::Perhaps
        } else {
            Self::None
        }
    }
}

/// The last `most` characters of `text`, from the beginning of a word on.
fn last_chars(text: &str, most: usize) -> String {
    let count = text.chars().count();
    if count <= most {
        return text.to_owned();
    }
    let tail: String = text.chars().skip(count - most).collect();
    tail.split_once(' ')
        .map_or(tail.as_str(), |(_, rest)| rest)
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_points_back_or_stands_by_itself() {
        for (message, reference) in [
            ("and abroad?", Reference::Certain),
            ("how much is it", Reference::Certain),
            ("Do you ship to Australia?", Reference::None),
            ("Is there a monthly fee?", Reference::None),
            ("How long?", Reference::Perhaps),
            (
                "how many can come in each month for nothing?",
                Reference::Certain,
            ),
            ("How many transfers can I make?", Reference::None),
            (
                "What discount do members get on safe deposit boxes of the bank?",
                Reference::None,
            ),
        ] {
            assert_eq!(Reference::of(message), reference, "{message}");
        }
    }

    #[test]
    fn a_topic_is_cut_at_a_word() {
        assert_eq!(
            last_chars("what does the blue account charge", 16),
            "account charge"
        );
        assert_eq!(last_chars("short", 14), "short");
    }
}
