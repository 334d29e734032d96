//! The opening handshake (RFC 6455, section 4): heads in, answers out, whole and byte by byte.

mod client_refusals;
mod client_requests;
mod client_responses;
mod origins;
mod refusals;
mod server_answers;
mod server_limits;
mod server_requests;

use sotong::handshake::HandshakeError;
use sotong::handshake::server::{Handshake, Request, Response, refuse};
use sotong::{Config, ReceiveBuffer, SendBuffer};

/// A request that is accepted, as the lines of its head.
const REQUEST: [&str; 6] = [
    "GET /chat HTTP/1.1",
    "Host: example.com",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
];

/// An interpreter takes a thousand times as long: what is long is smaller by this, of all bytes or
/// cuts it tries every so-manieth, and what comes byte by byte comes in portions of this.
const FEWER: usize = if cfg!(miri) { 17 } else { 1 };

const ACCEPTED: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

fn head(lines: &[&str]) -> Vec<u8> {
    [lines, &["", ""]].concat().join("\r\n").into_bytes()
}

/// The request with other lines, or none, in place of the one that starts with `name`.
fn with(name: &str, lines: &[&str]) -> Vec<u8> {
    let mut all = vec![];
    for line in REQUEST {
        if line.starts_with(name) {
            all.extend(lines);
        } else {
            all.push(line);
        }
    }
    head(&all)
}

/// The request with further lines.
fn with_more(lines: &[&str]) -> Vec<u8> {
    head(&[&REQUEST, lines].concat())
}

/// Puts all of `bytes` into the buffer.
fn fill(rx: &mut ReceiveBuffer, bytes: &[u8]) {
    assert_eq!(rx.extend(bytes), bytes.len(), "there is room for them");
}

/// The request, once it is there, and what is left behind it.
fn receive(config: &Config, bytes: &[u8], step: usize) -> Result<Option<Request>, HandshakeError> {
    let mut rx = ReceiveBuffer::with_capacity(config.limits.receive_buffer);
    let mut handshake = Handshake::new(config);
    for mut piece in bytes.chunks(step) {
        while !piece.is_empty() {
            let taken = rx.extend(piece);
            piece = &piece[taken..];
            if let Some(request) = handshake.receive(&mut rx)? {
                return Ok(Some(request));
            }
            assert!(taken > 0, "a full buffer gets a verdict");
        }
    }
    Ok(None)
}

/// What a server that accepts every valid request answers; nothing while it waits for more.
fn answer_with(config: &Config, bytes: &[u8]) -> String {
    let answers = [usize::MAX, FEWER].map(|step| {
        let mut tx = SendBuffer::new();
        let result = receive(config, bytes, step).and_then(|request| {
            let Some(request) = request else { return Ok(()) };
            request.accept(&Response::default(), config, &mut tx).map(drop)
        });
        if let Err(error) = result {
            assert!(tx.is_empty());
            refuse(error, &mut tx);
        }
        String::from_utf8(tx.transmit().slices().concat()).unwrap()
    });
    assert_eq!(answers[0], answers[1], "byte by byte: {}", bytes.escape_ascii());
    answers.into_iter().next().unwrap()
}

fn answer(bytes: &[u8]) -> String {
    answer_with(&Config::default(), bytes)
}

fn status(answer: &str) -> u16 {
    answer.strip_prefix("HTTP/1.1 ").and_then(|rest| rest[..3].parse().ok()).unwrap_or(0)
}
