//! UTF-8 in pieces (RFC 6455, section 8.1; RFC 3629).
//!
//! Text is checked as it arrives and fails at the first byte that no UTF-8 text could have there,
//! even in the midst of a frame. What needs no state: a piece is valid up to some character, and at
//! most three bytes of a character that has only begun are looked at again with the next piece.

/// Bytes that are not UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Invalid;

/// The whole of `bytes` as text.
pub(crate) fn whole(bytes: &[u8]) -> Result<&str, Invalid> {
    #[cfg(feature = "std")]
    return simdutf8::basic::from_utf8(bytes).map_err(|_| Invalid);
    #[cfg(not(feature = "std"))]
    return core::str::from_utf8(bytes).map_err(|_| Invalid);
}

/// How many of `bytes` are whole characters; the rest, at most three, may become one.
pub(crate) fn valid_up_to(bytes: &[u8]) -> Result<usize, Invalid> {
    #[cfg(feature = "std")]
    let checked = simdutf8::compat::from_utf8(bytes).map_err(|e| (e.valid_up_to(), e.error_len()));
    #[cfg(not(feature = "std"))]
    let checked = core::str::from_utf8(bytes).map_err(|e| (e.valid_up_to(), e.error_len()));
    match checked {
        Ok(_) => Ok(bytes.len()),
        Err((valid, None)) => Ok(valid),
        Err((_, Some(_))) => Err(Invalid),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    /// Bytes at which the rules for some position change (RFC 3629, section 4), and their
    /// neighbours.
    const CLASSES: &[u8] = if cfg!(miri) { &FEW_CLASSES } else { &ALL_CLASSES };
    /// For an interpreter, which takes a thousand times as long.
    const FEW_CLASSES: [u8; 6] = [0x41, 0x80, 0xa0, 0xc2, 0xed, 0xf4];
    const ALL_CLASSES: [u8; 26] = [
        0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1,
        0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xfe, 0xff,
    ];

    /// Whether some text starts with `bytes`: the naive reading of "fails at the first wrong byte".
    fn may_become_text(bytes: &[u8]) -> bool {
        let begun = |tail: &[u8]| {
            matches!(
                *tail,
                [0xc2..=0xf4]
                    | [0xe0, 0xa0..=0xbf]
                    | [0xed, 0x80..=0x9f]
                    | [0xe1..=0xec | 0xee | 0xef, 0x80..=0xbf]
                    | [0xf0, 0x90..=0xbf]
                    | [0xf4, 0x80..=0x8f]
                    | [0xf1..=0xf3, 0x80..=0xbf]
                    | [0xf0, 0x90..=0xbf, 0x80..=0xbf]
                    | [0xf4, 0x80..=0x8f, 0x80..=0xbf]
                    | [0xf1..=0xf3, 0x80..=0xbf, 0x80..=0xbf]
            )
        };
        (0..=bytes.len().min(3)).any(|tail| {
            let (head, tail) = bytes.split_at(bytes.len() - tail);
            core::str::from_utf8(head).is_ok() && (tail.is_empty() || begun(tail))
        })
    }

    /// Feeds `bytes` in pieces the way a message is gathered; the index of the byte that fails.
    fn first_failure(bytes: &[u8]) -> Option<usize> {
        let mut valid = 0;
        for end in 1..=bytes.len() {
            match valid_up_to(&bytes[valid..end]) {
                Ok(n) => valid += n,
                Err(Invalid) => return Some(end - 1),
            }
        }
        None
    }

    #[test]
    fn every_sequence_of_four_byte_classes_fails_at_the_first_wrong_byte() {
        for &a in CLASSES {
            for &b in CLASSES {
                for &c in CLASSES {
                    for &d in CLASSES {
                        let bytes = [a, b, c, d];
                        let expected = (1..=4).find(|n| !may_become_text(&bytes[..*n]));
                        assert_eq!(first_failure(&bytes), expected.map(|n| n - 1), "{bytes:x?}");
                        assert_eq!(whole(&bytes).ok(), core::str::from_utf8(&bytes).ok());
                    }
                }
            }
        }
    }

    #[test]
    fn the_boundaries_of_unicode_are_text_and_what_lies_beyond_is_not() {
        for good in ["\u{d7ff}", "\u{e000}", "\u{ffff}", "\u{10ffff}", "\0", "\u{feff}", "소통 😀"]
        {
            assert_eq!(whole(good.as_bytes()), Ok(good));
            assert_eq!(valid_up_to(good.as_bytes()), Ok(good.len()));
        }
        let bad: [&[u8]; 8] = [
            b"\xc0\x80",                 // overlong
            b"\xe0\x9f\xbf",             // overlong
            b"\xf0\x8f\xbf\xbf",         // overlong
            b"\xed\xa0\x80",             // a surrogate
            b"\xed\xa0\x80\xed\xb0\x80", // a pair of them
            b"\xf4\x90\x80\x80",         // beyond U+10FFFF
            b"\x80",                     // a continuation without a start
            b"\xff",
        ];
        for bad in bad {
            assert_eq!(valid_up_to(bad), Err(Invalid), "{bad:x?}");
        }
        for unfinished in [&b"\xc3"[..], b"\xe2\x82", b"\xf0\x9f\x98"] {
            assert_eq!(valid_up_to(unfinished), Ok(0));
            assert_eq!(whole(unfinished), Err(Invalid));
        }
    }

    #[test]
    fn long_text_may_be_cut_anywhere() {
        let text = "가나다 abc 😀".repeat(20);
        let bytes: Vec<u8> = text.bytes().collect();
        for cut in 0..=bytes.len() {
            let valid = valid_up_to(&bytes[..cut]).unwrap();
            assert!(cut - valid <= 3 && text.is_char_boundary(valid));
            assert_eq!(valid_up_to(&bytes[valid..]), Ok(bytes.len() - valid));
        }
    }
}
