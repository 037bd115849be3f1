//! A [`Generator`] for tests: it writes a given text at a given pace.

use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::sync::mpsc;

use crate::{
    Chunk, Finish, GenerateError, Generation, Generator, Meter, PromptMessage, Request, Usage,
};

/// What one request gets.
#[derive(Debug)]
pub struct Script {
    refusal: Option<GenerateError>,
    text: String,
    failure: Option<GenerateError>,
    first_after: Duration,
    then_every: Duration,
}

impl Script {
    /// Writes `text`, a chunk a word, at once.
    pub fn text(text: impl Into<String>) -> Self {
        Self {
            refusal: None,
            text: text.into(),
            failure: None,
            first_after: Duration::ZERO,
            then_every: Duration::ZERO,
        }
    }

    /// [`Generator::generate`] itself returns `error`.
    pub fn refuse(error: GenerateError) -> Self {
        Self {
            refusal: Some(error),
            ..Self::text("")
        }
    }

    /// After its text the reply breaks off with `error`.
    pub fn then_fail(self, error: GenerateError) -> Self {
        Self {
            failure: Some(error),
            ..self
        }
    }

    /// The first chunk comes after `first_after`, each later one `then_every` after the one before.
    pub fn paced(self, first_after: Duration, then_every: Duration) -> Self {
        Self {
            first_after,
            then_every,
            ..self
        }
    }
}

type Author = dyn Fn(&Request) -> Script + Send + Sync;

/// A test double. A word counts as a token: `max_tokens` and the reply's end are kept, stop strings
/// are not looked for.
pub struct Scripted {
    author: Box<Author>,
    requests: Mutex<Vec<Request>>,
    ahead: Mutex<Vec<Vec<PromptMessage>>>,
}

impl Scripted {
    /// Answers each request with what `author` makes of it.
    pub fn new(author: impl Fn(&Request) -> Script + Send + Sync + 'static) -> Self {
        Self {
            author: Box::new(author),
            requests: Mutex::default(),
            ahead: Mutex::default(),
        }
    }

    /// Answers with each of `texts` in turn, and refuses once there are no more.
    pub fn replies<T: Into<String>>(texts: impl IntoIterator<Item = T>) -> Self {
        let texts: Vec<String> = texts.into_iter().map(Into::into).collect();
        let texts = Mutex::new(texts.into_iter());
        Self::new(move |_| match texts.lock().next() {
            Some(text) => Script::text(text),
            None => Script::refuse(GenerateError::backend("the script has no more replies")),
        })
    }

    /// All requests so far, refused ones too.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().clone()
    }

    /// What it was told that prompts will begin with, so far.
    pub fn ahead(&self) -> Vec<Vec<PromptMessage>> {
        self.ahead.lock().clone()
    }
}

#[async_trait]
impl Generator for Scripted {
    async fn generate(&self, request: Request) -> Result<Generation, GenerateError> {
        let script = (self.author)(&request);
        let (prompt, max_tokens) = (request.prompt.clone(), request.max_tokens);
        self.requests.lock().push(request);
        if let Some(refusal) = script.refusal {
            return Err(refusal);
        }
        let words = |text: &str| text.split_whitespace().count();
        let prompt_tokens = prompt.iter().map(|message| words(&message.content)).sum();
        let (chunks, reader) = mpsc::channel(1);
        let usage = Usage {
            prompt_tokens,
            ..Usage::default()
        };
        let meter = Meter::default();
        meter.set(usage);
        tokio::spawn(play(script, meter.clone(), max_tokens, chunks));
        Ok(Generation::new(reader, meter))
    }

    async fn read_ahead(&self, _: u64, beginning: Vec<PromptMessage>) {
        self.ahead.lock().push(beginning);
    }

    fn model(&self) -> &str {
        "scripted"
    }

    fn waiting(&self) -> usize {
        0
    }

    fn healthy(&self) -> bool {
        true
    }
}

/// Sends `script`; ends early when nobody reads it.
async fn play(
    script: Script,
    meter: Meter,
    max_tokens: usize,
    chunks: mpsc::Sender<Result<Chunk, GenerateError>>,
) {
    let mut usage = meter.read();
    let mut finish = Finish::Stop;
    for word in script.text.split_inclusive(' ') {
        if usage.output_tokens == max_tokens {
            finish = Finish::Length;
            break;
        }
        let first = usage.output_tokens == 0;
        tokio::time::sleep(if first {
            script.first_after
        } else {
            script.then_every
        })
        .await;
        usage.output_tokens += 1;
        meter.set(usage);
        if chunks.send(Ok(Chunk::Text(word.to_owned()))).await.is_err() {
            return;
        }
    }
    let end = script
        .failure
        .map_or(Ok(Chunk::Done { finish, usage }), Err);
    // Nobody reads it any more: there is nobody to tell.
    chunks.send(end).await.ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(max_tokens: usize) -> Request {
        Request::new(Vec::new(), max_tokens)
    }

    async fn chunks(mut generation: Generation) -> Vec<Result<Chunk, GenerateError>> {
        let mut chunks = Vec::new();
        while let Some(chunk) = generation.next().await {
            chunks.push(chunk);
        }
        chunks
    }

    #[tokio::test]
    async fn replies_come_in_turn_word_by_word_and_then_no_more() {
        let scripted = Scripted::replies(["Hello there.", "Bye."]);
        let first = chunks(scripted.generate(request(9)).await.unwrap()).await;
        assert!(matches!(&first[0], Ok(Chunk::Text(word)) if word == "Hello "));
        assert!(matches!(&first[1], Ok(Chunk::Text(word)) if word == "there."));
        assert!(matches!(
            &first[2..],
            [Ok(Chunk::Done {
                finish: Finish::Stop,
                ..
            })]
        ));
        assert_eq!(
            chunks(scripted.generate(request(9)).await.unwrap())
                .await
                .len(),
            2
        );
        assert!(scripted.generate(request(9)).await.is_err());
        assert_eq!(scripted.requests().len(), 3);
    }

    #[tokio::test]
    async fn a_reply_ends_at_its_length() {
        let scripted = Scripted::replies(["one two three"]);
        let reply = chunks(scripted.generate(request(2)).await.unwrap()).await;
        assert!(matches!(
            reply[2..],
            [Ok(Chunk::Done {
                finish: Finish::Length,
                ..
            })]
        ));
    }

    #[tokio::test]
    async fn a_reply_can_be_refused_or_break_off() {
        let refusing = Scripted::new(|_| Script::refuse(GenerateError::Busy { waiting: 3 }));
        let refused = refusing.generate(request(9)).await;
        assert!(matches!(refused, Err(GenerateError::Busy { waiting: 3 })));
        let breaking = Scripted::new(|_| Script::text("half a").then_fail(GenerateError::Stopped));
        let broken = chunks(breaking.generate(request(9)).await.unwrap()).await;
        assert!(matches!(
            broken[..],
            [Ok(_), Ok(_), Err(GenerateError::Stopped)]
        ));
    }
}
