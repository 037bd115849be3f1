//! The commands of the command line, a file each.

pub(crate) mod classify;
pub(crate) mod compare;
pub(crate) mod connections;
pub(crate) mod facts;
pub(crate) mod guard;
pub(crate) mod publish;
pub(crate) mod replay;
pub(crate) mod retrieve;

use anyhow::Context;
use evals::html::{self, HtmlError};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::cli::Output;

impl Output {
    /// Writes figures where they are asked for.
    pub(crate) fn figures(&self, report: &impl Serialize) -> anyhow::Result<()> {
        let Some(file) = &self.json else {
            return Ok(());
        };
        let text = serde_json::to_string_pretty(report)?;
        std::fs::write(file, text + "\n")
            .with_context(|| format!("{} cannot be written", file.display()))
    }

    /// Writes a page where one is asked for.
    pub(crate) fn page(
        &self,
        page: impl FnOnce() -> Result<String, HtmlError>,
    ) -> anyhow::Result<()> {
        if let Some(file) = &self.html {
            html::write(file, &page()?)?;
            eprintln!("{} is for the browser", file.display());
        }
        Ok(())
    }
}

pub(crate) fn progress(length: u64, unit: &str) -> anyhow::Result<ProgressBar> {
    let template = format!("{{bar:40}} {{pos}} of {{len}} {unit}, {{elapsed}}, about {{eta}} left");
    let style = ProgressStyle::with_template(&template)?;
    Ok(ProgressBar::new(length).with_style(style))
}
