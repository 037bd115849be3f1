//! What WhatsApp tells, as far as it is read.

use serde::Deserialize;
use serde_json::Value;

use super::GROUP;
use crate::channel::{Incoming, Media, Receipt, Sender, What};

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Notification {
    entry: Vec<Entry>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    changes: Vec<Value>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Change {
    field: String,
    pub(super) value: Told,
}

/// What cannot be read of these lists is passed over: it would come again for days.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Told {
    pub(super) metadata: Metadata,
    contacts: Vec<Contact>,
    messages: Vec<Value>,
    message_echoes: Vec<Value>,
    statuses: Vec<Value>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Metadata {
    pub(super) phone_number_id: String,
    display_phone_number: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Contact {
    wa_id: Option<String>,
    user_id: Option<String>,
    profile: Profile,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Profile {
    name: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Message {
    id: String,
    from: Option<String>,
    from_user_id: Option<String>,
    to: Option<String>,
    to_user_id: Option<String>,
    group_id: Option<String>,
    /// Seconds of Unix time, in letters.
    timestamp: String,
    #[serde(rename = "type")]
    kind: String,
    text: Option<Text>,
    interactive: Option<Interactive>,
    button: Option<TemplateButton>,
    image: Option<File>,
    video: Option<File>,
    audio: Option<File>,
    document: Option<File>,
    sticker: Option<File>,
    edit: Option<Edit>,
    revoke: Option<Revoke>,
}

#[derive(Deserialize)]
struct Text {
    body: String,
}

#[derive(Deserialize)]
struct Interactive {
    button_reply: Option<Chosen>,
    list_reply: Option<Chosen>,
}

#[derive(Deserialize)]
struct Chosen {
    id: String,
}

#[derive(Deserialize)]
struct TemplateButton {
    text: String,
}

#[derive(Deserialize)]
struct File {
    id: String,
    mime_type: Option<String>,
    filename: Option<String>,
    caption: Option<String>,
}

#[derive(Deserialize)]
struct Edit {
    original_message_id: String,
    message: Box<Message>,
}

#[derive(Deserialize)]
struct Revoke {
    original_message_id: String,
}

/// What became of a message of ours.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Status {
    id: String,
    status: String,
    timestamp: String,
    recipient_id: Option<String>,
    recipient_user_id: Option<String>,
    recipient_type: Option<String>,
    errors: Vec<Reason>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Reason {
    code: i64,
    title: String,
    error_data: Details,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Details {
    details: Option<String>,
}

impl Notification {
    pub(super) fn changes(self) -> impl Iterator<Item = Change> {
        let changes = self.entry.into_iter().flat_map(|entry| entry.changes);
        changes.filter_map(|change| serde_json::from_value(change).ok())
    }
}

impl Change {
    pub(super) fn events(self, in_groups: bool) -> Vec<Incoming> {
        let told = self.value;
        let ours = &told.metadata.display_phone_number;
        let contacts = &told.contacts;
        match self.field.as_str() {
            "messages" => {
                let messages = read::<Message>(told.messages)
                    .filter(|message| in_groups || message.group_id.is_none())
                    .filter_map(|message| message.event(contacts, ours));
                let statuses = read::<Status>(told.statuses);
                let statuses = statuses.filter_map(|status| status.event(contacts));
                messages.chain(statuses).collect()
            }
            "smb_message_echoes" => {
                let echoes = read::<Message>(told.message_echoes);
                echoes.filter_map(Message::takeover).collect()
            }
            _ => Vec::new(),
        }
    }
}

fn read<T: for<'de> Deserialize<'de>>(list: Vec<Value>) -> impl Iterator<Item = T> {
    let read = list.into_iter().map(serde_json::from_value);
    read.filter_map(Result::ok)
}

impl Message {
    /// Text, or the words under a file.
    fn words(&self) -> &str {
        let text = self.text.as_ref().map(|text| text.body.as_str());
        let button = || Some(self.button.as_ref()?.text.as_str());
        let caption = || self.files().find_map(|file| file.caption.as_deref());
        text.or_else(button).or_else(caption).unwrap_or_default()
    }

    fn files(&self) -> impl Iterator<Item = &File> {
        let files = [
            &self.image,
            &self.video,
            &self.audio,
            &self.document,
            &self.sticker,
        ];
        files.into_iter().flatten()
    }

    fn media(&self) -> Vec<Media> {
        let media = self.files().map(|file| Media {
            place: file.id.clone(),
            name: file.filename.clone(),
            content_type: file.mime_type.clone(),
            size: None,
        });
        media.collect()
    }

    /// What this says to the business's number `ours`: all of it in a private conversation, in a group what names
    /// the number, without it. `None` where it is not for the number.
    fn said_to_us(&self, words: &str, ours: &str) -> Option<String> {
        if self.group_id.is_none() {
            return Some(words.trim().to_owned());
        }
        let digits = |text: &str| {
            text.chars()
                .filter(char::is_ascii_digit)
                .collect::<String>()
        };
        let number = digits(ours);
        let is_ours = |word: &str| {
            let named = word.strip_prefix('@').map(digits);
            !number.is_empty() && named.as_ref() == Some(&number)
        };
        let words: Vec<&str> = words.split_whitespace().collect();
        let named = words.iter().any(|word| is_ours(word));
        named.then(|| {
            let others = words.into_iter().filter(|word| !is_ours(word));
            others.collect::<Vec<_>>().join(" ")
        })
    }

    fn what(&self, ours: &str) -> Option<What> {
        let message = self.id.clone();
        match self.kind.as_str() {
            "text" | "button" | "image" | "video" | "audio" | "document" | "sticker" => {
                let text = self.said_to_us(self.words(), ours)?;
                let media = self.media();
                let is_something = !text.is_empty() || !media.is_empty();
                is_something.then_some(What::Message {
                    message,
                    text,
                    media,
                })
            }
            "interactive" => {
                let press = self.interactive.as_ref()?;
                let chosen = press.button_reply.as_ref().or(press.list_reply.as_ref())?;
                Some(What::Press {
                    reply: chosen.id.clone(),
                    receipt: None,
                })
            }
            "edit" => {
                let edit = self.edit.as_ref()?;
                Some(What::Edit {
                    message: edit.original_message_id.clone(),
                    text: self.said_to_us(edit.message.words(), ours)?,
                })
            }
            "revoke" => Some(What::Deletion {
                message: self.revoke.as_ref()?.original_message_id.clone(),
            }),
            "request_welcome" => Some(What::Start),
            _ => None,
        }
    }

    fn event(self, contacts: &[Contact], ours: &str) -> Option<Incoming> {
        let what = self.what(ours)?;
        let sender = self.from_user_id.as_ref().or(self.from.as_ref())?;
        let is_theirs = |contact: &&Contact| {
            let is = |id: &Option<String>, of: &Option<String>| id.is_some() && id == of;
            is(&contact.user_id, &self.from_user_id) || is(&contact.wa_id, &self.from)
        };
        let contact = contacts.iter().find(is_theirs);
        let is_new = !matches!(what, What::Edit { .. } | What::Deletion { .. });
        Some(Incoming {
            thread: match &self.group_id {
                Some(group) => format!("{GROUP}{group}"),
                None => sender.clone(),
            },
            sender: Sender {
                id: sender.clone(),
                name: contact.and_then(|contact| contact.profile.name.clone()),
                language: None,
            },
            private: self.group_id.is_none(),
            at: self.timestamp.parse().ok(),
            // Under it an answer is being written.
            context: is_new.then(|| self.id.clone()),
            id: self.id,
            what,
        })
    }

    /// What somebody of the company wrote in WhatsApp's own app.
    fn takeover(self) -> Option<Incoming> {
        if ["edit", "reaction", "revoke"].contains(&self.kind.as_str()) {
            return None;
        }
        let text = self.words().trim().to_owned();
        Some(Incoming {
            thread: self.to_user_id.or(self.to)?,
            sender: Sender {
                id: self.from.unwrap_or_default(),
                ..Sender::default()
            },
            private: true,
            at: self.timestamp.parse().ok(),
            context: None,
            what: What::Takeover {
                message: self.id.clone(),
                text,
            },
            id: self.id,
        })
    }
}

impl Status {
    fn event(self, contacts: &[Contact]) -> Option<Incoming> {
        let receipt = match self.status.as_str() {
            "delivered" => Receipt::Delivered,
            "read" | "played" => Receipt::Read,
            "failed" => Receipt::Failed(self.reason()),
            _ => return None,
        };
        let is_group = self.recipient_type.as_deref() == Some("group");
        let contact = contacts.first().filter(|_| !is_group);
        let known = || contact?.user_id.clone();
        let recipient = self.recipient_user_id.or_else(known);
        let recipient = recipient.or(self.recipient_id)?;
        Some(Incoming {
            id: format!("{}:{}", self.id, self.status),
            thread: if is_group {
                format!("{GROUP}{recipient}")
            } else {
                recipient.clone()
            },
            sender: Sender {
                id: recipient,
                ..Sender::default()
            },
            private: !is_group,
            at: self.timestamp.parse().ok(),
            context: None,
            what: What::Receipt {
                message: self.id,
                receipt,
            },
        })
    }

    fn reason(&self) -> String {
        let reasons = self.errors.iter().map(|reason| {
            let details = reason.error_data.details.as_ref();
            format!("{} ({})", details.unwrap_or(&reason.title), reason.code)
        });
        reasons.collect::<Vec<_>>().join("; ")
    }
}
