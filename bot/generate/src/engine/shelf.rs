//! The books of what given-up slots held: their states stay in host memory up to a budget, since to
//! copy one back is usually far cheaper than to compute it again.

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

/// The states that are kept, oldest first.
#[derive(Debug)]
pub(super) struct Shelf {
    kept: Vec<(KeptId, Vec<LlamaToken>)>,
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

    /// Keeps `tokens` under the id returned; what else goes for it comes with that. `None` when it
    /// would never fit or is kept already.
    pub(super) fn keep(&mut self, tokens: &[LlamaToken]) -> Option<(KeptId, Vec<KeptId>)> {
        if tokens.is_empty() || tokens.len() > self.shelving.tokens {
            return None;
        }
        let has_it = |kept: &Vec<LlamaToken>| common_prefix(kept, tokens) == tokens.len();
        if self.kept.iter().any(|(_, kept)| has_it(kept)) {
            return None;
        }
        // An earlier turn of the same conversation is part of this one.
        let outgrown = |kept: &Vec<LlamaToken>| common_prefix(kept, tokens) == kept.len();
        let outgrown = self.kept.extract_if(.., |(_, kept)| outgrown(kept));
        let mut gone: Vec<_> = outgrown.map(|(id, _)| id).collect();
        let mut held = self.held();
        while held + tokens.len() > self.shelving.tokens {
            let (oldest, kept) = self.kept.remove(0);
            held -= kept.len();
            gone.push(oldest);
        }
        let id = KeptId(self.next);
        self.next += 1;
        self.kept.push((id, tokens.to_vec()));
        Some((id, gone))
    }

    /// The kept state that shares most with `prompt`, where bringing it back costs less than computing
    /// what it has beyond `known` tokens: it, and how many tokens they share.
    pub(super) fn find(&self, prompt: &[LlamaToken], known: usize) -> Option<(KeptId, usize)> {
        let shared = |(id, kept): &(KeptId, Vec<_>)| (common_prefix(kept, prompt), kept.len(), *id);
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
        self.kept.iter().map(|(_, tokens)| tokens.len()).sum()
    }

    /// Takes `id` off the shelf: its tokens.
    pub(super) fn take(&mut self, id: KeptId) -> Option<Vec<LlamaToken>> {
        let index = self.kept.iter().position(|(kept, _)| *kept == id)?;
        Some(self.kept.remove(index).1)
    }

    /// How many tokens `id` has.
    pub(super) fn len(&self, id: KeptId) -> usize {
        let kept = self.kept.iter().find(|(kept, _)| *kept == id);
        kept.map_or(0, |(_, tokens)| tokens.len())
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
        let (first, _) = shelf.keep(&tokens("aaaa")).unwrap();
        let (second, gone) = shelf.keep(&tokens("bbbb")).unwrap();
        assert_eq!(gone, []);
        let (_, gone) = shelf.keep(&tokens("cccc")).unwrap();
        assert_eq!(gone, [first]);
        assert_eq!(shelf.find(&tokens("bbbbb"), 0), Some((second, 4)));
        assert!(shelf.keep(&tokens("far too long to keep")).is_none());
    }

    #[test]
    fn a_conversation_is_kept_once() {
        let mut shelf = shelf(100, 0.0);
        let (first, _) = shelf.keep(&tokens("rules A1")).unwrap();
        let (_, gone) = shelf.keep(&tokens("rules A1 A2")).unwrap();
        assert_eq!(gone, [first]);
        assert!(shelf.keep(&tokens("rules A1")).is_none());
    }

    #[test]
    fn what_is_cheaper_computed_stays_where_it_is() {
        let mut shelf = shelf(100, 0.25);
        let (id, _) = shelf.keep(&tokens("rules A1")).unwrap();
        assert_eq!(shelf.find(&tokens("rules A1 A2"), 5), Some((id, 8)));
        assert_eq!(shelf.find(&tokens("rules A1 A2"), 6), None);
        assert_eq!(shelf.take(id), Some(tokens("rules A1")));
        assert_eq!(shelf.find(&tokens("rules A1 A2"), 0), None);
    }
}
