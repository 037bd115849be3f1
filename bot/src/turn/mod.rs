//! One turn: from a customer's unanswered messages to one stored, delivered answer.
//!
//! A line of functions, values in and values out: [`open`] gives an [`Opened`], [`read`] a [`Reading`],
//! [`decide`] a decision, [`plan`] a plan, [`write`] a [`Reply`], [`outcome`] what is stored. Nothing is
//! stored before the end, when the answer, the outcome and the conversation's new state go in
//! together: a turn that is cut off anywhere is simply run again.

mod audible;
pub(crate) mod decide;
mod history;
mod memory;
mod open;
mod outcome;
mod plan;
mod read;
mod services;
mod stopwatch;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod write;

use async_trait::async_trait;
use crm::{ConversationId, ConversationState, CrmError, FinishedTurn, Message, TurnId};

use crate::audience::{Event, Said};
use crate::config::Answers as Answered;
use crate::door::Answers;
use crate::library::LibraryError;
use crate::prompts::PromptError;

pub(crate) use audible::Delivered;
pub(crate) use decide::HandOverReason;
pub(crate) use services::{Heads, Services, Settings};

use audible::Audible;
use decide::{Reaction, Signals};
use generate::Generator;
use open::Opened;
use outcome::Versions;
use plan::Plan;
use read::{Question, Reading};
use services::Records;
use stopwatch::Stopwatch;
use write::Reply;

/// Why a turn was not finished. Its messages stay unanswered and are taken up again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TurnError {
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

/// A turn under way: what is known before the decision. The services that a stage uses are handed to
/// it beside this.
struct Turn<'a> {
    settings: &'a Settings,
    opened: &'a Opened,
    reading: &'a Reading,
    watch: &'a Stopwatch,
    audible: Audible<'a>,
}

impl Turn<'_> {
    /// The language that the customer writes in, and is answered in.
    fn language(&self) -> &str {
        self.reading.language()
    }
}

#[async_trait]
impl Answers for Services {
    async fn answer(
        &self,
        conversation: ConversationId,
        turn: TurnId,
        delivered: &Delivered,
    ) -> Result<Option<Vec<Message>>, TurnError> {
        answer(self, conversation, turn, delivered).await
    }

    async fn failed_words(&self, conversation: ConversationId) -> Result<String, TurnError> {
        let found = self.records.find_conversation(conversation).await?;
        let language = found.and_then(|conversation| conversation.language);
        let voice = &self.settings.voice;
        let language = language.as_deref().unwrap_or(voice.fallback());
        Ok(voice.say(language, "failed", None)?)
    }
}

/// Answers what is unanswered in `conversation`; `None` when there is nothing to answer.
///
/// # Errors
/// [`TurnError`]; nothing is stored then.
///
/// # Cancel safety
/// Dropping the future cancels the generation and stores nothing.
async fn answer(
    services: &Services,
    conversation: ConversationId,
    turn: TurnId,
    delivered: &Delivered,
) -> Result<Option<Vec<Message>>, TurnError> {
    let watch = Stopwatch::start();
    let Some(opened) = open::open(&*services.records, conversation, turn).await? else {
        return Ok(None);
    };
    watch.lap("open");
    let audible = Audible {
        hub: &services.hub,
        conversation,
        turn,
        delivered,
    };
    audible.began(None);
    let (reader, finder, settings) = (&*services.reader, &*services.finder, &services.settings);
    let reading = read::read(reader, finder, &opened).await?;
    watch.lap("understand");
    let turn = Turn {
        settings,
        opened: &opened,
        reading: &reading,
        watch: &watch,
        audible,
    };
    let (question, reply) = react(&turn, services).await?;
    let versions = Versions {
        frontdesk: env!("CARGO_PKG_VERSION"),
        heads: services.reader.version(),
        reply_model: services.generator.model(),
    };
    let finished = outcome::finish(&turn, question.as_ref(), &reply, &versions)?;
    let goes_on = finished.state == ConversationState::Bot;
    // From here on the turn is in the store: a message that comes begins another.
    delivered.set();
    let messages = deliver(services, finished, opened.turn).await?;
    let generate = &settings.config.generate;
    if goes_on && generate.read_ahead && generate.answers == Answered::Generative {
        read_ahead(&turn, &*services.records, &*services.generator).await;
    }
    Ok(Some(messages))
}

/// Decides, and has the reply made: at once, or for a question from what is found.
async fn react(
    turn: &Turn<'_>,
    services: &Services,
) -> Result<(Option<Question>, Reply), TurnError> {
    let (settings, opened, reading) = (turn.settings, turn.opened, turn.reading);
    let signals = Signals {
        text: &opened.text,
        understanding: &reading.understanding,
        angry: reading.angry,
        declined: opened.memory.declined,
        pending: opened.memory.pending,
        pressed: opened.pressed.as_deref(),
    };
    let decision = decide::decide(&signals, &settings.config.policy);
    turn.watch.lap("decide");
    if decision.reaction != Reaction::Answer {
        let reply = plan::ready(turn, decision)?;
        return Ok((None, plan::something_new(turn, reply)?));
    }
    let question = read::question(turn);
    let catalogue = services.catalogue.read().clone();
    let using = (&*services.finder, &*services.reader);
    let plan: Plan = plan::answer(turn, using, &catalogue, &question, decision).await?;
    let reply = write::write(turn, services, &question, plan).await?;
    Ok((Some(question), plan::something_new(turn, reply)?))
}

/// Stores the turn, then tells the listeners.
async fn deliver(
    services: &Services,
    finished: FinishedTurn,
    turn: TurnId,
) -> Result<Vec<Message>, TurnError> {
    let conversation = finished.outcome.conversation;
    let state = finished.state;
    let messages = services.records.finish_turn(finished).await?;
    let tell = |event| services.hub.tell(conversation, event);
    tell(Event::Stopped);
    for message in &messages {
        tell(Event::Said(Said::new(message.clone(), Some(turn))));
    }
    match state {
        ConversationState::Bot => {}
        ConversationState::Human => tell(Event::HandedOver),
        ConversationState::Closed => tell(Event::Closed),
    }
    Ok(messages)
}

/// Prefills the next prompt while the customer reads the answer, so that the next reply starts
/// sooner.
async fn read_ahead(turn: &Turn<'_>, records: &dyn Records, generator: &dyn Generator) {
    let (settings, id) = (turn.settings, turn.opened.conversation.id);
    let prefix = async {
        let said = history::load(records, id).await?;
        let today = settings.clock.today();
        let prefix = plan::prefix(&settings.voice, today, turn.language(), &said)?;
        Ok::<_, TurnError>(prefix)
    };
    match prefix.await {
        Ok(prefix) => generator.read_ahead(session_of(id), prefix).await,
        Err(error) => tracing::warn!(conversation = %id, "nothing is read ahead: {error}"),
    }
}

/// What the model knows the conversation by.
fn session_of(id: ConversationId) -> u64 {
    id.0.as_u64_pair().1
}
