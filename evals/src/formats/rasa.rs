//! Rasa's test files: test stories (`stories:`, Rasa 2 and 3, with an intent for each message) and
//! end-to-end tests (`test_cases:`, Rasa Pro). Entities that are annotated in a message are taken for
//! the words that they annotate; what a bot of Rasa's said or did is passed over.
//!
//! Source: the pages "Testing Your Assistant" and "End-to-End Testing" of Rasa's documentation.

use serde::Deserialize;

use crate::dialogue::{Dialogue, Expect, Turn};

#[derive(Debug, Deserialize)]
struct File {
    #[serde(default)]
    stories: Vec<Story>,
    #[serde(default)]
    test_cases: Vec<Story>,
}

#[derive(Debug, Deserialize)]
struct Story {
    #[serde(alias = "story", alias = "test_case")]
    name: String,
    #[serde(default)]
    steps: Vec<Step>,
}

#[derive(Debug, Deserialize)]
struct Step {
    #[serde(default)]
    user: Option<String>,
    #[serde(default)]
    intent: Option<String>,
}

/// The customers' sides of the tests; a step of the bot's has no message and is left out.
pub(super) fn dialogues(text: &str) -> Result<Vec<Dialogue>, String> {
    let file: File = serde_yaml_ng::from_str(text).map_err(|error| error.to_string())?;
    let stories = file.stories.into_iter().chain(file.test_cases);
    Ok(stories.map(converted).collect())
}

fn converted(story: Story) -> Dialogue {
    let turn = |step: Step| {
        let user = without_annotations(step.user?.trim());
        // A button's payload (`/greet`) is nothing that a customer writes.
        if user.starts_with('/') {
            return None;
        }
        Some(Turn {
            user,
            expect: Expect {
                intent: step.intent,
                ..Expect::default()
            },
        })
    };
    Dialogue {
        id: story.name,
        world: String::new(),
        language: None,
        customer: None,
        tags: vec!["rasa".to_owned()],
        turns: story.steps.into_iter().filter_map(turn).collect(),
    }
}

/// `text` with `[words](entity)` and `[words]{"entity": ...}` as the words alone.
fn without_annotations(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('[') {
        plain.push_str(before);
        let annotated = after.split_once(']').and_then(|(words, after)| {
            let close = match after.chars().next()? {
                '(' => ')',
                '{' => '}',
                _ => return None,
            };
            Some((words, after.split_once(close)?.1))
        });
        match annotated {
            Some((words, after)) => {
                plain.push_str(words);
                rest = after;
            }
            None => {
                plain.push('[');
                rest = after;
            }
        }
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STORIES: &str = r#"
stories:
- story: an order is looked for
  steps:
  - user: |
      hello
    intent: greet
  - action: utter_greet
  - user: |
      where is [A-17](order){"role": "x"} from [last week]{"entity": "date", "value": "w"}?
    intent: track_order
  - slot_was_set:
    - order: A-17
- story: only a button
  steps:
  - user: /greet
    intent: greet
"#;

    const TEST_CASES: &str = r#"
fixtures:
  - premium:
      - tier: gold
test_cases:
  - test_case: money back
    fixtures: [premium]
    steps:
      - user: "I want my money back"
        assertions:
          - flow_started: refund
      - utter: utter_ask_order
      - user: "number 17"
      - bot: "Done."
"#;

    #[test]
    fn stories_are_read_with_their_intents() {
        let dialogues = dialogues(STORIES).unwrap();
        let turns = &dialogues[0].turns;
        assert_eq!(turns[0].user, "hello");
        assert_eq!(turns[0].expect.intent.as_deref(), Some("greet"));
        assert!(
            turns[1].user.starts_with("where is A-17"),
            "{}",
            turns[1].user
        );
        assert!(
            turns[1].user.ends_with("from last week?"),
            "{}",
            turns[1].user
        );
        assert!(dialogues[1].turns.is_empty());
    }

    #[test]
    fn test_cases_are_read_without_them() {
        let dialogues = dialogues(TEST_CASES).unwrap();
        let turns: Vec<&str> = dialogues[0].turns.iter().map(|t| t.user.as_str()).collect();
        assert_eq!(turns, ["I want my money back", "number 17"]);
        assert_eq!(dialogues[0].id, "money back");
    }

    #[test]
    fn what_is_no_yaml_is_told() {
        assert!(dialogues("stories: [").is_err());
        assert!(
            dialogues("stories:\n- steps: []")
                .unwrap_err()
                .contains("name")
        );
    }

    proptest! {
        #[test]
        fn text_without_brackets_stays(text in "[^\\[]*") {
            prop_assert_eq!(without_annotations(&text), text);
        }

        #[test]
        fn no_text_is_too_odd(text in "[\\[\\](){}a é]*") {
            prop_assert!(without_annotations(&text).len() <= text.len());
        }
    }
}
