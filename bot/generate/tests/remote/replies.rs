//! One reply: how it is asked for, read, broken off and given up.

use std::time::{Duration, Instant};

use axum::response::IntoResponse;
use generate::{Chunk, Finish, GenerateError, Generator, Request, Usage};
use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::json;

use super::fake::{Fake, KEY, ask, endless, event, finish, good, read, request, sse, status, text};

#[tokio::test]
async fn a_reply_is_streamed_however_its_bytes_are_cut() {
    let usage = json!({"prompt_tokens": 30, "completion_tokens": 4,
        "prompt_tokens_details": {"cached_tokens": 12}});
    let bytes = format!(
        ": keep-alive\r\n\r\n{}{}{}{}data: [DONE]\r\n\r\n",
        event(json!({"choices": [{"delta": {"role": "assistant", "content": ""}}]})),
        text("Grüße ").replace('\n', "\r\n"),
        text("漢 😀") + &finish("stop"),
        event(json!({"choices": [], "usage": usage})),
    );
    let fake = Fake::new([sse(bytes
        .into_bytes()
        .chunks(7)
        .map(|piece| Ok(piece.to_vec())))])
    .await;
    let (text, end) = ask(&fake).await;
    let (finish, usage) = end.unwrap();
    assert_eq!((text.as_str(), finish), ("Grüße 漢 😀", Finish::Stop));
    let Usage {
        prompt_tokens,
        reused_tokens,
        output_tokens,
        ..
    } = usage;
    assert_eq!((prompt_tokens, reused_tokens, output_tokens), (30, 12, 4));
}

#[tokio::test]
async fn the_request_is_what_the_protocol_asks_for() {
    let fake = Fake::new([good("Hi")]).await;
    let stop = ["a1", "b1", "", "c1", "d1", "e1"]
        .map(str::to_owned)
        .to_vec();
    let generation = fake
        .remote()
        .generate(Request { stop, ..request() })
        .await
        .unwrap();
    read(generation).await.1.unwrap();
    let (headers, body) = fake.requests().remove(0);
    assert_eq!(headers["authorization"], format!("Bearer {KEY}"));
    let expected = json!({
        "model": "local-model",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Hello"},
        ],
        "max_tokens": 20, "temperature": 0.5, "seed": 7,
        "stop": ["a1", "b1", "c1", "d1"],
        "stream": true, "stream_options": {"include_usage": true},
    });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn a_reply_that_breaks_off_is_an_error_and_is_not_begun_again() {
    for broken in [
        sse([Ok(text("Your order")), Err("gone")]),
        sse([Ok(text("Your order"))]),
    ] {
        let fake = Fake::new([broken, good("never")]).await;
        let (text, end) = ask(&fake).await;
        assert_eq!(text, "Your order");
        assert!(matches!(end, Err(GenerateError::Backend { .. })), "{end:?}");
        assert_eq!(fake.requests().len(), 1);
    }
}

#[tokio::test]
async fn a_complete_reply_needs_no_end_marker() {
    for end in ["length", "stop"] {
        let fake = Fake::new([sse([Ok(text("Hi") + &finish(end))])]).await;
        let (text, finish) = ask(&fake).await;
        let expected = if end == "length" {
            Finish::Length
        } else {
            Finish::Stop
        };
        assert_eq!((text.as_str(), finish.unwrap().0), ("Hi", expected));
    }
}

#[tokio::test]
async fn a_failure_inside_the_stream_is_told() {
    let failure = event(json!({"error": {"message": "out of memory", "code": 500}}));
    let fake = Fake::new([sse([Ok(text("Hi") + &failure + "data: [DONE]\n\n")])]).await;
    let error = ask(&fake).await.1.unwrap_err().to_string();
    assert!(error.contains("out of memory"), "{error}");
}

#[tokio::test]
async fn what_is_no_chat_completion_is_an_error() {
    let page = axum::response::Html("<h1>Welcome</h1>").into_response();
    let nonsense = sse([Ok("data: {\"choices\": 3}\n\n")]);
    let other = axum::Json(json!([1, 2])).into_response();
    for answer in [page, nonsense, other] {
        let fake = Fake::new([answer]).await;
        let (text, end) = ask(&fake).await;
        assert!(
            text.is_empty() && matches!(end, Err(GenerateError::Backend { .. })),
            "{end:?}"
        );
    }
}

#[tokio::test]
async fn an_answer_that_is_not_streamed_is_read_too() {
    let whole = json!({
        "choices": [{"message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 1},
    });
    let fake = Fake::new([axum::Json(whole).into_response()]).await;
    let (text, end) = ask(&fake).await;
    assert_eq!((text.as_str(), end.unwrap().1.output_tokens), ("Hi", 1));
}

#[tokio::test]
async fn stop_strings_and_length_hold_though_the_server_ignores_them() {
    let endless = || sse((0..500).map(|number| Ok(text(&format!("{number} ")))));
    let fake = Fake::new([endless(), endless()]).await;
    let remote = fake.remote();
    let stop = vec!["3 4".to_owned()];
    let stopped = remote
        .generate(Request { stop, ..request() })
        .await
        .unwrap();
    let (text, end) = read(stopped).await;
    assert_eq!((text.as_str(), end.unwrap().0), ("0 1 2 ", Finish::Stop));
    let cut = remote
        .generate(Request {
            max_tokens: 3,
            ..request()
        })
        .await
        .unwrap();
    let (text, end) = read(cut).await;
    assert_eq!((text.as_str(), end.unwrap().0), ("0 1 2 ", Finish::Length));
}

#[tokio::test]
async fn dropping_a_reply_closes_its_connection() {
    let (answer, is_closed) = endless();
    let fake = Fake::new([answer, good("Hi")]).await;
    let remote = fake.remote();
    let request_without_end = Request {
        max_tokens: 100_000,
        ..request()
    };
    let mut generation = remote.generate(request_without_end).await.unwrap();
    assert!(matches!(generation.next().await, Some(Ok(Chunk::Text(_)))));
    let second = remote.generate(request()).await;
    assert!(
        matches!(second, Err(GenerateError::Busy { waiting: 1 })),
        "{second:?}"
    );
    drop(generation);
    tokio::time::timeout(Duration::from_secs(5), is_closed)
        .await
        .expect("it closes")
        .unwrap();
    let generation = remote.generate(request()).await.expect("its place is free");
    assert_eq!(read(generation).await.0, "Hi");
}

#[tokio::test]
async fn a_deadline_ends_waiting_and_writing() {
    let (endless, is_closed) = endless();
    let overloaded = status(503, &[("retry-after", "2")], json!({}));
    let fake = Fake::new([overloaded, endless]).await;
    let remote = fake.remote();
    let soon = || Request {
        max_tokens: 100_000,
        deadline: Some(Instant::now() + Duration::from_millis(200)),
        ..request()
    };
    let begun = Instant::now();
    let refused = remote.generate(soon()).await;
    assert!(
        matches!(refused, Err(GenerateError::TooLate)),
        "{refused:?}"
    );
    let (words, end) = read(remote.generate(soon()).await.unwrap()).await;
    assert!(words.starts_with("on on"), "{words}");
    assert!(matches!(end, Ok((Finish::Deadline, _))), "{end:?}");
    is_closed.await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn the_operator_is_told_what_replies_took() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let told = recorder.handle();
    let _here = metrics::set_default_local_recorder(&recorder);
    let usage = json!({"prompt_tokens": 30, "completion_tokens": 4,
        "prompt_tokens_details": {"cached_tokens": 12}});
    let usage = event(json!({"choices": [], "usage": usage}));
    let whole = sse([Ok(text("Hi")
        + &finish("stop")
        + &usage
        + "data: [DONE]\n\n")]);
    let (endless, is_closed) = endless();
    let fake = Fake::new([whole, endless]).await;
    let remote = fake.remote();
    let reply = remote.generate(request()).await.unwrap();
    read(reply).await.1.unwrap();
    let mut given_up = remote.generate(request()).await.unwrap();
    given_up.next().await.unwrap().unwrap();
    drop(given_up);
    is_closed.await.unwrap();
    let metrics = told.render();
    for line in [
        "frontdesk_generation_tokens_total{kind=\"prompt\"} 30",
        "frontdesk_generation_tokens_total{kind=\"reused\"} 12",
        "frontdesk_generation_first_token_seconds_count 2",
        "frontdesk_generation_cancelled_total 1",
    ] {
        assert!(metrics.contains(line), "{line} is not in {metrics}");
    }
}
