//! `frontdesk models`.

use std::path::Path;

use clap::{Args, Subcommand};
use models::{FileState, Listing, ModelStore, for_stderr};

use crate::config::{Config, Models};
use crate::server::model_store;

#[derive(Debug, Args)]
pub(crate) struct ModelsArgs {
    #[command(subcommand)]
    command: Option<ModelsCommand>,
}

#[derive(Debug, Subcommand)]
enum ModelsCommand {
    /// What is there, what is missing, sizes and licences
    List,
    /// Fetch files: by name, or all that the configuration needs
    Fetch {
        /// Names from the list, or `owner/repository/file.gguf` on the hub
        names: Vec<String>,
    },
}

/// Lists or fetches.
pub(crate) fn run(config: &Config, args: &ModelsArgs) -> anyhow::Result<()> {
    let store = model_store(config)?;
    match &args.command {
        None | Some(ModelsCommand::List) => list(&store),
        Some(ModelsCommand::Fetch { names }) => fetch(config, &store, names),
    }
}

fn list(store: &ModelStore) -> anyhow::Result<()> {
    println!("in {}\n", store.folder().display());
    println!(
        "{:<28} {:<10} {:>9}  {:<12} state",
        "name", "role", "size", "licence"
    );
    for listing in store.list()? {
        let Listing {
            name,
            role,
            size,
            licence,
            state,
            ..
        } = &listing;
        let megabytes = *size as f64 / 1e6;
        println!(
            "{name:<28} {:<10} {megabytes:>6.1} MB  {licence:<12} {}",
            role.as_str(),
            told(state)
        );
    }
    println!("\n`frontdesk models fetch` fetches what is missing.");
    Ok(())
}

fn told(state: &FileState) -> String {
    match state {
        FileState::Present => "present".into(),
        FileState::Missing => "missing".into(),
        FileState::Partial { bytes } => format!("partial, {:.1} MB", *bytes as f64 / 1e6),
        FileState::Damaged => "damaged: will be fetched anew".into(),
    }
}

fn fetch(config: &Config, store: &ModelStore, names: &[String]) -> anyhow::Result<()> {
    let progress = for_stderr();
    let names = if names.is_empty() {
        wanted(config, store)
    } else {
        names.to_vec()
    };
    for name in names {
        store.fetch(&name, progress.as_ref())?;
    }
    Ok(())
}

/// All files that the configuration needs: those that it does not choose, and its choices.
fn wanted(config: &Config, store: &ModelStore) -> Vec<String> {
    let reply = &config.models.reply;
    let reply = config.generate.loads_a_model().then_some(reply);
    let chosen = std::iter::once(&config.models.encoder).chain(reply);
    let defaults = Models::default();
    let defaults = [&defaults.encoder, &defaults.reply].map(String::as_str);
    let needed = store.registry().needed();
    let fixed = needed.filter(|name| !defaults.contains(name));
    let chosen = chosen.map(String::as_str);
    let chosen = chosen.filter(|name| !Path::new(name).is_file());
    fixed.chain(chosen).map(str::to_owned).collect()
}
