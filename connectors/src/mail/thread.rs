//! Which conversation a letter belongs to.
//!
//! Letters of ours name their conversation in their id and in the address that answers go to, with a code that only
//! their receiver can have from us: whoever else gets hold of a letter, or forges its sender, begins a conversation
//! of their own.

use super::Settings;
use super::read::Letter;
use crate::signature::{hex, hmac_sha256, same};

/// What an id of ours begins with.
const OURS: &str = "fd.";
/// What the name of a conversation begins with.
const THREAD: char = 'c';
const THREAD_DIGITS: usize = 20;
const CODE_DIGITS: usize = 12;
/// How many bytes may stand before the `@` of an address (RFC 5321, section 4.5.3.1.1).
const MOST_LOCAL_BYTES: usize = 64;

/// A conversation, with the code of the one it is held with.
struct Token<'a> {
    thread: &'a str,
    code: &'a str,
}

/// The conversation of `letter`, by `sender` as we call them.
pub(super) fn thread(letter: &Letter<'_>, sender: &str, settings: &Settings) -> String {
    answered(letter, sender, settings).unwrap_or_else(|| {
        // The first letter of a chain names it, whoever of us has read it before.
        let ids = ["References", "In-Reply-To"].map(|name| letter.ids(name));
        let root = ids.into_iter().flatten().next();
        let root = root.unwrap_or_else(|| letter.id_or_hash());
        let name = mac(settings, &[b"thread", root.as_bytes(), sender.as_bytes()]);
        format!("{THREAD}{}", first(&name, THREAD_DIGITS))
    })
}

/// The conversation of ours that `letter` answers.
fn answered(letter: &Letter<'_>, sender: &str, settings: &Settings) -> Option<String> {
    let is_theirs = |token: &Token<'_>| {
        let code = code(token.thread, sender, settings);
        !settings.secret.is_empty() && same(code.as_bytes(), token.code.as_bytes())
    };
    let mut ids = letter.ids("In-Reply-To");
    ids.extend(letter.ids("References").into_iter().rev());
    let named = ids
        .iter()
        .filter_map(|id| of_id(id, settings))
        .find(|token| is_theirs(token));
    if let Some(token) = named {
        return Some(token.thread.to_owned());
    }
    let addresses = super::guard::addressed(letter);
    let mut tokens = addresses.iter().filter_map(|address| of_address(address));
    let token = tokens.find(|token| is_theirs(token))?;
    Some(token.thread.to_owned())
}

/// The conversation that a message id of ours names, whoever says so; `None` of an id that is not ours.
pub(super) fn of_own(id: &str, settings: &Settings) -> Option<String> {
    of_id(id, settings).map(|token| token.thread.to_owned())
}

/// An id for a message of ours to `sender`: the same whenever it is sent under this `key`.
pub(super) fn message_id(thread: &str, sender: &str, key: &str, settings: &Settings) -> String {
    let unique = mac(settings, &[b"message", thread.as_bytes(), key.as_bytes()]);
    let unique = first(&unique, CODE_DIGITS);
    let code = code(thread, sender, settings);
    format!("{OURS}{thread}.m{unique}.{code}@{}", settings.domain)
}

/// Our `address` with the token of a conversation; `None` where it would be too long.
pub(super) fn plus_address(
    address: &str,
    thread: &str,
    sender: &str,
    settings: &Settings,
) -> Option<String> {
    let (local, domain) = address.rsplit_once('@')?;
    let local = format!("{local}+{thread}.{}", code(thread, sender, settings));
    (local.len() <= MOST_LOCAL_BYTES).then(|| format!("{local}@{domain}"))
}

/// Whether `thread` is a name that we give.
pub(super) fn is_name(thread: &str) -> bool {
    let digits = thread.strip_prefix(THREAD).unwrap_or_default();
    digits.len() == THREAD_DIGITS && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
}

fn of_id<'a>(id: &'a str, settings: &Settings) -> Option<Token<'a>> {
    let (local, domain) = id.rsplit_once('@')?;
    if !domain.eq_ignore_ascii_case(&settings.domain) {
        return None;
    }
    let mut parts = local.strip_prefix(OURS)?.split('.');
    let (thread, _, code) = (parts.next()?, parts.next()?, parts.next()?);
    let is_ours = parts.next().is_none() && is_name(thread);
    is_ours.then_some(Token { thread, code })
}

fn of_address(address: &str) -> Option<Token<'_>> {
    let (local, _) = address.rsplit_once('@')?;
    let (_, token) = local.split_once('+')?;
    let (thread, code) = token.split_once('.')?;
    is_name(thread).then_some(Token { thread, code })
}

fn code(thread: &str, sender: &str, settings: &Settings) -> String {
    let code = mac(settings, &[b"code", thread.as_bytes(), sender.as_bytes()]);
    first(&code, CODE_DIGITS)
}

/// A MAC of `parts`, which hold no line ends.
fn mac(settings: &Settings, parts: &[&[u8]]) -> String {
    let lines = parts.join(&b'\n');
    hex(&hmac_sha256(settings.secret.as_bytes(), &[&lines]))
}

fn first(digits: &str, count: usize) -> String {
    digits.chars().take(count).collect()
}
