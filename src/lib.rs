//! WebSocket (RFC 6455, RFC 7692) as a state machine that does no I/O, with thin adapters that do.
//!
//! ```text
//! bytes in ─► handshake ─► frames ─► pieces ─► messages ─► your code
//! bytes out ◄── queue ◄── frames ◄── messages ◄── your code
//! ```
//!
//! Most programs want an adapter: [`tokio`] over any `AsyncRead + AsyncWrite` (feature `tokio`), or
//! [`blocking`] over any `Read + Write`, a thread per connection.
//!
#![doc = include_str!("guide.md")]
//!
//! # Errors
//!
//! They are split by fault. [`ProtocolError`]: the peer broke a rule, and was told with the right
//! close code. [`SendError`]: we may not send this now. [`handshake::HandshakeError`]: an opening
//! handshake that fails. [`TimedOut`]: a deadline. The adapters have one [`Error`] for all of these and the stream's own.
//!
//! # Messages of any size, and bytes without any
//!
//! With either adapter a message can be read as it arrives and written as it comes about
//! (`recv_reader`, `text_writer`, `binary_writer`), and a connection can carry a plain stream of
//! bytes (`into_byte_stream`). What is held is a buffer or two, however much goes through.
//!
//! # Features
//!
//! | feature | brings |
//! |---|---|
//! | `std` (default) | [`blocking`], [`Error`], keys from the operating system, faster checks of text |
//! | `tokio` | [`tokio`], `Message` |
//! | `deflate` | compression: [`Deflate`] has a value; needs `std` |
//! | `serde_json` | values as JSON: `send_json`, `recv_json`, [`Event::json`] |
//! | `dial` | connections from URIs, through HTTP proxies: [`dial`], `connect` of the adapters |
//! | `rustls` | `wss://`, [`blocking::TlsStream`]; with `platform-roots` the platform says whom to trust |
//! | `socks` | SOCKS 5 proxies |
//! | `http` | WebSockets of HTTP stacks, as hyper and axum, over HTTP/1.1 and HTTP/2: [`http`] |
//!
//! Without features the core is left: `no_std` with `alloc`.

#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![cfg_attr(
    not(all(feature = "tokio", feature = "rustls", feature = "http", feature = "serde_json")),
    allow(rustdoc::broken_intra_doc_links)
)]

extern crate alloc;
#[cfg(any(feature = "std", test))]
extern crate std;

#[cfg(feature = "std")]
mod adapter;
mod buffer;
mod close;
mod config;
mod connection;
mod deflate;
mod error;
mod extension;
mod frame;
#[cfg(feature = "serde_json")]
mod json;
mod mask;
#[cfg(feature = "tokio")]
mod message;
mod origin;
mod timing;
mod utf8;

#[cfg(feature = "std")]
pub mod blocking;
#[cfg(feature = "dial")]
pub mod dial;
pub mod handshake;
#[cfg(feature = "http")]
pub mod http;
#[cfg(feature = "tokio")]
pub mod tokio;

#[cfg(feature = "std")]
pub use adapter::{Error, Result};
pub use buffer::{ReceiveBuffer, SendBuffer, Transmit};
pub use close::{CloseCode, CloseFrame};
pub use config::{Config, Limits, Timeouts};
pub use connection::{
    Agreed, Chunk, Connection, Event, Incoming, MaskingKeys, Outgoing, Payload, Prepared, Role,
    State, Transport,
};
pub use deflate::{Compress, Deflate, DeflateParameters};
pub use error::{ProtocolError, SendError, TimedOut};
pub use frame::{EncodedHeader, FrameHeader, Opcode};
pub use mask::Mask;
#[cfg(feature = "tokio")]
pub use message::Message;
pub use origin::{InvalidOrigin, Origins};
pub use timing::Traffic;

/// The README's examples, run as tests.
#[cfg(all(doctest, feature = "tokio", feature = "deflate"))]
#[doc = include_str!("../README.md")]
struct Readme;
