//! `frontdesk-evals publish`, which `frontdesk publish` calls.

use std::process::ExitCode;

use anyhow::bail;
use crm::{Location, Store};
use evals::compare::{self, Comparison, Gates, Recording};
use evals::dialogue::{Dialogue, Expect};
use evals::formats;
use evals::html;
use evals::played::PlayedTurn;
use evals::publish::{self, Articles, PublishError};
use evals::worlds::Body;
use frontdesk::Config;
use serde_json::json;

use super::progress;
use crate::cli::Publish;

/// Replays dialogues without the change and with it, shows both, and puts it live unless a gate is
/// broken; the exit code is 1 then.
pub(crate) async fn run(options: &Publish) -> anyhow::Result<ExitCode> {
    let live = load(options, options.config.as_deref())?;
    let candidate = match &options.candidate {
        Some(_) if options.config.is_none() => bail!(PublishError::NoLiveConfig),
        Some(file) => load(options, Some(file))?,
        None => live.clone(),
    };
    let location = live.data.location();
    if let Location::File(store) = &location
        && !store.is_file()
    {
        bail!(PublishError::NoStore(store.clone()));
    }
    let store = Store::connect(&location).await?;
    let body = Body::of(&store, live.company.clone()).await?;
    let articles = Articles::read(&options.knowledge, &body)?;
    if articles.changed.is_empty() && candidate == live {
        bail!(PublishError::NoChange);
    }
    let mut changed = articles.laid_over(body.clone());
    changed.company.clone_from(&candidate.company);
    let dialogues = formats::read(&options.dialogues)?;
    let mut turns = dialogues.iter().flat_map(|dialogue| &dialogue.turns);
    if turns.all(|turn| turn.expect == Expect::default()) {
        bail!(PublishError::NothingAsked(options.dialogues.clone()));
    }

    let before = rehearse("as it is", body, live, &dialogues).await?;
    let after = rehearse("with the change", changed, candidate, &dialogues).await?;
    let (before, after) = (Recording::of(&before), Recording::of(&after));
    let comparison = Comparison::of(&before, &after)?;
    println!(
        "{}\n{}",
        compare::tables(&comparison),
        compare::turns(&comparison)
    );
    let gates = match &options.gates {
        Some(file) => Gates::load(file)?,
        None => Gates::usual().asked_for(&before),
    };
    let broken = gates.broken(&comparison);
    let figures = json!({ "comparison": comparison, "broken": broken });
    options.output.figures(&figures)?;
    let page = || html::compare("A change, before it goes live", &comparison, &broken);
    options.output.page(page)?;
    if !broken.is_empty() {
        for gate in &broken {
            eprintln!("refused: {gate}");
        }
        eprintln!("nothing was changed");
        return Ok(ExitCode::FAILURE);
    }
    if options.rehearse {
        eprintln!("no gate is broken; nothing was changed, as --rehearse asks");
        return Ok(ExitCode::SUCCESS);
    }
    put_live(options, &store, &articles).await?;
    store.close().await;
    Ok(ExitCode::SUCCESS)
}

fn load(options: &Publish, file: Option<&std::path::Path>) -> anyhow::Result<Config> {
    let mut config = Config::load(file, &toml::Table::new())?;
    if let Some(data) = &options.data {
        config.data.dir.clone_from(data);
    }
    Ok(config)
}

async fn rehearse(
    what: &str,
    body: Body,
    config: Config,
    dialogues: &[Dialogue],
) -> anyhow::Result<Vec<PlayedTurn>> {
    eprintln!("replaying {} dialogues {what}", dialogues.len());
    let turns = dialogues.iter().map(|dialogue| dialogue.turns.len() as u64);
    let bar = progress(turns.sum(), "turns")?;
    let heard = |played: &[PlayedTurn]| bar.inc(played.len() as u64);
    let played = publish::rehearse(body, config, dialogues, heard).await?;
    bar.finish_and_clear();
    Ok(played)
}

async fn put_live(options: &Publish, store: &Store, articles: &Articles) -> anyhow::Result<()> {
    if !articles.changed.is_empty() {
        store.upsert_documents(&articles.changed).await?;
        let (added, all) = (articles.added, articles.changed.len());
        println!(
            "published: {added} new articles, {} changed; a running server takes them in by itself",
            all - added
        );
    }
    if let (Some(live), Some(candidate)) = (&options.config, &options.candidate) {
        let kept = publish::replace_config(live, candidate)?;
        println!(
            "published: {} (what was live is {}); restart the server to take it up",
            live.display(),
            kept.display()
        );
    }
    Ok(())
}
