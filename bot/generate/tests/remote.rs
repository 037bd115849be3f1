//! The OpenAI-compatible client against a server that speaks the protocol, well and badly.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use futures::stream::{self, StreamExt};
use generate::{
    Chunk, Finish, GenerateError, Generation, Generator, PromptMessage, Remote, RemoteConfig,
    Request, Role, Sampling, Usage,
};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

const KEY: &str = "sk-very-secret";

#[derive(Default)]
struct Script {
    answers: VecDeque<Response>,
    requests: Vec<(HeaderMap, Value)>,
}

/// A server that gives `answers` in turn.
struct Fake {
    script: Arc<Mutex<Script>>,
    base_url: String,
}

impl Fake {
    async fn new(answers: impl IntoIterator<Item = Response>) -> Self {
        let script = Script {
            answers: answers.into_iter().collect(),
            requests: Vec::new(),
        };
        let script = Arc::new(Mutex::new(script));
        let app = Router::new()
            .route("/v1/chat/completions", post(answer))
            .with_state(Arc::clone(&script));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}/v1", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { script, base_url }
    }

    fn remote(&self) -> Remote {
        Remote::new(config(&self.base_url)).unwrap()
    }

    fn requests(&self) -> Vec<(HeaderMap, Value)> {
        self.script.lock().unwrap().requests.clone()
    }
}

async fn answer(
    State(script): State<Arc<Mutex<Script>>>,
    headers: HeaderMap,
    body: axum::Json<Value>,
) -> Response {
    let mut script = script.lock().unwrap();
    script.requests.push((headers, body.0));
    script
        .answers
        .pop_front()
        .unwrap_or_else(|| StatusCode::IM_A_TEAPOT.into_response())
}

fn config(base_url: &str) -> RemoteConfig {
    RemoteConfig {
        base_urls: vec![base_url.parse().unwrap()],
        model: "local-model".to_owned(),
        api_key: Some(KEY.to_owned().into()),
        connect_timeout: Duration::from_secs(2),
        read_timeout: Duration::from_secs(2),
        max_in_flight: 1,
    }
}

/// A streamed answer whose bytes come in `pieces`; an `Err` breaks the connection.
fn sse<P: Into<Vec<u8>>>(pieces: impl IntoIterator<Item = Result<P, &'static str>>) -> Response {
    let pieces: Vec<_> = pieces
        .into_iter()
        .map(|piece| piece.map(Into::into))
        .collect();
    let pieces = stream::iter(pieces).then(|piece| async {
        // Lets each piece leave on its own.
        tokio::time::sleep(Duration::from_millis(5)).await;
        piece
    });
    (
        [(header::CONTENT_TYPE, "text/event-stream; charset=utf-8")],
        Body::from_stream(pieces),
    )
        .into_response()
}

fn event(data: Value) -> String {
    format!("data: {data}\n\n")
}

fn text(text: &str) -> String {
    event(json!({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": null}]}))
}

fn finish(reason: &str) -> String {
    event(json!({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}))
}

fn good(reply: &str) -> Response {
    sse([Ok(text(reply) + &finish("stop") + "data: [DONE]\n\n")])
}

fn status(status: u16, headers: &[(&'static str, &'static str)], body: Value) -> Response {
    let mut response = (StatusCode::from_u16(status).unwrap(), axum::Json(body)).into_response();
    for (name, value) in headers {
        response.headers_mut().insert(*name, value.parse().unwrap());
    }
    response
}

fn request() -> Request {
    Request {
        prompt: vec![
            PromptMessage {
                role: Role::System,
                content: "Be brief.".to_owned(),
            },
            PromptMessage {
                role: Role::User,
                content: "Hello".to_owned(),
            },
        ],
        sampling: Sampling {
            seed: 7,
            temperature: 0.5,
            ..Sampling::default()
        },
        ..Request::new(Vec::new(), 20)
    }
}

async fn read(mut generation: Generation) -> (String, Result<(Finish, Usage), GenerateError>) {
    let mut text = String::new();
    loop {
        match generation.next().await.expect("a reply has an end") {
            Ok(Chunk::Text(more)) => text.push_str(&more),
            Ok(Chunk::Done { finish, usage }) => {
                assert_eq!(
                    generation.usage(),
                    usage,
                    "who reads no chunks knows it, too"
                );
                return (text, Ok((finish, usage)));
            }
            Err(error) => return (text, Err(error)),
        }
    }
}

async fn ask(fake: &Fake) -> (String, Result<(Finish, Usage), GenerateError>) {
    read(fake.remote().generate(request()).await.unwrap()).await
}

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
async fn an_overloaded_server_is_asked_again_when_it_says() {
    let fake = Fake::new([status(429, &[("retry-after", "1")], json!({})), good("Hi")]).await;
    let start = Instant::now();
    assert_eq!(ask(&fake).await.0, "Hi");
    assert!(
        start.elapsed() >= Duration::from_secs(1),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(fake.requests().len(), 2);
}

#[tokio::test]
async fn a_server_that_stays_overloaded_is_busy() {
    let overloaded = || status(503, &[("retry-after-ms", "1")], json!({}));
    let fake = Fake::new([overloaded(), overloaded(), overloaded(), good("never")]).await;
    let remote = fake.remote();
    let refused = remote.generate(request()).await;
    assert!(
        matches!(refused, Err(GenerateError::Busy { .. })),
        "{refused:?}"
    );
    assert_eq!(fake.requests().len(), 3);
    assert!(remote.healthy(), "it is there");
    assert_eq!(
        read(remote.generate(request()).await.unwrap()).await.0,
        "never"
    );
}

#[tokio::test]
async fn another_server_is_asked_at_once_when_one_fails() {
    for refusal in [
        status(500, &[], json!({})),
        status(429, &[("retry-after", "60")], json!({})),
    ] {
        let failing = Fake::new([refusal]).await;
        let well = Fake::new([good("Hi"), good("Hi")]).await;
        let gone = "http://127.0.0.1:9/v1";
        let base_urls = [gone, &failing.base_url, &well.base_url];
        let remote = Remote::new(RemoteConfig {
            base_urls: base_urls.map(|url| url.parse().unwrap()).to_vec(),
            ..config(gone)
        })
        .unwrap();
        let reply = remote.generate(request()).await.unwrap();
        assert_eq!(read(reply).await.0, "Hi");
        assert_eq!((failing.requests().len(), well.requests().len()), (1, 1));
        assert!(remote.healthy());
    }
}

#[tokio::test]
async fn a_server_that_keeps_failing_is_left_alone_and_tried_again() {
    let broken = || status(500, &[("retry-after-ms", "1")], json!({}));
    let fake = Fake::new([broken(), broken(), broken(), good("Hi")]).await;
    let remote = fake.remote();
    assert!(remote.generate(request()).await.is_err());
    assert_eq!(fake.requests().len(), 3);
    let error = remote.generate(request()).await.unwrap_err().to_string();
    assert!(error.contains("asked again"), "{error}");
    assert_eq!(fake.requests().len(), 3, "it was left alone");
    assert!(!remote.healthy());
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    assert!(
        remote.healthy(),
        "it is known by itself that it is asked again"
    );
    let reply = remote.generate(request()).await.unwrap();
    assert_eq!(read(reply).await.0, "Hi");
}

#[tokio::test]
async fn a_wrong_key_is_not_tried_again_and_never_shown() {
    let body = json!({"error": {"message": format!("Incorrect API key: {KEY}"), "code": 401}});
    let fake = Fake::new([status(401, &[], body), good("never")]).await;
    let error = fake.remote().generate(request()).await.unwrap_err();
    let shown = format!("{error} {error:?}");
    assert!(shown.contains("check its API key"), "{shown}");
    assert!(!shown.contains(KEY), "{shown}");
    assert_eq!(fake.requests().len(), 1);
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

/// Tells when it is dropped, which is when its connection closes.
struct Guard(Option<oneshot::Sender<()>>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.take().unwrap().send(()).ok();
    }
}

/// A reply that goes on for ever, and when its connection closes.
fn endless() -> (Response, oneshot::Receiver<()>) {
    let (closed, is_closed) = oneshot::channel();
    let words = stream::unfold(Guard(Some(closed)), |guard| async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        Some((Ok::<_, Infallible>(text("on ")), guard))
    });
    let headers = [(header::CONTENT_TYPE, "text/event-stream")];
    (
        (headers, Body::from_stream(words)).into_response(),
        is_closed,
    )
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
async fn a_silent_server_is_not_waited_for() {
    let silent = Body::from_stream(stream::pending::<Result<Vec<u8>, Infallible>>());
    let silent = ([(header::CONTENT_TYPE, "text/event-stream")], silent).into_response();
    let fake = Fake::new([silent]).await;
    let read_timeout = Duration::from_millis(200);
    let remote = Remote::new(RemoteConfig {
        read_timeout,
        ..config(&fake.base_url)
    })
    .unwrap();
    let (_, end) = read(remote.generate(request()).await.unwrap()).await;
    assert!(matches!(end, Err(GenerateError::Backend { .. })), "{end:?}");
}

#[tokio::test]
async fn who_leaves_after_the_first_words_has_been_served() {
    let broken = || sse([Ok(text("It is")), Err("broken")]);
    let (endless, _) = endless();
    let fake = Fake::new([broken(), broken(), endless, broken(), broken()]).await;
    let remote = Remote::new(RemoteConfig {
        max_in_flight: 2,
        ..config(&fake.base_url)
    })
    .unwrap();
    for number in 0..5 {
        let mut generation = remote.generate(request()).await.unwrap();
        assert!(matches!(generation.next().await, Some(Ok(Chunk::Text(_)))));
        if number != 2 {
            assert!(read(generation).await.1.is_err());
        }
    }
    assert!(remote.healthy(), "never three failures in a row");
}

#[tokio::test]
async fn a_deadline_ends_waiting_and_writing() {
    let (endless, is_closed) = endless();
    let overloaded = status(503, &[("retry-after", "60")], json!({}));
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
async fn a_connection_that_closes_as_it_is_used_is_no_failure() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let remote = Remote::new(config(&format!(
        "http://{}/v1",
        listener.local_addr().unwrap()
    )));
    let server = tokio::spawn(async move {
        // Takes the request and hangs up; the next one is answered.
        let (mut first, _) = listener.accept().await.unwrap();
        assert!(first.read(&mut [0; 4096]).await.unwrap() > 0);
        drop(first);
        let (mut second, _) = listener.accept().await.unwrap();
        assert!(second.read(&mut [0; 4096]).await.unwrap() > 0);
        let answer = r#"{"choices":[{"message":{"content":"Here."},"finish_reason":"stop"}]}"#;
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            answer.len()
        );
        second.write_all((head + answer).as_bytes()).await.unwrap();
    });
    let generation = remote.unwrap().generate(request()).await.unwrap();
    assert_eq!(read(generation).await.0, "Here.");
    server.await.unwrap();
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named_as_such() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let remote = Remote::new(config(&format!("http://{address}/v1"))).unwrap();
    let error = remote.generate(request()).await.unwrap_err().to_string();
    assert!(error.contains("cannot be reached"), "{error}");
}
