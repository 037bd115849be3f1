//! llama.cpp's own server beside ours, spoken to as any OpenAI-compatible one.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use generate::{Generator, PromptMessage, Remote, RemoteConfig, Request, Role};

/// Longest that it takes to load a model.
const PATIENCE: Duration = Duration::from_secs(120);

/// A running llama-server; dropped, it is ended.
pub(crate) struct Peer {
    child: Child,
    remote: Arc<Remote>,
}

/// What it runs.
pub(crate) struct PeerSettings<'a> {
    pub(crate) program: &'a Path,
    pub(crate) model: &'a Path,
    pub(crate) context_tokens: usize,
    pub(crate) slots: usize,
    pub(crate) threads: usize,
    /// Host memory for prompts, in MiB.
    pub(crate) kept_mib: usize,
}

impl Peer {
    /// Starts it and waits until it serves.
    ///
    /// # Errors
    /// When it cannot be started, or does not serve in time.
    pub(crate) async fn start(settings: &PeerSettings<'_>) -> anyhow::Result<Self> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
            .local_addr()?
            .port();
        let libraries = settings.program.parent().unwrap_or(Path::new("."));
        let child = Command::new(settings.program)
            .env("LD_LIBRARY_PATH", libraries)
            .arg("-m")
            .arg(settings.model)
            .args(["--host", "127.0.0.1", "--port", &port.to_string()])
            .args(["-c", &settings.context_tokens.to_string()])
            .args(["-np", &settings.slots.to_string()])
            .args(["-t", &settings.threads.to_string()])
            .args(["--cache-ram", &settings.kept_mib.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("{} cannot be started", settings.program.display()))?;
        let remote = Remote::new(RemoteConfig {
            base_urls: vec![format!("http://127.0.0.1:{port}/v1").parse()?],
            model: "peer".to_owned(),
            api_key: None,
            connect_timeout: Duration::from_secs(5),
            read_timeout: Duration::from_secs(300),
            max_in_flight: 256,
        })?;
        let mut peer = Self {
            child,
            remote: Arc::new(remote),
        };
        peer.wait().await?;
        Ok(peer)
    }

    async fn wait(&mut self) -> anyhow::Result<()> {
        let begun = Instant::now();
        loop {
            let hello = PromptMessage {
                role: Role::User,
                content: "Hello".to_owned(),
            };
            if let Ok(mut reply) = self.remote.generate(Request::new(vec![hello], 1)).await {
                while reply.next().await.is_some() {}
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("the peer ended before it served ({status})");
            }
            if begun.elapsed() > PATIENCE {
                bail!("the peer does not serve after {} s", PATIENCE.as_secs());
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// What writes there.
    pub(crate) fn generator(&self) -> Arc<dyn Generator> {
        Arc::clone(&self.remote) as Arc<dyn Generator>
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended by itself.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
