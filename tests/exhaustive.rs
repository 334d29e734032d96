//! All first two bytes of a frame, both roles, every state, against a naive reading of the RFC.

mod common;

use common::{End, Seen, frame};
use sotong::{Config, Role, State, Transport};

/// What has happened before the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Before {
    Nothing,
    /// A first fragment of text, `a`.
    Text,
    /// A first fragment of bytes, `a`.
    Binary,
    CloseReceived,
    CloseSent,
    Failed,
}

/// Events, replies, the close code of the error, state, transport.
type Expected = (Vec<Seen>, Vec<u8>, Option<u16>, State, Transport);

/// Whether section 5 forbids a frame that starts so.
fn is_forbidden(role: Role, before: Before, first: u8, second: u8) -> bool {
    let fin = first >= 0x80;
    let reserved_bits = (first >> 4) & 0b111;
    let opcode = first % 16;
    let masked = second >= 0x80;
    let length = second % 128;
    let message_open = before == Before::Text || before == Before::Binary;

    // "MUST be 0 unless an extension is negotiated that defines meanings for non-zero values."
    reserved_bits != 0
        // "%x3-7 are reserved for further non-control frames", "%xB-F" for control frames.
        || [3, 4, 5, 6, 7, 11, 12, 13, 14, 15].contains(&opcode)
        // "All control frames MUST have a payload length of 125 bytes or less and MUST NOT be
        // fragmented."
        || opcode >= 8 && (length > 125 || !fin)
        // "The server MUST close the connection upon receiving a frame that is not masked."
        || role == Role::Server && !masked
        // "A client MUST close a connection if it detects a masked frame."
        || role == Role::Client && masked
        // A continuation continues something; "the fragments of one message MUST NOT be
        // interleaved between the fragments of another message".
        || opcode == 0 && !message_open
        || (opcode == 1 || opcode == 2) && message_open
}

/// What a whole and allowed frame is seen as.
fn event(before: Before, first: u8, payload: &[u8]) -> Option<Seen> {
    let prefix: &[u8] = if [0x00, 0x80].contains(&first) { b"a" } else { b"" };
    let whole = [prefix, payload].concat();
    match (first, before) {
        (0x81, _) | (0x80, Before::Text) => Some(Seen::Text(String::from_utf8(whole).unwrap())),
        (0x82, _) | (0x80, Before::Binary) => Some(Seen::Binary(whole)),
        (0x89, _) => Some(Seen::Ping(whole)),
        (0x8a, _) => Some(Seen::Pong(whole)),
        (0x88, _) if whole.is_empty() => Some(Seen::Close(None)),
        (0x88, _) => Some(Seen::Close(Some((4001, "a".repeat(whole.len() - 2))))),
        _ => None,
    }
}

/// The frame that answers, from the end in `role`: a client masks, here with zeros.
fn answer(role: Role, first: u8, payload: &[u8]) -> Vec<u8> {
    frame(first, (role == Role::Client).then_some([0; 4]), payload)
}

/// The server ends the stream first "in most normal cases" (section 7.1.1), whoever closed or failed.
fn goodbye(role: Role) -> Transport {
    if role == Role::Server { Transport::ShutDown } else { Transport::AwaitEof }
}

/// What a frame that `is_forbidden` leads to.
fn failure(role: Role, before: Before) -> Expected {
    let close = if before == Before::CloseSent { vec![] } else { answer(role, 0x88, b"\x03\xea") };
    (vec![], close, Some(1002), State::Closed, goodbye(role))
}

/// What nothing at all leads to.
fn nothing(role: Role, before: Before) -> Expected {
    match before {
        Before::Failed => (vec![], vec![], Some(1002), State::Closed, goodbye(role)),
        Before::CloseReceived => (vec![], vec![], None, State::Closed, goodbye(role)),
        Before::CloseSent => (vec![], vec![], None, State::Closing, Transport::Keep),
        _ => (vec![], vec![], None, State::Open, Transport::Keep),
    }
}

/// What a whole frame leads to.
fn whole(role: Role, before: Before, first: u8, payload: &[u8]) -> Expected {
    let (mut events, mut replies, mut error, mut state, mut transport) = nothing(role, before);
    match first {
        0x88 if payload.len() == 1 => return failure(role, before),
        0x88 => {
            let code = &payload[..payload.len().min(2)];
            replies = if before == Before::CloseSent { vec![] } else { answer(role, 0x88, code) };
            (error, state, transport) = (None, State::Closed, goodbye(role));
        }
        0x89 => replies = answer(role, 0x8a, payload),
        _ => {}
    }
    events.extend(event(before, first, payload));
    (events, replies, error, state, transport)
}

fn end(role: Role, before: Before, config: &Config) -> End {
    let mut end = End::new(role, config);
    let frame = |first, payload| frame(first, (role == Role::Server).then_some([0; 4]), payload);
    let bytes = match before {
        Before::Nothing | Before::CloseSent => vec![],
        Before::Text => frame(0x01, b"a"),
        Before::Binary => frame(0x02, b"a"),
        Before::CloseReceived => frame(0x88, b""),
        Before::Failed => vec![0xff, 0xff],
    };
    end.feed([&bytes[..]]);
    if before == Before::CloseSent {
        end.conn.close(None, &mut end.tx).unwrap().queue();
        end.drain();
    }
    end
}

fn feed(end: &mut End, bytes: &[u8]) -> Expected {
    let (events, replies, error, state, transport) = end.feed([bytes]);
    (events, replies, error.map(|error| error.close_code().0), state, transport)
}

/// An interpreter takes a thousand times as long: it tries some, with all opcodes among them.
const STRIDE: usize = if cfg!(miri) { 509 } else { 1 };

fn check(role: Role, before: Before) {
    let mut config = Config::default();
    config.limits.receive_buffer = 512;
    for [first, second] in (0..=u16::MAX).step_by(STRIDE).map(u16::to_be_bytes) {
        let shown = format!("{role:?} {before:?} {first:02x} {second:02x}");
        let mut end = end(role, before, &config);
        let heard = before != Before::CloseReceived && before != Before::Failed;
        if !heard {
            assert_eq!(feed(&mut end, &[first, second]), nothing(role, before), "{shown}");
            continue;
        }
        if is_forbidden(role, before, first, second) {
            assert_eq!(feed(&mut end, &[first, second]), failure(role, before), "{shown}");
            continue;
        }
        let len = usize::from(second % 128);
        if len > 0 || role == Role::Server {
            assert_eq!(feed(&mut end, &[first, second]), nothing(role, before), "{shown}");
        }
        if len > 125 {
            continue; // the length itself is still to come
        }
        let mut payload = vec![b'a'; len];
        if first == 0x88 {
            payload.iter_mut().zip(4001u16.to_be_bytes()).for_each(|(byte, code)| *byte = code);
        }
        let rest = match (role, len) {
            (Role::Server, _) => [&[0; 4], &payload[..]].concat(),
            (Role::Client, 0) => vec![first, second],
            (Role::Client, _) => payload.clone(),
        };
        assert_eq!(feed(&mut end, &rest), whole(role, before, first, &payload), "{shown}");
    }
}

#[test]
fn a_client_judges_every_start_of_a_frame_as_the_rfc_does() {
    for before in [Before::Nothing, Before::Text, Before::Binary] {
        check(Role::Client, before);
    }
}

#[test]
fn a_server_judges_every_start_of_a_frame_as_the_rfc_does() {
    for before in [Before::Nothing, Before::Text, Before::Binary] {
        check(Role::Server, before);
    }
}

#[test]
fn behind_our_close_every_start_of_a_frame_is_judged_and_no_second_close_follows() {
    check(Role::Client, Before::CloseSent);
    check(Role::Server, Before::CloseSent);
}

#[test]
fn behind_the_peers_close_or_a_failure_no_start_of_a_frame_changes_anything() {
    for before in [Before::CloseReceived, Before::Failed] {
        check(Role::Client, before);
        check(Role::Server, before);
    }
}
