//! The prompt: instructions and conversation first, so that their keys and values are computed once;
//! then the facts and the question of this turn.

use crm::Message;
use generate::{PromptMessage, Role};
use guard::{Grounds, Guard, Passage};
use jiff::civil::Date;
use serde::Serialize;

use super::super::decide::Decision;
use super::super::read::Question;
use super::super::write::Reply;
use super::super::{Turn, TurnError, history};
use super::basis::Basis;
use super::passages::Found;
use super::{Assignment, Writing, asked, ready, select};
use crate::config::Answers;
use crate::desk::{Completeness, Finding};
use crate::facts::Fact;
use crate::prompts::PromptError;
use crate::voice::Voice;

/// What the template of a turn may name.
#[derive(Debug, Serialize)]
struct TurnContext<'a> {
    facts: &'a [String],
    told: Option<&'a str>,
    message: &'a str,
    /// What a long message comes down to.
    asked: Option<String>,
    language: &'a str,
}

/// The prefix of every prompt of a conversation: the instructions, and what was said before.
pub(in crate::turn) fn prefix(
    voice: &Voice,
    today: Date,
    language: &str,
    history: &[Message],
) -> Result<Vec<PromptMessage>, PromptError> {
    let mut prompt = vec![voice.system_prompt(language, today)?];
    prompt.extend(history::prompt(history));
    Ok(prompt)
}

/// What a reply to a question is written from: what the desk and the search found.
pub(super) fn assign(
    turn: &Turn<'_>,
    question: &Question,
    decision: Decision,
    finding: Option<Finding>,
    (found, basis): (Found, Basis),
) -> Result<Assignment, TurnError> {
    let settled = finding.as_ref().is_some_and(|finding| finding.settled);
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
    let (writing, passages) = match turn.settings.config.generate.answers {
        Answers::Extractive => (None, found.facts),
        Answers::Generative => {
            let passages = basis.passages(turn.settings.config.retrieval.fact_chars);
            let titled = |fact: &Fact| format!("{}: {}", fact.label(), fact.prose());
            // What the customer has been told is not told to the model as a fact to repeat.
            let background = records.iter().filter(|_| told.is_none()).cloned();
            let texts: Vec<String> = background.chain(passages.iter().map(titled)).collect();
            let grounds = (
                passages.as_slice(),
                records.as_slice(),
                found.query.as_str(),
            );
            let writing = Writing {
                prompt: prompt(turn, question, &texts, told.as_deref())?,
                guard: guard(turn, question, grounds, told.as_deref(), settled),
            };
            (Some(writing), passages)
        }
    };
    facts.extend(passages);
    Ok(Assignment {
        writing,
        apology: ready::apology(turn)?,
        told,
        basis,
        base: Reply {
            reaction: decision.reaction,
            rule: decision.rule,
            query: Some(found.query),
            sources: select::sources(&facts),
            facts,
            documents: found.documents,
            focus,
            ..Reply::default()
        },
    })
}

/// What checks the reply: against everything that it may rest on.
fn guard(
    turn: &Turn<'_>,
    question: &Question,
    (passages, records, query): (&[Fact], &[String], &str),
    told: Option<&str>,
    closed: bool,
) -> Guard {
    let said = turn.opened.history.iter().map(|message| &message.text);
    let conversation: Vec<String> = said
        .chain([&turn.opened.text, &question.text])
        .cloned()
        .collect();
    let passages: Vec<Passage<'_>> = passages
        .iter()
        .map(|fact| Passage {
            title: &fact.title,
            text: &fact.text,
        })
        .collect();
    let prompts = turn.settings.voice.prompts();
    Guard::new(&Grounds {
        packs: prompts.packs(),
        language: turn.language(),
        facts_language: prompts.fallback(),
        instructions: &turn.settings.instructions,
        passages: &passages,
        records,
        conversation: &conversation,
        told: told.unwrap_or_default(),
        closed,
        question: query,
        company: &turn.settings.config.company.name,
    })
}

fn prompt(
    turn: &Turn<'_>,
    question: &Question,
    facts: &[String],
    told: Option<&str>,
) -> Result<Vec<PromptMessage>, TurnError> {
    let (voice, code) = (&turn.settings.voice, turn.language());
    let today = turn.settings.clock.today();
    let mut prompt = prefix(voice, today, code, &turn.opened.history)?;
    let message = &question.text;
    let context = TurnContext {
        facts,
        told,
        message,
        asked: asked::asked(message, voice.prompts().own_pack()),
        language: voice.prompts().language_name(code),
    };
    let content = voice.render(code, "turn", &context)?;
    prompt.push(PromptMessage {
        role: Role::User,
        content,
    });
    Ok(prompt)
}

fn join(facts: &[Fact]) -> String {
    let texts: Vec<&str> = facts.iter().map(|fact| fact.text.as_str()).collect();
    texts.join(" ")
}
