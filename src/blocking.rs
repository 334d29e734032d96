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
/// For a server see the example of the [module](crate::blocking).
///
/// # Sending
///
/// What is sent leaves at once; what is fed leaves with what comes after it, in few writes.
///
/// ```
/// use sotong::{Compress, Payload, Prepared};
/// # use sotong::{Config, Event, test_kit::{Manner, blocking_pair}};
/// # let (mut ws, mut peer) = blocking_pair(&Config::default(), Manner::sound());
///
/// ws.send_text("안녕")?;
/// ws.send_binary(&[0, 1, 2])?;
/// ws.send_binary_in_place(&mut [3; 1000])?; // what is there afterwards is of no use
/// ws.send_message(Payload::text("session=8f3a").compress(Compress::No))?;
/// ws.send_fragment("a message in ", false)?;
/// ws.send_fragment("two parts", true)?;
///
/// let news = Prepared::new("for everyone"); // encoded once, whoever it is sent to
/// ws.send_prepared(&news)?;
///
/// ws.feed_text("four messages")?;
/// ws.feed_binary(b"that leave")?;
/// ws.feed_message("together")?;
/// ws.feed_prepared(&news)?;
/// ws.flush()?;
/// # ws.send_close(None)?;
/// # drop(ws);
/// # let mut messages = 0;
/// # while let Some(event) = peer.recv()? {
/// #     messages += u32::from(matches!(event, Event::Text(_) | Event::Binary(_)));
/// # }
/// # assert_eq!(messages, 10);
/// # Ok::<(), sotong::Error>(())
/// ```
#[derive(Debug)]
pub struct WebSocket<S> {
    reader: Reader,
    writer: Writer<S>,
}

impl<S: Stream> WebSocket<S> {
    /// A connection whose handshake was done elsewhere, or one that was taken apart.
    ///
    /// ```
    /// use sotong::blocking::{Parts, WebSocket};
    /// use sotong::{Agreed, Config, Connection, Event};
    ///
    /// # let (_client, stream) = sotong::test_kit::pipe(4096);
    /// // An HTTP stack did the opening handshake, and read this behind the request:
    /// let leftover = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
    /// let connection = Connection::server(Config::default(), Agreed::default());
    /// let mut ws = WebSocket::from_parts(Parts::new(stream, connection, leftover))?;
    /// assert_eq!(ws.recv()?, Some(Event::Text("Hello")));
    ///
    /// ws.feed_text("Hi")?;
    /// let parts = ws.into_parts(); // as for an event loop, which goes on with them
    /// assert_eq!(parts.tx.len(), 4); // a header of two bytes, and the text
    /// # Ok::<(), sotong::Error>(())
    /// ```
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
    ///
    /// For an example see [`from_parts`](Self::from_parts).
    pub fn into_parts(self) -> Parts<S> {
        let Writer { io, outgoing, tx, .. } = self.writer;
        let Reader { incoming, rx, .. } = self.reader;
        Parts { io, connection: Connection::unite(incoming, outgoing), rx, tx }
    }

    /// The stream below.
    ///
    /// ```
    /// use sotong::State;
    /// # use std::net::{TcpListener, TcpStream};
    /// # use sotong::{Config, handshake::client::Request};
    /// # let listener = TcpListener::bind("127.0.0.1:0")?;
    /// # let near = TcpStream::connect(listener.local_addr()?)?;
    /// # let client = std::thread::spawn(move || {
    /// #     sotong::blocking::connect_over(near, &Request::default(), Config::default())
    /// # });
    /// # let (stream, config) = (listener.accept()?.0, Config::default());
    ///
    /// let ws = sotong::blocking::accept(stream, config)?;
    /// println!("{} is here", ws.stream().peer_addr()?);
    /// assert_eq!(ws.state(), State::Open);
    /// assert_eq!(ws.agreed().deflate, None); // messages are not compressed
    /// # client.join().unwrap()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn stream(&self) -> &S {
        &self.writer.io
    }

    /// How far the closing handshake has come.
    ///
    /// For an example see [`stream`](Self::stream).
    pub fn state(&self) -> State {
        self.writer.outgoing.state()
    }

    /// What the opening handshake agreed on.
    ///
    /// For an example see [`stream`](Self::stream).
    pub fn agreed(&self) -> Agreed {
        self.writer.outgoing.agreed()
    }

    /// The next message or control frame; `None` once the connection is closed cleanly.
    ///
    /// Before it waits it writes what is queued. Pings are answered, and handed over as well; so is
    /// the peer's Close, and after that `None` comes when the stream has ended.
    ///
    /// ```
    /// use sotong::Event;
    /// # use sotong::{Config, test_kit::{Manner, blocking_pair}};
    /// # let (mut peer, mut ws) = blocking_pair(&Config::default(), Manner::sound());
    /// # peer.send_text("안녕")?;
    /// # peer.send_close(None)?;
    /// # drop(peer);
    ///
    /// while let Some(event) = ws.recv()? {
    ///     match event {
    ///         Event::Text(text) => assert_eq!(text, "안녕"),
    ///         Event::Binary(bytes) => println!("{} bytes", bytes.len()),
    ///         Event::Close(frame) => println!("the peer leaves: {frame:?}"),
    ///         Event::Ping(_) | Event::Pong(_) => {} // pings are answered already
    ///     }
    /// }
    /// # Ok::<(), sotong::Error>(())
    /// ```
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
    /// ```
    /// use sotong::Event;
    /// # use sotong::{Config, test_kit::{Manner, blocking_pair}};
    /// # let (mut peer, mut ws) = blocking_pair(&Config::default(), Manner::sound());
    /// # let other = std::thread::spawn(move || {
    /// #     peer.send_text("안녕")?;
    /// #     assert_eq!(peer.recv()?, Some(Event::Text("one moment")));
    /// #     assert_eq!(peer.recv()?, Some(Event::Text("안녕")));
    /// #     peer.close(None)
    /// # });
    ///
    /// while let Some((event, mut reply)) = ws.recv_reply()? {
    ///     if let Event::Text(text) = event {
    ///         reply.send("one moment")?; // leaves now, for what follows takes its time
    ///         reply.feed(text)?; // leaves before `recv_reply` waits
    ///     }
    /// }
    /// # other.join().unwrap()?;
    /// # Ok::<(), sotong::Error>(())
    /// ```
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
    /// ```
    /// use sotong::Chunk;
    /// # use sotong::{Config, test_kit::{Manner, blocking_pair}};
    /// # let (mut peer, mut ws) = blocking_pair(&Config::default(), Manner::sound());
    /// # peer.send_binary(&[7; 10_000])?;
    ///
    /// let mut len = 0;
    /// while let Some(chunk) = ws.recv_chunk()? {
    ///     if let Chunk::Binary { piece, last } = chunk {
    ///         len += piece.len(); // or write it to a file
    ///         if last {
    ///             break;
    ///         }
    ///     }
    /// }
    /// assert_eq!(len, 10_000);
    /// # Ok::<(), sotong::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As of [`recv`](Self::recv).
    pub fn recv_chunk(&mut self) -> Result<Option<Chunk<'_>>> {
        self.reader.recv_chunk(&mut self.writer)
    }

    /// Sends a text message, and waits until the stream has taken it.
    ///
    /// For an example see [sending](Self#sending).
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
    /// For an example see [sending](Self#sending).
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
    /// For an example see [sending](Self#sending).
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
    /// For an example see [sending](Self#sending).
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
    /// For an example see [sending](Self#sending).
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
    /// For an example see [sending](Self#sending).
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
    /// For an example see [sending](Self#sending).
    ///
    /// # Errors
    ///
    /// As of [`send_text`](Self::send_text).
    pub fn feed_text(&mut self, text: &str) -> Result<()> {
        self.writer.encode(false, |outgoing, tx| outgoing.send(text, tx))
    }

    /// Queues a binary message, as [`feed_text`](Self::feed_text).
    ///
    /// For an example see [sending](Self#sending).
    ///
    /// # Errors
    ///
    /// As of [`send_text`](Self::send_text).
    pub fn feed_binary(&mut self, bytes: &[u8]) -> Result<()> {
        self.writer.encode(false, |outgoing, tx| outgoing.send(bytes, tx))
    }

    /// Queues a message, text or binary, as [`feed_text`](Self::feed_text).
    ///
    /// For an example see [sending](Self#sending).
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
    /// For an example see [sending](Self#sending).
    ///
    /// # Errors
    ///
    /// As of [`send_text`](Self::send_text).
    pub fn feed_prepared(&mut self, message: &Prepared) -> Result<()> {
        self.writer.encode(false, |outgoing, tx| outgoing.send_prepared(message, tx))
    }

    /// Writes all that is queued.
    ///
    /// For an example see [sending](Self#sending).
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
    /// ```
    /// use sotong::Event;
    /// # use sotong::{Config, test_kit::{Manner, blocking_pair}};
    /// # let (mut ws, mut peer) = blocking_pair(&Config::default(), Manner::sound());
    ///
    /// ws.ping(b"1")?;
    /// # peer.recv()?;
    /// # peer.flush()?;
    /// assert_eq!(ws.recv()?, Some(Event::Pong(b"1")));
    /// let round_trip = ws.statistics().sent.round_trip.expect("a pong came");
    /// println!("there and back in {round_trip:?}");
    /// # Ok::<(), sotong::Error>(())
    /// ```
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
    /// ```
    /// use sotong::{Event, State};
    /// # use sotong::{Config, test_kit::{Manner, blocking_pair}};
    /// # let (mut peer, mut ws) = blocking_pair(&Config::default(), Manner::sound());
    /// # peer.send_text("one more thing")?;
    /// # let other = std::thread::spawn(move || {
    /// #     while peer.recv()?.is_some() {}
    /// #     Ok::<(), sotong::Error>(())
    /// # });
    ///
    /// ws.send_close(None)?;
    /// assert_eq!(ws.state(), State::Closing);
    /// while let Some(event) = ws.recv()? {
    ///     if let Event::Text(text) = event {
    ///         assert_eq!(text, "one more thing"); // it was under way
    ///     }
    /// }
    /// assert_eq!(ws.state(), State::Closed);
    /// # other.join().unwrap()?;
    /// # Ok::<(), sotong::Error>(())
    /// ```
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
    /// ```
    /// use sotong::{CloseCode, CloseFrame, State};
    /// # use sotong::{Config, test_kit::{Manner, blocking_pair}};
    /// # let (mut peer, mut ws) = blocking_pair(&Config::default(), Manner::sound());
    /// # let other = std::thread::spawn(move || {
    /// #     while peer.recv()?.is_some() {}
    /// #     Ok::<(), sotong::Error>(())
    /// # });
    ///
    /// ws.close(Some(CloseFrame { code: CloseCode::RESTART, reason: "an update" }))?;
    /// assert_eq!(ws.state(), State::Closed);
    /// # other.join().unwrap()?;
    /// # Ok::<(), sotong::Error>(())
    /// ```
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
    /// For an example see [`WebSocket::recv_reply`].
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
    /// For an example see [`WebSocket::recv_reply`].
    ///
    /// # Errors
    ///
    /// As of [`WebSocket::send_text`].
    pub fn send<'p>(&mut self, message: impl Into<Payload<'p>>) -> Result<()> {
        let message = message.into();
        self.writer.encode(true, |outgoing, tx| outgoing.send(message, tx))
    }
}
