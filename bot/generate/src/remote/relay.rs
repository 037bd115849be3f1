//! Turns a server's response stream into chunks.

use std::time::Instant;

use eventsource_stream::Eventsource;
use futures::StreamExt;
use reqwest::Response;
use reqwest::header::CONTENT_TYPE;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::server::InFlight;
use super::wire::{self, Cost, Part};
use crate::text::StopStrings;
use crate::{Chunk, Finish, GenerateError, Meter, Request, Usage, meters};

/// Most bytes read of an answer that is not streamed.
pub(super) const WHOLE_ANSWER: usize = 4 << 20;

/// A reply while it comes in.
pub(super) struct Relay {
    chunks: mpsc::Sender<Result<Chunk, GenerateError>>,
    meter: Meter,
    stops: StopStrings,
    max_tokens: usize,
    deadline: Option<Instant>,
    finish: Option<Finish>,
    cost: Option<Cost>,
    /// Events with text. Each has a token or more.
    texts: usize,
    asked_at: Instant,
    first_at: Option<Instant>,
    last_at: Instant,
}

impl Relay {
    /// A reply to `request`, whose end this side sees to, also when the server does not.
    pub(super) fn new(
        chunks: mpsc::Sender<Result<Chunk, GenerateError>>,
        meter: Meter,
        request: &Request,
    ) -> Self {
        let asked_at = Instant::now();
        Self {
            chunks,
            meter,
            stops: StopStrings::new(request.stop.clone()),
            max_tokens: request.max_tokens,
            deadline: request.deadline,
            finish: None,
            cost: None,
            texts: 0,
            asked_at,
            first_at: None,
            last_at: asked_at,
        }
    }

    /// Passes the `response` to what is `in_flight` on until it ends, is too late, or nobody reads any
    /// more; in any case it is then dropped, which closes the connection. Before the reader learns of
    /// the end, its server's books are kept and its place is free.
    pub(super) async fn run(
        mut self,
        response: Response,
        in_flight: InFlight,
        place: OwnedSemaphorePermit,
    ) {
        let (chunks, deadline) = (self.chunks.clone(), self.deadline);
        let outcome = tokio::select! {
            () = chunks.closed() => None,
            () = passed(deadline) => {
                self.finish = Some(Finish::Deadline);
                Some(Ok(()))
            }
            outcome = self.read(response, &in_flight) => Some(outcome),
        };
        match (&outcome, self.first_at) {
            (Some(Err(_)), _) => in_flight.failed(),
            (Some(Ok(())) | None, Some(_)) => in_flight.succeeded(),
            // Nothing came in the time that it was given.
            (Some(Ok(())) | None, None) => {}
        }
        drop((in_flight, place));
        meters::finished(&self.usage());
        let end = match outcome {
            Some(Ok(())) => Ok(self.end().await),
            Some(Err(reason)) => Err(GenerateError::backend(reason)),
            None => {
                meters::cancelled();
                return;
            }
        };
        // Nobody reads it any more: there is nobody to tell.
        chunks.send(end).await.ok();
    }

    async fn read(&mut self, response: Response, in_flight: &InFlight) -> Result<(), String> {
        let kind = response
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok());
        let kind = kind.unwrap_or_default().to_owned();
        if kind.starts_with("text/event-stream") {
            self.read_events(response, in_flight).await
        } else if kind.starts_with("application/json") {
            let body = read_body(response, WHOLE_ANSWER).await?;
            self.take(wire::read(&body)?, in_flight).await;
            Ok(())
        } else {
            Err(format!(
                "its server sent {kind:?} instead of a chat completion; check its base URL, which \
                 ends in /v1"
            ))
        }
    }

    async fn read_events(
        &mut self,
        response: Response,
        in_flight: &InFlight,
    ) -> Result<(), String> {
        let mut events = response.bytes_stream().eventsource();
        while let Some(event) = events.next().await {
            let data = match event {
                Ok(event) => event.data,
                Err(_) if self.finish.is_some() => return Ok(()),
                Err(error) => return Err(format!("its server broke off the reply ({error})")),
            };
            if data.trim() == wire::END {
                return Ok(());
            }
            let part = wire::read(&data)?;
            if self.take(part, in_flight).await == Flow::Complete {
                return Ok(());
            }
        }
        match self.finish {
            Some(_) => Ok(()),
            None => Err("its server closed the connection in the middle of a reply".to_owned()),
        }
    }

    async fn take(&mut self, part: Part, in_flight: &InFlight) -> Flow {
        self.cost = part.cost.or(self.cost);
        self.finish = part.finish.or(self.finish);
        if part.text.is_empty() {
            return Flow::Goes;
        }
        if self.texts == self.max_tokens {
            self.finish = Some(Finish::Length);
            return Flow::Complete;
        }
        self.texts += 1;
        self.last_at = Instant::now();
        if self.first_at.is_none() {
            self.first_at = Some(self.last_at);
            in_flight.began();
        }
        self.meter.set(self.usage());
        let released = self.stops.push(&part.text);
        self.send(released.text).await;
        if released.stopped {
            self.finish = Some(Finish::Stop);
            return Flow::Complete;
        }
        Flow::Goes
    }

    async fn send(&self, text: String) {
        if !text.is_empty() {
            // A reader that has gone is noticed in `run`.
            self.chunks.send(Ok(Chunk::Text(text))).await.ok();
        }
    }

    /// The server tells most of it at the end; until then a text counts as a token.
    fn usage(&self) -> Usage {
        let first_at = self.first_at.unwrap_or(self.last_at);
        let cost = self.cost.unwrap_or_default();
        Usage {
            prompt_tokens: cost.prompt_tokens,
            reused_tokens: cost.prompt_tokens_details.unwrap_or_default().cached_tokens,
            output_tokens: self.cost.map_or(self.texts, |cost| cost.completion_tokens),
            prefill: first_at - self.asked_at,
            decode: self.last_at - first_at,
            ..Usage::default()
        }
    }

    async fn end(mut self) -> Chunk {
        let withheld = self.stops.finish();
        self.send(withheld).await;
        let usage = self.usage();
        self.meter.set(usage);
        Chunk::Done {
            finish: self.finish.unwrap_or(Finish::Stop),
            usage,
        }
    }
}

/// Comes when `deadline` has passed; never without one.
async fn passed(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}

/// Whether more is wanted.
#[derive(PartialEq, Eq)]
enum Flow {
    Goes,
    Complete,
}

/// At most `limit` bytes of a body, as text.
pub(super) async fn read_body(mut response: Response, limit: usize) -> Result<String, String> {
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(more)) if body.len() + more.len() <= limit => body.extend_from_slice(&more),
            Ok(Some(_)) => return Err("its server sent an answer that is far too long".to_owned()),
            Ok(None) => return Ok(String::from_utf8_lossy(&body).into_owned()),
            Err(error) => {
                return Err(format!(
                    "its server broke off the answer ({})",
                    error.without_url()
                ));
            }
        }
    }
}
