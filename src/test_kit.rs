//! To test a program that speaks WebSocket: both ends of a connection in memory, and streams that
//! behave as badly as streams may (feature `test-kit`).
//!
//! | cut | what there is |
//! |---|---|
//! | the core | [`Pair`]: two connections joined by buffers, and a clock that goes when it is told to |
//! | the blocking adapter | [`blocking_pair`]: two WebSockets for two threads |
//! | the tokio adapter | [`tokio_pair`]: two WebSockets for two tasks |
//! | the opening handshake too | [`pipe`]: a stream with two ends, for `accept` and `connect_over` |
//!
//! Below a WebSocket lies an [`Adversarial`] stream: its [`Manner`] says how many bytes go at once,
//! whether all is put off, what fails. All of it is the same in every run.
//!
//! # A handler under the core
//!
//! ```
//! use sotong::test_kit::{Pair, Seen};
//! use sotong::{Config, Connection, Event, SendBuffer};
//!
//! /// What is to be tested.
//! fn echo(conn: &mut Connection, event: Event<'_>, tx: &mut SendBuffer) {
//!     if let Event::Text(text) = event {
//!         conn.send_text(text, tx).expect("nobody has closed").queue();
//!     }
//! }
//!
//! let mut pair = Pair::new(&Config::default());
//! (pair.client.portion, pair.server.portion) = (1, 1); // every byte comes alone
//! pair.server.react(echo);
//! pair.client.send("소통");
//! pair.exchange();
//! assert_eq!(pair.client.events, [Seen::Text("소통".into())]);
//! ```
//!
//! # A handler under the blocking adapter
//!
//! ```
//! # #[cfg(feature = "std")] {
//! use sotong::blocking::{Stream, WebSocket};
//! use sotong::test_kit::{Manner, blocking_pair};
//! use sotong::{Config, Event};
//!
//! /// What is to be tested, over any stream.
//! fn echo<S: Stream>(mut ws: WebSocket<S>) -> sotong::Result<()> {
//!     while let Some((event, mut reply)) = ws.recv_reply()? {
//!         if let Event::Text(text) = event {
//!             reply.feed(text)?;
//!         }
//!     }
//!     Ok(())
//! }
//!
//! for manner in [Manner::sound(), Manner::byte_by_byte(), Manner::random(7)] {
//!     let (mut client, server) = blocking_pair(&Config::default(), manner);
//!     let server = std::thread::spawn(move || echo(server));
//!     client.send_text("소통")?;
//!     assert_eq!(client.recv()?, Some(Event::Text("소통")));
//!     client.close(None)?;
//!     server.join().expect("it does not panic")?;
//! }
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # A handler under the tokio adapter
//!
//! ```
//! # #[cfg(feature = "tokio")] {
//! use sotong::test_kit::{Manner, tokio_pair};
//! use sotong::tokio::WebSocket;
//! use sotong::{Config, Event};
//! use tokio::io::{AsyncRead, AsyncWrite};
//!
//! /// What is to be tested, over any stream.
//! async fn echo<S: AsyncRead + AsyncWrite + Unpin>(mut ws: WebSocket<S>) -> sotong::Result<()> {
//!     while let Some((event, mut reply)) = ws.recv_reply().await? {
//!         if let Event::Text(text) = event {
//!             reply.feed(text).await?;
//!         }
//!     }
//!     Ok(())
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! for manner in [Manner::sound(), Manner::byte_by_byte(), Manner::random(7)] {
//!     let (mut client, server) = tokio_pair(&Config::default(), manner);
//!     let server = tokio::spawn(echo(server));
//!     client.send_text("소통").await?;
//!     assert_eq!(client.recv().await?, Some(Event::Text("소통")));
//!     client.close(None).await?;
//!     server.await.expect("it does not panic")?;
//! }
//! # Ok::<(), sotong::Error>(())
//! # })?;
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(feature = "std")]
mod adversarial;
#[cfg(feature = "std")]
mod manner;
mod pair;
#[cfg(feature = "std")]
mod pipe;
mod seen;

use crate::buffer::{ReceiveBuffer, SendBuffer};
use crate::config::Config;
use crate::connection::Connection;
use crate::handshake::{client, server};

#[cfg(feature = "std")]
pub use adversarial::Adversarial;
#[cfg(feature = "std")]
pub use manner::{Fault, Manner, Operation, What};
pub use pair::{Pair, Side};
#[cfg(feature = "std")]
pub use pipe::{Pipe, pipe};
pub use seen::Seen;

/// A client's end and a server's, after an opening handshake that used the settings of both: with
/// compression, if both are for it.
///
/// The client's masking key is always the same.
///
/// ```
/// use sotong::test_kit::connections;
/// use sotong::{Config, Role};
///
/// let (client, server) = connections(&Config::default(), &Config::default());
/// assert_eq!((client.role(), server.role()), (Role::Client, Role::Server));
/// assert_eq!(server.agreed().deflate, None); // neither asked for it
/// ```
///
/// # Panics
///
/// If what is to be tested cannot be opened: `limits.head` has no room for a request.
pub fn connections(client: &Config, server: &Config) -> (Connection, Connection) {
    let mut tx = SendBuffer::new();
    let request = client::Request::default();
    let mut handshake = client::Handshake::start(&request, client, NONCE, masking_key, &mut tx)
        .expect("the request is a valid one");
    let mut rx = received(&mut tx);
    let request = server::Handshake::new(server).receive(&mut rx).expect("a head has room");
    let request = request.expect("all of it is there");
    let response = server::Response::default();
    let server = request.accept(&response, server, &mut tx).expect("it may be accepted");
    let outcome = handshake.receive(&mut received(&mut tx)).expect("a head has room");
    match outcome {
        Some(client::Outcome::Open(client, _)) => (client, server),
        _ => unreachable!("it was accepted, and all of the response is there"),
    }
}

/// Two WebSockets that are connected, for two threads; the client's is the first.
///
/// They share what lies between them with no other, are past the opening handshake, and both
/// streams have this manner. For an example see the [module](self).
#[cfg(feature = "std")]
pub fn blocking_pair(
    config: &Config,
    manner: Manner,
) -> (crate::blocking::WebSocket<Adversarial<Pipe>>, crate::blocking::WebSocket<Adversarial<Pipe>>)
{
    let (client, server) = parts(config, manner);
    let open = |parts| crate::blocking::WebSocket::from_parts(parts).expect("a pipe is ready");
    (open(client), open(server))
}

/// Two WebSockets that are connected, for two tasks; the client's is the first.
///
/// They share what lies between them with no other, are past the opening handshake, and both
/// streams have this manner. For an example see the [module](self).
#[cfg(feature = "tokio")]
pub fn tokio_pair(
    config: &Config,
    manner: Manner,
) -> (crate::tokio::WebSocket<Adversarial<Pipe>>, crate::tokio::WebSocket<Adversarial<Pipe>>) {
    let (client, server) = parts(config, manner);
    (crate::tokio::WebSocket::from_parts(client), crate::tokio::WebSocket::from_parts(server))
}

/// What two connected WebSockets are made of.
#[cfg(feature = "std")]
fn parts(
    config: &Config,
    manner: Manner,
) -> (crate::adapter::Parts<Adversarial<Pipe>>, crate::adapter::Parts<Adversarial<Pipe>>) {
    /// What a pipe holds in each direction, in bytes: as much as a common one of an operating system.
    const CAPACITY: usize = 64 * 1024;

    let (client, server) = connections(config, config);
    let ends = pipe(CAPACITY);
    let parts = |io, connection| crate::adapter::Parts {
        io: Adversarial::new(io, manner),
        connection,
        rx: ReceiveBuffer::with_capacity(config.limits.receive_buffer),
        tx: SendBuffer::new(),
    };
    (parts(ends.0, client), parts(ends.1, server))
}

/// What was queued, received.
fn received(tx: &mut SendBuffer) -> ReceiveBuffer {
    let mut transmit = tx.transmit();
    let bytes = transmit.slices().concat();
    transmit.consume(bytes.len());
    let mut rx = ReceiveBuffer::with_capacity(bytes.len());
    let all = rx.extend(&bytes);
    debug_assert_eq!(all, bytes.len());
    rx
}

/// That of section 1.3, in bytes.
const NONCE: [u8; 16] = *b"the sample nonce";

/// That of section 5.7.
fn masking_key() -> Option<[u8; 4]> {
    Some([0x37, 0xfa, 0x21, 0x3d])
}
