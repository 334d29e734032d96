//! Bombs: what comes is measured by what it becomes.

use sotong::{Chunk, Compress, Payload};

use super::*;

/// A compressed message of `len` bytes as it goes to `role`, all in one frame.
fn message(role: Role, bytes: &[u8], agreed: Agreed) -> Vec<u8> {
    let other = if role == Role::Server { Role::Client } else { Role::Server };
    let mut end = End::with(other, &config(|deflate| deflate.level = 9), agreed);
    let payload = Payload::binary(bytes).compress(Compress::Yes);
    end.conn.send(payload, &mut end.tx).unwrap().queue();
    end.drain()
}

/// Bytes that no compressor makes smaller.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    std::iter::repeat_with(next).take(len).collect()
}

fn limited(message: u64, inflation: u32) -> Config {
    let mut config = Config::default();
    (config.limits.message, config.limits.frame) = (message, message);
    config.limits.inflation = inflation;
    config
}

#[test]
fn the_limit_counts_what_is_inflated_and_holds_to_the_byte() {
    for role in ROLES {
        for agreed in [both(15, true), both(15, false), both(9, true)] {
            for limit in [1, 100, 16_384, 70_000] {
                let config = limited(limit as u64, u32::MAX);
                for (len, is_allowed) in [(limit - 1, true), (limit, true), (limit + 1, false)] {
                    for bytes in [vec![b' '; len], noise(len)] {
                        let wire = message(role, &bytes, agreed);
                        for step in [1, 1000, usize::MAX] {
                            let pieces = wire.chunks(step.min(wire.len()));
                            let trace = End::with(role, &config, agreed).feed(pieces);
                            let expected = match is_allowed {
                                true => open(vec![Seen::Binary(bytes.clone())]),
                                false => failed(role, vec![], ProtocolError::MessageTooBig, 1009),
                            };
                            assert_eq!(trace, expected, "{limit}, {len}, by {step}");
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn fragments_of_a_compressed_message_count_together() {
    let compressed = message(Role::Client, &[b' '; 1000], both(15, true));
    let payload = &compressed[2..];
    let list: [(u8, &[u8]); 2] = [(0x42, &payload[..3]), (0x80, &payload[3..])];
    for role in ROLES {
        for (limit, is_allowed) in [(1000, true), (999, false)] {
            let mut end = End::with(role, &limited(limit, u32::MAX), both(15, true));
            let (events, _, error, ..) = end.feed([&frames(role, &list)[..]]);
            assert_eq!((events.len(), error.is_none()), (usize::from(is_allowed), is_allowed));
        }
    }
}

#[test]
fn a_frame_that_no_compressor_makes_is_too_big_at_its_header() {
    let config = limited(1000, u32::MAX);
    for (announced, is_allowed) in [(1000 + 125 + 64, true), (1000 + 125 + 64 + 1, false)] {
        let header = [&[0xc2, 0xfe][..], &u16::to_be_bytes(announced), &[0; 4]].concat();
        let (_, _, error, ..) =
            End::with(Role::Server, &config, both(15, true)).feed([&header[..]]);
        assert_eq!(error, (!is_allowed).then_some(ProtocolError::FrameTooBig));
    }
}

#[test]
fn fragments_that_no_compressor_makes_are_too_big_at_the_header_of_the_last() {
    let mut config = limited(1000, u32::MAX);
    config.limits.frame = 1 << 20;
    let begun = b"\x42\x80\0\0\0\0\x00\x80\0\0\0\0"; // two that are empty
    for (announced, is_allowed) in [(1000 + 125 + 3 * 64, true), (1000 + 125 + 3 * 64 + 1, false)] {
        let header = [&b"\x80\xfe"[..], &u16::to_be_bytes(announced), &[0; 4]].concat();
        let (_, _, error, ..) =
            End::with(Role::Server, &config, both(15, true)).feed([&begun[..], &header]);
        assert_eq!(error, (!is_allowed).then_some(ProtocolError::MessageTooBig));
    }
}

#[test]
fn a_message_that_inflates_too_much_fails_once_it_is_large() {
    let large = 100_000;
    let wire = message(Role::Server, &vec![b' '; large], both(15, false));
    let ratio = (large / (wire.len() - 6)) as u32;
    for (inflation, is_allowed) in [(ratio + 1, true), (ratio - 1, false)] {
        for step in [1, 17, usize::MAX] {
            let mut end = End::with(Role::Server, &limited(1 << 20, inflation), both(15, false));
            let (events, _, error, ..) = end.feed(wire.chunks(step.min(wire.len())));
            let expected = (!is_allowed).then_some(ProtocolError::InflatesTooMuch);
            assert_eq!((events.len(), error), (usize::from(is_allowed), expected), "{step}");
        }
    }
    // A line of spaces is no attack.
    let wire = message(Role::Server, &[b' '; 65_536], both(15, false));
    let mut end = End::with(Role::Server, &limited(1 << 20, 1), both(15, false));
    assert_eq!(end.feed([&wire[..]]).2, None);
}

#[test]
fn the_pieces_of_a_message_are_as_large_as_its_documentation_says() {
    let wire = message(Role::Server, &[b' '; 40_000], both(15, true));
    let mut end = End::with(Role::Server, &Config::default(), both(15, true));
    assert_eq!(end.rx.extend(&wire), wire.len());
    for (expected, is_last) in [(16_384, false), (16_384, false), (7_232, true)] {
        let Ok(Some(Chunk::Binary { piece, last })) = end.conn.next_chunk(&mut end.rx) else {
            panic!("a piece of {expected} bytes")
        };
        assert_eq!((piece.len(), last), (expected, is_last));
    }
}

#[test]
fn a_message_passes_in_pieces_of_bounded_size() {
    let text: String = (0..200_000).map(|n| format!("{n} 소통 ")).collect();
    for role in ROLES {
        for agreed in [both(15, true), both(10, false)] {
            let wire = {
                let other = if role == Role::Server { Role::Client } else { Role::Server };
                let mut end = End::with(other, &config(|_| {}), agreed);
                end.conn.send_text(&text, &mut end.tx).unwrap().queue();
                [end.drain(), frames(role, &[(0x89, b"!")])].concat()
            };
            for step in [777, 16_384] {
                let mut end = End::with(role, &limited(1 << 24, 256), agreed);
                let (mut seen, mut pieces, mut pings) = (String::new(), 0, 0);
                for mut bytes in wire.chunks(step) {
                    while !bytes.is_empty() {
                        bytes = &bytes[end.rx.extend(bytes)..];
                        while let Some(chunk) = end.conn.next_chunk(&mut end.rx).unwrap() {
                            match chunk {
                                Chunk::Text { piece, last } => {
                                    assert!(piece.len() <= 32 << 10);
                                    seen += piece;
                                    pieces += 1;
                                    assert_eq!(last, seen.len() == text.len());
                                }
                                Chunk::Ping(_) => pings += 1,
                                other => panic!("{other:?}"),
                            }
                        }
                    }
                }
                assert!(seen == text && pieces > text.len() >> 15 && pings == 1);
            }
        }
    }
}

#[test]
fn whole_messages_and_pieces_may_be_mixed_within_one() {
    let bytes: Vec<u8> = noise(100).repeat(2000);
    let wire = message(Role::Server, &bytes, both(15, true));
    for switch in [1, 3, 8] {
        let mut end = End::with(Role::Server, &Config::default(), both(15, true));
        let (mut seen, mut pieces) = (vec![], 0);
        for byte in wire.chunks(10) {
            assert_eq!(end.rx.extend(byte), byte.len());
            while pieces < switch {
                match end.conn.next_chunk(&mut end.rx).unwrap() {
                    Some(Chunk::Binary { piece, .. }) => seen.extend_from_slice(piece),
                    None => break,
                    other => panic!("{other:?}"),
                }
                pieces += 1;
            }
            if pieces == switch
                && let Some(event) = end.conn.next_event(&mut end.rx).unwrap()
            {
                match event {
                    sotong::Event::Binary(rest) => seen.extend_from_slice(rest),
                    other => panic!("{other:?}"),
                }
            }
        }
        assert!(seen == bytes, "{switch}: {} of {}", seen.len(), bytes.len());
    }
}

#[test]
fn of_two_faults_the_first_in_the_message_fails_it_whatever_the_cuts() {
    use ProtocolError::*;
    let tight = |message| limited(message, u32::MAX);
    let spaces = |len: usize| {
        let compressed = message(Role::Client, &vec![b' '; len], both(15, false));
        compressed[if compressed[1] == 126 { 4 } else { 2 }..].to_vec()
    };
    let no_end = |mut payload: Vec<u8>| {
        payload.pop();
        payload.extend(b"\x07\xff\xff");
        payload
    };
    let table: [(Config, u8, Vec<u8>, ProtocolError); 7] = [
        (tight(1000), 0xc1, b"\x00\x05\x00\xfa\xff\xffello\x06".to_vec(), TextNotUtf8),
        (tight(1000), 0xc1, b"\x00\x05\x00\xfa\xff\xffell".to_vec(), TextNotUtf8),
        (tight(1000), 0xc1, b"\x00\x05\x00\xfa\xffhello\x06".to_vec(), NotDeflate),
        (tight(4), 0xc2, b"\x00\x05\x00\xfa\xffhello\x06".to_vec(), MessageTooBig),
        (tight(4), 0xc1, b"\x00\x05\x00\xfa\xff\xffello\x00".to_vec(), TextNotUtf8),
        (limited(1 << 20, 1), 0xc2, no_end(spaces(65_537)), InflatesTooMuch),
        (limited(70_000, 1), 0xc2, spaces(80_000), InflatesTooMuch),
    ];
    for (config, first, payload, error) in table {
        for bits in [15, 14] {
            let wire = frame(first, None, &payload);
            for step in 1..=wire.len() {
                let mut end = End::with(Role::Client, &config, both(bits, true));
                let (events, _, failed, ..) = end.feed(wire.chunks(step));
                assert_eq!((events, failed), (vec![], Some(error)), "{bits} bits, by {step}");
            }
        }
    }
}

#[test]
fn empty_blocks_without_end_are_too_big() {
    // Each fragment may bring an empty block, and no more.
    let empty = b"\x00\x00\x00\xff\xff".repeat(100);
    let mut end = End::with(Role::Client, &limited(1000, 256), both(15, true));
    let mut wire = frame(0x42, None, &empty);
    for _ in 0..20 {
        wire.extend(frame(0x00, None, &empty));
    }
    assert_eq!(end.feed([&wire[..]]).2, Some(ProtocolError::MessageTooBig));
    let mut end = End::with(Role::Client, &limited(1000, 256), both(15, true));
    let mut wire = frame(0x42, None, &empty[..5]);
    for _ in 0..1000 {
        wire.extend(frame(0x00, None, &empty[..5]));
    }
    wire.extend(frame(0x80, None, b"\x00"));
    assert_eq!(end.feed([&wire[..]]), open(vec![Seen::Binary(vec![])]));
}

#[test]
fn a_buffer_that_was_taken_away_within_a_message_is_not_missed_before_bytes_come() {
    let bytes = noise(50_000);
    let wire = message(Role::Server, &bytes, both(15, true));
    let mut end = End::with(Role::Server, &Config::default(), both(15, true));
    let mut len = 0;
    for piece in wire.chunks(500) {
        assert_eq!(end.rx.extend(piece), piece.len());
        while let Some(chunk) = end.conn.next_chunk(&mut end.rx).unwrap() {
            let Chunk::Binary { piece, .. } = chunk else { panic!("{chunk:?}") };
            len += piece.len();
        }
        end.rx.release();
        assert_eq!(end.conn.advance_chunk(&mut end.rx), Ok(false));
        assert_eq!(end.rx.held(), 0, "there is nothing to inflate, and so no place needed");
    }
    assert_eq!(len, bytes.len());
}

#[test]
fn in_pieces_a_limit_of_its_own_counts_what_is_inflated() {
    let limit = 50_000;
    let mut config = limited(1_000, u32::MAX);
    config.limits.in_pieces = Some(limit as u64);
    for role in ROLES {
        for agreed in [both(15, true), both(9, true)] {
            for (len, is_allowed) in [(limit, true), (limit + 1, false)] {
                for bytes in [vec![b' '; len], noise(len)] {
                    let wire = message(role, &bytes, agreed);
                    // All in pieces; or events from the second one on, which hold no more than
                    // ever.
                    for in_pieces in [usize::MAX, 1] {
                        let mut end = End::with(role, &config, agreed);
                        let (mut rest, mut seen, mut error) = (&wire[..], vec![], None);
                        for step in 0.. {
                            rest = &rest[end.rx.extend(rest)..];
                            let next = match step < in_pieces {
                                true => end.conn.next_chunk(&mut end.rx),
                                false => {
                                    end.conn.next_event(&mut end.rx).map(|e| e.map(Chunk::from))
                                }
                            };
                            match next {
                                Ok(Some(Chunk::Binary { piece, .. })) => seen.extend(piece),
                                Ok(None) if rest.is_empty() => break,
                                Ok(_) => {}
                                Err(e) => {
                                    error = Some(e);
                                    break;
                                }
                            }
                        }
                        let is_allowed = is_allowed && in_pieces > 1;
                        let expected = (!is_allowed).then_some(ProtocolError::MessageTooBig);
                        assert_eq!(error, expected, "{role:?}, {len}, {in_pieces}");
                        assert!(bytes.starts_with(&seen) && (seen.len() == len || !is_allowed));
                    }
                }
            }
        }
    }
}
