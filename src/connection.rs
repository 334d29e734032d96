//! A connection after its opening handshake (RFC 6455, sections 5 to 8).
//!
//! ```text
//!   bytes in ─► ReceiveBuffer ─► incoming: frames ─► messages ─► your code
//!                                   │ a pong, a Close: due
//!   bytes out ◄── SendBuffer ◄── outgoing: frames ◄── messages ◄── your code
//! ```

mod event;
mod incoming;
mod outgoing;
mod prepared;
mod reply;
mod standing;
mod statistics;

pub use event::{Chunk, Event, Payload};
pub use incoming::Incoming;
pub use outgoing::Outgoing;
pub use prepared::Prepared;
pub use standing::{Agreed, MaskingKeys, Role, State, Transport};
pub use statistics::{Received, Sent, Statistics};

use alloc::sync::Arc;
use core::time::Duration;

use crate::buffer::{ReceiveBuffer, SendBuffer, Transmit};
use crate::close::CloseFrame;
use crate::config::{Config, Limits, Timeouts};
use crate::deflate::{Compressor, Decompressor};
use crate::error::{ProtocolError, SendError, TimedOut};
use crate::timing::Traffic;

/// One end of a WebSocket connection: a state machine between two buffers.
///
/// It never does I/O, reads a clock or draws randomness. Its methods come in families:
///
/// * **Bytes in.** After bytes were put into a [`ReceiveBuffer`], [`next_event`](Self::next_event)
///   gives whole messages, [`next_chunk`](Self::next_chunk) the pieces that are there.
///   [`handle_eof`](Self::handle_eof) says that no more bytes come.
/// * **Commands.** [`send_text`](Self::send_text) and its kin, [`ping`](Self::ping),
///   [`close`](Self::close) encode into a [`SendBuffer`] and return a [`Transmit`]: write it now,
///   or drop it to leave all in the queue.
/// * **Bytes out.** [`poll_transmit`](Self::poll_transmit) queues the pongs and the Close that are
///   due; [`SendBuffer::transmit`] is what to write. [`transport`](Self::transport) says when to
///   close the stream.
/// * **Time.** [`poll_timeout`](Self::poll_timeout) before waiting,
///   [`handle_timeout`](Self::handle_timeout) when that time has come. Without these two calls
///   there are no deadlines.
///
/// ```
/// use sotong::{Agreed, Config, Connection, Event, ReceiveBuffer, SendBuffer};
///
/// let mut conn = Connection::server(Config::default(), Agreed::default());
/// let mut rx = ReceiveBuffer::with_capacity(4096);
/// let mut tx = SendBuffer::new();
///
/// // A masked "Hello" of section 5.7, and the beginning of what comes next.
/// let bytes = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58\x89";
/// assert_eq!(rx.extend(bytes), bytes.len());
/// while let Some(event) = conn.next_event(&mut rx)? {
///     if let Event::Text(text) = event {
///         conn.send_text(text, &mut tx)?.queue(); // an echo, without a copy in between
///     }
/// }
/// assert_eq!(tx.transmit().slices().concat(), b"\x81\x05Hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Connection {
    incoming: Incoming,
    outgoing: Outgoing,
}

impl Connection {
    /// A client's end, when the opening handshake is done and has agreed on this.
    ///
    /// Connections share an `Arc<Config>`; from a `&Config` each takes a copy.
    ///
    /// ```
    /// use sotong::{Agreed, Config, Connection, SendBuffer};
    ///
    /// let key = || Some([0x37, 0xfa, 0x21, 0x3d]); // keys must be random; see MaskingKeys
    /// let mut conn = Connection::client(Config::default(), Agreed::default(), key);
    /// let mut tx = SendBuffer::new();
    /// conn.send_text("Hello", &mut tx)?.queue();
    /// let masked = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"; // of section 5.7
    /// assert_eq!(tx.transmit().slices()[0], masked);
    /// # Ok::<(), sotong::SendError>(())
    /// ```
    pub fn client(
        config: impl Into<Arc<Config>>,
        agreed: Agreed,
        masking_keys: MaskingKeys,
    ) -> Self {
        Self::new(Role::Client, Some(masking_keys), config.into(), agreed)
    }

    /// A server's end, when the opening handshake is done and has agreed on this.
    ///
    /// Connections share an `Arc<Config>`; from a `&Config` each takes a copy.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use sotong::{Agreed, Config, Connection};
    ///
    /// let mut config = Config::default();
    /// config.limits.message = 4096;
    /// config.timeouts.pong = None;
    /// let config = Arc::new(config);
    /// let conns = [(); 3].map(|()| Connection::server(Arc::clone(&config), Agreed::default()));
    /// for conn in &conns {
    ///     assert_eq!((conn.limits().message, conn.timeouts().pong), (4096, None));
    ///     assert!(conn.agreed().deflate.is_none()); // nothing is compressed
    /// }
    /// ```
    pub fn server(config: impl Into<Arc<Config>>, agreed: Agreed) -> Self {
        Self::new(Role::Server, None, config.into(), agreed)
    }

    /// A server's end of a stream that is to be no WebSocket, once a refusal or a page is queued:
    /// [`transport`](Self::transport) and the timeout `close` say how to end the stream so that the
    /// client sees the answer. What still comes is dropped.
    ///
    /// ```
    /// use sotong::handshake::{HandshakeError, server};
    /// use sotong::{Config, Connection, SendBuffer, Transport};
    ///
    /// let mut tx = SendBuffer::new();
    /// server::refuse(HandshakeError::OriginNotAllowed, &mut tx);
    /// let conn = Connection::refused(Config::default());
    /// // Write what is queued, shut down, and read until the client closes too.
    /// assert_eq!(conn.transport(), Transport::ShutDown);
    /// ```
    pub fn refused(config: impl Into<Arc<Config>>) -> Self {
        let mut refused = Self::server(config, Agreed::default());
        refused.incoming.close();
        refused.outgoing.refuse();
        refused
    }

    fn new(
        role: Role,
        masking_keys: Option<MaskingKeys>,
        config: Arc<Config>,
        agreed: Agreed,
    ) -> Self {
        let (compressor, decompressor) = codec(role, &config, agreed);
        let incoming = Incoming::new(role, Arc::clone(&config), decompressor);
        let outgoing = Outgoing::new(masking_keys, config, agreed, compressor);
        Self { incoming, outgoing }
    }

    /// What the opening handshake agreed on.
    ///
    /// For an example see [`server`](Self::server).
    pub fn agreed(&self) -> Agreed {
        self.outgoing.agreed()
    }

    /// Which end this is.
    ///
    /// For an example see [`Role`].
    pub fn role(&self) -> Role {
        self.outgoing.role()
    }

    /// How far the closing handshake has come.
    ///
    /// For an example see [`State`].
    pub fn state(&self) -> State {
        self.outgoing.state()
    }

    /// The two halves, each for one thread.
    ///
    /// The reading half unmasks and checks on its own; only when something is due does it need the
    /// other one, for [`Outgoing::answer`].
    ///
    /// ```
    /// use sotong::{Agreed, Config, Connection, Event, ReceiveBuffer, SendBuffer};
    ///
    /// let conn = Connection::server(Config::default(), Agreed::default());
    /// let (mut incoming, mut outgoing) = conn.split();
    /// let (mut rx, mut tx) = (ReceiveBuffer::with_capacity(512), SendBuffer::new());
    ///
    /// rx.extend(b"\x89\x80\0\0\0\0"); // a ping
    /// assert_eq!(incoming.next_event(&mut rx)?, Some(Event::Ping(b"")));
    /// if incoming.has_reply() {
    ///     outgoing.answer(&mut incoming); // under the lock that the halves share
    /// }
    /// assert!(outgoing.is_due()); // the pong
    /// outgoing.poll_transmit(&mut tx);
    /// assert_eq!(tx.transmit().slices()[0], b"\x8a\x00");
    /// # Ok::<(), sotong::ProtocolError>(())
    /// ```
    pub fn split(self) -> (Incoming, Outgoing) {
        (self.incoming, self.outgoing)
    }

    /// Looks for the next event; whether there is one for [`next_event`](Self::next_event) to lend.
    ///
    /// `false` asks for more bytes. For adapters: a loop that reads until there is an event cannot
    /// borrow it in the same breath.
    ///
    /// ```
    /// # use sotong::{Agreed, Config};
    /// use std::io::{self, Read};
    /// use sotong::{Connection, Event, ReceiveBuffer};
    ///
    /// fn recv<'b>(
    ///     conn: &mut Connection,
    ///     rx: &'b mut ReceiveBuffer,
    ///     io: &mut impl Read,
    /// ) -> io::Result<Option<Event<'b>>> {
    ///     while !conn.advance(rx).map_err(io::Error::other)? {
    ///         match io.read(rx.spare())? {
    ///             0 => return Ok(None),
    ///             n => rx.filled(n),
    ///         }
    ///     }
    ///     conn.next_event(rx).map_err(io::Error::other)
    /// }
    /// # let mut conn = Connection::server(Config::default(), Agreed::default());
    /// # let mut rx = ReceiveBuffer::with_capacity(512);
    /// # let mut io = b"\x81\x82\0\0".chain(&b"\0\0Hi"[..]);
    /// # assert_eq!(recv(&mut conn, &mut rx, &mut io)?, Some(Event::Text("Hi")));
    /// # assert_eq!(recv(&mut conn, &mut rx, &mut io)?, None);
    /// # Ok::<(), io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The peer broke a rule; the same error comes again at every call.
    pub fn advance(&mut self, rx: &mut ReceiveBuffer) -> Result<bool, ProtocolError> {
        let found = self.incoming.advance(rx);
        self.answer();
        found
    }

    /// The next message or control frame; `None` asks for more bytes.
    ///
    /// After pieces of a message were taken with [`next_chunk`](Self::next_chunk) this gives the
    /// rest of it.
    ///
    /// For an example see [`Connection`](Self).
    ///
    /// # Errors
    ///
    /// The peer broke a rule; the same error comes again at every call. The Close frame that says
    /// so is due: write what [`poll_transmit`](Self::poll_transmit) queues.
    #[inline(always)]
    pub fn next_event<'b>(
        &mut self,
        rx: &'b mut ReceiveBuffer,
    ) -> Result<Option<Event<'b>>, ProtocolError> {
        let found = self.incoming.next_event(rx);
        self.answer();
        found
    }

    /// Looks for the next piece; whether there is one for [`next_chunk`](Self::next_chunk) to lend.
    ///
    /// ```
    /// use sotong::{Agreed, Chunk, Config, Connection, ReceiveBuffer};
    ///
    /// let mut conn = Connection::server(Config::default(), Agreed::default());
    /// let mut rx = ReceiveBuffer::with_capacity(512);
    /// rx.extend(b"\x82\x85\0\0\0\0Hel"); // the beginning of a message of five bytes
    /// assert!(conn.advance_chunk(&mut rx)?);
    /// assert_eq!(conn.next_chunk(&mut rx)?, Some(Chunk::Binary { piece: b"Hel", last: false }));
    /// assert!(!conn.advance_chunk(&mut rx)?); // the rest has not come
    /// # Ok::<(), sotong::ProtocolError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As of [`advance`](Self::advance).
    pub fn advance_chunk(&mut self, rx: &mut ReceiveBuffer) -> Result<bool, ProtocolError> {
        let found = self.incoming.advance_chunk(rx);
        self.answer();
        found
    }

    /// The next piece of a message that is here, or a control frame; `None` asks for more bytes.
    /// Pieces of a compressed message have at most 16 KiB.
    ///
    /// A message of any size passes through the memory of one [`ReceiveBuffer`]. The limits hold all
    /// the same, unless there is another one for messages
    /// [in pieces](crate::Limits::in_pieces).
    ///
    /// For an example see [`Chunk`].
    ///
    /// # Errors
    ///
    /// As of [`next_event`](Self::next_event).
    pub fn next_chunk<'b>(
        &mut self,
        rx: &'b mut ReceiveBuffer,
    ) -> Result<Option<Chunk<'b>>, ProtocolError> {
        let found = self.incoming.next_chunk(rx);
        self.answer();
        found
    }

    /// Says that the stream has ended and no more bytes come. Take the events before: those that are
    /// still in the receive buffer are not handed over any more.
    ///
    /// ```
    /// use sotong::{Agreed, Config, Connection, Event, ProtocolError, ReceiveBuffer};
    ///
    /// let mut rx = ReceiveBuffer::with_capacity(512);
    /// let mut conn = Connection::server(Config::default(), Agreed::default());
    /// rx.extend(b"\x88\x80\0\0\0\0");
    /// assert_eq!(conn.next_event(&mut rx)?, Some(Event::Close(None)));
    /// assert_eq!(conn.handle_eof(), Ok(())); // the peer had said that it was done
    ///
    /// let mut conn = Connection::server(Config::default(), Agreed::default());
    /// assert_eq!(conn.handle_eof(), Err(ProtocolError::UnexpectedEof));
    /// # Ok::<(), ProtocolError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ProtocolError::UnexpectedEof`] without a Close frame of the peer; the error with which the
    /// connection has failed before.
    pub fn handle_eof(&mut self) -> Result<(), ProtocolError> {
        self.outgoing.end();
        let handled = self.incoming.handle_eof();
        self.answer();
        handled
    }

    /// Sends a text message.
    ///
    /// ```
    /// # use sotong::ReceiveBuffer;
    /// use sotong::{Agreed, Compress, Config, Connection, Event, Payload, SendBuffer};
    ///
    /// let mut conn = Connection::server(Config::default(), Agreed::default());
    /// let mut tx = SendBuffer::new();
    /// conn.send_text("안녕", &mut tx)?.queue();
    /// conn.send_binary(&[1, 2, 3], &mut tx)?.queue();
    /// conn.send(Payload::text("session=8f3a").compress(Compress::No), &mut tx)?.queue();
    /// // One message, as it comes into being:
    /// conn.send_fragment("first one ", false, &mut tx)?.queue();
    /// conn.send_fragment("and then the other", true, &mut tx)?.queue();
    ///
    /// // What the client gets of it:
    /// # let mut client = Connection::client(Config::default(), Agreed::default(), || None);
    /// # let mut rx = ReceiveBuffer::with_capacity(512);
    /// rx.extend(tx.transmit().slices()[0]);
    /// assert_eq!(client.next_event(&mut rx)?, Some(Event::Text("안녕")));
    /// assert_eq!(client.next_event(&mut rx)?, Some(Event::Binary(&[1, 2, 3])));
    /// assert_eq!(client.next_event(&mut rx)?, Some(Event::Text("session=8f3a")));
    /// let joined = "first one and then the other";
    /// assert_eq!(client.next_event(&mut rx)?, Some(Event::Text(joined)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`SendError::Closing`], [`SendError::MessageUnfinished`] between fragments,
    /// [`SendError::QueueFull`], [`SendError::NoMaskingKey`].
    #[inline(always)]
    pub fn send_text<'t, 'p>(
        &mut self,
        text: &'p str,
        tx: &'t mut SendBuffer,
    ) -> Result<Transmit<'t, 'p>, SendError> {
        self.send(Payload::text(text), tx)
    }

    /// Sends a binary message.
    ///
    /// For an example see [`send_text`](Self::send_text).
    ///
    /// # Errors
    ///
    /// As of [`send_text`](Self::send_text).
    #[inline(always)]
    pub fn send_binary<'t, 'p>(
        &mut self,
        bytes: &'p [u8],
        tx: &'t mut SendBuffer,
    ) -> Result<Transmit<'t, 'p>, SendError> {
        self.send(Payload::binary(bytes), tx)
    }

    /// Sends a binary message without a copy of it in either role: a client masks it where it lies, so
    /// that what is there afterwards is of no use.
    ///
    /// ```
    /// use sotong::{Agreed, Config, Connection, SendBuffer};
    ///
    /// let key = || Some([0x37, 0xfa, 0x21, 0x3d]);
    /// let mut conn = Connection::client(Config::default(), Agreed::default(), key);
    /// let (mut tx, mut bytes) = (SendBuffer::new(), *b"Hello");
    /// let mut transmit = conn.send_binary_in_place(&mut bytes, &mut tx)?;
    /// let [header, payload] = transmit.slices();
    /// assert_eq!(header, [0x82, 0x85, 0x37, 0xfa, 0x21, 0x3d]);
    /// assert_eq!(payload, [0x7f, 0x9f, 0x4d, 0x51, 0x58]);
    /// transmit.consume(transmit.len());
    /// # Ok::<(), sotong::SendError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As of [`send_text`](Self::send_text); then `bytes` are as they were.
    #[inline]
    pub fn send_binary_in_place<'t, 'p>(
        &mut self,
        bytes: &'p mut [u8],
        tx: &'t mut SendBuffer,
    ) -> Result<Transmit<'t, 'p>, SendError> {
        self.outgoing.send_binary_in_place(bytes, tx)
    }

    /// Sends a message, text or binary.
    ///
    /// For an example see [`send_text`](Self::send_text).
    ///
    /// # Errors
    ///
    /// As of [`send_text`](Self::send_text).
    #[inline(always)]
    pub fn send<'t, 'p>(
        &mut self,
        message: impl Into<Payload<'p>>,
        tx: &'t mut SendBuffer,
    ) -> Result<Transmit<'t, 'p>, SendError> {
        self.outgoing.send(message, tx)
    }

    /// Sends a part of a message; `fin` says that it is the last one (section 5.4).
    ///
    /// The first part begins the message, the others must be of its type. Pings and pongs may be
    /// sent in between.
    ///
    /// For an example see [`send_text`](Self::send_text).
    ///
    /// # Errors
    ///
    /// As of [`send_text`](Self::send_text); [`SendError::MessageUnfinished`] if the type differs.
    pub fn send_fragment<'t, 'p>(
        &mut self,
        payload: impl Into<Payload<'p>>,
        fin: bool,
        tx: &'t mut SendBuffer,
    ) -> Result<Transmit<'t, 'p>, SendError> {
        self.outgoing.send_fragment(payload, fin, tx)
    }

    /// Sends a message that was encoded before.
    ///
    /// For an example see [`Prepared`].
    ///
    /// # Errors
    ///
    /// As of [`send_text`](Self::send_text).
    pub fn send_prepared<'t, 'p>(
        &mut self,
        message: &'p Prepared,
        tx: &'t mut SendBuffer,
    ) -> Result<Transmit<'t, 'p>, SendError> {
        self.outgoing.send_prepared(message, tx)
    }

    /// Sends a ping with at most 125 bytes, which a pong brings back (section 5.5.2).
    ///
    /// ```
    /// use sotong::{Agreed, Config, Connection, SendBuffer};
    ///
    /// let mut conn = Connection::server(Config::default(), Agreed::default());
    /// let mut tx = SendBuffer::new();
    /// conn.ping(b"who?", &mut tx)?.queue();
    /// conn.pong(b"me", &mut tx)?.queue();
    /// assert_eq!(tx.transmit().slices()[0], b"\x89\x04who?\x8a\x02me");
    /// # Ok::<(), sotong::SendError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`SendError::ControlTooLong`], [`SendError::Closing`], [`SendError::QueueFull`],
    /// [`SendError::NoMaskingKey`].
    pub fn ping<'t>(
        &mut self,
        payload: &[u8],
        tx: &'t mut SendBuffer,
    ) -> Result<Transmit<'t, 'static>, SendError> {
        self.outgoing.ping(payload, tx)
    }

    /// As [`ping`](Self::ping), and its pong tells the round-trip time ([`Sent::round_trip`]): from
    /// `now`, as a time since the epoch of [`poll_timeout`](Self::poll_timeout), to the first call of
    /// that after the pong.
    ///
    /// Only the latest ping is waited for. Give each another payload.
    ///
    /// ```
    /// use core::time::Duration;
    /// use sotong::{Agreed, Config, Connection, Event, ReceiveBuffer, SendBuffer};
    ///
    /// let mut conn = Connection::server(Config::default(), Agreed::default());
    /// let (mut rx, mut tx) = (ReceiveBuffer::with_capacity(512), SendBuffer::new());
    /// conn.ping_at(Duration::from_millis(100), b"1st", &mut tx)?.queue();
    /// rx.extend(b"\x8a\x83\0\0\0\x001st"); // its pong
    /// assert_eq!(conn.next_event(&mut rx)?, Some(Event::Pong(b"1st")));
    /// conn.poll_timeout(Duration::from_millis(130), &rx, &tx);
    /// assert_eq!(conn.statistics(&rx, &tx).sent.round_trip, Some(Duration::from_millis(30)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As of [`ping`](Self::ping).
    pub fn ping_at<'t>(
        &mut self,
        now: Duration,
        payload: &[u8],
        tx: &'t mut SendBuffer,
    ) -> Result<Transmit<'t, 'static>, SendError> {
        self.outgoing.ping_at(now, payload, tx)
    }

    /// Sends a pong that nobody asked for (section 5.5.3). Pings are answered without it.
    ///
    /// For an example see [`ping`](Self::ping).
    ///
    /// # Errors
    ///
    /// As of [`ping`](Self::ping).
    pub fn pong<'t>(
        &mut self,
        payload: &[u8],
        tx: &'t mut SendBuffer,
    ) -> Result<Transmit<'t, 'static>, SendError> {
        self.outgoing.pong(payload, tx)
    }

    /// Starts the closing handshake (section 7.1.2). Events go on until the peer's Close comes.
    ///
    /// ```
    /// use sotong::{Agreed, CloseCode, Config, Connection, State, Transport};
    /// use sotong::{ReceiveBuffer, SendBuffer};
    ///
    /// let mut conn = Connection::server(Config::default(), Agreed::default());
    /// let (mut rx, mut tx) = (ReceiveBuffer::with_capacity(512), SendBuffer::new());
    /// conn.close(Some(CloseCode::GOING_AWAY.into()), &mut tx)?.queue();
    /// assert_eq!(tx.transmit().slices()[0], b"\x88\x02\x03\xe9"); // 1001
    /// assert_eq!((conn.state(), conn.transport()), (State::Closing, Transport::Keep));
    ///
    /// rx.extend(b"\x88\x82\0\0\0\0\x03\xe9"); // the client's answer
    /// while conn.next_event(&mut rx)?.is_some() {}
    /// assert_eq!((conn.state(), conn.transport()), (State::Closed, Transport::ShutDown));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`SendError::Closing`] if a Close was sent or is due already,
    /// [`SendError::CloseCodeForbidden`], [`SendError::ControlTooLong`] for the reason,
    /// [`SendError::NoMaskingKey`].
    pub fn close<'t>(
        &mut self,
        frame: Option<CloseFrame<'_>>,
        tx: &'t mut SendBuffer,
    ) -> Result<Transmit<'t, 'static>, SendError> {
        self.outgoing.close(frame, tx)
    }

    /// Queues what is due without anybody's asking: a pong, a ping that keeps alive, a Close.
    ///
    /// Of several pings only the latest is answered (section 5.5.3), and none while the queue
    /// stands at its high-water mark: a peer that pings and never reads grows nothing.
    ///
    /// ```
    /// use sotong::{Agreed, Config, Connection, Event, ReceiveBuffer, SendBuffer};
    ///
    /// let mut conn = Connection::server(Config::default(), Agreed::default());
    /// let (mut rx, mut tx) = (ReceiveBuffer::with_capacity(512), SendBuffer::new());
    /// rx.extend(b"\x89\x82\0\0\0\0Hi"); // a ping
    /// assert_eq!(conn.next_event(&mut rx)?, Some(Event::Ping(b"Hi")));
    /// conn.poll_transmit(&mut tx);
    /// assert_eq!(tx.transmit().slices()[0], b"\x8a\x02Hi"); // its pong
    /// # Ok::<(), sotong::ProtocolError>(())
    /// ```
    pub fn poll_transmit(&mut self, tx: &mut SendBuffer) {
        self.outgoing.poll_transmit(tx);
    }

    /// What to do with the stream. Look after [`poll_transmit`](Self::poll_transmit).
    ///
    /// For an example see [`close`](Self::close).
    pub fn transport(&self) -> Transport {
        self.outgoing.transport()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) if nothing happens before, as a time
    /// since an epoch of the caller's. To be asked whenever the caller is about to wait.
    ///
    /// For an example see [`TimedOut`].
    pub fn poll_timeout(
        &mut self,
        now: Duration,
        rx: &ReceiveBuffer,
        tx: &SendBuffer,
    ) -> Option<Duration> {
        self.outgoing.poll_timeout(now, traffic(rx, tx))
    }

    /// Does what is due at `now`: a ping for [`poll_transmit`](Self::poll_transmit) to queue, or an
    /// end.
    ///
    /// Read what there is to read before: bytes that have come count as heard.
    ///
    /// For an example see [`TimedOut`].
    ///
    /// # Errors
    ///
    /// The deadline that passed; close the stream. A stream that does not end although the closing
    /// handshake is complete is no error: [`transport`](Self::transport) says [`Transport::Close`].
    pub fn handle_timeout(
        &mut self,
        now: Duration,
        rx: &ReceiveBuffer,
        tx: &SendBuffer,
    ) -> Result<(), TimedOut> {
        self.outgoing.handle_timeout(now, traffic(rx, tx))
    }

    /// What it has done so far. The buffers are the ones that it was used with.
    ///
    /// For an example see [`Statistics`].
    pub fn statistics(&self, rx: &ReceiveBuffer, tx: &SendBuffer) -> Statistics {
        Statistics { received: self.incoming.statistics(rx), sent: self.outgoing.statistics(tx) }
    }

    /// The bytes of memory that it has at the moment: itself, what it holds on the heap, and its
    /// configuration if no other connection shares that. For the buffers, which are the caller's, see
    /// [`ReceiveBuffer::held`] and [`SendBuffer::held`].
    ///
    /// What compression needs is known to the library that does it; the number here is what it is
    /// found to take, within a tenth.
    ///
    /// For an example see [`release`](Self::release).
    pub fn memory_used(&self) -> usize {
        self.incoming.memory_used() + self.outgoing.memory_used()
    }

    /// Gives memory back that is not needed until more comes, as while a connection is idle; see
    /// [`ReceiveBuffer::release`] and [`SendBuffer::release`] too.
    ///
    /// ```
    /// use sotong::{Agreed, Config, Connection, ReceiveBuffer, SendBuffer};
    ///
    /// let mut conn = Connection::server(Config::default(), Agreed::default());
    /// let (mut rx, mut tx) = (ReceiveBuffer::with_capacity(4096), SendBuffer::new());
    /// rx.extend(b"\x89\x80\0\0\0\0"); // a ping is answered
    /// while conn.next_event(&mut rx)?.is_some() {}
    /// conn.poll_transmit(&mut tx);
    /// let pong = tx.len();
    /// tx.transmit().consume(pong);
    ///
    /// let used = conn.memory_used();
    /// conn.release();
    /// rx.release();
    /// tx.release();
    /// assert!(conn.memory_used() < used);
    /// assert_eq!((rx.held(), tx.held()), (0, 0));
    /// # Ok::<(), sotong::ProtocolError>(())
    /// ```
    pub fn release(&mut self) {
        self.incoming.release();
        self.outgoing.release();
    }

    /// The limits it was made with.
    ///
    /// For an example see [`server`](Self::server).
    pub fn limits(&self) -> &Limits {
        self.outgoing.limits()
    }

    /// The timeouts it was made with.
    ///
    /// For an example see [`server`](Self::server).
    pub fn timeouts(&self) -> &Timeouts {
        self.outgoing.timeouts()
    }

    #[cfg(feature = "std")]
    pub(crate) fn unite(incoming: Incoming, mut outgoing: Outgoing) -> Self {
        outgoing.restart_clock();
        let mut united = Self { incoming, outgoing };
        united.answer();
        united
    }

    #[inline]
    fn answer(&mut self) {
        if self.incoming.has_reply() {
            self.outgoing.answer(&mut self.incoming);
        }
    }
}

/// What compresses and what inflates, for the end that has this role.
fn codec(
    role: Role,
    config: &Config,
    agreed: Agreed,
) -> (Option<Compressor>, Option<Decompressor>) {
    let Some(agreed) = agreed.deflate else { return (None, None) };
    let settings = config.deflate.unwrap_or(agreed.default_settings());
    // Windows that do not exist are the nearest ones: the number may come from a peer.
    let server = (agreed.server_max_window_bits.clamp(8, 15), !agreed.server_no_context_takeover);
    let client = (agreed.client_max_window_bits.clamp(8, 15), !agreed.client_no_context_takeover);
    let (ours, theirs) = match role {
        Role::Server => (server, client),
        Role::Client => (client, server),
    };
    (Compressor::new(&settings, ours.0, ours.1), Decompressor::new(&agreed, theirs.0, theirs.1))
}

fn traffic(rx: &ReceiveBuffer, tx: &SendBuffer) -> Traffic {
    Traffic { received: Some(rx.received()), sent: tx.sent(), queued: !tx.is_empty() }
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_restarted_moves_the_deadlines() {
        let (_, mut outgoing) = Connection::server(Config::default(), Agreed::default()).split();
        let quiet = Traffic { received: Some(0), sent: 0, queued: false };
        for (now, deadline) in [(100, 130), (110, 130), (0, 30)] {
            if now == 0 {
                outgoing.restart_clock();
            }
            let next = outgoing.poll_timeout(Duration::from_secs(now), quiet);
            assert_eq!(next, Some(Duration::from_secs(deadline)));
        }
    }
}
