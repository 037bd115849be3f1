//! Twilio, as far as an account of short messages and WhatsApp sees it.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use http::{HeaderMap, Method};
use serde_json::{Value, json};
use sha1::Sha1;

use super::{Answered, Fake, HOOK, Shown, Told};

/// SID of the account.
pub const ACCOUNT: &str = "AC00000000000000000000000000000001";
/// Auth token of the account.
pub const TOKEN: &str = "the-token-of-the-account";
/// Content templates that offer one answer and two.
pub const ANSWERS: [&str; 2] = ["HX1", "HX2"];

/// Our number.
const OURS: &str = "+15550002222";

/// Twilio with one account. A customer's name is their number, of WhatsApp with `whatsapp:` before it.
#[derive(Default)]
pub struct Twilio {
    /// What it has accepted, by customer, with the ids of the buttons.
    sent: BTreeMap<String, Vec<(Shown, Vec<String>)>>,
    /// Messages so far.
    count: u64,
}

fn refused(status: u16, code: u32, reason: &str) -> Answered {
    Answered::json(
        status,
        &json!({ "code": code, "message": reason, "status": status }),
    )
}

fn is_whatsapp(number: &str) -> bool {
    number.starts_with("whatsapp:")
}

impl Twilio {
    fn sid(&mut self) -> String {
        self.count += 1;
        format!("SM{:032x}", self.count)
    }

    fn told(&mut self, customer: &str, with: &[(&str, &str)]) -> Told {
        let sid = self.sid();
        self.sent.entry(customer.to_owned()).or_default();
        let ours = match is_whatsapp(customer) {
            true => format!("whatsapp:{OURS}"),
            false => OURS.to_owned(),
        };
        let mut fields: BTreeMap<&str, &str> = with.iter().copied().collect();
        fields.extend([
            ("MessageSid", sid.as_str()),
            ("AccountSid", ACCOUNT),
            ("From", customer),
            ("To", &ours),
            ("NumMedia", "0"),
            ("SmsStatus", "received"),
            ("ApiVersion", "2010-04-01"),
        ]);
        let mut mac = Hmac::<Sha1>::new_from_slice(TOKEN.as_bytes()).unwrap();
        mac.update(HOOK.as_bytes());
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in fields {
            mac.update(name.as_bytes());
            mac.update(value.as_bytes());
            form.append_pair(name, value);
        }
        let signature = STANDARD.encode(mac.finalize().into_bytes());
        Told::Hook {
            method: Method::POST,
            query: String::new(),
            headers: vec![
                (
                    "content-type",
                    "application/x-www-form-urlencoded; charset=UTF-8".to_owned(),
                ),
                ("x-twilio-signature", signature),
            ],
            body: form.finish().into_bytes(),
        }
    }

    /// A message as its template shows it, with the ids of the buttons; `None` where the template refuses it.
    fn filled(template: &str, variables: &str) -> Option<(Shown, Vec<String>)> {
        let answers = ANSWERS.iter().position(|known| *known == template)? + 1;
        let variables: BTreeMap<String, String> = serde_json::from_str(variables).ok()?;
        let variable = |number: usize| variables.get(&number.to_string()).cloned();
        let text = variable(1).filter(|text| (1..=1024).contains(&text.chars().count()))?;
        let (mut buttons, mut ids) = (Vec::new(), Vec::new());
        for answer in 1..=answers {
            let label = variable(answer * 2)?;
            buttons.push(Some(label).filter(|label| (1..=20).contains(&label.chars().count()))?);
            ids.push(variable(answer * 2 + 1)?);
        }
        Some((Shown { text, buttons }, ids))
    }

    fn accept(&mut self, form: &BTreeMap<String, String>) -> Answered {
        let field = |name: &str| form.get(name).map(String::as_str);
        let (Some(to), Some(from)) = (field("To"), field("From")) else {
            return refused(400, 21604, "A 'To' phone number is required.");
        };
        if !self.sent.contains_key(to) {
            return refused(400, 21211, "The 'To' number is not a valid phone number.");
        }
        if !from.ends_with(OURS) || is_whatsapp(from) != is_whatsapp(to) {
            return refused(400, 21606, "The 'From' number is not a valid sender.");
        }
        let shown = match (field("Body"), field("ContentSid")) {
            (Some(body), None) if body.chars().count() > 1600 => {
                return refused(
                    400,
                    21617,
                    "The message body exceeds the 1600 character limit.",
                );
            }
            (Some(body), None) if !body.is_empty() => {
                let text = body.to_owned();
                Some((
                    Shown {
                        text,
                        buttons: Vec::new(),
                    },
                    Vec::new(),
                ))
            }
            (None, Some(template)) if is_whatsapp(to) => {
                Self::filled(template, field("ContentVariables").unwrap_or_default())
            }
            _ => None,
        };
        let Some(shown) = shown else {
            return refused(400, 21656, "The ContentVariables Parameter is invalid.");
        };
        self.sent.entry(to.to_owned()).or_default().push(shown);
        let sid = self.sid();
        Answered::json(
            201,
            &json!({ "sid": sid, "status": "queued", "error_code": Value::Null }),
        )
    }
}

impl Fake for Twilio {
    fn answer(
        &mut self,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Answered {
        let basic = format!("Basic {}", STANDARD.encode(format!("{ACCOUNT}:{TOKEN}")));
        if headers
            .get("authorization")
            .is_none_or(|found| found != basic.as_str())
        {
            return refused(401, 20003, "Authenticate");
        }
        let messages = format!("/2010-04-01/Accounts/{ACCOUNT}/Messages.json");
        if (method, path) == (&Method::GET, &format!("{messages}?PageSize=1")) {
            return Answered::json(200, &json!({ "messages": [] }));
        }
        let kind = headers.get("content-type");
        if kind.is_none_or(|kind| kind != "application/x-www-form-urlencoded") {
            return refused(400, 20001, "The body is not a form.");
        }
        let form: BTreeMap<_, _> = url::form_urlencoded::parse(body).into_owned().collect();
        match path {
            "/v2/Indicators/Typing.json" => Answered::json(200, &json!({ "success": true })),
            path if path == messages => self.accept(&form),
            _ => refused(404, 20404, "The requested resource was not found"),
        }
    }

    fn says(&mut self, customer: &str, text: &str) -> Told {
        self.told(customer, &[("Body", text)])
    }

    fn presses(&mut self, customer: &str, label: &str) -> Option<Told> {
        let (shown, ids) = self.sent.get(customer)?.last()?.clone();
        let place = shown.buttons.iter().position(|button| button == label)?;
        let id = ids.get(place)?;
        let press = [
            ("Body", label),
            ("ButtonText", label),
            ("ButtonPayload", id),
        ];
        Some(self.told(customer, &press))
    }

    fn seen(&self, customer: &str) -> Vec<Shown> {
        let sent = self.sent.get(customer).into_iter().flatten();
        sent.map(|(shown, _)| shown.clone()).collect()
    }
}
