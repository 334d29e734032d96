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
//! handshake that fails. [`TimedOut`]: a deadline. The adapters have one [`Error`] for all of these
//! and the stream's own.
//!
//! # Messages of any size, and bytes without any
//!
//! With either adapter a message can be read as it arrives and written as it comes about
//! (`recv_reader`, `text_writer`, `binary_writer`), and a connection can carry a plain stream of
//! bytes (`into_byte_stream`). What is held is a buffer or two, however much goes through.
//!
//! # Seeing inside
//!
//! [`Connection::statistics`], and that of the adapters' WebSockets and halves, tells how many
//! messages, bytes and pings went by, how much is queued, and how long a ping last took;
//! `memory_used` tells what a connection holds. Counting costs a few instructions a message.
//!
//! Errors tell a program what they tell people: the section of the RFC that has the rule
//! ([`ProtocolError::section`]) and the close code or status that answers it
//! ([`ProtocolError::close_code`], [`HandshakeError::status`](handshake::HandshakeError::status)).
//!
//! With the feature `tracing` connections tell what happens to them, in the span in which it
//! happens:
//!
//! | level | events |
//! |---|---|
//! | error | no randomness for a masking key |
//! | warn | the peer broke a rule, or went beyond a limit |
//! | info | opening handshakes that fail, and dialing that does; draining |
//! | debug | opening handshakes that succeed, Close frames, ends, deadlines; how far dialing has come |
//! | trace | pings that keep alive, round-trip times, full queues |
//!
//! None comes for a message, and of what a peer sends none tells more than numbers, a subprotocol
//! that was agreed on, and the host of a redirect.
//!
//! ```
//! # #[cfg(all(feature = "tracing", feature = "test-kit", feature = "std"))] {
//! # use std::sync::{Arc, Mutex};
//! # use tracing::{Event, Metadata, Subscriber, span};
//! # #[derive(Clone, Default)]
//! # struct Levels(Arc<Mutex<Vec<tracing::Level>>>);
//! # impl Subscriber for Levels {
//! #     fn enabled(&self, _: &Metadata<'_>) -> bool { true }
//! #     fn new_span(&self, _: &span::Attributes<'_>) -> span::Id { span::Id::from_u64(1) }
//! #     fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
//! #     fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
//! #     fn event(&self, event: &Event<'_>) { self.0.lock().unwrap().push(*event.metadata().level()) }
//! #     fn enter(&self, _: &span::Id) {}
//! #     fn exit(&self, _: &span::Id) {}
//! # }
//! use sotong::Config;
//! use sotong::test_kit::Pair;
//! use tracing::Level;
//!
//! let levels = Levels::default(); // a subscriber of your choice
//! tracing::subscriber::with_default(levels.clone(), || {
//!     let mut pair = Pair::new(&Config::default()); // accepted, opened
//!     pair.client.wire.extend(b"\x83\x00"); // an opcode that is reserved
//!     pair.exchange(); // connection failed
//! });
//! assert_eq!(levels.0.lock().unwrap()[..3], [Level::DEBUG, Level::DEBUG, Level::WARN]);
//! # }
//! ```
//!
//! # Testing
//!
//! With the feature `test-kit` there are connections in memory and awkward streams for your own
//! tests, under the core and under both adapters: [`test_kit`] has an example of each.
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
//! | `tracing` | events for `tracing`: see [Seeing inside](#seeing-inside); works without `std` |
//! | `test-kit` | [`test_kit`]: connections in memory and awkward streams, for tests |
//!
//! Without features the core is left: `no_std` with `alloc`.

#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![cfg_attr(
    not(all(
        feature = "tokio",
        feature = "rustls",
        feature = "http",
        feature = "serde_json",
        feature = "test-kit"
    )),
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
#[cfg(feature = "tracing")]
mod trace;
#[cfg(not(feature = "tracing"))]
#[path = "trace/absent.rs"]
mod trace;
mod utf8;

#[cfg(feature = "std")]
pub mod blocking;
#[cfg(feature = "dial")]
pub mod dial;
pub mod handshake;
#[cfg(feature = "http")]
pub mod http;
#[cfg(feature = "test-kit")]
pub mod test_kit;
#[cfg(feature = "tokio")]
pub mod tokio;

#[cfg(feature = "std")]
pub use adapter::{Error, Result};
pub use buffer::{ReceiveBuffer, SendBuffer, Transmit};
pub use close::{CloseCode, CloseFrame};
pub use config::{Config, Limits, Timeouts};
pub use connection::{
    Agreed, Chunk, Connection, Event, Incoming, MaskingKeys, Outgoing, Payload, Prepared, Received,
    Role, Sent, State, Statistics, Transport,
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
