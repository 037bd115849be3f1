//! `frontdesk token`.

use std::time::Duration;

use anyhow::Context;
use clap::Args;

use crate::auth;
use crate::config::Config;

#[derive(Debug, Args)]
pub(crate) struct TokenArgs {
    /// The customer's id
    customer: String,
    /// How long the token is valid
    #[arg(long, default_value_t = 12)]
    hours: u64,
}

/// Prints a signed token.
pub(crate) fn run(config: &Config, args: &TokenArgs) -> anyhow::Result<()> {
    let secret = config.auth.secret.as_ref().context(
        "auth.secret is not set: put it into the configuration or FRONTDESK__AUTH__SECRET",
    )?;
    println!(
        "{}",
        auth::sign(
            secret,
            &args.customer,
            Duration::from_secs(args.hours * 3600)
        )?
    );
    Ok(())
}
