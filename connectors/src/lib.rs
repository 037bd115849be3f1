//! How customers reach Frontdesk: one module a platform.

pub mod web;
