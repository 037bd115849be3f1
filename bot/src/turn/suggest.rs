//! A wish that names no product: the nearest ones of the catalogue, by meaning.

use serde::Serialize;

use super::decide::Action;
use super::wish::{Wish, price_limit};
use super::{Draft, TurnError, Turns, Written};
use crate::desk::Desk;

/// Products looked at: some of them may cost too much.
const LOOKED_AT: usize = 12;
/// Products named at most.
const MOST: usize = 3;
/// How much farther from the wish than the nearest product another one may be, in nearness.
const NEAR: f32 = 0.1;

impl Turns {
    /// The products that fit a question about products better than any passage of the knowledge,
    /// whose nearness to the question is `rival`. A plain wish that nothing fits is said to be
    /// beyond the bot: what the pages say of other things would be told as if it were of goods.
    pub(super) async fn suggest(
        &self,
        draft: &Draft<'_>,
        desk: &Desk<'_>,
        rival: f32,
    ) -> Result<Option<Written>, TurnError> {
        #[derive(Serialize)]
        struct SuggestionsContext {
            count: usize,
        }
        let understanding = &draft.understood.understanding;
        let english = draft.understood.english.clone();
        let Some(wish) = Wish::of(&english, &understanding.intent) else {
            return Ok(None);
        };
        let limit = price_limit(&english);
        let mut found = self
            .library
            .search_products(english, understanding.embedding.clone(), LOOKED_AT)
            .await?;
        if found.is_empty() {
            return Ok(None);
        }
        found.retain(|(id, _)| limit.is_none_or(|limit| desk.costs_at_most(id, limit)));
        let nearest = found
            .iter()
            .map(|(_, nearness)| *nearness)
            .fold(0.0, f32::max);
        let is_plain = wish == Wish::Plain;
        if nearest < self.config.retrieval.floor || !is_plain && nearest <= rival {
            let is_told = !is_plain || rival >= self.config.retrieval.clear;
            return Ok(if is_told {
                None
            } else {
                Some(self.ready(draft, Action::NoAnswer)?)
            });
        }
        let near = found.into_iter().filter(|(_, c)| *c >= nearest - NEAR);
        let ids: Vec<_> = near.map(|(id, _)| id).take(MOST).collect();
        let Some(finding) = desk.suggest(&ids)? else {
            return Ok(None);
        };
        let context = SuggestionsContext {
            count: finding.facts.len(),
        };
        let opening = self
            .prompts
            .render(draft.language(), "suggestions", &context)?;
        let written = self.desk_reply(draft, finding)?;
        Ok(Some(Written {
            text: format!("{opening} {}", written.text),
            ..written
        }))
    }
}
