//! Who is listening: the connections of every conversation.
//!
//! Each connection has a bounded queue of its own. One that does not read is closed, so that a slow
//! reader costs itself and nobody else; it comes back and resumes by `seq`.

use std::collections::HashMap;
use std::sync::Arc;

use crm::{ConversationId, Message, TurnId};
use parking_lot::Mutex;
use tokio::sync::mpsc;

use crate::protocol::ServerFrame;

/// Frames that may wait for a slow connection.
const QUEUE: usize = 256;

/// A frame as text, shared by all connections that get it.
pub(crate) type Frame = Arc<str>;

/// The connections, by conversation.
#[derive(Debug, Default)]
pub(crate) struct Hub {
    listeners: Mutex<HashMap<ConversationId, Vec<mpsc::Sender<Frame>>>>,
}

impl Hub {
    /// Listens to a conversation until the receiver is dropped.
    pub(crate) fn listen(&self, conversation: ConversationId) -> mpsc::Receiver<Frame> {
        let (sender, receiver) = mpsc::channel(QUEUE);
        self.listeners
            .lock()
            .entry(conversation)
            .or_default()
            .push(sender);
        receiver
    }

    /// Sends a frame to all that listen. Those whose queue is full, or who have left, are dropped.
    pub(crate) fn send(&self, conversation: ConversationId, frame: &ServerFrame) {
        let mut listeners = self.listeners.lock();
        let Some(senders) = listeners.get_mut(&conversation) else {
            return;
        };
        let text: Frame = to_text(frame).into();
        senders.retain(|sender| sender.try_send(Arc::clone(&text)).is_ok());
        if senders.is_empty() {
            listeners.remove(&conversation);
        }
    }

    /// Forgets listeners that have left; called when a connection ends.
    pub(crate) fn sweep(&self, conversation: ConversationId) {
        let mut listeners = self.listeners.lock();
        if let Some(senders) = listeners.get_mut(&conversation) {
            senders.retain(|sender| !sender.is_closed());
            if senders.is_empty() {
                listeners.remove(&conversation);
            }
        }
    }
}

/// A frame as JSON text.
pub(crate) fn to_text(frame: &ServerFrame) -> String {
    // Our frames hold strings, numbers and lists of them: they always serialise.
    serde_json::to_string(frame).unwrap_or_default()
}

/// The frame of a stored message; `turn` when it ends one.
pub(crate) fn message_frame(message: &Message, turn: Option<TurnId>) -> ServerFrame {
    let list = |value: &serde_json::Value| value.clone();
    ServerFrame::Message {
        seq: message.seq,
        author: message.author,
        text: message.text.clone(),
        sources: serde_json::from_value(list(&message.sources)).unwrap_or_default(),
        actions: serde_json::from_value(list(&message.actions)).unwrap_or_default(),
        turn: turn.map(|turn| turn.to_string()),
        id: message.client_id.clone(),
        at: message.at.0,
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn typing() -> ServerFrame {
        ServerFrame::typing(true)
    }

    #[test]
    fn everyone_in_a_conversation_hears_it_and_nobody_else() {
        let hub = Hub::default();
        let (here, there) = (
            ConversationId(Uuid::now_v7()),
            ConversationId(Uuid::now_v7()),
        );
        let (mut a, mut b, mut other) = (hub.listen(here), hub.listen(here), hub.listen(there));
        hub.send(here, &typing());
        assert!(a.try_recv().is_ok() && b.try_recv().is_ok());
        assert!(other.try_recv().is_err());
    }

    #[test]
    fn a_reader_that_does_not_read_is_cut_off() {
        let hub = Hub::default();
        let conversation = ConversationId(Uuid::now_v7());
        let mut slow = hub.listen(conversation);
        for _ in 0..=QUEUE {
            hub.send(conversation, &typing());
        }
        let mut got = 0;
        while slow.try_recv().is_ok() {
            got += 1;
        }
        assert_eq!(got, QUEUE);
        assert!(hub.listeners.lock().is_empty());
    }
}
