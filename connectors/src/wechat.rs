//! WeChat Official Accounts, by the
//! [platform's documentation](https://developers.weixin.qq.com/doc/offiaccount/Getting_Started/Overview.html).
//!
//! A hook proves itself by a signature of its query. It covers the body only in the encrypted mode: in the plain
//! mode the hook's address must be secret. Answers go out as customer-service messages, which are plain text but
//! for links.

pub(crate) mod answer;
pub(crate) mod envelope;
mod event;
pub(crate) mod menu;

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use url::Url;

use crate::channel::{
    Answer, Auth, Call, Connector, Fetched, Files, Hook, HookError, Limits, Outgoing, Rate,
    Received, Repeats, Reply, SendError, Sending, Sent, Token, TokenSource,
};
use crate::render::Marks;
use answer::{BUSY, fetched, media, token, told};
use envelope::{Envelope, read};
use event::Told;
pub(crate) use event::lines;
use menu::{Menu, Parts, parts};

/// What the platform wants to hear when there is nothing to say at once.
pub(crate) const SEEN: &str = "success";
/// Where requests carry the lent token.
pub(crate) const TOKEN: Auth = Auth::Query("access_token");
/// How long after a customer's message they may be written to.
pub(crate) const WINDOW: Duration = Duration::from_secs(48 * 60 * 60);

/// An account's settings.
pub struct Settings {
    /// `https://api.weixin.qq.com`, or another of the platform's hosts.
    pub base: Url,
    /// `AppID` of the account.
    pub app_id: String,
    /// `AppSecret` of the account.
    pub app_secret: String,
    /// `Token` of the hook, as entered in the account's console.
    pub token: String,
    /// `EncodingAESKey` of the hook, 43 characters: in the encrypted and in the compatible mode, where nothing that
    /// is not encrypted is accepted. `None` in the plain mode.
    pub encoding_aes_key: Option<String>,
}

/// An Official Account.
pub struct WeChat {
    base: Url,
    app_id: String,
    app_secret: String,
    envelope: Envelope,
    is_plain: bool,
}

impl WeChat {
    /// The account of `settings`. An `EncodingAESKey` of another form opens nothing: every request to the hook is
    /// refused then.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let key = settings.encoding_aes_key.as_deref();
        Self {
            envelope: Envelope::new(settings.token, settings.app_id.clone(), key),
            is_plain: key.is_none(),
            base: settings.base,
            app_id: settings.app_id,
            app_secret: settings.app_secret,
        }
    }

    fn call(&self, path: &str, body: &Value) -> Call {
        Call::json(Method::POST, at(&self.base, path), body)
    }

    fn message(&self, message: &Outgoing<'_>) -> Vec<Call> {
        let Parts { texts, menu } = parts(message, LINKS);
        let text = |content: String| json!({ "touser": message.thread, "msgtype": "text", "text": { "content": content } });
        let bodies = texts.into_iter().map(text);
        let bodies = bodies.chain(menu.map(|menu| chosen_from(message.thread, menu)));
        bodies
            .map(|body| self.call("/cgi-bin/message/custom/send", &body).with(TOKEN))
            .collect()
    }
}

fn chosen_from(customer: &str, menu: Menu) -> Value {
    let choices = menu.choices.into_iter();
    let choices = choices.map(|(id, label)| json!({ "id": id, "content": label }));
    let mut body = json!({ "touser": customer, "msgtype": "msgmenu", "msgmenu": {
        "head_content": menu.head,
        "list": choices.collect::<Vec<_>>(),
    } });
    if let Some(tail) = menu.tail {
        body["msgmenu"]["tail_content"] = tail.into();
    }
    body
}

/// Of HTML, WeChat reads links, and no entities.
const LINKS: Marks = Marks {
    escape: str::to_owned,
    link: |title, url| {
        let (title, url) = (title.replace(['<', '>'], ""), url.replace('"', "%22"));
        format!("<a href=\"{url}\">{title}</a>")
    },
    are_counted: true,
};

/// The address of `path` on the server `base`.
pub(crate) fn at(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}{path}", base.path().trim_end_matches('/')));
    url
}

/// What the
/// [codes](https://developers.weixin.qq.com/doc/offiaccount/Getting_Started/Global_Return_Code.html) mean.
fn meaning(code: i64, reason: String) -> SendError {
    match code {
        -1 | 45009 | 45011 => BUSY,
        40001 | 40014 | 42001 => SendError::Expired,
        // The account may not do this at all, or not from this machine's address.
        48001 | 40164 => SendError::Unauthorized,
        // Too long ago, too many for what they last wrote, or they do not want any.
        45015 | 45047 | 48002 => SendError::Unreachable { reason },
        _ => SendError::Refused {
            status: 200,
            reason,
        },
    }
}

impl Connector for WeChat {
    fn limits(&self) -> Limits {
        Limits {
            text: menu::TEXT,
            buttons: Some(menu::CHOICES),
            typing: Some(Duration::from_secs(15)),
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
            repeats: Repeats::Doubles,
            answer_within: Duration::from_secs(5),
        }
    }

    fn receive(&self, hook: &Hook<'_>) -> Result<Received, HookError> {
        if hook.method == Method::GET {
            self.envelope.check(hook, "signature", None)?;
            let echo = hook.parameter("echostr").ok_or(HookError::Malformed)?;
            return Ok(Received {
                reply: Some(Reply::text(echo)),
                ..Received::default()
            });
        }
        let told = if self.is_plain {
            self.envelope.check(hook, "signature", None)?;
            read::<Told>(hook.body)
        } else {
            read::<Told>(&self.envelope.opened(hook)?)
        };
        let is_somebodys =
            |told: &Told| !told.from_user_name.is_empty() && !told.msg_type.is_empty();
        let told = told.filter(is_somebodys).ok_or(HookError::Malformed)?;
        Ok(Received {
            events: told.event().into_iter().collect(),
            reply: Some(Reply::text(SEEN)),
            ..Received::default()
        })
    }

    fn send(&self, sending: &Sending<'_>) -> Vec<Call> {
        match sending {
            Sending::Message(message) => self.message(message),
            Sending::Typing { thread, .. } => {
                let body = json!({ "touser": thread, "command": "Typing" });
                let call = self.call("/cgi-bin/message/custom/typing", &body);
                vec![call.with(TOKEN)]
            }
            Sending::Edit { .. } | Sending::Reminder(_) | Sending::Seen { .. } => Vec::new(),
        }
    }

    fn accepted(&self, answer: &Answer<'_>) -> Result<Sent, SendError> {
        // Messages have no id.
        told(answer, meaning).map(|_| Sent::default())
    }

    fn probe(&self) -> Option<Call> {
        Some(Call::get(at(&self.base, "/cgi-bin/getcallbackip")).with(TOKEN))
    }

    fn tokens(&self) -> Option<&dyn TokenSource> {
        Some(self)
    }

    fn files(&self) -> Option<&dyn Files> {
        Some(self)
    }
}

impl TokenSource for WeChat {
    /// The [stable token](https://developers.weixin.qq.com/doc/offiaccount/Basic_Information/getStableAccessToken.html),
    /// which is the same for all who ask while it is valid.
    fn request(&self) -> Call {
        let body = json!({
            "grant_type": "client_credential",
            "appid": self.app_id,
            "secret": self.app_secret,
            "force_refresh": false,
        });
        self.call("/cgi-bin/stable_token", &body)
    }

    fn token(&self, answer: &Answer<'_>) -> Result<Token, SendError> {
        token(answer)
    }
}

impl Files for WeChat {
    fn request(&self, place: &str) -> Option<Call> {
        Some(media(at(&self.base, "/cgi-bin/media/get"), place)?.with(TOKEN))
    }

    fn fetched(&self, answer: &Answer<'_>) -> Result<Fetched, SendError> {
        fetched(answer, &self.base, meaning)
    }
}

#[cfg(test)]
mod tests;
