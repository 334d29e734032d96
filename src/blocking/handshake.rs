//! The opening handshake over a stream.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::reader::Clock;
use super::writer::write_some;
use super::{Parts, Stream, WebSocket};
use crate::adapter::{Error, Result, head_buffer, masking_key, nonce, refuse};
use crate::buffer::{ReceiveBuffer, SendBuffer};
use crate::config::{Config, Timeouts};
use crate::error::TimedOut;
use crate::handshake::HandshakeError;
use crate::handshake::client::{self, Outcome};
use crate::handshake::server::{self, Request, Response};

/// Accepts whoever asks for a WebSocket, whatever the target, from a page of [`Config::origins`] or
/// from a program that is no browser.
///
/// Look at the request first with [`Upgrade::receive`] if more of it matters.
///
/// The [module](crate::blocking) has an example.
///
/// # Errors
///
/// What came was no request for a WebSocket, or its Origin is not allowed, and it was refused; the
/// stream failed; it took too long.
pub fn accept<S: Stream>(io: S, config: impl Into<Arc<Config>>) -> Result<WebSocket<S>> {
    Upgrade::receive(io, config)?.accept(&Response::default())
}

/// Asks for a WebSocket over a stream that is connected.
///
/// For an example see [`Upgrade`].
///
/// # Errors
///
/// [`Error::Refused`] with the server's answer; the server broke a rule; the stream failed; it took
/// too long; [`SendError::NoMaskingKey`](crate::SendError::NoMaskingKey) without randomness for the
/// nonce, and then nothing was sent.
pub fn connect_over<S: Stream>(
    io: S,
    request: &client::Request<'_>,
    config: impl Into<Arc<Config>>,
) -> Result<(WebSocket<S>, client::Response)> {
    let config = config.into();
    let deadline = from_now(config.timeouts.handshake);
    open(io, request, config, deadline)
}

/// Asks for a WebSocket, and has until the deadline.
pub(super) fn open<S: Stream>(
    io: S,
    request: &client::Request<'_>,
    config: Arc<Config>,
    deadline: Option<Instant>,
) -> Result<(WebSocket<S>, client::Response)> {
    let mut tx = SendBuffer::new();
    let mut handshake =
        client::Handshake::start(request, Arc::clone(&config), nonce()?, masking_key, &mut tx)?;
    let mut opening = Opening::start(io, &config, deadline)?;
    opening.write(&mut tx)?;
    let outcome = loop {
        if let Some(outcome) = handshake.receive(&mut opening.rx)? {
            break outcome;
        }
        if opening.read()? == 0 {
            break handshake.handle_eof()?;
        }
    };
    match outcome {
        Outcome::Open(connection, response) => Ok((opening.finish(connection, tx), response)),
        Outcome::Refused(response) => Err(Error::Refused(response.into())),
    }
}

/// A request that waits for its answer.
///
/// ```
/// # fn main() -> sotong::Result<()> {
/// # use std::net::{TcpListener, TcpStream};
/// # use sotong::Config;
/// # use sotong::handshake::client::Request;
/// # use sotong::blocking::{Upgrade, connect_over};
/// use sotong::handshake::server::Response;
///
/// # let listener = TcpListener::bind("127.0.0.1:0")?;
/// # let io = TcpStream::connect(listener.local_addr()?)?;
/// # let stream = listener.accept()?.0;
/// # let client = std::thread::spawn(move || {
/// let request = Request { target: "/chat?room=1", subprotocols: &["chat"], ..Request::default() };
/// let (mut ws, response) = connect_over(io, &request, Config::default())?;
/// assert_eq!(response.subprotocol(), Some("chat"));
/// # ws.close(None)
/// # });
///
/// // And the other end:
/// let upgrade = Upgrade::receive(stream, Config::default())?;
/// let request = upgrade.request();
/// println!("{} asks for {}", upgrade.stream().peer_addr()?, request.path());
/// let speaks_chat = request.subprotocols().any(|name| name == "chat");
/// if request.path() != "/chat" || !speaks_chat {
///     return upgrade.reject(404, &[], b"nothing here\n");
/// }
/// let response = Response { subprotocol: Some("chat"), ..Response::default() };
/// let mut ws = upgrade.accept(&response)?;
/// # while ws.recv()?.is_some() {}
/// # client.join().unwrap()
/// # }
/// ```
#[derive(Debug)]
pub struct Upgrade<S> {
    opening: Opening<S>,
    request: Request,
    config: Arc<Config>,
}

impl<S: Stream> Upgrade<S> {
    /// Reads a request. Take what time it needs to decide; nothing is answered until then.
    ///
    /// The request may be for something else than a WebSocket: [`Request::upgrade`] tells, and
    /// [`reject`](Self::reject) can answer with a page.
    ///
    /// For an example see [`Upgrade`](Self).
    ///
    /// # Errors
    ///
    /// What came is not HTTP, and was refused; the stream failed; it took too long and was answered
    /// with 408.
    pub fn receive(io: S, config: impl Into<Arc<Config>>) -> Result<Self> {
        let config = config.into();
        let mut opening = Opening::start(io, &config, from_now(config.timeouts.handshake))?;
        match opening.read_request(&config) {
            Ok(request) => Ok(Self { opening, request, config }),
            Err(error) => {
                let mut tx = SendBuffer::new();
                refuse(&error, &mut tx);
                if !tx.is_empty() {
                    opening.last_words(tx, &config).ok(); // the cause is what matters
                }
                Err(error)
            }
        }
    }

    /// What was asked for.
    ///
    /// For an example see [`Upgrade`](Self).
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// The stream below.
    ///
    /// For an example see [`Upgrade`](Self).
    pub fn stream(&self) -> &S {
        &self.opening.io
    }

    /// Opens the connection.
    ///
    /// For an example see [`Upgrade`](Self).
    ///
    /// # Errors
    ///
    /// The request is not for a WebSocket, or its Origin is not one of [`Config::origins`], and it was
    /// refused; the response must not be sent, and the client got a 500; the stream failed; it took too
    /// long.
    pub fn accept(mut self, response: &Response<'_>) -> Result<WebSocket<S>> {
        let mut tx = SendBuffer::new();
        match self.request.accept(response, Arc::clone(&self.config), &mut tx) {
            Ok(connection) => {
                self.opening.deadline = from_now(self.config.timeouts.handshake);
                self.opening.write(&mut tx)?;
                Ok(self.opening.finish(connection, tx))
            }
            Err(error) => {
                match error.status() {
                    Some(_) => server::refuse(error, &mut tx),
                    None => self.request.reject(500, &[], b"", &mut tx)?,
                }
                self.opening.last_words(tx, &self.config).ok(); // the cause is what matters
                Err(error.into())
            }
        }
    }

    /// Answers with something else: a refusal, a redirect, a page. Then the stream is closed.
    ///
    /// For an example see [`Upgrade`](Self).
    ///
    /// # Errors
    ///
    /// The answer must not be sent; the stream failed; it took too long.
    pub fn reject(self, status: u16, headers: &[(&str, &str)], body: &[u8]) -> Result<()> {
        let mut tx = SendBuffer::new();
        self.request.reject(status, headers, body, &mut tx)?;
        self.opening.last_words(tx, &self.config)
    }
}

/// A stream on its way to a connection, and the time by which it must be one.
#[derive(Debug)]
pub(super) struct Opening<S> {
    pub(super) io: S,
    pub(super) rx: ReceiveBuffer,
    clock: Clock,
    deadline: Option<Instant>,
}

impl<S: Stream> Opening<S> {
    pub(super) fn start(mut io: S, config: &Config, deadline: Option<Instant>) -> Result<Self> {
        let ticks = io.prepare(tick(&config.timeouts))?;
        Ok(Self { io, rx: head_buffer(config), clock: Clock::new(ticks), deadline })
    }

    fn read_request(&mut self, config: &Config) -> Result<Request> {
        let mut handshake = server::Handshake::new(config);
        loop {
            if let Some(request) = handshake.receive(&mut self.rx)? {
                return Ok(request);
            }
            if self.read()? == 0 {
                return Err(HandshakeError::UnexpectedEof.into());
            }
        }
    }

    pub(super) fn read(&mut self) -> Result<usize> {
        loop {
            let read = self.io.read(self.rx.spare());
            if let Some(n) = self.clock.pause(read)? {
                self.rx.filled(n);
                self.check_deadline()?;
                return Ok(n);
            }
            self.check_deadline()?;
        }
    }

    /// Does it again as long as the stream pauses and there is time.
    #[cfg(feature = "socks")]
    pub(super) fn retry<T>(
        &mut self,
        mut work: impl FnMut(&mut S) -> std::io::Result<T>,
    ) -> Result<T> {
        loop {
            let done = work(&mut self.io);
            if let Some(done) = self.clock.pause(done)? {
                return Ok(done);
            }
            self.check_deadline()?;
        }
    }

    pub(super) fn write(&mut self, tx: &mut SendBuffer) -> Result<()> {
        while !tx.is_empty() {
            let written = write_some(&mut self.io, &mut tx.transmit());
            self.clock.pause(written)?;
            self.check_deadline()?;
        }
        while self.clock.pause(self.io.flush())?.is_none() {
            self.check_deadline()?;
        }
        Ok(())
    }

    pub(super) fn check_deadline(&self) -> Result<()> {
        match self.deadline {
            Some(deadline) if deadline <= Instant::now() => Err(TimedOut::Handshake.into()),
            _ => Ok(()),
        }
    }

    /// Writes an answer and reads on until the client has seen it: what is left unread would reset
    /// the stream and take the answer with it.
    fn last_words(mut self, mut tx: SendBuffer, config: &Config) -> Result<()> {
        self.deadline = from_now(config.timeouts.handshake);
        self.write(&mut tx)?;
        self.deadline = from_now(config.timeouts.close);
        let mut has_shut_down = false;
        let mut scratch = [0; 1024];
        while self.clock.shut_down(&mut self.io, &mut has_shut_down) != Some(false) {
            let read = self.io.read(&mut scratch);
            let over = matches!(self.clock.pause(read), Ok(Some(0)) | Err(_));
            if over || self.check_deadline().is_err() {
                break;
            }
        }
        Ok(())
    }

    fn finish(self, connection: crate::Connection, tx: SendBuffer) -> WebSocket<S> {
        WebSocket::assemble(Parts { io: self.io, connection, rx: self.rx, tx }, self.clock.ticks)
    }
}

pub(super) fn from_now(timeout: Option<Duration>) -> Option<Instant> {
    timeout.and_then(|timeout| Instant::now().checked_add(timeout))
}

/// How often to look at the deadlines: a quarter of the shortest, a second at most.
pub(super) fn tick(timeouts: &Timeouts) -> Option<Duration> {
    let Timeouts { handshake, keepalive, pong, close, send } = *timeouts;
    let shortest = [handshake, keepalive, pong, close, send].into_iter().flatten().min()?;
    Some((shortest / 4).clamp(Duration::from_millis(1), Duration::from_secs(1)))
}
