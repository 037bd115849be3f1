//! `frontdesk publish`: the evaluation tool's command, with this program's settings.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, bail};
use clap::Args;

/// The program that replays dialogues, which lies beside this one.
const TOOL: &str = "frontdesk-evals";

#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub(crate) struct PublishArgs {
    /// The dialogues that must not get worse, and what is to go live: see `frontdesk publish --help`
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "ARGUMENTS"
    )]
    arguments: Vec<OsString>,
}

/// Runs the tool; what it refuses is an error here.
pub(crate) fn run(
    config: Option<&PathBuf>,
    data: Option<&PathBuf>,
    args: &PublishArgs,
) -> anyhow::Result<()> {
    let own = std::env::current_exe().context("this program's own path is not known")?;
    let tool = own.with_file_name(TOOL);
    let mut command = Command::new(&tool);
    command.arg("publish").args(&args.arguments);
    for (flag, path) in [("--config", config), ("--data", data)] {
        if let Some(path) = path {
            command.arg(flag).arg(path);
        }
    }
    let status = command.status().with_context(|| {
        format!(
            "{} cannot be started; install it beside `frontdesk` (`make build` builds both)",
            tool.display()
        )
    })?;
    if !status.success() {
        bail!("the change was not published");
    }
    Ok(())
}
