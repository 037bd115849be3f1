//! Text in Slack's [marks](https://docs.slack.dev/messaging/formatting-message-text) as people read it.

/// `text` without the marks that name people, channels and pages, and without mentions of `own`, a user's id.
pub(super) fn readable(text: &str, own: Option<&str>) -> String {
    let mut read = String::new();
    let mut rest = text;
    while let Some((before, mark)) = rest.split_once('<') {
        read.push_str(before);
        let Some((mark, behind)) = mark.split_once('>') else {
            read.push('<');
            rest = mark;
            break;
        };
        rest = behind;
        if own.is_some() && user(mark) == own {
            rest = behind.trim_start_matches([' ', ',', ':']);
        } else {
            read.push_str(&words(mark));
        }
    }
    read.push_str(rest);
    let read = read.replace("&lt;", "<").replace("&gt;", ">");
    read.replace("&amp;", "&").trim().to_owned()
}

/// The user who is mentioned first.
pub(super) fn first_mention(text: &str) -> Option<&str> {
    let marks = text.split('<').skip(1);
    marks
        .filter_map(|mark| mark.split_once('>'))
        .find_map(|(mark, _)| user(mark))
}

/// Whether `text` mentions the user of that id.
pub(super) fn mentions(text: &str, id: &str) -> bool {
    let mut marks = text.split('<').skip(1);
    marks.any(|mark| {
        mark.split_once('>')
            .is_some_and(|(mark, _)| user(mark) == Some(id))
    })
}

/// The id of the user whom a mark mentions.
fn user(mark: &str) -> Option<&str> {
    let user = mark.strip_prefix('@')?;
    Some(user.split_once('|').map_or(user, |(id, _)| id))
}

/// What stands between `<` and `>`, as it is shown.
fn words(mark: &str) -> String {
    let (target, label) = match mark.split_once('|') {
        Some((target, label)) => (target, Some(label).filter(|label| !label.is_empty())),
        None => (mark, None),
    };
    let shown = label.unwrap_or_default();
    if let Some(user) = target.strip_prefix('@') {
        return format!("@{}", label.unwrap_or(user));
    }
    if let Some(channel) = target.strip_prefix('#') {
        return format!("#{}", label.unwrap_or(channel));
    }
    if let Some(special) = target.strip_prefix('!') {
        let (name, is_more) = match special.split_once('^') {
            Some((name, _)) => (name, true),
            None => (special, false),
        };
        return match label {
            Some(label) if is_more => label.to_owned(),
            _ => format!("@{name}"),
        };
    }
    let is_address = ["mailto:", "tel:"]
        .iter()
        .find_map(|scheme| target.strip_prefix(scheme));
    match (is_address, label) {
        (_, None) => is_address.unwrap_or(target).to_owned(),
        // What was typed, and made a link.
        (_, Some(label)) if target.contains(label) => label.to_owned(),
        _ => format!("{shown} ({target})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_read_as_people_see_them() {
        for (marked, read) in [
            ("Fish &amp; chips &lt;3 &amp;lt;", "Fish & chips <3 &lt;"),
            ("<@U9|ana> in <#C1|shop> and <#C2>", "@ana in #shop and #C2"),
            (
                "see <https://x.example/a?b&amp;c>",
                "see https://x.example/a?b&c",
            ),
            ("<http://x.example|x.example>", "x.example"),
            ("<https://x.example/a|this>", "this (https://x.example/a)"),
            ("<mailto:a@x.example|a@x.example>", "a@x.example"),
            (
                "<!here> <!subteam^S1|@desk> <!date^1^{date}|today>",
                "@here @desk today",
            ),
            ("<@UBOT>: where is it?", "where is it?"),
            ("Hi <@UBOT|shop>, where is it?", "Hi where is it?"),
            ("a < b", "a < b"),
        ] {
            assert_eq!(readable(marked, Some("UBOT")), read, "{marked}");
        }
        assert!(mentions("a <@U1|x>", "U1") && !mentions("a <@U12>", "U1"));
        assert_eq!(first_mention("a <#C1> <@U1|x> <@U2>"), Some("U1"));
    }
}
