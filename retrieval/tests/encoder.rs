//! The encoders on their real weights.

#![expect(
    clippy::unwrap_used,
    reason = "what a test cannot go on without fails it"
)]

mod support;

use std::path::PathBuf;

use retrieval::{Asked, Encoder, EncoderError, EncoderFiles, Role, Titled};
use support::{DEFAULT, encoder, encoder_files};

/// The small encoder's file.
const SMALL: &str = "multilingual-e5-small-q4.e5s1";

const ALONE: &str = "FRONTDESK_TEST_ALONE";

/// The default encoder, and the small one.
fn encoders() -> [Encoder; 2] {
    [DEFAULT, SMALL].map(|model| Encoder::load(&encoder_files(model)).unwrap())
}

#[test]
fn an_answer_is_nearer_than_a_passage_of_like_words() {
    for encoder in encoders() {
        let question = encoder
            .embed("How do I get a refund?", Role::Query)
            .unwrap();
        let similarity = |passage| {
            let passage = encoder.embed(passage, Role::Passage).unwrap();
            encoder.similarity().of(question.cosine(&passage))
        };
        let answer = similarity("Send it back, and the money is on your account within 14 days.");
        let translated = similarity("寄回商品后，款项将在14天内退到您的账户。");
        let like_words =
            similarity("How do I get to the shop? Get on the bus and get out at the park.");
        assert!(answer > like_words + 0.05, "{answer} {like_words}");
        assert!(translated > like_words, "{translated} {like_words}");
        assert_eq!(question.dimension(), encoder.dimension());
    }
}

/// Cosines of the same weights, multiplied by other programs.
#[test]
fn cosines_are_those_of_the_reference_implementations() {
    let [default, small] = encoders();
    let check = |encoder: &Encoder, question: &str, passage: &str, reference: f32, by: f32| {
        let question = encoder.embed(question, Role::Query).unwrap();
        let cosine = question.cosine(&encoder.embed(passage, Role::Passage).unwrap());
        assert!((cosine - reference).abs() < by, "{passage}: {cosine}");
    };
    for (passage, reference) in [
        ("Shoes may be returned within 30 days of delivery.", 0.724),
        ("鞋子可在收货后30天内退货。", 0.657),
        ("Our office opens at nine.", 0.108),
        ("我们九点开门。", 0.037),
    ] {
        let question = "Can I return shoes after 30 days?";
        check(&default, question, passage, reference, 0.015);
    }
    for (passage, reference) in [
        ("Money is paid back within 14 days of the return.", 0.809),
        ("We are open from 10:00 to 17:30.", 0.760),
        ("退款会在14天内到账。", 0.843),
    ] {
        check(&small, "How do I get a refund?", passage, reference, 0.01);
    }
}

#[test]
fn a_question_is_read_with_what_may_answer_it() {
    for encoder in encoders() {
        let passage = |title: &str, parts: &[&str]| Titled {
            title: Some(title.to_owned()),
            parts: parts.iter().map(|part| (*part).to_owned()).collect(),
        };
        let long = "It is a long story. ".repeat(200);
        let asked = Asked {
            question: "What does a strap cost?".into(),
            passages: vec![
                passage("Straps", &["A strap costs 12.", "Leather comes in brown."]),
                passage("Story", &[&long, "The end."]),
            ],
        };
        let bare = Asked {
            passages: vec![passage("Straps", &["A strap costs 12."])],
            ..asked.clone()
        };
        let read = encoder.read_jointly(&[bare, asked]).unwrap();
        let shapes = read.iter().map(|reading| {
            let read = |parts: &Vec<Option<_>>| parts.iter().map(Option::is_some).collect();
            reading
                .passages
                .iter()
                .map(read)
                .collect::<Vec<Vec<bool>>>()
        });
        let shapes: Vec<_> = shapes.collect();
        // The story loses its middle, and what is behind it is read.
        let all = vec![vec![true, true], vec![true, true]];
        assert_eq!(shapes, [vec![vec![true]], all]);
        let width = encoder.dimension();
        assert!(read.iter().all(|reading| reading.question.len() == width));
        // Each is read beside the others.
        assert_ne!(read[0].passages[0][0], read[1].passages[0][0]);
    }
}

#[test]
fn a_title_is_part_of_a_passage() {
    for encoder in encoders() {
        let question = encoder.embed("Is the kettle grey?", Role::Query).unwrap();
        let [kettle, lamp] = ["Kettle", "Lamp"].map(|title| {
            let passage = Titled {
                title: Some(title.to_owned()),
                parts: vec!["It comes in grey.".to_owned()],
            };
            encoder.embed_passages(&[passage]).unwrap().remove(0).whole
        });
        assert!(question.cosine(&kettle) > question.cosine(&lamp));
    }
}

#[test]
fn parts_of_a_passage_are_found_within_it() {
    let parts = [
        "Orders are packed on weekdays.",
        "A parcel to Austria takes five days.",
        "Gift cards are valid for three years.",
    ];
    let passage = Titled {
        title: Some("Delivery".to_owned()),
        parts: parts.map(str::to_owned).to_vec(),
    };
    for encoder in encoders() {
        let question = "How long does it take to get something to Vienna?";
        let question = encoder.embed(question, Role::Query).unwrap();
        let embedded = encoder
            .embed_passages(std::slice::from_ref(&passage))
            .unwrap();
        let near = |part: &Option<retrieval::Embedding>| question.cosine(part.as_ref().unwrap());
        let near: Vec<f32> = embedded[0].parts.iter().map(near).collect();
        assert!(near[1] > near[0] && near[1] > near[2], "{near:?}");

        let long = vec!["word ".repeat(300), "word ".repeat(300)];
        let long = Titled {
            title: None,
            parts: long,
        };
        let embedded = encoder.embed_passages(&[long]).unwrap();
        assert!(embedded[0].parts[0].is_some());
    }
}

#[test]
fn a_reading_is_the_query_and_the_layers_that_the_encoder_is_read_behind() {
    let messages = [
        "Where is my order?".to_owned(),
        "我的订单在哪里？".to_owned(),
    ];
    for (encoder, layers, alike) in encoders()
        .into_iter()
        .zip([0, 2])
        .zip([0.7, 0.85])
        .map(|((encoder, layers), alike)| (encoder, layers, alike))
    {
        let readings = encoder.read_batch(&messages).unwrap();
        for (message, reading) in messages.iter().zip(&readings) {
            let query = encoder.embed(message, Role::Query).unwrap();
            assert!(query.cosine(&reading.embedding) > 0.99);
            assert_eq!(reading.middle.len(), layers);
            for middle in &reading.middle {
                assert_eq!(middle.dimension(), encoder.dimension());
                assert!(middle.cosine(&query) < 0.99, "a layer is not the last one");
            }
        }
        assert!(readings[0].embedding.cosine(&readings[1].embedding) > alike);
    }
}

#[test]
fn every_text_has_an_embedding() {
    let long = "word ".repeat(20_000);
    for encoder in encoders() {
        for text in ["", " ", "\0", "退款", "🙂🙂", "\u{202e}abc", long.as_str()] {
            let embedding = encoder.embed(text, Role::Query).unwrap();
            assert!((embedding.cosine(&embedding) - 1.0).abs() < 1e-5);
        }
    }
}

#[test]
fn a_long_message_is_read_at_both_ends() {
    let story = "It rained all day and nobody came. ".repeat(200);
    for encoder in encoders() {
        let read = |text: &str| encoder.read(text).unwrap().embedding;
        let plain = read(&story);
        for ends in [
            format!("{story} Can I return the kettle?"),
            format!("Can I return the kettle? {story}"),
        ] {
            assert!(!encoder.reads_all_of(&ends).unwrap());
            assert!(read(&ends).cosine(&plain) < 0.9999, "{:?}", &ends[..20]);
        }
        assert!(encoder.reads_all_of("Can I return the kettle?").unwrap());
    }
}

#[test]
fn a_batch_gives_the_vectors_of_single_texts_in_their_order() {
    let texts: Vec<String> = (0..21)
        .map(|number| {
            format!(
                "text {number} {}",
                "is about refunds and cards ".repeat(number % 5)
            )
        })
        .collect();
    for encoder in encoders() {
        let batch = encoder.embed_batch(&texts, Role::Query).unwrap();
        assert_eq!(batch.len(), texts.len());
        for (text, embedding) in texts.iter().zip(&batch) {
            let cosine = encoder.embed(text, Role::Query).unwrap().cosine(embedding);
            assert!(cosine > 0.98, "{text}: {cosine}");
        }
        assert!(encoder.embed_batch(&[], Role::Query).unwrap().is_empty());
    }
}

#[test]
fn many_threads_may_embed_at_once() {
    let encoder = encoder();
    let expected = encoder.embed("a refund", Role::Query).unwrap();
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let encoder = encoder.clone();
            std::thread::spawn(move || encoder.embed("a refund", Role::Query).unwrap())
        })
        .collect();
    for thread in threads {
        assert!(thread.join().unwrap().cosine(&expected) > 0.9999);
    }
}

#[test]
fn no_branch_goes_on_from_the_default_encoder() {
    let error = encoder().upper_layers().unwrap_err();
    assert!(matches!(error, EncoderError::Fixed(_)), "{error:?}");
}

fn refusal(change: impl FnOnce(&mut EncoderFiles)) -> EncoderError {
    let mut files = encoder_files(DEFAULT);
    change(&mut files);
    Encoder::load(&files).unwrap_err()
}

#[test]
fn a_missing_file_is_named() {
    for wrong in [
        refusal(|files| files.runtime = PathBuf::from("missing/libonnxruntime.so")),
        refusal(|files| files.model = PathBuf::from("missing/model.e5s1")),
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
    let path = home.path().join("model");
    for model in [DEFAULT, SMALL] {
        let whole = std::fs::read(encoder_files(model).model).unwrap();
        for damaged in [
            &b"not a model"[..],
            &whole[..40],
            &whole[..whole.len() / 2],
            &whole[..whole.len() - 1],
        ] {
            std::fs::write(&path, damaged).unwrap();
            let error = refusal(|files| files.model = path.clone());
            assert!(matches!(error, EncoderError::Damaged { .. }), "{error:?}");
            assert!(error.to_string().contains("make models"), "{error}");
        }
    }
}
