//! The chat of the widget: JSON frames over a WebSocket.

pub mod protocol;
mod session;
mod socket;

pub(super) use socket::chat;
