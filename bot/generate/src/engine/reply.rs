//! The sending half of a [`Generation`], held by the engine's thread.

use tokio::sync::{OwnedSemaphorePermit, mpsc};

use crate::{Chunk, Finish, GenerateError, Generation, Meter, Usage};

/// A reply that somebody may be waiting for. Whatever becomes of the thread, its reader is told:
/// dropped before its end, it sends [`GenerateError::Stopped`].
#[derive(Debug)]
pub(super) struct Reply {
    chunks: mpsc::Sender<Result<Chunk, GenerateError>>,
    meter: Meter,
    /// The request's place in the engine, given back before the reader learns of the end, so that
    /// one who asks again at once is not told that the queue is full.
    place: Option<OwnedSemaphorePermit>,
}

impl Reply {
    /// A reply of at most `max_tokens` and its reader. The channel holds the whole of it: each
    /// token sends one chunk at most, the withheld text one more, and the end another. So the
    /// thread never waits for a slow reader, and what a reader can leave lying is bounded.
    pub(super) fn open(max_tokens: usize, place: OwnedSemaphorePermit) -> (Self, Generation) {
        let (chunks, reader) = mpsc::channel(max_tokens + 2);
        let meter = Meter::default();
        let generation = Generation::new(reader, meter.clone());
        let place = Some(place);
        (
            Self {
                chunks,
                meter,
                place,
            },
            generation,
        )
    }

    /// Nobody reads it any more.
    pub(super) fn is_abandoned(&self) -> bool {
        self.chunks.is_closed()
    }

    /// Tells what it has cost so far.
    pub(super) fn cost(&self, usage: Usage) {
        self.meter.set(usage);
    }

    /// Sends `text`, unless it is empty.
    pub(super) fn text(&self, text: String) {
        if !text.is_empty() {
            self.send(Ok(Chunk::Text(text)));
        }
    }

    /// Sends the end.
    pub(super) fn end(mut self, outcome: Result<(Finish, Usage), GenerateError>) {
        self.place = None;
        self.send(outcome.map(|(finish, usage)| Chunk::Done { finish, usage }));
    }

    fn send(&self, chunk: Result<Chunk, GenerateError>) {
        if let Err(mpsc::error::TrySendError::Full(_)) = self.chunks.try_send(chunk) {
            tracing::error!("a reply has more chunks than tokens; the rest of it is lost");
        }
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        if self.place.take().is_some() {
            self.send(Err(GenerateError::Stopped));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::Semaphore;

    use super::*;

    #[tokio::test]
    async fn a_dropped_reply_tells_its_reader() {
        let places = Arc::new(Semaphore::new(1));
        let place = Arc::clone(&places).try_acquire_owned().unwrap();
        let (reply, mut reader) = Reply::open(1, place);
        drop(reply);
        assert!(matches!(
            reader.next().await,
            Some(Err(GenerateError::Stopped))
        ));
        assert!(reader.next().await.is_none());
        assert_eq!(places.available_permits(), 1);
    }

    #[tokio::test]
    async fn the_place_is_free_once_the_end_is_read() {
        let places = Arc::new(Semaphore::new(1));
        let place = Arc::clone(&places).try_acquire_owned().unwrap();
        let (reply, mut reader) = Reply::open(1, place);
        reply.text("a".to_owned());
        reply.end(Ok((Finish::Stop, Usage::default())));
        assert!(matches!(reader.next().await, Some(Ok(Chunk::Text(_)))));
        assert!(matches!(reader.next().await, Some(Ok(Chunk::Done { .. }))));
        assert!(reader.next().await.is_none(), "nothing follows the end");
        assert_eq!(places.available_permits(), 1);
    }
}
