//! What happens on messaging platforms, done to their conversations.

use connectors::channel::{Incoming as Told, Media, Receipt, What};
use crm::{
    Author, Conversation, ConversationId, ConversationState, NewAttachment, NewMessage, Opened,
    Reach, StateChange,
};
use uuid::Uuid;

use super::{Arrival, Door, DoorError, Incoming, MOST_ID_BYTES};
use crate::audience::{Event, QuickReply};

/// Messages in which the button is looked for that was pressed.
const RECENT: u32 = 20;
/// Files of one message that are kept.
const MOST_FILES: usize = 10;

impl Door {
    /// Does what a platform tells of one of its threads: opens its conversation, with a greeting, where it has
    /// none; stores what was written and has it answered. Told again, it is done once. Gives the conversation,
    /// where there is one.
    ///
    /// # Errors
    /// [`DoorError::Unavailable`] where it could not be stored and should be told again; any other where it
    /// never will be.
    pub(crate) async fn take_in(
        &self,
        channel: &str,
        told: Told,
    ) -> Result<Option<ConversationId>, DoorError> {
        let conversation = match &told.what {
            What::Start | What::Message { .. } | What::Press { .. } | What::Person => {
                self.thread(channel, &told).await?
            }
            What::End
            | What::Edit { .. }
            | What::Deletion { .. }
            | What::Takeover { .. }
            | What::Receipt { .. }
            | What::Blocked
            | What::Unblocked => {
                let found = self.store.find_thread(channel, &told.thread).await?;
                let Some(conversation) = found else {
                    return Ok(None);
                };
                conversation
            }
            What::Typing => return Ok(None),
        };
        let id = conversation.id;
        match told.what {
            What::Message {
                message,
                text,
                media,
            } => {
                let message = Incoming {
                    id: client_id(&message),
                    text: self.readable(&text, &media),
                    pressed: None,
                    reply_context: told.context,
                    attachments: media.into_iter().take(MOST_FILES).map(attachment).collect(),
                };
                self.accept(id, message).await?;
            }
            What::Press { reply, .. } => {
                let message = Incoming {
                    id: client_id(&told.id),
                    text: self.label(&conversation, &reply).await?,
                    pressed: Some(reply),
                    reply_context: told.context,
                    attachments: Vec::new(),
                };
                self.accept(id, message).await?;
            }
            What::Edit { message, text } => {
                let text = self.readable(&text, &[]);
                let message = client_id(&message);
                let edited = self.store.edit_message(id, &message, &text).await?;
                if edited.is_some() {
                    // What is not answered yet is answered as it stands now.
                    self.dispatcher.wake(id);
                }
            }
            What::Deletion { message } => {
                self.store
                    .withdraw_message(id, &client_id(&message))
                    .await?;
            }
            What::Takeover { text, .. } => {
                if !self.is_ours(id, &text).await? {
                    self.taken_over(id, text).await?;
                }
            }
            What::Receipt {
                message,
                receipt: Receipt::Failed(reason),
            } => {
                let failed = self
                    .store
                    .fail_delivery(channel, &told.thread, &message, &reason);
                if failed.await? {
                    tracing::error!(channel, "a message has not arrived: {reason}");
                }
            }
            What::Start => {
                let reach = Reach {
                    conversation: id,
                    reply_context: told.context,
                    blocked: false,
                    heard_at: Some(self.clock.now()),
                };
                self.store.set_reach(reach).await?;
            }
            What::Person => {
                self.call_person(id).await?;
            }
            What::End => {
                self.close(id).await?;
            }
            What::Blocked | What::Unblocked => {
                let reach = Reach {
                    conversation: id,
                    reply_context: told.context,
                    blocked: told.what == What::Blocked,
                    heard_at: None,
                };
                self.store.set_reach(reach).await?;
            }
            What::Receipt {
                receipt: Receipt::Delivered | Receipt::Read,
                ..
            }
            | What::Typing => {}
        }
        Ok(Some(id))
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
            reply_context: told.context.as_deref(),
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

    /// Whether we said so lately: not every platform marks the echoes of what it was sent by us, and one may come
    /// before its answer to the sending has.
    async fn is_ours(&self, id: ConversationId, text: &str) -> Result<bool, DoorError> {
        let recent = self.store.recent_messages(id, RECENT).await?;
        let letters = |text: &str| {
            let letters = text.chars().filter(|c| c.is_alphanumeric());
            letters.collect::<String>()
        };
        let echo = letters(text);
        let ours = recent
            .iter()
            .filter(|message| message.author != Author::Customer);
        Ok(ours
            .map(|message| letters(&message.text))
            .any(|said| !echo.is_empty() && (said.contains(&echo) || echo.contains(&said))))
    }

    /// A person of the company has written with the platform's own tools: the customer has read it, and the bot
    /// is silent.
    async fn taken_over(&self, id: ConversationId, text: String) -> Result<(), DoorError> {
        let at = self.clock.now();
        let change = StateChange {
            conversation: id,
            from: vec![ConversationState::Bot, ConversationState::Closed],
            to: ConversationState::Human,
            notice: None,
            at,
        };
        self.store.change_state(change).await?;
        self.dispatcher.silence(id);
        self.hub.tell(id, Event::Stopped);
        if !text.trim().is_empty() {
            let message = NewMessage::text(Author::Agent, text);
            self.store.note_message(id, message, at).await?;
        }
        Ok(())
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

    /// What the button of that id says; the id where there is none.
    async fn label(&self, conversation: &Conversation, reply: &str) -> Result<String, DoorError> {
        let label = self.pressed(conversation.id, reply).await?;
        Ok(label.unwrap_or_else(|| reply.to_owned()))
    }

    /// What the button of that id says, in one of the last messages; `None` where there is none.
    pub(crate) async fn pressed(
        &self,
        conversation: ConversationId,
        reply: &str,
    ) -> Result<Option<String>, DoorError> {
        let recent = self.store.recent_messages(conversation, RECENT).await?;
        let offered = recent.into_iter().rev().flat_map(|message| {
            let replies = serde_json::from_value::<Vec<QuickReply>>(message.quick_replies);
            replies.unwrap_or_default()
        });
        let pressed = offered.into_iter().find(|offered| offered.id == reply);
        Ok(pressed.map(|pressed| pressed.text))
    }
}

/// The platform's id, or one made of it where it is too long.
fn client_id(id: &str) -> String {
    if id.len() <= MOST_ID_BYTES {
        id.to_owned()
    } else {
        Uuid::new_v5(&Uuid::NAMESPACE_OID, id.as_bytes()).to_string()
    }
}

fn attachment(media: Media) -> NewAttachment {
    NewAttachment {
        place: media.place,
        name: media.name,
        content_type: media.content_type,
        size: media.size.and_then(|size| i64::try_from(size).ok()),
    }
}
