//! The command-line interface.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use evals::budget;
use evals::worlds::World;
use understand::{TrainOptions, TuneOptions};

/// Measures Frontdesk.
#[derive(Debug, Parser)]
#[command(name = "frontdesk-evals", version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Plays labelled dialogues through a server of its own and checks every turn.
    Replay(Replay),
    /// Says how well the documents are found that hold the answers, each way of searching apart.
    Retrieve(Retrieve),
    /// Says how much of what was found a model must be given for the answer to be in it.
    Facts(Facts),
    /// Trains a head on labelled messages, or takes trained ones, and judges it on others.
    Classify(Classify),
    /// Says which true sentences the guard withholds, and which false ones it lets pass.
    Guard(Guard),
    /// Says what got better and worse between two replays of the same dialogues.
    Compare(Compare),
    /// Replays dialogues with a change and without it, and puts it live unless it makes them worse.
    Publish(Publish),
    /// Opens idle connections to a running server and weighs its process.
    Connections(Connections),
}

/// What is played, and where.
#[derive(Debug, Args)]
pub(crate) struct Stage {
    /// File of dialogues: Frontdesk's own (.jsonl), Rasa's tests (.yml), SGD's or CrossWOZ's (.json).
    pub(crate) dialogues: PathBuf,
    #[command(flatten)]
    pub(crate) place: Place,
    /// Folder that holds the world's folder.
    #[arg(long, conflicts_with_all = ["own", "url"])]
    pub(crate) data: Option<PathBuf>,
    /// Plays the dialogues' translation, a file beside them: `dialogues.de.jsonl` for `de`.
    #[arg(long, value_name = "TAG")]
    pub(crate) language: Option<String>,
    /// Plays at most so many dialogues.
    #[arg(long)]
    pub(crate) limit: Option<usize>,
    /// Plays only the dialogues of these ids.
    #[arg(long, value_delimiter = ',')]
    pub(crate) only: Vec<String>,
    /// Names of intents in another program's file, each with ours (TOML: `greet = "greeting"`).
    #[arg(long, value_name = "FILE")]
    pub(crate) intents: Option<PathBuf>,
    /// Configuration file of the server.
    #[arg(long)]
    pub(crate) config: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// What answers: one of them.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Place {
    /// World whose dialogues are played; those of others are passed over.
    #[arg(long, value_enum)]
    pub(crate) world: Option<World>,
    /// Data folder of one's own, of whose records a copy is made; conversations are left out.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) own: Option<PathBuf>,
    /// The chat of a running server (`ws://127.0.0.1:8080/v1/chat`), which will keep the conversations.
    #[arg(long)]
    pub(crate) url: Option<String>,
}

/// Where results go beside the terminal.
#[derive(Debug, Args)]
pub(crate) struct Output {
    /// File to write all figures to.
    #[arg(long)]
    pub(crate) json: Option<PathBuf>,
    /// File to write a report to, for a browser.
    #[arg(long)]
    pub(crate) html: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Retrieve {
    #[command(flatten)]
    pub(crate) stage: Stage,
}

#[derive(Debug, Args)]
pub(crate) struct Facts {
    #[command(flatten)]
    pub(crate) stage: Stage,
    /// Numbers of characters that are tried beside the one that is set.
    #[arg(long, value_delimiter = ',', default_values_t = budget::USUAL)]
    pub(crate) characters: Vec<usize>,
}

#[derive(Debug, Args)]
pub(crate) struct Replay {
    #[command(flatten)]
    pub(crate) stage: Stage,
    /// Reply model: a name from the list of models, a path, or `owner/repository/file.gguf`.
    #[arg(long)]
    pub(crate) model: Option<String>,
    /// Empty folder to leave the server's data in.
    #[arg(long, conflicts_with = "url")]
    pub(crate) keep: Option<PathBuf>,
    /// Data folder of the running server, where it is on this machine: only its store knows what a
    /// message was taken for and what was found.
    #[arg(long, value_name = "FOLDER", requires = "url", conflicts_with_all = ["world", "own"])]
    pub(crate) records: Option<PathBuf>,
    /// File of the running server's `auth.secret`, to sign customers in.
    #[arg(long, value_name = "FILE", requires = "url", conflicts_with_all = ["world", "own"])]
    pub(crate) secret_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Classify {
    /// Labelled messages to train on, JSONL; may be repeated.
    #[arg(long, required_unless_present = "heads")]
    pub(crate) train: Vec<PathBuf>,
    /// Labelled messages to judge, JSONL; a fifth of those to train on when absent.
    #[arg(long, required_unless_present = "train")]
    pub(crate) test: Vec<PathBuf>,
    /// Field of the label: `intent`, `sentiment`, or any other.
    #[arg(long, value_name = "FIELD")]
    pub(crate) label: String,
    /// Takes only messages whose field has this value (`language=en`); may be repeated.
    #[arg(long = "where", value_name = "FIELD=VALUE", value_parser = field_value)]
    pub(crate) only: Vec<(String, String)>,
    /// Trained heads to judge, in place of training.
    #[arg(long, conflicts_with = "train")]
    pub(crate) heads: Option<PathBuf>,
    /// Inverse strength of the L2 penalty.
    #[arg(long, default_value_t = TrainOptions::default().c)]
    pub(crate) c: f32,
    /// Tunes the encoder's last layers, too.
    #[arg(long, conflicts_with = "heads")]
    pub(crate) full: bool,
    /// Most passes over the training messages where layers are tuned.
    #[arg(long, default_value_t = TuneOptions::default().epochs, requires = "full")]
    pub(crate) epochs: usize,
    /// File to write the trained heads to.
    #[arg(long, conflicts_with = "heads")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct Guard {
    /// World whose documents the sentences are about.
    #[arg(long, value_enum)]
    pub(crate) world: World,
    /// Folder that holds the world's folder.
    #[arg(long)]
    pub(crate) data: Option<PathBuf>,
    /// File of cases, one JSON object a line; else they are made of the documents by a program.
    #[arg(long)]
    pub(crate) cases: Option<PathBuf>,
    /// Most cases of a kind that are made.
    #[arg(long, default_value_t = 300, conflicts_with = "cases")]
    pub(crate) most: usize,
    /// Mistakes that are printed.
    #[arg(long, default_value_t = 40)]
    pub(crate) mistakes: usize,
    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct Compare {
    /// The replay before the change: a file that `replay --json` wrote.
    pub(crate) before: PathBuf,
    /// The replay after it.
    pub(crate) after: PathBuf,
    /// File of gates; the exit code is 1 when one is broken.
    #[arg(long)]
    pub(crate) gates: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct Publish {
    /// File of labelled dialogues that must not get worse.
    pub(crate) dialogues: PathBuf,
    /// Articles that are new or changed: CSV, JSONL, or a folder of Markdown files; may be repeated.
    #[arg(long, value_name = "PATH")]
    pub(crate) knowledge: Vec<PathBuf>,
    /// Configuration file that is to take the live one's place, with its prompts, heads and models.
    #[arg(long, value_name = "FILE")]
    pub(crate) candidate: Option<PathBuf>,
    /// The live configuration file.
    #[arg(long, short, env = "FRONTDESK_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The live data folder, where the configuration does not name it.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// File of gates, in place of the usual ones.
    #[arg(long, value_name = "FILE")]
    pub(crate) gates: Option<PathBuf>,
    /// Shows before and after, and changes nothing.
    #[arg(long)]
    pub(crate) rehearse: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct Connections {
    /// The chat (`ws://127.0.0.1:8080/v1/chat`).
    #[arg(long)]
    pub(crate) url: String,
    /// How many connections.
    #[arg(long, default_value_t = 10_000)]
    pub(crate) count: usize,
    /// Id of the server's process.
    #[arg(long)]
    pub(crate) pid: u32,
}

fn field_value(text: &str) -> Result<(String, String), String> {
    let parts = text.split_once('=').ok_or("write FIELD=VALUE")?;
    Ok((parts.0.to_owned(), parts.1.to_owned()))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn dialogues_are_played_in_one_place() {
        let parse = |places: &[&str]| {
            let start = ["frontdesk-evals", "replay", "d.jsonl"];
            Cli::try_parse_from(start.iter().chain(places)).map(|_| ())
        };
        assert!(parse(&["--world", "shop"]).is_ok());
        assert!(parse(&["--url", "ws://127.0.0.1:1/v1/chat", "--records", "data"]).is_ok());
        assert!(parse(&[]).is_err());
        assert!(parse(&["--world", "shop", "--own", "data"]).is_err());
        assert!(parse(&["--world", "shop", "--records", "data"]).is_err());
    }
}
