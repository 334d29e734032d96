//! The server's side of the opening handshake (RFC 6455, section 4.2).
//!
//! Two phases: read the request, decide (even ask a database), then accept or reject.
//!
//! ```
//! use sotong::handshake::server::{Handshake, Response};
//! use sotong::{Config, ReceiveBuffer, SendBuffer};
//!
//! let config = Config::default();
//! let mut rx = ReceiveBuffer::with_capacity(config.limits.receive_buffer);
//! let mut tx = SendBuffer::new();
//! let mut handshake = Handshake::new(&config);
//!
//! let bytes = b"GET /chat HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
//!     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
//! assert_eq!(rx.extend(bytes), bytes.len());
//! let request = handshake.receive(&mut rx)?.expect("the head is complete");
//! let conn = match request.target() {
//!     "/chat" => request.accept(&Response::default(), &config, &mut tx)?,
//!     _ => return request.reject(404, &[], b"no such room\n", &mut tx),
//! };
//! assert!(tx.transmit().slices()[0].starts_with(b"HTTP/1.1 101 "));
//! # Ok::<(), sotong::handshake::HandshakeError>(())
//! ```

mod obligations;

use alloc::string::{String, ToString};
use alloc::sync::Arc;
#[cfg(feature = "http")]
use alloc::{vec, vec::Vec};
use core::iter;
use core::ops::Range;

#[cfg(feature = "http")]
use obligations::check_connect;
use obligations::{KEY_LEN, Seen, check_upgrade};

use super::head::{Field, HeadSearch, Headers, elements, has_whole_lines, offset};
use super::{
    Extension, HandshakeError, accept_bytes, check_headers, is_host, push_all, push_headers,
};
use crate::buffer::{ReceiveBuffer, SendBuffer};
use crate::config::Config;
use crate::connection::{Agreed, Connection};
use crate::error::TimedOut;
use crate::origin::Origins;
use crate::trace;

/// Waits for a request.
///
/// For an example see the [module](self).
#[derive(Debug)]
pub struct Handshake {
    search: HeadSearch,
}

impl Handshake {
    /// Waits for a request within the limits of `config`.
    ///
    /// For an example see the [module](self).
    pub fn new(config: &Config) -> Self {
        Self { search: HeadSearch::new(&config.limits) }
    }

    /// The request, once its head is complete. Bytes behind the head stay in `rx`: they are frames
    /// that a client sent without waiting for the answer, and are read as frames.
    ///
    /// Cost is linear in the bytes that came, whatever the portions. An `rx` that cannot hold
    /// [`Limits::head`](crate::Limits::head) holds smaller heads.
    ///
    /// For an example see the [module](self).
    ///
    /// # Errors
    ///
    /// What came is no HTTP request: answer with [`refuse`], then close the stream. Whether the
    /// request asks for a WebSocket is left to [`Request::upgrade`], so that one port can serve
    /// pages too.
    pub fn receive(&mut self, rx: &mut ReceiveBuffer) -> Result<Option<Request>, HandshakeError> {
        let Some((places, len)) = self.search.read(rx, parse)? else { return Ok(None) };
        let headers = Headers::keep(&rx.unparsed()[..len]);
        rx.skip(len);
        Ok(Some(Request { headers, places }))
    }
}

/// An HTTP request that has not been answered.
///
/// ```
/// # use sotong::handshake::server::Handshake;
/// # use sotong::{Config, ReceiveBuffer};
/// # let mut rx = ReceiveBuffer::with_capacity(512);
/// rx.extend(b"GET /chat?room=1 HTTP/1.1\r\nHost: example.com\r\nCookie: session=8f3a\r\n");
/// rx.extend(b"Origin: https://example.com\r\nSec-WebSocket-Protocol: chat.v2, chat\r\n\r\n");
/// let request = Handshake::new(&Config::default()).receive(&mut rx)?.expect("it is complete");
/// assert_eq!((request.method(), request.target()), ("GET", "/chat?room=1"));
/// assert_eq!((request.path(), request.query()), ("/chat", Some("room=1")));
/// assert_eq!((request.host(), request.origin()), ("example.com", Some("https://example.com")));
/// assert!(request.subprotocols().eq(["chat.v2", "chat"]));
/// assert_eq!(request.headers().text("cookie"), Some("session=8f3a"));
/// # Ok::<(), sotong::handshake::HandshakeError>(())
/// ```
///
/// For how to answer it see the [module](self).
#[derive(Clone, Debug)]
pub struct Request {
    headers: Headers,
    /// Where things are in the head, if this is a valid request for a WebSocket.
    places: Result<Places, HandshakeError>,
}

/// Where in a head that what decides lies, so that it need not be searched again.
#[derive(Clone, Debug)]
struct Places {
    /// A request by CONNECT has none.
    key: Option<usize>,
    host: Range<usize>,
    /// How many Origins there are, and where one of them is.
    origins: usize,
    origin: Range<usize>,
}

impl Places {
    fn of(head: &[u8], seen: &Seen<'_>, key: Option<&[u8]>) -> Self {
        let place = |part: &[u8]| offset(head, part)..offset(head, part) + part.len();
        Self {
            key: key.map(|key| offset(head, key)),
            host: seen.host_value.map_or(0..0, place),
            origins: seen.origins,
            origin: seen.origin.map_or(0..0, place),
        }
    }
}

impl Request {
    /// The method; in a request for a WebSocket `GET`, over HTTP/2 and HTTP/3 `CONNECT`.
    ///
    /// For an example see [`Request`](Self).
    pub fn method(&self) -> &str {
        self.headers.start().split(' ').next().unwrap_or_default()
    }

    /// The target as it stands in the request, as `/chat?room=1`.
    ///
    /// For an example see [`Request`](Self).
    pub fn target(&self) -> &str {
        self.headers.start().split(' ').nth(1).unwrap_or_default()
    }

    /// The target without authority and query, as `/chat`.
    ///
    /// For an example see [`Request`](Self).
    pub fn path(&self) -> &str {
        let target = self.origin_form();
        let path = target.split_once('?').map_or(target, |(path, _)| path);
        if path.is_empty() { "/" } else { path }
    }

    /// What stands behind the `?` in the target.
    ///
    /// For an example see [`Request`](Self).
    pub fn query(&self) -> Option<&str> {
        self.origin_form().split_once('?').map(|(_, query)| query)
    }

    /// The host that was asked, with its port if it is not the default one: that of an absolute target,
    /// else the Host field (RFC 9112, section 3.2.2).
    ///
    /// For an example see [`Request`](Self).
    pub fn host(&self) -> &str {
        let target = self.target();
        match self.origin_form().len() {
            whole if whole == target.len() => self.headers.text("host").unwrap_or_default(),
            path => {
                let start = target.find("://").map_or(0, |colon| colon + 3);
                &target[start..target.len() - path]
            }
        }
    }

    /// The header fields.
    ///
    /// For an example see [`Request`](Self).
    pub fn headers(&self) -> &Headers {
        &self.headers
    }

    /// The Origin: the site whose page asks, as browsers say it (section 10.2).
    ///
    /// [`accept`](Self::accept) holds it against [`Config::origins`](crate::Config::origins): with
    /// cookies, a page of any other site may act for the user who looks at it.
    ///
    /// For an example see [`Request`](Self).
    pub fn origin(&self) -> Option<&str> {
        self.headers.text("origin")
    }

    /// The subprotocols that the client speaks, the most wanted first.
    ///
    /// For an example see [`Request`](Self).
    pub fn subprotocols(&self) -> impl Iterator<Item = &str> {
        let values = self.headers.all("sec-websocket-protocol");
        values.flat_map(elements).filter_map(|name| core::str::from_utf8(name).ok())
    }

    /// The extensions that the client offers, the most wanted first.
    ///
    /// For an example see [`Extension`].
    pub fn extensions(&self) -> impl Iterator<Item = Extension<'_>> {
        let values = self.headers.all("sec-websocket-extensions");
        values
            .filter_map(|value| core::str::from_utf8(value).ok())
            .flat_map(Extension::list)
            .filter_map(Result::ok)
    }

    /// Whether this is a valid request for a WebSocket.
    ///
    /// ```
    /// # use sotong::handshake::server::Handshake;
    /// # use sotong::{Config, ReceiveBuffer, SendBuffer};
    /// use sotong::handshake::HandshakeError;
    ///
    /// # let (mut rx, mut tx) = (ReceiveBuffer::with_capacity(512), SendBuffer::new());
    /// # rx.extend(b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n");
    /// # let request = Handshake::new(&Config::default()).receive(&mut rx)?.expect("all came");
    /// match request.upgrade() {
    ///     Ok(()) => { /* accept it */ }
    ///     // Somebody looks at it with a browser.
    ///     Err(HandshakeError::NoUpgrade) => {
    ///         let html = [("Content-Type", "text/html; charset=utf-8")];
    ///         request.reject(200, &html, b"<p>Hello</p>", &mut tx)?;
    ///     }
    ///     Err(error) => sotong::handshake::server::refuse(error, &mut tx),
    /// }
    /// assert!(tx.transmit().slices()[0].starts_with(b"HTTP/1.1 200 OK\r\n"));
    /// # Ok::<(), HandshakeError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The first rule of section 4.2.1 that it breaks; [`refuse`] writes the answer for it.
    pub fn upgrade(&self) -> Result<(), HandshakeError> {
        self.places.as_ref().map_or_else(|error| Err(*error), |_| Ok(()))
    }

    /// Whether the page that asks may connect. [`accept`](Self::accept) asks this itself; ask first
    /// to spare the work of a decision, or where the connection is made in another way.
    ///
    /// ```
    /// # use sotong::handshake::server::Handshake;
    /// # use sotong::{Config, ReceiveBuffer};
    /// use sotong::Origins;
    ///
    /// # let mut rx = ReceiveBuffer::with_capacity(512);
    /// rx.extend(b"GET / HTTP/1.1\r\nHost: chat.example\r\nOrigin: https://evil.example\r\n\r\n");
    /// let request = Handshake::new(&Config::default()).receive(&mut rx)?.expect("it is complete");
    /// assert!(request.check_origin(&Origins::same()).is_err());
    /// assert!(request.check_origin(&Origins::any()).is_ok());
    /// # Ok::<(), sotong::handshake::HandshakeError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`HandshakeError::OriginNotAllowed`]; [`refuse`] writes the answer for it.
    pub fn check_origin(&self, origins: &Origins) -> Result<(), HandshakeError> {
        let is_allowed = match &self.places {
            Ok(places) => {
                let origin = self.headers.at(places.origin.clone());
                let host = self.headers.at(places.host.clone());
                // Where there are several none is looked at.
                origins.allow(iter::repeat_n(origin, places.origins), host)
            }
            Err(_) => {
                let host = if is_host(self.host()) { self.host() } else { "" };
                origins.allow(self.headers.all("origin"), host.as_bytes())
            }
        };
        if is_allowed { Ok(()) } else { Err(HandshakeError::OriginNotAllowed) }
    }

    /// Queues the answer that opens the connection (section 4.2.2). Of the extensions that are
    /// offered it agrees to compression, if [`Config::deflate`] is set and an offer can be served.
    ///
    /// For an example see the [module](self).
    ///
    /// # Errors
    ///
    /// What [`upgrade`](Self::upgrade) and, for [`Config::origins`],
    /// [`check_origin`](Self::check_origin) say; [`HandshakeError::ForbiddenSubprotocol`],
    /// [`HandshakeError::ForbiddenHeader`] or [`HandshakeError::ReservedHeader`] for a response
    /// that must not be sent. Nothing was queued.
    pub fn accept(
        &self,
        response: &Response<'_>,
        config: impl Into<Arc<Config>>,
        tx: &mut SendBuffer,
    ) -> Result<Connection, HandshakeError> {
        let config = config.into();
        let accept = self.accept_value()?.ok_or(HandshakeError::NotHttp11)?;
        let (agreed, extensions) = self.agree(response, &config)?;
        tx.push(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
            Sec-WebSocket-Accept: ",
        );
        tx.push(&accept);
        tx.push(b"\r\n");
        if let Some(chosen) = response.subprotocol {
            push_headers(&[("Sec-WebSocket-Protocol", chosen)], tx);
        }
        if let Some(extensions) = extensions {
            push_headers(&[("Sec-WebSocket-Extensions", &extensions)], tx);
        }
        push_headers(response.headers, tx);
        tx.push(b"\r\n");
        Ok(Connection::server(config, agreed))
    }

    /// What answers the key of a valid request, which one by CONNECT does not have.
    pub(crate) fn accept_value(&self) -> Result<Option<[u8; 28]>, HandshakeError> {
        let places = self.places.as_ref().map_err(|error| *error)?;
        Ok(places.key.map(|key| accept_bytes(self.headers.at(key..key + KEY_LEN))))
    }

    /// What is agreed with a client that may connect, and the value of Sec-WebSocket-Extensions
    /// that says so, if the response may be sent.
    pub(crate) fn agree(
        &self,
        response: &Response<'_>,
        config: &Config,
    ) -> Result<(Agreed, Option<String>), HandshakeError> {
        self.check_origin(&config.origins)?;
        check_headers(response.headers)?;
        if let Some(chosen) = response.subprotocol
            && !self.subprotocols().any(|offered| offered == chosen)
        {
            return Err(HandshakeError::ForbiddenSubprotocol);
        }
        let answer = config.deflate.and_then(|deflate| deflate.answer(self.extensions()));
        let (deflate, value) = answer.unzip();
        trace::accepted(response.subprotocol, deflate.is_some());
        Ok((Agreed { deflate }, value))
    }

    /// Queues another answer: a refusal, or the page that a plain request asks for. Close the
    /// stream after it; what follows on it is not read as HTTP.
    ///
    /// For an example see [`upgrade`](Self::upgrade).
    ///
    /// # Errors
    ///
    /// [`HandshakeError::ForbiddenStatus`], [`HandshakeError::ForbiddenHeader`] or
    /// [`HandshakeError::ReservedHeader`] for an answer that must not be sent. Nothing was queued.
    pub fn reject(
        &self,
        status: u16,
        headers: &[(&str, &str)],
        body: &[u8],
        tx: &mut SendBuffer,
    ) -> Result<(), HandshakeError> {
        check_headers(headers)?;
        if !(200..=599).contains(&status) {
            return Err(HandshakeError::ForbiddenStatus);
        }
        trace::rejected(status);
        push_status(status, tx);
        push_headers(headers, tx);
        match status {
            // These have no body, and say nothing of its length (RFC 9110, sections 8.6, 15.3.5, 15.4.5).
            204 | 304 => tx.push(b"Connection: close\r\n\r\n"),
            _ => push_body("close", body, tx),
        }
        Ok(())
    }

    fn origin_form(&self) -> &str {
        let target = self.target();
        match target.split_once("://") {
            Some((scheme, rest)) if !scheme.contains('/') => {
                rest.find(['/', '?']).map_or("", |start| &rest[start..])
            }
            _ => target,
        }
    }
}

/// What a server adds to its acceptance.
///
/// For an example see the [module](self).
#[derive(Clone, Copy, Debug, Default)]
pub struct Response<'a> {
    /// The subprotocol it chose, one of [`Request::subprotocols`].
    pub subprotocol: Option<&'a str>,
    /// Further header fields, as cookies.
    pub headers: &'a [(&'a str, &'a str)],
}

/// Queues the answer to a request that broke a rule; nothing where the client was not at fault.
///
/// Its size depends on the rule alone, and it repeats nothing of the request.
/// [`Connection::refused`] knows how to end the stream after it.
///
/// ```
/// use sotong::SendBuffer;
/// use sotong::handshake::{HandshakeError, server};
///
/// let mut tx = SendBuffer::new();
/// server::refuse(HandshakeError::HeadTooLarge, &mut tx);
/// assert!(tx.transmit().slices()[0].starts_with(b"HTTP/1.1 431 "));
/// ```
pub fn refuse(error: HandshakeError, tx: &mut SendBuffer) {
    let Some(status) = error.status() else { return };
    trace::refused(&error, error.section(), status);
    push_status(status, tx);
    let connection = match status {
        405 => {
            tx.push(b"Allow: GET\r\n");
            "close"
        }
        426 => {
            // Section 4.4: "a |Sec-WebSocket-Version| header field indicating the version(s)".
            tx.push(b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n");
            "Upgrade, close"
        }
        _ => "close",
    };
    let mut body = error.to_string();
    body.push('\n');
    tx.push(b"Content-Type: text/plain\r\n");
    push_body(connection, body.as_bytes(), tx);
}

/// Queues the answer to a request that took too long: 408. For an example see [`refuse`].
pub fn refuse_late(tx: &mut SendBuffer) {
    trace::refused(&TimedOut::Handshake, None, 408);
    push_status(408, tx);
    push_body("close", b"", tx);
}

fn push_status(status: u16, tx: &mut SendBuffer) {
    let reason = match status {
        200 => "OK",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        414 => "URI Too Long",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => "", // "A client SHOULD ignore the reason-phrase" (RFC 9112, section 4)
    };
    push_all(&["HTTP/1.1 ", &status.to_string(), " ", reason, "\r\n"], tx);
}

fn push_body(connection: &str, body: &[u8], tx: &mut SendBuffer) {
    let length = body.len().to_string();
    push_all(&["Connection: ", connection, "\r\nContent-Length: ", &length, "\r\n\r\n"], tx);
    tx.push(body);
}

#[cfg(feature = "http")]
impl Request {
    /// A request whose head was read elsewhere, and has so many lines.
    pub(crate) fn from_head(head: &[u8], lines: usize) -> Self {
        let mut fields = Vec::with_capacity(lines);
        let places = parse(head, fields.spare_capacity_mut());
        let places = places.unwrap_or(Err(HandshakeError::Malformed));
        Self { headers: Headers::keep(head), places }
    }

    /// The same for HTTP/2 and HTTP/3, with what `:protocol` says; the head is as if it was one of
    /// HTTP/1.1.
    pub(crate) fn from_connect(head: &[u8], lines: usize, protocol: Option<&str>) -> Self {
        let headers = Headers::keep(head);
        let mut start = headers.start().split(' ');
        let (method, target) = (start.next().unwrap_or_default(), start.next().unwrap_or_default());
        let mut fields = vec![httparse::EMPTY_HEADER; lines];
        let places = match httparse::parse_headers(&head[headers.start().len() + 2..], &mut fields)
        {
            Ok(httparse::Status::Complete((_, fields))) => {
                let seen = check_connect((method, target, protocol), fields);
                seen.map(|seen| Places::of(head, &seen, None))
            }
            _ => Err(HandshakeError::Malformed),
        };
        Self { headers, places }
    }

    /// Whether the request is answered by changing the protocol, and not by 200.
    pub(crate) fn is_http_1(&self) -> bool {
        self.headers.start().rsplit(' ').next().is_some_and(|version| version.starts_with("HTTP/1"))
    }
}

/// Whether this is the head of a request; then where things are in it, if it is a valid one for a
/// WebSocket.
fn parse<'b>(head: &'b [u8], fields: &mut [Field<'b>]) -> Option<Result<Places, HandshakeError>> {
    let mut parsed = httparse::Request::new(&mut []);
    match parsed.parse_with_uninit_headers(head, fields) {
        Ok(httparse::Status::Complete(len)) if len == head.len() => {}
        _ => return None,
    }
    let is_whole = has_whole_lines(head, parsed.headers);
    is_whole.then(|| check_upgrade(&parsed).map(|(seen, key)| Places::of(head, &seen, Some(key))))
}
