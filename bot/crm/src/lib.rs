//! The CRM store: customers, conversations, orders and what became of every turn, in SQL.
//!
//! [`Store`] is the whole of it; its methods are grouped by file in `store`. What they do is
//! written once in `sql`, which is compiled for each database: `sqlite` and `postgres` hold what
//! differs. [`import`] and [`export`] are the way in and out for files, [`copy`](mod@copy) moves a
//! whole store.

#![expect(
    clippy::duplicate_mod,
    reason = "`sql` is compiled once for each database"
)]

mod changes;
mod clean;
pub mod copy;
mod error;
pub mod export;
pub mod import;
mod location;
mod postgres;
mod sqlite;
mod store;
#[cfg(test)]
mod testing;
mod types;

pub use changes::Change;
pub use error::CrmError;
pub use location::{Location, LocationError, Server};
pub use store::Store;
pub use types::*;
