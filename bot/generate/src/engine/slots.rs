//! Which sequence holds which cells of the KV cache, and what a new request can reuse of another.
//!
//! A slot is one sequence of the unified cache: the tokens of its last request, each in a cell.
//! Slots with a common prefix share its cells, and an evicted slot goes to the [`Shelf`]. This is
//! bookkeeping only; every change is returned as an [`Edit`] that the backend must carry out in
//! order.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use llama_cpp_2::token::LlamaToken;

use super::shelf::{KeptId, Shelf, Shelving};

/// A sequence of the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct SlotId(u16);

impl SlotId {
    /// There always is one.
    pub(super) const FIRST: Self = Self(0);

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
    /// The state of `slot` is copied to host memory, as `kept`.
    Keep { slot: SlotId, kept: KeptId },
    /// `slot`, which is empty, gets the state `kept`, which stays in host memory.
    Restore { kept: KeptId, slot: SlotId },
    /// The state `kept` is dropped.
    Forget { kept: KeptId },
}

/// Whether the model's cache can be cut and shared between sequences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reuse {
    /// Common prefixes are computed once.
    Prefixes,
    /// What a model keeps of a recurrent state, or of a sliding window, cannot be cut: every prompt is
    /// computed whole.
    Nothing,
}

/// A request has its place.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Admission {
    /// Where.
    pub(super) slot: SlotId,
    /// Leading tokens of the prompt that need not be computed.
    pub(super) reused: usize,
    /// Of those, brought back from host memory.
    pub(super) restored: usize,
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
    /// Whose tokens it holds.
    conversation: Option<u64>,
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
    shelf: Shelf,
    admissions: u64,
    next_cell: Cell,
}

/// Where a prompt would go, and what it would take over.
struct Choice {
    slot: SlotId,
    from: Source,
    reused: usize,
}

/// Where the beginning of a prompt is known.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    Slot(SlotId),
    Shelf(KeptId),
}

impl Slots {
    /// `count` empty slots over a cache of `capacity` cells.
    pub(super) fn new(count: u16, capacity: usize, reuse: Reuse, shelving: Shelving) -> Self {
        let shelving = match reuse {
            Reuse::Prefixes => shelving,
            Reuse::Nothing => Shelving::NONE,
        };
        Self {
            slots: (0..count).map(|_| Slot::default()).collect(),
            holders: HashMap::new(),
            capacity,
            reuse,
            shelf: Shelf::new(shelving),
            admissions: 0,
            next_cell: 0,
        }
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.slots.len()
    }

    /// Bytes of host memory that hold what given-up slots held.
    pub(super) fn kept_bytes(&self) -> usize {
        self.shelf.bytes()
    }

    /// Tokens that `slot` holds.
    pub(super) fn len(&self, slot: SlotId) -> usize {
        self.slot(slot).tokens.len()
    }

    /// Whether what was computed can be taken back.
    pub(super) fn can_cut(&self) -> bool {
        self.reuse == Reuse::Prefixes
    }

    /// A place for `prompt` and `max_tokens` more, of `conversation` if it belongs to one, or `None` until
    /// a running request ends. Takes over the longest known prefix, leaving at least one token to compute
    /// when one is to be written, since its logits come from that computation. Idle slots make room, oldest
    /// first.
    pub(super) fn admit(
        &mut self,
        prompt: &[LlamaToken],
        max_tokens: usize,
        conversation: Option<u64>,
    ) -> Option<Admission> {
        let reusable = prompt.len().saturating_sub(usize::from(max_tokens > 0));
        let reusable = prompt.get(..reusable).unwrap_or(prompt);
        let total = prompt.len().saturating_add(max_tokens);
        let choice = self.choose(reusable, conversation)?;
        let restored = self.restorable(&choice, reusable, total);
        let choice = match restored {
            Some(restored) => restored,
            None if self.fits(&choice, total) => choice,
            None => return None,
        };
        self.admissions += 1;
        let mut edits = self.take_over(&choice, conversation);
        let used_at = self.admissions;
        let slot = self.slot_mut(choice.slot);
        (slot.reserved, slot.used_at) = (Some(total), used_at);
        slot.conversation = conversation;
        edits.extend(self.make_room(0));
        Some(Admission {
            slot: choice.slot,
            reused: choice.reused,
            restored: match choice.from {
                Source::Slot(_) => 0,
                Source::Shelf(_) => choice.reused,
            },
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
    pub(super) fn evict(&mut self) -> Option<Vec<Edit>> {
        let idle = self.ids().filter(|id| {
            let slot = self.slot(*id);
            slot.reserved.is_none() && !slot.tokens.is_empty()
        });
        let oldest = idle.min_by_key(|id| self.slot(*id).used_at)?;
        Some(self.give_up(oldest, 0))
    }

    /// The state `kept` could not be copied, or brought back, so it is not to be looked for.
    pub(super) fn was_not_kept(&mut self, kept: KeptId) {
        self.shelf.take(kept);
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

    /// The free slot that loses least. What `conversation`'s own has beyond the prompt, as last turn's
    /// facts, is of no more use; one whose tokens all begin the prompt loses nothing; next comes the longest
    /// common prefix, then the oldest. What another slot has in common with the prompt is shared from there
    /// if it is more.
    fn choose(&self, prompt: &[LlamaToken], conversation: Option<u64>) -> Option<Choice> {
        let common = |id: &SlotId| match self.reuse {
            Reuse::Prefixes => common_prefix(&self.slot(*id).tokens, prompt),
            Reuse::Nothing => 0,
        };
        let free = self.ids().filter(|id| self.slot(*id).reserved.is_none());
        let slot = free.max_by_key(|id| {
            let slot = self.slot(*id);
            let common = common(id);
            let goes_on = common > 0 && conversation.is_some() && slot.conversation == conversation;
            let is_whole = common == slot.tokens.len();
            (goes_on, is_whole, common, Reverse(slot.used_at))
        })?;
        let donor = self.ids().max_by_key(|id| (common(id), *id == slot))?;
        Some(Choice {
            slot,
            from: Source::Slot(donor),
            reused: common(&donor),
        })
    }

    /// What takes the place of `choice` when more of the prompt is on the shelf, there is room for all
    /// of that, and it is worth bringing back.
    fn restorable(&self, choice: &Choice, prompt: &[LlamaToken], total: usize) -> Option<Choice> {
        let (kept, reused) = self.shelf.find(prompt, choice.reused)?;
        let cells = total.max(self.shelf.len(kept));
        let fits = self.busy_cells().len() + self.growth() + cells <= self.capacity;
        fits.then_some(Choice {
            slot: choice.slot,
            from: Source::Shelf(kept),
            reused,
        })
    }

    /// Whether `total` tokens fit once every idle slot but the chosen prefix is forgotten.
    fn fits(&self, choice: &Choice, total: usize) -> bool {
        let mut kept = self.busy_cells();
        if let Source::Slot(donor) = choice.from {
            kept.extend(self.slot(donor).cells.iter().take(choice.reused));
        }
        let new = total.saturating_sub(choice.reused);
        kept.len().saturating_add(self.growth()).saturating_add(new) <= self.capacity
    }

    fn busy_cells(&self) -> HashSet<Cell> {
        let busy = self.slots.iter().filter(|slot| slot.reserved.is_some());
        busy.flat_map(|slot| slot.cells.iter().copied()).collect()
    }

    /// Brings the reused prefix into the chosen slot, for `conversation`.
    fn take_over(&mut self, choice: &Choice, conversation: Option<u64>) -> Vec<Edit> {
        let owner = self.slot(choice.slot).conversation;
        match choice.from {
            // A conversation goes on, and what it leaves behind, as last turn's facts, does not come back.
            Source::Slot(donor)
                if donor == choice.slot && owner.is_some() && owner == conversation =>
            {
                vec![self.truncate(choice.slot, choice.reused)]
            }
            Source::Slot(donor) if donor == choice.slot => self.give_up(choice.slot, choice.reused),
            Source::Slot(donor) => {
                let mut edits = self.give_up(choice.slot, 0);
                if choice.reused > 0 {
                    edits.push(self.share(donor, choice));
                }
                edits
            }
            Source::Shelf(id) => self.restore(id, choice, conversation),
        }
    }

    /// Brings the state `id` into the chosen slot. Of another conversation's, whose beginning alone is
    /// wanted, the rest stays on the shelf.
    fn restore(&mut self, id: KeptId, choice: &Choice, conversation: Option<u64>) -> Vec<Edit> {
        let slot = choice.slot;
        // Taken first: what is given up now must not push it off the shelf.
        let Some(kept) = self.shelf.take(id) else {
            return Vec::new();
        };
        let mut edits = self.give_up(slot, 0);
        edits.extend(self.make_room(kept.tokens.len()));
        edits.push(Edit::Restore { kept: id, slot });
        for token in &kept.tokens {
            self.push(slot, *token);
        }
        edits.push(self.truncate(slot, choice.reused));
        let goes_on = conversation.is_some() && kept.conversation == conversation;
        if goes_on || choice.reused == kept.tokens.len() || !self.shelf.put_back(kept) {
            edits.push(Edit::Forget { kept: id });
        }
        edits
    }

    /// Idle slots give up what they hold until `more` cells are free beside what is reserved.
    fn make_room(&mut self, more: usize) -> Vec<Edit> {
        let mut edits = Vec::new();
        while self.holders.len() + self.growth() + more > self.capacity {
            let Some(evicted) = self.evict() else { break };
            edits.extend(evicted);
        }
        edits
    }

    /// `slot` keeps its first `len` tokens; what it loses is kept on the shelf where it is much.
    fn give_up(&mut self, slot: SlotId, len: usize) -> Vec<Edit> {
        let tokens = &self.slot(slot).tokens;
        let others = self.ids().filter(|id| *id != slot);
        let elsewhere = others.map(|id| common_prefix(&self.slot(id).tokens, tokens));
        let known = elsewhere.max().unwrap_or(0).max(len);
        let mut edits = Vec::new();
        if tokens.len() >= known + self.shelf.least() {
            let (tokens, conversation) = (tokens.clone(), self.slot(slot).conversation);
            if let Some((kept, gone)) = self.shelf.keep(tokens, conversation) {
                edits.extend(gone.into_iter().map(|kept| Edit::Forget { kept }));
                edits.push(Edit::Keep { slot, kept });
            }
        }
        edits.push(self.truncate(slot, len));
        edits
    }

    fn share(&mut self, from: SlotId, choice: &Choice) -> Edit {
        let donor = self.slot(from);
        let tokens: Vec<_> = donor.tokens.iter().take(choice.reused).copied().collect();
        let cells: Vec<_> = donor.cells.iter().take(choice.reused).copied().collect();
        for cell in &cells {
            *self.holders.entry(*cell).or_default() += 1;
        }
        let slot = self.slot_mut(choice.slot);
        (slot.tokens, slot.cells) = (tokens, cells);
        Edit::Share {
            from,
            to: choice.slot,
            len: choice.reused,
        }
    }

    /// Cells that running requests may still take.
    fn growth(&self) -> usize {
        self.slots.iter().map(Slot::growth).sum()
    }

    /// All of them.
    pub(super) fn ids(&self) -> impl Iterator<Item = SlotId> {
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
pub(super) fn common_prefix(a: &[LlamaToken], b: &[LlamaToken]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
#[path = "slots_tests.rs"]
mod tests;
