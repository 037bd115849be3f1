//! `frontdesk deliveries`.

use clap::{Args, Subcommand};
use comfy_table::{Table, presets};
use crm::{Store, Undelivered};

use super::open_store;
use crate::clock::{Clock, SystemClock};
use crate::config::Config;

/// Rows that are shown at most.
const MOST: u32 = 200;

#[derive(Debug, Args)]
pub(crate) struct DeliveriesArgs {
    #[command(subcommand)]
    command: Option<DeliveriesCommand>,
}

#[derive(Debug, Subcommand)]
enum DeliveriesCommand {
    /// Send what was given up once more
    Again {
        /// Of this channel only, such as `telegram/shop`
        #[arg(value_name = "CHANNEL")]
        channel: Option<String>,
    },
}

/// Shows what has not been sent, or makes it due again.
pub(crate) async fn run(config: &Config, args: &DeliveriesArgs) -> anyhow::Result<()> {
    let store = open_store(config).await?;
    let done = match &args.command {
        None => show(&store).await,
        Some(DeliveriesCommand::Again { channel }) => again(&store, channel.as_deref()).await,
    };
    store.close().await;
    done
}

async fn show(store: &Store) -> anyhow::Result<()> {
    let undelivered = store.undelivered(MOST).await?;
    if undelivered.is_empty() {
        println!("everything has been sent");
        return Ok(());
    }
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header([
        "channel",
        "conversation",
        "message",
        "state",
        "tries",
        "why",
    ]);
    for letter in &undelivered {
        table.add_row(row(letter));
    }
    println!("{table}");
    println!("\n`frontdesk deliveries again` sends once more what is dead.");
    Ok(())
}

fn row(letter: &Undelivered) -> [String; 6] {
    [
        letter.channel.clone(),
        letter.conversation.to_string(),
        letter.seq.to_string(),
        letter.state.to_string(),
        letter.tries.to_string(),
        letter.error.clone().unwrap_or_default(),
    ]
}

async fn again(store: &Store, channel: Option<&str>) -> anyhow::Result<()> {
    let again = store.send_again(channel, SystemClock.now()).await?;
    println!("{again} messages are due again; a running server sends them");
    Ok(())
}
