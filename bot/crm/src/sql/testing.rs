//! A store for a test, in this module's database.

pub(crate) use super::super::place::Place;
pub(crate) use crate::store::Store;
pub(crate) use crate::testing::*;
use crate::types::*;

/// A store that goes when the test ends.
pub(crate) struct Scratch {
    pub(crate) store: Store,
    pub(crate) place: Place,
}

impl Scratch {
    pub(crate) async fn new() -> Self {
        let place = Place::new().await;
        let store = place.open().await;
        Self { store, place }
    }

    /// Opens the store a second time, as another process would.
    pub(crate) async fn reopen(&self) -> Store {
        self.place.open().await
    }

    /// Opens the conversation of that number, anonymous.
    pub(crate) async fn conversation(&self, number: u128) -> ConversationId {
        let opened = self
            .store
            .open_conversation(opening(number), None)
            .await
            .unwrap();
        assert!(matches!(opened, Opened::New { .. }), "{opened:?}");
        conversation_id(number)
    }

    /// Changes the state from the bot's.
    pub(crate) async fn leave_the_bot(&self, id: ConversationId, to: ConversationState) {
        let change = changing(id, ConversationState::Bot, to);
        let outcome = self.store.change_state(change).await.unwrap();
        assert_eq!(outcome, StateChanged::Changed { notice: None });
    }

    /// Accepts a message under a client id and gives its number.
    pub(crate) async fn say(&self, conversation: ConversationId, client_id: &str) -> i64 {
        match self
            .store
            .accept_message(saying(conversation, client_id))
            .await
            .unwrap()
        {
            Accepted::Stored { seq } => seq,
            Accepted::Duplicate { seq } => panic!("{client_id} was stored before as {seq}"),
        }
    }

    /// The conversation as it stands.
    pub(crate) async fn load(&self, id: ConversationId) -> Conversation {
        self.store.find_conversation(id).await.unwrap().unwrap()
    }
}
