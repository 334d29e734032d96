//! The model of the opening handshake, as `tests/model` is that of what follows it.

pub mod extension;
pub mod head;
pub mod origin;
mod sha1;
