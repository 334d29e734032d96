//! Two ends joined by buffers, and a clock that stands still until it is told to go on.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use super::{Seen, connections};
use crate::buffer::{ReceiveBuffer, SendBuffer};
use crate::close::{CloseCode, CloseFrame};
use crate::config::Config;
use crate::connection::{Connection, Event, Payload, Role, State, Transport};
use crate::error::{ProtocolError, TimedOut};

/// Two ends of a connection, without a stream, and the time.
///
/// ```
/// use std::time::Duration;
/// use sotong::test_kit::{Pair, Seen};
/// use sotong::{Config, Role, TimedOut};
///
/// let mut pair = Pair::new(&Config::default());
/// assert_eq!(pair.wait_until(Duration::from_secs(35)), None);
/// assert_eq!(pair.server.events[0], Seen::Ping(vec![]), "after 30 s of silence");
///
/// pair.client.reads = false; // as if the network were gone
/// pair.server.reads = false;
/// let lost = pair.wait_until(Duration::from_secs(100));
/// assert_eq!(lost, Some((Duration::from_secs(80), Role::Client, TimedOut::Pong)));
/// ```
#[derive(Debug)]
pub struct Pair {
    /// The client's end.
    pub client: Side,
    /// The server's end.
    pub server: Side,
    /// The time since the start; [`wait_until`](Self::wait_until) moves it.
    pub now: Duration,
    /// How many bytes that nobody has read there may be on each wire; then writing has to wait.
    pub wire_len: usize,
    /// In which order the ends shut their streams down.
    pub finished: Vec<Role>,
}

/// One end, its buffers, and the wire that leads to it.
///
/// A [`Pair`] moves its two ends, and a test can do it by hand:
///
/// ```
/// use sotong::test_kit::{Seen, Side, connections};
/// use sotong::{Config, ReceiveBuffer};
///
/// let (client, server) = connections(&Config::default(), &Config::default());
/// let rx = || ReceiveBuffer::with_capacity(4096);
/// let (mut client, mut server) = (Side::new(client, rx()), Side::new(server, rx()));
///
/// client.send("소통");
/// client.close(1000, "that is all");
/// assert!(client.write(&mut server, 10)); // ten bytes have room on the wire
/// assert!(server.read());
/// assert_eq!(server.events, []); // two are missing
///
/// client.write(&mut server, 1000);
/// server.read();
/// let close = Seen::Close(Some((1000, "that is all".into())));
/// assert_eq!(server.events, [Seen::Text("소통".into()), close]);
/// ```
pub struct Side {
    /// The connection.
    pub conn: Connection,
    /// Its receive buffer.
    pub rx: ReceiveBuffer,
    /// Its send queue.
    pub tx: SendBuffer,
    /// What is on its way to this end; bytes may be put there by hand.
    pub wire: Vec<u8>,
    /// Whether it reads; while it does not, what is on the wire stays there.
    pub reads: bool,
    /// The most bytes that a read gives.
    pub portion: usize,
    /// All that came.
    pub events: Vec<Seen>,
    /// Whether its writing direction is shut down. Set it for an end that is just gone.
    pub finished: bool,
    /// What the end of the peer's stream meant, once it has come.
    pub eof: Option<Result<(), ProtocolError>>,
    handler: Option<Box<Handler>>,
}

type Handler = dyn FnMut(&mut Connection, Event<'_>, &mut SendBuffer);

impl Side {
    /// An end with a connection of its own making.
    ///
    /// For an example see [`Side`](Self).
    pub fn new(conn: Connection, rx: ReceiveBuffer) -> Self {
        Self {
            conn,
            rx,
            tx: SendBuffer::new(),
            wire: Vec::new(),
            reads: true,
            portion: usize::MAX,
            events: Vec::new(),
            finished: false,
            eof: None,
            handler: None,
        }
    }

    /// From now on `handler` is given each event, before it is added to `events`.
    ///
    /// For an example see the [module](crate::test_kit).
    pub fn react(
        &mut self,
        handler: impl FnMut(&mut Connection, Event<'_>, &mut SendBuffer) + 'static,
    ) {
        self.handler = Some(Box::new(handler));
    }

    /// Sends a message.
    ///
    /// For an example see [`Side`](Self).
    ///
    /// # Panics
    ///
    /// If it may not be sent.
    pub fn send<'p>(&mut self, message: impl Into<Payload<'p>>) {
        self.conn.send(message, &mut self.tx).expect("a message may be sent").queue();
    }

    /// Starts the closing handshake.
    ///
    /// For an example see [`Side`](Self).
    ///
    /// # Panics
    ///
    /// If it may not be started.
    pub fn close(&mut self, code: u16, reason: &str) {
        let frame = CloseFrame { code: CloseCode(code), reason };
        self.conn.close(Some(frame), &mut self.tx).expect("a Close may be sent").queue();
    }

    /// Reads what is on the wire; whether there was anything.
    ///
    /// A connection that has failed says so with its Close frame, and to
    /// [`Connection::handle_eof`].
    ///
    /// For an example see [`Side`](Self).
    pub fn read(&mut self) -> bool {
        let any = self.reads && !self.wire.is_empty();
        while self.reads && !self.wire.is_empty() {
            let n = self.rx.extend(&self.wire[..self.portion.clamp(1, self.wire.len())]);
            self.wire.drain(..n);
            while let Ok(Some(event)) = self.conn.next_event(&mut self.rx) {
                if let Some(handler) = &mut self.handler {
                    handler(&mut self.conn, event, &mut self.tx);
                }
                self.events.push(event.into());
            }
        }
        any
    }

    /// Writes what is queued onto the wire of the peer, where there is room for so many bytes; whether
    /// anything has happened.
    ///
    /// For an example see [`Side`](Self).
    pub fn write(&mut self, peer: &mut Self, wire_len: usize) -> bool {
        self.conn.poll_transmit(&mut self.tx);
        let mut transmit = self.tx.transmit();
        let n = transmit.len().min(wire_len.saturating_sub(peer.wire.len()));
        peer.wire.extend_from_slice(&transmit.slices().concat()[..n]);
        transmit.consume(n);
        drop(transmit);
        if self.tx.is_empty()
            && matches!(self.conn.transport(), Transport::ShutDown | Transport::Close)
        {
            self.finished = true;
        }
        if self.finished && peer.reads && peer.wire.is_empty() && peer.eof.is_none() {
            peer.eof = Some(peer.conn.handle_eof());
            return true;
        }
        n > 0
    }
}

impl fmt::Debug for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Side")
            .field("role", &self.conn.role())
            .field("state", &self.conn.state())
            .field("events", &self.events)
            .field("eof", &self.eof)
            .finish_non_exhaustive()
    }
}

impl Pair {
    /// What a wire holds if nothing else is said, in bytes: as much as a socket, about.
    const WIRE: usize = 1 << 16;

    /// Far more than any exchange needs, or any hour with its pings.
    const STEPS: usize = 1_000_000;

    /// Two ends with the same settings, past the opening handshake.
    ///
    /// For an example see [`Pair`](Self).
    pub fn new(config: &Config) -> Self {
        let (client, server) = connections(config, config);
        let rx = || ReceiveBuffer::with_capacity(config.limits.receive_buffer);
        Self::of(Side::new(client, rx()), Side::new(server, rx()))
    }

    /// Two ends of any kind.
    ///
    /// ```
    /// use sotong::test_kit::{Pair, Seen, Side, connections};
    /// use sotong::{Config, ReceiveBuffer, State, Transport};
    ///
    /// let (usual, mut strict) = (Config::default(), Config::default());
    /// strict.limits.message = 10;
    /// let (client, server) = connections(&usual, &strict);
    /// let rx = || ReceiveBuffer::with_capacity(4096);
    /// let mut pair = Pair::of(Side::new(client, rx()), Side::new(server, rx()));
    ///
    /// pair.client.send("more than ten bytes");
    /// assert_eq!(pair.waiting().count(), 2);
    /// pair.exchange();
    /// assert_eq!(pair.client.events, [Seen::Close(Some((1009, "".into())))]);
    /// assert_eq!(pair.states(), [State::Closed; 2]);
    /// assert_eq!(pair.transports(), [Transport::Close; 2]);
    /// assert_eq!(pair.waiting().count(), 0);
    /// ```
    pub fn of(client: Side, server: Side) -> Self {
        Self { client, server, now: Duration::ZERO, wire_len: Self::WIRE, finished: Vec::new() }
    }

    /// Lets bytes flow until none moves.
    ///
    /// For an example see the [module](crate::test_kit).
    ///
    /// # Panics
    ///
    /// If that never happens, as where each answers the other's answers.
    pub fn exchange(&mut self) {
        for _ in 0..Self::STEPS {
            let Self { client, server, wire_len, .. } = self;
            let moved = [
                client.write(server, *wire_len),
                server.read(),
                server.write(client, *wire_len),
                client.read(),
            ];
            for side in [&self.client, &self.server] {
                if side.finished && !self.finished.contains(&side.conn.role()) {
                    self.finished.push(side.conn.role());
                }
            }
            if moved == [false; 4] {
                return;
            }
        }
        panic!("the two talk without end");
    }

    /// Lets time pass up to `end`, or until a deadline passes: when, and whose.
    ///
    /// For an example see [`Pair`](Self).
    ///
    /// # Panics
    ///
    /// As of [`exchange`](Self::exchange).
    pub fn wait_until(&mut self, end: Duration) -> Option<(Duration, Role, TimedOut)> {
        for _ in 0..Self::STEPS {
            self.exchange();
            let now = self.now;
            let deadlines = self.waiting().map(|s| s.conn.poll_timeout(now, &s.rx, &s.tx));
            let next = deadlines.flatten().min().filter(|next| *next <= end);
            self.now = next.unwrap_or(end);
            next?;
            let now = self.now;
            for side in self.waiting() {
                let handled = side.conn.handle_timeout(now, &side.rx, &side.tx);
                if let Err(timed_out) = handled {
                    return Some((now, side.conn.role(), timed_out));
                }
            }
        }
        panic!("a deadline comes again and again");
    }

    /// The sides that have not done with their streams.
    ///
    /// For an example see [`of`](Self::of).
    pub fn waiting(&mut self) -> impl Iterator<Item = &mut Side> {
        let sides = [&mut self.client, &mut self.server];
        sides.into_iter().filter(|side| side.conn.transport() != Transport::Close)
    }

    /// How far the closing handshake has come, for the client and for the server.
    ///
    /// For an example see [`of`](Self::of).
    pub fn states(&self) -> [State; 2] {
        [self.client.conn.state(), self.server.conn.state()]
    }

    /// What is to be done with the streams of the client and of the server.
    ///
    /// For an example see [`of`](Self::of).
    pub fn transports(&self) -> [Transport; 2] {
        [self.client.conn.transport(), self.server.conn.transport()]
    }
}
