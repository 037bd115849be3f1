//! [Rasa's REST channel](https://rasa.com/docs/reference/channels/your-own-website), for front ends that were made for
//! it: one request, and all that is said in return.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::bearer;
use super::exchange::Exchange;
use crate::app::App;
use crate::audience::Said;
use crate::door::{DoorError, Incoming};

/// The channel, as the store has it.
const CHANNEL: &str = "rasa/rest";
/// What begins a payload, such as `/greet`.
const PAYLOAD: char = '/';
/// Longest name of a sender, in bytes.
const MOST_SENDER: usize = 256;

#[derive(Debug, Deserialize)]
struct Request {
    sender: Option<String>,
    #[serde(default)]
    message: String,
    #[serde(default)]
    metadata: Option<Metadata>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Metadata {
    message_id: Option<String>,
}

/// `GET /webhooks/rest/`
pub(super) async fn health() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

/// A browser asks whether the page may call.
pub(super) async fn preflight(State(app): State<App>, headers: HeaderMap) -> Response {
    allowed(&app, &headers, StatusCode::NO_CONTENT.into_response())
}

/// `POST /webhooks/rest/webhook`. The body is JSON whatever type it is said to be of: Rasa's own widget says none.
pub(super) async fn say(State(app): State<App>, headers: HeaderMap, body: Bytes) -> Response {
    let refused = |status: StatusCode, reason: &str| {
        let body = json!({ "status": "failure", "reason": reason });
        allowed(&app, &headers, (status, Json(body)).into_response())
    };
    let token = app.config.rasa.token.as_ref();
    if token.is_some_and(|token| bearer(&headers) != Some(token.reveal())) {
        return refused(StatusCode::UNAUTHORIZED, "the token is missing or wrong");
    }
    let Ok(request) = serde_json::from_slice::<Request>(&body) else {
        return refused(StatusCode::BAD_REQUEST, "the body is not Rasa's JSON");
    };
    let sender = request.sender.as_deref().map(str::trim).unwrap_or_default();
    if sender.is_empty() || sender.len() > MOST_SENDER {
        return refused(
            StatusCode::BAD_REQUEST,
            "name the `sender`, one for each user",
        );
    }
    match answers(&app, sender, &request).await {
        Ok(said) => {
            let said: Vec<Value> = said
                .iter()
                .flat_map(|said| utterances(sender, said))
                .collect();
            allowed(&app, &headers, Json(said).into_response())
        }
        Err(DoorError::Unavailable(error)) => {
            tracing::error!("a message of Rasa's channel could not be stored: {error}");
            refused(
                StatusCode::SERVICE_UNAVAILABLE,
                "this could not be done just now",
            )
        }
        // The front end shows what is wrong as an answer.
        Err(error) => {
            let said = [json!({ "recipient_id": sender, "text": error.to_string() })];
            allowed(&app, &headers, Json(said).into_response())
        }
    }
}

/// All that is said to a message.
async fn answers(app: &App, sender: &str, request: &Request) -> Result<Vec<Said>, DoorError> {
    let mut exchange = Exchange::open(app, CHANNEL, sender).await?;
    let mut said = Vec::new();
    if let Some(greeting) = &exchange.greeting {
        said.push(Said::of_text(greeting.clone(), app.door.clock.now()));
    }
    let text = request.message.trim();
    let pressed = app.door.pressed(exchange.conversation, text).await?;
    if pressed.is_none() && text.starts_with(PAYLOAD) {
        // An intent of the front end's own, such as the one by which it opens the conversation.
        return Ok(said);
    }
    let id = request
        .metadata
        .as_ref()
        .and_then(|data| data.message_id.clone());
    let message = Incoming {
        id: id.unwrap_or_else(|| app.door.clock.turn_id().to_string()),
        text: pressed.clone().unwrap_or_else(|| text.to_owned()),
        pressed: pressed.map(|_| text.to_owned()),
        reply_context: None,
        attachments: Vec::new(),
    };
    exchange.say(message).await?;
    while let Some(message) = exchange.next_said().await {
        said.push(message);
    }
    Ok(said)
}

/// A message as Rasa says it: an object for each paragraph, the buttons with the last.
fn utterances(recipient: &str, said: &Said) -> Vec<Value> {
    let links = said.sources.iter().filter_map(|source| {
        let url = source.url.as_ref()?;
        Some(format!("[{}]({url})", source.title))
    });
    let mut texts: Vec<String> = said.text.split("\n\n").map(str::to_owned).collect();
    texts.extend(links);
    texts.retain(|text| !text.trim().is_empty());
    let last = texts.len().saturating_sub(1);
    let utterance = |(place, text): (usize, String)| {
        let mut object = json!({ "recipient_id": recipient, "text": text });
        if place == last && !said.quick_replies.is_empty() {
            let buttons = said.quick_replies.iter();
            let buttons = buttons.map(|reply| json!({ "title": reply.text, "payload": reply.id }));
            object["buttons"] = buttons.collect();
        }
        object
    };
    texts.into_iter().enumerate().map(utterance).collect()
}

/// The response with what lets the page read it, where its origin may connect.
fn allowed(app: &App, headers: &HeaderMap, mut response: Response) -> Response {
    let Some(origin) = headers.get(header::ORIGIN) else {
        return response;
    };
    let may = &app.config.server.allowed_origins;
    let is_allowed = may.is_empty()
        || may
            .iter()
            .any(|known| known.as_bytes() == origin.as_bytes());
    if is_allowed {
        let answers = response.headers_mut();
        answers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        let names = header::HeaderValue::from_static("authorization, content-type");
        answers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, names);
        answers.insert(header::VARY, header::HeaderValue::from_static("origin"));
    }
    response
}
