//! Section 10.3: "clients MUST choose a new masking key for each frame". One key is drawn for each
//! frame, it is the one on the wire, and without one nothing is sent and nothing is lost.

use std::cell::Cell;
use std::time::Duration;

use sotong::{
    Agreed, CloseCode, CloseFrame, Compress, Config, Connection, FrameHeader, Mask, Opcode,
    Payload, Prepared, Role, SendBuffer, SendError,
};

use super::*;

thread_local! {
    /// How often a key was asked for, how many were given, and how many are left.
    static ASKED: Cell<usize> = const { Cell::new(0) };
    static DRAWN: Cell<u8> = const { Cell::new(0) };
    static LEFT: Cell<u8> = const { Cell::new(0) };
}

fn counted_key() -> Option<[u8; 4]> {
    ASKED.set(ASKED.get() + 1);
    LEFT.set(LEFT.get().checked_sub(1)?);
    DRAWN.set(DRAWN.get() + 1);
    Some(nth_key(DRAWN.get()))
}

fn nth_key(n: u8) -> [u8; 4] {
    [n, n ^ 0xff, 7, 0]
}

fn client(config: &Config, agreed: Agreed) -> End {
    ASKED.set(0);
    DRAWN.set(0);
    LEFT.set(0);
    let mut end = End::with(Role::Client, config, agreed);
    end.conn = Connection::client(config, agreed, counted_key);
    end
}

fn plain_client() -> End {
    client(&Config::default(), Agreed::default())
}

/// Keys asked for and keys drawn.
fn keys() -> (usize, u8) {
    (ASKED.get(), DRAWN.get())
}

/// The frames on the wire: key, opcode, and the payload that the key unmasks.
fn decode(mut wire: &[u8]) -> Vec<([u8; 4], Opcode, Vec<u8>)> {
    let mut frames = vec![];
    while !wire.is_empty() {
        let (header, len) = FrameHeader::decode(wire).unwrap().unwrap();
        let key = header.masking_key.expect("a client masks");
        let (payload, rest) = wire[len..].split_at(header.payload_len as usize);
        let mut payload = payload.to_vec();
        Mask::new(key).apply(&mut payload);
        frames.push((key, header.opcode, payload));
        wire = rest;
    }
    frames
}

type Send = fn(&mut Connection, &mut SendBuffer) -> Result<(), SendError>;

/// Beyond lengths of 16 bits; shorter under an interpreter, which is slow.
const LONG: &[u8] = if cfg!(miri) { &[b'l'; 300] } else { &[b'l'; 70_000] };
const BYE: CloseFrame<'_> = CloseFrame { code: CloseCode(4000), reason: "bye" };

/// Everything that sends a frame, with what a receiver sees of it.
const WAYS: [(&str, Send, Opcode, &[u8]); 13] = [
    ("text", |conn, tx| conn.send_text("text", tx).map(drop), Opcode::Text, b"text"),
    ("binary", |conn, tx| conn.send_binary(LONG, tx).map(drop), Opcode::Binary, LONG),
    ("empty", |conn, tx| conn.send_binary(b"", tx).map(drop), Opcode::Binary, b""),
    ("in place", in_place, Opcode::Binary, LONG),
    ("part", |c, tx| c.send_fragment("part", false, tx).map(drop), Opcode::Text, b"part"),
    ("whole", |c, tx| c.send_fragment(b"all", true, tx).map(drop), Opcode::Binary, b"all"),
    ("prepared", prepared, Opcode::Binary, LONG),
    ("compress", |c, tx| c.send(choice(Compress::Yes), tx).map(drop), Opcode::Binary, LONG),
    ("do not", |c, tx| c.send(choice(Compress::No), tx).map(drop), Opcode::Binary, LONG),
    ("compress part", fragment, Opcode::Binary, LONG),
    ("ping", |conn, tx| conn.ping(b"ping", tx).map(drop), Opcode::Ping, b"ping"),
    ("pong", |conn, tx| conn.pong(&[b'l'; 125], tx).map(drop), Opcode::Pong, &[b'l'; 125]),
    ("close", |c, tx| c.close(Some(BYE), tx).map(drop), Opcode::Close, b"\x0f\xa0bye"),
];

fn choice(compress: Compress) -> Payload<'static> {
    Payload::binary(LONG).compress(compress)
}

fn fragment(conn: &mut Connection, tx: &mut SendBuffer) -> Result<(), SendError> {
    conn.send_fragment(choice(Compress::Yes), false, tx).map(drop)
}

fn prepared(conn: &mut Connection, tx: &mut SendBuffer) -> Result<(), SendError> {
    conn.send_prepared(&Prepared::new(LONG), tx).map(drop)
}

/// What may be masked where it lies is as it was if it is not sent.
fn in_place(conn: &mut Connection, tx: &mut SendBuffer) -> Result<(), SendError> {
    let mut bytes = LONG.to_vec();
    let sent = conn.send_binary_in_place(&mut bytes, tx).map(drop);
    assert!(sent.is_ok() || bytes == LONG);
    sent
}

#[test]
fn each_way_to_send_draws_one_key_and_it_is_the_one_on_the_wire() {
    for (way, send, opcode, payload) in WAYS {
        let End { mut conn, mut tx, .. } = plain_client();
        LEFT.set(100);
        for n in 1..=3 {
            let sent = send(&mut conn, &mut tx);
            if n > 1 && opcode == Opcode::Close {
                assert_eq!((sent, keys()), (Err(SendError::Closing), (1, 1)));
                break;
            }
            assert_eq!((sent, keys()), (Ok(()), (n, n as u8)), "{way}");
            let mut transmit = tx.transmit();
            let wire = transmit.slices().concat();
            transmit.consume(wire.len());
            let frames = decode(&wire);
            let (key, seen, unmasked) = &frames[0];
            let is_part = n > 1 && matches!(way, "part" | "compress part");
            let opcode = if is_part { Opcode::Continuation } else { opcode };
            assert_eq!((frames.len(), *key, *seen), (1, nth_key(n as u8), opcode), "{way}");
            assert!(unmasked == payload, "{way}");
        }
    }
}

#[test]
fn without_a_key_nothing_is_sent_and_nothing_is_lost() {
    for (way, send, opcode, payload) in WAYS {
        let End { mut conn, mut tx, .. } = plain_client();
        for asked in 1..=3 {
            let refused = send(&mut conn, &mut tx);
            assert_eq!(refused, Err(SendError::NoMaskingKey), "{way}");
            assert_eq!((keys(), tx.len(), conn.state()), ((asked, 0), 0, State::Open), "{way}");
        }
        LEFT.set(1);
        assert_eq!((send(&mut conn, &mut tx), keys()), (Ok(()), (4, 1)), "{way}");
        let sent = decode(&tx.transmit().slices().concat());
        assert!(sent == [(nth_key(1), opcode, payload.to_vec())], "{way}");
    }
}

#[test]
fn what_must_not_be_sent_draws_no_key() {
    let long = [0; 126];
    let not_for_the_wire = CloseFrame { code: CloseCode(1006), reason: "" };
    let End { mut conn, mut tx, .. } = plain_client();
    LEFT.set(1);
    conn.send_fragment("open", false, &mut tx).unwrap().queue();
    assert_eq!(conn.send_text("a", &mut tx).err(), Some(SendError::MessageUnfinished));
    assert_eq!(conn.send_fragment(b"a", true, &mut tx).err(), Some(SendError::MessageUnfinished));
    let news = Prepared::new("a");
    assert_eq!(conn.send_prepared(&news, &mut tx).err(), Some(SendError::MessageUnfinished));
    assert_eq!(conn.ping(&long, &mut tx).err(), Some(SendError::ControlTooLong));
    assert_eq!(conn.pong(&long, &mut tx).err(), Some(SendError::ControlTooLong));
    let forbidden = conn.close(Some(not_for_the_wire), &mut tx).err();
    assert_eq!(forbidden, Some(SendError::CloseCodeForbidden));
    assert_eq!(keys(), (1, 1));

    let mut config = Config::default();
    config.limits.send_queue = 1;
    let mut end = client(&config, Agreed::default());
    LEFT.set(2);
    end.conn.send_text("full", &mut end.tx).unwrap().queue();
    assert_eq!(end.conn.ping(b"", &mut end.tx).err(), Some(SendError::QueueFull));
    fill(&mut end.rx, b"\x89\x01?");
    assert_eq!(end.conn.next_event(&mut end.rx).unwrap().map(Seen::from), Some(ping(b"?")));
    end.conn.poll_transmit(&mut end.tx);
    assert_eq!(keys(), (1, 1), "a pong waits for room");
    end.drain();
    assert_eq!(decode(&end.drain()), [(nth_key(2), Opcode::Pong, b"?".to_vec())]);
    LEFT.set(1);
    end.conn.close(None, &mut end.tx).unwrap().queue();
    assert_eq!(end.conn.send_text("late", &mut end.tx).err(), Some(SendError::Closing));
    assert_eq!(keys(), (3, 3));
}

/// Lets a frame become due that nobody asked for.
type Due = fn(&mut End);

/// What a client sends by itself.
const DUE: [(&str, Due, Opcode, &[u8]); 4] = [
    ("pong", |end| drop(end.feed([&b"\x89\x01?"[..]])), Opcode::Pong, b"?"),
    (
        "answer to Close",
        |end| drop(end.feed([&b"\x88\x02\x03\xe8"[..]])),
        Opcode::Close,
        b"\x03\xe8",
    ),
    ("failure", |end| drop(end.feed([&b"\xff\x00"[..]])), Opcode::Close, b"\x03\xea"),
    ("keepalive", keepalive, Opcode::Ping, b""),
];

fn keepalive(end: &mut End) {
    let End { conn, rx, tx } = end;
    conn.poll_timeout(Duration::ZERO, rx, tx);
    conn.handle_timeout(Duration::from_secs(30), rx, tx).unwrap();
    conn.poll_transmit(tx);
}

#[test]
fn what_is_due_draws_one_key_and_stays_due_without_one() {
    for (what, make_due, opcode, payload) in DUE {
        let mut end = plain_client();
        make_due(&mut end);
        assert_eq!((end.drain(), DRAWN.get()), (vec![], 0), "{what}");
        assert!(end.conn.state() != State::Closed && end.conn.transport() == Transport::Keep);
        let refused = end.conn.send_text("a", &mut end.tx).err();
        let is_close = opcode == Opcode::Close;
        let expected = if is_close { SendError::Closing } else { SendError::NoMaskingKey };
        assert_eq!(refused, Some(expected), "{what}");
        let asked = ASKED.get();
        LEFT.set(100);
        assert_eq!(decode(&end.drain()), [(nth_key(1), opcode, payload.to_vec())], "{what}");
        assert_eq!((keys(), end.drain()), ((asked + 1, 1), vec![]), "{what}");
    }
}

#[test]
fn replies_between_messages_have_keys_of_their_own_in_the_order_of_the_wire() {
    let mut end = plain_client();
    LEFT.set(100);
    let (conn, tx) = (&mut end.conn, &mut end.tx);
    conn.send_text("one", tx).unwrap().queue();
    conn.send_fragment(b"two", false, tx).unwrap().queue();
    conn.ping(b"three", tx).unwrap().queue();
    conn.send_fragment(b"four", true, tx).unwrap().queue();
    conn.pong(b"five", tx).unwrap().queue();
    let mut wire = end.drain();
    wire.extend(end.feed([&b"\x89\x03six\x88\x00"[..]]).1);

    let expected: [(u8, &[u8]); 7] = [
        (0x81, b"one"),
        (0x02, b"two"),
        (0x89, b"three"),
        (0x80, b"four"),
        (0x8a, b"five"),
        (0x8a, b"six"),
        (0x88, b""),
    ];
    let framed =
        |(n, (first, payload)): (u8, &(u8, &[u8]))| frame(*first, Some(nth_key(n)), payload);
    assert_eq!(wire, (1..).zip(&expected).flat_map(framed).collect::<Vec<u8>>());
    assert_eq!(keys(), (7, 7));
}

#[cfg(feature = "deflate")]
mod compressed {
    use sotong::{Deflate, DeflateParameters};

    use super::*;

    /// Two ends that compress all that is worth it, with context or without.
    fn pair(keeps_context: bool) -> (End, End) {
        let mut deflate = Deflate::default();
        (deflate.context_takeover, deflate.threshold) = (keeps_context, 0);
        let mut config = Config::default();
        (config.deflate, config.limits.inflation) = (Some(deflate), u32::MAX);
        let mut parameters = DeflateParameters::default();
        parameters.client_no_context_takeover = !keeps_context;
        let mut agreed = Agreed::default();
        agreed.deflate = Some(parameters);
        (client(&config, agreed), End::with(Role::Server, &config, agreed))
    }

    /// An interpreter takes a second for a compressor: it tries every so-manieth way.
    const STRIDE: usize = if cfg!(miri) { 6 } else { 1 };

    #[test]
    fn a_key_that_is_missing_leaves_the_context_as_the_peer_knows_it() {
        for keeps_context in [false, true] {
            for (way, send, opcode, payload) in WAYS.into_iter().step_by(STRIDE) {
                let (mut ours, mut theirs) = pair(keeps_context);
                LEFT.set(1);
                ours.conn.send_binary(LONG, &mut ours.tx).unwrap().queue();
                assert_eq!(theirs.feed([&ours.drain()[..]]).0, [binary(LONG)]);
                let refused = send(&mut ours.conn, &mut ours.tx);
                assert_eq!((refused, ours.tx.len()), (Err(SendError::NoMaskingKey), 0), "{way}");
                LEFT.set(2);
                let asked = ASKED.get();
                assert_eq!(send(&mut ours.conn, &mut ours.tx), Ok(()), "{way}");
                assert_eq!(keys(), (asked + 1, 2), "{way}, context: {keeps_context}");
                let mut wire = ours.drain();
                let (header, _) = FrameHeader::decode(&wire).unwrap().unwrap();
                assert_eq!(
                    (header.masking_key, header.opcode),
                    (Some(nth_key(2)), opcode),
                    "{way}"
                );
                if !header.fin {
                    let end = match opcode {
                        Opcode::Text => Payload::text(""),
                        _ => Payload::binary(b""),
                    };
                    ours.conn.send_fragment(end, true, &mut ours.tx).unwrap().queue();
                    wire.extend(ours.drain());
                }
                let seen = theirs.feed([&wire[..]]).0;
                let expected = match opcode {
                    Opcode::Text => Seen::Text(String::from_utf8(payload.to_vec()).unwrap()),
                    Opcode::Ping => ping(payload),
                    Opcode::Pong => pong(payload),
                    Opcode::Close => close(4000, "bye"),
                    _ => binary(payload),
                };
                assert!(seen == [expected], "{way}, context: {keeps_context}");
            }
        }
    }

    #[test]
    fn a_message_that_compression_does_not_pay_for_draws_one_key_all_the_same() {
        let (mut ours, mut theirs) = pair(false);
        LEFT.set(100);
        let noise: Vec<u8> = (1..=200u8).map(|i| i.wrapping_mul(167)).collect();
        ours.conn.send_binary(&noise, &mut ours.tx).unwrap().queue();
        ours.conn.send_binary_in_place(&mut noise.clone(), &mut ours.tx).unwrap().queue();
        let wire = ours.drain();
        let sent = decode(&wire);
        let expected = [1, 2].map(|n| (nth_key(n), Opcode::Binary, noise.clone()));
        assert_eq!((sent, keys()), (expected.to_vec(), (2, 2)));
        assert_eq!(theirs.feed([&wire[..]]).0, [binary(&noise), binary(&noise)]);
    }
}
