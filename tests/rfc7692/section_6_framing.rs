//! RSV1 says that a message is compressed (section 6).

use super::*;

#[test]
fn without_an_agreement_the_bit_fails_the_connection() {
    for role in ROLES {
        for first in [0xc1, 0xc2, 0x41, 0xa1, 0x91, 0xf1] {
            let bytes = frames(role, &[(first, HELLO)]);
            let trace = End::new(role, &config(|_| {})).feed([&bytes[..]]);
            assert_eq!(trace, failed(role, vec![], ProtocolError::ReservedBits, 1002), "{first:x}");
        }
    }
}

#[test]
fn the_bit_stands_on_the_first_frame_of_a_data_message_and_nowhere_else() {
    let error = ProtocolError::ReservedBits;
    for role in ROLES {
        let wrong: [(Frames, Vec<Seen>); 8] = [
            (&[(0x41, &HELLO[..3]), (0xc0, &HELLO[3..])], vec![]),
            (&[(0x41, &HELLO[..3]), (0x40, &HELLO[3..])], vec![]),
            (&[(0x01, b"plain"), (0xc0, HELLO)], vec![]),
            (&[(0xc9, b"")], vec![]),
            (&[(0xca, b"")], vec![]),
            (&[(0xc8, b"\x03\xe8")], vec![]),
            (&[(0xc1, HELLO), (0xe1, HELLO)], vec![text("Hello")]),
            (&[(0xd2, HELLO)], vec![]),
        ];
        for (list, events) in wrong {
            assert_eq!(receive(role, both(15, true), list), failed(role, events, error, 1002));
        }
    }
}

#[test]
fn compressed_and_plain_messages_follow_each_other_in_any_fragments_and_around_pings() {
    for role in ROLES {
        let trace = receive(
            role,
            both(15, true),
            &[
                (0xc1, HELLO),
                (0x81, b"plain"),
                // The example of section 7.2.3.1, with a ping between.
                (0x41, &HELLO[..3]),
                (0x8a, b"between"),
                (0x80, &HELLO[3..]),
                (0x01, b"pl"),
                (0x00, b""),
                (0x80, b"ain"),
                // Empty fragments, and one that begins the tail.
                (0x42, b""),
                (0x00, HELLO),
                (0x80, b""),
            ],
        );
        let expected = open(vec![
            text("Hello"),
            text("plain"),
            Seen::Pong(b"between".into()),
            text("Hello"),
            text("plain"),
            Seen::Binary(b"Hello".into()),
        ]);
        assert_eq!(trace, expected);
    }
}

/// An interpreter is slow: it tries every so-manieth end.
const STRIDE: usize = if cfg!(miri) { 3 } else { 1 };

#[test]
fn a_fragment_may_end_anywhere_in_the_data() {
    for role in ROLES {
        for i in (0..=HELLO.len()).step_by(STRIDE) {
            for j in (i..=HELLO.len()).step_by(STRIDE) {
                let list: [(u8, &[u8]); 4] =
                    [(0x41, &HELLO[..i]), (0x89, b""), (0x00, &HELLO[i..j]), (0x80, &HELLO[j..])];
                let (events, ..) = receive(role, both(9, false), &list);
                assert_eq!(events, [Seen::Ping(vec![]), text("Hello")], "{i} {j}");
            }
        }
    }
}
