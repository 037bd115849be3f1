//! `frontdesk remove`.

use anyhow::bail;
use clap::{Args, Subcommand};
use crm::{CustomerId, DocumentId, ProductId, Store};

use super::open_store;
use crate::clock::{Clock, SystemClock};
use crate::config::Config;

#[derive(Debug, Args)]
pub(crate) struct RemoveArgs {
    #[command(subcommand)]
    what: What,
}

/// What to remove.
#[derive(Debug, Subcommand)]
enum What {
    /// Withdraw articles: a running server stops quoting them within seconds
    Article {
        /// Their ids
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
    },
    /// Withdraw products; orders keep what they say of them
    Product {
        /// Their ids
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
    },
    /// Erase a customer: profile, orders, identities, and all their conversations, for good
    Customer {
        /// The customer's id
        id: String,
        /// Do it: without this, nothing is erased
        #[arg(long)]
        yes: bool,
    },
}

/// Removes, and says how much.
pub(crate) async fn run(config: &Config, args: &RemoveArgs) -> anyhow::Result<()> {
    let store = open_store(config).await?;
    let done = remove(&store, &args.what).await;
    store.close().await;
    done
}

async fn remove(store: &Store, what: &What) -> anyhow::Result<()> {
    match what {
        What::Article { ids } => {
            let ids: Vec<DocumentId> = ids.iter().map(|id| DocumentId(id.clone())).collect();
            report("articles", store.remove_documents(&ids).await?, ids.len())
        }
        What::Product { ids } => {
            let ids: Vec<ProductId> = ids.iter().map(|id| ProductId(id.clone())).collect();
            report("products", store.remove_products(&ids).await?, ids.len())
        }
        What::Customer { id, yes } => erase(store, &CustomerId(id.clone()), *yes).await,
    }
}

fn report(what: &str, removed: u64, named: usize) -> anyhow::Result<()> {
    println!("removed {removed} of {named} {what}");
    if removed == 0 {
        bail!("there are no {what} of these ids; `frontdesk export` lists those that there are");
    }
    Ok(())
}

async fn erase(store: &Store, id: &CustomerId, sure: bool) -> anyhow::Result<()> {
    if !sure {
        bail!("this erases customer {id} with orders and conversations for good; add --yes");
    }
    let erased = store.erase_customer(id, SystemClock.now()).await?;
    println!(
        "erased: {} orders, {} identities, {} conversations with {} messages",
        erased.orders, erased.identities, erased.conversations, erased.messages
    );
    if !erased.customer && erased.conversations == 0 {
        bail!("there is no customer {id}");
    }
    Ok(())
}
