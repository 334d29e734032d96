//! Bytes without end that cost a peer nothing to send, as functions of how many there are.

use std::io::{self, ErrorKind, Read, Write};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use sotong::handshake::{client, server};
use sotong::{
    Agreed, Config, Connection, Error, Event, ProtocolError, ReceiveBuffer, Role, SendBuffer,
    blocking,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

pub struct Flood {
    pub name: &'static str,
    /// How many units are enough to tell a line from a curve.
    pub units: usize,
    /// The most memory it may take, in bytes, for so many units.
    pub holds: fn(usize) -> usize,
    pub run: fn(usize),
}

/// A read, and the places for the state of a message and of a ping.
const READ: usize = (64 << 10) + 1024;
/// A queue at its mark, twice as a vector grows, and once more while it moves.
const QUEUE: usize = 3 * (64 << 10);

/// What has come, twice as a vector grows, and once more while it moves.
fn arrived(bytes: usize) -> usize {
    3 * bytes + READ
}

pub const FLOODS: [Flood; 21] = {
    use Role::{Client, Server};
    const fn flood(
        name: &'static str,
        units: usize,
        holds: fn(usize) -> usize,
        run: fn(usize),
    ) -> Flood {
        Flood { name, units, holds, run }
    }
    [
        flood(
            "pings to a server whose peer never reads",
            4_000,
            |_| READ + QUEUE,
            |n| unread(Server, n),
        ),
        flood(
            "pings to a client whose peer never reads",
            4_000,
            |_| READ + QUEUE,
            |n| unread(Client, n),
        ),
        flood(
            "pongs that nobody asked for",
            10_000,
            |_| READ,
            |n| frames(Server, b"\x8a\x82\0\0\0\0hi", 8, n),
        ),
        flood("pongs to a client", 10_000, |_| READ, |n| frames(Client, b"\x8a\x02hi", 4, n)),
        flood("empty messages", 10_000, |_| READ, |n| frames(Server, b"\x81\x80\0\0\0\0", 6, n)),
        flood(
            "empty messages to a client",
            10_000,
            |_| READ,
            |n| frames(Client, b"\x81\x00", 2, n),
        ),
        flood(
            "empty fragments",
            10_000,
            |_| READ,
            |n| message(Server, b"\x01\x80\0\0\0\0", b"\x00\x80\0\0\0\0", n),
        ),
        flood(
            "empty fragments with pings between",
            10_000,
            |_| READ + QUEUE,
            |n| {
                message(Server, b"\x01\x80\0\0\0\0", b"\x00\x80\0\0\0\0\x89\x80\0\0\0\0", n);
            },
        ),
        flood("fragments of one byte", 10_000, arrived, |n| {
            message(Server, b"\x01\x81\0\0\0\0a", b"\x00\x81\0\0\0\0a", n);
        }),
        flood("fragments of one byte to a client", 10_000, arrived, |n| {
            message(Client, b"\x01\x01a", b"\x00\x01a", n);
        }),
        flood(
            "reads of one byte, of short messages",
            2_000,
            |_| READ,
            |n| frames(Server, SHORT, 1, n),
        ),
        flood("reads of one byte, of a long text", 32_768, arrived, |n| {
            long(Server, b"\x81\xff", &[0; 4], n)
        }),
        flood("reads of one byte, of a long text to a client", 32_768, arrived, |n| {
            long(Client, b"\x81\x7f", b"", n)
        }),
        flood("a length of 2^62, one byte at a time", 32_768, arrived, |n| {
            dribble(n, |conn, rx| conn.advance(rx));
        }),
        flood(
            "a length of 2^62, in chunks",
            32_768,
            |_| READ,
            |n| {
                dribble(n, |conn, rx| conn.next_chunk(rx).map(|chunk| chunk.is_some()));
            },
        ),
        flood(
            "a request without end, one byte at a time",
            65_536,
            |n| 2 * n + HEAD,
            |n| request(b"x", 1, n),
        ),
        flood(
            "a header field 100,000 times",
            50_000,
            |n| 32 * n + HEAD,
            |n| request(b"a: b\r\n", 6_000, n),
        ),
        flood("a response without end, one byte at a time", 65_536, |n| 2 * n + HEAD, response),
        flood(
            "pings to the blocking adapter, whose peer never reads",
            4_000,
            |_| READ + 2 * QUEUE,
            blocking_pings,
        ),
        flood(
            "pings to the tokio adapter, whose peer never reads",
            4_000,
            |_| READ + QUEUE,
            |n| {
                tokio_events(PING, usize::MAX, n, false);
            },
        ),
        flood(
            "reads of one byte by the tokio adapter",
            2_000,
            |_| READ + QUEUE,
            |n| tokio_events(SHORT, 1, n, false),
        ),
    ]
};

const SHORT: &[u8] = b"\x81\x85\0\0\0\0Hello";
const PING: &[u8] = &{
    let mut ping = [b'p'; 6 + 125];
    (ping[0], ping[1]) = (0x89, 0x80 | 125);
    ping
};
/// A buffer for heads with room for the longest that is tried.
const HEAD: usize = 2 << 20;

fn connection(role: Role) -> Connection {
    let mut config = Config::default();
    let limits = &mut config.limits;
    (limits.message, limits.frame, limits.fragments) = (u64::MAX, u64::MAX, u32::MAX);
    let timeouts = &mut config.timeouts;
    (timeouts.keepalive, timeouts.send) = (None, None);
    match role {
        Role::Client => Connection::client(&config, Agreed::default(), || Some([1, 2, 3, 4])),
        Role::Server => Connection::server(&config, Agreed::default()),
    }
}

/// A connection that is fed, and whose output goes where it can be counted.
struct End {
    conn: Connection,
    rx: ReceiveBuffer,
    tx: SendBuffer,
}

impl End {
    fn new(role: Role) -> Self {
        let rx = ReceiveBuffer::with_capacity(Config::default().limits.receive_buffer);
        Self { conn: connection(role), rx, tx: SendBuffer::new() }
    }

    /// Takes what comes; how many events that is. Output is written if the peer `reads`.
    fn take(&mut self, bytes: &[u8], reads: bool) -> usize {
        fill(&mut self.rx, bytes);
        let mut events = 0;
        while self.conn.next_event(&mut self.rx).expect("it is legal").is_some() {
            self.conn.poll_transmit(&mut self.tx);
            events += 1;
        }
        if reads {
            let mut transmit = self.tx.transmit();
            transmit.consume(transmit.len());
        }
        events
    }
}

fn fill(rx: &mut ReceiveBuffer, bytes: &[u8]) {
    assert_eq!(rx.extend(bytes), bytes.len(), "there is room for them");
}

fn unread(role: Role, n: usize) {
    let mut end = End::new(role);
    let mut ping = vec![0x89, if role == Role::Server { 0xfd } else { 0x7d }];
    ping.extend(if role == Role::Server { &[0; 4][..] } else { &[] });
    ping.extend([b'p'; 125]);
    let events: usize = (0..n).map(|_| end.take(&ping, false)).sum();
    assert_eq!(events, n);
    assert!(end.tx.len() < Config::default().limits.send_queue + 131, "{}", end.tx.len());
}

/// The same frame `n` times, `step` bytes at a time.
fn frames(role: Role, frame: &[u8], step: usize, n: usize) {
    let mut end = End::new(role);
    let take = |_| frame.chunks(step).map(|piece| end.take(piece, true)).sum::<usize>();
    assert_eq!((0..n).map(take).sum::<usize>(), n);
}

/// One message that never ends.
fn message(role: Role, first: &[u8], next: &[u8], n: usize) {
    let mut end = End::new(role);
    end.take(first, true);
    let pings: usize = (0..n).map(|_| end.take(next, true)).sum();
    assert_eq!(pings, if next.contains(&0x89) { n } else { 0 });
}

/// A text in one frame, one byte at a time; each of its characters comes in three pieces.
fn long(role: Role, start: &[u8], key: &[u8], n: usize) {
    let mut end = End::new(role);
    let len = n / 3 * 3;
    let header = [start, &(len as u64 + 65_536).to_be_bytes(), key].concat();
    end.take(&header, true);
    for octet in "가".as_bytes().iter().cycle().take(len) {
        assert_eq!(end.take(&[*octet], true), 0);
    }
}

fn dribble(
    n: usize,
    mut take: impl FnMut(&mut Connection, &mut ReceiveBuffer) -> Result<bool, ProtocolError>,
) {
    let End { mut conn, mut rx, .. } = End::new(Role::Server);
    fill(&mut rx, b"\x82\xff\x40\0\0\0\0\0\0\0\0\0\0\0");
    for _ in 0..n {
        fill(&mut rx, b"x");
        while take(&mut conn, &mut rx).expect("it is legal") {}
    }
}

fn heads() -> Config {
    let mut config = Config::default();
    (config.limits.head, config.limits.head_lines) = (HEAD / 2, usize::MAX);
    config
}

/// A head of `n` times `unit`, which comes `at_a_time` units at a time.
fn request(unit: &[u8], at_a_time: usize, n: usize) {
    let mut rx = ReceiveBuffer::with_capacity(HEAD / 2);
    let mut handshake = server::Handshake::new(&heads());
    fill(&mut rx, b"GET / HTTP/1.1\r\nHost: a\r\nX: ");
    let mut left = n;
    while left > 0 {
        let now = left.min(at_a_time);
        (0..now).for_each(|_| fill(&mut rx, unit));
        assert!(handshake.receive(&mut rx).expect("it may go on").is_none());
        left -= now;
    }
    // To end it brings the head to be parsed as a whole.
    fill(&mut rx, b"\r\n\r\n");
    let _: Result<_, _> = handshake.receive(&mut rx);
}

fn response(n: usize) {
    let (mut rx, mut tx) = (ReceiveBuffer::with_capacity(HEAD / 2), SendBuffer::new());
    let keys = || Some([5, 6, 7, 8]);
    let request = client::Request::default();
    let mut handshake =
        client::Handshake::start(&request, heads(), [9; 16], keys, &mut tx).expect("it is valid");
    fill(&mut rx, b"HTTP/1.1 101 x\r\nX: ");
    for _ in 0..n {
        fill(&mut rx, b"x");
        assert!(handshake.receive(&mut rx).expect("it may go on").is_none());
    }
}

/// The same bytes so many times, and a peer that reads nothing.
#[derive(Clone, Debug)]
struct Endless {
    unit: &'static [u8],
    at: usize,
    left: usize,
    /// The most that one read gives.
    step: usize,
    /// Whether the peer reads, and what it is sent goes nowhere.
    reads: bool,
}

impl Endless {
    fn new(unit: &'static [u8], step: usize, left: usize, reads: bool) -> Self {
        Self { unit, at: 0, left, step, reads }
    }
}

impl Read for Endless {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut n = 0;
        while self.left > 0 && n < buf.len().min(self.step) {
            let piece = &self.unit[self.at..];
            let len = piece.len().min(buf.len().min(self.step) - n);
            buf[n..n + len].copy_from_slice(&piece[..len]);
            (n, self.at) = (n + len, self.at + len);
            if self.at == self.unit.len() {
                (self.at, self.left) = (0, self.left - 1);
            }
        }
        if n == 0 { Err(ErrorKind::ConnectionReset.into()) } else { Ok(n) }
    }
}

impl Write for Endless {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.reads { Ok(bytes.len()) } else { Err(ErrorKind::WouldBlock.into()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl blocking::Stream for Endless {
    fn prepare(&mut self, _tick: Option<Duration>) -> io::Result<bool> {
        Ok(true)
    }
}

impl blocking::TryClone for Endless {
    fn try_clone(&self) -> io::Result<Self> {
        Ok(self.clone())
    }
}

impl AsyncRead for Endless {
    fn poll_read(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let n = self.get_mut().read(buf.initialize_unfilled())?;
        buf.advance(n);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Endless {
    fn poll_write(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.reads { Poll::Ready(Ok(bytes.len())) } else { Poll::Pending }
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn parts(io: Endless) -> sotong::tokio::Parts<Endless> {
    let End { conn: connection, rx, tx } = End::new(Role::Server);
    sotong::tokio::Parts { io, connection, rx, tx }
}

/// The receiver of a split connection: a whole one waits for its pongs to be taken.
fn blocking_pings(n: usize) {
    let ws = blocking::WebSocket::from_parts(parts(Endless::new(PING, usize::MAX, n, false)));
    let (mut receiver, _sender) = ws.and_then(|ws| ws.split()).expect("it has two handles");
    let mut pings = 0;
    let end = loop {
        match receiver.recv() {
            Ok(Some(Event::Ping(_))) => pings += 1,
            other => break other.map(|event| event.is_some()),
        }
    };
    assert!(matches!(end, Err(Error::Io(_))), "{end:?}");
    assert_eq!(pings, n);
}

fn tokio_events(unit: &'static [u8], step: usize, n: usize, reads: bool) {
    let mut ws = sotong::tokio::WebSocket::from_parts(parts(Endless::new(unit, step, n, reads)));
    let mut cx = Context::from_waker(Waker::noop());
    let mut events = 0;
    loop {
        match pin!(ws.recv()).poll(&mut cx) {
            Poll::Ready(Ok(Some(_))) => events += 1,
            Poll::Ready(end) => break assert!(matches!(end, Err(Error::Io(_))), "{end:?}"),
            Poll::Pending => panic!("there is always something to read"),
        }
    }
    assert_eq!(events, n);
}
