//! `frontdesk-evals`: replays labelled dialogues against Frontdesk, compares the results, and
//! measures idle connections.

mod cli;
mod commands;

use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;

use cli::{Cli, Command};

/// What is logged unless `RUST_LOG` says otherwise. The index engine warns of its own defaults.
const USUAL_LOG: &str = "warn,qdrant_edge=error";

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let cli = Cli::parse();
    // Output piped into `head` ends the program, as it does any other.
    sigpipe::reset();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(USUAL_LOG));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    match cli.command {
        Command::Replay(options) => commands::replay::run(options).await?,
        Command::Retrieve(options) => commands::retrieve::run(options).await?,
        Command::Facts(options) => commands::facts::run(options).await?,
        Command::Connections(options) => commands::connections::run(options).await?,
        Command::Classify(options) => commands::classify::run(&options)?,
        Command::Guard(options) => commands::guard::run(&options)?,
        Command::Compare(options) => return commands::compare::run(&options),
        Command::Publish(options) => return commands::publish::run(&options).await,
    }
    Ok(ExitCode::SUCCESS)
}
