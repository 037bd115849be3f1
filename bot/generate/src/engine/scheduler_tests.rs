//! The scheduler over a backend that counts: after token n it writes n + 1, and `z` ends a reply.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use tokio::sync::Semaphore;

use super::super::reply::Reply;
use super::super::shelf::KeptId;
use super::super::slots::Reuse;
use super::*;
use crate::{Chunk, Finish, Generation, Usage};

/// What the backend does instead of computing a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    NoRoom,
    Failure,
    Panic,
    /// A state is lost.
    NotKept,
}

/// Holds what llama.cpp would, and asserts that nothing is computed out of place.
struct Counting {
    cache: HashMap<SlotId, Vec<LlamaToken>>,
    kept: HashMap<KeptId, Vec<LlamaToken>>,
    batch: Vec<Entry>,
    trouble: mpsc::Receiver<Trouble>,
    /// States cannot be kept.
    forgets: bool,
    /// Computes only while this is set: lets a test arrange what happens meanwhile.
    open: Arc<AtomicBool>,
}

impl Backend for Counting {
    type Sampler = ();

    fn sampler(&self, _: &Sampling) -> Result<Self::Sampler, GenerateError> {
        Ok(())
    }

    fn edit(&mut self, edit: Edit) -> Result<(), ComputeError> {
        match edit {
            Edit::Truncate { slot, len } => self.cache.entry(slot).or_default().truncate(len),
            Edit::Share { from, to, len } => {
                let shared = self.cache[&from][..len].to_vec();
                assert_eq!(self.cache.insert(to, shared).unwrap_or_default(), []);
            }
            Edit::Keep { slot, kept } => {
                if self.forgets {
                    return Err(ComputeError::NotKept);
                }
                let state = self.cache[&slot].clone();
                assert!(self.kept.insert(kept, state).is_none(), "kept twice");
            }
            Edit::Restore { kept, slot } => {
                let state = self.kept.remove(&kept).ok_or(ComputeError::NotKept)?;
                assert_eq!(self.cache.insert(slot, state).unwrap_or_default(), []);
            }
            Edit::Forget { kept } => {
                self.kept.remove(&kept);
            }
        }
        Ok(())
    }

    fn compute(&mut self, batch: &[Entry]) -> Result<(), ComputeError> {
        while !self.open.load(Ordering::Acquire) {
            std::thread::yield_now();
        }
        match self.trouble.try_recv() {
            Ok(Trouble::NoRoom) => return Err(ComputeError::NoRoom),
            Ok(Trouble::Failure) => return Err(ComputeError::Failed("it broke".to_owned())),
            Ok(Trouble::Panic) => panic!("the backend panics, as this test wants"),
            Ok(Trouble::NotKept) => {
                self.kept.clear();
                self.forgets = !self.forgets;
            }
            Err(_) => {}
        }
        for entry in batch {
            let sequence = self.cache.entry(entry.slot).or_default();
            assert_eq!(entry.position, sequence.len(), "{entry:?} leaves a gap");
            sequence.push(entry.token);
        }
        self.batch = batch.to_vec();
        Ok(())
    }

    fn sample(&mut self, index: usize, (): &mut ()) -> (LlamaToken, Option<Vec<u8>>) {
        let byte = u8::try_from(self.batch[index].token.0).unwrap() + 1;
        (
            LlamaToken::new(byte.into()),
            (byte != b'z').then(|| vec![byte]),
        )
    }
}

/// A scheduler on its thread.
struct Bench {
    jobs: Option<mpsc::Sender<Job>>,
    trouble: mpsc::Sender<Trouble>,
    open: Arc<AtomicBool>,
    board: Arc<Board>,
    thread: Option<JoinHandle<()>>,
}

impl Bench {
    fn new(slots: u16, cells: usize) -> Self {
        let (jobs, jobs_end) = mpsc::channel();
        let (trouble, trouble_end) = mpsc::channel();
        let open = Arc::new(AtomicBool::new(true));
        let backend = Counting {
            cache: HashMap::new(),
            kept: HashMap::new(),
            batch: Vec::new(),
            trouble: trouble_end,
            forgets: false,
            open: Arc::clone(&open),
        };
        let micros = [(1, 40), (2, 40), (4, 60), (100, 900)];
        let tuning = Tuning {
            pace: Pace::new(micros.map(|(size, micros)| (size, Duration::from_micros(micros)))),
            largest_step: 64,
            shelving: Shelving {
                tokens: 200,
                least: 4,
                bytes: 1,
                cost: 0.1,
            },
        };
        let slots = Slots::new(slots, cells, Reuse::Prefixes, tuning.shelving);
        let board = Arc::new(Board::default());
        let scheduler = Scheduler::new(backend, slots, tuning, jobs_end, Arc::clone(&board));
        let thread = Some(std::thread::spawn(move || scheduler.run()));
        Self {
            jobs: Some(jobs),
            trouble,
            open,
            board,
            thread,
        }
    }

    /// Holds the backend before its next batch until [`Bench::release`].
    fn hold(&self) {
        self.open.store(false, Ordering::Release);
    }

    fn release(&self) {
        self.open.store(true, Ordering::Release);
    }

    fn ask(&self, prompt: &str, max_tokens: usize, stop: &[&str]) -> Generation {
        self.ask_in(None, None, prompt, max_tokens, stop)
    }

    fn ask_in(
        &self,
        conversation: Option<u64>,
        deadline: Option<Instant>,
        prompt: &str,
        max_tokens: usize,
        stop: &[&str],
    ) -> Generation {
        let place = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
        let (reply, generation) = Reply::open(max_tokens, place);
        let job = Job {
            prompt: prompt
                .bytes()
                .map(|byte| LlamaToken::new(byte.into()))
                .collect(),
            max_tokens,
            stop: stop.iter().map(|stop| stop.to_string()).collect(),
            sampling: Sampling::default(),
            conversation,
            deadline,
            speculate: true,
            queued_at: Instant::now(),
            reply,
        };
        self.jobs.as_ref().unwrap().send(job).unwrap();
        generation
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.release();
        self.jobs = None;
        // A test that wants a panic has seen what followed from it.
        self.thread.take().unwrap().join().ok();
    }
}

async fn read(mut generation: Generation) -> Result<(String, Finish, Usage), GenerateError> {
    let mut text = String::new();
    loop {
        match generation.next().await.expect("a reply has an end")? {
            Chunk::Text(more) => text.push_str(&more),
            Chunk::Done { finish, usage } => {
                assert!(generation.next().await.is_none());
                return Ok((text, finish, usage));
            }
        }
    }
}

#[tokio::test]
async fn replies_do_not_disturb_each_other() {
    let bench = Bench::new(3, 2000);
    let long = "a".repeat(700);
    let prompts = [
        ("ab", "cdefg"),
        (long.as_str(), "bcdef"),
        ("ax", "y"),
        ("am", "nopqr"),
    ];
    let replies = prompts.map(|(prompt, expected)| (bench.ask(prompt, 5, &[]), expected));
    for (reply, expected) in replies {
        assert_eq!(read(reply).await.unwrap().0, expected);
    }
}

#[tokio::test]
async fn a_reply_ends_at_its_end_token_at_a_stop_string_or_at_its_length() {
    let bench = Bench::new(1, 100);
    let (text, finish, usage) = read(bench.ask("v", 9, &[])).await.unwrap();
    assert_eq!(
        (text.as_str(), finish, usage.output_tokens),
        ("wxy", Finish::Stop, 3)
    );
    let (text, finish, _) = read(bench.ask("a", 9, &["ef"])).await.unwrap();
    assert_eq!((text.as_str(), finish), ("bcd", Finish::Stop));
    let (text, finish, usage) = read(bench.ask("a", 4, &["ef"])).await.unwrap();
    assert_eq!(
        (text.as_str(), finish, usage.output_tokens),
        ("bcde", Finish::Length, 4)
    );
}

#[tokio::test]
async fn what_is_warmed_is_not_computed_again() {
    let bench = Bench::new(2, 100);
    let (text, _, usage) = read(bench.ask("rules", 0, &[])).await.unwrap();
    assert_eq!(
        (text.as_str(), usage.prompt_tokens, usage.reused_tokens),
        ("", 5, 0)
    );
    assert_eq!(
        read(bench.ask("rules", 0, &[]))
            .await
            .unwrap()
            .2
            .reused_tokens,
        5
    );
    let replies = [bench.ask("rules A", 3, &[]), bench.ask("rules B", 3, &[])];
    for reply in replies {
        assert!(read(reply).await.unwrap().2.reused_tokens >= 5);
    }
}

#[tokio::test]
async fn an_abandoned_reply_gives_its_slot_to_the_next() {
    let bench = Bench::new(1, 40);
    bench.hold();
    let abandoned = bench.ask("a", 20, &[]);
    while bench.board.running() == 0 {
        std::thread::yield_now();
    }
    drop(abandoned);
    let kept = bench.ask("b", 20, &[]);
    bench.release();
    assert_eq!(read(kept).await.unwrap().0, "cdefghijklmnopqrstuv");
}

#[tokio::test]
async fn what_the_prompt_says_is_guessed_and_verified() {
    let bench = Bench::new(1, 200);
    let (text, _, usage) = read(bench.ask("we say abcdefghijkl. Now ab", 9, &[]))
        .await
        .unwrap();
    assert_eq!(text, "cdefghijk");
    assert!(usage.accepted_tokens >= 4, "{usage:?}");
    assert_eq!(usage.output_tokens, 9);
    // "b" is followed by "X" here, and by "c" in what is written.
    let (text, _, usage) = read(bench.ask("aabXX aabXX aab", 5, &[])).await.unwrap();
    assert_eq!(text, "cdefg");
    assert_eq!(usage.accepted_tokens, 0);
}

#[tokio::test]
async fn a_stop_string_in_a_guess_ends_the_reply() {
    let bench = Bench::new(1, 200);
    let (text, finish, usage) = read(bench.ask("abcdefghijkl. ab", 9, &["ef"]))
        .await
        .unwrap();
    assert_eq!((text.as_str(), finish), ("cd", Finish::Stop));
    assert!(usage.output_tokens <= 4, "{usage:?}");
    assert_eq!(read(bench.ask("q", 3, &[])).await.unwrap().0, "rst");
}

#[tokio::test]
async fn a_conversation_without_a_slot_is_brought_back() {
    let bench = Bench::new(1, 100);
    read(bench.ask("rules and my question", 2, &[]))
        .await
        .unwrap();
    read(bench.ask("something else of another", 2, &[]))
        .await
        .unwrap();
    let (text, _, usage) = read(bench.ask("rules and my question, again", 2, &[]))
        .await
        .unwrap();
    assert_eq!(text, "op");
    assert_eq!((usage.reused_tokens, usage.restored_tokens), (21, 21));
}

#[tokio::test]
async fn a_state_that_is_lost_is_computed_again() {
    let bench = Bench::new(1, 100);
    read(bench.ask("rules and my question", 2, &[]))
        .await
        .unwrap();
    read(bench.ask("something else of another", 2, &[]))
        .await
        .unwrap();
    bench.trouble.send(Trouble::NotKept).unwrap();
    read(bench.ask("something else of another", 2, &[]))
        .await
        .unwrap();
    let (text, _, usage) = read(bench.ask("rules and my question, again", 2, &[]))
        .await
        .unwrap();
    assert_eq!(text, "op");
    assert_eq!((usage.reused_tokens, usage.restored_tokens), (0, 0));
}

#[tokio::test]
async fn what_comes_too_late_is_told_so() {
    let bench = Bench::new(1, 100);
    bench.hold();
    let running = bench.ask("a", 9, &[]);
    let soon = Instant::now() + Duration::from_millis(20);
    let late = bench.ask_in(None, Some(soon), "b", 9, &[]);
    std::thread::sleep(Duration::from_millis(30));
    bench.release();
    read(running).await.unwrap();
    assert!(matches!(read(late).await, Err(GenerateError::TooLate)));
}

#[tokio::test]
async fn a_reply_ends_at_its_deadline() {
    let bench = Bench::new(1, 100);
    bench.hold();
    let soon = Instant::now() + Duration::from_millis(100);
    let reply = bench.ask_in(None, Some(soon), "a", 20, &[]);
    while bench.board.running() == 0 {
        std::thread::yield_now();
    }
    std::thread::sleep(Duration::from_millis(120));
    bench.release();
    let (text, finish, _) = read(reply).await.unwrap();
    assert_eq!((text.as_str(), finish), ("b", Finish::Deadline));
}

#[tokio::test]
async fn who_asks_for_much_does_not_hold_up_the_others() {
    let bench = Bench::new(1, 100);
    bench.hold();
    let many: Vec<_> = (0..20)
        .map(|_| bench.ask_in(Some(1), None, "a", 9, &[]))
        .collect();
    let one = bench.ask_in(Some(2), None, "m", 9, &[]);
    bench.release();
    let (_, _, one) = read(one).await.unwrap();
    let mut earlier = 0;
    for reply in many {
        earlier += usize::from(read(reply).await.unwrap().2.queued < one.queued);
    }
    assert!(earlier <= 2, "{earlier} of 20 came before it");
}

/// What the model writes after `prompt`.
fn successors(prompt: &str, max_tokens: usize) -> String {
    let last = *prompt.as_bytes().last().unwrap();
    (last + 1..b'z').take(max_tokens).map(char::from).collect()
}

/// Thousands of requests come, are given up, come too late, and meet a full cache and lost states:
/// every one that is waited for has its end, and what is written is right.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_is_lost_whatever_happens() {
    for seed in 0..4 {
        let mut random = fastrand::Rng::with_seed(seed);
        let bench = Bench::new(random.u16(1..6), random.usize(100..300));
        let mut waited = Vec::new();
        for _ in 0..1500 {
            let start: String = "abcdefgh abcdefgh bcd"
                .chars()
                .take(random.usize(0..22))
                .collect();
            let tail: String = (0..random.usize(1..20))
                .map(|_| random.char('a'..='y'))
                .collect();
            let (prompt, max_tokens) = (start + &tail, random.usize(0..24));
            let conversation = random.bool().then(|| random.u64(0..8));
            let deadline = (random.u8(0..10) == 0)
                .then(|| Instant::now() + Duration::from_micros(random.u64(0..3000)));
            let reply = bench.ask_in(conversation, deadline, &prompt, max_tokens, &[]);
            match random.u8(0..40) {
                0 => bench.trouble.send(Trouble::NoRoom).unwrap(),
                1 => bench.trouble.send(Trouble::NotKept).unwrap(),
                2..10 => drop(reply),
                10..14 => {
                    let mut reply = reply;
                    reply.next().await;
                }
                _ => waited.push((reply, successors(&prompt, max_tokens))),
            }
        }
        for (reply, expected) in waited {
            let ended = tokio::time::timeout(Duration::from_secs(20), read(reply)).await;
            match ended.expect("every reply has its end") {
                Ok((text, Finish::Deadline, _)) => assert!(expected.starts_with(&text)),
                Ok((text, _, _)) => assert_eq!(text, expected, "seed {seed}"),
                Err(GenerateError::TooLate | GenerateError::Backend { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!(read(bench.ask("a", 3, &[])).await.unwrap().0, "bcd");
    }
}

#[tokio::test]
async fn a_long_request_is_not_overtaken_for_ever() {
    let bench = Bench::new(2, 20);
    bench.hold();
    let running = bench.ask("a", 9, &[]);
    let long = bench.ask("bbbbbbbbbb", 9, &[]);
    let short = bench.ask("c", 9, &[]);
    bench.release();
    let (_, _, long) = read(long).await.unwrap();
    let (_, _, short) = read(short).await.unwrap();
    assert!(long.queued <= short.queued, "{long:?} before {short:?}");
    read(running).await.unwrap();
}

#[tokio::test]
async fn a_failure_is_told_to_all_who_wait() {
    let bench = Bench::new(1, 100);
    bench.hold();
    let replies = [bench.ask("a", 5, &[]), bench.ask("b", 5, &[])];
    bench.trouble.send(Trouble::Failure).unwrap();
    bench.release();
    for reply in replies {
        let error = read(reply).await.unwrap_err();
        assert!(matches!(
            error,
            GenerateError::Backend { .. } | GenerateError::Stopped
        ));
    }
}

#[tokio::test]
async fn a_panic_is_told_to_all_who_wait() {
    let bench = Bench::new(1, 100);
    bench.hold();
    let replies = [bench.ask("a", 5, &[]), bench.ask("b", 5, &[])];
    bench.trouble.send(Trouble::Panic).unwrap();
    bench.release();
    for reply in replies {
        assert!(matches!(read(reply).await, Err(GenerateError::Stopped)));
    }
}

#[tokio::test]
async fn a_full_cache_first_costs_what_is_idle() {
    let bench = Bench::new(2, 100);
    read(bench.ask("idl", 1, &[])).await.unwrap();
    bench.trouble.send(Trouble::NoRoom).unwrap();
    assert_eq!(read(bench.ask("a", 3, &[])).await.unwrap().0, "bcd");
    assert_eq!(
        read(bench.ask("idl", 1, &[]))
            .await
            .unwrap()
            .2
            .reused_tokens,
        0
    );
}

#[tokio::test]
async fn a_full_cache_then_costs_the_youngest_reply_only() {
    let bench = Bench::new(2, 100);
    bench.hold();
    let first = bench.ask("a", 3, &[]);
    let second = bench.ask("m", 3, &[]);
    bench.trouble.send(Trouble::NoRoom).unwrap();
    bench.release();
    let outcomes = [read(first).await, read(second).await];
    let failed = outcomes.iter().filter(|outcome| outcome.is_err()).count();
    assert_eq!(failed, 1, "{outcomes:?}");
    assert_eq!(
        read(bench.ask("t", 3, &[])).await.unwrap().0,
        "uvw",
        "the slot serves again"
    );
}
