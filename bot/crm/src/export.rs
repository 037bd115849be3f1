//! The store into files: JSON Lines in the shapes that [`import`](crate::import) reads, and the
//! conversations with everything that belongs to them.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::{Value, json};

use crate::error::CrmError;
use crate::import::native::{Native, encode};
use crate::store::Store;

/// Records read at a time.
const PAGE: u32 = 500;

/// What to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum What {
    /// All customers.
    Customers,
    /// All products.
    Products,
    /// All orders.
    Orders,
    /// All knowledge documents.
    Knowledge,
    /// All conversations, each with its `messages`, `outcomes` and `rating`.
    Conversations,
    /// All events.
    Events,
}

/// Why an export ended early.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] CrmError),
    /// The output did not take what was written.
    #[error("the export cannot be written: check the disk's space and the path")]
    Unwritable(#[from] io::Error),
    /// A record has no JSON shape.
    #[error("record {id} cannot be written as JSON: {reason}")]
    NotJson {
        /// The record.
        id: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// Writes all of `what`, one JSON object a line in order of ids, and gives their number. Records
/// that change meanwhile are written as they were or as they are, each once.
pub async fn export(
    store: &Store,
    what: What,
    output: &mut (dyn Write + Send),
) -> Result<usize, ExportError> {
    let (mut written, mut after) = (0, None::<String>);
    loop {
        let after_id = after.as_deref();
        let page = match what {
            What::Customers => lines(&store.list_customers(after_id, PAGE).await?)?,
            What::Products => lines(&store.list_products(after_id, PAGE).await?)?,
            What::Orders => lines(&store.list_orders(after_id, PAGE).await?)?,
            What::Knowledge => lines(&store.list_documents(after_id, PAGE).await?)?,
            What::Conversations => conversations(store, after_id).await?,
            What::Events => events(store, after_id).await?,
        };
        let Some((last, _)) = page.last() else { break };
        after = Some(last.clone());
        written += page.len();
        for (_, line) in page {
            writeln!(output, "{line}")?;
        }
    }
    output.flush()?;
    Ok(written)
}

/// An id and the JSON of its record.
type Line = (String, Value);

fn lines<T: Native>(records: &[T]) -> Result<Vec<Line>, ExportError> {
    records
        .iter()
        .map(|record| {
            let id = record.id().to_owned();
            match encode(record) {
                Ok(value) => Ok((id, value)),
                Err(reason) => Err(ExportError::NotJson { id, reason }),
            }
        })
        .collect()
}

async fn conversations(store: &Store, after: Option<&str>) -> Result<Vec<Line>, ExportError> {
    let after = after.and_then(|id| id.parse().ok());
    let mut page = Vec::new();
    for conversation in store.list_conversations(after, PAGE).await? {
        let id = conversation.id;
        let whole = json!({
            "conversation": to_json(id, &conversation)?,
            "messages": to_json(id, &store.messages_after(id, 0, u32::MAX).await?)?,
            "outcomes": to_json(id, &store.outcomes(id).await?)?,
            "rating": to_json(id, &store.find_rating(id).await?)?,
        });
        page.push((id.to_string(), whole));
    }
    Ok(page)
}

async fn events(store: &Store, after: Option<&str>) -> Result<Vec<Line>, ExportError> {
    let after = after.and_then(|id| id.parse().ok()).unwrap_or(0);
    let mut page = Vec::new();
    for event in store.events_after(after, PAGE).await? {
        page.push((event.id.to_string(), to_json(event.id, &event)?));
    }
    Ok(page)
}

fn to_json(id: impl ToString, part: &impl Serialize) -> Result<Value, ExportError> {
    serde_json::to_value(part).map_err(|error| ExportError::NotJson {
        id: id.to_string(),
        reason: error.to_string(),
    })
}
