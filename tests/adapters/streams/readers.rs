//! One message as `Read` and `AsyncRead`.

use std::io::ErrorKind;

use sotong::{Error, Opcode, ProtocolError};

use super::*;
use crate::scripted::{frames, masked};

/// Whole, in fragments that cut characters, with a ping in between, empty in two ways, and long;
/// each with its type.
fn messages() -> (Vec<u8>, Vec<(bool, Vec<u8>)>) {
    let (squid, long) = ("오징어".as_bytes(), vec![7; 2_000]);
    let stream = [
        masked(0x81, squid),
        masked(0x01, &squid[..1]),
        masked(0x89, b"!"),
        masked(0x00, &squid[1..4]),
        masked(0x00, b""),
        masked(0x80, &squid[4..]),
        masked(0x82, b""),
        masked(0x8a, b"nobody asked"),
        masked(0x01, b""),
        masked(0x80, b""),
        masked(0x02, &long[..300]),
        masked(0x80, &long[300..]),
        masked(0x82, b"last"),
        masked(0x88, b"\x03\xe8"),
    ];
    let messages = vec![
        (true, squid.to_vec()),
        (true, squid.to_vec()),
        (false, vec![]),
        (true, vec![]),
        (false, long),
        (false, b"last".to_vec()),
    ];
    (stream.concat(), messages)
}

#[test]
fn messages_come_whole_however_they_were_cut_and_are_read() {
    let (stream, expected) = messages();
    for step in [1, 2, 3, 5, 40, 10_000] {
        for size in [1, 2, 7, 4_096] {
            servers(&cut(&stream, step), &Config::default(), |adapter, end| {
                let mut seen = vec![];
                while let Some((is_text, bytes, outcome)) =
                    end.take_message(size, usize::MAX).unwrap()
                {
                    outcome.unwrap();
                    seen.push((is_text, bytes));
                }
                assert_eq!(seen, expected, "{adapter}, reads of {step}, by {size}");
                let written = frames(&end.written());
                let pong = (true, Opcode::Pong, b"!".to_vec());
                let close = (true, Opcode::Close, b"\x03\xe8".to_vec());
                assert_eq!(written, [pong, close], "{adapter}");
            });
        }
    }
}

/// In which ways something can be received behind a reader that was dropped.
type Next = fn(&mut dyn End) -> String;

const NEXT: [Next; 3] = [
    |end| end.event().unwrap().unwrap(),
    |end| {
        let mut text = String::new();
        loop {
            let piece = end.chunk().unwrap().unwrap();
            let Some(piece) = piece.strip_prefix("Text { piece: \"") else { return piece };
            let (piece, last) = piece.split_once("\", last: ").unwrap();
            text += piece;
            if last == "true }" {
                return format!("Text({text:?})");
            }
        }
    },
    |end| {
        let (is_text, bytes, _) = end.take_message(100, usize::MAX).unwrap().unwrap();
        assert!(is_text);
        format!("Text({:?})", std::str::from_utf8(&bytes).unwrap())
    },
];

#[test]
fn the_rest_of_a_message_is_skipped_when_its_reader_is_dropped() {
    let squid = "오징어".repeat(3);
    let squid = squid.as_bytes();
    let whole = masked(0x81, squid);
    let split = [masked(0x01, &squid[..4]), masked(0x89, b"?"), masked(0x80, &squid[4..])].concat();
    for first in [whole, split] {
        let stream = [first, masked(0x81, "다음".as_bytes())].concat();
        for step in [1, 4, 1_000] {
            for most in 0..=squid.len() {
                for (way, next) in NEXT.iter().enumerate() {
                    servers(&cut(&stream, step), &Config::default(), |adapter, end| {
                        let (is_text, bytes, outcome) = end.take_message(1, most).unwrap().unwrap();
                        outcome.unwrap();
                        assert_eq!((is_text, &bytes[..]), (true, &squid[..most]));
                        let mut seen = next(end);
                        while seen.starts_with("Ping") {
                            seen = next(end); // within what is skipped
                        }
                        let where_it_was = format!("{adapter}, {step}, {most}, {way}");
                        assert_eq!(seen, "Text(\"다음\")", "{where_it_was}");
                    });
                }
            }
        }
    }
}

#[test]
fn what_is_skipped_is_checked_all_the_same() {
    let bad = [masked(0x01, b"abc"), masked(0x80, b"\xff"), masked(0x81, b"next")].concat();
    for step in [1, 100] {
        servers(&cut(&bad, step), &Config::default(), |adapter, end| {
            assert_eq!(end.take_message(1, 1).unwrap().unwrap().1, b"a");
            let error = end.event().unwrap_err();
            let is_told = matches!(error, Error::Protocol(ProtocolError::TextNotUtf8));
            assert!(is_told, "{adapter}: {error:?}");
        });
    }
}

#[test]
fn a_message_that_does_not_end_is_an_error_at_its_place() {
    let begun = masked(0x02, b"begun");
    let bad_text = masked(0x81, b"abc\xff");
    let late_bad_text = [masked(0x01, b"abc"), masked(0x80, b"\xff")].concat();
    let table: [(&[&[u8]], ErrorKind, ProtocolError); 5] = [
        (&[&begun], ErrorKind::UnexpectedEof, ProtocolError::UnexpectedEof),
        (&[&begun[..8]], ErrorKind::UnexpectedEof, ProtocolError::UnexpectedEof),
        (
            &[&begun, &masked(0x81, b"another")],
            ErrorKind::InvalidData,
            ProtocolError::MessageUnfinished,
        ),
        (&[&late_bad_text], ErrorKind::InvalidData, ProtocolError::TextNotUtf8),
        (
            &[&begun, &masked(0x88, b"\x03\xe8")],
            ErrorKind::UnexpectedEof,
            ProtocolError::UnexpectedEof,
        ),
    ];
    for (stream, kind, rule) in table {
        for step in [1, 3, 100] {
            servers(&cut(&stream.concat(), step), &Config::default(), |adapter, end| {
                let (_, bytes, outcome) = end.take_message(2, usize::MAX).unwrap().unwrap();
                let error = outcome.unwrap_err();
                assert!(b"begun".starts_with(&bytes) || bytes == b"abc", "{bytes:?}");
                assert_eq!((error.kind(), broken_rule(&error)), (kind, Some(rule)), "{adapter}");
            });
        }
    }
    // What is no text from the first byte on has no reader at all, if it came in one piece.
    servers(&[bad_text], &Config::default(), |adapter, end| {
        let error = end.take_message(2, usize::MAX).unwrap_err();
        assert!(matches!(error, Error::Protocol(ProtocolError::TextNotUtf8)), "{adapter}");
        assert_eq!(frames(&end.written()), [(true, Opcode::Close, b"\x03\xef".to_vec())]);
    });
}

#[test]
fn a_close_within_a_message_can_be_received_still() {
    let stream = [masked(0x02, b"begun"), masked(0x88, b"\x0f\xa0why")].concat();
    for step in [1, 100] {
        servers(&cut(&stream, step), &Config::default(), |adapter, end| {
            let (_, bytes, outcome) = end.take_message(100, usize::MAX).unwrap().unwrap();
            assert_eq!(outcome.unwrap_err().kind(), ErrorKind::UnexpectedEof, "{adapter}");
            assert_eq!(bytes, b"begun");
            let close = end.event().unwrap().unwrap();
            assert!(close.starts_with("Close(") && close.contains("why"), "{adapter}: {close}");
            assert_eq!(end.event().unwrap(), None, "{adapter}");
            assert_eq!(frames(&end.written()), [(true, Opcode::Close, b"\x0f\xa0".to_vec())]);
        });
    }
}
