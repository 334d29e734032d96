//! What compressed messages hold, and what is none (section 7.2). The table of all payloads, cuts
//! and steps stands beside the decompressor; this is what the peer sees of it.

use super::*;

#[test]
fn the_examples_are_hello_in_both_roles() {
    let payloads: [&[u8]; 5] = [
        HELLO,
        b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00",
        b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00",
        b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00",
        b"\xf3\x48\xcd\xc9\xc9\x07\x00",
    ];
    for role in ROLES {
        for payload in payloads {
            for agreed in [both(15, true), both(15, false), both(10, true), both(10, false)] {
                let trace = receive(role, agreed, &[(0xc1, payload), (0xc1, payload)]);
                assert_eq!(trace, open(vec![text("Hello"), text("Hello")]));
            }
        }
    }
}

#[test]
fn a_second_message_may_refer_to_the_first_if_that_was_agreed() {
    // Section 7.2.3.2: "Hello" again is a reference of five bytes.
    let again: &[u8] = b"\xf2\x00\x11\x00\x00";
    for role in ROLES {
        let list = [(0xc1, HELLO), (0xc1, again)];
        assert_eq!(receive(role, both(15, true), &list), open(vec![text("Hello"), text("Hello")]));
        assert_eq!(
            receive(role, both(15, false), &list),
            failed(role, vec![text("Hello")], ProtocolError::NotDeflate, 1007)
        );
    }
}

#[test]
fn the_direction_decides_whose_context_it_is() {
    let again: &[u8] = b"\xf2\x00\x11\x00\x00";
    let server_forgets = agreed(|deflate| deflate.server_no_context_takeover = true);
    let list = [(0xc1, HELLO), (0xc1, again)];
    assert_eq!(receive(Role::Server, server_forgets, &list).2, None);
    assert_eq!(receive(Role::Client, server_forgets, &list).2, Some(ProtocolError::NotDeflate));
}

#[test]
fn what_cannot_be_inflated_fails_with_1007() {
    let (data, end) = (ProtocolError::NotDeflate, ProtocolError::DeflateUnfinished);
    let table: [(&[u8], ProtocolError); 7] = [
        (b"\x06", data),
        (b"\x00\x05\x00\x00\x00\x48\x65\x6c\x6c\x6f\x00", data),
        (b"\x02\x02\x00", data),
        (b"\x78\x9c\xf2\x48\xcd\xc9\xc9\x07\x00", data),
        (b"\xf3\x48\xcd\xc9\xc9\x07\x00\xde\xad\xbe\xef", data),
        (b"\xf2\x48\xcd", end),
        (b"\xf2\x48\xcd\xc9\xc9\x07\x00\x00\x00\xff\xff", end),
    ];
    for role in ROLES {
        for (payload, error) in table {
            for bits in [15, 9] {
                let list = [(0x82, &b"before"[..]), (0xc1, payload), (0xc1, HELLO)];
                let before = vec![Seen::Binary(b"before".into())];
                assert_eq!(
                    receive(role, both(bits, true), &list),
                    failed(role, before, error, 1007),
                    "{payload:x?}"
                );
            }
        }
    }
}

#[test]
fn compressed_text_is_utf_8_and_fails_at_its_first_wrong_byte() {
    // Stored blocks say what they hold: "é" in two halves, and a byte that begins nothing.
    let stored = |bytes: &[u8]| {
        let len = bytes.len() as u16;
        [&[0][..], &len.to_le_bytes(), &(!len).to_le_bytes(), bytes].concat()
    };
    let halves = [stored(b"caf\xc3"), stored(b"\xa9")].concat();
    for role in ROLES {
        let good = [&halves[..], &[0]].concat();
        assert_eq!(receive(role, both(15, true), &[(0xc1, &good)]), open(vec![text("café")]));
        let half = [&stored(b"caf\xc3")[..], &[0]].concat();
        let failed = failed(role, vec![], ProtocolError::TextNotUtf8, 1007);
        assert_eq!(receive(role, both(15, true), &[(0xc1, &half)]), failed);
        // The message goes on, but nobody waits for it.
        let wrong = stored(b"caf\xff");
        assert_eq!(receive(role, both(15, true), &[(0x41, &wrong)]), failed);
        assert_eq!(receive(role, both(9, true), &[(0x41, &wrong)]), failed);
    }
}
