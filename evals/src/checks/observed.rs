//! What is judged, and the judgement of each check.

use crm::{ConversationState, Outcome};

use super::{Check, Finding, missing_facts};
use crate::dialogue::Expect;
use crate::{outcome, phrasing, wording};

/// Documents looked at for an expected one: what a customer's answer can rest on.
const TOP_DOCUMENTS: usize = 5;

/// What became of a turn.
#[derive(Clone, Copy, Debug)]
pub struct Observed<'a> {
    /// The reply as delivered; `None` where none came.
    pub reply: Option<&'a str>,
    /// Whether the message was not sent because a person had taken over before.
    pub silent: bool,
    /// Whether what the server writes down can be read at all.
    pub recorded: bool,
    /// What the server wrote down.
    pub outcome: Option<&'a Outcome>,
    /// Who answers after the turn; `None` if unknown.
    pub state: Option<ConversationState>,
}

impl Observed<'_> {
    /// What `check` finds; `None` if `expect` does not ask for it.
    pub(super) fn find(&self, check: Check, expect: &Expect) -> Option<Finding> {
        match check {
            Check::Intent => expect.intent.as_ref().map(|intent| self.intent(intent)),
            Check::Sentiment => expect
                .sentiment
                .map(|feeling| self.sentiment(&feeling.to_string())),
            Check::Documents => expect.documents.as_ref().map(|ids| self.documents(ids)),
            Check::Facts => expect.facts.as_ref().map(|facts| self.facts(facts)),
            Check::Forbid => expect.forbid.as_ref().map(|wordings| self.forbid(wordings)),
            Check::Answerable => {
                (expect.answerable == Some(false)).then(|| self.no_answer(expect.forbidden()))
            }
            Check::Handoff => expect.handoff.map(|handoff| self.handoff(handoff)),
            Check::Refuse => {
                (expect.refuse == Some(true)).then(|| self.refusal(expect.forbidden()))
            }
        }
    }

    fn intent(&self, expected: &str) -> Finding {
        self.understood(|outcome| {
            let same = outcome.intent == expected
                || expected == "out_of_scope" && is_small_talk(&outcome.intent);
            passed_or(same, || format!("{}, not {expected}", outcome.intent))
        })
    }

    fn sentiment(&self, expected: &str) -> Finding {
        self.understood(|outcome| {
            let same = outcome.sentiment == expected;
            passed_or(same, || format!("{}, not {expected}", outcome.sentiment))
        })
    }

    fn documents(&self, expected: &[String]) -> Finding {
        let Some(outcome) = self.outcome else {
            return self.unrecorded("nothing was retrieved");
        };
        let retrieved = outcome::documents(outcome);
        let top = retrieved.get(..TOP_DOCUMENTS).unwrap_or(&retrieved);
        let found = expected.iter().any(|id| top.contains(&id.as_str()));
        passed_or(found, || format!("none of {expected:?} among {top:?}"))
    }

    fn facts(&self, facts: &[Vec<String>]) -> Finding {
        let Some(reply) = self.reply else {
            return self.absent("there is no reply");
        };
        let missing = missing_facts(facts, &[reply]);
        passed_or(missing.is_empty(), || {
            format!("not stated: {}", missing.join(", "))
        })
    }

    /// A turn without a reply, passed on to a person, says nothing forbidden.
    fn forbid(&self, wordings: &[String]) -> Finding {
        if self.reply.is_none() && !self.handed_over_now() {
            return self.absent("there is no reply");
        }
        let said = self.forbidden(wordings);
        passed_or(said.is_none(), || {
            format!("says {:?}", said.unwrap_or_default())
        })
    }

    fn no_answer(&self, forbid: &[String]) -> Finding {
        let refrains = matches!(
            self.action(),
            "no_answer" | "hand_over" | "refuse" | "off_topic"
        ) || self.reply.is_some_and(phrasing::does_not_know);
        self.withheld(refrains, forbid, "answers what it cannot know")
    }

    fn refusal(&self, forbid: &[String]) -> Finding {
        let declines = matches!(self.action(), "refuse" | "hand_over")
            || self.reply.is_some_and(phrasing::declines);
        self.withheld(declines, forbid, "does not decline")
    }

    fn handoff(&self, expected: bool) -> Finding {
        let Some(state) = self.state else {
            return self.absent("the state is unknown");
        };
        let handed_over = state == ConversationState::Human || self.action() == "hand_over";
        passed_or(handed_over == expected, || {
            format!(
                "{} over (state {state})",
                if handed_over { "handed" } else { "not handed" }
            )
        })
    }

    /// Judges what the server understood, where it saw the message at all.
    fn understood(&self, judge: impl FnOnce(&Outcome) -> Finding) -> Finding {
        match self.outcome {
            Some(outcome) => judge(outcome),
            None if self.silent => Finding::NotMeasured,
            None => self.unrecorded("there is no outcome"),
        }
    }

    fn withheld(&self, refrains: bool, forbid: &[String], otherwise: &str) -> Finding {
        if self.reply.is_none() && !self.handed_over_now() {
            return self.absent("there is no reply");
        }
        match self.forbidden(forbid) {
            Some(said) => Finding::Failed {
                reason: format!("says {said:?}"),
            },
            None => passed_or(refrains, || {
                format!("{otherwise} (action {})", self.action())
            }),
        }
    }

    fn forbidden<'b>(&self, wordings: &'b [String]) -> Option<&'b str> {
        let reply = self.reply.unwrap_or_default();
        wordings
            .iter()
            .find(|wording| wording::occurs(wording, reply))
            .map(String::as_str)
    }

    fn action(&self) -> &str {
        self.outcome
            .map(|outcome| outcome.action.as_str())
            .unwrap_or_default()
    }

    /// Whether this very turn went to a person.
    fn handed_over_now(&self) -> bool {
        let went = if self.recorded {
            self.action() == "hand_over"
        } else {
            self.state == Some(ConversationState::Human)
        };
        !self.silent && went
    }

    fn unrecorded(&self, reason: &str) -> Finding {
        if self.recorded {
            self.absent(reason)
        } else {
            Finding::NotMeasured
        }
    }

    fn absent(&self, reason: &str) -> Finding {
        let why = if self.silent {
            "silent since the hand-over"
        } else {
            reason
        };
        Finding::Failed {
            reason: why.to_owned(),
        }
    }
}

impl Expect {
    fn forbidden(&self) -> &[String] {
        self.forbid.as_deref().unwrap_or_default()
    }
}

/// Intents of ours that the labels of dialogues do not have: to them these messages are outside.
fn is_small_talk(intent: &str) -> bool {
    matches!(
        intent,
        "greeting" | "thanks" | "goodbye" | "affirm" | "deny"
    )
}

fn passed_or(passed: bool, reason: impl FnOnce() -> String) -> Finding {
    if passed {
        Finding::Passed
    } else {
        Finding::Failed { reason: reason() }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::checks::{Verdict, judge};
    use crate::testing::outcome;

    fn expect(json: serde_json::Value) -> Expect {
        serde_json::from_value(json).unwrap()
    }

    fn replied<'a>(reply: &'a str, outcome: &'a Outcome) -> Observed<'a> {
        let state = Some(ConversationState::Bot);
        Observed {
            recorded: true,
            reply: Some(reply),
            silent: false,
            outcome: Some(outcome),
            state,
        }
    }

    /// Whether the only check of `expected` passes.
    fn passes(expected: serde_json::Value, observed: &Observed<'_>) -> bool {
        let verdicts = judge(&expect(expected), observed);
        let [verdict] = verdicts.as_slice() else {
            panic!("one check is expected: {verdicts:?}")
        };
        verdict.finding == Finding::Passed
    }

    #[test]
    fn an_absent_key_checks_nothing() {
        let outcome = outcome("complaint", "negative", "answer");
        assert_eq!(
            judge(&Expect::default(), &replied("anything", &outcome)),
            []
        );
        let nothing = expect(json!({"answerable": true, "refuse": false}));
        assert_eq!(judge(&nothing, &replied("anything", &outcome)), []);
    }

    #[test]
    fn intents_are_equal_or_small_talk_out_of_scope() {
        for (expected, seen, passed) in [
            ("track_order", "track_order", true),
            ("track_order", "track_refund", false),
            ("out_of_scope", "out_of_scope", true),
            ("out_of_scope", "greeting", true),
            ("out_of_scope", "deny", true),
            ("out_of_scope", "product_question", false),
            ("out_of_scope", "general_question", false),
            ("track_order", "greeting", false),
        ] {
            let outcome = outcome(seen, "neutral", "answer");
            let passes = passes(json!({"intent": expected}), &replied("", &outcome));
            assert_eq!(passes, passed, "{seen} for {expected}");
        }
    }

    #[test]
    fn sentiments_are_equal() {
        let outcome = outcome("complaint", "negative", "answer");
        assert!(passes(
            json!({"sentiment": "negative"}),
            &replied("", &outcome)
        ));
        assert!(!passes(
            json!({"sentiment": "neutral"}),
            &replied("", &outcome)
        ));
    }

    #[test]
    fn one_document_among_the_first_five_is_enough() {
        let mut outcome = outcome("complaint", "neutral", "answer");
        outcome.record = json!({"documents": ["1", "2", "3", "4", "5", "6"]});
        assert!(passes(
            json!({"documents": ["x", "5"]}),
            &replied("", &outcome)
        ));
        assert!(!passes(json!({"documents": ["6"]}), &replied("", &outcome)));
        outcome.record = json!({"documents": ["1"]});
        assert!(passes(json!({"documents": ["1"]}), &replied("", &outcome)));
    }

    #[test]
    fn every_fact_needs_one_of_its_wordings() {
        let outcome = outcome("complaint", "neutral", "answer");
        let facts = json!({"facts": [["$25", "25 dollars"], ["60 days", "60-day"]]});
        assert!(passes(
            facts.clone(),
            &replied("25 dollars within 60 days", &outcome)
        ));
        let verdicts = judge(
            &expect(facts),
            &replied("It is $250 for 60-day accounts", &outcome),
        );
        let reason = "not stated: $25".to_owned();
        assert_eq!(
            verdicts,
            [Verdict {
                check: Check::Facts,
                finding: Finding::Failed { reason }
            }]
        );
    }

    #[test]
    fn an_unanswerable_question_is_left_open() {
        for (action, reply, passed) in [
            ("no_answer", "I'm sorry.", true),
            ("off_topic", "That's outside what I can help with.", true),
            ("hand_over", "A colleague will answer.", true),
            ("answer", "I don’t have that information.", true),
            ("answer", "It takes 30 days.", false),
            ("no_answer", "I'm not sure, but usually 14 days.", false),
        ] {
            let outcome = outcome("check_refund_policy", "neutral", action);
            let verdicts = judge(
                &expect(json!({"answerable": false, "forbid": ["14 days"]})),
                &replied(reply, &outcome),
            );
            let finding = verdicts
                .iter()
                .find(|verdict| verdict.check == Check::Answerable);
            let passes = finding.map(|verdict| verdict.finding == Finding::Passed);
            assert_eq!(passes, Some(passed), "{action}: {reply}");
        }
    }

    #[test]
    fn what_must_be_declined_is_declined_without_forbidden_words() {
        for (action, reply, passed) in [
            ("refuse", "Sorry.", true),
            ("hand_over", "A colleague will look into it.", true),
            (
                "answer",
                "It is processed and can no longer be cancelled.",
                true,
            ),
            ("answer", "抱歉，我无法取消。", true),
            ("answer", "Done!", false),
            ("refuse", "I can't, but it has been cancelled.", false),
        ] {
            let outcome = outcome("cancel_order", "neutral", action);
            let verdicts = judge(
                &expect(json!({"refuse": true, "forbid": ["has been cancelled"]})),
                &replied(reply, &outcome),
            );
            let finding = verdicts
                .iter()
                .find(|verdict| verdict.check == Check::Refuse);
            let passes = finding.map(|verdict| verdict.finding == Finding::Passed);
            assert_eq!(passes, Some(passed), "{action}: {reply}");
        }
    }

    #[test]
    fn a_hand_over_is_the_action_or_the_state() {
        for (action, state, handed_over) in [
            ("hand_over", ConversationState::Human, true),
            ("answer", ConversationState::Human, true),
            ("hand_over", ConversationState::Bot, true),
            ("answer", ConversationState::Bot, false),
            ("goodbye", ConversationState::Closed, false),
        ] {
            let outcome = outcome("contact_human_agent", "neutral", action);
            let observed = Observed {
                state: Some(state),
                ..replied("", &outcome)
            };
            assert_eq!(
                passes(json!({"handoff": true}), &observed),
                handed_over,
                "{action} {state}"
            );
            assert_eq!(passes(json!({"handoff": false}), &observed), !handed_over);
        }
    }

    #[test]
    fn a_silent_turn_fails_all_but_what_was_not_measured() {
        let state = Some(ConversationState::Human);
        let silent = Observed {
            reply: None,
            silent: true,
            recorded: true,
            outcome: None,
            state,
        };
        let expected = json!({
            "intent": "complaint", "sentiment": "neutral", "documents": ["d"], "facts": [["1"]],
            "forbid": ["2"], "answerable": false, "handoff": true, "refuse": true
        });
        for Verdict { check, finding } in judge(&expect(expected), &silent) {
            match check {
                Check::Intent | Check::Sentiment => assert_eq!(finding, Finding::NotMeasured),
                Check::Handoff => assert_eq!(finding, Finding::Passed),
                Check::Documents
                | Check::Facts
                | Check::Forbid
                | Check::Answerable
                | Check::Refuse => {
                    let reason = "silent since the hand-over".to_owned();
                    assert_eq!(finding, Finding::Failed { reason }, "{check:?}");
                }
            }
        }
    }

    #[test]
    fn a_turn_that_never_ended_fails_every_check() {
        let lost = Observed {
            reply: None,
            silent: false,
            recorded: true,
            outcome: None,
            state: None,
        };
        let expected = json!({
            "intent": "complaint", "sentiment": "neutral", "documents": ["d"], "facts": [["1"]],
            "forbid": ["2"], "answerable": false, "handoff": false, "refuse": true
        });
        let verdicts = judge(&expect(expected), &lost);
        assert_eq!(verdicts.len(), Check::ALL.len());
        for verdict in verdicts {
            assert!(
                matches!(verdict.finding, Finding::Failed { .. }),
                "{verdict:?}"
            );
        }
    }

    #[test]
    fn a_hand_over_without_a_word_says_nothing_wrong() {
        let outcome = outcome("contact_human_agent", "neutral", "hand_over");
        let state = Some(ConversationState::Human);
        let observed = Observed {
            reply: None,
            silent: false,
            recorded: true,
            outcome: Some(&outcome),
            state,
        };
        assert!(passes(json!({"forbid": ["no"]}), &observed));
        assert!(!passes(json!({"facts": [["yes"]]}), &observed));
    }
}
