//! The folder that customers' letters come to: what is new is stored, then marked as seen.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_imap::{Client, Session};
use connectors::channel::{Incoming, MailServer, Mailbox};
use connectors::mail::Mail;
use crm::{AttachmentOutcome, Author, ClaimDeliveries, CrmError, Millis, SettleAttachment};
use futures::TryStreamExt;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::PostOffice;
use crate::app::App;
use crate::channels::account::Account;
use crate::channels::intake::take_in;
use crate::channels::outbox::after;
use crate::door::DoorError;

/// How long it is waited for news before the connection is looked after.
const LOOK: Duration = Duration::from_secs(20);
/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(60);
/// Largest letter that is read, in bytes.
const MOST_LETTER: u32 = 25 * 1024 * 1024;
/// Letters that are read again when the folder was numbered anew: they are recognised.
const RECENT: u32 = 50;
/// Answers to one sender within an hour, after which a person is called: two programs that answer each other have
/// no other sign.
const MOST_ANSWERS: usize = 5;
const AN_HOUR: i64 = 3_600_000;
/// How long files of a letter that is being stored are claimed.
const CLAIM: Duration = Duration::from_secs(300);

/// A connection to the server.
trait Wire: AsyncRead + AsyncWrite + Unpin + Debug + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Debug + Send> Wire for T {}

type Folder = Session<Box<dyn Wire>>;

/// Why letters are not read for now.
#[derive(Debug, thiserror::Error)]
pub(in crate::channels) enum InboxError {
    #[error("the mail server cannot be reached: {0}")]
    Unreachable(#[from] std::io::Error),
    #[error("the mail server refuses the account: {0}")]
    Refused(String),
    #[error("the mail server has failed: {0}")]
    Imap(#[from] async_imap::error::Error),
    #[error("the mail server does not answer")]
    Silent,
    #[error("the address of the mail server has no host")]
    NoHost,
    #[error("a letter cannot be stored: {0}")]
    Door(#[from] DoorError),
    #[error("the store does not answer: {0}")]
    Store(#[from] CrmError),
}

/// The folder of an account.
pub(in crate::channels) struct Inbox<'a> {
    pub(in crate::channels) app: &'a App,
    pub(in crate::channels) account: &'a Arc<Account>,
    pub(in crate::channels) office: &'a PostOffice,
    pub(in crate::channels) mailbox: &'a dyn Mailbox,
}

/// How far a folder is read: the validity of its numbers, and the last one.
#[derive(Clone, Copy)]
struct Cursor {
    validity: u32,
    last: u32,
}

impl Inbox<'_> {
    /// Opens the folder, and finds where to go on behind `cursor`.
    pub(in crate::channels) async fn open(
        &self,
        cursor: Option<&str>,
    ) -> Result<Reader<'_>, InboxError> {
        let server = self.mailbox.server();
        let client = within(self.connect(server)).await?;
        let login = client.login(server.user, &self.office.password);
        let mut folder = match tokio::time::timeout(PATIENCE, login).await {
            Ok(Ok(folder)) => folder,
            Ok(Err((error, _))) => return Err(InboxError::Refused(error.to_string())),
            Err(_) => return Err(InboxError::Silent),
        };
        let selected = within(async { Ok(folder.select(server.folder).await?) }).await?;
        let validity = selected.uid_validity.unwrap_or_default();
        let newest = selected.uid_next.unwrap_or(1).saturating_sub(1);
        let can_idle = within(async { Ok(folder.capabilities().await?) })
            .await?
            .has_str("IDLE");
        let last = match cursor.and_then(Cursor::parse) {
            Some(known) if known.validity == validity => known.last,
            Some(_) => newest.saturating_sub(RECENT),
            // What was there before the account was set up is nobody's question to the bot.
            None => newest,
        };
        Ok(Reader {
            inbox: self,
            folder: Some(folder),
            can_idle,
            cursor: Cursor { validity, last },
        })
    }

    async fn connect(&self, server: MailServer<'_>) -> Result<Client<Box<dyn Wire>>, InboxError> {
        let host = server.url.host_str().ok_or(InboxError::NoHost)?;
        let is_implicit = server.url.scheme() == "imaps";
        let usual = if is_implicit { 993 } else { 143 };
        let tcp = TcpStream::connect((host, server.url.port().unwrap_or(usual))).await?;
        if self.office.insecure {
            return greeted(Box::new(tcp)).await;
        }
        let name = ServerName::try_from(host.to_owned()).map_err(|_| InboxError::NoHost)?;
        if is_implicit {
            return greeted(Box::new(tls()?.connect(name, tcp).await?)).await;
        }
        let mut plain = Client::new(tcp);
        let _greeting = plain.read_response().await?;
        plain.run_command_and_check_ok("STARTTLS", None).await?;
        let wire = tls()?.connect(name, plain.into_inner()).await?;
        Ok(Client::new(Box::new(wire)))
    }

    /// Stores a letter, and the files in it.
    async fn store(&self, raw: &[u8]) -> Result<(), InboxError> {
        let now = self.app.door.clock.now();
        let Some(event) = self.mailbox.letter(raw, now.0 / 1000) else {
            return Ok(());
        };
        self.break_loop(&event, now).await?;
        take_in(self.app, self.account, vec![event]).await?;
        let claim = ClaimDeliveries {
            channel: self.account.channel.clone(),
            limit: 32,
            at: now,
            until: after(now, CLAIM),
        };
        for due in self.app.store.claim_attachments(claim).await? {
            let outcome = match Mail::file(raw, &due.place) {
                Some(content) => AttachmentOutcome::Stored {
                    content,
                    content_type: due.content_type.unwrap_or_default(),
                },
                None => AttachmentOutcome::Refused {
                    error: "the letter has no such part".to_owned(),
                },
            };
            let settle = SettleAttachment {
                conversation: due.conversation,
                seq: due.seq,
                number: due.number,
                token: due.token,
                outcome,
            };
            self.app.store.settle_attachment(settle).await?;
        }
        Ok(())
    }

    /// Calls a person where the bot has answered a sender again and again.
    async fn break_loop(&self, event: &Incoming, now: Millis) -> Result<(), InboxError> {
        const MESSAGES: u32 = 30;
        let channel = &self.account.channel;
        let store = &self.app.store;
        let Some(known) = store.find_thread(channel, &event.thread).await? else {
            return Ok(());
        };
        let recent = store.recent_messages(known.id, MESSAGES).await?;
        let answers = recent.iter().filter(|message| {
            message.author == Author::Bot && message.at.0 > now.0.saturating_sub(AN_HOUR)
        });
        if answers.count() >= MOST_ANSWERS {
            tracing::warn!(
                channel,
                "a letter goes to a person: the bot has answered too often"
            );
            self.app.door.call_person(known.id).await?;
        }
        Ok(())
    }
}

/// A folder that is being read.
pub(in crate::channels) struct Reader<'a> {
    inbox: &'a Inbox<'a>,
    /// It is away while it waits for news.
    folder: Option<Folder>,
    can_idle: bool,
    cursor: Cursor,
}

impl Reader<'_> {
    /// Reads what is new; gives where to go on, in the store's words.
    pub(in crate::channels) async fn read(&mut self) -> Result<String, InboxError> {
        let Some(folder) = &mut self.folder else {
            return Err(InboxError::Silent);
        };
        let next = self.cursor.last.saturating_add(1);
        let found = within(async { Ok(folder.uid_search(format!("UID {next}:*")).await?) });
        let mut found: Vec<u32> = found.await?.into_iter().collect();
        // The last letter is always among them, however old.
        found.retain(|uid| *uid >= next);
        found.sort_unstable();
        for uid in found {
            if let Some(raw) = fetch(folder, uid).await? {
                self.inbox.store(&raw).await?;
                let seen = folder.uid_store(uid.to_string(), "+FLAGS.SILENT (\\Seen)");
                within(async { Ok(seen.await?.try_collect::<Vec<_>>().await?) }).await?;
            }
            self.cursor.last = uid;
        }
        Ok(self.cursor.to_string())
    }

    /// Waits for news, or for a while.
    pub(in crate::channels) async fn wait(&mut self) -> Result<(), InboxError> {
        let Some(mut folder) = self.folder.take() else {
            return Err(InboxError::Silent);
        };
        if self.can_idle {
            let mut idle = folder.idle();
            within(async { Ok(idle.init().await?) }).await?;
            let (news, _stop) = idle.wait_with_timeout(LOOK);
            // A server that talks without end is looked after all the same.
            tokio::time::timeout(LOOK, news).await.ok().transpose()?;
            folder = within(async { Ok(idle.done().await?) }).await?;
        } else {
            tokio::time::sleep(LOOK).await;
            within(async { Ok(folder.noop().await?) }).await?;
        }
        self.folder = Some(folder);
        Ok(())
    }
}

/// A letter; `None` of one that is too large, or gone.
async fn fetch(folder: &mut Folder, uid: u32) -> Result<Option<Vec<u8>>, InboxError> {
    let sizes = folder.uid_fetch(uid.to_string(), "RFC822.SIZE");
    let sizes = within(async { Ok(sizes.await?.try_collect::<Vec<_>>().await?) }).await?;
    let size = sizes
        .first()
        .and_then(|fetched| fetched.size)
        .unwrap_or_default();
    if size > MOST_LETTER {
        tracing::warn!(
            uid,
            "a letter of {size} bytes is too large and is passed over"
        );
        return Ok(None);
    }
    let letters = folder.uid_fetch(uid.to_string(), "BODY.PEEK[]");
    let letters = within(async { Ok(letters.await?.try_collect::<Vec<_>>().await?) }).await?;
    Ok(letters
        .iter()
        .find_map(|fetched| fetched.body().map(<[u8]>::to_vec)))
}

/// A client whose server has said hello.
async fn greeted(wire: Box<dyn Wire>) -> Result<Client<Box<dyn Wire>>, InboxError> {
    let mut client = Client::new(wire);
    match client.read_response().await? {
        Some(_) => Ok(client),
        None => Err(InboxError::Silent),
    }
}

fn tls() -> Result<TlsConnector, InboxError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// What comes of it in time.
async fn within<T>(work: impl Future<Output = Result<T, InboxError>>) -> Result<T, InboxError> {
    tokio::time::timeout(PATIENCE, work)
        .await
        .map_err(|_| InboxError::Silent)?
}

impl Cursor {
    fn parse(text: &str) -> Option<Self> {
        let (validity, last) = text.split_once(':')?;
        Some(Self {
            validity: validity.parse().ok()?,
            last: last.parse().ok()?,
        })
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.validity, self.last)
    }
}
