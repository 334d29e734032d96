//! A connection as a stream of bytes over a script.

use std::io::ErrorKind;

use sotong::blocking::ByteStream;
use sotong::{Agreed, Connection, Opcode, ProtocolError};

use super::*;
use crate::scripted::{frames, hesitant, masked, scripted};

/// All bytes up to the end, by `size`, and how reading ends: twice, as it is each time the same.
/// And what was written meanwhile.
type Drained = (Vec<u8>, Result<(), (ErrorKind, Option<ProtocolError>)>, Vec<u8>);

fn read_all(stream: &[u8], step: usize, size: usize) -> Vec<(String, Drained)> {
    let reads = cut(stream, step);
    let connection = || Connection::server(Config::default(), Agreed::default());
    let mut all = vec![];

    let io = scripted(&reads);
    let ws = blocking::WebSocket::from_parts(parts(io.clone(), connection())).unwrap();
    let mut bytes = ws.into_byte_stream();
    all.push(("blocking".into(), drain(&io, size, |buf| bytes.read(buf))));
    let io = scripted(&reads);
    let ws = blocking::WebSocket::from_parts(parts(io.clone(), connection())).unwrap();
    let mut bytes = ws.split().unwrap().0.into_byte_stream();
    all.push(("blocking half".into(), drain(&io, size, |buf| bytes.read(buf))));

    in_runtime(|| {
        for polls in [usize::MAX, 1, 2, 3, 5] {
            let stream =
                || if polls < usize::MAX { hesitant(&reads, 1_000) } else { scripted(&reads) };
            let io = stream();
            let mut bytes = server(io.clone(), &Config::default()).into_byte_stream();
            all.push((
                format!("tokio, {polls} polls"),
                drain(&io, size, |buf| until(|| poll_some(bytes.read(buf), polls))),
            ));
            let io = stream();
            let mut bytes = server(io.clone(), &Config::default()).split().0.into_byte_stream();
            all.push((
                format!("tokio half, {polls} polls"),
                drain(&io, size, |buf| until(|| poll_some(bytes.read(buf), polls))),
            ));
        }
    });
    all
}

fn until<T>(mut poll: impl FnMut() -> Option<T>) -> T {
    loop {
        if let Some(output) = poll() {
            return output;
        }
    }
}

fn drain(
    io: &Scripted,
    size: usize,
    mut read: impl FnMut(&mut [u8]) -> io::Result<usize>,
) -> Drained {
    let (mut bytes, mut buf) = (vec![], vec![0; size]);
    let end = loop {
        match read(&mut buf) {
            Ok(0) => break Ok(()),
            Ok(n) => bytes.extend(&buf[..n]),
            Err(error) => break Err((error.kind(), broken_rule(&error))),
        }
    };
    let again = read(&mut buf).map(|n| assert_eq!(n, 0));
    assert_eq!(again.map_err(|error| (error.kind(), broken_rule(&error))), end);
    (bytes, end, io.inner().written())
}

/// Messages of all kinds that bytes may come in: "one two three" and 3,000 more.
fn messages() -> Vec<u8> {
    let long = vec![7; 3_000];
    [
        masked(0x82, b"one "),
        masked(0x82, b""),
        masked(0x02, b""),
        masked(0x00, b"two"),
        masked(0x89, b"!"),
        masked(0x80, b" "),
        masked(0x82, b"three"),
        masked(0x02, &long[..1_000]),
        masked(0x80, &long[1_000..]),
    ]
    .concat()
}

fn bytes() -> Vec<u8> {
    [&b"one two three"[..], &[7; 3_000]].concat()
}

#[test]
fn bytes_come_however_their_messages_are_cut_and_end_as_the_connection_does() {
    let eof = (ErrorKind::UnexpectedEof, Some(ProtocolError::UnexpectedEof));
    let aborted = (ErrorKind::ConnectionAborted, None);
    let text = (ErrorKind::InvalidData, Some(ProtocolError::UnexpectedText));
    let in_text = [masked(0x01, b"t"), masked(0x80, b"ext")].concat();
    let unmasked = (ErrorKind::InvalidData, Some(ProtocolError::NotMasked));
    // What comes behind the messages, how that ends, the close code of our answer.
    let table: [(Vec<u8>, _, Option<u16>); 10] = [
        (masked(0x88, b"\x03\xe8"), Ok(()), Some(1000)),
        (masked(0x88, b"\x03\xe8bye"), Ok(()), Some(1000)),
        (masked(0x88, b""), Ok(()), None),
        (masked(0x88, b"\x03\xe9"), Err(aborted), Some(1001)),
        (masked(0x88, b"\x03\xf3"), Err(aborted), Some(1011)),
        (vec![], Err(eof), None),
        (masked(0x82, b"not all")[..6].to_vec(), Err(eof), None),
        (masked(0x81, b"text"), Err(text), Some(1003)),
        (in_text, Err(text), Some(1003)),
        (vec![0x82, 1, 0], Err(unmasked), Some(1002)),
    ];
    for (end, expected, code) in table {
        let stream = [messages(), end].concat();
        for (step, size) in [(1, 1), (1, 4_096), (3, 5), (7, 1), (1_000, 300), (10_000, 10_000)] {
            for (adapter, (seen, outcome, written)) in read_all(&stream, step, size) {
                let what = format!("{adapter}, reads of {step}, by {size}");
                assert!(seen == bytes(), "{what}: {} bytes", seen.len());
                assert_eq!(outcome, expected, "{what}");
                let answers = frames(&written);
                assert_eq!(answers[0], (true, Opcode::Pong, b"!".to_vec()), "{what}");
                let close: Vec<_> = answers[1..].iter().map(|(_, _, body)| &body[..]).collect();
                match (code, &close[..]) {
                    (Some(code), [body]) => assert_eq!(*body, code.to_be_bytes(), "{what}"),
                    (None, []) => assert!(outcome == Err(eof), "{what}"),
                    (None, [b""]) => assert!(outcome == Ok(()), "{what}"),
                    _ => panic!("{what}: {answers:?}"),
                }
            }
        }
    }
}

#[test]
fn messages_of_any_size_pass_whatever_the_limits_are() {
    let long = vec![5; 3 << 20];
    let mut stream = masked(0x82, &long);
    for part in long.chunks(1_000) {
        stream.extend(masked(if stream.len() <= long.len() + 14 { 2 } else { 0 }, part));
    }
    stream.extend([masked(0x80, b""), masked(0x88, b"")].concat());
    let mut config = Config::default();
    config.limits.fragments = 100;
    let connection = Connection::server(&config, Agreed::default());
    let ws = blocking::WebSocket::from_parts(parts(scripted([stream]), connection)).unwrap();
    let mut bytes = ws.into_byte_stream();
    assert_eq!(io::copy(&mut bytes, &mut io::sink()).unwrap(), 6 << 20);
}

#[test]
fn each_write_is_a_message_of_at_most_64_kib() {
    let long = vec![3; 200_000];
    let writes: [&[u8]; 5] = [b"one", b"", &long[..65_536], &long, b"two"];
    let lengths = [3, 65_536, 65_536, 65_536, 65_536, 200_000 - 3 * 65_536, 3];
    let check = |adapter: &str, written: &[u8]| {
        let frames = frames(written);
        let (messages, close) = frames.split_at(frames.len() - 1);
        let seen: Vec<_> = messages.iter().map(|(_, _, payload)| payload.len()).collect();
        assert_eq!(seen, lengths, "{adapter}");
        assert!(messages.iter().all(|(fin, opcode, _)| *fin && *opcode == Opcode::Binary));
        assert_eq!(close, [(true, Opcode::Close, b"\x03\xe8".to_vec())], "{adapter}");
    };
    let connection = || Connection::server(Config::default(), Agreed::default());

    fn write<W>(mut stream: ByteStream<W>, writes: &[&[u8]]) -> ByteStream<W>
    where
        ByteStream<W>: Write,
    {
        writes.iter().for_each(|bytes| stream.write_all(bytes).unwrap());
        stream.flush().unwrap();
        stream
    }
    let io = scripted([b""]);
    let ws = blocking::WebSocket::from_parts(parts(io.clone(), connection())).unwrap();
    let mut bytes = write(ws.into_byte_stream(), &writes);
    (0..2).for_each(|_| bytes.shut_down().unwrap());
    assert_eq!(bytes.write(b"more").unwrap_err().kind(), ErrorKind::BrokenPipe);
    check("blocking", &io.inner().written());
    let io = scripted([b""]);
    let ws = blocking::WebSocket::from_parts(parts(io.clone(), connection())).unwrap();
    let mut bytes = write(ws.split().unwrap().1.into_byte_stream(), &writes);
    (0..2).for_each(|_| bytes.shut_down().unwrap());
    check("blocking half", &io.inner().written());

    in_runtime(|| {
        for polls in [usize::MAX, 1, 2, 3, 5] {
            let io = if polls < usize::MAX { hesitant([b""], 5_000) } else { scripted([b""]) };
            let mut stream = server(io.clone(), &Config::default()).into_byte_stream();
            for mut bytes in writes {
                while !bytes.is_empty() {
                    let n = until(|| poll_some(stream.write(bytes), polls)).unwrap();
                    bytes = &bytes[n..];
                }
            }
            until(|| poll_some(stream.flush(), polls)).unwrap();
            (0..2).for_each(|_| until(|| poll_some(stream.shutdown(), polls)).unwrap());
            let late = until(|| poll_some(stream.write(b"more"), polls));
            assert_eq!(late.unwrap_err().kind(), ErrorKind::BrokenPipe);
            check(&format!("tokio, {polls} polls"), &io.inner().written());
        }
    });
}

#[test]
fn what_comes_behind_our_close_can_be_read_still() {
    let stream = [messages(), masked(0x88, b"\x03\xe8")].concat();
    let connection = Connection::server(Config::default(), Agreed::default());
    let io = scripted(cut(&stream, 10));
    let ws = blocking::WebSocket::from_parts(parts(io.clone(), connection)).unwrap();
    let mut stream = ws.into_byte_stream();
    stream.shut_down().unwrap();
    let mut seen = vec![];
    stream.read_to_end(&mut seen).unwrap();
    assert!(seen == bytes());
    assert_eq!(frames(&io.inner().written())[0], (true, Opcode::Close, b"\x03\xe8".to_vec()));
}

#[test]
fn of_a_message_that_was_read_in_part_the_rest_comes_as_a_message() {
    let stream = [masked(0x82, b"onetwo"), masked(0x82, b"three")].concat();
    let connection = Connection::server(Config::default(), Agreed::default());
    let io = scripted([stream]);
    let ws = blocking::WebSocket::from_parts(parts(io, connection)).unwrap();
    let mut stream = ws.into_byte_stream();
    stream.read_exact(&mut [0; 3]).unwrap();
    assert_eq!(stream.inner().state(), sotong::State::Open);
    let mut ws = stream.into_inner();
    assert_eq!(ws.event().unwrap().unwrap(), format!("{:?}", sotong::Event::Binary(b"two")));
    // And the rest of one with a reader of its own is skipped by a stream.
    ws.recv_reader().unwrap().unwrap().read_exact(&mut [0; 2]).unwrap();
    assert_eq!(
        ws.into_byte_stream().read(&mut [0; 9]).unwrap_err().kind(),
        ErrorKind::UnexpectedEof
    );
}
