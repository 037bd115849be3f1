//! Who hears what is said in a conversation: the events, in no client's own terms, and the
//! listeners on this node.

pub(crate) mod event;
mod hub;

pub(crate) use event::{Event, QuickReply, QuickReplyKind, Said, Source};
pub(crate) use hub::{Hub, Listener};
