//! A shop of doubles: turns run on it in milliseconds, without weights, index or database.

use std::sync::Arc;

use async_trait::async_trait;
use crm::{
    Author, Conversation, ConversationId, ConversationState, CrmError, Customer, CustomerId,
    FinishedTurn, Message, Millis, Order, ProductId, TurnId,
};
use generate::{Generator, Scripted, Silent};
use language::sentences::Boundaries;
use parking_lot::{Mutex, RwLock};
use retrieval::{Embedding, NearBlock};
use serde_json::json;
use understand::{Candidate, Judgement, Language, Ranking, Scored, Understanding};
use uuid::Uuid;

use super::services::{Finder, Reader, Records, Services, Settings};
use super::{Delivered, TurnError, answer};
use crate::audience::{Event, Hub, Listener};
use crate::clock::TestClock;
use crate::config::{Answers, Config};
use crate::desk::Catalogue;
use crate::library::{Hit, Query};
use crate::prompts::Prompts;
use crate::voice::Voice;

/// What the heads make of a message.
#[derive(Clone, Debug)]
pub(super) struct Meaning {
    pub(super) intent: (&'static str, f32),
    pub(super) negative: f32,
    pub(super) concern: (&'static str, f32),
    pub(super) asks: &'static [&'static str],
    pub(super) acts: &'static [&'static str],
    pub(super) language: &'static str,
    /// Whether any passage answers it.
    pub(super) answered: Option<bool>,
}

impl Default for Meaning {
    fn default() -> Self {
        Self {
            intent: ("general_question", 0.6),
            negative: 0.1,
            concern: ("none", 1.0),
            asks: &[],
            acts: &[],
            language: "en",
            answered: Some(true),
        }
    }
}

/// The shop.
pub(super) struct Shop {
    pub(super) config: Config,
    pub(super) conversation: Conversation,
    /// The customer's message before the next one.
    pub(super) said: Option<String>,
    /// What the bot has answered so far.
    pub(super) answered: Vec<String>,
    pub(super) customer: Option<Customer>,
    pub(super) orders: Vec<Order>,
    pub(super) products: Vec<crm::Product>,
    /// What any message means.
    pub(super) meaning: Meaning,
    /// What any search finds.
    pub(super) hits: Vec<Hit>,
    /// Products that any wish finds, with their similarity.
    pub(super) nearest: Vec<(ProductId, f32)>,
    /// How near records are to any question.
    pub(super) records_are_near: f32,
    pub(super) generator: Arc<dyn Generator>,
}

/// What became of a message.
pub(super) struct Outcome {
    /// What was stored; `None` where there was nothing to answer.
    pub(super) finished: Option<FinishedTurn>,
    /// What the listeners heard, in order.
    pub(super) events: Vec<Event>,
    /// What the question was looked up by; `None` where it was not.
    pub(super) query: Option<Embedding>,
}

impl Outcome {
    fn record(&self) -> &serde_json::Value {
        &self.finished.as_ref().unwrap().outcome.record
    }

    /// The reply's words.
    pub(super) fn text(&self) -> &str {
        &self.finished.as_ref().unwrap().messages[0].text
    }

    /// What the bot did.
    pub(super) fn action(&self) -> &str {
        &self.finished.as_ref().unwrap().outcome.action
    }

    /// The rule that decided it.
    pub(super) fn rule(&self) -> &str {
        self.record()["rule"].as_str().unwrap()
    }

    /// Ids of the quick replies offered.
    pub(super) fn quick_replies(&self) -> Vec<String> {
        let offered = &self.finished.as_ref().unwrap().messages[0].quick_replies;
        let ids = offered.as_array().unwrap().iter();
        ids.map(|reply| reply["id"].as_str().unwrap().to_owned())
            .collect()
    }

    /// What was streamed before the reply.
    pub(super) fn pieces(&self) -> String {
        let pieces = self.events.iter().filter_map(|event| match event {
            Event::Piece { text, .. } => Some(text.as_str()),
            Event::Began { .. }
            | Event::Stopped
            | Event::Preview { .. }
            | Event::Said(_)
            | Event::HandedOver
            | Event::Closed
            | Event::Failed { .. } => None,
        });
        pieces.collect()
    }
}

impl Shop {
    pub(super) fn new() -> Self {
        let mut config = Config::default();
        config.company.name = "Harbour Lamps".into();
        config.generate.read_ahead = false;
        config.generate.answers = Answers::Generative;
        Self {
            config,
            said: None,
            answered: Vec::new(),
            conversation: Conversation {
                id: ConversationId(Uuid::from_u128(1)),
                channel: "web".into(),
                thread: "1".into(),
                customer: None,
                state: ConversationState::Bot,
                language: Some("en".into()),
                memory: serde_json::Value::Null,
                last_seq: 2,
                answered_seq: 0,
                created_at: Millis(0),
            },
            customer: None,
            orders: Vec::new(),
            products: Vec::new(),
            meaning: Meaning::default(),
            hits: Vec::new(),
            nearest: Vec::new(),
            records_are_near: 0.9,
            generator: Arc::new(Silent),
        }
    }

    /// A page is found, as similar to any question as told.
    pub(super) fn with_page(mut self, title: &str, text: &str, similarity: f32) -> Self {
        let blocks = retrieval::blocks(text, &Boundaries::default()).into_iter();
        self.hits.push(Hit {
            document: title.to_lowercase(),
            ordinal: 0,
            title: title.into(),
            text: text.into(),
            blocks: blocks
                .map(|block| NearBlock {
                    lines: vec![similarity; block.text.lines().count()],
                    block,
                })
                .collect(),
            url: None,
            internal: false,
            language: "en".into(),
            similarity,
        });
        self
    }

    /// The model writes this.
    pub(super) fn writing(mut self, text: &str) -> Self {
        self.generator = Arc::new(Scripted::replies([text]));
        self
    }

    /// The pages answer in their own words.
    pub(super) fn quoting(mut self) -> Self {
        self.config.generate.answers = Answers::Extractive;
        self
    }

    /// Ada is signed in, with an order that has been sent.
    pub(super) fn with_ada(mut self) -> Self {
        let read = |value: serde_json::Value| serde_json::from_value(value).unwrap();
        let ada: Customer =
            read(json!({ "id": "C-1", "name": "Ada Quill", "payment_methods": [] }));
        self.conversation.customer = Some(ada.id.clone());
        self.customer = Some(ada);
        self.orders = serde_json::from_value(json!([{
            "id": "#H1001", "customer": "C-1", "status": "shipped", "placed_on": "2026-11-18",
            "items": [{ "product": "P-1", "name": "Ship Lamp", "quantity": 1, "price": 4900 }],
            "total": 4900, "shipments": [{ "carrier": "Gull Post", "tracking": ["GP111111"] }],
        }]))
        .unwrap();
        self
    }

    /// Answers `text`.
    pub(super) async fn ask(&self, text: &str) -> Outcome {
        self.ask_all(&[text], None).await
    }

    /// Answers a burst, of whose messages the last is a press of `pressed`.
    pub(super) async fn ask_all(&self, texts: &[&str], pressed: Option<&str>) -> Outcome {
        let records = Arc::new(Kept {
            said: self.said.clone(),
            answered: self.answered.clone(),
            conversation: Conversation {
                last_seq: i64::try_from(texts.len()).unwrap(),
                ..self.conversation.clone()
            },
            messages: texts
                .iter()
                .enumerate()
                .map(|(at, text)| message(at, text, pressed.filter(|_| at + 1 == texts.len())))
                .collect(),
            customer: self.customer.clone(),
            orders: self.orders.clone(),
            finished: Mutex::default(),
        });
        let finder = Arc::new(Found {
            hits: self.hits.clone(),
            nearest: self.nearest.clone(),
            records_are_near: self.records_are_near,
            query: Mutex::default(),
        });
        let hub: Arc<Hub> = Arc::default();
        let mut listener = hub.listen(self.conversation.id);
        let voice = Voice::new(
            Arc::new(Prompts::builtin().unwrap()),
            Arc::new(self.config.company.clone()),
        );
        let clock = Arc::new(TestClock::default());
        let today = crate::clock::Clock::today(&*clock);
        let products = self.products.clone();
        let catalogue = Catalogue::new(products, voice.prompts().own_pack());
        let services = Services {
            records: Arc::clone(&records) as _,
            reader: Arc::new(Heads {
                meaning: self.meaning.clone(),
                pages: self.hits.iter().map(|hit| hit.text.clone()).collect(),
            }),
            finder: Arc::clone(&finder) as _,
            catalogue: Arc::new(RwLock::new(Arc::new(catalogue))),
            generator: Arc::clone(&self.generator),
            hub: Arc::clone(&hub),
            settings: Settings {
                instructions: voice.instructions(today).unwrap(),
                voice,
                clock,
                config: Arc::new(self.config.clone()),
            },
        };
        let turn = TurnId(Uuid::from_u128(9));
        let answered = answer(&services, self.conversation.id, turn, &Delivered::default()).await;
        answered.unwrap();
        let finished = records.finished.lock().take();
        let query = finder.query.lock().take();
        Outcome {
            finished,
            events: heard(&mut listener),
            query,
        }
    }

    /// The shop as the conversation goes on after `outcome`.
    pub(super) fn after(mut self, outcome: &Outcome) -> Self {
        let finished = outcome.finished.as_ref().unwrap();
        self.conversation.memory = finished.memory.clone();
        self.said = Some("said before".to_owned());
        self.answered.push(outcome.text().to_owned());
        self
    }
}

fn message(at: usize, text: &str, pressed: Option<&str>) -> Message {
    Message {
        seq: i64::try_from(at).unwrap() + 1,
        author: Author::Customer,
        text: text.into(),
        sources: json!([]),
        quick_replies: json!([]),
        client_id: Some(at.to_string()),
        pressed: pressed.map(str::to_owned),
        at: Millis(1),
    }
}

fn heard(listener: &mut Listener) -> Vec<Event> {
    let mut events = Vec::new();
    while let Ok(event) = listener.try_recv() {
        events.push((*event).clone());
    }
    events
}

/// Records of one conversation.
struct Kept {
    conversation: Conversation,
    /// The customer's message before.
    said: Option<String>,
    answered: Vec<String>,
    messages: Vec<Message>,
    customer: Option<Customer>,
    orders: Vec<Order>,
    finished: Mutex<Option<FinishedTurn>>,
}

#[async_trait]
impl Records for Kept {
    async fn find_conversation(
        &self,
        id: ConversationId,
    ) -> Result<Option<Conversation>, CrmError> {
        Ok((id == self.conversation.id).then(|| self.conversation.clone()))
    }

    async fn unanswered_messages(&self, _: &Conversation) -> Result<Vec<Message>, CrmError> {
        Ok(self.messages.clone())
    }

    async fn recent_messages(&self, _: ConversationId, _: u32) -> Result<Vec<Message>, CrmError> {
        let said = self.said.iter().map(|text| Message {
            seq: 0,
            ..message(0, text, None)
        });
        let answered = self.answered.iter().map(|text| Message {
            seq: 0,
            author: Author::Bot,
            ..message(0, text, None)
        });
        let before = said.chain(answered);
        Ok(before.chain(self.messages.iter().cloned()).collect())
    }

    async fn find_customer(&self, _: &CustomerId) -> Result<Option<Customer>, CrmError> {
        Ok(self.customer.clone())
    }

    async fn orders_of(&self, _: &CustomerId) -> Result<Vec<Order>, CrmError> {
        Ok(self.orders.clone())
    }

    async fn finish_turn(&self, turn: FinishedTurn) -> Result<Vec<Message>, CrmError> {
        let stored = turn.messages.iter().map(|new| Message {
            author: new.author,
            client_id: None,
            ..message(7, &new.text, None)
        });
        let stored = stored.collect();
        *self.finished.lock() = Some(turn);
        Ok(stored)
    }
}

/// Heads that make the same of every message, and know the pages' words to be English.
struct Heads {
    meaning: Meaning,
    pages: Vec<String>,
}

#[async_trait]
impl Reader for Heads {
    async fn language(&self, text: &str, _: &Language) -> Result<Language, TurnError> {
        if self.pages.iter().any(|page| page.contains(text)) {
            return Ok(Language::english());
        }
        Ok(Language::from_tag(self.meaning.language))
    }

    async fn understand(
        &self,
        _: &str,
        before: Option<&str>,
        language: &Language,
    ) -> Result<Understanding, TurnError> {
        let all = |labels: &[&str]| {
            let scored = labels.iter().map(|label| Scored {
                label: (*label).into(),
                probability: 0.9,
            });
            scored.collect()
        };
        let ranking = |(label, probability): (&str, f32)| {
            let scored = |label: &str, probability| Scored {
                label: label.into(),
                probability,
            };
            Ranking::new(vec![
                scored(label, probability),
                scored("other", 1.0 - probability),
            ])
        };
        Ok(Understanding {
            intent: ranking(self.meaning.intent),
            sentiment: ranking(("negative", self.meaning.negative)),
            concern: ranking(self.meaning.concern),
            injection: 0.0,
            emotions: Ranking::new(Vec::new()),
            asks: all(self.meaning.asks),
            acts: all(self.meaning.acts),
            in_context: before.map(|_| in_context()),
            parts: Vec::new(),
            language: language.clone(),
            embedding: embedding(),
        })
    }

    async fn judge(
        &self,
        _: &str,
        _: Option<&str>,
        candidates: Vec<Candidate>,
    ) -> Result<Judgement, TurnError> {
        Ok(Judgement {
            relevance: vec![None; candidates.len()],
            answered: self.meaning.answered.filter(|_| !candidates.is_empty()),
        })
    }

    fn version(&self) -> String {
        "doubles".into()
    }
}

/// The embedding of any message.
pub(super) fn embedding() -> Embedding {
    Embedding::normalised(vec![1.0, 0.0]).unwrap()
}

/// The embedding of any message behind another.
pub(super) fn in_context() -> Embedding {
    Embedding::normalised(vec![0.0, 1.0]).unwrap()
}

/// An index that finds the same for every query.
struct Found {
    hits: Vec<Hit>,
    nearest: Vec<(ProductId, f32)>,
    records_are_near: f32,
    query: Mutex<Option<Embedding>>,
}

#[async_trait]
impl Finder for Found {
    fn spelled(&self, message: &str) -> String {
        message.to_owned()
    }

    async fn passages(&self, query: &Query) -> Result<Vec<Hit>, TurnError> {
        *self.query.lock() = Some(query.embedding.clone());
        Ok(self.hits.iter().take(query.limit).cloned().collect())
    }

    async fn products(
        &self,
        _: &str,
        _: &Embedding,
        limit: usize,
    ) -> Result<Vec<(ProductId, f32)>, TurnError> {
        Ok(self.nearest.iter().take(limit).cloned().collect())
    }

    async fn similarity(&self, _: &Embedding, texts: Vec<String>) -> Result<Vec<f32>, TurnError> {
        Ok(vec![self.records_are_near; texts.len()])
    }
}
