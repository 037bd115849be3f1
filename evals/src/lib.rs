//! Evaluation of Frontdesk: labelled dialogues are replayed against a running server, and every
//! turn is judged.
//!
//! A [`World`](worlds::World) is the body of facts that dialogues are about; a
//! [`House`](house::House) is a server over it; [`replay`](replay::replay) plays
//! [`Dialogue`](dialogue::Dialogue)s in it; [`Summary`](summary::Summary) counts and [`report`]
//! prints; [`compare`] shows what a change improved and worsened. [`classify`] evaluates the
//! classifier alone, [`retrieve`](mod@retrieve) the search alone, and [`connections`] measures idle
//! connections.

#![expect(
    clippy::disallowed_methods,
    reason = "an evaluation runs once, in real time, and its servers must tell its ids apart"
)]

pub mod budget;
pub mod chat;
pub mod checks;
pub mod classify;
pub mod compare;
pub mod connections;
pub mod curves;
pub mod dialogue;
pub mod exchange;
pub mod formats;
pub mod grounded;
pub mod guard;
pub mod house;
pub mod html;
pub mod jsonl;
pub mod outcome;
pub mod percentile;
pub mod phrasing;
pub mod played;
pub mod publish;
pub mod replay;
pub mod report;
pub mod retrieve;
pub mod summary;
pub mod wording;
pub mod worlds;

mod packs;
mod prepared;
#[cfg(test)]
mod testing;
