//! The configuration: defaults, then a TOML file, then `FRONTDESK__SECTION__KEY` in the
//! environment, then flags. Unknown keys are errors; every problem is named with its key.
//!
//! Only this module reads the environment.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use figment::Figment;
use figment::providers::{Env, Format, Serialized, Toml};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::desk::Currency;

/// A value that is never shown.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// The value itself. Do not log it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(value: String) -> Self {
        Self(value)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Serialize for Secret {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("***")
    }
}

/// What is wrong with the configuration, one sentence a problem, each naming its key.
#[derive(Debug, thiserror::Error)]
#[error("the configuration is not valid:\n{}", .problems.iter().map(|p| format!("  - {p}")).collect::<Vec<_>>().join("\n"))]
pub struct ConfigError {
    /// The problems.
    pub problems: Vec<String>,
}

/// The whole configuration.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The company that the bot speaks for.
    pub company: Company,
    /// HTTP and WebSocket.
    pub server: Server,
    /// Where everything is kept.
    pub data: Data,
    /// Who a customer is.
    pub auth: Auth,
    /// Model files.
    pub models: Models,
    /// Writing replies.
    pub generate: Generate,
    /// Understanding messages.
    pub understand: Understand,
    /// Finding facts.
    pub retrieval: Retrieval,
    /// When to answer, refuse or hand over.
    pub policy: Policy,
    /// Templates.
    pub prompts: PromptsConfig,
    /// Logs.
    pub log: Log,
    /// The demo shop.
    pub demo: Demo,
}

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
    /// Most WebSocket connections at once.
    pub max_connections: usize,
    /// Largest frame, in bytes.
    pub max_frame_bytes: usize,
    /// Longest message, in characters.
    pub max_message_chars: usize,
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
            max_connections: 20_000,
            max_frame_bytes: 64 * 1024,
            max_message_chars: 4_000,
            frames_burst: 20,
            frames_per_second: 4,
            ping_seconds: 25,
            grace_seconds: 10,
            allowed_origins: Vec::new(),
        }
    }
}

/// Where everything is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Data {
    /// Folder of the CRM store and the index.
    pub dir: PathBuf,
}

impl Default for Data {
    fn default() -> Self {
        Self {
            dir: PathBuf::from("data"),
        }
    }
}

impl Data {
    /// File of the CRM store.
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
    /// The model that writes replies.
    pub reply: String,
}

impl Default for Models {
    fn default() -> Self {
        Self {
            dir: None,
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
}

/// Writing replies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Generate {
    /// `local` or `remote`.
    pub backend: Backend,
    /// Base address of the remote server (`http://127.0.0.1:8000/v1`).
    pub url: Option<Url>,
    /// Model name at the remote server.
    pub model: Option<String>,
    /// API key of the remote server.
    pub api_key: Option<Secret>,
    /// Conversations written for at once.
    pub slots: usize,
    /// Requests that may wait; more are told that the bot is busy.
    pub queue: usize,
    /// Tokens that all conversations share.
    pub context_tokens: usize,
    /// Longest reply, in tokens.
    pub max_tokens: usize,
    /// Threads of the local model; the physical cores when absent.
    pub threads: Option<usize>,
    /// Layers on the GPU; all that fit when absent.
    pub gpu_layers: Option<u32>,
    /// 0 writes the likeliest words.
    pub temperature: f32,
    /// Seed of the sampler.
    pub seed: u32,
}

impl Default for Generate {
    fn default() -> Self {
        Self {
            backend: Backend::Local,
            url: None,
            model: None,
            api_key: None,
            slots: 4,
            queue: 16,
            context_tokens: 8192,
            max_tokens: 160,
            threads: None,
            gpu_layers: None,
            temperature: 0.0,
            seed: 1,
        }
    }
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
    /// Cosine from which the best passage is shown at once.
    pub clear: f32,
    /// Cosine below which nothing is known about the question.
    pub floor: f32,
}

impl Default for Retrieval {
    fn default() -> Self {
        Self {
            qdrant_url: None,
            qdrant_api_key: None,
            passages: 8,
            fact_chars: 700,
            clear: 0.60,
            floor: 0.32,
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

impl Config {
    /// Defaults, `file`, the environment, then `flags` (a TOML table of what the command line set).
    ///
    /// # Errors
    /// [`ConfigError`] with every problem found.
    pub fn load(file: Option<&Path>, flags: &toml::Table) -> Result<Self, ConfigError> {
        let mut figment = Figment::from(Serialized::defaults(Self::default()));
        if let Some(file) = file {
            if !file.is_file() {
                let problem = format!("there is no configuration file {}", file.display());
                return Err(ConfigError {
                    problems: vec![problem],
                });
            }
            figment = figment.merge(Toml::file_exact(file));
        }
        let figment = figment
            .merge(Env::prefixed("FRONTDESK__").split("__"))
            .merge(Serialized::defaults(flags));
        let mut config: Self = figment.extract().map_err(|errors| ConfigError {
            problems: errors.into_iter().map(|error| error.to_string()).collect(),
        })?;
        config.read_secret()?;
        config.validate()?;
        Ok(config)
    }

    fn read_secret(&mut self) -> Result<(), ConfigError> {
        let Some(path) = &self.auth.secret_file else {
            return Ok(());
        };
        let text = std::fs::read_to_string(path).map_err(|error| ConfigError {
            problems: vec![format!(
                "auth.secret_file: {} cannot be read ({error})",
                path.display()
            )],
        })?;
        self.auth.secret = Some(Secret(text.trim().to_owned()));
        Ok(())
    }

    /// Checks what types cannot say.
    ///
    /// # Errors
    /// [`ConfigError`] with every problem.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let mut problems = Vec::new();
        let mut need = |holds: bool, problem: &str| {
            if !holds {
                problems.push(problem.to_owned());
            }
        };
        let secret = self.auth.secret.as_ref();
        need(
            secret.is_none_or(|secret| secret.reveal().len() >= 32),
            "auth.secret must have at least 32 bytes; make one with `openssl rand -hex 32`",
        );
        let remote = self.generate.backend == Backend::Remote;
        need(
            !remote || self.generate.url.is_some(),
            "generate.url is needed with generate.backend = \"remote\", for example \"http://127.0.0.1:8000/v1\"",
        );
        need(
            !remote || self.generate.model.is_some(),
            "generate.model is needed with generate.backend = \"remote\": the model's name at that server",
        );
        need(self.generate.slots > 0, "generate.slots must be at least 1");
        need(
            self.generate.max_tokens > 0,
            "generate.max_tokens must be at least 1",
        );
        need(
            self.generate.context_tokens >= 1024,
            "generate.context_tokens must be at least 1024, or no prompt fits",
        );
        need(
            self.generate.temperature >= 0.0,
            "generate.temperature must not be negative",
        );
        need(
            self.server.frames_per_second > 0,
            "server.frames_per_second must be at least 1",
        );
        need(
            self.server.frames_burst > 0,
            "server.frames_burst must be at least 1",
        );
        need(
            self.server.ping_seconds > 0,
            "server.ping_seconds must be at least 1",
        );
        need(
            self.server.max_frame_bytes >= 1024,
            "server.max_frame_bytes must be at least 1024",
        );
        need(
            self.retrieval.passages > 0,
            "retrieval.passages must be at least 1",
        );
        for (key, value) in [
            ("policy.human", self.policy.human),
            ("policy.concern", self.policy.concern),
            ("policy.refuse", self.policy.refuse),
            ("policy.small_talk", self.policy.small_talk),
        ] {
            need(
                (0.0..=1.0).contains(&value),
                &format!("{key} is a probability: between 0 and 1"),
            );
        }
        if problems.is_empty() {
            Ok(())
        } else {
            Err(ConfigError { problems })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<Config, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("frontdesk.toml");
        std::fs::write(&file, text).unwrap();
        Config::load(Some(&file), &toml::Table::new())
    }

    #[test]
    fn without_a_file_the_defaults_hold() {
        assert_eq!(
            Config::load(None, &toml::Table::new()).unwrap(),
            Config::default()
        );
    }

    #[test]
    fn an_unknown_key_is_named() {
        let error = load("[server]\nlissten = \"127.0.0.1:1\"\n")
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("lissten") && error.contains("listen"),
            "{error}"
        );
    }

    #[test]
    fn a_wrong_value_is_named_with_its_key() {
        let error = load("[server]\nlisten = \"everywhere\"\n")
            .unwrap_err()
            .to_string();
        assert!(error.contains("server.listen"), "{error}");
    }

    #[test]
    fn all_problems_are_told_at_once() {
        let error =
            load("[generate]\nslots = 0\n[policy]\nhuman = 7.0\n[auth]\nsecret = \"short\"\n")
                .unwrap_err();
        assert_eq!(error.problems.len(), 3, "{error}");
    }

    #[test]
    fn flags_win_over_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("frontdesk.toml");
        std::fs::write(&file, "[server]\nlisten = \"127.0.0.1:1000\"\n").unwrap();
        let flags = toml::toml! {
            [server]
            listen = "127.0.0.1:2000"
        };
        assert_eq!(
            Config::load(Some(&file), &flags)
                .unwrap()
                .server
                .listen
                .port(),
            2000
        );
    }

    #[test]
    fn a_missing_file_is_said() {
        let error = Config::load(Some(Path::new("no.toml")), &toml::Table::new()).unwrap_err();
        assert!(error.to_string().contains("no.toml"), "{error}");
    }

    #[test]
    fn a_secret_is_never_shown() {
        let mut config = Config::default();
        config.auth.secret = Some(Secret::from("a very secret thing of thirty-two".to_owned()));
        let shown = format!("{config:?} {}", toml::to_string(&config).unwrap());
        assert!(!shown.contains("very secret"), "{shown}");
    }
}
