//! Which requests a server accepts, and how it refuses the others.

use sotong::handshake::accept_value;

use super::*;

/// Each row of a table of lines that stand in place of the one that starts with `name`.
fn assert_statuses(name: &str, table: &[(&[&str], u16)]) {
    for (lines, expected) in table {
        let answer = answer(&with(name, lines));
        assert_eq!(status(&answer), *expected, "{lines:?}: {answer}");
        match expected {
            101 => assert_eq!(answer, ACCEPTED, "{lines:?}"),
            405 => assert!(answer.contains("\r\nAllow: GET\r\n"), "{answer}"),
            426 => {
                assert!(answer.contains("\r\nUpgrade: websocket\r\n"), "{answer}");
                assert!(answer.contains("\r\nSec-WebSocket-Version: 13\r\n"), "{answer}");
                assert!(answer.contains("\r\nConnection: Upgrade, close\r\n"), "{answer}");
            }
            _ => {}
        }
    }
}

#[test]
fn the_sample_request_is_accepted_with_the_sample_answer() {
    assert_eq!(answer(&head(&REQUEST)), ACCEPTED);
    assert_eq!(accept_value("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

#[test]
fn the_names_of_fields_and_their_tokens_have_any_case() {
    let mixed = [
        "GET /chat HTTP/1.1",
        "hOST:example.com",
        "UPGRADE:\tWebSocket ",
        "connection: UPGRADE",
        "sec-websocket-key:   dGhlIHNhbXBsZSBub25jZQ==  ",
        "SEC-WEBSOCKET-VERSION: 13\t",
    ];
    assert_eq!(answer(&head(&mixed)), ACCEPTED);
}

#[test]
fn the_first_line_is_a_get_of_http_1_1() {
    assert_statuses(
        "GET",
        &[
            (&["POST /chat HTTP/1.1"], 405),
            (&["HEAD /chat HTTP/1.1"], 405),
            (&["get /chat HTTP/1.1"], 405),
            (&["CONNECT /chat HTTP/1.1"], 405),
            (&["GET /chat HTTP/1.0"], 400),
            (&["POST /chat HTTP/1.0"], 400),
            (&["GET /chat HTTP/1.2"], 400),
            (&["GET /chat HTTP/2.0"], 400),
            (&["GET /chat http/1.1"], 400),
            (&["GET /chat"], 400),
            (&["GET /chat "], 400),
            (&["GET /chat HTTP/1.1 "], 400),
            (&["GET /chat HTTP/1.1 junk"], 400),
            (&["GET  /chat HTTP/1.1"], 400),
            (&["GET /chat  HTTP/1.1"], 400),
            (&[" GET /chat HTTP/1.1"], 400),
            (&["GET\t/chat HTTP/1.1"], 400),
            (&["G@T /chat HTTP/1.1"], 400),
            (&[], 400),
        ],
    );
    assert_eq!(status(&answer(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")), 400);
    assert_eq!(status(&answer(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n")), 400);
}

#[test]
fn the_target_is_a_resource() {
    assert_statuses(
        "GET",
        &[
            (&["GET / HTTP/1.1"], 101),
            (&["GET /a/b?c=d&e=%20 HTTP/1.1"], 101),
            (&["GET /? HTTP/1.1"], 101),
            (&["GET http://h/x HTTP/1.1"], 101),
            (&["GET HTTP://h:80/x?y HTTP/1.1"], 101),
            (&["GET ws://h HTTP/1.1"], 101),
            (&["GET wss://[::1]:9?x HTTP/1.1"], 101),
            (&["GET * HTTP/1.1"], 400),
            (&["GET //x HTTP/1.1"], 400),
            (&["GET example.com:80 HTTP/1.1"], 400),
            (&["GET chat HTTP/1.1"], 400),
            (&["GET /a#b HTTP/1.1"], 400),
            (&["GET http://h/#b HTTP/1.1"], 400),
            (&["GET ftp://h/x HTTP/1.1"], 400),
            (&["GET http:///x HTTP/1.1"], 400),
            (&["GET http://u@h/x HTTP/1.1"], 400),
            (&["GET http://h:x/ HTTP/1.1"], 400),
            (&["GET /a b HTTP/1.1"], 400),
            (&["GET /소통 HTTP/1.1"], 400),
            (&["GET /\x7f HTTP/1.1"], 400),
            (&["GET /\0 HTTP/1.1"], 400),
        ],
    );
}

#[test]
fn the_parts_of_a_request_are_told() {
    // (target, host, path, query)
    let table = [
        ("/chat?room=1&x", "example.com", "/chat", Some("room=1&x")),
        ("/", "example.com", "/", None),
        ("/?", "example.com", "/", Some("")),
        ("/a?b?c", "example.com", "/a", Some("b?c")),
        ("/a?b=http://c/d", "example.com", "/a", Some("b=http://c/d")),
        ("http://h", "h", "/", None),
        ("http://h?x", "h", "/", Some("x")),
        ("http://h/x", "h", "/x", None),
        ("wss://[::1]:1/x/y?z", "[::1]:1", "/x/y", Some("z")),
    ];
    for (target, host, path, query) in table {
        let line = format!("GET {target} HTTP/1.1");
        let bytes = with("GET", &[&line, "Origin: http://o", "X: 1", "x: \t2 "]);
        let request = receive(&Config::default(), &bytes, 7).unwrap().unwrap();
        assert_eq!((request.method(), request.target()), ("GET", target));
        let parts = (request.host(), request.path(), request.query());
        assert_eq!(parts, (host, path, query), "{target}");
        assert_eq!(request.origin(), Some("http://o"));
        assert!(request.headers().all("X").eq([b"1", b"2"]));
        assert_eq!(
            (request.headers().text("HOST"), request.upgrade()),
            (Some("example.com"), Ok(()))
        );
    }
}

#[test]
fn there_is_one_valid_host() {
    assert_statuses(
        "Host",
        &[
            (&[], 400),
            (&["Host:"], 400),
            (&["Host: a", "Host: b"], 400),
            (&["Host: a", "Host: a"], 400),
            (&["Host: a, b"], 400),
            (&["Host: [::1"], 400),
            (&["Host: a:b"], 400),
            (&["Host: a:99999"], 400),
            (&["Host: a/b"], 400),
            (&["Host: u@a"], 400),
            (&["Host: 소통"], 400),
            (&["Host: [::1]:8080"], 101),
            (&["Host: 127.0.0.1:1"], 101),
        ],
    );
}

#[test]
fn upgrade_names_websocket() {
    assert_statuses(
        "Upgrade",
        &[
            (&[], 426),
            (&["Upgrade:"], 426),
            (&["Upgrade: websocket2"], 426),
            (&["Upgrade: notupgrade"], 426),
            (&["Upgrade: web socket"], 426),
            (&["Upgrade: h2c"], 426),
            (&["Upgrade: h2c, WebSocket"], 101),
            (&["Upgrade: h2c", "Upgrade: websocket"], 101),
            (&["Upgrade: websocket", "Upgrade: websocket"], 101),
        ],
    );
}

#[test]
fn connection_names_upgrade() {
    assert_statuses(
        "Connection",
        &[
            (&[], 400),
            (&["Connection:"], 400),
            (&["Connection: xUpgrade"], 400),
            (&["Connection: Upgrade2"], 400),
            (&["Connection: keep-alive"], 400),
            (&["Connection: keep-alive, Upgrade"], 101),
            (&["Connection: ,upgrade ,"], 101),
            (&["Connection: keep-alive", "Connection: Upgrade"], 101),
        ],
    );
}

#[test]
fn the_version_is_13_and_stands_there_once() {
    assert_statuses(
        "Sec-WebSocket-Version",
        &[
            (&[], 426),
            (&["Sec-WebSocket-Version:"], 426),
            (&["Sec-WebSocket-Version: 8"], 426),
            (&["Sec-WebSocket-Version: 7"], 426),
            (&["Sec-WebSocket-Version: 0"], 426),
            (&["Sec-WebSocket-Version: 013"], 426),
            (&["Sec-WebSocket-Version: 13, 8"], 426),
            (&["Sec-WebSocket-Version: 13", "Sec-WebSocket-Version: 8"], 400),
            (&["Sec-WebSocket-Version: 8", "Sec-WebSocket-Version: 13"], 400),
            (&["Sec-WebSocket-Version: 13", "Sec-WebSocket-Version: 13"], 400),
        ],
    );
}

#[test]
fn there_is_one_key_of_16_bytes() {
    assert_statuses(
        "Sec-WebSocket-Key",
        &[
            (&[], 400),
            (&["Sec-WebSocket-Key:"], 400),
            (
                &[
                    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
                    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
                ],
                400,
            ),
            (
                &[
                    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
                    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
                ],
                400,
            ),
            (&["Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAA"], 400), // 15 bytes
            (&["Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAAA="], 400), // 17 bytes
            (&["Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAAAA"], 400), // 18 bytes
            (&["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ="], 400),
            (&["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ"], 400),
            (&["Sec-WebSocket-Key: dGhl!HNhbXBsZSBub25jZQ=="], 400),
            (&["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==x"], 400),
            (&["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ== x"], 400),
            (&["Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAB=="], 400), // non-zero unused bits
        ],
    );
    let long = format!("Sec-WebSocket-Key: {}", "A".repeat(1 << 20));
    assert_eq!(status(&answer(&with("Sec-WebSocket-Key", &[&long]))), 431);
}

#[test]
fn an_upgrade_has_no_body() {
    let table: [(&[&str], u16); 6] = [
        (&["Content-Length: 5"], 400),
        (&["Content-Length: 00"], 400),
        (&["Content-Length: 0", "Content-Length: 5"], 400),
        (&["Transfer-Encoding: chunked"], 400),
        (&["Content-Length: 5", "Transfer-Encoding: chunked"], 400),
        (&["Content-Length: 0"], 101),
    ];
    for (lines, expected) in table {
        let bytes = [with_more(lines), b"hello".to_vec()].concat();
        assert_eq!(status(&answer(&bytes)), expected, "{lines:?}");
    }
}

#[test]
fn a_head_that_is_not_http_is_refused() {
    let rest = String::from_utf8(head(&REQUEST[1..])).unwrap();
    let table: [&[u8]; 14] = [
        b"Upgrade : websocket",
        b"X: a\r\n b",
        b"X: a\r\n\tb",
        b"X: a\nY: b",
        b"X: a\rY: b",
        b"X: a\r\r",
        b"X: \0",
        b"X: \x01",
        b"X: \x7f",
        b"X\0: a",
        b"X\xff: a",
        b"X y: a",
        b": a",
        b"no colon",
    ];
    for line in table {
        let bytes = [b"GET /chat HTTP/1.1\r\n", line, b"\r\n", rest.as_bytes()].concat();
        assert_eq!(status(&answer(&bytes)), 400, "{}", line.escape_ascii());
    }
    let lines = REQUEST.join("\n");
    assert_eq!(status(&answer(format!("{lines}\n\n").as_bytes())), 400);
    assert_eq!(status(&answer(b"\r\n\r\n")), 400);
    assert_eq!(answer(&[b"\r\n", &head(&REQUEST)[..]].concat()), ACCEPTED, "one empty line before");
}

/// Nobody waits for the end of a line that never comes: these are answered at their first byte.
#[test]
fn who_speaks_no_http_is_refused_at_once() {
    for first in 0..=u8::MAX {
        let may_begin = first == b'\r' || first.is_ascii_graphic();
        let expected = if may_begin { "" } else { "HTTP/1.1 400" };
        assert!(answer(&[first]).starts_with(expected), "{first:#x}");
        assert_eq!(answer(&[first]).is_empty(), may_begin, "{first:#x}");
    }
    let client_hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    assert_eq!(status(&answer(client_hello)), 400);
}

#[test]
fn subprotocols_are_distinct_tokens() {
    let long = format!("Sec-WebSocket-Protocol: {}", "a".repeat(70_000));
    let table: [(&[&str], u16); 12] = [
        (&["Sec-WebSocket-Protocol: chat, superchat"], 101),
        (&["Sec-WebSocket-Protocol: chat", "sec-websocket-protocol: Chat"], 101),
        (&["Sec-WebSocket-Protocol:"], 400),
        (&["Sec-WebSocket-Protocol: a,,b"], 400),
        (&["Sec-WebSocket-Protocol: a,"], 400),
        (&["Sec-WebSocket-Protocol: a,a"], 400),
        (&["Sec-WebSocket-Protocol: a, b", "Sec-WebSocket-Protocol: c, a"], 400),
        (&["Sec-WebSocket-Protocol: a b"], 400),
        (&["Sec-WebSocket-Protocol: @"], 400),
        (&["Sec-WebSocket-Protocol: \"a\""], 400),
        (&["Sec-WebSocket-Protocol: 소통"], 400),
        (&[&long], 431),
    ];
    for (lines, expected) in table {
        assert_eq!(status(&answer(&with_more(lines))), expected, "{lines:?}");
    }
}

#[test]
fn extensions_follow_their_grammar_and_none_is_agreed_to() {
    let table = [
        ("permessage-deflate; client_max_window_bits", 101),
        ("permessage-deflate; x, foo; a=\"b\"", 101),
        ("a; b; c=1 ;\td=\"2\"; b", 101),
        ("constructor", 101),
        ("a,, b", 101),
        ("a; b=\"\\c\"", 101),
        ("", 400),
        (";", 400),
        (",", 400),
        ("a; b=\"\\c\\c\\c", 400),
        ("a; b=\"c d\"", 400),
        ("a; b=", 400),
        ("소통", 400),
    ];
    for (value, expected) in table {
        let answer = answer(&with_more(&[&format!("Sec-WebSocket-Extensions: {value}")]));
        assert_eq!(status(&answer), expected, "{value}");
        assert!(expected != 101 || answer == ACCEPTED, "{answer}");
    }
    let mut config = Config::default();
    (config.limits.head, config.limits.receive_buffer) = (1 << 20, 1 << 20);
    let offers =
        format!("Sec-WebSocket-Extensions: {}", ["a; b=\"\\c\""; 10_000 / FEWER].join(","));
    assert_eq!(answer_with(&config, &with_more(&[&offers])), ACCEPTED);
}

/// Most names are told apart by their length alone.
#[test]
fn a_field_whose_name_is_only_as_long_as_one_that_matters_does_not_stand_for_it() {
    for (name, line, expected) in [
        ("Host", "Hose: example.com", 400),
        ("Upgrade", "Upgrape: websocket", 426),
        ("Connection", "Connectors: Upgrade", 400),
        ("Sec-WebSocket-Version", "Sec-WebSocket-Edition: 13", 426),
        ("Sec-WebSocket-Key", "Sec-WebSocket-Kez: dGhlIHNhbXBsZSBub25jZQ==", 400),
    ] {
        assert_eq!(status(&answer(&with(name, &[line]))), expected, "{line}");
    }
    for line in [
        "Hose: a, b",
        "Oregon: https://elsewhere.example",
        "Content-Weight: 5",
        "Transfer-Decoding: chunked",
        "Sec-WebSocket-Products: a, a",
        "Sec-WebSocket-Expansions: ;",
    ] {
        assert_eq!(answer(&with_more(&[line])), ACCEPTED, "{line}");
    }
}
