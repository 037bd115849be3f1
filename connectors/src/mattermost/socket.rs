//! Mattermost's [WebSocket](https://developers.mattermost.com/api-documentation/#/#websocket).

use std::collections::BTreeMap;

use serde_json::json;
use url::Url;

use super::Mattermost;
use super::post::{Frame, Post, Reader, Turn};
use crate::channel::{Answer, Call, Gateway, Heard, SendError, Session, Then};

/// Of how many channels a session remembers who reads them.
const MOST_CHANNELS: usize = 10_000;

impl Gateway for Mattermost {
    fn request(&self) -> Option<Call> {
        None
    }

    fn address(&self, _: Option<&Answer<'_>>) -> Result<Url, SendError> {
        let mut url = self.url("websocket");
        let scheme = match url.scheme() {
            "http" => "ws",
            _ => "wss",
        };
        match url.set_scheme(scheme) {
            Ok(()) => Ok(url),
            Err(()) => Err(SendError::Refused {
                status: 0,
                reason: format!("{} is no address of a server", self.settings.base),
            }),
        }
    }

    fn session(&self) -> Box<dyn Session> {
        Box::new(Socket {
            reader: self.reader(),
            token: self.settings.token.clone(),
            direct: BTreeMap::new(),
        })
    }
}

/// A session.
struct Socket {
    reader: Reader,
    token: String,
    /// Whether nobody else reads a channel: only new posts tell, not what becomes of them.
    direct: BTreeMap<String, bool>,
}

impl Socket {
    fn remember(&mut self, channel: &str, is_direct: bool) {
        if self.direct.len() >= MOST_CHANNELS {
            self.direct.clear();
        }
        self.direct.insert(channel.to_owned(), is_direct);
    }
}

impl Session for Socket {
    fn opened(&mut self) -> Vec<String> {
        let challenge = json!({
            "seq": 1,
            "action": "authentication_challenge",
            "data": { "token": self.token },
        });
        vec![challenge.to_string()]
    }

    fn heard(&mut self, text: &str) -> Heard {
        let Ok(frame) = serde_json::from_str::<Frame>(text) else {
            return Heard::default();
        };
        if frame.status == "FAIL" {
            return Heard {
                then: Then::Refused(frame.error.message),
                ..Heard::default()
            };
        }
        let turn = match frame.event.as_str() {
            "posted" => Turn::New,
            "post_edited" => Turn::Changed,
            "post_deleted" => Turn::Deleted,
            _ => return Heard::default(),
        };
        let post = frame.data.post.as_deref();
        let post = post.and_then(|post| serde_json::from_str::<Post>(post).ok());
        let Some(post) = post else {
            return Heard::default();
        };
        if let Some(is_direct) = frame.data.is_direct() {
            self.remember(&post.channel_id, is_direct);
        }
        let Some(is_direct) = self.direct.get(&post.channel_id).copied() else {
            return Heard::default();
        };
        let name = frame.data.sender_name.as_deref();
        let event = self.reader.event(turn, &post, is_direct, name);
        Heard {
            events: event.into_iter().collect(),
            ..Heard::default()
        }
    }
}
