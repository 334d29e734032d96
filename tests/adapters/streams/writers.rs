//! One message as `Write` and `AsyncWrite`.

use std::io::ErrorKind;

use sotong::{Error, Opcode, SendError};

use super::*;
use crate::scripted::{frames, masked, scripted};

const FRAGMENT: usize = 64 * 1024;

/// Something to write, or a flush.
type Part<'p> = Option<&'p [u8]>;

/// The frames that writing leaves behind.
fn written(end: &dyn End) -> Vec<(bool, Opcode, Vec<u8>)> {
    frames(&end.written())
}

#[test]
fn a_message_leaves_in_fragments_of_64_kib_and_what_is_flushed_at_once() {
    let long = vec![9; 3 * FRAGMENT];
    let table: [(&[Part<'_>], &[usize]); 9] = [
        (&[], &[0]),
        (&[Some(b"short")], &[5]),
        (&[Some(b"in "), Some(b""), Some(b"parts")], &[8]),
        (&[Some(b"now"), None, Some(b"then")], &[3, 4]),
        (&[None, Some(b"now"), None, None], &[3, 0]),
        (&[Some(&long[..FRAGMENT])], &[FRAGMENT]),
        (&[Some(&long[..FRAGMENT + 1])], &[FRAGMENT, 1]),
        (&[Some(&long[..10]), Some(&long[..FRAGMENT])], &[FRAGMENT, 10]),
        (&[Some(&long)], &[FRAGMENT, FRAGMENT, FRAGMENT]),
    ];
    for (parts, lengths) in table {
        for is_text in [false, true] {
            servers(&[], &Config::default(), |adapter, end| {
                end.write_message(is_text, parts, true).unwrap();
                let frames = written(end);
                let seen: Vec<_> = frames.iter().map(|(fin, _, p)| (*fin, p.len())).collect();
                let last = lengths.len() - 1;
                let expected: Vec<_> =
                    lengths.iter().enumerate().map(|(i, len)| (i == last, *len)).collect();
                assert_eq!(seen, expected, "{adapter}");
                let first = if is_text { Opcode::Text } else { Opcode::Binary };
                for (i, (_, opcode, _)) in frames.iter().enumerate() {
                    assert_eq!(*opcode, if i == 0 { first } else { Opcode::Continuation });
                }
                let payload = frames.concat_payloads();
                let whole: Vec<u8> = parts.iter().flatten().copied().flatten().copied().collect();
                assert!(payload == whole, "{adapter}");
                end.send_text("next").unwrap();
            });
        }
    }
}

trait ConcatPayloads {
    fn concat_payloads(&self) -> Vec<u8>;
}

impl ConcatPayloads for [(bool, Opcode, Vec<u8>)] {
    fn concat_payloads(&self) -> Vec<u8> {
        self.iter().flat_map(|(_, _, payload)| payload).copied().collect()
    }
}

#[test]
fn text_may_be_cut_anywhere_and_its_fragments_are_whole_characters() {
    let text = "aé오🦑z";
    for first in 0..=text.len() {
        for second in first..=text.len() {
            let bytes = text.as_bytes();
            let (one, two, three) = (&bytes[..first], &bytes[first..second], &bytes[second..]);
            let parts = [Some(one), None, Some(two), None, Some(three)];
            servers(&[], &Config::default(), |adapter, end| {
                end.write_message(true, &parts, true).unwrap();
                let frames = written(end);
                for (_, _, payload) in &frames {
                    assert!(std::str::from_utf8(payload).is_ok(), "{adapter}, {first}, {second}");
                }
                assert_eq!(frames.concat_payloads(), bytes, "{adapter}");
            });
        }
    }
    // Where a fragment is full within a character.
    let long = "오".repeat(FRAGMENT / 3 + 1);
    servers(&[], &Config::default(), |adapter, end| {
        end.write_message(true, &[Some(long.as_bytes())], true).unwrap();
        let frames = written(end);
        let lengths: Vec<_> = frames.iter().map(|(_, _, payload)| payload.len()).collect();
        assert_eq!(lengths, [FRAGMENT - 1, 3], "{adapter}");
        assert_eq!(frames.concat_payloads(), long.as_bytes());
    });
}

#[test]
fn what_is_no_text_is_not_taken_and_the_message_goes_on() {
    let connection = || sotong::Connection::server(Config::default(), sotong::Agreed::default());
    let io = scripted([b""]);
    let mut ws = blocking::WebSocket::from_parts(parts(io.clone(), connection())).unwrap();
    let mut writer = ws.text_writer();
    writer.write_all("오".as_bytes()).unwrap();
    for bad in [&b"\xff"[..], b"abc\xc0", b"\xed\xa0\x80"] {
        assert_eq!(writer.write(bad).unwrap_err().kind(), ErrorKind::InvalidData);
    }
    writer.write_all(&"징".as_bytes()[..1]).unwrap();
    let early = writer.finish().unwrap_err();
    assert!(matches!(&early, Error::Io(error) if error.kind() == ErrorKind::InvalidData));
    assert_eq!(writer.write(b"x").unwrap_err().kind(), ErrorKind::InvalidData, "within 징");
    writer.write_all(&"징".as_bytes()[1..]).unwrap();
    writer.finish().unwrap();
    assert_eq!(frames(&io.inner().written()), [(true, Opcode::Text, "오징".into())]);
}

#[test]
fn behind_the_end_of_a_message_nothing_more_is_taken() {
    let connection = || sotong::Connection::server(Config::default(), sotong::Agreed::default());
    let io = scripted([b""]);
    let mut ws = blocking::WebSocket::from_parts(parts(io.clone(), connection())).unwrap();
    let mut writer = ws.binary_writer();
    (0..2).for_each(|_| writer.finish().unwrap());
    assert_eq!(writer.write(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
    writer.flush().unwrap();
    in_runtime(|| {
        let mut ws = server(io.clone(), &Config::default());
        let mut writer = ws.binary_writer();
        (0..2).for_each(|_| poll_some(writer.shutdown(), 9).unwrap().unwrap());
        let refused = poll_some(writer.write(b"x"), 9).unwrap();
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::BrokenPipe);
    });
    let empty = (true, Opcode::Binary, vec![]);
    assert_eq!(frames(&io.inner().written()), [empty.clone(), empty]);
}

#[test]
fn a_message_whose_writer_was_dropped_is_not_sent_or_stays_incomplete() {
    let unfinished = |result: io::Result<()>| {
        let error = result.unwrap_err();
        let cause = error.get_ref().unwrap().downcast_ref().unwrap();
        matches!(cause, Error::Send(SendError::MessageUnfinished))
    };
    servers(&[], &Config::default(), |adapter, end| {
        end.write_message(false, &[Some(b"dropped")], false).unwrap();
        assert_eq!(written(end), [], "{adapter}: nothing was sent");
        end.send_text("whole").unwrap();
        end.write_message(false, &[Some(b"begun"), None, Some(b"dropped")], false).unwrap();
        let sent =
            [(true, Opcode::Text, b"whole".to_vec()), (false, Opcode::Binary, b"begun".to_vec())];
        assert_eq!(written(end), sent);
        assert!(matches!(end.send_text("no"), Err(Error::Send(SendError::MessageUnfinished))));
        for is_text in [true, false] {
            // One of the same type does not go on with it either.
            assert!(unfinished(end.write_message(is_text, &[Some(b"no")], true)), "{adapter}");
            assert!(unfinished(end.write_message(is_text, &[Some(b"no"), None], false)));
        }
        assert_eq!(written(end), sent, "{adapter}");
    });
}

#[test]
fn a_connection_that_is_closing_takes_nothing_more() {
    servers(&[masked(0x88, b"\x03\xe8")], &Config::default(), |adapter, end| {
        assert!(end.event().unwrap().unwrap().starts_with("Close"));
        let refused = end.write_message(false, &[Some(b"late")], true).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::BrokenPipe, "{adapter}");
    });
}
