//! The Bot Connector with Teams behind it, the token endpoint, and the keys of Microsoft, as far as a bot sees them.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, Method};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use url::form_urlencoded;

use super::{Answered, Fake, Shown, Told, now};

/// The bot's app id.
pub const APP: &str = "c9e8c047-0000-4000-8000-000000000002";
/// The app's secret.
pub const SECRET: &str = "the secret of the app";
/// The tenant of its registration.
pub const TENANT: &str = "72f988bf-0000-4000-8000-000000000003";
/// Who signs.
pub const ISSUER: &str = "https://api.botframework.com";
/// Where the conversations are.
pub const SERVICE: &str = "https://smba.trafficmanager.net/emea/";

const BOT: &str = "28:c9e8c047-0000-4000-8000-000000000002";
const LENT: &str = "the-lent-token";
const MOST_BYTES: usize = 100_000;
const MOST_CARD_BYTES: usize = 28_000;

/// Teams with one bot that everybody has installed.
pub struct Teams {
    key: EncodingKey,
    /// The name of the key: it is another after [`Self::turn_keys`].
    kid: String,
    /// What it has accepted, by conversation.
    sent: BTreeMap<String, Vec<Value>>,
    /// Messages so far.
    count: u64,
}

impl Default for Teams {
    fn default() -> Self {
        let text = include_str!("teams.key").replace('\n', "");
        Self {
            key: EncodingKey::from_rsa_der(&STANDARD.decode(text).unwrap()),
            kid: "k1".to_owned(),
            sent: BTreeMap::new(),
            count: 0,
        }
    }
}

fn refused(status: u16, code: &str) -> Answered {
    let error = json!({ "code": code, "message": "The request is not accepted." });
    Answered::json(status, &json!({ "error": error }))
}

fn conversation(customer: &str) -> String {
    format!("a:17I0={customer}")
}

/// The buttons of a card.
fn actions(message: &Value) -> Vec<Value> {
    let card = &message["attachments"][0]["content"];
    card["actions"].as_array().cloned().unwrap_or_default()
}

/// Why an activity is not accepted.
fn fault(activity: &Value) -> Option<(u16, &'static str)> {
    let bytes = |value: &Value| value.to_string().encode_utf16().count() * 2;
    let text = activity["text"].as_str().unwrap_or_default();
    let attachments = activity["attachments"].as_array();
    let cards = attachments.map_or(0, Vec::len);
    let is_of_us = activity["from"]["id"] == BOT;
    match activity["type"].as_str() {
        Some("typing") if is_of_us && text.is_empty() => None,
        Some("message") if !is_of_us || text.is_empty() == (cards == 0) || cards > 1 => {
            Some((400, "BadArgument"))
        }
        Some("message") if bytes(activity) > MOST_BYTES => Some((413, "MessageSizeTooBig")),
        Some("message") if cards > 0 => card_fault(&activity["attachments"][0]),
        Some("message") if activity["textFormat"] != "markdown" => Some((400, "BadSyntax")),
        Some("message") => None,
        _ => Some((400, "BadSyntax")),
    }
}

fn card_fault(attachment: &Value) -> Option<(u16, &'static str)> {
    let card = &attachment["content"];
    let actions = card["actions"].as_array().cloned().unwrap_or_default();
    let is_action = |action: &Value| {
        let shown = action["data"]["msteams"]["displayText"].as_str();
        let title = action["title"].as_str().unwrap_or_default();
        action["type"] == "Action.Submit" && !title.is_empty() && shown == Some(title)
    };
    let is_card = attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
        && card["type"] == "AdaptiveCard"
        && card["version"].is_string()
        && (1..=6).contains(&actions.len())
        && actions.iter().all(is_action)
        && card.to_string().len() <= MOST_CARD_BYTES;
    (!is_card).then_some((400, "BadSyntax"))
}

impl Teams {
    /// Signs with a key of another name from now on.
    pub fn turn_keys(&mut self) {
        self.kid.push('+');
    }

    fn told(&mut self, customer: &str, with: &Value) -> Told {
        self.count += 1;
        let mut activity = json!({
            "type": "message",
            "id": (1_767_225_600_000 + self.count).to_string(),
            "timestamp": "2026-01-01T00:00:00.123Z",
            "serviceUrl": SERVICE,
            "channelId": "msteams",
            "from": { "id": customer, "name": "Ana", "aadObjectId": "7faf8ab2" },
            "recipient": { "id": BOT, "name": "Frontdesk" },
            "conversation": {
                "conversationType": "personal", "tenantId": TENANT, "id": conversation(customer),
            },
            "locale": "en-US",
            "channelData": { "tenant": { "id": TENANT } },
        });
        for (name, value) in with.as_object().unwrap() {
            activity[name] = value.clone();
        }
        Told::Hook {
            method: Method::POST,
            query: String::new(),
            headers: vec![("authorization", format!("Bearer {}", self.token()))],
            body: activity.to_string().into_bytes(),
        }
    }

    fn token(&self) -> String {
        let header = Header {
            kid: Some(self.kid.clone()),
            ..Header::new(Algorithm::RS256)
        };
        let claims = json!({
            "iss": ISSUER, "aud": APP, "serviceurl": SERVICE, "nbf": now() - 60, "exp": now() + 3600,
        });
        encode(&header, &claims, &self.key).unwrap()
    }

    fn keys(&self) -> Value {
        let jwk = Jwk::from_encoding_key(&self.key, Algorithm::RS256).unwrap();
        let mut key = serde_json::to_value(jwk).unwrap();
        key["kid"] = self.kid.as_str().into();
        key["endorsements"] = json!(["msteams"]);
        json!({ "keys": [key] })
    }

    fn lend(body: &[u8]) -> Answered {
        let form: BTreeMap<String, String> = form_urlencoded::parse(body).into_owned().collect();
        let is = |name: &str, value: &str| form.get(name).is_some_and(|found| found == value);
        let is_ours = is("grant_type", "client_credentials")
            && is("client_id", APP)
            && is("client_secret", SECRET)
            && is("scope", "https://api.botframework.com/.default");
        match is_ours {
            true => {
                let lent =
                    json!({ "token_type": "Bearer", "expires_in": 86399, "access_token": LENT });
                Answered::json(200, &lent)
            }
            false => Answered::json(401, &json!({ "error": "invalid_client" })),
        }
    }

    /// A request to the service; `path` is what stands behind its address.
    fn serve(&mut self, method: &Method, path: &str, body: &[u8]) -> Answered {
        let names: Vec<&str> = path.split('/').collect();
        let ["v3", "conversations", place, "activities", message @ ..] = names.as_slice() else {
            return refused(404, "NotFound");
        };
        let thread: String = form_urlencoded::parse(place.as_bytes())
            .map(|(name, _)| name.into_owned())
            .collect();
        let Ok(mut activity) = serde_json::from_slice::<Value>(body) else {
            return refused(400, "BadSyntax");
        };
        let Some(sent) = self.sent.get_mut(&thread) else {
            return refused(404, "ConversationNotFound");
        };
        if let Some((status, code)) = fault(&activity) {
            return refused(status, code);
        }
        if activity["conversation"]["id"] != thread.as_str() {
            return refused(400, "BadArgument");
        }
        match (method, message) {
            (&Method::POST, []) if activity["type"] == "typing" => Answered::json(202, &json!({})),
            (&Method::POST, []) => {
                self.count += 1;
                let id = (1_767_225_600_000 + self.count).to_string();
                activity["id"] = id.as_str().into();
                sent.push(activity);
                Answered::json(201, &json!({ "id": id }))
            }
            (&Method::PUT, [id]) => {
                let Some(old) = sent.iter_mut().find(|old| old["id"] == **id) else {
                    return refused(404, "ActivityNotFoundInConversation");
                };
                *old = activity;
                Answered::json(200, &json!({ "id": id }))
            }
            _ => refused(405, "MethodNotAllowed"),
        }
    }
}

impl Fake for Teams {
    fn answer(
        &mut self,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Answered {
        let keys_at = "https://login.botframework.com/v1/.well-known/keys";
        match path {
            "/v1/.well-known/openidconfiguration" => {
                Answered::json(200, &json!({ "issuer": ISSUER, "jwks_uri": keys_at }))
            }
            "/v1/.well-known/keys" => Answered::json(200, &self.keys()),
            path if path == format!("/{TENANT}/oauth2/v2.0/token") => Self::lend(body),
            path => {
                let authorization = headers.get("authorization");
                let is_lent = authorization.is_some_and(|value| *value == format!("Bearer {LENT}"));
                match path.strip_prefix("/emea/") {
                    Some(_) if !is_lent => refused(401, "Unauthorized"),
                    Some(path) => self.serve(method, path, body),
                    None => refused(404, "NotFound"),
                }
            }
        }
    }

    fn says(&mut self, customer: &str, text: &str) -> Told {
        self.sent.entry(conversation(customer)).or_default();
        let html = json!({ "contentType": "text/html", "content": format!("<p>{text}</p>") });
        let said = json!({ "text": text, "textFormat": "plain", "attachments": [html] });
        self.told(customer, &said)
    }

    fn presses(&mut self, customer: &str, label: &str) -> Option<Told> {
        let card = self.sent.get(&conversation(customer))?.last()?.clone();
        let actions = actions(&card);
        let pressed = actions.iter().find(|action| action["title"] == label)?;
        let back = &pressed["data"]["msteams"];
        let told = json!({ "text": back["text"], "value": back["value"], "replyToId": card["id"] });
        Some(self.told(customer, &told))
    }

    fn seen(&self, customer: &str) -> Vec<Shown> {
        let sent = self.sent.get(&conversation(customer)).into_iter().flatten();
        let shown = sent.map(|message| {
            let label = |button: &Value| button["title"].as_str().unwrap_or_default().to_owned();
            Shown {
                text: message["text"].as_str().unwrap_or_default().to_owned(),
                buttons: actions(message).iter().map(label).collect(),
            }
        });
        shown.collect()
    }
}
