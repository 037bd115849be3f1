//! The store into files: JSON Lines in the shapes that [`import`](crate::import) reads, and the
//! conversations with everything that belongs to them.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::{Value, json};

use crate::error::CrmError;
use crate::import::native::{Native, encode};
use crate::store::Store;
use crate::types::*;

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

fn to_json(id: ConversationId, part: &impl Serialize) -> Result<Value, ExportError> {
    serde_json::to_value(part).map_err(|error| ExportError::NotJson {
        id: id.to_string(),
        reason: error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::import::{Kind, Mapping, import};
    use crate::testing::*;

    async fn exported(store: &Store, what: What) -> String {
        let mut output = Vec::new();
        let written = export(store, what, &mut output).await.unwrap();
        let text = String::from_utf8(output).unwrap();
        assert_eq!(text.lines().count(), written);
        text
    }

    #[tokio::test]
    async fn what_is_exported_is_imported_as_it_was() {
        let from = Scratch::new().await;
        let many: Vec<_> = (0..1_100)
            .map(|number| customer(&format!("c{number}")))
            .collect();
        from.store.upsert_customers(&many).await.unwrap();
        from.store.upsert_products(&[product("p1")]).await.unwrap();
        let charged_less = Order {
            total: Money(5),
            ..order("o2", "c2")
        };
        from.store
            .upsert_orders(&[order("o1", "c1"), charged_less])
            .await
            .unwrap();
        from.store
            .upsert_documents(&[document("d1")])
            .await
            .unwrap();

        let to = Scratch::new().await;
        for (what, kind) in [
            (What::Customers, Kind::Customers),
            (What::Products, Kind::Products),
            (What::Orders, Kind::Orders),
            (What::Knowledge, Kind::Knowledge),
        ] {
            let text = exported(&from.store, what).await;
            let file = to.folder.path().join("export.jsonl");
            fs::write(&file, &text).unwrap();
            let report = import(&to.store, kind, &file, &Mapping::default())
                .await
                .unwrap();
            assert_eq!(report.rejected, []);
            assert_eq!(exported(&to.store, what).await, text);
        }
        let found = to.store.find_customer(&"c7".into()).await.unwrap();
        assert_eq!(found, Some(customer("c7")));
        let found = to
            .store
            .find_order(&"c2".into(), &"o2".into())
            .await
            .unwrap();
        assert_eq!(found.map(|order| order.total), Some(Money(5)));
    }

    #[tokio::test]
    async fn money_leaves_as_decimals() {
        let scratch = Scratch::new().await;
        scratch
            .store
            .upsert_products(&[product("p1")])
            .await
            .unwrap();
        let text = exported(&scratch.store, What::Products).await;
        assert!(text.contains(r#""price":"49.90""#), "{text}");
    }

    #[tokio::test]
    async fn a_conversation_leaves_with_all_that_belongs_to_it() {
        let scratch = Scratch::new().await;
        let id = scratch.conversation(1).await;
        scratch.say(id, "a").await;
        scratch.store.finish_turn(turn(id, 1)).await.unwrap();
        scratch
            .store
            .rate(id, 4, Some("good"), Millis(9))
            .await
            .unwrap();
        scratch.conversation(2).await;
        let text = exported(&scratch.store, What::Conversations).await;
        let lines: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines[0]["messages"][0]["text"], "text of a");
        assert_eq!(lines[0]["outcomes"][0]["intent"], "track_order");
        assert_eq!(lines[0]["rating"]["score"], 4);
        assert_eq!(lines[1]["rating"], Value::Null);
        assert_eq!(lines.len(), 2);
    }
}
