//! What requests share.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crm::Store;

use crate::auth::ConversationKeys;
use crate::channels::Channels;
use crate::config::Config;
use crate::door::{Dispatcher, Door};
use crate::library::Library;
use crate::turn::Services;

/// The running server, as its handlers see it. Clones share it.
#[derive(Clone)]
pub(crate) struct App {
    /// The settings that the server was started with.
    pub config: Arc<Config>,
    /// The CRM store.
    pub store: Store,
    /// What any channel may do to a conversation.
    pub door: Arc<Door>,
    /// What starts turns.
    pub dispatcher: Arc<Dispatcher>,
    /// What turns work with.
    pub services: Arc<Services>,
    /// The index.
    pub library: Arc<Library>,
    /// Accounts on messaging platforms.
    pub channels: Arc<Channels>,
    /// Names of conversations.
    pub keys: Arc<ConversationKeys>,
    /// Open WebSocket connections.
    pub connections: Connections,
    /// Cancelled when the server stops.
    pub shutdown: CancellationToken,
    /// Tasks to wait for when it stops.
    pub tracker: TaskTracker,
}

/// Counts open connections, up to a limit.
#[derive(Clone, Debug, Default)]
pub(crate) struct Connections(Arc<AtomicUsize>);

impl Connections {
    /// How many are open.
    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// A place, until the guard is dropped; `None` when there are `most` already.
    pub(crate) fn enter(&self, most: usize) -> Option<ConnectionGuard> {
        let taken = self.0.fetch_add(1, Ordering::Relaxed);
        let guard = ConnectionGuard(self.clone());
        (taken < most).then_some(guard)
    }
}

/// A place among the connections.
#[derive(Debug)]
pub(crate) struct ConnectionGuard(Connections);

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_given_back() {
        let connections = Connections::default();
        let first = connections.enter(1);
        assert!(first.is_some());
        assert!(connections.enter(1).is_none());
        drop(first);
        assert!(connections.enter(1).is_some());
        assert_eq!(connections.count(), 0);
    }
}
