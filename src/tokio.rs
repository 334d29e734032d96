//! The tokio adapter: a WebSocket over any `AsyncRead + AsyncWrite`.
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use sotong::{Config, Event};
//!
//! # async fn server() -> Result<(), Box<dyn std::error::Error>> {
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
//! let config = Arc::new(Config::default()); // for all; lets pages of this host in, see `Origins`
//! loop {
//!     let (stream, _) = listener.accept().await?;
//!     stream.set_nodelay(true)?;
//!     let config = Arc::clone(&config);
//!     tokio::spawn(async move {
//!         let mut ws = sotong::tokio::accept(stream, config).await?;
//!         while let Some((event, mut reply)) = ws.recv_reply().await? {
//!             match event {
//!                 Event::Text(text) => reply.feed(text).await?,
//!                 Event::Binary(bytes) => reply.feed(bytes).await?,
//!                 _ => {}
//!             }
//!         }
//!         Ok::<_, sotong::Error>(())
//!     });
//! }
//! # }
//! ```
//!
//! The adapter holds no protocol decision: all it does is to move bytes and to wait.
//! [`WebSocket::recv`] answers pings, sends keepalives, drives the closing handshake and writes
//! what is queued before it waits, so a program that receives in a loop needs nothing else.
//! Messages [fed](WebSocket::feed_text) between two calls of `recv` leave in one write; one that is
//! larger than the queue is written at once.
//!
//! An idle connection has no buffers: those of its thread are lent to it while it has something to
//! read or to write. A `WebSocket` is one pointer to less than 400 bytes.
//!
//! Set `TCP_NODELAY` on sockets: a small frame that waits for the acknowledgement of the one before
//! is late by 40 ms and more.

mod byte_stream;
#[cfg(feature = "dial")]
mod dial;
mod drain;
mod ends;
mod handshake;
#[cfg(feature = "serde_json")]
mod json;
#[cfg(feature = "dial")]
mod maybe_tls;
mod message_reader;
mod message_writer;
mod pool;
mod reader;
mod split;
mod statistics;
mod stream;
mod timer;
mod writer;

use std::boxed::Box;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use ::tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

pub use crate::adapter::Parts;
use crate::adapter::Result;
use crate::close::CloseFrame;
use crate::connection::{Agreed, Chunk, Connection, Event, Payload, Prepared, State};
use crate::error::SendError;
pub use byte_stream::ByteStream;
#[cfg(feature = "dial")]
pub use dial::connect;
pub use drain::{Drain, Drained, Guest};
pub use handshake::{Upgrade, accept, connect_over};
#[cfg(feature = "dial")]
pub use maybe_tls::MaybeTls;
pub use message_reader::MessageReader;
pub use message_writer::MessageWriter;
use pool::Pooled;
use reader::{Link, Reader, Recv};
pub use split::{Receiver, Sender};
use timer::{Timer, now};
use writer::{Writer, in_place};

/// A WebSocket connection over a stream.
///
/// It is also a `Stream` and a `Sink` of [`Message`](crate::Message)s, in one task: where two tasks
/// are to have a part each, let it be halves of [`split`](Self::split), which are a `Stream` and a
/// `Sink` too. Those that futures' own `StreamExt::split` makes wake the task alone that polled last.
///
/// For an example see the [module](crate::tokio).
#[derive(Debug)]
pub struct WebSocket<S> {
    /// On the heap: a program's futures hold a connection, and each as many times as it moves it.
    halves: Box<Halves<S>>,
}

#[derive(Debug)]
struct Halves<S> {
    reader: Reader,
    writer: Writer<S>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// A connection whose handshake was done elsewhere, or one that was taken apart.
    ///
    /// ```
    /// use sotong::tokio::{Parts, WebSocket};
    /// use sotong::{Agreed, Config, Connection, Event};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> sotong::Result<()> {
    /// # let (stream, _peer) = tokio::io::duplex(1024);
    /// let connection = Connection::server(Config::default(), Agreed::default());
    /// let leftover = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"; // came behind the head
    /// let mut ws = WebSocket::from_parts(Parts::new(stream, connection, leftover));
    /// assert_eq!(ws.recv().await?, Some(Event::Text("Hello")));
    /// # Ok(())
    /// # }
    /// ```
    pub fn from_parts(parts: Parts<S>) -> Self {
        let (incoming, outgoing) = parts.connection.split();
        let writer = Writer::new(parts.io, outgoing, parts.tx);
        let timer = Timer::default();
        let rx = Pooled::new(parts.rx);
        let reader = Reader {
            incoming,
            rx,
            timer,
            has_read: false,
            has_ended: false,
            has_told_error: false,
        };
        Self { halves: Box::new(Halves { reader, writer }) }
    }

    /// Takes the connection apart. Nothing is lost: what was not sent or not received is in the
    /// buffers.
    ///
    /// ```
    /// use sotong::tokio::{Parts, WebSocket};
    /// use tokio::io::{AsyncRead, AsyncWrite};
    ///
    /// trait Stream: AsyncRead + AsyncWrite + Unpin {}
    /// impl<S: AsyncRead + AsyncWrite + Unpin> Stream for S {}
    ///
    /// /// Makes one type of connections over different streams.
    /// fn boxed<S: Stream + 'static>(ws: WebSocket<S>) -> WebSocket<Box<dyn Stream>> {
    ///     let Parts { io, connection, rx, tx } = ws.into_parts();
    ///     WebSocket::from_parts(Parts { io: Box::new(io), connection, rx, tx })
    /// }
    /// # use sotong::{Config, Event, test_kit::{Manner, tokio_pair}};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> sotong::Result<()> {
    /// # let (mut peer, ws) = tokio_pair(&Config::default(), Manner::sound());
    /// # let mut ws = boxed(ws);
    /// # peer.send_text("one").await?;
    /// # assert_eq!(ws.recv().await?, Some(Event::Text("one")));
    /// # Ok(())
    /// # }
    /// ```
    pub fn into_parts(self) -> Parts<S> {
        let Halves { reader, writer } = *self.halves;
        let Writer { io, outgoing, tx, .. } = writer;
        let Reader { incoming, rx, .. } = reader;
        let connection = Connection::unite(incoming, outgoing);
        Parts { io, connection, rx: rx.into_inner(), tx: tx.into_inner() }
    }

    /// The stream below.
    ///
    /// ```
    /// use sotong::tokio::WebSocket;
    /// use tokio::net::TcpStream;
    ///
    /// fn log_peer(ws: &WebSocket<TcpStream>) -> std::io::Result<()> {
    ///     println!("connected to {}", ws.stream().peer_addr()?);
    ///     Ok(())
    /// }
    /// ```
    pub fn stream(&self) -> &S {
        &self.halves.writer.io
    }

    /// How far the closing handshake has come.
    ///
    /// For an example see [`send_close`](Self::send_close).
    pub fn state(&self) -> State {
        self.halves.writer.outgoing.state()
    }

    /// What the opening handshake agreed on.
    ///
    /// ```
    /// # #[cfg(feature = "deflate")] mod example {
    /// use sotong::{Config, Deflate};
    ///
    /// # use sotong::Result;
    /// # use sotong::handshake::client::Request;
    /// # use sotong::tokio::{accept, connect_over};
    /// # #[tokio::main(flavor = "current_thread")] pub async fn run() -> Result<()> {
    /// # let (a, b) = tokio::io::duplex(1024);
    /// # let server = tokio::spawn(accept(b, {
    /// #     let mut config = Config::default();
    /// #     config.deflate = Some(Deflate::default());
    /// #     config
    /// # }));
    /// # let request = Request::default();
    /// let mut config = Config::default();
    /// config.deflate = Some(Deflate::default());
    /// let (ws, _response) = connect_over(a, &request, config).await?;
    /// assert!(ws.agreed().deflate.is_some()); // the server wants to compress as well
    /// # server.await.unwrap()?;
    /// # Ok(())
    /// # }
    /// # }
    /// # #[cfg(feature = "deflate")] example::run().unwrap();
    /// ```
    pub fn agreed(&self) -> Agreed {
        self.halves.writer.outgoing.agreed()
    }

    /// The next message or control frame; `None` once the connection is closed cleanly.
    ///
    /// Before it waits it writes what is queued. Pings are answered, and handed over as well; so is
    /// the peer's Close, and after that `None` comes when the stream has ended.
    ///
    /// ```
    /// use sotong::{CloseCode, Event};
    ///
    /// # use sotong::{Config, test_kit::{Manner, tokio_pair}};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> sotong::Result<()> {
    /// # let (mut peer, mut ws) = tokio_pair(&Config::default(), Manner::sound());
    /// # peer.send_text("소통").await?;
    /// # peer.send_binary(&[1, 2]).await?;
    /// # let close = tokio::spawn(async move { peer.close(Some(CloseCode::NORMAL.into())).await });
    /// while let Some(event) = ws.recv().await? {
    ///     match event {
    ///         Event::Text(text) => assert_eq!(text, "소통"),
    ///         Event::Binary(bytes) => assert_eq!(bytes, [1, 2]),
    ///         Event::Ping(_) | Event::Pong(_) => {} // a ping is answered already
    ///         Event::Close(frame) => assert_eq!(frame.unwrap().code, CloseCode::NORMAL),
    ///     }
    /// }
    /// # close.await.unwrap()
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The connection is over: the peer broke a rule and was told so, the stream failed, a deadline
    /// passed.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped; call `recv` again.
    pub fn recv(&mut self) -> impl Future<Output = Result<Option<Event<'_>>>> {
        let Halves { reader, writer } = &mut *self.halves;
        reader.recv(writer)
    }

    /// As [`recv`](Self::recv), and lends what it takes to answer while the event is still
    /// borrowed: an echo without a copy.
    ///
    /// ```
    /// use sotong::Event;
    ///
    /// # use sotong::{Config, test_kit::{Manner, tokio_pair}};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> sotong::Result<()> {
    /// # let (mut peer, mut ws) = tokio_pair(&Config::default(), Manner::sound());
    /// # let other = tokio::spawn(async move {
    /// #     peer.send_binary(&[1, 2, 3]).await?;
    /// #     assert_eq!(peer.recv().await?, Some(Event::Text("it is here")));
    /// #     assert_eq!(peer.recv().await?, Some(Event::Binary(&[1, 2, 3])));
    /// #     peer.close(None).await
    /// # });
    /// # async fn store(_: &[u8]) {}
    /// while let Some((event, mut reply)) = ws.recv_reply().await? {
    ///     if let Event::Binary(bytes) = event {
    ///         reply.send("it is here").await?; // at once, for what follows takes its time
    ///         store(bytes).await;
    ///         reply.feed(bytes).await?; // leaves before `recv_reply` waits
    ///     }
    /// }
    /// # other.await.unwrap()
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As of [`recv`](Self::recv).
    ///
    /// # Cancel safety
    ///
    /// As of [`recv`](Self::recv).
    pub fn recv_reply(
        &mut self,
    ) -> impl Future<Output = Result<Option<(Event<'_>, Responder<'_, S>)>>> {
        let Halves { reader, writer } = &mut *self.halves;
        RecvReply(reader.recv(writer))
    }

    /// The next piece of a message that is here, or a control frame; `None` once the connection is
    /// closed cleanly. Messages of any size pass through one buffer.
    ///
    /// ```
    /// use sotong::Chunk;
    /// use tokio::io::AsyncWriteExt;
    ///
    /// # use sotong::{Config, test_kit::{Manner, tokio_pair}};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> sotong::Result<()> {
    /// # let (mut peer, mut ws) = tokio_pair(&Config::default(), Manner::sound());
    /// # let sending = tokio::spawn(async move { peer.send_binary(&[7; 100_000]).await });
    /// # let mut file = Vec::new();
    /// while let Some(chunk) = ws.recv_chunk().await? {
    ///     if let Chunk::Binary { piece, last } = chunk {
    ///         file.write_all(piece).await?;
    ///         if last {
    ///             break;
    ///         }
    ///     }
    /// }
    /// # assert_eq!(file, [7; 100_000]);
    /// # sending.await.unwrap()
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As of [`recv`](Self::recv).
    ///
    /// # Cancel safety
    ///
    /// As of [`recv`](Self::recv).
    pub async fn recv_chunk(&mut self) -> Result<Option<Chunk<'_>>> {
        let Halves { reader, writer } = &mut *self.halves;
        reader.recv_chunk(writer).await
    }

    /// Sends a text message, and waits until the stream has taken it.
    ///
    /// ```
    /// use sotong::{Compress, Payload, Prepared};
    ///
    /// # use sotong::{Config, Event, test_kit::{Manner, tokio_pair}};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> sotong::Result<()> {
    /// # let (mut ws, mut peer) = tokio_pair(&Config::default(), Manner::sound());
    /// ws.send_text("소통").await?;
    /// ws.send_binary(&[1, 2, 3]).await?;
    /// let secret = Payload::text("session=8f3a").compress(Compress::No);
    /// ws.send_message(secret).await?;
    /// let news = Prepared::new("to all who are here"); // encoded once, for many connections
    /// ws.send_prepared(&news).await?;
    /// let mut picture = vec![7; 10_000]; // will be masked where it lies
    /// ws.send_binary_in_place(&mut picture).await?;
    /// # assert_eq!(peer.recv().await?, Some(Event::Text("소통")));
    /// # assert_eq!(peer.recv().await?, Some(Event::Binary(&[1, 2, 3])));
    /// # assert_eq!(peer.recv().await?, Some(Event::Text("session=8f3a")));
    /// # assert_eq!(peer.recv().await?, Some(Event::Text("to all who are here")));
    /// # assert_eq!(peer.recv().await?, Some(Event::Binary(&[7; 10_000])));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`SendError`], the stream failed, or the peer does not read. After [`SendError::Closing`] go on
    /// with [`recv`](Self::recv): it closes the connection as it should be, and tells why.
    ///
    /// # Cancel safety
    ///
    /// The message is queued whole or not at all; if it is, a later call writes it.
    pub fn send_text(&mut self, text: &str) -> impl Future<Output = Result<()>> {
        self.halves.writer.encode(true, move |outgoing, tx| outgoing.send(text, tx))
    }

    /// Sends a binary message, and waits until the stream has taken it.
    ///
    /// For an example see [`send_text`](Self::send_text).
    ///
    /// # Errors
    ///
    /// As of [`send_text`](Self::send_text).
    ///
    /// # Cancel safety
    ///
    /// The message is queued whole or not at all; if it is, a later call writes it.
    pub fn send_binary(&mut self, bytes: &[u8]) -> impl Future<Output = Result<()>> {
        self.halves.writer.encode(true, move |outgoing, tx| outgoing.send(bytes, tx))
    }

    /// Sends a binary message without a copy of it, and waits until the stream has taken it. A client
    /// masks it where it lies: what is there afterwards is of no use.
    ///
    /// For an example see [`send_text`](Self::send_text).
    ///
    /// # Errors
    ///
    /// As of [`send_text`](Self::send_text).
    ///
    /// # Cancel safety
    ///
    /// The message is queued whole or not at all; if it is, a later call writes it.
    pub fn send_binary_in_place(&mut self, bytes: &mut [u8]) -> impl Future<Output = Result<()>> {
        self.halves.writer.encode(true, in_place(bytes))
    }

    /// Sends a message, text or binary, and waits until the stream has taken it. Here is where to say
    /// whether it may be compressed: [`Payload::compress`].
    ///
    /// For an example see [`send_text`](Self::send_text).
    ///
    /// # Errors
    ///
    /// As of [`send_text`](Self::send_text).
    ///
    /// # Cancel safety
    ///
    /// The message is queued whole or not at all; if it is, a later call writes it.
    pub fn send_message<'p>(
        &mut self,
        message: impl Into<Payload<'p>>,
    ) -> impl Future<Output = Result<()>> {
        let message = message.into();
        self.halves.writer.encode(true, move |outgoing, tx| outgoing.send(message, tx))
    }

    /// Sends a message that was encoded before, and waits until the stream has taken it.
    ///
    /// For an example see [`send_text`](Self::send_text).
    ///
    /// # Errors
    ///
    /// As of [`send_text`](Self::send_text).
    ///
    /// # Cancel safety
    ///
    /// The message is queued whole or not at all; if it is, a later call writes it.
    pub fn send_prepared(&mut self, message: &Prepared) -> impl Future<Output = Result<()>> {
        self.halves.writer.encode(true, move |outgoing, tx| outgoing.send_prepared(message, tx))
    }

    /// Queues a text message; [`flush`](Self::flush) or [`recv`](Self::recv) writes it, with
    /// whatever else is queued. Waits only while the queue is full. What is larger than the queue is
    /// written at once, and waited for until the queue has room for what is left.
    ///
    /// ```
    /// use sotong::{Payload, Prepared};
    ///
    /// # use sotong::{Config, Event, test_kit::{Manner, tokio_pair}};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> sotong::Result<()> {
    /// # let (mut peer, mut ws) = tokio_pair(&Config::default(), Manner::sound());
    /// ws.feed_text("one").await?;
    /// ws.feed_binary(&[2]).await?;
    /// ws.feed_message(Payload::text("three")).await?; // or `&str`, or `&[u8]`
    /// let news = Prepared::new("four");
    /// ws.feed_prepared(&news).await?;
    /// assert_eq!(ws.statistics().sent.queued, 21); // the headers of frames take two bytes each
    /// ws.flush().await?; // in one write
    /// assert_eq!(ws.statistics().sent.queued, 0);
    /// # assert_eq!(peer.recv().await?, Some(Event::Text("one")));
    /// # assert_eq!(peer.recv().await?, Some(Event::Binary(&[2])));
    /// # assert_eq!(peer.recv().await?, Some(Event::Text("three")));
    /// # assert_eq!(peer.recv().await?, Some(Event::Text("four")));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As of [`send_text`](Self::send_text).
    ///
    /// # Cancel safety
    ///
    /// The message is queued whole or not at all; if it is, a later call writes it.
    pub fn feed_text(&mut self, text: &str) -> impl Future<Output = Result<()>> {
        self.halves.writer.encode(false, move |outgoing, tx| outgoing.send(text, tx))
    }

    /// Queues a binary message, as [`feed_text`](Self::feed_text).
    ///
    /// For an example see [`feed_text`](Self::feed_text).
    ///
    /// # Errors
    ///
    /// As of [`send_text`](Self::send_text).
    ///
    /// # Cancel safety
    ///
    /// The message is queued whole or not at all; if it is, a later call writes it.
    pub fn feed_binary(&mut self, bytes: &[u8]) -> impl Future<Output = Result<()>> {
        self.halves.writer.encode(false, move |outgoing, tx| outgoing.send(bytes, tx))
    }

    /// Queues a message, text or binary, as [`feed_text`](Self::feed_text).
    ///
    /// For an example see [`feed_text`](Self::feed_text).
    ///
    /// # Errors
    ///
    /// As of [`send_text`](Self::send_text).
    ///
    /// # Cancel safety
    ///
    /// The message is queued whole or not at all; if it is, a later call writes it.
    pub fn feed_message<'p>(
        &mut self,
        message: impl Into<Payload<'p>>,
    ) -> impl Future<Output = Result<()>> {
        let message = message.into();
        self.halves.writer.encode(false, move |outgoing, tx| outgoing.send(message, tx))
    }

    /// Queues a message that was encoded before, as [`feed_text`](Self::feed_text).
    ///
    /// For an example see [`feed_text`](Self::feed_text).
    ///
    /// # Errors
    ///
    /// As of [`send_text`](Self::send_text).
    ///
    /// # Cancel safety
    ///
    /// The message is queued whole or not at all; if it is, a later call writes it.
    pub fn feed_prepared(&mut self, message: &Prepared) -> impl Future<Output = Result<()>> {
        self.halves.writer.encode(false, move |outgoing, tx| outgoing.send_prepared(message, tx))
    }

    /// Sends a part of a message, text or binary; `fin` says that it is the last. All parts are of
    /// one type, and no other message may come between them.
    ///
    /// ```
    /// # use sotong::{Config, Event, test_kit::{Manner, tokio_pair}};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> sotong::Result<()> {
    /// # let (mut peer, mut ws) = tokio_pair(&Config::default(), Manner::sound());
    /// ws.send_fragment("what is known now, ", false).await?;
    /// ws.send_fragment("and what was not yet known", true).await?;
    /// # let whole = "what is known now, and what was not yet known";
    /// # assert_eq!(peer.recv().await?, Some(Event::Text(whole)));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As of [`send_text`](Self::send_text).
    ///
    /// # Cancel safety
    ///
    /// The part is queued whole or not at all.
    pub fn send_fragment<'p>(
        &mut self,
        part: impl Into<Payload<'p>>,
        fin: bool,
    ) -> impl Future<Output = Result<()>> {
        let part = part.into();
        self.halves.writer.encode(true, move |outgoing, tx| outgoing.send_fragment(part, fin, tx))
    }

    /// Sends a ping with at most 125 bytes; its pong comes as an event, and tells the
    /// [round-trip time](crate::Sent::round_trip) if each ping has another payload.
    ///
    /// ```
    /// use sotong::Event;
    ///
    /// # use sotong::{Config, test_kit::{Manner, tokio_pair}};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> sotong::Result<()> {
    /// # let (mut peer, mut ws) = tokio_pair(&Config::default(), Manner::sound());
    /// # let other = tokio::spawn(async move {
    /// #     while peer.recv().await?.is_some() {}
    /// #     Ok::<_, sotong::Error>(())
    /// # });
    /// ws.ping(b"first").await?;
    /// while let Some(event) = ws.recv().await? {
    ///     if event == Event::Pong(b"first") {
    ///         break;
    ///     }
    /// }
    /// let round_trip = ws.statistics().sent.round_trip;
    /// assert!(round_trip.is_some_and(|time| !time.is_zero()));
    /// # ws.close(None).await?;
    /// # other.await.unwrap()
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As of [`send_text`](Self::send_text).
    ///
    /// # Cancel safety
    ///
    /// The message is queued whole or not at all; if it is, a later call writes it.
    pub fn ping(&mut self, payload: &[u8]) -> impl Future<Output = Result<()>> {
        self.halves.writer.encode(true, move |outgoing, tx| outgoing.ping_at(now(), payload, tx))
    }

    /// Sends a Close frame. What is still under way can be received, until `None` comes.
    ///
    /// ```
    /// use sotong::{CloseCode, CloseFrame, State};
    ///
    /// # use sotong::{Config, test_kit::{Manner, tokio_pair}};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> sotong::Result<()> {
    /// # let (mut peer, mut ws) = tokio_pair(&Config::default(), Manner::sound());
    /// # let other = tokio::spawn(async move {
    /// #     peer.send_text("and another thing").await?;
    /// #     while peer.recv().await?.is_some() {}
    /// #     Ok::<_, sotong::Error>(())
    /// # });
    /// let frame = CloseFrame { code: CloseCode::GOING_AWAY, reason: "see you tomorrow" };
    /// ws.send_close(Some(frame)).await?;
    /// assert_eq!(ws.state(), State::Closing);
    /// while let Some(event) = ws.recv().await? {
    ///     println!("{event:?}"); // messages, and the peer's Close
    /// }
    /// assert_eq!(ws.state(), State::Closed);
    /// # assert_eq!(ws.statistics().received.messages, 1);
    /// # other.await.unwrap()
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As of [`send_text`](Self::send_text).
    ///
    /// # Cancel safety
    ///
    /// The frame is queued whole or not at all; if it is, a later call writes it.
    pub fn send_close(
        &mut self,
        frame: Option<CloseFrame<'_>>,
    ) -> impl Future<Output = Result<()>> {
        self.halves.writer.encode(true, move |outgoing, tx| outgoing.close(frame, tx))
    }

    /// Writes all that is queued.
    ///
    /// For an example see [`feed_text`](Self::feed_text).
    ///
    /// # Errors
    ///
    /// The stream failed, or the peer does not read.
    ///
    /// # Cancel safety
    ///
    /// What was not written stays queued.
    pub fn flush(&mut self) -> impl Future<Output = Result<()>> {
        self.halves.writer.flush()
    }

    /// Closes the connection: sends a Close frame, drops messages that are still under way, and
    /// waits for the peer's Close and the end of the stream.
    ///
    /// To receive those messages, use [`send_close`](Self::send_close) and go on with
    /// [`recv`](Self::recv). A connection that is closing already is waited for.
    ///
    /// ```
    /// use sotong::{CloseCode, CloseFrame};
    ///
    /// # use sotong::{Config, Event, test_kit::{Manner, tokio_pair}};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> sotong::Result<()> {
    /// # let (mut peer, mut ws) = tokio_pair(&Config::default(), Manner::sound());
    /// let frame = CloseFrame { code: CloseCode::POLICY, reason: "one connection each" };
    /// # let other = tokio::spawn(async move {
    /// #     assert_eq!(peer.recv().await?, Some(Event::Close(Some(frame))));
    /// #     peer.recv().await.map(drop)
    /// # });
    /// ws.close(Some(frame)).await?; // or `CloseCode::NORMAL.into()`, without a reason
    /// # other.await.unwrap()
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`SendError::CloseCodeForbidden`], [`SendError::ControlTooLong`]; and as of
    /// [`recv`](Self::recv).
    ///
    /// # Cancel safety
    ///
    /// The Close frame is queued whole or not at all; call `close` or `recv` again to wait.
    pub async fn close(&mut self, frame: Option<CloseFrame<'_>>) -> Result<()> {
        match self.send_close(frame).await {
            Ok(()) | Err(crate::Error::Send(SendError::Closing)) => {}
            Err(error) => return Err(error),
        }
        while self.recv_chunk().await?.is_some() {}
        Ok(())
    }
}

impl<S> Link for Writer<S>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        std::pin::Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

/// Answers an event that is still borrowed; see [`WebSocket::recv_reply`].
///
/// For an example see the [module](crate::tokio).
#[derive(Debug)]
pub struct Responder<'w, S> {
    writer: &'w mut Writer<S>,
}

/// Waits for an event, and what it takes to answer.
struct RecvReply<'r, S>(Recv<'r, Writer<S>>);

impl<'r, S: AsyncRead + AsyncWrite + Unpin> Future for RecvReply<'r, S> {
    type Output = Result<Option<(Event<'r>, Responder<'r, S>)>>;

    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let both = self.0.poll_both(cx);
        both.map_ok(|both| both.map(|(event, writer)| (event, Responder { writer })))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Responder<'_, S> {
    /// Queues a message, for the next [`flush`](WebSocket::flush) or [`recv`](WebSocket::recv) to
    /// write.
    ///
    /// For an example see [`WebSocket::recv_reply`].
    ///
    /// # Errors
    ///
    /// As of [`WebSocket::feed_text`].
    ///
    /// # Cancel safety
    ///
    /// As of [`WebSocket::feed_text`].
    pub fn feed<'p>(
        &mut self,
        message: impl Into<Payload<'p>>,
    ) -> impl Future<Output = Result<()>> {
        let message = message.into();
        self.writer.encode(false, move |outgoing, tx| outgoing.send(message, tx))
    }

    /// Sends a message.
    ///
    /// For an example see [`WebSocket::recv_reply`].
    ///
    /// # Errors
    ///
    /// As of [`WebSocket::send_text`].
    ///
    /// # Cancel safety
    ///
    /// As of [`WebSocket::send_text`].
    pub fn send<'p>(
        &mut self,
        message: impl Into<Payload<'p>>,
    ) -> impl Future<Output = Result<()>> {
        let message = message.into();
        self.writer.encode(true, move |outgoing, tx| outgoing.send(message, tx))
    }
}
