//! A letter as it came (RFC 5322, with MIME of RFC 2045 to 2047): its header, what its text says, and the files
//! that came with it.

use std::borrow::Cow;
use std::panic::catch_unwind;

use mail_parser::decoders::charsets::map::charset_decoder;
use mail_parser::{
    Address, Encoding, HeaderForm, HeaderValue, Message, MessageParser, MessagePart, MimeHeaders,
    PartType,
};
use sha2::Sha256;

use super::html;
use crate::channel::Media;
use crate::signature::{hash, hex};

/// How many bytes of a letter are read: no provider carries more.
const MOST_BYTES: usize = 25 * 1024 * 1024;
/// How many parts within parts are read: what is nested without end would take the parser's stack.
const MOST_NESTED: usize = 100;
/// How many bytes of a body are read.
const MOST_BODY_BYTES: usize = 1024 * 1024;
/// How many files are told of.
const MOST_FILES: usize = 32;
/// How many characters the name of a file may have.
const MOST_NAME_CHARS: usize = 120;
/// How many message ids of one field are read.
const MOST_IDS: usize = 500;
/// How many bytes a message id may have; a line of a letter may have 998.
const MOST_ID_BYTES: usize = 250;
/// What a part needs to hold other parts: one of these words in its header.
const NESTING: [&[u8]; 4] = [b"boundary", b"rfc822", b"global", b"digest"];
/// Parts that prove a letter and are no files.
const PROOFS: [&str; 3] = ["pgp-signature", "pkcs7-signature", "x-pkcs7-signature"];
/// What a file's place begins with, before the number of its part.
const PLACE: &str = "part:";

/// A letter.
pub(super) struct Letter<'x> {
    message: Message<'x>,
}

/// Somebody in a field of addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Party {
    pub(super) name: Option<String>,
    pub(super) address: String,
}

impl<'x> Letter<'x> {
    /// Reads a letter; `None` of what has no header.
    pub(super) fn read(raw: &'x [u8]) -> Option<Self> {
        let message = parsed(bounded(raw))?;
        Some(Self { message })
    }

    /// The values of all fields of a name, as they stand there, on one line each, the topmost first.
    pub(super) fn fields(&self, name: &'x str) -> Vec<String> {
        let values = self.message.header_as(name, HeaderForm::Raw);
        let values = values.into_iter().filter_map(|value| match value {
            HeaderValue::Text(text) => Some(text.split_whitespace().collect::<Vec<_>>().join(" ")),
            HeaderValue::Address(_)
            | HeaderValue::TextList(_)
            | HeaderValue::DateTime(_)
            | HeaderValue::ContentType(_)
            | HeaderValue::Received(_)
            | HeaderValue::Empty => None,
        });
        values.collect()
    }

    /// Whether there is a field of the name.
    pub(super) fn has(&self, name: &'x str) -> bool {
        self.message.header(name).is_some()
    }

    /// Everybody in the fields of a name.
    pub(super) fn parties(&self, name: &'x str) -> Vec<Party> {
        let values = self.message.header_as(name, HeaderForm::Addresses);
        let addresses = values.iter().filter_map(HeaderValue::as_address);
        addresses.flat_map(parties).collect()
    }

    /// The message ids in the fields of a name: what else stands there is passed over.
    pub(super) fn ids(&self, name: &'x str) -> Vec<String> {
        let fields = self.fields(name).join(" ");
        fields
            .split('<')
            .skip(1)
            .filter_map(|rest| rest.split_once('>').map(|(id, _)| id.trim().to_owned()))
            .filter(|id| is_id(id))
            .take(MOST_IDS)
            .collect()
    }

    /// The letter's own id; some clients forget its brackets.
    pub(super) fn id(&self) -> Option<String> {
        let bracketed = self.ids("Message-ID").into_iter().next();
        bracketed.or_else(|| {
            let bare = self.fields("Message-ID").into_iter().next()?;
            Some(bare).filter(|id| is_id(id))
        })
    }

    /// The letter's id, or one made of what it says where it has none.
    pub(super) fn id_or_hash(&self) -> String {
        self.id().unwrap_or_else(|| {
            let field = |name| self.fields(name).join(" ");
            let body = self.message.raw_message();
            let body = body.get(self.message.root_part().offset_body as usize..);
            let body = body.unwrap_or_default();
            let parts = [field("From"), field("Date"), field("Subject")];
            let [from, date, subject] = parts.each_ref().map(String::as_bytes);
            let digest = hash::<Sha256>(&[from, b"\n", date, b"\n", subject, b"\n", body]);
            format!("sha256:{}", hex(&digest))
        })
    }

    /// The decoded subject; empty where there is none.
    pub(super) fn subject(&self) -> String {
        let subject = self.message.subject().unwrap_or_default();
        subject.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// The first language that the letter says it is written in (BCP 47).
    pub(super) fn language(&self) -> Option<String> {
        let field = self.fields("Content-Language").into_iter().next()?;
        let tag = field.split(',').next()?.trim();
        let is_tag = |tag: &str| {
            let mut letters = tag.chars();
            letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '-')
        };
        Some(tag.to_owned()).filter(|tag| (2..=35).contains(&tag.len()) && is_tag(tag))
    }

    /// Whether the letter is a report of a mail server or client (RFC 6522), and of which kind.
    pub(super) fn report(&self) -> Option<String> {
        let root = self.message.root_part();
        let kind = root.content_type().filter(|kind| {
            kind.ctype().eq_ignore_ascii_case("multipart") && kind.subtype() == Some("report")
        })?;
        let of = kind.attribute("report-type").unwrap_or_default();
        Some(of.to_ascii_lowercase())
    }

    /// All parts.
    pub(super) fn parts(&self) -> &[MessagePart<'x>] {
        &self.message.parts
    }

    /// What is written: the plain text, or that of the HTML where there is none.
    pub(super) fn text(&self) -> String {
        let text = self.body(&self.message.text_body);
        if text.trim().is_empty() {
            return self.body(&self.message.html_body);
        }
        text
    }

    fn body(&self, parts: &[u32]) -> String {
        let mut texts = Vec::new();
        for id in parts {
            let Some(part) = self.message.part(*id) else {
                continue;
            };
            let text = self.decoded(part);
            match &part.body {
                PartType::Text(_) => texts.push(plain(part, &text)),
                PartType::Html(_) => texts.push(html::text(&text)),
                PartType::Binary(_)
                | PartType::InlineBinary(_)
                | PartType::Message(_)
                | PartType::Multipart(_) => {}
            }
        }
        let text = texts.join("\n\n").replace('\r', "");
        text.replace(
            |letter: char| letter.is_control() && !"\n\t".contains(letter),
            "",
        )
    }

    /// A part's text. In what has no known character set, and is not UTF-8, the one of old mail programs is taken.
    fn decoded<'a>(&'a self, part: &'a MessagePart<'x>) -> Cow<'a, str> {
        let text = head(part.text_contents().unwrap_or_default());
        let charset = part
            .content_type()
            .and_then(|kind| kind.attribute("charset"));
        let is_known = charset.is_some_and(|charset| charset_decoder(charset.as_bytes()).is_some());
        if is_known || !text.contains(char::REPLACEMENT_CHARACTER) {
            return Cow::Borrowed(text);
        }
        let from = part.offset_body as usize;
        let body = self.message.raw_message.get(from..part.offset_end as usize);
        let encoding = match part.encoding {
            Encoding::None => "8bit",
            Encoding::QuotedPrintable => "quoted-printable",
            Encoding::Base64 => "base64",
        };
        let mut again = format!(
            "Content-Type: text/plain; charset=windows-1252\r\n\
             Content-Transfer-Encoding: {encoding}\r\n\r\n"
        )
        .into_bytes();
        again.extend_from_slice(body.unwrap_or_default());
        let again = parsed(&again);
        let again = again.and_then(|again| again.body_text(0).map(|text| head(&text).to_owned()));
        again.map_or(Cow::Borrowed(text), Cow::Owned)
    }

    /// The files that came with it; pictures within the text behind the others.
    pub(super) fn files(&self) -> Vec<Media> {
        let mut files: Vec<(bool, Media)> = Vec::new();
        for id in self.message.attachments.iter().take(MOST_FILES) {
            let Some(part) = self.message.part(*id) else {
                continue;
            };
            let kind = part.content_type();
            let subtype = kind.and_then(|kind| kind.subtype()).unwrap_or_default();
            if PROOFS.contains(&subtype) {
                continue;
            }
            let file = Media {
                place: format!("{PLACE}{id}"),
                name: part.attachment_name().and_then(safe_name),
                content_type: kind.map(|kind| format!("{}/{subtype}", kind.ctype())),
                size: u64::try_from(part.len()).ok(),
            };
            files.push((part.content_id().is_some(), file));
        }
        files.sort_by_key(|(is_within, _)| *is_within);
        files.into_iter().map(|(_, file)| file).collect()
    }

    /// The content of the file at `place`; `None` where there is none.
    pub(super) fn file(&self, place: &str) -> Option<Vec<u8>> {
        let id: u32 = place.strip_prefix(PLACE)?.parse().ok()?;
        let is_file = self.message.attachments.contains(&id);
        let part = self.message.part(id).filter(|_| is_file)?;
        match &part.body {
            PartType::Message(message) => Some(message.raw_message().to_vec()),
            PartType::Text(_)
            | PartType::Html(_)
            | PartType::Binary(_)
            | PartType::InlineBinary(_)
            | PartType::Multipart(_) => Some(part.contents().to_vec()),
        }
    }
}

fn parties<'a>(address: &'a Address<'_>) -> impl Iterator<Item = Party> + 'a {
    address.iter().filter_map(|party| {
        let address = party.address.as_deref()?.trim().to_owned();
        let name = party.name.as_deref().map(one_line);
        address.contains('@').then(|| Party {
            name: name.filter(|name| !name.is_empty()),
            address,
        })
    })
}

/// `text` without line ends and other control characters.
pub(super) fn one_line(text: &str) -> String {
    let text = text.replace(char::is_control, " ");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn is_id(id: &str) -> bool {
    let is_seen = |letter: char| letter.is_ascii_graphic() && !"<>".contains(letter);
    !id.is_empty() && id.len() <= MOST_ID_BYTES && id.chars().all(is_seen)
}

/// A letter; of one that the parser fails at, its header.
fn parsed(raw: &[u8]) -> Option<Message<'_>> {
    let parser = MessageParser::default();
    // The parser asserts, of letters that anybody can write, what malformed ones do not keep to.
    let whole = catch_unwind(|| parser.parse(raw));
    whole.unwrap_or_else(|_| catch_unwind(|| parser.parse_headers(raw)).ok()?)
}

/// As much of a letter as is read: up to a size, and to what is nested too deeply.
fn bounded(raw: &[u8]) -> &[u8] {
    let raw = raw.get(..MOST_BYTES).unwrap_or(raw);
    let mut nested = 0;
    for at in 0..raw.len() {
        let rest = raw.get(at..).unwrap_or_default();
        let begins = |word: &[u8]| {
            let begin = rest.get(..word.len()).unwrap_or_default();
            begin.eq_ignore_ascii_case(word)
        };
        if NESTING.iter().any(|word| begins(word)) {
            nested += 1;
            if nested > MOST_NESTED {
                return raw.get(..at).unwrap_or_default();
            }
        }
    }
    raw
}

/// As much of a body as is read.
fn head(text: &str) -> &str {
    let mut end = text.len().min(MOST_BODY_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

/// A plain text, its lines joined where it says that they flow (RFC 3676).
fn plain(part: &MessagePart<'_>, text: &str) -> String {
    let attribute = |name| part.content_type().and_then(|kind| kind.attribute(name));
    let says = |name, value: &str| {
        attribute(name).is_some_and(|said: &str| said.eq_ignore_ascii_case(value))
    };
    if !says("format", "flowed") {
        return text.to_owned();
    }
    let keeps_space = !says("delsp", "yes");
    let mut flowed = String::new();
    let mut open: Option<usize> = None;
    for line in text.lines() {
        let content = line.trim_start_matches('>');
        let depth = line.len() - content.len();
        let content = content.strip_prefix(' ').unwrap_or(content);
        let is_signature = content == "-- ";
        let goes_on = open == Some(depth) && !is_signature;
        if !goes_on {
            if open.is_some() {
                flowed.push('\n');
            }
            flowed.push_str(&">".repeat(depth));
            flowed.push_str(if depth > 0 { " " } else { "" });
        }
        open = None;
        match content.strip_suffix(' ').filter(|_| !is_signature) {
            Some(content) => {
                flowed.push_str(content);
                flowed.push_str(if keeps_space { " " } else { "" });
                open = Some(depth);
            }
            None => {
                flowed.push_str(content);
                flowed.push('\n');
            }
        }
    }
    flowed
}

/// A file's name without folders and what is not seen of it; `None` where nothing is left.
fn safe_name(name: &str) -> Option<String> {
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
    // Marks of direction make one ending look like another.
    let is_hidden = |letter: char| {
        letter.is_control()
            || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let name: String = name.replace(is_hidden, "");
    let name = name.trim().trim_start_matches('.');
    let name: String = name.chars().take(MOST_NAME_CHARS).collect();
    Some(name).filter(|name| !name.is_empty())
}
