//! Section 5.1 and 5.3: "a client MUST mask all frames", "a server MUST NOT mask any frames".

use std::cell::Cell;

use sotong::{Agreed, Config, Connection, FrameHeader, ProtocolError, Role, SendBuffer, SendError};

use super::*;

#[test]
fn a_server_fails_on_a_frame_that_is_not_masked() {
    for first in [0x81, 0x82, 0x01, 0x89, 0x8a, 0x88] {
        assert_fails(Role::Server, &[first, 0x01, b'a'], ProtocolError::NotMasked, 1002);
        assert_fails(Role::Server, &[first, 0x00], ProtocolError::NotMasked, 1002);
    }
}

#[test]
fn a_client_fails_on_a_masked_frame() {
    for first in [0x81, 0x82, 0x01, 0x89, 0x8a, 0x88] {
        let bytes = [first, 0x81, 0, 0, 0, 0, b'a'];
        assert_fails(Role::Client, &bytes, ProtocolError::Masked, 1002);
        assert_fails(Role::Client, &bytes[..2], ProtocolError::Masked, 1002);
    }
}

/// An interpreter takes a thousand times as long: it tries every so-manieth length and cut.
const STRIDE: usize = if cfg!(miri) { 7 } else { 1 };

#[test]
fn every_key_unmasks_every_length_at_every_cut() {
    let payload: Vec<u8> = (0..40u8).map(|i| i.wrapping_mul(37)).collect();
    for key in [[0; 4], [0xff; 4], [0x37, 0xfa, 0x21, 0x3d], [1, 0, 0, 0]] {
        for len in (0..payload.len()).step_by(STRIDE) {
            let bytes = frame(0x82, Some(key), &payload[..len]);
            for cut in (0..=bytes.len()).step_by(STRIDE) {
                let (head, tail) = bytes.split_at(cut);
                let trace = End::new(Role::Server, &Config::default()).feed([head, tail]);
                assert_eq!(trace, open(vec![binary(&payload[..len])], b""), "{key:x?} {cut}");
            }
        }
    }
}

#[test]
fn keys_differ_from_frame_to_frame_and_fragments_start_them_anew() {
    let bytes: Vec<u8> = [
        frame(0x02, Some([1, 2, 3, 4]), b"abcde"),
        frame(0x89, Some([5, 6, 7, 8]), b"fgh"),
        frame(0x00, Some([9, 10, 11, 12]), b"ijklmno"),
        frame(0x80, Some([255, 0, 255, 0]), b"p"),
    ]
    .concat();
    let expected = open(vec![ping(b"fgh"), binary(b"abcdeijklmnop")], b"\x8a\x03fgh");
    assert_eq!(receive(Role::Server, &bytes), expected);
}

thread_local! {
    /// How many keys were drawn, and how many there are.
    static DRAWN: Cell<u8> = const { Cell::new(0) };
    static LEFT: Cell<u8> = const { Cell::new(0) };
}

fn counted_key() -> Option<[u8; 4]> {
    LEFT.set(LEFT.get().checked_sub(1)?);
    DRAWN.set(DRAWN.get() + 1);
    let n = DRAWN.get();
    Some([n, n ^ 0xff, 7, 0])
}

#[test]
fn a_client_draws_one_fresh_key_for_each_frame() {
    LEFT.set(100);
    let mut end = End::new(Role::Client, &Config::default());
    end.conn = Connection::client(Config::default(), Agreed::default(), counted_key);
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
    let framed = |(n, (first, payload)): (u8, &(u8, &[u8]))| {
        frame(*first, Some([n, n ^ 0xff, 7, 0]), payload)
    };
    assert_eq!(wire, (1..).zip(&expected).flat_map(framed).collect::<Vec<u8>>());
    assert_eq!(DRAWN.get(), 7);
}

#[test]
fn without_randomness_nothing_is_sent_and_replies_stay_due() {
    LEFT.set(0);
    let mut end = End::new(Role::Client, &Config::default());
    end.conn = Connection::client(Config::default(), Agreed::default(), counted_key);
    let (conn, tx) = (&mut end.conn, &mut end.tx);
    assert_eq!(conn.send_text("a", tx).err(), Some(SendError::NoMaskingKey));
    assert_eq!(conn.send_fragment("a", false, tx).err(), Some(SendError::NoMaskingKey));
    assert_eq!(conn.ping(b"", tx).err(), Some(SendError::NoMaskingKey));
    assert_eq!(conn.close(None, tx).err(), Some(SendError::NoMaskingKey));
    let waiting = (vec![ping(b"?")], vec![], None, State::Open, Transport::Keep);
    assert_eq!(end.feed([&b"\x89\x01?"[..]]), waiting);
    let closing = (vec![Seen::Close(None)], vec![], None, State::Closing, Transport::Keep);
    assert_eq!(end.feed([&b"\x88\x00"[..]]), closing);

    LEFT.set(2);
    assert_eq!(end.drain(), b"\x8a\x81\x01\xfe\x07\0\x3e\x88\x80\x02\xfd\x07\0");
    assert_eq!((end.conn.state(), end.drain()), (State::Closed, vec![]));
}

#[test]
fn a_fragment_that_could_not_be_sent_leaves_no_message_open() {
    LEFT.set(0);
    let mut tx = SendBuffer::new();
    let mut conn = Connection::client(Config::default(), Agreed::default(), counted_key);
    assert_eq!(conn.send_fragment("a", false, &mut tx).err(), Some(SendError::NoMaskingKey));
    LEFT.set(1);
    conn.send_text("b", &mut tx).unwrap().queue();
    assert_eq!(tx.transmit().slices().concat()[..2], [0x81, 0x81]);
}

#[test]
fn a_client_masks_all_of_a_long_payload_and_a_server_none() {
    let payload: Vec<u8> = (0..70_000u32).map(|i| (i % 251) as u8).collect();
    let mut tx = SendBuffer::new();
    let mut client =
        Connection::client(Config::default(), Agreed::default(), || Some([0x37, 0xfa, 0x21, 0x3d]));
    let wire = client.send_binary(&payload, &mut tx).unwrap().slices().concat();
    assert!(wire == frame(0x82, Some([0x37, 0xfa, 0x21, 0x3d]), &payload));

    let mut tx = SendBuffer::new();
    let mut server = Connection::server(Config::default(), Agreed::default());
    let wire = server.send_binary(&payload, &mut tx).unwrap().slices().concat();
    let (header, len) = FrameHeader::decode(&wire).unwrap().unwrap();
    assert_eq!((header.masking_key, header.payload_len, len), (None, 70_000, 10));
    assert!(wire[len..] == payload);
}
