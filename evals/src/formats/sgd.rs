//! The Schema-Guided Dialogue set (Rastogi et al., 2020): English, an act and its slots for every
//! turn. What services found becomes documents; a turn is a question about one where the system's
//! next words offer it, or say more of it.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;

use super::{Things, thing_id};
use crate::dialogue::{self, Expect, Turn};

#[derive(Debug, Deserialize)]
pub(crate) struct Dialogue {
    dialogue_id: String,
    turns: Vec<SgdTurn>,
}

#[derive(Debug, Deserialize)]
struct SgdTurn {
    speaker: Speaker,
    utterance: String,
    #[serde(default)]
    frames: Vec<Frame>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum Speaker {
    User,
    System,
}

#[derive(Debug, Deserialize)]
struct Frame {
    service: String,
    #[serde(default)]
    actions: Vec<Action>,
    #[serde(default)]
    service_results: Vec<BTreeMap<String, String>>,
}

#[derive(Debug, Deserialize)]
struct Action {
    act: String,
    #[serde(default)]
    slot: String,
    #[serde(default)]
    values: Vec<String>,
}

/// The customers' sides of the dialogues.
pub(super) fn dialogues(dialogues: &[Dialogue]) -> Vec<dialogue::Dialogue> {
    dialogues.iter().map(Dialogue::converted).collect()
}

/// Notes everything that the services found.
pub(super) fn collect(dialogues: &[Dialogue], things: &mut Things) {
    things.language = "en";
    let turns = dialogues.iter().flat_map(|dialogue| &dialogue.turns);
    for frame in turns.flat_map(|turn| &turn.frames) {
        for result in &frame.service_results {
            let name = result.iter().find(|(slot, _)| is_name(slot));
            let Some((_, name)) = name else {
                continue;
            };
            for (slot, value) in result {
                things.note(&frame.service, name, &slot.replace('_', " "), value);
            }
        }
    }
}

/// Whether a slot says what a thing is called; flights and bus rides have no such slot.
fn is_name(slot: &str) -> bool {
    slot.ends_with("_name") || slot.ends_with("title")
}

impl Dialogue {
    fn converted(&self) -> dialogue::Dialogue {
        let mut offered: HashMap<&str, String> = HashMap::new();
        let mut turns = Vec::new();
        for (at, turn) in self.turns.iter().enumerate() {
            if turn.speaker != Speaker::User {
                continue;
            }
            let answer = self
                .turns
                .get(at + 1)
                .filter(|t| t.speaker == Speaker::System);
            let asks = turn.asks();
            let document = answer.and_then(|answer| answer.speaks_of(&mut offered));
            let document = document.filter(|_| asks);
            turns.push(Turn {
                user: turn.utterance.clone(),
                expect: Expect {
                    intent: turn.intent(),
                    documents: document.map(|id| vec![id]),
                    ..Expect::default()
                },
            });
        }
        dialogue::Dialogue {
            id: self.dialogue_id.clone(),
            world: "sgd".to_owned(),
            language: Some("en".to_owned()),
            customer: None,
            tags: Vec::new(),
            turns,
        }
    }
}

impl SgdTurn {
    /// What the customer does, where it is one thing: an intent of the schema's own, or one of the
    /// acts that every conversation has.
    fn intent(&self) -> Option<String> {
        let actions = || self.frames.iter().flat_map(|frame| &frame.actions);
        let stated = actions().find(|action| action.act == "INFORM_INTENT");
        if let Some(intent) = stated.and_then(|action| action.values.first()) {
            return Some(intent.clone());
        }
        let mut acts: Vec<&str> = actions().map(|action| action.act.as_str()).collect();
        acts.dedup();
        let intent = match acts[..] {
            ["THANK_YOU"] => "thanks",
            ["GOODBYE"] => "goodbye",
            ["AFFIRM"] | ["AFFIRM_INTENT"] => "affirm",
            ["NEGATE"] | ["NEGATE_INTENT"] => "deny",
            _ => return None,
        };
        Some(intent.to_owned())
    }

    /// Whether these words of the customer's are a question, and not only consent or thanks.
    fn asks(&self) -> bool {
        let mut actions = self.frames.iter().flat_map(|frame| &frame.actions);
        let asking = ["INFORM", "INFORM_INTENT", "REQUEST", "REQUEST_ALTS"];
        actions.any(|action| asking.contains(&action.act.as_str()))
    }

    /// The document that these words of the system are from: of what they offer, or of what was
    /// offered last where they only say more.
    fn speaks_of<'d>(&'d self, offered: &mut HashMap<&'d str, String>) -> Option<String> {
        self.frames.iter().find_map(|frame| {
            let offers = frame.actions.iter().filter(|action| action.act == "OFFER");
            let mut names = offers.filter(|action| is_name(&action.slot));
            if let Some(name) = names.find_map(|action| action.values.first()) {
                let id = thing_id(&frame.service, name);
                offered.insert(&frame.service, id.clone());
                return Some(id);
            }
            let says_more = frame.actions.iter().any(|action| action.act == "INFORM");
            says_more.then(|| offered.get(frame.service.as_str()).cloned())?
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn action(act: &str, slot: &str, value: &str) -> serde_json::Value {
        json!({"act": act, "slot": slot, "values": [value]})
    }

    fn sample() -> Vec<Dialogue> {
        let turn = |speaker: &str, text: &str, frame: serde_json::Value| json!({"speaker": speaker, "utterance": text, "frames": [frame]});
        let frame = |actions: Vec<serde_json::Value>, results: serde_json::Value| json!({"service": "Food", "actions": actions, "service_results": results});
        let found = json!([{"restaurant_name": "Blue Door", "phone_number": "555-0101"}]);
        let dialogue = json!([{"dialogue_id": "1_0", "services": ["Food"], "turns": [
            turn("USER", "Find me a place to eat", frame(vec![action("INFORM_INTENT", "intent", "FindFood")], json!([]))),
            turn("SYSTEM", "How about Blue Door?", frame(vec![action("OFFER", "restaurant_name", "Blue Door")], found)),
            turn("USER", "What is their number?", frame(vec![action("REQUEST", "phone_number", "")], json!([]))),
            turn("SYSTEM", "555-0101.", frame(vec![action("INFORM", "phone_number", "555-0101")], json!([]))),
            turn("USER", "Yes, please", frame(vec![action("AFFIRM", "", "")], json!([]))),
            turn("SYSTEM", "So Blue Door?", frame(vec![action("OFFER", "restaurant_name", "Blue Door")], json!([]))),
            turn("USER", "Thanks!", frame(vec![action("THANK_YOU", "", "")], json!([]))),
            turn("SYSTEM", "Anything else?", frame(vec![action("REQ_MORE", "", "")], json!([]))),
            turn("USER", "Thanks, bye", frame(vec![action("THANK_YOU", "", ""), action("GOODBYE", "", "")], json!([]))),
        ]}]);
        serde_json::from_value(dialogue).unwrap()
    }

    #[test]
    fn turns_know_their_intents_and_documents() {
        let dialogues = dialogues(&sample());
        let turns = dialogues[0].turns.iter();
        let found: Vec<_> = turns
            .map(|turn| {
                let documents = turn.expect.documents.as_deref().unwrap_or_default();
                (
                    turn.expect.intent.as_deref(),
                    documents.first().map(String::as_str),
                )
            })
            .collect();
        assert_eq!(
            found,
            [
                (Some("FindFood"), Some("Food/Blue Door")),
                (None, Some("Food/Blue Door")),
                // Consent asks for nothing, whatever is offered next.
                (Some("affirm"), None),
                (Some("thanks"), None),
                (None, None),
            ]
        );
    }

    #[test]
    fn what_was_found_becomes_documents() {
        let mut things = Things::default();
        collect(&sample(), &mut things);
        let documents = things.documents();
        assert_eq!(documents.len(), 1);
        assert_eq!(documents[0].id.0, "Food/Blue Door");
        assert!(documents[0].content.contains("phone number: 555-0101"));
    }
}
