//! What happens on messaging platforms, done to their conversations.

use connectors::channel::{Incoming as Told, Media, What};
use crm::{Conversation, ConversationState, Opened, StateChange};
use uuid::Uuid;

use super::{Arrival, Door, DoorError, Incoming, MOST_ID_BYTES};
use crate::audience::QuickReply;

/// Messages in which the button is looked for that was pressed.
const RECENT: u32 = 20;

impl Door {
    /// Does what a platform tells of one of its threads: opens its conversation, with a greeting, where it has
    /// none; stores what was written and has it answered. Told again, it is done once.
    ///
    /// # Errors
    /// [`DoorError::Unavailable`] where it could not be stored and should be told again; any other where it
    /// never will be.
    pub(crate) async fn take_in(&self, channel: &str, told: Told) -> Result<(), DoorError> {
        let conversation = match &told.what {
            What::Start | What::Message { .. } | What::Press { .. } | What::Person => {
                self.thread(channel, &told).await?
            }
            What::End => {
                let found = self.store.find_thread(channel, &told.thread).await?;
                let Some(conversation) = found else {
                    return Ok(());
                };
                conversation
            }
            // Nothing that is answered yet.
            What::Edit { .. }
            | What::Deletion { .. }
            | What::Typing
            | What::Takeover { .. }
            | What::Receipt { .. }
            | What::Blocked
            | What::Unblocked => return Ok(()),
        };
        let id = conversation.id;
        match told.what {
            What::Message { text, media, .. } => {
                let text = self.readable(&text, &media);
                self.accept(id, incoming(&told.id, text, None)).await?;
            }
            What::Press { reply, .. } => {
                let text = self.label(&conversation, &reply).await?;
                self.accept(id, incoming(&told.id, text, Some(reply)))
                    .await?;
            }
            What::Person => {
                self.call_person(id).await?;
            }
            What::End => {
                self.close(id).await?;
            }
            What::Start
            | What::Edit { .. }
            | What::Deletion { .. }
            | What::Typing
            | What::Takeover { .. }
            | What::Receipt { .. }
            | What::Blocked
            | What::Unblocked => {}
        }
        Ok(())
    }

    /// The thread's conversation, opened anew where it was ended: a platform's thread goes on.
    async fn thread(&self, channel: &str, told: &Told) -> Result<Conversation, DoorError> {
        // What a group reads is nobody's own.
        let identity = match told.private {
            true => self.store.find_identity(channel, &told.sender.id).await?,
            false => None,
        };
        let arrival = Arrival {
            channel,
            thread: Some(&told.thread),
            identity: identity.as_ref(),
            language: told.sender.language.as_deref(),
            pushed: true,
        };
        let conversation = match self.begin(&arrival).await? {
            Opened::New { conversation, .. } => return Ok(conversation),
            Opened::Known(conversation) => conversation,
        };
        match (&conversation.customer, &identity) {
            (Some(owner), Some(customer)) if owner == customer => {}
            // Whom the company no longer takes for this customer is not told of their records.
            (Some(_), _) => return Err(DoorError::Unknown),
            (None, Some(customer)) => self.bind(conversation.id, customer).await?,
            (None, None) => {}
        }
        if conversation.state == ConversationState::Closed {
            let reopened = StateChange {
                conversation: conversation.id,
                from: vec![ConversationState::Closed],
                to: ConversationState::Bot,
                notice: None,
                at: self.clock.now(),
            };
            self.store.change_state(reopened).await?;
        }
        Ok(conversation)
    }

    /// The text with the names of what was sent with it, as much as a message may have: no platform can ask
    /// its customer to be brief.
    fn readable(&self, text: &str, media: &[Media]) -> String {
        let mut lines: Vec<&str> = Some(text)
            .filter(|text| !text.is_empty())
            .into_iter()
            .collect();
        let named = |file: &Media| file.name.clone().or_else(|| file.content_type.clone());
        let files: Vec<String> = media
            .iter()
            .map(|file| format!("[{}]", named(file).unwrap_or_else(|| "file".into())))
            .collect();
        lines.extend(files.iter().map(String::as_str));
        let text = lines.join("\n");
        text.chars().take(self.max_message_chars).collect()
    }

    /// What the button of that id says, in one of the last messages; the id where there is none.
    async fn label(&self, conversation: &Conversation, reply: &str) -> Result<String, DoorError> {
        let recent = self.store.recent_messages(conversation.id, RECENT).await?;
        let offered = recent.into_iter().rev().flat_map(|message| {
            let replies = serde_json::from_value::<Vec<QuickReply>>(message.quick_replies);
            replies.unwrap_or_default()
        });
        let pressed = offered.into_iter().find(|offered| offered.id == reply);
        Ok(pressed.map_or_else(|| reply.to_owned(), |pressed| pressed.text))
    }
}

/// A message under the platform's id of it, or under one made of an id that is too long.
fn incoming(id: &str, text: String, pressed: Option<String>) -> Incoming {
    let id = if id.len() <= MOST_ID_BYTES {
        id.to_owned()
    } else {
        Uuid::new_v5(&Uuid::NAMESPACE_OID, id.as_bytes()).to_string()
    };
    Incoming { id, text, pressed }
}
