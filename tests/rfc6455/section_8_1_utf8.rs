//! Section 8.1: text that is not UTF-8 fails with 1007, at its first wrong byte.

use sotong::{Chunk, ProtocolError, Role};

use super::*;

/// Bytes that are no text, and how many of them it takes to know.
const BAD: [(&[u8], usize); 25] = [
    (b"\xc0\x80", 1),                 // overlong
    (b"\xc1\xbf", 1),                 // overlong
    (b"\xe0\x80\x80", 2),             // overlong
    (b"\xe0\x9f\xbf", 2),             // overlong
    (b"\xf0\x80\x80\x80", 2),         // overlong
    (b"\xf0\x8f\xbf\xbf", 2),         // overlong
    (b"\xed\xa0\x80", 2),             // the first surrogate
    (b"\xed\xbf\xbf", 2),             // the last surrogate
    (b"\xed\xa0\x80\xed\xb0\x80", 2), // a pair of them
    (b"\xf4\x90\x80\x80", 2),         // beyond U+10FFFF
    (b"\xf5\x80\x80\x80", 1),
    (b"\xf8\x88\x80\x80\x80", 1),
    (b"\xfc\x84\x80\x80\x80\x80", 1),
    (b"\xfe", 1),
    (b"\xff", 1),
    (b"\x80", 1),
    (b"\xbf", 1),
    (b"\xc3\x28", 2),
    (b"\xc3\xc3", 2),
    (b"\xe2\x82\x28", 3),
    (b"\xe2\x28", 2),
    (b"\xf0\x9f\x98\x28", 4),
    (b"\xf0\x9f\x28", 3),
    (b"\xf0\x28", 2),
    (b"caf\xe9!", 5),
];

/// Bytes that may become text and are none yet.
const UNFINISHED: [&[u8]; 8] = [
    b"\xc3",
    b"\xe2",
    b"\xe2\x82",
    b"\xed\x9f",
    b"\xf0",
    b"\xf0\x9f",
    b"\xf0\x9f\x98",
    b"\xf4\x8f",
];

const GOOD: [&str; 9] = [
    "\0",
    "\u{7f}\u{80}",
    "\u{7ff}\u{800}",
    "\u{d7ff}",
    "\u{e000}",
    "\u{ffff}\u{10000}",
    "\u{10ffff}",
    "\u{feff}",
    "κόσμε 소통 😀",
];

#[test]
fn what_is_not_utf8_fails_whole_and_in_fragments_and_around_pings() {
    let error = ProtocolError::TextNotUtf8;
    let unfinished = UNFINISHED.into_iter();
    for bad in BAD.into_iter().map(|(bad, _)| bad).chain(unfinished) {
        for role in ROLES {
            assert_fails(role, &frames(role, &[(0x81, bad)]), error, 1007);
            for cut in 0..=bad.len() {
                let (a, b) = bad.split_at(cut);
                assert_fails(role, &frames(role, &[(0x01, a), (0x80, b)]), error, 1007);
                let bytes = frames(role, &[(0x01, b"good "), (0x00, a), (0x8a, b""), (0x80, b)]);
                let (events, _, found, ..) = receive(role, &bytes);
                assert!(events.iter().all(|event| *event == pong(b"")));
                assert_eq!(found, Some(error), "{role:?} {cut} {bad:x?}");
            }
        }
    }
}

#[test]
fn text_fails_at_its_first_wrong_byte_without_waiting_for_more() {
    for (bad, deciding) in BAD {
        for role in ROLES {
            // A fragment that goes on, and the last frame of a message: both announce more.
            for first in [0x01, 0x81] {
                let mut long = bad.to_vec();
                long.resize(100, b'.');
                let bytes = frame(first, key_towards(role), &long);
                let known = bytes.len() - long.len() + deciding;
                let mut end = End::new(role, &Config::default());
                assert_eq!(end.feed(bytes[..known - 1].chunks(1)), open(vec![], b""));
                let expected = failed(role, vec![], ProtocolError::TextNotUtf8, 1007);
                assert_eq!(end.feed([&bytes[known - 1..known]]), expected, "{bad:x?}");
            }
        }
    }
}

#[test]
fn an_unfinished_character_is_waited_for_over_fragments_and_pings() {
    for role in ROLES {
        for good in GOOD {
            let bytes = good.as_bytes();
            for a in 0..=bytes.len() {
                for b in a..=bytes.len() {
                    let pieces = [(0x01, &bytes[..a]), (0x8a, b""), (0x00, &bytes[a..b])];
                    let bytes =
                        [frames(role, &pieces), frames(role, &[(0x80, &bytes[b..])])].concat();
                    assert_eq!(receive(role, &bytes), open(vec![pong(b""), text(good)], b""));
                }
            }
        }
    }
}

#[test]
fn the_boundaries_of_unicode_are_text_at_every_cut() {
    for role in ROLES {
        for good in GOOD {
            let bytes = frames(role, &[(0x81, good.as_bytes())]);
            for cut in 0..=bytes.len() {
                let (head, tail) = bytes.split_at(cut);
                let trace = End::new(role, &Config::default()).feed([head, tail]);
                assert_eq!(trace, open(vec![text(good)], b""), "{good:?}");
            }
        }
    }
}

/// Text that was read in pieces, with a bar behind each.
fn in_pieces<'a>(
    role: Role,
    reads: impl IntoIterator<Item = &'a [u8]>,
) -> Result<String, ProtocolError> {
    let (mut end, mut text) = (End::new(role, &Config::default()), String::new());
    for read in reads {
        fill(&mut end.rx, read);
        while let Some(chunk) = end.conn.next_chunk(&mut end.rx)? {
            if let Chunk::Text { piece, last } = chunk {
                text.extend([piece, if last { "|." } else { "|" }]);
            }
        }
    }
    Ok(text)
}

#[test]
fn text_in_pieces_is_whole_characters_and_fails_as_whole_text_does() {
    for role in ROLES {
        for bad in BAD.into_iter().map(|(bad, _)| bad).chain(UNFINISHED) {
            for cut in 0..=bad.len() {
                let (a, b) = bad.split_at(cut);
                let bytes = frames(role, &[(0x01, a), (0x00, b), (0x80, b"")]);
                let error = Err(ProtocolError::TextNotUtf8);
                assert_eq!(in_pieces(role, [&bytes[..]]), error, "{bad:x?}");
                assert_eq!(in_pieces(role, bytes.chunks(1)), error, "{bad:x?}");
                let whole = frames(role, &[(0x81, bad)]);
                assert_eq!(in_pieces(role, [&whole[..]]), error, "{bad:x?}");
            }
        }
        let bytes = frames(role, &[(0x01, b"a\xec"), (0x00, b"\x86"), (0x80, b"\x8cb")]);
        assert_eq!(in_pieces(role, [&bytes[..]]), Ok("a|소b|.".into()));
        assert_eq!(in_pieces(role, bytes.chunks(1)), Ok("a|소|b|.".into()));
        let bytes = frames(role, &[(0x01, b"a"), (0x80, b""), (0x81, b"")]);
        assert_eq!(in_pieces(role, [&bytes[..]]), Ok("a||.|.".into()));
    }
}

/// Bytes at which the rules for some position change, and their neighbours. An interpreter, which
/// takes a thousand times as long, tries some.
const CLASSES: &[u8] = if cfg!(miri) { &[0x41, 0x80, 0xa0, 0xc2, 0xe0, 0xed] } else { &ALL };
const ALL: [u8; 22] = [
    0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed,
    0xee, 0xef, 0xf0, 0xf1, 0xf4, 0xf5,
];

#[test]
fn three_bytes_are_text_where_the_standard_library_says_so() {
    let mut end = End::new(Role::Client, &Config::default());
    for &a in CLASSES {
        for &b in CLASSES {
            for &c in CLASSES {
                let bytes = [0x01, 1, a, 0x80, 2, b, c];
                let trace = end.feed([&bytes[..]]);
                match std::str::from_utf8(&[a, b, c]) {
                    Ok(expected) => assert_eq!(trace, open(vec![text(expected)], b"")),
                    Err(_) => {
                        let error = ProtocolError::TextNotUtf8;
                        assert_eq!(trace, failed(Role::Client, vec![], error, 1007));
                        end = End::new(Role::Client, &Config::default());
                    }
                }
            }
        }
    }
}
