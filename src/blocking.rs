//! The blocking adapter: a WebSocket over any `Read + Write`, a thread per connection.
//!
//! ```no_run
//! use sotong::{Config, Event};
//!
//! let listener = std::net::TcpListener::bind("127.0.0.1:8080")?;
//! for stream in listener.incoming() {
//!     let stream = stream?;
//!     std::thread::spawn(move || {
//!         let config = Config::default(); // lets pages of this host in, see `Origins`
//!         let mut ws = sotong::blocking::accept(stream, config)?;
//!         while let Some((event, mut reply)) = ws.recv_reply()? {
//!             match event {
//!                 Event::Text(text) => reply.feed(text)?,
//!                 Event::Binary(bytes) => reply.feed(bytes)?,
//!                 _ => {}
//!             }
//!         }
//!         Ok::<_, sotong::Error>(())
//!     });
//! }
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! The adapter holds no protocol decision: all it does is to move bytes and to wait.
//! Deadlines hold over streams that can give up waiting for a moment, as sockets can; see
//! [`Stream`]. Over others ([`Plain`]) they are looked at whenever a read or a write returns.
//! Streams that never block, as in an event loop, are better served by the core.

mod byte_stream;
#[cfg(feature = "dial")]
mod dial;
mod ends;
mod handshake;
#[cfg(feature = "serde_json")]
mod json;
#[cfg(feature = "dial")]
mod maybe_tls;
mod message_reader;
mod message_writer;
mod reader;
mod split;
mod statistics;
mod stream;
#[cfg(feature = "rustls")]
mod tls;
mod writer;

pub use crate::adapter::Parts;
use crate::adapter::{Error, Result};
use crate::close::CloseFrame;
use crate::connection::{Agreed, Chunk, Connection, Event, Payload, Prepared, State};
use crate::error::SendError;
pub use byte_stream::ByteStream;
#[cfg(feature = "dial")]
pub use dial::connect;
pub use handshake::{Upgrade, accept, connect_over};
#[cfg(feature = "dial")]
pub use maybe_tls::MaybeTls;
pub use message_reader::MessageReader;
pub use message_writer::MessageWriter;
use reader::{Clock, Link, Reader};
pub use split::{Receiver, Sender};
pub use stream::{Plain, Stream, TryClone};
#[cfg(feature = "rustls")]
pub use tls::TlsStream;
use writer::Writer;

/// A WebSocket connection over a stream.
///
/// For an example see the [module](crate::blocking).
#[derive(Debug)]
pub struct WebSocket<S> {
    reader: Reader,
    writer: Writer<S>,
}

impl<S: Stream> WebSocket<S> {
    /// A connection whose handshake was done elsewhere, or one that was taken apart.
    ///
    /// # Errors
    ///
    /// The stream cannot be [made ready](Stream::prepare).
    pub fn from_parts(mut parts: Parts<S>) -> Result<Self> {
        let ticks = parts.io.prepare(handshake::tick(parts.connection.timeouts()))?;
        Ok(Self::assemble(parts, ticks))
    }

    fn assemble(parts: Parts<S>, ticks: bool) -> Self {
        let (incoming, outgoing) = parts.connection.split();
        let writer = Writer {
            io: parts.io,
            outgoing,
            tx: parts.tx,
            clock: Clock::new(ticks),
            has_shut_down: false,
        };
        Self { reader: Reader { incoming, rx: parts.rx, has_waited: false }, writer }
    }

    /// Takes the connection apart. Nothing is lost: what was not sent or not received is in the
    /// buffers. The stream still gives up now and then, as it was [made to](Stream::prepare).
    pub fn into_parts(self) -> Parts<S> {
        let Writer { io, outgoing, tx, .. } = self.writer;
        let Reader { incoming, rx, .. } = self.reader;
        Parts { io, connection: Connection::unite(incoming, outgoing), rx, tx }
    }

    /// The stream below.
    pub fn stream(&self) -> &S {
        &self.writer.io
    }

    /// How far the closing handshake has come.
    pub fn state(&self) -> State {
        self.writer.outgoing.state()
    }

    /// What the opening handshake agreed on.
    pub fn agreed(&self) -> Agreed {
        self.writer.outgoing.agreed()
    }

    /// The next message or control frame; `None` once the connection is closed cleanly.
    ///
    /// Before it waits it writes what is queued. Pings are answered, and handed over as well; so is
    /// the peer's Close, and after that `None` comes when the stream has ended.
    ///
    /// # Errors
    ///
    /// The connection is over: the peer broke a rule and was told so, the stream failed, a deadline
    /// passed.
    pub fn recv(&mut self) -> Result<Option<Event<'_>>> {
        self.reader.recv(&mut self.writer)
    }

    /// As [`recv`](Self::recv), and lends what it takes to answer while the event is still
    /// borrowed: an echo without a copy.
    ///
    /// # Errors
    ///
    /// As of [`recv`](Self::recv).
    pub fn recv_reply(&mut self) -> Result<Option<(Event<'_>, Responder<'_, S>)>> {
        let event = self.reader.recv(&mut self.writer)?;
        Ok(event.map(|event| (event, Responder { writer: &mut self.writer })))
    }

    /// The next piece of a message that is here, or a control frame; `None` once the connection is
    /// closed cleanly. Messages of any size pass through one buffer.
    ///
    /// # Errors
    ///
    /// As of [`recv`](Self::recv).
    pub fn recv_chunk(&mut self) -> Result<Option<Chunk<'_>>> {
        self.reader.recv_chunk(&mut self.writer)
    }

    /// Sends a text message, and waits until the stream has taken it.
    ///
    /// # Errors
    ///
    /// [`SendError`], the stream failed, or the peer does not read. After [`SendError::Closing`] go on
    /// with [`recv`](Self::recv): it closes the connection as it should be, and tells why.
    pub fn send_text(&mut self, text: &str) -> Result<()> {
        self.writer.encode(true, |outgoing, tx| outgoing.send(text, tx))
    }

    /// Sends a binary message, and waits until the stream has taken it.
    ///
    /// # Errors
    ///
    /// As of [`send_text`](Self::send_text).
    pub fn send_binary(&mut self, bytes: &[u8]) -> Result<()> {
        self.writer.encode(true, |outgoing, tx| outgoing.send(bytes, tx))
    }

    /// Sends a binary message without a copy of it, and waits until the stream has taken it. A client
    /// masks it where it lies: what is there afterwards is of no use.
    ///
    /// # Errors
    ///
    /// As of [`send_text`](Self::send_text).
    pub fn send_binary_in_place(&mut self, bytes: &mut [u8]) -> Result<()> {
        self.writer.encode(true, |outgoing, tx| outgoing.send_binary_in_place(bytes, tx))
    }

    /// Sends a message, text or binary, and waits until the stream has taken it. Here is where to say
    /// whether it may be compressed: [`Payload::compress`].
    ///
    /// # Errors
    ///
    /// As of [`send_text`](Self::send_text).
    pub fn send_message<'p>(&mut self, message: impl Into<Payload<'p>>) -> Result<()> {
        let message = message.into();
        self.writer.encode(true, |outgoing, tx| outgoing.send(message, tx))
    }

    /// Sends a message that was encoded before, and waits until the stream has taken it.
    ///
    /// # Errors
    ///
    /// As of [`send_text`](Self::send_text).
    pub fn send_prepared(&mut self, message: &Prepared) -> Result<()> {
        self.writer.encode(true, |outgoing, tx| outgoing.send_prepared(message, tx))
    }

    /// Sends a part of a message, text or binary; `fin` says that it is the last. All parts are of
    /// one type, and no other message may come between them.
    ///
    /// # Errors
    ///
    /// As of [`send_text`](Self::send_text).
    pub fn send_fragment<'p>(&mut self, part: impl Into<Payload<'p>>, fin: bool) -> Result<()> {
        let part = part.into();
        self.writer.encode(true, |outgoing, tx| outgoing.send_fragment(part, fin, tx))
    }

    /// Queues a text message; [`flush`](Self::flush) or [`recv`](Self::recv) writes it, with
    /// whatever else is queued. Writes only while the queue is full. What is larger
    /// than the queue is written at once.
    ///
    /// # Errors
    ///
    /// As of [`send_text`](Self::send_text).
    pub fn feed_text(&mut self, text: &str) -> Result<()> {
        self.writer.encode(false, |outgoing, tx| outgoing.send(text, tx))
    }

    /// Queues a binary message, as [`feed_text`](Self::feed_text).
    ///
    /// # Errors
    ///
    /// As of [`send_text`](Self::send_text).
    pub fn feed_binary(&mut self, bytes: &[u8]) -> Result<()> {
        self.writer.encode(false, |outgoing, tx| outgoing.send(bytes, tx))
    }

    /// Queues a message, text or binary, as [`feed_text`](Self::feed_text).
    ///
    /// # Errors
    ///
    /// As of [`send_text`](Self::send_text).
    pub fn feed_message<'p>(&mut self, message: impl Into<Payload<'p>>) -> Result<()> {
        let message = message.into();
        self.writer.encode(false, |outgoing, tx| outgoing.send(message, tx))
    }

    /// Queues a message that was encoded before, as [`feed_text`](Self::feed_text).
    ///
    /// # Errors
    ///
    /// As of [`send_text`](Self::send_text).
    pub fn feed_prepared(&mut self, message: &Prepared) -> Result<()> {
        self.writer.encode(false, |outgoing, tx| outgoing.send_prepared(message, tx))
    }

    /// Writes all that is queued.
    ///
    /// # Errors
    ///
    /// The stream failed, or the peer does not read. What was not written stays queued.
    pub fn flush(&mut self) -> Result<()> {
        self.writer.flush(true).map(|_| ())
    }

    /// Sends a ping with at most 125 bytes; its pong comes as an event, and tells the
    /// [round-trip time](crate::Sent::round_trip) if each ping has another payload.
    ///
    /// # Errors
    ///
    /// As of [`send_text`](Self::send_text).
    pub fn ping(&mut self, payload: &[u8]) -> Result<()> {
        let clock = self.writer.clock;
        self.writer.encode(true, |outgoing, tx| outgoing.ping_at(clock.now(), payload, tx))
    }

    /// Sends a Close frame. What is still under way can be received, until `None` comes.
    ///
    /// # Errors
    ///
    /// As of [`send_text`](Self::send_text).
    pub fn send_close(&mut self, frame: Option<CloseFrame<'_>>) -> Result<()> {
        self.writer.encode(true, |outgoing, tx| outgoing.close(frame, tx))
    }

    /// Closes the connection: sends a Close frame, drops messages that are still under way, and
    /// waits for the peer's Close and the end of the stream.
    ///
    /// To receive those messages, use [`send_close`](Self::send_close) and go on with
    /// [`recv`](Self::recv). A connection that is closing already is waited for.
    ///
    /// # Errors
    ///
    /// [`SendError::CloseCodeForbidden`], [`SendError::ControlTooLong`]; and as of
    /// [`recv`](Self::recv).
    pub fn close(&mut self, frame: Option<CloseFrame<'_>>) -> Result<()> {
        match self.send_close(frame) {
            Ok(()) | Err(Error::Send(SendError::Closing)) => {}
            Err(error) => return Err(error),
        }
        while self.recv_chunk()?.is_some() {}
        Ok(())
    }
}

/// Answers an event that is still borrowed; see [`WebSocket::recv_reply`].
///
/// For an example see the [module](crate::blocking).
#[derive(Debug)]
pub struct Responder<'w, S> {
    writer: &'w mut Writer<S>,
}

impl<S: Stream> Responder<'_, S> {
    /// Queues a message, for the next [`flush`](WebSocket::flush) or [`recv`](WebSocket::recv) to
    /// write.
    ///
    /// # Errors
    ///
    /// As of [`WebSocket::feed_text`].
    pub fn feed<'p>(&mut self, message: impl Into<Payload<'p>>) -> Result<()> {
        let message = message.into();
        self.writer.encode(false, |outgoing, tx| outgoing.send(message, tx))
    }

    /// Sends a message.
    ///
    /// # Errors
    ///
    /// As of [`WebSocket::send_text`].
    pub fn send<'p>(&mut self, message: impl Into<Payload<'p>>) -> Result<()> {
        let message = message.into();
        self.writer.encode(true, |outgoing, tx| outgoing.send(message, tx))
    }
}
