//! What one end makes of the bytes that its peer sends: what the model does, at any cut, whole or
//! in pieces, by a connection or by its halves, within bounds.

use sotong::Role;

use crate::bounds;
use crate::common::{End, Trace};
use crate::model::Rules;
use crate::model::check::{assert_is_right, end, feed};
use crate::model::script::{Choices, cut, rules, wire};
use crate::ways::{feed_halves, feed_in_chunks};

/// Bytes that go to a server: two bytes of rules, one that says how to cut, one that is odd if a
/// script follows and even if the very bytes do.
pub fn server(input: &[u8]) {
    receive(Role::Server, input);
}

/// Bytes that go to a client, in the same form.
pub fn client(input: &[u8]) {
    receive(Role::Client, input);
}

/// Payloads of compressed messages: two bytes of rules, one that says how to cut; then for each
/// frame a byte with its length, in 126 steps, and in its highest bit whether it is the last one.
pub fn inflate(input: &[u8]) {
    let mut choices = Choices(input);
    let (mut rules, receive_buffer) = rules(Role::Client, &mut choices);
    let way = choices.byte();
    (rules.close_sent, rules.deflate) = (false, rules.deflate.or(Some((15, true))));
    let mut wire = vec![];
    let mut opcode = 0x42 - (way & 1); // text is more likely to fail
    while !choices.is_empty() {
        let step = choices.byte();
        let fin = step & 0x80;
        let len = match step & 0x7f {
            127 => choices.0.len(), // all that is left
            len => usize::from(len),
        };
        wire.extend(crate::common::frame(fin | opcode, None, choices.bytes(len)));
        opcode = if fin == 0 { 0x00 } else { 0x42 - (way & 1) };
    }
    compare(&rules, &wire, way, receive_buffer);
}

fn receive(role: Role, input: &[u8]) {
    let mut choices = Choices(input);
    let (rules, receive_buffer) = rules(role, &mut choices);
    let (way, form) = (choices.byte(), choices.byte());
    let wire = match form % 2 {
        0 => choices.0.to_vec(),
        _ => wire(&rules, &mut choices),
    };
    compare(&rules, &wire, way, receive_buffer);
}

/// All ways to read these bytes come to one end, which is that of the model.
fn compare(rules: &Rules, wire: &[u8], way: u8, receive_buffer: usize) {
    let expected = feed(rules, &[wire], receive_buffer);
    assert_is_right(rules, &expected, wire);
    let mut pieces = cut(wire, way.max(2));
    if wire.len() <= BYTE_BY_BYTE {
        is_same("byte by byte", feed(rules, &cut(wire, 1), receive_buffer), &expected);
    }
    is_same("cut", feed(rules, &pieces, receive_buffer), &expected);
    bounds::check(rules, &pieces, receive_buffer);
    pieces.push(&[]);
    let end = || -> End { end(rules, receive_buffer) };
    is_same("in chunks", feed_in_chunks(&mut end(), &pieces, |_| 0), &expected);
    is_same("in turn", feed_in_chunks(&mut end(), &pieces, |n| n * n), &expected);
    is_same("in halves", feed_halves(end(), &pieces), &expected);
}

fn is_same(what: &str, trace: Trace, expected: &Trace) {
    assert_eq!(&trace, expected, "{what}");
}

/// Up to this size a stream is fed byte by byte too; longer ones would only slow the search down.
const BYTE_BY_BYTE: usize = 1 << 12;
