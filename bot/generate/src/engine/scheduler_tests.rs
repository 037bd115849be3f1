//! The scheduler over a backend that counts: after token n it writes n + 1, and `z` ends a reply.

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;
use std::thread::JoinHandle;
use std::time::Instant;

use tokio::sync::Semaphore;

use super::super::reply::Reply;
use super::super::slots::Reuse;
use super::*;
use crate::{Chunk, Finish, Generation, Usage};

/// What the backend does instead of computing a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    NoRoom,
    Failure,
    Panic,
}

/// Holds what llama.cpp would, and asserts that nothing is computed out of place.
struct Counting {
    cache: HashMap<SlotId, Vec<LlamaToken>>,
    batch: Vec<Entry>,
    trouble: mpsc::Receiver<Trouble>,
    /// Computes only while this is set: lets a test arrange what happens meanwhile.
    open: Arc<AtomicBool>,
}

impl Backend for Counting {
    type Sampler = ();

    fn sampler(&self, _: u32, _: f32) -> Self::Sampler {}

    fn edit(&mut self, edit: Edit) -> Result<(), ComputeError> {
        match edit {
            Edit::Truncate { slot, len } => self.cache.entry(slot).or_default().truncate(len),
            Edit::Share { from, to, len } => {
                let shared = self.cache[&from][..len].to_vec();
                assert_eq!(self.cache.insert(to, shared).unwrap_or_default(), []);
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
    running: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

impl Bench {
    fn new(slots: u16, cells: usize) -> Self {
        let (jobs, jobs_end) = mpsc::channel();
        let (trouble, trouble_end) = mpsc::channel();
        let open = Arc::new(AtomicBool::new(true));
        let backend = Counting {
            cache: HashMap::new(),
            batch: Vec::new(),
            trouble: trouble_end,
            open: Arc::clone(&open),
        };
        let slots = Slots::new(slots, cells, Reuse::Prefixes);
        let running = Arc::new(AtomicUsize::new(0));
        let scheduler = Scheduler::new(backend, slots, jobs_end, Arc::clone(&running));
        let thread = Some(std::thread::spawn(move || scheduler.run()));
        Self {
            jobs: Some(jobs),
            trouble,
            open,
            running,
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
        let place = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
        let (reply, generation) = Reply::open(max_tokens, place);
        let job = Job {
            prompt: prompt
                .bytes()
                .map(|byte| LlamaToken::new(byte.into()))
                .collect(),
            max_tokens,
            stop: stop.iter().map(|stop| stop.to_string()).collect(),
            seed: 0,
            temperature: 0.0,
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
    while bench.running.load(Ordering::Relaxed) == 0 {
        std::thread::yield_now();
    }
    drop(abandoned);
    let kept = bench.ask("b", 20, &[]);
    bench.release();
    assert_eq!(read(kept).await.unwrap().0, "cdefghijklmnopqrstuv");
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
    read(bench.ask("idle", 1, &[])).await.unwrap();
    bench.trouble.send(Trouble::NoRoom).unwrap();
    assert_eq!(read(bench.ask("a", 3, &[])).await.unwrap().0, "bcd");
    assert_eq!(
        read(bench.ask("idle", 1, &[]))
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
