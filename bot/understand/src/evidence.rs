//! Which of the lines that a search found answer a question, and whether any does: one pass over the question
//! and all of them, so that each is read beside the others.

use retrieval::{Asked, Encoder, EncoderError, JointReading, Titled};

use crate::head::Head;
use crate::heads::{ANSWERED, RELEVANT, Standard};

/// Tokens of the lines that are read, at most: they are what a pass takes its time for.
const MOST_TOKENS: usize = 320;
/// The likeliest lines, by which it is told whether a question is answered.
const LIKELIEST: usize = 3;
/// How much larger similarities and log-odds are than the hundreds of states beside them, so that the
/// penalty on weights does not drown them.
const SIMILARITY_SCALE: f32 = 20.0;
const LOG_ODDS_SCALE: f32 = 3.0;
/// What a number of a standardised state is cut off at.
const OUTLIER: f32 = 6.0;

/// A line that may answer a question, as a search found it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Candidate {
    /// Number of the page that it is on.
    pub page: usize,
    /// Title of that page.
    pub title: Option<String>,
    /// Its place on the page.
    pub place: usize,
    /// The line.
    pub text: String,
    /// Its similarity to the question, up to 1.
    pub similarity: f32,
}

/// What the heads make of a question and its candidates.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Judgement {
    /// By candidate, the log-odds that it is of the answer; `None` of one that was not read.
    pub relevance: Vec<Option<f32>>,
    /// Whether the candidates answer the question; `None` without a head that tells.
    pub answered: Option<bool>,
}

/// The heads that judge, of one file.
pub(crate) struct Judges<'h> {
    /// What they see of a state.
    pub(crate) standard: &'h Standard,
    pub(crate) relevance: &'h Head,
    pub(crate) answered: Option<&'h Head>,
}

impl Judges<'_> {
    /// Reads the question with its candidates, and judges them.
    pub(crate) fn judge(
        &self,
        encoder: &Encoder,
        question: String,
        candidates: &[Candidate],
    ) -> Result<Judgement, EncoderError> {
        let gathered = Gathered::new(encoder, question, candidates)?;
        let asked = std::slice::from_ref(&gathered.asked);
        let Some(reading) = encoder.read_jointly(asked)?.pop() else {
            return Ok(Judgement::default());
        };
        let seen = Seen::new(self.standard, &gathered, &reading, candidates);
        let log_odds = |line: &SeenLine| self.relevance.log_odds(&seen.of_line(line), RELEVANT);
        let judged: Vec<f32> = seen.lines.iter().map(log_odds).collect();
        let mut relevance = vec![None; candidates.len()];
        for (line, log_odds) in seen.lines.iter().zip(&judged) {
            if let Some(own) = relevance.get_mut(line.number) {
                *own = Some(*log_odds);
            }
        }
        let is_answered = |head: &Head| head.rank(&seen.of_answer(&judged)).top() == ANSWERED;
        Ok(Judgement {
            relevance,
            answered: self.answered.map(is_answered),
        })
    }
}

/// A question and those of its candidates that are read with it.
#[derive(Debug)]
pub(crate) struct Gathered {
    pub(crate) asked: Asked,
    /// The candidates in the order in which they are read.
    numbers: Vec<usize>,
}

impl Gathered {
    /// As many of `candidates`, the most similar first, as are read at once: page by page, that of the most
    /// similar line first, and on each page in its own order.
    ///
    /// # Errors
    /// [`EncoderError::Tokens`].
    pub(crate) fn new(
        encoder: &Encoder,
        question: String,
        candidates: &[Candidate],
    ) -> Result<Self, EncoderError> {
        let tokens = |text: &str| encoder.count_tokens(&format!("\n{text}"));
        let tokens = candidates.iter().map(|candidate| tokens(&candidate.text));
        let tokens = tokens.collect::<Result<Vec<_>, _>>()?;
        Ok(Self::of(question, candidates, &tokens))
    }

    /// The same with the number of `tokens` of each candidate.
    pub(crate) fn of(question: String, candidates: &[Candidate], tokens: &[usize]) -> Self {
        let numbered = candidates.iter().zip(tokens).enumerate();
        let mut nearest: Vec<(usize, (&Candidate, &usize))> = numbered.collect();
        nearest.sort_by(|(_, (a, _)), (_, (b, _))| b.similarity.total_cmp(&a.similarity));
        let mut pages: Vec<Vec<(usize, &Candidate)>> = Vec::new();
        let mut spent = 0;
        for (number, (candidate, tokens)) in nearest {
            if spent > 0 && spent + tokens > MOST_TOKENS {
                continue;
            }
            spent += tokens;
            let is_its_page = |page: &&mut Vec<(usize, &Candidate)>| {
                page.iter().any(|(_, known)| known.page == candidate.page)
            };
            match pages.iter_mut().find(is_its_page) {
                Some(page) => page.push((number, candidate)),
                None => pages.push(vec![(number, candidate)]),
            }
        }
        for page in &mut pages {
            page.sort_by_key(|(_, candidate)| candidate.place);
        }
        let passage = |page: &Vec<(usize, &Candidate)>| Titled {
            title: page.first().and_then(|(_, line)| line.title.clone()),
            parts: page.iter().map(|(_, line)| line.text.clone()).collect(),
        };
        Self {
            asked: Asked {
                question,
                passages: pages.iter().map(passage).collect(),
            },
            numbers: pages.iter().flatten().map(|(number, _)| *number).collect(),
        }
    }

    /// The candidates that are read, by their numbers.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = usize> {
        self.numbers.iter().copied()
    }
}

/// What the heads see of a question and its candidates.
pub(crate) struct Seen {
    question: Vec<f32>,
    /// In the order in which they were read.
    pub(crate) lines: Vec<SeenLine>,
}

/// What they see of a candidate.
pub(crate) struct SeenLine {
    /// Its number.
    pub(crate) number: usize,
    state: Vec<f32>,
    similarity: f32,
    /// Candidates that are more similar.
    rank: usize,
}

impl Seen {
    pub(crate) fn new(
        standard: &Standard,
        gathered: &Gathered,
        reading: &JointReading,
        candidates: &[Candidate],
    ) -> Self {
        let mut lines: Vec<SeenLine> = Vec::new();
        for (number, state) in gathered.numbers().zip(reading.passages.iter().flatten()) {
            let (Some(candidate), Some(state)) = (candidates.get(number), state) else {
                continue;
            };
            lines.push(SeenLine {
                number,
                state: standard.of(state, OUTLIER),
                similarity: candidate.similarity,
                rank: 0,
            });
        }
        let similarity: Vec<f32> = lines.iter().map(|line| line.similarity).collect();
        for line in &mut lines {
            let nearer = similarity.iter().filter(|own| **own > line.similarity);
            line.rank = nearer.count();
        }
        Self {
            question: standard.of(&reading.question, OUTLIER),
            lines,
        }
    }

    /// What tells whether `line` is of the answer: `2 x width + 3` numbers.
    pub(crate) fn of_line(&self, line: &SeenLine) -> Vec<f32> {
        let near = [
            SIMILARITY_SCALE * line.similarity,
            SIMILARITY_SCALE * (line.similarity - self.most_similar()),
            LOG_ODDS_SCALE * (line.rank as f32).ln_1p(),
        ];
        let product = line.state.iter().zip(&self.question);
        let product = product.map(|(line, question)| line * question);
        let states = line.state.iter().copied().chain(product);
        states.chain(near).collect()
    }

    /// What tells whether the lines answer the question, `relevance` being the log-odds of each that it is of
    /// the answer: `2 x width + 5` numbers.
    pub(crate) fn of_answer(&self, relevance: &[f32]) -> Vec<f32> {
        let mut likeliest: Vec<(&SeenLine, f32)> =
            self.lines.iter().zip(relevance.iter().copied()).collect();
        likeliest.sort_by(|(_, a), (_, b)| b.total_cmp(a));
        let best = likeliest.first().copied();
        let most = best.map_or(0.0, |(_, relevance)| relevance);
        let any: f32 = relevance.iter().map(|own| (own - most).exp()).sum();
        let mut similar: Vec<f32> = self.lines.iter().map(|line| line.similarity).collect();
        similar.sort_by(|a, b| b.total_cmp(a));
        similar.truncate(LIKELIEST);
        likeliest.truncate(LIKELIEST);
        let mean = |place: usize| {
            let own = likeliest
                .iter()
                .filter_map(|(line, _)| line.state.get(place));
            own.sum::<f32>() / likeliest.len().max(1) as f32
        };
        let state = (0..self.question.len()).map(mean);
        let near = [
            LOG_ODDS_SCALE * most,
            LOG_ODDS_SCALE * (most + any.max(1.0).ln()),
            SIMILARITY_SCALE * self.most_similar(),
            SIMILARITY_SCALE * best.map_or(0.0, |(line, _)| line.similarity),
            SIMILARITY_SCALE * similar.iter().sum::<f32>() / similar.len().max(1) as f32,
        ];
        state
            .chain(self.question.iter().copied())
            .chain(near)
            .collect()
    }

    fn most_similar(&self) -> f32 {
        let similar = self.lines.iter().map(|line| line.similarity);
        similar.fold(0.0, f32::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(page: usize, place: usize, similarity: f32) -> Candidate {
        Candidate {
            page,
            title: Some(format!("page {page}")),
            place,
            text: format!("line {place}"),
            similarity,
        }
    }

    fn candidates() -> Vec<Candidate> {
        vec![
            candidate(0, 0, 0.2),
            candidate(1, 1, 0.5),
            candidate(0, 2, 0.9),
            candidate(1, 0, 0.4),
        ]
    }

    #[test]
    fn pages_are_read_from_the_most_similar_line_on_in_their_own_order() {
        let read = |tokens| {
            let gathered = Gathered::of("why".into(), &candidates(), &[tokens; 4]);
            (gathered.asked.passages.len(), gathered.numbers)
        };
        assert_eq!(read(80), (2, vec![0, 2, 3, 1]));
        assert_eq!(read(100), (2, vec![2, 3, 1]));
        assert_eq!(read(1000), (1, vec![2]), "one is always read");
    }

    fn head(name: &str, other: &str, weights: Vec<f32>) -> Head {
        let width = weights.len();
        let zeros = vec![0.0; width];
        Head {
            labels: vec![name.into(), other.into()],
            weights: [weights, zeros].concat(),
            bias: vec![0.0, 0.0],
            width,
            temperature: 1.0,
            kind: crate::head::Kind::OneOf,
        }
    }

    #[test]
    fn heads_see_states_beside_the_question_and_similarity() {
        let candidates = candidates();
        let gathered = Gathered::of("why".into(), &candidates, &[100; 4]);
        let reading = JointReading {
            question: vec![2.0],
            // The last line is behind what the model reads.
            passages: vec![vec![Some(vec![1.0])], vec![Some(vec![-1.0]), None]],
        };
        let standard = Standard::over([[-1.0].as_slice(), &[1.0]].into_iter());
        let seen = Seen::new(&standard, &gathered, &reading, &candidates);
        assert_eq!(seen.lines.len(), 2);
        let [near, far] = [0, 1].map(|line| seen.of_line(&seen.lines[line]));
        assert_eq!(near, [1.0, 2.0, 18.0, 0.0, 0.0]);
        assert_eq!(far[..2], [-1.0, -2.0]);
        assert!(far[2] < near[2] && far[3] < 0.0 && far[4] > 0.0);
        let product = head("relevant", "irrelevant", vec![0.0, 1.0, 0.0, 0.0, 0.0]);
        assert_eq!(product.log_odds(&near, RELEVANT), 2.0);
        assert_eq!(product.log_odds(&far, RELEVANT), -2.0);
        let of_answer = seen.of_answer(&[2.0, -2.0]);
        assert_eq!(of_answer.len(), 2 + 5);
        assert_eq!(of_answer[2], LOG_ODDS_SCALE * 2.0);
    }
}
