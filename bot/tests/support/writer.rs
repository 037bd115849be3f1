//! Somebody else's model server: it speaks the streaming chat protocol of OpenAI
//! (`POST /v1/chat/completions`) and writes what a test tells it to.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use frontdesk::Config;
use futures::StreamExt;
use futures::stream;
use serde_json::json;
use tokio::net::TcpListener;

/// What the server does with every request.
#[derive(Clone, Debug)]
pub(crate) enum Writes {
    /// A whole reply.
    Text(&'static str),
    /// A whole reply, a word every fifth of a second.
    Slowly(&'static str),
    /// An error of this status.
    Status(u16),
}

/// Starts the server, and sets `config` to it.
pub(crate) async fn write(config: &mut Config, writes: Writes) {
    let app = Router::new()
        .route("/v1/chat/completions", post(complete))
        .with_state(Arc::new(writes));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    config.generate.backend = frontdesk::Backend::Remote;
    config.generate.url = vec![url.parse().unwrap()];
    config.generate.model = Some("theirs".to_owned());
}

async fn complete(State(writes): State<Arc<Writes>>) -> Response {
    let chunk = |delta: serde_json::Value, finish: Option<&str>| {
        let choice = json!({ "index": 0, "delta": delta, "finish_reason": finish });
        let data = json!({ "object": "chat.completion.chunk", "choices": [choice] });
        format!("data: {data}\n\n")
    };
    let words = |text: &str| -> Vec<String> {
        text.split_inclusive(' ')
            .map(|word| chunk(json!({ "content": word }), None))
            .collect()
    };
    let mut pieces = match &*writes {
        Writes::Text(text) | Writes::Slowly(text) => words(text),
        Writes::Status(status) => {
            let error = json!({ "error": { "message": "not now" } });
            let status = StatusCode::from_u16(*status).unwrap();
            return (status, error.to_string()).into_response();
        }
    };
    pieces.push(chunk(json!({}), Some("stop")) + "data: [DONE]\n\n");
    let pace = match &*writes {
        Writes::Slowly(_) => Duration::from_millis(200),
        Writes::Text(_) | Writes::Status(_) => Duration::ZERO,
    };
    let paced = stream::iter(pieces).then(move |piece| async move {
        tokio::time::sleep(pace).await;
        Ok::<_, std::convert::Infallible>(piece)
    });
    let body = Body::from_stream(paced);
    ([(header::CONTENT_TYPE, "text/event-stream")], body).into_response()
}
