//! First answers of a client that logs in to a mail server, in base64, as `AUTH` (RFC 4954) and `AUTHENTICATE`
//! (RFC 9051) want them. They are secrets.

use base64::Engine;

use crate::signature::BASE64;

/// `PLAIN` ([RFC 4616](https://www.rfc-editor.org/rfc/rfc4616)).
#[must_use]
pub fn plain(user: &str, password: &str) -> String {
    BASE64.encode(format!("\0{user}\0{password}"))
}

/// `XOAUTH2`, of [Google](https://developers.google.com/workspace/gmail/imap/xoauth2-protocol) and Microsoft.
#[must_use]
pub fn xoauth2(user: &str, token: &str) -> String {
    BASE64.encode(format!("user={user}\x01auth=Bearer {token}\x01\x01"))
}

/// `OAUTHBEARER` ([RFC 7628](https://www.rfc-editor.org/rfc/rfc7628)).
#[must_use]
pub fn oauthbearer(user: &str, host: &str, port: u16, token: &str) -> String {
    let user = user.replace('=', "=3D").replace(',', "=2C");
    BASE64.encode(format!(
        "n,a={user},\x01host={host}\x01port={port}\x01auth=Bearer {token}\x01\x01"
    ))
}
