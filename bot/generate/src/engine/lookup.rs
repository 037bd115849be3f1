//! An index of which tokens followed which: in one conversation, and in earlier replies.

use std::collections::{HashMap, VecDeque};

use llama_cpp_2::token::LlamaToken;

/// Last tokens that are looked for, at most.
pub(super) const LONGEST_MATCH: usize = 24;
/// Last tokens that are looked for, at least. One alone, "the", is followed by anything.
const SHORTEST_MATCH: usize = 2;
/// Places that are compared at most, the last ones first.
const MOST_COMPARED: usize = 64;
/// Tokens of replies that are remembered, in one of two parts: some hundred replies.
const REMEMBERED: usize = 8192;
/// Tokens of its prompt that a reply is remembered with: what a template ends with, so that first words
/// are found, too.
const INTRODUCTION: usize = 4;

/// Tokens, and where each two of them stand.
#[derive(Debug, Default)]
pub(super) struct Index {
    tokens: Vec<LlamaToken>,
    /// Where each two tokens ended last.
    last: HashMap<[LlamaToken; SHORTEST_MATCH], usize>,
    /// Where the two tokens that end with each one ended before; 0 for the first time.
    before: Vec<usize>,
}

/// What followed an end of a text elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Followed {
    /// How many tokens had stood before it.
    pub(super) matched: usize,
    /// The token.
    pub(super) by: LlamaToken,
}

impl Index {
    /// Of `tokens`.
    pub(super) fn of(tokens: &[LlamaToken]) -> Self {
        let mut index = Self::default();
        tokens.iter().for_each(|token| index.push(*token));
        index
    }

    /// `token` comes next.
    pub(super) fn push(&mut self, token: LlamaToken) {
        let end = self.tokens.len() + 1;
        let pair = self.tokens.last().map(|previous| [*previous, token]);
        let before = pair.and_then(|pair| self.last.insert(pair, end));
        self.tokens.push(token);
        self.before.push(before.unwrap_or_default());
    }

    /// What followed the longest end of `text` that stands here; of equally long ones the last.
    pub(super) fn next(&self, text: &[LlamaToken]) -> Option<Followed> {
        let pair = text.last_chunk::<SHORTEST_MATCH>()?;
        let ends = std::iter::successors(self.last.get(pair).copied(), |end| {
            Some(self.before[end - 1]).filter(|before| *before > 0)
        });
        let mut longest: Option<Followed> = None;
        for end in ends.take(MOST_COMPARED) {
            let Some(by) = self.tokens.get(end).copied() else {
                continue;
            };
            let here = self.tokens[..end].iter().rev();
            let pairs = here.zip(text.iter().rev()).take(LONGEST_MATCH);
            let matched = pairs.take_while(|(a, b)| a == b).count();
            if longest.is_none_or(|longest| matched > longest.matched) {
                longest = Some(Followed { matched, by });
            }
            if matched == LONGEST_MATCH {
                break;
            }
        }
        longest
    }
}

/// Replies that were written last, to whomever: a company's say the same things again and again.
#[derive(Debug, Default)]
pub(super) struct Replies {
    /// The newest part last. Half of them is forgotten at a time.
    parts: VecDeque<Index>,
}

impl Replies {
    /// Stands between two replies.
    const BOUNDARY: LlamaToken = LlamaToken(-1);

    /// Remembers the reply in `tokens` after a prompt of so many.
    pub(super) fn push(&mut self, tokens: &[LlamaToken], prompt: usize) {
        let is_full = |part: &Index| part.tokens.len() >= REMEMBERED;
        if self.parts.back().is_none_or(is_full) {
            self.parts.push_back(Index::default());
            if self.parts.len() > 2 {
                self.parts.pop_front();
            }
        }
        let introduced = prompt.saturating_sub(INTRODUCTION);
        if let Some(part) = self.parts.back_mut() {
            let reply = tokens.iter().skip(introduced).copied();
            reply.for_each(|token| part.push(token));
            part.push(Self::BOUNDARY);
        }
    }

    /// What followed the longest end of `text` in them.
    pub(super) fn next(&self, text: &[LlamaToken]) -> Option<Followed> {
        let found = self.parts.iter().filter_map(|part| part.next(text));
        let longest = found.max_by_key(|followed| followed.matched);
        longest.filter(|followed| followed.by != Self::BOUNDARY)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(in super::super) fn tokens(text: &str) -> Vec<LlamaToken> {
        let tokens = text.bytes().map(|byte| LlamaToken::new(byte.into()));
        tokens.collect()
    }

    fn next(text: &str) -> Option<(char, usize)> {
        let text = tokens(text);
        let Followed { matched, by } = Index::of(&text).next(&text)?;
        Some((u8::try_from(by.0).unwrap().into(), matched))
    }

    #[test]
    fn a_longer_match_counts_more_and_then_a_later_one() {
        assert_eq!(next("xabcP yabcQ xabc"), Some(('P', 4)));
        assert_eq!(next("abcP.abcQ,abc"), Some(('Q', 3)));
        assert_eq!(next("ababab"), Some(('a', 4)));
    }

    #[test]
    fn nothing_follows_what_is_new() {
        for text in ["abcdefgh", "", "a", "axbx"] {
            assert_eq!(next(text), None, "{text}");
        }
    }

    #[test]
    fn a_reply_is_remembered_from_its_first_words_to_its_end() {
        let mut replies = Replies::default();
        replies.push(&tokens("facts>>It is open."), 7);
        replies.push(&tokens("more>>Yes."), 6);
        let next = |text: &str| replies.next(&tokens(text)).map(|next| next.by.0);
        assert_eq!(next("ts>>"), Some(b'I'.into()));
        assert_eq!(next("It is op"), Some(b'e'.into()));
        assert_eq!(next("en."), None, "it ended there");
        assert_eq!(next("fac"), None, "prompts are not remembered");
    }

    #[test]
    fn the_oldest_replies_are_forgotten() {
        let mut replies = Replies::default();
        replies.push(&tokens("old news"), 0);
        let long = "x".repeat(1000);
        (0..20).for_each(|_| replies.push(&tokens(&long), 0));
        assert_eq!(replies.next(&tokens("old n")), None);
        let held: usize = replies.parts.iter().map(|part| part.tokens.len()).sum();
        assert!(held <= 2 * (REMEMBERED + 1001), "{held}");
    }

    proptest! {
        #[test]
        fn what_follows_stands_in_the_text_after_what_matched(text in "[abc]{0,40}") {
            if let Some((by, matched)) = next(&text) {
                let stood = format!("{}{by}", &text[text.len() - matched..]);
                prop_assert!(text.contains(&stood), "{stood} in {text}");
            }
        }

        #[test]
        fn the_longest_match_is_found(text in "[ab]{2,40}") {
            let stands = |length: usize| {
                let end = &text[text.len() - length..];
                text[..text.len() - 1].contains(end)
            };
            let longest = (SHORTEST_MATCH..text.len().min(LONGEST_MATCH)).rev().find(|length| stands(*length));
            prop_assert_eq!(next(&text).map(|(_, matched)| matched), longest);
        }
    }
}
