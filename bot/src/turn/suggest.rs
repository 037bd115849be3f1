//! A wish that names no product: the nearest ones of the catalogue, by meaning.

use serde::Serialize;

use super::compose::BELIEVED;
use super::{Draft, TurnError, Turns, Written};
use crate::desk::Desk;

/// Products named at most.
const MOST: usize = 3;
/// How much farther from the wish than the nearest product another one may be, in cosine.
const NEAR: f32 = 0.1;

impl Turns {
    /// The products that fit a question about products better than any passage of the knowledge,
    /// whose cosine to the question is `rival`.
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
        let intent = &understanding.intent;
        if intent.top() != "product_question" || intent.confidence() < BELIEVED {
            return Ok(None);
        }
        let english = draft.understood.english.clone();
        let found = self
            .library
            .search_products(english, understanding.embedding.clone(), MOST)
            .await?;
        let nearest = found.iter().map(|(_, cosine)| *cosine).fold(0.0, f32::max);
        if nearest < self.config.retrieval.floor || nearest <= rival {
            return Ok(None);
        }
        let near = found.into_iter().filter(|(_, c)| *c >= nearest - NEAR);
        let ids: Vec<_> = near.map(|(id, _)| id).collect();
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
