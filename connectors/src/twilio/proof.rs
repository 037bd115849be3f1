//! Whether a request is Twilio's, by
//! [its signature](https://www.twilio.com/docs/usage/security#validating-requests).

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use http::{Method, header};
use serde_json::Value;
use sha2::Sha256;
use url::form_urlencoded;

use crate::channel::{Hook, HookError};
use crate::signature::{BASE64, hash, hex, hmac_sha1, same};

const SIGNATURE: &str = "x-twilio-signature";
const BODY_HASH: &str = "bodySHA256";

/// The parameters of a request that was signed with `auth_token`; none of a JSON body, which no message has.
///
/// # Errors
/// [`HookError`].
pub(super) fn told(hook: &Hook<'_>, auth_token: &str) -> Result<Vec<(String, String)>, HookError> {
    let is_get = hook.method == Method::GET;
    let kind = hook.header(header::CONTENT_TYPE.as_str());
    let is_form = kind.is_none_or(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    let read = |bytes: &[u8]| -> Vec<(String, String)> {
        form_urlencoded::parse(bytes).into_owned().collect()
    };
    let parameters = if is_form && !is_get {
        read(hook.body)
    } else {
        Vec::new()
    };
    let signature = hook.header(SIGNATURE).ok_or(HookError::BadSignature)?;
    if auth_token.is_empty() || !is_signed(hook.url, &parameters, signature, auth_token) {
        return Err(HookError::BadSignature);
    }
    if is_get {
        let query = hook.url.split_once('?').map_or("", |(_, query)| query);
        return Ok(read(query.as_bytes()));
    }
    if !is_form {
        // The signature is of the address, which holds the body's hash.
        let expected = hook.parameter(BODY_HASH).ok_or(HookError::BadSignature)?;
        let found = hex(&hash::<Sha256>(&[hook.body]));
        if !same(found.as_bytes(), expected.as_bytes()) {
            return Err(HookError::BadSignature);
        }
        serde_json::from_slice::<Value>(hook.body).map_err(|_| HookError::Malformed)?;
    }
    Ok(parameters)
}

/// Whether the signature is of `url` with `parameters`: with the port or without it, as Twilio does either.
fn is_signed(url: &str, parameters: &[(String, String)], signature: &str, key: &str) -> bool {
    let mut sorted: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (name, value) in parameters {
        sorted.entry(name).or_default().insert(value);
    }
    let sorted = sorted.into_iter();
    let pairs =
        sorted.flat_map(|(name, values)| values.into_iter().map(move |value| [name, value]));
    let pairs: String = pairs.flatten().collect();
    let by = |url: String| {
        let mac = hmac_sha1(key.as_bytes(), &[url.as_bytes(), pairs.as_bytes()]);
        same(BASE64.encode(mac).as_bytes(), signature.as_bytes())
    };
    // Settings of the connection stand in the fragment, and are not signed.
    let url = url.split_once('#').map_or(url, |(url, _)| url);
    by(url.to_owned()) || other_port(url).is_some_and(by)
}

/// The address without its port, or with the scheme's own where it has none.
fn other_port(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let port = authority.rsplit_once(':');
    // Neither a password nor a part of an IPv6 address is a port.
    let port = port.filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
    Some(match (port, scheme) {
        (Some((host, _)), _) => format!("{scheme}://{host}{path}"),
        (None, "http") => format!("{scheme}://{authority}:80{path}"),
        (None, _) => format!("{scheme}://{authority}:443{path}"),
    })
}
