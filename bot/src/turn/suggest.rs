//! A wish that names no product: the nearest ones of the catalogue, by meaning.

use serde::Serialize;

use super::compose::BELIEVED;
use super::{Draft, TurnError, Turns, Written};
use crate::desk::Desk;

/// Products named at most.
const MOST: usize = 3;
/// How much farther from the wish than the nearest product another one may be, in nearness.
const NEAR: f32 = 0.1;

/// Whether somebody says that they look for something to buy, whatever the classifier makes of whom
/// it is for.
fn wishes(english: &str) -> bool {
    const WISHES: &[&str] = &[
        "looking for",
        "do you sell",
        "do you have something",
        "have anything for",
        "something for a",
        "for a friend who",
        "something for my",
        "a gift for",
        "a present for",
        "gift idea",
        "recommend",
        "can you suggest",
    ];
    let lower = english.to_lowercase();
    WISHES.iter().any(|wish| lower.contains(wish))
}

impl Turns {
    /// The products that fit a question about products better than any passage of the knowledge,
    /// whose nearness to the question is `rival`.
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
        let english = draft.understood.english.clone();
        let asks = intent.top() == "product_question" && intent.confidence() >= BELIEVED;
        if !asks && !wishes(&english) {
            return Ok(None);
        }
        let found = self
            .library
            .search_products(english, understanding.embedding.clone(), MOST)
            .await?;
        let nearest = found
            .iter()
            .map(|(_, nearness)| *nearness)
            .fold(0.0, f32::max);
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
