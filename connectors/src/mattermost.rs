//! Mattermost, by its [API](https://developers.mattermost.com/api-documentation/) 4.
//!
//! What happened comes over a WebSocket, where the bot sees private conversations, too. Presses come to a hook
//! and are not signed by the server: each button carries a signature of ours.

mod post;
mod socket;

use std::time::Duration;

use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use crate::channel::{
    Answer, Buttons, Call, Choice, Connector, Fetched, Files, Gateway, Hook, HookError, Incoming,
    Limits, Outgoing, Rate, Received, Repeats, Reply, SendError, Sender, Sending, Sent, What,
};
use crate::render::{Marks, Piece, pieces_with_choices};
use crate::signature::{hex, hmac_sha256, same};
use crate::text::{Length, Unit};
use post::Reader;

/// What a bot account is entered with.
pub struct Settings {
    /// Where the server is, without `/api/v4`.
    pub base: Url,
    /// The bot account's access token.
    pub token: String,
    /// Id of the bot's user.
    pub user: String,
    /// The bot's user name without `@`, where it answers in channels: to those who name it.
    pub in_groups: Option<String>,
    /// Address of our hook, as the server reaches it, for presses; `None` where there are to be no buttons.
    pub hook: Option<Url>,
    /// Signs what buttons carry; without it there are none.
    pub secret: String,
}

/// A bot account.
pub struct Mattermost {
    settings: Settings,
}

impl Mattermost {
    /// The bot account of `settings`.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { settings }
    }

    fn reader(&self) -> Reader {
        Reader {
            user: self.settings.user.clone(),
            in_groups: self.settings.in_groups.clone(),
        }
    }

    fn url(&self, path: &str) -> Url {
        let mut url = self.settings.base.clone();
        let root = self.settings.base.path().trim_end_matches('/');
        url.set_path(&format!("{root}/api/v4/{path}"));
        url
    }

    fn call(&self, method: Method, path: &str, body: &Value) -> Call {
        Call::json(method, self.url(path), body).bearer(&self.settings.token)
    }

    /// Where presses are told; `None` where there can be no buttons.
    fn hook(&self) -> Option<&Url> {
        let hook = self.settings.hook.as_ref();
        hook.filter(|_| !self.settings.secret.is_empty())
    }

    fn signature(&self, thread: &str, reply: &str) -> String {
        let parts = [thread.as_bytes(), b"\n", reply.as_bytes()];
        hex(&hmac_sha256(self.settings.secret.as_bytes(), &parts))
    }

    /// The pieces of `message`, and what stands under the last of them.
    fn parts(&self, message: &Outgoing<'_>) -> (Vec<Piece>, Option<Value>) {
        let choices = message.quick_replies.iter().copied();
        let (mut buttons, mut others): (Vec<_>, Vec<_>) = choices
            .partition(|choice| self.hook().is_some() && choice.id.len() <= BUTTONS.id_bytes);
        if buttons.len() > BUTTONS.most {
            others.extend(buttons.split_off(BUTTONS.most));
        }
        let others = Outgoing {
            quick_replies: others,
            ..message.clone()
        };
        let pieces = pieces_with_choices(&others, TEXT, MARKDOWN);
        let props = self.props(message.thread, &buttons);
        (pieces, props.filter(|_| !buttons.is_empty()))
    }

    fn props(&self, thread: &str, buttons: &[Choice<'_>]) -> Option<Value> {
        let hook = self.hook()?;
        let actions = buttons.iter().enumerate().map(|(place, choice)| {
            json!({
                "id": format!("q{place}"),
                "name": BUTTONS.label.shorten(choice.label),
                "type": "button",
                "integration": { "url": hook, "context": {
                    "thread": thread,
                    "reply": choice.id,
                    "signature": self.signature(thread, choice.id),
                } },
            })
        });
        let actions: Vec<Value> = actions.collect();
        Some(json!({ "attachments": [{ "actions": actions }] }))
    }

    fn message(&self, message: &Outgoing<'_>) -> Vec<Call> {
        let (pieces, mut props) = self.parts(message);
        let last = pieces.len().saturating_sub(1);
        let (channel, root) = addressed(message.thread);
        let pieces = pieces.into_iter().enumerate();
        pieces
            .map(|(part, piece)| {
                let mut body = json!({
                    "channel_id": channel,
                    "root_id": root,
                    "message": piece.marked,
                    // For some seconds the server knows a message again by it.
                    "pending_post_id": format!("{}:{}-{part}", self.settings.user, message.key),
                });
                if let Some(props) = props.take_if(|_| part == last) {
                    body["props"] = props;
                }
                self.call(Method::POST, "posts", &body)
            })
            .collect()
    }

    /// The first piece of `outgoing` in place of `message`: a message cannot become several.
    fn edit(&self, message: &str, outgoing: &Outgoing<'_>) -> Option<Call> {
        let (pieces, props) = self.parts(outgoing);
        let is_whole = pieces.len() == 1;
        let piece = pieces.into_iter().next()?;
        let props = props.filter(|_| is_whole);
        let body = json!({
            "message": piece.marked,
            "props": props.unwrap_or_else(|| json!({ "attachments": [] })),
        });
        is_id(message).then(|| self.call(Method::PUT, &format!("posts/{message}/patch"), &body))
    }
}

const TEXT: Length = Length {
    most: 16_383,
    unit: Unit::Chars,
};
/// The server has no limits of its own; as many and as long as are read at a glance.
const BUTTONS: Buttons = Buttons {
    most: 20,
    label: Length {
        most: 75,
        unit: Unit::Chars,
    },
    id_bytes: 255,
};

/// Markdown, of which addresses are left as they are: they are links by themselves.
const MARKDOWN: Marks = Marks {
    escape: |text| {
        let mut escaped = String::new();
        for word in text.split_inclusive(char::is_whitespace) {
            let is_address = word.contains("://");
            for character in word.chars() {
                if !is_address && r"\*_`~[]<>|".contains(character) {
                    escaped.push('\\');
                }
                escaped.push(character);
            }
        }
        quiet(&escaped)
    },
    link: |title, url| markdown_link(title, url),
    are_counted: true,
};

/// A link in Markdown.
pub(crate) fn markdown_link(title: &str, url: &str) -> String {
    let title = title.replace(['[', ']', '\\', '\n'], " ");
    let url = url.replace('(', "%28").replace(')', "%29");
    format!("[{}]({})", quiet(&title), url.replace(' ', "%20"))
}

/// `text` in which nobody calls everybody: an unseen space parts `@` from the words for all.
pub(crate) fn quiet(text: &str) -> String {
    let mut parts = text.split('@');
    let mut quiet = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let names_all = |name: &&str| {
            let begin = part.get(..name.len());
            begin.is_some_and(|begin| begin.eq_ignore_ascii_case(name))
        };
        quiet.push('@');
        if ["all", "here", "channel"].iter().any(names_all) {
            quiet.push('\u{200b}');
        }
        quiet.push_str(part);
    }
    quiet
}

/// The channel of a thread, and the post that it hangs on.
fn addressed(thread: &str) -> (&str, &str) {
    thread.split_once('/').unwrap_or((thread, ""))
}

/// Whether `text` has the form of the server's ids.
fn is_id(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric())
}

/// What the server tells of a press.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Press {
    user_id: String,
    user_name: Option<String>,
    channel_id: String,
    post_id: String,
    trigger_id: String,
    context: Context,
}

/// What a button of ours carries.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Context {
    thread: String,
    reply: String,
    signature: String,
}

/// What the server answers, as far as it is read.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Told {
    id: String,
    channel_id: String,
    message: String,
}

/// What the server answered.
fn told(answer: &Answer<'_>) -> Result<Told, SendError> {
    let status = answer.status;
    let told = serde_json::from_slice::<Told>(answer.body).ok();
    let reset = answer.headers.get("x-ratelimit-reset");
    let reset = reset.and_then(|value| value.to_str().ok()?.trim().parse().ok());
    let later = SendError::Later {
        status,
        after: reset
            .map(Duration::from_secs)
            .or_else(|| answer.retry_after())
            .filter(|_| status == 429),
    };
    let words = told.as_ref().map(|told| told.message.clone());
    let reason = words.unwrap_or_else(|| answer.excerpt());
    let is_of_deleted = || {
        told.as_ref()
            .is_some_and(|told| told.id.contains("deleted"))
    };
    match status {
        200..=299 => told.ok_or(later), // Without JSON something on the way answered.
        401 => Err(SendError::Unauthorized),
        403 => Err(SendError::Unreachable { reason }),
        400 if is_of_deleted() => Err(SendError::Unreachable { reason }),
        408 | 429 | 500..=599 => Err(later),
        status => Err(SendError::Refused { status, reason }),
    }
}

impl Connector for Mattermost {
    fn limits(&self) -> Limits {
        // Where the operator of the server has switched limits on, and left them as they are.
        let ten_a_second = Rate {
            most: 10,
            per: Duration::from_secs(1),
        };
        Limits {
            text: TEXT,
            buttons: self.hook().map(|_| BUTTONS),
            typing: Some(Duration::from_secs(5)),
            edits: true,
            window: None,
            thread_rate: ten_a_second,
            account_rate: ten_a_second,
            repeats: Repeats::Doubles,
            answer_within: Duration::from_secs(30),
        }
    }

    fn receive(&self, hook: &Hook<'_>) -> Result<Received, HookError> {
        if self.settings.secret.is_empty() {
            return Err(HookError::BadSignature);
        }
        let press: Press = serde_json::from_slice(hook.body).map_err(|_| HookError::Malformed)?;
        let Context {
            thread,
            reply,
            signature,
        } = press.context;
        let expected = self.signature(&thread, &reply);
        let (channel, root) = addressed(&thread);
        if !same(expected.as_bytes(), signature.as_bytes()) || channel != press.channel_id {
            return Err(HookError::BadSignature);
        }
        let private = root.is_empty();
        let is_ours = private || self.settings.in_groups.is_some();
        let id = match press.trigger_id.is_empty() {
            true => format!("{}/{reply}/{}", press.post_id, press.user_id),
            false => press.trigger_id,
        };
        let event = Incoming {
            id,
            sender: Sender {
                id: press.user_id,
                name: press.user_name.filter(|name| !name.is_empty()),
                language: None,
            },
            private,
            at: None,
            context: None,
            what: What::Press {
                reply,
                receipt: None,
            },
            thread,
        };
        Ok(Received {
            events: Some(event).filter(|_| is_ours).into_iter().collect(),
            reply: Some(Reply::json(&json!({}))),
            ..Received::default()
        })
    }

    fn send(&self, sending: &Sending<'_>) -> Vec<Call> {
        match sending {
            Sending::Message(message) => self.message(message),
            Sending::Edit { message, outgoing } => {
                self.edit(message, outgoing).into_iter().collect()
            }
            Sending::Typing { thread, .. } => {
                let (channel, root) = addressed(thread);
                let body = json!({ "channel_id": channel, "parent_id": root });
                vec![self.call(Method::POST, "users/me/typing", &body)]
            }
            Sending::Reminder(_) | Sending::Seen { .. } => Vec::new(),
        }
    }

    fn accepted(&self, answer: &Answer<'_>) -> Result<Sent, SendError> {
        let told = told(answer)?;
        let is_post = !told.channel_id.is_empty();
        Ok(Sent {
            message: Some(told.id).filter(|_| is_post),
        })
    }

    fn probe(&self) -> Option<Call> {
        Some(Call::get(self.url("users/me")).bearer(&self.settings.token))
    }

    fn gateway(&self) -> Option<&dyn Gateway> {
        Some(self)
    }

    fn files(&self) -> Option<&dyn Files> {
        Some(self)
    }
}

impl Files for Mattermost {
    fn request(&self, place: &str) -> Option<Call> {
        let url = self.url(&format!("files/{place}"));
        is_id(place).then(|| Call::get(url).bearer(&self.settings.token))
    }

    fn fetched(&self, answer: &Answer<'_>) -> Result<Fetched, SendError> {
        if (200..300).contains(&answer.status) {
            return Ok(Fetched::File);
        }
        told(answer).map(|_| Fetched::File)
    }
}

#[cfg(test)]
mod tests;
