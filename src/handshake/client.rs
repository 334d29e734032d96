//! The client's side of the opening handshake (RFC 6455, section 4.1).
//!
//! ```
//! use sotong::handshake::client::{Handshake, Outcome, Request};
//! use sotong::{Config, ReceiveBuffer, SendBuffer};
//!
//! let config = Config::default();
//! let mut rx = ReceiveBuffer::with_capacity(config.limits.receive_buffer);
//! let mut tx = SendBuffer::new();
//! let nonce = *b"the sample nonce"; // 16 random bytes
//! let keys = || Some([1, 2, 3, 4]); // four random bytes at every call
//!
//! let (host, subprotocols) = ("example.com", &["chat.v2", "chat"][..]);
//! let request = Request { host, target: "/chat", subprotocols, ..Request::default() };
//! let mut handshake = Handshake::start(&request, &config, nonce, keys, &mut tx)?;
//! assert!(tx.transmit().slices()[0].starts_with(b"GET /chat HTTP/1.1\r\nHost: example.com\r\n"));
//!
//! let bytes = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
//!     Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: chat\r\n\r\n";
//! assert_eq!(rx.extend(bytes), bytes.len());
//! match handshake.receive(&mut rx)?.expect("the head is complete") {
//!     Outcome::Open(conn, response) => assert_eq!(response.subprotocol(), Some("chat")),
//!     Outcome::Refused(response) => panic!("{} {:?}", response.status(), response.body()),
//! }
//! # Ok::<(), sotong::handshake::HandshakeError>(())
//! ```

mod asked;

use alloc::sync::Arc;
use alloc::vec::Vec;

pub(crate) use asked::{Asked, key};

use super::head::{Field, HeadSearch, Headers, has_whole_lines, is_named, names};
use super::{
    HandshakeError, check_headers, is_field_value, is_host, is_origin_form, is_token, push_all,
    push_headers,
};
use crate::buffer::{ReceiveBuffer, SendBuffer};
use crate::config::Config;
use crate::connection::{Connection, MaskingKeys};
use crate::trace;

/// What a client asks for.
///
/// For an example see the [module](self).
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The server's name, with the port if it is not the default one: `example.com:8080`.
    pub host: &'a str,
    /// Path and query: `/chat?room=1`.
    pub target: &'a str,
    /// The Origin; browsers must say it, other clients may.
    pub origin: Option<&'a str>,
    /// The subprotocols that the client speaks, the most wanted first.
    pub subprotocols: &'a [&'a str],
    /// Further header fields, as credentials.
    pub headers: &'a [(&'a str, &'a str)],
}

impl Default for Request<'_> {
    fn default() -> Self {
        Self { host: "localhost", target: "/", origin: None, subprotocols: &[], headers: &[] }
    }
}

impl Request<'_> {
    pub(crate) fn check(&self) -> Result<(), HandshakeError> {
        if !is_host(self.host) {
            return Err(HandshakeError::ForbiddenHost);
        }
        if !is_origin_form(self.target) {
            return Err(HandshakeError::ForbiddenTarget);
        }
        for (i, name) in self.subprotocols.iter().enumerate() {
            if !is_token(name) || self.subprotocols[..i].contains(name) {
                return Err(HandshakeError::ForbiddenSubprotocol);
            }
        }
        if !self.origin.is_none_or(is_field_value) {
            return Err(HandshakeError::ForbiddenHeader);
        }
        check_headers(self.headers)
    }

    /// The header fields behind those that make the request one for a WebSocket.
    pub(crate) fn fields(&self, config: &Config, mut put: impl FnMut(&str, &str)) {
        if let Some(origin) = self.origin {
            put("Origin", origin);
        }
        if !self.subprotocols.is_empty() {
            put("Sec-WebSocket-Protocol", &self.subprotocols.join(", "));
        }
        if let Some(deflate) = &config.deflate {
            put("Sec-WebSocket-Extensions", &deflate.offer());
        }
        for (name, value) in self.headers {
            put(name, value);
        }
    }
}

/// How an opening handshake ended.
///
/// For an example see the [module](self).
#[expect(
    clippy::large_enum_variant,
    reason = "nobody keeps it, and nearly always it is the large one"
)]
#[derive(Debug)]
pub enum Outcome {
    /// The connection is open. Bytes that came behind the head are in the receive buffer.
    Open(Connection, Response),
    /// The server answered with something else than 101: a redirect, a demand for credentials, an
    /// error.
    Refused(Response),
}

/// A server's answer.
///
/// For an example see the [module](self).
#[derive(Clone, Debug)]
pub struct Response {
    pub(super) status: u16,
    pub(super) headers: Headers,
    pub(super) body: Vec<u8>,
}

impl Response {
    /// The status; 101 if the connection is open.
    ///
    /// For an example see the [module](self).
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The header fields.
    ///
    /// For an example see [`Handshake::handle_eof`].
    pub fn headers(&self) -> &Headers {
        &self.headers
    }

    /// The subprotocol that the server chose, one of those that were offered.
    ///
    /// For an example see the [module](self).
    pub fn subprotocol(&self) -> Option<&str> {
        self.headers.text("sec-websocket-protocol")
    }

    /// The body of a refusal, as much of it as came, up to
    /// [`Limits::refusal_body`](crate::Limits::refusal_body).
    ///
    /// For an example see [`Handshake::handle_eof`].
    pub fn body(&self) -> &[u8] {
        &self.body
    }
}

/// A handshake under way.
///
/// For an example see the [module](self).
#[derive(Debug)]
pub struct Handshake {
    asked: Asked,
    search: HeadSearch,
    /// Bytes of interim responses.
    interim: usize,
    refusal: Option<(Response, Body)>,
}

impl Handshake {
    /// Queues the request.
    ///
    /// `nonce` is to be random, and new for each connection; `keys` is where the connection's
    /// masking keys come from.
    ///
    /// For an example see the [module](self).
    ///
    /// # Errors
    ///
    /// [`HandshakeError::ForbiddenHost`], [`HandshakeError::ForbiddenTarget`],
    /// [`HandshakeError::ForbiddenSubprotocol`], [`HandshakeError::ForbiddenHeader`],
    /// [`HandshakeError::ReservedHeader`] for a request that must not be sent. Nothing was queued.
    pub fn start(
        request: &Request<'_>,
        config: impl Into<Arc<Config>>,
        nonce: [u8; 16],
        keys: MaskingKeys,
        tx: &mut SendBuffer,
    ) -> Result<Self, HandshakeError> {
        request.check()?;
        let config = config.into();
        let key = key(nonce);
        push_all(&["GET ", request.target, " HTTP/1.1\r\nHost: ", request.host, "\r\n"], tx);
        tx.push(b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n");
        tx.push(b"Sec-WebSocket-Key: ");
        tx.push(&key);
        tx.push(b"\r\n");
        request.fields(&config, |name, value| push_headers(&[(name, value)], tx));
        tx.push(b"\r\n");
        let search = HeadSearch::new(&config.limits);
        let asked = Asked::new(request, config, keys, Some(&key));
        Ok(Self { asked, search, interim: 0, refusal: None })
    }

    /// How the handshake ended, once it has: with the end of the head, or of a refusal's body. Cost
    /// is linear in the bytes that came, whatever the portions.
    ///
    /// Interim responses (as 103) are passed over; together they are bounded like one head.
    ///
    /// For an example see the [module](self).
    ///
    /// # Errors
    ///
    /// The server broke a rule: close the stream. The same error need not come again.
    pub fn receive(&mut self, rx: &mut ReceiveBuffer) -> Result<Option<Outcome>, HandshakeError> {
        let received = self.receive_head(rx);
        if let Err(error) = &received {
            trace::handshake_failed(error, error.section());
        }
        received
    }

    fn receive_head(&mut self, rx: &mut ReceiveBuffer) -> Result<Option<Outcome>, HandshakeError> {
        while self.refusal.is_none() {
            let Some((parsed, len)) = self.search.read(rx, parse)? else { return Ok(None) };
            let (status, headers) = (parsed.status, Headers::keep(&rx.unparsed()[..len]));
            let response = Response { status, headers, body: Vec::new() };
            match status {
                101 => {
                    let conn = self.asked.open(&response, &parsed)?;
                    rx.skip(len);
                    return Ok(Some(Outcome::Open(conn, response)));
                }
                100..=199 => {
                    self.interim += len;
                    if self.interim > self.asked.config.limits.head {
                        return Err(HandshakeError::HeadTooLarge);
                    }
                }
                status => {
                    trace::refusal(status);
                    let body = Body::of(status, &response.headers);
                    self.refusal = Some((response, body));
                }
            }
            rx.skip(len);
        }
        self.receive_body(rx)
    }

    /// Says that the stream has ended, which may end the body of a refusal.
    ///
    /// ```
    /// # use sotong::handshake::client::{Handshake, Request};
    /// # use sotong::{Config, SendBuffer};
    /// use sotong::ReceiveBuffer;
    /// use sotong::handshake::client::Outcome;
    ///
    /// # let (request, mut tx) = (Request::default(), SendBuffer::new());
    /// # let config = Config::default();
    /// # let mut handshake = Handshake::start(&request, &config, [7; 16], || None, &mut tx)?;
    /// let mut rx = ReceiveBuffer::with_capacity(512);
    /// rx.extend(b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\n\r\nWho are you?");
    /// assert!(handshake.receive(&mut rx)?.is_none()); // its body has no length
    /// let Outcome::Refused(response) = handshake.handle_eof()? else { panic!("it is open") };
    /// assert_eq!(response.status(), 401);
    /// assert_eq!(response.headers().text("WWW-Authenticate"), Some("Basic"));
    /// assert_eq!(response.body(), b"Who are you?");
    /// # Ok::<(), sotong::handshake::HandshakeError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`HandshakeError::UnexpectedEof`] before the end of a head.
    pub fn handle_eof(&mut self) -> Result<Outcome, HandshakeError> {
        let refusal = self.refusal.take();
        refusal.map(|(response, _)| Outcome::Refused(response)).ok_or(HandshakeError::UnexpectedEof)
    }

    fn receive_body(&mut self, rx: &mut ReceiveBuffer) -> Result<Option<Outcome>, HandshakeError> {
        let max = self.asked.config.limits.refusal_body;
        let Some((response, body)) = &mut self.refusal else { return Ok(None) };
        let over = body.receive(rx, &mut response.body, max);
        if !over {
            return Ok(None);
        }
        self.handle_eof().map(Some)
    }
}

#[cfg(feature = "http")]
impl Outcome {
    /// How a handshake ended with this head, which was read elsewhere and has so many lines.
    pub(crate) fn of_head(
        asked: &Asked,
        head: &[u8],
        lines: usize,
    ) -> Result<Self, HandshakeError> {
        let mut fields = Vec::with_capacity(lines);
        let parsed = parse(head, fields.spare_capacity_mut()).ok_or(HandshakeError::Malformed)?;
        let (status, headers) = (parsed.status, Headers::keep(head));
        let response = Response { status, headers, body: Vec::new() };
        Ok(match asked.is_opened_by(status) {
            true => Self::Open(asked.open(&response, &parsed)?, response),
            false => Self::Refused(response),
        })
    }
}

/// What was seen of a response.
#[derive(Default)]
pub(super) struct Parsed {
    pub(super) status: u16,
    is_http_11: bool,
    upgrades: usize,
    is_websocket: bool,
    connection: bool,
    body: bool,
}

pub(super) fn parse<'b>(head: &'b [u8], fields: &mut [Field<'b>]) -> Option<Parsed> {
    let mut response = httparse::Response::new(&mut []);
    let parser = httparse::ParserConfig::default();
    match parser.parse_response_with_uninit_headers(&mut response, head, fields) {
        Ok(httparse::Status::Complete(len)) if len == head.len() => {}
        _ => return None,
    }
    if !has_whole_lines(head, response.headers) {
        return None;
    }
    let is_http_11 = response.version == Some(1);
    let mut parsed = Parsed { status: response.code?, is_http_11, ..Parsed::default() };
    for field in response.headers.iter() {
        let value = field.value;
        match field.name.len() {
            7 if is_named(field, "Upgrade") => {
                parsed.upgrades += 1;
                parsed.is_websocket = value.eq_ignore_ascii_case(b"websocket");
            }
            10 if is_named(field, "Connection") => parsed.connection |= names(value, "Upgrade"),
            14 if is_named(field, "Content-Length") => parsed.body |= value != b"0",
            17 if is_named(field, "Transfer-Encoding") => parsed.body = true,
            _ => {}
        }
    }
    Some(parsed)
}

/// The body of a refusal (RFC 9112, section 6.3).
#[derive(Debug)]
struct Body {
    end: BodyEnd,
    /// Bytes that are known to belong to it and have not come yet.
    remaining: u64,
}

/// How the end of a body is told.
#[derive(Debug)]
enum BodyEnd {
    Length,
    Eof,
    /// By an empty chunk; whether there was a chunk before.
    Chunks {
        begun: bool,
    },
}

impl Body {
    fn of(status: u16, headers: &Headers) -> Self {
        let is_chunked = |coding| names(coding, "chunked");
        let is_number = |length: &&str| length.bytes().all(|b| b.is_ascii_digit());
        let length =
            headers.text("content-length").filter(is_number).and_then(|length| length.parse().ok());
        let (end, remaining) = match (headers.all("transfer-encoding").last(), length) {
            _ if status == 204 || status == 304 => (BodyEnd::Length, 0),
            (Some(coding), _) if is_chunked(coding) => (BodyEnd::Chunks { begun: false }, 0),
            (None, Some(length)) => (BodyEnd::Length, length),
            _ => (BodyEnd::Eof, u64::MAX),
        };
        Self { end, remaining }
    }

    /// Moves bytes to `body`, at most `max` in all; whether the body is over, or as much of it as
    /// is wanted.
    fn receive(&mut self, rx: &mut ReceiveBuffer, body: &mut Vec<u8>, max: usize) -> bool {
        loop {
            let bytes = rx.unparsed();
            let wanted = self.remaining.min((max - body.len()) as u64);
            let len = wanted.min(bytes.len() as u64) as usize;
            body.extend_from_slice(&bytes[..len]);
            rx.skip(len);
            self.remaining -= len as u64;
            if body.len() == max {
                return true;
            }
            if self.remaining > 0 {
                return false;
            }
            let BodyEnd::Chunks { begun } = &mut self.end else { return true };
            match next_chunk(begun, rx) {
                None => return false,
                Some(0) => return true,
                Some(size) => self.remaining = size,
            }
        }
    }
}

/// The longest line before a chunk, in bytes: a size, and room for an extension.
const MAX_CHUNK_LINE: usize = 256;

/// The size of the next chunk; what is no chunk ends the body as an empty one does.
fn next_chunk(begun: &mut bool, rx: &mut ReceiveBuffer) -> Option<u64> {
    let line_end = if *begun { 2 } else { 0 }; // that of the chunk before
    let line = rx.unparsed().get(line_end..)?;
    match httparse::parse_chunk_size(line) {
        Ok(httparse::Status::Complete((len, size))) if len <= MAX_CHUNK_LINE => {
            rx.skip(line_end + len);
            *begun = true;
            Some(size)
        }
        Ok(httparse::Status::Partial) if line.len() < MAX_CHUNK_LINE => None,
        _ => Some(0),
    }
}
