//! The encoder on its real weights.

#![expect(
    clippy::unwrap_used,
    reason = "what a test cannot go on without fails it"
)]

mod support;

use std::path::PathBuf;

use retrieval::{Encoder, EncoderError, EncoderFiles};
use support::{encoder, encoder_files};

const ALONE: &str = "FRONTDESK_TEST_ALONE";

#[test]
fn like_meanings_are_nearer_than_like_words() {
    let encoder = encoder();
    let embed = |text: &str| encoder.embed(text).unwrap();
    let question = embed("How do I get a refund?");
    let (meaning, words) = (
        embed("I want my money back"),
        embed("How do I get a credit card?"),
    );
    assert!(question.cosine(&meaning) > question.cosine(&words));
    assert_eq!((question.dimension(), encoder.dimension()), (384, 384));
}

#[test]
fn cosines_are_those_that_the_model_is_published_with() {
    let encoder = encoder();
    let embed = |text: &str| encoder.embed(text).unwrap();
    let happy = embed("That is a happy person");
    for (other, published) in [
        ("That is a very happy person", 0.9429),
        ("Today is a sunny day", 0.2569),
    ] {
        let cosine = happy.cosine(&embed(other));
        assert!((cosine - published).abs() < 0.02, "{other}: {cosine}");
    }
}

#[test]
fn every_text_has_an_embedding() {
    let encoder = encoder();
    let long = "word ".repeat(20_000);
    for text in ["", " ", "\0", "退款", "🙂🙂", "\u{202e}abc", long.as_str()] {
        let embedding = encoder.embed(text).unwrap();
        assert!((embedding.cosine(&embedding) - 1.0).abs() < 1e-5);
    }
}

#[test]
fn a_batch_gives_the_vectors_of_single_texts_in_their_order() {
    let encoder = encoder();
    let texts: Vec<String> = (0..21)
        .map(|number| {
            format!(
                "text {number} {}",
                "is about refunds and cards ".repeat(number % 5)
            )
        })
        .collect();
    let batch = encoder.embed_batch(&texts).unwrap();
    assert_eq!(batch.len(), texts.len());
    for (text, embedding) in texts.iter().zip(&batch) {
        let cosine = encoder.embed(text).unwrap().cosine(embedding);
        assert!(cosine > 0.98, "{text}: {cosine}");
    }
    assert!(encoder.embed_batch(&[]).unwrap().is_empty());
}

#[test]
fn many_threads_may_embed_at_once() {
    let encoder = encoder();
    let expected = encoder.embed("a refund").unwrap();
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let encoder = encoder.clone();
            std::thread::spawn(move || encoder.embed("a refund").unwrap())
        })
        .collect();
    for thread in threads {
        assert!(thread.join().unwrap().cosine(&expected) > 0.9999);
    }
}

fn refusal(change: impl FnOnce(&mut EncoderFiles)) -> EncoderError {
    let mut files = encoder_files();
    change(&mut files);
    Encoder::load(&files).unwrap_err()
}

#[test]
fn a_missing_file_is_named() {
    for wrong in [
        refusal(|files| files.runtime = PathBuf::from("missing/libonnxruntime.so")),
        refusal(|files| files.tokenizer = PathBuf::from("missing/tokenizer.json")),
    ] {
        assert!(matches!(wrong, EncoderError::File { .. }), "{wrong:?}");
        assert!(wrong.to_string().contains("missing"), "{wrong}");
    }
}

/// A process has one runtime, so the test that loads a wrong one has a process of its own.
#[test]
fn a_file_that_is_no_runtime_is_refused_and_does_not_hang() {
    if std::env::var_os(ALONE).is_none() {
        let mut alone = std::process::Command::new(std::env::current_exe().unwrap());
        alone.args([
            "--exact",
            "a_file_that_is_no_runtime_is_refused_and_does_not_hang",
        ]);
        assert!(alone.env(ALONE, "1").status().unwrap().success());
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let fake = home.path().join("libonnxruntime.so");
    std::fs::write(&fake, "not a library").unwrap();
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || sender.send(refusal(|files| files.runtime = fake)));
    let error = receiver
        .recv_timeout(std::time::Duration::from_secs(10))
        .expect("no answer");
    assert!(matches!(error, EncoderError::Runtime { .. }), "{error:?}");
}

#[test]
fn a_damaged_model_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("model.onnx");
    std::fs::write(&path, "not a model").unwrap();
    let error = refusal(|files| files.model = path);
    assert!(matches!(error, EncoderError::Model(_)), "{error:?}");
}
