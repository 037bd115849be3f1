//! The model's words on their way to the customer: cut into sentences, tidied, and past the guard.

use generate::{Chunk, Finish, GenerateError, Generation};
use guard::{Guard, Withheld};
use language::Pack;
use language::sentences::{self, Boundaries, Sentences};
use language::wording;

use super::super::audible::Audible;
use super::super::decide::Ending;

/// What the model writes when the facts do not answer.
const NO_ANSWER: &str = "NO ANSWER";
/// Sentences of the model at most: it is asked for three, and where it goes on it lists its facts.
const MOST_SENTENCES: usize = 4;

/// What a model says next.
type Heard = Result<Chunk, GenerateError>;

/// The model's words on their way to the customer.
pub(super) struct Speech<'a> {
    audible: Audible<'a>,
    guard: &'a Guard,
    boundaries: Boundaries,
    /// How the facts are introduced to the model.
    labels: Vec<String>,
    said: String,
    /// How many sentences that is.
    sentences: usize,
    /// A bare yes or no, which waits for what it rests on.
    held: String,
    withheld: Vec<(String, Withheld)>,
    has_begun: bool,
}

/// What was said in the end.
#[derive(Debug, Default)]
pub(super) struct Spoken {
    /// The sentences that passed.
    pub(super) said: String,
    /// A yes or no after which nothing came, not said yet.
    pub(super) held: String,
    /// Those that did not, and why.
    pub(super) withheld: Vec<(String, Withheld)>,
    /// Whether the model has written anything.
    pub(super) has_begun: bool,
}

impl<'a> Speech<'a> {
    pub(super) fn new(audible: Audible<'a>, guard: &'a Guard, labels: Vec<String>) -> Self {
        Self {
            audible,
            guard,
            boundaries: guard
                .pack()
                .map(Pack::boundaries)
                .cloned()
                .unwrap_or_default(),
            labels,
            said: String::new(),
            sentences: 0,
            held: String::new(),
            withheld: Vec::new(),
            has_begun: false,
        }
    }

    /// Says what a reply holds as it comes, `first` being what came of it already.
    ///
    /// # Errors
    /// What the model failed at; what was said before stands.
    pub(super) async fn listen(
        &mut self,
        generation: &mut Generation,
        first: Option<Heard>,
    ) -> Result<Ending, GenerateError> {
        let mut sentences = Sentences::new(&self.boundaries);
        let mut is_cut_off = false;
        let mut heard = first;
        while let Some(chunk) = heard {
            match chunk? {
                Chunk::Text(text) => {
                    self.has_begun = true;
                    for sentence in sentences.push(&text) {
                        if !self.say(&sentence) {
                            return Ok(Ending::NoAnswer);
                        }
                        if self.sentences >= MOST_SENTENCES {
                            return Ok(Ending::Finished);
                        }
                    }
                }
                Chunk::Done { finish, .. } => {
                    is_cut_off = matches!(finish, Finish::Length | Finish::Deadline);
                    break;
                }
            }
            heard = generation.next().await;
        }
        Ok(match sentences.finish() {
            // Its condition may be in what is missing.
            Some(last) if is_cut_off && !sentences::is_whole(&last) => Ending::Finished,
            Some(last) if !self.say(&last) => Ending::NoAnswer,
            _ => Ending::Finished,
        })
    }

    /// What was said.
    pub(super) fn end(self) -> Spoken {
        Spoken {
            said: self.said,
            held: self.held,
            withheld: self.withheld,
            has_begun: self.has_begun,
        }
    }

    /// Checks a sentence and sends it, or withholds it; `false` when the model says that it has no
    /// answer.
    fn say(&mut self, sentence: &str) -> bool {
        let bare = sentence.trim().to_uppercase().replace(['_', '-'], " ");
        let confesses = self.said.is_empty() && self.guard.confesses_ignorance(sentence);
        if bare.starts_with(NO_ANSWER) || confesses {
            return false;
        }
        let sentence = &*wording::tidy(
            wording::unlabelled(sentence, &self.labels),
            self.guard.pack(),
        );
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
                let sentence = if self.guard.is_taken_back_by(&held, sentence) {
                    sentence.to_owned()
                } else {
                    held + sentence
                };
                self.said.push_str(&sentence);
                self.sentences += 1;
                self.audible.piece(sentence);
            }
            Err(reason) => self.withheld.push((sentence.trim().to_owned(), reason)),
        }
        true
    }

    /// Whether the sentence says of another case what was withheld of one: "If you pay with a cheque,
    /// it takes 3 days. If you pay with a money order, it takes 3 days."
    fn varies_a_guess(&self, sentence: &str) -> bool {
        let consequence = |text| self.guard.consequence(text);
        let said = consequence(sentence.trim());
        let mut guesses = self
            .withheld
            .iter()
            .filter(|(_, reason)| *reason == Withheld::Unsupported);
        said.is_some() && guesses.any(|(guess, _)| consequence(guess) == said)
    }
}
