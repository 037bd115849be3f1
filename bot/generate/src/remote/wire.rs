//! The messages of the OpenAI chat completions protocol. Servers differ: what is not needed is
//! optional, and unknown fields are ignored.

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{Finish, Form, GenerateError, PromptMessage, Request};

/// What the last event of a stream holds instead of JSON.
pub(super) const END: &str = "[DONE]";
/// The protocol allows no more stop strings; the others are only looked for on this side.
const MOST_STOPS: usize = 4;
/// A server that wants to be left alone for longer is not asked again for this reply: its customer is better
/// served with what the pages say.
const LONGEST_REST: Duration = Duration::from_secs(5);

/// A request as it is sent.
#[derive(Debug, Serialize)]
pub(super) struct Body<'a> {
    model: &'a str,
    messages: &'a [PromptMessage],
    max_tokens: usize,
    temperature: f32,
    seed: u32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stop: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<Value>,
    stream: bool,
    stream_options: StreamOptions,
}

#[derive(Debug, Serialize)]
struct StreamOptions {
    include_usage: bool,
}

impl<'a> Body<'a> {
    /// `request` for `model`, streamed.
    ///
    /// # Errors
    /// [`GenerateError::Unsupported`] for what the protocol has no words for.
    pub(super) fn new(model: &'a str, request: &'a Request) -> Result<Self, GenerateError> {
        let unsupported = |what: &str| GenerateError::Unsupported {
            reason: format!("a remote server takes no {what}"),
        };
        let response_format = match &request.sampling.form {
            Form::Free => None,
            Form::Json(schema) => Some(json!({
                "type": "json_schema",
                "json_schema": {"name": "reply", "strict": true, "schema": schema},
            })),
            Form::Grammar(_) => return Err(unsupported("grammar")),
        };
        if !request.sampling.bias.is_empty() {
            return Err(unsupported("bias on words"));
        }
        let stops = request
            .stop
            .iter()
            .map(String::as_str)
            .filter(|stop| !stop.is_empty());
        Ok(Self {
            model,
            messages: &request.prompt,
            max_tokens: request.max_tokens,
            temperature: request.sampling.temperature,
            seed: request.sampling.seed,
            stop: stops.take(MOST_STOPS).collect(),
            response_format,
            stream: true,
            stream_options: StreamOptions {
                include_usage: true,
            },
        })
    }
}

/// What one event, or a whole answer that was not streamed, tells.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Part {
    /// Text to add.
    pub(super) text: String,
    /// The reply is complete.
    pub(super) finish: Option<Finish>,
    /// What it cost.
    pub(super) cost: Option<Cost>,
}

/// Tokens as the server counted them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct Cost {
    /// Of the prompt.
    pub(super) prompt_tokens: usize,
    /// Of the reply.
    pub(super) completion_tokens: usize,
    /// Of the prompt, found in a cache.
    pub(super) prompt_tokens_details: Option<Cached>,
}

/// Part of a [`Cost`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct Cached {
    /// How many.
    pub(super) cached_tokens: usize,
}

#[derive(Deserialize)]
struct Answer {
    choices: Option<Vec<Choice>>,
    usage: Option<Cost>,
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(alias = "message")]
    delta: Option<Delta>,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Delta {
    content: Option<String>,
}

/// Reads the data of an event.
///
/// # Errors
/// What the server says went wrong, or that this is no chat completion.
pub(super) fn read(data: &str) -> Result<Part, String> {
    let answer: Answer = serde_json::from_str(data)
        .map_err(|error| format!("it sent something else than a chat completion ({error})"))?;
    if let Some(error) = answer.error.filter(|error| !error.is_null()) {
        return Err(message(&error)
            .unwrap_or("it reported an error without a message")
            .to_owned());
    }
    let choice = answer.choices.unwrap_or_default().into_iter().next();
    let (delta, reason) = choice.map_or((None, None), |it| (it.delta, it.finish_reason));
    Ok(Part {
        text: delta.and_then(|delta| delta.content).unwrap_or_default(),
        finish: reason.map(|it| {
            if it == "length" {
                Finish::Length
            } else {
                Finish::Stop
            }
        }),
        cost: answer.usage,
    })
}

/// The message of an error object, or of an error that is only a string.
fn message(error: &Value) -> Option<&str> {
    error.as_str().or_else(|| error.get("message")?.as_str())
}

/// A request that was refused, and what follows from it.
#[derive(Debug)]
pub(super) struct Refusal {
    /// For the caller.
    pub(super) error: GenerateError,
    /// Whether the same request may succeed a little later, or elsewhere.
    pub(super) may_retry: bool,
    /// Whether the server is out of order, rather than busy or asked for what it cannot do.
    pub(super) is_broken: bool,
    /// How long the server wants to be left alone, if it said so.
    pub(super) retry_after: Option<Duration>,
}

impl Refusal {
    /// Whether to ask again a little later.
    pub(super) fn may_pass(&self) -> bool {
        self.may_retry && self.retry_after.is_none_or(|rest| rest <= LONGEST_REST)
    }
}

/// What a status other than success means. `waiting` is told when the server is overloaded.
pub(super) fn refusal(
    status: StatusCode,
    headers: &HeaderMap,
    body: &str,
    waiting: usize,
) -> Refusal {
    let parsed: Value = serde_json::from_str(body).unwrap_or_default();
    let error = parsed
        .get("error")
        .filter(|error| !error.is_null())
        .unwrap_or(&parsed);
    let message = message(error).unwrap_or("it gave no reason");
    let text = |field: &str| error.get(field).and_then(Value::as_str).unwrap_or_default();
    let unpaid = [text("code"), text("type")].contains(&"insufficient_quota");
    let overloaded = matches!(status.as_u16(), 429 | 503 | 529) && !unpaid;
    let passing = overloaded || matches!(status.as_u16(), 408 | 409) || status.is_server_error();
    let wish = headers
        .get("x-should-retry")
        .and_then(|value| value.to_str().ok());
    let error = match too_long(error, message) {
        Some(error) if status.is_client_error() => error,
        Some(_) | None if overloaded => {
            tracing::warn!(%status, message, "the language model's server is overloaded");
            GenerateError::Busy { waiting }
        }
        Some(_) | None => GenerateError::backend(format!("{}: {message}", advice(status))),
    };
    Refusal {
        error,
        may_retry: wish.map_or(passing, |wish| wish == "true"),
        is_broken: status.is_server_error() && !overloaded,
        retry_after: retry_after(headers),
    }
}

/// What an operator should look at.
fn advice(status: StatusCode) -> String {
    let advice = match status.as_u16() {
        401 | 403 => "check its API key",
        404 => "check its base URL, which ends in /v1, and the model's name",
        _ => "see its log",
    };
    format!("its server answers HTTP {}; {advice}", status.as_u16())
}

/// The ways in which servers say that a prompt does not fit: OpenAI and vLLM name limit and size in
/// their message, llama.cpp's server in fields.
fn too_long(error: &Value, message: &str) -> Option<GenerateError> {
    let is = |field: &str, value: &str| error.get(field).and_then(Value::as_str) == Some(value);
    if !is("code", "context_length_exceeded")
        && !is("type", "exceed_context_size_error")
        && !message.contains("maximum context length")
    {
        return None;
    }
    let field = |name: &str| usize::try_from(error.get(name)?.as_u64()?).ok();
    let mut numbers = message
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|n| n.parse().ok());
    let limit = field("n_ctx").or_else(|| numbers.next())?;
    let tokens = field("n_prompt_tokens").or_else(|| numbers.next())?;
    Some(GenerateError::TooLong {
        tokens,
        max_tokens: 0,
        limit,
    })
}

/// How long the server wants to be left alone: milliseconds or seconds. A date is not understood.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<f64>().ok();
    let seconds = number("retry-after-ms")
        .map(|ms| ms / 1000.0)
        .or_else(|| number("retry-after"));
    Duration::try_from_secs_f64(seconds?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, headers: &[(&'static str, &str)], body: &str) -> Refusal {
        let headers = headers.iter().map(|(name, value)| {
            (
                reqwest::header::HeaderName::from_static(name),
                value.parse().unwrap(),
            )
        });
        refusal(
            StatusCode::from_u16(status).unwrap(),
            &headers.collect(),
            body,
            7,
        )
    }

    #[test]
    fn events_without_text_are_read_too() {
        assert_eq!(read(r#"{"choices":[]}"#).unwrap(), Part::default());
        let role = r#"{"choices":[{"delta":{"role":"assistant","content":null}}],"usage":null}"#;
        assert_eq!(read(role).unwrap(), Part::default());
        let end = r#"{"choices":[{"delta":{},"finish_reason":"length"}]}"#;
        assert_eq!(read(end).unwrap().finish, Some(Finish::Length));
        let cost = r#"{"choices":[],"usage":{"prompt_tokens":30,"completion_tokens":4,
            "prompt_tokens_details":{"cached_tokens":20}}}"#;
        let cost = read(cost).unwrap().cost.unwrap();
        assert_eq!((cost.prompt_tokens, cost.completion_tokens), (30, 4));
        assert_eq!(cost.prompt_tokens_details.unwrap().cached_tokens, 20);
    }

    #[test]
    fn an_error_inside_a_stream_is_an_error() {
        let error = read(r#"{"error":{"message":"out of memory","code":500}}"#).unwrap_err();
        assert_eq!(error, "out of memory");
        assert_eq!(read(r#"{"error":"no"}"#).unwrap_err(), "no");
        assert!(read("<html>").is_err());
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        for (status, may_retry) in [
            (400, false),
            (401, false),
            (404, false),
            (408, true),
            (409, true),
            (422, false),
        ] {
            assert_eq!(refused(status, &[], "").may_retry, may_retry, "{status}");
        }
        for status in [429, 500, 502, 503, 529] {
            assert!(refused(status, &[], "<html>").may_retry, "{status}");
        }
        let unpaid = r#"{"error":{"message":"pay","code":"insufficient_quota"}}"#;
        assert!(!refused(429, &[], unpaid).may_retry);
        assert!(!refused(500, &[("x-should-retry", "false")], "").may_retry);
    }

    #[test]
    fn a_server_is_left_alone_for_as_long_as_it_says_or_for_good() {
        let wait = |headers: &[_]| refused(429, headers, "").retry_after;
        assert_eq!(wait(&[("retry-after", "2")]), Some(Duration::from_secs(2)));
        let both = [("retry-after", "2"), ("retry-after-ms", "250")];
        assert_eq!(wait(&both), Some(Duration::from_millis(250)));
        for unclear in ["-1", "NaN", "Wed, 21 Oct 2026 07:28:00 GMT"] {
            assert_eq!(wait(&[("retry-after", unclear)]), None, "{unclear}");
        }
        let may_pass = |seconds| refused(429, &[("retry-after", seconds)], "").may_pass();
        assert!(may_pass("2") && !may_pass("60"));
        assert!(refused(429, &[], "").may_pass());
    }

    #[test]
    fn every_servers_way_to_say_too_long_is_understood() {
        let llama = r#"{"error":{"code":400,"message":"request too long",
            "type":"exceed_context_size_error","n_prompt_tokens":900,"n_ctx":512}}"#;
        let openai = r#"{"error":{"code":"context_length_exceeded","message":"This model's maximum
            context length is 512 tokens, but your messages resulted in 900 tokens."}}"#;
        let openai = openai.replace('\n', "");
        let vllm = r#"{"object":"error","type":"BadRequestError","code":400,
            "message":"This model's maximum context length is 512 tokens, you asked for 900"}"#;
        for body in [llama, &openai, vllm] {
            let error = refused(400, &[], body).error;
            let GenerateError::TooLong {
                tokens: 900,
                limit: 512,
                ..
            } = error
            else {
                panic!("{body} was read as {error:?}");
            };
        }
    }

    #[test]
    fn an_error_says_what_to_look_at() {
        let error = refused(
            401,
            &[],
            r#"{"error":{"message":"Invalid key","code":401}}"#,
        )
        .error;
        let error = error.to_string();
        assert!(
            error.contains("API key") && error.contains("Invalid key"),
            "{error}"
        );
        assert!(matches!(
            refused(429, &[], "").error,
            GenerateError::Busy { waiting: 7 }
        ));
    }
}
