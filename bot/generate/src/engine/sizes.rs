//! How many replies an engine writes at once, how many tokens they share and how many a step may
//! hold: as configured, else what suits the device.

use std::ops::RangeInclusive;

use llama_cpp_2::model::LlamaModel;

use super::devices::Card;
use super::llama::about;
use super::{CacheType, EngineConfig};

/// Replies at once on a processor: its steps cost by their tokens, so that more replies at once are
/// written hardly faster than one after the other.
const SLOTS: u16 = 8;
/// Tokens of a context at least, unless fewer are asked for.
pub const LEAST_CONTEXT_TOKENS: u32 = 8192;
/// Replies at once on a graphics card, whose steps cost nearly the same for one reply and for many.
const SLOTS_ON_CARD: u16 = 32;
/// Tokens for each of them: rules, facts, and a conversation of several turns.
const TOKENS_EACH: u32 = 1024;
/// Tokens of a step on a processor: a larger one is no faster, takes more memory, and who gives a reply up
/// waits for it.
const USUAL_STEP_TOKENS: usize = 128;
/// On a graphics card.
const STEP_TOKENS_ON_CARD: usize = 1024;
/// Tokens that a step may have: it holds one of each reply beside a piece of a prompt, and takes memory for
/// the logits of all.
pub const STEP_TOKENS: RangeInclusive<usize> = 64..=8192;
/// Keys and values may take half of what the model leaves of cards' memory: computing needs some, too.
const SHARE_OF_CARDS: usize = 2;

/// What an engine has room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sizes {
    /// Replies written at once.
    pub(super) slots: u16,
    /// Tokens of all of them, prompts and replies.
    pub(super) context_tokens: u32,
    /// Most tokens computed at once.
    pub(super) step_tokens: usize,
}

impl Sizes {
    /// As `config` says, else what suits `cards`, or the processor where there are none. A token's keys
    /// and values take `token_bytes`.
    pub(super) fn of(config: &EngineConfig, cards: &[Card], token_bytes: usize) -> Self {
        let (usual_slots, usual_step) = if cards.is_empty() {
            (SLOTS, USUAL_STEP_TOKENS)
        } else {
            (SLOTS_ON_CARD, STEP_TOKENS_ON_CARD)
        };
        let slots = config.slots.unwrap_or(usual_slots);
        let free: usize = cards.iter().map(|card| card.free_bytes).sum();
        let room = free / SHARE_OF_CARDS / token_bytes.max(1);
        let room = u32::try_from(room).unwrap_or(u32::MAX);
        // Of a processor that is the least; a card too full for it says so itself.
        let usual = room
            .min(u32::from(slots) * TOKENS_EACH)
            .max(LEAST_CONTEXT_TOKENS);
        Self {
            slots,
            context_tokens: config.context_tokens.unwrap_or(usual),
            step_tokens: config.step_tokens.unwrap_or(usual_step),
        }
    }
}

/// Bytes that the keys and values of one token take.
pub(super) fn token_bytes(model: &LlamaModel, cache: CacheType) -> usize {
    let count = |number: u32| usize::try_from(number).unwrap_or_default();
    let width = usize::try_from(model.n_embd()).unwrap_or_default();
    let head = width / count(model.n_head()).max(1);
    let key = about(model, "attention.key_length").unwrap_or(head);
    let value = about(model, "attention.value_length").unwrap_or(head);
    let values = count(model.n_layer()) * count(model.n_head_kv()) * (key + value);
    match cache {
        CacheType::F16 => values * 2,
        // 32 values and their scale.
        CacheType::Q8_0 => values * 34 / 32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(config: &EngineConfig, free_mib: Option<usize>) -> (u16, u32, usize) {
        let card = |free| Card {
            name: "card".to_owned(),
            total_bytes: free << 20,
            free_bytes: free << 20,
        };
        let cards: Vec<_> = free_mib.map(card).into_iter().collect();
        let Sizes {
            slots,
            context_tokens,
            step_tokens,
        } = Sizes::of(config, &cards, 28 << 10);
        (slots, context_tokens, step_tokens)
    }

    #[test]
    fn a_card_serves_more_at_once_as_far_as_its_memory_goes() {
        let config = EngineConfig::new("model.gguf", "model");
        assert_eq!(sizes(&config, None), (8, 8192, 128));
        assert_eq!(sizes(&config, Some(80 << 10)), (32, 32_768, 1024));
        assert_eq!(sizes(&config, Some(1 << 10)), (32, 18_724, 1024));
        assert_eq!(sizes(&config, Some(100)), (32, 8192, 1024));
    }

    #[test]
    fn what_is_set_is_taken() {
        let mut config = EngineConfig {
            slots: Some(64),
            ..EngineConfig::new("model.gguf", "model")
        };
        assert_eq!(sizes(&config, None), (64, 8192, 128));
        assert_eq!(sizes(&config, Some(80 << 10)), (64, 65_536, 1024));
        (config.context_tokens, config.step_tokens) = (Some(2048), Some(512));
        assert_eq!(sizes(&config, Some(80 << 10)), (64, 2048, 512));
    }
}
