//! From an action to a plan: words that are ready, or a prompt for the model.

use crm::Message;
use generate::{PromptMessage, Role};
use serde::Serialize;

use super::calendar;
use super::decide::{self, Action, RefusalReason};
use super::guard::{Grounds, Guard};
use super::retrieve::{Excerpt, Found};
use super::{Draft, TurnError, Turns, Written, history, question};
use crate::desk::{Completeness, Declined, Desk, DeskAnswer, Enquiry, Finding};
use crate::facts::Fact;
use crate::prompts::PromptError;
use crate::protocol::ServerFrame;

/// Probability from which an intent decides which records are looked up.
pub(super) const BELIEVED: f32 = 0.4;
/// Probability from which an intent is a hint.
const LEANING: f32 = 0.25;
/// Probability from which somebody is taken to be upset.
const UPSET: f32 = 0.85;
/// How much farther from the question than a product's own description a passage beside it may be,
/// in nearness.
const BESIDE_A_PRODUCT: f32 = 0.05;
/// What is to be said.
pub(super) enum Plan {
    /// Ready words.
    Ready(Box<Written>),
    /// The model writes.
    Write(Box<Assignment>),
}

/// What the model is given, and what is done with its words.
pub(super) struct Assignment {
    pub(super) prompt: Vec<PromptMessage>,
    pub(super) guard: Guard,
    /// A word of regret, before everything else.
    pub(super) apology: Option<String>,
    /// What the records say, before the model's first word.
    pub(super) told: Option<String>,
    pub(super) base: Written,
}

/// What the small templates may name.
#[derive(Debug, Serialize)]
pub(super) struct Visitor<'a> {
    company: &'a str,
    name: Option<&'a str>,
    hours: Option<&'a str>,
    contact: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct Reason<'a, R: Serialize> {
    company: &'a str,
    reason: R,
    hours: Option<&'a str>,
    contact: Option<&'a str>,
}

impl Turns {
    pub(super) fn visitor<'a>(&'a self, name: Option<&'a str>) -> Visitor<'a> {
        let company = &self.config.company;
        Visitor {
            company: &company.name,
            name,
            hours: company.hours.as_deref(),
            contact: company.contact.as_deref(),
        }
    }

    /// The words of a hand-over or a refusal, which depend on its reason.
    pub(super) fn reasoned(
        &self,
        language: &str,
        template: &str,
        reason: impl Serialize,
    ) -> Result<String, PromptError> {
        let company = &self.config.company;
        let context = Reason {
            company: &company.name,
            reason,
            hours: company.hours.as_deref(),
            contact: company.contact.as_deref(),
        };
        self.prompts.render(language, template, &context)
    }

    /// Decides what is said: for questions, after a look at the desk and into the knowledge.
    pub(super) async fn plan(&self, draft: &mut Draft<'_>) -> Result<Plan, TurnError> {
        match draft.action {
            Action::Answer => self.plan_answer(draft).await,
            Action::Greet
            | Action::Thank
            | Action::Goodbye
            | Action::About
            | Action::OffTopic
            | Action::NoAnswer
            | Action::Busy
            | Action::HandOver(_)
            | Action::Refuse(_) => Ok(ready(self.ready(draft, draft.action)?)),
        }
    }

    /// The words of an action that needs no facts.
    pub(super) fn ready(&self, draft: &Draft<'_>, action: Action) -> Result<Written, TurnError> {
        let name = draft
            .open
            .customer
            .as_ref()
            .and_then(|customer| customer.name.as_deref());
        let language = draft.language();
        let visitor = |template| self.prompts.render(language, template, &self.visitor(name));
        let text = match action {
            Action::Greet => visitor("greeting")?,
            Action::Thank => visitor("thanks")?,
            Action::Goodbye => visitor("goodbye")?,
            Action::About => visitor("about")?,
            Action::OffTopic => visitor("off_topic")?,
            Action::NoAnswer | Action::Answer => visitor("no_answer")?,
            Action::Busy => visitor("busy")?,
            Action::HandOver(reason) => self.reasoned(language, "handover", reason)?,
            Action::Refuse(reason) => self.reasoned(language, "refuse", reason)?,
        };
        Ok(Written {
            action,
            text,
            ..Written::default()
        })
    }

    async fn plan_answer(&self, draft: &mut Draft<'_>) -> Result<Plan, TurnError> {
        let catalogue = self.catalogue.read().clone();
        let language = draft.language().to_owned();
        let desk = Desk {
            catalogue: &catalogue,
            currency: &self.config.company.currency,
            prompts: &self.prompts,
            language: &language,
        };
        let answer = desk.look_up(&enquiry(draft))?;
        draft.clock.lap("desk");
        let finding = match answer {
            DeskAnswer::Declined(declined) => {
                let reason = match declined {
                    Declined::NotYourOrder => RefusalReason::NotYourOrder,
                    Declined::SignInFirst => RefusalReason::SignIn,
                };
                let written = self.ready(draft, Action::Refuse(reason))?;
                let lead = self.apology(draft)?;
                let text = lead.into_iter().chain([written.text]);
                let text = text.collect::<Vec<_>>().join(" ");
                return Ok(ready(Written { text, ..written }));
            }
            DeskAnswer::Found(finding) if finding.completeness == Completeness::Whole => {
                return Ok(ready(self.desk_reply(draft, finding)?));
            }
            DeskAnswer::Found(finding) => Some(finding),
            DeskAnswer::Nothing => None,
        };
        let found = self.retrieve(draft).await?;
        draft.clock.lap("retrieve");
        let best = found.best_nearness();
        if finding.is_none()
            && let Some(written) = self.suggest(draft, &desk, best).await?
        {
            let documents = found.documents;
            return Ok(ready(Written {
                documents,
                ..written
            }));
        }
        if finding.is_none() && best < self.config.retrieval.floor {
            let off_topic = decide::is_off_topic(&draft.understood.understanding);
            let action = if off_topic {
                Action::OffTopic
            } else {
                Action::NoAnswer
            };
            let documents = found.documents;
            return Ok(ready(Written {
                documents,
                ..self.ready(draft, action)?
            }));
        }
        self.show_preview(draft, &found);
        let found = self.beside_products(draft, finding.as_ref(), found).await?;
        let assignment = self.assign(draft, finding, found)?;
        draft.clock.lap("compose");
        Ok(Plan::Write(Box::new(assignment)))
    }

    /// What was found, without what is farther from the question than the products named in it: what
    /// is said of other things is easily told of them.
    async fn beside_products(
        &self,
        draft: &Draft<'_>,
        finding: Option<&Finding>,
        mut found: Found,
    ) -> Result<Found, TurnError> {
        let Some(finding) = finding.filter(|finding| finding.describes_products()) else {
            return Ok(found);
        };
        let described = finding.facts.iter().map(|fact| fact.text.clone()).collect();
        let question = draft.understood.understanding.embedding.clone();
        let nearness = self.library.nearness(question, described).await?;
        let nearest = nearness.into_iter().fold(0.0, f32::max);
        found.keep_nearer_than(nearest - BESIDE_A_PRODUCT);
        Ok(found)
    }

    /// Shows the best passage at once where it is clearly right, in the customer's language.
    fn show_preview(&self, draft: &mut Draft<'_>, found: &Found) {
        if draft.understood.translated {
            return;
        }
        let Some(Excerpt { text, source }) = found.preview(&self.config.retrieval) else {
            return;
        };
        let frame = ServerFrame::Preview {
            turn: draft.open.turn.to_string(),
            text,
            sources: vec![source],
        };
        self.hub.send(draft.open.conversation.id, &frame);
        draft.clock.since_start("preview");
    }

    /// The desk's words as the whole answer.
    pub(super) fn desk_reply(
        &self,
        draft: &Draft<'_>,
        finding: Finding,
    ) -> Result<Written, TurnError> {
        let lead = self.apology(draft)?;
        let text = finding.facts.iter().map(|fact| fact.text.as_str());
        let text = lead
            .iter()
            .map(String::as_str)
            .chain(text)
            .collect::<Vec<_>>()
            .join(" ");
        Ok(Written {
            action: Action::Answer,
            text,
            facts: finding.facts,
            focus: Some(finding.focus),
            ..Written::default()
        })
    }

    /// A word of regret to somebody who is upset.
    fn apology(&self, draft: &Draft<'_>) -> Result<Option<String>, TurnError> {
        let upset = draft
            .understood
            .understanding
            .sentiment
            .probability("negative")
            >= UPSET;
        let render = || {
            self.prompts
                .render(draft.language(), "sorry", &self.visitor(None))
        };
        Ok(if upset { Some(render()?) } else { None })
    }

    fn assign(
        &self,
        draft: &Draft<'_>,
        finding: Option<Finding>,
        found: Found,
    ) -> Result<Assignment, TurnError> {
        let (told, mut facts, focus) = match finding {
            Some(finding) if finding.completeness == Completeness::Partial => (
                Some(join(&finding.facts)),
                finding.facts,
                Some(finding.focus),
            ),
            Some(finding) => (None, finding.facts, Some(finding.focus)),
            None => (None, Vec::new(), None),
        };
        let records: Vec<String> = facts.iter().map(|fact| fact.text.clone()).collect();
        let titled = |fact: &Fact| format!("{}: {}", fact.label(), fact.prose());
        let passages: Vec<String> = found.facts.iter().map(titled).collect();
        // What the customer has been told is not told to the model as a fact to repeat.
        let background = records.iter().filter(|_| told.is_none());
        let texts: Vec<String> = background.chain(&passages).cloned().collect();
        let prompt = self.prompt(draft, &texts, told.as_deref())?;
        let conversation: Vec<String> = draft
            .open
            .history
            .iter()
            .map(|message| message.text.clone())
            .chain([draft.open.text.clone(), draft.understood.english.clone()])
            .collect();
        let grounds = Grounds {
            passages: &found.facts,
            records: &records,
            conversation: &conversation,
            told: told.as_deref().unwrap_or_default(),
            question: &found.query,
            company: &self.config.company.name,
            same_language: !draft.understood.translated,
        };
        let guard = Guard::new(&grounds);
        facts.extend(found.facts);
        Ok(Assignment {
            prompt,
            guard,
            apology: self.apology(draft)?,
            told,
            base: Written {
                question: Some(found.query),
                action: Action::Answer,
                sources: super::select::sources(&facts),
                facts,
                documents: found.documents,
                focus,
                ..Written::default()
            },
        })
    }

    /// Never-changing parts first, so that their keys and values are computed once.
    fn prompt(
        &self,
        draft: &Draft<'_>,
        facts: &[String],
        told: Option<&str>,
    ) -> Result<Vec<PromptMessage>, TurnError> {
        #[derive(Serialize)]
        struct TurnContext<'a> {
            facts: &'a [String],
            told: Option<&'a str>,
            message: &'a str,
            /// What a long message comes down to.
            asked: Option<String>,
            language: &'a str,
        }
        let code = draft.language();
        let mut prompt = self.beginning(code, &draft.open.history)?;
        let message = if draft.understood.translated {
            &draft.open.text
        } else {
            &draft.understood.english
        };
        let context = TurnContext {
            facts,
            told,
            message,
            asked: question::asked(message),
            language: language_name(code),
        };
        let content = self.prompts.render(code, "turn", &context)?;
        prompt.push(PromptMessage {
            role: Role::User,
            content,
        });
        Ok(prompt)
    }

    /// What a prompt begins with: the rules, and what was said before.
    pub(super) fn beginning(
        &self,
        language: &str,
        history: &[Message],
    ) -> Result<Vec<PromptMessage>, TurnError> {
        let mut prompt = vec![self.system_prompt(language)?];
        prompt.extend(history::prompt(history));
        Ok(prompt)
    }

    /// The rules, in the templates of `language`.
    pub(crate) fn system_prompt(&self, language: &str) -> Result<PromptMessage, TurnError> {
        #[derive(Serialize)]
        struct SystemContext<'a> {
            company: &'a str,
            language: &'a str,
            today: String,
        }
        let company = &self.config.company;
        let context = SystemContext {
            company: &company.name,
            language: language_name(language),
            today: calendar::in_full(company.today()),
        };
        let content = self.prompts.render(language, "system", &context)?;
        Ok(PromptMessage {
            role: Role::System,
            content,
        })
    }
}

/// What the desk is asked.
fn enquiry<'a>(draft: &'a Draft<'_>) -> Enquiry<'a> {
    let intent = &draft.understood.understanding.intent;
    Enquiry {
        text: &draft.understood.english,
        intent: if intent.confidence() >= BELIEVED {
            intent.top()
        } else {
            ""
        },
        leaning: if intent.confidence() >= LEANING {
            intent.top()
        } else {
            ""
        },
        customer: draft.open.customer.as_ref(),
        orders: &draft.open.orders,
        focus: &draft.open.memory.focus,
    }
}

fn ready(written: Written) -> Plan {
    Plan::Ready(Box::new(written))
}

fn join(facts: &[Fact]) -> String {
    facts
        .iter()
        .map(|fact| fact.text.as_str())
        .collect::<Vec<_>>()
        .join(" ")
}

/// What the model calls a language.
pub(super) fn language_name(code: &str) -> &'static str {
    match code {
        "zh" => "中文",
        "es" => "Spanish",
        "de" => "German",
        "fr" => "French",
        "it" => "Italian",
        "pt" => "Portuguese",
        "nl" => "Dutch",
        "ja" => "Japanese",
        "ko" => "Korean",
        "ru" => "Russian",
        "ar" => "Arabic",
        "he" => "Hebrew",
        "el" => "Greek",
        "hi" => "Hindi",
        "th" => "Thai",
        _ => "English",
    }
}
