//! A message as the texts that a platform is sent: in pieces within its limit, in its marks, with links and, where
//! it has no buttons for them, the answers to choose from.

use std::fmt::Write;

use url::Url;

use crate::channel::Outgoing;
use crate::text::Length;

/// How a platform writes what is more than text.
#[derive(Clone, Copy)]
pub(crate) struct Marks {
    /// Text, with what would be taken for a mark escaped.
    pub(crate) escape: fn(&str) -> String,
    /// A link, by its title and address.
    pub(crate) link: fn(&str, &str) -> String,
    /// Whether the platform counts marks, too, towards its limit.
    pub(crate) are_counted: bool,
}

/// A platform without marks.
pub(crate) const PLAIN: Marks = Marks {
    escape: str::to_owned,
    link: |title, url| format!("{title}: {url}"),
    are_counted: true,
};

/// A piece of a message, with marks and without.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) marked: String,
    pub(crate) plain: String,
}

impl Piece {
    fn new(plain: String, marks: Marks) -> Self {
        Self {
            marked: (marks.escape)(&plain),
            plain,
        }
    }

    fn is_within(&self, limit: Length, marks: Marks) -> bool {
        limit.holds(&self.plain) && (!marks.are_counted || limit.holds(&self.marked))
    }

    fn join(&self, below: &Self) -> Self {
        Self {
            marked: format!("{}\n\n{}", self.marked, below.marked),
            plain: format!("{}\n\n{}", self.plain, below.plain),
        }
    }
}

/// The text of `message`; its links behind the last piece, or behind all of them where they do not fit. Links of
/// no web page and links that do not fit into a piece of their own are left out.
pub(crate) fn pieces(message: &Outgoing<'_>, limit: Length, marks: Marks) -> Vec<Piece> {
    let mut pieces = split(message.text, limit, marks);
    let links = links(message, marks);
    append(&mut pieces, links, limit, marks);
    pieces
}

/// [`pieces`] with the answers to choose from as lines below, for a platform that has no buttons for them.
pub(crate) fn pieces_with_choices(
    message: &Outgoing<'_>,
    limit: Length,
    marks: Marks,
) -> Vec<Piece> {
    let mut pieces = pieces(message, limit, marks);
    let lines = message.quick_replies.iter();
    let lines: Vec<String> = lines.map(|reply| format!("- {}", reply.label)).collect();
    append(
        &mut pieces,
        Piece::new(lines.join("\n"), marks),
        limit,
        marks,
    );
    pieces
}

/// `text` in pieces that fit. What is escaped grows: it is cut shorter until it does.
fn split(text: &str, limit: Length, marks: Marks) -> Vec<Piece> {
    split_by(text, limit, limit, marks)
}

fn split_by(text: &str, by: Length, limit: Length, marks: Marks) -> Vec<Piece> {
    const SHORTEST: usize = 8;
    let shorter = Length {
        most: by.most.div_ceil(2).max(SHORTEST),
        ..by
    };
    let mut pieces = Vec::new();
    for plain in by.split(text) {
        let piece = Piece::new(plain, marks);
        if piece.is_within(limit, marks) || by.most <= SHORTEST {
            pieces.push(piece);
        } else {
            pieces.extend(split_by(&piece.plain, shorter, limit, marks));
        }
    }
    pieces
}

fn links(message: &Outgoing<'_>, marks: Marks) -> Piece {
    let mut links = Piece::default();
    for link in &message.links {
        let Some(url) = link.url.filter(|url| is_web(url)) else {
            continue;
        };
        let between = if links.plain.is_empty() { "" } else { "\n" };
        let _ = write!(links.marked, "{between}{}", (marks.link)(link.title, url));
        let _ = write!(links.plain, "{between}{}: {url}", link.title);
    }
    links
}

fn append(pieces: &mut Vec<Piece>, below: Piece, limit: Length, marks: Marks) {
    if below.plain.is_empty() || !below.is_within(limit, marks) {
        return;
    }
    let joined = pieces.last().map(|last| last.join(&below));
    match (pieces.last_mut(), joined) {
        (Some(last), Some(joined)) if joined.is_within(limit, marks) => *last = joined,
        _ => pieces.push(below),
    }
}

/// Whether a browser opens it as a page: what a company's data calls an address may be anything.
pub(crate) fn is_web(url: &str) -> bool {
    Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
}

/// `& < >` as entities.
pub(crate) fn escape_html(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::channel::{Choice, Link};
    use crate::text::Unit;

    const HTML: Marks = Marks {
        escape: escape_html,
        link: |title, url| format!("<{url}|{title}>"),
        are_counted: true,
    };

    #[test]
    fn links_and_choices_stand_below_the_text() {
        let message = Outgoing {
            text: "It is <here>.",
            links: vec![
                Link {
                    title: "Delivery",
                    url: Some("https://shop.example/delivery"),
                },
                Link {
                    title: "No page",
                    url: Some("javascript:alert(1)"),
                },
            ],
            quick_replies: vec![Choice {
                id: "1",
                label: "Thanks",
            }],
            ..Outgoing::default()
        };
        let limit = Length {
            most: 200,
            unit: Unit::Chars,
        };
        let pieces = pieces_with_choices(&message, limit, HTML);
        assert_eq!(
            pieces[0].marked,
            "It is &lt;here&gt;.\n\n<https://shop.example/delivery|Delivery>\n\n- Thanks"
        );
        let short = Length { most: 18, ..limit };
        assert_eq!(pieces_with_choices(&message, short, PLAIN).len(), 2);
    }

    proptest! {
        #[test]
        fn every_piece_is_within_the_limit_and_no_letter_is_lost(
            text in "[a-z<&> .\\n🙂äß汉]{0,400}",
            most in 40_usize..200,
        ) {
            for unit in [Unit::Chars, Unit::Utf16, Unit::Bytes] {
                let limit = Length { most, unit };
                let message = Outgoing { text: &text, ..Outgoing::default() };
                let pieces = pieces(&message, limit, HTML);
                prop_assert!(pieces.iter().all(|piece| piece.is_within(limit, HTML)));
                let letters = |text: &str| text.chars().filter(|c| !c.is_whitespace()).count();
                let sent: usize = pieces.iter().map(|piece| letters(&piece.plain)).sum();
                prop_assert_eq!(sent, letters(&text));
            }
        }
    }
}
