//! `frontdesk models`.

use clap::{Args, Subcommand};
use models::{FileState, Listing, ModelStore, for_stderr};

use crate::config::Config;
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
    let wanted: Vec<String> = if names.is_empty() {
        let needed = store.registry().needed().map(str::to_owned);
        let mut wanted: Vec<String> = needed
            .filter(|name| name != "reply" || config.models.reply == "reply")
            .collect();
        let own = &config.models.reply;
        if !wanted.contains(own) && !std::path::Path::new(own).is_file() {
            wanted.push(own.clone());
        }
        wanted
    } else {
        names.to_vec()
    };
    for name in wanted {
        store.fetch(&name, progress.as_ref())?;
    }
    Ok(())
}
