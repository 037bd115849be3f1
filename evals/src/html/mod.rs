//! Reports to read in a browser: one file each, that needs nothing else.

mod classify;
mod compare;
mod facts;
mod guard;
mod plots;
mod replay;
mod retrieve;

use std::path::{Path, PathBuf};

use minijinja::Environment;
use minijinja::value::Serde;

pub use self::guard::guard;
pub use classify::{classify, classify_tags};
pub use compare::compare;
pub use facts::facts;
pub use plots::PlotError;
pub use replay::replay;
pub use retrieve::retrieve;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum HtmlError {
    /// A plot could not be drawn.
    #[error(transparent)]
    Plot(#[from] PlotError),
    /// A template failed.
    #[error("the report could not be laid out: {0}")]
    Template(#[from] minijinja::Error),
    /// The file cannot be written.
    #[error("{} cannot be written: {source}", file.display())]
    Write {
        /// The file.
        file: PathBuf,
        /// Cause.
        source: std::io::Error,
    },
}

const TEMPLATES: [(&str, &str); 9] = [
    ("base.html", include_str!("../../templates/base.html")),
    ("chat.html", include_str!("../../templates/chat.html")),
    (
        "classify.html",
        include_str!("../../templates/classify.html"),
    ),
    ("compare.html", include_str!("../../templates/compare.html")),
    ("facts.html", include_str!("../../templates/facts.html")),
    ("guard.html", include_str!("../../templates/guard.html")),
    ("replay.html", include_str!("../../templates/replay.html")),
    (
        "retrieve.html",
        include_str!("../../templates/retrieve.html"),
    ),
    ("tags.html", include_str!("../../templates/tags.html")),
];

/// A page of the template `name`.
fn render(name: &str, context: &serde_json::Value) -> Result<String, HtmlError> {
    let mut templates = Environment::new();
    for (name, template) in TEMPLATES {
        templates.add_template(name, template)?;
    }
    templates.add_filter("percent", |share: Option<f64>| {
        share.map_or_else(|| "-".to_owned(), |share| format!("{:.1} %", share * 100.0))
    });
    templates.add_filter("decimal", |number: Option<f64>| {
        number.map_or_else(|| "-".to_owned(), |number| format!("{number:.3}"))
    });
    templates.add_filter("whole", |number: Option<f64>| {
        number.map_or_else(|| "-".to_owned(), |number| format!("{number:.0}"))
    });
    Ok(templates.get_template(name)?.render(Serde(context))?)
}

/// Writes a page.
///
/// # Errors
/// [`HtmlError::Write`].
pub fn write(file: &Path, page: &str) -> Result<(), HtmlError> {
    std::fs::write(file, page).map_err(|source| HtmlError::Write {
        file: file.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::checks::Check;
    use crate::compare::{Comparison, Recording};
    use crate::played::PlayedTurn;
    use crate::summary::Summary;
    use crate::testing::{failed, passed, played};

    /// A dialogue that failed, with markup in the message, and one that passed.
    fn turns() -> Vec<PlayedTurn> {
        let mut bad = played("bad", 1);
        bad.user = "<script>alert(1)</script> & what now?".to_owned();
        bad.checks = vec![failed(Check::Facts, "not stated: 5")];
        bad.times.sentence_ms = Some(1200.0);
        if let Some(outcome) = &mut bad.outcome {
            outcome.record = json!({
                "action": "answer", "rule": "answer", "question": "what now", "documents": ["fees"],
                "facts": [{"source": "fees", "text": "It is $5.", "similarity": 0.6}],
                "withheld": [{"sentence": "It is $7.", "reason": "number", "word": "7"}],
            });
        }
        let mut good = played("good", 1);
        good.checks = vec![passed(Check::Facts)];
        vec![bad, good]
    }

    #[test]
    fn a_failing_dialogue_is_told_with_what_was_withheld_and_why() {
        let turns = turns();
        let page = replay("Replay", &Summary::of(&turns), &turns).unwrap();
        for told in ["bad <span", "not stated: 5", "It is $7.", "fees", "1.2 s"] {
            assert!(page.contains(told), "{told} is not in the page");
        }
        assert!(!page.contains("good <span"));
    }

    #[test]
    fn a_hand_over_is_told_with_its_reason() {
        let mut turns = turns();
        if let Some(outcome) = &mut turns[0].outcome {
            outcome.record["action"] = json!({"hand_over": "fraud"});
            outcome.record["withheld"][0]["reason"] = json!({"value": "7"});
        }
        let page = replay("Replay", &Summary::of(&turns), &turns).unwrap();
        assert!(page.contains("fraud") && page.contains("reason"), "{page}");
    }

    #[test]
    fn a_customers_markup_stays_text() {
        let turns = turns();
        let page = replay("Replay", &Summary::of(&turns), &turns).unwrap();
        assert!(!page.contains("<script>"));
        assert!(page.contains("&lt;script&gt;"));
    }

    #[test]
    fn a_page_loads_nothing_from_elsewhere() {
        let turns = turns();
        let page = replay("Replay", &Summary::of(&turns), &turns).unwrap();
        assert!(page.matches("<svg").count() >= 3);
        for loading in ["src=", "href=", "@import", "url("] {
            assert!(!page.contains(loading), "{loading}");
        }
    }

    #[test]
    fn what_got_worse_comes_with_both_replies() {
        let mut turns = turns();
        let recording = |turns: &[PlayedTurn]| -> Recording {
            serde_json::from_value(json!({ "turns": turns })).unwrap()
        };
        let after = recording(&turns);
        turns[0].checks = vec![passed(Check::Facts)];
        turns[0].reply = Some("It was $5 then.".to_owned());
        let comparison = Comparison::of(&recording(&turns), &after).unwrap();
        let broken = ["facts fell".to_owned()];
        let page = compare("Before and after", &comparison, &broken).unwrap();
        for told in [
            "It was $5 then.",
            "It is $5.",
            "not stated: 5",
            "facts fell",
        ] {
            assert!(page.contains(told), "{told} is not in the page");
        }
    }

    #[test]
    fn a_guards_mistakes_are_told_apart() {
        use crate::guard::{About, Case, Mistake, Report};
        use crate::summary::Tally;
        use ::guard::Withheld;

        let mistake = |says: &str, supported: bool, withheld| Mistake {
            case: Case {
                about: About::Document("returns".to_owned()),
                question: "how long may I send it back?".to_owned(),
                says: says.to_owned(),
                supported,
                kind: "by hand".to_owned(),
            },
            withheld,
        };
        let half = Tally {
            passed: 1,
            total: 2,
        };
        let report = Report {
            caught: half,
            withheld_by_mistake: half,
            by_kind: [("by hand".to_owned(), half)].into(),
            mistakes: vec![
                mistake(
                    "You have 30 days.",
                    true,
                    Some(Withheld::Value("30".to_owned())),
                ),
                mistake("It is free for everybody.", false, None),
            ],
        };
        let page = super::guard("Guard", &report).unwrap();
        let (passed, withheld) = page.split_once("True, and withheld").unwrap();
        assert!(passed.contains("free for everybody") && !withheld.contains("everybody"));
        assert!(withheld.contains("value: 30"), "{withheld}");
    }

    #[test]
    fn tokens_and_facts_come_as_a_curve() {
        use crate::budget::{Kept, Report};
        use crate::percentile::Spread;
        use crate::summary::Tally;

        let kept = |fact_chars, passed, tokens| Kept {
            fact_chars,
            kept: Tally { passed, total: 10 },
            tokens: Spread::of([tokens]),
        };
        let report = Report {
            curve: vec![kept(300, 7, 70.0), kept(600, 9, 140.0)],
            fact_chars: 600,
        };
        let page = facts("Facts", &report).unwrap();
        assert!(page.contains("90.0 %") && page.contains("<svg"));
    }

    #[test]
    fn labels_that_come_together_have_a_page() {
        use crate::classify::{ClassFigures, TagFigures, TagMistake, TagReport};

        let report = TagReport {
            figures: TagFigures::of(&[]),
            intervals: [("accuracy", [0.2, 0.4])].into(),
            milliseconds: None,
            labels: vec!["joy".to_owned()],
            per_class: vec![ClassFigures {
                label: "joy".to_owned(),
                messages: 3,
                precision: 0.5,
                recall: 0.5,
                f1: 0.5,
                recall_at_precision_98: 0.4,
            }],
            confusion: vec![[[1, 0], [1, 1]]],
            reliability: Vec::new(),
            latencies: vec![3.0],
            mistakes: vec![TagMistake {
                text: "so <b>happy</b>".to_owned(),
                missed: vec!["joy".to_owned()],
                invented: Vec::new(),
                surprise: 0.9,
            }],
        };
        let page = classify_tags("Emotions", &report).unwrap();
        assert!(page.contains("so &lt;b&gt;happy") && page.contains("0.200 to 0.400"));
    }
}
