//! The load generator: one thread, one epoll, frames that are encoded before and replies that are
//! counted and compared.
//!
//! ```text
//! script: │ frame 0 │ frame 1 │ … │ frame n-1 │ frame 0 │ …   masked, of one length
//!               └ cursor ─ unsent ┘
//! ```
//!
//! Each connection goes round the same script, so it is known which payload each reply must have.

use std::io::{self, Read, Write};
use std::net::{SocketAddrV4, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};

use super::process::Server;
use super::script::{Replies, Script};
use super::tls;

/// Connections to one server, and what goes over them.
pub struct Load {
    epoll: OwnedFd,
    connections: Vec<Connection>,
    script: Script,
    events: Vec<Event>,
    scratch: Vec<u8>,
}

/// What came of some time of work.
#[derive(Debug, Default)]
pub struct Tally {
    /// Messages that came from the server.
    pub messages: u64,
    pub elapsed: Duration,
    /// From a message to its reply, in nanoseconds; only where one is in flight at a time.
    pub latencies: Vec<u32>,
    pub tls_records: u64,
}

impl Load {
    pub fn connect(server: &Server, count: usize, script: Script) -> Result<Self, String> {
        let tls = match &*server.certificate {
            "" => None,
            certificate => Some(tls::client(certificate)?),
        };
        let epoll = epoll::create(CreateFlags::CLOEXEC).map_err(|error| error.to_string())?;
        let connections = (0..count)
            .map(|at| {
                let connection = Connection::open(server.address, tls.as_ref())
                    .map_err(|error| format!("no connection {at}: {error}"))?;
                watch(&epoll, &connection.stream, at).map_err(|error| error.to_string())?;
                Ok(connection)
            })
            .collect::<Result<_, String>>()?;
        let (events, scratch) = (Vec::with_capacity(1024), vec![0; 256 * 1024]);
        Ok(Self { epoll, connections, script, events, scratch })
    }

    /// Keeps `window` messages in flight on each connection for so long, then takes the rest.
    pub fn echo(&mut self, window: usize, duration: Duration) -> Result<Tally, String> {
        let start = Instant::now();
        let end = start + duration;
        let mut tally = Tally::default();
        let records = self.tls_records();
        for connection in &mut self.connections {
            connection.send(window, &self.script)?;
        }
        let mut in_flight = window * self.connections.len();
        while in_flight > 0 {
            let latencies = &mut tally.latencies;
            let answered = self.turn(|connection, replies, script| {
                let now = Instant::now();
                if window == 1 {
                    latencies.push((now - connection.sent).as_nanos() as u32);
                }
                if now < end {
                    in_flight += replies;
                    connection.send(replies, script)?;
                }
                Ok(())
            })?;
            in_flight -= answered;
            tally.messages += answered as u64;
            within(end + PATIENCE, in_flight)?;
        }
        tally.elapsed = start.elapsed();
        tally.tls_records = self.tls_records() - records;
        Ok(tally)
    }

    /// Lets each connection have one message echoed, one connection after the other.
    pub fn echo_in_turn(&mut self) -> Result<(), String> {
        for at in 0..self.connections.len() {
            self.connections[at].send(1, &self.script)?;
            let end = Instant::now() + PATIENCE;
            while self.turn(|_, _, _| Ok(()))? == 0 {
                within(end, 1)?;
            }
        }
        Ok(())
    }

    /// Sends bursts on the first connection; the next goes when all others have had the one before.
    pub fn broadcast(&mut self, burst: usize, duration: Duration) -> Result<Tally, String> {
        let start = Instant::now();
        let mut tally = Tally::default();
        while start.elapsed() < duration {
            self.connections[0].send(burst, &self.script)?;
            let mut due = burst * (self.connections.len() - 1);
            tally.messages += due as u64;
            while due > 0 {
                due = due
                    .checked_sub(self.turn(|_, _, _| Ok(()))?)
                    .ok_or("more messages came than were sent")?;
                within(start + duration + PATIENCE, due)?;
            }
        }
        tally.elapsed = start.elapsed();
        Ok(tally)
    }

    /// Waits once, writes and reads what is possible, and calls `on_replies` for each connection
    /// that had some; how many there were.
    fn turn(
        &mut self,
        mut on_replies: impl FnMut(&mut Connection, usize, &Script) -> Result<(), String>,
    ) -> Result<usize, String> {
        let Self { epoll, connections, script, events, scratch } = self;
        events.clear();
        let patience = Timespec::try_from(PATIENCE).expect("a few seconds");
        let spare = rustix::buffer::spare_capacity(events);
        match epoll::wait(&*epoll, spare, Some(&patience)) {
            Ok(0) => return Err(format!("nothing came for {PATIENCE:?}")),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.to_string()),
        }
        let mut all = 0;
        for event in events.iter() {
            let (at, flags) = (event.data.u64() as usize, event.flags);
            let connection = &mut connections[at];
            if flags.contains(EventFlags::OUT) {
                connection.write(script)?;
            }
            let replies = connection.read(script, scratch)?;
            if replies > 0 {
                all += replies;
                on_replies(connection, replies, script)?;
            }
        }
        Ok(all)
    }

    fn tls_records(&self) -> u64 {
        self.connections
            .iter()
            .flat_map(|connection| &connection.tls)
            .map(|tls| tls.records())
            .sum()
    }
}

struct Connection {
    stream: TcpStream,
    tls: Option<Box<tls::Session>>,
    /// Where in the script the next byte to be written is.
    cursor: usize,
    unsent: usize,
    replies: Replies,
    sent: Instant,
}

impl Connection {
    fn open(address: SocketAddrV4, tls: Option<&Arc<rustls::ClientConfig>>) -> io::Result<Self> {
        let mut stream = TcpStream::connect_timeout(&address.into(), PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        // Whoever closes first waits for a minute; a reset does not.
        rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO))?;
        let mut tls =
            tls.map(|config| tls::Session::start(config, &stream).map(Box::new)).transpose()?;
        match &mut tls {
            None => stream.write_all(REQUEST)?,
            Some(session) => session.send(REQUEST, &stream)?,
        }
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut bytes = [0; 1024];
            let n = stream.read(&mut bytes)?;
            if n == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            match &mut tls {
                None => head.extend_from_slice(&bytes[..n]),
                Some(session) => session
                    .receive(&bytes[..n], |plain| {
                        head.extend_from_slice(plain);
                        Ok(())
                    })
                    .map_err(io::Error::other)?,
            }
        }
        check_response(&head)?;
        stream.set_nonblocking(true)?;
        let (replies, sent) = (Replies::default(), Instant::now());
        Ok(Self { stream, tls, cursor: 0, unsent: 0, replies, sent })
    }

    fn send(&mut self, messages: usize, script: &Script) -> Result<(), String> {
        self.unsent += messages * script.frame_len();
        self.sent = Instant::now();
        self.write(script)
    }

    fn write(&mut self, script: &Script) -> Result<(), String> {
        if let Some(tls) = &mut self.tls {
            while self.unsent > 0 {
                let bytes = script.frames(self.cursor, self.unsent);
                tls.send(bytes, &self.stream).map_err(lost)?;
                self.unsent -= bytes.len();
                self.cursor = script.after(self.cursor, bytes.len());
            }
            return tls.flush(&self.stream).map_err(lost);
        }
        while self.unsent > 0 {
            match self.stream.write(script.frames(self.cursor, self.unsent)) {
                Ok(n) => {
                    self.unsent -= n;
                    self.cursor = script.after(self.cursor, n);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(lost(error)),
            }
        }
        Ok(())
    }

    /// Takes what is there; how many messages ended in it.
    fn read(&mut self, script: &Script, scratch: &mut [u8]) -> Result<usize, String> {
        let mut messages = 0;
        loop {
            let n = match self.stream.read(scratch) {
                Ok(0) => return Err("the server has closed a connection".into()),
                Ok(n) => n,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(messages),
                Err(error) => return Err(lost(error)),
            };
            let replies = &mut self.replies;
            match &mut self.tls {
                None => messages += replies.take(&scratch[..n], script)?,
                Some(tls) => tls.receive(&scratch[..n], |plain| {
                    messages += replies.take(plain, script)?;
                    Ok(())
                })?,
            }
            if n < scratch.len() {
                return Ok(messages); // a short read has emptied the socket
            }
        }
    }
}

/// The edges alone are told, of both directions.
pub fn watch(epoll: &OwnedFd, stream: impl std::os::fd::AsFd, at: usize) -> rustix::io::Result<()> {
    let flags = EventFlags::IN | EventFlags::OUT | EventFlags::ET;
    epoll::add(epoll, stream, EventData::new_u64(at as u64), flags)
}

/// Whether a response is the one that is due (RFC 6455, 4.1).
pub fn check_response(head: &[u8]) -> io::Result<()> {
    let head = String::from_utf8_lossy(head);
    let accept = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("sec-websocket-accept").then_some(value.trim())
    });
    if head.starts_with("HTTP/1.1 101 ") && accept == Some(ACCEPT) {
        Ok(())
    } else {
        Err(io::Error::other(format!("not the 101 that was asked for: {head}")))
    }
}

fn within(deadline: Instant, missing: usize) -> Result<(), String> {
    if missing > 0 && Instant::now() > deadline {
        return Err(format!("{missing} messages did not come in time"));
    }
    Ok(())
}

fn lost(error: io::Error) -> String {
    format!("a connection was lost: {error}")
}

/// With the key of the RFC's example (RFC 6455, 1.3).
pub const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";

/// The value that belongs to the key.
pub const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// How long a server may be silent; the slowest reply of a server that works takes a tenth of it.
pub const PATIENCE: Duration = Duration::from_secs(4);
