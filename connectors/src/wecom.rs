//! WeCom customer service, to which customers write from WeChat, by the
//! [platform's documentation](https://developer.work.weixin.qq.com/document/path/94638).
//!
//! A hook is encrypted, and only a bell: what happened is then asked for, page by page.

mod message;

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use sha2::Sha256;
use url::Url;

use crate::channel::{
    Answer, Call, Connector, Fetched, Files, Hook, HookError, Limits, Outgoing, Polled, Polling,
    Rate, Received, Repeats, Reply, SendError, Sending, Sent, Token, TokenSource,
};
use crate::render::PLAIN;
use crate::signature::{hash, hex};
use crate::wechat::answer::{BUSY, fetched, media, token, told};
use crate::wechat::envelope::{Envelope, read};
use crate::wechat::menu::{self, Menu, Parts, parts};
use crate::wechat::{SEEN, TOKEN, WINDOW, at};
use message::{Bell, Message, Page};

/// How long somebody can be welcomed after they have opened the conversation, in seconds.
const WELCOME: i64 = 20;

/// An account's settings.
pub struct Settings {
    /// `https://qyapi.weixin.qq.com`, or a server of one's own.
    pub base: Url,
    /// Id of the company, `ww...`.
    pub corp_id: String,
    /// Secret of customer service, or of the app that may use it.
    pub secret: String,
    /// `Token` of the hook.
    pub token: String,
    /// `EncodingAESKey` of the hook, 43 characters.
    pub encoding_aes_key: String,
    /// Id of the customer-service account, `wk...`.
    pub open_kfid: String,
}

/// A customer-service account.
pub struct WeCom {
    base: Url,
    corp_id: String,
    secret: String,
    envelope: Envelope,
    open_kfid: String,
}

impl WeCom {
    /// The account of `settings`. An `EncodingAESKey` of another form opens nothing: every request to the hook is
    /// refused then.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let key = Some(settings.encoding_aes_key.as_str());
        Self {
            envelope: Envelope::new(settings.token, settings.corp_id.clone(), key),
            base: settings.base,
            corp_id: settings.corp_id,
            secret: settings.secret,
            open_kfid: settings.open_kfid,
        }
    }

    fn call(&self, path: &str, body: &Value) -> Call {
        Call::json(Method::POST, at(&self.base, path), body).with(TOKEN)
    }

    fn message(&self, message: &Outgoing<'_>) -> Vec<Call> {
        let Parts { texts, menu } = parts(message, PLAIN);
        let text = |content: String| json!({ "msgtype": "text", "text": { "content": content } });
        let bodies = texts.into_iter().map(text).chain(menu.map(chosen_from));
        let mut code = welcome(message);
        let calls = bodies.enumerate().map(|(place, mut body)| {
            body["msgid"] = id(message.key, place).into();
            // A code is good for one message.
            if let Some(code) = code.take() {
                body["code"] = code.into();
                return self.call("/cgi-bin/kf/send_msg_on_event", &body);
            }
            body["touser"] = message.thread.into();
            body["open_kfid"] = self.open_kfid.as_str().into();
            self.call("/cgi-bin/kf/send_msg", &body)
        });
        calls.collect()
    }
}

/// The code to welcome somebody by who has opened the conversation, and not written yet.
fn welcome<'a>(message: &Outgoing<'a>) -> Option<&'a str> {
    let (since, code) = message.context?.split_once(':')?;
    let since: i64 = since.parse().ok()?;
    let is_valid = (0..=WELCOME).contains(&message.at.checked_sub(since)?);
    let is_silent = message.heard_at.is_none_or(|heard| heard < since);
    (is_valid && is_silent).then_some(code)
}

/// The id of a message's part, in the form that the platform wants, of at most 32 bytes.
fn id(key: &str, place: usize) -> String {
    const BYTES: usize = 16;
    let mut hash = hash::<Sha256>(&[key.as_bytes(), b"\n", place.to_string().as_bytes()]);
    hash.truncate(BYTES);
    hex(&hash)
}

fn chosen_from(menu: Menu) -> Value {
    let choices = menu.choices.into_iter();
    let choices = choices
        .map(|(id, label)| json!({ "type": "click", "click": { "id": id, "content": label } }));
    let mut body = json!({ "msgtype": "msgmenu", "msgmenu": {
        "head_content": menu.head,
        "list": choices.collect::<Vec<_>>(),
    } });
    if let Some(tail) = menu.tail {
        body["msgmenu"]["tail_content"] = tail.into();
    }
    body
}

/// What the [codes](https://developer.work.weixin.qq.com/document/path/90313) mean.
fn meaning(code: i64, reason: String) -> SendError {
    match code {
        -1 | 45009 => BUSY,
        40014 | 42001 => SendError::Expired,
        // Not from this machine's address, or not with this secret.
        60020 | 48002 => SendError::Unauthorized,
        // Too many for what they last wrote, or too long ago.
        95001 => SendError::Unreachable { reason },
        // 95018: a person answers, or the session is over; 95000 and 95004: there is no such account.
        _ => SendError::Refused {
            status: 200,
            reason,
        },
    }
}

impl Connector for WeCom {
    fn limits(&self) -> Limits {
        Limits {
            text: menu::TEXT,
            buttons: Some(menu::CHOICES),
            typing: None,
            edits: false,
            window: Some(WINDOW),
            thread_rate: Rate {
                most: 1,
                per: Duration::from_secs(1),
            },
            account_rate: Rate {
                most: 10,
                per: Duration::from_secs(1),
            },
            // Whether the platform recognises the id of a message is not documented.
            repeats: Repeats::Doubles,
            answer_within: Duration::from_secs(5),
        }
    }

    fn receive(&self, hook: &Hook<'_>) -> Result<Received, HookError> {
        if hook.method == Method::GET {
            let hidden = hook.parameter("echostr").ok_or(HookError::BadSignature)?;
            // A plus that was not escaped is a space in a query, which base64 does not have.
            let echo = self.envelope.open(hook, &hidden.replace(' ', "+"))?;
            let echo = String::from_utf8(echo).map_err(|_| HookError::Malformed)?;
            return Ok(Received {
                reply: Some(Reply::text(echo)),
                ..Received::default()
            });
        }
        let bell: Bell = read(&self.envelope.opened(hook)?).ok_or(HookError::Malformed)?;
        let is_ours = bell.event == "kf_msg_or_event" && bell.open_kf_id == self.open_kfid;
        Ok(Received {
            reply: Some(Reply::text(SEEN)),
            bell: is_ours.then_some(bell.token),
            ..Received::default()
        })
    }

    fn send(&self, sending: &Sending<'_>) -> Vec<Call> {
        match sending {
            Sending::Message(message) => self.message(message),
            Sending::Edit { .. }
            | Sending::Reminder(_)
            | Sending::Typing { .. }
            | Sending::Seen { .. } => Vec::new(),
        }
    }

    fn accepted(&self, answer: &Answer<'_>) -> Result<Sent, SendError> {
        let told = told(answer, meaning)?;
        Ok(Sent {
            message: told.msgid,
        })
    }

    fn probe(&self) -> Option<Call> {
        let first = json!({ "offset": 0, "limit": 1 });
        Some(self.call("/cgi-bin/kf/account/list", &first))
    }

    fn tokens(&self) -> Option<&dyn TokenSource> {
        Some(self)
    }

    fn polling(&self) -> Option<&dyn Polling> {
        Some(self)
    }

    fn files(&self) -> Option<&dyn Files> {
        Some(self)
    }
}

impl TokenSource for WeCom {
    fn request(&self) -> Call {
        let mut url = at(&self.base, "/cgi-bin/gettoken");
        url.query_pairs_mut()
            .append_pair("corpid", &self.corp_id)
            .append_pair("corpsecret", &self.secret);
        Call::get(url)
    }

    fn token(&self, answer: &Answer<'_>) -> Result<Token, SendError> {
        token(answer)
    }
}

/// The most messages of one page.
const PAGE: u32 = 1000;

impl Polling for WeCom {
    /// Without a bell the platform allows few requests. Without a cursor it tells the last three days.
    fn request(&self, cursor: Option<&str>, bell: Option<&str>) -> Call {
        let mut body = json!({ "limit": PAGE, "open_kfid": self.open_kfid });
        for (name, value) in [("cursor", cursor), ("token", bell)] {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                body[name] = value.into();
            }
        }
        self.call("/cgi-bin/kf/sync_msg", &body)
    }

    fn polled(&self, answer: &Answer<'_>) -> Result<Polled, SendError> {
        told(answer, meaning)?;
        let page: Page = serde_json::from_slice(answer.body).map_err(|_| BUSY)?;
        let messages = page.msg_list.into_iter();
        // A message of an unknown form is passed over: it would come again for ever.
        let messages =
            messages.filter_map(|message| serde_json::from_value::<Message>(message).ok());
        Ok(Polled {
            events: messages
                .filter_map(|message| message.event(&self.open_kfid))
                .collect(),
            cursor: Some(page.next_cursor).filter(|cursor| !cursor.is_empty()),
            more: page.has_more == 1,
            calls: Vec::new(),
        })
    }

    /// A bell that was lost is made up for.
    fn pause(&self) -> Duration {
        Duration::from_secs(60)
    }
}

impl Files for WeCom {
    fn request(&self, place: &str) -> Option<Call> {
        Some(media(at(&self.base, "/cgi-bin/media/get"), place)?.with(TOKEN))
    }

    fn fetched(&self, answer: &Answer<'_>) -> Result<Fetched, SendError> {
        fetched(answer, &self.base, meaning)
    }
}

#[cfg(test)]
mod tests;
