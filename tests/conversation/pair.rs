//! Two ends joined by buffers, and a clock that stands still until it is told to go on.

use std::time::Duration;

use sotong::{
    Agreed, CloseCode, CloseFrame, Config, Connection, Event, ProtocolError, ReceiveBuffer, Role,
    SendBuffer, State, TimedOut, Transport,
};

use crate::seen::Seen;

/// One end, its buffers, and the wire that leads to it.
pub struct Side {
    pub conn: Connection,
    pub rx: ReceiveBuffer,
    pub tx: SendBuffer,
    pub wire: Vec<u8>,
    pub reads: bool,
    /// Whether it sends each text back, out of its receive buffer.
    pub echoes: bool,
    pub events: Vec<Seen>,
    /// Whether its writing direction is shut down.
    pub finished: bool,
    /// What the end of the peer's stream meant.
    pub eof: Option<Result<(), ProtocolError>>,
}

/// Two ends. A wire holds so many bytes that nobody has read.
pub struct Pair {
    pub client: Side,
    pub server: Side,
    pub now: Duration,
    pub wire_len: usize,
    /// In which order the ends shut their streams down.
    pub finished: Vec<Role>,
}

impl Side {
    pub fn new(conn: Connection, rx: ReceiveBuffer) -> Self {
        let (tx, wire, events) = (SendBuffer::new(), vec![], vec![]);
        let (reads, echoes, finished, eof) = (true, false, false, None);
        Self { conn, rx, tx, wire, reads, echoes, events, finished, eof }
    }

    pub fn text(&mut self, text: &str) {
        self.conn.send_text(text, &mut self.tx).unwrap().queue();
    }

    pub fn close(&mut self, code: u16, reason: &str) {
        let frame = CloseFrame { code: CloseCode(code), reason };
        self.conn.close(Some(frame), &mut self.tx).unwrap().queue();
    }

    /// Reads what is on the wire; whether there was anything.
    pub fn read(&mut self) -> bool {
        let any = self.reads && !self.wire.is_empty();
        while self.reads && !self.wire.is_empty() {
            let n = self.rx.extend(&self.wire);
            self.wire.drain(..n);
            while let Ok(Some(event)) = self.conn.next_event(&mut self.rx) {
                if let (true, Event::Text(text)) = (self.echoes, event) {
                    self.conn.send_text(text, &mut self.tx).unwrap().queue();
                }
                self.events.push(event.into());
            }
        }
        any
    }

    /// Writes what is queued onto the wire of the peer; whether there was anything.
    pub fn write(&mut self, peer: &mut Side, wire_len: usize) -> bool {
        self.conn.poll_transmit(&mut self.tx);
        let mut transmit = self.tx.transmit();
        let n = transmit.len().min(wire_len - peer.wire.len());
        peer.wire.extend(&transmit.slices().concat()[..n]);
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

impl Pair {
    pub fn new(config: &Config) -> Self {
        let rx = || ReceiveBuffer::with_capacity(config.limits.receive_buffer);
        let client = Connection::client(config, Agreed::default(), || Some([1, 2, 3, 4]));
        Self::of(
            Side::new(client, rx()),
            Side::new(Connection::server(config, Agreed::default()), rx()),
        )
    }

    pub fn of(client: Side, server: Side) -> Self {
        Self { client, server, now: Duration::ZERO, wire_len: 1 << 16, finished: vec![] }
    }

    /// Lets bytes flow until none moves.
    pub fn exchange(&mut self) {
        for _ in 0..10_000 {
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
    pub fn wait_until(&mut self, end: Duration) -> Option<(Duration, Role, TimedOut)> {
        for _ in 0..10_000 {
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
    pub fn waiting(&mut self) -> impl Iterator<Item = &mut Side> {
        let sides = [&mut self.client, &mut self.server];
        sides.into_iter().filter(|side| side.conn.transport() != Transport::Close)
    }

    pub fn states(&self) -> [State; 2] {
        [self.client.conn.state(), self.server.conn.state()]
    }

    pub fn transports(&self) -> [Transport; 2] {
        [self.client.conn.transport(), self.server.conn.transport()]
    }
}
