//! Who is being answered: one task a conversation, begun by its messages and ended when nothing is
//! left to answer.
//!
//! A burst of messages is one turn: a message that comes before anything of the reply has left
//! begins the turn anew, with all of them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use crm::{ConversationId, CrmError, Message, TurnId};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use crate::audience::{Event, Hub};
use crate::clock::Clock;
use crate::turn::{Delivered, TurnError};

/// What is said where not even the template of a failure can be read.
const SPEECHLESS: &str = "Something went wrong on our side.";
/// When a customer whose turn has failed may try again.
const RETRY_AFTER: Duration = Duration::from_secs(60);

/// What answers a conversation.
#[async_trait]
pub(crate) trait Answers: Send + Sync {
    /// Answers what is unanswered; `None` when there is nothing to answer.
    ///
    /// # Errors
    /// [`TurnError`]; nothing is stored then.
    ///
    /// # Cancel safety
    /// Dropping the future stores nothing.
    async fn answer(
        &self,
        conversation: ConversationId,
        turn: TurnId,
        delivered: &Delivered,
    ) -> Result<Option<Vec<Message>>, TurnError>;

    /// What a customer is told whose turn has failed for now.
    ///
    /// # Errors
    /// [`TurnError`] where not even that can be said.
    async fn failed_words(&self, conversation: ConversationId) -> Result<String, TurnError>;
}

/// Waits between attempts when a turn fails.
const RETRIES: [Duration; 3] = [
    Duration::from_millis(250),
    Duration::from_secs(1),
    Duration::from_secs(4),
];

/// Wait between attempts while the store is out of reach, after those: a database that comes back finds
/// its customers still waiting to be answered.
const OUTAGE_RETRY: Duration = Duration::from_secs(10);

/// Starts turns and keeps one at a time for every conversation.
pub(crate) struct Dispatcher {
    answers: Arc<dyn Answers>,
    hub: Arc<Hub>,
    clock: Arc<dyn Clock>,
    running: Mutex<HashMap<ConversationId, Arc<Running>>>,
    tracker: TaskTracker,
    /// No new turns are begun.
    closing: CancellationToken,
    /// Running turns are dropped, to be taken up at the next start.
    parking: CancellationToken,
}

/// A conversation that is being answered.
#[derive(Debug, Default)]
struct Running {
    /// A message has come.
    news: Notify,
    /// The conversation is no longer the bot's.
    silenced: CancellationToken,
}

impl Dispatcher {
    /// A dispatcher that has `answers` answer, and tells `hub` where it cannot.
    pub(crate) fn new(
        answers: Arc<dyn Answers>,
        hub: Arc<Hub>,
        clock: Arc<dyn Clock>,
    ) -> Arc<Self> {
        Arc::new(Self {
            answers,
            hub,
            clock,
            running: Mutex::default(),
            tracker: TaskTracker::new(),
            closing: CancellationToken::new(),
            parking: CancellationToken::new(),
        })
    }

    /// Tells that a message has been stored. Returns at once.
    pub(crate) fn wake(self: &Arc<Self>, conversation: ConversationId) {
        if self.closing.is_cancelled() {
            return;
        }
        let mut running = self.running.lock();
        if let Some(known) = running.get(&conversation) {
            known.news.notify_one();
            return;
        }
        let task = Arc::new(Running::default());
        running.insert(conversation, Arc::clone(&task));
        let this = Arc::clone(self);
        self.tracker
            .spawn(async move { this.serve(conversation, task).await });
    }

    /// Stops answering, in the middle of a sentence if need be: a person has been called, or the
    /// customer has left. What was not said costs no more time of the model.
    pub(crate) fn silence(&self, conversation: ConversationId) {
        if let Some(task) = self.running.lock().get(&conversation) {
            task.silenced.cancel();
        }
    }

    /// Lets running turns finish for `grace`, then parks them: their messages stay stored and are
    /// answered after the next start.
    pub(crate) async fn close(&self, grace: Duration) {
        self.closing.cancel();
        self.tracker.close();
        if tokio::time::timeout(grace, self.tracker.wait())
            .await
            .is_err()
        {
            tracing::info!("parking {} turns for the next start", self.tracker.len());
            self.parking.cancel();
            self.tracker.wait().await;
        }
    }

    /// Whether an answer is being written there.
    pub(crate) fn is_answering(&self, conversation: ConversationId) -> bool {
        self.running.lock().contains_key(&conversation)
    }

    /// Conversations being answered now.
    pub(crate) fn active(&self) -> usize {
        self.running.lock().len()
    }

    async fn serve(self: Arc<Self>, conversation: ConversationId, task: Arc<Running>) {
        let mut attempts = Attempts::default();
        let mut turn = self.clock.turn_id();
        loop {
            let delivered = Delivered::default();
            let span = tracing::info_span!("turn", %conversation, %turn);
            let answer = self.answers.answer(conversation, turn, &delivered);
            let attempt = answer.instrument(span);
            let result = tokio::select! {
                result = attempt => Some(result),
                () = interrupted(&task, &delivered) => None,
                () = self.parking.cancelled() => break,
                () = task.silenced.cancelled() => break,
            };
            match result {
                // The same turn goes on, with the new message.
                None => continue,
                Some(Ok(Some(_))) => {
                    turn = self.clock.turn_id();
                    attempts = Attempts::default();
                }
                Some(Ok(None)) => {
                    if self.retire(conversation, &task) {
                        return;
                    }
                }
                Some(Err(error)) if is_over(&error) => {
                    if self.retire(conversation, &task) {
                        return;
                    }
                }
                Some(Err(error)) => {
                    let next = attempts.after(&error);
                    log_failure(conversation, error);
                    if delivered.is_set() {
                        // Clients keep what has left by its turn; said again, it would stand twice.
                        turn = self.clock.turn_id();
                    }
                    if next.apologise {
                        self.apologise(conversation).await;
                    }
                    match next.again_after {
                        Some(wait) => tokio::select! {
                            () = tokio::time::sleep(wait) => {}
                            () = self.closing.cancelled() => break,
                            () = task.silenced.cancelled() => break,
                        },
                        None if self.retire(conversation, &task) => return,
                        None => attempts = Attempts::default(),
                    }
                }
            }
        }
        self.running.lock().remove(&conversation);
    }

    /// Tells the clients of `id` that its turn has failed for now. The message stays stored and is
    /// answered with the next one, or after the next start.
    async fn apologise(&self, id: ConversationId) {
        let text = self.answers.failed_words(id).await.unwrap_or_else(|error| {
            tracing::error!("the apology could not be written: {error}");
            SPEECHLESS.to_owned()
        });
        self.hub.tell(id, Event::Stopped);
        let retry_after = RETRY_AFTER;
        self.hub.tell(id, Event::Failed { text, retry_after });
    }

    /// Ends the task unless a message has come meanwhile.
    fn retire(&self, conversation: ConversationId, task: &Running) -> bool {
        let mut running = self.running.lock();
        // `wake` notifies under the same lock, so no message can slip in between.
        if futures::FutureExt::now_or_never(task.news.notified()).is_some() {
            return false;
        }
        running.remove(&conversation);
        true
    }
}

/// Ready when a message comes while nothing of the reply has left.
async fn interrupted(task: &Running, delivered: &Delivered) {
    loop {
        task.news.notified().await;
        if !delivered.is_set() {
            return;
        }
        // Too late for this turn: the message is answered in the next.
    }
}

/// How often a turn has failed in a row.
#[derive(Debug, Default)]
struct Attempts(usize);

/// What follows a failure.
#[derive(Debug)]
struct Next {
    apologise: bool,
    /// When to try again; `None` to give up until another message comes.
    again_after: Option<Duration>,
}

impl Attempts {
    /// Counts a failure.
    fn after(&mut self, error: &TurnError) -> Next {
        let before = self.0;
        self.0 += 1;
        match RETRIES.get(before) {
            Some(wait) => Next {
                apologise: false,
                again_after: Some(*wait),
            },
            None => Next {
                apologise: before == RETRIES.len(),
                again_after: is_outage(error).then_some(OUTAGE_RETRY),
            },
        }
    }
}

fn log_failure(conversation: ConversationId, error: TurnError) {
    // With what it came from: of a failed store, that has the database's words.
    let error = anyhow::Error::new(error);
    tracing::error!(%conversation, "a turn failed: {error:#}");
    metrics::counter!("frontdesk_turn_failures_total").increment(1);
}

/// Whether the store may be back in a moment.
fn is_outage(error: &TurnError) -> bool {
    matches!(error, TurnError::Store(error) if error.is_transient())
}

/// Errors after which there is nothing more to do here.
fn is_over(error: &TurnError) -> bool {
    matches!(
        error,
        TurnError::ShuttingDown
            | TurnError::Store(CrmError::NotTheBots { .. } | CrmError::AlreadyAnswered { .. })
    )
}

#[cfg(test)]
mod tests;
