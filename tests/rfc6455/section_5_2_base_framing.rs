//! Section 5.2: what the first bytes of a frame may be, and that a verdict needs no more of them.

use sotong::{ProtocolError, Role};

use super::*;

#[test]
fn a_reserved_bit_fails_the_connection() {
    for bits in [0x40, 0x20, 0x10, 0x70] {
        for opcode in [0x1, 0x2, 0x8, 0x9, 0xa] {
            let first = 0x80 | bits | opcode;
            let to_server = [first, 0x80, 0, 0, 0, 0];
            assert_fails(Role::Server, &to_server, ProtocolError::ReservedBits, 1002);
            assert_fails(Role::Client, &[first, 0], ProtocolError::ReservedBits, 1002);
        }
    }
}

#[test]
fn a_reserved_bit_on_a_continuation_fails_the_connection() {
    assert_fails(
        Role::Server,
        b"\x01\x81\0\0\0\0a\xc0\x81\0\0\0\0b",
        ProtocolError::ReservedBits,
        1002,
    );
    assert_fails(Role::Client, b"\x01\x01a\x40\x01b", ProtocolError::ReservedBits, 1002);
}

#[test]
fn a_reserved_opcode_fails_the_connection_whatever_its_length() {
    let opcodes = (0x3..=0x7).chain(0xb..=0xf);
    for first in opcodes.flat_map(|opcode| [opcode, 0x80 | opcode]) {
        let error = ProtocolError::ReservedOpcode;
        assert_fails(Role::Server, &[first, 0x80, 0, 0, 0, 0], error, 1002);
        assert_fails(Role::Server, &[first, 0x80], error, 1002);
        assert_fails(Role::Client, &[first, 0], error, 1002);
        let huge = [first, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
        assert_fails(Role::Server, &huge, error, 1002);
    }
}

#[test]
fn a_length_has_its_shortest_form() {
    // (to a server, to a client)
    let table: [(&[u8], &[u8]); 6] = [
        (b"\x81\xfe\x00\x7d\0\0\0\0", b"\x81\x7e\x00\x7d"),
        (b"\x82\xfe\x00\x00\0\0\0\0", b"\x82\x7e\x00\x00"),
        (b"\x81\xff\0\0\0\0\0\0\xff\xff\0\0\0\0", b"\x81\x7f\0\0\0\0\0\0\xff\xff"),
        (b"\x82\xff\0\0\0\0\0\0\0\x7e\0\0\0\0", b"\x82\x7f\0\0\0\0\0\0\0\x7e"),
        (b"\x01\xff\0\0\0\0\0\0\0\0", b"\x01\x7f\0\0\0\0\0\0\0\0"),
        (b"\x01\xfe\x00\x01", b"\x01\x7e\x00\x01"),
    ];
    for (to_server, to_client) in table {
        assert_fails(Role::Server, to_server, ProtocolError::LengthNotMinimal, 1002);
        assert_fails(Role::Client, to_client, ProtocolError::LengthNotMinimal, 1002);
    }
}

#[test]
fn the_most_significant_bit_of_a_length_is_zero() {
    let error = ProtocolError::LengthTooLarge;
    assert_fails(Role::Server, b"\x82\xff\x80\0\0\0\0\0\0\0\0\0\0\0", error, 1002);
    assert_fails(Role::Server, b"\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff", error, 1002);
    assert_fails(Role::Client, b"\x82\x7f\x80\0\0\0\0\0\0\0", error, 1002);
    assert_fails(Role::Client, b"\x02\x7f\xff\xff\xff\xff\xff\xff\xff\xff", error, 1002);
}

#[test]
fn a_length_beyond_the_limit_fails_at_the_header() {
    let error = ProtocolError::FrameTooBig;
    assert_fails(Role::Server, b"\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0", error, 1009);
    assert_fails(Role::Client, b"\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff", error, 1009);
    assert_fails(Role::Client, b"\x02\x7f\x00\x00\x00\x00\x00\x10\x00\x01", error, 1009);
}

#[test]
fn lengths_around_each_form_of_the_length_are_received() {
    for role in ROLES {
        for len in [0, 1, 125, 126, 127, 255, 256, 65_535, 65_536, 65_537] {
            let payload = vec![b'x'; len];
            let bytes = frame(0x82, key_towards(role), &payload);
            let trace = End::new(role, &Config::default()).feed(bytes.chunks(1000));
            assert!(trace == open(vec![binary(&payload)], b""), "{role:?} {len}");
        }
    }
}

#[test]
fn a_header_is_waited_for_and_says_nothing_before_it_is_whole() {
    for end in 0..14 {
        let bytes = &b"\x82\xff\x00\x00\x00\x00\x00\x01\x00\x00\0\0\0\0"[..end];
        assert_eq!(receive(Role::Server, bytes), open(vec![], b""), "{end}");
    }
}

#[test]
fn the_end_of_the_stream_within_a_frame_is_abnormal() {
    let bytes = frame(0x81, Some([1, 2, 3, 4]), b"Hello");
    for end in 0..=bytes.len() {
        let mut server = End::new(Role::Server, &Config::default());
        let hello = if end == bytes.len() { vec![text("Hello")] } else { vec![] };
        assert_eq!(server.feed([&bytes[..end]]), open(hello, b""));
        let error = server.conn.handle_eof().unwrap_err();
        assert_eq!((error, error.close_code().0), (ProtocolError::UnexpectedEof, 1006));
        let over = (server.conn.state(), server.conn.transport(), server.drain());
        assert_eq!(over, (State::Closed, Transport::Close, vec![]), "no Close is sent for it");
        assert_eq!(server.conn.next_event(&mut server.rx), Err(error));
    }
}

#[test]
fn two_frames_in_one_read_are_two_events() {
    for role in ROLES {
        let bytes = frames(role, &[(0x81, b"one"), (0x82, b"two"), (0x8a, b"three")]);
        let expected = open(vec![text("one"), binary(b"two"), pong(b"three")], b"");
        assert_eq!(receive(role, &bytes), expected);
    }
}
