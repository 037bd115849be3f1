//! The accounts on messaging platforms that the configuration names: what is read from them and sent to them.

mod account;
mod connector;
mod files;
mod health;
mod intake;
mod listen;
mod mail;
mod outbox;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use connectors::channel::Connector;

pub(crate) use account::Account;
pub(crate) use intake::take_in;

use crate::app::App;
use crate::config::{Channel, Config, ConfigError};
use connector::connector;
use files::Fetcher;
use listen::Listener;
use mail::PostOffice;
use outbox::Outbox;

/// How long a connection to a platform may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The accounts, by channel (`telegram/shop`).
pub(crate) type Channels = BTreeMap<String, Arc<Account>>;

/// The connectors of all accounts, by channel.
///
/// # Errors
/// [`ConfigError`] with the accounts whose settings cannot be used.
pub(crate) fn connectors(
    config: &Config,
) -> Result<BTreeMap<String, Arc<dyn Connector>>, ConfigError> {
    let mut connectors = BTreeMap::new();
    let mut problems = Vec::new();
    for (account, channel) in &config.channels {
        match connector(channel) {
            Ok(connector) => {
                connectors.insert(name(channel.platform(), account), connector);
            }
            Err(error) => problems.push(format!("channels.{account}: {error}")),
        }
    }
    if problems.is_empty() {
        Ok(connectors)
    } else {
        Err(ConfigError { problems })
    }
}

/// The accounts that the configuration names, ready to be used.
///
/// # Errors
/// [`ConfigError`], also where no HTTP client can be made.
pub(crate) fn connect(config: &Config) -> Result<Channels, ConfigError> {
    let connectors = connectors(config)?;
    if connectors.is_empty() {
        return Ok(Channels::new());
    }
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Another thread may be faster; one provider is as good as the other.
        let provider = rustls::crypto::ring::default_provider();
        provider.install_default().ok();
    }
    let client = reqwest::Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .build();
    let client = client.map_err(|error| ConfigError {
        problems: vec![format!("channels: {error}")],
    })?;
    let mut offices = offices(config)?;
    let accounts = connectors.into_iter().map(|(channel, connector)| {
        let office = offices.remove(&channel);
        let account = Account::new(channel.clone(), connector, office, client.clone());
        (channel, Arc::new(account))
    });
    Ok(accounts.collect())
}

/// The servers of mailboxes, by channel.
fn offices(config: &Config) -> Result<BTreeMap<String, PostOffice>, ConfigError> {
    let mut offices = BTreeMap::new();
    for (account, channel) in &config.channels {
        let Channel::Mail(settings) = channel else {
            continue;
        };
        let office = PostOffice::new(settings).map_err(|error| ConfigError {
            problems: vec![format!("channels.{account}: {error}")],
        })?;
        offices.insert(name(channel.platform(), account), office);
    }
    Ok(offices)
}

/// A channel's name, as the store has it.
pub(crate) fn name(platform: &str, account: &str) -> String {
    format!("{platform}/{account}")
}

/// Starts to send what waits in the outbox, to listen where there is something to be heard, and to fetch files;
/// these tasks end with the server.
pub(crate) fn start(app: &App) {
    for account in app.channels.values() {
        let outbox = Outbox {
            store: app.store.clone(),
            clock: Arc::clone(&app.door.clock),
            account: Arc::clone(account),
        };
        app.tracker.spawn(outbox.run(app.shutdown.clone()));
        if Listener::is_needed(account) {
            let listener = Listener {
                app: app.clone(),
                account: Arc::clone(account),
            };
            app.tracker.spawn(listener.run(app.shutdown.clone()));
        }
        if account.connector.files().is_none() {
            continue;
        }
        let fetcher = Fetcher {
            store: app.store.clone(),
            clock: Arc::clone(&app.door.clock),
            account: Arc::clone(account),
            most_bytes: app.config.server.max_file_bytes,
        };
        app.tracker.spawn(fetcher.run(app.shutdown.clone()));
    }
}
