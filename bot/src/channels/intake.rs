//! What platforms tell, by whatever way, taken in at the door.

use std::sync::Arc;
use std::time::Duration;

use connectors::channel::{Incoming, Sending, What};
use crm::ConversationId;

use super::account::Account;
use crate::app::App;
use crate::door::DoorError;

/// How long a reply may take before it is shown that it is being written.
const TYPING_AFTER: Duration = Duration::from_millis(500);
/// Longest time that it is shown.
const TYPING_AT_MOST: Duration = Duration::from_secs(120);

/// Does what a platform told, in its order.
///
/// # Errors
/// [`DoorError::Unavailable`] where something could not be stored: the platform is to tell it again.
pub(crate) async fn take_in(
    app: &App,
    account: &Arc<Account>,
    events: Vec<Incoming>,
) -> Result<(), DoorError> {
    for event in events {
        let aftermath = Aftermath::of(&event);
        match app.door.take_in(&account.channel, event).await {
            Ok(Some(conversation)) => {
                app.tracker
                    .spawn(aftermath.happen(app.clone(), Arc::clone(account), conversation));
            }
            Ok(None) => {}
            Err(error @ DoorError::Unavailable(_)) => return Err(error),
            Err(error) => {
                tracing::info!(
                    channel = account.channel,
                    "an event is passed over: {error}"
                );
            }
        }
    }
    Ok(())
}

/// What is to be done once an event is stored, and may be lost.
struct Aftermath {
    thread: String,
    context: Option<String>,
    /// Of a press.
    receipt: Option<String>,
    /// Whether an answer is being written.
    is_answered: bool,
}

impl Aftermath {
    fn of(event: &Incoming) -> Self {
        let (receipt, is_answered) = match &event.what {
            What::Press { receipt, .. } => (receipt.clone(), true),
            What::Message { .. } => (None, true),
            What::Start
            | What::Edit { .. }
            | What::Deletion { .. }
            | What::Typing
            | What::Person
            | What::End
            | What::Takeover { .. }
            | What::Receipt { .. }
            | What::Blocked
            | What::Unblocked => (None, false),
        };
        Self {
            thread: event.thread.clone(),
            context: event.context.clone(),
            receipt,
            is_answered,
        }
    }

    async fn happen(self, app: App, account: Arc<Account>, conversation: ConversationId) {
        if let Some(receipt) = &self.receipt {
            account.try_to_send(&Sending::Seen { receipt }).await;
        }
        let lasts = account.connector.limits().typing;
        if let Some(lasts) = lasts.filter(|_| self.is_answered && account.begins(conversation)) {
            self.show_typing(&app, &account, conversation, lasts).await;
            account.ends(conversation);
        }
    }

    /// Shows that a reply is being written until it is.
    async fn show_typing(
        &self,
        app: &App,
        account: &Account,
        conversation: ConversationId,
        lasts: Duration,
    ) {
        let typing = Sending::Typing {
            thread: &self.thread,
            context: self.context.as_deref(),
        };
        let mut waited = TYPING_AFTER;
        tokio::time::sleep(TYPING_AFTER).await;
        while app.dispatcher.is_answering(conversation)
            && waited < TYPING_AT_MOST
            && !app.shutdown.is_cancelled()
        {
            account.try_to_send(&typing).await;
            // Renewed a little before it fades.
            let wait = lasts.mul_f64(0.8);
            tokio::time::sleep(wait).await;
            waited += wait;
        }
    }
}
