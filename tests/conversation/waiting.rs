//! What happens when nothing happens: pings, deadlines, and queues that nobody empties.

use sotong::{Agreed, ProtocolError, TimedOut, Traffic};

use super::*;

#[test]
fn pings_keep_an_idle_connection_alive_for_an_hour() {
    let mut pair = Pair::new(&Config::default());
    assert_eq!(pair.wait_until(secs(3600)), None);
    for side in [&pair.client, &pair.server] {
        let pings = side.events.iter().filter(|event| **event == Seen::Ping(vec![])).count();
        let pongs = side.events.iter().filter(|event| **event == Seen::Pong(vec![])).count();
        assert_eq!((pings, pongs, side.events.len()), (120, 120, 240));
    }
    assert_eq!(
        (pair.client.rx.is_empty(), pair.client.tx.len(), pair.states()),
        (true, 0, [State::Open; 2])
    );
}

#[test]
fn a_connection_with_traffic_is_not_pinged() {
    let mut pair = Pair::new(&Config::default());
    for second in (0..3600).step_by(29) {
        assert_eq!(pair.wait_until(secs(second)), None);
        pair.client.send("a");
        pair.server.send("b");
    }
    pair.exchange();
    assert!(pair.server.events.iter().all(|event| *event == text("a")));
    assert!(pair.client.events.iter().all(|event| *event == text("b")));
}

#[test]
fn a_peer_that_is_gone_is_noticed_after_a_ping_without_an_answer() {
    let mut pair = Pair::new(&Config::default());
    pair.client.conn = Connection::client(quiet(), Agreed::default(), || Some([0; 4]));
    assert_eq!(pair.wait_until(secs(60)), None);
    pair.client.reads = false;
    let gone = Some((secs(110), Role::Server, TimedOut::Pong));
    assert_eq!(pair.wait_until(secs(1000)), gone, "20 s after the ping at 90 s");
    assert_eq!(pair.client.wire, b"\x89\x00");
    assert_eq!(pair.transports(), [Transport::Keep, Transport::Close]);
    assert_eq!(pair.states(), [State::Open, State::Closed]);
}

#[test]
fn any_byte_in_time_answers_a_ping() {
    let mut pair = Pair::new(&Config::default());
    pair.client.reads = false;
    pair.server.conn.poll_timeout(secs(0), &pair.server.rx, &pair.server.tx);
    pair.now = secs(30);
    let Side { conn, rx, tx, .. } = &mut pair.server;
    assert_eq!(conn.handle_timeout(secs(30), rx, tx), Ok(()));
    assert_eq!(rx.extend(b"\x82"), 1);
    assert_eq!(conn.handle_timeout(secs(50), rx, tx), Ok(()), "a byte of a frame has come");
    conn.poll_transmit(tx);
    assert_eq!(tx.transmit().slices()[0], b"\x89\x00");
    tx.transmit().consume(2);
    assert_eq!(conn.poll_timeout(secs(50), rx, tx), Some(secs(80)));
}

#[test]
fn a_ping_that_is_due_is_not_sent_once_the_peer_has_closed() {
    let mut pair = Pair::new(&Config::default());
    let Side { conn, rx, tx, .. } = &mut pair.server;
    conn.poll_timeout(secs(0), rx, tx);
    assert_eq!(conn.handle_timeout(secs(30), rx, tx), Ok(()));
    assert_eq!(rx.extend(b"\x88\x80\0\0\0\0"), 6);
    assert_eq!(conn.next_event(rx), Ok(Some(Event::Close(None))));
    conn.poll_transmit(tx);
    assert_eq!(tx.transmit().slices()[0], b"\x88\x00");
}

#[test]
fn a_peer_that_never_reads_is_given_up_and_the_queue_is_bounded() {
    let mut pair = Pair::new(&quiet());
    pair.client.reads = false;
    let mut sent = 0;
    let refused = loop {
        let Side { conn, tx, .. } = &mut pair.server;
        match conn.send_binary(&[7; 10_000], tx) {
            Ok(transmit) => transmit.queue(),
            Err(error) => break error,
        }
        sent += 1;
        pair.server.write(&mut pair.client, pair.wire_len);
    };
    assert_eq!((refused, sent), (SendError::QueueFull, 14));
    assert!(pair.server.tx.len() < 64 * 1024 + 10_004);
    assert_eq!(pair.wait_until(secs(20)), None);
    pair.client.wire.drain(..1);
    assert_eq!(pair.wait_until(secs(1000)), Some((secs(50), Role::Server, TimedOut::Send)));
    assert_eq!(pair.server.conn.transport(), Transport::Close);
}

#[test]
fn a_peer_that_reads_slowly_is_not_given_up() {
    let mut pair = Pair::new(&quiet());
    pair.client.reads = false;
    pair.wire_len = 1;
    pair.server.send("slow");
    for second in (0..).step_by(29).take(6) {
        assert_eq!(pair.wait_until(secs(second)), None);
        pair.client.reads = true;
        pair.client.read();
        pair.client.reads = false;
    }
    assert_eq!(pair.client.events, [text("slow")]);
}

/// Fewer under an interpreter, which takes a thousand times as long.
const PINGS: u32 = if cfg!(miri) { 500 } else { 10_000 };

#[test]
fn a_flood_of_pings_from_a_peer_that_never_reads_holds_one_pong() {
    let mut config = quiet();
    config.limits.send_queue = 1000;
    let mut pair = Pair::new(&config);
    pair.wire_len = 500;
    pair.client.reads = false;
    let mut longest = 0;
    for n in 0..PINGS {
        let Side { conn, tx, .. } = &mut pair.client;
        conn.ping(&n.to_be_bytes(), tx).unwrap().queue();
        pair.exchange();
        longest = longest.max(pair.server.tx.len());
    }
    assert_eq!(pair.server.events.len(), PINGS as usize);
    assert!((1000..1127).contains(&longest), "{longest}");
    pair.client.reads = true;
    pair.exchange();
    assert_eq!(pair.client.events.last(), Some(&Seen::Pong((PINGS - 1).to_be_bytes().into())));
    assert!(pair.client.events.len() < 300, "{}", pair.client.events.len());
}

#[test]
fn a_close_that_nobody_answers_ends_at_its_deadline_whatever_still_comes() {
    let mut pair = Pair::new(&quiet());
    pair.now = secs(100);
    pair.client.reads = false;
    pair.server.close(1000, "");
    assert_eq!(pair.wait_until(secs(109)), None);
    pair.client.send("still here");
    assert_eq!(pair.wait_until(secs(500)), Some((secs(110), Role::Server, TimedOut::Close)));
    assert_eq!(pair.server.events, [text("still here")]);
    assert_eq!(pair.transports(), [Transport::Keep, Transport::Close]);
}

#[test]
fn a_stream_that_does_not_end_behind_a_complete_closing_handshake_is_given_up_quietly() {
    let mut pair = Pair::new(&quiet());
    pair.client.close(1000, "");
    pair.client.write(&mut pair.server, 100);
    pair.server.wire.clear();
    pair.client.wire.extend(b"\x88\x00");
    pair.client.read();
    assert_eq!(pair.client.conn.transport(), Transport::AwaitEof);
    assert_eq!(pair.wait_until(secs(9)), None);
    assert_eq!(pair.client.conn.transport(), Transport::AwaitEof);
    assert_eq!(pair.wait_until(secs(10)), None);
    assert_eq!(pair.client.conn.transport(), Transport::Close);
}

#[test]
fn a_writing_half_that_waits_without_reading_asks_for_no_sign_of_life() {
    let (_, mut outgoing) = Connection::server(Config::default(), Agreed::default()).split();
    let mut tx = SendBuffer::new();
    let reading = Traffic { received: Some(5), sent: 0, queued: false };
    let not_reading = Traffic { received: None, ..reading };
    assert_eq!(outgoing.poll_timeout(secs(0), reading), Some(secs(30)));
    assert_eq!(outgoing.poll_timeout(secs(10), not_reading), None);
    assert_eq!(outgoing.handle_timeout(secs(40), not_reading), Ok(()));
    outgoing.poll_transmit(&mut tx);
    assert!(tx.is_empty(), "no ping is due");
    let stalled = Traffic { queued: true, ..not_reading };
    assert_eq!(outgoing.poll_timeout(secs(41), stalled), Some(secs(71)));
    assert_eq!(outgoing.handle_timeout(secs(71), stalled), Err(TimedOut::Send));
}

#[test]
fn a_connection_tells_the_limits_and_the_timeouts_that_it_was_made_with() {
    let mut config = quiet();
    config.timeouts.pong = Some(secs(7));
    config.limits.head = 700;
    let conn = Connection::server(&config, Agreed::default());
    assert_eq!((conn.timeouts().keepalive, conn.timeouts().pong), (None, Some(secs(7))));
    assert_eq!(conn.limits().head, 700);
}

#[test]
fn a_client_that_has_failed_waits_for_the_server_to_end_the_stream_and_drops_what_still_comes() {
    for (close, over) in [(Some(secs(10)), Some(secs(110))), (None, None)] {
        let mut config = quiet();
        config.timeouts.close = close;
        let mut pair = Pair::new(&config);
        pair.now = secs(100);
        pair.client.wire.extend(b"\x83\x00");
        pair.client.read();
        pair.client.write(&mut pair.server, 100);
        assert_eq!(pair.client.conn.transport(), Transport::AwaitEof);
        pair.server.reads = false;
        assert_eq!(pair.wait_until(secs(109)), None);
        pair.client.wire.extend(b"\x81\x04late");
        pair.client.read();
        assert_eq!(pair.client.conn.transport(), Transport::AwaitEof, "its time is not over");
        let (rx, tx) = (&pair.client.rx, &pair.client.tx);
        assert_eq!(pair.client.conn.poll_timeout(secs(109), rx, tx), over);
        // Its error is known already.
        assert_eq!(pair.wait_until(secs(500)), None);
        let then = if close.is_some() { Transport::Close } else { Transport::AwaitEof };
        assert_eq!((pair.client.conn.transport(), pair.client.events.len()), (then, 0));
        assert_eq!(pair.client.conn.handle_eof(), Err(ProtocolError::ReservedOpcode));
        assert_eq!(pair.client.conn.transport(), Transport::Close);
    }
}
