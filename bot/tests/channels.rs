//! Customers who write on a messaging platform.

#![expect(clippy::unwrap_used, reason = "a test may fail here")]

mod support;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use frontdesk::{Answers, Channel, Config, Server};
use serde_json::{Value, json};
use support::{TestServer, config, start_with};
use tokio::net::TcpListener;

const SECRET: &str = "the-secret-of-the-hook";

/// Telegram, as far as a bot sees it.
#[derive(Default)]
struct Telegram {
    /// What it has accepted.
    sent: Mutex<Vec<Value>>,
    /// What it says first, before it accepts.
    refusals: Mutex<VecDeque<(u16, Value)>>,
}

impl Telegram {
    async fn start() -> (Arc<Self>, String) {
        let telegram = Arc::new(Self::default());
        let app = Router::new()
            .route("/{bot}/{method}", post(called))
            .with_state(Arc::clone(&telegram));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        (telegram, url)
    }

    fn refuse(&self, status: u16, body: Value) {
        self.refusals.lock().unwrap().push_back((status, body));
    }

    fn texts(&self) -> Vec<String> {
        let sent = self.sent.lock().unwrap();
        sent.iter()
            .map(|message| message["text"].as_str().unwrap().to_owned())
            .collect()
    }

    /// Waits until it has accepted so many messages; gives their texts.
    async fn accepted(&self, count: usize) -> Vec<String> {
        for _ in 0..600 {
            let texts = self.texts();
            if texts.len() >= count {
                return texts;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{:?}", self.texts());
    }
}

async fn called(
    State(telegram): State<Arc<Telegram>>,
    Path((bot, method)): Path<(String, String)>,
    Json(body): Json<Value>,
) -> Response {
    assert_eq!(bot, "bot12:token");
    if method != "sendMessage" {
        return Json(json!({ "ok": true, "result": true })).into_response();
    }
    if let Some((status, body)) = telegram.refusals.lock().unwrap().pop_front() {
        return (StatusCode::from_u16(status).unwrap(), Json(body)).into_response();
    }
    let mut sent = telegram.sent.lock().unwrap();
    sent.push(body);
    Json(json!({ "ok": true, "result": { "message_id": sent.len() } })).into_response()
}

/// The pages' own words, on Telegram.
fn on_telegram(config: &mut Config, api: &str) {
    config.generate.answers = Answers::Extractive;
    let account = json!({
        "kind": "telegram", "token": "12:token", "secret": SECRET, "api": api,
    });
    let account: Channel = serde_json::from_value(account).unwrap();
    config.channels.insert("shop".into(), account);
}

fn update(number: u64, text: &str) -> Value {
    json!({ "update_id": number, "message": {
        "message_id": number, "date": 1_767_225_600,
        "from": { "id": 5001, "first_name": "Ana", "language_code": "en" },
        "chat": { "id": 5001, "type": "private" },
        "text": text,
    } })
}

/// Calls the hook; gives the status.
async fn call(server: &Server, secret: &str, body: String) -> u16 {
    let url = format!("http://{}/hooks/telegram/shop", server.address());
    let request = reqwest::Client::new()
        .post(url)
        .header("x-telegram-bot-api-secret-token", secret)
        .body(body);
    request.send().await.unwrap().status().as_u16()
}

async fn tell(server: &Server, update: &Value) {
    assert_eq!(call(server, SECRET, update.to_string()).await, 200);
}

#[tokio::test]
async fn a_customer_on_telegram_is_greeted_and_answered_once() {
    let (telegram, api) = Telegram::start().await;
    let TestServer {
        server,
        folder: _kept,
    } = start_with(|config| on_telegram(config, &api)).await;
    tell(&server, &update(1, "/start")).await;
    let greeting = telegram.accepted(1).await;
    assert!(greeting[0].contains("AI"), "{greeting:?}");

    // Telegram tells again what it believes to be lost.
    let question = update(2, "How long is the warranty?");
    let told = [0; 5].map(|_| tell(&server, &question));
    futures::future::join_all(told).await;
    tell(&server, &update(1, "/start")).await;
    let texts = telegram.accepted(2).await;
    assert!(texts[1].contains("5 years"), "{texts:?}");
    assert_eq!(telegram.sent.lock().unwrap()[1]["chat_id"], 5001);

    let third = update(3, "How do I return a lamp?").to_string();
    assert_eq!(call(&server, "another", third).await, 401);
    assert_eq!(call(&server, SECRET, "{".into()).await, 400);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(telegram.texts().len(), 2, "nothing twice, nothing forged");
    server.stop().await;
}

#[tokio::test]
async fn what_a_platform_does_not_take_comes_later_in_order_and_dead_letters_are_kept() {
    let (telegram, api) = Telegram::start().await;
    for _ in 0..2 {
        telegram.refuse(503, json!({ "ok": false, "description": "Bad Gateway" }));
    }
    let started = start_with(|config| on_telegram(config, &api)).await;
    let TestServer { server, folder } = started;
    tell(&server, &update(1, "How long is the warranty?")).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    server.stop().await;

    let mut again = config(folder.path());
    on_telegram(&mut again, &api);
    let server = Server::start(again).await.unwrap();
    let texts = telegram.accepted(2).await;
    assert!(
        texts[0].contains("AI") && texts[1].contains("5 years"),
        "{texts:?}"
    );

    let blocked = "Forbidden: bot was blocked by the user";
    telegram.refuse(403, json!({ "ok": false, "description": blocked }));
    tell(&server, &update(2, "How do I return a lamp?")).await;
    let dead = loop {
        let undelivered = server.store().undelivered(9).await.unwrap();
        if let Some(letter) = undelivered
            .into_iter()
            .find(|letter| letter.error.is_some())
        {
            break letter;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert_eq!(dead.state.as_str(), "dead");
    assert!(
        dead.error
            .as_deref()
            .is_some_and(|error| error.contains(blocked))
    );
    let again = server.store().send_again(None, dead.at).await.unwrap();
    assert_eq!(again, 1);
    assert_eq!(telegram.accepted(3).await.len(), 3);
    server.stop().await;
}
