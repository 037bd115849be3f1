//! DingTalk, as far as a company's robot sees it.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, Mac};
use http::{HeaderMap, Method};
use serde_json::{Value, json};
use sha2::Sha256;
use url::form_urlencoded;

use super::{Answered, Fake, Shown, Told, now};

/// The app's id.
pub const CLIENT_ID: &str = "ding-app";
/// The app's secret.
pub const CLIENT_SECRET: &str = "the-secret-of-the-app";
/// The robot.
pub const ROBOT: &str = "ding-robot";
/// The token that is lent to the app.
const LENT: &str = "lent";

/// A cloud with one robot. A customer's name is their id in the company.
#[derive(Default)]
pub struct DingTalk {
    /// Whether what is written is told over the socket.
    pub stream: bool,
    /// Whether the addresses of conversations are at their end.
    pub is_late: bool,
    /// Frames that have not been acknowledged, by id: they are told again.
    pub unacknowledged: Vec<(String, String)>,
    sent: Vec<(String, Shown)>,
    /// What the buttons under the last message do, by label.
    buttons: Vec<(String, String)>,
    count: i64,
}

fn refused(status: u16, code: &str) -> Answered {
    Answered::json(
        status,
        &json!({ "code": code, "message": "no", "requestid": "r" }),
    )
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Markdown as it is read, but for its links.
fn shown(markdown: &str) -> String {
    let mut text = String::new();
    let mut characters = markdown.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => text.extend(characters.next()),
            _ => text.push(character),
        }
    }
    text
}

impl DingTalk {
    /// Shows a message, by its form; `None` where it cannot be shown.
    fn show(&mut self, customer: &str, kind: &str, content: &Value) -> Option<()> {
        let numbered = |number: usize| {
            let title = text(&content[format!("actionTitle{number}")]);
            let url = text(&content[format!("actionURL{number}")]);
            (title, url)
        };
        let buttons: Vec<(String, String)> = match kind {
            "text" | "sampleText" | "markdown" | "sampleMarkdown" => Vec::new(),
            "actionCard" => {
                let buttons = content["btns"].as_array()?.iter();
                let pair = |button: &Value| (text(&button["title"]), text(&button["actionURL"]));
                buttons.map(pair).collect()
            }
            "sampleActionCard" => {
                vec![(text(&content["singleTitle"]), text(&content["singleURL"]))]
            }
            _ => {
                let count = kind.strip_prefix("sampleActionCard")?.parse().ok()?;
                if !(2..=5).contains(&count) {
                    return None;
                }
                (1..=count).map(numbered).collect()
            }
        };
        let is_button = |(title, url): &(String, String)| {
            (1..=20).contains(&title.chars().count()) && (1..=500).contains(&url.chars().count())
        };
        let words = match kind {
            "text" | "sampleText" => text(&content["content"]),
            _ if text(&content["title"]).is_empty() => return None,
            _ => shown(&text(&content["text"])),
        };
        if words.trim().is_empty() || !buttons.iter().all(is_button) {
            return None;
        }
        let labels = buttons.iter().map(|(title, _)| title.clone()).collect();
        let shown = Shown {
            text: words,
            buttons: labels,
        };
        self.sent.push((customer.to_owned(), shown));
        self.buttons = buttons;
        Some(())
    }

    fn in_session(&mut self, customer: &str, body: &Value) -> Answered {
        let told = |code: i64, message: &str| {
            Answered::json(200, &json!({ "errcode": code, "errmsg": message }))
        };
        if self.is_late {
            return told(300_001, "session is expired");
        }
        let kind = text(&body["msgtype"]);
        match self.show(customer, &kind, &body[&kind]) {
            Some(()) => told(0, "ok"),
            None => told(400_105, "unsupported msgtype"),
        }
    }

    fn by_api(&mut self, path: &str, headers: &HeaderMap, body: &Value) -> Answered {
        let is_account =
            |id: &str, secret: &str| body[id] == CLIENT_ID && body[secret] == CLIENT_SECRET;
        match path {
            "oauth2/accessToken" if is_account("appKey", "appSecret") => {
                return Answered::json(200, &json!({ "accessToken": LENT, "expireIn": 7200 }));
            }
            "gateway/connections/open" if is_account("clientId", "clientSecret") => {
                let topic = &body["subscriptions"][0]["topic"];
                assert_eq!(topic, "/v1.0/im/bot/messages/get");
                let told = json!({ "endpoint": "wss://wss.example/connect", "ticket": "a ticket" });
                return Answered::json(200, &told);
            }
            "oauth2/accessToken" | "gateway/connections/open" => {
                return refused(400, "invalidClientIdOrSecret");
            }
            _ => {}
        }
        let token = headers.get("x-acs-dingtalk-access-token");
        if token.is_none_or(|token| token != LENT) {
            return refused(401, "InvalidAuthentication");
        }
        if path != "robot/oToMessages/batchSend" || body["robotCode"] != ROBOT {
            return refused(400, "invalidParameter");
        }
        let parameters = serde_json::from_str(&text(&body["msgParam"])).unwrap_or_default();
        let person = text(&body["userIds"][0]);
        match self.show(&person, &text(&body["msgKey"]), &parameters) {
            Some(()) => Answered::json(200, &json!({ "processQueryKey": "key" })),
            None => refused(400, "invalidParameter"),
        }
    }
}

impl Fake for DingTalk {
    fn answer(
        &mut self,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Answered {
        const MOST_BYTES: usize = 20_000;
        if *method != Method::POST || body.len() > MOST_BYTES {
            return refused(400, "invalidRequest");
        }
        let Ok(body) = serde_json::from_slice(body) else {
            return refused(400, "invalidJson");
        };
        if let Some(customer) = path.strip_prefix("/robot/sendBySession?session=") {
            return self.in_session(customer, &body);
        }
        match path.strip_prefix("/v1.0/") {
            Some(path) => self.by_api(path, headers, &body),
            None => refused(404, "notFound"),
        }
    }

    fn says(&mut self, customer: &str, words: &str) -> Told {
        self.count += 1;
        let ends = if self.is_late { now() } else { now() + 5400 };
        let message = json!({
            "msgId": format!("msg{}", self.count),
            "msgtype": "text",
            "text": { "content": format!(" {words}") },
            "conversationId": "cidA==",
            "conversationType": "1",
            "senderId": "$:LWCP_v1:$ana",
            "senderNick": "Ana",
            "senderStaffId": customer,
            "chatbotUserId": "$:LWCP_v1:$bot",
            "robotCode": ROBOT,
            "createAt": now() * 1000,
            "sessionWebhook": format!("https://oapi.dingtalk.com/robot/sendBySession?session={customer}"),
            "sessionWebhookExpiredTime": ends * 1000,
        });
        if self.stream {
            let id = format!("m{}", self.count);
            let frame = json!({
                "specVersion": "1.0",
                "type": "CALLBACK",
                "headers": {
                    "topic": "/v1.0/im/bot/messages/get",
                    "messageId": id,
                    "contentType": "application/json",
                    "time": (now() * 1000).to_string(),
                },
                "data": message.to_string(),
            });
            self.unacknowledged.push((id, frame.to_string()));
            return Told::Frame(frame.to_string());
        }
        let timestamp = (now() * 1000).to_string();
        let mut mac = Hmac::<Sha256>::new_from_slice(CLIENT_SECRET.as_bytes()).unwrap();
        mac.update(format!("{timestamp}\n{CLIENT_SECRET}").as_bytes());
        let sign = BASE64_STANDARD.encode(mac.finalize().into_bytes());
        Told::Hook {
            method: Method::POST,
            query: String::new(),
            headers: vec![("timestamp", timestamp), ("sign", sign)],
            body: message.to_string().into_bytes(),
        }
    }

    /// A button writes in the customer's name.
    fn presses(&mut self, customer: &str, label: &str) -> Option<Told> {
        let mut buttons = self.buttons.iter();
        let (_, url) = buttons.find(|(title, _)| title == label)?;
        let query = url.strip_prefix("dtmd://dingtalkclient/sendMessage?")?;
        let (_, words) = form_urlencoded::parse(query.as_bytes()).next()?;
        let words = words.into_owned();
        Some(self.says(customer, &words))
    }

    fn seen(&self, customer: &str) -> Vec<Shown> {
        let sent = self.sent.iter().filter(|(to, _)| to == customer);
        sent.map(|(_, shown)| shown.clone()).collect()
    }

    fn heard(&mut self, text: &str) -> Vec<String> {
        let reply: Value = serde_json::from_str(text).unwrap();
        assert_eq!(reply["code"], 200);
        let id = &reply["headers"]["messageId"];
        self.unacknowledged.retain(|(known, _)| known != id);
        Vec::new()
    }
}
