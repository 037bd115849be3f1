//! The accounts on messaging platforms that the configuration names, ready to be read and written.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use connectors::channel::Connector;
use connectors::telegram::Telegram;
use connectors::webhook::{Key, KeyError, Webhook};

use crate::app::App;
use crate::config::{Channel, Config, ConfigError, Secret};
use crate::door::Outbox;

/// How long a connection to a platform may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The connector of each channel (`telegram/shop`).
pub(crate) type Channels = BTreeMap<String, Arc<dyn Connector>>;

/// The connectors of all accounts.
///
/// # Errors
/// [`ConfigError`] with the accounts whose settings cannot be used.
pub(crate) fn connect(config: &Config) -> Result<Channels, ConfigError> {
    let mut channels = Channels::new();
    let mut problems = Vec::new();
    for (account, channel) in &config.channels {
        match connector(channel) {
            Ok(connector) => {
                channels.insert(name(channel.platform(), account), connector);
            }
            Err(error) => problems.push(format!("channels.{account}: {error}")),
        }
    }
    if problems.is_empty() {
        Ok(channels)
    } else {
        Err(ConfigError { problems })
    }
}

/// A channel's name, as the store has it.
pub(crate) fn name(platform: &str, account: &str) -> String {
    format!("{platform}/{account}")
}

/// Starts to send what waits in the outbox, a task a channel; they end with the server.
///
/// # Errors
/// Where no HTTP client can be made.
pub(crate) fn start(app: &App) -> Result<(), reqwest::Error> {
    if app.channels.is_empty() {
        return Ok(());
    }
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Another thread may be faster; one provider is as good as the other.
        let provider = rustls::crypto::ring::default_provider();
        provider.install_default().ok();
    }
    let client = reqwest::Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .build()?;
    for (channel, connector) in app.channels.iter() {
        let outbox = Outbox {
            store: app.store.clone(),
            clock: Arc::clone(&app.door.clock),
            channel: channel.clone(),
            connector: Arc::clone(connector),
            client: client.clone(),
        };
        app.tracker.spawn(outbox.run(app.shutdown.clone()));
    }
    Ok(())
}

fn connector(channel: &Channel) -> Result<Arc<dyn Connector>, KeyError> {
    let text = |secret: &Secret| secret.reveal().to_owned();
    Ok(match channel {
        Channel::Webhook { url, keys } => {
            let keys = keys.iter().map(|key| Key::parse(key.reveal()));
            Arc::new(Webhook::new(url.clone(), keys.collect::<Result<_, _>>()?))
        }
        Channel::Telegram {
            token,
            secret,
            in_groups,
            api,
        } => Arc::new(Telegram::new(
            api.clone(),
            text(token),
            text(secret),
            in_groups.clone(),
        )),
    })
}
