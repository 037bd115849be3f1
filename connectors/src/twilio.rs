//! Short messages and WhatsApp by [Twilio](https://www.twilio.com/docs/messaging/api), 2010-04-01.
//!
//! A hook proves itself by a MAC of the address that was called and of the parameters, and carries no time: what is
//! told again is recognised by its `MessageSid`. Both services share one account and one hook; whose a conversation
//! is stands in its name, which begins with `whatsapp:` there.

mod event;
mod proof;

use std::time::Duration;

use base64::Engine;
use http::{HeaderMap, HeaderValue, Method, header};
use serde::Deserialize;
use serde_json::{Map, Value};
use url::Url;
use url::form_urlencoded::Serializer;

use crate::channel::{
    Answer, Auth, Buttons, Call, Choice, Connector, Fetched, Files, Hook, HookError, Limits,
    Outgoing, Rate, Received, Repeats, Reply, SendError, Sending, Sent,
};
use crate::render::{PLAIN, Piece, pieces, pieces_with_choices};
use crate::signature::BASE64;
use crate::sms::Encoding;
use crate::text::{Length, Unit};
use event::Form;

/// What addresses of WhatsApp begin with.
const WHATSAPP: &str = "whatsapp:";
/// Says to Twilio that nothing is answered at once.
const NOTHING: &str = "<Response/>";

/// The longest body of a message.
const BODY: Length = Length {
    most: 1600,
    unit: Unit::Utf16,
};
/// The longest body of a message with buttons.
const BODY_ABOVE_BUTTONS: Length = Length {
    most: 1024,
    unit: Unit::Utf16,
};
/// The longest text in a template of WhatsApp, whose own words count, too.
const IN_TEMPLATE: Length = Length {
    most: 800,
    unit: Unit::Utf16,
};
/// The most answers that a message of WhatsApp offers.
const MOST_ANSWERS: usize = 10;

/// An account at Twilio.
pub struct Settings {
    /// `https://api.twilio.com`.
    pub base: Url,
    /// `https://messaging.twilio.com`, where typing is told.
    pub messaging_base: Url,
    /// SID of the account.
    pub account: String,
    /// The account's auth token, by which hooks are signed.
    pub auth_token: String,
    /// What requests are made with; `None` is the auth token.
    pub key: Option<ApiKey>,
    /// The hook's public address, to be told what became of messages; `None` is not told.
    pub hook: Option<Url>,
    /// Messages a second that the sender may send: 1 for most numbers, more for short codes and WhatsApp.
    pub per_second: u32,
    /// What is set up for WhatsApp; `None` for an account of short messages.
    pub whatsapp: Option<WhatsApp>,
}

/// An API key of an account.
pub struct ApiKey {
    /// SID of it.
    pub sid: String,
    /// Secret of it.
    pub secret: String,
}

/// Content templates of WhatsApp, each by its SID.
#[derive(Clone, Debug, Default)]
pub struct WhatsApp {
    /// The first offers one answer, the second two, and so on: of the type `twilio/quick-reply` up to three, beyond
    /// of `twilio/list-picker`. Their variable `1` is the text, `2` and `3` are label and id of the first answer,
    /// `4` and `5` of the second. Without any, answers are listed in the text.
    pub answers: Vec<String>,
    /// The approved template of a message after the reply window; its variable `1` is the text. `None` sends none.
    pub reminder: Option<String>,
}

/// An account of short messages or WhatsApp.
pub struct Twilio(Settings);

impl Twilio {
    /// The account of `settings`.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self(settings)
    }

    /// A request with what the account proves itself by.
    fn authorized(&self, mut call: Call) -> Call {
        let (user, password) = match &self.0.key {
            Some(key) => (&key.sid, &key.secret),
            None => (&self.0.account, &self.0.auth_token),
        };
        let basic = BASE64.encode(format!("{user}:{password}"));
        if let Ok(mut value) = HeaderValue::from_str(&format!("Basic {basic}")) {
            value.set_sensitive(true);
            call.headers.insert(header::AUTHORIZATION, value);
        }
        call
    }

    fn form(&self, url: Url, fields: &[(&str, &str)]) -> Call {
        let mut form = Serializer::new(String::new());
        form.extend_pairs(fields);
        let mut headers = HeaderMap::new();
        let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert(header::CONTENT_TYPE, kind);
        self.authorized(Call {
            method: Method::POST,
            url,
            auth: Auth::Complete,
            headers,
            body: form.finish().into_bytes(),
            plain: None,
        })
    }

    fn messages(&self) -> Url {
        let account = &self.0.account;
        let path = format!("2010-04-01/Accounts/{account}/Messages.json");
        below(&self.0.base, &path)
    }

    /// A message of `fields` in a conversation; none in one of another platform's name.
    fn message(&self, thread: &str, fields: &[(&str, &str)]) -> Option<Call> {
        let (ours, theirs) = thread.split_once('/')?;
        let mut all = vec![("To", theirs), ("From", ours)];
        all.extend(fields);
        if let Some(hook) = &self.0.hook {
            all.push(("StatusCallback", hook.as_str()));
        }
        Some(self.form(self.messages(), &all))
    }

    fn short_message(&self, message: &Outgoing<'_>) -> Vec<Call> {
        let pieces = pieces_with_choices(message, BODY, PLAIN);
        let is_gsm = |piece: &Piece| Encoding::of(&piece.plain) == Encoding::Gsm7;
        let limit = match pieces.iter().all(is_gsm) {
            true => Encoding::Gsm7.limit(),
            false => Encoding::Ucs2.limit(),
        };
        let pieces = pieces_with_choices(message, limit, PLAIN);
        let calls = pieces.iter().filter_map(|piece| {
            // Typographic quotation marks become those of the shorter alphabet.
            let fields = [("Body", piece.plain.as_str()), ("SmartEncoded", "true")];
            self.message(message.thread, &fields)
        });
        calls.collect()
    }

    fn whatsapp_message(&self, message: &Outgoing<'_>) -> Vec<Call> {
        let (offered, listed) = self.answers(&message.quick_replies);
        let listed = Outgoing {
            quick_replies: listed,
            ..message.clone()
        };
        let mut texts: Vec<String> = pieces_with_choices(&listed, BODY, PLAIN)
            .into_iter()
            .map(|piece| piece.plain)
            .collect();
        let template = self.template(offered.len());
        let last = template.and_then(|template| Some((template, texts.pop()?)));
        let above = last.map(|(template, last)| {
            let mut split = BODY_ABOVE_BUTTONS.split(&last);
            let above = split.pop().unwrap_or_default();
            texts.extend(split);
            (template, above)
        });
        let thread = message.thread;
        let texts = texts.iter();
        let texts = texts.filter_map(|text| self.message(thread, &[("Body", text)]));
        let mut calls: Vec<Call> = texts.collect();
        calls.extend(above.and_then(|(template, above)| {
            let answers = offered.iter().flat_map(|(label, id)| [label.as_str(), id]);
            let values = std::iter::once(above.as_str()).chain(answers);
            let variables = variables(values);
            let fields = [("ContentSid", template), ("ContentVariables", &variables)];
            self.message(thread, &fields)
        }));
        calls
    }

    /// Labels and ids of the answers that a template offers, and the others.
    fn answers<'a>(&self, choices: &[Choice<'a>]) -> (Vec<(String, &'a str)>, Vec<Choice<'a>>) {
        let (mut offered, mut others) = (Vec::new(), Vec::new());
        for choice in choices {
            let fits = |limits: &Buttons| {
                offered.len() < limits.most
                    && (1..=limits.id_bytes).contains(&choice.id.len())
                    && !choice.label.trim().is_empty()
            };
            match self.limits().buttons.filter(fits) {
                Some(limits) => offered.push((limits.label.shorten(choice.label), choice.id)),
                None => others.push(*choice),
            }
        }
        (offered, others)
    }

    /// The template that offers so many answers.
    fn template(&self, answers: usize) -> Option<&str> {
        let templates = &self.0.whatsapp.as_ref()?.answers;
        templates.get(answers.checked_sub(1)?).map(String::as_str)
    }

    /// After the window of WhatsApp only a template is delivered; short messages have no window.
    fn reminder(&self, message: &Outgoing<'_>) -> Vec<Call> {
        if !is_whatsapp(message.thread) {
            return self.short_message(message);
        }
        let whatsapp = self.0.whatsapp.as_ref();
        let template = whatsapp.and_then(|whatsapp| whatsapp.reminder.as_deref());
        let pieces = pieces(message, BODY, PLAIN);
        let call = template.zip(pieces.first()).and_then(|(template, piece)| {
            // Variables of an approved template hold one line.
            let line: Vec<&str> = piece.plain.split_whitespace().collect();
            let line = IN_TEMPLATE.shorten(&line.join(" "));
            let variables = variables(std::iter::once(line.as_str()));
            let fields = [("ContentSid", template), ("ContentVariables", &variables)];
            self.message(message.thread, &fields)
        });
        call.into_iter().collect()
    }

    /// The request for a file: with what the account proves itself by only where it is Twilio's.
    fn file(&self, url: Url) -> Call {
        let is_ours = url.origin() == self.0.base.origin();
        let call = Call::get(url);
        if is_ours { self.authorized(call) } else { call }
    }
}

/// An address below `base`.
fn below(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}/{path}", base.path().trim_end_matches('/')));
    url
}

fn is_whatsapp(thread: &str) -> bool {
    thread.starts_with(WHATSAPP)
}

/// The variables of a template, from `1` on.
fn variables<'a>(values: impl Iterator<Item = &'a str>) -> String {
    let named = values.zip(1..);
    let named = named.map(|(value, number)| (number.to_string(), Value::from(value)));
    Value::Object(named.collect::<Map<_, _>>()).to_string()
}

/// What Twilio answers.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Told {
    sid: Option<String>,
    code: u32,
    message: String,
}

fn refused(answer: &Answer<'_>) -> SendError {
    let told: Told = serde_json::from_slice(answer.body).unwrap_or_default();
    let status = answer.status;
    let reason = match told.message.as_str() {
        "" => answer.excerpt(),
        words => format!("{words} ({})", told.code),
    };
    match (status, told.code) {
        (401, _) | (_, 20003) => SendError::Unauthorized,
        // The number is none, no mobile phone's, or its owner has opted out.
        (_, 21211 | 21614 | 21610) => SendError::Unreachable { reason },
        // 2xx of another form: something on the way answered.
        (200..=299 | 408 | 429 | 500..=599, _) | (_, 20429) => SendError::Later {
            status,
            after: answer.retry_after(),
        },
        _ => SendError::Refused { status, reason },
    }
}

impl Connector for Twilio {
    fn limits(&self) -> Limits {
        let whatsapp = self.0.whatsapp.as_ref();
        let answers = whatsapp.map_or(0, |whatsapp| whatsapp.answers.len());
        let buttons = Buttons {
            most: answers.min(MOST_ANSWERS),
            label: Length {
                most: 20,
                unit: Unit::Chars,
            },
            id_bytes: 200,
        };
        let second = Duration::from_secs(1);
        Limits {
            text: BODY,
            buttons: Some(buttons).filter(|buttons| buttons.most > 0),
            typing: whatsapp.map(|_| Duration::from_secs(25)),
            edits: false,
            window: whatsapp.map(|_| Duration::from_secs(24 * 60 * 60)),
            thread_rate: Rate {
                most: 1,
                per: second,
            },
            account_rate: Rate {
                most: self.0.per_second.max(1),
                per: second,
            },
            repeats: Repeats::Doubles,
            answer_within: Duration::from_secs(15),
        }
    }

    fn receive(&self, hook: &Hook<'_>) -> Result<Received, HookError> {
        let told = proof::told(hook, &self.0.auth_token)?;
        Ok(Received {
            events: Form::new(told).incoming().into_iter().collect(),
            reply: Some(Reply {
                content_type: "text/xml",
                body: NOTHING.to_owned(),
            }),
            ..Received::default()
        })
    }

    fn send(&self, sending: &Sending<'_>) -> Vec<Call> {
        match sending {
            Sending::Message(message) if is_whatsapp(message.thread) => {
                self.whatsapp_message(message)
            }
            Sending::Message(message) => self.short_message(message),
            Sending::Reminder(message) => self.reminder(message),
            Sending::Typing {
                thread,
                context: Some(message),
            } if is_whatsapp(thread) => {
                let url = below(&self.0.messaging_base, "v2/Indicators/Typing.json");
                let fields = [("channel", "whatsapp"), ("messageId", *message)];
                vec![self.form(url, &fields)]
            }
            Sending::Typing { .. } | Sending::Edit { .. } | Sending::Seen { .. } => Vec::new(),
        }
    }

    fn accepted(&self, answer: &Answer<'_>) -> Result<Sent, SendError> {
        if !(200..300).contains(&answer.status) {
            return Err(refused(answer));
        }
        let told: Told = serde_json::from_slice(answer.body).map_err(|_| refused(answer))?;
        Ok(Sent { message: told.sid })
    }

    fn probe(&self) -> Option<Call> {
        // An API key may not ask for the account itself.
        let mut url = self.messages();
        url.set_query(Some("PageSize=1"));
        Some(self.authorized(Call::get(url)))
    }

    fn files(&self) -> Option<&dyn Files> {
        Some(self)
    }
}

impl Files for Twilio {
    fn request(&self, place: &str) -> Option<Call> {
        let url = Url::parse(place).ok()?;
        let is_bare = url.username().is_empty() && url.password().is_none();
        let is_ours = url.origin() == self.0.base.origin() && is_bare;
        is_ours.then(|| self.file(url))
    }

    fn fetched(&self, answer: &Answer<'_>) -> Result<Fetched, SendError> {
        match answer.status {
            200..=299 => Ok(Fetched::File),
            301..=303 | 307 | 308 => {
                let elsewhere = answer.headers.get(header::LOCATION);
                let elsewhere = elsewhere.and_then(|url| url.to_str().ok());
                let elsewhere = elsewhere.and_then(|url| self.0.base.join(url).ok());
                // As safe as the way to Twilio itself.
                let base = self.0.base.scheme();
                let is_safe = |url: &Url| url.scheme() == "https" || url.scheme() == base;
                match elsewhere.filter(is_safe) {
                    Some(url) => Ok(Fetched::At(Box::new(self.file(url)))),
                    None => Err(refused(answer)),
                }
            }
            _ => Err(refused(answer)),
        }
    }
}

#[cfg(test)]
mod tests;
