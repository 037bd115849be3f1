//! The door: what any channel may do to a conversation.
//!
//! [`Door`] knows channels, threads and identities, and no socket. A message that comes in is stored
//! before it is acknowledged, and from then on answered once: [`dispatch`] keeps one task for each
//! conversation with something unanswered.

mod dispatch;
mod error;
mod intake;

use std::sync::{Arc, LazyLock};

use crm::{
    AcceptMessage, Accepted, Author, Conversation, ConversationId, ConversationState, CrmError,
    CustomerId, Message, NewAttachment, NewConversation, NewMessage, Opened, StateChange,
    StateChanged, Store,
};

use regex::Regex;

pub(crate) use dispatch::{Answers, Dispatcher};
pub(crate) use error::DoorError;

use crate::audience::{Event, Hub, Listener, Said};
use crate::clock::Clock;
use crate::turn::HandOverReason;
use crate::voice::Voice;

/// Longest id that a client may give a message, in bytes.
const MOST_ID_BYTES: usize = 64;
/// Longest comment of a rating that is kept, in characters.
const MOST_COMMENT_CHARS: usize = 2000;
/// Messages read at a time when a client resumes.
const PAGE: u32 = 500;

/// A character that is seen: no space, control or mark of format, and none of those that are letters or symbols
/// and look blank (the Hangul fillers are among what is ignorable).
#[expect(clippy::expect_used, reason = "a test uses it")]
static VISIBLE: LazyLock<Regex> = LazyLock::new(|| {
    let visible = r"[^\s\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}\u{2800}]";
    Regex::new(visible).expect("a pattern")
});

/// What any channel may do to a conversation.
pub(crate) struct Door {
    /// The CRM store.
    pub store: Store,
    /// Who listens.
    pub hub: Arc<Hub>,
    /// What answers.
    pub dispatcher: Arc<Dispatcher>,
    /// Words said outside of a turn.
    pub voice: Voice,
    /// Time and ids.
    pub clock: Arc<dyn Clock>,
    /// Longest message, in characters.
    pub max_message_chars: usize,
}

/// Somebody comes in.
#[derive(Clone, Debug, Default)]
pub(crate) struct Arrival<'a> {
    /// The channel (`web`).
    pub channel: &'a str,
    /// The channel's own name of the thread; a thread that nobody else can name where absent.
    pub thread: Option<&'a str>,
    /// Who writes, where that was proved.
    pub identity: Option<&'a CustomerId>,
    /// BCP 47 tag of the language to greet in.
    pub language: Option<&'a str>,
    /// Whether the channel sends what is said, or the client fetches it.
    pub pushed: bool,
    /// What the platform wants to hear when it is answered.
    pub reply_context: Option<&'a str>,
}

/// A conversation that was opened, or taken up again.
#[derive(Debug)]
pub(crate) struct Entered {
    /// The conversation as it stands.
    pub conversation: Conversation,
    /// What the client has not seen of it yet, in order.
    pub messages: Vec<Message>,
    /// What is said from now on.
    pub listener: Listener,
}

/// A customer's message.
#[derive(Clone, Debug)]
pub(crate) struct Incoming {
    /// Its id in the client's or channel's own words; the same id is stored once.
    pub id: String,
    /// Text.
    pub text: String,
    /// Id of the quick reply whose press this is.
    pub pressed: Option<String>,
    /// What the platform wants to hear when it is answered.
    pub reply_context: Option<String>,
    /// Files that came with it.
    pub attachments: Vec<NewAttachment>,
}

impl Door {
    /// Opens the conversation of a thread, with a greeting that says that this is an AI and how to
    /// reach a person (EU AI Act, article 50), or takes up the one that it has already.
    ///
    /// # Errors
    /// [`DoorError::Unknown`] where the thread's conversation is another customer's.
    pub(crate) async fn open(&self, arrival: &Arrival<'_>) -> Result<Entered, DoorError> {
        match self.begin(arrival).await? {
            Opened::New {
                conversation,
                greeting,
            } => Ok(Entered {
                listener: self.hub.listen(conversation.id),
                messages: greeting.into_iter().map(|greeting| *greeting).collect(),
                conversation,
            }),
            Opened::Known(conversation) => self.resume(conversation.id, arrival.identity, 0).await,
        }
    }

    /// Opens the conversation of a thread with its greeting, or finds it.
    async fn begin(&self, arrival: &Arrival<'_>) -> Result<Opened, DoorError> {
        // Somebody proved to be who the CRM does not know yet is a visitor with no records.
        let known = match arrival.identity {
            Some(id) => self.store.find_customer(id).await?,
            None => None,
        };
        let theirs = || known.as_ref()?.language.as_deref();
        let language = arrival.language.or_else(theirs);
        let language = self
            .voice
            .language_for(language.unwrap_or(self.voice.fallback()));
        let name = known.as_ref().and_then(|customer| customer.name.as_deref());
        let greeting = self.voice.say(&language, "hello", name)?;
        let id = self.clock.conversation_id();
        let new = NewConversation {
            id,
            channel: arrival.channel.to_owned(),
            thread: arrival.thread.map_or_else(|| id.to_string(), str::to_owned),
            customer: known.as_ref().map(|customer| customer.id.clone()),
            language: Some(language),
            pushed: arrival.pushed,
            reply_context: arrival.reply_context.map(str::to_owned),
            at: self.clock.now(),
        };
        let greeting = NewMessage::text(Author::Bot, greeting);
        let opened = self.store.open_conversation(new, Some(greeting));
        Ok(opened.await?)
    }

    /// Takes up a conversation after the message `after`: what was missed, and what is said from now
    /// on. A visitor who has signed in meanwhile makes it their own.
    ///
    /// # Errors
    /// [`DoorError::Unknown`] where there is none, or it is another customer's.
    pub(crate) async fn resume(
        &self,
        id: ConversationId,
        identity: Option<&CustomerId>,
        after: i64,
    ) -> Result<Entered, DoorError> {
        let found = self.store.find_conversation(id).await?;
        let conversation = found.ok_or(DoorError::Unknown)?;
        match (&conversation.customer, identity) {
            (Some(owner), Some(customer)) if owner == customer => {}
            (Some(_), _) => return Err(DoorError::Unknown),
            (None, Some(customer)) => self.bind(id, customer).await?,
            (None, None) => {}
        }
        // Listen before reading, so that no message falls between; clients drop repeated `seq`s.
        let listener = self.hub.listen(id);
        Ok(Entered {
            conversation,
            messages: self.messages_after(id, after).await?,
            listener,
        })
    }

    /// Makes an anonymous conversation `customer`'s, where the CRM knows them.
    ///
    /// # Errors
    /// [`DoorError::Unknown`] where it is another customer's.
    pub(crate) async fn bind(
        &self,
        id: ConversationId,
        customer: &CustomerId,
    ) -> Result<(), DoorError> {
        if self.store.find_customer(customer).await?.is_some() {
            self.store
                .bind_customer(id, customer, self.clock.now())
                .await?;
        }
        Ok(())
    }

    /// Takes up what was left unanswered when the server last stopped; gives their number.
    ///
    /// # Errors
    /// [`CrmError`] when the store cannot be read.
    pub(crate) async fn take_up(&self) -> Result<usize, CrmError> {
        let unanswered = self.store.unanswered().await?;
        for conversation in &unanswered {
            self.dispatcher.wake(*conversation);
        }
        Ok(unanswered.len())
    }

    /// Stores a customer's message and has it answered; gives its `seq`. Sent again under the same
    /// id, it is stored and answered once.
    ///
    /// # Errors
    /// [`DoorError::BadId`], [`DoorError::Empty`], [`DoorError::TooLong`], [`DoorError::Closed`].
    pub(crate) async fn accept(
        &self,
        conversation: ConversationId,
        message: Incoming,
    ) -> Result<i64, DoorError> {
        let Incoming {
            id,
            text,
            pressed,
            reply_context,
            attachments,
        } = message;
        let (chars, most) = (text.chars().count(), self.max_message_chars);
        if id.is_empty() || id.len() > MOST_ID_BYTES {
            return Err(DoorError::BadId {
                most: MOST_ID_BYTES,
            });
        }
        if !VISIBLE.is_match(&text) {
            return Err(DoorError::Empty);
        }
        if chars > most {
            return Err(DoorError::TooLong { chars, most });
        }
        tracing::debug!(%conversation, "message: {}", crate::privacy::masked(&text));
        let at = self.clock.now();
        let accepted = self.store.accept_message(AcceptMessage {
            conversation,
            client_id: id.clone(),
            text: text.clone(),
            pressed,
            reply_context,
            attachments,
            at,
        });
        let seq = match accepted.await? {
            Accepted::Duplicate { seq } => return Ok(seq),
            Accepted::Stored { seq } => seq,
        };
        let said = Said {
            seq,
            author: Author::Customer,
            text,
            sources: Vec::new(),
            quick_replies: Vec::new(),
            turn: None,
            client_id: Some(id),
            at,
        };
        self.hub.tell(conversation, Event::Said(said));
        self.dispatcher.wake(conversation);
        Ok(seq)
    }

    /// Stores a rating of the conversation, from 1 to 5; the last one counts.
    ///
    /// # Errors
    /// [`DoorError::NotAScore`].
    pub(crate) async fn rate(
        &self,
        conversation: ConversationId,
        score: u8,
        comment: Option<&str>,
    ) -> Result<(), DoorError> {
        let comment: Option<String> =
            comment.map(|text| text.chars().take(MOST_COMMENT_CHARS).collect());
        self.store
            .rate(conversation, score, comment.as_deref(), self.clock.now())
            .await?;
        metrics::counter!("frontdesk_ratings_total", "score" => score.to_string()).increment(1);
        Ok(())
    }

    /// Passes the conversation to a person; gives the state that it is in then.
    ///
    /// # Errors
    /// [`DoorError`] when the store or a template fails.
    pub(crate) async fn call_person(
        &self,
        conversation: ConversationId,
    ) -> Result<ConversationState, DoorError> {
        let language = self.language_of(conversation).await?;
        let notice = self
            .voice
            .say_why(&language, "handover", HandOverReason::Requested)?;
        self.change_state(
            conversation,
            vec![ConversationState::Bot],
            ConversationState::Human,
            notice,
        )
        .await
    }

    /// Ends the conversation; gives the state that it is in then.
    ///
    /// # Errors
    /// [`DoorError`] when the store or a template fails.
    pub(crate) async fn close(
        &self,
        conversation: ConversationId,
    ) -> Result<ConversationState, DoorError> {
        let language = self.language_of(conversation).await?;
        let notice = self.voice.say(&language, "ended", None)?;
        self.change_state(
            conversation,
            vec![ConversationState::Bot, ConversationState::Human],
            ConversationState::Closed,
            notice,
        )
        .await
    }

    /// Compare and set: of two that change the state at once, one does, and says so once.
    async fn change_state(
        &self,
        conversation: ConversationId,
        from: Vec<ConversationState>,
        to: ConversationState,
        notice: String,
    ) -> Result<ConversationState, DoorError> {
        let change = StateChange {
            conversation,
            from,
            to,
            notice: Some(NewMessage::text(Author::System, notice)),
            at: self.clock.now(),
        };
        let notice = match self.store.change_state(change).await? {
            StateChanged::Unchanged { state } => return Ok(state),
            StateChanged::Changed { notice } => notice,
        };
        self.dispatcher.silence(conversation);
        if let Some(message) = notice {
            let said = Said::new(*message, None);
            self.hub.tell(conversation, Event::Said(said));
        }
        self.hub.tell(conversation, Event::Stopped);
        match to {
            ConversationState::Human => self.hub.tell(conversation, Event::HandedOver),
            ConversationState::Closed => self.hub.tell(conversation, Event::Closed),
            ConversationState::Bot => {}
        }
        Ok(to)
    }

    /// All messages after `seq`.
    async fn messages_after(
        &self,
        id: ConversationId,
        mut seq: i64,
    ) -> Result<Vec<Message>, DoorError> {
        let mut all = Vec::new();
        loop {
            let page = self.store.messages_after(id, seq, PAGE).await?;
            let Some(last) = page.last() else {
                return Ok(all);
            };
            seq = last.seq;
            all.extend(page);
        }
    }

    async fn language_of(&self, id: ConversationId) -> Result<String, DoorError> {
        let found = self.store.find_conversation(id).await?;
        let conversation = found.ok_or(DoorError::Unknown)?;
        Ok(conversation
            .language
            .unwrap_or_else(|| self.voice.fallback().to_owned()))
    }
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
