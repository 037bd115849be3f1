//! Plays dialogues against a running server, one at a time, and judges every turn.
//!
//! A dialogue that breaks off (no answer in time, a closed connection) fails all checks of its
//! remaining turns; the next dialogue starts afresh. Once a person has taken over, the bot is
//! silent: later messages are not sent and their turns are [`Ending::Silent`].

use std::time::Duration;

use crm::{ConversationId, ConversationState, CrmError, Outcome, Store};
use frontdesk::Secret;
use frontdesk::auth::{self, TokenError};

use crate::chat::{Chat, ChatError, Hello, is_over};
use crate::dialogue::{Dialogue, Turn};
use crate::exchange::Exchange;
use crate::played::{Ending, PlayedTurn, Times};

/// How long an answer may take.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// How long a customer stays signed in: longer than any dialogue.
const SIGNED_IN: Duration = Duration::from_secs(3600);

/// The server to play against.
#[derive(Clone, Debug)]
pub struct Desk {
    /// Its chat (`ws://127.0.0.1:8080/v1/chat`).
    pub url: String,
    /// Its CRM store, which knows what a turn took the message for and what it found; without it that
    /// is not measured.
    pub store: Option<Store>,
    /// What customer tokens are signed with; without it nobody can sign in.
    pub secret: Option<Secret>,
    /// How long an answer may take, [`PATIENCE`] as a rule.
    pub patience: Duration,
}

/// Why a replay cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The store cannot be asked what became of a turn.
    #[error(transparent)]
    Store(#[from] CrmError),
    /// A customer cannot be signed in.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// A dialogue is a customer's, and there is nothing to sign in with.
    #[error("dialogue {0} is a signed-in customer's: name the file of the server's auth.secret")]
    NoSecret(String),
}

/// Plays `dialogues` in order; `heard` is told of every dialogue that has ended.
///
/// # Errors
/// [`ReplayError`]; what goes wrong in a conversation is a finding, not an error.
pub async fn replay(
    desk: &Desk,
    dialogues: &[Dialogue],
    mut heard: impl FnMut(&[PlayedTurn]),
) -> Result<Vec<PlayedTurn>, ReplayError> {
    let mut all = Vec::new();
    for dialogue in dialogues {
        let played = play(desk, dialogue).await?;
        heard(&played);
        all.extend(played);
    }
    Ok(all)
}

/// What became of one turn.
struct Answer {
    ending: Ending,
    exchange: Exchange,
    state: Option<ConversationState>,
    outcome: Option<Outcome>,
}

async fn play(desk: &Desk, dialogue: &Dialogue) -> Result<Vec<PlayedTurn>, ReplayError> {
    let hello = Hello {
        language: dialogue.language.clone(),
        token: desk.token(dialogue)?,
    };
    let (answers, outcomes) = match Chat::open(&desk.url, &hello).await {
        Ok(mut chat) => {
            let answers = converse(desk, &mut chat, &dialogue.turns).await?;
            let outcomes = match &desk.store {
                Some(store) => store.outcomes(chat.conversation()).await?,
                None => Vec::new(),
            };
            chat.leave().await;
            (answers, outcomes)
        }
        Err(error) => (
            dialogue
                .turns
                .iter()
                .map(|_| Answer::broken(&error))
                .collect(),
            vec![],
        ),
    };
    let turns = (1..).zip(&dialogue.turns).zip(answers);
    Ok(turns
        .map(|((number, turn), mut answer)| {
            answer.outcome = answer.outcome_among(&outcomes);
            answer.played(&dialogue.id, number, turn, desk.store.is_some())
        })
        .collect())
}

/// Asks every turn's question; an answer for each comes back.
async fn converse(
    desk: &Desk,
    chat: &mut Chat,
    turns: &[Turn],
) -> Result<Vec<Answer>, ReplayError> {
    let mut answers: Vec<Answer> = Vec::with_capacity(turns.len());
    for turn in turns {
        let answer = match answers.last().and_then(Answer::next_without_asking) {
            Some(answer) => answer,
            None => ask(desk, chat, turn).await?,
        };
        answers.push(answer);
    }
    Ok(answers)
}

async fn ask(desk: &Desk, chat: &mut Chat, turn: &Turn) -> Result<Answer, ReplayError> {
    match chat.ask(&turn.user, desk.patience).await {
        Ok(exchange) => {
            let state = desk.state_of(chat.conversation(), &exchange).await?;
            Ok(Answer::heard(exchange, state))
        }
        Err(error) => Ok(Answer::broken(&error)),
    }
}

impl Desk {
    /// What signs the dialogue's customer in, where it has one.
    fn token(&self, dialogue: &Dialogue) -> Result<Option<String>, ReplayError> {
        let Some(customer) = dialogue.customer.as_deref() else {
            return Ok(None);
        };
        let secret = self.secret.as_ref();
        let secret = secret.ok_or_else(|| ReplayError::NoSecret(dialogue.id.clone()))?;
        Ok(Some(auth::sign(secret, customer, SIGNED_IN)?))
    }

    /// Who answers now. The store knows before any frame says so; without one, silence about it means
    /// that the bot still does.
    async fn state_of(
        &self,
        id: ConversationId,
        exchange: &Exchange,
    ) -> Result<Option<ConversationState>, CrmError> {
        let Some(store) = &self.store else {
            return Ok(exchange.state.or(Some(ConversationState::Bot)));
        };
        let stored = store.find_conversation(id).await?;
        Ok(stored
            .map(|conversation| conversation.state)
            .or(exchange.state))
    }
}

impl Answer {
    fn heard(exchange: Exchange, state: Option<ConversationState>) -> Self {
        let ending = if exchange.reply.is_some() {
            Ending::Replied
        } else {
            Ending::Left
        };
        Self {
            ending,
            exchange,
            state,
            outcome: None,
        }
    }

    /// Nothing was heard.
    fn nothing(ending: Ending, state: Option<ConversationState>) -> Self {
        Self {
            ending,
            exchange: Exchange::default(),
            state,
            outcome: None,
        }
    }

    fn broken(error: &ChatError) -> Self {
        Self::nothing(
            Ending::Broken {
                reason: with_causes(error),
            },
            None,
        )
    }

    /// The answer to a turn after this one, with which the dialogue has ended: it broke off, or a
    /// person has taken over. `None` while the bot listens.
    fn next_without_asking(&self) -> Option<Self> {
        if matches!(self.ending, Ending::Broken { .. }) {
            let reason = "the dialogue broke off before".to_owned();
            return Some(Self::nothing(Ending::Broken { reason }, None));
        }
        let left = self.state.is_some_and(is_over);
        left.then(|| Self::nothing(Ending::Silent, self.state))
    }

    /// The turn as played, and judged.
    fn played(self, dialogue: &str, number: usize, turn: &Turn, recorded: bool) -> PlayedTurn {
        let mut played = PlayedTurn {
            dialogue: dialogue.to_owned(),
            turn: number,
            user: turn.user.clone(),
            ending: self.ending,
            times: Times::of(&self.exchange),
            reply: self.exchange.reply,
            previews: self.exchange.previews,
            frames: self.exchange.frames,
            state: self.state,
            outcome: self.outcome,
            checks: Vec::new(),
            shown: None,
        };
        played.judge(&turn.expect, recorded);
        played
    }

    /// The outcome of the turn that answered this message.
    fn outcome_among(&self, outcomes: &[Outcome]) -> Option<Outcome> {
        let seq = self.exchange.seq?;
        outcomes
            .iter()
            .find(|outcome| outcome.through_seq >= seq)
            .cloned()
    }
}

/// An error and what caused it, on one line.
fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

#[cfg(test)]
mod tests {
    use crm::{AcceptMessage, FinishedTurn, Millis, NewConversation, NewMessage, TurnId};
    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::checks::{Check, Finding};
    use crate::testing::scripted::{self, Say};
    use crate::testing::{dialogue, outcome};

    /// A store in which the turns of one conversation have ended with these actions.
    async fn store_with(folder: &tempfile::TempDir, id: Uuid, actions: &[&str]) -> Store {
        let store = Store::open(&folder.path().join("crm.sqlite"))
            .await
            .unwrap();
        let (id, at) = (ConversationId(id), Millis(0));
        let new = NewConversation {
            id,
            channel: "web".into(),
            thread: id.to_string(),
            customer: None,
            language: None,
            pushed: false,
            reply_context: None,
            at,
        };
        store.open_conversation(new, None).await.unwrap();
        for (number, action) in actions.iter().enumerate() {
            let client_id = number.to_string();
            let message = AcceptMessage {
                conversation: id,
                client_id,
                text: "q".into(),
                pressed: None,
                reply_context: None,
                attachments: Vec::new(),
                at,
            };
            store.accept_message(message).await.unwrap();
            store
                .finish_turn(finished(id, number, action))
                .await
                .unwrap();
        }
        store
    }

    fn finished(id: ConversationId, number: usize, action: &str) -> FinishedTurn {
        let mut outcome = outcome("track_order", "neutral", action);
        outcome.turn = TurnId(Uuid::now_v7());
        outcome.conversation = id;
        outcome.through_seq = 2 * number as i64 + 1;
        let handed_over = action == "hand_over";
        FinishedTurn {
            outcome,
            messages: vec![NewMessage::text(crm::Author::Bot, "a")],
            state: if handed_over {
                ConversationState::Human
            } else {
                ConversationState::Bot
            },
            memory: json!(null),
            language: None,
        }
    }

    async fn played(
        actions: &[&str],
        script: Vec<Vec<Say>>,
        turns: serde_json::Value,
    ) -> Vec<PlayedTurn> {
        let (folder, id) = (tempfile::tempdir().unwrap(), Uuid::now_v7());
        let desk = Desk {
            store: Some(store_with(&folder, id, actions).await),
            url: scripted::serve_as(id, script).await,
            secret: Some(Secret::from("0123456789abcdef0123456789abcdef".to_owned())),
            patience: Duration::from_millis(300),
        };
        replay(&desk, &[dialogue("d", turns)], |_| ())
            .await
            .unwrap()
    }

    fn finding(turn: &PlayedTurn, check: Check) -> Option<&Finding> {
        turn.checks
            .iter()
            .find(|verdict| verdict.check == check)
            .map(|verdict| &verdict.finding)
    }

    #[tokio::test]
    async fn a_dialogue_is_judged_by_reply_and_outcome() {
        let preview = json!({"type": "preview", "turn": "t1", "text": "It is $7.", "sources": []});
        let turns = played(
            &["answer"],
            vec![vec![
                Say::ack(1),
                Say::frame(preview),
                Say::reply(2, "t1", "It is $5."),
            ]],
            json!([{"user": "the fee?", "expect": {"intent": "track_order", "facts": [["$7"]]}}]),
        )
        .await;
        let [turn] = turns.as_slice() else {
            panic!("{turns:?}")
        };
        assert_eq!(turn.ending, Ending::Replied);
        assert_eq!(finding(turn, Check::Intent), Some(&Finding::Passed));
        assert!(matches!(
            finding(turn, Check::Facts),
            Some(Finding::Failed { .. })
        ));
        assert_eq!(turn.shown, Some(true), "the preview showed it");
        assert!(turn.times.useful_ms <= turn.times.reply_ms && turn.times.reply_ms.is_some());
    }

    #[tokio::test]
    async fn after_a_hand_over_the_rest_is_silent_and_not_sent() {
        let status = json!({"type": "status", "state": "human"});
        let ask = json!({"intent": "track_order", "facts": [["x"]], "handoff": true});
        let turns = played(
            &["hand_over"],
            vec![vec![Say::ack(1), Say::reply(2, "t1", "One moment."), Say::frame(status)]],
            json!([{"user": "a person!", "expect": {"handoff": true}}, {"user": "hm", "expect": ask}]),
        )
        .await;
        let [first, second] = turns.as_slice() else {
            panic!("{turns:?}")
        };
        assert_eq!(finding(first, Check::Handoff), Some(&Finding::Passed));
        assert_eq!(second.ending, Ending::Silent);
        assert_eq!(finding(second, Check::Intent), Some(&Finding::NotMeasured));
        assert_eq!(finding(second, Check::Handoff), Some(&Finding::Passed));
        assert!(matches!(
            finding(second, Check::Facts),
            Some(Finding::Failed { .. })
        ));
    }

    #[tokio::test]
    async fn a_dialogue_that_breaks_off_fails_its_remaining_turns() {
        let turns = played(
            &[],
            vec![vec![Say::ack(1)]],
            json!([{"user": "hello?"}, {"user": "anybody?", "expect": {"handoff": false}}]),
        )
        .await;
        let [first, second] = turns.as_slice() else {
            panic!("{turns:?}")
        };
        assert!(matches!(first.ending, Ending::Broken { .. }));
        assert!(matches!(second.ending, Ending::Broken { .. }));
        assert!(matches!(
            finding(second, Check::Handoff),
            Some(Finding::Failed { .. })
        ));
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_breaks_every_turn() {
        let folder = tempfile::tempdir().unwrap();
        let desk = Desk {
            store: Some(store_with(&folder, Uuid::now_v7(), &[]).await),
            url: "ws://127.0.0.1:1/v1/chat".to_owned(),
            secret: Some(Secret::from("0123456789abcdef0123456789abcdef".to_owned())),
            patience: PATIENCE,
        };
        let turns = json!([{"user": "hello?", "expect": {"forbid": ["x"]}}]);
        let turns = replay(&desk, &[dialogue("d", turns)], |_| ())
            .await
            .unwrap();
        assert!(matches!(turns[0].ending, Ending::Broken { .. }));
        assert!(matches!(
            finding(&turns[0], Check::Forbid),
            Some(Finding::Failed { .. })
        ));
    }
}
