//! What the server does on the side: takes changes of the store into the index and the catalogue,
//! and builds the index anew when `frontdesk index` asks for it.

use std::sync::Arc;
use std::time::Duration;

use retrieval::Progress;
use serde_json::json;

use crm::Store;

use crate::app::App;
use crate::desk::Catalogue;
use crate::library::{Library, LibraryError, REBUILD_DONE, REBUILD_REQUESTED};
use crate::turn::Services;

/// Time between two looks at the change feed.
const INTERVAL: Duration = Duration::from_secs(2);

/// Starts the task; it ends with the server.
pub(crate) fn start(app: &App) {
    let (store, library, services) = (
        app.store.clone(),
        Arc::clone(&app.library),
        Arc::clone(&app.services),
    );
    let shutdown = app.shutdown.clone();
    app.tracker.spawn(async move {
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(INTERVAL) => {}
            }
            if let Err(error) = look(&store, &library, &services).await {
                tracing::error!("the index could not be brought up to date: {error}");
            }
        }
    });
}

async fn look(store: &Store, library: &Library, services: &Services) -> Result<(), LibraryError> {
    let requested = store.index_mark(REBUILD_REQUESTED).await?;
    if requested.is_some() && requested != store.index_mark(REBUILD_DONE).await? {
        tracing::info!("building the index anew");
        library.rebuild(&show_progress).await?;
        store
            .set_index_mark(REBUILD_DONE, &requested.unwrap_or_else(|| json!(null)))
            .await?;
        tracing::info!("the new index is in use");
    }
    let report = library.sync(&|_| {}).await?;
    if report.is_empty() {
        return Ok(());
    }
    tracing::info!(
        documents = report.documents,
        products = report.products,
        customers = report.customers,
        "the index has taken in changes"
    );
    if report.products > 0 {
        let catalogue = Catalogue::new(
            library.all_products().await?,
            services.settings.voice.prompts().own_pack(),
        );
        *services.catalogue.write() = Arc::new(catalogue);
    }
    Ok(())
}

/// Logs how far a long piece of indexing is.
pub(crate) fn show_progress(progress: Progress) {
    if progress.total > 200 {
        tracing::info!("indexed {} of {}", progress.done, progress.total);
    }
}
