//! The OpenAI-compatible client against a server that speaks the protocol, well and badly.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod fake;
mod replies;
mod servers;
