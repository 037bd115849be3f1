//! `frontdesk train`.

use std::path::PathBuf;
use std::time::Instant;

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use understand::{TrainOptions, TuneOptions, read_examples, read_pages, train, train_on_pages};

use crate::config::Config;
use crate::server::load_encoder;

#[derive(Debug, Args)]
pub(crate) struct TrainArgs {
    /// Labelled messages, JSONL: {"text", "intent"?, "sentiment"?, "concern"?, "injection"?} a line
    #[arg(required_unless_present = "pages", value_name = "DATA.jsonl")]
    data: Vec<PathBuf>,
    /// Pages and what is asked of them, JSONL: {"trade", "title", "lines", "questions": [{"text", "before"?,
    /// "answer": [line]}]} a line; trains the heads that tell which lines answer a question
    #[arg(long, value_name = "PAGES.jsonl", conflicts_with = "data")]
    pages: Vec<PathBuf>,
    /// Where to write the trained heads
    #[arg(long, short, default_value = "heads.safetensors", value_name = "FILE")]
    out: PathBuf,
    /// What is trained
    #[arg(long, value_enum, default_value_t = Mode::Head)]
    mode: Mode,
    /// Inverse strength of the L2 penalty: larger trusts the examples more
    #[arg(long, default_value_t = TrainOptions::default().c)]
    c: f32,
    /// Most passes over the examples, in mode full
    #[arg(long, default_value_t = TuneOptions::default().epochs)]
    epochs: usize,
    /// Equal seeds and examples give equal heads, in mode full
    #[arg(long, default_value_t = TuneOptions::default().seed)]
    seed: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// The heads alone: about a minute for 5,000 examples
    Head,
    /// The encoder's last layers, too: half an hour, and a few more messages in a hundred right
    Full,
}

impl TrainArgs {
    fn options(&self) -> TrainOptions {
        let tune = TuneOptions {
            epochs: self.epochs,
            seed: self.seed,
            ..TuneOptions::default()
        };
        TrainOptions {
            c: self.c,
            tune: (self.mode == Mode::Full).then_some(tune),
            ..TrainOptions::default()
        }
    }
}

/// Trains heads, says how they do on what was held out, and writes them.
pub(crate) fn run(config: &Config, args: &TrainArgs) -> anyhow::Result<()> {
    let began = Instant::now();
    let mut examples = Vec::new();
    for path in &args.data {
        examples.extend(read_examples(path)?);
    }
    let encoder = load_encoder(config)?;
    let mut pages = Vec::new();
    for path in &args.pages {
        pages.extend(read_pages(path)?);
    }
    let bar = ProgressBar::new(1000).with_style(ProgressStyle::with_template(
        "{bar:30} {elapsed} of about {duration}  {msg}",
    )?);
    let progress = |done: f32, what: &str| {
        bar.set_position((done * 1000.0) as u64);
        bar.set_message(what.to_owned());
    };
    let trained = if pages.is_empty() {
        train(&encoder, &examples, args.options(), progress)?
    } else {
        train_on_pages(&encoder, &pages, args.options(), progress)?
    };
    bar.finish_and_clear();
    for (head, held_out) in &trained.held_out {
        println!("\n{head}\n{held_out}");
    }
    trained.heads.save(&args.out)?;
    println!(
        "{} {}; {} written in {:.1} s. Use it with understand.heads = \"{}\"",
        if pages.is_empty() {
            examples.len()
        } else {
            pages.len()
        },
        if pages.is_empty() {
            "examples"
        } else {
            "pages"
        },
        args.out.display(),
        began.elapsed().as_secs_f64(),
        args.out.display()
    );
    Ok(())
}
