//! The `frontdesk` program: parses its arguments and calls.

use std::process::ExitCode;

use clap::Parser;
use frontdesk::cli::Cli;

fn main() -> ExitCode {
    match Cli::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("frontdesk: {error}");
            for cause in error.chain().skip(1) {
                // Sentences that already carry their cause are not repeated.
                if !error.to_string().contains(&cause.to_string()) {
                    eprintln!("  because: {cause}");
                }
            }
            ExitCode::FAILURE
        }
    }
}
