//! [Chat completions](https://platform.openai.com/docs/api-reference/chat) as OpenAI's clients ask for them.
//!
//! A conversation is named by the header `X-Conversation-Id`, by `metadata.conversation_id`, or by `user`; without a
//! name it is the one whose transcript the request repeats.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event as Frame, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use futures::Stream;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::exchange::{Exchange, beside, markdown};
use super::program;
use super::transcripts::{Key, Transcripts, key};
use crate::app::App;
use crate::audience::{Event, Said};
use crate::door::{DoorError, Incoming};
use crm::Author;

/// The name of the model.
const MODEL: &str = "frontdesk";
/// How often a waiting client is told that the connection lives.
const PING: Duration = Duration::from_secs(15);

/// A request.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Request {
    model: Option<String>,
    messages: Vec<Message>,
    stream: bool,
    n: Option<u32>,
    user: Option<String>,
    safety_identifier: Option<String>,
    metadata: Option<Metadata>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Metadata {
    conversation_id: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Message {
    role: String,
    content: Content,
}

#[derive(Debug, Default, Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Parts(Vec<Part>),
    #[default]
    None,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Part {
    #[serde(rename = "type")]
    kind: String,
    text: String,
}

/// Why a request is not answered.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("Incorrect API key provided: enter a key of `programs` in the server's configuration.")]
    Key,
    #[error("The body is not a chat completion request: {0}")]
    Malformed(#[from] serde_json::Error),
    #[error("Only one answer is given: leave `n` out.")]
    Several,
    #[error("The last of `messages` is to be the user's, with text.")]
    NoQuestion,
    #[error("Only text is read: leave other parts of `content` out.")]
    NotText,
    #[error(transparent)]
    Door(#[from] DoorError),
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, kind, param, code) = match &self {
            Self::Key => (
                StatusCode::UNAUTHORIZED,
                "invalid_request_error",
                None,
                "invalid_api_key",
            ),
            Self::Malformed(_) => (
                StatusCode::BAD_REQUEST,
                "invalid_request_error",
                None,
                "malformed",
            ),
            Self::Several => (
                StatusCode::BAD_REQUEST,
                "invalid_request_error",
                Some("n"),
                "unsupported_value",
            ),
            Self::NoQuestion | Self::NotText => (
                StatusCode::BAD_REQUEST,
                "invalid_request_error",
                Some("messages"),
                "invalid_value",
            ),
            Self::Door(DoorError::Unavailable(_)) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "server_error",
                None,
                "unavailable",
            ),
            Self::Door(_) => (
                StatusCode::BAD_REQUEST,
                "invalid_request_error",
                Some("messages"),
                "refused",
            ),
        };
        let error = json!({
            "message": self.to_string(), "type": kind, "param": param, "code": code,
        });
        (status, Json(json!({ "error": error }))).into_response()
    }
}

/// `GET /v1/models`
pub(super) async fn models(
    State(app): State<App>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    program(&app.config, &headers).ok_or(Refusal::Key)?;
    let model = json!({ "id": MODEL, "object": "model", "created": 0, "owned_by": MODEL });
    Ok(Json(json!({ "object": "list", "data": [model] })).into_response())
}

/// `POST /v1/chat/completions`
pub(super) async fn complete(
    State(app): State<App>,
    Extension(transcripts): Extension<Arc<Transcripts>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    let program = program(&app.config, &headers).ok_or(Refusal::Key)?;
    let request: Request = serde_json::from_slice(&body)?;
    if request.n.is_some_and(|n| n != 1) {
        return Err(Refusal::Several);
    }
    let told = request.told()?;
    let (question, before) = told.split_last().ok_or(Refusal::NoQuestion)?;
    if question.0 != "user" {
        return Err(Refusal::NoQuestion);
    }
    let pairs = |said: &[(String, String)]| key(&program, said.iter().map(|(a, b)| (&**a, &**b)));
    let named = request.conversation(&headers);
    let thread = named
        .clone()
        .or_else(|| transcripts.take(&pairs(before)))
        .unwrap_or_else(|| app.door.clock.conversation_id().to_string());
    let exchange = Exchange::open(&app, &format!("api/{program}"), &thread).await?;
    exchange
        .say(message(&app, &headers, question.1.clone()))
        .await?;
    let answer = Answering {
        completion: Completion::new(&app, &request),
        exchange,
        transcript: named.is_none().then_some(Transcript {
            transcripts,
            program,
            told,
            thread,
        }),
    };
    Ok(if request.stream {
        answer.stream().into_response()
    } else {
        answer.whole().await.into_response()
    })
}

/// The user's message; sent again under the same `Idempotency-Key`, it is the same message.
fn message(app: &App, headers: &HeaderMap, text: String) -> Incoming {
    let given = headers.get("idempotency-key");
    let given = given
        .and_then(|id| id.to_str().ok())
        .filter(|id| !id.is_empty());
    Incoming {
        id: given.map_or_else(|| app.door.clock.turn_id().to_string(), str::to_owned),
        text,
        pressed: None,
        reply_context: None,
        attachments: Vec::new(),
    }
}

impl Request {
    /// What was said so far, by role and text; what instructs a model is nothing to the bot.
    fn told(&self) -> Result<Vec<(String, String)>, Refusal> {
        let spoken = self.messages.iter();
        let spoken = spoken.filter(|message| matches!(message.role.as_str(), "user" | "assistant"));
        let text = |message: &Message| Ok((message.role.clone(), message.content.text()?));
        spoken.map(text).collect()
    }

    fn conversation(&self, headers: &HeaderMap) -> Option<String> {
        let header = headers.get("x-conversation-id");
        let header = header.and_then(|id| id.to_str().ok()).map(str::to_owned);
        let metadata = self
            .metadata
            .as_ref()
            .and_then(|data| data.conversation_id.clone());
        let user = self.safety_identifier.clone().or_else(|| self.user.clone());
        header
            .or(metadata)
            .or(user)
            .filter(|id| !id.trim().is_empty())
    }
}

impl Content {
    fn text(&self) -> Result<String, Refusal> {
        match self {
            Self::Text(text) => Ok(text.clone()),
            Self::Parts(parts) if parts.iter().any(|part| part.kind != "text") => {
                Err(Refusal::NotText)
            }
            Self::Parts(parts) => {
                let texts = parts.iter().map(|part| part.text.as_str());
                Ok(texts.collect::<Vec<_>>().join("\n"))
            }
            Self::None => Ok(String::new()),
        }
    }
}

/// What all chunks of a completion have in common.
struct Completion {
    id: String,
    created: i64,
    model: String,
}

impl Completion {
    fn new(app: &App, request: &Request) -> Self {
        Self {
            id: format!("chatcmpl-{}", app.door.clock.turn_id()),
            created: app.door.clock.now().0 / 1000,
            model: request.model.clone().unwrap_or_else(|| MODEL.to_owned()),
        }
    }

    fn of(&self, object: &str, choice: &Value) -> Value {
        json!({
            "id": self.id,
            "object": object,
            "created": self.created,
            "model": self.model,
            "choices": [choice],
        })
    }

    fn chunk(&self, delta: &Value, finish_reason: Option<&str>) -> Value {
        let choice = json!({ "index": 0, "delta": delta, "finish_reason": finish_reason });
        self.of("chat.completion.chunk", &choice)
    }
}

/// The conversation of a transcript, to be found again by it and the answer.
struct Transcript {
    transcripts: Arc<Transcripts>,
    program: String,
    told: Vec<(String, String)>,
    thread: String,
}

impl Transcript {
    fn remember(self, answer: &str) {
        let told = self.told.iter().map(|(role, text)| (&**role, &**text));
        let told = told.chain([("assistant", answer)]);
        let key: Key = key(&self.program, told);
        self.transcripts.remember(key, self.thread);
    }
}

/// A request that is being answered.
struct Answering {
    completion: Completion,
    exchange: Exchange,
    transcript: Option<Transcript>,
}

impl Answering {
    async fn whole(mut self) -> Json<Value> {
        let mut said = Vec::new();
        while let Some(message) = self.exchange.next_said().await {
            said.push(message);
        }
        let texts: Vec<String> = said.iter().map(markdown).collect();
        let text = texts.join("\n\n");
        let message = json!({
            "role": "assistant",
            "content": text,
            "refusal": null,
            "frontdesk": self.extension(&said),
        });
        let choice = json!({
            "index": 0, "message": message, "logprobs": null, "finish_reason": "stop",
        });
        if let Some(transcript) = self.transcript {
            transcript.remember(&text);
        }
        Json(self.completion.of("chat.completion", &choice))
    }

    /// What standard clients pass over.
    fn extension(&self, said: &[Said]) -> Value {
        let sources: Vec<_> = said.iter().flat_map(|said| &said.sources).collect();
        let actions: Vec<_> = said.iter().flat_map(|said| &said.quick_replies).collect();
        json!({
            "conversation": self.exchange.conversation.to_string(),
            "greeting": self.exchange.greeting,
            "sources": sources,
            "actions": actions,
        })
    }

    fn stream(self) -> Sse<impl Stream<Item = Result<Frame, Infallible>>> {
        let (sender, receiver) = mpsc::channel(64);
        // The answer goes on though the client leaves: it is stored like any other.
        tokio::spawn(self.send_to(sender));
        Sse::new(ReceiverStream::new(receiver))
            .keep_alive(KeepAlive::new().interval(PING).text("ping"))
    }

    async fn send_to(mut self, sender: mpsc::Sender<Result<Frame, Infallible>>) {
        let send = async |value: &Value| {
            let frame = Frame::default().data(value.to_string());
            sender.send(Ok(frame)).await.ok();
        };
        let role = json!({ "role": "assistant", "content": "" });
        send(&self.completion.chunk(&role, None)).await;
        let mut all = String::new();
        // What has been sent of the message that is being written.
        let mut sent = String::new();
        while let Some(event) = self.exchange.next().await {
            let text = match event.as_ref() {
                Event::Piece { text, .. } => {
                    let begin = if sent.is_empty() && !all.is_empty() {
                        "\n\n"
                    } else {
                        ""
                    };
                    sent.push_str(text);
                    format!("{begin}{text}")
                }
                Event::Said(said) if said.author != Author::Customer => {
                    let rest = rest(&sent, said, all.is_empty());
                    sent.clear();
                    rest
                }
                Event::Said(_)
                | Event::Began { .. }
                | Event::Stopped
                | Event::Preview { .. }
                | Event::HandedOver
                | Event::Closed
                | Event::Failed { .. } => continue,
            };
            all.push_str(&text);
            send(&self.completion.chunk(&json!({ "content": text }), None)).await;
        }
        send(&self.completion.chunk(&json!({}), Some("stop"))).await;
        sender.send(Ok(Frame::default().data("[DONE]"))).await.ok();
        if let Some(transcript) = self.transcript {
            transcript.remember(&all);
        }
    }
}

/// What of a message has not been `sent` yet. A message that became another one is sent anew below.
fn rest(sent: &str, said: &Said, is_first: bool) -> String {
    let between = if is_first { "" } else { "\n\n" };
    let text = match said.text.strip_prefix(sent.trim_end()) {
        Some(rest) if !sent.is_empty() => rest.to_owned(),
        _ => format!("{between}{}", said.text),
    };
    match beside(said) {
        beside if beside.is_empty() => text,
        beside => format!("{text}\n\n{beside}"),
    }
}
