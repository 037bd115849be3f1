//! What the fakes of Meta's platforms have in common.

use hmac::{Hmac, Mac};
use http::{HeaderMap, Method};
use serde_json::{Value, json};
use sha2::Sha256;

use super::{Answered, Told};

/// Version of the Graph API.
pub const VERSION: &str = "v25.0";
/// The account's access token.
pub const TOKEN: &str = "EAAtoken";
/// The app's secret.
pub const SECRET: &str = "frontdesk-app-secret";
/// What the hook's address was registered with.
pub const VERIFY_TOKEN: &str = "what-the-address-was-registered-with";

fn hmac(text: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(text);
    let bytes = mac.finalize().into_bytes();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A signed notification, with all that is not ASCII escaped as Meta does it.
pub fn told(notification: &Value) -> Told {
    let mut body = String::new();
    for letter in notification.to_string().chars() {
        if letter.is_ascii() {
            body.push(letter);
        } else {
            let mut units = [0; 2];
            for unit in letter.encode_utf16(&mut units) {
                body.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    Told::Hook {
        method: Method::POST,
        query: String::new(),
        headers: vec![(
            "x-hub-signature-256",
            format!("sha256={}", hmac(body.as_bytes())),
        )],
        body: body.into_bytes(),
    }
}

/// The registration of the hook's address.
pub fn handshake() -> Told {
    Told::Hook {
        method: Method::GET,
        query: format!(
            "?hub.mode=subscribe&hub.verify_token={VERIFY_TOKEN}&hub.challenge=1158201444"
        ),
        headers: Vec::new(),
        body: Vec::new(),
    }
}

pub fn refused(status: u16, code: i64, reason: &str) -> Answered {
    let error = json!({
        "message": format!("(#{code}) {reason}"),
        "type": "OAuthException",
        "code": code,
        "is_transient": false,
        "fbtrace_id": "A1",
    });
    Answered::json(status, &json!({ "error": error }))
}

/// What stands behind the version in `path`, of a request with the token and the app's proof.
pub fn admitted<'a>(path: &'a str, headers: &HeaderMap) -> Result<&'a str, Answered> {
    let authorization = headers
        .get("authorization")
        .and_then(|value| value.to_str().ok());
    if authorization != Some(&format!("Bearer {TOKEN}")) {
        return Err(refused(401, 190, "Invalid OAuth access token"));
    }
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    if query != format!("appsecret_proof={}", hmac(TOKEN.as_bytes())) {
        return Err(refused(
            400,
            100,
            "API calls from the server require an appsecret_proof argument",
        ));
    }
    path.strip_prefix(&format!("/{VERSION}/"))
        .ok_or_else(|| refused(404, 2500, "Unknown path components"))
}
