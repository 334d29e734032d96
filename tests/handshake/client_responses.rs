//! Which answers open a connection for a client, and how it fails on the others.

use sotong::handshake::client::{Handshake, Outcome, Request};
use sotong::{Event, Role};

use super::*;

/// A response that is accepted, as the lines of its head.
const RESPONSE: [&str; 4] = [
    "HTTP/1.1 101 Switching Protocols",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
];

/// How a handshake ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It has not.
    Pending,
    /// Open, with the chosen subprotocol and these bytes behind the head.
    Open(Option<String>, Vec<u8>),
    /// Status and body of a refusal.
    Refused(u16, Vec<u8>),
}

type Verdict = Result<Ended, HandshakeError>;

/// What a client that offered these subprotocols makes of `bytes`, in portions of `step`.
fn receive(config: &Config, offered: &[&str], bytes: &[u8], step: usize) -> Verdict {
    let mut rx = ReceiveBuffer::with_capacity(config.limits.receive_buffer);
    let request = Request { subprotocols: offered, ..Request::default() };
    let nonce = *b"the sample nonce";
    let mut tx = SendBuffer::new();
    let mut handshake = Handshake::start(&request, config, nonce, || None, &mut tx)?;
    let mut pieces = bytes.chunks(step);
    while let Some(mut piece) = pieces.next() {
        while !piece.is_empty() {
            let taken = rx.extend(piece);
            piece = &piece[taken..];
            match handshake.receive(&mut rx)? {
                None => assert!(taken > 0, "a full buffer gets a verdict"),
                Some(Outcome::Refused(response)) => {
                    return Ok(Ended::Refused(response.status(), response.body().into()));
                }
                Some(Outcome::Open(conn, response)) => {
                    assert_eq!((conn.role(), response.status()), (Role::Client, 101));
                    fill(&mut rx, piece);
                    pieces.for_each(|piece| assert_eq!(rx.extend(piece), piece.len()));
                    let chosen = response.subprotocol().map(Into::into);
                    return Ok(Ended::Open(chosen, rx.unparsed().into()));
                }
            }
        }
    }
    Ok(Ended::Pending)
}

/// The same whole and byte by byte.
pub fn ended(config: &Config, offered: &[&str], bytes: &[u8]) -> Verdict {
    let whole = receive(config, offered, bytes, usize::MAX);
    let trickled = receive(config, offered, bytes, FEWER);
    assert_eq!(whole, trickled, "byte by byte: {}", bytes.escape_ascii());
    whole
}

/// The response with other lines in place of the one that starts with `name`.
fn response_with(name: &str, lines: &[&str]) -> Vec<u8> {
    let mut all = vec![];
    for line in RESPONSE {
        if line.starts_with(name) {
            all.extend(lines);
        } else {
            all.push(line);
        }
    }
    head(&all)
}

fn opened() -> Verdict {
    Ok(Ended::Open(None, vec![]))
}

fn assert_ends(name: &str, table: &[(&[&str], Verdict)]) {
    for (lines, expected) in table {
        let bytes = response_with(name, lines);
        assert_eq!(ended(&Config::default(), &[], &bytes), *expected, "{lines:?}");
    }
}

#[test]
fn the_sample_response_opens_the_connection() {
    assert_eq!(ended(&Config::default(), &[], &head(&RESPONSE)), opened());
    let mixed = [
        "HTTP/1.1 101",
        "sec-websocket-accept:\ts3pPLMBiTxaQ9kYGzzhZRbK+xOo= ",
        "UPGRADE: WebSocket",
        "connection:keep-alive, upgrade",
        "Date: today \u{80}",
    ];
    assert_eq!(ended(&Config::default(), &[], &head(&mixed)), opened());
}

#[test]
fn the_accept_value_answers_the_key_and_stands_there_once() {
    let error = || Err(HandshakeError::BadAccept);
    assert_ends(
        "Sec-WebSocket-Accept",
        &[
            (&[], error()),
            (&["Sec-WebSocket-Accept:"], error()),
            (&["Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo"], error()),
            (&["Sec-WebSocket-Accept: S3pPLMBiTxaQ9kYGzzhZRbK+xOo="], error()),
            (&["Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOp="], error()),
            (&["Sec-WebSocket-Accept: dGhlIHNhbXBsZSBub25jZQ=="], error()),
            (&["Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=x"], error()),
            (&["Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=, x"], error()),
            (&["Sec-WebSocket-Accept: x", RESPONSE[3]], error()),
            (&[RESPONSE[3], RESPONSE[3]], error()),
            (&["Sec-WebSocket-Accept:   s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\t "], opened()),
        ],
    );
}

#[test]
fn upgrade_and_connection_say_what_changes() {
    let error = || Err(HandshakeError::NoUpgrade);
    assert_ends(
        "Upgrade",
        &[
            (&[], error()),
            (&["Upgrade:"], error()),
            (&["Upgrade: websocket, h2c"], error()),
            (&["Upgrade: h2c"], error()),
            (&["Upgrade: websocket2"], error()),
            (&["Upgrade: websocket", "Upgrade: websocket"], error()),
            (&["Upgrade: websocket", "Upgrade: h2c"], error()),
            (&["Upgrade: WEBSOCKET"], opened()),
        ],
    );
    let error = || Err(HandshakeError::NoConnectionUpgrade);
    assert_ends(
        "Connection",
        &[
            (&[], error()),
            (&["Connection:"], error()),
            (&["Connection: close"], error()),
            (&["Connection: xUpgrade"], error()),
            (&["Connection: close", "Connection: upgrade"], opened()),
        ],
    );
}

#[test]
fn the_status_line_is_that_of_http_1_1() {
    let malformed = || Err(HandshakeError::Malformed);
    assert_ends(
        "HTTP",
        &[
            (&["HTTP/1.0 101 Switching Protocols"], Err(HandshakeError::NotHttp11)),
            (&["HTTP/2.0 101 Switching Protocols"], malformed()),
            (&["HTTP/1.1 1O1 Switching Protocols"], malformed()),
            (&["HTTP/1.1 1010"], malformed()),
            (&["HTTP/1.1"], malformed()),
            (&["http/1.1 101 Switching Protocols"], malformed()),
            (&["GET / HTTP/1.1"], malformed()),
            (&[""], malformed()),
            (&["HTTP/1.1 200 OK"], Ok(Ended::Pending)), // its body is waited for
            (&["HTTP/1.1 204 No Content"], Ok(Ended::Refused(204, vec![]))),
        ],
    );
    // The beginning of HTTP/2, and of a TLS alert.
    for bytes in
        [&b"\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x80\r\n\r\n"[..], b"\x15\x03\x01\0\x02\x02\n"]
    {
        assert_eq!(ended(&Config::default(), &[], bytes), malformed());
    }
}

#[test]
fn what_is_no_header_field_fails_the_handshake() {
    let table: [&[u8]; 10] = [
        b"X : a",
        b"X: a\r\n b",
        b"X: a\nY: b",
        b"X: a\rY: b",
        b"X: \0",
        b"X: \x7f",
        b"X y: a",
        b": a",
        b"X\xff: a",
        b"no colon",
    ];
    for line in table {
        let mut bytes = head(&RESPONSE);
        bytes.truncate(bytes.len() - 2);
        bytes.extend([line, b"\r\n\r\n"].concat());
        let result = ended(&Config::default(), &[], &bytes);
        assert_eq!(result, Err(HandshakeError::Malformed), "{}", line.escape_ascii());
    }
}

/// As a server does that wants TLS, with an alert.
#[test]
fn a_server_that_speaks_no_http_is_not_waited_for() {
    for bytes in [&b"\x15\x03\x03\x00\x02\x02\x0a"[..], b" HTTP/1.1", b"\xff"] {
        let result = ended(&Config::default(), &[], bytes);
        assert_eq!(result, Err(HandshakeError::Malformed), "{}", bytes.escape_ascii());
    }
}

#[test]
fn a_subprotocol_is_one_that_was_offered() {
    let chosen = |name: &str| Ok(Ended::Open(Some(name.into()), vec![]));
    let error = || Err(HandshakeError::SubprotocolNotOffered);
    let offered: &[&str] = &["chat", "superchat"];
    let table: [(&[&str], &[&str], Verdict); 9] = [
        (offered, &["Sec-WebSocket-Protocol: superchat"], chosen("superchat")),
        (offered, &["sec-websocket-protocol:chat "], chosen("chat")),
        (offered, &[], opened()),
        (offered, &["Sec-WebSocket-Protocol: other"], error()),
        (offered, &["Sec-WebSocket-Protocol: Chat"], error()),
        (offered, &["Sec-WebSocket-Protocol: chat, superchat"], error()),
        (offered, &["Sec-WebSocket-Protocol: chat", "Sec-WebSocket-Protocol: chat"], error()),
        (offered, &["Sec-WebSocket-Protocol:"], error()),
        (&[], &["Sec-WebSocket-Protocol: chat"], error()),
    ];
    for (offered, lines, expected) in table {
        let bytes = head(&[&RESPONSE, lines].concat());
        assert_eq!(ended(&Config::default(), offered, &bytes), expected, "{lines:?}");
    }
}

#[test]
fn no_extension_and_no_body_come_with_the_upgrade() {
    let table = [
        ("Sec-WebSocket-Extensions: permessage-deflate", HandshakeError::ExtensionNotOffered),
        ("Sec-WebSocket-Extensions: a; a; b=99", HandshakeError::ExtensionNotOffered),
        ("Sec-WebSocket-Extensions:", HandshakeError::BadExtensions),
        ("Content-Length: 5", HandshakeError::UnexpectedBody),
        ("Transfer-Encoding: chunked", HandshakeError::UnexpectedBody),
    ];
    for (line, error) in table {
        let bytes = [head(&[&RESPONSE[..], &[line]].concat()), b"\x81\x03abc".to_vec()].concat();
        assert_eq!(ended(&Config::default(), &[], &bytes), Err(error), "{line}");
    }
    let bytes = head(&[&RESPONSE[..], &["Content-Length: 0"]].concat());
    assert_eq!(ended(&Config::default(), &[], &bytes), opened());
}

#[test]
fn interim_responses_are_passed_over_and_bounded() {
    let interim = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n";
    let bytes = [&interim.repeat(20), &head(&RESPONSE)[..]].concat();
    assert_eq!(ended(&Config::default(), &[], &bytes), opened());
    let bytes = interim.repeat(10_000 / FEWER);
    let error = Err(HandshakeError::HeadTooLarge);
    assert_eq!(ended(&Config::default(), &[], &bytes), error);
    let mut config = Config::default();
    let interim = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
    config.limits.head = 5 * interim.len();
    for (times, expected) in [(5, opened()), (6, error)] {
        let bytes = [&interim.repeat(times), &head(&RESPONSE)[..]].concat();
        assert_eq!(ended(&config, &[], &bytes), expected, "{times}");
    }
}

#[test]
fn endless_heads_end() {
    let mut config = Config::default();
    for (limit, error) in
        [(100, HandshakeError::TooManyLines), (100_000, HandshakeError::HeadTooLarge)]
    {
        config.limits.head_lines = limit;
        let many = [&b"HTTP/1.1 101 \r\n"[..], &b"A: b\r\n".repeat(10_000)].concat();
        assert_eq!(ended(&config, &[], &many), Err(error));
    }
    let long = [&b"HTTP/1.1 101 \r\nX: "[..], &[b'x'; 100_000]].concat();
    assert_eq!(ended(&config, &[], &long), Err(HandshakeError::HeadTooLarge));
    let long = [&b"HTTP/1.1 101 "[..], &[b'x'; 100_000]].concat();
    assert_eq!(ended(&config, &[], &long), Err(HandshakeError::TargetTooLong));
}

#[test]
fn no_byte_in_any_field_breaks_the_client() {
    let names = ["Upgrade", "Connection", "Sec-WebSocket-Accept", "Sec-WebSocket-Protocol", "X"];
    for name in names {
        for byte in (0..=255u8).step_by(FEWER) {
            let mut bytes = response_with(name, &[]);
            bytes.truncate(bytes.len() - 2);
            bytes.extend([name.as_bytes(), b": a", &[byte], b"b\r\n\r\n"].concat());
            let legal = byte == b'\t' || byte >= b' ' && byte != 0x7f;
            match ended(&Config::default(), &["a"], &bytes) {
                Ok(ended) => assert_eq!((name, legal, Ok(ended)), ("X", true, opened())),
                Err(error) => assert_eq!(error == HandshakeError::Malformed, !legal, "{byte:#x}"),
            }
        }
    }
}

#[test]
fn bytes_behind_the_head_are_frames_and_none_is_lost() {
    let behind = b"\x81\x05early\x89\x00";
    let bytes = [&head(&RESPONSE)[..], behind].concat();
    let all = Ok(Ended::Open(None, behind.to_vec()));
    assert_eq!(ended(&Config::default(), &[], &bytes), all);

    let (config, mut tx) = (Config::default(), SendBuffer::new());
    let mut rx = ReceiveBuffer::with_capacity(config.limits.receive_buffer);
    let (request, nonce) = (Request::default(), *b"the sample nonce");
    let mut handshake = Handshake::start(&request, &config, nonce, || None, &mut tx).unwrap();
    fill(&mut rx, &bytes);
    let Ok(Some(Outcome::Open(mut conn, _))) = handshake.receive(&mut rx) else {
        panic!("it is open")
    };
    assert_eq!(conn.next_event(&mut rx), Ok(Some(Event::Text("early"))));
    assert_eq!(conn.next_event(&mut rx), Ok(Some(Event::Ping(b""))));
}

/// Most names are told apart by their length alone.
#[test]
fn a_field_whose_name_is_only_as_long_as_one_that_matters_does_not_stand_for_it() {
    assert_ends("Upgrade", &[(&["Upgrape: websocket"], Err(HandshakeError::NoUpgrade))]);
    let error = HandshakeError::NoConnectionUpgrade;
    assert_ends("Connection", &[(&["Connectors: Upgrade"], Err(error))]);
    for line in ["Content-Weight: 5", "Transfer-Decoding: chunked"] {
        let bytes = head(&[&RESPONSE[..], &[line]].concat());
        assert_eq!(ended(&Config::default(), &[], &bytes), opened(), "{line}");
    }
}
