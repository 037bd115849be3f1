//! Tests of the slot bookkeeping, and its invariants against a plain model of the cache.

use proptest::prelude::*;

use super::*;

fn tokens(text: &str) -> Vec<LlamaToken> {
    text.bytes()
        .map(|byte| LlamaToken::new(byte.into()))
        .collect()
}

/// Room for a few conversations, to which bringing one back costs little.
const SHELVING: Shelving = Shelving {
    tokens: 100,
    least: 2,
    bytes: 1,
    cost: 0.1,
};

/// Admits `text` and computes what is not reused of it.
fn run(slots: &mut Slots, text: &str, max_tokens: usize) -> Admission {
    run_in(slots, None, text, max_tokens)
}

/// As [`run`], for a conversation.
fn run_in(
    slots: &mut Slots,
    conversation: Option<u64>,
    text: &str,
    max_tokens: usize,
) -> Admission {
    let prompt = tokens(text);
    let admission = slots
        .admit(&prompt, max_tokens, conversation)
        .expect("there is room");
    for token in &prompt[admission.reused..] {
        slots.push(admission.slot, *token);
    }
    admission
}

/// As [`run`], and the request ends.
fn finish(slots: &mut Slots, text: &str) -> Admission {
    finish_in(slots, None, text)
}

/// As [`finish`], for a conversation.
fn finish_in(slots: &mut Slots, conversation: Option<u64>, text: &str) -> Admission {
    let admission = run_in(slots, conversation, text, 1);
    slots.release(admission.slot);
    admission
}

#[test]
fn a_conversation_continues_in_its_own_slot() {
    let mut slots = Slots::new(2, 100, Reuse::Prefixes, Shelving::NONE);
    let first = finish(&mut slots, "rules A1");
    finish(&mut slots, "rules B1");
    let next = finish(&mut slots, "rules A1 A2");
    assert_eq!((next.slot, next.reused), (first.slot, 8));
    assert_eq!(
        next.edits,
        [Edit::Truncate {
            slot: first.slot,
            len: 8
        }]
    );
}

#[test]
fn a_busy_slots_prefix_is_shared_not_computed_again() {
    let mut slots = Slots::new(2, 100, Reuse::Prefixes, Shelving::NONE);
    let busy = run(&mut slots, "rules A", 5);
    let other = run(&mut slots, "rules B", 5);
    assert_eq!(other.reused, 6);
    let share = Edit::Share {
        from: busy.slot,
        to: other.slot,
        len: 6,
    };
    assert_eq!(other.edits.last(), Some(&share));
    assert_eq!(slots.holders.len(), 8, "six shared, one each of their own");
}

#[test]
fn an_empty_slot_goes_before_one_that_would_forget_something() {
    let mut slots = Slots::new(2, 100, Reuse::Prefixes, Shelving::NONE);
    let first = finish(&mut slots, "rules A");
    let second = finish(&mut slots, "rules B");
    assert_ne!(first.slot, second.slot);
    assert_eq!(finish(&mut slots, "rules A").reused, 6);
}

#[test]
fn the_oldest_slot_goes_when_none_has_more_in_common() {
    let mut slots = Slots::new(2, 100, Reuse::Prefixes, Shelving::NONE);
    let oldest = finish(&mut slots, "rules A");
    finish(&mut slots, "rules B");
    assert_eq!(finish(&mut slots, "rules C").slot, oldest.slot);
}

#[test]
fn the_last_token_is_computed_again_for_its_logits() {
    let mut slots = Slots::new(1, 100, Reuse::Prefixes, Shelving::NONE);
    finish(&mut slots, "rules");
    assert_eq!(slots.admit(&tokens("rules"), 1, None).unwrap().reused, 4);
}

#[test]
fn a_prefix_that_is_only_kept_warm_is_reused_whole() {
    let mut slots = Slots::new(1, 100, Reuse::Prefixes, Shelving::NONE);
    finish(&mut slots, "rules");
    assert_eq!(slots.admit(&tokens("rules"), 0, None).unwrap().reused, 5);
}

#[test]
fn a_request_waits_while_running_ones_may_need_the_cells() {
    let mut slots = Slots::new(2, 10, Reuse::Prefixes, Shelving::NONE);
    let running = run(&mut slots, "aa", 4);
    assert_eq!(slots.admit(&tokens("bb"), 3, None), None);
    assert!(
        slots.admit(&tokens("bb"), 2, None).is_some(),
        "six and four cells are ten"
    );
    slots.release(running.slot);
}

#[test]
fn shared_cells_are_counted_once() {
    let mut slots = Slots::new(2, 12, Reuse::Prefixes, Shelving::NONE);
    run(&mut slots, "rules A", 2);
    assert!(
        slots.admit(&tokens("rules B"), 2, None).is_some(),
        "six shared, three each"
    );
}

#[test]
fn idle_slots_make_room_oldest_first_and_only_as_needed() {
    let mut slots = Slots::new(3, 12, Reuse::Prefixes, Shelving::NONE);
    let oldest = finish(&mut slots, "aaaa");
    let newer = finish(&mut slots, "bbbb");
    let admission = slots.admit(&tokens("cccc"), 2, None).unwrap();
    assert!(admission.edits.contains(&Edit::Truncate {
        slot: oldest.slot,
        len: 0
    }));
    assert_eq!(slots.len(newer.slot), 4, "the newer one is still of use");
}

#[test]
fn a_conversation_that_was_given_up_comes_back() {
    let mut slots = Slots::new(1, 100, Reuse::Prefixes, SHELVING);
    finish(&mut slots, "rules A1");
    finish(&mut slots, "other B1");
    let next = finish(&mut slots, "rules A1 A2");
    assert_eq!((next.reused, next.restored), (8, 8));
    let restores = |edit: &&Edit| matches!(edit, Edit::Restore { .. });
    assert_eq!(next.edits.iter().filter(restores).count(), 1);
}

#[test]
fn what_a_conversation_leaves_behind_is_not_kept() {
    for count in 1..3 {
        let mut slots = Slots::new(count, 100, Reuse::Prefixes, SHELVING);
        let first = finish_in(&mut slots, Some(7), "rules A1 its facts");
        let second = finish_in(&mut slots, Some(7), "rules A1 A2 its facts");
        assert_eq!((second.slot, second.reused), (first.slot, 9));
        assert_eq!(slots.kept_bytes(), 0, "of {count} slots");
        for other in ["another's B1", "somebody's C1"].iter().take(count.into()) {
            finish(&mut slots, other);
        }
        assert_eq!(slots.kept_bytes(), 21, "it may come back");
    }
}

#[test]
fn who_borrows_a_beginning_leaves_the_rest_where_it_was() {
    let mut slots = Slots::new(1, 100, Reuse::Prefixes, SHELVING);
    finish_in(&mut slots, Some(1), "rules of one, A1");
    finish_in(&mut slots, Some(2), "another's");
    let borrower = finish_in(&mut slots, Some(3), "rules of one, B1");
    assert_eq!((borrower.reused, borrower.restored), (14, 14));
    let owner = finish_in(&mut slots, Some(1), "rules of one, A1 A2");
    assert_eq!((owner.reused, owner.restored), (16, 16));
    let forgets = |edit: &&Edit| matches!(edit, Edit::Forget { .. });
    assert_eq!(owner.edits.iter().filter(forgets).count(), 1);
}

#[test]
fn without_reuse_every_prompt_is_computed_whole() {
    let mut slots = Slots::new(1, 100, Reuse::Nothing, Shelving::NONE);
    finish(&mut slots, "rules A");
    let next = finish(&mut slots, "rules A and more");
    assert_eq!(next.reused, 0);
    assert_eq!(
        next.edits,
        [Edit::Truncate {
            slot: next.slot,
            len: 0
        }]
    );
}

/// The cache itself as llama.cpp keeps it: a cell has a token and the sequences that hold it.
#[derive(Default)]
struct Cache {
    cells: Vec<(LlamaToken, usize, HashSet<SlotId>)>,
    kept: HashMap<KeptId, Vec<LlamaToken>>,
    capacity: usize,
}

impl Cache {
    fn edit(&mut self, edit: Edit) {
        for (_, position, sequences) in &mut self.cells {
            match edit {
                Edit::Truncate { slot, len } if *position >= len => {
                    sequences.remove(&slot);
                }
                Edit::Share { from, to, len } if *position < len && sequences.contains(&from) => {
                    sequences.insert(to);
                }
                Edit::Truncate { .. }
                | Edit::Share { .. }
                | Edit::Keep { .. }
                | Edit::Restore { .. }
                | Edit::Forget { .. } => {}
            }
        }
        self.cells.retain(|(_, _, sequences)| !sequences.is_empty());
        match edit {
            Edit::Keep { slot, kept } => {
                let state = self.read(slot);
                assert!(self.kept.insert(kept, state).is_none(), "kept twice");
            }
            Edit::Restore { kept, slot } => {
                assert_eq!(self.read(slot), []);
                let state = self.kept.get(&kept).expect("it was kept");
                for (position, token) in state.iter().enumerate() {
                    self.cells.push((*token, position, HashSet::from([slot])));
                }
                assert!(self.cells.len() <= self.capacity, "no room for a state");
            }
            Edit::Forget { kept } => {
                self.kept.remove(&kept).expect("it was kept");
            }
            Edit::Truncate { .. } | Edit::Share { .. } => {}
        }
    }

    fn read(&self, slot: SlotId) -> Vec<LlamaToken> {
        let held = self
            .cells
            .iter()
            .filter(|(_, _, sequences)| sequences.contains(&slot));
        let mut held: Vec<_> = held
            .map(|(token, position, _)| (*position, *token))
            .collect();
        held.sort_unstable();
        held.into_iter().map(|(_, token)| token).collect()
    }
}

proptest! {
    /// Requests come and end in any order: the books agree with the cache, no request is given
    /// cells that it cannot have, and what is reused is what would have been computed.
    #[test]
    fn the_books_agree_with_the_cache(
        requests in proptest::collection::vec(
            ("[ab]{1,10}", 0usize..4, 0usize..3, proptest::option::of(0u64..3)),
            1..30,
        ),
    ) {
        let capacity = 16;
        let shelving = Shelving { tokens: 24, least: 2, bytes: 1, cost: 0.1 };
        let mut slots = Slots::new(3, capacity, Reuse::Prefixes, shelving);
        let mut cache = Cache { capacity, ..Cache::default() };
        let mut running = std::collections::VecDeque::new();
        for (text, max_tokens, ending, conversation) in requests {
            let prompt = tokens(&text);
            if let Some(admission) = slots.admit(&prompt, max_tokens, conversation) {
                let Admission { slot, reused, edits, .. } = admission;
                edits.into_iter().for_each(|edit| cache.edit(edit));
                prop_assert_eq!(cache.read(slot), &prompt[..reused]);
                let written = std::iter::repeat_n(LlamaToken::new(0), max_tokens);
                for token in prompt[reused..].iter().copied().chain(written) {
                    cache.cells.push((token, slots.len(slot), HashSet::from([slot])));
                    slots.push(slot, token);
                }
                running.push_back(slot);
            } else {
                prop_assert!(!running.is_empty(), "an idle cache refused {}", text);
            }
            for id in slots.ids() {
                prop_assert_eq!(&cache.read(id), &slots.slot(id).tokens);
            }
            prop_assert_eq!(cache.cells.len(), slots.holders.len());
            let kept: usize = cache.kept.values().map(Vec::len).sum();
            prop_assert_eq!(kept, slots.kept_bytes());
            prop_assert!(cache.cells.len() <= capacity);
            for _ in 0..ending {
                running.pop_front().into_iter().for_each(|slot| slots.release(slot));
            }
        }
    }
}
