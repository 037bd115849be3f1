//! `frontdesk bench`.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::{Args, Subcommand, ValueEnum};
use comfy_table::{Table, presets};
use generate::{Engine, EngineConfig, Generator, PromptMessage, Request, Role};
use serde::Serialize;

use crate::bench::{self, Asking, Figures, Kind, Load, Peer, PeerSettings, Round};
use crate::config::Config;
use crate::server::{engine_config, model_store};

/// Between one run and the next.
const REST: Duration = Duration::from_secs(1);
/// Repetitions of a short question that make a long prompt.
const LONG: usize = 60;
/// By then its first step is computed.
const MIDST_OF_READING: Duration = Duration::from_millis(100);

#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// How fast the local model writes: throughput, first tokens, reuse, guesses, cancelling, memory
    Generate(GenerateArgs),
}

#[derive(Debug, Args)]
struct GenerateArgs {
    /// Customers who ask at the same time, 64 at most, each load in turn
    #[arg(long, value_delimiter = ',', default_value = "1,2,4,8",
          value_parser = clap::value_parser!(u8).range(1..=64))]
    clients: Vec<u8>,
    /// What is asked for, and how many questions a conversation has: KIND:TURNS, where replies copy their
    /// facts (`copying`), say what they say (`telling`), or are the model's own words (`free`)
    #[arg(long, value_delimiter = ',', default_value = "copying:1,telling:1,telling:5", value_parser = conversation)]
    conversations: Vec<(Kind, usize)>,
    /// Times that each load is put on, in turn with the others measured
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// Longest reply, in tokens
    #[arg(long, default_value_t = 64)]
    tokens: usize,
    /// llama.cpp's llama-server, measured side by side with the same model, context and threads
    #[arg(long, value_name = "PROGRAM")]
    peer: Option<PathBuf>,
    /// Conversations that the peer writes for at once
    #[arg(long, default_value_t = 4)]
    peer_slots: usize,
    /// Writes all figures to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Reads KIND:TURNS.
fn conversation(text: &str) -> Result<(Kind, usize), String> {
    let (kind, turns) = text
        .split_once(':')
        .ok_or("write KIND:TURNS, as in copying:5")?;
    let kind = Kind::from_str(kind, true)?;
    let turns: NonZeroUsize = turns.parse().map_err(|_| "TURNS is a number from 1")?;
    Ok((kind, turns.get()))
}

/// Who writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Server {
    Frontdesk,
    WithoutGuesses,
    Peer,
}

impl Server {
    fn name(self) -> &'static str {
        match self {
            Self::Frontdesk => "frontdesk",
            Self::WithoutGuesses => "without guesses",
            Self::Peer => "llama-server",
        }
    }

    /// Ours is asked the same by another company's customers when it is not to guess: it knows the first
    /// one's prompts.
    fn asking(self) -> Asking {
        let (company, speculate) = match self {
            Self::Frontdesk | Self::Peer => ("Harbour & Pine", true),
            Self::WithoutGuesses => ("Harbour & Oak", false),
        };
        Asking { company, speculate }
    }
}

/// One load on one server.
#[derive(Serialize)]
struct Run {
    server: Server,
    load: Load,
    figures: Figures,
    /// Tokens a second, as a multiple of the peer's: the median of rounds side by side.
    times_peer: Option<f64>,
}

/// All that was measured.
#[derive(Serialize)]
struct Report {
    /// What it was measured on.
    device: String,
    /// Tokens of a step, and milliseconds.
    pace: Vec<(usize, f64)>,
    runs: Vec<Run>,
    /// Milliseconds from giving a reply up while it is written to its slot being free, each.
    cancel_ms: Vec<f64>,
    /// The same while its prompt is read.
    cancel_reading_ms: Vec<f64>,
    /// Tokens of a step, on average.
    batch_tokens: f64,
    /// Time beside the model in steps, as a share of all of it.
    scheduling: f64,
    /// Megabytes of this process.
    resident_mb: Option<f64>,
    /// Megabytes of it beyond the model file, the KV cache and what is kept of conversations; where all
    /// of them lie in it.
    beyond_mb: Option<f64>,
    peer_resident_mb: Option<f64>,
}

pub(crate) async fn run(config: &Config, args: &BenchArgs) -> anyhow::Result<()> {
    match &args.what {
        What::Generate(args) => generate(config, args).await,
    }
}

async fn generate(config: &Config, args: &GenerateArgs) -> anyhow::Result<()> {
    let settings = engine_config(config, &model_store(config)?)?;
    let engine = Engine::start(settings.clone())?;
    let peer = match &args.peer {
        None => None,
        Some(program) => Some(
            Peer::start(&PeerSettings {
                program,
                model: &settings.model,
                context_tokens: engine.stats().context_tokens,
                slots: args.peer_slots,
                threads: settings.threads(),
                kept_mib: settings.kept_bytes >> 20,
            })
            .await?,
        ),
    };
    let ours: Arc<dyn Generator> = Arc::new(engine.clone());
    let mut servers = vec![
        (Server::Frontdesk, Arc::clone(&ours)),
        (Server::WithoutGuesses, ours),
    ];
    servers.extend(peer.as_ref().map(|peer| (Server::Peer, peer.generator())));
    let runs = measure(&servers, args).await?;
    let report = Report {
        runs,
        cancel_ms: cancel(&engine, Leaving::WhileWritten).await?,
        cancel_reading_ms: cancel(&engine, Leaving::WhileRead).await?,
        ..report(&settings, &engine, peer.as_ref())
    };
    print(&report);
    if let Some(file) = &args.json {
        let text = serde_json::to_string_pretty(&report)?;
        std::fs::write(file, text)
            .with_context(|| format!("{} cannot be written", file.display()))?;
    }
    Ok(())
}

/// What engine and peer tell of themselves.
fn report(settings: &EngineConfig, engine: &Engine, peer: Option<&Peer>) -> Report {
    let stats = engine.stats();
    let pace = stats.pace.iter();
    let total = (stats.computing + stats.scheduling).as_secs_f64();
    let model = std::fs::metadata(&settings.model).map_or(0, |file| file.len());
    let held = stats.cache_bytes + stats.kept_bytes;
    let expected_mb = (model as f64 + held as f64) / 1e6;
    let resident_mb = bench::resident_megabytes(None);
    let beyond_mb = resident_mb.map(|resident| resident - expected_mb);
    Report {
        device: stats.device,
        pace: pace
            .map(|(size, time)| (*size, milliseconds(*time)))
            .collect(),
        runs: Vec::new(),
        cancel_ms: Vec::new(),
        cancel_reading_ms: Vec::new(),
        batch_tokens: stats.tokens as f64 / stats.steps.max(1) as f64,
        scheduling: stats.scheduling.as_secs_f64() / total,
        resident_mb,
        // What lies on a graphics card is none of this process's memory.
        beyond_mb: beyond_mb.filter(|beyond| *beyond >= 0.0),
        peer_resident_mb: peer.and_then(|peer| bench::resident_megabytes(Some(peer.pid()))),
    }
}

/// Every load on every server, round by round: who else works on this machine then slows all of them.
async fn measure(
    servers: &[(Server, Arc<dyn Generator>)],
    args: &GenerateArgs,
) -> anyhow::Result<Vec<Run>> {
    let mut runs = Vec::new();
    // Customers of each run are others than the last one's: what they say is not known yet.
    let mut number = 0;
    for (kind, turns) in &args.conversations {
        for clients in &args.clients {
            let load = Load {
                clients: usize::from(*clients),
                turns: *turns,
                kind: *kind,
                max_tokens: args.tokens,
            };
            let mut rounds: Vec<Vec<Round>> = servers.iter().map(|_| Vec::new()).collect();
            for round in 0..usize::from(args.rounds) {
                number += 1;
                // Who comes first, after others' work, has it harder.
                for turn in 0..servers.len() {
                    let turn = (turn + round) % servers.len();
                    let ((server, generator), rounds) = (&servers[turn], &mut rounds[turn]);
                    warm(*server, generator, args).await?;
                    // The last one's threads may still be spinning.
                    tokio::time::sleep(REST).await;
                    rounds.push(bench::run(generator, load, server.asking(), number).await?);
                }
            }
            let figures = rounds.iter().map(|rounds| Figures::of(rounds));
            runs.extend(compared(servers, load, figures.collect()));
        }
    }
    Ok(runs)
}

/// Everybody knows the rules before the clock starts, as after the first customer of a day. The peer reads them
/// for each slot anew.
async fn warm(
    server: Server,
    generator: &Arc<dyn Generator>,
    args: &GenerateArgs,
) -> anyhow::Result<()> {
    let warming = Load {
        clients: match server {
            Server::Peer => args.peer_slots,
            Server::Frontdesk | Server::WithoutGuesses => 1,
        },
        turns: 1,
        kind: Kind::Free,
        max_tokens: 1,
    };
    bench::run(generator, warming, server.asking(), 0).await?;
    Ok(())
}

/// One load's figures of every server.
fn compared(
    servers: &[(Server, Arc<dyn Generator>)],
    load: Load,
    figures: Vec<Figures>,
) -> Vec<Run> {
    let peer = servers
        .iter()
        .position(|(server, _)| *server == Server::Peer);
    let peer = peer.and_then(|peer| figures.get(peer)).cloned();
    let runs = servers.iter().zip(figures).map(|((server, _), figures)| {
        let times_peer = peer.as_ref().map(|peer| figures.times(peer));
        eprintln!(
            "{} {:?} {} x {}: {:.1} tokens/s, first {:.2} s",
            server.name(),
            load.kind,
            load.turns,
            load.clients,
            figures.tokens_per_second,
            figures.first_token_p50
        );
        Run {
            server: *server,
            load,
            figures,
            times_peer,
        }
    });
    runs.collect()
}

/// When a reply is given up.
#[derive(Clone, Copy, Debug)]
enum Leaving {
    WhileWritten,
    /// While the prompt is read, which takes several steps.
    WhileRead,
}

/// How long a slot stays taken after its reply is given up, in milliseconds, a few times.
async fn cancel(engine: &Engine, leaving: Leaving) -> anyhow::Result<Vec<f64>> {
    let mut waits = Vec::new();
    for number in 0..5 {
        let question = format!("Count from {number} to a thousand, in words.");
        let message = PromptMessage {
            role: Role::User,
            content: match leaving {
                Leaving::WhileWritten => question,
                // No other prompt begins like this.
                Leaving::WhileRead => format!("{number}. {}", question.repeat(LONG)),
            },
        };
        let mut reply = engine.generate(Request::new(vec![message], 200)).await?;
        match leaving {
            Leaving::WhileWritten => {
                for _ in 0..3 {
                    reply.next().await;
                }
            }
            Leaving::WhileRead => tokio::time::sleep(MIDST_OF_READING).await,
        }
        let begun = Instant::now();
        drop(reply);
        while engine.stats().running > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        waits.push(milliseconds(begun.elapsed()));
    }
    Ok(waits)
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn print(report: &Report) {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header([
        "replies",
        "turns",
        "clients",
        "server",
        "tokens/s",
        "x peer",
        "first p50 s",
        "p95 s",
        "queued p95 s",
        "reused",
        "of repeated",
        "guessed",
        "right",
    ]);
    for Run {
        server,
        load,
        figures,
        times_peer,
    } in &report.runs
    {
        let share = |part: usize, all: usize| match all {
            0 => "-".to_owned(),
            all => format!("{:.0} %", 100.0 * part as f64 / all as f64),
        };
        table.add_row([
            format!("{:?}", load.kind).to_lowercase(),
            load.turns.to_string(),
            load.clients.to_string(),
            server.name().to_owned(),
            format!("{:.1}", figures.tokens_per_second),
            times_peer.map_or_else(|| "-".to_owned(), |times| format!("{times:.2}")),
            format!("{:.2}", figures.first_token_p50),
            format!("{:.2}", figures.first_token_p95),
            match server {
                Server::Peer => "-".to_owned(),
                Server::Frontdesk | Server::WithoutGuesses => format!("{:.2}", figures.queued_p95),
            },
            share(figures.reused_tokens, figures.prompt_tokens),
            share(figures.repeated_reused, figures.repeated_tokens),
            share(figures.drafted_tokens, figures.output_tokens),
            share(figures.accepted_tokens, figures.drafted_tokens),
        ]);
    }
    println!("{table}\n");
    println!("computed with {}", report.device);
    let pace = report.pace.iter();
    let pace: Vec<_> = pace.map(|(size, ms)| format!("{size}: {ms:.0}")).collect();
    println!("a step of so many tokens, ms: {}", pace.join(", "));
    let list = |values: &[f64]| {
        let values = values.iter().map(|ms| format!("{ms:.0}"));
        values.collect::<Vec<_>>().join(", ")
    };
    println!(
        "from giving a reply up to a free slot, ms: {}; while its prompt is read: {}",
        list(&report.cancel_ms),
        list(&report.cancel_reading_ms)
    );
    println!(
        "steps: {:.1} tokens on average, scheduling takes {:.2} % of their time",
        report.batch_tokens,
        report.scheduling * 100.0
    );
    if let Some(all) = report.resident_mb {
        let beyond = report
            .beyond_mb
            .map(|beyond| format!(", {beyond:.0} MB beyond model file, KV cache and kept states"));
        println!("memory: {all:.0} MB{}", beyond.unwrap_or_default());
    }
    if let Some(peer) = report.peer_resident_mb {
        println!("memory of llama-server: {peer:.0} MB");
    }
}
