//! The opening handshake (RFC 6455, section 4): HTTP heads in and out, without I/O.
//!
//! A server reads a [`server::Request`], decides at leisure, then accepts or rejects it. A client
//! starts a [`client::Handshake`] and gets an open connection or the server's refusal. Client and
//! server share nothing but this page; for examples see [`server`] and [`client`].

pub mod client;
pub(crate) mod head;
pub mod server;
#[cfg(feature = "dial")]
pub(crate) mod tunnel;

use core::fmt;

use alloc::string::String;
use base64::Engine;
pub(crate) use base64::engine::general_purpose::STANDARD as BASE64;
use sha1::{Digest, Sha1};

use crate::buffer::SendBuffer;
use crate::error::write_section;
use crate::extension::TOKEN;
use crate::origin::{is_name, split_host};

pub use crate::extension::{Extension, Parameter};
pub use head::Headers;

/// Why an opening handshake fails.
///
/// Where a client is at fault [`status`](Self::status) gives a server's answer for it.
///
/// ```
/// use sotong::handshake::HandshakeError;
///
/// let error = HandshakeError::OriginNotAllowed;
/// assert!(error.is_peer_fault());
/// assert_eq!((error.status(), error.section()), (Some(403), Some("RFC 6455, section 10.2")));
/// assert_eq!(HandshakeError::BadAccept.status(), None); // that was a server
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The head is not HTTP. RFC 9112, sections 2 to 5.
    Malformed,
    /// The head is larger than [`Limits::head`](crate::Limits::head).
    HeadTooLarge,
    /// The head has more lines than [`Limits::head_lines`](crate::Limits::head_lines).
    TooManyLines,
    /// The first line alone is larger than [`Limits::head`](crate::Limits::head).
    TargetTooLong,
    /// The request's target is not one of a resource. RFC 6455, section 4.2.1 (1); RFC 9112,
    /// section 3.2.
    BadTarget,
    /// The method is not GET. RFC 6455, section 4.2.1 (1).
    MethodNotGet,
    /// The version of HTTP is not 1.1. RFC 6455, section 4.2.1 (1).
    NotHttp11,
    /// The method is not CONNECT, and the version of HTTP is 2 or 3. RFC 8441, section 4.
    MethodNotConnect,
    /// `:protocol` is not `websocket`: a plain CONNECT, or one for something else. RFC 8441,
    /// section 5.
    NoProtocol,
    /// What answers an extended CONNECT is not of HTTP/2 or HTTP/3. RFC 8441, section 4.
    NotHttp2,
    /// There is not exactly one valid Host. RFC 6455, section 4.2.1 (2); RFC 9112, section 3.2.
    BadHost,
    /// Upgrade does not name `websocket`. RFC 6455, sections 4.1 and 4.2.1 (3).
    NoUpgrade,
    /// Connection does not name `Upgrade`. RFC 6455, sections 4.1 and 4.2.1 (4).
    NoConnectionUpgrade,
    /// The version of WebSocket is not 13. RFC 6455, section 4.4.
    UnsupportedVersion,
    /// Sec-WebSocket-Version stands there twice. RFC 6455, section 11.3.5.
    RepeatedVersion,
    /// There is not exactly one key of 16 bytes in base64. RFC 6455, section 4.2.1 (5).
    BadKey,
    /// A head that changes the protocol announces a body. RFC 9110, section 7.8; RFC 9112, section
    /// 6.
    UnexpectedBody,
    /// Sec-WebSocket-Protocol is not a list of distinct tokens. RFC 6455, section 4.1 (10).
    BadSubprotocols,
    /// Sec-WebSocket-Extensions does not follow its grammar. RFC 6455, section 9.1.
    BadExtensions,
    /// The Origin is not one of [`Config::origins`](crate::Config::origins). RFC 6455, sections 4.2.2
    /// (4) and 10.2.
    OriginNotAllowed,
    /// Sec-WebSocket-Accept does not answer the key. RFC 6455, section 4.1.
    BadAccept,
    /// The server chose a subprotocol that was not offered, or several. RFC 6455, section 4.1.
    SubprotocolNotOffered,
    /// The server chose an extension that was not offered. RFC 6455, section 4.1.
    ExtensionNotOffered,
    /// The server's answer to the offer of permessage-deflate does not grant what was asked for, or
    /// has parameters that it must not have. RFC 7692, section 7.1.
    BadDeflate,
    /// The stream ended before the handshake did.
    UnexpectedEof,
    /// The host of our request is no name or address with an optional port. Nothing was queued.
    ForbiddenHost,
    /// The target of our request is no path with an optional query. Nothing was queued.
    ForbiddenTarget,
    /// A subprotocol of ours is no token, stands there twice, or was not offered. Nothing was queued.
    ForbiddenSubprotocol,
    /// A header field of ours has a name or a value that HTTP forbids. Nothing was queued.
    ForbiddenHeader,
    /// A header field of ours is one that the handshake itself writes. Nothing was queued.
    ReservedHeader,
    /// A status of ours that is no refusal: it must be from 200 to 599. Nothing was queued.
    ForbiddenStatus,
}

impl HandshakeError {
    /// The status with which a server answers; `None` where no client can be at fault.
    ///
    /// For an example see [`HandshakeError`](Self).
    pub const fn status(self) -> Option<u16> {
        Some(match self {
            Self::OriginNotAllowed => 403,
            Self::MethodNotGet | Self::MethodNotConnect => 405,
            Self::TargetTooLong => 414,
            Self::NoUpgrade | Self::UnsupportedVersion => 426,
            Self::HeadTooLarge | Self::TooManyLines => 431,
            // "The server SHOULD respond to the request with a 501" (RFC 9220, section 3).
            Self::NoProtocol => 501,
            Self::Malformed
            | Self::BadTarget
            | Self::NotHttp11
            | Self::BadHost
            | Self::NoConnectionUpgrade
            | Self::RepeatedVersion
            | Self::BadKey
            | Self::UnexpectedBody
            | Self::BadSubprotocols
            | Self::BadExtensions => 400,
            Self::NotHttp2
            | Self::BadAccept
            | Self::SubprotocolNotOffered
            | Self::ExtensionNotOffered
            | Self::BadDeflate
            | Self::UnexpectedEof
            | Self::ForbiddenHost
            | Self::ForbiddenTarget
            | Self::ForbiddenSubprotocol
            | Self::ForbiddenHeader
            | Self::ReservedHeader
            | Self::ForbiddenStatus => return None,
        })
    }

    /// The section that has the rule, as `RFC 6455, section 4.4`; `None` for a limit of ours, for what
    /// we wanted to send, and where the stream ended.
    ///
    /// For an example see [`HandshakeError`](Self).
    pub const fn section(self) -> Option<&'static str> {
        Some(match self {
            Self::BadSubprotocols
            | Self::BadAccept
            | Self::SubprotocolNotOffered
            | Self::ExtensionNotOffered => "RFC 6455, section 4.1",
            Self::BadTarget
            | Self::MethodNotGet
            | Self::NotHttp11
            | Self::BadHost
            | Self::NoUpgrade
            | Self::NoConnectionUpgrade
            | Self::BadKey => "RFC 6455, section 4.2.1",
            Self::UnsupportedVersion => "RFC 6455, section 4.4",
            Self::BadExtensions => "RFC 6455, section 9.1",
            Self::OriginNotAllowed => "RFC 6455, section 10.2",
            Self::RepeatedVersion => "RFC 6455, section 11.3.5",
            Self::BadDeflate => "RFC 7692, section 7.1",
            Self::MethodNotConnect | Self::NotHttp2 => "RFC 8441, section 4",
            Self::NoProtocol => "RFC 8441, section 5",
            Self::UnexpectedBody => "RFC 9110, section 7.8",
            Self::Malformed => "RFC 9112",
            Self::HeadTooLarge
            | Self::TooManyLines
            | Self::TargetTooLong
            | Self::UnexpectedEof
            | Self::ForbiddenHost
            | Self::ForbiddenTarget
            | Self::ForbiddenSubprotocol
            | Self::ForbiddenHeader
            | Self::ReservedHeader
            | Self::ForbiddenStatus => return None,
        })
    }

    /// Whether the peer is at fault, and not what we wanted to send or the stream.
    ///
    /// For an example see [`HandshakeError`](Self).
    pub const fn is_peer_fault(self) -> bool {
        !matches!(
            self,
            Self::UnexpectedEof
                | Self::ForbiddenHost
                | Self::ForbiddenTarget
                | Self::ForbiddenSubprotocol
                | Self::ForbiddenHeader
                | Self::ReservedHeader
                | Self::ForbiddenStatus
        )
    }
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "not a head of HTTP/1.1",
            Self::HeadTooLarge => "the HTTP head is larger than allowed",
            Self::TooManyLines => "the HTTP head has more lines than allowed",
            Self::TargetTooLong => "the request target is longer than allowed",
            Self::BadTarget => "the request target names no resource",
            Self::MethodNotGet => "the method is not GET",
            Self::NotHttp11 => "the version is not HTTP/1.1",
            Self::MethodNotConnect => "the method is not CONNECT",
            Self::NoProtocol => "the protocol is not websocket",
            Self::NotHttp2 => "an answer to CONNECT that is not HTTP/2",
            Self::BadHost => "Host is missing, repeated or invalid",
            Self::NoUpgrade => "Upgrade does not name websocket",
            Self::NoConnectionUpgrade => "Connection does not name Upgrade",
            Self::UnsupportedVersion => "Sec-WebSocket-Version is not 13",
            Self::RepeatedVersion => "Sec-WebSocket-Version is repeated",
            Self::BadKey => "Sec-WebSocket-Key is not 16 bytes in base64",
            Self::UnexpectedBody => "a body where the protocol changes",
            Self::BadSubprotocols => "Sec-WebSocket-Protocol is malformed",
            Self::BadExtensions => "Sec-WebSocket-Extensions is malformed",
            Self::OriginNotAllowed => "this Origin may not connect",
            Self::BadAccept => "Sec-WebSocket-Accept does not match",
            Self::SubprotocolNotOffered => "a subprotocol nobody offered",
            Self::ExtensionNotOffered => "an extension nobody offered",
            Self::BadDeflate => "a wrong answer to permessage-deflate",
            Self::UnexpectedEof => "the stream ended within the opening handshake",
            Self::ForbiddenHost => "the host to ask is no name or address",
            Self::ForbiddenTarget => "the target to ask for is no path",
            Self::ForbiddenSubprotocol => {
                "a subprotocol to be sent is no token, repeated or not offered"
            }
            Self::ForbiddenHeader => "a header field to be sent has a forbidden name or value",
            Self::ReservedHeader => "a header field to be sent belongs to the handshake",
            Self::ForbiddenStatus => "the status of a refusal must be from 200 to 599",
        })?;
        write_section(self.section(), f)
    }
}

impl core::error::Error for HandshakeError {}

/// The value of Sec-WebSocket-Accept that answers a Sec-WebSocket-Key (section 4.2.2, step 5.4).
///
/// ```
/// let accept = sotong::handshake::accept_value("dGhlIHNhbXBsZSBub25jZQ==");
/// assert_eq!(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
/// ```
pub fn accept_value(key: &str) -> String {
    String::from_utf8_lossy(&accept_bytes(key.as_bytes())).into_owned()
}

/// The same without an allocation: 20 bytes of SHA-1 are 28 in base64.
pub(crate) fn accept_bytes(key: &[u8]) -> [u8; 28] {
    let mut hasher = Sha1::new();
    hasher.update(key);
    hasher.update(GUID);
    let digest = hasher.finalize();
    let mut accept = [0; 28];
    BASE64.encode_slice(digest, &mut accept).expect("20 bytes make 28 in base64");
    accept
}

/// "258EAFA5-E914-47DA-95CA-C5AB0DC85B11 ... unlikely to be used by network endpoints that do not
/// understand the WebSocket Protocol" (section 1.3).
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Checks header fields of the application before any byte goes out.
pub(crate) fn check_headers(headers: &[(&str, &str)]) -> Result<(), HandshakeError> {
    for (name, value) in headers {
        if !is_token(name) || !is_field_value(value) {
            return Err(HandshakeError::ForbiddenHeader);
        }
        let reserved = ["upgrade", "connection", "host", "content-length", "transfer-encoding"];
        let prefix = name.get(..14).unwrap_or(name);
        if prefix.eq_ignore_ascii_case("sec-websocket-")
            || reserved.iter().any(|reserved| name.eq_ignore_ascii_case(reserved))
        {
            return Err(HandshakeError::ReservedHeader);
        }
    }
    Ok(())
}

fn push_headers(headers: &[(&str, &str)], tx: &mut SendBuffer) {
    for (name, value) in headers {
        push_all(&[name, ": ", value, "\r\n"], tx);
    }
}

fn push_all(parts: &[&str], tx: &mut SendBuffer) {
    for part in parts {
        tx.push(part.as_bytes());
    }
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| TOKEN.contains(b))
}

/// What a field value of ours may hold (RFC 9110, section 5.5); of control characters only the tab.
fn is_field_value(text: &str) -> bool {
    text.bytes().all(|b| b == b'\t' || (b >= b' ' && b != 0x7f)) && text.trim() == text
}

/// Whether `target` is a path with an optional query, in visible ASCII and without a fragment.
///
/// A second slash at its front would be read as the start of an authority by whoever resolves it.
pub(crate) fn is_origin_form(target: &str) -> bool {
    target.starts_with('/') && !target.starts_with("//") && is_visible_without_fragment(target)
}

fn is_visible_without_fragment(target: &str) -> bool {
    target.bytes().all(|b| b.is_ascii_graphic() && b != b'#')
}

/// Whether `host` is `uri-host [ ":" port ]` (RFC 3986, section 3.2) and not empty.
pub(crate) fn is_host(host: impl AsRef<[u8]>) -> bool {
    let host = host.as_ref();
    is_name(host) || core::str::from_utf8(host).is_ok_and(|host| split_host(host).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_or_an_address_and_a_port() {
        for good in
            ["a", "a.b:80", "127.0.0.1:8080", "[::1]", "[::1]:9", "a:", "xn--9d0b.kr", "a%41"]
        {
            assert!(is_host(good), "{good}");
        }
        for bad in [
            "", ":80", "a, b", "a b", "[::1", "[::1]x", "[]", "[a]", "[g::1]", "a:b", "a:99999",
            "a:80:80", "a/b", "u@a", "a\r\n", "소통", "::1",
        ] {
            assert!(!is_host(bad), "{bad}");
        }
    }

    #[test]
    fn header_fields_of_ours_cannot_break_out_of_their_line() {
        let table = [
            (("X-Good", "yes, \t소통"), Ok(())),
            (("X-Empty", ""), Ok(())),
            (("X", "a\r\nY: b"), Err(HandshakeError::ForbiddenHeader)),
            (("X", "a\nb"), Err(HandshakeError::ForbiddenHeader)),
            (("X", "a\rb"), Err(HandshakeError::ForbiddenHeader)),
            (("X", "a\0b"), Err(HandshakeError::ForbiddenHeader)),
            (("X", "a\x7f"), Err(HandshakeError::ForbiddenHeader)),
            (("X", " a"), Err(HandshakeError::ForbiddenHeader)),
            (("X\r\n", "a"), Err(HandshakeError::ForbiddenHeader)),
            (("X Y", "a"), Err(HandshakeError::ForbiddenHeader)),
            (("X:", "a"), Err(HandshakeError::ForbiddenHeader)),
            (("", "a"), Err(HandshakeError::ForbiddenHeader)),
            (("소통", "a"), Err(HandshakeError::ForbiddenHeader)),
            (("sec-websocket-KEY", "a"), Err(HandshakeError::ReservedHeader)),
            (("Connection", "close"), Err(HandshakeError::ReservedHeader)),
            (("content-length", "5"), Err(HandshakeError::ReservedHeader)),
        ];
        for (header, expected) in table {
            assert_eq!(check_headers(&[header]), expected, "{header:?}");
        }
    }
}
