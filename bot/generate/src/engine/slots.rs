//! Who holds which cells of the KV cache, and what a new request can take over from whom.
//!
//! A slot is one sequence of the unified cache: the tokens of its last request, each in a cell.
//! Slots with a common prefix share its cells. This is bookkeeping only; every change comes out as
//! an [`Edit`] that the backend must carry out in order.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use llama_cpp_2::token::LlamaToken;

/// A sequence of the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct SlotId(u16);

impl SlotId {
    /// The sequence's number in llama.cpp.
    pub(super) fn sequence(self) -> u16 {
        self.0
    }
}

/// A change of the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Edit {
    /// `slot` forgets all but its first `len` tokens.
    Truncate { slot: SlotId, len: usize },
    /// `to`, which is empty, shares the first `len` cells of `from`.
    Share {
        from: SlotId,
        to: SlotId,
        len: usize,
    },
}

/// Whether the model's cache can be cut and shared between sequences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reuse {
    /// Common prefixes are computed once.
    Prefixes,
    /// Recurrent state cannot be cut: every prompt is computed whole.
    Nothing,
}

/// A request has its place.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Admission {
    /// Where.
    pub(super) slot: SlotId,
    /// Leading tokens of the prompt that need not be computed.
    pub(super) reused: usize,
    /// What the backend must do first.
    pub(super) edits: Vec<Edit>,
}

type Cell = u64;

#[derive(Debug, Default)]
struct Slot {
    tokens: Vec<LlamaToken>,
    /// The cell of each token.
    cells: Vec<Cell>,
    /// Most tokens that the request in here can come to; `None` when it is idle.
    reserved: Option<usize>,
    /// Admission that used it last; 0 for none.
    used_at: u64,
}

impl Slot {
    /// Cells that its request may still take.
    fn growth(&self) -> usize {
        self.reserved
            .map_or(0, |reserved| reserved.saturating_sub(self.tokens.len()))
    }
}

/// The cache's books.
#[derive(Debug)]
pub(super) struct Slots {
    slots: Vec<Slot>,
    /// How many slots hold each cell.
    holders: HashMap<Cell, usize>,
    capacity: usize,
    reuse: Reuse,
    admissions: u64,
    next_cell: Cell,
}

/// Where a prompt would go, and whose cells it would take over.
struct Choice {
    slot: SlotId,
    donor: SlotId,
    reused: usize,
}

impl Slots {
    /// `count` empty slots over a cache of `capacity` cells.
    pub(super) fn new(count: u16, capacity: usize, reuse: Reuse) -> Self {
        Self {
            slots: (0..count).map(|_| Slot::default()).collect(),
            holders: HashMap::new(),
            capacity,
            reuse,
            admissions: 0,
            next_cell: 0,
        }
    }

    /// Tokens that `slot` holds.
    pub(super) fn len(&self, slot: SlotId) -> usize {
        self.slot(slot).tokens.len()
    }

    /// A place for `prompt` and `max_tokens` more, or `None` until a running request ends. Takes
    /// over the longest known prefix, leaving at least one token to compute when one is to be
    /// written, since its logits come from that computation. Idle slots make room, oldest first.
    pub(super) fn admit(&mut self, prompt: &[LlamaToken], max_tokens: usize) -> Option<Admission> {
        let reusable = prompt.len().saturating_sub(usize::from(max_tokens > 0));
        let choice = self.choose(prompt.get(..reusable).unwrap_or(prompt))?;
        let total = prompt.len().saturating_add(max_tokens);
        if !self.fits(&choice, total) {
            return None;
        }
        self.admissions += 1;
        let mut edits = self.take_over(&choice);
        let used_at = self.admissions;
        let slot = self.slot_mut(choice.slot);
        (slot.reserved, slot.used_at) = (Some(total), used_at);
        while self.holders.len() + self.growth() > self.capacity {
            let Some(edit) = self.evict() else { break };
            edits.push(edit);
        }
        Some(Admission {
            slot: choice.slot,
            reused: choice.reused,
            edits,
        })
    }

    /// `token` has been computed at the end of `slot`.
    pub(super) fn push(&mut self, slot: SlotId, token: LlamaToken) {
        let cell = self.next_cell;
        self.next_cell += 1;
        self.holders.insert(cell, 1);
        let slot = self.slot_mut(slot);
        slot.tokens.push(token);
        slot.cells.push(cell);
    }

    /// The request in `slot` has ended; its tokens stay for the next one.
    pub(super) fn release(&mut self, slot: SlotId) {
        self.slot_mut(slot).reserved = None;
    }

    /// Empties the idle slot unused for longest, if any holds something.
    pub(super) fn evict(&mut self) -> Option<Edit> {
        let idle = self.ids().filter(|id| {
            let slot = self.slot(*id);
            slot.reserved.is_none() && !slot.tokens.is_empty()
        });
        let oldest = idle.min_by_key(|id| self.slot(*id).used_at)?;
        Some(self.truncate(oldest, 0))
    }

    /// `slot` keeps its first `len` tokens.
    pub(super) fn truncate(&mut self, slot: SlotId, len: usize) -> Edit {
        let books = self.slot_mut(slot);
        books.tokens.truncate(len);
        let dropped = books.cells.split_off(len.min(books.cells.len()));
        for cell in dropped {
            if let Some(holders) = self.holders.get_mut(&cell) {
                *holders -= 1;
                if *holders == 0 {
                    self.holders.remove(&cell);
                }
            }
        }
        Edit::Truncate { slot, len }
    }

    /// The free slot that loses least. One whose tokens all begin the prompt loses nothing; next
    /// comes the longest common prefix (an earlier turn of this conversation), then the oldest.
    /// What another slot has in common with the prompt is shared from there if it is more.
    fn choose(&self, prompt: &[LlamaToken]) -> Option<Choice> {
        let common = |id: &SlotId| match self.reuse {
            Reuse::Prefixes => common_prefix(&self.slot(*id).tokens, prompt),
            Reuse::Nothing => 0,
        };
        let free = self.ids().filter(|id| self.slot(*id).reserved.is_none());
        let slot = free.max_by_key(|id| {
            let slot = self.slot(*id);
            let common = common(id);
            (common == slot.tokens.len(), common, Reverse(slot.used_at))
        })?;
        let donor = self.ids().max_by_key(|id| (common(id), *id == slot))?;
        Some(Choice {
            slot,
            donor,
            reused: common(&donor),
        })
    }

    /// Whether `total` tokens fit once every idle slot but the chosen prefix is forgotten.
    fn fits(&self, choice: &Choice, total: usize) -> bool {
        let busy = self.slots.iter().filter(|slot| slot.reserved.is_some());
        let mut kept: HashSet<Cell> = busy.flat_map(|slot| slot.cells.iter().copied()).collect();
        kept.extend(self.slot(choice.donor).cells.iter().take(choice.reused));
        let new = total.saturating_sub(choice.reused);
        kept.len().saturating_add(self.growth()).saturating_add(new) <= self.capacity
    }

    /// Brings the reused prefix into the chosen slot.
    fn take_over(&mut self, choice: &Choice) -> Vec<Edit> {
        if choice.donor == choice.slot {
            return vec![self.truncate(choice.slot, choice.reused)];
        }
        let mut edits = vec![self.truncate(choice.slot, 0)];
        if choice.reused > 0 {
            edits.push(self.share(choice));
        }
        edits
    }

    fn share(&mut self, choice: &Choice) -> Edit {
        let donor = self.slot(choice.donor);
        let tokens: Vec<_> = donor.tokens.iter().take(choice.reused).copied().collect();
        let cells: Vec<_> = donor.cells.iter().take(choice.reused).copied().collect();
        for cell in &cells {
            *self.holders.entry(*cell).or_default() += 1;
        }
        let slot = self.slot_mut(choice.slot);
        (slot.tokens, slot.cells) = (tokens, cells);
        Edit::Share {
            from: choice.donor,
            to: choice.slot,
            len: choice.reused,
        }
    }

    /// Cells that running requests may still take.
    fn growth(&self) -> usize {
        self.slots.iter().map(Slot::growth).sum()
    }

    fn ids(&self) -> impl Iterator<Item = SlotId> {
        (0..).map(SlotId).take(self.slots.len())
    }

    /// Ids are made by [`Slots::ids`] alone, so there always is such a slot.
    fn slot(&self, id: SlotId) -> &Slot {
        &self.slots[usize::from(id.0)]
    }

    fn slot_mut(&mut self, id: SlotId) -> &mut Slot {
        &mut self.slots[usize::from(id.0)]
    }
}

/// How many leading tokens `a` and `b` have in common.
fn common_prefix(a: &[LlamaToken], b: &[LlamaToken]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
#[path = "slots_tests.rs"]
mod tests;
