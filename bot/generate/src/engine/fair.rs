//! The queue, fair between conversations: start-time fair queueing (Goyal, Vin, Cheng 1996). Who asks
//! for much waits behind those who asked for little; who asked first, and has had nothing, goes
//! first. A request's turn is fixed when it comes, so nobody is overtaken for ever.

use std::collections::HashMap;

/// What waits, each with the work that it asks for.
#[derive(Debug)]
pub(super) struct FairQueue<T> {
    /// In order of coming.
    waiting: Vec<Waiting<T>>,
    /// The work up to which everybody has been served.
    served: f64,
    /// Up to where a conversation has asked.
    asked: HashMap<u64, f64>,
}

#[derive(Debug)]
struct Waiting<T> {
    start: f64,
    item: T,
}

impl<T> Default for FairQueue<T> {
    fn default() -> Self {
        Self {
            waiting: Vec::new(),
            served: 0.0,
            asked: HashMap::new(),
        }
    }
}

impl<T> FairQueue<T> {
    /// `item`, of `conversation` if it belongs to one, asks for `work`, in tokens.
    pub(super) fn push(&mut self, item: T, conversation: Option<u64>, work: usize) {
        let mut start = self.served;
        if let Some(conversation) = conversation {
            let asked = self.asked.entry(conversation).or_insert(start);
            start = start.max(*asked);
            *asked = start + work as f64;
        }
        self.waiting.push(Waiting { start, item });
    }

    /// Whose turn it is.
    pub(super) fn peek(&self) -> Option<&T> {
        self.next().map(|index| &self.waiting[index].item)
    }

    /// Takes whose turn it is.
    pub(super) fn pop(&mut self) -> Option<T> {
        let Waiting { start, item } = self.waiting.remove(self.next()?);
        self.served = self.served.max(start);
        self.asked.retain(|_, asked| *asked > self.served);
        Some(item)
    }

    /// Forgets what `keep` does not want.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        self.waiting.retain(|waiting| keep(&waiting.item));
    }

    /// Takes all that `leaves` says.
    pub(super) fn take(&mut self, mut leaves: impl FnMut(&T) -> bool) -> Vec<T> {
        let gone = self.waiting.extract_if(.., |waiting| leaves(&waiting.item));
        gone.map(|waiting| waiting.item).collect()
    }

    /// All, in order of coming.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.waiting.iter().map(|waiting| &waiting.item)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    fn next(&self) -> Option<usize> {
        let starts = self.waiting.iter().map(|waiting| waiting.start);
        let first = starts.enumerate().min_by(|(_, a), (_, b)| a.total_cmp(b))?;
        Some(first.0)
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
        (0..5).for_each(|item| queue.push(item, None, 100));
        assert_eq!(all(queue), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn who_asks_for_much_does_not_hold_up_the_others() {
        let mut queue = FairQueue::default();
        for item in ["a1", "a2", "a3", "a4"] {
            queue.push(item, Some(1), 100);
        }
        queue.push("b1", Some(2), 100);
        queue.push("b2", Some(2), 100);
        assert_eq!(all(queue), ["a1", "b1", "a2", "b2", "a3", "a4"]);
    }

    #[test]
    fn to_have_been_silent_is_no_credit() {
        let mut queue = FairQueue::default();
        for round in 0..10 {
            queue.push((1, round), Some(1), 100);
            assert_eq!(queue.pop(), Some((1, round)));
        }
        (0..2).for_each(|round| queue.push((1, round), Some(1), 100));
        (0..4).for_each(|round| queue.push((2, round), Some(2), 100));
        let order: Vec<_> = all(queue).into_iter().map(|(who, _)| who).collect();
        assert!(order[..4].contains(&1), "{order:?}");
    }

    proptest! {
        /// Whatever comes, everything is served, each conversation in its order, and nobody waits for
        /// more of another's work than was served to himself, but for one request.
        #[test]
        fn nobody_starves(requests in proptest::collection::vec((0u64..4, 1usize..50), 1..60)) {
            let mut queue = FairQueue::default();
            for (index, (who, work)) in requests.iter().enumerate() {
                queue.push((index, *who, *work), Some(*who), *work);
            }
            let order = all(queue);
            prop_assert_eq!(order.len(), requests.len());
            let most = 50.0;
            let mut served = [0.0_f64; 4];
            for (place, (index, who, work)) in order.iter().enumerate() {
                let left = |other: u64| order[place..].iter().any(|(_, who, _)| *who == other);
                let least = (0..4).filter(|other| left(*other)).map(|other| served[other as usize]);
                let least = least.fold(f64::INFINITY, f64::min);
                prop_assert!(served[*who as usize] <= least + most);
                served[*who as usize] += *work as f64;
                let earlier = order[..place].iter().filter(|(_, other, _)| other == who);
                prop_assert!(earlier.into_iter().all(|(earlier, _, _)| earlier < index));
            }
        }
    }
}
