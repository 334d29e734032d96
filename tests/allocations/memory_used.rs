//! What a connection says that it takes, beside what the allocator says.

use sotong::test_kit::{Pair, Side};

use super::*;

/// What is held in boxes alone, so that all of it is on the heap.
fn live<T>(held: impl FnOnce() -> T) -> (Box<T>, usize) {
    let before = LIVE.get();
    let held = Box::new(held());
    (held, (LIVE.get() - before) as usize)
}

#[test]
fn a_connection_knows_what_it_takes() {
    for role in [Role::Server, Role::Client] {
        let (mut end, new) = live(|| End::new(role, &Config::default()).conn);
        assert_eq!(end.memory_used(), new, "{role:?}");
        // A message under way, and a ping within it.
        let bytes = [frame_to(role, 0x01, b"begun"), frame_to(role, 0x89, b"?")].concat();
        let (before, mut rx) = (LIVE.get(), ReceiveBuffer::with_capacity(512));
        assert_eq!(rx.extend(&bytes), bytes.len());
        assert!(matches!(end.next_event(&mut rx), Ok(Some(Event::Ping(b"?")))));
        let held = new + (LIVE.get() - before) as usize;
        assert!(held > new + rx.held() + 125);
        assert_eq!(end.memory_used() + rx.held(), held, "{role:?}");
    }
}

#[test]
fn a_half_that_reads_knows_what_it_takes() {
    let (mut incoming, _outgoing) = End::new(Role::Server, &Config::default()).conn.split();
    let mut rx = ReceiveBuffer::with_capacity(512);
    let ping = frame_to(Role::Server, 0x89, b"?");
    assert_eq!(rx.extend(&ping), ping.len());
    let (idle, before) = (incoming.memory_used(), LIVE.get());
    assert!(matches!(incoming.next_event(&mut rx), Ok(Some(Event::Ping(b"?")))));
    let took = (LIVE.get() - before) as usize;
    assert!(took > 125, "until the other half answers");
    assert_eq!(incoming.memory_used(), idle + took);
}

#[test]
fn a_configuration_that_others_share_is_not_counted() {
    let config = Arc::new(Config::default());
    let (conn, new) = live(|| Connection::server(Arc::clone(&config), Agreed::default()));
    assert_eq!(conn.memory_used(), new);
    drop(config);
    assert!(conn.memory_used() > new + size_of::<Config>(), "now it is this connection's own");
}

#[test]
fn buffers_know_what_they_hold() {
    let mut pair = Pair::new(&Config::default());
    let Side { conn, rx, tx, .. } = &mut pair.server;
    let before = LIVE.get();
    conn.send_binary(&[7; 1000], tx).unwrap().queue();
    assert_eq!(rx.extend(&frame_to(Role::Server, 0x81, b"Hello")), 11);
    assert_eq!(rx.held() + tx.held(), (LIVE.get() - before) as usize);
}

#[cfg(feature = "deflate")]
#[test]
fn what_a_codec_takes_is_known_within_a_tenth() {
    use sotong::{Compress, Deflate, Payload};

    for window_bits in 9..=15 {
        for (level, memory_level) in [(1, 1), (2, 8), (6, 9), (9, 5)] {
            let mut deflate = Deflate::default();
            (deflate.level, deflate.memory_level) = (level, memory_level);
            (deflate.window_bits, deflate.peer_window_bits) = (window_bits, window_bits);
            (deflate.context_takeover, deflate.peer_context_takeover) = (true, true);
            let mut config = Config::default();
            config.deflate = Some(deflate);
            let mut pair = Pair::new(&config);
            for side in [&mut pair.client, &mut pair.server] {
                assert!(side.conn.agreed().deflate.is_some());
                let new = side.conn.memory_used();
                let before = LIVE.get();
                side.send(Payload::text("hello").compress(Compress::Yes));
                let took = LIVE.get() - before - side.tx.held() as isize;
                assert_is_about(side.conn.memory_used() - new, took, "to compress");
            }
            let Pair { client, server, .. } = &mut pair;
            client.write(server, 1000);
            let (new, before) = (server.conn.memory_used(), LIVE.get());
            assert_eq!(server.rx.extend(&server.wire), server.wire.len());
            assert!(matches!(server.conn.next_event(&mut server.rx), Ok(Some(Event::Text(_)))));
            let took = LIVE.get() - before - server.rx.held() as isize;
            assert_is_about(server.conn.memory_used() - new, took, "to inflate");
        }
    }
}

#[cfg(feature = "deflate")]
fn assert_is_about(told: usize, took: isize, what: &str) {
    let took = took as usize;
    assert!((took * 9 / 10..=took * 11 / 10).contains(&told), "{what}: {told} for {took}");
}

#[test]
fn a_blocking_websocket_knows_what_it_takes() {
    use sotong::blocking::{Parts, Plain, WebSocket};

    let (mut ws, new) = live(|| {
        let (io, connection) =
            (Plain(std::io::Cursor::new([0; 64])), End::new(Role::Server, &Config::default()).conn);
        let (rx, tx) = (ReceiveBuffer::with_capacity(512), SendBuffer::new());
        WebSocket::from_parts(Parts { io, connection, rx, tx }).unwrap()
    });
    assert_eq!(ws.memory_used(), new);
    let before = LIVE.get();
    ws.feed_binary(&[7; 100]).unwrap();
    let held = new + (LIVE.get() - before) as usize;
    assert!(held > new + 100);
    assert_eq!(ws.memory_used(), held);
}

#[cfg(feature = "tokio")]
#[test]
fn a_tokio_websocket_knows_what_it_takes() {
    use sotong::tokio::{Parts, WebSocket};

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (io, _peer) = sotong::test_kit::pipe(1000);
        let (mut ws, new) = live(|| {
            let connection = End::new(Role::Server, &Config::default()).conn;
            let (rx, tx) = (ReceiveBuffer::with_capacity(512), SendBuffer::new());
            WebSocket::from_parts(Parts { io, connection, rx, tx })
        });
        assert_eq!(ws.memory_used(), new);
        // Nothing comes: it waits with a timer, and without buffers, which this thread keeps.
        let before = LIVE.get();
        let waiting = tokio::time::timeout(std::time::Duration::from_millis(10), ws.recv()).await;
        assert!(waiting.is_err());
        let (idle, held) = (ws.memory_used(), (LIVE.get() - before) as usize);
        println!(
            "an idle connection over {} bytes of a stream takes {idle}",
            size_of_val(ws.stream())
        );
        assert!((40..=160).contains(&(idle - new)), "a timer: {idle}, {new}, {held}");
        ws.feed_binary(&[7; 100]).await.unwrap();
        assert!(ws.memory_used() >= idle + 100);

        let (receiver, sender) = { *ws }.split();
        let whole = receiver.memory_used() + sender.memory_used();
        assert!((idle + 100..idle + 900).contains(&whole), "{whole} for {idle}");
    });
}

#[test]
fn blocking_halves_know_what_they_take() {
    use sotong::blocking::{Parts, WebSocket};

    let (io, _peer) = sotong::test_kit::pipe(1000);
    let connection = End::new(Role::Server, &Config::default()).conn;
    let (rx, tx) = (ReceiveBuffer::with_capacity(512), SendBuffer::new());
    let ws = WebSocket::from_parts(Parts { io, connection, rx, tx }).unwrap();
    let config = size_of::<(usize, usize, Config)>();
    let (halves, new) = live(|| ws.split().unwrap());
    let (receiver, mut sender) = *halves;
    // The configuration was there before; of the box only the halves remain.
    let told = receiver.memory_used() + sender.memory_used();
    assert_eq!(told, new + config);
    let before = LIVE.get();
    sender.feed_binary(&[7; 100]).unwrap();
    let queued = (LIVE.get() - before) as usize;
    assert!(queued >= 102);
    assert_eq!(receiver.memory_used() + sender.memory_used(), told + queued);
}
