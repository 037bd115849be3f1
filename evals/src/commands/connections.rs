//! `frontdesk-evals connections`.

use anyhow::{Context, bail};
use evals::connections;

use super::progress;
use crate::cli::Connections;

/// Opens connections and weighs them.
pub(crate) async fn run(options: Connections) -> anyhow::Result<()> {
    let bar = progress(options.count as u64, "connections")?;
    let memory = connections::measure(&options.url, options.count, options.pid, || bar.inc(1));
    let memory = memory.await.context("the connections were not measured")?;
    bar.finish_and_clear();
    let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    println!(
        "{} connections opened in {:.1} s, {} still open\n\
         resident memory of the server: {:.1} MiB before, {:.1} MiB with them\n\
         {:.1} KiB a connection",
        memory.opened,
        memory.seconds,
        memory.open,
        mebibytes(memory.before),
        mebibytes(memory.after),
        memory.each() / 1024.0,
    );
    if memory.open < memory.opened {
        bail!(
            "the server closed {} connections",
            memory.opened - memory.open
        );
    }
    Ok(())
}
