//! The adapters over scripted streams and over sockets.
#![cfg(feature = "tokio")]

mod cancel;
mod crossing;
mod dead_peers;
mod deadlines;
#[cfg(feature = "deflate")]
mod deflate;
mod drain;
#[cfg(unix)]
mod ends;
mod faults;
mod in_place;
mod large;
mod leftover;
mod origins;
mod restless;
mod scripted;
mod sockets;
mod split;
mod streams;
mod subject;
mod trace;
