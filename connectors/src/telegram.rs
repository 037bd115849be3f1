//! Telegram, by the [Bot API](https://core.telegram.org/bots/api) 10.1.
//!
//! A hook proves itself by a secret in a header and carries no time: what is told again is recognised by its
//! `update_id`. Answers are HTML, of which only `& < >` are marks.

mod update;

use std::fmt::Write;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, Method, header};
use serde_json::{Value, json};
use url::Url;

use crate::channel::{
    Answer, Buttons, Call, Connector, Hook, HookError, Incoming, Limits, Outgoing, Rate, Received,
    Repeats, SendError, Sending, Sent, What,
};
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
    /// What `setWebhook` was told.
    secret: String,
    /// The bot's name without `@`, where it answers in groups: to those who name it.
    in_groups: Option<String>,
}

impl Telegram {
    /// The bot of `token`, whose hook is called with `secret`. Groups are ignored but for messages that name the
    /// bot by its name `in_groups`.
    #[must_use]
    pub fn new(base: Url, token: String, secret: String, in_groups: Option<String>) -> Self {
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
        let mut headers = HeaderMap::new();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        Call {
            method: Method::POST,
            url,
            headers,
            body: body.to_string().into_bytes(),
            plain: plain.map(|plain| plain.to_string().into_bytes()),
        }
    }

    fn message(&self, message: &Outgoing<'_>) -> Vec<Call> {
        let pieces = pieces(message, self.limits().text);
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
                marked["text"] = piece.html.into();
                marked["parse_mode"] = "HTML".into();
                self.call("sendMessage", &marked, Some(&plain))
            })
            .collect()
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
            what,
        })
    }
}

/// A piece of a message, with marks and without.
struct Piece {
    html: String,
    plain: String,
}

/// The text within the limit, which counts what is read and not the marks; the links behind the last piece, or
/// behind all of them where they do not fit.
fn pieces(message: &Outgoing<'_>, limit: Length) -> Vec<Piece> {
    let texts = limit.split(message.text).into_iter();
    let mut pieces: Vec<Piece> = texts
        .map(|plain| Piece {
            html: escape(&plain),
            plain,
        })
        .collect();
    let mut links = Piece {
        html: String::new(),
        plain: String::new(),
    };
    for link in &message.links {
        let Some(url) = link.url.filter(|url| is_web(url)) else {
            continue;
        };
        let between = if links.plain.is_empty() { "" } else { "\n" };
        let (title, address) = (escape(link.title), escape(url).replace('"', "&quot;"));
        let _ = write!(links.html, "{between}<a href=\"{address}\">{title}</a>");
        let _ = write!(links.plain, "{between}{}: {url}", link.title);
    }
    if links.plain.is_empty() || !limit.holds(&links.plain) {
        return pieces;
    }
    match pieces.last_mut() {
        Some(last) if limit.holds(&format!("{}\n\n{}", last.plain, links.plain)) => {
            last.html = format!("{}\n\n{}", last.html, links.html);
            last.plain = format!("{}\n\n{}", last.plain, links.plain);
        }
        _ => pieces.push(links),
    }
    pieces
}

/// Whether a browser opens it as a page: what a company's data calls an address may be anything.
fn is_web(url: &str) -> bool {
    Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

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
        if self.secret.is_empty() || !same(secret.as_bytes(), self.secret.as_bytes()) {
            return Err(HookError::BadSignature);
        }
        let update: Update = serde_json::from_slice(hook.body).map_err(|_| HookError::Malformed)?;
        Ok(Received {
            events: self.event(update).into_iter().collect(),
            reply: None,
        })
    }

    fn send(&self, sending: &Sending<'_>) -> Vec<Call> {
        match sending {
            Sending::Message(message) => self.message(message),
            Sending::Typing { thread } => {
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
        let told: Told = serde_json::from_slice(answer.body).unwrap_or_default();
        let (status, reason) = (answer.status, told.description);
        if told.ok && (200..300).contains(&status) {
            let id = told.result.get("message_id").and_then(Value::as_i64);
            return Ok(Sent {
                message: id.map(|id| id.to_string()),
            });
        }
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
}

#[cfg(test)]
mod tests;
