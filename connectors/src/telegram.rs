//! Telegram, by the [Bot API](https://core.telegram.org/bots/api) 10.1.
//!
//! A hook proves itself by a secret in a header and carries no time: what is told again is recognised by its
//! `update_id`. Answers are HTML, of which only `& < >` are marks.

mod update;

use std::time::Duration;

use http::{Method, header};
use serde_json::{Value, json};
use url::Url;

use crate::channel::{
    Answer, Buttons, Call, Connector, Fetched, Files, Hook, HookError, Incoming, Limits, Outgoing,
    Polled, Polling, Rate, Received, Repeats, SendError, Sending, Sent, What,
};
use crate::render::{Marks, escape_html, pieces};
use crate::signature::same;
use crate::text::{Length, Unit};
use update::{Message, Told, Update};

const SECRET: &str = "x-telegram-bot-api-secret-token";
/// The kind of a chat between one person and the bot.
const PRIVATE: &str = "private";

/// A bot.
pub struct Telegram {
    /// `https://api.telegram.org`, or a server of one's own.
    base: Url,
    /// What BotFather gave.
    token: String,
    /// What `setWebhook` was told; without it, updates are polled.
    secret: Option<String>,
    /// The bot's name without `@`, where it answers in groups: to those who name it.
    in_groups: Option<String>,
}

impl Telegram {
    /// The bot of `token`, whose hook is called with `secret`; without one, updates are polled. Groups are
    /// ignored but for messages that name the bot by its name `in_groups`.
    #[must_use]
    pub fn new(
        base: Url,
        token: String,
        secret: Option<String>,
        in_groups: Option<String>,
    ) -> Self {
        Self {
            base,
            token,
            secret,
            in_groups,
        }
    }

    fn call(&self, method: &str, body: &Value, plain: Option<&Value>) -> Call {
        let mut url = self.base.clone();
        url.set_path(&format!(
            "{}/bot{}/{method}",
            self.base.path().trim_end_matches('/'),
            self.token
        ));
        Call {
            plain: plain.map(|plain| plain.to_string().into_bytes()),
            ..Call::json(Method::POST, url, body)
        }
    }

    fn message(&self, message: &Outgoing<'_>) -> Vec<Call> {
        let pieces = pieces(message, self.limits().text, HTML);
        let last = pieces.len().saturating_sub(1);
        let pieces = pieces.into_iter().enumerate();
        pieces
            .map(|(place, piece)| {
                let mut plain = addressed(message.thread);
                plain["text"] = piece.plain.into();
                plain["link_preview_options"] = json!({ "is_disabled": true });
                if place == last && !message.quick_replies.is_empty() {
                    plain["reply_markup"] = self.keyboard(message);
                }
                let mut marked = plain.clone();
                marked["text"] = piece.marked.into();
                marked["parse_mode"] = "HTML".into();
                self.call("sendMessage", &marked, Some(&plain))
            })
            .collect()
    }

    /// What the Bot API answered.
    fn told(&self, answer: &Answer<'_>) -> Result<Told, SendError> {
        let told: Told = serde_json::from_slice(answer.body).unwrap_or_default();
        let status = answer.status;
        if told.ok && (200..300).contains(&status) {
            return Ok(told);
        }
        let reason = told.description;
        if let Some(thread) = told.parameters.migrate_to_chat_id {
            let thread = thread.to_string();
            return Err(SendError::Moved { thread });
        }
        let after = told.parameters.retry_after.map(Duration::from_secs);
        Err(match status {
            401 => SendError::Unauthorized,
            403 => SendError::Unreachable { reason },
            400 if reason.contains("can't parse entities") => SendError::Marks { reason },
            // 409: two read the bot's updates; 2xx without `ok`: something on the way answered.
            200..=299 | 408 | 409 | 429 | 500..=599 => SendError::Later {
                status,
                after: after.or(answer.retry_after()),
            },
            status => SendError::Refused { status, reason },
        })
    }

    /// The first piece of `outgoing` in place of `message`: a message cannot become several.
    fn edit(&self, message: &str, outgoing: &Outgoing<'_>) -> Vec<Call> {
        let mut pieces = pieces(outgoing, self.limits().text, HTML);
        if pieces.is_empty() {
            return Vec::new();
        }
        let piece = pieces.swap_remove(0);
        let mut plain = addressed(outgoing.thread);
        plain["message_id"] = message.parse::<i64>().map_or(message.into(), Value::from);
        plain["text"] = piece.plain.into();
        let mut marked = plain.clone();
        marked["text"] = piece.marked.into();
        marked["parse_mode"] = "HTML".into();
        vec![self.call("editMessageText", &marked, Some(&plain))]
    }

    /// One button a row: they are read in full then.
    fn keyboard(&self, message: &Outgoing<'_>) -> Value {
        let limits = self.limits().buttons;
        let rows = message.quick_replies.iter().filter_map(|reply| {
            let limits = limits?;
            let label = limits.label.shorten(reply.label);
            let fits = reply.id.len() <= limits.id_bytes;
            fits.then(|| json!([{ "text": label, "callback_data": reply.id }]))
        });
        let most = limits.map_or(0, |limits| limits.most);
        json!({ "inline_keyboard": rows.take(most).collect::<Vec<_>>() })
    }

    /// What `message` says to the bot: all of it in a private chat, in a group what names the bot, without the
    /// name. `None` where it is not for the bot.
    fn said_to_us(&self, message: &Message) -> Option<String> {
        let text = message.words();
        if message.chat.kind == PRIVATE {
            return Some(text.to_owned());
        }
        let name = format!("@{}", self.in_groups.as_ref()?);
        let is_ours = |word: &str| {
            let word = word.trim_end_matches(|end: char| !end.is_alphanumeric() && end != '_');
            word.eq_ignore_ascii_case(&name)
        };
        let words: Vec<&str> = text.split_whitespace().collect();
        let named = words.iter().any(|word| is_ours(word));
        named.then(|| {
            let others = words.into_iter().filter(|word| !is_ours(word));
            others.collect::<Vec<_>>().join(" ")
        })
    }

    fn event(&self, update: Update) -> Option<Incoming> {
        let id = update.update_id.to_string();
        if let Some(press) = update.callback_query {
            return press.event(id);
        }
        if let Some(change) = update.my_chat_member {
            return change.event(id);
        }
        let is_new = update.message.is_some();
        let message = update.message.or(update.edited_message)?;
        let from = message.from.as_ref().filter(|from| !from.is_bot)?;
        let text = self.said_to_us(&message)?;
        let number = message.message_id.to_string();
        let media = message.media();
        if text.is_empty() && media.is_empty() {
            return None; // Somebody has joined, a title was changed: nobody wrote.
        }
        let is_start = text == "/start" || text.starts_with("/start ");
        let what = match is_new {
            true if is_start => What::Start,
            true => What::Message {
                message: number,
                text,
                media,
            },
            false => What::Edit {
                message: number,
                text,
            },
        };
        Some(Incoming {
            id,
            thread: message.thread(),
            sender: from.sender(),
            private: message.chat.kind == PRIVATE,
            at: Some(message.date),
            context: None,
            what,
        })
    }
}

/// Of the HTML that Telegram reads, only `& < >` are marks; it counts what is read.
const HTML: Marks = Marks {
    escape: escape_html,
    link: |title, url| {
        let address = escape_html(url).replace('"', "&quot;");
        format!("<a href=\"{address}\">{}</a>", escape_html(title))
    },
    are_counted: false,
};

/// The fields that name a thread: its chat, and its topic within it.
fn addressed(thread: &str) -> Value {
    let (chat, topic) = thread
        .split_once('/')
        .map_or((thread, None), |(chat, topic)| (chat, Some(topic)));
    let number = |text: &str| match text.parse::<i64>() {
        Ok(number) => Value::from(number),
        Err(_) => Value::from(text),
    };
    let mut body = json!({ "chat_id": number(chat) });
    if let Some(topic) = topic {
        body["message_thread_id"] = number(topic);
    }
    body
}

impl Connector for Telegram {
    fn limits(&self) -> Limits {
        Limits {
            text: Length {
                most: 4096,
                unit: Unit::Utf16,
            },
            buttons: Some(Buttons {
                most: 100,
                label: Length {
                    most: 64,
                    unit: Unit::Chars,
                },
                id_bytes: 64,
            }),
            typing: Some(Duration::from_secs(5)),
            edits: true,
            window: None,
            thread_rate: Rate {
                most: 1,
                per: Duration::from_secs(1),
            },
            account_rate: Rate {
                most: 30,
                per: Duration::from_secs(1),
            },
            repeats: Repeats::Doubles,
            answer_within: Duration::from_secs(60),
        }
    }

    fn receive(&self, hook: &Hook<'_>) -> Result<Received, HookError> {
        let secret = hook.header(SECRET).ok_or(HookError::BadSignature)?;
        let known = self.secret.as_ref().filter(|known| !known.is_empty());
        if !known.is_some_and(|known| same(secret.as_bytes(), known.as_bytes())) {
            return Err(HookError::BadSignature);
        }
        let update: Update = serde_json::from_slice(hook.body).map_err(|_| HookError::Malformed)?;
        Ok(self.event(update).into_iter().collect::<Vec<_>>().into())
    }

    fn send(&self, sending: &Sending<'_>) -> Vec<Call> {
        match sending {
            Sending::Message(message) => self.message(message),
            Sending::Edit { message, outgoing } => self.edit(message, outgoing),
            Sending::Reminder(_) => Vec::new(),
            Sending::Typing { thread, .. } => {
                let mut body = addressed(thread);
                body["action"] = "typing".into();
                vec![self.call("sendChatAction", &body, None)]
            }
            Sending::Seen { receipt } => {
                let body = json!({ "callback_query_id": receipt });
                vec![self.call("answerCallbackQuery", &body, None)]
            }
        }
    }

    fn accepted(&self, answer: &Answer<'_>) -> Result<Sent, SendError> {
        let told = self.told(answer)?;
        let id = told.result.get("message_id").and_then(Value::as_i64);
        Ok(Sent {
            message: id.map(|id| id.to_string()),
        })
    }

    fn probe(&self) -> Option<Call> {
        Some(self.call("getMe", &json!({}), None))
    }

    fn polling(&self) -> Option<&dyn Polling> {
        self.secret.is_none().then_some(self as _)
    }

    fn files(&self) -> Option<&dyn Files> {
        Some(self)
    }
}

/// How long the Bot API waits for something to happen, in seconds.
const LONG_POLL: u64 = 25;

impl Polling for Telegram {
    fn request(&self, cursor: Option<&str>, _: Option<&str>) -> Call {
        let read = [
            "message",
            "edited_message",
            "callback_query",
            "my_chat_member",
        ];
        let mut body = json!({ "timeout": LONG_POLL, "allowed_updates": read });
        if let Some(next) = cursor.and_then(|cursor| cursor.parse::<i64>().ok()) {
            body["offset"] = next.into();
        }
        self.call("getUpdates", &body, None)
    }

    fn polled(&self, answer: &Answer<'_>) -> Result<Polled, SendError> {
        let told = self.told(answer)?;
        let updates = told.result.as_array().cloned().unwrap_or_default();
        let ids = updates
            .iter()
            .filter_map(|update| update["update_id"].as_i64());
        let next = ids.max().map(|last| (last + 1).to_string());
        let updates = updates.into_iter().map(serde_json::from_value);
        Ok(Polled {
            // An update of an unknown form is passed over: it would come again for ever.
            events: updates
                .filter_map(|update| self.event(update.ok()?))
                .collect(),
            cursor: next,
            ..Polled::default()
        })
    }

    fn pause(&self) -> Duration {
        Duration::ZERO
    }
}

impl Files for Telegram {
    fn request(&self, place: &str) -> Option<Call> {
        Some(self.call("getFile", &json!({ "file_id": place }), None))
    }

    fn fetched(&self, answer: &Answer<'_>) -> Result<Fetched, SendError> {
        let is_json = answer.headers.get(header::CONTENT_TYPE);
        let is_json = is_json.is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
        if !is_json && (200..300).contains(&answer.status) {
            return Ok(Fetched::File);
        }
        let told = self.told(answer)?;
        let path = told.result["file_path"].as_str().unwrap_or_default();
        let mut url = self.base.clone();
        let root = self.base.path().trim_end_matches('/');
        url.set_path(&format!("{root}/file/bot{}/{path}", self.token));
        Ok(Fetched::At(Box::new(Call::get(url))))
    }
}

#[cfg(test)]
mod tests;
