//! The opening handshake (RFC 6455, section 4) and the heads of HTTP/1.1 (RFC 9112), read slowly:
//! all the rules that a head breaks, in no order, for which of them is told first is a matter of
//! taste.

use sotong::handshake::HandshakeError::{self, *};

use super::extension::{Extension, extensions, parameters, token};
use super::sha1::{base64, sha1};

/// A head that is complete: its first line, its fields, and how many bytes it is long.
#[derive(Clone, Debug)]
pub struct Head {
    pub start: Vec<u8>,
    pub fields: Vec<(String, Vec<u8>)>,
    pub len: usize,
}

/// The head at the front of `bytes`: nothing if there is more to come, or what is wrong with it.
pub fn head(bytes: &[u8], most: usize, most_lines: usize) -> Option<Result<Head, HandshakeError>> {
    let (mut lines, mut start) = (vec![], 0);
    // Before a method or a version only an empty line may stand (RFC 9112, sections 2.2 and 3).
    let begins_well = |first: &u8| *first == b'\r' || first.is_ascii_graphic();
    if !bytes.first().is_none_or(begins_well) {
        return Some(Err(Malformed));
    }
    for (i, byte) in bytes.iter().enumerate().take(most) {
        if *byte != b'\n' {
            continue;
        }
        let Some(line) = bytes[start..i].strip_suffix(b"\r") else { return Some(Err(Malformed)) };
        // One empty line may stand before the first (RFC 9112, section 2.2).
        if line.is_empty() && !lines.is_empty() {
            return Some(read_lines(&lines, i + 1).ok_or(Malformed));
        }
        lines.push(line);
        if lines.len() > most_lines {
            return Some(Err(TooManyLines));
        }
        start = i + 1;
    }
    let too_large = if lines.is_empty() { TargetTooLong } else { HeadTooLarge };
    (bytes.len() >= most).then_some(Err(too_large))
}

fn read_lines(lines: &[&[u8]], len: usize) -> Option<Head> {
    let lines = if lines[0].is_empty() { &lines[1..] } else { lines };
    let (start, fields) = lines.split_first()?;
    let fields = fields.iter().map(|line| {
        // "No whitespace is allowed between the field name and colon" (section 5.1), nor is a line
        // that begins with it (5.2); of control characters a value holds only the tab.
        let colon = line.iter().position(|byte| *byte == b':')?;
        let value = line[colon + 1..].trim_ascii();
        let is_good =
            line[colon + 1..].iter().all(|byte| *byte == b'\t' || !byte.is_ascii_control());
        is_good.then_some((token(&line[..colon])?, value.to_vec()))
    });
    Some(Head { start: start.to_vec(), fields: fields.collect::<Option<_>>()?, len })
}

impl Head {
    pub fn all<'h>(&'h self, name: &str) -> Vec<&'h [u8]> {
        let named = self.fields.iter().filter(|field| field.0.eq_ignore_ascii_case(name));
        named.map(|field| &field.1[..]).collect()
    }

    /// The elements of all lists in fields of this name.
    pub fn elements<'h>(&'h self, name: &str) -> Vec<&'h [u8]> {
        let lists = self.all(name);
        lists
            .iter()
            .flat_map(|list| list.split(|byte| *byte == b','))
            .map(<[u8]>::trim_ascii)
            .collect()
    }

    fn lists(&self, name: &str, element: &str) -> bool {
        self.elements(name).iter().any(|one| one.eq_ignore_ascii_case(element.as_bytes()))
    }

    fn has_body(&self) -> bool {
        self.all("content-length").iter().any(|length| *length != b"0")
            || !self.all("transfer-encoding").is_empty()
    }
}

/// What is wrong with a request for a WebSocket (section 4.2.1); nothing if it is to be accepted.
/// An error if it is no request of HTTP/1 at all.
pub fn request_faults(head: &Head) -> Result<Vec<HandshakeError>, HandshakeError> {
    let start = std::str::from_utf8(&head.start).map_err(|_| Malformed)?;
    let parts: Vec<&str> = start.split(' ').collect();
    let [method, target, version @ ("HTTP/1.0" | "HTTP/1.1")] = parts[..] else {
        return Err(Malformed);
    };
    let is_one_word = |text: &str| !text.is_empty() && !text.bytes().any(|b| b.is_ascii_control());
    if token(method.as_bytes()).is_none() || !is_one_word(target) {
        return Err(Malformed);
    }
    let hosts = head.all("host");
    let versions = head.all("sec-websocket-version");
    let keys = head.all("sec-websocket-key");
    let subprotocols = head.elements("sec-websocket-protocol");
    let mut distinct = subprotocols.clone();
    distinct.sort_unstable();
    distinct.dedup();
    let lists = head.all("sec-websocket-extensions");
    let faults = [
        (NotHttp11, version != "HTTP/1.1"),
        (MethodNotGet, method != "GET"),
        (BadTarget, !is_target(target)),
        (BadHost, hosts.len() != 1 || !hosts.iter().all(|host| is_host(host))),
        (NoUpgrade, !head.lists("upgrade", "websocket")),
        (NoConnectionUpgrade, !head.lists("connection", "upgrade")),
        (UnsupportedVersion, versions.len() < 2 && versions != [b"13"]),
        (RepeatedVersion, versions.len() > 1),
        (BadKey, keys.len() != 1 || !is_nonce(keys[0])),
        (UnexpectedBody, head.has_body()),
        (
            BadSubprotocols,
            distinct.len() != subprotocols.len()
                || subprotocols.iter().any(|name| token(name).is_none()),
        ),
        (BadExtensions, lists.iter().any(|list| extensions(list).is_none())),
    ];
    Ok(faults.into_iter().filter(|(_, is_broken)| *is_broken).map(|(fault, _)| fault).collect())
}

/// Path and query, or a URI of the schemes that lead here; without a fragment (RFC 9112, 3.2).
fn is_target(target: &str) -> bool {
    let is_path = target.starts_with('/') && !target.starts_with("//");
    let is_absolute = || {
        let (scheme, rest) = target.split_once("://")?;
        let known = ["http", "https", "ws", "wss"];
        let host = rest.split(['/', '?']).next()?;
        let is_known = known.iter().any(|known| scheme.eq_ignore_ascii_case(known));
        (is_known && is_host(host.as_bytes())).then_some(())
    };
    target.bytes().all(|byte| (0x21..0x7f).contains(&byte) && byte != b'#')
        && (is_path || is_absolute().is_some())
}

/// `uri-host [ ":" port ]`: a name, or an IPv6 address in brackets (RFC 3986, section 3.2).
pub fn is_host(host: &[u8]) -> bool {
    let Ok(host) = std::str::from_utf8(host) else { return false };
    let split = match host.find(']') {
        Some(bracket) => bracket + 1,
        None => host.find(':').unwrap_or(host.len()),
    };
    let (name, port) = host.split_at(split);
    let is_port = match port.strip_prefix(':') {
        Some(digits) => {
            digits.bytes().all(|b| b.is_ascii_digit())
                && (digits.is_empty() || digits.parse::<u128>().is_ok_and(|port| port < 65536))
        }
        None => port.is_empty(),
    };
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    let is_name = match address {
        Some(address) => {
            address.contains(':')
                && address.chars().all(|c| c.is_ascii_hexdigit() || ":.".contains(c))
        }
        None => {
            let is_good = |c: char| c.is_ascii_alphanumeric() || "-._~%!$&'()*+,;=".contains(c);
            !name.is_empty() && name.chars().all(is_good)
        }
    };
    is_name && is_port
}

/// "A base64-encoded value that, when decoded, is 16 bytes in length", in its one spelling.
fn is_nonce(key: &[u8]) -> bool {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let Some(digits) = key.strip_suffix(b"==").filter(|digits| digits.len() == 22) else {
        return false;
    };
    let mut number = 0_u128;
    for (i, digit) in digits.iter().enumerate() {
        let Some(value) = DIGITS.iter().position(|one| one == digit) else { return false };
        // 132 bits, of which the last four are none.
        number =
            if i < 21 { number << 6 | value as u128 } else { number << 2 | (value >> 4) as u128 };
    }
    base64(&number.to_be_bytes()).as_bytes() == key
}

/// "Concatenating the value of the key ... with this GUID, taking the SHA-1 hash" (section 4.2.2).
pub fn accept_value(key: &str) -> String {
    base64(&sha1(format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11").as_bytes()))
}

/// What a client has asked for.
pub struct Asked<'a> {
    pub key: &'a str,
    pub subprotocols: &'a [&'a str],
    /// If it has offered compression: the largest window of the server in bits, and whether that
    /// may keep context.
    pub deflate: Option<(u8, bool)>,
}

/// The status in the first line of a response, and whether it is HTTP/1.1; nothing if it is none.
pub fn status(head: &Head) -> Option<(u16, bool)> {
    let (version, rest) = head.start.split_at_checked(9)?;
    let is_11 = match version {
        b"HTTP/1.1 " => true,
        b"HTTP/1.0 " => false,
        _ => return None,
    };
    let (digits, reason) = rest.split_at_checked(3)?;
    let is_good = |byte: &u8| *byte == b'\t' || !byte.is_ascii_control();
    if !(reason.is_empty() || reason.starts_with(b" ")) || !reason.iter().all(is_good) {
        return None;
    }
    let is_number = digits.iter().all(u8::is_ascii_digit);
    is_number.then(|| (digits.iter().fold(0, |n, digit| 10 * n + u16::from(digit - b'0')), is_11))
}

/// What is wrong with a response of status 101 (section 4.1).
pub fn response_faults(head: &Head, is_11: bool, asked: &Asked<'_>) -> Vec<HandshakeError> {
    let upgrades = head.all("upgrade");
    let accepts = head.all("sec-websocket-accept");
    let chosen = head.all("sec-websocket-protocol");
    let is_offered = |chosen: &[u8]| asked.subprotocols.iter().any(|one| one.as_bytes() == chosen);
    let lists = head.all("sec-websocket-extensions");
    let lists: Option<Vec<_>> = lists.into_iter().map(extensions).collect();
    let used = lists.clone().unwrap_or_default().concat();
    let is_deflate = |used: &Extension| used.0 == "permessage-deflate" && asked.deflate.is_some();
    let faults = [
        (NotHttp11, !is_11),
        (NoUpgrade, upgrades.len() != 1 || !upgrades[0].eq_ignore_ascii_case(b"websocket")),
        (NoConnectionUpgrade, !head.lists("connection", "upgrade")),
        (BadAccept, accepts != [accept_value(asked.key).as_bytes()]),
        (SubprotocolNotOffered, chosen.len() > 1 || !chosen.iter().all(|one| is_offered(one))),
        (UnexpectedBody, head.has_body()),
        (BadExtensions, lists.is_none()),
        // A list that breaks off may have another fault before.
        (ExtensionNotOffered, lists.is_none() || !used.iter().all(is_deflate)),
        (
            BadDeflate,
            lists.is_none() || used.len() > 1 || used.iter().any(|one| !grants(one, asked)),
        ),
    ];
    faults.into_iter().filter(|(_, is_broken)| *is_broken).map(|(fault, _)| fault).collect()
}

/// Whether an answer to the offer of permessage-deflate is one (RFC 7692, section 7.1).
fn grants(answer: &Extension, asked: &Asked<'_>) -> bool {
    let (Some(answer), Some((bits, keeps_context))) = (parameters(answer), asked.deflate) else {
        return false;
    };
    // What was asked of the server must be there; what the client was told must have a value.
    (bits == 15 || answer.server_max_window_bits.is_some_and(|answered| answered <= bits))
        && (keeps_context || answer.server_no_context_takeover)
        && answer.client_max_window_bits != Some(None)
}
