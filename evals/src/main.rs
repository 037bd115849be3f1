//! `frontdesk-evals`: plays labelled dialogues against Frontdesk, compares what came of it, and
//! weighs connections.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::{Args, Parser, Subcommand};
use evals::classify::{self, Labelled, Selection, Trained};
use evals::compare::{self, Comparison, Gates, Recording};
use evals::connections;
use evals::dialogue::{self, Dialogue};
use evals::house::{House, Plan};
use evals::played::PlayedTurn;
use evals::replay::{PATIENCE, replay};
use evals::report;
use evals::retrieve;
use evals::summary::Summary;
use evals::worlds::World;
use frontdesk::{Backend, Config};
use indicatif::{ProgressBar, ProgressStyle};
use retrieval::{EdgeStore, KnowledgeIndex};
use serde::Serialize;
use serde_json::json;
use tracing_subscriber::EnvFilter;
use understand::{Heads, TrainOptions};

/// What is logged unless `RUST_LOG` says otherwise. The index engine warns of its own defaults.
const USUAL_LOG: &str = "warn,qdrant_edge=error";

/// Measures Frontdesk.
#[derive(Debug, Parser)]
#[command(name = "frontdesk-evals", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Plays labelled dialogues through a server of its own and checks every turn.
    Replay(Replay),
    /// Says how well the documents are found that hold the answers, each way of searching apart.
    Retrieve(Retrieve),
    /// Trains a head on labelled messages, or takes trained ones, and judges it on others.
    Classify(Classify),
    /// Says what got better and worse between two replays of the same dialogues.
    Compare(Compare),
    /// Opens idle connections to a running server and weighs its process.
    Connections(Connections),
}

/// What is played, and where.
#[derive(Debug, Args)]
struct Stage {
    /// File of dialogues, one JSON object a line.
    dialogues: PathBuf,
    /// World whose dialogues are played; those of others are passed over.
    #[arg(long, value_enum)]
    world: World,
    /// Folder that holds the world's folder.
    #[arg(long)]
    data: Option<PathBuf>,
    /// Plays at most so many dialogues.
    #[arg(long)]
    limit: Option<usize>,
    /// Plays only the dialogues of these ids.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Configuration file of the server.
    #[arg(long)]
    config: Option<PathBuf>,
    /// File to write everything to.
    #[arg(long)]
    json: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Retrieve {
    #[command(flatten)]
    stage: Stage,
}

#[derive(Debug, Args)]
struct Replay {
    #[command(flatten)]
    stage: Stage,
    /// Reply model: a name from the list of models, a path, or `owner/repository/file.gguf`.
    #[arg(long)]
    model: Option<String>,
    /// Empty folder to leave the server's data in.
    #[arg(long)]
    keep: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Classify {
    /// Labelled messages to train on, JSONL; may be repeated.
    #[arg(long, required_unless_present = "heads")]
    train: Vec<PathBuf>,
    /// Labelled messages to judge, JSONL; a fifth of those to train on when absent.
    #[arg(long, required_unless_present = "train")]
    test: Vec<PathBuf>,
    /// Field of the label: `intent`, `sentiment`, or any other.
    #[arg(long, value_name = "FIELD")]
    label: String,
    /// Takes only messages whose field has this value (`language=en`); may be repeated.
    #[arg(long = "where", value_name = "FIELD=VALUE", value_parser = field_value)]
    only: Vec<(String, String)>,
    /// Trained heads to judge, in place of training.
    #[arg(long, conflicts_with = "train")]
    heads: Option<PathBuf>,
    /// Inverse strength of the L2 penalty.
    #[arg(long, default_value_t = TrainOptions::default().c)]
    c: f32,
    /// File to write all figures to.
    #[arg(long)]
    json: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Compare {
    /// The replay before the change: a file that `replay --json` wrote.
    before: PathBuf,
    /// The replay after it.
    after: PathBuf,
    /// File of gates; the exit code is 1 when one is broken.
    #[arg(long)]
    gates: Option<PathBuf>,
    /// File to write the comparison to.
    #[arg(long)]
    json: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Connections {
    /// The chat (`ws://127.0.0.1:8080/v1/chat`).
    #[arg(long)]
    url: String,
    /// How many connections.
    #[arg(long, default_value_t = 10_000)]
    count: usize,
    /// Id of the server's process.
    #[arg(long)]
    pid: u32,
}

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
    if let Some(file) = stage.json {
        report::write_json(&file, &summary, &turns)?;
    }
    Ok(())
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
    if let Some(file) = &stage.json {
        write_json(file, &report)?;
    }
    Ok(())
}

fn field_value(text: &str) -> Result<(String, String), String> {
    let parts = text.split_once('=').ok_or("write FIELD=VALUE")?;
    Ok((parts.0.to_owned(), parts.1.to_owned()))
}

fn run_classify(options: &Classify) -> anyhow::Result<()> {
    let selection = Selection {
        field: options.label.clone(),
        only: options.only.clone(),
    };
    let read = |files: &[PathBuf]| -> anyhow::Result<Vec<Labelled>> {
        let rows = files.iter().map(|file| selection.read(file));
        Ok(rows.collect::<Result<Vec<_>, _>>()?.concat())
    };
    let (mut train, mut test) = (read(&options.train)?, read(&options.test)?);
    if options.test.is_empty() {
        (train, test) = classify::hold_out(train);
    }
    let encoder = frontdesk::load_encoder(&frontdesk::model_store(&Config::default())?)?;
    let trained = match &options.heads {
        Some(file) => Trained::elsewhere(Heads::load(file)?, &options.label),
        None => {
            let bar = progress(100, "% of the training")?;
            let train_options = TrainOptions {
                c: options.c,
                ..TrainOptions::default()
            };
            let told = |done: f32| bar.set_position((done * 100.0) as u64);
            let field = &options.label;
            let trained = Trained::on(&train, &test, field, &encoder, train_options, told)?;
            bar.finish_and_clear();
            trained
        }
    };
    let bar = progress(test.len() as u64, "messages")?;
    let report = classify::judge(trained, encoder, &test, || bar.inc(1))?;
    bar.finish_and_clear();
    println!("{}", classify::tables(&report));
    if let Some(file) = &options.json {
        write_json(file, &report)?;
    }
    Ok(())
}

fn write_json(file: &Path, report: &impl Serialize) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(report)?;
    std::fs::write(file, text + "\n")
        .with_context(|| format!("{} cannot be written", file.display()))
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
    if let Some(file) = &options.json {
        write_json(file, &json!({ "comparison": comparison, "broken": broken }))?;
    }
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
