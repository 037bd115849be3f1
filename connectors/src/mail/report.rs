//! What mail servers report of our letters ([RFC 3464](https://www.rfc-editor.org/rfc/rfc3464)).

use mail_parser::{MessageParser, MessagePart, MimeHeaders};

use super::read::{Letter, one_line};
use super::{Settings, thread};
use crate::channel::Receipt;

/// What a report of deliveries is called.
const DELIVERY: &str = "delivery-status";
/// How much of a server's reason is told.
const MOST_REASON_CHARS: usize = 200;

/// What became of a letter of ours.
pub(super) struct Report {
    /// Its id.
    pub(super) message: String,
    /// Its conversation.
    pub(super) thread: String,
    pub(super) receipt: Receipt,
}

/// What `letter` reports of a letter of ours; `None` of any other, and where it is still on its way.
pub(super) fn read(letter: &Letter<'_>, settings: &Settings) -> Option<Report> {
    // Who has read it, or complains of it, says nothing of its delivery.
    let is_of_delivery = match letter.report().as_deref() {
        Some(kind) => kind == DELIVERY,
        None => letter.has("X-Failed-Recipients"),
    };
    if !is_of_delivery {
        return None;
    }
    let mut ids = letter.ids("In-Reply-To");
    ids.extend(letter.ids("References").into_iter().rev());
    ids.extend(letter.parts().iter().filter_map(original));
    let (message, thread) = ids.into_iter().find_map(|id| {
        let thread = thread::of_own(&id, settings)?;
        Some((id, thread))
    })?;
    let status = letter
        .parts()
        .iter()
        .find(|part| part.is_content_type("message", DELIVERY));
    let status = String::from_utf8_lossy(status.map(MessagePart::contents).unwrap_or_default());
    Some(Report {
        message,
        thread,
        receipt: receipt(&status)?,
    })
}

/// The id of the letter that a part quotes, or whose header it quotes.
fn original(part: &MessagePart<'_>) -> Option<String> {
    if let Some(message) = part.message() {
        return message.message_id().map(str::to_owned);
    }
    if !part.is_content_type("text", "rfc822-headers") {
        return None;
    }
    let headers = MessageParser::default().parse_headers(part.contents())?;
    headers.message_id().map(str::to_owned)
}

/// What a report says; one that says nothing a program can read is of a failure.
fn receipt(status: &str) -> Option<Receipt> {
    let values = |name: &str| {
        let lines = status.lines().filter_map(|line| line.split_once(':'));
        let named = lines.filter(|(field, _)| field.trim().eq_ignore_ascii_case(name));
        named
            .map(|(_, value)| value.trim().to_lowercase())
            .collect::<Vec<_>>()
    };
    let actions = values("Action");
    let is = |action: &str| actions.iter().any(|said| said == action);
    if !actions.is_empty() && !is("failed") {
        return is("delivered").then_some(Receipt::Delivered);
    }
    let reasons = values("Diagnostic-Code")
        .into_iter()
        .chain(values("Status"));
    let reason = reasons.take(1).collect::<String>();
    let reason = one_line(&reason).chars().take(MOST_REASON_CHARS).collect();
    Some(Receipt::Failed(reason))
}
