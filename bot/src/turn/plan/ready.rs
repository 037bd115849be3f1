//! Words that are ready: for reactions that need no facts, and for what the desk found.

use understand::act;

use super::super::decide::{Decision, HandOverReason, Reaction};
use super::super::memory::Pending;
use super::super::write::Reply;
use super::super::{Turn, TurnError};
use crate::desk::Finding;

/// Probability from which somebody is taken to be upset.
const UPSET: f32 = 0.85;

/// The words of a reaction that needs no facts.
pub(in crate::turn) fn ready(turn: &Turn<'_>, decision: Decision) -> Result<Reply, TurnError> {
    let (voice, language, name) = (&turn.settings.voice, turn.language(), turn.opened.name());
    let say = |template| voice.say(language, template, name);
    let text = match decision.reaction {
        Reaction::Greet => say("greeting")?,
        Reaction::Thank => say("thanks")?,
        Reaction::Goodbye => say("goodbye")?,
        Reaction::About => say("about")?,
        Reaction::OffTopic => say("off_topic")?,
        Reaction::NoAnswer | Reaction::Answer => say("no_answer")?,
        Reaction::Busy => say("busy")?,
        Reaction::HandOver(reason) => voice.say_why(language, "handover", reason)?,
        Reaction::Refuse(reason) => voice.say_why(language, "refuse", reason)?,
    };
    let offers = matches!(decision.reaction, Reaction::NoAnswer | Reaction::Busy);
    Ok(Reply {
        reaction: decision.reaction,
        rule: decision.rule,
        text,
        pending: offers.then_some(Pending::OfferedPerson),
        ..Reply::default()
    })
}

/// `reply`, unless it says word for word what was said last, or has no answer once more to who asks again: it
/// did not help, and a person is offered, and in the end comes.
pub(in crate::turn) fn something_new(turn: &Turn<'_>, reply: Reply) -> Result<Reply, TurnError> {
    let opened = turn.opened;
    let asks_again = turn.reading.understanding.surely_does(act::UNHELPED)
        || opened.asked_before() == Some(opened.text.as_str());
    let is_repeated = match reply.reaction {
        Reaction::Answer => opened.answered_before() == Some(reply.text.as_str()),
        Reaction::NoAnswer => asks_again && opened.has_been_told(&reply.text),
        Reaction::Greet
        | Reaction::Thank
        | Reaction::Goodbye
        | Reaction::About
        | Reaction::OffTopic
        | Reaction::Busy
        | Reaction::HandOver(_)
        | Reaction::Refuse(_) => false,
    };
    if !is_repeated {
        return Ok(reply);
    }
    let (voice, name) = (&turn.settings.voice, opened.name());
    let text = voice.say(turn.language(), "nothing_new", name)?;
    if asks_again && opened.has_been_told(&text) {
        let person = Decision {
            reaction: Reaction::HandOver(HandOverReason::Frustrated),
            rule: "nothing helped",
        };
        return ready(turn, person);
    }
    Ok(Reply {
        reaction: Reaction::NoAnswer,
        rule: "said already",
        text,
        pending: Some(Pending::OfferedPerson),
        sources: Vec::new(),
        quoted: None,
        translation: None,
        ..reply
    })
}

/// The same, after a word of regret to somebody who is upset.
pub(super) fn with_apology(turn: &Turn<'_>, decision: Decision) -> Result<Reply, TurnError> {
    let reply = ready(turn, decision)?;
    let text = after_apology(turn, &[reply.text.as_str()])?;
    Ok(Reply { text, ..reply })
}

/// The desk's words as the whole answer.
pub(super) fn desk_reply(
    turn: &Turn<'_>,
    finding: Finding,
    decision: Decision,
) -> Result<Reply, TurnError> {
    let told: Vec<&str> = finding
        .facts
        .iter()
        .map(|fact| fact.text.as_str())
        .collect();
    Ok(Reply {
        reaction: decision.reaction,
        rule: decision.rule,
        text: after_apology(turn, &told)?,
        facts: finding.facts,
        focus: Some(finding.focus),
        ..Reply::default()
    })
}

fn after_apology(turn: &Turn<'_>, told: &[&str]) -> Result<String, TurnError> {
    let lead = apology(turn)?;
    let texts = lead.as_deref().into_iter().chain(told.iter().copied());
    Ok(texts.collect::<Vec<_>>().join(" "))
}

/// A word of regret to somebody who is upset.
pub(super) fn apology(turn: &Turn<'_>) -> Result<Option<String>, TurnError> {
    let upset = turn.reading.understanding.sentiment.probability("negative") >= UPSET;
    let say = || turn.settings.voice.say(turn.language(), "sorry", None);
    Ok(if upset { Some(say()?) } else { None })
}
