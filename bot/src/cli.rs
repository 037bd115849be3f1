//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Parser, Subcommand};

use crate::commands;
use crate::config::Config;

/// A customer-service chatbot server that runs on your own machine.
#[derive(Debug, Parser)]
#[command(name = "frontdesk", version)]
pub struct Cli {
    #[command(flatten)]
    settings: Settings,
    #[command(subcommand)]
    command: Command,
}

/// Settings that every command knows.
#[derive(Debug, Args)]
struct Settings {
    /// Configuration file (TOML); `FRONTDESK__SECTION__KEY` and flags win over it
    #[arg(
        long,
        short,
        global = true,
        env = "FRONTDESK_CONFIG",
        value_name = "FILE"
    )]
    config: Option<PathBuf>,
    /// Folder of the CRM store and the index [default: data]
    #[arg(long, global = true, value_name = "DIR")]
    data: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the server
    Run(RunArgs),
    /// Import customers, products, orders or knowledge from CSV, JSONL or a folder of Markdown
    Import(commands::import::ImportArgs),
    /// Write records as JSON Lines
    Export(commands::export::ExportArgs),
    /// Withdraw articles or products, or erase a customer's data
    Remove(commands::remove::RemoveArgs),
    /// Move the CRM store between SQLite and PostgreSQL
    Store(commands::store::StoreArgs),
    /// Show the messages that no platform has taken yet, or send them once more
    Deliveries(commands::deliveries::DeliveriesArgs),
    /// Build the search index anew beside the one in use, and switch over
    Index,
    /// Train the classifier's heads on your own labelled messages
    Train(commands::train::TrainArgs),
    /// List the model files, or fetch them
    Models(commands::models::ModelsArgs),
    /// Check or show the configuration
    Config(commands::config::ConfigArgs),
    /// Replay labelled dialogues without a change and with it, and put it live unless it makes them worse
    Publish(commands::publish::PublishArgs),
    /// Measure this machine
    Bench(commands::bench::BenchArgs),
    /// Sign a customer token, as your shop's backend would
    Token(commands::token::TokenArgs),
}

#[derive(Debug, Args)]
struct RunArgs {
    /// Address and port to listen on [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Serve the demo page, with the world in this folder loaded into an empty store
    #[arg(long, value_name = "DIR")]
    demo: Option<PathBuf>,
}

impl Cli {
    /// Runs the command.
    ///
    /// # Errors
    /// What the command failed at, as sentences for the terminal.
    pub fn run(self) -> anyhow::Result<()> {
        // Output piped into `head` ends a command, as it does any other; the server outlives its readers.
        if !matches!(self.command, Command::Run(_)) {
            sigpipe::reset();
        }
        let flags = self.flags();
        let config = Config::load(self.settings.config.as_deref(), &flags)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .context("the async runtime cannot be started")?;
        runtime.block_on(async {
            match self.command {
                Command::Run(_) => commands::run::run(config).await,
                Command::Import(args) => commands::import::run(&config, &args).await,
                Command::Export(args) => commands::export::run(&config, &args).await,
                Command::Remove(args) => commands::remove::run(&config, &args).await,
                Command::Store(args) => commands::store::run(&config, &args).await,
                Command::Deliveries(args) => commands::deliveries::run(&config, &args).await,
                Command::Index => commands::index::run(&config).await,
                Command::Train(args) => commands::train::run(&config, &args),
                Command::Models(args) => commands::models::run(&config, &args),
                Command::Config(args) => commands::config::run(&config, &args),
                Command::Publish(args) => {
                    let Settings { config, data } = &self.settings;
                    commands::publish::run(config.as_ref(), data.as_ref(), &args)
                }
                Command::Bench(args) => commands::bench::run(&config, &args).await,
                Command::Token(args) => commands::token::run(&config, &args),
            }
        })
    }

    /// What the flags set, as a table laid over file and environment.
    fn flags(&self) -> toml::Table {
        let mut flags = toml::Table::new();
        let mut set = |section: &str, key: &str, value: toml::Value| {
            let table = flags
                .entry(section)
                .or_insert_with(|| toml::Table::new().into());
            if let Some(table) = table.as_table_mut() {
                table.insert(key.to_owned(), value);
            }
        };
        let path = |path: &PathBuf| path.to_string_lossy().into_owned().into();
        if let Some(data) = &self.settings.data {
            set("data", "dir", path(data));
        }
        if let Command::Run(args) = &self.command {
            if let Some(listen) = args.listen {
                set("server", "listen", listen.to_string().into());
            }
            if let Some(world) = &args.demo {
                set("demo", "enabled", true.into());
                set("demo", "world", path(world));
            }
        }
        flags
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn what_follows_publish_is_the_tools() {
        let arguments = [
            "--data",
            "d",
            "publish",
            "own.jsonl",
            "--knowledge",
            "new/",
            "--help",
        ];
        let cli = Cli::parse_from(["frontdesk"].iter().chain(&arguments));
        assert_eq!(cli.settings.data, Some(PathBuf::from("d")));
        assert!(matches!(cli.command, Command::Publish(_)));
    }

    #[test]
    fn flags_become_settings() {
        let cli = Cli::parse_from([
            "frontdesk",
            "--data",
            "d",
            "run",
            "--listen",
            "127.0.0.1:1",
            "--demo",
            "w",
        ]);
        let config = Config::load(None, &cli.flags()).unwrap();
        assert_eq!(config.server.listen.port(), 1);
        assert!(config.demo.enabled);
        assert_eq!(config.data.dir, PathBuf::from("d"));
    }
}
