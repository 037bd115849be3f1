//! `frontdesk import`.

use std::path::PathBuf;

use anyhow::bail;
use clap::{Args, ValueEnum};
use crm::import::{self, Kind, Mapping};

use crate::config::Config;

/// What the file holds.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum What {
    /// Customers
    Customers,
    /// Products with their variants
    Products,
    /// Orders with their items
    Orders,
    /// Knowledge: CSV, JSONL {id, title, content}, or a folder of Markdown files
    Knowledge,
}

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// What to import
    what: What,
    /// The file, or a folder of Markdown files
    path: PathBuf,
    /// A column that is called otherwise in the file (`--map id=customer_no`); may be repeated
    #[arg(long, value_name = "FIELD=COLUMN")]
    map: Vec<String>,
}

/// Imports, and reports every row that was left out.
pub(crate) async fn run(config: &Config, args: &ImportArgs) -> anyhow::Result<()> {
    let kind = match args.what {
        What::Customers => Kind::Customers,
        What::Products => Kind::Products,
        What::Orders => Kind::Orders,
        What::Knowledge => Kind::Knowledge,
    };
    let mapping = Mapping::parse(&args.map)?;
    let store = super::open_store(config).await?;
    let report = import::import(&store, kind, &args.path, &mapping).await?;
    store.close().await;
    println!(
        "{}: imported {}, left out {}",
        kind.as_str(),
        report.accepted,
        report.rejected.len()
    );
    for rejection in &report.rejected {
        eprintln!("  {rejection}");
    }
    if report.accepted == 0 && !report.rejected.is_empty() {
        bail!("nothing could be imported from {}", args.path.display());
    }
    Ok(())
}
