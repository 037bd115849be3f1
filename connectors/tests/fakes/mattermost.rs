//! A Mattermost server, as far as a bot account sees it.

use std::collections::BTreeMap;

use http::{HeaderMap, Method};
use serde_json::{Value, json};

use super::{Answered, Fake, HOOK, Shown, Told, now};

/// The bot account's token.
pub const TOKEN: &str = "token";
/// Id of its user.
pub const BOT: &str = "botid";

/// A server with one bot. A customer's name is the id of their private channel.
#[derive(Default)]
pub struct Mattermost {
    /// What it has accepted, by channel.
    sent: BTreeMap<String, Vec<Value>>,
    /// Posts and events so far.
    count: u64,
}

impl Mattermost {
    fn actions(post: &Value) -> Vec<Value> {
        let attachments = post["props"]["attachments"].as_array();
        let actions = attachments.into_iter().flatten();
        let actions = actions.filter_map(|attachment| attachment["actions"].as_array());
        actions.flatten().cloned().collect()
    }

    /// Why a post is refused.
    fn refusal(post: &Value) -> Option<&'static str> {
        let message = post["message"].as_str().unwrap_or_default();
        let works = |action: &Value| {
            let id = action["id"].as_str().unwrap_or_default();
            action["type"] == "button"
                && !id.is_empty()
                && id.chars().all(|c| c.is_ascii_alphanumeric())
                && !action["name"].as_str().unwrap_or_default().is_empty()
                && action["integration"]["url"] == HOOK
        };
        if message.is_empty() || message.chars().count() > 16_383 {
            return Some("model.post.is_valid.msg.app_error");
        }
        let all_work = Self::actions(post).iter().all(works);
        (!all_work).then_some("model.post.is_valid.props.app_error")
    }
}

impl Fake for Mattermost {
    fn answer(
        &mut self,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Answered {
        let refused = |status: u16, id: &str| {
            let body = json!({ "id": id, "message": id, "status_code": status });
            Answered::json(status, &body)
        };
        let auth = headers.get("authorization");
        if auth.is_none_or(|auth| auth.as_bytes() != format!("Bearer {TOKEN}").as_bytes()) {
            return refused(401, "api.context.session_expired.app_error");
        }
        match (method.as_str(), path) {
            ("POST", "/api/v4/posts") => {
                let Ok(mut post) = serde_json::from_slice::<Value>(body) else {
                    return refused(400, "api.context.invalid_body_param.app_error");
                };
                if let Some(id) = Self::refusal(&post) {
                    return refused(400, id);
                }
                self.count += 1;
                post["id"] = format!("post{}", self.count).into();
                let channel = post["channel_id"].as_str().unwrap().to_owned();
                self.sent.entry(channel).or_default().push(post.clone());
                Answered::json(201, &post)
            }
            ("POST", "/api/v4/users/me/typing") => Answered::json(200, &json!({ "status": "OK" })),
            ("GET", "/api/v4/users/me") => Answered::json(200, &json!({ "id": BOT })),
            _ => refused(404, "api.context.404.app_error"),
        }
    }

    fn says(&mut self, customer: &str, text: &str) -> Told {
        self.count += 1;
        let post = json!({
            "id": format!("post{}", self.count), "create_at": now() * 1000, "user_id": "user1",
            "channel_id": customer, "root_id": "", "message": text, "type": "", "props": {},
            "edit_at": 0, "delete_at": 0, "metadata": {},
        });
        let frame = json!({
            "event": "posted",
            "data": { "channel_type": "D", "post": post.to_string(), "sender_name": "@ana" },
            "broadcast": { "channel_id": customer },
            "seq": self.count,
        });
        Told::Frame(frame.to_string())
    }

    fn presses(&mut self, customer: &str, label: &str) -> Option<Told> {
        self.count += 1;
        let post = self.sent.get(customer)?.last()?;
        let mut actions = Self::actions(post).into_iter();
        let pressed = actions.find(|action| action["name"] == label)?;
        let body = json!({
            "user_id": "user1", "user_name": "ana", "channel_id": customer, "team_id": "",
            "post_id": post["id"], "trigger_id": format!("trigger{}", self.count),
            "context": pressed["integration"]["context"],
        });
        Some(Told::Hook {
            method: Method::POST,
            query: String::new(),
            headers: vec![("content-type", "application/json".to_owned())],
            body: body.to_string().into_bytes(),
        })
    }

    fn seen(&self, customer: &str) -> Vec<Shown> {
        let sent = self.sent.get(customer).into_iter().flatten();
        let shown = sent.map(|post| {
            let name = |action: &Value| action["name"].as_str().unwrap().to_owned();
            Shown {
                text: post["message"].as_str().unwrap_or_default().to_owned(),
                buttons: Self::actions(post).iter().map(name).collect(),
            }
        });
        shown.collect()
    }

    fn heard(&mut self, text: &str) -> Vec<String> {
        let frame: Value = serde_json::from_str(text).unwrap();
        assert_eq!(frame["action"], "authentication_challenge");
        assert_eq!(frame["data"]["token"], TOKEN);
        vec![json!({ "status": "OK", "seq_reply": frame["seq"] }).to_string()]
    }
}
