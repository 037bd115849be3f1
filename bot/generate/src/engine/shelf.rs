//! Evicted slots: their state is kept in host memory up to a budget, since copying it back is
//! usually far cheaper than computing it again.

use llama_cpp_2::token::LlamaToken;

use super::slots::common_prefix;

/// A state in host memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct KeptId(u64);

/// What may be kept, and when it is worth bringing back.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Shelving {
    /// Tokens whose states may be kept.
    pub(super) tokens: usize,
    /// Tokens that must be lost before they are kept: fewer are soon computed.
    pub(super) least: usize,
    /// Bytes of a token's state.
    pub(super) bytes: usize,
    /// What it costs to bring a token back, as a share of what it costs to compute it.
    pub(super) cost: f64,
}

impl Shelving {
    /// Nothing is kept.
    pub(super) const NONE: Self = Self {
        tokens: 0,
        least: 0,
        bytes: 0,
        cost: 0.0,
    };
}

/// What the books say of a state.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Kept {
    id: KeptId,
    /// Its tokens.
    pub(super) tokens: Vec<LlamaToken>,
    /// Whose it is.
    pub(super) conversation: Option<u64>,
}

/// The states that are kept, oldest first.
#[derive(Debug)]
pub(super) struct Shelf {
    kept: Vec<Kept>,
    shelving: Shelving,
    next: u64,
}

impl Shelf {
    pub(super) fn new(shelving: Shelving) -> Self {
        Self {
            kept: Vec::new(),
            shelving,
            next: 0,
        }
    }

    /// Tokens that must be lost before they are kept.
    pub(super) fn least(&self) -> usize {
        self.shelving.least
    }

    /// Keeps `tokens` of `conversation` under the id returned; what else goes for it comes with that. `None`
    /// when it would never fit or is kept already.
    pub(super) fn keep(
        &mut self,
        tokens: Vec<LlamaToken>,
        conversation: Option<u64>,
    ) -> Option<(KeptId, Vec<KeptId>)> {
        if tokens.is_empty() || tokens.len() > self.shelving.tokens {
            return None;
        }
        let has_it = |kept: &Kept| common_prefix(&kept.tokens, &tokens) == tokens.len();
        if self.kept.iter().any(has_it) {
            return None;
        }
        // An earlier turn of the same conversation is part of this one.
        let outgrown = |kept: &mut Kept| common_prefix(&kept.tokens, &tokens) == kept.tokens.len();
        let outgrown = self.kept.extract_if(.., outgrown);
        let mut gone: Vec<_> = outgrown.map(|kept| kept.id).collect();
        let mut held = self.held();
        while held + tokens.len() > self.shelving.tokens {
            let oldest = self.kept.remove(0);
            held -= oldest.tokens.len();
            gone.push(oldest.id);
        }
        let id = KeptId(self.next);
        self.next += 1;
        self.kept.push(Kept {
            id,
            tokens,
            conversation,
        });
        Some((id, gone))
    }

    /// The kept state that shares most with `prompt`, where bringing it back costs less than computing
    /// what it has beyond `known` tokens: it, and how many tokens they share.
    pub(super) fn find(&self, prompt: &[LlamaToken], known: usize) -> Option<(KeptId, usize)> {
        let shared = |kept: &Kept| {
            let shared = common_prefix(&kept.tokens, prompt);
            (shared, kept.tokens.len(), kept.id)
        };
        let best = self.kept.iter().map(shared);
        let (shared, all, id) = best.max_by_key(|(shared, _, _)| *shared)?;
        let gained = shared.saturating_sub(known) as f64;
        (gained > all as f64 * self.shelving.cost).then_some((id, shared))
    }

    /// Bytes of all that is kept.
    pub(super) fn bytes(&self) -> usize {
        self.held() * self.shelving.bytes
    }

    /// Tokens of all that is kept.
    fn held(&self) -> usize {
        self.kept.iter().map(|kept| kept.tokens.len()).sum()
    }

    /// Takes `id` off the shelf.
    pub(super) fn take(&mut self, id: KeptId) -> Option<Kept> {
        let index = self.kept.iter().position(|kept| kept.id == id)?;
        Some(self.kept.remove(index))
    }

    /// Puts back what was taken, as the newest, if there still is room for it.
    pub(super) fn put_back(&mut self, kept: Kept) -> bool {
        let has_room = self.held() + kept.tokens.len() <= self.shelving.tokens;
        if has_room {
            self.kept.push(kept);
        }
        has_room
    }

    /// How many tokens `id` has.
    pub(super) fn len(&self, id: KeptId) -> usize {
        let kept = self.kept.iter().find(|kept| kept.id == id);
        kept.map_or(0, |kept| kept.tokens.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> Vec<LlamaToken> {
        text.bytes()
            .map(|byte| LlamaToken::new(byte.into()))
            .collect()
    }

    fn shelf(tokens: usize, cost: f64) -> Shelf {
        Shelf::new(Shelving {
            tokens,
            least: 1,
            bytes: 1,
            cost,
        })
    }

    #[test]
    fn the_oldest_goes_when_the_budget_is_spent() {
        let mut shelf = shelf(10, 0.0);
        let (first, _) = shelf.keep(tokens("aaaa"), None).unwrap();
        let (second, gone) = shelf.keep(tokens("bbbb"), None).unwrap();
        assert_eq!(gone, []);
        let (_, gone) = shelf.keep(tokens("cccc"), None).unwrap();
        assert_eq!(gone, [first]);
        assert_eq!(shelf.find(&tokens("bbbbb"), 0), Some((second, 4)));
        assert!(shelf.keep(tokens("far too long to keep"), None).is_none());
    }

    #[test]
    fn a_conversation_is_kept_once() {
        let mut shelf = shelf(100, 0.0);
        let (first, _) = shelf.keep(tokens("rules A1"), None).unwrap();
        let (_, gone) = shelf.keep(tokens("rules A1 A2"), None).unwrap();
        assert_eq!(gone, [first]);
        assert!(shelf.keep(tokens("rules A1"), None).is_none());
    }

    #[test]
    fn what_is_cheaper_computed_stays_where_it_is() {
        let mut shelf = shelf(100, 0.25);
        let (id, _) = shelf.keep(tokens("rules A1"), None).unwrap();
        assert_eq!(shelf.find(&tokens("rules A1 A2"), 5), Some((id, 8)));
        assert_eq!(shelf.find(&tokens("rules A1 A2"), 6), None);
        let kept = shelf.take(id).unwrap();
        assert_eq!(kept.tokens, tokens("rules A1"));
        assert_eq!(shelf.find(&tokens("rules A1 A2"), 0), None);
        assert!(shelf.put_back(kept));
        assert_eq!(shelf.find(&tokens("rules A1 A2"), 0), Some((id, 8)));
    }
}
