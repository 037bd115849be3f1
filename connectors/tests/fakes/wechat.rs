//! WeChat, as far as an Official Account sees it, and what WeCom has in common with it.

use std::collections::BTreeMap;

use aes::Aes256;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cbc::cipher::block_padding::NoPadding;
use cbc::cipher::{BlockEncryptMut, KeyIvInit};
use http::{HeaderMap, Method};
use serde_json::{Value, json};
use sha1::{Digest, Sha1};
use url::Url;

use super::{Answered, Fake, Shown, Told, now};

/// The account's id and secret.
pub const APP: (&str, &str) = ("wx0000000000000001", "the-secret-of-the-app");
/// What it is lent.
pub const LENT: &str = "lent&token";
/// The hook's token and key.
pub const HOOK_TOKEN: &str = "the-token-of-the-hook";
pub const AES_KEY: &str = "0123456789abcdef0123456789abcdef0123456789A";

/// The platform with one account.
#[derive(Default)]
pub struct WeChat {
    /// Whether it encrypts what it tells.
    pub is_sealed: bool,
    /// How many messages a customer may be sent for each of theirs, where that is limited.
    pub allowance: Option<usize>,
    /// What it has accepted, by customer.
    sent: BTreeMap<String, Vec<Value>>,
    /// Messages since the customer last wrote.
    since: BTreeMap<String, usize>,
    /// Messages so far.
    count: u64,
}

impl WeChat {
    fn told(&mut self, customer: &str, fields: &str) -> Told {
        self.count += 1;
        let now = now();
        let text = format!(
            "<xml><ToUserName><![CDATA[gh_1]]></ToUserName>\
             <FromUserName><![CDATA[{customer}]]></FromUserName><CreateTime>{now}</CreateTime>\
             <MsgType><![CDATA[text]]></MsgType>{fields}<MsgId>{}</MsgId></xml>",
            self.count
        );
        let signature = sign(&[HOOK_TOKEN, &now.to_string(), "42"]);
        let query = format!("?signature={signature}&timestamp={now}&nonce=42&openid={customer}");
        if !self.is_sealed {
            return hook(query, text);
        }
        let (sealed, body) = sealed(&text, APP.0);
        hook(format!("{query}&encrypt_type=aes&{sealed}"), body)
    }

    fn sends(&mut self, body: &[u8]) -> Value {
        // What is escaped would be shown as it is.
        let is_escaped = |message: &Value| body.is_ascii() && !message.to_string().is_ascii();
        let message: Value = match serde_json::from_slice(body) {
            Ok(message) if !is_escaped(&message) => message,
            _ => return refused(47001, "data format error"),
        };
        let customer = message["touser"].as_str().unwrap_or_default().to_owned();
        if customer.is_empty() {
            return refused(40003, "invalid openid");
        }
        if let Err((code, reason)) = check(&message, |choice| choice.clone()) {
            return refused(code, reason);
        }
        let since = self.since.entry(customer.clone()).or_default();
        *since += 1;
        if self.allowance.is_some_and(|most| *since > most) {
            return refused(45047, "out of response count limit");
        }
        self.sent.entry(customer).or_default().push(message);
        refused(0, "ok")
    }
}

impl Fake for WeChat {
    fn answer(&mut self, method: &Method, path: &str, _: &HeaderMap, body: &[u8]) -> Answered {
        let url = Url::parse(&format!("https://api.weixin.qq.com{path}")).unwrap();
        if url.path() == "/cgi-bin/stable_token" {
            let wanted: Value = serde_json::from_slice(body).unwrap_or_default();
            let is_right = wanted["appid"] == APP.0
                && wanted["secret"] == APP.1
                && wanted["grant_type"] == "client_credential";
            let lent = json!({ "access_token": LENT, "expires_in": 7200 });
            let refused = refused(40125, "invalid appsecret");
            return Answered::json(200, if is_right { &lent } else { &refused });
        }
        if parameter(&url, "access_token").as_deref() != Some(LENT) {
            return Answered::json(200, &refused(42001, "access_token expired"));
        }
        let answer = match (method.as_str(), url.path()) {
            ("POST", "/cgi-bin/message/custom/send") => self.sends(body),
            ("POST", "/cgi-bin/message/custom/typing") => {
                let wanted: Value = serde_json::from_slice(body).unwrap_or_default();
                let is_right = ["Typing", "CancelTyping"].map(|it| wanted["command"] == it);
                match is_right.contains(&true) {
                    true => refused(0, "ok"),
                    false => refused(47001, "data format error"),
                }
            }
            ("GET", "/cgi-bin/getcallbackip") => json!({ "ip_list": ["127.0.0.1"] }),
            _ => return Answered::json(404, &Value::Null),
        };
        Answered::json(200, &answer)
    }

    fn says(&mut self, customer: &str, text: &str) -> Told {
        self.since.remove(customer);
        self.told(customer, &format!("<Content><![CDATA[{text}]]></Content>"))
    }

    fn presses(&mut self, customer: &str, label: &str) -> Option<Told> {
        let list = self.sent.get(customer)?.last()?["msgmenu"]["list"].clone();
        let mut choices = list.as_array()?.iter();
        let id = choices.find(|choice| choice["content"] == label)?["id"].clone();
        let id = id.as_str()?;
        let fields = format!(
            "<Content><![CDATA[{label}]]></Content><bizmsgmenuid><![CDATA[{id}]]></bizmsgmenuid>"
        );
        Some(self.told(customer, &fields))
    }

    fn seen(&self, customer: &str) -> Vec<Shown> {
        let sent = self.sent.get(customer).into_iter().flatten();
        sent.map(|message| shown(message, |choice| choice.clone()))
            .collect()
    }
}

/// An answer of Tencent's form; code 0 is no refusal.
pub fn refused(code: i64, reason: &str) -> Value {
    json!({ "errcode": code, "errmsg": reason })
}

/// Whether both platforms accept a message. `inner` is where a choice has its id and label.
pub fn check(message: &Value, inner: fn(&Value) -> Value) -> Result<(), (i64, &'static str)> {
    let holds = |value: &Value, least: usize, most: usize| {
        (least..=most).contains(&value.as_str().unwrap_or_default().len())
    };
    match message["msgtype"].as_str() {
        Some("text") if message["text"]["content"] == "" => Err((44004, "empty content")),
        Some("text") if !holds(&message["text"]["content"], 1, 2048) => {
            Err((45002, "content size out of limit"))
        }
        Some("text") => Ok(()),
        Some("msgmenu") => {
            let menu = &message["msgmenu"];
            let beside =
                holds(&menu["head_content"], 0, 1024) && holds(&menu["tail_content"], 0, 1024);
            let choices = menu["list"].as_array().cloned().unwrap_or_default();
            let mut list = choices.iter().map(inner);
            let fits =
                list.all(|choice| holds(&choice["id"], 1, 64) && holds(&choice["content"], 1, 128));
            match (1..=10).contains(&choices.len()) {
                true if beside && fits => Ok(()),
                true => Err((45002, "content size out of limit")),
                false => Err((45098, "menu list size out of limit")),
            }
        }
        _ => Err((40008, "invalid message type")),
    }
}

/// A message as a customer sees it: no HTML but links.
pub fn shown(message: &Value, inner: fn(&Value) -> Value) -> Shown {
    let menu = &message["msgmenu"];
    let texts = [
        &message["text"]["content"],
        &menu["head_content"],
        &menu["tail_content"],
    ];
    let texts: Vec<&str> = texts.into_iter().filter_map(Value::as_str).collect();
    let choices = menu["list"].as_array().into_iter().flatten();
    let labels = choices.map(|choice| inner(choice)["content"].as_str().unwrap().to_owned());
    Shown {
        text: texts.join("\n"),
        buttons: labels.collect(),
    }
}

pub fn parameter(url: &Url, name: &str) -> Option<String> {
    let mut pairs = url.query_pairs();
    Some(pairs.find(|(key, _)| key == name)?.1.into_owned())
}

pub fn hook(query: String, body: String) -> Told {
    Told::Hook {
        method: Method::POST,
        query,
        headers: vec![("content-type", "text/xml".to_owned())],
        body: body.into_bytes(),
    }
}

/// The end of the query and the body by which `text` comes encrypted to the account `id`.
pub fn sealed(text: &str, id: &str) -> (String, String) {
    let hidden = seal(text, id);
    let signature = sign(&[HOOK_TOKEN, &now().to_string(), "42", &hidden]);
    let body = format!(
        "<xml><ToUserName><![CDATA[{id}]]></ToUserName>\
         <Encrypt><![CDATA[{hidden}]]></Encrypt></xml>"
    );
    (format!("msg_signature={signature}"), body)
}

fn seal(text: &str, id: &str) -> String {
    const BLOCK: usize = 32;
    let key: [u8; 32] = STANDARD
        .decode(format!("{AES_KEY}="))
        .unwrap()
        .try_into()
        .unwrap();
    let vector: [u8; 16] = *key.first_chunk().unwrap();
    let mut message = b"6543210987654321".to_vec();
    message.extend(u32::try_from(text.len()).unwrap().to_be_bytes());
    message.extend(text.bytes().chain(id.bytes()));
    let padding = BLOCK - message.len() % BLOCK;
    message.resize(message.len() + padding, u8::try_from(padding).unwrap());
    let cipher = cbc::Encryptor::<Aes256>::new(&key.into(), &vector.into());
    STANDARD.encode(cipher.encrypt_padded_vec_mut::<NoPadding>(&message))
}

fn sign(parts: &[&str]) -> String {
    let mut parts = parts.to_vec();
    parts.sort_unstable();
    let hash = Sha1::digest(parts.concat());
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}
