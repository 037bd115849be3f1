//! The llama.cpp engine with a real model, the smallest there is.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod model;
mod sampling;

use std::path::PathBuf;
use std::time::Duration;

use generate::{
    CacheType, Chunk, Engine, EngineConfig, Finish, FlashAttention, GenerateError, Generation,
    Generator, PromptMessage, Request, Role, Usage,
};

use self::model::model;

const RULES: &str = "You are the assistant of a bicycle shop. You are polite and brief. You answer \
    questions about orders, returns, opening hours and repairs, and nothing else. You never promise \
    what the shop has not promised, and when you do not know, you say so.";

/// An engine with `slots` slots and `queue` waiting places over 2048 tokens.
fn engine(slots: u16, queue: usize) -> Engine {
    let config = EngineConfig {
        context_tokens: Some(2048),
        slots: Some(slots),
        queue,
        threads: Some(1),
        ..EngineConfig::new(model(), "smollm2")
    };
    Engine::start(config).unwrap()
}

fn message(role: Role, content: &str) -> PromptMessage {
    PromptMessage {
        role,
        content: content.to_owned(),
    }
}

/// A greedy request under the rules of the shop.
fn ask(question: &str, max_tokens: usize) -> Request {
    let prompt = vec![message(Role::System, RULES), message(Role::User, question)];
    Request::new(prompt, max_tokens)
}

async fn read(mut generation: Generation) -> Result<(String, Finish, Usage), GenerateError> {
    let mut text = String::new();
    loop {
        match generation.next().await.expect("a reply has an end")? {
            Chunk::Text(more) => text.push_str(&more),
            Chunk::Done { finish, usage } => {
                assert!(generation.next().await.is_none(), "nothing follows the end");
                return Ok((text, finish, usage));
            }
        }
    }
}

async fn reply(engine: &Engine, request: Request) -> (String, Finish, Usage) {
    read(engine.generate(request).await.unwrap()).await.unwrap()
}

/// A request for `list` again. The model is sure of that, so rounding, which depends on what else is
/// in a batch, changes no token; a mix-up of two replies changes them all.
fn repeat(list: &str) -> Request {
    let mut request = ask(list, 6);
    request.prompt.push(message(Role::Assistant, list));
    request.prompt.push(message(Role::User, list));
    request
}

const LISTS: [&str; 4] = [
    "1, 2, 3, 4, 5, 6, 7, 8,",
    "a, b, c, d, e, f, g, h,",
    "red, red, red, red, red, red, red, red,",
    "one two three one two three one two three one two three",
];

#[tokio::test]
async fn replies_are_written_beside_each_other_as_if_alone() {
    let (together, single) = (engine(4, 0), engine(1, 0));
    let mut generations = Vec::new();
    for list in LISTS {
        generations.push(together.generate(repeat(list)).await.unwrap());
    }
    for (list, generation) in LISTS.into_iter().zip(generations) {
        let (beside, ..) = read(generation).await.unwrap();
        assert_eq!(beside, reply(&single, repeat(list)).await.0);
        assert!(
            !beside.is_empty() && list.contains(&beside),
            "{list} became {beside}"
        );
    }
}

#[tokio::test]
async fn who_leaves_early_knows_what_it_cost() {
    let engine = engine(1, 0);
    let mut generation = engine
        .generate(ask("Count to a hundred.", 64))
        .await
        .unwrap();
    for _ in 0..3 {
        assert!(matches!(generation.next().await, Some(Ok(Chunk::Text(_)))));
    }
    let usage = generation.usage();
    assert!(usage.prompt_tokens > 40, "{usage:?}");
    assert!((3..64).contains(&usage.output_tokens), "{usage:?}");
    assert!(!usage.prefill.is_zero(), "{usage:?}");
}

#[tokio::test]
async fn the_rules_are_computed_once() {
    let engine = engine(2, 2);
    let warmed = engine.warm(&[message(Role::System, RULES)]).await.unwrap();
    assert_eq!((warmed.reused_tokens, warmed.output_tokens), (0, 0));
    assert!(warmed.prompt_tokens > 40);
    let first = engine.generate(ask("When are you open?", 8)).await.unwrap();
    let second = engine.generate(ask("Where is my order?", 8)).await.unwrap();
    for generation in [first, second] {
        let usage = read(generation).await.unwrap().2;
        assert!(
            usage.reused_tokens >= warmed.prompt_tokens,
            "{usage:?} after {warmed:?}"
        );
        assert!(usage.reused_tokens < usage.prompt_tokens);
    }
}

#[tokio::test]
async fn what_is_reused_changes_no_reply() {
    let engine = engine(2, 0);
    for list in LISTS {
        let fresh = reply(&engine, repeat(list)).await;
        let again = reply(&engine, repeat(list)).await;
        assert_eq!(
            again.2.reused_tokens,
            again.2.prompt_tokens - 1,
            "all but the last token"
        );
        assert!(fresh.2.reused_tokens < again.2.reused_tokens);
        assert_eq!(fresh.0, again.0);
        assert!(list.contains(&again.0), "{list} became {}", again.0);
    }
}

#[tokio::test]
async fn a_dropped_reply_makes_way_for_the_next() {
    let engine = engine(1, 1);
    let mut endless = engine
        .generate(ask("Count from one to a thousand.", 1500))
        .await
        .unwrap();
    assert!(matches!(endless.next().await, Some(Ok(Chunk::Text(_)))));
    drop(endless);
    let (_, _, usage) = reply(&engine, ask("Hello", 4)).await;
    assert!(usage.queued < Duration::from_secs(2), "{usage:?}");
    assert_eq!(engine.waiting(), 0);
}

#[tokio::test]
async fn a_full_queue_is_busy_at_once_and_not_for_ever() {
    let engine = engine(1, 1);
    let first = engine.generate(ask("Hello", 64)).await.unwrap();
    let second = engine.generate(ask("Hello", 4)).await.unwrap();
    let third = engine.generate(ask("Hello", 4)).await;
    assert!(
        matches!(third, Err(GenerateError::Busy { waiting: 1..=2 })),
        "{third:?}"
    );
    read(first).await.unwrap();
    read(second).await.unwrap();
    assert!(engine.generate(ask("Hello", 4)).await.is_ok());
}

#[tokio::test]
async fn a_stop_string_ends_the_reply_before_it() {
    let engine = engine(1, 0);
    let question = "Do you repair brakes?";
    let (whole, _, _) = reply(&engine, ask(question, 32)).await;
    let stop: String = whole.chars().skip(12).take(6).collect();
    assert_eq!(
        stop.chars().count(),
        6,
        "the reply is too short for this test: {whole}"
    );
    let request = Request {
        stop: vec![stop.clone()],
        ..ask(question, 32)
    };
    let (cut, finish, _) = reply(&engine, request).await;
    assert_eq!(
        (cut.as_str(), finish),
        (whole.split(&stop).next().unwrap(), Finish::Stop)
    );
}

#[tokio::test]
async fn no_more_is_written_than_was_asked_for() {
    let (text, finish, usage) = reply(&engine(1, 0), ask("Tell me about bicycles.", 5)).await;
    assert_eq!((finish, usage.output_tokens), (Finish::Length, 5));
    assert!(!text.is_empty());
}

#[tokio::test]
async fn what_can_never_fit_is_refused_before_any_work() {
    let engine = engine(1, 0);
    let refused = engine.generate(ask("Hello", 2048)).await;
    let Err(GenerateError::TooLong {
        tokens,
        max_tokens: 2048,
        limit: 2048,
    }) = refused
    else {
        panic!("{refused:?}");
    };
    assert!(tokens > 40);
    assert!(
        engine.generate(ask("Hello", 4)).await.is_ok(),
        "its place is free again"
    );
}

#[tokio::test]
async fn a_conversation_that_lost_its_slot_is_not_computed_again() {
    let engine = engine(1, 0);
    let long = "I bought a touring bicycle with mudguards in spring. ".repeat(8);
    let (first, ..) = reply(&engine, ask(&long, 8)).await;
    let other = "Something quite different: do you repair wheels? ".repeat(8);
    reply(&engine, ask(&other, 8)).await;
    let mut again = ask(&long, 8);
    again.prompt.push(message(Role::Assistant, &first));
    again.prompt.push(message(Role::User, "And now?"));
    let (back, _, usage) = reply(&engine, again.clone()).await;
    assert!(usage.restored_tokens > 80, "{usage:?}");
    let fresh = crate::engine(1, 0);
    assert_eq!(back, reply(&fresh, again).await.0, "it is the same state");
}

#[tokio::test]
async fn keys_and_values_take_half_the_memory_in_8_bits() {
    let start = |cache_type, flash_attention| {
        let config = EngineConfig {
            context_tokens: Some(2048),
            slots: Some(1),
            cache_type,
            flash_attention,
            ..EngineConfig::new(model(), "smollm2")
        };
        Engine::start(config).unwrap()
    };
    let usual = start(CacheType::F16, FlashAttention::Off);
    let small = start(CacheType::Q8_0, FlashAttention::On);
    let (usual_bytes, bytes) = (usual.stats().cache_bytes, small.stats().cache_bytes);
    assert!(bytes * 10 < usual_bytes * 6, "{bytes} of {usual_bytes}");
    for engine in [usual, small] {
        let (text, ..) = reply(&engine, repeat("one two three four five six")).await;
        assert!(text.contains("two"), "{text}");
    }
}

#[tokio::test]
async fn a_conversation_is_read_ahead_of_its_next_question() {
    let engine = engine(2, 0);
    let mut next = ask(
        &"Facts: wheels cost 30. What does a wheel cost? ".repeat(4),
        8,
    );
    let (first, ..) = reply(&engine, next.clone()).await;
    // What was said, without the facts.
    next.prompt = vec![
        message(Role::System, RULES),
        message(Role::User, &"What does a wheel cost? ".repeat(4)),
        message(Role::Assistant, &first),
    ];
    let steps = engine.stats().steps;
    engine.read_ahead(7, next.prompt.clone()).await;
    while engine.stats().steps == steps {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    next.prompt.push(message(Role::User, "And two?"));
    let fresh = crate::engine(2, 0);
    let (alone, _, all) = reply(&fresh, next.clone()).await;
    let (text, _, usage) = reply(&engine, next).await;
    assert!(
        usage.prompt_tokens - usage.reused_tokens < 20 && all.reused_tokens == 0,
        "{usage:?}"
    );
    assert_eq!(text, alone);
}

/// One special token where the template writes it, many letters where a customer does.
#[tokio::test]
async fn a_customer_cannot_write_the_models_own_markup() {
    let engine = engine(1, 0);
    let without = reply(&engine, ask("", 0)).await.2.prompt_tokens;
    for markup in ["<|im_end|>", "<|im_start|>", "<|endoftext|>"] {
        let with = reply(&engine, ask(markup, 0)).await.2.prompt_tokens;
        assert!(with > without + 3, "{markup} is {} tokens", with - without);
    }
}

#[tokio::test]
async fn contents_of_any_kind_are_only_text() {
    let engine = engine(1, 0);
    for content in [
        "",
        "\0",
        "\u{E000}0\u{E001}",
        "漢字 😀 \u{202E}",
        &"a ".repeat(500),
    ] {
        let (_, _, usage) = reply(&engine, ask(content, 2)).await;
        assert!(usage.prompt_tokens > 40, "{content:?}");
    }
    assert!(engine.healthy());
}

#[tokio::test]
async fn dropping_the_engine_is_told_to_its_readers() {
    let engine = engine(1, 1);
    let written = engine
        .generate(ask("Count from one to a thousand.", 1500))
        .await
        .unwrap();
    let waiting = engine.generate(ask("Hello", 4)).await.unwrap();
    drop(engine);
    for generation in [written, waiting] {
        assert!(matches!(
            read(generation).await,
            Err(GenerateError::Stopped)
        ));
    }
}

/// Why `file` cannot be loaded.
fn refusal(file: PathBuf) -> String {
    match Engine::start(EngineConfig::new(&file, "bad")) {
        Err(GenerateError::Load { path, reason }) => {
            assert_eq!(path, file);
            reason
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_bad_file_is_refused_with_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    let missing = refusal(folder.path().join("missing.gguf"));
    assert!(missing.contains("cannot be opened"), "{missing}");

    let other = folder.path().join("other.gguf");
    std::fs::write(&other, "{\"a\": \"tokenizer\"}").unwrap();
    assert!(refusal(other).contains("not a GGUF file"));

    let whole = std::fs::read(model()).unwrap();
    for (length, llamas_word) in [(2_000, "read"), (20_000_000, "corrupted or incomplete")] {
        let truncated = folder.path().join(format!("{length}.gguf"));
        std::fs::write(&truncated, &whole[..length]).unwrap();
        let reason = refusal(truncated);
        assert!(reason.contains(llamas_word), "{length} bytes: {reason}");
    }
}

#[test]
fn a_configuration_that_cannot_work_is_refused() {
    let config = EngineConfig {
        slots: Some(0),
        ..EngineConfig::new(model(), "none")
    };
    assert!(matches!(
        Engine::start(config),
        Err(GenerateError::Load { .. })
    ));
}
