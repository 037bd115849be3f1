//! The server, what it answers, and who asks it.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

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
use tokio::net::TcpListener;
use tokio::sync::oneshot;

pub(crate) const KEY: &str = "sk-very-secret";

#[derive(Default)]
struct Script {
    answers: VecDeque<Response>,
    requests: Vec<(HeaderMap, Value)>,
}

/// A server that gives `answers` in turn.
pub(crate) struct Fake {
    script: Arc<Mutex<Script>>,
    pub(crate) base_url: String,
}

impl Fake {
    pub(crate) async fn new(answers: impl IntoIterator<Item = Response>) -> Self {
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

    pub(crate) fn remote(&self) -> Remote {
        Remote::new(config(&self.base_url)).unwrap()
    }

    pub(crate) fn requests(&self) -> Vec<(HeaderMap, Value)> {
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

pub(crate) fn config(base_url: &str) -> RemoteConfig {
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
pub(crate) fn sse<P: Into<Vec<u8>>>(
    pieces: impl IntoIterator<Item = Result<P, &'static str>>,
) -> Response {
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

pub(crate) fn event(data: Value) -> String {
    format!("data: {data}\n\n")
}

pub(crate) fn text(text: &str) -> String {
    event(json!({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": null}]}))
}

pub(crate) fn finish(reason: &str) -> String {
    event(json!({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}))
}

pub(crate) fn good(reply: &str) -> Response {
    sse([Ok(text(reply) + &finish("stop") + "data: [DONE]\n\n")])
}

pub(crate) fn status(
    status: u16,
    headers: &[(&'static str, &'static str)],
    body: Value,
) -> Response {
    let mut response = (StatusCode::from_u16(status).unwrap(), axum::Json(body)).into_response();
    for (name, value) in headers {
        response.headers_mut().insert(*name, value.parse().unwrap());
    }
    response
}

pub(crate) fn request() -> Request {
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

pub(crate) async fn read(
    mut generation: Generation,
) -> (String, Result<(Finish, Usage), GenerateError>) {
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

pub(crate) async fn ask(fake: &Fake) -> (String, Result<(Finish, Usage), GenerateError>) {
    read(fake.remote().generate(request()).await.unwrap()).await
}

/// Tells when it is dropped, which is when its connection closes.
struct Guard(Option<oneshot::Sender<()>>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.take().unwrap().send(()).ok();
    }
}

/// A reply that goes on for ever, and when its connection closes.
pub(crate) fn endless() -> (Response, oneshot::Receiver<()>) {
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
