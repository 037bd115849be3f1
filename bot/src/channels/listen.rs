//! Platforms that are asked what happened, or tell it over a socket that the server opens: for servers without a
//! public address.
//!
//! One node listens to an account at a time, by a lease in the store, and keeps there how far it has read: what
//! was read is stored first.

use std::sync::Arc;
use std::time::Duration;

use connectors::channel::{Gateway, Heard, Polling, Session, Then};
use crm::{CrmError, Listen, Listening};
use futures::{SinkExt, StreamExt};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::account::{Account, Failure};
use super::intake::take_in;
use super::mail::{Inbox, InboxError};
use super::outbox::{after, backoff};
use crate::app::App;
use crate::door::DoorError;

/// How long a node listens without renewing its lease.
const LEASE: Duration = Duration::from_secs(90);
/// How often it is renewed, and asked for.
const RENEW: Duration = Duration::from_secs(20);
/// Longest wait for an answer that a platform holds back until something happens.
const PATIENCE: Duration = Duration::from_secs(60);
/// Largest answer that is read, in bytes.
const MOST_ANSWER: usize = 32 * 1024 * 1024;
/// A gateway's sockets that live shorter than this have failed.
const SHORT_LIVED: Duration = Duration::from_secs(30);

/// Why nothing is heard for now.
#[derive(Debug, thiserror::Error)]
enum Deaf {
    #[error(transparent)]
    Failed(#[from] Failure),
    #[error("the socket has failed: {0}")]
    Socket(#[from] Box<tokio_tungstenite::tungstenite::Error>),
    #[error("what was heard cannot be stored: {0}")]
    Door(#[from] DoorError),
    #[error("the store does not answer: {0}")]
    Store(#[from] CrmError),
    #[error("the platform has not answered the last heartbeat")]
    NoHeartbeat,
    #[error("another node listens now")]
    Superseded,
    #[error("the platform refuses the account: {0}")]
    Refused(String),
    #[error(transparent)]
    Inbox(#[from] InboxError),
}

impl From<connectors::channel::SendError> for Deaf {
    fn from(error: connectors::channel::SendError) -> Self {
        Self::Failed(error.into())
    }
}

/// Whoever listens to an account.
pub(super) struct Listener {
    pub(super) app: App,
    pub(super) account: Arc<Account>,
}

/// The lease of this node.
struct Lease {
    listening: Listening,
    renewed: Instant,
}

impl Listener {
    /// Whether there is anything to listen to.
    pub(super) fn is_needed(account: &Account) -> bool {
        let connector = &account.connector;
        connector.polling().is_some()
            || connector.gateway().is_some()
            || (connector.mailbox().is_some() && account.office.is_some())
    }

    /// Listens until `shutdown`.
    pub(super) async fn run(self, shutdown: CancellationToken) {
        tokio::select! {
            () = self.listen() => {}
            () = shutdown.cancelled() => {}
        }
    }

    async fn listen(&self) {
        let mut failures = 0;
        loop {
            let begun = Instant::now();
            let Some(mut lease) = self.lease().await else {
                tokio::time::sleep(RENEW).await;
                continue;
            };
            let connector = Arc::clone(&self.account.connector);
            let deaf = if let Some(polling) = connector.polling() {
                self.poll(polling, &mut lease).await
            } else if let Some(gateway) = connector.gateway() {
                self.hear(gateway, &mut lease).await
            } else if let (Some(mailbox), Some(office)) =
                (connector.mailbox(), &self.account.office)
            {
                let inbox = Inbox {
                    app: &self.app,
                    account: &self.account,
                    office,
                    mailbox,
                };
                self.read(&inbox, &mut lease).await
            } else {
                return;
            };
            let Err(error) = deaf;
            failures = if begun.elapsed() > SHORT_LIVED {
                1
            } else {
                failures + 1
            };
            self.account.health.bad(error.to_string());
            let wait = backoff(failures).max(match &error {
                Deaf::Failed(Failure::Refused(connectors::channel::SendError::Later {
                    after: Some(wait),
                    ..
                })) => *wait,
                Deaf::Refused(_) | Deaf::Inbox(InboxError::Refused(_)) => RENEW * 3,
                Deaf::Failed(_)
                | Deaf::Socket(_)
                | Deaf::Door(_)
                | Deaf::Store(_)
                | Deaf::NoHeartbeat
                | Deaf::Superseded
                | Deaf::Inbox(_) => Duration::ZERO,
            });
            self.give_back(&lease).await;
            tokio::time::sleep(wait).await;
        }
    }

    /// The lease, unless another node has it.
    async fn lease(&self) -> Option<Lease> {
        let at = self.app.door.clock.now();
        let listen = Listen {
            channel: self.account.channel.clone(),
            at,
            until: after(at, LEASE),
        };
        match self.app.store.listen(listen).await {
            Ok(listening) => Some(Lease {
                listening: listening?,
                renewed: Instant::now(),
            }),
            Err(error) => {
                tracing::error!(channel = self.account.channel, "{error}");
                None
            }
        }
    }

    /// Lets another node, or this one, listen at once.
    async fn give_back(&self, lease: &Lease) {
        let (channel, token) = (&self.account.channel, lease.listening.token);
        let now = self.app.door.clock.now();
        let given = self.app.store.go_on_listening(channel, token, None, now);
        if let Err(error) = given.await {
            tracing::warn!(channel, "{error}");
        }
    }

    /// Keeps the lease, and `cursor`.
    async fn renew(&self, lease: &mut Lease, cursor: Option<String>) -> Result<(), Deaf> {
        if cursor.is_none() && lease.renewed.elapsed() < RENEW {
            return Ok(());
        }
        let until = after(self.app.door.clock.now(), LEASE);
        let (channel, token) = (&self.account.channel, lease.listening.token);
        let kept = self
            .app
            .store
            .go_on_listening(channel, token, cursor.as_deref(), until);
        if !kept.await? {
            return Err(Deaf::Superseded);
        }
        lease.renewed = Instant::now();
        if cursor.is_some() {
            lease.listening.cursor = cursor;
        }
        Ok(())
    }

    async fn poll(
        &self,
        polling: &dyn Polling,
        lease: &mut Lease,
    ) -> Result<std::convert::Infallible, Deaf> {
        let account = &self.account;
        loop {
            let bell = account.take_bell();
            let call = polling.request(lease.listening.cursor.as_deref(), bell.as_deref());
            let response = account.answer_within(&call, MOST_ANSWER, PATIENCE).await?;
            let polled = match polling.polled(&response.answer()) {
                Err(connectors::channel::SendError::Expired) => {
                    account.forget_token().await;
                    let response = account.answer_within(&call, MOST_ANSWER, PATIENCE).await?;
                    polling.polled(&response.answer())?
                }
                polled => polled?,
            };
            account.health.good();
            account.try_to_call(&polled.calls).await;
            take_in(&self.app, account, polled.events).await?;
            let cursor = polled.cursor.filter(|next| {
                let known = lease.listening.cursor.as_ref();
                known != Some(next)
            });
            self.renew(lease, cursor).await?;
            if !polled.more {
                tokio::select! {
                    () = tokio::time::sleep(polling.pause()) => {}
                    () = account.rung() => {}
                }
            }
        }
    }

    async fn read(
        &self,
        inbox: &Inbox<'_>,
        lease: &mut Lease,
    ) -> Result<std::convert::Infallible, Deaf> {
        let mut reader = inbox.open(lease.listening.cursor.as_deref()).await?;
        self.account.health.good();
        loop {
            let cursor = reader.read().await?;
            let known = lease.listening.cursor.as_ref();
            let cursor = Some(cursor).filter(|next| known != Some(next));
            self.renew(lease, cursor).await?;
            reader.wait().await?;
        }
    }

    async fn hear(
        &self,
        gateway: &dyn Gateway,
        lease: &mut Lease,
    ) -> Result<std::convert::Infallible, Deaf> {
        let mut session = gateway.session();
        loop {
            let begun = Instant::now();
            let address = match session.resume_at() {
                Some(address) => address,
                None => self.address(gateway).await?,
            };
            self.socket(address, session.as_mut(), lease).await?;
            if begun.elapsed() < SHORT_LIVED {
                tokio::time::sleep(backoff(1)).await;
            }
        }
    }

    /// Where a new session begins.
    async fn address(&self, gateway: &dyn Gateway) -> Result<Url, Deaf> {
        let Some(call) = gateway.request() else {
            return Ok(gateway.address(None)?);
        };
        let response = self.account.answer(&call).await?;
        Ok(gateway.address(Some(&response.answer()))?)
    }

    /// Hears one socket to its end.
    async fn socket(
        &self,
        address: Url,
        session: &mut dyn Session,
        lease: &mut Lease,
    ) -> Result<(), Deaf> {
        let broken = |error| Deaf::Socket(Box::new(error));
        let connected = tokio_tungstenite::connect_async(address.as_str()).await;
        let (mut socket, _) = connected.map_err(broken)?;
        for text in session.opened() {
            socket.send(Message::text(text)).await.map_err(broken)?;
        }
        self.account.health.good();
        let mut beat = Instant::now();
        loop {
            let interval = session.interval();
            let next_beat = beat + interval.unwrap_or(RENEW);
            tokio::select! {
                heard = socket.next() => match heard {
                    Some(Ok(Message::Text(text))) => {
                        let heard = session.heard(&text);
                        let then = heard.then.clone();
                        for text in self.take_in(heard).await? {
                            socket.send(Message::text(text)).await.map_err(broken)?;
                        }
                        match then {
                            Then::Listen => {}
                            Then::Reconnect => return Ok(()),
                            Then::Refused(reason) => return Err(Deaf::Refused(reason)),
                        }
                    }
                    Some(Ok(Message::Close(_))) | None => return Ok(()),
                    // Pings are answered by the library.
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return Err(broken(error)),
                },
                () = tokio::time::sleep_until(next_beat) => {
                    beat = Instant::now();
                    self.renew(lease, None).await?;
                    let message = match interval {
                        Some(_) => Message::text(session.beat().ok_or(Deaf::NoHeartbeat)?),
                        None => Message::Ping(Default::default()),
                    };
                    socket.send(message).await.map_err(broken)?;
                }
            }
        }
    }

    /// Stores what was heard; gives what is to be said to it.
    async fn take_in(&self, heard: Heard) -> Result<Vec<String>, Deaf> {
        self.account.try_to_call(&heard.calls).await;
        take_in(&self.app, &self.account, heard.events).await?;
        Ok(heard.replies)
    }
}
