//! What a homeserver tells who asks: by its
//! [sync](https://spec.matrix.org/v1.17/client-server-api/#syncing), and what was written before the bot came.

use std::collections::BTreeMap;
use std::time::Duration;

use http::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::event::{CREATE, Event, MEMBER, Read};
use super::{Matrix, Settings, told};
use crate::channel::{Answer, Call, Polled, Polling, SendError};

/// How long the homeserver waits for something to happen, in milliseconds.
const LONG_POLL: u64 = 25_000;
/// How long an application service waits between two requests that bring nothing.
const SELDOM: Duration = Duration::from_secs(3600);
/// Most events of one room in an answer, and most that are read of what was written before the bot came.
const MOST_EVENTS: u64 = 50;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Sync {
    next_batch: Option<String>,
    rooms: Rooms,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Rooms {
    join: BTreeMap<String, Value>,
    invite: BTreeMap<String, Value>,
    leave: BTreeMap<String, Value>,
}

/// A room, by when it is read: its state before the timeline.
#[derive(Debug, Default)]
struct Room {
    state: Vec<Event>,
    timeline: Vec<Event>,
    ephemeral: Vec<Event>,
}

/// What was said around an event, the latest first.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Context {
    event: Value,
    events_before: Value,
    state: Value,
}

/// What [`Polling::request`] is to be asked with when the bot came into a room by `event`.
pub(super) fn bell(event: &Event) -> String {
    format!("{} {}", event.room_id, event.event_id)
}

/// The items of a list that are of a known form.
fn known<T: DeserializeOwned>(list: &Value) -> Vec<T> {
    let items = list.as_array().into_iter().flatten();
    let items = items.map(|item| serde_json::from_value(item.clone()));
    items.filter_map(Result::ok).collect()
}

impl Room {
    fn new(id: &str, room: &Value) -> Self {
        let events = |part: &str| {
            let mut events: Vec<Event> = known(&room[part]["events"]);
            for event in &mut events {
                id.clone_into(&mut event.room_id);
            }
            events
        };
        Self {
            state: events("state"),
            timeline: events("timeline"),
            ephemeral: events("ephemeral"),
        }
    }

    /// Whether the whole state is told: the bot has just come, or has asked for the first time.
    fn is_whole(&self) -> bool {
        let mut all = self.state.iter().chain(&self.timeline);
        all.any(|event| event.kind == CREATE)
    }
}

/// How many others than `user` are in a room, or are asked to be, by all of its events in their order.
fn others<'a>(events: impl Iterator<Item = &'a Event>, user: &str) -> usize {
    let mut members = BTreeMap::new();
    for event in events.filter(|event| event.kind == MEMBER) {
        if let Some(member) = event.state_key.as_deref().filter(|member| *member != user) {
            members.insert(member, event.membership());
        }
    }
    let is_in = |membership: &&&str| matches!(**membership, "join" | "invite" | "knock");
    members.values().filter(is_in).count()
}

impl Settings {
    fn sync(&self, sync: &Sync) -> Read {
        let mut read = Read::default();
        for (id, room) in &sync.rooms.invite {
            let events: Vec<Event> = known(&room["invite_state"]["events"]);
            let ours = events.into_iter().rev();
            let mut ours = ours.filter(|event| event.is_member(&self.user));
            if let Some(mut invitation) = ours.next() {
                // Of an invitation only a part is told.
                id.clone_into(&mut invitation.room_id);
                invitation.event_id = format!("{id}-invited");
                self.invited(&invitation, &mut read);
            }
        }
        for (id, room) in &sync.rooms.join {
            let room = Room::new(id, room);
            match room.is_whole() {
                true => self.whole(id, &room, &mut read),
                false => {
                    let all = room.state.iter().chain(&room.timeline);
                    all.for_each(|event| self.read(event, &mut read));
                }
            }
            let told_by = sync.next_batch.as_deref().unwrap_or_default();
            for event in &room.ephemeral {
                read.events.extend(self.read_ephemeral(event, told_by));
            }
        }
        for (id, room) in &sync.rooms.leave {
            let room = Room::new(id, room);
            let all = room.state.iter().chain(&room.timeline);
            let ours = all.filter(|event| event.is_member(&self.user));
            ours.for_each(|event| self.read(event, &mut read));
        }
        read
    }

    /// A room of which everything is told: what was written since the bot was asked there, if others than its
    /// customer do not read it.
    fn whole(&self, id: &str, room: &Room, read: &mut Read) {
        let all = room.state.iter().chain(&room.timeline);
        if self.is_private() && others(all, &self.user) != 1 {
            read.calls.push(self.leave(id));
            return;
        }
        self.since_invitation(&room.timeline, read);
    }

    /// What was written since the bot was asked into the room, or has come; nothing where neither is among the
    /// events.
    fn since_invitation(&self, events: &[Event], read: &mut Read) {
        let ours = |event: &&Event| event.is_member(&self.user);
        let Some(begin) = events.iter().position(|event| ours(&event)) else {
            return;
        };
        let later = events.iter().skip(begin);
        let later = later.filter(|event| event.kind != MEMBER);
        later.for_each(|event| self.read(event, read));
    }

    /// What was written between the invitation and the bot's coming.
    fn context(&self, context: &Context, read: &mut Read) {
        let Ok(joined) = serde_json::from_value::<Event>(context.event.clone()) else {
            return;
        };
        let state: Vec<Event> = known(&context.state);
        if self.is_private() && others(state.iter(), &self.user) != 1 {
            read.calls.push(self.leave(&joined.room_id));
            return;
        }
        let mut before: Vec<Event> = known(&context.events_before);
        before.reverse();
        self.since_invitation(&before, read);
    }
}

impl Polling for Matrix {
    /// An application service is told what happens, and has no sync: without a bell nothing is asked for.
    fn request(&self, cursor: Option<&str>, bell: Option<&str>) -> Call {
        if let Some((room, event)) = bell.and_then(|bell| bell.split_once(' ')) {
            let path = ["v3", "rooms", room, "context", event];
            let mut call = self.settings.call(Method::GET, &path, None);
            let mut query = call.url.query_pairs_mut();
            // Half of them are those before.
            query.append_pair("limit", &(MOST_EVENTS * 2).to_string());
            drop(query);
            return call;
        }
        if self.settings.is_service() {
            return self.settings.whoami();
        }
        let filter = json!({
            "presence": { "types": [] },
            "account_data": { "types": [] },
            "room": {
                "state": { "types": [CREATE, MEMBER] },
                "timeline": { "limit": MOST_EVENTS },
                "ephemeral": { "types": ["m.typing", "m.receipt"] },
                "account_data": { "types": [] },
            },
        });
        let mut call = self.settings.call(Method::GET, &["v3", "sync"], None);
        let mut query = call.url.query_pairs_mut();
        query
            .append_pair("timeout", &LONG_POLL.to_string())
            .append_pair("filter", &filter.to_string());
        if let Some(since) = cursor {
            query.append_pair("since", since);
        }
        drop(query);
        call
    }

    fn polled(&self, answer: &Answer<'_>) -> Result<Polled, SendError> {
        told(answer)?;
        let unreadable = || SendError::Refused {
            status: answer.status,
            reason: answer.excerpt(),
        };
        let body: Value = serde_json::from_slice(answer.body).map_err(|_| unreadable())?;
        let mut read = Read::default();
        let mut cursor = None;
        if body.get("event").is_some() {
            let context = serde_json::from_value(body).map_err(|_| unreadable())?;
            self.settings.context(&context, &mut read);
        } else {
            let sync: Sync = serde_json::from_value(body).map_err(|_| unreadable())?;
            read = self.settings.sync(&sync);
            cursor = sync.next_batch;
        }
        Ok(Polled {
            events: read.events,
            cursor,
            more: false,
            calls: read.calls,
        })
    }

    fn pause(&self) -> Duration {
        match self.settings.is_service() {
            true => SELDOM,
            false => Duration::ZERO,
        }
    }
}
