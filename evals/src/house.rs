//! A complete Frontdesk for a replay: a prepared world and a server over it, in this process but
//! addressed over TCP like any server.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crm::{CrmError, Store};
use frontdesk::{Config, Secret, Server};
use uuid::Uuid;

use crate::prepared::{self, Shelf};
use crate::replay::Desk;
use crate::worlds::{Body, World, WorldError};

/// What is opened.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What the body is called on the shelf of prepared worlds.
    pub name: String,
    /// All that is known in it.
    pub body: Body,
    /// The configuration to start from. Company, address, secret and data folder are set here.
    pub config: Config,
    /// Folder to work in and to leave behind; a temporary one when absent.
    pub keep: Option<PathBuf>,
}

impl Plan {
    /// A plan for a world, whose folder lies in `data`, or where it usually does.
    ///
    /// # Errors
    /// [`WorldError`].
    pub fn of_world(world: World, data: Option<&Path>, config: Config) -> Result<Self, WorldError> {
        Ok(Self {
            name: world.name().to_owned(),
            body: world.load(data.unwrap_or(world.usual_data()))?,
            config,
            keep: None,
        })
    }
}

/// A running server over its own copy of a world.
pub struct House {
    server: Server,
    secret: Secret,
    /// Its folder, where it is not to be kept; deleted by dropping.
    scratch: Option<tempfile::TempDir>,
}

/// Why a house cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum HouseError {
    /// Its records cannot be stored.
    #[error(transparent)]
    Store(#[from] CrmError),
    /// The server does not start.
    #[error(transparent)]
    Start(#[from] frontdesk::StartError),
    /// There is no home to keep prepared worlds in.
    #[error("there is no cache folder: set XDG_CACHE_HOME or HOME")]
    NoCache,
    /// The folder to be kept is in use.
    #[error("{} is not empty: choose a new folder to keep", .0.display())]
    NotEmpty(PathBuf),
    /// A folder cannot be written or read.
    #[error("a prepared world cannot be kept or copied: check the disk and the cache folder")]
    Files(#[from] std::io::Error),
}

impl House {
    /// Prepares the world unless that was done before, and starts a server over a copy.
    ///
    /// # Errors
    /// [`HouseError`].
    pub async fn open(plan: Plan) -> Result<Self, HouseError> {
        let mut config = plan.config;
        config.company.clone_from(&plan.body.company);
        // A rehearsal never touches the company's own database.
        config.data.url = None;
        config.server.listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let secret = Secret::from(Uuid::new_v4().simple().to_string());
        config.auth.secret = Some(secret.clone());

        let (folder, scratch) = workplace(plan.keep)?;
        furnish(&folder, &plan.name, &plan.body, &config).await?;
        config.data.dir = folder;
        let server = Server::start(config).await?;
        Ok(Self {
            server,
            secret,
            scratch,
        })
    }

    /// How to play against it.
    pub fn desk(&self, patience: Duration) -> Desk {
        Desk {
            url: format!("ws://{}/v1/chat", self.server.address()),
            store: Some(self.server.store().clone()),
            secret: Some(self.secret.clone()),
            patience,
        }
    }

    /// Stops the server; only then its folder may go.
    pub async fn close(self) {
        let Self {
            server, scratch, ..
        } = self;
        server.stop().await;
        drop(scratch);
    }
}

/// The folder to work in, and what deletes it later.
fn workplace(keep: Option<PathBuf>) -> Result<(PathBuf, Option<tempfile::TempDir>), HouseError> {
    let Some(folder) = keep else {
        let scratch = tempfile::tempdir()?;
        return Ok((scratch.path().to_owned(), Some(scratch)));
    };
    std::fs::create_dir_all(&folder)?;
    if std::fs::read_dir(&folder)?.next().is_some() {
        return Err(HouseError::NotEmpty(folder));
    }
    Ok((folder, None))
}

/// Copies the prepared world into `folder`. One that is not on the shelf yet is stored, indexed by starting the
/// server over it once, and put there.
async fn furnish(
    folder: &Path,
    kind: &str,
    body: &Body,
    config: &Config,
) -> Result<(), HouseError> {
    let shelf = Shelf::of_user().ok_or(HouseError::NoCache)?;
    let name = prepared::name(kind, body, config)?;
    if shelf.take(&name, folder)? {
        return Ok(());
    }
    let bench = shelf.workbench()?;
    let mut config = config.clone();
    config.data.dir = bench.path().to_owned();
    fill(body, &config.data.crm_file()).await?;
    Server::start(config).await?.stop().await;
    prepared::copy(bench.path(), folder)?;
    shelf.put(bench, kind, &name)?;
    Ok(())
}

async fn fill(body: &Body, file: &Path) -> Result<(), CrmError> {
    let store = Store::open(file).await?;
    let filled = body.fill(&store).await;
    store.close().await;
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_in_use_is_not_written_into() {
        let folder = tempfile::tempdir().unwrap();
        let (place, scratch) = workplace(Some(folder.path().join("new"))).unwrap();
        assert!(place.is_dir() && scratch.is_none());
        let error = workplace(Some(folder.path().to_owned())).unwrap_err();
        assert!(matches!(error, HouseError::NotEmpty(_)), "{error}");
    }

    #[test]
    fn a_temporary_folder_goes_with_its_house() {
        let (place, scratch) = workplace(None).unwrap();
        assert!(place.is_dir());
        drop(scratch);
        assert!(!place.exists());
    }
}
