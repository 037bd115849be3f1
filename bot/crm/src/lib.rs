//! The CRM store: customers, conversations, orders and what became of every turn, in SQL.
//!
//! [`Store`] is the whole of it; its methods are grouped by file. `conversations`, `messages`,
//! `turns` and `records` are the chat's side, `catalogue` and `orders` the company's, `changes` is
//! what a search index follows, and [`import`] and [`export`] are the way in and out for files.

mod catalogue;
mod changes;
mod conversations;
mod error;
pub mod export;
pub mod import;
mod messages;
mod orders;
mod records;
mod rows;
mod store;
#[cfg(test)]
mod testing;
mod turns;
mod types;

pub use changes::Change;
pub use error::CrmError;
pub use records::Counts;
pub use store::Store;
pub use types::*;
