//! `frontdesk-evals facts`.

use evals::budget::{self, Report};
use evals::html;
use frontdesk::Backend;

use super::replay::play;
use crate::cli::Facts;

/// Plays dialogues with several budgets of facts, without a model.
pub(crate) async fn run(options: Facts) -> anyhow::Result<()> {
    let stage = options.stage;
    let mut config = stage.config()?;
    config.generate.backend = Backend::None;
    let dialogues = stage.dialogues(&config)?;
    let encoder = frontdesk::load_encoder(&config)?;
    let set = config.retrieval.fact_chars;
    let mut budgets = options.characters;
    budgets.push(set);
    budgets.sort_unstable();
    budgets.dedup();
    let mut curve = Vec::with_capacity(budgets.len());
    for fact_chars in budgets {
        config.retrieval.fact_chars = fact_chars;
        let plan = stage.plan(config.clone()).await?;
        let played = play(plan, &dialogues).await?;
        curve.push(budget::kept(fact_chars, &dialogues, &played, &encoder)?);
    }
    let report = Report {
        curve,
        fact_chars: set,
    };
    println!("{}", budget::tables(&report));
    stage.output.figures(&report)?;
    let title = format!("Facts kept: {}", stage.told());
    stage.output.page(|| html::facts(&title, &report))
}
