//! Time and new ids, passed in so that a turn can be repeated: `clippy.toml` bans both elsewhere.

use std::fmt::Debug;

use crm::{ConversationId, Millis, TurnId};
use jiff::civil::Date;
use uuid::Uuid;

/// Tells the time and gives out ids.
pub(crate) trait Clock: Debug + Send + Sync {
    /// UTC milliseconds since the epoch.
    fn now(&self) -> Millis;

    /// The day in the server's time zone.
    fn today(&self) -> Date;

    /// An id that sorts after those given out before.
    fn id(&self) -> Uuid;

    /// Id of a new conversation.
    fn conversation_id(&self) -> ConversationId {
        ConversationId(self.id())
    }

    /// Id of a new turn.
    fn turn_id(&self) -> TurnId {
        TurnId(self.id())
    }
}

/// The machine's clock, and UUIDv7.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SystemClock;

#[expect(clippy::disallowed_methods, reason = "this is the one place")]
impl Clock for SystemClock {
    fn now(&self) -> Millis {
        Millis(jiff::Timestamp::now().as_millisecond())
    }

    fn today(&self) -> Date {
        jiff::Zoned::now().date()
    }

    fn id(&self) -> Uuid {
        Uuid::now_v7()
    }
}

/// A clock that stands still, or on another day than the machine's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OnDay {
    /// The day to take as today.
    pub day: Date,
}

impl Clock for OnDay {
    fn now(&self) -> Millis {
        SystemClock.now()
    }

    fn today(&self) -> Date {
        self.day
    }

    fn id(&self) -> Uuid {
        SystemClock.id()
    }
}

/// A clock that a test sets, with ids that count up.
#[cfg(test)]
#[derive(Debug, Default)]
pub(crate) struct TestClock(std::sync::atomic::AtomicU64);

#[cfg(test)]
impl TestClock {
    fn tick(&self) -> u64 {
        self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1
    }
}

#[cfg(test)]
impl Clock for TestClock {
    fn now(&self) -> Millis {
        Millis(1_700_000_000_000 + i64::try_from(self.tick()).unwrap())
    }

    fn today(&self) -> Date {
        jiff::civil::date(2026, 11, 20)
    }

    fn id(&self) -> Uuid {
        Uuid::from_u128(self.tick().into())
    }
}
