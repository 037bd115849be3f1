//! WeCom, as far as a customer-service account sees it.

use std::collections::{BTreeMap, BTreeSet};

use http::{HeaderMap, Method};
use serde_json::{Value, json};
use url::Url;

use super::wechat::{check, hook, parameter, refused, sealed, shown};
use super::{Answered, Fake, Shown, Told, now};

/// The company's id, and its secret.
pub const CORP: (&str, &str) = ("ww0000000000000001", "the-secret-of-the-app");
/// The account.
pub const ACCOUNT: &str = "wk1";
/// What it is lent.
pub const LENT: &str = "lent&token";
/// What a bell tells.
const BELL: &str = "ENC客服";

/// The platform with one account.
#[derive(Default)]
pub struct WeCom {
    /// How many messages a customer may be sent for each of theirs, where that is limited.
    pub allowance: Option<usize>,
    /// Whom a person of the company answers.
    pub with_a_person: BTreeSet<String>,
    /// How many messages a page has, where that is limited.
    pub page: Option<usize>,
    /// What happened.
    log: Vec<Value>,
    /// What it has accepted, by customer.
    sent: BTreeMap<String, Vec<Value>>,
    /// Messages since the customer last wrote.
    since: BTreeMap<String, usize>,
    /// Codes to welcome customers by.
    codes: BTreeMap<String, String>,
}

impl WeCom {
    fn tells(&mut self, mut message: Value) -> Told {
        message["msgid"] = format!("msg-{}", self.log.len()).into();
        let now = now();
        message["send_time"] = now.into();
        self.log.push(message);
        let text = format!(
            "<xml><ToUserName><![CDATA[{}]]></ToUserName><CreateTime>{now}</CreateTime>\
             <MsgType><![CDATA[event]]></MsgType><Event><![CDATA[kf_msg_or_event]]></Event>\
             <Token><![CDATA[{BELL}]]></Token><OpenKfId><![CDATA[{ACCOUNT}]]></OpenKfId></xml>",
            CORP.0
        );
        let (sealed, body) = sealed(&text, CORP.0);
        hook(format!("?{sealed}&timestamp={now}&nonce=42"), body)
    }

    fn writes(&mut self, customer: &str, origin: i64, text: &Value) -> Told {
        self.tells(json!({
            "open_kfid": ACCOUNT, "external_userid": customer, "origin": origin,
            "msgtype": "text", "text": text,
        }))
    }

    /// A customer opens the conversation.
    pub fn enters(&mut self, customer: &str) -> Told {
        let code = format!("code-{customer}");
        self.codes.insert(code.clone(), customer.to_owned());
        self.tells(json!({ "origin": 4, "msgtype": "event", "event": {
            "event_type": "enter_session", "open_kfid": ACCOUNT, "external_userid": customer,
            "scene": "shop", "welcome_code": code,
        } }))
    }

    /// A person of the company answers with the platform's own app.
    pub fn is_answered(&mut self, customer: &str, text: &str) -> Told {
        self.with_a_person.insert(customer.to_owned());
        self.writes(customer, 5, &json!({ "content": text }))
    }

    fn page(&self, wanted: &Value) -> Value {
        let token = wanted["token"].as_str();
        if wanted["open_kfid"] != ACCOUNT || token.is_some_and(|token| token != BELL) {
            return refused(95000, "invalid open_kfid or token");
        }
        let from = wanted["cursor"].as_str().unwrap_or("cursor-0");
        let Some(from) = from
            .strip_prefix("cursor-")
            .and_then(|from| from.parse().ok())
        else {
            return refused(40058, "invalid cursor");
        };
        let most = self.page.unwrap_or(1000);
        let page: Vec<&Value> = self.log.iter().skip(from).take(most).collect();
        let next = from + page.len();
        json!({
            "errcode": 0, "errmsg": "ok", "next_cursor": format!("cursor-{next}"),
            "has_more": i32::from(next < self.log.len()), "msg_list": page,
        })
    }

    fn sends(&mut self, message: Value, is_welcome: bool) -> Value {
        let id = message["msgid"].as_str().unwrap_or_default().to_owned();
        let is_of_id = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
        if id.len() > 32 || !id.bytes().all(is_of_id) {
            return refused(40058, "invalid msgid");
        }
        if let Err((code, reason)) = check(&message, |choice| choice["click"].clone()) {
            return refused(code, reason);
        }
        let customer = match is_welcome {
            true => self
                .codes
                .remove(message["code"].as_str().unwrap_or_default()),
            false => message["touser"].as_str().map(str::to_owned),
        };
        let Some(customer) = customer else {
            return refused(40096, "invalid code or external userid");
        };
        if !is_welcome {
            if message["open_kfid"] != ACCOUNT {
                return refused(95000, "invalid open_kfid");
            }
            if self.with_a_person.contains(&customer) {
                return refused(95018, "send msg session status invalid");
            }
            // Who has not written may not be written to.
            let Some(since) = self.since.get_mut(&customer) else {
                return refused(95001, "send msg count limit");
            };
            *since += 1;
            if self.allowance.is_some_and(|most| *since > most) {
                return refused(95001, "send msg count limit");
            }
        }
        self.sent.entry(customer).or_default().push(message);
        json!({ "errcode": 0, "errmsg": "ok", "msgid": id })
    }
}

impl Fake for WeCom {
    fn answer(&mut self, method: &Method, path: &str, _: &HeaderMap, body: &[u8]) -> Answered {
        let url = Url::parse(&format!("https://qyapi.weixin.qq.com{path}")).unwrap();
        if url.path() == "/cgi-bin/gettoken" {
            let is_right = parameter(&url, "corpid").as_deref() == Some(CORP.0)
                && parameter(&url, "corpsecret").as_deref() == Some(CORP.1);
            let lent = json!({
                "errcode": 0, "errmsg": "ok", "access_token": LENT, "expires_in": 7200,
            });
            let refused = refused(40001, "invalid credential");
            return Answered::json(200, if is_right { &lent } else { &refused });
        }
        if parameter(&url, "access_token").as_deref() != Some(LENT) {
            return Answered::json(200, &refused(42001, "access_token expired"));
        }
        let Ok(wanted) = serde_json::from_slice::<Value>(body) else {
            return Answered::json(200, &refused(47001, "data format error"));
        };
        let answer = match (method.as_str(), url.path()) {
            ("POST", "/cgi-bin/kf/sync_msg") => self.page(&wanted),
            ("POST", "/cgi-bin/kf/send_msg") => self.sends(wanted, false),
            ("POST", "/cgi-bin/kf/send_msg_on_event") => self.sends(wanted, true),
            ("POST", "/cgi-bin/kf/account/list") => {
                json!({ "errcode": 0, "account_list": [{ "open_kfid": ACCOUNT }] })
            }
            _ => return Answered::json(404, &Value::Null),
        };
        Answered::json(200, &answer)
    }

    fn says(&mut self, customer: &str, text: &str) -> Told {
        self.since.insert(customer.to_owned(), 0);
        self.writes(customer, 3, &json!({ "content": text }))
    }

    fn presses(&mut self, customer: &str, label: &str) -> Option<Told> {
        let list = self.sent.get(customer)?.last()?["msgmenu"]["list"].clone();
        let mut choices = list.as_array()?.iter().map(|choice| &choice["click"]);
        let id = choices.find(|choice| choice["content"] == label)?["id"].clone();
        Some(self.writes(customer, 3, &json!({ "content": label, "menu_id": id })))
    }

    fn seen(&self, customer: &str) -> Vec<Shown> {
        let sent = self.sent.get(customer).into_iter().flatten();
        sent.map(|message| shown(message, |choice| choice["click"].clone()))
            .collect()
    }
}
