//! What a request must be to become a WebSocket (RFC 6455, section 4.2.1).

use alloc::vec;

use super::super::head::{elements, is_named, names};
use super::super::{
    Extension, HandshakeError, is_host, is_origin_form, is_token, is_visible_without_fragment,
};
use crate::extension::AsciiSet;

/// The client's obligations (section 4.2.1), in the order of the errors' severity: what HTTP
/// forbids first. What was seen, with the host that is meant, and the key.
pub(super) fn check_upgrade<'b>(
    request: &httparse::Request<'_, 'b>,
) -> Result<(Seen<'b>, &'b [u8]), HandshakeError> {
    if request.version != Some(1) {
        return Err(HandshakeError::NotHttp11);
    }
    let mut seen = Seen::of(request.headers)?;
    if request.method != Some("GET") {
        return Err(HandshakeError::MethodNotGet);
    }
    let authority = check_target(request.path.unwrap_or_default())?;
    seen.host_value = authority.map(str::as_bytes).or(seen.host_value);
    if seen.body {
        return Err(HandshakeError::UnexpectedBody);
    }
    if !seen.upgrade {
        return Err(HandshakeError::NoUpgrade);
    }
    if !seen.connection {
        return Err(HandshakeError::NoConnectionUpgrade);
    }
    seen.check_version()?;
    let (1, Some(key)) = (seen.keys, seen.key) else { return Err(HandshakeError::BadKey) };
    if seen.subprotocols {
        check_subprotocols(request.headers)?;
    }
    Ok((seen, key))
}

/// The same for an extended CONNECT (RFC 8441, section 5): "instead of an HTTP/1.1 GET with
/// Upgrade" the pseudo-headers ask, and what they replace "is not used". Host is what `:authority`
/// says.
#[cfg(feature = "http")]
pub(super) fn check_connect<'b>(
    (method, target, protocol): (&str, &str, Option<&str>),
    fields: &[httparse::Header<'b>],
) -> Result<Seen<'b>, HandshakeError> {
    // "An endpoint MUST NOT generate an HTTP/2 message containing connection-specific header
    // fields" (RFC 9113, section 8.2.2; for HTTP/3 RFC 9114, section 4.2).
    let hops = ["Connection", "Keep-Alive", "Proxy-Connection", "Transfer-Encoding", "Upgrade"];
    if fields.iter().any(|field| hops.iter().any(|name| is_named(field, name))) {
        return Err(HandshakeError::Malformed);
    }
    let seen = Seen::of(fields)?;
    if method != "CONNECT" {
        return Err(HandshakeError::MethodNotConnect);
    }
    if !protocol.is_some_and(|protocol| protocol.eq_ignore_ascii_case("websocket")) {
        return Err(HandshakeError::NoProtocol);
    }
    if !is_origin_form(target) {
        return Err(HandshakeError::BadTarget);
    }
    if seen.body {
        return Err(HandshakeError::UnexpectedBody);
    }
    seen.check_version()?;
    if seen.subprotocols {
        check_subprotocols(fields)?;
    }
    Ok(seen)
}

/// `GET http://host/path` is for proxies, but "a server MUST accept the absolute-form" (RFC 9112,
/// 3.2.2): then the host that it names.
fn check_target(target: &str) -> Result<Option<&str>, HandshakeError> {
    if is_origin_form(target) {
        return Ok(None);
    }
    let absolute = |scheme: &str| {
        let prefix = target.get(..scheme.len())?;
        let rest = target.get(scheme.len()..)?;
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        (prefix.eq_ignore_ascii_case(scheme) && is_host(&rest[..end])).then_some(&rest[..end])
    };
    let schemes = ["http://", "https://", "ws://", "wss://"];
    let host = schemes.into_iter().find_map(absolute);
    let host = host.filter(|_| is_visible_without_fragment(target));
    host.map(Some).ok_or(HandshakeError::BadTarget)
}

/// What was seen of the header fields that matter.
#[derive(Default)]
pub(super) struct Seen<'b> {
    host: usize,
    pub(super) host_value: Option<&'b [u8]>,
    pub(super) origins: usize,
    pub(super) origin: Option<&'b [u8]>,
    upgrade: bool,
    connection: bool,
    versions: usize,
    version_13: bool,
    keys: usize,
    key: Option<&'b [u8]>,
    subprotocols: bool,
    body: bool,
}

impl<'b> Seen<'b> {
    /// What is to be seen, if one valid Host is.
    fn of(fields: &[httparse::Header<'b>]) -> Result<Self, HandshakeError> {
        let mut seen = Self::default();
        for field in fields {
            seen.note(field)?;
        }
        if seen.host == 1 { Ok(seen) } else { Err(HandshakeError::BadHost) }
    }

    fn check_version(&self) -> Result<(), HandshakeError> {
        match (self.versions, self.version_13) {
            (0, _) | (1, false) => Err(HandshakeError::UnsupportedVersion),
            (1, true) => Ok(()),
            _ => Err(HandshakeError::RepeatedVersion),
        }
    }

    fn note(&mut self, field: &httparse::Header<'b>) -> Result<(), HandshakeError> {
        let value = field.value;
        let is = |name| is_named(field, name);
        // The length tells most names apart without looking at them.
        match field.name.len() {
            4 if is("Host") => {
                self.host += 1;
                self.host_value = Some(value);
                if !is_host(value) {
                    return Err(HandshakeError::BadHost);
                }
            }
            6 if is("Origin") => {
                self.origins += 1;
                self.origin = Some(value);
            }
            7 if is("Upgrade") => self.upgrade |= names(value, "websocket"),
            10 if is("Connection") => self.connection |= names(value, "Upgrade"),
            21 if is("Sec-WebSocket-Version") => {
                self.versions += 1;
                self.version_13 = value == b"13";
            }
            17 if is("Sec-WebSocket-Key") => {
                self.keys += 1;
                self.key = is_key(value).then_some(value);
            }
            22 if is("Sec-WebSocket-Protocol") => self.subprotocols = true,
            14 if is("Content-Length") => self.body |= value != b"0",
            17 if is("Transfer-Encoding") => self.body = true,
            24 if is("Sec-WebSocket-Extensions") => {
                let list =
                    core::str::from_utf8(value).map_err(|_| HandshakeError::BadExtensions)?;
                if !Extension::list(list).all(|extension| extension.is_ok()) {
                    return Err(HandshakeError::BadExtensions);
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// "A base64-encoded value that, when decoded, is 16 bytes in length": 22 characters, the last of
/// them for two bits. Its unused bits must be zero, so that a nonce has one spelling.
fn is_key(value: &[u8]) -> bool {
    value.len() == KEY_LEN
        && matches!(value[21..], [b'A' | b'Q' | b'g' | b'w', b'=', b'='])
        && value[..21].iter().all(|b| BASE64_DIGITS.contains(*b))
}

pub(super) const KEY_LEN: usize = 24;

static BASE64_DIGITS: AsciiSet = AsciiSet::alphanumeric_and(b"+/");

/// "The elements that comprise this value MUST be non-empty strings" of token characters, "and MUST
/// all be unique strings" (section 4.1).
fn check_subprotocols(fields: &[httparse::Header<'_>]) -> Result<(), HandshakeError> {
    let is_list = |field: &&httparse::Header<'_>| is_named(field, "Sec-WebSocket-Protocol");
    let mut offered = vec![];
    for name in fields.iter().filter(is_list).flat_map(|field| elements(field.value)) {
        if !core::str::from_utf8(name).is_ok_and(is_token) {
            return Err(HandshakeError::BadSubprotocols);
        }
        offered.push(name);
    }
    offered.sort_unstable();
    match offered.windows(2).any(|pair| pair[0] == pair[1]) {
        true => Err(HandshakeError::BadSubprotocols),
        false => Ok(()),
    }
}
