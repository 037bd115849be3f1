//! What Feishu sends, as far as it is read.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::channel::{HookError, Incoming, Media, Sender, What};

/// The kind of a chat between one person and the bot.
const PRIVATE: &str = "p2p";
/// The kind of any other, where Feishu does not say which.
const GROUP: &str = "group";
/// An image of whatever type: Feishu does not say which.
const IMAGE: &str = "image/*";
/// The one type of videos.
const VIDEO: &str = "video/mp4";

/// The body of a request to the hook, in each of its forms.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Body {
    /// The same body, hidden.
    pub(super) encrypt: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    challenge: Option<String>,
    token: Option<String>,
    header: Option<Header>,
    event: Value,
    // A press in a card of the old form has no envelope.
    open_id: Option<String>,
    open_message_id: Option<String>,
    open_chat_id: Option<String>,
    action: Option<Action>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Header {
    event_id: String,
    event_type: String,
    /// Milliseconds.
    create_time: Option<String>,
    token: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Received {
    sender: From,
    message: Message,
}

#[derive(Debug, Deserialize)]
struct From {
    sender_id: Option<Id>,
    #[serde(default)]
    sender_type: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Id {
    open_id: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Message {
    message_id: String,
    chat_id: String,
    #[serde(default)]
    chat_type: String,
    thread_id: Option<String>,
    #[serde(default)]
    message_type: String,
    /// JSON, in the form of its type.
    #[serde(default)]
    content: String,
    /// Milliseconds.
    create_time: Option<String>,
    mentions: Option<Vec<Mention>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Mention {
    /// What stands for it in the text.
    key: String,
    id: Option<Id>,
    name: Option<String>,
}

/// The content of a message of any type.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Content {
    text: Option<String>,
    title: Option<String>,
    /// Paragraphs.
    content: Vec<Vec<Segment>>,
    image_key: Option<String>,
    file_key: Option<String>,
    file_name: Option<String>,
    name: Option<String>,
    latitude: Option<String>,
    longitude: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Segment {
    tag: String,
    text: Option<String>,
    href: Option<String>,
    user_id: Option<String>,
    image_key: Option<String>,
    file_key: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Recalled {
    message_id: String,
    chat_id: String,
}

#[derive(Debug, Deserialize)]
struct Entered {
    chat_id: String,
    operator_id: Id,
    last_message_id: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Press {
    operator: Id,
    action: Action,
    context: Option<Place>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Place {
    open_message_id: Option<String>,
    open_chat_id: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Action {
    value: Value,
}

/// What a button of ours gives back. Feishu does not tell of a press in which topic it was, nor whether anybody
/// else reads there.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct Pressed {
    /// Id of the reply.
    pub(super) fd: String,
    pub(super) thread: String,
    pub(super) private: bool,
}

/// What is kept of a chat for an answer: its kind, and the message that is answered.
fn context(kind: &str, message: Option<&str>) -> String {
    match message {
        Some(message) => format!("{kind}/{message}"),
        None => kind.to_owned(),
    }
}

/// Whether the chat of that context is one between a person and the bot.
pub(super) fn is_private(context: Option<&str>) -> bool {
    let kind = context.and_then(|context| context.split('/').next());
    kind == Some(PRIVATE)
}

fn seconds(milliseconds: Option<&str>) -> Option<i64> {
    milliseconds?.parse::<i64>().ok().map(|time| time / 1000)
}

fn read<T: serde::de::DeserializeOwned>(event: Value) -> Result<T, HookError> {
    serde_json::from_value(event).map_err(|_| HookError::Malformed)
}

impl Body {
    /// What is to be repeated, where Feishu asks whether the address is ours.
    pub(super) fn challenge(&self) -> Option<&str> {
        let is_one = self.kind.as_deref() == Some("url_verification");
        self.challenge.as_deref().filter(|_| is_one)
    }

    /// The verification token, as the body repeats it.
    pub(super) fn token(&self) -> Option<&str> {
        let header = self.header.as_ref();
        let token = header.and_then(|header| header.token.as_deref());
        token.or(self.token.as_deref())
    }

    /// What happened; `None` where nobody did anything that is known here.
    pub(super) fn event(self, bot: Option<&str>) -> Result<Option<Incoming>, HookError> {
        let Some(header) = self.header else {
            return Ok(None);
        };
        let at = seconds(header.create_time.as_deref());
        let id = header.event_id;
        Ok(match header.event_type.as_str() {
            "im.message.receive_v1" => read::<Received>(self.event)?.event(bot),
            "im.message.recalled_v1" => Some(read::<Recalled>(self.event)?.event(id, at)),
            "im.chat.access_event.bot_p2p_chat_entered_v1" => {
                read::<Entered>(self.event)?.event(id, at)
            }
            "card.action.trigger" => read::<Press>(self.event)?.event(id, at),
            _ => None,
        })
    }

    /// A press in a card of the old form.
    pub(super) fn old_press(self) -> Option<Incoming> {
        let press = Press {
            operator: Id {
                open_id: self.open_id,
            },
            action: self.action?,
            context: Some(Place {
                open_message_id: self.open_message_id,
                open_chat_id: self.open_chat_id,
            }),
        };
        // The token is that of this press.
        press.event(self.token?, None)
    }
}

impl Received {
    fn event(self, bot: Option<&str>) -> Option<Incoming> {
        let message = self.message;
        let sender = self.sender.sender_id.and_then(|id| id.open_id)?;
        if self.sender.sender_type != "user" {
            return None; // Another bot.
        }
        let private = message.chat_type == PRIVATE;
        if !private && !message.mentions(bot?) {
            return None;
        }
        let (text, media) = message.said(bot)?;
        if text.is_empty() && media.is_empty() {
            return None;
        }
        let kind = if private { PRIVATE } else { GROUP };
        let topic = message.thread_id.filter(|topic| !topic.is_empty());
        Some(Incoming {
            // A message may be told by several events.
            id: message.message_id.clone(),
            thread: match topic {
                Some(topic) => format!("{}/{topic}", message.chat_id),
                None => message.chat_id,
            },
            sender: Sender {
                id: sender,
                ..Sender::default()
            },
            private,
            at: seconds(message.create_time.as_deref()),
            context: Some(context(kind, Some(&message.message_id))),
            what: What::Message {
                message: message.message_id,
                text,
                media,
            },
        })
    }
}

impl Mention {
    fn is_of(&self, bot: Option<&str>) -> bool {
        let id = self.id.as_ref().and_then(|id| id.open_id.as_deref());
        id.is_some_and(|id| !id.is_empty() && Some(id) == bot)
    }
}

impl Message {
    fn mentions(&self, bot: &str) -> bool {
        let mut mentions = self.mentions.iter().flatten();
        mentions.any(|mention| mention.is_of(Some(bot)))
    }

    /// The text, in which the others who are mentioned have their names, and the files; `None` of what is no
    /// message to the bot.
    fn said(&self, bot: Option<&str>) -> Option<(String, Vec<Media>)> {
        let usual = match self.message_type.as_str() {
            "text" | "post" | "file" | "location" => None,
            "image" | "sticker" => Some(IMAGE),
            "audio" => Some("audio/ogg"),
            "media" => Some(VIDEO),
            _ => return None,
        };
        let content: Content = serde_json::from_str(&self.content).ok()?;
        let mut text = content.words(&self.message_type);
        let media = content.files(&self.message_id, usual);
        let mut mentions: Vec<&Mention> = self.mentions.iter().flatten().collect();
        // The key of the first is the beginning of that of the tenth.
        mentions.sort_by_key(|mention| std::cmp::Reverse(mention.key.len()));
        for mention in mentions.iter().filter(|mention| !mention.key.is_empty()) {
            let name = mention.name.as_deref().unwrap_or_default();
            let shown = match mention.is_of(bot) {
                true => String::new(),
                false => format!("@{name}"),
            };
            text = text.replace(&mention.key, &shown);
        }
        Some((text.trim().to_owned(), media))
    }
}

/// A file by its key: that of an image beside that of a file is a preview of it.
fn file(message: &str, file: Option<&str>, image: Option<&str>) -> Option<String> {
    let (kind, key) = match (file, image) {
        (Some(file), _) => ("file", file),
        (None, Some(image)) => ("image", image),
        (None, None) => return None,
    };
    Some(format!("{message}/{kind}/{key}"))
}

impl Content {
    fn words(&self, kind: &str) -> String {
        match kind {
            "text" => self.text.clone().unwrap_or_default(),
            "post" => self.paragraphs(),
            "location" => {
                let parts = [&self.name, &self.latitude, &self.longitude];
                let parts = parts.into_iter().filter_map(Option::as_deref);
                parts.collect::<Vec<_>>().join(", ")
            }
            _ => String::new(),
        }
    }

    /// What was sent, or what stands in a post.
    fn files(&self, message: &str, usual: Option<&str>) -> Vec<Media> {
        let whole = file(message, self.file_key.as_deref(), self.image_key.as_deref());
        let whole = whole.map(|place| (place, usual));
        let segments = self.content.iter().flatten();
        let segments = segments.filter_map(|segment| {
            let place = file(
                message,
                segment.file_key.as_deref(),
                segment.image_key.as_deref(),
            );
            let is_image = segment.file_key.is_none();
            Some((place?, Some(if is_image { IMAGE } else { VIDEO })))
        });
        let files = whole.into_iter().chain(segments);
        let media = files.map(|(place, usual)| Media {
            place,
            name: self.file_name.clone(),
            content_type: usual.map(str::to_owned),
            size: None,
        });
        media.collect()
    }

    /// The words of a post, a line each paragraph.
    fn paragraphs(&self) -> String {
        let title = self.title.as_deref().filter(|title| !title.is_empty());
        let mut lines: Vec<String> = title.into_iter().map(str::to_owned).collect();
        for paragraph in &self.content {
            let words = paragraph.iter().map(|segment| {
                let text = segment.text.as_deref().unwrap_or_default();
                match (segment.tag.as_str(), segment.href.as_deref()) {
                    ("a", Some(href)) if text != href => format!("{text} ({href})"),
                    ("at", _) => segment.user_id.clone().unwrap_or_default(),
                    _ => text.to_owned(),
                }
            });
            lines.push(words.collect());
        }
        lines.join("\n")
    }
}

impl Recalled {
    /// Who took the message back, and in what kind of chat, is not told.
    fn event(self, id: String, at: Option<i64>) -> Incoming {
        Incoming {
            id,
            thread: self.chat_id,
            sender: Sender::default(),
            private: false,
            at,
            context: None,
            what: What::Deletion {
                message: self.message_id,
            },
        }
    }
}

impl Entered {
    /// A chat that was opened for the first time: it has no message yet.
    fn event(self, id: String, at: Option<i64>) -> Option<Incoming> {
        let last = self.last_message_id.unwrap_or_default();
        let sender = self.operator_id.open_id.filter(|_| last.is_empty())?;
        Some(Incoming {
            id,
            thread: self.chat_id,
            sender: Sender {
                id: sender,
                ..Sender::default()
            },
            private: true,
            at,
            context: Some(context(PRIVATE, None)),
            what: What::Start,
        })
    }
}

impl Press {
    fn event(self, id: String, at: Option<i64>) -> Option<Incoming> {
        let sender = self.operator.open_id?;
        let pressed: Pressed = serde_json::from_value(self.action.value).ok()?;
        if pressed.fd.is_empty() {
            return None; // A button of somebody else's.
        }
        let place = self.context.unwrap_or_default();
        // A card can be forwarded: where it was pressed counts, not where it was sent. Without a chat the answer
        // goes to who has pressed.
        let chat = place.open_chat_id;
        let was_sent_here = chat.as_deref() == pressed.thread.split('/').next();
        let (thread, private) = match chat {
            Some(_) if was_sent_here => (pressed.thread, pressed.private),
            Some(chat) => (chat, false),
            None => (sender.clone(), true),
        };
        let kind = if private { PRIVATE } else { GROUP };
        Some(Incoming {
            id,
            thread,
            sender: Sender {
                id: sender,
                ..Sender::default()
            },
            private,
            at,
            context: Some(context(kind, place.open_message_id.as_deref())),
            what: What::Press {
                reply: pressed.fd,
                receipt: None,
            },
        })
    }
}
