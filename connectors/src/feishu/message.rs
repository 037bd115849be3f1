//! What Feishu is sent.

use http::Method;
use serde_json::{Value, json};
use sha2::Sha256;

use super::event::{Pressed, is_private};
use super::{CARD, CARD_MARK, Feishu};
use crate::channel::{Auth, Call, Connector, Outgoing};
use crate::render::{Marks, Piece, pieces, pieces_with_choices};
use crate::signature::{hash, hex};

/// The Markdown of cards, whose marks are escaped as entities; what is sent counts.
const MARKDOWN: Marks = Marks {
    escape,
    link: |title, url| {
        let address = url.replace('(', "%28").replace(')', "%29");
        format!("[{}]({address})", escape(title))
    },
    are_counted: true,
};

fn escape(text: &str) -> String {
    const SPECIAL: &str = "&<>*_~`[]#$\\";
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if SPECIAL.contains(character) {
            escaped.push_str(&format!("&#{};", u32::from(character)));
        } else {
            escaped.push(character);
        }
    }
    escaped
}

/// `text` without what a text message would take for a tag, such as a mention of everybody: a word joiner, which
/// nobody sees, stands behind the bracket.
fn untagged(text: &str) -> String {
    const JOINER: char = '\u{2060}';
    let mut untagged = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        untagged.push(character);
        let opens = |next: &char| next.is_ascii_alphabetic() || *next == '/';
        if character == '<' && characters.peek().is_some_and(opens) {
            untagged.push(JOINER);
        }
    }
    untagged
}

/// The kind and the content of a message, which is JSON within JSON.
type Written = (&'static str, String);

fn text(plain: &str) -> Written {
    ("text", json!({ "text": untagged(plain) }).to_string())
}

impl Feishu {
    pub(super) fn message(&self, message: &Outgoing<'_>) -> Vec<Call> {
        let written = self.written(message);
        let written = written.iter().enumerate();
        written
            .map(|(part, (kind, content))| {
                let part = part.to_string();
                // The platform takes 50 characters.
                let mut key = hex(&hash::<Sha256>(&[
                    message.key.as_bytes(),
                    b"/",
                    part.as_bytes(),
                ]));
                key.truncate(40);
                let body = json!({ "msg_type": kind, "content": content, "uuid": key });
                self.addressed(message, body)
            })
            .collect()
    }

    /// `outgoing` in place of `message`, which cannot become several: a card had the end, a text the beginning.
    pub(super) fn edit(&self, message: &str, outgoing: &Outgoing<'_>) -> Vec<Call> {
        let limit = self.limits().text;
        let card = message.strip_suffix(CARD_MARK);
        let id = card.unwrap_or(message);
        let url = self.url(&["im", "v1", "messages", id]);
        let call = match card {
            Some(_) => pieces(outgoing, limit, MARKDOWN).pop().map(|piece| {
                let body = json!({ "content": self.card(&piece, outgoing) });
                Call::json(Method::PATCH, url, &body)
            }),
            None => {
                let pieces = pieces_with_choices(outgoing, limit, MARKDOWN);
                pieces.first().map(|piece| {
                    let (kind, content) = text(&piece.plain);
                    let body = json!({ "msg_type": kind, "content": content });
                    Call::json(Method::PUT, url, &body)
                })
            }
        };
        let call = call.map(|call| call.with(Auth::Bearer));
        call.into_iter().collect()
    }

    /// The texts, and the card where there are buttons; more than a card may have are told in the text.
    fn written(&self, message: &Outgoing<'_>) -> Vec<Written> {
        let limits = self.limits();
        let choices = message.quick_replies.len();
        let fits = limits.buttons.is_some_and(|buttons| {
            let mut ids = message.quick_replies.iter().map(|reply| reply.id.len());
            choices <= buttons.most && ids.all(|bytes| bytes <= buttons.id_bytes)
        });
        if !fits {
            let pieces = pieces_with_choices(message, limits.text, MARKDOWN);
            return pieces.iter().map(|piece| text(&piece.plain)).collect();
        }
        let mut pieces = pieces(message, limits.text, MARKDOWN);
        let last = pieces.pop_if(|_| choices > 0);
        let texts = pieces.iter().map(|piece| text(&piece.plain));
        let card = last.map(|piece| (CARD, self.card(&piece, message)));
        texts.chain(card).collect()
    }

    /// A [card](https://open.feishu.cn/document/feishu-cards/card-json-v2-structure), as JSON.
    fn card(&self, piece: &Piece, message: &Outgoing<'_>) -> String {
        let mut elements = vec![json!({ "tag": "markdown", "content": piece.marked })];
        if let Some(limits) = self.limits().buttons {
            let buttons = message.quick_replies.iter().take(limits.most);
            elements.extend(buttons.map(|reply| {
                let pressed = Pressed {
                    fd: reply.id.to_owned(),
                    thread: message.thread.to_owned(),
                    private: is_private(message.context),
                };
                json!({
                    "tag": "button",
                    "type": "default",
                    "text": { "tag": "plain_text", "content": limits.label.shorten(reply.label) },
                    "behaviors": [{ "type": "callback", "value": pressed }],
                })
            }));
        }
        let card = json!({
            "schema": "2.0",
            "config": { "update_multi": true },
            "body": { "elements": elements },
        });
        card.to_string()
    }

    /// A new message: in a group or a topic in answer to what was written, else to the chat.
    fn addressed(&self, message: &Outgoing<'_>, mut body: Value) -> Call {
        let (chat, topic) = match message.thread.split_once('/') {
            Some((chat, topic)) => (chat, Some(topic)),
            None => (message.thread, None),
        };
        let answered = message.context.and_then(|context| context.split_once('/'));
        let answered = answered.map(|(_, id)| id);
        let answered = answered.filter(|_| topic.is_some() || !is_private(message.context));
        let url = match answered {
            Some(answered) => {
                body["reply_in_thread"] = topic.is_some().into();
                self.url(&["im", "v1", "messages", answered, "reply"])
            }
            None => {
                let mut url = self.url(&["im", "v1", "messages"]);
                let kind = match chat.get(..3) {
                    Some("ou_") => "open_id",
                    _ => "chat_id",
                };
                url.query_pairs_mut().append_pair("receive_id_type", kind);
                body["receive_id"] = chat.into();
                url
            }
        };
        Call::json(Method::POST, url, &body).with(Auth::Bearer)
    }
}
