//! The second half of an import: what was read goes into the store, some at a time.

use std::path::Path;

use super::{Batch, ImportError, Kind, Mapping, Records, Rejection, Report, read};
use crate::store::Store;
use crate::types::Order;

/// Records stored in one transaction: enough to be fast, few enough that a customer's message
/// waiting for the writer does not notice.
const RECORDS_A_TRANSACTION: usize = 500;

/// Imports what `path` holds. Importing a file twice changes nothing the second time.
///
/// # Errors
/// [`ImportError`] when nothing of the file can be used, or the store fails midway: what was
/// stored by then stays.
pub async fn import(
    store: &Store,
    kind: Kind,
    path: &Path,
    mapping: &Mapping,
) -> Result<Report, ImportError> {
    let (file, mapping) = (path.to_owned(), mapping.clone());
    let batch = tokio::task::spawn_blocking(move || read(kind, &file, &mapping))
        .await
        .map_err(|_| ImportError::Interrupted)??;
    let report = store_batch(store, path, batch).await?;
    let (accepted, rejected) = (report.accepted, report.rejected.len());
    tracing::info!(%kind, file = %path.display(), accepted, rejected, "imported");
    Ok(report)
}

async fn store_batch(store: &Store, file: &Path, batch: Batch) -> Result<Report, ImportError> {
    let Batch {
        records,
        mut rejected,
        lines,
    } = batch;
    let accepted = match records {
        Records::Customers(customers) => {
            for some in customers.chunks(RECORDS_A_TRANSACTION) {
                store.upsert_customers(some).await?;
            }
            customers.len()
        }
        Records::Products(products) => {
            for some in products.chunks(RECORDS_A_TRANSACTION) {
                store.upsert_products(some).await?;
            }
            products.len()
        }
        Records::Documents(documents) => {
            for some in documents.chunks(RECORDS_A_TRANSACTION) {
                store.upsert_documents(some).await?;
            }
            documents.len()
        }
        Records::Orders(orders) => {
            let (orders, orphans) = part_orphans(store, file, orders, &lines).await?;
            rejected.extend(orphans);
            for some in orders.chunks(RECORDS_A_TRANSACTION) {
                store.upsert_orders(some).await?;
            }
            orders.len()
        }
    };
    rejected.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
    Ok(Report { accepted, rejected })
}

/// Parts the orders of unknown customers, which the store would refuse with all the others.
async fn part_orphans(
    store: &Store,
    file: &Path,
    orders: Vec<Order>,
    lines: &[u64],
) -> Result<(Vec<Order>, Vec<Rejection>), ImportError> {
    let customers: Vec<_> = orders.iter().map(|order| &order.customer).collect();
    let known = store.known_customers(&customers).await?;
    let mut lines = lines.iter().copied();
    let mut orphans = Vec::new();
    let (mut kept, orders) = (Vec::with_capacity(orders.len()), orders);
    for order in orders {
        let line = lines.next();
        if known.contains(&order.customer) {
            kept.push(order);
        } else {
            let reason = format!(
                "order {} belongs to customer {}, who is unknown: import customers first",
                order.id, order.customer
            );
            orphans.push(Rejection {
                file: file.to_owned(),
                line,
                reason,
            });
        }
    }
    Ok((kept, orphans))
}
