//! The same script through the core, the blocking and the tokio adapter: the same events, the same
//! bytes.

use sotong::handshake::{client, server};
use sotong::{Agreed, Config, Event, Role, SendBuffer};
use sotong::{blocking, tokio as asynchronous};

use crate::scripted::{hesitant, masked, plain, scripted};
use crate::subject::{Subject, block_on, over_blocking, over_tokio};

const REQUEST: &[u8] =
    b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// Scripts as a server gets them; `frame` makes a frame for the role under test.
fn scripts(frame: fn(u8, &[u8]) -> Vec<u8>) -> Vec<(&'static str, Vec<Vec<u8>>)> {
    let close = || frame(0x88, b"\x03\xe8bye");
    let byte_by_byte = [frame(0x81, "소통 😀".as_bytes()), close()]
        .concat()
        .chunks(1)
        .map(<[u8]>::to_vec)
        .collect();
    let large = vec![7; 100_000];
    vec![
        ("echo", vec![frame(0x81, "소통".as_bytes()), frame(0x82, &[0, 1, 2]), close()]),
        (
            "many in one read",
            vec![[frame(0x81, b"a"), frame(0x82, b"b"), frame(0x81, b""), close()].concat()],
        ),
        ("byte by byte", byte_by_byte),
        (
            "fragments around a ping",
            vec![
                frame(0x01, b"one "),
                frame(0x89, b"!"),
                frame(0x00, b"two "),
                frame(0x80, b"three"),
                close(),
            ],
        ),
        ("a large message", vec![frame(0x82, &large), close()]),
        (
            "pings in one read",
            vec![[frame(0x89, b"1"), frame(0x89, b"2"), frame(0x89, b"3")].concat(), close()],
        ),
        ("a ping and a pong", vec![frame(0x81, b"ping me"), frame(0x8a, b"?"), close()]),
        (
            "we close first",
            vec![frame(0x81, b"go away"), frame(0x81, b"late"), frame(0x88, b"\x0f\xa0")],
        ),
        ("nothing behind a close", vec![[close(), frame(0x81, b"late"), close()].concat()]),
        ("an empty close", vec![frame(0x88, b"")]),
        ("a reserved opcode", vec![frame(0x81, b"a"), frame(0x83, b""), frame(0x81, b"b")]),
        (
            "text that is not UTF-8",
            vec![frame(0x81, b"a"), frame(0x81, b"\xc3\x28"), frame(0x81, b"b")],
        ),
        (
            "text that goes wrong in the middle",
            vec![frame(0x01, b"\xf4"), frame(0x80, b"\x90\x80\x80")],
        ),
        ("a message too big", vec![frame(0x82, &vec![0; 200_001])]),
        ("an end without a close", vec![frame(0x81, b"a"), frame(0x81, b"cut off")[..5].to_vec()]),
        ("nothing at all", vec![]),
    ]
}

fn config() -> Config {
    let mut config = Config::default();
    config.limits.message = 200_000;
    config
}

fn subject(role: Role) -> Subject {
    Subject { role, config: config(), agreed: Agreed::default() }
}

#[test]
fn a_server_does_the_same_over_core_blocking_and_tokio() {
    for (what, reads) in scripts(masked) {
        let expected = subject(Role::Server).trace(what, &reads);
        let with_head = || std::iter::once(REQUEST.to_vec()).chain(reads.clone());

        let ws = blocking::accept(scripted(with_head()), config()).unwrap();
        assert_eq!(over_blocking(ws), expected, "{what}");

        for io in [scripted(with_head()), hesitant(with_head(), 3)] {
            let trace = block_on(async {
                over_tokio(asynchronous::accept(io, &config()).await.unwrap()).await
            });
            assert_eq!(trace, expected, "{what}");
        }
    }
}

#[test]
fn a_client_does_the_same_over_core_blocking_and_tokio() {
    // The handshake's answer depends on a random key, so the client starts behind it.
    for (what, reads) in scripts(plain) {
        subject(Role::Client).trace(what, &reads);
    }
}

#[test]
fn both_adapters_refuse_with_the_same_words() {
    let mut expected = SendBuffer::new();
    server::refuse(sotong::handshake::HandshakeError::MethodNotGet, &mut expected);
    let post = [b"POST".to_vec(), REQUEST[3..].to_vec()].concat();
    let expected = expected.transmit().slices().concat();

    let io = scripted([&post]);
    blocking::accept(io.clone(), config()).unwrap_err();
    assert_eq!(io.inner().written(), expected);

    let io = scripted([&post]);
    block_on(asynchronous::accept(io.clone(), &config())).unwrap_err();
    assert_eq!(io.inner().written(), expected);
}

#[test]
fn both_adapters_hand_a_refusal_back() {
    let answer = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 4\r\nWWW-Authenticate: Basic\r\n\r\nwho?more";
    let check = |error: sotong::Error| match error {
        sotong::Error::Refused(response) => {
            assert_eq!((response.status(), response.body()), (401, &b"who?"[..]));
            assert_eq!(response.headers().get("www-authenticate"), Some(&b"Basic"[..]));
        }
        error => panic!("{error:?}"),
    };
    let request = client::Request::default();
    check(blocking::connect_over(scripted([answer]), &request, config()).unwrap_err());
    check(
        block_on(asynchronous::connect_over(scripted([answer]), &request, &config())).unwrap_err(),
    );
}

#[test]
fn a_connection_taken_apart_has_lost_nothing() {
    let behind = [masked(0x81, b"with the head"), masked(0x81, b"later")].concat();
    let head = [REQUEST, &behind].concat();
    let queued = plain(0x81, b"queued");

    let mut ws = blocking::accept(scripted([&head]), config()).unwrap();
    assert_eq!(ws.recv().unwrap(), Some(Event::Text("with the head")));
    ws.feed_text("queued").unwrap();
    let mut parts = ws.into_parts();
    assert_eq!(parts.rx.unparsed(), masked(0x81, b"later"));
    assert_eq!(parts.tx.transmit().slices().concat(), queued);
    let mut ws = blocking::WebSocket::from_parts(parts).unwrap();
    assert_eq!(ws.recv().unwrap(), Some(Event::Text("later")));

    block_on(async {
        let mut ws = asynchronous::accept(scripted([&head]), &config()).await.unwrap();
        assert_eq!(ws.recv().await.unwrap(), Some(Event::Text("with the head")));
        ws.feed_text("queued").await.unwrap();
        let mut parts = ws.into_parts();
        assert_eq!(parts.rx.unparsed(), masked(0x81, b"later"));
        assert_eq!(parts.tx.transmit().slices().concat(), queued);
        let mut ws = asynchronous::WebSocket::from_parts(parts);
        assert_eq!(ws.recv().await.unwrap(), Some(Event::Text("later")));
    });
}
