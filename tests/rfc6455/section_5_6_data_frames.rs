//! Section 5.6: text and binary messages.

use super::*;

#[test]
fn text_is_text_and_binary_is_any_bytes() {
    let every_byte: Vec<u8> = (0..=255).collect();
    let table: [(u8, &[u8], Seen); 8] = [
        (0x81, b"", text("")),
        (0x81, b"a\0b", text("a\0b")),
        (0x81, "소통 😀".as_bytes(), text("소통 😀")),
        (0x81, b"\xef\xbb\xbfBOM", text("\u{feff}BOM")),
        (0x82, b"", binary(b"")),
        (0x82, b"\xff\xfe\xc0\x80\xed\xa0\x80", binary(b"\xff\xfe\xc0\x80\xed\xa0\x80")),
        (0x82, "소통".as_bytes(), binary("소통".as_bytes())),
        (0x82, &every_byte, binary(&every_byte)),
    ];
    for role in ROLES {
        for (first, payload, expected) in &table {
            let trace = receive(role, &frames(role, &[(*first, payload)]));
            assert_eq!(trace, open(vec![expected.clone()], b""), "{role:?}");
        }
    }
}

#[test]
fn empty_messages_are_each_given_to_the_caller() {
    for role in ROLES {
        let bytes = frames(role, &[(0x81, b"")]).repeat(1000 / FEWER);
        let (events, replies, ..) = receive(role, &bytes);
        assert_eq!((events, replies), (vec![text(""); 1000 / FEWER], vec![]));
    }
}

#[test]
fn a_message_larger_than_the_buffer_is_given_whole() {
    let mut config = Config::default();
    config.limits.receive_buffer = 512;
    for role in ROLES {
        let long = "0123456789abcdé".repeat(5000 / FEWER);
        let bytes = frames(role, &[(0x81, long.as_bytes()), (0x82, b"next")]);
        let trace = End::new(role, &config).feed([&bytes[..]]);
        assert!(trace == open(vec![text(&long), binary(b"next")], b""), "{role:?}");
    }
}
