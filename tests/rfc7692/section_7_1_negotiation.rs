//! Offers and answers over whole handshakes (section 7.1). The tables of parameters stand beside
//! the negotiation.

use sotong::handshake::client::{self, Outcome};
use sotong::handshake::{HandshakeError, server};
use sotong::{Connection, ReceiveBuffer, SendBuffer};

use super::*;

/// What a server answers to these header lines: the connection, and the extension line of its head.
fn accept(config: &Config, lines: &[&str]) -> (Connection, Option<String>) {
    let request = ["GET / HTTP/1.1", "Host: a", "Upgrade: websocket", "Connection: Upgrade"];
    let key = ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13"];
    let head = [&request[..], &key, lines, &["", ""]].concat().join("\r\n");
    let mut rx = ReceiveBuffer::with_capacity(head.len());
    assert_eq!(rx.extend(head.as_bytes()), head.len());
    let request = server::Handshake::new(config).receive(&mut rx).unwrap().unwrap();
    let mut tx = SendBuffer::new();
    let conn = request.accept(&server::Response::default(), config, &mut tx).unwrap();
    let answer = String::from_utf8(tx.transmit().slices().concat()).unwrap();
    let mut lines =
        answer.lines().filter_map(|line| line.strip_prefix("Sec-WebSocket-Extensions: "));
    let line = lines.next().map(str::to_owned);
    assert_eq!(lines.next(), None);
    (conn, line)
}

/// What a client makes of an answer with these header lines.
fn answered(config: &Config, lines: &[&str]) -> Result<Agreed, HandshakeError> {
    let (mut rx, mut tx) = (ReceiveBuffer::with_capacity(4096), SendBuffer::new());
    let nonce = *b"the sample nonce";
    let request = client::Request::default();
    let mut handshake =
        client::Handshake::start(&request, config, nonce, || Some([0; 4]), &mut tx)?;
    let head = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"];
    let accept = ["Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="];
    let head = [&head[..], &accept, lines, &["", ""]].concat().join("\r\n");
    assert_eq!(rx.extend(head.as_bytes()), head.len());
    match handshake.receive(&mut rx)? {
        Some(Outcome::Open(conn, _)) => Ok(conn.agreed()),
        _ => panic!("the head is complete, and a 101"),
    }
}

#[test]
fn nothing_is_agreed_unless_both_ask_for_it() {
    let offer = ["Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"];
    let silent = Config::default();
    let (conn, line) = accept(&silent, &offer);
    assert_eq!((conn.agreed(), line), (Agreed::default(), None));
    let (conn, line) = accept(&config(|deflate| *deflate = Deflate::default()), &[]);
    assert_eq!((conn.agreed(), line), (Agreed::default(), None));
    assert_eq!(
        answered(&config(|deflate| *deflate = Deflate::default()), &[]),
        Ok(Agreed::default())
    );
    let (conn, line) = accept(&config(|deflate| *deflate = Deflate::default()), &offer);
    let expected = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
    assert_eq!((conn.agreed(), line.as_deref()), (both(15, false), Some(expected)));
}

#[test]
fn offers_in_several_headers_and_elements_are_tried_in_order() {
    let config = config(|deflate| deflate.peer_context_takeover = false);
    let (conn, line) = accept(
        &config,
        &[
            "Sec-WebSocket-Extensions: mux, permessage-deflate; server_max_window_bits=8",
            "X: y",
            "sec-websocket-extensions: permessage-deflate; unknown; x=\"y\",",
            "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=10, permessage-deflate",
        ],
    );
    let expected = "permessage-deflate; client_no_context_takeover; server_max_window_bits=10";
    assert_eq!(line.as_deref(), Some(expected));
    let agreed = agreed(|deflate| {
        deflate.client_no_context_takeover = true;
        deflate.server_max_window_bits = 10;
    });
    assert_eq!(conn.agreed(), agreed);
}

#[test]
fn ten_thousand_offers_are_read_once() {
    let mut config = config(|_| {});
    config.limits.head = 1 << 20;
    let offers = "permessage-deflate; server_max_window_bits=8, ".repeat(10_000);
    let line = format!("Sec-WebSocket-Extensions: {offers}permessage-deflate");
    let (conn, _) = accept(&config, &[&line]);
    assert!(conn.agreed().deflate.is_some());
    let (conn, _) = accept(&config, &[&line[..line.len() - "permessage-deflate".len()]]);
    assert_eq!(conn.agreed(), Agreed::default());
}

#[test]
fn a_client_fails_on_an_answer_that_it_has_not_asked_for() {
    let asked =
        config(|deflate| (deflate.context_takeover, deflate.peer_context_takeover) = (true, true));
    let silent = Config::default();
    let (bad, unasked) = (HandshakeError::BadDeflate, HandshakeError::ExtensionNotOffered);
    let table: [(&Config, &[&str], Result<Agreed, HandshakeError>); 11] = [
        (&asked, &["permessage-deflate"], Ok(both(15, true))),
        (
            &asked,
            &["permessage-deflate; server_no_context_takeover; client_no_context_takeover"],
            Ok(both(15, false)),
        ),
        (
            &asked,
            &["permessage-deflate; server_max_window_bits=8; client_max_window_bits=9"],
            Ok(agreed(|deflate| {
                (deflate.server_max_window_bits, deflate.client_max_window_bits) = (8, 9)
            })),
        ),
        (&silent, &["permessage-deflate"], Err(unasked)),
        (&asked, &["x-webkit-deflate-frame"], Err(unasked)),
        (&asked, &["permessage-deflate, mux"], Err(unasked)),
        (&asked, &["permessage-deflate, permessage-deflate"], Err(bad)),
        (&asked, &["permessage-deflate", "permessage-deflate"], Err(bad)),
        (&asked, &["permessage-deflate; server_max_window_bits=16"], Err(bad)),
        (&asked, &["permessage-deflate;"], Err(HandshakeError::BadExtensions)),
        (&asked, &[""], Err(HandshakeError::BadExtensions)),
    ];
    for (config, values, expected) in table {
        let lines: Vec<String> =
            values.iter().map(|value| format!("Sec-WebSocket-Extensions: {value}")).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        assert_eq!(answered(config, &lines), expected, "{values:?}");
    }
}

#[test]
fn windows_that_do_not_exist_are_the_nearest_ones() {
    // A handshake done elsewhere may hand over what its peer wrote.
    for (bits, as_if) in [(0, 8), (7, 8), (16, 15), (64, 15), (255, 15)] {
        for role in ROLES {
            let list = [(0xc1, HELLO), (0xc1, HELLO)];
            assert_eq!(
                receive(role, both(bits, true), &list),
                receive(role, both(as_if, true), &list)
            );
        }
    }
}

#[test]
fn a_window_of_256_bytes_is_kept_to_by_sending_nothing_compressed() {
    let config = config(|deflate| deflate.threshold = 0);
    let small = agreed(|deflate| deflate.client_max_window_bits = 8);
    let mut end = End::with(Role::Client, &config, small);
    let text = "repeated ".repeat(100);
    let frame = end.conn.send_text(&text, &mut end.tx).unwrap().slices().concat();
    assert_eq!((frame[0], frame.len()), (0x81, 8 + 900));
}
