//! llama.cpp's log. Why a file cannot be loaded is said there and nowhere else.
//!
//! Its lines become tracing events under a target of their own, many of them at level info. While a
//! [`capture`] is running they are collected on this thread and logged at level debug, and the
//! errors among them are returned.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span;
use tracing::{Dispatch, Event, Level, Metadata, Subscriber};

/// Target of the events that llama-cpp-2 makes of llama.cpp's lines.
const TARGET: &str = "llama-cpp-2";

/// Runs `work`; what llama.cpp complained of meanwhile comes with its result.
pub(super) fn capture<T>(work: impl FnOnce() -> T) -> (T, Vec<String>) {
    let lines = Lines::default();
    let dispatch = Dispatch::new(Collector {
        lines: Arc::clone(&lines),
    });
    let result = tracing::dispatcher::with_default(&dispatch, work);
    let lines = std::mem::take(&mut *lines.lock());
    for (level, line) in &lines {
        tracing::debug!(target: "generate::llama", level = %level, "{line}");
    }
    let complaints = lines
        .into_iter()
        .filter(|(level, _)| *level == Level::ERROR);
    (result, complaints.map(|(_, line)| line).collect())
}

type Lines = Arc<Mutex<Vec<(Level, String)>>>;

/// Keeps the lines of llama.cpp and ignores everything else.
struct Collector {
    lines: Lines,
}

impl Subscriber for Collector {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == TARGET && metadata.is_event()
    }

    /// llama.cpp's lines come past this hint. It keeps everybody else's callsites switched off.
    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::OFF)
    }

    fn event(&self, event: &Event<'_>) {
        let mut message = Message::default();
        event.record(&mut message);
        self.lines
            .lock()
            .push((*event.metadata().level(), message.0));
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

#[derive(Default)]
struct Message(String);

impl Visit for Message {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.0 = value.trim().to_owned();
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}
