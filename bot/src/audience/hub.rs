//! Who is listening on this node: the connections of every conversation.
//!
//! Each listener has a bounded queue of its own. One that does not read is cut off, so that a slow
//! reader costs itself and nobody else; it comes back and resumes by `seq`.

use std::collections::HashMap;
use std::sync::Arc;

use crm::ConversationId;
use parking_lot::Mutex;
use tokio::sync::mpsc;

use super::Event;

/// Events that may wait for a slow listener.
const QUEUE: usize = 256;

/// One listener's end of its queue. `None` from it means that it was cut off.
pub(crate) type Listener = mpsc::Receiver<Arc<Event>>;

/// The listeners, by conversation.
#[derive(Debug, Default)]
pub(crate) struct Hub {
    listeners: Mutex<HashMap<ConversationId, Vec<mpsc::Sender<Arc<Event>>>>>,
}

impl Hub {
    /// Listens to a conversation until the receiver is dropped.
    pub(crate) fn listen(&self, conversation: ConversationId) -> Listener {
        let (sender, receiver) = mpsc::channel(QUEUE);
        self.listeners
            .lock()
            .entry(conversation)
            .or_default()
            .push(sender);
        receiver
    }

    /// Tells all that listen. Those whose queue is full, or who have left, are dropped.
    pub(crate) fn tell(&self, conversation: ConversationId, event: Event) {
        let mut listeners = self.listeners.lock();
        let Some(senders) = listeners.get_mut(&conversation) else {
            return;
        };
        let event = Arc::new(event);
        senders.retain(|sender| sender.try_send(Arc::clone(&event)).is_ok());
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

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn conversation(number: u128) -> ConversationId {
        ConversationId(Uuid::from_u128(number))
    }

    #[test]
    fn everyone_in_a_conversation_hears_it_and_nobody_else() {
        let hub = Hub::default();
        let (here, there) = (conversation(1), conversation(2));
        let (mut a, mut b, mut other) = (hub.listen(here), hub.listen(here), hub.listen(there));
        hub.tell(here, Event::Stopped);
        assert!(a.try_recv().is_ok() && b.try_recv().is_ok());
        assert!(other.try_recv().is_err());
    }

    #[test]
    fn a_listener_that_does_not_read_is_cut_off() {
        let hub = Hub::default();
        let mut slow = hub.listen(conversation(1));
        for _ in 0..=QUEUE {
            hub.tell(conversation(1), Event::Stopped);
        }
        let mut got = 0;
        while slow.try_recv().is_ok() {
            got += 1;
        }
        assert_eq!(got, QUEUE);
        assert!(hub.listeners.lock().is_empty());
    }
}
