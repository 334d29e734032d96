//! What a client asks for, and what it may not ask.

use sotong::handshake::client::{Handshake, Request};

use super::*;

/// 16 bytes that are `dGhlIHNhbXBsZSBub25jZQ==` in base64.
const NONCE: [u8; 16] = *b"the sample nonce";

fn start(request: &Request<'_>) -> Result<String, HandshakeError> {
    let mut tx = SendBuffer::new();
    let started = Handshake::start(request, Config::default(), NONCE, || None, &mut tx);
    let queued = String::from_utf8(tx.transmit().slices().concat()).unwrap();
    match started {
        Ok(_) => Ok(queued),
        Err(error) => {
            assert_eq!(queued, "", "nothing is queued");
            Err(error)
        }
    }
}

#[test]
fn a_request_has_all_that_the_protocol_demands_and_nothing_else() {
    let plain = "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    assert_eq!(start(&Request::default()), Ok(plain.into()));

    let request = Request {
        host: "[::1]:8080",
        target: "/chat?room=%20",
        origin: Some("http://a"),
        subprotocols: &["chat", "superchat"],
        headers: &[("Authorization", "Bearer b"), ("X", "")],
    };
    let full = "GET /chat?room=%20 HTTP/1.1\r\nHost: [::1]:8080\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: http://a\r\n\
        Sec-WebSocket-Protocol: chat, superchat\r\nAuthorization: Bearer b\r\nX: \r\n\r\n";
    assert_eq!(start(&request), Ok(full.into()));
}

#[test]
fn a_host_of_ours_is_one_host() {
    for host in ["", "a b", "a\r\nX: b", "a\0", "u@a", "a/b", "a, b", "[::1", "a:b", "소통", ":80"]
    {
        let request = Request { host, ..Request::default() };
        assert_eq!(start(&request), Err(HandshakeError::ForbiddenHost), "{host:?}");
    }
}

#[test]
fn a_target_of_ours_is_a_path() {
    let table = [
        "",
        "a",
        "*",
        "//a",
        "http://a/",
        "/a b",
        "/a\r\nX: b",
        "/\0",
        "/a#b",
        "/소통",
        "/\t",
        "/\x7f",
    ];
    for target in table {
        let request = Request { target, ..Request::default() };
        assert_eq!(start(&request), Err(HandshakeError::ForbiddenTarget), "{target:?}");
    }
}

#[test]
fn subprotocols_of_ours_are_distinct_tokens() {
    let table: [&[&str]; 7] =
        [&[""], &["a b"], &["a, b"], &["a", "b", "a"], &["a\r\n"], &["소통"], &["\0"]];
    for subprotocols in table {
        let request = Request { subprotocols, ..Request::default() };
        assert_eq!(start(&request), Err(HandshakeError::ForbiddenSubprotocol), "{subprotocols:?}");
    }
}

#[test]
fn an_origin_of_ours_stays_on_its_line() {
    for origin in ["a\r\nX: b", "a\n", "\0", " a"] {
        let request = Request { origin: Some(origin), ..Request::default() };
        assert_eq!(start(&request), Err(HandshakeError::ForbiddenHeader), "{origin:?}");
    }
}

#[test]
fn no_field_breaks_out_of_its_line_or_stands_in_for_the_handshakes_own() {
    let table = [
        (("X", "a\r\nY: b"), HandshakeError::ForbiddenHeader),
        (("X", "a\0"), HandshakeError::ForbiddenHeader),
        (("X\r\nY", "a"), HandshakeError::ForbiddenHeader),
        (("", "a"), HandshakeError::ForbiddenHeader),
        (("Host", "b"), HandshakeError::ReservedHeader),
        (("UPGRADE", "b"), HandshakeError::ReservedHeader),
        (("Connection", "b"), HandshakeError::ReservedHeader),
        (("Content-Length", "5"), HandshakeError::ReservedHeader),
        (("Transfer-Encoding", "chunked"), HandshakeError::ReservedHeader),
        (("Sec-WebSocket-Key", "b"), HandshakeError::ReservedHeader),
        (("sec-websocket-extensions", "b"), HandshakeError::ReservedHeader),
    ];
    for (field, error) in table {
        let request = Request { headers: &[("X-Good", "a"), field], ..Request::default() };
        assert_eq!(start(&request), Err(error), "{field:?}");
    }
}

#[test]
fn each_nonce_makes_its_own_key() {
    let key = |nonce| {
        let mut tx = SendBuffer::new();
        let request = Request::default();
        Handshake::start(&request, Config::default(), nonce, || None, &mut tx).unwrap();
        let queued = String::from_utf8(tx.transmit().slices().concat()).unwrap();
        queued.lines().find_map(|l| l.strip_prefix("Sec-WebSocket-Key: ")).unwrap().to_owned()
    };
    assert_eq!(key([0; 16]), "AAAAAAAAAAAAAAAAAAAAAA==");
    assert_eq!(key([0xff; 16]), "/////////////////////w==");
}
