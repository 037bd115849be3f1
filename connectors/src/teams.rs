//! Microsoft Teams, by the [Bot Connector](https://learn.microsoft.com/azure/bot-service/rest-api/bot-framework-rest-connector-api-reference)
//! 3.0, as a [bot of Teams](https://learn.microsoft.com/microsoftteams/platform/bots/how-to/conversations/conversation-messages).
//! Web Chat, Direct Line and the other channels of Azure Bot Service speak the same protocol.
//!
//! A request proves itself by a token that Microsoft has signed. Answers go to the service that the request names,
//! with a token that is lent: so the services are those of a list, and no others. Texts are Markdown. Buttons
//! are on a card, which is an activity of its own behind the text.

mod activity;
mod answer;
mod token;

use std::time::Duration;

use http::{HeaderMap, HeaderValue, Method, header};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::{Url, form_urlencoded};

use crate::channel::{
    Answer, Auth, Buttons, Call, Choice, Connector, Fetched, Files, Hook, HookError, KeySource,
    Limits, Outgoing, Rate, Received, Repeats, Reply, SendError, Sending, Sent, Token, TokenSource,
};
use crate::render::{Marks, pieces, pieces_with_choices};
use crate::text::{Length, Unit};
use activity::Activity;
use token::Gate;

/// The field of a button's data that holds the id of its reply.
const PRESSED: &str = "reply";
/// The author whose messages are labelled as written by a machine.
const BOT: &str = "bot";

/// A bot of Azure Bot Service.
pub struct Settings {
    /// The OpenID document that leads to the keys of requests:
    /// `https://login.botframework.com/v1/.well-known/openidconfiguration`, of the United States' government
    /// `https://login.botframework.azure.us/v1/.well-known/openidconfiguration`.
    pub openid: Url,
    /// Who signs requests, and whose interface is used: `https://api.botframework.com`, of the United States'
    /// government `https://api.botframework.us`.
    pub issuer: String,
    /// Where tokens are lent: `https://login.microsoftonline.com`, or `https://login.microsoftonline.us`.
    pub login: Url,
    /// The tenant of the bot's registration; of one for many tenants `botframework.com`.
    pub tenant: String,
    /// The bot's Microsoft app id.
    pub app_id: String,
    /// The app's client secret.
    pub app_secret: String,
    /// The services that are sent a token, by scheme, host and port: of Teams `https://smba.trafficmanager.net`,
    /// `https://smba.infra.gcc.teams.microsoft.com` and `https://smba.infra.gov.teams.microsoft.us`. Requests that
    /// name another are refused.
    pub services: Vec<Url>,
    /// Domains with all below them that customers' files are fetched from, without a token: `sharepoint.com`.
    pub file_domains: Vec<String>,
    /// Whether those are answered who name the bot in a group or channel.
    pub in_groups: bool,
}

/// A bot.
pub struct Teams {
    settings: Settings,
    gate: Gate,
}

/// Where a conversation is: what is needed to write there at any later time, but for its id.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default)]
struct Reference {
    /// The address of the service.
    service: String,
    /// Our id there.
    bot: String,
    /// The customer's id there.
    user: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<String>,
    /// The customer's latest message.
    #[serde(skip_serializing_if = "Option::is_none")]
    activity: Option<String>,
}

impl Reference {
    fn read(context: Option<&str>) -> Option<Self> {
        serde_json::from_str(context?).ok()
    }

    fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// An activity of ours in `thread`.
    fn activity(&self, kind: &str, thread: &str) -> Value {
        let mut activity = json!({
            "type": kind,
            "from": { "id": self.bot },
            "recipient": { "id": self.user },
            "conversation": { "id": thread },
        });
        if let Some(tenant) = &self.tenant {
            activity["conversation"]["tenantId"] = tenant.as_str().into();
        }
        if let Some(answered) = &self.activity {
            activity["replyToId"] = answered.as_str().into();
        }
        activity
    }
}

impl Teams {
    /// A bot.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let gate = Gate::new(
            settings.openid.clone(),
            settings.issuer.clone(),
            settings.app_id.clone(),
        );
        Self { settings, gate }
    }

    /// A service's address; `None` where it is none of those that are sent a token.
    fn service(&self, url: &str) -> Option<Url> {
        let url = Url::parse(url).ok()?;
        let mut known = self.settings.services.iter();
        known
            .any(|known| known.origin() == url.origin())
            .then_some(url)
    }

    /// A request of an activity of ours; `message` is one that was sent.
    fn call(
        &self,
        method: Method,
        reference: &Reference,
        (thread, message): (&str, Option<&str>),
        activity: &Value,
    ) -> Option<Call> {
        let mut url = self.service(&reference.service)?;
        let root = url.path().trim_end_matches('/').to_owned();
        let mut path = format!("{root}/v3/conversations/{}/activities", segment(thread)?);
        if let Some(message) = message {
            path = format!("{path}/{}", segment(message)?);
        }
        url.set_path(&path);
        url.set_query(None);
        url.set_fragment(None);
        Some(Call::json(method, url, activity).with(Auth::Bearer))
    }

    fn message(&self, message: &Outgoing<'_>) -> Vec<Call> {
        let Some(reference) = Reference::read(message.context) else {
            return Vec::new();
        };
        let (buttons, others) = self.choices(message);
        // What there are no buttons for is told in the text.
        let told = Outgoing {
            quick_replies: others,
            ..message.clone()
        };
        let pieces = pieces_with_choices(&told, self.limits().text, MARKDOWN);
        let texts = pieces
            .into_iter()
            .map(|piece| text(&reference, message, &piece.marked));
        // Of text and card in one activity Teams makes two, and tells the id of neither.
        let card = (!buttons.is_empty()).then(|| card(&reference, message, &buttons));
        let post = |activity: Value| {
            let place = (message.thread, None);
            self.call(Method::POST, &reference, place, &activity)
        };
        texts.chain(card).filter_map(post).collect()
    }

    /// The first piece of `outgoing` in place of `message`: a message cannot become several.
    fn edit(&self, message: &str, outgoing: &Outgoing<'_>) -> Option<Call> {
        let reference = Reference::read(outgoing.context)?;
        let piece = pieces(outgoing, self.limits().text, MARKDOWN)
            .into_iter()
            .next()?;
        let mut activity = text(&reference, outgoing, &piece.marked);
        activity["id"] = message.into();
        let place = (outgoing.thread, Some(message));
        self.call(Method::PUT, &reference, place, &activity)
    }

    fn typing(&self, thread: &str, context: Option<&str>) -> Option<Call> {
        let reference = Reference::read(context)?;
        let activity = reference.activity("typing", thread);
        self.call(Method::POST, &reference, (thread, None), &activity)
    }

    /// The quick replies that a card has buttons for, and the others.
    fn choices<'m>(&self, message: &Outgoing<'m>) -> (Vec<Choice<'m>>, Vec<Choice<'m>>) {
        let limits = self.limits().buttons;
        let most = limits.map_or(0, |limits| limits.most);
        let bytes = limits.map_or(0, |limits| limits.id_bytes);
        let fit = |reply: &Choice<'_>| reply.id.len() <= bytes;
        let mut others = message.quick_replies.clone();
        let buttons: Vec<Choice<'m>> = others
            .extract_if(.., |reply| fit(reply))
            .take(most)
            .collect();
        (buttons, others)
    }

    /// Whether a file there is anybody's who knows its address.
    fn is_of_a_drive(&self, url: &Url) -> bool {
        let host = url.host_str().unwrap_or_default();
        let mut domains = self.settings.file_domains.iter();
        let is_within = domains.any(|domain| {
            let below = host.strip_suffix(domain.as_str());
            !domain.is_empty()
                && below.is_some_and(|below| below.is_empty() || below.ends_with('.'))
        });
        url.scheme() == "https" && is_within
    }
}

/// A text of ours.
fn text(reference: &Reference, message: &Outgoing<'_>, marked: &str) -> Value {
    let mut activity = reference.activity("message", message.thread);
    activity["textFormat"] = "markdown".into();
    activity["text"] = marked.into();
    labelled(activity, message)
}

/// The answers to choose from. A press is shown as a message of the customer's with the button's words.
fn card(reference: &Reference, message: &Outgoing<'_>, buttons: &[Choice<'_>]) -> Value {
    let actions = buttons.iter().map(|reply| {
        let label = LABEL.shorten(reply.label);
        let pressed = json!({
            "type": "messageBack",
            "displayText": label,
            "text": label,
            "value": { PRESSED: reply.id },
        });
        json!({
            "type": "Action.Submit",
            "title": label,
            "data": { PRESSED: reply.id, "msteams": pressed },
        })
    });
    let mut activity = reference.activity("message", message.thread);
    activity["attachments"] = json!([{
        "contentType": "application/vnd.microsoft.card.adaptive",
        "content": {
            "type": "AdaptiveCard",
            "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
            "version": "1.5",
            "body": [],
            "actions": actions.collect::<Vec<_>>(),
        },
    }]);
    labelled(activity, message)
}

/// The same with the label that Teams shows over what no person wrote.
fn labelled(mut activity: Value, message: &Outgoing<'_>) -> Value {
    if message.author == BOT {
        activity["entities"] = json!([{
            "type": "https://schema.org/Message",
            "@type": "Message",
            "@context": "https://schema.org",
            "additionalType": ["AIGeneratedContent"],
        }]);
    }
    activity
}

/// `text` as one segment of a path; `None` where it would be none or lead upwards. Ids hold `:`, `;`, `@` and
/// `=`, which are escaped, too.
fn segment(text: &str) -> Option<String> {
    let escaped: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
    let is_name = !matches!(text, "" | "." | "..");
    is_name.then(|| escaped.replace('+', "%20"))
}

/// Of Markdown, as Teams reads it, marks are escaped as numbered characters: what does not know a backslash as an
/// escape shows it. Without two spaces before it the end of a line is none.
const MARKDOWN: Marks = Marks {
    escape: escape_markdown,
    link: |title, url| {
        let address: String = url.chars().map(escape_address).collect();
        format!("[{}]({address})  ", escape_markdown(title))
    },
    are_counted: true,
};

fn escape_markdown(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut at_start = true;
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\n' => escaped.push_str("  \n"),
            '*' | '_' | '`' | '~' | '[' | ']' | '\\' => escaped.push_str(&numbered(character)),
            // Headings.
            '#' | '=' if at_start => escaped.push_str(&numbered(character)),
            character => escaped.push(character),
        }
        at_start = character == '\n' || (at_start && character.is_whitespace());
    }
    escaped
}

fn numbered(character: char) -> String {
    format!("&#{};", u32::from(character))
}

/// A character of an address that would end it, or be a mark.
fn escape_address(character: char) -> String {
    match character {
        '&' => "&amp;".to_owned(),
        '(' | ')' | '<' | '>' | '"' | '\\' | ' ' => format!("%{:02X}", u32::from(character)),
        character => character.to_string(),
    }
}

/// Of a button; longer ones are cut on narrow screens.
const LABEL: Length = Length {
    most: 60,
    unit: Unit::Chars,
};

impl Connector for Teams {
    fn limits(&self) -> Limits {
        Limits {
            // Ten times as much is taken, and not read.
            text: Length {
                most: 4000,
                unit: Unit::Utf16,
            },
            buttons: Some(Buttons {
                most: 6,
                label: LABEL,
                id_bytes: 500,
            }),
            typing: Some(Duration::from_secs(3)),
            edits: true,
            window: None,
            // 7 in a second, but 60 in half a minute.
            thread_rate: Rate {
                most: 2,
                per: Duration::from_secs(1),
            },
            // Of one tenant.
            account_rate: Rate {
                most: 30,
                per: Duration::from_secs(1),
            },
            repeats: Repeats::Doubles,
            answer_within: Duration::from_secs(15),
        }
    }

    fn receive(&self, hook: &Hook<'_>) -> Result<Received, HookError> {
        let authorization = hook.header(header::AUTHORIZATION.as_str());
        let token = self.gate.token(authorization, hook.at)?;
        let activity: Activity =
            serde_json::from_slice(hook.body).map_err(|_| HookError::Malformed)?;
        let service = activity.service_url.as_str();
        let is_covered = token.covers(service, &activity.channel_id);
        // What comes from a service that is not listed could not be answered.
        if !is_covered || self.service(service).is_none() {
            return Err(HookError::BadSignature);
        }
        let events = activity.event(self.settings.in_groups);
        let reply = (activity.kind == "invoke").then(|| invoked(&activity.name));
        Ok(Received {
            events: events.into_iter().collect(),
            reply,
            ..Received::default()
        })
    }

    fn send(&self, sending: &Sending<'_>) -> Vec<Call> {
        match sending {
            Sending::Message(message) => self.message(message),
            Sending::Edit { message, outgoing } => {
                self.edit(message, outgoing).into_iter().collect()
            }
            Sending::Typing { thread, context } => {
                self.typing(thread, *context).into_iter().collect()
            }
            Sending::Reminder(_) | Sending::Seen { .. } => Vec::new(),
        }
    }

    fn accepted(&self, answer: &Answer<'_>) -> Result<Sent, SendError> {
        answer::accepted(answer)
    }

    fn probe(&self) -> Option<Call> {
        Some(TokenSource::request(self))
    }

    fn tokens(&self) -> Option<&dyn TokenSource> {
        Some(self)
    }

    fn keys(&self) -> Option<&dyn KeySource> {
        Some(&self.gate)
    }

    fn files(&self) -> Option<&dyn Files> {
        Some(self)
    }
}

/// What the answer to an `invoke` is to hold: without it the customer is shown an error.
fn invoked(name: &str) -> Reply {
    Reply::json(&match name {
        "adaptiveCard/action" => json!({
            "statusCode": 200,
            "type": "application/vnd.microsoft.activity.message",
            "value": "",
        }),
        _ => json!({}),
    })
}

impl TokenSource for Teams {
    fn request(&self) -> Call {
        let settings = &self.settings;
        let mut url = settings.login.clone();
        let tenant = segment(&settings.tenant).unwrap_or_default();
        let root = settings.login.path().trim_end_matches('/');
        url.set_path(&format!("{root}/{tenant}/oauth2/v2.0/token"));
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "client_credentials")
            .append_pair("client_id", &settings.app_id)
            .append_pair("client_secret", &settings.app_secret)
            .append_pair("scope", &format!("{}/.default", settings.issuer));
        let mut headers = HeaderMap::new();
        let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert(header::CONTENT_TYPE, kind);
        Call {
            method: Method::POST,
            headers,
            body: form.finish().into_bytes(),
            ..Call::get(url)
        }
    }

    fn token(&self, answer: &Answer<'_>) -> Result<Token, SendError> {
        answer::token(answer)
    }
}

impl Files for Teams {
    fn request(&self, place: &str) -> Option<Call> {
        if let Some(url) = self.service(place) {
            return Some(Call::get(url).with(Auth::Bearer));
        }
        let url = Url::parse(place).ok()?;
        self.is_of_a_drive(&url).then(|| Call::get(url))
    }

    fn fetched(&self, answer: &Answer<'_>) -> Result<Fetched, SendError> {
        answer::fetched(answer).map(|()| Fetched::File)
    }
}

#[cfg(test)]
mod tests;
