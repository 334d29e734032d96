//! Any bytes as a scenario: the rules of one end, and what its peer sends, which is mostly valid.

use sotong::{Compress, Config, Connection, Deflate, Payload, Role};

use super::Rules;
use super::check::agreed;
use crate::common::{End, frame};

/// Bytes that decide something, one after the other; zeros when there are no more.
#[derive(Clone, Copy, Debug)]
pub struct Choices<'b>(pub &'b [u8]);

impl<'b> Choices<'b> {
    pub fn byte(&mut self) -> u8 {
        let Some((byte, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *byte
    }

    /// The next `len` bytes, or as many as there are.
    pub fn bytes(&mut self, len: usize) -> &'b [u8] {
        let (bytes, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        bytes
    }

    /// A byte that says how many, and so many.
    pub fn string(&mut self) -> &'b [u8] {
        let len = self.byte();
        self.bytes(usize::from(len))
    }

    /// How often something is repeated.
    fn times(&mut self) -> usize {
        usize::from(self.byte()) % TIMES
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The rules for one end. Two bytes:
///
/// ```text
///   0x03  limits: large, small, very small, hardly any inflation
///   0x04  our Close was sent
///   0x08  compression was agreed on
///   0x10  the peer keeps its context
///   0xe0  its window is 8 to 15 bits
///
///   0x07  the receive buffer, see `BUFFERS`
/// ```
pub fn rules(role: Role, choices: &mut Choices<'_>) -> (Rules, usize) {
    let (first, second) = (choices.byte(), choices.byte());
    let (message, frame, fragments, inflation) = match first & 0x03 {
        0 => (1 << 17, 1 << 17, 1 << 12, 256),
        1 => (1000, 700, 4, 256),
        2 => (125, 120, 2, 256),
        _ => (1 << 17, 1 << 16, 1 << 12, 1),
    };
    let deflate = (first & 0x08 != 0).then_some((8 + (first >> 5), first & 0x10 != 0));
    let close_sent = first & 0x04 != 0;
    let rules = Rules { role, close_sent, message, frame, fragments, inflation, deflate };
    (rules, BUFFERS[usize::from(second % 4)])
}

const BUFFERS: [usize; 4] = [512, 600, 5000, 1 << 16];

/// What a peer of this end sends. The first byte of each step says what it is, and the bytes behind
/// it are its parts.
pub fn wire(rules: &Rules, choices: &mut Choices<'_>) -> Vec<u8> {
    let mut peer = peer(rules);
    let mut wire = vec![];
    while !choices.is_empty() && wire.len() < MOST {
        let kind = choices.byte();
        // A client's key, which is sometimes easy to read.
        let key = [[0; 4], [0x37, 0xfa, 0x21, 0x3d]][usize::from(kind >> 7)];
        let key = (rules.role == Role::Server).then_some(key);
        match kind & 0x0f {
            0..=4 => wire.extend(frame(choices.byte(), key, choices.string())),
            5 => {
                // A long one of few different octets.
                let (first, times) = (choices.byte(), choices.times());
                let pattern = choices.string();
                wire.extend(frame(first, key, &pattern.repeat(times)));
            }
            6..=8 => send(&mut peer, None, choices),
            9 | 10 => send(&mut peer, Some(kind & 0x10 != 0), choices),
            11 => {
                // A header of any form.
                let (first, second) = (choices.byte(), choices.byte());
                let extended = match second & 0x7f {
                    126 => choices.bytes(2),
                    127 => choices.bytes(8),
                    _ => &[],
                };
                wire.extend([&[first, second], extended].concat());
            }
            12 => wire.extend(choices.string()),
            13 => flip(&mut wire, choices),
            14 => wire.truncate(wire.len().saturating_sub(usize::from(choices.byte()))),
            _ => {
                let _closed = peer.conn.ping(b"?", &mut peer.tx).map(|transmit| transmit.queue());
            }
        }
        wire.extend(peer.drain());
    }
    wire
}

/// Beyond so many bytes no step begins.
const MOST: usize = if cfg!(miri) { 1 << 9 } else { 1 << 16 };

/// Less often than this is anything repeated. Under an interpreter, which is slow, all is shorter.
const TIMES: usize = if cfg!(miri) { 8 } else { 256 };

/// An end that sends what is valid.
fn peer(rules: &Rules) -> End {
    let role = if rules.role == Role::Client { Role::Server } else { Role::Client };
    let mut config = Config::default();
    let mut deflate = Deflate::default();
    (deflate.context_takeover, deflate.threshold, deflate.level) = (true, 0, 6);
    config.deflate = Some(deflate);
    let mut end = End::with(role, &config, agreed(rules));
    if role == Role::Client {
        let key = || Some([0x37, 0xfa, 0x21, 0x3d]);
        end.conn = Connection::client(&config, agreed(rules), key);
    }
    end
}

/// A message, or a fragment which is the last one or not, as the core sends it.
fn send(peer: &mut End, fragment: Option<bool>, choices: &mut Choices<'_>) {
    let (way, bytes) = (choices.byte(), choices.string());
    let times = if way & 0x80 != 0 { choices.times() } else { 1 };
    let bytes = bytes.repeat(times);
    let text = String::from_utf8_lossy(&bytes);
    let payload = if way & 1 != 0 { Payload::text(&text) } else { Payload::binary(&bytes) };
    let payload = payload.compress(if way & 2 != 0 { Compress::No } else { Compress::Yes });
    let End { conn, tx, .. } = peer;
    let sent = match fragment {
        None => conn.send(payload, tx),
        Some(fin) => conn.send_fragment(payload, fin, tx),
    };
    if let Ok(transmit) = sent {
        transmit.queue();
    }
}

/// Turns one bit, counted from the end.
fn flip(wire: &mut [u8], choices: &mut Choices<'_>) {
    let (bit, back) = (choices.byte() % 8, usize::from(choices.byte()));
    if let Some(at) = wire.len().checked_sub(1 + back) {
        wire[at] ^= 1 << bit;
    }
}

/// `bytes` in pieces: whole, byte by byte, or cut irregularly.
pub fn cut(bytes: &[u8], way: u8) -> Vec<&[u8]> {
    let mut state = u32::from(way);
    let mut next = || {
        // Any generator will do that reaches short and long pieces.
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let long = [3, 20, 300, 5000][(state >> 28) as usize % 4];
        1 + (state >> 8) as usize % long
    };
    let (mut rest, mut pieces) = (bytes, vec![]);
    while !rest.is_empty() {
        let len = match way {
            0 => rest.len(),
            1 => 1,
            _ => next().min(rest.len()),
        };
        let (piece, after) = rest.split_at(len);
        pieces.push(piece);
        rest = after;
    }
    pieces
}
