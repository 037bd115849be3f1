//! The commands of the command line, a file each.

pub(crate) mod bench;
pub(crate) mod config;
pub(crate) mod deliveries;
pub(crate) mod export;
pub(crate) mod import;
pub(crate) mod index;
pub(crate) mod models;
pub(crate) mod publish;
pub(crate) mod remove;
pub(crate) mod run;
pub(crate) mod store;
pub(crate) mod token;
pub(crate) mod train;

use crm::{CrmError, Store};

use crate::config::Config;

/// Opens the CRM store that `config` names.
async fn open_store(config: &Config) -> Result<Store, CrmError> {
    Store::connect(&config.data.location()).await
}
