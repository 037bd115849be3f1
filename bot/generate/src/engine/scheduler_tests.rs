//! The invariants of the scheduler, checked on a backend that counts.

use super::super::slots::Reuse;
use super::harness::{Bench, Trouble, read};
use super::*;
use crate::Finish;

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
    let steps = bench.steps.lock().len();
    assert!(
        steps <= 21,
        "{steps} steps: the first was written to its end"
    );
}

#[test]
fn a_wait_is_judged_by_what_readers_wanted_to_hear() {
    let (mut scheduler, bench) = Bench::unstarted(Reuse::Prefixes, 1, 100);
    let mut wait_beside_one = || {
        let reply = bench.ask("a", 20, &[]);
        assert!(scheduler.take_calls());
        scheduler.turn().unwrap();
        let wait = bench.board.wait();
        drop(reply);
        scheduler.turn().unwrap();
        wait
    };
    let before = wait_beside_one();
    let after = (0..60).map(|_| wait_beside_one()).last().unwrap();
    assert!(after < before / 2, "{after:?} after {before:?}");
}

#[tokio::test]
async fn a_reply_whose_form_is_lost_fails_alone() {
    let bench = Bench::new(2, 100);
    let (lost, other) = (bench.ask("a#", 9, &[]), bench.ask("a", 3, &[]));
    let lost = read(lost).await.unwrap_err().to_string();
    assert!(lost.contains("cannot count"), "{lost}");
    assert_eq!(read(other).await.unwrap().0, "bcd");
}

#[tokio::test]
async fn a_model_whose_state_cannot_be_cut_writes_all_the_same() {
    let bench = Bench::with(Reuse::Nothing, 1, 200);
    bench.read_ahead(1, "rules");
    for _ in 0..2 {
        let prompt = "we say abcdeX. Now ab";
        let (text, _, usage) = read(bench.ask_in(Some(1), None, prompt, 6, &[]))
            .await
            .unwrap();
        assert_eq!(text, "cdefgh");
        assert_eq!((usage.reused_tokens, usage.drafted_tokens), (0, 0));
    }
    let steps = bench.steps.lock();
    assert!(
        steps.iter().all(|step| step.followed),
        "nothing is read ahead"
    );
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
    let bench = Bench::new(1, 200);
    let (text, _, usage) = read(bench.ask("aabXX aabXX aab", 5, &[])).await.unwrap();
    assert_eq!(text, "cdefg");
    assert_eq!(usage.accepted_tokens, 0);
}

#[tokio::test]
async fn what_others_were_told_is_guessed() {
    let bench = Bench::new(1, 200);
    let mut accepted = Vec::new();
    for prompt in ["Hello. >>>a", "Good evening! >>>a"] {
        let (text, _, usage) = read(bench.ask(prompt, 9, &[])).await.unwrap();
        assert_eq!(text, "bcdefghij");
        accepted.push(usage.accepted_tokens);
    }
    assert_eq!(accepted[0], 0);
    assert!(accepted[1] >= 4, "{accepted:?}");
}

#[tokio::test]
async fn replies_that_want_no_guesses_are_not_guessed_from() {
    let mut bench = Bench::new(1, 200);
    bench.speculate = false;
    read(bench.ask("Hello. >>>a", 9, &[])).await.unwrap();
    bench.speculate = true;
    let (text, _, usage) = read(bench.ask("Good evening! >>>a", 9, &[])).await.unwrap();
    assert_eq!((text.as_str(), usage.drafted_tokens), ("bcdefghij", 0));
}

#[tokio::test]
async fn steps_are_filled_up_where_that_is_faster() {
    let bench = Bench::new(1, 200);
    let prompt_of_seven = bench.ask("abcdefg", 0, &[]);
    read(prompt_of_seven).await.unwrap();
    read(bench.ask("hi", 0, &[])).await.unwrap();
    let steps = bench.steps.lock();
    let sizes: Vec<_> = steps.iter().map(|step| (step.tokens, step.size)).collect();
    assert_eq!(sizes, [(7, 8), (2, 2)]);
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

/// Thousands of requests come, short and of several steps, are given up, come too late, lose their form, and
/// meet a full cache and lost states: every one that is waited for has its end, and what is written is right.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_is_lost_whatever_happens() {
    for seed in 0..4 {
        let mut random = fastrand::Rng::with_seed(seed);
        let bench = Bench::new(random.u16(1..6), random.usize(200..400));
        let (mut waited, mut may_fail, mut failed) = (Vec::new(), 0, 0);
        for _ in 0..1500 {
            let start: String = "abcdefgh abcdefgh bcd"
                .chars()
                .take(random.usize(0..22))
                .collect();
            let tail: String = (0..random.usize(1..20))
                .map(|_| random.char('a'..='y'))
                .collect();
            let long = if random.u8(0..8) == 0 { 6 } else { 1 };
            let (mut prompt, max_tokens) = (start.repeat(long) + &tail, random.usize(0..24));
            let unstopped = successors(&prompt, max_tokens);
            let mut expected = unstopped.clone();
            let stop = random.choice([None, Some("m"), Some("pq")]).flatten();
            if let Some((before, _)) = stop.and_then(|stop| expected.split_once(stop)) {
                expected = before.to_owned();
            }
            if max_tokens > 0 && random.u8(0..40) == 0 {
                prompt.push('#');
                may_fail += 1;
            }
            let conversation = random.bool().then(|| random.u64(0..8));
            let deadline = (random.u8(0..10) == 0)
                .then(|| Instant::now() + Duration::from_micros(random.u64(0..3000)));
            if random.u8(0..4) == 0 {
                bench.read_ahead(random.u64(0..8), &prompt);
            }
            let stops: Vec<_> = stop.into_iter().collect();
            let reply = bench.ask_in(conversation, deadline, &prompt, max_tokens, &stops);
            match random.u8(0..40) {
                0 => {
                    may_fail += 1;
                    bench.trouble.send(Trouble::NoRoom).unwrap();
                }
                1 => bench.trouble.send(Trouble::NotKept).unwrap(),
                2..10 => drop(reply),
                10..14 => {
                    let mut reply = reply;
                    reply.next().await;
                }
                _ => waited.push((reply, expected, unstopped)),
            }
        }
        for (reply, expected, unstopped) in waited {
            let ended = tokio::time::timeout(Duration::from_secs(20), read(reply)).await;
            match ended.expect("every reply has its end") {
                // What may have begun a stop string is told at the deadline, as at any other end.
                Ok((text, Finish::Deadline, _)) => assert!(
                    unstopped.starts_with(&text) && text.len() <= expected.len() + 1,
                    "seed {seed}: {text:?} of {expected:?}"
                ),
                Ok((text, _, _)) => assert_eq!(text, expected, "seed {seed}"),
                Err(GenerateError::TooLate) => {}
                Err(GenerateError::Backend { .. }) => failed += 1,
                Err(error) => panic!("{error}"),
            }
        }
        assert!(failed <= may_fail, "{failed} failed of {may_fail} that may");
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

#[tokio::test]
async fn what_comes_next_is_read_while_nobody_waits() {
    let bench = Bench::new(2, 1000);
    let next = "rules, a question, a reply, ".repeat(10);
    read(bench.ask_in(Some(1), None, "rules, a question and facts", 3, &[]))
        .await
        .unwrap();
    let before = bench.board.stats().tokens;
    bench.read_ahead(1, &next);
    until_read(&bench, before + next.len() - "rules, a question".len()).await;
    let (text, _, usage) = read(bench.ask_in(Some(1), None, &(next.clone() + "b"), 3, &[]))
        .await
        .unwrap();
    assert_eq!((text.as_str(), usage.reused_tokens), ("cde", next.len()));
}

#[tokio::test]
async fn who_asks_comes_before_what_is_read_ahead() {
    let bench = Bench::new(1, 1000);
    bench.hold();
    let next = "rules ".repeat(100);
    bench.read_ahead(1, &next);
    let reply = bench.ask("a", 3, &[]);
    bench.release();
    assert_eq!(read(reply).await.unwrap().0, "bcd");
    until_read(&bench, next.len()).await;
    let steps = bench.steps.lock().clone();
    let first = steps.iter().position(|step| step.followed).unwrap();
    assert!(first <= 1, "after {first} pieces of 600 tokens");
    assert!(!steps[steps.len() - 1].followed, "reading goes on after it");
}

/// Waits until so many tokens are computed.
async fn until_read(bench: &Bench, tokens: usize) {
    let read = async {
        while bench.board.stats().tokens < tokens {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let read = tokio::time::timeout(Duration::from_secs(20), read).await;
    read.expect("idle time is used");
}
