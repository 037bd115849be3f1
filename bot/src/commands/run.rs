//! `frontdesk run`.

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
    let address = server.address();
    println!("\nFrontdesk is ready: http://{address}/");
    if server.is_demo() {
        println!("Open that address in a browser to talk to the demo shop. Ctrl-C stops it.\n");
    } else {
        println!("Put <script src=\"http://{address}/frontdesk.js\" defer></script> on a page.\n");
    }
    tokio::select! {
        _ = terminate.recv() => tracing::info!("SIGTERM: stopping"),
        _ = interrupt.recv() => tracing::info!("interrupted: stopping"),
    }
    server.stop().await;
    Ok(())
}
