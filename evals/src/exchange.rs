//! One question and every frame up to the end of its answer.

use std::time::Duration;

use frontdesk::protocol::{Author, ErrorCode, ServerFrame, State};
use serde::Serialize;

use crate::chat::{ChatError, is_over};

/// Kind of a frame that belongs to an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FrameKind {
    /// The message is stored.
    Ack,
    /// A passage, shown while the reply is written.
    Preview,
    /// A part of the reply.
    Delta,
    /// The whole reply.
    Message,
    /// Somebody else answers now.
    Status,
}

/// When a frame was heard.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Heard {
    /// What it was.
    pub kind: FrameKind,
    /// Milliseconds since the question was sent.
    pub at_ms: f64,
}

/// What to do after a frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Step {
    /// Go on listening.
    Listen,
    /// Go on listening, but not for long: the conversation has left the bot.
    LastWords,
    /// The answer is whole.
    Ended,
    /// Send the message again after a pause.
    SayAgain(Duration),
}

/// A question's answer, as far as it was heard.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Exchange {
    /// The question's number in the conversation; `None` if it was never acknowledged.
    pub seq: Option<i64>,
    /// The turn that answered.
    pub turn: Option<String>,
    /// The reply; `None` when the conversation left the bot without one.
    pub reply: Option<String>,
    /// Passages shown while the reply was written.
    pub previews: Vec<String>,
    /// Who answers now, if that was said.
    pub state: Option<State>,
    /// When everything was heard, in order.
    pub frames: Vec<Heard>,
    /// The turn before, whose late frames are not this question's.
    before: Option<String>,
}

impl Exchange {
    /// Nothing heard yet; `before` is the turn that ended last.
    pub(crate) fn new(before: Option<String>) -> Self {
        Self {
            before,
            ..Self::default()
        }
    }

    /// Milliseconds to the first frame of one of `kinds`.
    pub fn first(&self, kinds: &[FrameKind]) -> Option<f64> {
        self.frames
            .iter()
            .find(|heard| kinds.contains(&heard.kind))
            .map(|heard| heard.at_ms)
    }

    /// Takes a frame in, heard `after` the question.
    ///
    /// # Errors
    /// [`ChatError::Refused`] for an error that sending again does not mend.
    pub(crate) fn hear(&mut self, frame: ServerFrame, after: Duration) -> Result<Step, ChatError> {
        match frame {
            ServerFrame::Ack { seq, .. } => {
                self.seq = Some(seq);
                self.note(FrameKind::Ack, after);
            }
            ServerFrame::Preview { turn, text, .. } if self.is_mine(&turn) => {
                self.previews.push(text);
                self.note(FrameKind::Preview, after);
            }
            ServerFrame::Delta { turn, text } if self.is_mine(&turn) && !text.is_empty() => {
                self.note(FrameKind::Delta, after);
            }
            ServerFrame::Message {
                turn: Some(turn),
                author: Author::Bot,
                text,
                ..
            } if self.is_mine(&turn) => {
                self.note(FrameKind::Message, after);
                (self.turn, self.reply) = (Some(turn), Some(text));
                return Ok(Step::Ended);
            }
            ServerFrame::Status { state } if is_over(state) => {
                self.note(FrameKind::Status, after);
                self.state = Some(state);
                return Ok(Step::LastWords);
            }
            ServerFrame::Error {
                code: ErrorCode::TooFast,
                retry_after,
                ..
            } => {
                let pause = Duration::try_from_secs_f64(retry_after.unwrap_or(1.0));
                self.frames.clear();
                return Ok(Step::SayAgain(pause.unwrap_or(Duration::from_secs(1))));
            }
            ServerFrame::Error { code, message, .. } => {
                return Err(ChatError::Refused { code, message });
            }
            // A greeting, an agent's words, late frames of the turn before, and who is typing.
            ServerFrame::Welcome { .. }
            | ServerFrame::Typing { .. }
            | ServerFrame::Delta { .. }
            | ServerFrame::Preview { .. }
            | ServerFrame::Message { .. }
            | ServerFrame::Status { .. } => {}
        }
        Ok(Step::Listen)
    }

    fn is_mine(&self, turn: &str) -> bool {
        self.before.as_deref() != Some(turn)
    }

    fn note(&mut self, kind: FrameKind, after: Duration) {
        self.frames.push(Heard {
            kind,
            at_ms: after.as_secs_f64() * 1e3,
        });
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn frame(json: serde_json::Value) -> ServerFrame {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn the_first_of_each_kind_gives_the_times() {
        let mut exchange = Exchange::default();
        for (ms, heard) in [
            (5, json!({"type": "ack", "id": "x", "seq": 2})),
            (6, json!({"type": "typing", "on": true})),
            (
                30,
                json!({"type": "preview", "turn": "t", "text": "a", "sources": []}),
            ),
            (35, json!({"type": "delta", "turn": "t", "text": ""})),
            (40, json!({"type": "delta", "turn": "t", "text": "b"})),
            (50, json!({"type": "delta", "turn": "t", "text": "c"})),
        ] {
            let step = exchange
                .hear(frame(heard), Duration::from_millis(ms))
                .unwrap();
            assert_eq!(step, Step::Listen);
        }
        let whole = json!({"type": "message", "seq": 3, "author": "bot", "text": "bc", "turn": "t", "at": 0});
        let step = exchange
            .hear(frame(whole), Duration::from_millis(60))
            .unwrap();
        assert_eq!(step, Step::Ended);
        use FrameKind::{Delta, Message, Preview};
        assert_eq!(exchange.first(&[Preview, Delta, Message]), Some(30.0));
        assert_eq!(exchange.first(&[Delta, Message]), Some(40.0));
        assert_eq!(exchange.first(&[Message]), Some(60.0));
        assert_eq!(exchange.reply.as_deref(), Some("bc"));
    }

    #[test]
    fn messages_of_no_turn_and_of_others_are_no_answer() {
        let mut exchange = Exchange::default();
        for heard in [
            json!({"type": "message", "seq": 1, "author": "bot", "text": "Hello!", "at": 0}),
            json!({"type": "message", "seq": 2, "author": "customer", "text": "hi", "id": "x", "at": 0}),
            json!({"type": "message", "seq": 3, "author": "agent", "text": "hi", "turn": "t", "at": 0}),
            json!({"type": "status", "state": "bot"}),
        ] {
            assert_eq!(
                exchange.hear(frame(heard), Duration::ZERO).unwrap(),
                Step::Listen
            );
        }
        assert_eq!(exchange.reply, None);
    }
}
