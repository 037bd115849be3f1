//! The sections of the configuration, with their defaults. The doc comments are what an operator
//! reads.

use std::net::SocketAddr;
use std::path::PathBuf;

use crm::Location;
use generate::{CacheType, FlashAttention};
use serde::{Deserialize, Deserializer, Serialize};
use url::Url;

use super::Secret;
use crate::currency::Currency;

/// The company that the bot speaks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Company {
    /// Its name.
    pub name: String,
    /// A line about it, for the demo page.
    pub tagline: String,
    /// When people answer, in words.
    pub hours: Option<String>,
    /// How else to reach people.
    pub contact: Option<String>,
    /// How amounts are written.
    pub currency: Currency,
    /// The day to take as today (`2026-11-20`), for replays; the clock's when absent.
    pub today: Option<String>,
}

impl Company {
    /// The day to take as today; the clock's when `None`.
    pub(crate) fn day(&self) -> Option<jiff::civil::Date> {
        self.today.as_ref().and_then(|day| day.parse().ok())
    }
}

impl Default for Company {
    fn default() -> Self {
        Self {
            name: "our shop".into(),
            tagline: String::new(),
            hours: None,
            contact: None,
            currency: Currency::default(),
            today: None,
        }
    }
}

/// HTTP and WebSocket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    /// Address and port to listen on.
    pub listen: SocketAddr,
    /// Address by which platforms and customers reach the server (`https://chat.shop.example.com`), where that is
    /// another: some platforms sign the address that they call.
    pub public_url: Option<Url>,
    /// Most WebSocket connections at once.
    pub max_connections: usize,
    /// Largest frame, in bytes.
    pub max_frame_bytes: usize,
    /// Longest message, in characters.
    pub max_message_chars: usize,
    /// Largest file of a customer that is kept, in bytes.
    pub max_file_bytes: usize,
    /// Frames a client may send at once, and then per second.
    pub frames_burst: u32,
    /// Frames a second that a client may go on sending.
    pub frames_per_second: u32,
    /// Seconds between pings; a client that misses two is gone.
    pub ping_seconds: u64,
    /// Seconds that running turns get to finish at shutdown; then they are parked.
    pub grace_seconds: u64,
    /// Origins of pages that may connect (`https://shop.example.com`); all when empty.
    pub allowed_origins: Vec<String>,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            public_url: None,
            max_connections: 20_000,
            max_frame_bytes: 64 * 1024,
            max_message_chars: 4_000,
            max_file_bytes: 10 * 1024 * 1024,
            frames_burst: 20,
            frames_per_second: 4,
            ping_seconds: 25,
            grace_seconds: 10,
            allowed_origins: Vec::new(),
        }
    }
}

/// A program that asks for its users.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Program {
    /// What it sends as `Authorization: Bearer`.
    pub key: Secret,
}

/// Rasa's REST channel, for front ends that were made for it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rasa {
    /// Whether `/webhooks/rest/webhook` is served.
    pub enabled: bool,
    /// What front ends send as `Authorization: Bearer`; nothing is asked for without it.
    pub token: Option<Secret>,
}

/// Where everything is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Data {
    /// Folder of the CRM store and the index.
    pub dir: PathBuf,
    /// A PostgreSQL database that holds the CRM store instead of a file in `dir`
    /// (`postgres://USER:PASSWORD@HOST:PORT/DATABASE`).
    pub url: Option<Secret>,
}

impl Default for Data {
    fn default() -> Self {
        Self {
            dir: PathBuf::from("data"),
            url: None,
        }
    }
}

impl Data {
    /// Where the CRM store is: the database of `url`, else the file in `dir`.
    pub fn location(&self) -> Location {
        let url = self.url.as_ref().and_then(|url| url.reveal().parse().ok());
        url.unwrap_or_else(|| Location::File(self.crm_file()))
    }

    /// File of the CRM store, where no database is named.
    pub fn crm_file(&self) -> PathBuf {
        self.dir.join("crm.sqlite")
    }

    /// Folder of the embedded index.
    pub fn index_dir(&self) -> PathBuf {
        self.dir.join("index")
    }
}

/// Who a customer is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Auth {
    /// Secret shared with the shop's backend, which signs customer tokens with it; at least 32
    /// bytes. Without it everybody is anonymous.
    pub secret: Option<Secret>,
    /// File that holds the secret instead.
    pub secret_file: Option<PathBuf>,
}

/// Model files: names from `frontdesk models`, paths, or `owner/repository/file.gguf` on the hub.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Models {
    /// Folder of the model files; the user's cache when absent.
    pub dir: Option<PathBuf>,
    /// The model that messages are understood and passages found by: `encoder`, or `encoder-small`
    /// for little memory.
    pub encoder: String,
    /// The model that writes replies.
    pub reply: String,
}

impl Default for Models {
    fn default() -> Self {
        Self {
            dir: None,
            encoder: "encoder".into(),
            reply: "reply".into(),
        }
    }
}

/// Which backend writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Backend {
    /// llama.cpp in this process.
    #[default]
    Local,
    /// An OpenAI-compatible server.
    Remote,
    /// Nobody: questions are answered in the pages' own words, for machines too small for a model.
    None,
}

/// Writing replies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Generate {
    /// `local`, `remote` or `none`.
    pub backend: Backend,
    /// Base address of the remote server (`http://127.0.0.1:8000/v1`), or a list: requests then go to the
    /// least busy of those that answer.
    #[serde(deserialize_with = "one_or_more")]
    pub url: Vec<Url>,
    /// Whose words answer what the pages answer: `extractive`, the pages' own; `generative`, the model's,
    /// written from them.
    pub answers: Answers,
    /// Languages, by their tags, that the model translates the pages' words into; `*` is all of them. A small
    /// model turns the sense around too often, and nothing here could tell.
    pub translate: Vec<String>,
    /// Model name at the remote servers.
    pub model: Option<String>,
    /// API key of the remote servers.
    pub api_key: Option<Secret>,
    /// Conversations written for at once, 1 to 64, or to 4,096 on remote servers; when absent 8, or 32 on a
    /// graphics card and remote servers. They share `context_tokens`, so more slots cost no memory, only
    /// patience when all are used.
    pub slots: Option<usize>,
    /// Requests that may wait; more are told that the bot is busy.
    pub queue: usize,
    /// Tokens that all conversations share; when absent 8,192, or 1,024 a slot on a graphics card that has
    /// room for them.
    pub context_tokens: Option<usize>,
    /// Most tokens computed at once, 64 to 8,192; when absent 128, or 1,024 on a graphics card. Fewer free
    /// the slot of a customer who leaves sooner, more read long prompts faster.
    pub step_tokens: Option<usize>,
    /// Longest wait for a reply's first words, in seconds: where it would be longer, the pages are quoted
    /// at once instead, and where it is, then; but a model is given 5 seconds to begin.
    pub longest_wait_seconds: u64,
    /// Longest reply, in tokens.
    pub max_tokens: usize,
    /// Threads of the local model; the physical cores when absent.
    pub threads: Option<usize>,
    /// Layers on the GPU; all that fit when absent.
    pub gpu_layers: Option<u32>,
    /// What keys and values are stored as: `f16`, or `q8_0` for half the memory, which needs flash attention.
    pub cache_type: CacheType,
    /// `auto`, `on` or `off`.
    pub flash_attention: FlashAttention,
    /// Memory, in MiB, for what conversations without a slot had computed: most come back to it.
    pub kept_mib: usize,
    /// Whether to guess ahead where replies copy their facts, or say what others were told: faster, and no
    /// other words.
    pub speculate: bool,
    /// Whether the local model reads, while nobody waits, what conversations' next prompts begin with:
    /// customers' next answers come sooner, and the processor works a second more after each.
    pub read_ahead: bool,
    /// 0 writes the likeliest words.
    pub temperature: f32,
    /// Seed of the sampler.
    pub seed: u32,
}

impl Generate {
    /// Whether the model translates the pages' words into a language.
    pub(crate) fn translates_into(&self, language: &str) -> bool {
        let is_named = |tag: &String| tag == language || tag == "*";
        self.backend != Backend::None && self.translate.iter().any(is_named)
    }

    /// Whether a model of this machine has anything to write.
    pub(crate) fn loads_a_model(&self) -> bool {
        let writes = self.answers == Answers::Generative || !self.translate.is_empty();
        self.backend == Backend::Local && writes
    }
}

impl Default for Generate {
    fn default() -> Self {
        Self {
            backend: Backend::Local,
            url: Vec::new(),
            answers: Answers::default(),
            translate: Vec::new(),
            model: None,
            api_key: None,
            slots: None,
            queue: 16,
            context_tokens: None,
            step_tokens: None,
            longest_wait_seconds: 30,
            max_tokens: 160,
            threads: None,
            gpu_layers: None,
            cache_type: CacheType::default(),
            flash_attention: FlashAttention::default(),
            kept_mib: 256,
            speculate: true,
            read_ahead: true,
            temperature: 0.0,
            seed: 1,
        }
    }
}

/// Whose words answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answers {
    /// The lines of the pages that come nearest to the question.
    #[default]
    Extractive,
    /// The model's, from those lines.
    Generative,
}

/// A value, or a list of such.
fn one_or_more<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrMore<T> {
        One(T),
        More(Vec<T>),
    }
    Ok(match OneOrMore::deserialize(deserializer)? {
        OneOrMore::One(one) => vec![one],
        OneOrMore::More(more) => more,
    })
}

/// Understanding messages.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Understand {
    /// Heads that `frontdesk train` wrote; they replace the built-in ones of the same name.
    pub heads: Option<PathBuf>,
}

/// Finding facts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Retrieval {
    /// Address of a Qdrant server (its gRPC port); embedded when absent.
    pub qdrant_url: Option<Url>,
    /// API key of that server.
    pub qdrant_api_key: Option<Secret>,
    /// Passages fetched for a question.
    pub passages: usize,
    /// Characters of facts given to the model: every 100 tokens cost a second on two cores.
    pub fact_chars: usize,
    /// Similarity in meaning, up to 1, from which the pages' words stand beside a record or a written reply, and
    /// the best passage is shown at once. Of an encoder without heads that judge them (`encoder-small`) they are
    /// an answer from there on: with the default, likelier than not.
    pub clear: f32,
    /// Similarity in meaning below which nothing is known about the question, unless the heads say that the lines
    /// found answer it. What does not answer is quoted with a caution from there on, and a person is offered.
    pub floor: f32,
}

impl Default for Retrieval {
    fn default() -> Self {
        Self {
            qdrant_url: None,
            qdrant_api_key: None,
            passages: 10,
            fact_chars: 600,
            clear: 0.35,
            floor: 0.20,
        }
    }
}

/// When to answer, refuse or hand over. Probabilities are calibrated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// Probability from which a wish for a person is heard.
    pub human: f32,
    /// Probability from which a concern (fraud, legal, bereavement, safety) goes to a person.
    pub concern: f32,
    /// Probability from which an attack or a question for others' data is declined.
    pub refuse: f32,
    /// Probability from which small talk is answered without looking anything up.
    pub small_talk: f32,
    /// Angry messages in a row after which a person takes over.
    pub patience: u32,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            human: 0.5,
            concern: 0.5,
            refuse: 0.5,
            small_talk: 0.5,
            patience: 4,
        }
    }
}

/// Templates.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PromptsConfig {
    /// Folder of templates that replace the built-in ones (`en/order.j2`).
    pub dir: Option<PathBuf>,
}

/// How logs are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Logs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// What is logged, as in `RUST_LOG`.
    pub filter: String,
    /// `text` or `json`.
    pub format: LogFormat,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            filter: "warn,frontdesk=info,crm=info,models=info,generate=info,retrieval=info,qdrant_edge=error,llama-cpp-2=error".into(),
            format: LogFormat::Text,
        }
    }
}

/// The demo shop.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Demo {
    /// Serves the demo page at `/`, where anybody may sign in as a demo customer. Never in
    /// production.
    pub enabled: bool,
    /// Folder of the world that is loaded into an empty store (`evals/worlds/shop`).
    pub world: Option<PathBuf>,
}
