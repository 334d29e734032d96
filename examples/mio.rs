//! An echo server over mio, by an adapter of one's own: `mio [ADDR]`.
//!
//! One thread, any number of connections. What a WebSocket does is the core's to decide; here bytes
//! are moved ([`Peer::advance`]) and time is told ([`Peer::is_due`]).

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token, net::TcpListener, net::TcpStream};
use sotong::handshake::server::{Handshake, Response, refuse, refuse_late};
use sotong::{Config, Connection, Event, ReceiveBuffer, SendBuffer, Transport};

const LISTENER: Token = Token(0);
const TICK: Duration = Duration::from_millis(500); // how often deadlines are looked at
const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);

struct Peer {
    io: TcpStream,
    rx: ReceiveBuffer,
    tx: SendBuffer,
    handshake: (Handshake, Duration), // and when it has taken too long
    conn: Option<Connection>,         // what comes of it
}

impl Peer {
    fn new(io: TcpStream, config: &Config, now: Duration) -> Self {
        let rx = ReceiveBuffer::with_capacity(config.limits.receive_buffer.max(config.limits.head));
        let due = now + config.timeouts.handshake.unwrap_or(Duration::MAX - now);
        Self { io, rx, tx: SendBuffer::new(), handshake: (Handshake::new(config), due), conn: None }
    }

    /// Does what can be done without waiting. `true` asks for another turn, an error is the end.
    fn advance(&mut self, config: &Arc<Config>) -> io::Result<bool> {
        for _ in 0..16 {
            let is_dry = self.take(config)?;
            self.tx.transmit().write_to(&mut self.io)?;
            let is_written = self.tx.is_empty();
            match self.conn.as_ref().map_or(Transport::Keep, Connection::transport) {
                Transport::Close => return Err(ErrorKind::NotConnected.into()),
                _ if !is_dry && !is_written => return Ok(false), // who does not read is not read from
                _ if !is_dry => continue,
                Transport::ShutDown if is_written => self.io.shutdown(std::net::Shutdown::Write)?,
                Transport::ShutDown | Transport::AwaitEof | Transport::Keep => {}
            }
            match self.io.read(self.rx.spare()) {
                Ok(0) if is_written => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(0) => return Ok(false), // it may still read
                Ok(n) => self.rx.filled(n),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Answers what has come; whether that was all.
    fn take(&mut self, config: &Arc<Config>) -> io::Result<bool> {
        if self.conn.is_none() {
            let accepted = match self.handshake.0.receive(&mut self.rx) {
                Ok(None) => return Ok(true),
                Ok(Some(req)) => req.accept(&Response::default(), config.clone(), &mut self.tx),
                Err(error) => Err(error),
            };
            self.conn = accepted.map_err(|error| refuse(error, &mut self.tx)).ok();
        }
        let conn = self.conn.get_or_insert_with(|| Connection::refused(config.clone()));
        while self.tx.len() < config.limits.send_queue {
            let echo = match conn.next_event(&mut self.rx) {
                Ok(Some(Event::Text(text))) => conn.send_text(text, &mut self.tx),
                Ok(Some(Event::Binary(bytes))) => conn.send_binary(bytes, &mut self.tx),
                other => {
                    // The core answers: each ping if it is asked after each, then the last word.
                    conn.poll_transmit(&mut self.tx);
                    let Ok(Some(_)) = other else { return Ok(true) };
                    continue;
                }
            };
            // What is long need not be copied; what is short waits in the queue, for company.
            if let Some(long) = echo.ok().filter(|echo| echo.len() > 16 * 1024) {
                long.write_to(&mut self.io)?;
            }
        }
        Ok(false)
    }

    /// Whether a deadline has passed, so that there is something to do.
    fn is_due(&mut self, config: &Arc<Config>, now: Duration) -> bool {
        let Some(conn) = &mut self.conn else {
            if now < self.handshake.1 {
                return false;
            }
            refuse_late(&mut self.tx);
            self.conn = Some(Connection::refused(config.clone()));
            return true;
        };
        let is_due = conn.poll_timeout(now, &self.rx, &self.tx).is_some_and(|due| due <= now);
        if is_due {
            conn.handle_timeout(now, &self.rx, &self.tx).ok(); // `transport` tells, too
        }
        conn.release(); // who is idle holds no memory
        self.rx.release();
        self.tx.release();
        is_due
    }
}

pub fn serve(mut listener: TcpListener, config: Arc<Config>) -> io::Result<()> {
    let (mut poll, mut events) = (Poll::new()?, Events::with_capacity(1024));
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let (epoch, mut next_tick, mut latest) = (Instant::now(), TICK, LISTENER);
    let (mut peers, mut turns) = (HashMap::<Token, Peer>::new(), Vec::new());
    loop {
        let until = if turns.is_empty() { next_tick } else { Duration::ZERO };
        match poll.poll(&mut events, Some(until.saturating_sub(epoch.elapsed()))) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
            _ => turns.extend(events.iter().map(|event| event.token())),
        }
        let now = epoch.elapsed();
        if now >= next_tick {
            next_tick = now + TICK;
            let due = |(id, peer): (&Token, &mut Peer)| peer.is_due(&config, now).then_some(*id);
            turns.extend(peers.iter_mut().filter_map(due));
            turns.push(LISTENER); // in case that descriptors had run out
        }
        for token in std::mem::take(&mut turns) {
            match peers.get_mut(&token).map(|peer| peer.advance(&config)) {
                Some(Ok(true)) => turns.push(token),
                Some(Err(_)) => drop(peers.remove(&token)),
                Some(Ok(false)) | None => {}
            }
            while let Some(Ok((mut io, _))) = (token == LISTENER).then(|| listener.accept()) {
                latest.0 += 1;
                poll.registry().register(&mut io, latest, BOTH)?;
                io.set_nodelay(true)?;
                peers.insert(latest, Peer::new(io, &config, now));
            }
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:9001".into());
    let listener = address.parse().map_err(io::Error::other).and_then(TcpListener::bind);
    let listener = listener.map_err(|error| format!("cannot listen on {address}: {error}"))?;
    println!("listening on {}", listener.local_addr()?);
    Ok(serve(listener, Config::default().into())?)
}
