//! `frontdesk-evals compare`.

use std::process::ExitCode;

use evals::compare::{self, Comparison, Gates, Recording};
use evals::html;
use serde_json::json;

use crate::cli::Compare;

/// Compares two replays; the exit code is 1 when a gate is broken.
pub(crate) fn run(options: &Compare) -> anyhow::Result<ExitCode> {
    let gates = match &options.gates {
        Some(file) => Gates::load(file)?,
        None => Gates::default(),
    };
    let (before, after) = (
        Recording::read(&options.before)?,
        Recording::read(&options.after)?,
    );
    let comparison = Comparison::of(&before, &after)?;
    println!(
        "{}\n{}",
        compare::tables(&comparison),
        compare::turns(&comparison)
    );
    let broken = gates.broken(&comparison);
    let figures = json!({ "comparison": comparison, "broken": broken });
    options.output.figures(&figures)?;
    let title = "Before and after";
    let told: Vec<String> = broken.iter().map(ToString::to_string).collect();
    options
        .output
        .page(|| html::compare(title, &comparison, &told))?;
    for gate in &broken {
        eprintln!("gate broken: {gate}");
    }
    Ok(if broken.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
