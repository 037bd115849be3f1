//! The [`Generator`] of an installation without a model.

use async_trait::async_trait;
use tokio::sync::mpsc;

use crate::{Chunk, Finish, GenerateError, Generation, Generator, Meter, Request, Usage};

/// A [`Generator`] that writes nothing, at once: every reply ends before its first word.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

#[async_trait]
impl Generator for Silent {
    async fn generate(&self, _request: Request) -> Result<Generation, GenerateError> {
        let (chunks, reader) = mpsc::channel(1);
        let end = Chunk::Done {
            finish: Finish::Stop,
            usage: Usage::default(),
        };
        // The reader is right here: there is room for one.
        chunks.try_send(Ok(end)).ok();
        Ok(Generation::new(reader, Meter::default()))
    }

    fn model(&self) -> &str {
        "none"
    }

    fn waiting(&self) -> usize {
        0
    }

    fn healthy(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_reply_ends_before_its_first_word() {
        let request = Request::new(Vec::new(), 8);
        let mut reply = Silent.generate(request).await.unwrap();
        assert!(matches!(reply.next().await, Some(Ok(Chunk::Done { .. }))));
        assert!(reply.next().await.is_none());
        assert_eq!(reply.usage(), Usage::default());
    }
}
