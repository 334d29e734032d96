//! Values as JSON.

use std::collections::HashMap;

use sotong::{Error, Event, Message, Opcode};

use super::*;
use crate::scripted::{frames, hesitant, masked, scripted};

/// A value, a ping, no JSON, not such a value, binary, no JSON that is binary, the rest of the
/// input.
fn messages() -> Vec<Vec<u8>> {
    let stream = [
        masked(0x81, br#"["move",3]"#),
        masked(0x89, b"?"),
        masked(0x81, br#"["move",3"#),
        masked(0x81, br#"{"move":3}"#),
        masked(0x81, b""),
        masked(0x82, br#"["jump",4]"#),
        masked(0x82, b"\xff"),
        masked(0x81, r#"["걷다",5]"#.as_bytes()),
        masked(0x88, b"\x03\xe8"),
    ];
    cut(&stream.concat(), 5)
}

/// Values, or whether what came was none; up to the end.
fn collect(
    mut recv: impl FnMut() -> Option<Result<Option<(String, u32)>>>,
) -> Vec<Option<(String, u32)>> {
    let mut values = vec![];
    loop {
        match recv() {
            None => {}
            Some(Ok(None)) => return values,
            Some(Ok(value)) => values.push(value),
            Some(Err(Error::Json(error))) => {
                assert!(!error.is_io(), "{error}");
                values.push(None);
            }
            Some(Err(error)) => panic!("{error}"),
        }
    }
}

fn expected() -> Vec<Option<(String, u32)>> {
    let value = |action: &str, n| Some((action.to_owned(), n));
    vec![value("move", 3), None, None, None, value("jump", 4), None, value("걷다", 5)]
}

#[test]
fn what_is_no_json_is_told_and_the_next_value_comes() {
    let connection = || sotong::Connection::server(Config::default(), sotong::Agreed::default());
    let io = scripted(messages());
    let mut ws = blocking::WebSocket::from_parts(parts(io.clone(), connection())).unwrap();
    assert_eq!(collect(|| Some(ws.recv_json())), expected());
    let pong = (true, Opcode::Pong, b"?".to_vec());
    assert_eq!(frames(&io.inner().written()), [pong, (true, Opcode::Close, b"\x03\xe8".to_vec())]);
    let io = scripted(messages());
    let ws = blocking::WebSocket::from_parts(parts(io, connection())).unwrap();
    let mut receiver = ws.split().unwrap().0;
    assert_eq!(collect(|| Some(receiver.recv_json())), expected());
    in_runtime(|| {
        for polls in 1..10 {
            let stream = || hesitant(messages(), 3);
            let mut ws = server(stream(), &Config::default());
            assert_eq!(collect(|| poll_some(ws.recv_json(), polls)), expected(), "{polls}");
            let mut receiver = server(stream(), &Config::default()).split().0;
            assert_eq!(collect(|| poll_some(receiver.recv_json(), polls)), expected());
        }
    });
}

#[test]
fn a_value_may_borrow_from_its_message() {
    let event = Event::Text(r#"{"a":"x","b":"y"}"#);
    let map: HashMap<&str, &str> = event.json().unwrap();
    assert_eq!((map["a"], map["b"]), ("x", "y"));
    let connection = sotong::Connection::server(Config::default(), sotong::Agreed::default());
    let io = scripted([masked(0x81, br#"["one","two"]"#)]);
    let mut ws = blocking::WebSocket::from_parts(parts(io, connection)).unwrap();
    let words: Vec<&str> = ws.recv_json().unwrap().unwrap();
    assert_eq!(words, ["one", "two"]);
}

#[test]
fn text_that_is_no_utf8_ends_the_connection_as_ever() {
    let connection = || sotong::Connection::server(Config::default(), sotong::Agreed::default());
    let io = scripted([masked(0x81, b"\"\xff\"")]);
    let mut ws = blocking::WebSocket::from_parts(parts(io, connection())).unwrap();
    let told = ws.recv_json::<String>();
    assert!(matches!(told, Err(Error::Protocol(ProtocolError::TextNotUtf8))), "{told:?}");
    in_runtime(|| {
        let io = scripted([masked(0x81, b"\"\xff\"")]);
        let mut ws = server(io, &Config::default());
        let told = poll_some(ws.recv_json::<String>(), 9).unwrap();
        assert!(matches!(told, Err(Error::Protocol(ProtocolError::TextNotUtf8))), "{told:?}");
    });
}

#[test]
fn a_value_leaves_as_text_and_what_cannot_be_told_as_json_does_not_leave() {
    let value = ("move", [3, 4]);
    let bad: HashMap<(u8, u8), u8> = [((1, 2), 3)].into(); // keys that are no strings
    let is_json = |refused: Result<()>| matches!(refused, Err(Error::Json(_)));
    let connection = || sotong::Connection::server(Config::default(), sotong::Agreed::default());
    let text = (true, Opcode::Text, br#"["move",[3,4]]"#.to_vec());
    let both = [text.clone(), text];

    let io = scripted([b""]);
    let mut ws = blocking::WebSocket::from_parts(parts(io.clone(), connection())).unwrap();
    assert!(is_json(ws.send_json(&bad)) && is_json(ws.feed_json(&bad)));
    ws.feed_json(&value).unwrap();
    assert_eq!(io.inner().written(), b"");
    ws.send_json(&value).unwrap();
    assert_eq!(frames(&io.inner().written()), both);

    let io = scripted([b""]);
    let ws = blocking::WebSocket::from_parts(parts(io.clone(), connection())).unwrap();
    let mut sender = ws.split().unwrap().1;
    assert!(is_json(sender.send_json(&bad)) && is_json(sender.feed_json(&bad)));
    sender.feed_json(&value).unwrap();
    sender.send_json(&value).unwrap();
    assert_eq!(frames(&io.inner().written()), both);

    in_runtime(|| {
        let done = |result: Option<Result<()>>| result.expect("there is room");
        let io = scripted([b""]);
        let mut ws = server(io.clone(), &Config::default());
        assert!(is_json(done(poll_some(ws.send_json(&bad), 1))));
        assert!(is_json(done(poll_some(ws.feed_json(&bad), 1))));
        done(poll_some(ws.feed_json(&value), 1)).unwrap();
        assert_eq!(io.inner().written(), b"");
        done(poll_some(ws.send_json(&value), 1)).unwrap();
        assert_eq!(frames(&io.inner().written()), both);

        let io = scripted([b""]);
        let mut sender = server(io.clone(), &Config::default()).split().1;
        assert!(is_json(done(poll_some(sender.send_json(&bad), 1))));
        assert!(is_json(done(poll_some(sender.feed_json(&bad), 1))));
        done(poll_some(sender.feed_json(&value), 1)).unwrap();
        done(poll_some(sender.send_json(&value), 1)).unwrap();
        assert_eq!(frames(&io.inner().written()), both);
    });
}

#[test]
fn an_owned_message_is_made_of_a_value_and_tells_one() {
    let message = Message::from_json(&[1, 2]).unwrap();
    assert_eq!(message, Message::from("[1,2]"));
    assert_eq!(message.json::<[u8; 2]>().unwrap(), [1, 2]);
    assert_eq!(Message::from(b"[3]".to_vec()).json::<[u8; 1]>().unwrap(), [3]);
    let ping = Message::Ping(b"[1]"[..].into());
    let told = ping.json::<[u8; 1]>().unwrap_err();
    assert_eq!(told.to_string(), "a control frame, or a value that JSON does not have");
    assert!(Event::Pong(b"[1]").json::<[u8; 1]>().is_err());
    assert!(std::error::Error::source(&told).is_some() && !told.is_peer_fault());
    assert_eq!(io::Error::from(told).kind(), io::ErrorKind::InvalidData);
}

/// Messages are strangers' words: in a log they might be taken for other lines of it.
#[test]
fn what_an_error_displays_is_not_what_the_message_said() {
    let said = [
        ("\"hunter2\\nERROR forged\"", "JSON, and not what was asked for, at line 1 column 23"),
        ("\n", "JSON that ends too early, at line 2 column 0"),
        ("hunter2", "no JSON, at line 1 column 1"),
    ];
    for (text, displayed) in said {
        let told = Event::Text(text).json::<u32>().unwrap_err();
        assert_eq!(told.to_string(), displayed);
        assert!(std::error::Error::source(&told).is_some());
    }
}
