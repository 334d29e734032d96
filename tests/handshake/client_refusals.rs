//! A refusal is an outcome with a status, fields and a bounded body.

use sotong::handshake::client::{Handshake, Outcome, Request};

use super::client_responses::{Ended, ended};
use super::*;

fn refused(status: u16, body: &[u8]) -> Result<Ended, HandshakeError> {
    Ok(Ended::Refused(status, body.into()))
}

/// A handshake that got `bytes`.
fn handshake_with(bytes: &[u8]) -> (Handshake, Result<Option<Outcome>, HandshakeError>) {
    let (config, mut tx) = (Config::default(), SendBuffer::new());
    let mut rx = ReceiveBuffer::with_capacity(config.limits.receive_buffer);
    let mut handshake =
        Handshake::start(&Request::default(), &config, [0; 16], || None, &mut tx).unwrap();
    fill(&mut rx, bytes);
    let received = handshake.receive(&mut rx);
    (handshake, received)
}

#[test]
fn a_body_ends_with_its_length() {
    let table: [(&[u8], Result<Ended, HandshakeError>); 9] = [
        (b"HTTP/1.1 401 \r\nContent-Length: 5\r\n\r\nhello", refused(401, b"hello")),
        (b"HTTP/1.1 401 \r\nContent-Length: 5\r\n\r\nhello and more", refused(401, b"hello")),
        (b"HTTP/1.1 404 \r\nContent-Length: 5\r\n\r\nhell", Ok(Ended::Pending)),
        (b"HTTP/1.1 404 \r\ncontent-length:\t0\r\n\r\n", refused(404, b"")),
        (b"HTTP/1.0 500 \r\nContent-Length: 2\r\n\r\nno", refused(500, b"no")),
        (b"HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nok", refused(200, b"ok")),
        (b"HTTP/1.1 204 \r\nContent-Length: 5\r\n\r\n", refused(204, b"")),
        (b"HTTP/1.1 304 \r\n\r\n", refused(304, b"")),
        (b"HTTP/1.1 103 \r\n\r\nHTTP/1.1 503 \r\nContent-Length: 1\r\n\r\n!", refused(503, b"!")),
    ];
    for (bytes, expected) in table {
        assert_eq!(ended(&Config::default(), &[], bytes), expected, "{}", bytes.escape_ascii());
    }
}

#[test]
fn a_body_in_chunks_ends_with_the_empty_one() {
    let head = b"HTTP/1.1 400 \r\nTransfer-Encoding: gzip, Chunked\r\nContent-Length: 1\r\n\r\n";
    let table: [(&[u8], Result<Ended, HandshakeError>); 8] = [
        (b"0\r\n\r\n", refused(400, b"")),
        (b"5\r\nhello\r\n0\r\n\r\n", refused(400, b"hello")),
        (b"2;x=y\r\nhe\r\n00003\r\nllo\r\n0\r\nTrailer: a\r\n\r\n", refused(400, b"hello")),
        (b"A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n", refused(400, b"01234567890123456789")),
        (b"5\r\nhello\r\n", Ok(Ended::Pending)),
        (b"5\r\nhel", Ok(Ended::Pending)),
        (b"5\r\nhello\r\nno size\r\n", refused(400, b"hello")),
        (b"5\r\nhello\r\nfffffffffffffffff\r\n", refused(400, b"hello")),
    ];
    for (body, expected) in table {
        let bytes = [&head[..], body].concat();
        assert_eq!(ended(&Config::default(), &[], &bytes), expected, "{}", body.escape_ascii());
    }
}

/// The line is not kept, so that only its end bounds it.
#[test]
fn the_line_before_a_chunk_ends_within_256_bytes_or_the_body_does() {
    let head = b"HTTP/1.1 400 \r\nTransfer-Encoding: chunked\r\n\r\n";
    let line = [b"5;", &[b'x'; 254][..]].concat();
    for (len, expected) in [(255, Ok(Ended::Pending)), (256, refused(400, b""))] {
        let bytes = [&head[..], &line[..len]].concat();
        assert_eq!(ended(&Config::default(), &[], &bytes), expected, "{len}");
    }
    // However much of it comes at once.
    for (len, expected) in [(254, refused(400, b"hello")), (255, refused(400, b""))] {
        let bytes = [&head[..], &line[..len], b"\r\nhello\r\n0\r\n\r\n"].concat();
        assert_eq!(ended(&Config::default(), &[], &bytes), expected, "{len}");
    }
}

#[test]
fn a_body_without_a_length_ends_with_the_stream() {
    for (bytes, status, body) in [
        (&b"HTTP/1.1 403 \r\n\r\nhello"[..], 403, &b"hello"[..]),
        (
            b"HTTP/1.1 403 \r\nTransfer-Encoding: gzip\r\nContent-Length: 2\r\n\r\nhello",
            403,
            b"hello",
        ),
        (b"HTTP/1.1 500 \r\nContent-Length: x\r\n\r\n", 500, b""),
        (b"HTTP/1.1 500 \r\nContent-Length: 9\r\n\r\nshort", 500, b"short"),
        (b"HTTP/1.1 500 \r\nTransfer-Encoding: chunked\r\n\r\n9\r\nshort", 500, b"short"),
    ] {
        let (mut handshake, received) = handshake_with(bytes);
        assert!(matches!(received, Ok(None)), "{received:?}");
        let Ok(Outcome::Refused(response)) = handshake.handle_eof() else { panic!("refused") };
        assert_eq!((response.status(), response.body()), (status, body));
    }
}

#[test]
fn the_end_of_the_stream_within_a_head_is_an_error() {
    for bytes in [&b""[..], b"HTTP/1.1 101 \r\nUpgrade: websocket\r\n", b"HTTP/1.1 100 \r\n\r\n"] {
        let (mut handshake, received) = handshake_with(bytes);
        assert!(matches!(received, Ok(None)), "{received:?}");
        let ended = handshake.handle_eof().map(drop);
        assert_eq!(ended, Err(HandshakeError::UnexpectedEof));
    }
}

#[test]
fn of_a_body_no_more_is_kept_than_its_limit() {
    let mut config = Config::default();
    let chunk = [&b"400\r\n"[..], &[b'x'; 1024], b"\r\n"].concat();
    let bodies: [(&[u8], Vec<u8>); 3] = [
        (b"HTTP/1.1 500 \r\nContent-Length: 1048576\r\n\r\n", vec![b'x'; (1 << 20) / FEWER]),
        (b"HTTP/1.1 500 \r\nTransfer-Encoding: chunked\r\n\r\n", chunk.repeat(1024 / FEWER)),
        (b"HTTP/1.1 500 \r\n\r\n", vec![b'x'; (1 << 20) / FEWER]),
    ];
    for limit in [0, 1, 1000, 1500, 16 * 1024] {
        config.limits.refusal_body = limit;
        for (head, body) in &bodies {
            let bytes = [head, &body[..]].concat();
            let expected = refused(500, &vec![b'x'; limit]);
            assert!(ended(&config, &[], &bytes) == expected, "{limit} {}", head.escape_ascii());
        }
    }
}

#[test]
fn a_redirect_is_told_with_its_fields_and_not_followed() {
    for status in [301, 302, 303, 307, 308] {
        let bytes = format!(
            "HTTP/1.1 {status} \r\nLocation: http://other/\r\nX: \u{80}\r\nContent-Length: 0\r\n\r\n"
        );
        let (_, received) = handshake_with(bytes.as_bytes());
        let Ok(Some(Outcome::Refused(response))) = received else { panic!("refused") };
        let location = response.headers().text("location");
        assert_eq!((response.status(), location), (status, Some("http://other/")));
        assert_eq!(response.headers().get("X"), Some("\u{80}".as_bytes()));
    }
}

#[test]
fn a_200_with_all_the_fields_of_an_upgrade_is_a_refusal() {
    let bytes =
        b"HTTP/1.1 200 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: 0\r\n\
        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    assert_eq!(ended(&Config::default(), &[], bytes), refused(200, b""));
}
