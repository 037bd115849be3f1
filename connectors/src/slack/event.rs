//! What Slack sends, as far as it is read.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use url::form_urlencoded;

use super::QUICK_REPLY;
use super::text::{first_mention, mentions, readable};
use crate::channel::{HookError, Incoming, Media, Received, Reply, Sender, What};

/// A conversation, as its name says.
#[derive(Clone, Copy)]
pub(super) enum Place<'a> {
    /// A channel, or a thread in it: `C1/1767225600.000100`.
    Seen {
        channel: &'a str,
        ts: Option<&'a str>,
    },
    /// What only one person in a channel reads: `C1@U1`.
    Whispered { channel: &'a str, user: &'a str },
}

impl<'a> Place<'a> {
    pub(super) fn parse(thread: &'a str) -> Self {
        if let Some((channel, user)) = thread.split_once('@') {
            return Self::Whispered { channel, user };
        }
        match thread.split_once('/') {
            Some((channel, ts)) => Self::Seen {
                channel,
                ts: Some(ts),
            },
            None => Self::Seen {
                channel: thread,
                ts: None,
            },
        }
    }
}

/// Whether a channel is a conversation of two.
pub(super) fn is_direct(channel: &str) -> bool {
    channel.starts_with('D')
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Envelope {
    #[serde(rename = "type")]
    kind: String,
    challenge: Option<String>,
    team_id: Option<String>,
    event_id: Option<String>,
    authorizations: Option<Vec<Authorization>>,
    event: Value,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Authorization {
    user_id: Option<String>,
    is_bot: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Message {
    #[serde(rename = "type")]
    kind: String,
    subtype: Option<String>,
    channel: Option<String>,
    channel_type: Option<String>,
    user: Option<String>,
    user_team: Option<String>,
    team: Option<String>,
    user_profile: Option<Profile>,
    bot_id: Option<String>,
    hidden: Option<bool>,
    text: Option<String>,
    ts: Option<String>,
    thread_ts: Option<String>,
    files: Option<Vec<File>>,
    message: Option<Box<Message>>,
    previous_message: Option<Box<Message>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Profile {
    real_name: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct File {
    id: Option<String>,
    name: Option<String>,
    mimetype: Option<String>,
    size: Option<u64>,
    file_access: Option<String>,
    pub(super) url_private_download: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct AssistantThread {
    user_id: String,
    channel_id: String,
    thread_ts: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Interaction {
    user: User,
    container: Container,
    message: Option<Container>,
    response_url: Option<String>,
    actions: Vec<Action>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct User {
    id: String,
    team_id: Option<String>,
    name: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Container {
    channel_id: Option<String>,
    message_ts: Option<String>,
    thread_ts: Option<String>,
    is_ephemeral: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Action {
    action_id: String,
    value: Option<String>,
    action_ts: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Command {
    text: String,
    user_id: String,
    user_name: Option<String>,
    channel_id: String,
    team_id: Option<String>,
    response_url: Option<String>,
    trigger_id: String,
}

/// Whom an event was sent to, and which.
struct Delivery {
    id: String,
    team: Option<String>,
    /// The bot's user.
    own: Option<String>,
}

/// Reads what happened.
#[derive(Clone, Copy)]
pub(super) struct Reader {
    pub(super) in_groups: bool,
}

impl Reader {
    /// A hook's body in JSON.
    pub(super) fn json(self, body: &[u8]) -> Result<Received, HookError> {
        let body: Value = serde_json::from_slice(body).map_err(|_| HookError::Malformed)?;
        if body["type"] == "url_verification" {
            let reply = Reply::json(&json!({ "challenge": body["challenge"] }));
            return Ok(Received {
                reply: Some(reply),
                ..Received::default()
            });
        }
        Ok(self.event(body)?.into())
    }

    /// A hook's body as a form: an interaction, or a slash command.
    pub(super) fn form(self, body: &[u8]) -> Result<Vec<Incoming>, HookError> {
        let pairs = form_urlencoded::parse(body);
        let fields: Map<String, Value> = pairs
            .map(|(name, value)| (name.into_owned(), Value::from(value.into_owned())))
            .collect();
        if let Some(payload) = fields.get("payload").and_then(Value::as_str) {
            let payload = serde_json::from_str(payload).map_err(|_| HookError::Malformed)?;
            return self.interaction(payload);
        }
        if fields.contains_key("command") {
            return self.command(fields.into());
        }
        Ok(Vec::new())
    }

    /// An event in its envelope.
    pub(super) fn event(self, envelope: Value) -> Result<Vec<Incoming>, HookError> {
        let envelope: Envelope = known(envelope)?;
        let authorized = envelope
            .authorizations
            .unwrap_or_default()
            .into_iter()
            .next();
        let authorized = authorized.unwrap_or_default();
        if envelope.kind != "event_callback" || authorized.is_bot == Some(false) {
            return Ok(Vec::new()); // Of what a person who installed the app may read, nothing is for the bot.
        }
        let delivery = Delivery {
            id: envelope.event_id.ok_or(HookError::Malformed)?,
            team: envelope.team_id,
            own: authorized.user_id,
        };
        let event = match envelope.event["type"].as_str() {
            Some("message" | "app_mention") => self.message(delivery, known(envelope.event)?),
            Some("assistant_thread_started") => {
                let mut event = envelope.event;
                started(delivery, known(event["assistant_thread"].take())?)
            }
            _ => None,
        };
        Ok(event.into_iter().collect())
    }

    fn message(self, mut delivery: Delivery, mut message: Message) -> Option<Incoming> {
        if message.kind == "app_mention" && delivery.own.is_none() {
            let mentioned = message.text.as_deref().and_then(first_mention);
            delivery.own = mentioned.map(str::to_owned);
        }
        match message.subtype.as_deref() {
            Some("message_changed") => {
                let old = *message.previous_message.take()?;
                let new = *message.message.take()?;
                self.changed(&delivery, message.with(old), message.with(new))
            }
            Some("message_deleted") => {
                let old = *message.previous_message.take()?;
                self.deleted(&delivery, &message.with(old))
            }
            None | Some("file_share" | "thread_broadcast" | "me_message") => {
                self.said(&delivery, &message)
            }
            Some(_) => None,
        }
    }

    fn said(self, delivery: &Delivery, message: &Message) -> Option<Incoming> {
        let text = self.said_to_us(delivery, message)?;
        let media = message.media();
        if message.hidden == Some(true) || text.is_empty() && media.is_empty() {
            return None;
        }
        let id = message.id()?;
        let what = What::Message {
            message: id.clone(),
            text,
            media,
        };
        // A mention is told twice, as two events: the message is the same.
        message.event(delivery, id, what)
    }

    fn changed(self, delivery: &Delivery, old: Message, new: Message) -> Option<Incoming> {
        if new.subtype.as_deref() == Some("tombstone") {
            return self.deleted(delivery, &old); // What others have answered leaves a stone.
        }
        if old.text == new.text {
            return None; // A page that it links to was shown below it.
        }
        let text = self.said_to_us(delivery, &new).or_else(|| {
            // The mention was taken out.
            self.said_to_us(delivery, &old)?;
            let text = new.text.as_deref().unwrap_or_default();
            Some(readable(text, delivery.own.as_deref()))
        })?;
        let message = new.id()?;
        new.event(delivery, delivery.id.clone(), What::Edit { message, text })
    }

    fn deleted(self, delivery: &Delivery, old: &Message) -> Option<Incoming> {
        self.said_to_us(delivery, old)?;
        let message = old.id()?;
        old.event(delivery, delivery.id.clone(), What::Deletion { message })
    }

    /// What a person's message says to the bot: all of it in private, in a channel what mentions the bot, without
    /// the mention. `None` where it is not for the bot.
    fn said_to_us(self, delivery: &Delivery, message: &Message) -> Option<String> {
        let own = delivery.own.as_deref();
        if message.bot_id.is_some() || message.user.is_none() || message.user.as_deref() == own {
            return None;
        }
        let text = message.text.as_deref().unwrap_or_default();
        let is_named = message.kind == "app_mention" || own.is_some_and(|own| mentions(text, own));
        let is_ours = message.is_private() || self.in_groups && is_named;
        is_ours.then(|| readable(text, own))
    }

    /// Presses of quick replies.
    pub(super) fn interaction(self, payload: Value) -> Result<Vec<Incoming>, HookError> {
        if payload["type"] != "block_actions" {
            return Ok(Vec::new());
        }
        let interaction: Interaction = known(payload)?;
        let actions = interaction.actions.iter();
        Ok(actions
            .filter_map(|action| self.press(&interaction, action))
            .collect())
    }

    fn press(self, interaction: &Interaction, action: &Action) -> Option<Incoming> {
        if !action.action_id.starts_with(QUICK_REPLY) {
            return None;
        }
        let (user, container) = (&interaction.user, &interaction.container);
        let channel = container.channel_id.as_deref()?;
        let is_whispered = container.is_ephemeral == Some(true);
        let private = is_direct(channel) || is_whispered;
        if !private && !self.in_groups {
            return None;
        }
        let of_message = interaction.message.as_ref();
        let ts = container.thread_ts.as_ref();
        let ts = ts.or_else(|| of_message?.thread_ts.as_ref());
        let thread = match ts.or_else(|| container.message_ts.as_ref().filter(|_| !private)) {
            _ if is_whispered => format!("{channel}@{}", user.id),
            Some(ts) => format!("{channel}/{ts}"),
            None => channel.to_owned(),
        };
        Some(Incoming {
            id: format!("{}/{}/{}", action.action_ts, action.action_id, user.id),
            thread,
            sender: sender(&user.id, user.team_id.as_deref(), user.name.clone()),
            private,
            at: seconds(&action.action_ts),
            context: interaction.response_url.clone().filter(|_| is_whispered),
            what: What::Press {
                reply: action.value.clone()?,
                receipt: None,
            },
        })
    }

    /// A slash command: only who gave it reads what is answered.
    pub(super) fn command(self, payload: Value) -> Result<Vec<Incoming>, HookError> {
        let command: Command = known(payload)?;
        if command.user_id.is_empty() || command.trigger_id.is_empty() {
            return Ok(Vec::new());
        }
        let text = readable(&command.text, None);
        let team = command.team_id.as_deref();
        Ok(vec![Incoming {
            id: command.trigger_id.clone(),
            thread: format!("{}@{}", command.channel_id, command.user_id),
            sender: sender(&command.user_id, team, command.user_name),
            private: true,
            at: None,
            context: command.response_url,
            what: if text.is_empty() {
                What::Start
            } else {
                What::Message {
                    message: command.trigger_id,
                    text,
                    media: Vec::new(),
                }
            },
        }])
    }
}

impl Message {
    /// `inner`, where this one tells what became of it.
    fn with(&self, inner: Self) -> Self {
        Self {
            channel: self.channel.clone(),
            channel_type: self.channel_type.clone(),
            ..inner
        }
    }

    fn is_private(&self) -> bool {
        match self.channel_type.as_deref() {
            Some(kind) => matches!(kind, "im" | "app_home"),
            None => self.channel.as_deref().is_some_and(is_direct),
        }
    }

    fn id(&self) -> Option<String> {
        Some(format!("{}/{}", self.channel.as_ref()?, self.ts.as_ref()?))
    }

    fn thread(&self) -> Option<String> {
        let channel = self.channel.as_ref()?;
        let own = self.ts.as_ref().filter(|_| !self.is_private());
        Some(match self.thread_ts.as_ref().or(own) {
            Some(ts) => format!("{channel}/{ts}"),
            None => channel.clone(),
        })
    }

    fn media(&self) -> Vec<Media> {
        let files = self.files.iter().flatten();
        let media = files.filter_map(|file| {
            let is_elsewhere = file.file_access.as_deref() == Some("check_file_info");
            let id = file.id.as_ref().filter(|_| is_elsewhere);
            Some(Media {
                place: file.url_private_download.as_ref().or(id)?.clone(),
                name: file.name.clone(),
                content_type: file.mimetype.clone(),
                size: file.size,
            })
        });
        media.collect()
    }

    fn event(&self, delivery: &Delivery, id: String, what: What) -> Option<Incoming> {
        let team = self.user_team.as_ref().or(self.team.as_ref());
        let team = team.or(delivery.team.as_ref()).map(String::as_str);
        let profile = self.user_profile.as_ref();
        let name = profile.and_then(|profile| profile.real_name.clone());
        Some(Incoming {
            id,
            thread: self.thread()?,
            sender: sender(self.user.as_deref()?, team, name),
            private: self.is_private(),
            at: self.ts.as_deref().and_then(seconds),
            context: None,
            what,
        })
    }
}

/// A conversation with an assistant was opened.
fn started(delivery: Delivery, thread: AssistantThread) -> Option<Incoming> {
    let is_whole = is_direct(&thread.channel_id) && !thread.user_id.is_empty();
    let at = seconds(&thread.thread_ts).filter(|_| is_whole)?;
    Some(Incoming {
        id: delivery.id,
        thread: format!("{}/{}", thread.channel_id, thread.thread_ts),
        sender: sender(&thread.user_id, delivery.team.as_deref(), None),
        private: true,
        at: Some(at),
        context: None,
        what: What::Start,
    })
}

/// Users are unique within their workspace, and those of several may meet in one.
fn sender(user: &str, team: Option<&str>, name: Option<String>) -> Sender {
    Sender {
        id: team.map_or(user.to_owned(), |team| format!("{team}/{user}")),
        name: name.filter(|name| !name.is_empty()),
        language: None,
    }
}

/// The seconds of a `ts`, which is an id in the form of a time.
fn seconds(ts: &str) -> Option<i64> {
    ts.split_once('.')
        .map_or(ts, |(whole, _)| whole)
        .parse()
        .ok()
}

fn known<T: DeserializeOwned>(value: Value) -> Result<T, HookError> {
    serde_json::from_value(value).map_err(|_| HookError::Malformed)
}
