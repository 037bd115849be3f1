//! Accounts where a company's own people work.

use serde::{Deserialize, Serialize};
use url::Url;

use crate::config::Secret;

addresses! {
    slack_api => "https://slack.com/api",
    slack_files => "https://files.slack.com",
    slack_responses => "https://hooks.slack.com",
    teams_openid => "https://login.botframework.com/v1/.well-known/openidconfiguration",
    teams_login => "https://login.microsoftonline.com",
    discord_api => "https://discord.com/api/v10",
    discord_files => "https://cdn.discordapp.com",
    feishu_api => "https://open.feishu.cn",
    dingtalk_api => "https://api.dingtalk.com",
    dingtalk_sessions => "https://oapi.dingtalk.com",
}

/// `kind = "slack"`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slack {
    /// Token of the bot user, `xoxb-...`.
    pub token: Secret,
    /// The app's signing secret, where it calls the hook.
    #[serde(default)]
    pub secret: Option<Secret>,
    /// App-level token, `xapp-...`: events come over a socket that the server opens.
    #[serde(default)]
    pub app_token: Option<Secret>,
    /// What an assistant's thread shows while an answer is written.
    #[serde(default)]
    pub status: Option<String>,
    /// Whether messages in channels that mention the bot are answered.
    #[serde(default)]
    pub in_groups: bool,
    /// The Web API's server.
    #[serde(default = "slack_api")]
    pub api: Url,
    /// The server of files.
    #[serde(default = "slack_files")]
    pub files: Url,
    /// The server that slash commands are answered at.
    #[serde(default = "slack_responses")]
    pub responses: Url,
}

/// `kind = "mattermost"`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mattermost {
    /// The server.
    pub url: Url,
    /// The bot's access token.
    pub token: Secret,
    /// The bot's user id.
    pub user: String,
    /// The bot's name without `@`, to answer in channels those who name it.
    #[serde(default)]
    pub in_groups: Option<String>,
    /// The hook's address as the server reaches it, for buttons.
    #[serde(default)]
    pub hook: Option<Url>,
    /// What presses of buttons are signed with, chosen freely.
    #[serde(default)]
    pub secret: Option<Secret>,
}

/// `kind = "rocketchat"`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rocketchat {
    /// The server.
    pub url: Url,
    /// The bot's access token.
    pub token: Secret,
    /// The bot's user id.
    pub user: String,
    /// The token of the Omnichannel webhook and of outgoing webhooks.
    pub secret: Secret,
    /// The bot's name without `@`, to answer in channels those who name it.
    #[serde(default)]
    pub in_groups: Option<String>,
}

/// `kind = "teams"`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Teams {
    /// Id of the app.
    pub app_id: String,
    /// Secret of the app.
    pub app_secret: Secret,
    /// Id of the tenant that the bot is registered in.
    pub tenant: String,
    /// Whether messages in channels and group chats that mention the bot are answered.
    #[serde(default)]
    pub in_groups: bool,
    /// Servers of Microsoft's that conversations may be on: no other is sent a token.
    #[serde(default = "teams_services")]
    pub services: Vec<Url>,
    /// Domains that files are fetched from.
    #[serde(default = "teams_files")]
    pub file_domains: Vec<String>,
    /// The document that tells where the keys of requests are.
    #[serde(default = "teams_openid")]
    pub openid: Url,
    /// Who issues the tokens of requests.
    #[serde(default = "teams_issuer")]
    pub issuer: String,
    /// Where access tokens are lent.
    #[serde(default = "teams_login")]
    pub login: Url,
}

fn teams_services() -> Vec<Url> {
    [
        "https://smba.trafficmanager.net",
        "https://smba.infra.gcc.teams.microsoft.com",
        "https://smba.infra.gov.teams.microsoft.us",
    ]
    .iter()
    .filter_map(|address| Url::parse(address).ok())
    .collect()
}

fn teams_files() -> Vec<String> {
    vec!["sharepoint.com".to_owned()]
}

fn teams_issuer() -> String {
    "https://api.botframework.com".to_owned()
}

/// `kind = "discord"`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Discord {
    /// The bot's token.
    pub token: Secret,
    /// The application's public key, where presses come to the hook; without it they come over the gateway.
    #[serde(default)]
    pub public_key: String,
    /// A page about who runs the bot, which Discord wants to be told.
    pub about: Url,
    /// Whether messages on servers that mention the bot are answered.
    #[serde(default)]
    pub in_groups: bool,
    /// The API's server.
    #[serde(default = "discord_api")]
    pub api: Url,
    /// The server of files.
    #[serde(default = "discord_files")]
    pub files: Url,
}

/// `kind = "matrix"`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Matrix {
    /// The homeserver.
    pub homeserver: Url,
    /// The application service's `as_token`, or the access token of the bot's account.
    pub token: Secret,
    /// The application service's `hs_token`; without it the account is polled.
    #[serde(default)]
    pub hook_token: Option<Secret>,
    /// The bot's id, such as `@frontdesk:example.org`.
    pub user: String,
    /// The servers whose users may invite the bot; all without any.
    #[serde(default)]
    pub servers: Vec<String>,
    /// Whether the bot goes into other rooms than direct ones; it then is to be mentioned in all.
    #[serde(default)]
    pub in_groups: bool,
    /// What is said in a direct room whose messages are encrypted.
    #[serde(default)]
    pub cannot_read: Option<String>,
}

/// `kind = "feishu"`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Feishu {
    /// Id of the app, `cli_...`.
    pub app_id: String,
    /// Secret of the app.
    pub app_secret: Secret,
    /// Encrypt Key of its events and callbacks.
    pub encrypt_key: Secret,
    /// Verification Token of its events and callbacks.
    pub verification_token: Secret,
    /// The bot's `open_id`, to answer in groups those who mention it.
    #[serde(default)]
    pub in_groups: Option<String>,
    /// The server: `https://open.larksuite.com` for Lark.
    #[serde(default = "feishu_api")]
    pub api: Url,
}

/// `kind = "dingtalk"`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dingtalk {
    /// Client ID of the app.
    pub client_id: String,
    /// Client secret of the app.
    pub client_secret: Secret,
    /// The robot's code, mostly the client ID.
    #[serde(default)]
    pub robot_code: Option<String>,
    /// Whether messages come over a socket that the server opens (stream mode), or to the hook.
    #[serde(default = "yes")]
    pub stream: bool,
    /// Whether messages in groups that mention the robot are answered.
    #[serde(default)]
    pub in_groups: bool,
    /// The API's server.
    #[serde(default = "dingtalk_api")]
    pub api: Url,
    /// The server of conversations' addresses.
    #[serde(default = "dingtalk_sessions")]
    pub sessions: Url,
}

fn yes() -> bool {
    true
}
