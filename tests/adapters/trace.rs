//! The same script through the core, the blocking and the tokio adapter: the same events, the same
//! bytes.

use sotong::handshake::{client, server};
use sotong::{
    Agreed, CloseCode, CloseFrame, Config, Connection, Event, Payload, ReceiveBuffer, SendBuffer,
};
use sotong::{blocking, tokio as asynchronous};

use crate::scripted::{Scripted, frames, masked, plain};

const REQUEST: &[u8] =
    b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// What happened: the events as words, the frames that were sent, how it ended.
type Trace = (Vec<String>, Vec<u8>, String);

/// What the application does about an event.
enum Reaction<'e> {
    Send(Payload<'e>),
    Ping,
    Close(CloseFrame<'static>),
    Nothing,
}

fn react<'e>(event: &Event<'e>) -> Reaction<'e> {
    match *event {
        Event::Text("ping me") => Reaction::Ping,
        Event::Text("go away") => {
            Reaction::Close(CloseFrame { code: CloseCode(4000), reason: "as you wish" })
        }
        Event::Text(text) => Reaction::Send(Payload::text(text)),
        Event::Binary(bytes) => Reaction::Send(Payload::binary(bytes)),
        _ => Reaction::Nothing,
    }
}

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

fn name(event: &Event<'_>) -> String {
    match event {
        Event::Binary(bytes) if bytes.len() > 100 => format!("{} bytes", bytes.len()),
        event => format!("{event:?}"),
    }
}

fn core(mut conn: Connection, reads: &[Vec<u8>]) -> Trace {
    let mut rx = ReceiveBuffer::with_capacity(config().limits.receive_buffer);
    let (mut tx, mut events) = (SendBuffer::new(), vec![]);
    let mut sent = vec![];
    for read in reads {
        let mut rest = &read[..];
        while !rest.is_empty() {
            rest = &rest[rx.extend(rest)..];
            while let Ok(Some(event)) = conn.next_event(&mut rx) {
                conn.poll_transmit(&mut tx);
                events.push(name(&event));
                match react(&event) {
                    // A reply to late data may come after our Close; then it is not sent.
                    Reaction::Send(payload) => {
                        let _sent = conn.send(payload, &mut tx).map(|transmit| transmit.queue());
                    }
                    Reaction::Ping => conn.ping(b"?", &mut tx).unwrap().queue(),
                    Reaction::Close(frame) => conn.close(Some(frame), &mut tx).unwrap().queue(),
                    Reaction::Nothing => {}
                }
            }
            conn.poll_transmit(&mut tx);
            let mut transmit = tx.transmit();
            sent.extend_from_slice(&transmit.slices().concat());
            transmit.consume(transmit.len());
        }
    }
    let outcome = conn.handle_eof().map(|()| false).map_err(sotong::Error::from);
    (events, sent, format!("{outcome:?}"))
}

fn over_blocking(mut ws: blocking::WebSocket<Scripted>) -> Trace {
    let io = ws.stream().clone();
    let start = io.written().len();
    let mut events = vec![];
    let outcome = loop {
        let mut close = None;
        let mut ping = false;
        match ws.recv_reply() {
            Ok(Some((event, mut reply))) => {
                events.push(name(&event));
                match react(&event) {
                    Reaction::Send(payload) => drop(reply.feed(payload)),
                    Reaction::Ping => ping = true,
                    Reaction::Close(frame) => close = Some(frame),
                    Reaction::Nothing => {}
                }
            }
            Ok(None) => break Ok(false),
            Err(error) => break Err(error),
        }
        if ping {
            ws.ping(b"?").unwrap();
        }
        if close.is_some() {
            ws.send_close(close).unwrap();
        }
    };
    (events, io.written()[start..].to_vec(), format!("{outcome:?}"))
}

async fn over_tokio(mut ws: asynchronous::WebSocket<Scripted>) -> Trace {
    let io = ws.stream().clone();
    let start = io.written().len();
    let mut events = vec![];
    let outcome = loop {
        let mut close = None;
        let mut ping = false;
        match ws.recv_reply().await {
            Ok(Some((event, mut reply))) => {
                events.push(name(&event));
                match react(&event) {
                    Reaction::Send(payload) => drop(reply.feed(payload).await),
                    Reaction::Ping => ping = true,
                    Reaction::Close(frame) => close = Some(frame),
                    Reaction::Nothing => {}
                }
            }
            Ok(None) => break Ok(false),
            Err(error) => break Err(error),
        }
        if ping {
            ws.ping(b"?").await.unwrap();
        }
        if close.is_some() {
            ws.send_close(close).await.unwrap();
        }
    };
    (events, io.written()[start..].to_vec(), format!("{outcome:?}"))
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

#[test]
fn a_server_does_the_same_over_core_blocking_and_tokio() {
    for (what, reads) in scripts(masked) {
        let expected = core(Connection::server(&config(), Agreed::default()), &reads);
        let with_head = || std::iter::once(REQUEST.to_vec()).chain(reads.clone());

        let ws = blocking::accept(Scripted::new(with_head()), &config()).unwrap();
        assert_eq!(over_blocking(ws), expected, "{what}");

        for io in [Scripted::new(with_head()), Scripted::new(with_head()).hesitant(3)] {
            let trace = block_on(async {
                over_tokio(asynchronous::accept(io, &config()).await.unwrap()).await
            });
            assert_eq!(trace, expected, "{what}");
        }
    }
}

#[test]
fn a_client_does_the_same_over_core_blocking_and_tokio() {
    let unmasked = |(events, sent, end): Trace| (events, frames(&sent), end);
    // The handshake's answer depends on a random key, so the client starts behind it.
    let parts = |io| {
        let (rx, tx) = (ReceiveBuffer::with_capacity(16 * 1024), SendBuffer::new());
        (io, Connection::client(&config(), Agreed::default(), || Some([1, 2, 3, 4])), rx, tx)
    };
    for (what, reads) in scripts(plain) {
        let expected = unmasked(core(
            Connection::client(&config(), Agreed::default(), || Some([1, 2, 3, 4])),
            &reads,
        ));

        let (io, connection, rx, tx) = parts(Scripted::new(&reads));
        let ws =
            blocking::WebSocket::from_parts(blocking::Parts { io, connection, rx, tx }).unwrap();
        assert_eq!(unmasked(over_blocking(ws)), expected, "{what}");

        let (io, connection, rx, tx) = parts(Scripted::new(&reads));
        let trace = block_on(async {
            over_tokio(asynchronous::WebSocket::from_parts(asynchronous::Parts {
                io,
                connection,
                rx,
                tx,
            }))
            .await
        });
        assert_eq!(unmasked(trace), expected, "{what}");
    }
}

#[test]
fn both_adapters_refuse_with_the_same_words() {
    let mut expected = SendBuffer::new();
    server::refuse(sotong::handshake::HandshakeError::MethodNotGet, &mut expected);
    let post = [b"POST".to_vec(), REQUEST[3..].to_vec()].concat();
    let expected = expected.transmit().slices().concat();

    let io = Scripted::new([&post]);
    blocking::accept(io.clone(), &config()).unwrap_err();
    assert_eq!(io.written(), expected);

    let io = Scripted::new([&post]);
    block_on(asynchronous::accept(io.clone(), &config())).unwrap_err();
    assert_eq!(io.written(), expected);
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
    check(blocking::connect(Scripted::new([answer]), &request, &config()).unwrap_err());
    check(
        block_on(asynchronous::connect(Scripted::new([answer]), &request, &config())).unwrap_err(),
    );
}

#[test]
fn a_connection_taken_apart_has_lost_nothing() {
    let behind = [masked(0x81, b"with the head"), masked(0x81, b"later")].concat();
    let head = [REQUEST, &behind].concat();
    let queued = plain(0x81, b"queued");

    let mut ws = blocking::accept(Scripted::new([&head]), &config()).unwrap();
    assert_eq!(ws.recv().unwrap(), Some(Event::Text("with the head")));
    ws.feed_text("queued").unwrap();
    let mut parts = ws.into_parts();
    assert_eq!(parts.rx.unparsed(), masked(0x81, b"later"));
    assert_eq!(parts.tx.transmit().slices().concat(), queued);
    let mut ws = blocking::WebSocket::from_parts(parts).unwrap();
    assert_eq!(ws.recv().unwrap(), Some(Event::Text("later")));

    block_on(async {
        let mut ws = asynchronous::accept(Scripted::new([&head]), &config()).await.unwrap();
        assert_eq!(ws.recv().await.unwrap(), Some(Event::Text("with the head")));
        ws.feed_text("queued").await.unwrap();
        let mut parts = ws.into_parts();
        assert_eq!(parts.rx.unparsed(), masked(0x81, b"later"));
        assert_eq!(parts.tx.transmit().slices().concat(), queued);
        let mut ws = asynchronous::WebSocket::from_parts(parts);
        assert_eq!(ws.recv().await.unwrap(), Some(Event::Text("later")));
    });
}
