//! Idle-time prefill. While the engine is idle it prefills what the next prompts of recent
//! conversations will begin with, so that a customer who reads a reply and then writes on waits
//! only for the new tokens.

use std::collections::VecDeque;

use llama_cpp_2::token::LlamaToken;

use super::backend::Entry;
use super::slots::SlotId;

/// What a conversation's next prompt will begin with.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Beginning {
    /// Whose.
    pub(super) conversation: u64,
    /// Its tokens, not empty.
    pub(super) tokens: Vec<LlamaToken>,
}

/// Beginnings to read, those first that have waited longest: their customers write first.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    waiting: VecDeque<Beginning>,
    /// Where the first of them is being read.
    slot: Option<SlotId>,
}

impl Ahead {
    /// `beginning` is to be read, instead of an older one of its conversation. Of more than `most`
    /// the oldest is left out.
    ///
    /// The slot, if any, in which reading stops.
    pub(super) fn push(&mut self, beginning: Beginning, most: usize) -> Option<SlotId> {
        let stopped = self.forget(beginning.conversation);
        self.waiting.push_back(beginning);
        if self.waiting.len() > most {
            return self.finish().or(stopped);
        }
        stopped
    }

    /// The customer of `conversation` has written: it is too late to read ahead for them. The slot, if
    /// any, in which reading stops.
    pub(super) fn forget(&mut self, conversation: u64) -> Option<SlotId> {
        let is_first = |first: &Beginning| first.conversation == conversation;
        let stopped = match self.waiting.front() {
            Some(first) if is_first(first) => self.slot.take(),
            _ => None,
        };
        self.waiting
            .retain(|beginning| beginning.conversation != conversation);
        stopped
    }

    /// What is read, and where if it has a slot.
    pub(super) fn current(&self) -> Option<(&Beginning, Option<SlotId>)> {
        Some((self.waiting.front()?, self.slot))
    }

    /// The next `most` tokens of what is read in `slot`, where `computed` of them are computed.
    pub(super) fn piece(&self, slot: SlotId, computed: usize, most: usize) -> Vec<Entry> {
        let tokens = self.waiting.front().map_or(&[][..], |first| &first.tokens);
        let unread = tokens.iter().enumerate().skip(computed).take(most);
        let entry = |(position, token): (usize, &LlamaToken)| Entry {
            token: *token,
            slot,
            position,
            output: false,
        };
        unread.map(entry).collect()
    }

    /// What is read goes on in `slot`.
    pub(super) fn read_in(&mut self, slot: SlotId) {
        self.slot = Some(slot);
    }

    /// Somebody waits: reading stops for now, and is gone on with from where it came to. The slot that
    /// is left.
    pub(super) fn interrupt(&mut self) -> Option<SlotId> {
        self.slot.take()
    }

    /// What is read is done with. The slot that is left.
    pub(super) fn finish(&mut self) -> Option<SlotId> {
        self.waiting.pop_front();
        self.slot.take()
    }

    /// Whether nothing is to be read.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn beginning(conversation: u64, length: i32) -> Beginning {
        Beginning {
            conversation,
            tokens: (0..length).map(LlamaToken::new).collect(),
        }
    }

    #[test]
    fn a_conversation_is_read_once_and_no_more_than_there_are_places() {
        let mut ahead = Ahead::default();
        assert_eq!(ahead.push(beginning(1, 3), 2), None);
        ahead.read_in(SlotId::FIRST);
        assert_eq!(ahead.push(beginning(2, 3), 2), None);
        assert_eq!(ahead.push(beginning(2, 4), 2), None, "1 is read on");
        assert_eq!(ahead.push(beginning(3, 3), 2), Some(SlotId::FIRST));
        assert_eq!(ahead.current(), Some((&beginning(2, 4), None)));
        assert_eq!(ahead.finish(), None);
        assert_eq!(ahead.current(), Some((&beginning(3, 3), None)));
    }

    #[test]
    fn reading_goes_on_after_an_interruption_but_not_for_who_has_written() {
        let mut ahead = Ahead::default();
        ahead.push(beginning(1, 3), 9);
        ahead.read_in(SlotId::FIRST);
        assert_eq!(ahead.interrupt(), Some(SlotId::FIRST));
        assert_eq!(ahead.current(), Some((&beginning(1, 3), None)));
        ahead.read_in(SlotId::FIRST);
        assert_eq!(ahead.forget(2), None);
        assert_eq!(ahead.forget(1), Some(SlotId::FIRST));
        assert!(ahead.is_empty());
    }
}
