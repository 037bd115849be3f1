//! Shared helpers of this crate's tests.

use crm::{ConversationId, Millis, Outcome, TurnId};
use serde_json::json;
use uuid::Uuid;

use crate::checks::{Check, Finding, Verdict};
use crate::dialogue::Dialogue;
use crate::played::{Ending, PlayedTurn, Times};

/// An outcome with an empty record.
pub(crate) fn outcome(intent: &str, sentiment: &str, action: &str) -> Outcome {
    Outcome {
        turn: TurnId(Uuid::now_v7()),
        conversation: ConversationId(Uuid::now_v7()),
        through_seq: 1,
        intent: intent.to_owned(),
        sentiment: sentiment.to_owned(),
        action: action.to_owned(),
        record: json!({}),
        at: Millis(0),
    }
}

/// An anonymous English dialogue of these messages and expectations.
pub(crate) fn dialogue(id: &str, turns: serde_json::Value) -> Dialogue {
    serde_json::from_value(json!({"id": id, "world": "w", "language": "en", "turns": turns}))
        .unwrap()
}

/// A turn that was answered and had nothing checked.
pub(crate) fn played(dialogue: &str, turn: usize) -> PlayedTurn {
    PlayedTurn {
        dialogue: dialogue.to_owned(),
        turn,
        user: "What is the fee?".to_owned(),
        ending: Ending::Replied,
        reply: Some("It is $5.".to_owned()),
        previews: Vec::new(),
        times: Times::default(),
        frames: Vec::new(),
        state: Some(crm::ConversationState::Bot),
        outcome: Some(outcome("track_order", "neutral", "answer")),
        checks: Vec::new(),
        shown: None,
    }
}

pub(crate) fn passed(check: Check) -> Verdict {
    Verdict {
        check,
        finding: Finding::Passed,
    }
}

pub(crate) fn failed(check: Check, reason: &str) -> Verdict {
    Verdict {
        check,
        finding: Finding::Failed {
            reason: reason.to_owned(),
        },
    }
}

/// A server that plays a script.
pub(crate) mod scripted {
    use futures::{SinkExt, StreamExt};
    use serde_json::{Value, json};
    use tokio::net::{TcpListener, TcpStream};
    use tokio_tungstenite::tungstenite::Message;
    use tokio_tungstenite::{WebSocketStream, accept_async};
    use uuid::Uuid;

    /// What the server does.
    #[derive(Clone, Debug)]
    pub(crate) enum Say {
        /// Sends a frame.
        Frame(Value),
        /// Ends the connection.
        Close,
    }

    impl Say {
        pub(crate) fn frame(frame: Value) -> Self {
            Self::Frame(frame)
        }

        pub(crate) fn ack(seq: i64) -> Self {
            Self::Frame(json!({"type": "ack", "id": "x", "seq": seq}))
        }

        pub(crate) fn reply(seq: i64, turn: &str, text: &str) -> Self {
            Self::Frame(json!({
                "type": "message", "seq": seq, "author": "bot", "text": text, "turn": turn, "at": 0
            }))
        }
    }

    /// Serves one conversation: `script` holds what is said after each of the customer's messages.
    pub(crate) async fn serve(script: Vec<Vec<Say>>) -> String {
        serve_as(Uuid::now_v7(), script).await
    }

    /// The same under a given conversation id.
    pub(crate) async fn serve_as(conversation: Uuid, script: Vec<Vec<Say>>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}/v1/chat", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let mut socket = accept_async(stream).await.unwrap();
            expect(&mut socket, "hello").await;
            let name = format!("{}.secret", conversation.simple());
            send(
                &mut socket,
                json!({"type": "welcome", "conversation": name, "seq": 0}),
            )
            .await;
            for answer in script {
                expect(&mut socket, "message").await;
                for say in answer {
                    match say {
                        Say::Frame(frame) => send(&mut socket, frame).await,
                        Say::Close => return,
                    }
                }
            }
            // Stays until the customer leaves, so that a hung-up line is no part of a script.
            while let Some(Ok(_)) = socket.next().await {}
        });
        url
    }

    async fn send(socket: &mut WebSocketStream<TcpStream>, frame: Value) {
        socket.send(Message::text(frame.to_string())).await.unwrap();
    }

    async fn expect(socket: &mut WebSocketStream<TcpStream>, kind: &str) {
        let Some(Ok(Message::Text(text))) = socket.next().await else {
            panic!("no {kind}")
        };
        let frame: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(frame["type"], kind, "{frame}");
    }
}
