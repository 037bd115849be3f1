//! The configuration: defaults, then a TOML file, then `FRONTDESK__SECTION__KEY` in the
//! environment, then flags. Unknown keys are errors; every problem is named with its key.
//!
//! The settings of the server are read from the environment here and nowhere else.

pub(crate) mod channels;
mod sections;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use crm::Location;
use figment::Figment;
use figment::providers::{Env, Format, Serialized, Toml};
use generate::{CacheType, FlashAttention, LEAST_CONTEXT_TOKENS, MOST_SLOTS, STEP_TOKENS};
use serde::{Deserialize, Serialize};

pub use channels::Channel;
pub use sections::*;

/// Most replies that remote servers are asked for at once.
const MOST_REMOTE_SLOTS: usize = 4096;

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
    /// Accounts on messaging platforms, by names of one's own: `[channels.shop]`.
    pub channels: BTreeMap<String, Channel>,
    /// Programs that ask for their users by OpenAI's protocol, by names of one's own: `[programs.crm]`.
    pub programs: BTreeMap<String, Program>,
    /// Rasa's REST channel.
    pub rasa: Rasa,
    /// When to answer, refuse or hand over.
    pub policy: Policy,
    /// Templates.
    pub prompts: PromptsConfig,
    /// Logs.
    pub log: Log,
    /// The demo shop.
    pub demo: Demo,
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
        let all = [
            self.identity_checks(),
            self.server_checks(),
            self.channel_checks(),
            self.generate_checks(),
            self.range_checks(),
        ];
        let broken = all.into_iter().flatten().filter(|check| !check.holds);
        let problems: Vec<String> = broken.map(|check| check.problem).collect();
        if problems.is_empty() {
            Ok(())
        } else {
            Err(ConfigError { problems })
        }
    }

    fn identity_checks(&self) -> Vec<Check> {
        let secret = self.auth.secret.as_ref();
        let is_date = |text: &String| text.parse::<jiff::civil::Date>().is_ok();
        vec![
            Check::new(
                secret.is_none_or(|secret| secret.reveal().len() >= 32),
                "auth.secret must have at least 32 bytes; make one with `openssl rand -hex 32`",
            ),
            self.store_check(),
            Check::new(
                self.company.today.as_ref().is_none_or(is_date),
                "company.today must be a day such as 2026-11-20",
            ),
        ]
    }

    fn store_check(&self) -> Check {
        let url = self.data.url.as_ref().map(|url| url.reveal().parse());
        let problem = match url {
            None | Some(Ok(Location::Server(_))) => None,
            Some(Ok(Location::File(_))) => {
                Some("data.url must be a postgres:// URL; a file is placed by data.dir".to_owned())
            }
            Some(Err(error)) => Some(format!("data.url: {error}")),
        };
        Check::new(problem.is_none(), problem.unwrap_or_default())
    }

    fn server_checks(&self) -> Vec<Check> {
        let server = &self.server;
        vec![
            Check::at_least_one("server.frames_per_second", server.frames_per_second > 0),
            Check::at_least_one("server.frames_burst", server.frames_burst > 0),
            Check::at_least_one("server.ping_seconds", server.ping_seconds > 0),
            Check::at_least_one("server.max_message_chars", server.max_message_chars > 0),
            Check::at_least_one("server.max_connections", server.max_connections > 0),
            Check::new(
                server.max_frame_bytes >= 1024,
                "server.max_frame_bytes must be at least 1024",
            ),
        ]
    }

    fn channel_checks(&self) -> Vec<Check> {
        let is_plain = |name: &String| {
            let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
            !name.is_empty() && name.chars().all(is_plain)
        };
        let names = self.channels.keys().map(|name| {
            let problem = format!("channels.{name}: a name has letters, digits, - and _ only");
            Check::new(is_plain(name), problem)
        });
        let keys = crate::channels::connectors(self).err();
        let keys = keys.into_iter().flat_map(|error| error.problems);
        let keys = keys.map(|problem| Check::new(false, problem));
        names.chain(keys).collect()
    }

    fn generate_checks(&self) -> Vec<Check> {
        let generate = &self.generate;
        let remote = generate.backend == Backend::Remote;
        let most_slots = if remote {
            MOST_REMOTE_SLOTS
        } else {
            MOST_SLOTS.into()
        };
        let usual = usize::try_from(LEAST_CONTEXT_TOKENS).unwrap_or(usize::MAX);
        let context_tokens = generate.context_tokens.unwrap_or(usual);
        vec![
            Check::new(
                !remote || !generate.url.is_empty(),
                "generate.url is needed with generate.backend = \"remote\", for example \"http://127.0.0.1:8000/v1\"",
            ),
            Check::new(
                !remote || generate.model.is_some(),
                "generate.model is needed with generate.backend = \"remote\": the model's name at that server",
            ),
            Check::new(
                generate
                    .slots
                    .is_none_or(|slots| (1..=most_slots).contains(&slots)),
                format!("generate.slots must be 1 to {most_slots}"),
            ),
            Check::new(
                generate
                    .step_tokens
                    .is_none_or(|tokens| STEP_TOKENS.contains(&tokens)),
                format!(
                    "generate.step_tokens must be {} to {}",
                    STEP_TOKENS.start(),
                    STEP_TOKENS.end()
                ),
            ),
            Check::new(
                generate.cache_type != CacheType::Q8_0
                    || generate.flash_attention != FlashAttention::Off,
                "generate.cache_type = \"q8_0\" needs flash attention: leave generate.flash_attention at \"auto\"",
            ),
            Check::at_least_one("generate.max_tokens", generate.max_tokens > 0),
            Check::new(
                context_tokens >= 1024,
                "generate.context_tokens must be at least 1024, or no prompt fits",
            ),
            Check::new(
                generate.max_tokens < context_tokens / 2,
                "generate.max_tokens must be less than half of generate.context_tokens: the prompt needs room",
            ),
            Check::new(
                generate.temperature >= 0.0,
                "generate.temperature must not be negative",
            ),
        ]
    }

    fn range_checks(&self) -> Vec<Check> {
        let (policy, retrieval) = (&self.policy, &self.retrieval);
        let mut checks = vec![
            Check::at_least_one("retrieval.passages", retrieval.passages > 0),
            Check::new(
                retrieval.fact_chars >= 100,
                "retrieval.fact_chars must be at least 100, or no fact fits",
            ),
        ];
        let shares = [
            ("policy.human", policy.human),
            ("policy.concern", policy.concern),
            ("policy.refuse", policy.refuse),
            ("policy.small_talk", policy.small_talk),
            ("retrieval.clear", retrieval.clear),
            ("retrieval.floor", retrieval.floor),
        ];
        checks.extend(shares.map(|(key, value)| {
            let problem = format!("{key} must lie between 0 and 1");
            Check::new((0.0..=1.0).contains(&value), problem)
        }));
        checks
    }
}

/// A rule for a setting.
struct Check {
    holds: bool,
    /// What is wrong when it does not, with the key.
    problem: String,
}

impl Check {
    fn new(holds: bool, problem: impl Into<String>) -> Self {
        let problem = problem.into();
        Self { holds, problem }
    }

    fn at_least_one(key: &str, holds: bool) -> Self {
        Self::new(holds, format!("{key} must be at least 1"))
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
        let error = load(
            "[generate]\nslots = 0\nstep_tokens = 32\ncache_type = \"q8_0\"\nflash_attention = \"off\"\n[policy]\nhuman = 7.0\n[auth]\nsecret = \"short\"\n",
        )
        .unwrap_err();
        assert_eq!(error.problems.len(), 5, "{error}");
        let error = load(
            "[company]\ntoday = \"tomorrow\"\n[server]\nmax_connections = 0\n[retrieval]\nfloor = 1.5\n",
        );
        let error = error.unwrap_err().to_string();
        for key in ["company.today", "server.max_connections", "retrieval.floor"] {
            assert!(error.contains(key), "{error}");
        }
    }

    #[test]
    fn a_database_is_named_by_a_url_whose_password_is_not_shown() {
        let config = load("[data]\nurl = \"postgres://desk:s3cret@db:5433/crm\"\n").unwrap();
        assert!(matches!(config.data.location(), Location::Server(_)));
        let shown = toml::to_string(&config).unwrap();
        assert!(!shown.contains("s3cret"), "{shown}");
        for (url, told) in [
            ("mysql://db/crm", "mysql"),
            ("crm.sqlite", "data.dir"),
            ("postgres://db:x/crm", "data.url"),
        ] {
            let error = load(&format!("[data]\nurl = \"{url}\"\n")).unwrap_err();
            let error = error.to_string();
            assert!(
                error.contains("data.url") && error.contains(told),
                "{error}"
            );
        }
    }

    #[test]
    fn a_step_has_a_largest_size() {
        let load = |tokens: u64| load(&format!("[generate]\nstep_tokens = {tokens}\n"));
        assert!(load(8192).is_ok());
        for tokens in [8193, 3_000_000_000] {
            let error = load(tokens).unwrap_err().to_string();
            assert!(
                error.contains("generate.step_tokens must be 64 to 8192"),
                "{error}"
            );
        }
    }

    #[test]
    fn remote_servers_write_more_at_once_than_a_machine() {
        let many = "[generate]\nslots = 200\n";
        assert!(load(many).is_err());
        let remote = "backend = \"remote\"\nurl = \"http://10.0.0.5/v1\"\nmodel = \"m\"\n";
        assert_eq!(
            load(&format!("{many}{remote}")).unwrap().generate.slots,
            Some(200)
        );
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
