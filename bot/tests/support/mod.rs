//! A running server over a tiny shop, and a chat client for it.
//!
//! The reply model is the small SmolLM2: it writes badly, which the guard has to bear.

#![expect(dead_code, reason = "each test file uses a part of it")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may fail here"
)]

pub(crate) mod program;
pub(crate) mod writer;

use std::path::Path;
use std::time::Duration;

use frontdesk::{Config, Secret, Server, auth};
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

/// Longest wait for a frame; a reply of the small model takes about a second.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn secret() -> Secret {
    Secret::from("a secret of the test suite, 32 bytes or more".to_owned())
}

/// A token as the shop's backend would sign it.
pub(crate) fn token(customer: &str) -> String {
    auth::sign(&secret(), customer, Duration::from_secs(600)).unwrap()
}

/// A configuration over `folder` with the tiny shop in it.
pub(crate) fn config(folder: &Path) -> Config {
    let world = folder.join("world");
    write_world(&world);
    let mut config = Config::default();
    config.server.listen = "127.0.0.1:0".parse().unwrap();
    config.server.grace_seconds = 1;
    config.data.dir = folder.join("data");
    config.auth.secret = Some(secret());
    config.models.reply = "smollm2".into();
    config.generate.max_tokens = 48;
    config.generate.answers = frontdesk::Answers::Generative;
    config.demo.world = Some(world);
    config.demo.enabled = true;
    config
}

pub(crate) struct TestServer {
    pub(crate) server: Server,
    pub(crate) folder: TempDir,
}

pub(crate) async fn start() -> TestServer {
    start_with(|_| {}).await
}

pub(crate) async fn start_with(change: impl FnOnce(&mut Config)) -> TestServer {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path());
    change(&mut config);
    let server = Server::start(config)
        .await
        .unwrap_or_else(|error| panic!("{error}"));
    TestServer { server, folder }
}

impl TestServer {
    pub(crate) async fn connect(&self) -> Client {
        Client::connect(&format!("ws://{}/v1/chat", self.server.address())).await
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.server.address())
    }
}

/// A chat client.
pub(crate) struct Client {
    pub(crate) socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    pub(crate) conversation: String,
    sent: u32,
}

impl Client {
    pub(crate) async fn connect(url: &str) -> Self {
        let (socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
        Self {
            socket,
            conversation: String::new(),
            sent: 0,
        }
    }

    /// Says hello as a visitor and takes the welcome.
    pub(crate) async fn hello(&mut self) -> Vec<Value> {
        self.hello_with(json!({})).await
    }

    /// Says hello with these fields; gives all frames up to the `status`.
    pub(crate) async fn hello_with(&mut self, fields: Value) -> Vec<Value> {
        let mut frame = json!({ "type": "hello" });
        frame
            .as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        self.send(frame).await;
        let frames = self
            .until(|frame| frame["type"] == "status" || frame["type"] == "error")
            .await;
        if frames[0]["type"] == "welcome" {
            self.conversation = frames[0]["conversation"].as_str().unwrap().to_owned();
        }
        frames
    }

    pub(crate) async fn send(&mut self, frame: Value) {
        self.send_raw(Message::text(frame.to_string())).await;
    }

    pub(crate) async fn send_raw(&mut self, message: Message) {
        self.socket.send(message).await.unwrap();
    }

    /// Sends a message under an id of its own.
    pub(crate) async fn say(&mut self, text: &str) -> String {
        self.sent += 1;
        let id = format!("m{}", self.sent);
        self.send(json!({ "type": "message", "id": id, "text": text }))
            .await;
        id
    }

    /// Asks, and waits for the bot's answer.
    pub(crate) async fn ask(&mut self, text: &str) -> Value {
        self.say(text).await;
        self.answer().await
    }

    /// The next message of the bot that ends a turn.
    pub(crate) async fn answer(&mut self) -> Value {
        let frames = self
            .until(|frame| frame["type"] == "message" && frame["turn"].is_string())
            .await;
        frames.last().unwrap().clone()
    }

    /// The next frame; `None` when the connection has ended.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        loop {
            let next = tokio::time::timeout(PATIENCE, self.socket.next()).await;
            match next.expect("the server sends a frame in time")? {
                Ok(Message::Text(text)) => return Some(serde_json::from_str(&text).unwrap()),
                Ok(Message::Close(_)) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    /// All frames up to the first that fits.
    pub(crate) async fn until(&mut self, fits: impl Fn(&Value) -> bool) -> Vec<Value> {
        let mut frames = Vec::new();
        loop {
            let frame = self
                .next()
                .await
                .unwrap_or_else(|| panic!("the connection ended after {frames:?}"));
            frames.push(frame.clone());
            if fits(&frame) {
                return frames;
            }
        }
    }

    /// The next `error` frame.
    pub(crate) async fn error(&mut self) -> Value {
        self.until(|frame| frame["type"] == "error")
            .await
            .pop()
            .unwrap()
    }
}

/// A shop of two articles, two customers and one product.
fn write_world(folder: &Path) {
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write(
        "world.toml",
        "name = \"Harbour Lamps\"\nsymbol = \"€\"\nsupport_hours = \"9 to 5\"\n",
    );
    write(
        "knowledge/returns.md",
        "# Returns\n\nYou can return any lamp within 30 days of delivery. Returns are free of charge.\n\n## How to return\n\nPut the lamp into its box and hand it in at any pickup point with the printed label.\n",
    );
    write(
        "knowledge/warranty.md",
        "# Warranty\n\nEvery lamp has a warranty of 5 years against defects of material and workmanship.\n",
    );
    write(
        "products.jsonl",
        "{\"id\":\"P-1\",\"name\":\"Ship Lamp\",\"category\":\"Lamps\",\"description\":\"A brass lamp.\",\"variants\":[{\"sku\":\"P-1-S\",\"options\":{\"size\":\"small\"},\"price\":49.00,\"available\":true},{\"sku\":\"P-1-L\",\"options\":{\"size\":\"large\"},\"price\":89.00,\"available\":false}]}\n",
    );
    let customer = |id: &str, name: &str| format!("{{\"id\":\"{id}\",\"name\":\"{name}\"}}\n");
    write(
        "customers.jsonl",
        &(customer("C-1", "Ada Quill") + &customer("C-2", "Ben Marsh")),
    );
    let order = |id: &str, customer: &str, tracking: &str| {
        format!(
            "{{\"id\":\"{id}\",\"customer\":\"{customer}\",\"status\":\"shipped\",\"placed_on\":\"2026-11-18\",\"items\":[{{\"product\":\"P-1\",\"sku\":\"P-1-S\",\"name\":\"Ship Lamp\",\"quantity\":1,\"price\":49.00,\"options\":{{\"size\":\"small\"}}}}],\"total\":49.00,\"shipments\":[{{\"carrier\":\"Gull Post\",\"tracking\":[\"{tracking}\"]}}]}}\n"
        )
    };
    write(
        "orders.jsonl",
        &(order("#H1001", "C-1", "GP111111") + &order("#H2002", "C-2", "GP222222")),
    );
}
