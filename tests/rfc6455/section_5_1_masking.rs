//! Section 5.1 and 5.3: "a client MUST mask all frames", "a server MUST NOT mask any frames".

use sotong::{Agreed, Config, Connection, FrameHeader, ProtocolError, Role, SendBuffer};

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
