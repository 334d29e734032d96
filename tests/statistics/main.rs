//! What a connection has done so far, as it tells it: the core and the adapters.

#[cfg(feature = "tokio")]
mod adapters;

use std::time::Duration;

use sotong::test_kit::{Pair, Side};
use sotong::{Config, Prepared, Statistics};

/// What both ends tell.
fn told(pair: &Pair) -> [Statistics; 2] {
    [&pair.client, &pair.server].map(|side| side.conn.statistics(&side.rx, &side.tx))
}

/// Messages and bytes of payload.
fn received(side: &Side) -> (u64, u64) {
    let received = side.conn.statistics(&side.rx, &side.tx).received;
    (received.messages, received.payload)
}

fn sent(side: &Side) -> (u64, u64) {
    let sent = side.conn.statistics(&side.rx, &side.tx).sent;
    (sent.messages, sent.payload)
}

#[test]
fn a_connection_that_has_done_nothing_tells_so() {
    assert_eq!(told(&Pair::new(&Config::default())), [Statistics::default(); 2]);
}

#[test]
fn messages_count_once_and_their_bytes_however_they_are_sent() {
    let long = "가".repeat(1000);
    let prepared = Prepared::new("news");
    for portion in [1, 7, usize::MAX] {
        let mut pair = Pair::new(&Config::default());
        (pair.client.portion, pair.server.portion) = (portion, portion);
        let (mut messages, mut payload) = (0, 0);
        for side in [&mut pair.client, &mut pair.server] {
            let Side { conn, tx, .. } = side;
            conn.send_text(&long, tx).unwrap().queue();
            conn.send_binary(&[7; 200], tx).unwrap().queue();
            conn.send_binary_in_place(&mut [8; 9], tx).unwrap().queue();
            conn.send_prepared(&prepared, tx).unwrap().queue();
            conn.send_fragment("one ", false, tx).unwrap().queue();
            conn.send_fragment("two", true, tx).unwrap().queue();
            (messages, payload) = (5, 3000 + 200 + 9 + 4 + 7);
            assert_eq!(sent(side), (messages, payload));
        }
        pair.exchange();
        assert_eq!(received(&pair.client), (messages, payload), "by {portion}");
        assert_eq!(received(&pair.server), (messages, payload), "by {portion}");
    }
}

#[test]
fn what_is_refused_is_not_counted() {
    let mut config = Config::default();
    config.limits.send_queue = 1;
    let mut pair = Pair::new(&config);
    let Side { conn, tx, .. } = &mut pair.server;
    conn.send_fragment("begun", false, tx).unwrap().queue();
    assert!(conn.send_text("full", tx).is_err());
    assert!(conn.ping(b"full", tx).is_err());
    pair.exchange();
    let Side { conn, tx, .. } = &mut pair.server;
    assert!(conn.send_text("within another", tx).is_err());
    assert!(conn.ping(&[0; 126], tx).is_err());
    assert_eq!((sent(&pair.server), received(&pair.client)), ((0, 5), (0, 0)), "it is not over");
    assert_eq!(told(&pair)[1].sent.pings, 0);
}

#[test]
fn a_message_that_is_no_text_is_not_counted() {
    for bytes in [&b"\x81\x82\0\0\0\0a\xff"[..], b"\x01\x81\0\0\0\0a\x80\x81\0\0\0\0\xff"] {
        let mut pair = Pair::new(&Config::default());
        pair.server.wire.extend(bytes);
        pair.exchange();
        assert_eq!((received(&pair.server), pair.server.events.len()), ((0, 0), 0));
    }
}

#[test]
fn pieces_count_as_they_are_handed_over_and_the_message_at_its_end() {
    let mut pair = Pair::new(&Config::default());
    let Side { conn, rx, tx, .. } = &mut pair.server;
    let mut expect = |bytes: &[u8], counted: (u64, u64)| {
        assert_eq!(rx.extend(bytes), bytes.len());
        while conn.next_chunk(rx).unwrap().is_some() {}
        let received = conn.statistics(rx, tx).received;
        assert_eq!((received.messages, received.payload), counted);
    };
    expect(b"\x01\x85\0\0\0\0abc", (0, 3));
    expect(b"de", (0, 5));
    expect(b"\x80\x81\0\0\0\0f", (1, 6));
    expect(b"\x82\x80\0\0\0\0", (2, 6));
    // What is left of a message whose first pieces were taken.
    expect(b"\x02\x82\0\0\0\0gh", (2, 8));
    assert_eq!(rx.extend(b"\x80\x81\0\0\0\0i"), 7);
    assert!(conn.next_event(rx).unwrap().is_some());
    let received = conn.statistics(rx, tx).received;
    assert_eq!((received.messages, received.payload), (3, 9));
}

#[test]
fn bytes_are_those_of_the_stream_and_what_is_queued_is_told() {
    let mut pair = Pair::new(&Config::default());
    pair.server.send("Hello");
    let queued = told(&pair)[1].sent;
    assert_eq!((queued.bytes, queued.queued), (0, 7));
    pair.client.send("Hello");
    pair.exchange();
    let [client, server] = told(&pair);
    assert_eq!((server.sent.bytes, server.sent.queued, server.received.bytes), (7, 0, 11));
    assert_eq!((client.sent.bytes, client.sent.queued, client.received.bytes), (11, 0, 7));
}

#[test]
fn pings_and_pongs_are_counted_on_both_ends() {
    let mut pair = Pair::new(&Config::default());
    for payload in [&b""[..], b"1", b"2"] {
        let Side { conn, tx, .. } = &mut pair.client;
        conn.ping(payload, tx).unwrap().queue();
        conn.pong(b"unasked", tx).unwrap().queue();
        pair.exchange();
    }
    // Of two that come at once only the latest is answered.
    let Side { conn, tx, .. } = &mut pair.client;
    conn.ping(b"3", tx).unwrap().queue();
    conn.ping(b"4", tx).unwrap().queue();
    pair.exchange();
    let [client, server] = told(&pair);
    assert_eq!((client.sent.pings, client.sent.pongs), (5, 3));
    assert_eq!((server.received.pings, server.received.pongs), (5, 3));
    assert_eq!((server.sent.pings, server.sent.pongs), (0, 4));
    assert_eq!((client.received.pings, client.received.pongs), (0, 4));
    assert_eq!(client.sent.round_trip, None, "nobody said what time it was");
}

#[test]
fn a_ping_that_keeps_the_connection_alive_tells_the_round_trip_time() {
    let ms = Duration::from_millis;
    let mut pair = Pair::new(&Config::default());
    pair.client.reads = false;
    assert_eq!(pair.wait_until(ms(30_080)), None);
    pair.client.reads = true;
    assert_eq!(pair.wait_until(ms(30_081)), None);
    let [client, server] = told(&pair);
    assert_eq!(server.sent.pings, 1);
    assert_eq!(client.sent.pings, 1);
    // The client asked at the same time, and did not look for the answer.
    let times = [client, server].map(|statistics| statistics.sent.round_trip);
    assert_eq!(times, [Some(ms(80)); 2]);
}

#[test]
fn a_ping_whose_time_is_known_tells_the_round_trip_time() {
    let ms = Duration::from_millis;
    let mut config = Config::default();
    config.timeouts.keepalive = None;
    let mut pair = Pair::new(&config);
    let Side { conn, tx, .. } = &mut pair.server;
    conn.ping_at(ms(0), b"1", tx).unwrap().queue();
    pair.client.reads = false;
    assert_eq!(pair.wait_until(ms(40)), None);
    let Side { conn, tx, .. } = &mut pair.client;
    conn.pong(b"no answer", tx).unwrap().queue();
    assert_eq!(pair.wait_until(ms(50)), None);
    assert_eq!(told(&pair)[1].sent.round_trip, None);
    pair.client.reads = true;
    assert_eq!(pair.wait_until(ms(51)), None);
    assert_eq!(told(&pair)[1].sent.round_trip, Some(ms(50)));
}

#[test]
fn a_pong_that_may_answer_another_ping_tells_no_time() {
    let mut pair = Pair::new(&Config::default());
    let Side { conn, tx, .. } = &mut pair.server;
    conn.ping_at(Duration::ZERO, b"1", tx).unwrap().queue();
    conn.ping(b"1", tx).unwrap().queue();
    assert_eq!(pair.wait_until(Duration::from_millis(1)), None);
    let sent = told(&pair)[1].sent;
    assert_eq!((sent.pings, sent.round_trip), (2, None));
}

#[test]
fn halves_tell_the_same() {
    let mut pair = Pair::new(&Config::default());
    pair.client.send("Hello");
    pair.server.send("Hi");
    pair.exchange();
    let [_, whole] = told(&pair);
    let Side { conn, rx, tx, .. } = pair.server;
    let (incoming, outgoing) = conn.split();
    assert_eq!((incoming.statistics(&rx), outgoing.statistics(&tx)), (whole.received, whole.sent));
}

#[cfg(feature = "deflate")]
#[test]
fn payload_is_counted_as_it_was_before_compression() {
    use sotong::{Compress, Deflate, Payload};

    let mut config = Config::default();
    config.deflate = Some(Deflate::default());
    let mut pair = Pair::new(&config);
    assert!(pair.client.conn.agreed().deflate.is_some());
    let zeros = [0; 10_000];
    pair.client.send(Payload::binary(&zeros).compress(Compress::Yes));
    let Side { conn, tx, .. } = &mut pair.client;
    conn.send_fragment(Payload::binary(&zeros).compress(Compress::Yes), false, tx).unwrap().queue();
    conn.send_fragment(&[0; 10], true, tx).unwrap().queue();
    pair.exchange();
    assert_eq!((sent(&pair.client), received(&pair.server)), ((2, 20_010), (2, 20_010)));
    assert!(told(&pair)[1].received.bytes < 200);
}
