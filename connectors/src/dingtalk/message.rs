//! What DingTalk is sent.

use http::Method;
use serde_json::{Value, json};
use url::Url;
use url::form_urlencoded::byte_serialize;

use super::event::{GROUP, SINGLE};
use super::{AUTH, DingTalk};
use crate::channel::{Call, Choice, Connector, Outgoing};
use crate::render::{Marks, pieces, pieces_with_choices};
use crate::text::{Length, Unit};

/// How long before its end the address of a conversation is no longer used, in milliseconds.
const MARGIN: i64 = 60_000;
/// What an id begins with that is not one of the company's.
const OUTSIDER: &str = "$:";
/// As many buttons as a card of the API has.
const MOST_BUTTONS: usize = 5;
/// Of a button's label.
const LABEL: Length = Length {
    most: 20,
    unit: Unit::Chars,
};
/// Of what a button writes: its address may have 500 characters, three for each byte.
const WRITTEN: Length = Length {
    most: 140,
    unit: Unit::Bytes,
};
/// Of what stands for a message in the list of conversations.
const TITLE: Length = Length {
    most: 40,
    unit: Unit::Chars,
};

/// The Markdown that DingTalk reads; what is sent counts.
const MARKDOWN: Marks = Marks {
    escape,
    link: |title, url| {
        let address = url.replace('(', "%28").replace(')', "%29");
        format!("[{}]({address})", escape(title))
    },
    are_counted: true,
};

/// Marks behind a backslash, and two spaces before the end of a line, which is none without them.
fn escape(text: &str) -> String {
    const SPECIAL: &str = "\\`*_[]<>#~!";
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if SPECIAL.contains(character) {
            escaped.push('\\');
        } else if character == '\n' {
            escaped.push_str("  ");
        }
        escaped.push(character);
    }
    escaped
}

/// What a message is.
enum Form {
    Text(String),
    Markdown {
        title: String,
        text: String,
    },
    Card {
        title: String,
        text: String,
        /// Labels and addresses.
        buttons: Vec<(String, String)>,
    },
}

/// Where a message goes.
enum Way<'a> {
    /// To the conversation's own address, in a group to somebody's attention.
    Session(Url, Option<&'a str>),
    /// To somebody of the company.
    Person(&'a str),
    Group(&'a str),
}

impl DingTalk {
    pub(super) fn message(&self, message: &Outgoing<'_>) -> Vec<Call> {
        let Some(way) = self.way(message) else {
            return Vec::new();
        };
        let forms = self.forms(message);
        forms.iter().map(|form| self.sent(&way, form)).collect()
    }

    /// `None` for somebody of no company of ours whose conversation has no valid address.
    fn way<'a>(&self, message: &Outgoing<'a>) -> Option<Way<'a>> {
        let mut parts = message.thread.splitn(3, ' ');
        let (kind, conversation, person) = (parts.next()?, parts.next()?, parts.next()?);
        let staff = Some(person).filter(|person| !person.starts_with(OUTSIDER));
        if let Some(url) = self.session(message) {
            return Some(Way::Session(url, staff.filter(|_| kind == GROUP)));
        }
        match kind {
            SINGLE => staff.map(Way::Person),
            GROUP => Some(Way::Group(conversation)),
            _ => None,
        }
    }

    /// The conversation's own address, while it is valid: an address of another host is none of DingTalk's.
    fn session(&self, message: &Outgoing<'_>) -> Option<Url> {
        let (until, url) = message.context?.split_once(' ')?;
        let until: i64 = until.parse().ok()?;
        let now = message.at.saturating_mul(1000);
        let url = Url::parse(url).ok()?;
        let is_valid = now < until.saturating_sub(MARGIN);
        let is_ours = url.origin() == self.settings.sessions.origin()
            && url.username().is_empty()
            && url.password().is_none();
        (is_valid && is_ours).then_some(url)
    }

    /// Texts; the last with marks where it has links or buttons. More choices than a card has are told in the text.
    fn forms(&self, message: &Outgoing<'_>) -> Vec<Form> {
        let limit = self.limits().text;
        let choices = &message.quick_replies;
        let pieces = match choices.len() <= MOST_BUTTONS {
            true => pieces(message, limit, MARKDOWN),
            false => pieces_with_choices(message, limit, MARKDOWN),
        };
        let last = pieces.len().saturating_sub(1);
        let pieces = pieces.into_iter().enumerate();
        pieces
            .map(|(place, piece)| {
                let first = piece.plain.lines().next().unwrap_or_default();
                let (title, text) = (TITLE.shorten(first), piece.marked);
                let is_card = !choices.is_empty() && choices.len() <= MOST_BUTTONS;
                match place == last {
                    true if is_card => {
                        let buttons = choices.iter().map(button).collect();
                        Form::Card {
                            title,
                            text,
                            buttons,
                        }
                    }
                    true if !message.links.is_empty() => Form::Markdown { title, text },
                    true | false => Form::Text(piece.plain),
                }
            })
            .collect()
    }

    fn sent(&self, way: &Way<'_>, form: &Form) -> Call {
        let robot = &self.settings.robot_code;
        let (key, parameters) = template(form);
        let parameters = parameters.to_string();
        match way {
            Way::Session(url, person) => {
                let mut body = session_body(form);
                if let Some(person) = person {
                    body["at"] = json!({ "atUserIds": [person] });
                }
                Call::json(Method::POST, url.clone(), &body)
            }
            Way::Person(person) => {
                let body = json!({
                    "robotCode": robot,
                    "userIds": [person],
                    "msgKey": key,
                    "msgParam": parameters,
                });
                self.call("robot/oToMessages/batchSend", &body).with(AUTH)
            }
            Way::Group(conversation) => {
                let body = json!({
                    "robotCode": robot,
                    "openConversationId": conversation,
                    "msgKey": key,
                    "msgParam": parameters,
                });
                self.call("robot/groupMessages/send", &body).with(AUTH)
            }
        }
    }
}

/// A button that writes its label in the customer's name.
fn button(choice: &Choice<'_>) -> (String, String) {
    let label = LABEL.shorten(choice.label);
    let words = WRITTEN.shorten(choice.label);
    // A form's plus sign is no space here.
    let words: String = byte_serialize(words.as_bytes()).collect();
    let words = words.replace('+', "%20");
    let address = format!("dtmd://dingtalkclient/sendMessage?content={words}");
    (label, address)
}

/// The body of a request to a conversation's own address.
fn session_body(form: &Form) -> Value {
    match form {
        Form::Text(text) => json!({ "msgtype": "text", "text": { "content": text } }),
        Form::Markdown { title, text } => {
            json!({ "msgtype": "markdown", "markdown": { "title": title, "text": text } })
        }
        Form::Card {
            title,
            text,
            buttons,
        } => {
            let buttons = buttons.iter();
            let buttons = buttons.map(|(label, url)| json!({ "title": label, "actionURL": url }));
            json!({ "msgtype": "actionCard", "actionCard": {
                "title": title,
                "text": text,
                "btnOrientation": "0",
                "btns": buttons.collect::<Vec<_>>(),
            } })
        }
    }
}

/// The [template](https://open.dingtalk.com/document/orgapp/types-of-messages-sent-by-robots) of a message of the
/// API, and its parameters.
fn template(form: &Form) -> (String, Value) {
    match form {
        Form::Text(text) => ("sampleText".to_owned(), json!({ "content": text })),
        Form::Markdown { title, text } => {
            let parameters = json!({ "title": title, "text": text });
            ("sampleMarkdown".to_owned(), parameters)
        }
        Form::Card {
            title,
            text,
            buttons,
        } => {
            let mut parameters = json!({ "title": title, "text": text });
            if let [(label, url)] = buttons.as_slice() {
                parameters["singleTitle"] = label.as_str().into();
                parameters["singleURL"] = url.as_str().into();
                return ("sampleActionCard".to_owned(), parameters);
            }
            for (place, (label, url)) in buttons.iter().enumerate() {
                parameters[format!("actionTitle{}", place + 1)] = label.as_str().into();
                parameters[format!("actionURL{}", place + 1)] = url.as_str().into();
            }
            (format!("sampleActionCard{}", buttons.len()), parameters)
        }
    }
}
