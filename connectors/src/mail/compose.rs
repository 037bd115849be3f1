//! A message as a letter.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use lettre::Address;
use lettre::message::header::{HeaderName as Field, HeaderValue as Value};
use lettre::message::{Mailbox, Message, MultiPart, SinglePart};

use super::read::one_line;
use super::{Context, LOOP, Mail, thread};
use crate::channel::{Auth, Call, Connector, Outgoing};
use crate::render::{Marks, Piece, escape_html, pieces_with_choices};

/// Who a letter is from, for the mail server.
pub(super) const ENVELOPE_FROM: HeaderName = HeaderName::from_static("x-envelope-from");
/// Whom it goes to, for the mail server.
pub(super) const ENVELOPE_TO: HeaderName = HeaderName::from_static("x-envelope-to");
/// Its id, to be told with the mail server's answer.
pub(super) const MESSAGE_ID: HeaderName = HeaderName::from_static("x-message-id");
/// The last second of the year 9999: no date is later.
const LATEST: i64 = 253_402_300_799;

const HTML: Marks = Marks {
    escape: escape_html,
    link: |title, url| {
        let address = escape_html(url).replace('"', "&quot;");
        format!("<a href=\"{address}\">{}</a>", escape_html(title))
    },
    are_counted: false,
};

impl Mail {
    /// The letters that say what `message` says. None where it is not known who to send them to.
    pub(super) fn letters(&self, message: &Outgoing<'_>) -> Vec<Call> {
        let context = message.context.unwrap_or_default();
        let Ok(context) = serde_json::from_str::<Context>(context) else {
            return Vec::new();
        };
        if !thread::is_name(message.thread) {
            return Vec::new();
        }
        let pieces = pieces_with_choices(message, self.limits().text, HTML);
        let pieces = pieces.iter().enumerate();
        pieces
            .filter_map(|(place, piece)| {
                let key = format!("{}\n{place}", message.key);
                self.letter_of(message, &context, piece, &key)
            })
            .collect()
    }

    fn letter_of(
        &self,
        message: &Outgoing<'_>,
        context: &Context,
        piece: &Piece,
        key: &str,
    ) -> Option<Call> {
        let settings = &self.settings;
        let own = settings.addresses.first()?;
        let to = address(&context.to).or_else(|| address(&context.address))?;
        let id = thread::message_id(message.thread, &context.from, key, settings);
        let from = Mailbox::new(named(&settings.name), address(own)?);
        let name = context.name.as_deref().and_then(named);
        let mut letter = Message::builder()
            .from(from)
            .to(Mailbox::new(name, to.clone()))
            .subject(
                format!("Re: {}", one_line(&context.subject))
                    .trim()
                    .to_owned(),
            )
            .date(date(message.at))
            .message_id(Some(format!("<{id}>")))
            .raw_header(field("X-Auto-Response-Suppress", "All".to_owned()))
            .raw_header(field(LOOP, message.thread.to_owned()));
        if let Some(answered) = &context.id {
            letter = letter.in_reply_to(format!("<{answered}>"));
        }
        if !context.references.is_empty() {
            let ids = context.references.iter().map(|id| format!("<{id}>"));
            letter = letter.references(ids.collect::<Vec<_>>().join(" "));
        }
        if message.author != "agent" {
            letter = letter.raw_header(field("Auto-Submitted", "auto-replied".to_owned()));
        }
        let reply_to = settings
            .plus_addresses
            .then(|| thread::plus_address(own, message.thread, &context.from, settings))
            .flatten();
        if let Some(reply_to) = reply_to.as_deref().and_then(address) {
            letter = letter.reply_to(Mailbox::new(None, reply_to));
        }
        // As unguessable as the id: no text can hold it.
        let boundary = id.split('@').next().unwrap_or_default().replace('.', "-");
        let letter = letter.multipart(
            MultiPart::alternative()
                .boundary(boundary)
                .singlepart(SinglePart::plain(piece.plain.clone()))
                .singlepart(SinglePart::html(page(&piece.marked))),
        );
        let bounces = settings.bounces.as_ref().unwrap_or(own);
        let mut headers = HeaderMap::new();
        headers.insert(ENVELOPE_FROM, HeaderValue::from_str(bounces).ok()?);
        headers.insert(ENVELOPE_TO, HeaderValue::from_str(to.as_ref()).ok()?);
        headers.insert(MESSAGE_ID, HeaderValue::from_str(&id).ok()?);
        Some(Call {
            method: Method::POST,
            url: settings.smtp.clone(),
            auth: Auth::Complete,
            headers,
            body: letter.ok()?.formatted(),
            plain: None,
        })
    }
}

/// An address that a mail server can be told: one of ASCII, as not all of them know others.
fn address(text: &str) -> Option<Address> {
    let is_plain = |letter: char| letter.is_ascii_graphic() && !"<>\"\\,;()".contains(letter);
    text.chars().all(is_plain).then(|| text.parse().ok())?
}

fn named(name: &str) -> Option<String> {
    Some(one_line(name)).filter(|name| !name.is_empty())
}

fn field(name: &'static str, value: String) -> Value {
    Value::new(Field::new_from_ascii_str(name), value)
}

fn date(at: i64) -> SystemTime {
    let seconds = u64::try_from(at.clamp(0, LATEST)).unwrap_or_default();
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

fn page(marked: &str) -> String {
    let lines = marked.replace("\r\n", "\n").replace('\n', "<br>\n");
    format!(
        "<!DOCTYPE html>\n<html>\n<body>\n\
         <div style=\"font-family: sans-serif; font-size: 15px; line-height: 1.5\">\n\
         {lines}\n</div>\n</body>\n</html>\n"
    )
}
