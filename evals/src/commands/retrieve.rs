//! `frontdesk-evals retrieve`.

use std::sync::Arc;

use evals::html;
use evals::retrieve;
use frontdesk::Backend;
use language::sentences::Boundaries;
use retrieval::{EdgeStore, KnowledgeIndex};

use super::progress;
use super::replay::play;
use crate::cli::Retrieve;
use evals::house::Plan;

/// Plays dialogues without a model, and searches for what they looked up each way apart.
pub(crate) async fn run(options: Retrieve) -> anyhow::Result<()> {
    let stage = options.stage;
    let folder = tempfile::tempdir()?;
    let mut config = stage.config()?;
    config.generate.backend = Backend::None;
    let dialogues = stage.dialogues(&config)?;
    let encoder = frontdesk::load_encoder(&config)?;
    let keep = Some(folder.path().to_owned());
    let plan = stage.plan(config.clone()).await?;
    let played = play(Plan { keep, ..plan }, &dialogues).await?;

    config.data.dir = folder.path().to_owned();
    let store = Arc::new(EdgeStore::open(&config.data.index_dir())?);
    let index = KnowledgeIndex::new(encoder, store, Boundaries::default());
    index.open().await?;
    let mut questions = retrieve::questions(&dialogues, &played);
    let bar = progress(questions.len() as u64, "questions")?;
    retrieve::search(&index, &mut questions, || bar.inc(1)).await?;
    bar.finish_and_clear();
    let report = retrieve::Report::of(questions);
    println!("{}", retrieve::tables(&report));
    stage.output.figures(&report)?;
    let title = format!("Retrieval: {}", stage.told());
    stage.output.page(|| html::retrieve(&title, &report))
}
