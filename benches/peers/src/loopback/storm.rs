//! A storm: thousands connect at once, as after a restart of the server.

use std::fs;
use std::io;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, EventFlags};
use rustix::net::{AddressFamily, SocketFlags, SocketType};

use super::load::{PATIENCE, REQUEST, check_response, watch};
use super::process::Server;
use super::servers::{Candidate, Mode};
use super::taking_part;
use crate::results::{Results, Row};

pub fn run(results: &mut Results, descriptors: usize) {
    let connections = CONNECTIONS.min(descriptors.saturating_sub(DESCRIPTORS_ASIDE));
    let at_once = at_once();
    let work = format!("{connections} connections, {at_once} at a time without an answer");
    for candidate in taking_part(&Candidate::ALL) {
        let measured = measure(candidate, connections, at_once);
        for (at, (table, unit)) in TABLES.into_iter().enumerate() {
            let name = candidate.name();
            results.add(match &measured {
                Ok(values) => Row::new(table, &work, name, values[at], unit).note(note(candidate)),
                Err(why) => Row::failed(table, &work, name, unit, why),
            });
        }
    }
}

const TABLES: [(&str, &str); 3] = [
    ("Storm of connections: until the last 101", "ms"),
    ("Storm of connections: server CPU per handshake", "µs"),
    ("Storm of connections: resident memory afterwards, for each", "bytes"),
];

fn note(candidate: Candidate) -> &'static str {
    match candidate {
        Candidate::Raw => "the limit: whatever is asked, a fixed 101",
        Candidate::WebSocket => "has no opening handshake; the fixed 101 of the limit",
        Candidate::Fastwebsockets | Candidate::Yawc => "through hyper, as its examples have it",
        _ => "",
    }
}

fn measure(candidate: Candidate, connections: usize, at_once: usize) -> Result<[f64; 3], String> {
    let server = Server::start(candidate, Mode::Echo, false)?;
    let (cpu, resident) = (server.cpu(), server.resident());
    let start = Instant::now();
    let mut storm = Storm::new().map_err(|error| error.to_string())?;
    while storm.answered < connections {
        while storm.peers.len() < connections.min(storm.answered + at_once) {
            storm.connect(&server).map_err(|error| format!("no connection: {error}"))?;
        }
        storm.turn().map_err(|error| {
            format!("{} of {connections} were answered, then: {error}", storm.answered)
        })?;
        if start.elapsed() > DEADLINE {
            return Err(format!("{} of {connections} in {DEADLINE:?}", storm.answered));
        }
    }
    let elapsed = start.elapsed();
    let count = connections as f64;
    Ok([
        elapsed.as_secs_f64() * 1e3,
        (server.cpu() - cpu) as f64 / count / 1e3,
        server.resident().saturating_sub(resident) as f64 / count,
    ])
}

struct Storm {
    epoll: std::os::fd::OwnedFd,
    peers: Vec<Peer>,
    answered: usize,
    events: Vec<epoll::Event>,
}

struct Peer {
    stream: TcpStream,
    has_asked: bool,
    head: Vec<u8>,
}

impl Storm {
    fn new() -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        Ok(Self { epoll, peers: Vec::new(), answered: 0, events: Vec::with_capacity(1024) })
    }

    fn connect(&mut self, server: &Server) -> io::Result<()> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket =
            rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
        rustix::net::sockopt::set_tcp_nodelay(&socket, true)?;
        rustix::net::sockopt::set_socket_linger(&socket, Some(Duration::ZERO))?;
        match rustix::net::connect(&socket, &server.address) {
            Ok(()) | Err(rustix::io::Errno::INPROGRESS) => {}
            Err(error) => return Err(error.into()),
        }
        watch(&self.epoll, &socket, self.peers.len())?;
        self.peers.push(Peer { stream: socket.into(), has_asked: false, head: Vec::new() });
        Ok(())
    }

    fn turn(&mut self) -> io::Result<()> {
        self.events.clear();
        let patience = Timespec::try_from(PATIENCE).expect("a few seconds");
        let spare = rustix::buffer::spare_capacity(&mut self.events);
        if epoll::wait(&self.epoll, spare, Some(&patience))? == 0 {
            return Err(io::ErrorKind::TimedOut.into());
        }
        for event in &self.events {
            let (at, flags) = (event.data.u64() as usize, event.flags);
            self.answered += usize::from(self.peers[at].go_on(flags)?);
        }
        Ok(())
    }
}

impl Peer {
    /// Whether the answer has come with this.
    fn go_on(&mut self, flags: EventFlags) -> io::Result<bool> {
        use std::io::{Read, Write};

        if !self.has_asked && flags.contains(EventFlags::OUT) {
            self.stream.write_all(REQUEST)?;
            self.has_asked = true;
        }
        if !flags.contains(EventFlags::IN) {
            return Ok(false);
        }
        let mut bytes = [0; 1024];
        let n = match self.stream.read(&mut bytes) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            read => read?,
        };
        self.head.extend_from_slice(&bytes[..n]);
        if !self.head.ends_with(b"\r\n\r\n") {
            return Ok(false);
        }
        check_response(&self.head).map(|()| true)
    }
}

/// Half of what a listening socket may hold: beyond that the kernel drops, and a peer that was
/// dropped asks again after a second, which would be all that is measured.
fn at_once() -> usize {
    let limit = fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap_or_default();
    limit.trim().parse().map_or(64, |limit: usize| limit / 2)
}

const CONNECTIONS: usize = 10_000;
/// For the standard streams, the runtime and the like.
const DESCRIPTORS_ASIDE: usize = 100;
const DEADLINE: Duration = Duration::from_secs(20);
