//! The accounts on messaging platforms. The doc comments are what an operator reads.

use serde::{Deserialize, Serialize};
use url::Url;

use super::Secret;
pub(crate) use mail::Mail;
pub(crate) use workplace::{
    Dingtalk, Discord, Feishu, Matrix, Mattermost, Rocketchat, Slack, Teams,
};

/// Functions that give addresses, for serde's defaults.
macro_rules! addresses {
    ($($name:ident => $address:literal),+ $(,)?) => {$(
        fn $name() -> Url {
            Url::parse($address).expect("an address")
        }
    )+};
}

pub(crate) mod mail;
pub(crate) mod workplace;

addresses! {
    telegram_api => "https://api.telegram.org",
    graph_api => "https://graph.facebook.com",
    line_api => "https://api.line.me",
    line_data => "https://api-data.line.me",
    twilio_api => "https://api.twilio.com",
    twilio_messaging => "https://messaging.twilio.com",
    wechat_api => "https://api.weixin.qq.com",
    wecom_api => "https://qyapi.weixin.qq.com",
}

/// An account on a messaging platform.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Channel {
    /// Any program that speaks HTTP, by Standard Webhooks.
    Webhook(Webhook),
    /// A Telegram bot.
    Telegram(Telegram),
    /// A number of the WhatsApp Business Cloud API.
    Whatsapp(Whatsapp),
    /// A Facebook page's Messenger.
    Messenger(Messenger),
    /// A professional account at Instagram.
    Instagram(Messenger),
    /// A LINE official account.
    Line(Line),
    /// Short messages, or WhatsApp, by Twilio.
    Twilio(Twilio),
    /// A Slack app's bot user.
    Slack(Slack),
    /// A bot of a Mattermost server.
    Mattermost(Mattermost),
    /// A bot of a Rocket.Chat server.
    Rocketchat(Rocketchat),
    /// A bot of Microsoft Teams.
    Teams(Teams),
    /// A Discord bot.
    Discord(Discord),
    /// A bot on Matrix.
    Matrix(Matrix),
    /// A bot of Feishu or Lark.
    Feishu(Feishu),
    /// A robot of DingTalk.
    Dingtalk(Dingtalk),
    /// A WeChat official account.
    Wechat(Wechat),
    /// A customer-service account of WeCom.
    Wecom(Wecom),
    /// A mailbox.
    Mail(Mail),
}

impl Channel {
    /// The platform's name, as in the hook's address.
    pub(crate) fn platform(&self) -> &'static str {
        match self {
            Self::Webhook(_) => "webhook",
            Self::Telegram(_) => "telegram",
            Self::Whatsapp(_) => "whatsapp",
            Self::Messenger(_) => "messenger",
            Self::Instagram(_) => "instagram",
            Self::Line(_) => "line",
            Self::Twilio(_) => "twilio",
            Self::Slack(_) => "slack",
            Self::Mattermost(_) => "mattermost",
            Self::Rocketchat(_) => "rocketchat",
            Self::Teams(_) => "teams",
            Self::Discord(_) => "discord",
            Self::Matrix(_) => "matrix",
            Self::Feishu(_) => "feishu",
            Self::Dingtalk(_) => "dingtalk",
            Self::Wechat(_) => "wechat",
            Self::Wecom(_) => "wecom",
            Self::Mail(_) => "mail",
        }
    }
}

/// `kind = "webhook"`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// Where replies are sent.
    pub url: Url,
    /// `whsec_...`, the same at both ends; several while they are changed.
    pub keys: Vec<Secret>,
}

/// `kind = "telegram"`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Telegram {
    /// What BotFather gave.
    pub token: Secret,
    /// The `secret_token` of `setWebhook`; without one, updates are polled.
    #[serde(default)]
    pub secret: Option<Secret>,
    /// The bot's name without `@`, to answer in groups those who name it.
    #[serde(default)]
    pub in_groups: Option<String>,
    /// The Bot API's server.
    #[serde(default = "telegram_api")]
    pub api: Url,
}

/// `kind = "whatsapp"`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Whatsapp {
    /// The Meta app.
    pub app: MetaApp,
    /// Id of the number (`phone_number_id`), not the number.
    pub phone_number: String,
    /// Label of the button that opens a list of answers, up to 20 characters.
    #[serde(default = "list_button")]
    pub list_button: String,
    /// Name of the approved template that is sent to who has not written for 24 hours.
    #[serde(default)]
    pub template: Option<String>,
    /// Language and region of the template, such as `en_US`.
    #[serde(default = "template_language")]
    pub template_language: String,
    /// Whether messages in groups that name the number are answered.
    #[serde(default)]
    pub in_groups: bool,
    /// Hosts that files are fetched from.
    #[serde(default = "whatsapp_media")]
    pub media_hosts: Vec<String>,
}

/// `kind = "messenger"` and `kind = "instagram"`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Messenger {
    /// The Meta app.
    pub app: MetaApp,
    /// Id of the app.
    pub app_id: String,
    /// Id of the page, or of the professional account.
    pub account: String,
    /// Payload of the button that opens a conversation.
    #[serde(default = "get_started")]
    pub start: String,
    /// Whether Meta lets the app send people's answers up to seven days after a customer wrote.
    #[serde(default)]
    pub human_agent: bool,
    /// Hosts that files are fetched from.
    #[serde(default = "messenger_media")]
    pub media_hosts: Vec<String>,
}

/// An app of Meta's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetaApp {
    /// Access token of the account.
    pub token: Secret,
    /// The app's secret; several while it is changed.
    pub secrets: Vec<Secret>,
    /// What the hook's address is registered with.
    pub verify_token: Secret,
    /// Version of the Graph API.
    #[serde(default = "graph_version")]
    pub version: String,
    /// Whether requests carry a proof that they come from the app.
    #[serde(default)]
    pub proves: bool,
    /// The Graph API's server.
    #[serde(default = "graph_api")]
    pub api: Url,
}

/// `kind = "line"`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// The channel's secret.
    pub secret: Secret,
    /// The channel's long-lived access token; without it, `channel_id` has tokens lent.
    #[serde(default)]
    pub token: Option<Secret>,
    /// The channel's id.
    #[serde(default)]
    pub channel_id: String,
    /// Whether messages in groups that mention the account are answered.
    #[serde(default)]
    pub in_groups: bool,
    /// The Messaging API's server.
    #[serde(default = "line_api")]
    pub api: Url,
    /// The server of files.
    #[serde(default = "line_data")]
    pub data_api: Url,
}

/// `kind = "twilio"`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Twilio {
    /// SID of the account.
    pub account: String,
    /// The account's auth token, by which hooks are signed.
    pub auth_token: Secret,
    /// SID of the API key that requests are made with; without one, the auth token.
    #[serde(default)]
    pub key: Option<String>,
    /// Secret of the API key.
    #[serde(default)]
    pub key_secret: Option<Secret>,
    /// The hook's public address, to be told what became of messages.
    #[serde(default)]
    pub hook: Option<Url>,
    /// Messages a second that the sender may send.
    #[serde(default = "one")]
    pub per_second: u32,
    /// Whether the senders are WhatsApp's.
    #[serde(default)]
    pub whatsapp: bool,
    /// SIDs of the content templates that offer one answer, two answers, and so on.
    #[serde(default)]
    pub answer_templates: Vec<String>,
    /// SID of the content template for who has not written for 24 hours.
    #[serde(default)]
    pub reminder_template: Option<String>,
    /// The API's server.
    #[serde(default = "twilio_api")]
    pub api: Url,
    /// The server that is told of typing.
    #[serde(default = "twilio_messaging")]
    pub messaging_api: Url,
}

/// `kind = "wechat"`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wechat {
    /// `AppID` of the account.
    pub app_id: String,
    /// `AppSecret` of the account.
    pub app_secret: Secret,
    /// `Token` of the hook.
    pub token: Secret,
    /// `EncodingAESKey` of the hook, in the encrypted mode.
    #[serde(default)]
    pub encoding_aes_key: Option<Secret>,
    /// The server.
    #[serde(default = "wechat_api")]
    pub api: Url,
}

/// `kind = "wecom"`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wecom {
    /// Id of the company, `ww...`.
    pub corp_id: String,
    /// Secret of customer service.
    pub secret: Secret,
    /// `Token` of the hook.
    pub token: Secret,
    /// `EncodingAESKey` of the hook.
    pub encoding_aes_key: Secret,
    /// Id of the customer-service account, `wk...`.
    pub open_kfid: String,
    /// The server.
    #[serde(default = "wecom_api")]
    pub api: Url,
}

fn one() -> u32 {
    1
}

fn list_button() -> String {
    "…".to_owned()
}

fn template_language() -> String {
    "en_US".to_owned()
}

fn get_started() -> String {
    "GET_STARTED".to_owned()
}

fn graph_version() -> String {
    "v25.0".to_owned()
}

fn whatsapp_media() -> Vec<String> {
    vec!["lookaside.fbsbx.com".to_owned()]
}

fn messenger_media() -> Vec<String> {
    ["fbcdn.net", "fbsbx.com", "cdninstagram.com"]
        .map(str::to_owned)
        .into()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn an_account_needs_no_more_than_its_secrets() {
        let app = json!({ "token": "t", "secrets": ["s"], "verify_token": "v" });
        for settings in [
            json!({ "kind": "telegram", "token": "t" }),
            json!({ "kind": "whatsapp", "app": app, "phone_number": "1" }),
            json!({ "kind": "instagram", "app": app, "app_id": "1", "account": "2" }),
            json!({ "kind": "line", "secret": "s", "channel_id": "1" }),
            json!({ "kind": "twilio", "account": "AC", "auth_token": "t" }),
            json!({ "kind": "slack", "token": "t", "app_token": "a" }),
            json!({ "kind": "teams", "app_id": "1", "app_secret": "s", "tenant": "t" }),
            json!({ "kind": "discord", "token": "t", "about": "https://shop.example" }),
            json!({ "kind": "dingtalk", "client_id": "1", "client_secret": "s" }),
            json!({ "kind": "wechat", "app_id": "1", "app_secret": "s", "token": "t" }),
        ] {
            let channel: Channel = serde_json::from_value(settings.clone()).unwrap();
            assert_eq!(channel.platform(), settings["kind"]);
            let shown = serde_json::to_string(&channel).unwrap();
            assert!(shown.contains("***"), "{shown}");
            let mut misspelt = settings;
            misspelt["tokn"] = Value::from("t");
            assert!(serde_json::from_value::<Channel>(misspelt).is_err());
        }
    }
}
