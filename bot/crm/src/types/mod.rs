//! The CRM's records, as plain data: what is stored and handed out, with no SQL in sight.
//!
//! Ids that Frontdesk makes are UUIDv7; ids that the company brings (customers, products, orders,
//! documents) are its own strings. Money is integer minor units, times are UTC milliseconds.

mod company;
mod conversation;
mod delivery;
mod ids;
mod money;
mod platform;

pub use company::*;
pub use conversation::*;
pub use delivery::*;
pub use ids::*;
pub use money::{Money, MoneyError};
pub use platform::*;
