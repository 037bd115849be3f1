//! How much of what was retrieved the model must be given for the answer to be in it.
//!
//! A hundred tokens of prompt cost about a second on two CPU cores, so a turn selects sentences up
//! to a budget of characters (`retrieval.fact_chars`). Here dialogues are replayed with several
//! budgets, and for every turn whose expected facts are known in words it is checked whether the
//! selection holds them.

use retrieval::{Encoder, EncoderError};
use serde::Serialize;

use crate::checks::missing_facts;
use crate::dialogue::Dialogue;
use crate::outcome;
use crate::percentile::Spread;
use crate::played::PlayedTurn;
use crate::report::{align, table};
use crate::summary::Tally;

/// Characters that are tried.
pub const USUAL: [usize; 9] = [100, 200, 300, 400, 500, 600, 800, 1200, 2000];

/// What came of a number of characters.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Kept {
    /// `retrieval.fact_chars`.
    pub fact_chars: usize,
    /// Turns that had every expected fact among what was chosen.
    pub kept: Tally,
    /// Tokens chosen for a turn, of the encoder's vocabulary: within a tenth of a reply model's.
    pub tokens: Option<Spread>,
}

/// All that came of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// By number of characters.
    pub curve: Vec<Kept>,
    /// What the configuration says.
    pub fact_chars: usize,
}

/// What was chosen in `played`, in which turns chose up to `fact_chars` characters. Only turns count
/// whose document and facts are known: others do not answer from knowledge.
///
/// # Errors
/// [`EncoderError::Tokens`].
pub fn kept(
    fact_chars: usize,
    dialogues: &[Dialogue],
    played: &[PlayedTurn],
    encoder: &Encoder,
) -> Result<Kept, EncoderError> {
    let (mut kept, mut tokens) = (Tally::default(), Vec::new());
    for turn in played {
        let dialogue = dialogues.iter().find(|d| d.id == turn.dialogue);
        let asked = dialogue.and_then(|dialogue| dialogue.turns.get(turn.turn.checked_sub(1)?));
        let Some(expect) = asked.map(|asked| &asked.expect) else {
            continue;
        };
        let (Some(facts), Some(_)) = (&expect.facts, &expect.documents) else {
            continue;
        };
        let chosen = turn
            .outcome
            .as_ref()
            .map(outcome::facts)
            .unwrap_or_default();
        kept.count(missing_facts(facts, &chosen).is_empty());
        tokens.push(encoder.count_tokens(&chosen.join("\n"))? as f64);
    }
    Ok(Kept {
        fact_chars,
        kept,
        tokens: Spread::of(tokens),
    })
}

/// The curve for people.
pub fn tables(report: &Report) -> String {
    let mut rows = table([
        "characters",
        "turns",
        "facts kept",
        "95 % interval",
        "tokens p50",
        "p95",
    ]);
    for point in &report.curve {
        let percent = |share: f64| format!("{:.1} %", share * 100.0);
        let interval = point.kept.interval();
        let tokens = |pick: fn(&Spread) -> f64| {
            let spread = point.tokens.as_ref();
            spread
                .map(|spread| format!("{:.0}", pick(spread)))
                .unwrap_or_default()
        };
        let is_set = point.fact_chars == report.fact_chars;
        rows.add_row([
            format!(
                "{}{}",
                point.fact_chars,
                if is_set { " (as set)" } else { "" }
            ),
            point.kept.total.to_string(),
            point.kept.share().map(percent).unwrap_or_default(),
            interval
                .map(|[low, high]| format!("{} to {}", percent(low), percent(high)))
                .unwrap_or_default(),
            tokens(|spread| spread.p50),
            tokens(|spread| spread.p95),
        ]);
    }
    format!("{}\n", align(rows))
}
