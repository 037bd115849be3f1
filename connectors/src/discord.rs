//! Discord, by its [API](https://docs.discord.com/developers/reference) v10.
//!
//! What people write comes over the gateway only. Presses of buttons come over it, too, or, where the application
//! has an address for interactions, to the hook: signed, and never both ways. On a server (a guild) each person
//! has a conversation of their own in each channel.

mod event;
mod gateway;
mod text;

use std::sync::Arc;
use std::time::Duration;

use ed25519_dalek::{Signature, VerifyingKey};
use http::{HeaderValue, Method, header};
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use crate::channel::{
    Answer, Buttons, Call, Connector, Fetched, Files, Gateway, Hook, HookError, Limits, Outgoing,
    Rate, Received, Repeats, Reply, SendError, Sending, Sent,
};
use crate::signature::{hash, hex};
use crate::text::{Length, Unit};
use event::{Interaction, channel_of};

const SIGNATURE: &str = "x-signature-ed25519";
const TIMESTAMP: &str = "x-signature-timestamp";
/// How far the clocks of the two may be apart, in seconds.
const TOLERANCE: u64 = 300;
/// Longest nonce of a message, in characters.
const NONCE: usize = 25;

/// What a bot is run with.
pub struct Settings {
    /// `https://discord.com/api/v10`.
    pub base: Url,
    /// `https://cdn.discordapp.com`: files are fetched from nowhere else.
    pub files: Url,
    /// The bot's token.
    pub token: String,
    /// The application's public key, 64 hexadecimal digits, where presses come to the hook; empty where they come
    /// over the gateway, and the hook is refused everything.
    pub public_key: String,
    /// A page about who runs the bot: Discord wants to be told with each request, and blocks who does not.
    pub about: Url,
    /// Whether those are answered who mention the bot on servers.
    pub in_groups: bool,
}

/// Why a public key cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the public key is the 64 hexadecimal digits that the application's page shows")]
pub struct KeyError;

/// A bot.
pub struct Discord {
    settings: Arc<Settings>,
    key: Option<VerifyingKey>,
}

impl Discord {
    /// The bot of `settings`.
    ///
    /// # Errors
    /// [`KeyError`] where there is a public key that is none.
    pub fn new(settings: Settings) -> Result<Self, KeyError> {
        let key = match settings.public_key.trim() {
            "" => None,
            digits => {
                let bytes = unhex(digits).ok_or(KeyError)?;
                let bytes = bytes.try_into().map_err(|_| KeyError)?;
                Some(VerifyingKey::from_bytes(&bytes).map_err(|_| KeyError)?)
            }
        };
        Ok(Self {
            settings: Arc::new(settings),
            key,
        })
    }

    /// Whether the raw body is Discord's, which sends wrong signatures, too, to see them refused.
    fn verify(&self, hook: &Hook<'_>) -> Result<(), HookError> {
        let key = self.key.as_ref().ok_or(HookError::BadSignature)?;
        let timestamp = hook.header(TIMESTAMP).ok_or(HookError::BadSignature)?;
        let signature = hook.header(SIGNATURE).ok_or(HookError::BadSignature)?;
        let signature = unhex(signature).ok_or(HookError::BadSignature)?;
        let signature = Signature::from_slice(&signature).map_err(|_| HookError::BadSignature)?;
        let signed = [timestamp.as_bytes(), hook.body].concat();
        key.verify_strict(&signed, &signature)
            .map_err(|_| HookError::BadSignature)?;
        let at: i64 = timestamp.parse().map_err(|_| HookError::WrongTime)?;
        if hook.at.abs_diff(at) > TOLERANCE {
            return Err(HookError::WrongTime);
        }
        Ok(())
    }

    /// What a genuine body says.
    fn read(&self, body: &[u8]) -> Result<Received, HookError> {
        let interaction: Interaction =
            serde_json::from_slice(body).map_err(|_| HookError::Malformed)?;
        let reply = if interaction.is_ping() {
            Some(Reply::json(&json!({ "type": 1 })))
        } else if interaction.is_press() {
            Some(Reply::json(&json!({ "type": UPDATE_LATER })))
        } else {
            None
        };
        let event = interaction.event(self.settings.in_groups);
        Ok(Received {
            events: event.into_iter().collect(),
            reply,
            ..Received::default()
        })
    }

    fn message(&self, message: &Outgoing<'_>) -> Vec<Call> {
        let (channel, is_group) = channel_of(message.thread);
        let bodies = text::bodies(message, &self.limits()).into_iter();
        bodies
            .enumerate()
            .map(|(part, mut body)| {
                body["nonce"] = nonce(message.key, part).into();
                body["enforce_nonce"] = true.into();
                // Where several talk, it is shown whom the first part answers.
                if let Some(answered) = message.context.filter(|_| is_group && part == 0) {
                    body["message_reference"] =
                        json!({ "message_id": answered, "fail_if_not_exists": false });
                }
                let path = ["channels", channel, "messages"];
                self.settings.call(Method::POST, &path, Some(&body))
            })
            .collect()
    }

    /// The first piece of `outgoing` in place of `message`: a message cannot become several.
    fn edit(&self, message: &str, outgoing: &Outgoing<'_>) -> Option<Call> {
        let mut body = text::bodies(outgoing, &self.limits()).into_iter().next()?;
        if body["components"].is_null() {
            body["components"] = json!([]); // Those that it had would stay.
        }
        let (channel, _) = channel_of(outgoing.thread);
        let path = ["channels", channel, "messages", message];
        Some(self.settings.call(Method::PATCH, &path, Some(&body)))
    }
}

impl Settings {
    /// A request to the API, below its base.
    fn call(&self, method: Method, path: &[&str], body: Option<&Value>) -> Call {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        let mut call = match body {
            Some(body) => Call::json(method, url, body),
            None => Call {
                method,
                ..Call::get(url)
            },
        };
        if let Ok(mut token) = HeaderValue::from_str(&format!("Bot {}", self.token)) {
            token.set_sensitive(true);
            call.headers.insert(header::AUTHORIZATION, token);
        }
        let version = env!("CARGO_PKG_VERSION");
        let agent = format!("DiscordBot ({}, {version})", self.about);
        if let Ok(agent) = HeaderValue::from_str(&agent) {
            call.headers.insert(header::USER_AGENT, agent);
        }
        call
    }

    /// Says that a press was seen, within the three seconds that Discord waits; nothing is shown for it.
    fn seen(&self, interaction: &Interaction) -> Call {
        let (id, token) = (interaction.id.as_str(), interaction.token.as_str());
        let path = ["interactions", id, token, "callback"];
        self.call(Method::POST, &path, Some(&json!({ "type": UPDATE_LATER })))
    }
}

/// The answer to a press after which its message may be changed later.
const UPDATE_LATER: u8 = 6;

/// By this Discord recognises for some minutes that a message was sent before.
fn nonce(key: &str, part: usize) -> String {
    let part = part.to_string();
    let hash = hash::<sha2::Sha256>(&[key.as_bytes(), b"/", part.as_bytes()]);
    hex(&hash).chars().take(NONCE).collect()
}

fn unhex(digits: &str) -> Option<Vec<u8>> {
    let is_hex = digits.len().is_multiple_of(2) && digits.bytes().all(|c| c.is_ascii_hexdigit());
    let pairs = digits.as_bytes().chunks(2).map(|pair| {
        let pair = std::str::from_utf8(pair).ok()?;
        u8::from_str_radix(pair, 16).ok()
    });
    pairs.collect::<Option<Vec<u8>>>().filter(|_| is_hex)
}

/// What Discord answers, where it is an object.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Told {
    id: Option<String>,
    channel_id: Option<String>,
    code: i64,
    message: String,
    /// Seconds.
    retry_after: Option<f64>,
}

/// Closed direct messages, or no server in common; no access to the channel, or none to write; no such channel.
const UNREACHABLE: [i64; 5] = [50007, 50278, 50001, 50013, 10003];
/// A press was acknowledged before.
const SEEN_BEFORE: i64 = 40060;

impl Connector for Discord {
    fn limits(&self) -> Limits {
        Limits {
            text: Length {
                most: 2000,
                unit: Unit::Chars,
            },
            buttons: Some(Buttons {
                most: 25,
                label: Length {
                    most: 80,
                    unit: Unit::Chars,
                },
                id_bytes: 100,
            }),
            typing: Some(Duration::from_secs(10)),
            edits: true,
            window: None,
            thread_rate: Rate {
                most: 1,
                per: Duration::from_secs(1),
            },
            account_rate: Rate {
                most: 50,
                per: Duration::from_secs(1),
            },
            repeats: Repeats::Safe,
            answer_within: Duration::from_secs(3),
        }
    }

    fn receive(&self, hook: &Hook<'_>) -> Result<Received, HookError> {
        self.verify(hook)?;
        self.read(hook.body)
    }

    fn send(&self, sending: &Sending<'_>) -> Vec<Call> {
        match sending {
            Sending::Message(message) => self.message(message),
            Sending::Edit { message, outgoing } => {
                self.edit(message, outgoing).into_iter().collect()
            }
            // There is no window; presses are acknowledged when they come.
            Sending::Reminder(_) | Sending::Seen { .. } => Vec::new(),
            Sending::Typing { thread, .. } => {
                let path = ["channels", channel_of(thread).0, "typing"];
                vec![self.settings.call(Method::POST, &path, None)]
            }
        }
    }

    fn accepted(&self, answer: &Answer<'_>) -> Result<Sent, SendError> {
        let status = answer.status;
        let told = serde_json::from_slice::<Told>(answer.body);
        let is_read = told.is_ok() || answer.body.is_empty();
        let told = told.unwrap_or_default();
        if (200..300).contains(&status) && is_read {
            let is_message = told.channel_id.is_some();
            return Ok(Sent {
                message: told.id.filter(|_| is_message),
            });
        }
        let reason = match told.code {
            0 => answer.excerpt(),
            code => format!("{} ({code})", told.message),
        };
        let asked = told.retry_after;
        let asked = asked.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        match status {
            401 => Err(SendError::Unauthorized),
            // 2xx without what Discord says: something on the way answered.
            200..=299 | 408 | 429 | 500..=599 => Err(SendError::Later {
                status,
                after: asked.or(answer.retry_after()),
            }),
            _ if told.code == SEEN_BEFORE => Ok(Sent::default()),
            _ if UNREACHABLE.contains(&told.code) => Err(SendError::Unreachable { reason }),
            status => Err(SendError::Refused { status, reason }),
        }
    }

    fn probe(&self) -> Option<Call> {
        let path = ["users", "@me"];
        Some(self.settings.call(Method::GET, &path, None))
    }

    fn gateway(&self) -> Option<&dyn Gateway> {
        Some(self)
    }

    fn files(&self) -> Option<&dyn Files> {
        Some(self)
    }
}

impl Files for Discord {
    /// The address of an attachment is signed and for all: it is fetched without the token.
    fn request(&self, place: &str) -> Option<Call> {
        let url = Url::parse(place).ok()?;
        let is_theirs = url.origin() == self.settings.files.origin()
            && url.username().is_empty()
            && url.password().is_none();
        is_theirs.then(|| Call::get(url))
    }

    fn fetched(&self, answer: &Answer<'_>) -> Result<Fetched, SendError> {
        match answer.status {
            200..=299 => Ok(Fetched::File),
            status @ (408 | 429 | 500..=599) => Err(SendError::Later {
                status,
                after: answer.retry_after(),
            }),
            // 403 and 404: the signature of the address has expired, or the message is gone.
            status => Err(SendError::Refused {
                status,
                reason: answer.excerpt(),
            }),
        }
    }
}

#[cfg(test)]
mod tests;
