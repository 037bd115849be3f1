//! The fakes of the platforms' clouds, served over HTTP and WebSocket on loopback: each below a path of its name.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{OriginalUri, Path, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use frontdesk::Server;
use tokio::net::TcpListener;
use tokio::sync::broadcast;

use crate::fakes::{Fake, Shown, Told};

/// How long a customer waits for a message.
const PATIENCE: Duration = Duration::from_secs(60);

/// All clouds.
#[derive(Clone)]
pub(crate) struct Clouds {
    /// `http://127.0.0.1:...`
    pub(crate) url: String,
    clouds: Arc<BTreeMap<&'static str, Cloud>>,
}

struct Cloud {
    fake: Mutex<Box<dyn Fake>>,
    /// What its gateway tells.
    frames: broadcast::Sender<String>,
}

impl Clouds {
    pub(crate) async fn start(fakes: Vec<(&'static str, Box<dyn Fake>)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let clouds = fakes.into_iter().map(|(name, fake)| {
            let cloud = Cloud {
                fake: Mutex::new(fake),
                frames: broadcast::channel(64).0,
            };
            (name, cloud)
        });
        let clouds = Self {
            url,
            clouds: Arc::new(clouds.collect()),
        };
        let app = Router::new()
            .route("/{cloud}/{*path}", any(called))
            .with_state(clouds.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        clouds
    }

    /// Where a cloud is.
    pub(crate) fn base(&self, name: &str) -> String {
        format!("{}/{name}", self.url)
    }

    pub(crate) fn with<T>(&self, name: &str, act: impl FnOnce(&mut dyn Fake) -> T) -> T {
        act(self.clouds[name].fake.lock().unwrap().as_mut())
    }

    /// Tells the server what happened, the number of `times` at once; gives the statuses of the hook.
    pub(crate) async fn tell(
        &self,
        server: &Server,
        name: &str,
        told: Told,
        times: usize,
    ) -> Vec<u16> {
        match told {
            Told::Hook {
                method,
                query,
                headers,
                body,
            } => {
                let url = format!("http://{}/hooks/{name}/{name}{query}", server.address());
                let client = reqwest::Client::new();
                let call = async || {
                    let mut request = client.request(method.clone(), &url).body(body.clone());
                    for (name, value) in &headers {
                        request = request.header(*name, value);
                    }
                    request.send().await.unwrap().status().as_u16()
                };
                futures::future::join_all((0..times).map(|_| call())).await
            }
            Told::Frame(text) => {
                let frames = &self.clouds[name].frames;
                for _ in 0..100 {
                    if frames.receiver_count() > 0 {
                        break;
                    }
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                (0..times).for_each(|_| drop(frames.send(text.clone())));
                Vec::new()
            }
            Told::Polled | Told::Letter(_) => Vec::new(),
        }
    }

    /// Waits until a customer sees what is wanted; gives all that they see.
    pub(crate) async fn seen(
        &self,
        name: &str,
        customer: &str,
        wanted: impl Fn(&[Shown]) -> bool,
    ) -> Vec<Shown> {
        let begun = std::time::Instant::now();
        loop {
            let seen = self.with(name, |fake| fake.seen(customer));
            if wanted(&seen) {
                return seen;
            }
            assert!(begun.elapsed() < PATIENCE, "{name}: {seen:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

async fn called(
    State(clouds): State<Clouds>,
    Path((name, _)): Path<(String, String)>,
    OriginalUri(uri): OriginalUri,
    method: Method,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    body: Bytes,
) -> Response {
    if let Ok(upgrade) = upgrade {
        return upgrade.on_upgrade(move |socket| hear(clouds, name, socket));
    }
    let path = uri.path_and_query().unwrap().as_str();
    let path = path.strip_prefix(&format!("/{name}")).unwrap();
    let answered = clouds.with(&name, |fake| fake.answer(&method, path, &headers, &body));
    let gateway = format!("{}/ws", clouds.base(&name).replace("http://", "ws://"));
    let body = at_home(&String::from_utf8_lossy(&answered.body), &gateway);
    let status = StatusCode::from_u16(answered.status).unwrap();
    let mut response = (status, body).into_response();
    for (name, value) in &answered.headers {
        let value = value.parse().unwrap();
        response.headers_mut().insert(*name, value);
    }
    response
}

/// The body with the fake's own gateway in place of the platform's.
fn at_home(body: &str, gateway: &str) -> String {
    let Some((before, rest)) = body.split_once("wss://") else {
        return body.to_owned();
    };
    let end = rest.find('"').unwrap_or(rest.len());
    format!("{before}{gateway}{}", &rest[end..])
}

async fn hear(clouds: Clouds, name: String, mut socket: WebSocket) {
    let mut frames = clouds.clouds[name.as_str()].frames.subscribe();
    for text in clouds.with(&name, |fake| fake.opened()) {
        socket.send(Message::text(text)).await.unwrap();
    }
    loop {
        let texts = tokio::select! {
            heard = socket.recv() => match heard {
                Some(Ok(Message::Text(text))) => clouds.with(&name, |fake| fake.heard(&text)),
                Some(Ok(_)) => Vec::new(),
                Some(Err(_)) | None => return,
            },
            frame = frames.recv() => vec![frame.unwrap()],
        };
        for text in texts {
            if socket.send(Message::text(text)).await.is_err() {
                return;
            }
        }
    }
}
