//! One turn: from a customer's unanswered messages to one stored, delivered answer.
//!
//! The stages run in a line, each a function from what the one before it gave: [`open`],
//! understand, [`decide`], [`retrieve`], [`compose`], [`write`] with its [`guard`], and the
//! [`outcome`] that records all of them. Nothing is stored before the end, when the answer, the
//! outcome and the conversation's new state go in together: a turn that is cut off anywhere is
//! simply run again.

pub(crate) mod decide;
pub(crate) mod guard;
mod history;

mod basis;
mod calendar;
mod close;
mod compose;
mod notices;
mod open;
mod outcome;
mod question;
mod retrieve;
mod select;
mod suggest;
mod wish;
mod wording;
mod words;
mod write;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crm::{
    ConversationId, ConversationState, CrmError, FinishedTurn, Message, NewMessage, Store, TurnId,
};
use generate::Generator;
use parking_lot::RwLock;
use understand::{Language, Understander, Understanding};

use crate::config::Config;
use crate::desk::Catalogue;
use crate::hub::Hub;
use crate::library::{Library, LibraryError};
use crate::prompts::{PromptError, Prompts};
use crate::protocol::{QuickReply, QuickReplyKind, ServerFrame, Source};

pub(crate) use decide::{Action, RefusalReason};
pub(crate) use open::OpenTurn;
pub(crate) use outcome::now;

use outcome::Clock;

/// Why a turn was not finished. Its messages stay unanswered and are taken up again.
#[derive(Debug, thiserror::Error)]
pub enum TurnError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] CrmError),
    /// A template failed.
    #[error(transparent)]
    Prompt(#[from] PromptError),
    /// The index failed.
    #[error(transparent)]
    Library(#[from] LibraryError),
    /// The encoder failed.
    #[error(transparent)]
    Encoder(#[from] retrieval::EncoderError),
    /// A blocking task was cut off by the shutdown.
    #[error("the server is shutting down")]
    ShuttingDown,
}

/// Whether a part of the reply has left, after which a turn is no longer begun anew.
#[derive(Debug, Default)]
pub(crate) struct Delivered(AtomicBool);

impl Delivered {
    /// Whether something has left.
    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    fn set(&self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Everything that a turn works with.
pub(crate) struct Turns {
    /// The CRM store.
    pub store: Store,
    /// The classifier.
    pub understander: Arc<Understander>,
    /// The index.
    pub library: Arc<Library>,
    /// The products by name; replaced when the catalogue changes.
    pub catalogue: Arc<RwLock<Arc<Catalogue>>>,
    /// What writes.
    pub generator: Arc<dyn Generator>,
    /// The templates.
    pub prompts: Arc<Prompts>,
    /// Where clients listen.
    pub hub: Arc<Hub>,
    /// The configuration.
    pub config: Arc<Config>,
}

/// What was understood, with the English that the desk, the search by words and the guard read.
#[derive(Clone, Debug)]
struct Understood {
    understanding: Understanding,
    /// The message in English: itself, well spelt, or its translation; itself also where it needs
    /// none.
    english: String,
    /// Whether `english` is a translation.
    translated: bool,
}

impl Turns {
    /// Answers what is unanswered in `conversation`; `None` when there is nothing to answer.
    ///
    /// # Errors
    /// [`TurnError`]; nothing is stored then.
    ///
    /// # Cancel safety
    /// Dropping the future cancels the generation and stores nothing.
    pub(crate) async fn answer(
        &self,
        conversation: ConversationId,
        turn: TurnId,
        delivered: &Delivered,
    ) -> Result<Option<Vec<Message>>, TurnError> {
        let mut clock = Clock::start();
        let Some(open) = OpenTurn::open(&self.store, conversation, turn).await? else {
            return Ok(None);
        };
        clock.lap("open");
        self.hub.send(conversation, &ServerFrame::typing(true));
        let mut understood = self.understand(&open).await?;
        clock.lap("understand");
        let angry = open.angry_with(&understood.understanding);
        let signals = decide::Signals {
            text: &open.text.to_lowercase(),
            words: open.text.split_whitespace().count(),
            understanding: &understood.understanding,
            angry,
            declined: open.memory.declined,
        };
        let (action, rule) = decide::decide(&signals, &self.config.policy);
        clock.lap("decide");
        if action == Action::Answer && understood.understanding.language != Language::english() {
            self.put_into_english(&mut understood, &open).await?;
            clock.lap("translate");
        }
        let mut draft = Draft {
            open: &open,
            understood: &understood,
            action,
            rule,
            angry,
            clock,
        };
        let plan = self.plan(&mut draft).await?;
        let written = self.write(&mut draft, plan, delivered).await?;
        let finished = self.finish(draft, written)?;
        let goes_on = finished.state == ConversationState::Bot;
        // From here on the turn is in the store: a message that comes begins another.
        delivered.set();
        let messages = self.deliver(finished, turn).await?;
        if goes_on && self.config.generate.read_ahead {
            let language = understood.understanding.language.as_str();
            if let Err(error) = self.read_ahead(conversation, language).await {
                tracing::warn!(%conversation, "nothing is read ahead: {error}");
            }
        }
        Ok(Some(messages))
    }

    /// Has the model read what it will be told of the conversation by now, while the customer reads the
    /// answer: their next one then waits for less.
    async fn read_ahead(&self, id: ConversationId, language: &str) -> Result<(), TurnError> {
        let said = history::load(&self.store, id).await?;
        let beginning = self.beginning(language, &said)?;
        self.generator.read_ahead(session(id), beginning).await;
        Ok(())
    }

    /// Language, spelling, and the classifier, which reads the message in its own language.
    async fn understand(&self, open: &OpenTurn) -> Result<Understood, TurnError> {
        let usual = open.usual_language();
        let understander = Arc::clone(&self.understander);
        let text = open.text.clone();
        let language = blocking({
            let (understander, text) = (Arc::clone(&understander), text.clone());
            move || understander.language(&text, &usual)
        })
        .await?;
        let is_english = language == Language::english();
        let read = if is_english {
            self.library.spelled(&text)
        } else {
            text
        };
        let english = read.clone();
        let understanding = blocking(move || understander.understand(&read, language)).await??;
        let today = self.config.company.today();
        Ok(Understood {
            understanding,
            english: calendar::with_weekdays(&english, today).into_owned(),
            translated: false,
        })
    }

    /// Translates the message, where the model can now. What it wants is then told from both: the
    /// classifier has learnt from more English messages than others.
    async fn put_into_english(
        &self,
        understood: &mut Understood,
        open: &OpenTurn,
    ) -> Result<(), TurnError> {
        let Some(translation) = self.translate(open).await else {
            return Ok(());
        };
        let understander = Arc::clone(&self.understander);
        let read = translation.clone();
        let english =
            blocking(move || understander.understand(&read, Language::english())).await??;
        let own = &mut understood.understanding.intent;
        *own = own.averaged(&english.intent);
        let today = self.config.company.today();
        understood.english = calendar::with_weekdays(&translation, today).into_owned();
        understood.translated = true;
        Ok(())
    }

    /// Stores the turn, then tells the clients.
    async fn deliver(
        &self,
        finished: FinishedTurn,
        turn: TurnId,
    ) -> Result<Vec<Message>, TurnError> {
        let conversation = finished.outcome.conversation;
        let state = finished.state;
        let messages = self.store.finish_turn(finished).await?;
        self.hub.send(conversation, &ServerFrame::typing(false));
        for message in &messages {
            self.hub.send(
                conversation,
                &crate::hub::message_frame(message, Some(turn)),
            );
        }
        if state != ConversationState::Bot {
            self.hub.send(conversation, &ServerFrame::Status { state });
        }
        Ok(messages)
    }

    /// Puts together what is stored.
    fn finish(&self, draft: Draft<'_>, written: Written) -> Result<FinishedTurn, TurnError> {
        let action = written.action;
        let language = draft.language().to_owned();
        let actions = self.buttons(action, &language)?;
        let state = match action {
            Action::HandOver(_) => ConversationState::Human,
            Action::Answer
            | Action::Greet
            | Action::Thank
            | Action::Goodbye
            | Action::About
            | Action::OffTopic
            | Action::NoAnswer
            | Action::Busy
            | Action::Refuse(_) => ConversationState::Bot,
        };
        let message = NewMessage {
            author: crm::Author::Bot,
            text: written.text.clone(),
            sources: to_json(&written.sources),
            actions: to_json(&actions),
        };
        let memory = draft.open.memory_after(&draft, &written);
        Ok(FinishedTurn {
            outcome: outcome::outcome(&draft, &written, self),
            messages: vec![message],
            state,
            memory: to_json(&memory),
            language: Some(language),
        })
    }

    fn buttons(&self, action: Action, language: &str) -> Result<Vec<QuickReply>, TurnError> {
        Ok(match action {
            Action::NoAnswer | Action::Busy | Action::Refuse(RefusalReason::SignIn) => {
                let text = self
                    .prompts
                    .render(language, "button_human", &self.visitor(None))?;
                vec![QuickReply {
                    kind: QuickReplyKind::Human,
                    text,
                }]
            }
            Action::Answer
            | Action::Greet
            | Action::Thank
            | Action::Goodbye
            | Action::About
            | Action::OffTopic
            | Action::HandOver(_)
            | Action::Refuse(_) => Vec::new(),
        })
    }
}

/// A turn under way.
struct Draft<'a> {
    open: &'a OpenTurn,
    understood: &'a Understood,
    action: Action,
    rule: &'static str,
    angry: u32,
    clock: Clock,
}

impl Draft<'_> {
    fn language(&self) -> &str {
        self.understood.understanding.language.as_str()
    }
}

/// What the customer gets, and how it came about.
#[derive(Debug, Default)]
struct Written {
    action: Action,
    text: String,
    sources: Vec<Source>,
    facts: Vec<crate::facts::Fact>,
    documents: Vec<String>,
    /// What was looked up: the message, with what it goes on from.
    question: Option<String>,
    withheld: Vec<(String, guard::Withheld)>,
    /// The facts' own words that the text quotes.
    quoted: Option<String>,
    usage: Option<generate::Usage>,
    focus: Option<crate::desk::Focus>,
}

/// What the model knows the conversation by.
fn session(id: ConversationId) -> u64 {
    id.0.as_u64_pair().1
}

fn to_json(value: &impl serde::Serialize) -> serde_json::Value {
    serde_json::to_value(value).unwrap_or(serde_json::Value::Null)
}

/// Runs what blocks for milliseconds off the async threads.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, TurnError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| TurnError::ShuttingDown)
}
