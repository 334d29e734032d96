//! The adapters over scripted streams and over sockets.
#![cfg(feature = "tokio")]

mod cancel;
mod deadlines;
#[cfg(unix)]
mod ends;
mod scripted;
mod sockets;
mod split;
mod trace;
