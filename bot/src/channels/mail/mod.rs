//! E-mail: letters are sent by SMTP (RFC 5321) and read by IMAP (RFC 9051).

mod inbox;

use lettre::address::Envelope;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use reqwest::header::HeaderMap;

use connectors::channel::Call;

pub(super) use inbox::{Inbox, InboxError};

use super::account::{Failure, Response};
use crate::config::channels::Mail;

/// The part of a mailbox's connector that speaks to servers.
pub(crate) struct PostOffice {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    password: String,
    /// Whether the servers are spoken to without TLS.
    insecure: bool,
}

/// Why a mail server cannot be spoken to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MailError {
    #[error("the address of the mail server has no host")]
    NoHost,
    #[error("the mail server cannot be spoken to: {0}")]
    Smtp(#[from] lettre::transport::smtp::Error),
}

impl PostOffice {
    /// The servers of a mailbox.
    ///
    /// # Errors
    /// [`MailError`] of an address that is none.
    pub(crate) fn new(settings: &Mail) -> Result<Self, MailError> {
        let host = settings.smtp.host_str().ok_or(MailError::NoHost)?;
        let is_implicit = settings.smtp.scheme() == "smtps";
        let tls = match (settings.insecure, is_implicit) {
            (true, _) => Tls::None,
            (false, true) => Tls::Wrapper(TlsParameters::new(host.to_owned())?),
            (false, false) => Tls::Required(TlsParameters::new(host.to_owned())?),
        };
        let port = settings.smtp.port().unwrap_or(match is_implicit {
            true => 465,
            false => 587,
        });
        let password = settings.password.reveal().to_owned();
        let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host)
            .port(port)
            .tls(tls);
        if !password.is_empty() {
            let account = Credentials::new(settings.user.clone(), password.clone());
            transport = transport.credentials(account);
        }
        Ok(Self {
            transport: transport.build(),
            password,
            insecure: settings.insecure,
        })
    }

    /// Sends a letter, or, without one, only logs in; the server's reply as an answer.
    pub(super) async fn send(&self, call: &Call) -> Result<Response, Failure> {
        let sent = match envelope(&call.headers) {
            Some(envelope) => {
                let sent = self.transport.send_raw(&envelope, &call.body).await;
                sent.map(|reply| (u16::from(reply.code()), reply.message().collect::<String>()))
            }
            None => {
                let logged_in = self.transport.test_connection().await;
                logged_in.map(|_| (250, String::new()))
            }
        };
        let (status, text) = match sent {
            Ok(reply) => reply,
            Err(error) => match error.status() {
                Some(code) => (u16::from(code), error.to_string()),
                None => return Err(Failure::Mail(error.into())),
            },
        };
        let mut headers = HeaderMap::new();
        if let Some(id) = call.headers.get("x-message-id") {
            headers.insert("x-message-id", id.clone());
        }
        Ok(Response {
            status,
            headers,
            body: text.into_bytes(),
        })
    }
}

/// Whom a letter is from and to; `None` where it names nobody.
fn envelope(headers: &HeaderMap) -> Option<Envelope> {
    let address =
        |name: &str| -> Option<Address> { headers.get(name)?.to_str().ok()?.parse().ok() };
    Envelope::new(address("x-envelope-from"), vec![address("x-envelope-to")?]).ok()
}
