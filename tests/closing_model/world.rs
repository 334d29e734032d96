//! A client and a server, the real ones, the bytes between them, and what has to hold at every step.

use std::collections::VecDeque;
use std::time::Duration;

use sotong::{
    Agreed, CloseCode, CloseFrame, Config, Connection, Event, FrameHeader, Mask, Opcode,
    ProtocolError, ReceiveBuffer, Role, SendBuffer, SendError, State, TimedOut, Transmit,
    Transport,
};

/// How often what may be done; for the client and for the server.
#[derive(Clone, Copy, Debug, Default)]
pub struct Budget {
    pub messages: [u8; 2],
    /// Fragments of one more message.
    pub fragments: [u8; 2],
    pub pings: [u8; 2],
    pub closes: [u8; 2],
    /// How often both wait until a deadline comes.
    pub waits: u8,
    /// Whether the stream may be lost.
    pub loss: bool,
    /// Whether a frame may come in two pieces.
    pub pieces: bool,
    /// The high-water mark of the queues.
    pub send_queue: usize,
}

/// Something that happens; `usize` is whose doing it is: 0 the client's, 1 the server's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    Message(usize),
    Fragment(usize),
    Ping(usize),
    Close(usize),
    /// Writes what is due and queued, and shuts the stream down when it is time to.
    Write(usize),
    /// Reads a frame, or the rest of one.
    Read(usize),
    /// Reads the first byte of a frame.
    ReadByte(usize),
    /// Reads the end of the stream.
    ReadEnd(usize),
    Wait,
    Lose,
}

impl Move {
    /// Whether it happens by itself, sooner or later, on a stream that works.
    pub fn is_progress(self) -> bool {
        matches!(self, Self::Write(_) | Self::Read(_) | Self::ReadByte(_) | Self::ReadEnd(_))
    }
}

pub struct World {
    pub sides: [Side; 2],
    now: Duration,
    left: Budget,
}

pub struct Side {
    pub conn: Connection,
    rx: ReceiveBuffer,
    tx: SendBuffer,
    pub told: Told,
}

/// What has passed between the two, as far as it still matters.
#[derive(Debug, Default, Hash)]
pub struct Told {
    /// What is on the way to this side, and whether that is all.
    wire: VecDeque<u8>,
    wire_ends: bool,
    /// What of an unfinished frame or message was read.
    pieces: Vec<u8>,
    is_within_frame: bool,
    /// Messages and pings of this side that the peer has not been given.
    messages: VecDeque<String>,
    begun: Option<String>,
    pings: VecDeque<Vec<u8>>,
    /// Pings that may still be answered.
    asked: VecDeque<Vec<u8>>,
    /// The newest ping of the peer's, if it was not answered.
    unanswered: Option<Vec<u8>>,
    /// How much of the queue was looked at.
    queued: usize,
    pub closed: Option<Option<u16>>,
    pub peer_closed: Option<Option<u16>>,
    has_ended: bool,
    pub timed_out: Option<&'static str>,
    has_shut: bool,
}

const CODES: [u16; 2] = [4001, 4002];

impl World {
    pub fn new(left: Budget) -> Self {
        let mut config = Config::default();
        config.limits.send_queue = left.send_queue;
        config.limits.receive_buffer = 512;
        let agreed = Agreed::default();
        let client = Connection::client(&config, agreed, || Some([1, 2, 3, 4]));
        let sides = [client, Connection::server(&config, agreed)].map(|conn| Side {
            conn,
            rx: ReceiveBuffer::with_capacity(512),
            tx: SendBuffer::new(),
            told: Told::default(),
        });
        let mut world = Self { sides, now: Duration::ZERO, left };
        world.look_at_time();
        world
    }

    /// Everything that decides what can come of this.
    pub fn fingerprint(&self) -> String {
        let [client, server] = &self.sides;
        let now = (self.left.waits > 0).then_some(self.now);
        let [one, other] =
            [&client.conn, &server.conn].map(|conn| without_counts(&format!("{conn:?}"), now));
        format!("{one}{other}{:?}{:?}{:?}", client.told, server.told, self.left)
    }

    pub fn is_over(&self) -> bool {
        self.sides.iter().all(|side| side.conn.transport() == Transport::Close)
    }

    /// Whether something has to happen by itself: the end has begun, or a pong is due.
    pub fn is_waiting(&self) -> bool {
        let waits = |side: &Side| side.conn.state() != State::Open || side.told.owes_pong();
        !self.is_over() && self.sides.iter().any(waits)
    }

    pub fn moves(&mut self) -> Vec<Move> {
        let mut moves = vec![];
        for i in [0, 1] {
            let side = &self.sides[i];
            let told = &side.told;
            if side.conn.state() == State::Open && !side.is_full(&self.left) {
                let is_between = told.begun.is_none();
                moves.extend((self.left.messages[i] > 0 && is_between).then_some(Move::Message(i)));
                moves.extend((self.left.fragments[i] > 0).then_some(Move::Fragment(i)));
                moves.extend((self.left.pings[i] > 0).then_some(Move::Ping(i)));
            }
            if side.conn.state() == State::Open && self.left.closes[i] > 0 {
                moves.push(Move::Close(i));
            }
            if !told.has_shut {
                moves.push(Move::Write(i));
            }
            if side.conn.transport() != Transport::Close {
                let splits = self.left.pieces && !told.is_within_frame && told.wire.len() > 1;
                moves.extend((!told.wire.is_empty()).then_some(Move::Read(i)));
                moves.extend(splits.then_some(Move::ReadByte(i)));
                let is_end = told.wire.is_empty() && told.wire_ends;
                moves.extend(is_end.then_some(Move::ReadEnd(i)));
            }
        }
        let deadline = self.next_deadline();
        moves.extend((self.left.waits > 0 && deadline.is_some()).then_some(Move::Wait));
        moves.extend(self.left.loss.then_some(Move::Lose));
        moves
    }

    pub fn apply(&mut self, step: Move) {
        match step {
            Move::Message(i) => self.sides[i].message(&mut self.left.messages[i]),
            Move::Fragment(i) => self.sides[i].fragment(&mut self.left.fragments[i]),
            Move::Ping(i) => self.sides[i].ping(&mut self.left.pings[i]),
            Move::Close(i) => {
                self.left.closes[i] -= 1;
                self.sides[i].close(CODES[i]);
            }
            Move::Write(i) => self.write(i),
            Move::Read(i) => self.read(i, usize::MAX),
            Move::ReadByte(i) => self.read(i, 1),
            Move::ReadEnd(i) => self.sides[i].read_end(),
            Move::Wait => self.wait(),
            Move::Lose => {
                self.left.loss = false;
                for Side { told, .. } in &mut self.sides {
                    told.wire.clear();
                    (told.wire_ends, told.has_shut) = (true, true);
                }
            }
        }
        self.look_at_time();
        self.sides.iter_mut().for_each(Side::check);
    }

    fn write(&mut self, i: usize) {
        let [client, server] = &mut self.sides;
        let (side, peer) = if i == 0 { (client, server) } else { (server, client) };
        let was_full = side.is_full(&self.left);
        side.conn.poll_transmit(&mut side.tx);
        side.look_at_queue();
        assert!(was_full || !side.told.owes_pong(), "a ping was not answered");
        if side.conn.state() != State::Open {
            let refused = side.conn.send_text("late", &mut side.tx).map(|_| ());
            assert_eq!((refused, side.tx.len()), (Err(SendError::Closing), side.told.queued));
        }
        let mut transmit = side.tx.transmit();
        let bytes = transmit.slices().concat();
        transmit.consume(bytes.len());
        drop(transmit);
        side.told.queued = 0;
        if peer.conn.transport() != Transport::Close {
            peer.told.wire.extend(bytes);
        }
        if matches!(side.conn.transport(), Transport::ShutDown | Transport::Close) {
            side.told.has_shut = true;
            peer.told.wire_ends = true;
        }
    }

    fn read(&mut self, i: usize, most: usize) {
        let [client, server] = &mut self.sides;
        let (side, peer) = if i == 0 { (client, server) } else { (server, client) };
        let wire = side.told.wire.make_contiguous();
        let begun = if side.told.is_within_frame { 1 } else { 0 };
        // Of a frame that was begun the first byte is not here any more, and it does not matter which.
        let whole = [&[0x81][..begun], wire].concat();
        let (header, len) = FrameHeader::decode(&whole).unwrap().expect("a frame is written whole");
        let n = (len + header.payload_len as usize - begun).min(most);
        side.told.is_within_frame = n == 1 && most == 1;
        let bytes: Vec<u8> = side.told.wire.drain(..n).collect();
        assert_eq!(side.rx.extend(&bytes), n);
        side.told.pieces.extend(bytes);
        while let Some(event) = side.conn.next_event(&mut side.rx).expect("the peer breaks no rule")
        {
            side.told.receive(event, &mut peer.told);
        }
        if side.rx.is_empty() {
            side.told.pieces.clear();
        }
    }

    /// Waits until the first deadline; whoever has one then does what is due.
    fn wait(&mut self) {
        self.left.waits -= 1;
        self.now = self.next_deadline().expect("there is one");
        for side in &mut self.sides {
            let Side { conn, rx, tx, told } = side;
            let deadline = conn.poll_timeout(self.now, rx, tx);
            if deadline.is_some_and(|deadline| deadline <= self.now)
                && let Err(error) = conn.handle_timeout(self.now, rx, tx)
            {
                told.timed_out = Some(match error {
                    TimedOut::Close => "close",
                    TimedOut::Pong => "pong",
                    _ => "send",
                });
            }
            // A complete closing handshake is not waited for any longer either.
            told.has_ended |= conn.transport() == Transport::Close;
            let next = conn.poll_timeout(self.now, rx, tx);
            assert!(next.is_none_or(|next| next > self.now), "a deadline is for something");
        }
    }

    fn next_deadline(&mut self) -> Option<Duration> {
        let now = self.now;
        let deadline = |side: &mut Side| side.conn.poll_timeout(now, &side.rx, &side.tx);
        self.sides.iter_mut().filter_map(deadline).min()
    }

    fn look_at_time(&mut self) {
        if self.left.waits > 0 {
            self.next_deadline();
        }
    }
}

impl Side {
    fn is_full(&self, budget: &Budget) -> bool {
        self.tx.len() >= budget.send_queue
    }

    fn message(&mut self, left: &mut u8) {
        let text = format!("{left}");
        if is_sent(self.conn.send_text(&text, &mut self.tx)) {
            self.told.messages.push_back(text);
            *left -= 1;
        }
        self.look_at_queue();
    }

    fn fragment(&mut self, left: &mut u8) {
        let part = format!("f{left}");
        if is_sent(self.conn.send_fragment(&*part, *left == 1, &mut self.tx)) {
            let text = self.told.begun.take().unwrap_or_default() + &part;
            match left {
                1 => self.told.messages.push_back(text),
                _ => self.told.begun = Some(text),
            }
            *left -= 1;
        }
        self.look_at_queue();
    }

    fn ping(&mut self, left: &mut u8) {
        if is_sent(self.conn.ping(&[*left], &mut self.tx)) {
            *left -= 1;
        }
        self.look_at_queue();
    }

    fn close(&mut self, code: u16) {
        let frame = CloseFrame { code: CloseCode(code), reason: "" };
        self.conn.close(Some(frame), &mut self.tx).unwrap().queue();
        self.look_at_queue();
        assert_eq!(self.told.closed, Some(Some(code)));
    }

    fn read_end(&mut self) {
        let expected = match self.told.peer_closed {
            Some(_) => Ok(()),
            None => Err(ProtocolError::UnexpectedEof),
        };
        assert_eq!(self.conn.handle_eof(), expected);
        self.told.has_ended = true;
    }

    /// Looks at frames that are new in the queue.
    fn look_at_queue(&mut self) {
        let bytes = self.tx.transmit().slices().concat();
        let mut new = &bytes[self.told.queued..];
        self.told.queued = bytes.len();
        while let Some((header, len)) = FrameHeader::decode(new).expect("what we send is valid") {
            let end = len + header.payload_len as usize;
            let mut body = new[len..end].to_vec();
            assert_eq!(header.masking_key.is_some(), self.conn.role() == Role::Client);
            if let Some(key) = header.masking_key {
                Mask::new(key).apply(&mut body);
            }
            self.told.send(header.opcode, body);
            new = &new[end..];
        }
        assert_eq!(new, b"", "a frame is queued whole");
    }

    /// What holds at all times.
    fn check(&mut self) {
        let Told { closed, peer_closed, timed_out, has_ended, .. } = &self.told;
        let is_over = *has_ended || timed_out.is_some();
        let (state, transport) = match (closed.is_some(), peer_closed.is_some()) {
            _ if is_over => (State::Closed, Transport::Close),
            (false, false) => (State::Open, Transport::Keep),
            (true, true) if self.conn.role() == Role::Client => {
                (State::Closed, Transport::AwaitEof)
            }
            (true, true) => (State::Closed, Transport::ShutDown),
            _ => (State::Closing, Transport::Keep),
        };
        assert_eq!((self.conn.state(), self.conn.transport()), (state, transport));
    }
}

/// Whether it is queued; if not, the queue is full, perhaps of a pong that was due.
fn is_sent(sent: Result<Transmit<'_, '_>, SendError>) -> bool {
    let refused = sent.map(Transmit::queue).err();
    assert!(matches!(refused, None | Some(SendError::QueueFull)), "{refused:?}");
    refused.is_none()
}

/// What a connection is, but for how many bytes it has counted, and with times as they are from `now`;
/// without any if nobody waits any more.
fn without_counts(connection: &str, now: Option<Duration>) -> String {
    const TIME: &str = "Moment(";
    const COUNTS: [&str; 3] = ["received: ", "sent: ", TIME];
    let (mut rest, mut all) = (connection, String::new());
    while let Some((at, count)) =
        COUNTS.iter().filter_map(|count| Some((rest.find(count)? + count.len(), count))).min()
    {
        let len = rest[at..].find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len() - at);
        all.push_str(&rest[..at]);
        if let (&TIME, Some(now)) = (count, now) {
            let moment: i128 = rest[at..at + len].parse().expect("a time");
            all.push_str(&(moment - now.as_nanos() as i128).to_string());
        }
        rest = &rest[at + len..];
    }
    all + rest
}

impl Told {
    /// Every ping is answered "unless it already received a Close frame" (section 5.5.2).
    fn owes_pong(&self) -> bool {
        let may_keep_silent = self.closed.is_some() && self.peer_closed.is_some();
        self.unanswered.is_some() && !may_keep_silent && !self.has_ended
    }

    /// A frame of this side's was queued.
    fn send(&mut self, opcode: Opcode, body: Vec<u8>) {
        match opcode {
            Opcode::Pong => {
                assert_eq!(self.unanswered.take(), Some(body), "a pong answers the newest ping");
                return; // "unless it already received a Close frame" (section 5.5.2): after ours, too
            }
            Opcode::Close => {
                let code = body.first_chunk().map(|code| u16::from_be_bytes(*code));
                assert!(self.closed.is_none(), "a second Close");
                if let Some(echoed) = self.peer_closed {
                    assert_eq!(code, echoed, "the code that was received is sent back");
                }
                self.closed = Some(code);
                return;
            }
            Opcode::Ping => {
                self.pings.push_back(body.clone());
                self.asked.push_back(body);
            }
            _ => {}
        }
        assert!(self.closed.is_none(), "after a Close nothing is sent but pongs: {opcode:?}");
    }

    /// The peer has sent what this side is given now.
    fn receive(&mut self, event: Event<'_>, peer: &mut Told) {
        assert!(self.peer_closed.is_none(), "after a Close nothing is received: {event:?}");
        match event {
            Event::Text(text) => assert_eq!(peer.messages.pop_front().as_deref(), Some(text)),
            Event::Ping(body) => {
                assert_eq!(peer.pings.pop_front().as_deref(), Some(body));
                self.unanswered = Some(body.into());
            }
            Event::Pong(body) => {
                let answered = self.asked.iter().position(|ping| ping == body);
                self.asked.drain(..=answered.expect("a pong answers a ping"));
            }
            Event::Close(frame) => {
                let code = frame.map(|frame| frame.code.0);
                assert_eq!(peer.closed, Some(code));
                assert!(peer.messages.is_empty() && peer.pings.is_empty(), "something is missing");
                self.peer_closed = Some(code);
            }
            Event::Binary(_) => panic!("nobody sends this"),
        }
    }
}
