//! The commands of the command line, a file each.

pub(crate) mod bench;
pub(crate) mod config;
pub(crate) mod import;
pub(crate) mod index;
pub(crate) mod models;
pub(crate) mod publish;
pub(crate) mod run;
pub(crate) mod token;
pub(crate) mod train;
