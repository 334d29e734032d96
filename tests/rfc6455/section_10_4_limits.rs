//! Section 10.4: limited implementations "MUST protect themselves against exceeding those limits".

use sotong::{Chunk, Event, ProtocolError, Role};

use super::*;

fn limited(message: u64, frame: u64, fragments: u32) -> Config {
    let mut config = Config::default();
    config.limits.message = message;
    config.limits.frame = frame;
    config.limits.fragments = fragments;
    config
}

/// A binary message of `len` bytes in frames of at most `step` bytes.
fn message(role: Role, len: usize, step: usize) -> Vec<u8> {
    let payload = vec![b'm'; len];
    let pieces: Vec<&[u8]> = payload.chunks(step).collect();
    let last = pieces.len() - 1;
    let first = |i| if i == 0 { 0x02 } else { 0x00 } | if i == last { 0x80 } else { 0x00 };
    (0..).zip(&pieces).flat_map(|(i, piece)| frame(first(i), key_towards(role), piece)).collect()
}

/// The unit of sizes here; smaller under an interpreter, which takes a thousand times as long.
const K: usize = if cfg!(miri) { 100 } else { 1000 };

#[test]
fn a_message_is_as_large_as_its_limit_and_no_larger_in_one_frame_or_many() {
    let config = limited(K as u64, 5 * K as u64, 5000);
    for role in ROLES {
        for step in [1, 7, 100, K - 1, K, 2 * K] {
            for len in [K - 1, K] {
                let bytes = message(role, len, step);
                let whole = open(vec![binary(&vec![b'm'; len])], b"");
                assert_eq!(receive_with(&config, role, &bytes), whole, "{len} by {step}");
            }
            let expected = failed(role, vec![], ProtocolError::MessageTooBig, 1009);
            assert_eq!(receive_with(&config, role, &message(role, K + 1, step)), expected);
        }
    }
}

#[test]
fn a_frame_is_as_large_as_its_limit_and_no_larger() {
    let config = limited(5 * K as u64, K as u64, 5000);
    for role in ROLES {
        for len in [K - 1, K] {
            let expected = open(vec![binary(&vec![b'm'; len])], b"");
            assert_eq!(receive_with(&config, role, &message(role, len, len)), expected);
        }
        let expected = failed(role, vec![], ProtocolError::FrameTooBig, 1009);
        assert_eq!(receive_with(&config, role, &message(role, K + 1, K + 1)), expected);
        let expected = open(vec![binary(&[b'm'; 5 * K])], b"");
        assert_eq!(receive_with(&config, role, &message(role, 5 * K, K)), expected);
        let (.., error, _, _) = receive_with(&config, role, &message(role, 5 * K + 1, K));
        assert_eq!(error, Some(ProtocolError::MessageTooBig));
    }
}

#[test]
fn a_message_has_as_many_fragments_as_its_limit_and_no_more() {
    let config = limited(5000, 5000, 10);
    for role in ROLES {
        for len in [9, 10] {
            let expected = open(vec![binary(&vec![b'm'; len])], b"");
            assert_eq!(receive_with(&config, role, &message(role, len, 1)), expected);
        }
        let expected = failed(role, vec![], ProtocolError::TooManyFragments, 1008);
        assert_eq!(receive_with(&config, role, &message(role, 11, 1)), expected);
        // Empty ones count, and control frames in between do not.
        let mut list = vec![(0x01, &b""[..])];
        list.extend([(0x00, &b""[..]), (0x8a, b"")].repeat(9));
        let nine_pongs = vec![pong(b""); 9];
        assert_eq!(
            receive_with(&config, role, &frames(role, &list)),
            open(nine_pongs.clone(), b"")
        );
        list.push((0x80, b""));
        let expected = failed(role, nine_pongs, ProtocolError::TooManyFragments, 1008);
        assert_eq!(receive_with(&config, role, &frames(role, &list)), expected);
    }
}

#[test]
fn limits_hold_for_each_message_anew() {
    let config = limited(10, 10, 5);
    for role in ROLES {
        let bytes = [message(role, 10, 2), message(role, 10, 10), message(role, 5, 1)].concat();
        let events = [10, 10, 5].map(|len| binary(&vec![b'm'; len])).to_vec();
        assert_eq!(receive_with(&config, role, &bytes), open(events, b""));
    }
}

#[test]
fn limits_do_not_hold_for_control_frames() {
    let config = limited(0, 0, 1);
    for role in ROLES {
        let body = [b'p'; 125];
        let bytes = frames(role, &[(0x8a, &body), (0x81, b"")]);
        let expected = open(vec![pong(&body), text("")], b"");
        assert_eq!(receive_with(&config, role, &bytes), expected);
        let bytes = frames(role, &[(0x81, b"a")]);
        let expected = failed(role, vec![], ProtocolError::FrameTooBig, 1009);
        assert_eq!(receive_with(&config, role, &bytes), expected);
    }
}

#[test]
fn fragments_that_announce_too_much_together_fail_at_the_header_that_does() {
    let config = limited(1 << 62, u64::MAX, 10);
    for role in ROLES {
        let mut end = End::new(role, &config);
        let begun = frames(role, &[(0x02, b"a")]);
        assert_eq!(end.feed([&begun[..]]), open(vec![], b""));
        let huge: &[u8] = match role {
            Role::Server => b"\x00\xff\x40\0\0\0\0\0\0\0\0\0\0\0",
            Role::Client => b"\x00\x7f\x40\0\0\0\0\0\0\0",
        };
        let expected = failed(role, vec![], ProtocolError::MessageTooBig, 1009);
        assert_eq!(end.feed([huge]), expected);
        let alone = [&[0x02], &huge[1..]].concat();
        assert_eq!(receive_with(&config, role, &alone), open(vec![], b""), "it is waited for");
    }
}

/// Where a length of memory has 32 bits as where it has 64: what does not fit is not cut off.
#[test]
fn a_frame_is_as_long_as_all_64_bits_of_its_length_say() {
    for len in [(1 << 31) + 3, (1 << 32) + 3, (1 << 63) - 1_u64] {
        for role in ROLES {
            let header = match role {
                Role::Client => [b"\x82\x7f", &len.to_be_bytes()[..]].concat(),
                Role::Server => [b"\x82\xff", &len.to_be_bytes()[..], &[0; 4]].concat(),
            };
            let mut end = End::new(role, &limited(u64::MAX, u64::MAX, 10));
            for (bytes, expected) in [(&header[..], None), (b"abc", Some(&b"abc"[..]))] {
                assert_eq!(end.rx.extend(bytes), bytes.len());
                let expected = expected.map(|piece| Chunk::Binary { piece, last: false });
                assert_eq!(end.conn.next_chunk(&mut end.rx), Ok(expected), "{len:#x}");
            }
            // The message goes on: this is payload and no header, which would be forbidden.
            assert_eq!(end.rx.extend(b"\xff\xff"), 2);
            let chunk = Chunk::Binary { piece: b"\xff\xff", last: false };
            assert_eq!(end.conn.next_chunk(&mut end.rx), Ok(Some(chunk)), "{len:#x}");
            // A length that is cut off to 32 bits would be within this limit.
            let too_big = failed(role, vec![], ProtocolError::FrameTooBig, 1009);
            assert_eq!(receive_with(&limited(u64::MAX, 1000, 10), role, &header), too_big);
            let too_big = failed(role, vec![], ProtocolError::MessageTooBig, 1009);
            assert_eq!(receive_with(&limited(1000, u64::MAX, 10), role, &header), too_big);
        }
    }
}

#[test]
fn the_default_limits_are_those_that_the_documentation_tells() {
    let limits = Config::default().limits;
    let sizes = (limits.message, limits.frame, limits.fragments);
    assert_eq!(sizes, (1 << 20, 1 << 20, 1 << 17));
    assert_eq!((limits.send_queue, limits.receive_buffer), (64 * 1024, 64 * 1024 - 128));
    let heads = (limits.head, limits.head_lines, limits.refusal_body);
    assert_eq!(heads, (16 * 1024, 100, 16 * 1024));
}

fn limited_in_pieces(message: u64, frame: u64, fragments: u32, in_pieces: u64) -> Config {
    let mut config = limited(message, frame, fragments);
    config.limits.in_pieces = Some(in_pieces);
    config
}

/// Reads all in pieces, or the first `pieces` of them and then events: how many bytes, and the
/// error.
fn read(
    config: &Config,
    role: Role,
    bytes: &[u8],
    pieces: usize,
) -> (usize, Option<ProtocolError>) {
    let mut end = End::new(role, config);
    let (mut bytes, mut len) = (bytes, 0);
    for step in 0.. {
        bytes = &bytes[end.rx.extend(bytes)..];
        let next = match step < pieces {
            true => end.conn.next_chunk(&mut end.rx),
            false => end.conn.next_event(&mut end.rx).map(|event| event.map(Chunk::from)),
        };
        match next {
            Ok(Some(Chunk::Binary { piece, .. })) => len += piece.len(),
            Ok(None) if bytes.is_empty() => break,
            Ok(_) => {}
            Err(error) => return (len, Some(error)),
        }
    }
    (len, None)
}

#[test]
fn messages_in_pieces_may_have_a_limit_of_their_own_and_then_frames_have_none() {
    let (message_limit, in_pieces) = (K as u64, 5 * K as u64);
    let config = limited_in_pieces(message_limit, K as u64 / 2, 3, in_pieces);
    for role in ROLES {
        for step in [K / 7, K, 5 * K] {
            let read = |len, pieces| read(&config, role, &message(role, len, step), pieces);
            assert_eq!(read(5 * K, usize::MAX), (5 * K, None), "by {step}");
            let (len, error) = read(5 * K + 1, usize::MAX);
            assert!(len <= 5 * K, "{len}");
            assert_eq!(error, Some(ProtocolError::MessageTooBig), "by {step}");
            // Whole ones are as limited as ever.
            let (_, error) = read(5 * K, 0);
            let too_big = step > K / 2;
            let expected =
                if too_big { ProtocolError::FrameTooBig } else { ProtocolError::TooManyFragments };
            assert_eq!(error, Some(expected), "by {step}");
        }
    }
}

#[test]
fn a_lower_limit_for_pieces_holds_however_the_message_comes() {
    let config = limited_in_pieces(K as u64, K as u64, 3, 5);
    for role in ROLES {
        for (len, error) in [(5, None), (6, Some(ProtocolError::MessageTooBig))] {
            let bytes = message(role, len, len);
            let received = if error.is_some() { 0 } else { len };
            assert_eq!(read(&config, role, &bytes, usize::MAX), (received, error), "at once");
            assert_eq!(read(&config, role, &bytes, 0), (len, None), "whole");
        }
    }
}

#[test]
fn what_pieces_have_left_of_a_message_is_not_held_if_the_whole_could_not_be() {
    let config = limited_in_pieces(K as u64, 10 * K as u64, 5000, u64::MAX);
    for role in ROLES {
        for (len, expected) in [(K, None), (2 * K, Some(ProtocolError::MessageTooBig))] {
            let bytes = message(role, len, len);
            let mut end = End::new(role, &config);
            let begun = 20;
            assert_eq!(end.rx.extend(&bytes[..begun]), begun);
            let piece = match end.conn.next_chunk(&mut end.rx) {
                Ok(Some(Chunk::Binary { piece, last: false })) => piece.len(),
                other => panic!("{other:?}"),
            };
            let mut rest = &bytes[begun..];
            let outcome = loop {
                rest = &rest[end.rx.extend(rest)..];
                match end.conn.next_event(&mut end.rx) {
                    Ok(None) => assert!(!rest.is_empty()),
                    Ok(Some(Event::Binary(rest))) => {
                        assert_eq!(piece + rest.len(), len);
                        break None;
                    }
                    Ok(other) => panic!("{other:?}"),
                    Err(error) => break Some(error),
                }
            };
            assert_eq!(outcome, expected, "{role:?}, {len}");
        }
    }
}
