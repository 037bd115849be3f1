//! Who is being answered: one task a conversation, begun by its messages and ended when nothing is
//! left to answer.
//!
//! A burst of messages is one turn: a message that comes before anything of the reply has left
//! begins the turn anew, with all of them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crm::{ConversationId, CrmError, TurnId};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;
use uuid::Uuid;

use crate::turn::{Delivered, TurnError, Turns};

/// Waits between attempts when a turn fails.
const RETRIES: [Duration; 3] = [
    Duration::from_millis(250),
    Duration::from_secs(1),
    Duration::from_secs(4),
];

/// Starts turns and keeps one at a time for every conversation.
pub(crate) struct Dispatcher {
    turns: Arc<Turns>,
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
    /// A dispatcher of `turns`.
    pub(crate) fn new(turns: Arc<Turns>) -> Arc<Self> {
        Arc::new(Self {
            turns,
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

    /// Takes up what was left unanswered when the server last stopped.
    ///
    /// # Errors
    /// [`CrmError`] when the store cannot be read.
    pub(crate) async fn take_up(self: &Arc<Self>) -> Result<usize, CrmError> {
        let unanswered = self.turns.store.unanswered().await?;
        for conversation in &unanswered {
            self.wake(*conversation);
        }
        Ok(unanswered.len())
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

    /// Conversations being answered now.
    pub(crate) fn active(&self) -> usize {
        self.running.lock().len()
    }

    async fn serve(self: Arc<Self>, conversation: ConversationId, task: Arc<Running>) {
        let mut failures = RETRIES.iter();
        let mut turn = TurnId(Uuid::now_v7());
        loop {
            let delivered = Delivered::default();
            let span = tracing::info_span!("turn", %conversation, %turn);
            let answer = self.turns.answer(conversation, turn, &delivered);
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
                    turn = TurnId(Uuid::now_v7());
                    failures = RETRIES.iter();
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
                    // With what it came from: of a failed store, that has the database's words.
                    let error = anyhow::Error::new(error);
                    tracing::error!(%conversation, "a turn failed: {error:#}");
                    metrics::counter!("frontdesk_turn_failures_total").increment(1);
                    if delivered.is_set() {
                        // Clients keep what has left by its turn; said again, it would stand twice.
                        turn = TurnId(Uuid::now_v7());
                    }
                    if let Some(wait) = failures.next() {
                        tokio::time::sleep(*wait).await;
                        continue;
                    }
                    self.turns.apologise(conversation).await;
                    if self.retire(conversation, &task) {
                        return;
                    }
                    failures = RETRIES.iter();
                }
            }
        }
        self.running.lock().remove(&conversation);
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

/// Errors after which there is nothing more to do here.
fn is_over(error: &TurnError) -> bool {
    matches!(
        error,
        TurnError::ShuttingDown
            | TurnError::Store(CrmError::NotTheBots { .. } | CrmError::AlreadyAnswered { .. })
    )
}
