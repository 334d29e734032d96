//! The opening handshake in the types of HTTP stacks, as hyper and axum: the stack reads and writes
//! the heads, over HTTP/1.1 or HTTP/2, and hands over the stream behind them.
//!
//! ```text
//!   http::Request ──► server::Request ──► http::Response, and a Connection
//!                                                              │
//!   the stack's stream, once its answer is out ──► Parts::new ─┴─► WebSocket
//! ```
//!
//! A server asks [`Request::from_http`], then [`Request::accept_http`] or, where that fails,
//! [`Request::refuse_http`]. Nothing but the form differs from a handshake over a stream of ours:
//! the same rules of RFC 6455, section 4.2.1, the same [`Origins`], subprotocols and compression. A
//! client has a [`Handshake`].
#![doc = include_str!("http/hyper.md")]
//!
//! `examples/stacks` has a whole server in hyper, and an extractor for axum.
//!
//! What bounds a head and the time it takes is the stack's here: [`Limits::head`] and
//! [`Timeouts::handshake`] are not looked at.
//!
//! # Bytes behind the head
//!
//! A client may send frames without waiting for the answer, and the stack may have read them.
//! hyper's `Upgraded` gives them first, before it reads on. Where it is taken apart (`downcast`),
//! to get at the socket itself, they are its `read_buf`, which is to be the third argument of
//! [`Parts::new`].
//!
//! # HTTP/2
//!
//! A client asks by an extended CONNECT (RFC 8441), which it may send once the server has said that
//! it knows it: hyper does with `enable_connect_protocol()`, `axum::serve` always does. To route
//! such a request it takes `any`, or `connect`, not `get`. The answer is 200, no key is needed, and
//! the WebSocket lasts as long as its stream: other requests share the connection. The end of the
//! stream is END_STREAM where it was TCP's FIN, and a reset, CANCEL, where it was TCP's RST.
//!
//! `:protocol` does not lie among the header fields. hyper puts it into the request's extensions as
//! `hyper::ext::Protocol`, `h2` as `h2::ext::Protocol`; `from_http` is told what it says, and so is
//! told nothing over HTTP/1.1. A request over HTTP/2 without it is not for a WebSocket.
//!
//! # HTTP/3
//!
//! RFC 9220 takes the extended CONNECT of HTTP/2 as it is: the same pseudo-headers, the same header
//! fields, the same 200. So `from_http` and `accept_http`, [`Handshake::connect`] and
//! [`Handshake::receive`] serve for a request of `Version::HTTP_3` too. What else it takes is a
//! stack for HTTP/3 that
//!
//! * announces SETTINGS_ENABLE_CONNECT_PROTOCOL (0x08), which is for the server to do (section 3);
//! * hands over `:protocol`, as the `h3` crate does in the request's extensions: as
//!   `h3::ext::Protocol`, which must be of a version that knows `WEBSOCKET`;
//! * gives DATA frames of the request's stream as `AsyncRead` and takes them as `AsyncWrite`, where
//!   the end of writing is FIN, and dropping is a reset with H3_REQUEST_CANCELLED (section 3).
//!
//! The rules for such requests are tested here; a WebSocket over QUIC is not.
//!
//! [`Request::from_http`]: crate::handshake::server::Request::from_http
//! [`Request::accept_http`]: crate::handshake::server::Request::accept_http
//! [`Request::refuse_http`]: crate::handshake::server::Request::refuse_http
//! [`Limits::head`]: crate::Limits::head
//! [`Timeouts::handshake`]: crate::Timeouts::handshake
//! [`Origins`]: crate::Origins
//! [`Parts::new`]: crate::blocking::Parts::new

mod answer;
mod ask;

use std::vec::Vec;

use ::http::header::HeaderMap;
use ::http::{HeaderName, HeaderValue, Method, Request, Uri, Version, request};

use crate::handshake::HandshakeError;

pub use ask::Handshake;

/// The head of a request that an HTTP stack has read, from an [`http::Request`] or, as
/// extractors of axum get them, its [`Parts`](request::Parts).
///
/// For an example see the [module](self).
#[derive(Clone, Copy, Debug)]
pub struct Head<'r> {
    method: &'r Method,
    uri: &'r Uri,
    version: Version,
    fields: &'r HeaderMap,
}

impl<'r, B> From<&'r Request<B>> for Head<'r> {
    fn from(request: &'r Request<B>) -> Self {
        let (method, uri) = (request.method(), request.uri());
        Self { method, uri, version: request.version(), fields: request.headers() }
    }
}

impl<'r> From<&'r request::Parts> for Head<'r> {
    fn from(parts: &'r request::Parts) -> Self {
        let request::Parts { method, uri, version, headers: fields, .. } = parts;
        Self { method, uri, version: *version, fields }
    }
}

/// Whether requests for a WebSocket are made by an extended CONNECT, and not by Upgrade.
fn has_connect(version: Version) -> bool {
    version >= Version::HTTP_2
}

/// Ends a head, whose first line is there, with these fields; the types allow for no line breaks in
/// them.
fn push_fields<'h>(
    fields: impl Iterator<Item = (&'h HeaderName, &'h HeaderValue)>,
    head: &mut Vec<u8>,
) {
    for (name, value) in fields {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            head.extend_from_slice(part);
        }
    }
    head.extend_from_slice(b"\r\n");
}

/// Adds a field of ours.
fn append(fields: &mut HeaderMap, name: &str, value: &str) -> Result<(), HandshakeError> {
    let name = HeaderName::from_bytes(name.as_bytes());
    let value = HeaderValue::from_bytes(value.as_bytes());
    let (Ok(name), Ok(value)) = (name, value) else {
        return Err(HandshakeError::ForbiddenHeader);
    };
    fields.append(name, value);
    Ok(())
}
