//! Stand-ins for the platforms' clouds, which cannot be run here: what each accepts, refuses and tells, as its
//! documentation says. They hold no socket; a test serves them.

#![allow(dead_code, unreachable_pub, reason = "each test uses some of them")]

pub mod dingtalk;
pub mod discord;
pub mod feishu;
pub mod line;
pub mod mail;
pub mod matrix;
pub mod mattermost;
pub mod messenger;
pub mod meta;
pub mod rocketchat;
pub mod slack;
pub mod teams;
pub mod telegram;
pub mod twilio;
pub mod wechat;
pub mod wecom;
pub mod whatsapp;

use std::sync::atomic::{AtomicI64, Ordering};

use http::{HeaderMap, Method};

/// A platform's cloud with one account of ours.
pub trait Fake: Send {
    /// Answers a request of ours. `path` is the path with its query, as the platform's host would see it.
    fn answer(&mut self, method: &Method, path: &str, headers: &HeaderMap, body: &[u8])
    -> Answered;

    /// A customer writes in their private conversation with us.
    fn says(&mut self, customer: &str, text: &str) -> Told;

    /// A customer presses the button of that label under the last message that they see.
    fn presses(&mut self, customer: &str, label: &str) -> Option<Told>;

    /// What a customer sees of ours, in its order, edits done.
    fn seen(&self, customer: &str) -> Vec<Shown>;

    /// The texts that its gateway sends to a new socket.
    fn opened(&mut self) -> Vec<String> {
        Vec::new()
    }

    /// What its gateway answers to a text.
    fn heard(&mut self, _text: &str) -> Vec<String> {
        Vec::new()
    }
}

/// An answer to a request.
#[derive(Clone, Debug, Default)]
pub struct Answered {
    /// Status.
    pub status: u16,
    /// Headers, by name.
    pub headers: Vec<(&'static str, String)>,
    /// Body.
    pub body: Vec<u8>,
}

impl Answered {
    /// A JSON body.
    pub fn json(status: u16, body: &serde_json::Value) -> Self {
        Self {
            status,
            headers: vec![("content-type", "application/json".to_owned())],
            body: body.to_string().into_bytes(),
        }
    }
}

/// How a platform tells what happened.
#[derive(Clone, Debug)]
pub enum Told {
    /// By this request to the hook.
    Hook {
        /// Method.
        method: Method,
        /// What stands behind the hook's address, from `?` on.
        query: String,
        /// Headers, by name.
        headers: Vec<(&'static str, String)>,
        /// Body.
        body: Vec<u8>,
    },
    /// By this text of its gateway.
    Frame(String),
    /// To who polls it next.
    Polled,
    /// By this letter in the mailbox.
    Letter(Vec<u8>),
}

/// A message of ours as a customer sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// Text, without marks where the platform shows none.
    pub text: String,
    /// Labels of its buttons.
    pub buttons: Vec<String>,
}

/// The address of the hook, as the fakes know it: some platforms sign it.
pub const HOOK: &str = "https://shop.example/hooks/twilio/twilio";
/// When everything happens, in seconds of Unix time, unless a test sets [`CLOCK`].
pub const NOW: i64 = 1_767_225_600;
/// What the fakes take for the time.
pub static CLOCK: AtomicI64 = AtomicI64::new(NOW);

/// The time of the fakes.
fn now() -> i64 {
    CLOCK.load(Ordering::Relaxed)
}
