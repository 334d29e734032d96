//! Heads of HTTP in both roles: accepted if the model finds no fault, refused with one that it
//! finds, at any cut, within bounds.

use sotong::handshake::client::{self, Outcome};
use sotong::handshake::server::{self, refuse};
use sotong::handshake::{HandshakeError, Headers};
use sotong::{Config, Deflate, ReceiveBuffer, SendBuffer};

use crate::heap::measure;
use crate::model::script::{Choices, cut};
use crate::opening::head::{
    Asked, Head, accept_value, head, request_faults, response_faults, status,
};
use crate::opening::origin::{POLICIES, Policy};

/// How a handshake goes: the head that was taken and the bytes behind it, or what is wrong.
type Trace<T> = Option<Result<(T, Vec<u8>), HandshakeError>>;

/// A byte that says how to cut, one with the limits; then what a client sends.
pub fn handshake_server(input: &[u8]) {
    let mut choices = Choices(input);
    let (way, config) = (choices.byte(), config(choices.byte()));
    let bytes = choices.0;
    let trace = receive_request(&config, &[bytes]);
    assert_eq!(shown(&trace), shown(&receive_request(&config, &cut(bytes, 1))), "byte by byte");
    assert_eq!(shown(&trace), shown(&receive_request(&config, &cut(bytes, way))), "cut");
    assert_bounded(bytes, || drop(receive_request(&config, &cut(bytes, way))));

    let expected = head(bytes, config.limits.head, config.limits.head_lines);
    let expected = expected.map(|head| head.and_then(|head| Ok((request_faults(&head)?, head))));
    match (trace, expected) {
        (None, None) => {}
        (Some(Err(error)), Some(Err(expected))) => {
            assert_eq!(error, expected);
            assert_refused(error);
        }
        (Some(Ok((request, rest))), Some(Ok((faults, head)))) => {
            assert_fields(request.headers(), &head);
            assert_request(&request, &head, faults.is_empty());
            assert_eq!(rest, bytes[head.len..], "what came behind the head");
            match request.upgrade() {
                Ok(()) => assert_eq!(faults, []),
                Err(error) => {
                    assert!(faults.contains(&error), "{error:?}, and not one of {faults:?}");
                    assert_refused(error);
                }
            }
            let is_let_in = Policy::Same.allows(&head, request.host(), false);
            assert_accepted(&request, &config, &head, faults.is_empty() && is_let_in);
        }
        (trace, expected) => panic!("{:?}, and not {expected:?}", shown(&trace)),
    }
}

/// A byte that says how to cut, one with the limits; then what a server sends. In it `{accept}`
/// stands for the value that answers our key.
pub fn handshake_client(input: &[u8]) {
    let mut choices = Choices(input);
    let (way, settings) = (choices.byte(), choices.byte());
    let config = config(settings);
    let accept = accept_value(KEY);
    let text: Vec<&[u8]> = choices.0.split(|byte| *byte == b'{').collect();
    let filled: Vec<Vec<u8>> = text
        .iter()
        .enumerate()
        .map(|(i, part)| match part.strip_prefix(b"accept}").filter(|_| i > 0) {
            Some(rest) => [accept.as_bytes(), rest].concat(),
            None if i > 0 => [b"{", *part].concat(),
            None => part.to_vec(),
        })
        .collect();
    let bytes = &filled.concat()[..];
    let trace = receive_response(&config, &[bytes]);
    assert_eq!(trace, receive_response(&config, &cut(bytes, 1)), "byte by byte");
    assert_eq!(trace, receive_response(&config, &cut(bytes, way)), "cut");
    assert_bounded(bytes, || drop(receive_response(&config, &cut(bytes, way))));

    let (mut at, mut interim) = (0, 0);
    loop {
        let limits = &config.limits;
        let head = match head(&bytes[at..], limits.head, limits.head_lines) {
            None => return assert_eq!(trace, None),
            Some(Err(error)) => return assert_eq!(trace, Some(Err(error))),
            Some(Ok(head)) => head,
        };
        let Some((status, is_11)) = status(&head) else {
            return assert_eq!(trace, Some(Err(HandshakeError::Malformed)));
        };
        let (at_head, deflate) =
            (at, config.deflate.map(|d| (d.peer_window_bits, d.peer_context_takeover)));
        at += head.len;
        match status {
            101 => {
                let asked = Asked { key: KEY, subprotocols: &SUBPROTOCOLS, deflate };
                let faults = response_faults(&head, is_11, &asked);
                return match trace {
                    Some(Ok((101, rest))) => {
                        assert_eq!((faults, &rest[..]), (vec![], &bytes[at..]));
                    }
                    Some(Err(error)) => assert!(faults.contains(&error), "{error:?}: {faults:?}"),
                    other => panic!("{other:?}, and not 101 with {faults:?} at {at_head}"),
                };
            }
            100..200 => {
                interim += head.len;
                if interim > limits.head {
                    return assert_eq!(trace, Some(Err(HandshakeError::HeadTooLarge)));
                }
            }
            // Its body is there, or is waited for.
            _ => {
                let seen = trace.map(|trace| trace.map(|(status, _)| status));
                return assert!(seen.is_none_or(|seen| seen == Ok(status)), "{status}: {seen:?}");
            }
        }
    }
}

/// The base64 of the nonce.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const NONCE: [u8; 16] = *b"the sample nonce";
const SUBPROTOCOLS: [&str; 2] = ["chat", "superchat"];

fn config(choice: u8) -> Config {
    let mut config = Config::default();
    (config.limits.head, config.limits.head_lines) =
        [(16 * 1024, 100), (600, 100), (1000, 9), (16 * 1024, 70)][usize::from(choice % 4)];
    config.limits.receive_buffer = 16 * 1024;
    config.limits.refusal_body = 100;
    config.deflate = (choice & 0x80 != 0).then(|| {
        let mut deflate = Deflate::default();
        deflate.peer_window_bits = 9 + (choice >> 2) % 7;
        (deflate.context_takeover, deflate.peer_context_takeover) =
            (choice & 0x20 != 0, choice & 0x40 != 0);
        deflate
    });
    config
}

fn receive_request(config: &Config, pieces: &[&[u8]]) -> Trace<server::Request> {
    let mut handshake = server::Handshake::new(config);
    feed(config, pieces, |rx| handshake.receive(rx))
}

/// The status of the response.
fn receive_response(config: &Config, pieces: &[&[u8]]) -> Trace<u16> {
    let mut tx = SendBuffer::new();
    let request = client::Request { subprotocols: &SUBPROTOCOLS, ..client::Request::default() };
    let keys = || Some([0; 4]);
    let mut handshake =
        client::Handshake::start(&request, config, NONCE, keys, &mut tx).expect("valid");
    feed(config, pieces, |rx| {
        handshake.receive(rx).map(|outcome| {
            outcome.map(|outcome| match outcome {
                Outcome::Open(_, response) => response.status(),
                Outcome::Refused(response) => response.status(),
            })
        })
    })
}

/// Lets a handshake receive the pieces up to its end.
fn feed<T>(
    config: &Config,
    pieces: &[&[u8]],
    mut receive: impl FnMut(&mut ReceiveBuffer) -> Result<Option<T>, HandshakeError>,
) -> Trace<T> {
    let mut rx = ReceiveBuffer::with_capacity(config.limits.receive_buffer);
    let mut pieces = pieces.iter();
    while let Some(mut piece) = pieces.next().copied() {
        while !piece.is_empty() {
            let taken = rx.extend(piece);
            piece = &piece[taken..];
            match receive(&mut rx) {
                Ok(None) => assert!(taken > 0, "a full buffer, and it waits for more"),
                Ok(Some(end)) => {
                    let rest = [rx.unparsed(), piece, &pieces.as_slice().concat()].concat();
                    return Some(Ok((end, rest)));
                }
                Err(error) => return Some(Err(error)),
            }
        }
    }
    None
}

/// Memory: the head is there in the buffer, which grows by doubling, and once more, kept; a field
/// has a place while it is parsed. Work: a few allocations for each line.
fn assert_bounded(bytes: &[u8], receive: impl FnOnce()) {
    let heap = measure(receive);
    let pieces = 64 * bytes.len(); // the list of pieces, and what is compared
    assert!(
        heap.peak <= 64 * 1024 + 6 * bytes.len() + pieces,
        "{heap:?} for {} bytes",
        bytes.len()
    );
    assert!(heap.allocations <= 100 + bytes.len(), "{heap:?} for {} bytes", bytes.len());
}

/// A trace that can be compared.
fn shown(trace: &Trace<server::Request>) -> Option<Result<(String, Vec<u8>), HandshakeError>> {
    trace.as_ref().map(|end| match end {
        Ok((request, rest)) => Ok((format!("{request:?}"), rest.clone())),
        Err(error) => Err(*error),
    })
}

/// Whether the application sees the fields that are there.
fn assert_fields(headers: &Headers, head: &Head) {
    let seen: Vec<_> =
        headers.iter().map(|(name, value)| (name.to_string(), value.to_vec())).collect();
    assert_eq!(seen, head.fields);
    for (name, _) in &head.fields {
        let first = head.fields.iter().find(|field| field.0.eq_ignore_ascii_case(name));
        assert_eq!(headers.get(name), first.map(|field| &field.1[..]));
    }
}

/// Whether the application sees what was asked for.
fn assert_request(request: &server::Request, head: &Head, is_valid: bool) {
    let start = std::str::from_utf8(&head.start).expect("it was parsed");
    let parts: Vec<&str> = start.split(' ').collect();
    let field = |name| head.fields.iter().find(|field| field.0.eq_ignore_ascii_case(name));
    let text = |name| field(name).and_then(|field| std::str::from_utf8(&field.1).ok());
    assert_eq!((request.method(), request.target()), (parts[0], parts[1]));
    assert_eq!(request.origin(), text("origin"));
    if !is_valid {
        // What its parts mean is not known; but to ask for them is safe.
        let _ = (request.path(), request.query(), request.host(), request.subprotocols().count());
        return;
    }
    let (host, rest) = match parts[1].strip_prefix('/') {
        Some(_) => (text("host").expect("it is valid"), parts[1]),
        None => {
            let (_, uri) = parts[1].split_once("://").expect("it is valid");
            uri.split_at(uri.find(['/', '?']).unwrap_or(uri.len()))
        }
    };
    let (path, query) = match rest.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (rest, None),
    };
    let path = if path.is_empty() { "/" } else { path };
    assert_eq!((request.host(), request.path(), request.query()), (host, path, query));
    for policy in POLICIES {
        for required in [false, true] {
            let origins = if required { policy.origins().required() } else { policy.origins() };
            let is_let_in = request.check_origin(&origins).is_ok();
            assert_eq!(is_let_in, policy.allows(head, host, required), "{origins:?}");
        }
    }
    let offered: Vec<&[u8]> = request.subprotocols().map(str::as_bytes).collect();
    assert_eq!(offered, head.elements("sec-websocket-protocol"));
}

/// A refusal is one answer of HTTP, and tells what is wrong.
fn assert_refused(error: HandshakeError) {
    let mut tx = SendBuffer::new();
    refuse(error, &mut tx);
    let answer = tx.transmit().slices().concat();
    let head = head(&answer, usize::MAX, 20).expect("it is whole").expect("it is a head");
    assert_eq!(status(&head).map(|status| status.0), error.status());
    assert!((400..500).contains(&error.status().expect("a client is at fault")));
}

/// The answer to a valid request opens the connection; to another one there is none.
fn assert_accepted(request: &server::Request, config: &Config, asked: &Head, is_valid: bool) {
    let mut tx = SendBuffer::new();
    let accepted = request.accept(&server::Response::default(), config, &mut tx);
    assert_eq!(accepted.is_ok(), is_valid);
    if !is_valid {
        return assert!(tx.is_empty());
    }
    let key = asked.fields.iter().find(|field| field.0.eq_ignore_ascii_case("sec-websocket-key"));
    let key = std::str::from_utf8(&key.expect("it was valid").1).expect("it was valid");
    let answer = tx.transmit().slices().concat();
    let head = head(&answer, usize::MAX, 20).expect("it is whole").expect("it is a head");
    // The window that our client asks for is none, so an answer that names one is right for it too.
    let asked = Asked { key, subprotocols: &[], deflate: Some((15, true)) };
    assert_eq!(status(&head), Some((101, true)));
    assert_eq!(response_faults(&head, true, &asked), []);
}
