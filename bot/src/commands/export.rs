//! `frontdesk export`.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, ValueEnum};
use crm::export::{self, What};

use super::open_store;
use crate::config::Config;

/// What to write.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Records {
    /// Customers
    Customers,
    /// Products with their variants
    Products,
    /// Orders with their items
    Orders,
    /// Knowledge documents
    Knowledge,
    /// Conversations, each with its messages, outcomes and rating
    Conversations,
    /// What happened: conversations opened, handed over, rated, closed, customers erased
    Events,
}

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// What to export, as JSON Lines
    what: Records,
    /// The file to write; the terminal when absent
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Writes the records; `frontdesk import` reads the company's again.
pub(crate) async fn run(config: &Config, args: &ExportArgs) -> anyhow::Result<()> {
    let what = match args.what {
        Records::Customers => What::Customers,
        Records::Products => What::Products,
        Records::Orders => What::Orders,
        Records::Knowledge => What::Knowledge,
        Records::Conversations => What::Conversations,
        Records::Events => What::Events,
    };
    let store = open_store(config).await?;
    let mut output: Box<dyn Write + Send> = match &args.output {
        Some(path) => {
            let file = File::create(path)
                .with_context(|| format!("{} cannot be written", path.display()))?;
            Box::new(BufWriter::new(file))
        }
        None => Box::new(BufWriter::new(io::stdout())),
    };
    let written = export::export(&store, what, &mut *output).await?;
    store.close().await;
    eprintln!("exported {written}");
    Ok(())
}
