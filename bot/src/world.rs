//! A world: a folder with a company's data (`world.toml`, `customers.jsonl`, `products.jsonl`,
//! `orders.jsonl`, `knowledge/`), loaded into an empty store. The demo shop is one.

use std::path::{Path, PathBuf};

use crm::Store;
use crm::import::{self, ImportError, Kind, Mapping};
use serde::Deserialize;

use crate::auth::random_secret;
use crate::config::{Company, Config, Secret};
use crate::currency::Currency;

/// Why a world cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    /// There is no readable `world.toml`.
    #[error(
        "{path} cannot be read; --demo takes a folder with a world.toml, such as evals/worlds/shop"
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Cause.
        #[source]
        source: std::io::Error,
    },
    /// `world.toml` is not as it should be.
    #[error("{path} is not valid: {reason}")]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A file cannot be imported.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] crm::CrmError),
}

/// `world.toml`.
#[derive(Clone, Debug, Deserialize)]
pub struct WorldFile {
    /// Name of the company.
    pub name: String,
    /// A line about it.
    #[serde(default)]
    pub tagline: String,
    /// Sign of its currency.
    #[serde(default)]
    pub symbol: Option<String>,
    /// When people answer.
    #[serde(default)]
    pub support_hours: Option<String>,
    /// Where to write to.
    #[serde(default)]
    pub support_email: Option<String>,
}

impl WorldFile {
    /// Reads `folder/world.toml`.
    ///
    /// # Errors
    /// [`WorldError::Unreadable`] or [`WorldError::Invalid`].
    pub fn read(folder: &Path) -> Result<Self, WorldError> {
        let path = folder.join("world.toml");
        let text = std::fs::read_to_string(&path).map_err(|source| WorldError::Unreadable {
            path: path.clone(),
            source,
        })?;
        toml::from_str(&text).map_err(|error| WorldError::Invalid {
            path,
            reason: error.to_string(),
        })
    }

    /// The company of this world.
    pub fn company(self) -> Company {
        let currency = Currency::default();
        Company {
            name: self.name,
            tagline: self.tagline,
            hours: self.support_hours,
            contact: self.support_email,
            currency: Currency {
                symbol: self.symbol.unwrap_or(currency.symbol),
                ..currency
            },
            today: None,
        }
    }
}

/// Makes the server the world's: its company where none is configured, its data where the store is
/// empty, a secret for demo sign-ins where there is none.
pub(crate) async fn settle(
    mut config: Config,
    store: &Store,
    folder: &Path,
) -> Result<Config, WorldError> {
    let file = WorldFile::read(folder)?;
    if config.company == Company::default() {
        config.company = file.company();
    }
    if config.auth.secret.is_none() {
        config.auth.secret = Some(Secret::from(random_secret()));
    }
    let counts = store.counts().await?;
    if counts.documents == 0 && counts.products == 0 && counts.customers == 0 {
        tracing::info!(
            "loading the world of {} for the first time",
            config.company.name
        );
        load(store, folder).await?;
    }
    Ok(config)
}

/// Imports all files of a world that are there.
///
/// # Errors
/// [`WorldError::Import`] when one cannot be imported at all.
pub async fn load(store: &Store, folder: &Path) -> Result<(), WorldError> {
    let mapping = Mapping::default();
    for (kind, name) in [
        (Kind::Customers, "customers.jsonl"),
        (Kind::Products, "products.jsonl"),
        (Kind::Orders, "orders.jsonl"),
        (Kind::Knowledge, "knowledge"),
    ] {
        let path = folder.join(name);
        if !path.exists() {
            continue;
        }
        let report = import::import(store, kind, &path, &mapping).await?;
        for rejection in &report.rejected {
            tracing::warn!("{rejection}");
        }
    }
    Ok(())
}
