//! What the Bot Framework sends, as far as it is read, by the
//! [activity schema](https://github.com/microsoft/botframework-sdk/blob/main/specs/botframework-activity/botframework-activity.md).
//! What has an unexpected form is taken for missing: the schema is open.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::{PRESSED, Reference};
use crate::channel::{Incoming, Media, Receipt, Sender, What};

/// The channel of Teams itself, among those that the protocol serves.
const TEAMS: &str = "msteams";
/// What the ids of bots begin with on Teams.
const BOT: &str = "28:";
/// The type of an attachment that is a file of the customer's.
const FILE: &str = "application/vnd.microsoft.teams.file.download.info";
/// What the types of cards begin with, which somebody forwarded.
const CARDS: &str = "application/vnd.microsoft.card.";

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Activity {
    #[serde(rename = "type", deserialize_with = "lenient")]
    pub(super) kind: String,
    #[serde(deserialize_with = "lenient")]
    id: Option<String>,
    /// RFC 3339.
    #[serde(deserialize_with = "lenient")]
    timestamp: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub(super) service_url: String,
    #[serde(deserialize_with = "lenient")]
    pub(super) channel_id: String,
    #[serde(deserialize_with = "lenient")]
    from: Account,
    #[serde(deserialize_with = "lenient")]
    recipient: Account,
    #[serde(deserialize_with = "lenient")]
    conversation: Conversation,
    #[serde(deserialize_with = "lenient")]
    text: String,
    #[serde(deserialize_with = "lenient")]
    locale: Option<String>,
    #[serde(deserialize_with = "each")]
    attachments: Vec<Attachment>,
    #[serde(deserialize_with = "each")]
    entities: Vec<Entity>,
    #[serde(deserialize_with = "each")]
    members_added: Vec<Account>,
    #[serde(deserialize_with = "lenient")]
    channel_data: ChannelData,
    /// Of an `event` or `invoke`.
    #[serde(deserialize_with = "lenient")]
    pub(super) name: String,
    /// Of an `installationUpdate`.
    #[serde(deserialize_with = "lenient")]
    action: String,
    value: Value,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Account {
    #[serde(deserialize_with = "lenient")]
    id: String,
    #[serde(deserialize_with = "lenient")]
    name: Option<String>,
    #[serde(deserialize_with = "lenient")]
    role: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Conversation {
    #[serde(deserialize_with = "lenient")]
    id: String,
    #[serde(deserialize_with = "lenient")]
    conversation_type: Option<String>,
    #[serde(deserialize_with = "lenient")]
    is_group: bool,
    #[serde(deserialize_with = "lenient")]
    tenant_id: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Attachment {
    #[serde(deserialize_with = "lenient")]
    content_type: String,
    #[serde(deserialize_with = "lenient")]
    content_url: Option<String>,
    #[serde(deserialize_with = "lenient")]
    name: Option<String>,
    #[serde(deserialize_with = "lenient")]
    content: FileContent,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct FileContent {
    #[serde(deserialize_with = "lenient")]
    download_url: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Entity {
    #[serde(rename = "type", deserialize_with = "lenient")]
    kind: String,
    #[serde(deserialize_with = "lenient")]
    text: String,
    #[serde(deserialize_with = "lenient")]
    mentioned: Account,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ChannelData {
    #[serde(deserialize_with = "lenient")]
    tenant: Tenant,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Tenant {
    #[serde(deserialize_with = "lenient")]
    id: Option<String>,
}

/// What is expected, else what stands for nothing.
pub(super) fn lenient<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + DeserializeOwned,
{
    let value = Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(value).unwrap_or_default())
}

/// Those of a list that are what is expected.
fn each<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned,
{
    let values: Vec<Value> = lenient(deserializer)?;
    let values = values.into_iter().map(serde_json::from_value);
    Ok(values.filter_map(Result::ok).collect())
}

impl Activity {
    /// What happened; `None` of what nobody said to us. Groups are heard where `in_groups` says so.
    pub(super) fn event(&self, in_groups: bool) -> Option<Incoming> {
        let private = self.is_private();
        if !(private || in_groups) || self.conversation.id.is_empty() || self.is_of_a_bot() {
            return None;
        }
        Some(Incoming {
            id: self.key()?,
            thread: self.conversation.id.clone(),
            sender: Sender {
                id: self.from.id.clone(),
                name: self.from.name.clone().filter(|name| !name.is_empty()),
                language: self.locale.clone(),
            },
            private,
            at: self.at(),
            context: Some(self.reference().to_json()),
            what: self.what(private)?,
        })
    }

    fn what(&self, private: bool) -> Option<What> {
        match self.kind.as_str() {
            "message" => self.message(private),
            "invoke" => self.press(),
            "messageUpdate" => {
                let text = self.words(private).filter(|text| !text.is_empty())?;
                let message = self.id.clone()?;
                Some(What::Edit { message, text })
            }
            "messageDelete" => {
                let message = self.id.clone()?;
                Some(What::Deletion { message })
            }
            "conversationUpdate" if private => {
                let ours = |member: &Account| member.id == self.recipient.id;
                self.members_added.iter().any(ours).then_some(What::Start)
            }
            // `remove-upgrade` is followed by `add-upgrade`.
            "installationUpdate" if private => match self.action.as_str() {
                "remove" => Some(What::Blocked),
                "add" | "add-upgrade" => Some(What::Unblocked),
                _ => None,
            },
            "event" if private && self.name == "application/vnd.microsoft.readReceipt" => {
                let message = self.value.get("lastReadMessageId")?.as_str()?.to_owned();
                let receipt = Receipt::Read;
                Some(What::Receipt { message, receipt })
            }
            _ => None,
        }
    }

    fn message(&self, private: bool) -> Option<What> {
        if let Some(press) = self.press() {
            return Some(press);
        }
        let text = self.words(private)?;
        let media: Vec<Media> = self
            .attachments
            .iter()
            .filter_map(Attachment::file)
            .collect();
        let is_empty = text.is_empty() && media.is_empty();
        let message = self.id.clone().filter(|_| !is_empty)?;
        Some(What::Message {
            message,
            text,
            media,
        })
    }

    /// The press of a button under one of our cards: of a submitted one `value` is its data, of an executed one
    /// it holds them.
    fn press(&self) -> Option<What> {
        let executed = || self.value.pointer("/action/data")?.get(PRESSED);
        let reply = self.value.get(PRESSED).or_else(executed)?.as_str()?;
        Some(What::Press {
            reply: reply.to_owned(),
            receipt: None,
        })
    }

    /// The text without our name; `None` where others talk in a group.
    fn words(&self, private: bool) -> Option<String> {
        let mut text = self.text.clone();
        let mut is_for_us = private;
        let mentions = self.entities.iter();
        let mentions =
            mentions.filter(|entity| entity.kind == "mention" && !entity.text.is_empty());
        for mention in mentions {
            let is_ours = mention.mentioned.id == self.recipient.id;
            is_for_us |= is_ours;
            let name = mention.mentioned.name.as_deref().filter(|_| !is_ours);
            text = text.replace(&mention.text, name.unwrap_or_default());
        }
        // Behind a name Teams puts a space that does not break.
        let text = text.replace("&nbsp;", " ").replace('\u{a0}', " ");
        is_for_us.then(|| text.trim().to_owned())
    }

    /// Edits and deletions have the id of the message, and may come more than once.
    fn key(&self) -> Option<String> {
        let (conversation, kind) = (&self.conversation.id, &self.kind);
        let is_of_a_message = matches!(kind.as_str(), "messageUpdate" | "messageDelete");
        let time = self.timestamp.as_deref();
        let id = self.id.as_deref().filter(|id| !id.is_empty()).or(time)?;
        let time = time.filter(|_| is_of_a_message).unwrap_or_default();
        Some(
            format!("{conversation} {kind} {id} {time}")
                .trim()
                .to_owned(),
        )
    }

    fn at(&self) -> Option<i64> {
        let time: jiff::Timestamp = self.timestamp.as_deref()?.parse().ok()?;
        Some(time.as_second())
    }

    /// Whether it is between one person and us. Of Teams each conversation says what it is.
    fn is_private(&self) -> bool {
        match self.conversation.conversation_type.as_deref() {
            Some(kind) => kind == "personal",
            None => self.channel_id != TEAMS && !self.conversation.is_group,
        }
    }

    fn is_of_a_bot(&self) -> bool {
        let from = &self.from;
        from.id.is_empty()
            || from.id == self.recipient.id
            || from.id.starts_with(BOT)
            || from.role.as_deref() == Some("bot")
    }

    fn reference(&self) -> Reference {
        let tenant = self.channel_data.tenant.id.clone();
        Reference {
            service: self.service_url.clone(),
            bot: self.recipient.id.clone(),
            user: self.from.id.clone(),
            tenant: tenant.or_else(|| self.conversation.tenant_id.clone()),
            activity: self.id.clone().filter(|_| self.kind == "message"),
        }
    }
}

impl Attachment {
    /// A file; `None` of the text once more as HTML, of cards, and of what has no address.
    fn file(&self) -> Option<Media> {
        let kind = self.content_type.as_str();
        let (place, content_type) = match kind {
            FILE => (self.content.download_url.as_ref(), None),
            kind if kind.starts_with(CARDS) || kind == "text/html" => return None,
            kind => (self.content_url.as_ref(), Some(kind)),
        };
        Some(Media {
            place: place?.clone(),
            name: self.name.clone(),
            // `image/*` is no type of a file.
            content_type: content_type
                .filter(|kind| !kind.is_empty() && !kind.ends_with("/*"))
                .map(str::to_owned),
            size: None,
        })
    }
}
