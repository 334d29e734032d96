//! The core beside a reading of the RFCs that is slow and simple: random streams, and valid ones
//! with faults in them.

#![cfg(feature = "deflate")]

#[path = "common/cases.rs"]
mod cases;
mod common;
mod model;

use cases::{cases, role};
use common::{End, Seen, frame};
use model::check::{assert_is_right, check};
use model::script::{Choices, cut, rules, wire};
use model::{Rules, Verdict};
use proptest::collection::vec;
use proptest::prelude::*;
use sotong::{Config, Role};

/// A server that has the limits a configuration has by default.
fn server() -> Rules {
    let limits = Config::default().limits;
    Rules {
        role: Role::Server,
        close_sent: false,
        message: limits.message,
        frame: limits.frame,
        fragments: limits.fragments,
        inflation: limits.inflation,
        deflate: None,
    }
}

/// The model is right where the answer is known, so that it does not just agree.
#[test]
fn the_model_knows_the_examples_of_the_rfc() {
    let hello = || Seen::Text("Hello".into());
    let (waits, fails) = (Verdict::Waits, Verdict::Fails);
    let table: [(&[u8], Vec<Seen>, Verdict); 13] = [
        (b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", vec![hello()], waits), // 5.7
        (b"\x01\x83\0\0\0\0Hel\x80\x82\0\0\0\0lo", vec![hello()], waits),
        (b"\x89\x85\0\0\0\0Hello", vec![Seen::Ping(b"Hello".into())], waits),
        (b"\x88\x80\0\0\0\0\x83", vec![Seen::Close(None)], Verdict::Closed),
        (b"\x81\x05", vec![], fails(1002)),
        (b"\xc1\x80", vec![], fails(1002)),
        (b"\x80\x80", vec![], fails(1002)),
        (b"\x82\xfe\0\x7d", vec![], fails(1002)),
        (b"\x82\xff\0\0\0\0\0\0\xff\xff", vec![], fails(1002)),
        (b"\x81\x84\0\0\0\0\xf4\x90", vec![], fails(1007)),
        (b"\x88\x84\0\0\0\0\x03\xe8\xc3\x28", vec![], fails(1007)),
        (b"\x88\x82\0\0\0\0\x03\xed", vec![], fails(1002)),
        (b"\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0", vec![], fails(1009)),
    ];
    for (wire, events, verdict) in table {
        let reading = model::read(&server(), wire, 0);
        assert_eq!((&reading.events, reading.verdict), (&events, verdict));
        let mut end = End::new(Role::Server, &Config::default());
        assert_is_right(&server(), &end.feed([wire]), wire);
    }
    let deflate = Rules { deflate: Some((15, true)), ..server() };
    let hellos = [&b"\xf2\x48\xcd\xc9\xc9\x07\x00"[..], b"\xf2\x00\x11\x00\x00"]; // RFC 7692, 7.2.3
    let wire = hellos.map(|payload| frame(0xc1, Some([0; 4]), payload)).concat();
    assert_eq!(model::read(&deflate, &wire, 0).events, [hello(), hello()]);
    check(&deflate, &wire, &[&wire], 5000);
    for bits in [9, 15] {
        let forgets = Rules { deflate: Some((bits, false)), ..server() };
        assert_eq!(model::read(&forgets, &wire, 0).verdict, fails(1007));
        check(&forgets, &wire, &[&wire], 5000);
    }
}

/// An interpreter, which is slow, tries fewer still than of other properties, and irregular pieces.
const CASES: u32 = if cfg!(miri) { 400 } else { 2000 };
const TRICKLE: u8 = if cfg!(miri) { 2 } else { 1 };

/// 600 octets, stored, and three of them again, from where they begin.
#[test]
fn a_window_is_as_large_as_was_agreed() {
    let payload = [&b"\x00\x58\x02\xa7\xfd"[..], &[b'a'; 600], b"\x02\xa6\x2b\x00\x00"].concat();
    let wire = frame(0xc1, Some([0; 4]), &payload);
    for (bits, verdict) in [(9, Verdict::Fails(1007)), (10, Verdict::Waits), (15, Verdict::Waits)] {
        let rules = Rules { deflate: Some((bits, true)), ..server() };
        let reading = model::read(&rules, &wire, 0);
        assert_eq!(reading.verdict, verdict, "{bits} bits");
        assert_eq!(reading.events.len(), usize::from(bits > 9));
        check(&rules, &wire, &[&wire], 5000);
        check(&rules, &wire, &cut(&wire, TRICKLE), 512);
    }
}

/// Compares the two, over a stream as it is and over cuts of it.
fn compare(role: Role, mut choices: Choices<'_>, way: u8, is_raw: bool) {
    let (rules, receive_buffer) = rules(role, &mut choices);
    let wire = if is_raw { choices.0.to_vec() } else { wire(&rules, &mut choices) };
    for way in [0, TRICKLE, way] {
        check(&rules, &wire, &cut(&wire, way), receive_buffer);
    }
}

/// First bytes of frames that go far.
fn first_byte() -> impl Strategy<Value = u8> {
    let good = vec![0x00, 0x01, 0x02, 0x80, 0x81, 0x82, 0x88, 0x89, 0x8a, 0xc1, 0xc2, 0x41, 0x42];
    prop_oneof![20 => prop::sample::select(good), 1 => any::<u8>()]
}

/// Payloads that mean something.
fn payload() -> impl Strategy<Value = Vec<u8>> {
    let table: [&[u8]; 18] = [
        b"",
        b"a",
        b"\x03\xe8",
        b"\x03\xe8bye",
        b"\x03\xed",
        b"\x0f\xa0\xc3\x28",
        b"\x03",
        "소통".as_bytes(),
        b"\xec\x86",
        b"\x8c",
        b"\xf4\x90",
        b"\xed\xa0\x80",
        b"\xf2\x48\xcd\xc9\xc9\x07\x00", // "Hello" (RFC 7692, section 7.2.3.1)
        b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00",
        b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00",
        b"\xf2\x00\x11\x00\x00", // "Hello" again, out of the message before
        b"\xf2\x48\xcd",
        b"\x06",
    ];
    prop_oneof![
        6 => prop::sample::select(table.map(<[u8]>::to_vec).to_vec()),
        2 => vec(any::<u8>(), 0..20),
        1 => vec(any::<u8>(), 100..200),
    ]
}

/// One step of a script, in the form that `script::wire` reads.
fn step() -> impl Strategy<Value = Vec<u8>> {
    let string = |bytes: Vec<u8>| [&[bytes.len() as u8], &bytes[..]].concat();
    let literal =
        (any::<bool>(), first_byte(), payload()).prop_map(move |(masked, first, bytes)| {
            [vec![u8::from(masked) << 7, first], string(bytes)].concat()
        });
    // A message in fragments, of which the last may be missing.
    let first = prop::sample::select(vec![0x01, 0x02, 0x41, 0x42]);
    let fragments =
        (first, vec(payload(), 1..7), any::<bool>()).prop_map(move |(first, parts, fin)| {
            let last = parts.len() - 1;
            let frames = parts.into_iter().enumerate().map(|(i, part)| {
                let opcode = if i == 0 { first } else { 0x00 };
                let fin = if i == last && fin { 0x80 } else { 0x00 };
                [vec![0, fin | opcode], string(part)].concat()
            });
            frames.collect::<Vec<_>>().concat()
        });
    let sent = (6..=10_u8, any::<bool>(), any::<u8>(), any::<u8>(), payload()).prop_map(
        move |(kind, fin, way, times, bytes)| {
            let times = if way & 0x80 != 0 { vec![times] } else { vec![] };
            [vec![kind | u8::from(fin) << 4, way], string(bytes), times].concat()
        },
    );
    let long = (first_byte(), any::<u8>(), payload())
        .prop_map(move |(first, times, bytes)| [vec![5, first, times], string(bytes)].concat());
    let flip = (0..8_u8, 0..30_u8).prop_map(|(bit, back)| vec![13, bit, back]);
    // A length of 16 or of 64 bits near what is too short for it, or too long.
    let second = prop::sample::select(vec![0x7e, 0xfe, 0x7f, 0xff]);
    let sign = prop_oneof![9 => Just(0), 1 => Just(0x80)];
    let header =
        (first_byte(), second, sign, any::<[u8; 2]>()).prop_map(|(first, second, sign, len)| {
            let [high, low] = len;
            let extended = match second & 0x7f {
                126 => vec![high & 1, low],
                _ => vec![sign, 0, 0, 0, 0, high & 1, low | 0xf8, low],
            };
            [vec![11, first, second], extended, vec![12, 4, 0, 0, 0, 0]].concat()
        });
    let refers =
        Just(b"\x00\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00\x00\xc2\x05\xf2\x00\x11\x00\x00".to_vec());
    // As large as the limits of `rules` allow, or a little off, once compressed and once not.
    let sizes = prop::sample::select(vec![(124, 1), (125, 1), (126, 1), (250, 4), (251, 4)]);
    let limit =
        (sizes, prop_oneof![Just(0x80_u8), Just(0x82)]).prop_map(move |((len, times), way)| {
            [vec![6, way], string(vec![b'a'; len]), vec![times]].concat()
        });
    prop_oneof![
        8 => literal,
        1 => refers,
        1 => limit,
        4 => fragments,
        6 => sent,
        2 => long,
        1 => flip,
        2 => header,
        1 => vec(any::<u8>(), 1..20),
    ]
}

proptest! {
    #![proptest_config(cases(CASES))]

    #[test]
    fn the_core_reads_mutated_streams_as_the_model_does(
        role in role(),
        settings in any::<[u8; 2]>(),
        steps in vec(step(), 0..8),
        way: u8,
    ) {
        let choices = [&settings[..], &steps.concat()].concat();
        compare(role, Choices(&choices), way, false);
    }

    #[test]
    fn the_core_reads_noise_as_the_model_does(
        role in role(),
        settings in any::<[u8; 2]>(),
        first in first_byte(),
        second: u8,
        noise in vec(any::<u8>(), 0..150),
        way: u8,
    ) {
        let second = (second % 127) | if role == Role::Server { 0x80 } else { 0 };
        let choices = [&settings[..], &[first, second], &noise].concat();
        compare(role, Choices(&choices), way, true);
    }

    #[test]
    fn the_core_inflates_noise_as_the_model_does(
        role in role(),
        settings in any::<[u8; 2]>(),
        payloads in vec((any::<bool>(), vec(any::<u8>(), 0..60)), 1..6),
        way: u8,
    ) {
        let mut choices = vec![settings[0] & !0x07 | 0x08, settings[1]];
        let mut is_open = false;
        for (fin, payload) in payloads {
            let opcode = if is_open { 0x00 } else { 0x42 };
            is_open = !fin;
            choices.extend([0, u8::from(fin) << 7 | opcode, payload.len() as u8]);
            choices.extend(payload);
        }
        compare(role, Choices(&choices), way, false);
    }
}
