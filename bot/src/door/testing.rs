//! A door over a real store, behind which nobody answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use crm::{ConversationId, Customer, Message, Store, TurnId};
use tempfile::TempDir;

use super::{Answers, Dispatcher, Door};
use crate::audience::Hub;
use crate::clock::{Clock, TestClock};
use crate::config::Company;
use crate::prompts::Prompts;
use crate::turn::{Delivered, TurnError};
use crate::voice::Voice;

/// Answers nothing, and counts. The store's folder lives as long.
pub(crate) struct Counts(
    pub(crate) AtomicUsize,
    #[expect(dead_code, reason = "held for its drop")] TempDir,
);

#[async_trait]
impl Answers for Counts {
    async fn answer(
        &self,
        _: ConversationId,
        _: TurnId,
        _: &Delivered,
    ) -> Result<Option<Vec<Message>>, TurnError> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(None)
    }

    async fn failed_words(&self, _: ConversationId) -> Result<String, TurnError> {
        Ok(String::new())
    }
}

/// A door, and what lies behind it.
pub(crate) struct Bench {
    pub(crate) door: Door,
    pub(crate) answers: Arc<Counts>,
}

/// A door over a store with two customers; messages have 40 characters at most.
pub(crate) async fn bench() -> Bench {
    let folder = TempDir::new().unwrap();
    let store = Store::open(&folder.path().join("crm.sqlite"))
        .await
        .unwrap();
    let customer = |id: &str, language: Option<&str>| -> Customer {
        let value = serde_json::json!({ "id": id, "name": "Ada Quill", "language": language });
        serde_json::from_value(value).unwrap()
    };
    let customers = [customer("C-1", Some("zh")), customer("C-2", None)];
    store.upsert_customers(&customers).await.unwrap();
    let (hub, clock): (Arc<Hub>, Arc<dyn Clock>) = (Arc::default(), Arc::new(TestClock::default()));
    let answers = Arc::new(Counts(AtomicUsize::new(0), folder));
    let dispatcher = Dispatcher::new(
        Arc::clone(&answers) as _,
        Arc::clone(&hub),
        Arc::clone(&clock),
    );
    let voice = Voice::new(
        Arc::new(Prompts::builtin().unwrap()),
        Arc::new(Company::default()),
    );
    let door = Door {
        store,
        hub,
        dispatcher,
        voice,
        clock,
        max_message_chars: 40,
    };
    Bench { door, answers }
}
