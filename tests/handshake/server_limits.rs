//! What a client may make a server hold or stumble over before there is a connection.

use sotong::{Event, ProtocolError};

use super::*;

/// Limits of 8 KiB and 100 lines, whatever the default ones are.
fn config() -> Config {
    let mut config = Config::default();
    (config.limits.head, config.limits.head_lines) = (8 * 1024, 100);
    config
}

/// A request of exactly `len` bytes.
fn padded(len: usize) -> Vec<u8> {
    let bare = with_more(&["X: "]).len();
    with_more(&[&format!("X: {}", "x".repeat(len - bare))])
}

#[test]
fn a_head_is_as_large_as_its_limit_and_no_larger() {
    let config = config();
    for len in [8191, 8192] {
        assert_eq!(answer_with(&config, &padded(len)), ACCEPTED);
    }
    assert_eq!(status(&answer_with(&config, &padded(8193))), 431);
    let receive = |bytes: &[u8]| receive(&config, bytes, 1000).map(|request| request.is_some());
    assert_eq!(receive(&padded(8193)), Err(HandshakeError::HeadTooLarge));
    assert_eq!(receive(&padded(8192)[..8191]), Ok(false));
}

#[test]
fn a_buffer_that_is_smaller_than_the_limit_bounds_the_head_too() {
    let mut config = Config::default();
    config.limits.receive_buffer = 512;
    assert_eq!(answer_with(&config, &padded(512)), ACCEPTED);
    assert_eq!(status(&answer_with(&config, &padded(513))), 431);
}

const MANY: usize = 100_000 / (FEWER * FEWER);

#[test]
fn a_head_has_as_many_lines_as_its_limit_and_no_more() {
    let answer = |bytes: &[u8]| answer_with(&config(), bytes);
    for (further, expected) in [(93, 101), (94, 101), (95, 431), (MANY, 431)] {
        let same = vec!["A:"; further];
        assert_eq!(status(&answer(&with_more(&same))), expected, "{further} lines of one name");
        let names: Vec<String> = (0..further).map(|i| format!("A{i}: b")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        assert_eq!(status(&answer(&with_more(&names))), expected, "{further} lines");
    }
}

#[test]
fn a_first_line_beyond_the_limit_is_a_uri_too_long() {
    let answer = |bytes: &[u8]| answer_with(&config(), bytes);
    let line = format!("GET /{} HTTP/1.1", "x".repeat(64 * 1024));
    assert_eq!(status(&answer(&with("GET", &[&line]))), 414);
    let line = format!("GET /{} HTTP/1.1", "x".repeat(7000));
    assert_eq!(answer(&with("GET", &[&line])), ACCEPTED);
    assert_eq!(status(&answer(&[b'A'; 10_000])), 414);
}

#[test]
fn a_head_that_never_ends_is_refused_at_the_limit() {
    let endless = [b"GET / HTTP/1.1\r\nX: ", &[b'x'; (1 << 20) / FEWER][..]].concat();
    assert_eq!(status(&answer(&endless)), 431);
    assert_eq!(answer(b"GET / HTTP/1.1\r\nHost: a\r\n"), "", "it is waited for");
    assert_eq!(answer(b""), "");
}

#[test]
fn no_byte_in_any_field_breaks_the_server() {
    let names = [
        "Host",
        "Upgrade",
        "Connection",
        "Sec-WebSocket-Key",
        "Sec-WebSocket-Version",
        "Sec-WebSocket-Protocol",
        "Sec-WebSocket-Extensions",
        "Origin",
        "X",
    ];
    for name in names {
        for byte in (0..=255u8).step_by(FEWER) {
            for value in [&[byte][..], &[b'a', byte, b'b']] {
                let mut bytes = with(name, &[]);
                bytes.truncate(bytes.len() - 2);
                bytes.extend([name.as_bytes(), b": ", value, b"\r\n\r\n"].concat());
                let answer = answer(&bytes);
                let opaque = matches!(name, "Origin" | "X");
                let legal = byte == b'\t' || byte >= b' ' && byte != 0x7f;
                match status(&answer) {
                    403 => assert!(legal && name == "Origin", "{name} {byte:#x}"),
                    101 => assert!(legal && name != "Origin", "{name} {byte:#x}"),
                    400 => assert!(!opaque || !legal, "{name} {byte:#x}"),
                    status => assert_eq!((status, legal), (426, true), "{name} {byte:#x}"),
                }
            }
        }
    }
}

#[test]
fn no_byte_in_the_first_line_breaks_the_server() {
    for byte in (0..=255u8).step_by(FEWER) {
        for line in [&b"GET /a\x00b HTTP/1.1"[..], b"GE\x00 / HTTP/1.1", b"GET / HTTP/1.\x00"] {
            let line: Vec<u8> = line.iter().map(|b| if *b == 0 { byte } else { *b }).collect();
            let rest = head(&REQUEST[1..]);
            let answer = answer(&[&line, &b"\r\n"[..], &rest].concat());
            assert!(matches!(status(&answer), 101 | 400 | 405), "{byte:#x} {answer}");
            assert!(byte < 0x7f || status(&answer) == 400, "{byte:#x}");
        }
    }
}

#[test]
fn a_head_cut_anywhere_is_waited_for() {
    let bytes = with_more(&["X: y"]);
    for end in (0..bytes.len()).step_by(FEWER) {
        assert_eq!(answer(&bytes[..end]), "", "{end}");
    }
}

#[test]
fn no_line_ends_with_a_bare_line_feed_whatever_comes_behind_the_head() {
    let bytes = with_more(&["X: y", "Y:", "Z: "]);
    let ends = bytes.windows(2).enumerate().filter(|(_, end)| end == b"\r\n");
    for (cr, _) in ends.step_by(FEWER.min(3)) {
        let mut bytes = bytes.clone();
        bytes.remove(cr);
        for behind in ["", "\r\n", "\r\n\r\n", "GET / HTTP/1.1\r\n\r\n"] {
            let answer = answer(&[&bytes[..], behind.as_bytes()].concat());
            assert_eq!(status(&answer), 400, "{cr} {behind:?}");
        }
    }
}

#[test]
fn bytes_behind_the_head_are_frames_and_none_is_lost() {
    let bytes = [&head(&REQUEST)[..], b"\x81\x85\0\0\0\0early\x89\x80\0\0\0\0"].concat();
    let config = Config::default();
    for cut in 1..bytes.len() {
        let mut rx = ReceiveBuffer::with_capacity(config.limits.receive_buffer);
        let (mut handshake, mut tx) = (Handshake::new(&config), SendBuffer::new());
        fill(&mut rx, &bytes[..cut]);
        let request = handshake.receive(&mut rx).unwrap();
        fill(&mut rx, &bytes[cut..]);
        let request = request.or_else(|| handshake.receive(&mut rx).unwrap()).unwrap();
        let mut conn = request.accept(&Response::default(), &config, &mut tx).unwrap();
        assert_eq!(conn.next_event(&mut rx), Ok(Some(Event::Text("early"))), "{cut}");
        assert_eq!(conn.next_event(&mut rx), Ok(Some(Event::Ping(b""))));
        assert_eq!(conn.next_event(&mut rx), Ok(None));
        assert!(rx.is_empty());
    }
}

#[test]
fn a_second_request_behind_an_upgrade_is_no_http() {
    let config = Config::default();
    let mut rx = ReceiveBuffer::with_capacity(config.limits.receive_buffer);
    let (mut handshake, mut tx) = (Handshake::new(&config), SendBuffer::new());
    fill(&mut rx, &head(&REQUEST).repeat(2));
    let request = handshake.receive(&mut rx).unwrap().unwrap();
    let mut conn = request.accept(&Response::default(), &config, &mut tx).unwrap();
    // 'G' is a first byte with RSV1 and the reserved opcode 7.
    assert_eq!(conn.next_event(&mut rx), Err(ProtocolError::ReservedOpcode));
    conn.poll_transmit(&mut tx);
    assert!(tx.transmit().slices().concat().ends_with(b"\r\n\r\n\x88\x02\x03\xea"));
}
