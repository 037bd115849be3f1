//! The cost of idle connections: the server's memory per open connection.
//!
//! Linux only: memory and limits are read from `/proc`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures::{SinkExt, StreamExt, stream};
use serde::Serialize;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

/// Connections opened at a time: a server's backlog of new ones is short.
const AT_ONCE: usize = 64;

/// Files that this process and the server have open besides.
const SPARE_FILES: u64 = 256;

/// How long memory is given to come to rest.
const SETTLE: Duration = Duration::from_secs(5);

/// Why the memory cannot be measured.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionsError {
    /// `/proc` does not say.
    #[error("cannot read {}: give the --pid of a running server, on Linux", file.display())]
    NoProcess {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// `/proc` says something else than expected.
    #[error("{} has no {line:?}: this kernel is not supported", file.display())]
    NoLine {
        /// The file.
        file: PathBuf,
        /// The line missed.
        line: &'static str,
    },
    /// Too few files may be open.
    #[error(
        "process {process} may open {limit} files and needs {needed}: run `ulimit -n {needed}` \
         before starting it"
    )]
    TooFewFiles {
        /// Whose limit it is: `self`, or the server's id.
        process: String,
        /// The limit.
        limit: u64,
        /// What is needed.
        needed: u64,
    },
    /// A connection was not welcomed.
    #[error("connection {number} failed: check the --url and the server's connection limits")]
    Refused {
        /// Which one, from 1.
        number: usize,
        /// Why.
        source: tungstenite::Error,
    },
}

/// What was measured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Memory {
    /// Connections opened.
    pub opened: usize,
    /// Connections still open at the end.
    pub open: usize,
    /// Seconds it took to open them.
    pub seconds: f64,
    /// Resident memory before, in bytes.
    pub before: u64,
    /// Resident memory with all of them open, in bytes.
    pub after: u64,
}

impl Memory {
    /// Bytes for each open connection; negative if the process has shrunk.
    pub fn each(&self) -> f64 {
        (self.after as f64 - self.before as f64) / self.open.max(1) as f64
    }
}

/// Opens `count` connections to `url`, says hello on each, and weighs the server's process `pid`.
/// `opened` is told of each.
///
/// # Errors
/// [`ConnectionsError`].
pub async fn measure(
    url: &str,
    count: usize,
    pid: u32,
    opened: impl Fn(),
) -> Result<Memory, ConnectionsError> {
    let needed = count as u64 + SPARE_FILES;
    check_limit("self", needed)?;
    check_limit(&pid.to_string(), needed)?;
    let before = resident(pid)?;
    let begun = Instant::now();
    let (open, mut listeners) = (Arc::new(AtomicUsize::new(0)), JoinSet::new());
    let mut greeted = stream::iter(1..=count)
        .map(|number| async move {
            let refused = |source| ConnectionsError::Refused { number, source };
            greet(url).await.map_err(refused)
        })
        .buffer_unordered(AT_ONCE);
    while let Some(socket) = greeted.next().await {
        listeners.spawn(listen(socket?, Arc::clone(&open)));
        opened();
    }
    let seconds = begun.elapsed().as_secs_f64();
    tokio::time::sleep(SETTLE).await;
    let after = resident(pid)?;
    let open = open.load(Ordering::Relaxed);
    listeners.shutdown().await;
    Ok(Memory {
        opened: count,
        open,
        seconds,
        before,
        after,
    })
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Connects and waits to be welcomed.
async fn greet(url: &str) -> Result<Socket, tungstenite::Error> {
    // Ten thousand of the usual 128 KiB buffers would be ours to pay.
    let config = WebSocketConfig::default().read_buffer_size(1024);
    let (mut socket, _) = connect_async_with_config(url, Some(config), true).await?;
    socket.send(Message::text(r#"{"type":"hello"}"#)).await?;
    match socket.next().await {
        Some(frame) => frame.map(|_| socket),
        None => Err(tungstenite::Error::ConnectionClosed),
    }
}

/// Listens, which also answers pings, and counts the connection as open meanwhile.
async fn listen(mut socket: Socket, open: Arc<AtomicUsize>) {
    open.fetch_add(1, Ordering::Relaxed);
    while let Some(Ok(_)) = socket.next().await {}
    open.fetch_sub(1, Ordering::Relaxed);
}

fn check_limit(process: &str, needed: u64) -> Result<(), ConnectionsError> {
    let file = Path::new("/proc").join(process).join("limits");
    let limit = field(&file, "Max open files")?;
    // "unlimited" is no number and no bound.
    match limit.parse::<u64>() {
        Ok(limit) if limit < needed => Err(ConnectionsError::TooFewFiles {
            process: process.to_owned(),
            limit,
            needed,
        }),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Resident memory of a process, in bytes.
fn resident(pid: u32) -> Result<u64, ConnectionsError> {
    let (file, line) = (PathBuf::from(format!("/proc/{pid}/status")), "VmRSS:");
    let kibibytes = field(&file, line)?.parse::<u64>();
    kibibytes
        .map(|kibibytes| kibibytes * 1024)
        .map_err(|_| ConnectionsError::NoLine { file, line })
}

/// The first word after `line`'s beginning.
fn field(file: &Path, line: &'static str) -> Result<String, ConnectionsError> {
    let text = std::fs::read_to_string(file).map_err(|source| ConnectionsError::NoProcess {
        file: file.to_owned(),
        source,
    })?;
    let value = text
        .lines()
        .find_map(|other| other.strip_prefix(line)?.split_whitespace().next());
    value
        .map(str::to_owned)
        .ok_or_else(|| ConnectionsError::NoLine {
            file: file.to_owned(),
            line,
        })
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use tokio::net::TcpListener;
    use tokio_tungstenite::accept_async;

    use super::*;

    /// A server that welcomes everybody and hangs up on the first few.
    async fn server(hang_up: usize) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}/v1/chat", listener.local_addr().unwrap());
        tokio::spawn(async move {
            for number in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(async move {
                    let mut socket = accept_async(stream).await.unwrap();
                    socket.next().await.unwrap().unwrap();
                    socket
                        .send(Message::text(r#"{"type":"welcome"}"#))
                        .await
                        .unwrap();
                    if number >= hang_up {
                        while let Some(Ok(_)) = socket.next().await {}
                    }
                });
            }
        });
        url
    }

    #[tokio::test]
    async fn open_connections_are_counted_and_weighed() {
        let url = server(3).await;
        let told = AtomicUsize::new(0);
        let told_one = || {
            told.fetch_add(1, Ordering::Relaxed);
        };
        let memory = measure(&url, 40, std::process::id(), told_one)
            .await
            .unwrap();
        assert_eq!(
            (memory.opened, memory.open, told.into_inner()),
            (40, 37, 40)
        );
        assert!(memory.before > 1 << 20, "{memory:?}");
    }

    #[tokio::test]
    async fn too_low_a_limit_is_said_before_anything_is_opened() {
        let count = usize::MAX / 4;
        let error = measure("ws://127.0.0.1:1", count, std::process::id(), || ())
            .await
            .unwrap_err();
        // Where files are unlimited, the first connection fails instead.
        assert!(
            matches!(
                error,
                ConnectionsError::TooFewFiles { .. } | ConnectionsError::Refused { .. }
            ),
            "{error}"
        );
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_and_a_process_that_is_not_are_told_apart() {
        let error = measure("ws://127.0.0.1:1", 1, std::process::id(), || ())
            .await
            .unwrap_err();
        assert!(
            matches!(error, ConnectionsError::Refused { number: 1, .. }),
            "{error}"
        );
        let error = measure("ws://127.0.0.1:1", 1, u32::MAX, || ())
            .await
            .unwrap_err();
        assert!(
            matches!(error, ConnectionsError::NoProcess { .. }),
            "{error}"
        );
    }

    #[test]
    fn memory_is_shared_out_among_the_open_ones() {
        let memory = Memory {
            opened: 12,
            open: 10,
            seconds: 1.0,
            before: 1_000,
            after: 51_000,
        };
        assert_eq!(memory.each(), 5_000.0);
    }
}
