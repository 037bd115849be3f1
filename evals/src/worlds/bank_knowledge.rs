//! Rho-Bank: 698 documents about its accounts, cards and services, and nobody's data.
//!
//! Documents titled `Internal: ...` are procedures for the bank's staff. They are kept: plain facts
//! in them may reach a customer, and whether their codes and tool names do is what dialogues test.

use std::path::Path;

use crm::{Document, DocumentId, Visibility};
use serde::Deserialize;

use super::{Body, WorldError, american, malformed, read};

#[derive(Deserialize)]
struct Row {
    id: String,
    title: String,
    content: String,
}

pub(super) fn load(folder: &Path) -> Result<Body, WorldError> {
    let file = folder.join("documents.jsonl");
    let documents = documents(&read(&file)?).map_err(|reason| malformed(&file, reason))?;
    // Its promotions and incident notices are written around this day.
    let company = american("Rho-Bank", "2025-11-14");
    Ok(Body {
        company,
        customers: vec![],
        products: vec![],
        orders: vec![],
        documents,
    })
}

fn documents(text: &str) -> Result<Vec<Document>, String> {
    let rows = (1..)
        .zip(text.lines())
        .filter(|(_, line)| !line.trim().is_empty());
    rows.map(|(number, line)| {
        let row: Row =
            serde_json::from_str(line).map_err(|error| format!("line {number}: {error}"))?;
        let visibility = if row.title.starts_with("Internal:") {
            Visibility::Internal
        } else {
            Visibility::Public
        };
        Ok(Document {
            id: DocumentId(row.id),
            title: row.title,
            content: row.content,
            url: None,
            language: Some("en".to_owned()),
            visibility,
        })
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialogue;
    use crate::worlds::World;
    use crate::worlds::tests::shared_data;

    #[test]
    fn documents_are_read_internal_ones_included() {
        let text = concat!(
            r#"{"id": "d1", "title": "Internal: Closing", "content": "Use close_7."}"#,
            "\n\n",
            r##"{"id": "d2", "title": "Fees", "content": "# Fees"}"##,
            "\n",
        );
        let documents = documents(text).unwrap();
        let titles: Vec<_> = documents
            .iter()
            .map(|document| document.title.as_str())
            .collect();
        assert_eq!(titles, ["Internal: Closing", "Fees"]);
        let visible = documents.iter().map(|document| document.visibility);
        let visible: Vec<_> = visible.collect();
        assert_eq!(visible, [Visibility::Internal, Visibility::Public]);
    }

    #[test]
    fn a_bad_line_is_named() {
        let error = documents("\n{\"id\": \"d1\"}\n").unwrap_err();
        assert!(error.starts_with("line 2: missing field"), "{error}");
    }

    #[test]
    fn every_document_that_dialogues_expect_is_there() {
        let Some(data) = shared_data() else { return };
        let body = World::BankKnowledge.load(&data).unwrap();
        let dialogues = dialogue::read(&data.join("dialogues/train.jsonl")).unwrap();
        let turns = dialogues
            .iter()
            .filter(|d| d.world == "bank-knowledge")
            .flat_map(|d| &d.turns);
        let expected: Vec<_> = turns
            .filter_map(|turn| turn.expect.documents.as_ref())
            .flatten()
            .collect();
        assert!(expected.len() > 50, "{}", expected.len());
        for id in expected {
            assert!(
                body.documents
                    .iter()
                    .any(|document| document.id.as_str() == id),
                "{id}"
            );
        }
    }
}
