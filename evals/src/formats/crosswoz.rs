//! CrossWOZ (Zhu et al., 2020): Chinese dialogues about sights, meals, hotels and rides in Beijing,
//! with the acts of both sides. What the system says of a place becomes its document; a turn is a
//! question about the place that the next words of the system name, or named last in that domain.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;

use super::{Things, thing_id};
use crate::dialogue::{self, Expect, Turn};

/// The slot of a place's name.
const NAME: &str = "名称";

#[derive(Debug, Deserialize)]
pub(crate) struct Dialogue {
    messages: Vec<Message>,
}

#[derive(Debug, Deserialize)]
struct Message {
    content: String,
    role: Role,
    #[serde(default)]
    dialog_act: Vec<Act>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
enum Role {
    #[serde(rename = "usr")]
    User,
    #[serde(rename = "sys")]
    System,
}

/// Act, domain, slot, value.
#[derive(Debug, Deserialize)]
struct Act(String, String, String, String);

/// The customers' sides of the dialogues.
pub(super) fn dialogues(dialogues: &BTreeMap<String, Dialogue>) -> Vec<dialogue::Dialogue> {
    let dialogues = dialogues.iter();
    dialogues
        .map(|(id, dialogue)| dialogue.converted(id))
        .collect()
}

/// Notes everything that the system says of a place.
pub(super) fn collect(dialogues: &BTreeMap<String, Dialogue>, things: &mut Things) {
    things.language = "zh";
    for dialogue in dialogues.values() {
        let mut named = HashMap::new();
        for message in dialogue.messages.iter().filter(|m| m.role == Role::System) {
            message.name_places(&mut named);
            for act in message.informs().filter(|act| act.2 != "none") {
                if let Some(name) = named.get(act.1.as_str()) {
                    things.note(&act.1, name, &act.2, &act.3);
                }
            }
        }
    }
}

impl Dialogue {
    fn converted(&self, id: &str) -> dialogue::Dialogue {
        let mut named = HashMap::new();
        let mut turns = Vec::new();
        for (at, message) in self.messages.iter().enumerate() {
            if message.role != Role::User {
                continue;
            }
            let answer = self.messages.get(at + 1).filter(|m| m.role == Role::System);
            let asks = message.dialog_act.iter().any(|act| act.0 == "Request");
            let document = answer.and_then(|answer| answer.speaks_of(&mut named));
            let document = document.filter(|_| asks);
            turns.push(Turn {
                user: message.content.clone(),
                expect: Expect {
                    intent: message.intent(),
                    documents: document.map(|id| vec![id]),
                    ..Expect::default()
                },
            });
        }
        dialogue::Dialogue {
            id: id.to_owned(),
            world: "crosswoz".to_owned(),
            language: Some("zh".to_owned()),
            customer: None,
            tags: Vec::new(),
            turns,
        }
    }
}

impl Message {
    fn informs(&self) -> impl Iterator<Item = &Act> {
        self.dialog_act.iter().filter(|act| act.0 == "Inform")
    }

    /// Notes by domain the place that is named; where several are, the first.
    fn name_places<'d>(&'d self, named: &mut HashMap<&'d str, &'d str>) {
        let mut seen = Vec::new();
        for act in self.informs().filter(|act| act.2 == NAME) {
            if !seen.contains(&act.1) {
                named.insert(&act.1, &act.3);
                seen.push(act.1.clone());
            }
        }
    }

    fn speaks_of<'d>(&'d self, named: &mut HashMap<&'d str, &'d str>) -> Option<String> {
        self.name_places(named);
        self.informs().find_map(|act| {
            let name = named.get(act.1.as_str())?;
            Some(thing_id(&act.1, name))
        })
    }

    /// What the customer does, where it is one thing: one of the acts that every conversation has, or
    /// the act and the domain.
    fn intent(&self) -> Option<String> {
        let mut acts: Vec<(&str, &str)> = self
            .dialog_act
            .iter()
            .map(|act| (act.0.as_str(), act.1.as_str()))
            .collect();
        acts.dedup();
        let [(act, domain)] = acts[..] else {
            return None;
        };
        let intent = match (act, domain) {
            ("General", "greet") => "greeting",
            ("General", "thank") => "thanks",
            ("General", "bye") => "goodbye",
            ("General", _) => return None,
            (act, domain) => return Some(format!("{act} {domain}")),
        };
        Some(intent.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sample() -> BTreeMap<String, Dialogue> {
        let dialogue = json!({"7": {"messages": [
            {"role": "usr", "content": "推荐一家餐馆", "dialog_act": [["Request", "餐馆", "名称", ""]]},
            {"role": "sys", "content": "推荐蓝门。", "dialog_act": [["Inform", "餐馆", "名称", "蓝门"]]},
            {"role": "usr", "content": "电话是多少？", "dialog_act": [["Request", "餐馆", "电话", ""]]},
            {"role": "sys", "content": "010-555。", "dialog_act": [["Inform", "餐馆", "电话", "010-555"]]},
            {"role": "usr", "content": "谢谢", "dialog_act": [["General", "thank", "none", "none"]]},
            {"role": "sys", "content": "不客气", "dialog_act": [["General", "welcome", "none", "none"]]},
        ]}});
        serde_json::from_value(dialogue).unwrap()
    }

    #[test]
    fn a_follow_up_is_about_the_place_named_before() {
        let dialogues = dialogues(&sample());
        let turns = dialogues[0].turns.iter();
        let found: Vec<_> = turns
            .map(|turn| (turn.expect.intent.clone(), turn.expect.documents.clone()))
            .collect();
        let place = Some(vec!["餐馆/蓝门".to_owned()]);
        assert_eq!(found[0], (Some("Request 餐馆".to_owned()), place.clone()));
        assert_eq!(found[1].1, place);
        assert_eq!(found[2], (Some("thanks".to_owned()), None));
    }

    #[test]
    fn what_is_said_of_a_place_becomes_its_document() {
        let mut things = Things::default();
        collect(&sample(), &mut things);
        let documents = things.documents();
        assert_eq!(documents[0].title, "蓝门");
        assert!(documents[0].content.contains("电话: 010-555"));
        assert_eq!(documents[0].language.as_deref(), Some("zh"));
    }
}
