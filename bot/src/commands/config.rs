//! `frontdesk config`.

use clap::{Args, Subcommand};

use crate::config::Config;

#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Say whether the configuration is valid
    Check,
    /// Print the configuration in force; secrets are hidden
    Show,
}

/// Checks or shows. An invalid configuration has been reported before this is called.
pub(crate) fn run(config: &Config, args: &ConfigArgs) -> anyhow::Result<()> {
    match args.command {
        ConfigCommand::Check => println!("the configuration is valid"),
        ConfigCommand::Show => print!("{}", toml::to_string_pretty(config)?),
    }
    Ok(())
}
