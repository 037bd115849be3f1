//! `frontdesk train`.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use understand::{TrainOptions, read_examples, train};

use crate::config::Config;
use crate::server::{load_encoder, model_store};

#[derive(Debug, Args)]
pub(crate) struct TrainArgs {
    /// Labelled messages, JSONL: {"text", "intent"?, "sentiment"?, "concern"?} a line
    #[arg(required = true, value_name = "DATA.jsonl")]
    data: Vec<PathBuf>,
    /// Where to write the trained heads
    #[arg(long, short, default_value = "heads.safetensors", value_name = "FILE")]
    out: PathBuf,
    /// Inverse strength of the L2 penalty: larger trusts the examples more
    #[arg(long, default_value_t = TrainOptions::default().c)]
    c: f32,
}

/// Trains heads, says how they do on what was held out, and writes them.
pub(crate) fn run(config: &Config, args: &TrainArgs) -> anyhow::Result<()> {
    let began = Instant::now();
    let mut examples = Vec::new();
    for path in &args.data {
        examples.extend(read_examples(path)?);
    }
    let encoder = load_encoder(&model_store(config)?)?;
    let options = TrainOptions {
        c: args.c,
        ..TrainOptions::default()
    };
    let mut told = 0;
    let trained = train(&encoder, &examples, options, |done, what| {
        let percent = (done * 100.0) as u32;
        if percent >= told + 10 || done >= 1.0 {
            told = percent;
            eprintln!("{percent:>3} %  {what}");
        }
    })?;
    for (head, held_out) in &trained.held_out {
        println!("\n{head}\n{held_out}");
    }
    trained.heads.save(&args.out)?;
    println!(
        "{} examples; {} written in {:.1} s. Use it with understand.heads = \"{}\"",
        examples.len(),
        args.out.display(),
        began.elapsed().as_secs_f64(),
        args.out.display()
    );
    Ok(())
}
