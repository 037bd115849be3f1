//! Which conversation a transcript is of: programs of OpenAI's protocol send all that was said, and not where.

use std::collections::{HashMap, VecDeque};

use parking_lot::Mutex;
use sha2::{Digest, Sha256};

/// Transcripts that are remembered.
const MOST: usize = 10_000;

/// The digest of a transcript.
pub(super) type Key = [u8; 32];

/// The threads of the latest transcripts.
#[derive(Default)]
pub(super) struct Transcripts(Mutex<Known>);

#[derive(Default)]
struct Known {
    threads: HashMap<Key, String>,
    /// The oldest first.
    order: VecDeque<Key>,
}

impl Transcripts {
    /// Remembers the thread of a transcript.
    pub(super) fn remember(&self, key: Key, thread: String) {
        let mut known = self.0.lock();
        if known.threads.insert(key, thread).is_none() {
            known.order.push_back(key);
        }
        while known.order.len() > MOST {
            if let Some(oldest) = known.order.pop_front() {
                known.threads.remove(&oldest);
            }
        }
    }

    /// The thread that goes on from a transcript. It goes on once: of two users who have said and heard the same so
    /// far, the second begins a conversation of their own.
    pub(super) fn take(&self, key: &Key) -> Option<String> {
        self.0.lock().threads.remove(key)
    }
}

/// The digest of what `program` says was said, by role and text.
pub(super) fn key<'a>(program: &str, said: impl Iterator<Item = (&'a str, &'a str)>) -> Key {
    let mut digest = Sha256::new();
    let mut part = |text: &str| {
        digest.update((text.len() as u64).to_be_bytes());
        digest.update(text.as_bytes());
    };
    part(program);
    for (role, text) in said {
        part(role);
        part(text.trim());
    }
    digest.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transcript_goes_on_once_and_the_oldest_is_forgotten() {
        let transcripts = Transcripts::default();
        let told = key("crm", [("user", "hi"), ("assistant", "Hello!")].into_iter());
        assert_ne!(
            told,
            key("crm", [("user", "hi"), ("assistant", "Hello")].into_iter())
        );
        assert_ne!(
            told,
            key(
                "shop",
                [("user", "hi"), ("assistant", "Hello!")].into_iter()
            )
        );
        transcripts.remember(told, "a".into());
        assert_eq!(transcripts.take(&told).as_deref(), Some("a"));
        assert_eq!(transcripts.take(&told), None);
        for number in 0..=MOST {
            let told = key(
                "crm",
                std::iter::once(("user", number.to_string().as_str())),
            );
            transcripts.remember(told, number.to_string());
        }
        let first = key("crm", std::iter::once(("user", "0")));
        assert_eq!(transcripts.take(&first), None);
    }
}
