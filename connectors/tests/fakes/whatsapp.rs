//! WhatsApp's Cloud API, as far as a number of a business sees it.

use std::collections::{BTreeMap, BTreeSet};

use http::{HeaderMap, Method};
use serde_json::{Value, json};

use super::meta::{TOKEN, admitted, refused, told};
use super::{Answered, Fake, Shown, Told, now};

/// Id of the number.
pub const NUMBER: &str = "1060001";
/// Where files are.
pub const FILES: &str = "http://127.0.0.1:8080";

/// The Cloud API with one number. A customer is named by their number or by their id for the business.
#[derive(Default)]
pub struct WhatsApp {
    /// What it has accepted, by customer.
    sent: BTreeMap<String, Vec<Value>>,
    /// Messages of customers.
    heard: BTreeSet<String>,
    /// Messages so far.
    count: u32,
}

impl WhatsApp {
    fn told(&mut self, customer: &str, fields: &Value) -> Told {
        self.count += 1;
        let mut message = fields.clone();
        let id = format!("wamid.IN{}", self.count);
        message["id"] = id.clone().into();
        message["timestamp"] = now().to_string().into();
        let mut contact = json!({ "profile": { "name": "Ana" } });
        if customer.contains('.') {
            message["from_user_id"] = customer.into();
            contact["user_id"] = customer.into();
        } else {
            message["from"] = customer.into();
            contact["wa_id"] = customer.into();
        }
        self.heard.insert(id);
        told(
            &json!({ "object": "whatsapp_business_account", "entry": [{ "id": "102290001",
            "changes": [{ "field": "messages", "value": {
                "messaging_product": "whatsapp",
                "metadata": { "display_phone_number": "15550001111", "phone_number_id": NUMBER },
                "contacts": [contact],
                "messages": [message],
            } }],
        }] }),
        )
    }

    /// A customer sends a picture.
    pub fn shows(&mut self, customer: &str) -> Told {
        let image = json!({ "id": "70001", "mime_type": "image/jpeg", "sha256": "bQ==" });
        self.told(customer, &json!({ "type": "image", "image": image }))
    }

    /// A message of ours was not delivered.
    pub fn fails(&self, message: &str) -> Told {
        told(
            &json!({ "object": "whatsapp_business_account", "entry": [{ "id": "102290001",
            "changes": [{ "field": "messages", "value": {
                "messaging_product": "whatsapp",
                "metadata": { "display_phone_number": "15550001111", "phone_number_id": NUMBER },
                "statuses": [{
                    "id": message, "status": "failed", "timestamp": now().to_string(),
                    "recipient_id": "34600111222",
                    "errors": [{ "code": 131026, "title": "Message undeliverable" }],
                }],
            } }],
        }] }),
        )
    }

    fn accept(&mut self, body: &Value) -> Result<Answered, String> {
        if body["messaging_product"] != "whatsapp" {
            return Err("The parameter messaging_product is required".to_owned());
        }
        if body["status"] == "read" {
            let id = body["message_id"].as_str().unwrap_or_default();
            if !self.heard.contains(id) {
                return Err("Invalid message id".to_owned());
            }
            return Ok(Answered::json(200, &json!({ "success": true })));
        }
        let (to, by_id) = (body["to"].as_str(), body["recipient"].as_str());
        let customer = match (to, by_id) {
            (Some(to), None) if to.bytes().all(|digit| digit.is_ascii_digit()) => to,
            (None, Some(id)) if id.contains('.') => id,
            _ => return Err("The parameter to or recipient is required".to_owned()),
        };
        match body["type"].as_str() {
            Some("text") => within(&body["text"]["body"], 4096)?,
            Some("interactive") => check_interactive(&body["interactive"])?,
            Some("template") => {
                within(&body["template"]["name"], 512)?;
                within(&body["template"]["language"]["code"], 10)?;
            }
            _ => return Err("Unknown type".to_owned()),
        }
        self.count += 1;
        let sent = self.sent.entry(customer.to_owned()).or_default();
        sent.push(body.clone());
        Ok(Answered::json(
            200,
            &json!({
                "messaging_product": "whatsapp",
                "contacts": [{ "input": customer, "wa_id": customer }],
                "messages": [{ "id": format!("wamid.OUT{}", self.count) }],
            }),
        ))
    }
}

fn within(text: &Value, most: usize) -> Result<(), String> {
    let length = text.as_str().unwrap_or_default().chars().count();
    let is_blank = text.as_str().unwrap_or_default().trim().is_empty();
    if is_blank || length > most {
        return Err(format!("{text} is not of 1 to {most} characters"));
    }
    Ok(())
}

fn distinct(list: &[Value], field: &str) -> Result<(), String> {
    let all: BTreeSet<String> = list.iter().map(|item| item[field].to_string()).collect();
    if all.len() == list.len() {
        Ok(())
    } else {
        Err(format!("{field} is not unique"))
    }
}

fn check_interactive(interactive: &Value) -> Result<(), String> {
    within(&interactive["body"]["text"], 1024)?;
    let action = &interactive["action"];
    let list = |list: &Value| list.as_array().cloned().unwrap_or_default();
    match interactive["type"].as_str() {
        Some("button") => {
            let buttons = list(&action["buttons"]);
            let replies = buttons.iter().map(|button| button["reply"].clone());
            let replies: Vec<Value> = replies.collect();
            if replies.is_empty() || replies.len() > 3 {
                return Err("there are 1 to 3 buttons".to_owned());
            }
            distinct(&replies, "id")?;
            distinct(&replies, "title")?;
            for (button, reply) in buttons.iter().zip(&replies) {
                if button["type"] != "reply" {
                    return Err("a button's type is reply".to_owned());
                }
                within(&reply["id"], 256)?;
                within(&reply["title"], 20)?;
            }
        }
        Some("list") => {
            within(&action["button"], 20)?;
            let sections = list(&action["sections"]);
            let rows: Vec<Value> = sections
                .iter()
                .flat_map(|section| list(&section["rows"]))
                .collect();
            let untitled = sections.iter().filter(|section| section["title"].is_null());
            if rows.is_empty() || rows.len() > 10 || sections.len() > 1 && untitled.count() > 0 {
                return Err("there are 1 to 10 rows, and titles of several sections".to_owned());
            }
            distinct(&rows, "id")?;
            for row in &rows {
                within(&row["id"], 200)?;
                within(&row["title"], 24)?;
                if row.get("description").is_some() {
                    within(&row["description"], 72)?;
                }
            }
        }
        _ => return Err("Unknown interactive type".to_owned()),
    }
    Ok(())
}

/// The id and title of what can be chosen under a message.
fn choices(message: &Value) -> Vec<(Value, String)> {
    let action = &message["interactive"]["action"];
    let list = |list: &Value| list.as_array().cloned().unwrap_or_default();
    let buttons = list(&action["buttons"]).into_iter();
    let buttons = buttons.map(|button| button["reply"].clone());
    let rows = list(&action["sections"][0]["rows"]);
    let choices = buttons.chain(rows).map(|choice| {
        let title = choice["title"].as_str().unwrap_or_default().to_owned();
        (choice["id"].clone(), title)
    });
    choices.collect()
}

impl Fake for WhatsApp {
    fn answer(
        &mut self,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Answered {
        if path == "/files/70001" {
            let bearer = headers.get("authorization").map(|value| value.as_bytes());
            let is_ours = bearer == Some(format!("Bearer {TOKEN}").as_bytes());
            return Answered {
                status: if is_ours { 200 } else { 401 },
                headers: vec![("content-type", "image/jpeg".to_owned())],
                body: b"\xff\xd8".to_vec(),
            };
        }
        let path = match admitted(path, headers) {
            Ok(path) => path,
            Err(refusal) => return refusal,
        };
        match (method.as_str(), path) {
            ("GET", NUMBER) => Answered::json(200, &json!({ "id": NUMBER })),
            ("GET", "70001") => Answered::json(
                200,
                &json!({
                    "messaging_product": "whatsapp", "url": format!("{FILES}/files/70001"),
                    "mime_type": "image/jpeg", "sha256": "6d", "file_size": 2, "id": "70001",
                }),
            ),
            ("POST", path) if path == format!("{NUMBER}/messages") => {
                let Ok(body) = serde_json::from_slice(body) else {
                    return refused(400, 100, "The body is no JSON");
                };
                let accepted = self.accept(&body);
                accepted.unwrap_or_else(|reason| refused(400, 131009, &reason))
            }
            _ => refused(404, 100, "Unsupported request"),
        }
    }

    fn says(&mut self, customer: &str, text: &str) -> Told {
        self.told(
            customer,
            &json!({ "type": "text", "text": { "body": text } }),
        )
    }

    fn presses(&mut self, customer: &str, label: &str) -> Option<Told> {
        let message = self.sent.get(customer)?.last()?.clone();
        let mut choices = choices(&message).into_iter();
        let (id, title) = choices.find(|(_, title)| title == label)?;
        let kind = match message["interactive"]["type"].as_str()? {
            "button" => "button_reply",
            _ => "list_reply",
        };
        Some(self.told(
            customer,
            &json!({ "type": "interactive", "interactive": {
                "type": kind, kind: { "id": id, "title": title },
            } }),
        ))
    }

    fn seen(&self, customer: &str) -> Vec<Shown> {
        let sent = self.sent.get(customer).into_iter().flatten();
        let shown = sent.map(|message| {
            let text = message["text"]["body"].as_str();
            let text = text.or(message["interactive"]["body"]["text"].as_str());
            let labels = choices(message).into_iter().map(|(_, title)| title);
            Shown {
                text: text.unwrap_or_default().to_owned(),
                buttons: labels.collect(),
            }
        });
        shown.collect()
    }
}
