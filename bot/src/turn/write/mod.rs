//! Saying it: ready words at once, the model's sentence by sentence, each past the guard first.

mod close;
mod missing;
mod speech;
mod translate;

use std::time::{Duration, Instant};

use generate::{Generator, Request, Sampling, Usage};
use guard::Withheld;

use super::decide::{Ending, Reaction};
use super::memory::Pending;
use super::plan::{Assignment, Plan, Writing};
use super::read::Question;
use super::services::Services;
use super::{Turn, TurnError, session_of};
use crate::audience::Source;
use crate::config::Generate;
use crate::desk::Focus;
use crate::facts::Fact;
use close::Said;
use speech::{Speech, Spoken};

/// Longest wait for the model, from the request to its last word.
const MOST_TIME: Duration = Duration::from_secs(90);
/// Waits this long are announced; it is also the least time that a model gets to start.
const LONG_WAIT: Duration = Duration::from_secs(5);

/// What the customer gets, and how it came about.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reply {
    /// What the bot does.
    pub(crate) reaction: Reaction,
    /// The rule that decided it.
    pub(crate) rule: &'static str,
    /// The words.
    pub(crate) text: String,
    /// What they rest on, for customers' eyes.
    pub(crate) sources: Vec<Source>,
    /// All facts that were at hand.
    pub(crate) facts: Vec<Fact>,
    /// Ids of the documents found, best first.
    pub(crate) documents: Vec<String>,
    /// What was looked up: the question, with what it goes on from.
    pub(crate) query: Option<String>,
    /// The model's sentences that did not leave, and why.
    pub(crate) withheld: Vec<(String, Withheld)>,
    /// The guard's checks that the reply's language has no words for.
    pub(crate) unchecked: Vec<&'static str>,
    /// The facts' own words that the text quotes.
    pub(crate) quoted: Option<String>,
    /// Those words in the customer's language, where the text has them so.
    pub(crate) translation: Option<String>,
    /// What the model's words cost.
    pub(crate) usage: Option<Usage>,
    /// The records that the conversation is about from now on.
    pub(crate) focus: Option<Focus>,
    /// What the bot asks in it.
    pub(crate) pending: Option<Pending>,
}

/// Carries out the plan for a question.
pub(super) async fn write(
    turn: &Turn<'_>,
    services: &Services,
    question: &Question,
    plan: Plan,
) -> Result<Reply, TurnError> {
    let assignment = match plan {
        Plan::Ready(reply) => return Ok(*reply),
        Plan::Write(assignment) => *assignment,
    };
    let Assignment {
        writing,
        apology,
        told,
        basis,
        base,
    } = assignment;
    let lead: Vec<&str> = apology.iter().chain(&told).map(String::as_str).collect();
    let lead = lead.join(" ");
    if !lead.is_empty() {
        turn.audible.piece(format!("{lead} "));
    }
    let (reply, guard, spoken, ending) = match writing {
        Some(writing) => {
            let generator = &*services.generator;
            let (reply, spoken, ending) = model_words(turn, generator, &writing, base).await;
            (reply, Some(writing.guard), spoken, ending)
        }
        None => (base, None, Spoken::default(), Ending::Finished),
    };
    let said = Said {
        lead,
        has_told: told.is_some(),
        said: spoken.said,
        held: spoken.held,
        ending,
    };
    close::close(
        turn,
        services,
        question,
        reply,
        said,
        guard.as_ref(),
        &basis,
    )
    .await
}

/// What the model has to say, past the guard, and how it ended.
async fn model_words(
    turn: &Turn<'_>,
    generator: &dyn Generator,
    writing: &Writing,
    base: Reply,
) -> (Reply, Spoken, Ending) {
    let labels = base.facts.iter().map(Fact::label).collect();
    let mut speech = Speech::new(turn.audible, &writing.guard, labels);
    let request = request(turn, writing.prompt.clone());
    let (ending, usage) = speak(turn, generator, request, &mut speech).await;
    let mut spoken = speech.end();
    if spoken.has_begun {
        turn.watch.since_start("first_token");
    }
    turn.watch.lap("generate");
    let reply = Reply {
        withheld: std::mem::take(&mut spoken.withheld),
        unchecked: writing.guard.checks_off(),
        usage,
        ..base
    };
    (reply, spoken, ending)
}

/// A request in the conversation of a turn.
fn request(turn: &Turn<'_>, prompt: Vec<generate::PromptMessage>) -> Request {
    let config = &turn.settings.config.generate;
    Request {
        deadline: Some(Instant::now() + MOST_TIME),
        stop: vec!["\n\nQuestion:".into(), "\n\nFacts:".into()],
        sampling: Sampling {
            seed: config.seed,
            temperature: config.temperature,
            ..Sampling::default()
        },
        speculate: config.speculate,
        conversation: Some(session_of(turn.opened.conversation.id)),
        ..Request::new(prompt, config.max_tokens)
    }
}

/// Has the model write, as long as the company lets customers wait for it.
async fn speak(
    turn: &Turn<'_>,
    generator: &dyn Generator,
    request: Request,
    speech: &mut Speech<'_>,
) -> (Ending, Option<Usage>) {
    let config = &turn.settings.config.generate;
    let Some(wait) = wait(generator, config) else {
        return (Ending::Failed { busy: true }, None);
    };
    if wait >= LONG_WAIT {
        turn.audible.began(Some(wait));
    }
    let begun = async {
        let mut generation = generator.generate(request).await?;
        let first = generation.next().await;
        Ok::<_, generate::GenerateError>((generation, first))
    };
    // What was expected may not have come about.
    let patience = longest_wait(config).max(LONG_WAIT);
    let ending = match tokio::time::timeout(patience, begun).await {
        Ok(Ok((mut generation, first))) => {
            let heard = speech.listen(&mut generation, first).await;
            // Also of a reply that was not read to its end.
            let usage = Some(generation.usage());
            match heard {
                Ok(ending) => return (ending, usage),
                Err(error) => return (failed(turn, &error), usage),
            }
        }
        Ok(Err(error)) => failed(turn, &error),
        Err(_) => {
            count_too_busy();
            failed(turn, &generate::GenerateError::TooLate)
        }
    };
    (ending, None)
}

fn failed(turn: &Turn<'_>, error: &generate::GenerateError) -> Ending {
    use generate::GenerateError::{Busy, TooLate};
    let conversation = turn.opened.conversation.id;
    tracing::warn!(%conversation, "no reply was written: {error}");
    Ending::Failed {
        busy: matches!(error, Busy { .. } | TooLate),
    }
}

/// How long the company lets customers wait for the first words.
fn longest_wait(config: &Generate) -> Duration {
    Duration::from_secs(config.longest_wait_seconds)
}

/// About how long the model takes to begin; `None` where that is longer than the company lets
/// customers wait.
fn wait(generator: &dyn Generator, config: &Generate) -> Option<Duration> {
    let wait = generator.wait();
    if wait > longest_wait(config) {
        count_too_busy();
        return None;
    }
    Some(wait)
}

/// A customer is not made to wait for the model.
fn count_too_busy() {
    metrics::counter!("frontdesk_too_busy_total").increment(1);
}
