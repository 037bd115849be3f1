//! Answers to choose from, as WeChat and WeCom show them: lines under a text of their own kind, `msgmenu`, which
//! is shorter than other texts.

use crate::channel::{Buttons, Choice, Outgoing};
use crate::render::{Marks, pieces, pieces_with_choices};
use crate::text::{Length, Unit};

/// Of a text.
pub(crate) const TEXT: Length = Length {
    most: 2048,
    unit: Unit::Bytes,
};

/// Of the text over a menu's choices, and of that under them.
pub(crate) const BESIDE: Length = Length {
    most: 1024,
    unit: Unit::Bytes,
};

/// Of a menu's choices. WeChat does not tell its own limits: they are taken to be WeCom's.
pub(crate) const CHOICES: Buttons = Buttons {
    most: 10,
    label: Length {
        most: 128,
        unit: Unit::Bytes,
    },
    id_bytes: 64,
};

/// What a message is sent as.
pub(crate) struct Parts {
    /// Texts.
    pub(crate) texts: Vec<String>,
    /// What comes after them.
    pub(crate) menu: Option<Menu>,
}

/// A text with choices.
pub(crate) struct Menu {
    /// What stands over the choices.
    pub(crate) head: String,
    /// Ids and labels.
    pub(crate) choices: Vec<(String, String)>,
    /// What stands under the choices: those that there was no room for.
    pub(crate) tail: Option<String>,
}

/// `message` in its parts. Only texts have marks: in a menu they would be shown.
pub(crate) fn parts(message: &Outgoing<'_>, marks: Marks) -> Parts {
    let (mut offered, mut listed): (Vec<&Choice<'_>>, Vec<&Choice<'_>>) = message
        .quick_replies
        .iter()
        .partition(|choice| (1..=CHOICES.id_bytes).contains(&choice.id.len()));
    if offered.len() > CHOICES.most {
        listed.splice(0..0, offered.split_off(CHOICES.most));
    }
    let mut pieces = pieces(message, TEXT, marks);
    let last = pieces.pop().filter(|_| !offered.is_empty());
    let Some(last) = last else {
        let pieces = pieces_with_choices(message, TEXT, marks).into_iter();
        return Parts {
            texts: pieces.map(|piece| piece.marked).collect(),
            menu: None,
        };
    };
    let mut texts: Vec<String> = pieces.into_iter().map(|piece| piece.marked).collect();
    // What the menu cannot hold is one text before it, not several: the platforms count messages.
    let head = BESIDE.split(&last.plain).pop().unwrap_or_default();
    let before = last.plain.trim_end().strip_suffix(&head);
    let before = before.unwrap_or_default().trim_end();
    texts.extend(Some(before.to_owned()).filter(|before| !before.is_empty()));
    let lines: Vec<String> = listed
        .iter()
        .map(|choice| format!("- {}", choice.label))
        .collect();
    let choices = offered.into_iter();
    let choices = choices.map(|choice| (choice.id.to_owned(), CHOICES.label.shorten(choice.label)));
    Parts {
        texts,
        menu: Some(Menu {
            head,
            choices: choices.collect(),
            tail: Some(BESIDE.shorten(&lines.join("\n"))).filter(|tail| !tail.is_empty()),
        }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::channel::Link;
    use crate::render::PLAIN;

    #[test]
    fn choices_that_find_no_room_are_listed() {
        let long = "x".repeat(65);
        let labels: Vec<String> = (0..12).map(|place| format!("Choice {place}")).collect();
        let mut quick_replies: Vec<Choice<'_>> = labels
            .iter()
            .map(|label| Choice { id: label, label })
            .collect();
        quick_replies.push(Choice {
            id: &long,
            label: "Other",
        });
        let message = Outgoing {
            text: "Which?",
            quick_replies,
            ..Outgoing::default()
        };
        let menu = parts(&message, PLAIN).menu.unwrap();
        assert_eq!(menu.choices.len(), 10);
        assert_eq!(
            menu.tail.as_deref(),
            Some("- Choice 10\n- Choice 11\n- Other")
        );
        let wordless = Outgoing {
            text: "",
            ..message
        };
        let parts = parts(&wordless, PLAIN);
        assert!(parts.menu.is_none() && parts.texts.concat().contains("- Choice 3"));
    }

    proptest! {
        #[test]
        fn nothing_is_too_long_and_no_letter_is_lost(
            text in "(\\PC|[ \n.客👋]){0,3000}",
            label in "\\PC{0,200}",
        ) {
            let message = Outgoing {
                text: &text,
                links: vec![Link { title: "Returns", url: Some("https://shop.example/returns") }],
                quick_replies: vec![Choice { id: "1", label: &label }],
                ..Outgoing::default()
            };
            let Parts { texts, menu } = parts(&message, PLAIN);
            let menu = menu.unwrap();
            prop_assert!(BESIDE.holds(&menu.head) && !menu.head.is_empty());
            prop_assert!(CHOICES.label.holds(&menu.choices[0].1));
            prop_assert!(texts.iter().all(|text| TEXT.holds(text) && !text.is_empty()));
            let bare = |text: &str| text.split_whitespace().collect::<String>();
            let sent = format!("{}{}", texts.concat(), menu.head);
            let whole = format!("{text}Returns:https://shop.example/returns");
            prop_assert_eq!(bare(&sent), bare(&whole));
        }
    }
}
