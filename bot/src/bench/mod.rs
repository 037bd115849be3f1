//! How fast replies are written: a load of customers against one generator, or several side by side.

mod peer;
mod workload;

use std::sync::Arc;
use std::time::{Duration, Instant};

use generate::{Chunk, GenerateError, Generator, Request, Usage};
use serde::Serialize;

pub(crate) use self::peer::{Peer, PeerSettings};
use self::workload::Customer;
pub(crate) use self::workload::Kind;

/// How much is asked at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Load {
    /// Customers who each wait for one reply before they ask again.
    pub(crate) clients: usize,
    /// Questions of each.
    pub(crate) turns: usize,
    /// What replies are like.
    pub(crate) kind: Kind,
    /// Longest reply, in tokens.
    pub(crate) max_tokens: usize,
}

/// How a generator is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asking {
    /// Whose customers ask: what was said to another company's is of no use.
    pub(crate) company: &'static str,
    /// Whether to guess ahead.
    pub(crate) speculate: bool,
}

/// What a load came to.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Figures {
    /// Replies.
    pub(crate) replies: usize,
    /// Seconds from the first question to the last reply, all rounds together.
    pub(crate) seconds: f64,
    /// Tokens written a second, for all customers together.
    pub(crate) tokens_per_second: f64,
    /// The same of each round.
    pub(crate) rounds: Vec<f64>,
    /// Seconds from a question to the first words, half of them and 95 of 100.
    pub(crate) first_token_p50: f64,
    /// 95 of 100.
    pub(crate) first_token_p95: f64,
    /// Seconds in the queue, 95 of 100; where it is told.
    pub(crate) queued_p95: f64,
    /// Tokens of all prompts.
    pub(crate) prompt_tokens: usize,
    /// Of those, not computed again.
    pub(crate) reused_tokens: usize,
    /// Of the prompts' tokens, those that the conversation had already: what an ideal cache reuses. First
    /// turns, which share the rules only, do not count.
    pub(crate) repeated_tokens: usize,
    /// Of those, not computed again.
    pub(crate) repeated_reused: usize,
    /// Tokens written.
    pub(crate) output_tokens: usize,
    /// Guessed ahead.
    pub(crate) drafted_tokens: usize,
    /// Of those, right.
    pub(crate) accepted_tokens: usize,
}

/// One reply, timed from outside.
struct Timed {
    usage: Usage,
    /// Tokens of its prompt that were said before in its conversation.
    repeated: usize,
    first_token: Duration,
}

/// One round of a load: every customer's questions once.
pub(crate) struct Round {
    replies: Vec<Timed>,
    time: Duration,
}

impl Round {
    fn tokens_per_second(&self) -> f64 {
        let tokens = self.replies.iter().map(|reply| reply.usage.output_tokens);
        tokens.sum::<usize>() as f64 / self.time.as_secs_f64()
    }
}

/// Puts `load`, of 64 customers at most, on `generator` once, as `asking` says. `run` tells one run's
/// customers from another's: nobody has asked before.
///
/// # Errors
/// The first error of a reply.
pub(crate) async fn run(
    generator: &Arc<dyn Generator>,
    load: Load,
    asking: Asking,
    run: usize,
) -> Result<Round, GenerateError> {
    let begun = Instant::now();
    let clients = (0..load.clients).map(|client| {
        let generator = Arc::clone(generator);
        tokio::spawn(async move {
            let seed = run * 64 + client;
            let mut customer = Customer::new(asking.company, seed, load.kind, load.max_tokens);
            let (mut replies, mut before) = (Vec::new(), 0);
            for turn in 0..load.turns {
                let (text, mut timed) = reply(&*generator, &mut customer, turn, asking).await?;
                timed.repeated = before;
                before = timed.usage.prompt_tokens + timed.usage.output_tokens;
                customer.hear(text);
                replies.push(timed);
            }
            Ok::<_, GenerateError>(replies)
        })
    });
    let mut replies = Vec::new();
    for client in clients.collect::<Vec<_>>() {
        let done = client.await.map_err(|_| GenerateError::Stopped)?;
        replies.extend(done?);
    }
    let time = begun.elapsed();
    Ok(Round { replies, time })
}

async fn reply(
    generator: &dyn Generator,
    customer: &mut Customer,
    turn: usize,
    asking: Asking,
) -> Result<(String, Timed), GenerateError> {
    let begun = Instant::now();
    let request = Request {
        speculate: asking.speculate,
        ..customer.ask(turn)
    };
    let mut generation = generator.generate(request).await?;
    let (mut text, mut first_token) = (String::new(), None);
    while let Some(chunk) = generation.next().await {
        if let Chunk::Text(piece) = chunk? {
            first_token.get_or_insert_with(|| begun.elapsed());
            text.push_str(&piece);
        }
    }
    let timed = Timed {
        usage: generation.usage(),
        repeated: 0,
        first_token: first_token.unwrap_or_else(|| begun.elapsed()),
    };
    Ok((text, timed))
}

impl Figures {
    /// Of all `rounds` together.
    pub(crate) fn of(rounds: &[Round]) -> Self {
        let replies: Vec<&Timed> = rounds.iter().flat_map(|round| &round.replies).collect();
        let seconds: f64 = rounds.iter().map(|round| round.time.as_secs_f64()).sum();
        let sum =
            |count: fn(&Usage) -> usize| replies.iter().map(|reply| count(&reply.usage)).sum();
        let output_tokens: usize = sum(|usage| usage.output_tokens);
        let first = |percent| {
            let seconds = replies.iter().map(|reply| reply.first_token.as_secs_f64());
            percentile(seconds, percent)
        };
        let queued = replies.iter().map(|reply| reply.usage.queued.as_secs_f64());
        let reused = replies
            .iter()
            .map(|reply| reply.usage.reused_tokens.min(reply.repeated));
        Self {
            replies: replies.len(),
            seconds,
            tokens_per_second: output_tokens as f64 / seconds,
            rounds: rounds.iter().map(Round::tokens_per_second).collect(),
            first_token_p50: first(50),
            first_token_p95: first(95),
            queued_p95: percentile(queued, 95),
            prompt_tokens: sum(|usage| usage.prompt_tokens),
            reused_tokens: sum(|usage| usage.reused_tokens),
            repeated_tokens: replies.iter().map(|reply| reply.repeated).sum(),
            repeated_reused: reused.sum(),
            output_tokens,
            drafted_tokens: sum(|usage| usage.drafted_tokens),
            accepted_tokens: sum(|usage| usage.accepted_tokens),
        }
    }

    /// How many times as many tokens a second as `other` wrote: the median of rounds side by side, so
    /// that who else works on this machine slows both.
    pub(crate) fn times(&self, other: &Self) -> f64 {
        let ratios = self.rounds.iter().zip(&other.rounds);
        percentile(ratios.map(|(ours, theirs)| ours / theirs), 50)
    }
}

/// By nearest rank; 0 of no values.
fn percentile(values: impl Iterator<Item = f64>, percent: usize) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let rank = (values.len() * percent).div_ceil(100);
    rank.checked_sub(1)
        .and_then(|rank| values.get(rank))
        .copied()
        .unwrap_or_default()
}

/// Megabytes of this machine's memory that process `pid` holds, this one if `None`; where the system
/// tells.
pub(crate) fn resident_megabytes(pid: Option<u32>) -> Option<f64> {
    let name = pid.map_or_else(|| "self".to_owned(), |pid| pid.to_string());
    let status = std::fs::read_to_string(format!("/proc/{name}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes * 1024.0 / 1e6)
}

#[cfg(test)]
mod tests {
    use generate::Scripted;

    use super::*;

    #[tokio::test]
    async fn every_question_is_answered_and_counted() {
        let generator: Arc<dyn Generator> = Arc::new(Scripted::replies(["It is on its way."; 12]));
        let load = Load {
            clients: 3,
            turns: 2,
            kind: Kind::Copying,
            max_tokens: 64,
        };
        let asking = Asking {
            company: "Oak & Co",
            speculate: true,
        };
        let rounds = [
            run(&generator, load, asking, 0).await.unwrap(),
            run(&generator, load, asking, 1).await.unwrap(),
        ];
        let figures = Figures::of(&rounds);
        assert_eq!((figures.replies, figures.output_tokens), (12, 60));
        assert!(figures.first_token_p50 <= figures.first_token_p95);
        assert!(figures.prompt_tokens > 12 * 150);
        assert_eq!(figures.rounds.len(), 2);
        let times = figures.times(&Figures {
            rounds: figures.rounds.iter().map(|rate| rate / 2.0).collect(),
            ..Figures::default()
        });
        assert!((times - 2.0).abs() < 1e-9, "{times}");
    }

    #[test]
    fn memory_is_told_of_this_process() {
        assert!(resident_megabytes(None).is_none_or(|megabytes| megabytes > 1.0));
        assert_eq!(resident_megabytes(Some(u32::MAX)), None);
    }
}
