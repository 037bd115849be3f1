//! `frontdesk index`.

use std::time::{Duration, Instant};

use anyhow::bail;
use crm::Store;
use retrieval::StoreError;
use serde_json::json;

use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::library::{Library, LibraryError, REBUILD_DONE, REBUILD_REQUESTED};
use crate::server::{load_encoder, load_prompts};

/// Longest wait for a running server to build the index.
const MOST_WAIT: Duration = Duration::from_secs(30 * 60);

/// Builds the index anew: itself, or by asking the server that has it open.
pub(crate) async fn run(config: &Config) -> anyhow::Result<()> {
    let store = super::open_store(config).await?;
    let encoder = load_encoder(config)?;
    let began = Instant::now();
    let boundaries = load_prompts(config)?.own_pack().boundaries().clone();
    match Library::open(config, store.clone(), encoder, boundaries).await {
        Ok(library) => {
            library
                .rebuild(&|progress| eprintln!("  {} of {}", progress.done, progress.total))
                .await?;
        }
        Err(LibraryError::Store(StoreError::InUse { .. })) => ask_server(&store).await?,
        Err(error) => return Err(error.into()),
    }
    let counts = store.counts().await?;
    println!(
        "indexed in {3:.1} s: documents {0}, products {1}, customers {2}",
        counts.documents,
        counts.products,
        counts.customers,
        began.elapsed().as_secs_f64()
    );
    store.close().await;
    Ok(())
}

/// The server goes on answering from the old index while it builds the new one.
async fn ask_server(store: &Store) -> anyhow::Result<()> {
    eprintln!("a server has this index open; asking it to build the new one");
    let request = json!({ "id": SystemClock.id() });
    store.set_index_mark(REBUILD_REQUESTED, &request).await?;
    let began = Instant::now();
    while began.elapsed() < MOST_WAIT {
        tokio::time::sleep(Duration::from_millis(500)).await;
        if store.index_mark(REBUILD_DONE).await?.as_ref() == Some(&request) {
            return Ok(());
        }
    }
    bail!("the server has not built the index within half an hour; its log says why")
}
