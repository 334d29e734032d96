//! What a server answers of its own choice, and what it may not.

use sotong::handshake::server::refuse_late;

use super::*;

fn request(more: &[&str]) -> Request {
    receive(&Config::default(), &with_more(more), 1000).unwrap().unwrap()
}

/// What was queued, as text.
fn queued(tx: &mut SendBuffer) -> String {
    let mut transmit = tx.transmit();
    let bytes = transmit.slices().concat();
    transmit.consume(bytes.len());
    String::from_utf8(bytes).unwrap()
}

#[test]
fn an_acceptance_carries_what_the_server_adds() {
    let request = request(&["Sec-WebSocket-Protocol: chat, superchat"]);
    assert!(request.subprotocols().eq(["chat", "superchat"]));
    let response =
        Response { subprotocol: Some("superchat"), headers: &[("Set-Cookie", "a=b"), ("X-Y", "")] };
    let mut tx = SendBuffer::new();
    request.accept(&response, Config::default(), &mut tx).unwrap();
    let lines = "\r\nSec-WebSocket-Protocol: superchat\r\nSet-Cookie: a=b\r\nX-Y: \r\n\r\n";
    assert_eq!(queued(&mut tx), ACCEPTED.replace("\r\n\r\n", lines));
}

#[test]
fn only_an_offered_subprotocol_is_chosen() {
    for (offer, chosen) in [
        (&["Sec-WebSocket-Protocol: chat"][..], "superchat"),
        (&["Sec-WebSocket-Protocol: chat"], "Chat"),
        (&["Sec-WebSocket-Protocol: chat"], ""),
        (&[], "chat"),
        (&["Sec-WebSocket-Protocol: chat, b"], "chat, b"),
    ] {
        let mut tx = SendBuffer::new();
        let response = Response { subprotocol: Some(chosen), headers: &[] };
        let refused = request(offer).accept(&response, Config::default(), &mut tx).err();
        assert_eq!(refused, Some(HandshakeError::ForbiddenSubprotocol), "{chosen}");
        assert!(tx.is_empty());
    }
}

#[test]
fn the_extensions_that_were_offered_are_told_in_order() {
    let request = request(&[
        "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits, a; b=\"c\"",
        "Sec-WebSocket-Extensions: d;e=1",
    ]);
    let offers: Vec<_> = request
        .extensions()
        .map(|e| (e.name, e.parameters().map(|(n, v)| (n, v.unwrap_or_default())).collect()))
        .collect();
    let expected: [(_, Vec<(_, _)>); 3] = [
        ("permessage-deflate", vec![("client_max_window_bits", "".into())]),
        ("a", vec![("b", "c".into())]),
        ("d", vec![("e", "1".into())]),
    ];
    assert_eq!(offers, expected);
}

/// Fields that may not go out, and why.
const FORBIDDEN: [((&str, &str), HandshakeError); 15] = [
    (("X", "a\r\nY: b"), HandshakeError::ForbiddenHeader),
    (("X", "a\nb"), HandshakeError::ForbiddenHeader),
    (("X", "a\rb"), HandshakeError::ForbiddenHeader),
    (("X", "\0"), HandshakeError::ForbiddenHeader),
    (("X", "\x7f"), HandshakeError::ForbiddenHeader),
    (("X\r\nY", "a"), HandshakeError::ForbiddenHeader),
    (("X:", "a"), HandshakeError::ForbiddenHeader),
    (("X Y", "a"), HandshakeError::ForbiddenHeader),
    (("", "a"), HandshakeError::ForbiddenHeader),
    (("Upgrade", "h2c"), HandshakeError::ReservedHeader),
    (("connection", "close"), HandshakeError::ReservedHeader),
    (("Content-Length", "1"), HandshakeError::ReservedHeader),
    (("Transfer-Encoding", "chunked"), HandshakeError::ReservedHeader),
    (("SEC-WEBSOCKET-ACCEPT", "a"), HandshakeError::ReservedHeader),
    (("Sec-WebSocket-Extensions", "a"), HandshakeError::ReservedHeader),
];

#[test]
fn no_field_breaks_out_of_its_line_or_stands_in_for_the_handshakes_own() {
    let mut tx = SendBuffer::new();
    for (field, error) in FORBIDDEN {
        let headers = &[("X-Good", "a"), field];
        let response = Response { subprotocol: None, headers };
        let accepted = request(&[]).accept(&response, Config::default(), &mut tx).map(drop);
        assert_eq!(accepted, Err(error), "{field:?}");
        assert_eq!(request(&[]).reject(403, headers, b"", &mut tx), Err(error), "{field:?}");
        assert!(tx.is_empty(), "{field:?}");
    }
}

#[test]
fn a_rejection_has_a_status_of_a_final_answer() {
    let mut tx = SendBuffer::new();
    for status in [0, 100, 101, 199, 600, 999, 65_535] {
        let rejected = request(&[]).reject(status, &[], b"", &mut tx);
        assert_eq!((rejected, tx.len()), (Err(HandshakeError::ForbiddenStatus), 0), "{status}");
    }
    request(&[]).reject(302, &[("Location", "/b")], b"", &mut tx).unwrap();
    let expected =
        "HTTP/1.1 302 Found\r\nLocation: /b\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(queued(&mut tx), expected);
    request(&[]).reject(418, &[], "소통".as_bytes(), &mut tx).unwrap();
    let expected = "HTTP/1.1 418 \r\nConnection: close\r\nContent-Length: 6\r\n\r\n소통";
    assert_eq!(queued(&mut tx), expected);
    for status in [204, 304] {
        request(&[]).reject(status, &[("X", "a")], b"", &mut tx).unwrap();
        let head = queued(&mut tx);
        assert!(head.ends_with("\r\nX: a\r\nConnection: close\r\n\r\n"), "no body: {head}");
    }
}

#[test]
fn a_rejection_has_the_reason_phrase_of_its_status() {
    let mut tx = SendBuffer::new();
    for line in [
        "200 OK",
        "301 Moved Permanently",
        "302 Found",
        "303 See Other",
        "307 Temporary Redirect",
        "308 Permanent Redirect",
        "400 Bad Request",
        "401 Unauthorized",
        "403 Forbidden",
        "404 Not Found",
        "405 Method Not Allowed",
        "408 Request Timeout",
        "414 URI Too Long",
        "426 Upgrade Required",
        "429 Too Many Requests",
        "431 Request Header Fields Too Large",
        "500 Internal Server Error",
        "503 Service Unavailable",
        "599 ",
    ] {
        request(&[]).reject(line[..3].parse().unwrap(), &[], b"", &mut tx).unwrap();
        let answer = queued(&mut tx);
        assert_eq!(answer.lines().next(), Some(&format!("HTTP/1.1 {line}")[..]));
    }
}

#[test]
fn a_page_is_served_to_a_request_that_wants_no_upgrade() {
    let bytes = head(&["GET /index.html HTTP/1.1", "Host: a"]);
    let page = receive(&Config::default(), &bytes, 1).unwrap().unwrap();
    assert_eq!((page.path(), page.upgrade()), ("/index.html", Err(HandshakeError::NoUpgrade)));
    let mut tx = SendBuffer::new();
    let accepted = page.accept(&Response::default(), Config::default(), &mut tx).map(drop);
    assert_eq!((accepted, tx.len()), (Err(HandshakeError::NoUpgrade), 0));
    page.reject(200, &[("Content-Type", "text/html")], b"<p>", &mut tx).unwrap();
    assert!(queued(&mut tx).starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"));
}

#[test]
fn each_fault_of_the_client_has_its_answer_which_repeats_nothing_of_the_request() {
    let faults = [
        (HandshakeError::Malformed, 400),
        (HandshakeError::HeadTooLarge, 431),
        (HandshakeError::TooManyLines, 431),
        (HandshakeError::TargetTooLong, 414),
        (HandshakeError::BadTarget, 400),
        (HandshakeError::MethodNotGet, 405),
        (HandshakeError::NotHttp11, 400),
        (HandshakeError::BadHost, 400),
        (HandshakeError::NoUpgrade, 426),
        (HandshakeError::NoConnectionUpgrade, 400),
        (HandshakeError::UnsupportedVersion, 426),
        (HandshakeError::RepeatedVersion, 400),
        (HandshakeError::BadKey, 400),
        (HandshakeError::UnexpectedBody, 400),
        (HandshakeError::BadSubprotocols, 400),
        (HandshakeError::BadExtensions, 400),
        (HandshakeError::OriginNotAllowed, 403),
    ];
    for (error, expected) in faults {
        let mut tx = SendBuffer::new();
        refuse(error, &mut tx);
        let answer = queued(&mut tx);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert_eq!((status(head), error.status()), (expected, Some(expected)));
        assert!(error.is_peer_fault());
        assert!(head.ends_with(&format!("\r\nContent-Length: {}", body.len())), "{head}");
        let connection = head.lines().find(|line| line.starts_with("Connection: ")).unwrap();
        assert!(connection.ends_with("close"), "{connection}");
        assert_eq!(body, format!("{error}\n"));
    }
}

#[test]
fn where_the_client_is_not_at_fault_nothing_is_answered() {
    for error in [
        HandshakeError::BadAccept,
        HandshakeError::SubprotocolNotOffered,
        HandshakeError::ExtensionNotOffered,
        HandshakeError::UnexpectedEof,
        HandshakeError::ForbiddenHost,
        HandshakeError::ForbiddenTarget,
        HandshakeError::ForbiddenSubprotocol,
        HandshakeError::ForbiddenHeader,
        HandshakeError::ReservedHeader,
        HandshakeError::ForbiddenStatus,
    ] {
        let mut tx = SendBuffer::new();
        refuse(error, &mut tx);
        assert_eq!((tx.len(), error.status()), (0, None), "{error}");
        let faults_of_a_server = [
            HandshakeError::BadAccept,
            HandshakeError::SubprotocolNotOffered,
            HandshakeError::ExtensionNotOffered,
        ];
        assert_eq!(error.is_peer_fault(), faults_of_a_server.contains(&error), "{error}");
    }
}

#[test]
fn a_request_that_took_too_long_is_answered_with_408() {
    let mut tx = SendBuffer::new();
    refuse_late(&mut tx);
    let expected = "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(queued(&mut tx), expected);
}
