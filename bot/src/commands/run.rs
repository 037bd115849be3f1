//! `frontdesk run`.

use std::io::Write;
use std::time::Instant;

use tokio::signal::unix::{SignalKind, signal};

use crate::config::Config;
use crate::server::Server;
use crate::telemetry;

/// Starts the server and runs it until SIGTERM or Ctrl-C.
pub(crate) async fn run(config: Config) -> anyhow::Result<()> {
    telemetry::install_logs(&config.log);
    let began = Instant::now();
    // Before the start, so that a signal during it stops the server in order.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let server = Server::start(config).await?;
    tracing::info!("ready after {:.1} s", began.elapsed().as_secs_f64());
    announce(&server);
    tokio::select! {
        _ = terminate.recv() => tracing::info!("SIGTERM: stopping"),
        _ = interrupt.recv() => tracing::info!("interrupted: stopping"),
    }
    server.stop().await;
    Ok(())
}

/// Tells a person at the terminal where to look. Nobody may be reading: that is no reason to stop.
fn announce(server: &Server) {
    let address = server.address();
    let hint = if server.is_demo() {
        "Open that address in a browser to talk to the demo shop. Ctrl-C stops it.".to_owned()
    } else {
        format!("Put <script src=\"http://{address}/frontdesk.js\" defer></script> on a page.")
    };
    let text = format!("\nFrontdesk is ready: http://{address}/\n{hint}\n");
    if let Err(error) = writeln!(std::io::stdout(), "{text}") {
        tracing::debug!("nobody reads the standard output: {error}");
    }
}
