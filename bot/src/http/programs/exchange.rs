//! A message of a program's user, and what is said in return.

use std::sync::Arc;
use std::time::Duration;

use crm::{Author, ConversationId};

use crate::app::App;
use crate::audience::{Event, Listener, Said};
use crate::door::{Arrival, DoorError, Incoming};

/// How often it is looked whether the answer is complete.
const LOOK: Duration = Duration::from_millis(20);

/// A message that was taken in, while it is answered.
pub(super) struct Exchange {
    app: App,
    listener: Listener,
    /// The conversation.
    pub(super) conversation: ConversationId,
    /// What was said when it was opened with this message: who answers, and how to reach a person.
    pub(super) greeting: Option<String>,
}

impl Exchange {
    /// Opens the conversation of a thread, or takes it up.
    ///
    /// # Errors
    /// [`DoorError`].
    pub(super) async fn open(app: &App, channel: &str, thread: &str) -> Result<Self, DoorError> {
        let known = app.store.find_thread(channel, thread).await?.is_some();
        let arrival = Arrival {
            channel,
            thread: Some(thread),
            ..Arrival::default()
        };
        let entered = app.door.open(&arrival).await?;
        let greeting = entered.messages.first().filter(|_| !known);
        Ok(Self {
            app: app.clone(),
            listener: entered.listener,
            conversation: entered.conversation.id,
            greeting: greeting.map(|message| message.text.clone()),
        })
    }

    /// Takes a message in.
    ///
    /// # Errors
    /// [`DoorError`].
    pub(super) async fn say(&self, message: Incoming) -> Result<i64, DoorError> {
        self.app.door.accept(self.conversation, message).await
    }

    /// What happens next; `None` once all is said.
    pub(super) async fn next(&mut self) -> Option<Arc<Event>> {
        loop {
            tokio::select! {
                biased;
                event = self.listener.recv() => return event,
                () = tokio::time::sleep(LOOK) => {
                    if !self.app.dispatcher.is_answering(self.conversation) {
                        // What was told before the task ended is still there.
                        return self.listener.try_recv().ok();
                    }
                }
            }
        }
    }

    /// The next message of ours; `None` once all is said.
    pub(super) async fn next_said(&mut self) -> Option<Said> {
        while let Some(event) = self.next().await {
            if let Event::Said(said) = event.as_ref()
                && said.author != Author::Customer
            {
                return Some(said.clone());
            }
        }
        None
    }
}

/// A message with its links, and the answers to choose from, as Markdown.
pub(super) fn markdown(said: &Said) -> String {
    [said.text.clone(), beside(said)]
        .into_iter()
        .filter(|text| !text.is_empty())
        .collect::<Vec<_>>()
        .join("\n\n")
}

/// What stands beside a message's text: links to its sources, and the answers to choose from.
pub(super) fn beside(said: &Said) -> String {
    let link = |source: &crate::audience::Source| {
        let url = source.url.as_ref()?;
        Some(format!("[{}]({url})", source.title))
    };
    let links = said.sources.iter().filter_map(link);
    let replies = said.quick_replies.iter();
    let replies = replies.map(|reply| format!("- {}", reply.text));
    links.chain(replies).collect::<Vec<_>>().join("\n")
}
