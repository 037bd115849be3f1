//! Mailboxes.

use serde::{Deserialize, Serialize};
use url::Url;

use crate::config::Secret;

/// `kind = "mail"`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mail {
    /// The server that letters are read from: `imaps://host`, or `imap://host` with STARTTLS.
    pub imap: Url,
    /// The server that letters are sent by: `smtps://host`, or `smtp://host` with STARTTLS.
    pub smtp: Url,
    /// The account at both.
    pub user: String,
    /// Its password, or an app's.
    pub password: Secret,
    /// The folder that is read.
    #[serde(default = "inbox")]
    pub folder: String,
    /// The addresses that customers write to; the first is answered from.
    pub addresses: Vec<String>,
    /// What customers see beside that address.
    #[serde(default)]
    pub name: String,
    /// The domain of the ids of our letters; that of the first address without one.
    #[serde(default)]
    pub domain: Option<String>,
    /// What our letters are recognised by, chosen freely, long, and kept.
    pub secret: Secret,
    /// What the receiving server calls itself in `Authentication-Results`; without it no sender is known, and no
    /// customer's records are told.
    #[serde(default)]
    pub authserv_id: Option<String>,
    /// Whether letters to `name+anything@` reach `name@`.
    #[serde(default)]
    pub plus_addresses: bool,
    /// Where what cannot be delivered comes back to; the first address without one.
    #[serde(default)]
    pub bounces: Option<String>,
    /// Whether the servers are spoken to without TLS: only on this machine.
    #[serde(default)]
    pub insecure: bool,
}

fn inbox() -> String {
    "INBOX".to_owned()
}
