//! `frontdesk-evals`: plays labelled dialogues against Frontdesk, compares what came of it, and
//! weighs connections.

mod cli;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::Parser;
use evals::classify::{self, ClassifyError, Labelled, Rows, Selection, Tagged, Trained};
use evals::compare::{self, Comparison, Gates, Recording};
use evals::connections;
use evals::dialogue::{self, Dialogue};
use evals::guard;
use evals::house::{House, Plan};
use evals::html::{self, HtmlError};
use evals::played::PlayedTurn;
use evals::replay::{PATIENCE, replay};
use evals::report;
use evals::retrieve;
use evals::summary::Summary;
use frontdesk::{Backend, Config};
use indicatif::{ProgressBar, ProgressStyle};
use retrieval::{EdgeStore, KnowledgeIndex};
use serde::Serialize;
use serde_json::json;
use tracing_subscriber::EnvFilter;
use understand::{Heads, TrainOptions, TuneOptions};

use cli::{Classify, Cli, Command, Compare, Connections, Guard, Output, Replay, Stage};

/// What is logged unless `RUST_LOG` says otherwise. The index engine warns of its own defaults.
const USUAL_LOG: &str = "warn,qdrant_edge=error";

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let cli = Cli::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(USUAL_LOG));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    match cli.command {
        Command::Replay(options) => run_replay(options).await?,
        Command::Retrieve(options) => run_retrieve(options.stage).await?,
        Command::Connections(options) => run_connections(options).await?,
        Command::Classify(options) => run_classify(&options)?,
        Command::Guard(options) => run_guard(&options)?,
        Command::Compare(options) => return run_compare(&options),
    }
    Ok(ExitCode::SUCCESS)
}

async fn run_replay(options: Replay) -> anyhow::Result<()> {
    let config = config(&options)?;
    let stage = options.stage;
    let dialogues = choose(dialogue::read(&stage.dialogues)?, &stage)?;
    let turns = play(&stage, &dialogues, config, options.keep).await?;
    let summary = Summary::of(&turns);
    println!("{}\n{}", report::tables(&summary), report::failures(&turns));
    if let Some(file) = &stage.output.json {
        report::write_json(file, &summary, &turns)?;
    }
    let title = format!("Replay: {}", told(&stage));
    stage.output.page(|| html::replay(&title, &summary, &turns))
}

/// Plays `dialogues` in a house of their own, whose folder stays where it is to be kept.
async fn play(
    stage: &Stage,
    dialogues: &[Dialogue],
    config: Config,
    keep: Option<PathBuf>,
) -> anyhow::Result<Vec<PlayedTurn>> {
    let usual_data = || stage.world.usual_data().to_owned();
    let plan = Plan {
        world: stage.world,
        data: stage.data.clone().unwrap_or_else(usual_data),
        config,
        keep,
    };
    eprintln!(
        "preparing the world {} and starting the server",
        plan.world.name()
    );
    let house = House::open(plan).await?;
    let turns = dialogues.iter().map(|dialogue| dialogue.turns.len() as u64);
    let bar = progress(turns.sum(), "turns")?;
    let desk = house.desk(PATIENCE);
    let played = replay(&desk, dialogues, |played| bar.inc(played.len() as u64)).await?;
    bar.finish_and_clear();
    house.close().await;
    Ok(played)
}

async fn run_retrieve(stage: Stage) -> anyhow::Result<()> {
    let dialogues = choose(dialogue::read(&stage.dialogues)?, &stage)?;
    let folder = tempfile::tempdir()?;
    let mut config = Config::load(stage.config.as_deref(), &toml::Table::new())?;
    config.generate.backend = Backend::None;
    let encoder = frontdesk::load_encoder(&frontdesk::model_store(&config)?)?;
    let played = play(
        &stage,
        &dialogues,
        config.clone(),
        Some(folder.path().to_owned()),
    )
    .await?;

    config.data.dir = folder.path().to_owned();
    let store = Arc::new(EdgeStore::open(&config.data.index_dir())?);
    let index = KnowledgeIndex::new(encoder, store);
    index.open().await?;
    let mut questions = retrieve::questions(&dialogues, &played);
    let bar = progress(questions.len() as u64, "questions")?;
    retrieve::search(&index, &mut questions, || bar.inc(1)).await?;
    bar.finish_and_clear();
    let report = retrieve::Report::of(questions);
    println!("{}", retrieve::tables(&report));
    stage.output.figures(&report)?;
    let title = format!("Retrieval: {}", told(&stage));
    stage.output.page(|| html::retrieve(&title, &report))
}

fn run_classify(options: &Classify) -> anyhow::Result<()> {
    let selection = Selection {
        field: options.label.clone(),
        only: options.only.clone(),
    };
    let read = |files: &[PathBuf]| selection.read(files.iter().map(PathBuf::as_path));
    let (train, test) = if options.test.is_empty() {
        let (rest, fifth) = classify::hold_out(read(&options.train)?);
        (Some(rest), fifth)
    } else {
        let train = (!options.train.is_empty()).then(|| read(&options.train));
        (train.transpose()?, read(&options.test)?)
    };
    match (train, test) {
        (Some(Rows::One(train)), Rows::One(test)) => classify_one(options, &train, &test),
        (None, Rows::One(test)) => classify_one(options, &[], &test),
        (Some(Rows::Any(train)), Rows::Any(test)) => classify_any(options, &train, &test),
        (None, Rows::Any(test)) => classify_any(options, &[], &test),
        (Some(_), _) => bail!(
            "{:?} is one label in some of these files and a list in others: judge them apart",
            options.label
        ),
    }
}

fn classify_one(options: &Classify, train: &[Labelled], test: &[Labelled]) -> anyhow::Result<()> {
    let encoder = frontdesk::load_encoder(&frontdesk::model_store(&Config::default())?)?;
    let trained = options.heads(|told| {
        Trained::on(train, test, &options.label, &encoder, options.training(), told)
    })?;
    let bar = progress(test.len() as u64, "messages")?;
    let report = classify::judge(trained, encoder, test, || bar.inc(1))?;
    bar.finish_and_clear();
    println!("{}", classify::tables(&report));
    options.output.figures(&report)?;
    let title = format!("Classifier: {}", options.label);
    options.output.page(|| html::classify(&title, &report))
}

fn classify_any(options: &Classify, train: &[Tagged], test: &[Tagged]) -> anyhow::Result<()> {
    if options.full {
        bail!("layers are tuned for labels that exclude each other: leave --full out for lists");
    }
    let encoder = frontdesk::load_encoder(&frontdesk::model_store(&Config::default())?)?;
    let trained =
        options.heads(|told| classify::train_tags(train, &encoder, options.training(), told))?;
    let bar = progress(test.len() as u64, "messages")?;
    let report = classify::judge_tags(trained, encoder, test, || bar.inc(1))?;
    bar.finish_and_clear();
    println!("{}", classify::tag_tables(&report));
    options.output.figures(&report)?;
    let title = format!("Classifier: {}", options.label);
    options.output.page(|| html::classify_tags(&title, &report))
}

impl Classify {
    fn training(&self) -> TrainOptions {
        let tune = TuneOptions {
            epochs: self.epochs,
            ..TuneOptions::default()
        };
        TrainOptions {
            c: self.c,
            tune: self.full.then_some(tune),
            ..TrainOptions::default()
        }
    }

    /// The heads to judge: those of a file, or what `train` makes, which hears of its progress.
    fn heads(
        &self,
        train: impl FnOnce(&dyn Fn(f32)) -> Result<Trained, ClassifyError>,
    ) -> anyhow::Result<Trained> {
        if let Some(file) = &self.heads {
            return Ok(Trained::elsewhere(Heads::load(file)?, &self.label));
        }
        let bar = progress(100, "% of the training")?;
        let trained = train(&|done| bar.set_position((done * 100.0) as u64))?;
        bar.finish_and_clear();
        if let Some(file) = &self.out {
            trained.save(file)?;
        }
        Ok(trained)
    }
}

fn run_guard(options: &Guard) -> anyhow::Result<()> {
    let usual_data = options.world.usual_data();
    let world = options
        .world
        .load(options.data.as_deref().unwrap_or(usual_data))?;
    let cases = match &options.cases {
        Some(file) => guard::read(file)?,
        None => guard::made(&world, options.most),
    };
    let report = guard::judge(&world, cases)?;
    println!("{}", guard::tables(&report, options.mistakes));
    options.output.figures(&report)
}

impl Output {
    /// Writes figures where they are asked for.
    fn figures(&self, report: &impl Serialize) -> anyhow::Result<()> {
        let Some(file) = &self.json else {
            return Ok(());
        };
        let text = serde_json::to_string_pretty(report)?;
        std::fs::write(file, text + "\n")
            .with_context(|| format!("{} cannot be written", file.display()))
    }

    /// Writes a page where one is asked for.
    fn page(&self, page: impl FnOnce() -> Result<String, HtmlError>) -> anyhow::Result<()> {
        if let Some(file) = &self.html {
            html::write(file, &page()?)?;
            eprintln!("{} is for the browser", file.display());
        }
        Ok(())
    }
}

/// What was played, in a title.
fn told(stage: &Stage) -> String {
    let file = stage.dialogues.file_name().unwrap_or_default();
    format!("{} in {}", file.to_string_lossy(), stage.world.name())
}

fn run_compare(options: &Compare) -> anyhow::Result<ExitCode> {
    let gates = match &options.gates {
        Some(file) => Gates::load(file)?,
        None => Gates::default(),
    };
    let (before, after) = (
        Recording::read(&options.before)?,
        Recording::read(&options.after)?,
    );
    let comparison = Comparison::of(&before, &after)?;
    println!(
        "{}\n{}",
        compare::tables(&comparison),
        compare::turns(&comparison)
    );
    let broken = gates.broken(&comparison);
    let figures = json!({ "comparison": comparison, "broken": broken });
    options.output.figures(&figures)?;
    let title = "Before and after";
    let told: Vec<String> = broken.iter().map(ToString::to_string).collect();
    options
        .output
        .page(|| html::compare(title, &comparison, &told))?;
    for gate in &broken {
        eprintln!("gate broken: {gate}");
    }
    Ok(if broken.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The dialogues of the world that were asked for.
fn choose(dialogues: Vec<Dialogue>, options: &Stage) -> anyhow::Result<Vec<Dialogue>> {
    let world = options.world.name();
    let asked = |dialogue: &Dialogue| {
        dialogue.world == world && (options.only.is_empty() || options.only.contains(&dialogue.id))
    };
    let chosen: Vec<_> = dialogues
        .into_iter()
        .filter(asked)
        .take(options.limit.unwrap_or(usize::MAX))
        .collect();
    for id in &options.only {
        if options.limit.is_none() && !chosen.iter().any(|dialogue| dialogue.id == *id) {
            bail!("there is no dialogue {id:?} of the world {world}: see the ids in the file");
        }
    }
    if chosen.is_empty() {
        bail!(
            "{} has no dialogue of the world {world}",
            options.dialogues.display()
        );
    }
    Ok(chosen)
}

fn config(options: &Replay) -> anyhow::Result<Config> {
    let mut config = Config::load(options.stage.config.as_deref(), &toml::Table::new())?;
    if let Some(model) = &options.model {
        config.models.reply.clone_from(model);
    }
    Ok(config)
}

async fn run_connections(options: Connections) -> anyhow::Result<()> {
    let bar = progress(options.count as u64, "connections")?;
    let memory = connections::measure(&options.url, options.count, options.pid, || bar.inc(1));
    let memory = memory.await.context("the connections were not measured")?;
    bar.finish_and_clear();
    let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    println!(
        "{} connections opened in {:.1} s, {} still open\n\
         resident memory of the server: {:.1} MiB before, {:.1} MiB with them\n\
         {:.1} KiB a connection",
        memory.opened,
        memory.seconds,
        memory.open,
        mebibytes(memory.before),
        mebibytes(memory.after),
        memory.each() / 1024.0,
    );
    if memory.open < memory.opened {
        bail!(
            "the server closed {} connections",
            memory.opened - memory.open
        );
    }
    Ok(())
}

fn progress(length: u64, unit: &str) -> anyhow::Result<ProgressBar> {
    let template = format!("{{bar:40}} {{pos}} of {{len}} {unit}, {{elapsed}}, about {{eta}} left");
    let style = ProgressStyle::with_template(&template)?;
    Ok(ProgressBar::new(length).with_style(style))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    fn options(arguments: &[&str]) -> Replay {
        let start = ["frontdesk-evals", "replay", "d.jsonl", "--world", "shop"];
        let cli = Cli::parse_from(start.iter().chain(arguments));
        let Command::Replay(options) = cli.command else {
            panic!("{cli:?}")
        };
        options
    }

    fn dialogues() -> Vec<Dialogue> {
        [("a", "shop"), ("b", "bank-knowledge"), ("c", "shop")]
            .map(|(id, world)| {
                let turns = serde_json::json!([{"user": "hi"}]);
                serde_json::from_value(
                    serde_json::json!({"id": id, "world": world, "turns": turns}),
                )
                .unwrap()
            })
            .into()
    }

    fn chosen(arguments: &[&str]) -> Vec<String> {
        let chosen = choose(dialogues(), &options(arguments).stage).unwrap();
        chosen.into_iter().map(|dialogue| dialogue.id).collect()
    }

    #[test]
    fn only_dialogues_of_the_world_are_chosen() {
        assert_eq!(chosen(&[]), ["a", "c"]);
        assert_eq!(chosen(&["--limit", "1"]), ["a"]);
        assert_eq!(chosen(&["--only", "c"]), ["c"]);
        assert_eq!(chosen(&["--only", "c,a"]), ["a", "c"]);
    }

    #[test]
    fn a_dialogue_that_is_not_there_is_an_error() {
        for arguments in [&["--only", "b"], &["--only", "z"], &["--limit", "0"]] {
            assert!(
                choose(dialogues(), &options(arguments).stage).is_err(),
                "{arguments:?}"
            );
        }
    }

    #[test]
    fn a_model_on_the_command_line_wins() {
        let config = config(&options(&["--model", "small"])).unwrap();
        assert_eq!(config.models.reply, "small");
    }
}
