//! The request queue, fair between conversations (round robin): each conversation that has
//! something waiting gets one request served in turn. A conversation that asks for much waits
//! behind those that ask for little, and nobody is overtaken by more than one request of each other
//! conversation.

use std::collections::VecDeque;

/// What waits.
#[derive(Debug)]
pub(super) struct FairQueue<T> {
    /// Conversations in the order of their turns; each has something waiting, and stands here once.
    line: VecDeque<Waiting<T>>,
}

/// What one conversation waits for, in order of coming.
#[derive(Debug)]
struct Waiting<T> {
    /// `None` is one of its own.
    conversation: Option<u64>,
    items: VecDeque<T>,
}

impl<T> Default for FairQueue<T> {
    fn default() -> Self {
        Self {
            line: VecDeque::new(),
        }
    }
}

impl<T> FairQueue<T> {
    /// `item` waits, for `conversation` if it belongs to one.
    pub(super) fn push(&mut self, item: T, conversation: Option<u64>) {
        let mut known = self.line.iter_mut();
        let known = known
            .find(|waiting| waiting.conversation.is_some() && waiting.conversation == conversation);
        match known {
            Some(waiting) => waiting.items.push_back(item),
            None => self.line.push_back(Waiting {
                conversation,
                items: [item].into(),
            }),
        }
    }

    /// Whose turn it is.
    pub(super) fn peek(&self) -> Option<&T> {
        self.line.front()?.items.front()
    }

    /// Takes whose turn it is.
    pub(super) fn pop(&mut self) -> Option<T> {
        let mut first = self.line.pop_front()?;
        let item = first.items.pop_front();
        if !first.items.is_empty() {
            self.line.push_back(first);
        }
        item
    }

    /// Takes all that `leaves` says.
    pub(super) fn take(&mut self, mut leaves: impl FnMut(&T) -> bool) -> Vec<T> {
        let mut gone = Vec::new();
        for waiting in &mut self.line {
            let (left, stay) = std::mem::take(&mut waiting.items)
                .into_iter()
                .partition::<VecDeque<T>, _>(|item| leaves(item));
            gone.extend(left);
            waiting.items = stay;
        }
        self.line.retain(|waiting| !waiting.items.is_empty());
        gone
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.line.iter().flat_map(|waiting| &waiting.items)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.line.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all<T>(mut queue: FairQueue<T>) -> Vec<T> {
        std::iter::from_fn(|| queue.pop()).collect()
    }

    #[test]
    fn strangers_are_served_as_they_come() {
        let mut queue = FairQueue::default();
        (0..5).for_each(|item| queue.push(item, None));
        assert_eq!(all(queue), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn who_asks_for_much_does_not_hold_up_the_others() {
        let mut queue = FairQueue::default();
        for item in ["a1", "a2", "a3", "a4"] {
            queue.push(item, Some(1));
        }
        queue.push("b1", Some(2));
        queue.push("b2", Some(2));
        assert_eq!(all(queue), ["a1", "b1", "a2", "b2", "a3", "a4"]);
    }

    #[test]
    fn who_comes_back_waits_no_longer_than_who_comes_first() {
        let mut queue = FairQueue::default();
        queue.push((1, 0), Some(1));
        assert_eq!(queue.pop(), Some((1, 0)));
        queue.push((1, 1), Some(1));
        for newcomer in 2..100 {
            queue.push((newcomer, 0), Some(newcomer));
        }
        assert_eq!(queue.pop(), Some((1, 1)));
    }

    #[test]
    fn what_leaves_costs_its_conversation_nothing() {
        let mut queue = FairQueue::default();
        queue.push("a1", Some(1));
        queue.push("b1", Some(2));
        queue.push("a2", Some(1));
        assert_eq!(queue.take(|item| *item == "a1"), ["a1"]);
        assert_eq!(queue.iter().count(), 2);
        assert_eq!(all(queue), ["a2", "b1"]);
    }

    #[derive(Clone, Debug)]
    enum Event {
        Come(u64),
        Serve,
        Leave(usize),
    }

    fn events() -> impl Strategy<Value = Vec<Event>> {
        let event = prop_oneof![
            3 => (0u64..5).prop_map(Event::Come),
            2 => Just(Event::Serve),
            1 => (0usize..60).prop_map(Event::Leave),
        ];
        proptest::collection::vec(event, 1..80)
    }

    proptest! {
        /// Whatever comes and leaves in between, each conversation is served in its order, and while one
        /// waits no other is served twice.
        #[test]
        fn nobody_starves(events in events()) {
            let mut queue = FairQueue::default();
            let mut waiting: Vec<(u64, usize)> = Vec::new();
            let mut overtaken = [[0; 5]; 5];
            for (number, event) in events.into_iter().enumerate() {
                match event {
                    Event::Come(who) => {
                        if waiting.iter().all(|(other, _)| *other != who) {
                            overtaken[who as usize] = [0; 5];
                        }
                        queue.push((who, number), Some(who));
                        waiting.push((who, number));
                    }
                    Event::Leave(gone) => {
                        queue.take(|(_, number)| *number == gone);
                        waiting.retain(|(_, number)| *number != gone);
                    }
                    Event::Serve => {
                        let served = queue.pop();
                        prop_assert_eq!(served.is_none(), waiting.is_empty());
                        let Some((who, number)) = served else { continue };
                        let first = waiting.iter().find(|(other, _)| *other == who);
                        prop_assert_eq!(first, Some(&(who, number)));
                        waiting.retain(|(_, other)| *other != number);
                        overtaken[who as usize] = [0; 5];
                        for (other, by) in overtaken.iter_mut().enumerate() {
                            if waiting.iter().any(|(waits, _)| *waits == other as u64) {
                                by[who as usize] += 1;
                                prop_assert!(other as u64 == who || by[who as usize] <= 1);
                            }
                        }
                    }
                }
            }
        }
    }
}
