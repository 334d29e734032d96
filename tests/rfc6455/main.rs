//! RFC 6455, section by section: literal bytes in; events, literal replies and states out.

#[path = "../common/mod.rs"]
mod common;

mod section_10_3_masking_keys;
mod section_10_4_limits;
mod section_5_1_masking;
mod section_5_2_base_framing;
mod section_5_4_fragmentation;
mod section_5_5_control_frames;
mod section_5_6_data_frames;
mod section_5_7_examples;
mod section_6_1_sending;
mod section_7_closing;
mod section_8_1_utf8;

use common::{End, Seen, Trace, frame};
use sotong::{Config, ProtocolError, ReceiveBuffer, Role, State, Transport};

const ROLES: [Role; 2] = [Role::Client, Role::Server];

/// The key of a frame that goes to `role`: a client's frames are masked, here with zeros.
fn key_towards(role: Role) -> Option<[u8; 4]> {
    (role == Role::Server).then_some([0; 4])
}

/// Frames that go to `role`, each a first byte and a payload.
fn frames(role: Role, list: &[(u8, &[u8])]) -> Vec<u8> {
    list.iter().flat_map(|(first, payload)| frame(*first, key_towards(role), payload)).collect()
}

/// Puts all of `bytes` into the buffer.
fn fill(rx: &mut ReceiveBuffer, bytes: &[u8]) {
    assert_eq!(rx.extend(bytes), bytes.len(), "there is room for them");
}

/// What a fresh connection makes of `bytes`, whole and byte by byte.
fn receive(role: Role, bytes: &[u8]) -> Trace {
    receive_with(&Config::default(), role, bytes)
}

/// An interpreter takes a thousand times as long: what is long is smaller by this, of all codes it
/// tries every so-manieth, and what comes byte by byte comes in portions of this.
const FEWER: usize = if cfg!(miri) { 23 } else { 1 };

fn receive_with(config: &Config, role: Role, bytes: &[u8]) -> Trace {
    let whole = End::new(role, config).feed([bytes]);
    let trickled = End::new(role, config).feed(bytes.chunks(FEWER));
    assert_eq!(whole, trickled, "{role:?} {}", bytes.escape_ascii());
    whole
}

/// A Close frame of `role` with a code.
fn close_frame(role: Role, code: u16) -> Vec<u8> {
    let [high, low] = code.to_be_bytes();
    match role {
        Role::Server => vec![0x88, 0x02, high, low],
        Role::Client => vec![0x88, 0x82, 0, 0, 0, 0, high, low],
    }
}

/// What to do with the stream of a connection that was closed or has failed: the server ends it
/// first "in most normal cases" (section 7.1.1).
fn goodbye(role: Role) -> Transport {
    if role == Role::Server { Transport::ShutDown } else { Transport::AwaitEof }
}

/// The trace of a connection that goes on.
fn open(events: Vec<Seen>, replies: &[u8]) -> Trace {
    (events, replies.to_vec(), None, State::Open, Transport::Keep)
}

/// The trace of a connection that has failed: one Close frame with the code of the error.
fn failed(role: Role, events: Vec<Seen>, error: ProtocolError, code: u16) -> Trace {
    (events, close_frame(role, code), Some(error), State::Closed, goodbye(role))
}

/// `bytes` fail the connection, and nothing that follows is looked at or answered.
fn assert_fails(role: Role, bytes: &[u8], error: ProtocolError, code: u16) {
    let mut end = End::new(role, &Config::default());
    let shown = bytes.escape_ascii();
    assert_eq!(end.feed([bytes]), failed(role, vec![], error, code), "{role:?} {shown}");
    let late = frames(role, &[(0x81, b"late"), (0x89, b"?"), (0x88, b"\x03\xe8"), (0xff, b"")]);
    let silence = (vec![], vec![], Some(error), State::Closed, goodbye(role));
    assert_eq!(end.feed([&late[..]]), silence, "{role:?} {shown}");
    assert_eq!(end.conn.handle_eof(), Err(error));
    assert_eq!(end.conn.transport(), Transport::Close);
    assert_eq!(receive(role, bytes), failed(role, vec![], error, code), "{role:?} {shown}");
}

fn text(text: &str) -> Seen {
    Seen::Text(text.into())
}

fn binary(bytes: &[u8]) -> Seen {
    Seen::Binary(bytes.into())
}

fn ping(body: &[u8]) -> Seen {
    Seen::Ping(body.into())
}

fn pong(body: &[u8]) -> Seen {
    Seen::Pong(body.into())
}

fn close(code: u16, reason: &str) -> Seen {
    Seen::Close(Some((code, reason.into())))
}
