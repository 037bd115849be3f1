//! Messages in Discord's Markdown, with buttons.

use serde_json::{Value, json};
use url::Url;

use crate::channel::{Choice, Limits, Outgoing};
use crate::render::{Marks, pieces_with_choices};

/// Buttons in a row; there are five rows.
const IN_A_ROW: usize = 5;
/// Components: a row, a button, and the button's style of a second choice.
const ROW: u8 = 1;
const BUTTON: u8 = 2;
const SECONDARY: u8 = 2;
/// The flag of a message that shows no previews of its links.
const WITHOUT_PREVIEWS: u8 = 1 << 2;

const MARKDOWN: Marks = Marks {
    escape,
    link: |title, url| {
        let address = Url::parse(url).map_or_else(|_| url.to_owned(), String::from);
        let address = address.replace('(', "%28").replace(')', "%29");
        format!("[{}]({address})", escape(title))
    },
    are_counted: true,
};

/// A message's parts: each but for what makes it a new message, the last with the buttons.
pub(super) fn bodies(message: &Outgoing<'_>, limits: &Limits) -> Vec<Value> {
    let (buttons, others) = choices(message, limits);
    let pieces = pieces_with_choices(&others, limits.text, MARKDOWN);
    let last = pieces.len().saturating_sub(1);
    let pieces = pieces.into_iter().enumerate();
    pieces
        .map(|(part, piece)| {
            let mut body = json!({
                "content": piece.marked,
                "allowed_mentions": { "parse": [] },
                "flags": WITHOUT_PREVIEWS,
            });
            if part == last && !buttons.is_empty() {
                let rows = buttons.chunks(IN_A_ROW);
                let rows = rows.map(|row| json!({ "type": ROW, "components": row }));
                body["components"] = rows.collect();
            }
            body
        })
        .collect()
}

/// The quick replies that can be buttons, and the message with the others.
fn choices<'a>(message: &Outgoing<'a>, limits: &Limits) -> (Vec<Value>, Outgoing<'a>) {
    let mut others = message.clone();
    let mut buttons: Vec<Choice<'a>> = Vec::new();
    let Some(limits) = limits.buttons else {
        return (Vec::new(), others);
    };
    others.quick_replies.retain(|choice| {
        let is_known = buttons.iter().any(|button| button.id == choice.id);
        let is_button = !choice.label.trim().is_empty()
            && (1..=limits.id_bytes).contains(&choice.id.len())
            && buttons.len() < limits.most
            && !is_known;
        if is_button {
            buttons.push(*choice);
        }
        !is_button
    });
    let buttons = buttons.iter().map(|choice| {
        json!({
            "type": BUTTON,
            "style": SECONDARY,
            "label": limits.label.shorten(choice.label),
            "custom_id": choice.id,
        })
    });
    (buttons.collect(), others)
}

/// Text with a backslash before whatever would be a mark there. In an address nothing is one.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut rest = text;
    let mut begins_line = true;
    while let Some(character) = rest.chars().next() {
        let is_address = rest.starts_with("https://") || rest.starts_with("http://");
        let length = match is_address {
            true => rest
                .find(|end: char| end.is_whitespace() || end == '<')
                .unwrap_or(rest.len()),
            false => character.len_utf8(),
        };
        let is_mark = match character {
            '\\' | '*' | '_' | '~' | '`' | '|' | '[' | ']' | '<' => true,
            '#' | '>' | '-' => begins_line,
            _ => false,
        };
        if is_mark {
            escaped.push('\\');
        }
        let (same, after) = rest.split_at(length);
        escaped.push_str(same);
        rest = after;
        begins_line = character == '\n' || (begins_line && character.is_whitespace());
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_be_a_mark_is_escaped_but_in_addresses() {
        for (text, marked) in [
            (
                "a *b* _c_ `d` ||e||",
                "a \\*b\\* \\_c\\_ \\`d\\` \\|\\|e\\|\\|",
            ),
            (
                "# one\n > two\n- three - 3 > 2 #4",
                "\\# one\n \\> two\n\\- three - 3 > 2 #4",
            ),
            (
                "see https://shop.example/a_b_c, <@1>",
                "see https://shop.example/a_b_c, \\<@1>",
            ),
        ] {
            assert_eq!(escape(text), marked);
        }
        assert_eq!(
            (MARKDOWN.link)("A [b]", "https://shop.example/a (1)?b=<c>"),
            "[A \\[b\\]](https://shop.example/a%20%281%29?b=%3Cc%3E)"
        );
    }
}
