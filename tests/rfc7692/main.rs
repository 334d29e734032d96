//! RFC 7692, section by section: literal bytes in; events, literal replies and states out.

#![cfg(feature = "deflate")]

#[path = "../common/mod.rs"]
mod common;

mod choice;
mod limits;
#[path = "../model/inflate.rs"]
mod naive;
mod properties;
mod section_6_framing;
mod section_7_1_negotiation;
mod section_7_2_messages;

use common::{End, Seen, Trace, frame};
use sotong::{Agreed, Config, Deflate, DeflateParameters, ProtocolError, Role, State, Transport};

#[cfg(not(miri))]
const ROLES: [Role; 2] = [Role::Client, Role::Server];
/// An interpreter takes a second for a compressor: it tries the role that unmasks.
#[cfg(miri)]
const ROLES: [Role; 1] = [Role::Server];

/// "Hello" as section 7.2.3.1 compresses it.
const HELLO: &[u8] = b"\xf2\x48\xcd\xc9\xc9\x07\x00";

/// Permessage-deflate as an answer without parameters agrees on it, changed a little.
fn agreed(change: impl FnOnce(&mut DeflateParameters)) -> Agreed {
    let mut deflate = DeflateParameters::default();
    change(&mut deflate);
    let mut agreed = Agreed::default();
    agreed.deflate = Some(deflate);
    agreed
}

/// The same windows and contexts in both directions.
fn both(window_bits: u8, keeps_context: bool) -> Agreed {
    agreed(|deflate| {
        (deflate.server_max_window_bits, deflate.client_max_window_bits) =
            (window_bits, window_bits);
        (deflate.server_no_context_takeover, deflate.client_no_context_takeover) =
            (!keeps_context, !keeps_context);
    })
}

/// A configuration that compresses and keeps context, its settings changed a little.
fn config(change: impl FnOnce(&mut Deflate)) -> Config {
    let mut deflate = Deflate::default();
    (deflate.context_takeover, deflate.peer_context_takeover) = (true, true);
    change(&mut deflate);
    let mut config = Config::default();
    config.deflate = Some(deflate);
    config
}

/// Frames, each a first byte and a payload.
type Frames<'a> = &'a [(u8, &'a [u8])];

/// The frames as they go to `role`.
fn frames(role: Role, list: Frames) -> Vec<u8> {
    let key = (role == Role::Server).then_some([0x37, 0xfa, 0x21, 0x3d]);
    list.iter().flat_map(|(first, payload)| frame(*first, key, payload)).collect()
}

/// An interpreter, which takes a thousand times as long, gets its bytes in small portions.
const TRICKLE: usize = if cfg!(miri) { 23 } else { 1 };

/// What a fresh connection that has agreed makes of `bytes`, whole and byte by byte.
fn receive(role: Role, agreed: Agreed, list: Frames) -> Trace {
    let bytes = frames(role, list);
    let whole = End::with(role, &Config::default(), agreed).feed([&bytes[..]]);
    let trickled = End::with(role, &Config::default(), agreed).feed(bytes.chunks(TRICKLE));
    assert_eq!(whole, trickled, "{role:?} {}", bytes.escape_ascii());
    whole
}

/// The trace of a connection that goes on and had nothing to answer.
fn open(events: Vec<Seen>) -> Trace {
    (events, vec![], None, State::Open, Transport::Keep)
}

/// The trace of a connection that has failed: one Close frame with the code of the error.
fn failed(role: Role, events: Vec<Seen>, error: ProtocolError, code: u16) -> Trace {
    let [high, low] = code.to_be_bytes();
    let (close, transport) = match role {
        Role::Server => (vec![0x88, 0x02, high, low], Transport::ShutDown),
        Role::Client => (vec![0x88, 0x82, 0, 0, 0, 0, high, low], Transport::AwaitEof),
    };
    (events, close, Some(error), State::Closed, transport)
}

fn text(text: &str) -> Seen {
    Seen::Text(text.into())
}
