//! What is told to whoever listens: every event, with its level and its fields, and nothing of what
//! a peer might not want to be told, or might want to be read.
#![cfg(all(feature = "tracing", feature = "std"))]

#[cfg(feature = "tokio")]
mod adapters;
mod listener;

use std::time::Duration;

use listener::heard;
use sotong::handshake::{HandshakeError, client, server};
use sotong::test_kit::{Pair, Side, connections};
use sotong::{Agreed, Config, Connection, ReceiveBuffer, SendBuffer};

const SECS: fn(u64) -> Duration = Duration::from_secs;

/// Two ends, whose opening handshake nobody has heard of.
fn pair() -> Pair {
    Pair::new(&Config::default())
}

#[test]
fn an_opening_handshake_is_told_by_both_ends() {
    let (_, events) = heard(|| connections(&Config::default(), &Config::default()));
    assert_eq!(
        events,
        ["DEBUG handshake accepted: deflate=false", "DEBUG connection opened: deflate=false"]
    );
}

#[test]
fn the_subprotocol_is_told() {
    let config = Config::default();
    let mut tx = SendBuffer::new();
    let request = client::Request { subprotocols: &["chat.v2"], ..client::Request::default() };
    client::Handshake::start(&request, &config, [7; 16], || None, &mut tx).unwrap();
    let mut rx = ReceiveBuffer::with_capacity(4096);
    let bytes = tx.transmit().slices().concat();
    assert_eq!(rx.extend(&bytes), bytes.len());
    let request = server::Handshake::new(&config).receive(&mut rx).unwrap().unwrap();
    let response = server::Response { subprotocol: Some("chat.v2"), headers: &[] };
    let (_, events) = heard(|| request.accept(&response, &config, &mut tx).unwrap());
    assert_eq!(events, [r#"DEBUG handshake accepted: subprotocol="chat.v2" deflate=false"#]);
}

#[cfg(feature = "deflate")]
#[test]
fn compression_is_told() {
    let mut config = Config::default();
    config.deflate = Some(sotong::Deflate::default());
    let (_, events) = heard(|| connections(&config, &config));
    assert_eq!(
        events,
        ["DEBUG handshake accepted: deflate=true", "DEBUG connection opened: deflate=true"]
    );
}

/// What is heard of a request with secrets in it, and with what would end a line.
fn refused(request: &str) -> Vec<String> {
    let config = Config::default();
    let request = format!(
        "{request}\r\nCookie: session=SECRET\r\nOrigin: http://SECRET\r\nX: \u{9b}2J\r\n\r\n"
    );
    let (_, events) = heard(|| {
        let (mut rx, mut tx) = (ReceiveBuffer::with_capacity(4096), SendBuffer::new());
        assert_eq!(rx.extend(request.as_bytes()), request.len());
        let received = server::Handshake::new(&config).receive(&mut rx);
        let accepted = received.and_then(|request| {
            request.unwrap().accept(&server::Response::default(), &config, &mut tx).map(|_| ())
        });
        server::refuse(accepted.unwrap_err(), &mut tx);
    });
    assert!(events.iter().all(|event| !event.contains("SECRET") && !event.contains("2J")));
    events
}

#[test]
fn a_request_that_is_refused_is_told_with_its_rule_and_nothing_of_what_it_says() {
    let valid = "GET /?token=SECRET HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
    let (error, section) = (HandshakeError::OriginNotAllowed, "RFC 6455, section 10.2");
    assert_eq!(
        refused(valid),
        [format!("INFO handshake refused: error={error} section=\"{section}\" status=403")]
    );
    let (error, section) = (HandshakeError::BadKey, "RFC 6455, section 4.2.1");
    assert_eq!(
        refused(&valid.replace("dGhl", "SECRET")),
        [format!("INFO handshake refused: error={error} section=\"{section}\" status=400")]
    );
    let error = HandshakeError::Malformed;
    assert_eq!(
        refused("SECRET\x1b[2J"),
        [format!("INFO handshake refused: error={error} section=\"RFC 9112\" status=400")]
    );
}

#[test]
fn a_refusal_is_told_by_both_ends() {
    let config = Config::default();
    let (mut rx, mut tx) = (ReceiveBuffer::with_capacity(4096), SendBuffer::new());
    let (_, events) = heard(|| server::refuse_late(&mut tx));
    assert_eq!(events.len(), 1);
    assert!(events[0].starts_with("INFO handshake refused:") && events[0].ends_with("status=408"));

    let mut asking = SendBuffer::new();
    let request = client::Request::default();
    let mut handshake =
        client::Handshake::start(&request, &config, [7; 16], || None, &mut asking).unwrap();
    let bytes = tx.transmit().slices().concat();
    assert_eq!(rx.extend(&bytes), bytes.len());
    let (_, events) = heard(|| handshake.receive(&mut rx).unwrap().unwrap());
    assert_eq!(events, ["INFO server refused: status=408"]);

    let bytes = asking.transmit().slices().concat();
    assert_eq!(rx.extend(&bytes), bytes.len());
    let request = server::Handshake::new(&config).receive(&mut rx).unwrap().unwrap();
    let (_, events) = heard(|| request.reject(404, &[], b"", &mut tx).unwrap());
    assert_eq!(events, ["DEBUG handshake rejected: status=404"]);
}

#[test]
fn a_server_that_breaks_a_rule_is_told_with_it() {
    let (mut rx, mut tx) = (ReceiveBuffer::with_capacity(4096), SendBuffer::new());
    let request = client::Request::default();
    let mut handshake =
        client::Handshake::start(&request, Config::default(), [7; 16], || None, &mut tx).unwrap();
    let answer = b"HTTP/1.1 101 SECRET\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Accept: SECRET\r\n\r\n";
    assert_eq!(rx.extend(answer), answer.len());
    let (_, events) = heard(|| handshake.receive(&mut rx).unwrap_err());
    let error = HandshakeError::BadAccept;
    assert_eq!(
        events,
        [format!("INFO handshake failed: error={error} section=\"RFC 6455, section 4.1\"")]
    );
}

#[test]
fn a_closing_handshake_is_told_with_its_codes_and_without_its_reason() {
    let mut pair = pair();
    let (_, events) = heard(|| {
        pair.client.close(4001, "SECRET");
        pair.exchange();
    });
    assert_eq!(
        events,
        [
            "DEBUG Close sent: role=\"client\" code=4001",
            "DEBUG Close received: role=\"server\" code=4001",
            "DEBUG Close sent: role=\"server\" code=4001",
            "DEBUG Close received: role=\"client\" code=4001",
            "DEBUG connection closed: role=\"client\"",
            "DEBUG connection closed: role=\"server\"",
        ]
    );
}

#[test]
fn a_connection_that_just_ends_is_not_told_to_be_closed() {
    let mut pair = pair();
    let (_, events) = heard(|| {
        pair.server.close(1001, "");
        let _too_soon = pair.server.conn.handle_eof();
    });
    assert!(!events.iter().any(|event| event.contains("connection closed")), "{events:?}");
}

#[test]
fn a_broken_rule_is_a_warning_with_its_section_and_code() {
    let mut pair = pair();
    pair.server.wire.extend(b"\x81\x81\0\0\0\0\xff");
    let (_, events) = heard(|| pair.exchange());
    assert_eq!(
        events[0],
        "WARN connection failed: role=\"server\" \
            error=the peer sent text that is not UTF-8 (RFC 6455, section 8.1) \
            section=\"RFC 6455, section 8.1\" code=1007"
    );
    assert_eq!(events[1], "DEBUG Close sent: role=\"server\" code=1007");
    assert_eq!(events[2], "DEBUG Close received: role=\"client\" code=1007");
}

#[test]
fn a_limit_is_a_warning_too() {
    let mut config = Config::default();
    config.limits.message = 3;
    let mut pair = Pair::new(&config);
    pair.client.send("four");
    let (_, events) = heard(|| pair.exchange());
    assert!(events[0].starts_with("WARN connection failed:"), "{events:?}");
    assert!(events[0].ends_with("section=\"RFC 6455, section 10.4\" code=1009"), "{events:?}");
}

#[test]
fn a_peer_that_is_just_gone_is_no_warning() {
    let mut pair = pair();
    pair.server.finished = true;
    let (_, events) = heard(|| pair.exchange());
    assert!(events[0].starts_with("DEBUG connection lost: role=\"client\""), "{events:?}");
    assert!(events[1].starts_with("DEBUG connection lost: role=\"server\""), "{events:?}");
    assert_eq!(events.len(), 2);
}

#[test]
fn pings_that_keep_alive_are_told_and_so_is_that_nobody_answers() {
    let mut pair = pair();
    let (_, events) = heard(|| pair.wait_until(SECS(31)));
    assert_eq!(
        events,
        [
            "TRACE keepalive ping: role=\"client\"",
            "TRACE keepalive ping: role=\"server\"",
            "TRACE pong to a ping: role=\"client\" round_trip=1µs",
            "TRACE pong to a ping: role=\"server\" round_trip=1µs",
        ]
    );
    pair.server.reads = false;
    let (_, events) = heard(|| pair.wait_until(SECS(100)));
    let last = events.last().unwrap();
    assert_eq!(
        last,
        "DEBUG timed out: role=\"server\" error=the peer did not answer a ping in time"
    );
}

#[test]
fn a_busy_connection_tells_nothing() {
    let mut pair = pair();
    let (_, events) = heard(|| {
        for _ in 0..1000 {
            pair.client.send("message");
            let Side { conn, tx, .. } = &mut pair.server;
            conn.ping(b"?", tx).unwrap().queue();
            pair.exchange();
        }
    });
    assert_eq!((events, pair.client.events.len()), (vec![], 1000));
}

#[test]
fn what_keeps_us_from_sending_is_told() {
    let mut config = Config::default();
    config.limits.send_queue = 5;
    let mut pair = Pair::new(&config);
    pair.client.send("Hello");
    let Side { conn, tx, .. } = &mut pair.client;
    let (_, events) = heard(|| assert!(conn.send_text("more", tx).is_err()));
    assert_eq!(events, ["TRACE send queue full: role=\"client\" queued=11"]);

    let mut conn = Connection::client(Config::default(), Agreed::default(), || None);
    let (_, events) = heard(|| assert!(conn.send_text("a", &mut SendBuffer::new()).is_err()));
    assert_eq!(events, ["ERROR no randomness for a masking key"]);
}
