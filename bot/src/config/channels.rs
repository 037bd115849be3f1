//! The accounts on messaging platforms.

use serde::{Deserialize, Serialize};
use url::Url;

use super::Secret;

/// An account on a messaging platform.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Channel {
    /// Any program that speaks HTTP, by Standard Webhooks.
    Webhook {
        /// Where replies are sent.
        url: Url,
        /// `whsec_...`, the same at both ends; several while they are changed.
        keys: Vec<Secret>,
    },
    /// A Telegram bot.
    Telegram {
        /// What BotFather gave.
        token: Secret,
        /// The `secret_token` of `setWebhook`.
        secret: Secret,
        /// The bot's name without `@`, to answer in groups those who name it.
        #[serde(default)]
        in_groups: Option<String>,
        /// The Bot API's server.
        #[serde(default = "telegram_api")]
        api: Url,
    },
}

impl Channel {
    /// The platform's name, as in the hook's address.
    pub(crate) fn platform(&self) -> &'static str {
        match self {
            Self::Webhook { .. } => "webhook",
            Self::Telegram { .. } => "telegram",
        }
    }
}

fn telegram_api() -> Url {
    #[expect(clippy::expect_used, reason = "it is written here")]
    Url::parse("https://api.telegram.org").expect("an address")
}
