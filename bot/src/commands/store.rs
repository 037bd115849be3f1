//! `frontdesk store`.

use anyhow::Context;
use clap::{Args, Subcommand};
use crm::copy::copy;
use crm::{Location, Store};

use super::open_store;
use crate::config::Config;

#[derive(Debug, Args)]
pub(crate) struct StoreArgs {
    #[command(subcommand)]
    action: Action,
}

/// What to do with the store.
#[derive(Debug, Subcommand)]
enum Action {
    /// Copy the whole store into another, empty one, and compare both table by table
    Copy {
        /// `postgres://USER@HOST/DATABASE`, or a path of an SQLite file
        #[arg(long, value_name = "URL")]
        to: String,
    },
}

/// Runs the action. Stop the server first: what it stores meanwhile is not copied.
pub(crate) async fn run(config: &Config, args: &StoreArgs) -> anyhow::Result<()> {
    let Action::Copy { to } = &args.action;
    let to: Location = to.parse().context("--to")?;
    let source = open_store(config).await?;
    let target = Store::connect(&to).await?;
    let copied = copy(&source, &target).await;
    source.close().await;
    target.close().await;
    let mut table = comfy_table::Table::new();
    table.set_header(["table", "rows", "SHA-256"]);
    for copied in copied? {
        let rows = copied.rows.to_string();
        table.add_row([copied.table.to_string(), rows, copied.sha256]);
    }
    println!("{table}");
    match &to {
        Location::Server(_) => println!("The copy in {to} is complete; set data.url to it."),
        Location::File(_) => {
            println!("The copy in {to} is complete; serve it as crm.sqlite in data.dir.");
        }
    }
    Ok(())
}
