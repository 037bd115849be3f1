//! Saying it: ready words at once, the model's sentence by sentence, each past the guard first.

use std::time::{Duration, Instant};

use generate::{Chunk, Finish, GenerateError, Generation, PromptMessage, Request, Role, Sampling};
use retrieval::sentences::{self, Sentences};
use serde::Serialize;

use super::close::{Ending, Said};
use super::compose::{Assignment, Plan};
use super::guard::{self, Guard, Withheld};
use super::wording;
use super::{Delivered, Draft, OpenTurn, TurnError, Turns, Written, outcome, session};
use crate::facts::Fact;
use crate::protocol::ServerFrame;

/// What the model writes when the facts do not answer.
const NO_ANSWER: &str = "NO ANSWER";
/// Sentences of the model at most: it is asked for three, and where it goes on it lists its facts.
const MOST_SENTENCES: usize = 4;
/// Longest wait for the model, from the request to its last word.
const MOST_TIME: Duration = Duration::from_secs(90);
/// A wait of which the customer is told; a model is given so long to begin, however little patience is set.
const LONG_WAIT: Duration = Duration::from_secs(5);

impl Turns {
    /// Carries out the plan.
    pub(super) async fn write(
        &self,
        draft: &mut Draft<'_>,
        plan: Plan,
        delivered: &Delivered,
    ) -> Result<Written, TurnError> {
        match plan {
            Plan::Ready(written) => Ok(*written),
            Plan::Write(assignment) => self.write_assignment(draft, *assignment, delivered).await,
        }
    }

    async fn write_assignment(
        &self,
        draft: &mut Draft<'_>,
        assignment: Assignment,
        delivered: &Delivered,
    ) -> Result<Written, TurnError> {
        let Assignment {
            prompt,
            guard,
            apology,
            told,
            base,
        } = assignment;
        let request = self.request(draft.open, prompt);
        let lead: Vec<&str> = apology.iter().chain(&told).map(String::as_str).collect();
        let lead = lead.join(" ");
        let mut speech = Speech {
            turns: self,
            open: draft.open,
            delivered,
            guard: &guard,
            labels: base.facts.iter().map(Fact::label).collect(),
            said: String::new(),
            sentences: 0,
            held: String::new(),
            lead: lead.clone(),
            withheld: Vec::new(),
            usage: None,
            first_token: None,
        };
        let ending = speech.speak(request).await;
        let Speech {
            said,
            held,
            withheld,
            usage,
            first_token,
            ..
        } = speech;
        if first_token.is_some() {
            draft.clock.since_start("first_token");
        }
        draft.clock.lap("generate");
        let written = Written {
            withheld,
            usage,
            ..base
        };
        let said = Said {
            lead,
            has_told: told.is_some(),
            said,
            held,
            ending,
        };
        self.close(draft, written, said, &guard).await
    }

    fn request(&self, open: &OpenTurn, prompt: Vec<PromptMessage>) -> Request {
        let config = &self.config.generate;
        Request {
            deadline: Some(Instant::now() + MOST_TIME),
            stop: vec!["\n\nQuestion:".into(), "\n\nFacts:".into()],
            sampling: Sampling {
                seed: config.seed,
                temperature: config.temperature,
                ..Sampling::default()
            },
            speculate: config.speculate,
            conversation: Some(session(open.conversation.id)),
            ..Request::new(prompt, config.max_tokens)
        }
    }

    /// How long the company lets customers wait for the first words.
    fn longest_wait(&self) -> Duration {
        Duration::from_secs(self.config.generate.longest_wait_seconds)
    }

    /// About how long the model takes to begin; `None` where that is longer than the company lets customers wait.
    fn wait(&self) -> Option<Duration> {
        let wait = self.generator.wait();
        if wait > self.longest_wait() {
            count_too_busy();
            return None;
        }
        Some(wait)
    }

    /// The messages to answer in English; `None` when the model cannot translate now.
    pub(super) async fn translate(&self, open: &OpenTurn) -> Option<String> {
        #[derive(Serialize)]
        struct TranslateContext<'a> {
            message: &'a str,
        }
        self.wait()?;
        // Alone: beside what was said before, a small model translates that.
        let context = TranslateContext {
            message: &open.text,
        };
        let content = self.prompts.render("en", "translate", &context).ok()?;
        let max_tokens = (open.text.chars().count() * 2).clamp(32, 256);
        let prompt = vec![PromptMessage {
            role: Role::User,
            content,
        }];
        let request = Request {
            max_tokens,
            stop: vec!["\n\n".into()],
            // It has nothing in common with what the conversation said: that stays as it is.
            conversation: None,
            ..self.request(open, prompt)
        };
        let mut generation = self.generator.generate(request).await.ok()?;
        let mut text = String::new();
        while let Some(chunk) = generation.next().await {
            match chunk.ok()? {
                Chunk::Text(piece) => text.push_str(&piece),
                Chunk::Done { .. } => break,
            }
        }
        outcome::count_tokens(&generation.usage());
        let text = text
            .trim()
            .trim_start_matches("Translation:")
            .trim()
            .to_owned();
        (!text.is_empty()).then_some(text)
    }
}

/// A customer is not made to wait for the model.
fn count_too_busy() {
    metrics::counter!("frontdesk_too_busy_total").increment(1);
}

/// What a model says next.
type Heard = Result<Chunk, GenerateError>;

/// The model's words on their way to the customer.
struct Speech<'a> {
    turns: &'a Turns,
    open: &'a OpenTurn,
    delivered: &'a Delivered,
    guard: &'a Guard,
    /// How the facts are introduced to the model.
    labels: Vec<String>,
    said: String,
    /// How many sentences that is.
    sentences: usize,
    /// A verdict, which waits for what it rests on.
    held: String,
    lead: String,
    withheld: Vec<(String, Withheld)>,
    usage: Option<generate::Usage>,
    first_token: Option<Instant>,
}

impl Speech<'_> {
    async fn speak(&mut self, request: Request) -> Ending {
        if !self.lead.is_empty() {
            let lead = format!("{} ", self.lead);
            self.send(&lead);
        }
        let Some(wait) = self.turns.wait() else {
            return Ending::Failed { busy: true };
        };
        if wait >= LONG_WAIT {
            let frame = ServerFrame::Typing {
                on: true,
                wait: Some(wait.as_secs()),
            };
            self.turns.hub.send(self.open.conversation.id, &frame);
        }
        let begun = async {
            let mut generation = self.turns.generator.generate(request).await?;
            let first = generation.next().await;
            Ok::<_, GenerateError>((generation, first))
        };
        // What was expected may not have come about.
        let patience = self.turns.longest_wait().max(LONG_WAIT);
        match tokio::time::timeout(patience, begun).await {
            Ok(Ok((generation, first))) => self.listen(generation, first).await,
            Ok(Err(error)) => self.failed(&error),
            Err(_) => {
                count_too_busy();
                self.failed(&GenerateError::TooLate)
            }
        }
    }

    async fn listen(&mut self, mut generation: Generation, first: Option<Heard>) -> Ending {
        let ending = self.read(&mut generation, first).await;
        // Also of a reply that was not read to its end.
        self.usage = Some(generation.usage());
        ending
    }

    async fn read(&mut self, generation: &mut Generation, first: Option<Heard>) -> Ending {
        let mut sentences = Sentences::default();
        let mut is_cut_off = false;
        let mut heard = first;
        while let Some(chunk) = heard {
            match chunk {
                Ok(Chunk::Text(text)) => {
                    self.first_token.get_or_insert_with(Instant::now);
                    for sentence in sentences.push(&text) {
                        if !self.say(&sentence) {
                            return Ending::NoAnswer;
                        }
                        if self.sentences >= MOST_SENTENCES {
                            return Ending::Finished;
                        }
                    }
                }
                Ok(Chunk::Done { finish, .. }) => {
                    is_cut_off = matches!(finish, Finish::Length | Finish::Deadline);
                    break;
                }
                Err(error) => return self.failed(&error),
            }
            heard = generation.next().await;
        }
        match sentences.finish() {
            // Its condition may be in what is missing.
            Some(last) if is_cut_off && !sentences::is_whole(&last) => Ending::Finished,
            Some(last) if !self.say(&last) => Ending::NoAnswer,
            _ => Ending::Finished,
        }
    }

    /// Checks a sentence and sends it, or withholds it; `false` when the model says that it has no
    /// answer.
    fn say(&mut self, sentence: &str) -> bool {
        if sentence
            .trim()
            .to_uppercase()
            .replace(['_', '-'], " ")
            .starts_with(NO_ANSWER)
        {
            return false;
        }
        if self.said.is_empty() && guard::confesses_ignorance(sentence) {
            return false;
        }
        let sentence = &*wording::tidy(wording::unlabelled(sentence, &self.labels));
        let is_new = self.said.is_empty() || !self.said.contains(sentence.trim());
        let checked = if self.varies_a_guess(sentence) {
            Err(Withheld::Unsupported)
        } else {
            self.guard.check(sentence)
        };
        match checked.and_then(|()| is_new.then_some(()).ok_or(Withheld::Repeats)) {
            Ok(()) if self.said.is_empty() && self.guard.is_verdict(sentence) => {
                sentence.clone_into(&mut self.held);
            }
            Ok(()) => {
                let held = std::mem::take(&mut self.held);
                let sentence = if Guard::is_taken_back_by(&held, sentence) {
                    sentence.to_owned()
                } else {
                    held + sentence
                };
                self.said.push_str(&sentence);
                self.sentences += 1;
                self.send(&sentence);
            }
            Err(reason) => self.withheld.push((sentence.trim().to_owned(), reason)),
        }
        true
    }

    /// Whether the sentence says of another case what was withheld of one: "If you pay with a cheque,
    /// it takes 3 days. If you pay with a money order, it takes 3 days."
    fn varies_a_guess(&self, sentence: &str) -> bool {
        let said = guard::consequence(sentence.trim());
        let mut guesses = self
            .withheld
            .iter()
            .filter(|(_, reason)| *reason == Withheld::Unsupported);
        said.is_some() && guesses.any(|(guess, _)| guard::consequence(guess) == said)
    }

    fn send(&self, text: &str) {
        self.delivered.set();
        let turn = self.open.turn.to_string();
        let frame = ServerFrame::Delta {
            turn,
            text: text.to_owned(),
        };
        self.turns.hub.send(self.open.conversation.id, &frame);
    }

    fn failed(&self, error: &GenerateError) -> Ending {
        let busy = matches!(error, GenerateError::Busy { .. } | GenerateError::TooLate);
        tracing::warn!(conversation = %self.open.conversation.id, "no reply was written: {error}");
        Ending::Failed { busy }
    }
}
