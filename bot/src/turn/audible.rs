//! How a turn is heard while it runs: nothing of it is stored yet.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crm::{ConversationId, TurnId};

use crate::audience::{Event, Hub, Source};

/// Whether a part of the reply has left, after which a turn is no longer begun anew.
#[derive(Debug, Default)]
pub(crate) struct Delivered(AtomicBool);

impl Delivered {
    /// Whether something has left.
    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    pub(crate) fn set(&self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Tells the listeners of one conversation what its turn does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Audible<'a> {
    pub(crate) hub: &'a Hub,
    pub(crate) conversation: ConversationId,
    pub(crate) turn: TurnId,
    pub(crate) delivered: &'a Delivered,
}

impl Audible<'_> {
    /// The bot has begun to write; `wait` where it takes long until there is something to read.
    pub(crate) fn began(&self, wait: Option<Duration>) {
        self.hub.tell(self.conversation, Event::Began { wait });
    }

    /// Shows a passage until the reply comes.
    pub(crate) fn preview(&self, text: String, source: Source) {
        let event = Event::Preview {
            turn: self.turn,
            text,
            sources: vec![source],
        };
        self.hub.tell(self.conversation, event);
    }

    /// Says a piece of the reply.
    pub(crate) fn piece(&self, text: String) {
        self.delivered.set();
        let turn = self.turn;
        self.hub
            .tell(self.conversation, Event::Piece { turn, text });
    }
}
