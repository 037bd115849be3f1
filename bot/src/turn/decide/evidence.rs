//! The second table, with what records, catalogue and pages have to say to a question; and the
//! third, for a reply that was not written.

use super::{Decision, Reaction, RefusalReason};
use crate::desk::Declined;

/// What was found on a question.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Evidence {
    /// Why the desk tells nothing.
    pub declined: Option<Declined>,
    /// Whether records or the catalogue have something to say.
    pub records: bool,
    /// What the search gave; `None` before it, and where records answer the whole question.
    pub searched: Option<Searched>,
}

/// What the search gave.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Searched {
    /// Similarity of the most similar passage or block, up to 1.
    pub similarity: f32,
    /// Similarity below which nothing is known about the question.
    pub floor: f32,
    /// Whether the lines found were judged to answer; `None` where nobody judged them.
    pub answered: Option<bool>,
    /// How the catalogue fits a wish, where the message has one.
    pub wish: Option<WishFit>,
    /// Whether the message is plainly none of the company's business.
    pub off_topic: bool,
}

/// How the catalogue fits a wish for something to buy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WishFit {
    /// Some products fit it better than any page answers it.
    Fits,
    /// It asks for goods in so many words, none fits, and no page answers it: what the pages say of
    /// other things would be told as if it were of goods.
    NothingFits,
}

/// A line of the second table.
struct Rule {
    name: &'static str,
    applies: fn(&Evidence) -> bool,
    reaction: Reaction,
}

impl Evidence {
    /// Whether the search found nothing on a question that no record answers.
    fn knows_nothing(&self) -> bool {
        let found_nothing = |searched: Searched| {
            searched.similarity < searched.floor && searched.answered != Some(true)
        };
        !self.records && self.searched.is_some_and(found_nothing)
    }

    fn has_wish(&self, fit: WishFit) -> bool {
        !self.records && self.searched.and_then(|searched| searched.wish) == Some(fit)
    }

    /// Whether products are suggested.
    pub(crate) fn suggests(&self) -> bool {
        self.has_wish(WishFit::Fits)
    }
}

const RULES: &[Rule] = &[
    Rule {
        name: "an order of somebody else",
        applies: |e| e.declined == Some(Declined::NotYourOrder),
        reaction: Reaction::Refuse(RefusalReason::NotYourOrder),
    },
    Rule {
        name: "an order of nobody signed in",
        applies: |e| e.declined == Some(Declined::SignInFirst),
        reaction: Reaction::Refuse(RefusalReason::SignIn),
    },
    Rule {
        name: "a wish that products fit",
        applies: Evidence::suggests,
        reaction: Reaction::Answer,
    },
    Rule {
        name: "a wish that nothing fits",
        applies: |e| e.has_wish(WishFit::NothingFits),
        reaction: Reaction::NoAnswer,
    },
    Rule {
        name: "none of the company's business",
        applies: |e| e.knows_nothing() && e.searched.is_some_and(|searched| searched.off_topic),
        reaction: Reaction::OffTopic,
    },
    Rule {
        name: "nothing is known",
        applies: Evidence::knows_nothing,
        reaction: Reaction::NoAnswer,
    },
];

/// The reaction to a question by what was found, `asked` being that to the message.
pub(crate) fn on_evidence(evidence: &Evidence, asked: Decision) -> Decision {
    let applying = RULES.iter().find(|rule| (rule.applies)(evidence));
    applying.map_or(asked, |rule| Decision {
        reaction: rule.reaction,
        rule: rule.name,
    })
}

/// How the model's part of a reply ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It wrote to the end.
    Finished,
    /// The facts do not answer, in its judgement.
    NoAnswer,
    /// It could not write.
    Failed {
        /// Because too many wait for it.
        busy: bool,
    },
}

/// What the pages' own words, in place of the model's, say to the question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quotes {
    /// Nothing.
    Nothing,
    /// They are on its subject.
    Perhaps,
    /// They are near enough to answer it.
    Answer,
}

/// The reaction where the model gave nothing that may be said, and the pages' words stand in its place.
pub(crate) fn on_ending(ending: Ending, quotes: Quotes) -> Decision {
    let (reaction, rule) = match (quotes, ending) {
        (Quotes::Answer, _) => (Reaction::Answer, "the pages answer"),
        (Quotes::Nothing, Ending::Failed { busy: true }) => (Reaction::Busy, "too many are asking"),
        (Quotes::Nothing | Quotes::Perhaps, _) => {
            (Reaction::NoAnswer, "nothing to say was written")
        }
    };
    Decision { reaction, rule }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKED: Decision = Decision {
        reaction: Reaction::Answer,
        rule: "a question",
    };

    fn searched(similarity: f32) -> Evidence {
        Evidence {
            declined: None,
            records: false,
            searched: Some(Searched {
                similarity,
                floor: 0.3,
                answered: None,
                wish: None,
                off_topic: false,
            }),
        }
    }

    fn with(similarity: f32, change: impl Fn(&mut Searched)) -> Evidence {
        let mut evidence = searched(similarity);
        evidence.searched.as_mut().map(change);
        evidence
    }

    #[test]
    fn a_question_that_passages_answer_is_answered() {
        assert_eq!(on_evidence(&searched(0.6), ASKED), ASKED);
    }

    #[test]
    fn records_answer_whatever_the_pages_say() {
        let evidence = Evidence {
            records: true,
            ..searched(0.0)
        };
        assert_eq!(on_evidence(&evidence, ASKED), ASKED);
        let unsearched = Evidence {
            searched: None,
            ..evidence
        };
        assert_eq!(on_evidence(&unsearched, ASKED), ASKED);
    }

    #[test]
    fn orders_of_others_and_of_strangers_are_refused() {
        for (declined, reason) in [
            (Declined::NotYourOrder, RefusalReason::NotYourOrder),
            (Declined::SignInFirst, RefusalReason::SignIn),
        ] {
            let evidence = Evidence {
                declined: Some(declined),
                records: false,
                searched: None,
            };
            let reaction = on_evidence(&evidence, ASKED).reaction;
            assert_eq!(reaction, Reaction::Refuse(reason));
        }
    }

    #[test]
    fn what_nobody_knows_is_said_to_be_unknown_or_out_of_place() {
        let decision = on_evidence(&searched(0.2), ASKED);
        assert_eq!(
            (decision.reaction, decision.rule),
            (Reaction::NoAnswer, "nothing is known")
        );
        let foreign = with(0.2, |searched| searched.off_topic = true);
        assert_eq!(on_evidence(&foreign, ASKED).reaction, Reaction::OffTopic);
        let judged = with(0.2, |searched| searched.answered = Some(true));
        assert_eq!(on_evidence(&judged, ASKED), ASKED);
        let known = with(0.6, |searched| searched.off_topic = true);
        assert_eq!(on_evidence(&known, ASKED).reaction, Reaction::Answer);
    }

    #[test]
    fn a_wish_gets_products_or_an_honest_no() {
        let fits = with(0.2, |searched| searched.wish = Some(WishFit::Fits));
        assert!(fits.suggests());
        assert_eq!(on_evidence(&fits, ASKED).reaction, Reaction::Answer);
        let none = with(0.5, |searched| searched.wish = Some(WishFit::NothingFits));
        assert_eq!(on_evidence(&none, ASKED).rule, "a wish that nothing fits");
        let of_own = Evidence {
            records: true,
            ..none
        };
        assert_eq!(on_evidence(&of_own, ASKED), ASKED);
    }

    #[test]
    fn a_reply_that_was_not_written_is_owned_up_to() {
        let busy = Ending::Failed { busy: true };
        assert_eq!(on_ending(busy, Quotes::Nothing).reaction, Reaction::Busy);
        assert_eq!(
            on_ending(busy, Quotes::Perhaps).reaction,
            Reaction::NoAnswer
        );
        assert_eq!(on_ending(busy, Quotes::Answer).reaction, Reaction::Answer);
        for ending in [
            Ending::Finished,
            Ending::NoAnswer,
            Ending::Failed { busy: false },
        ] {
            assert_eq!(
                on_ending(ending, Quotes::Nothing).reaction,
                Reaction::NoAnswer
            );
        }
    }
}
