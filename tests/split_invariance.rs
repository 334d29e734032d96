//! Any cut of a stream gives the same events, replies, error and state; so does reading in pieces.

#[path = "common/cases.rs"]
mod cases;
mod common;
#[path = "common/ways.rs"]
mod ways;

use std::sync::atomic::{AtomicU32, Ordering};

use cases::{cases, role};
use common::{End, Seen, Trace, frame};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use sotong::{Agreed, CloseCode, CloseFrame, Config, Connection, Payload, Role, State, Transport};
use ways::{feed_halves, feed_in_chunks};

/// One step of a peer's script.
#[derive(Clone, Debug)]
enum Step {
    /// A message, cut into fragments anywhere, with a control frame behind some of them.
    Message {
        text: bool,
        payload: Vec<u8>,
        cuts: Vec<Index>,
        between: Vec<Option<Control>>,
    },
    Control(Control),
    Close(Vec<u8>),
}

/// A ping (or else a pong) and its payload.
type Control = (bool, Vec<u8>);

fn control() -> impl Strategy<Value = Control> {
    (any::<bool>(), vec(any::<u8>(), 0..=CONTROL))
}

/// The most steps, and the longest payloads of messages and control frames. An interpreter, which
/// is slow, has fewer and shorter ones.
const STEPS: usize = if cfg!(miri) { 3 } else { 7 };
const LONG: usize = if cfg!(miri) { 100 } else { 3000 };
const CONTROL: usize = if cfg!(miri) { 20 } else { 125 };

/// Text in which every length of a character is common.
fn string() -> impl Strategy<Value = String> {
    let character = prop_oneof![Just('a'), Just('\u{7ff}'), Just('소'), Just('😀'), any::<char>()];
    prop_oneof![4 => vec(character.clone(), 0..20), 1 => vec(character, 0..LONG / 3)]
        .prop_map(String::from_iter)
}

fn message() -> impl Strategy<Value = Step> {
    let bytes = prop_oneof![4 => vec(any::<u8>(), 0..40), 1 => vec(any::<u8>(), 0..LONG)];
    let payload = prop_oneof![
        string().prop_map(|text| (true, text.into_bytes())),
        bytes.prop_map(|bytes| (false, bytes)),
    ];
    let between = vec(proptest::option::of(control()), 5);
    (payload, vec(any::<Index>(), 0..5), between)
        .prop_map(|((text, payload), cuts, between)| Step::Message { text, payload, cuts, between })
}

fn script() -> impl Strategy<Value = Vec<Step>> {
    let close = prop_oneof![
        Just(vec![]),
        Just(b"\x03\xe8bye".to_vec()),
        Just(b"\x0f\xa1".to_vec()),
        vec(any::<u8>(), 0..6),
    ];
    prop::collection::vec(
        prop_oneof![
            6 => message(),
            3 => control().prop_map(Step::Control),
            1 => close.prop_map(Step::Close),
        ],
        0..=STEPS,
    )
}

/// The script as bytes that go to `role`.
fn encode(role: Role, script: &[Step], keys: &[[u8; 4]]) -> Vec<u8> {
    let mut keys = keys.iter().cycle();
    let mut wire = vec![];
    let mut push = |first: u8, payload: &[u8]| {
        let key = if role == Role::Server { keys.next().copied() } else { None };
        wire.extend(frame(first, key, payload));
    };
    let first_of = |ping: &bool| if *ping { 0x89 } else { 0x8a };
    for step in script {
        match step {
            Step::Control((ping, body)) => push(first_of(ping), body),
            Step::Close(body) => push(0x88, body),
            Step::Message { text, payload, cuts, between } => {
                let mut opcode = if *text { 0x01 } else { 0x02 };
                let pieces = cut(payload, cuts);
                for (i, piece) in pieces.iter().enumerate() {
                    let fin = if i + 1 == pieces.len() { 0x80 } else { 0 };
                    push(fin | opcode, piece);
                    opcode = 0;
                    if let (0, Some(Some((ping, body)))) = (fin, between.get(i)) {
                        push(first_of(ping), body);
                    }
                }
            }
        }
    }
    wire
}

/// `bytes` in pieces.
fn cut<'a>(bytes: &'a [u8], cuts: &[Index]) -> Vec<&'a [u8]> {
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    ends.push(bytes.len());
    ends.sort_unstable();
    let starts = [0].into_iter().chain(ends.clone());
    starts.zip(&ends).map(|(start, end)| &bytes[start..*end]).collect()
}

/// Limits that random messages sometimes break, or the default ones, and a receive buffer.
fn config(tight: bool, receive_buffer: usize) -> Config {
    let mut config = Config::default();
    config.limits.receive_buffer = receive_buffer;
    if tight {
        (config.limits.message, config.limits.frame, config.limits.fragments) = (1000, 700, 4);
    }
    config
}

const BUFFERS: [usize; 2] = [0, 1 << 20];

/// The trace of `wire` as one piece, which every other way to cut and to read it has to repeat.
fn assert_invariant(role: Role, tight: bool, wire: &[u8], cuts: &[Index]) -> Trace {
    let expected = End::new(role, &config(tight, BUFFERS[1])).feed([wire]);
    for buffer in BUFFERS {
        let config = config(tight, buffer);
        let end = || End::new(role, &config);
        assert_eq!(end().feed([wire]), expected, "whole, {buffer}");
        assert_eq!(end().feed(wire.chunks(1)), expected, "byte by byte, {buffer}");
        assert_eq!(end().feed(cut(wire, cuts)), expected, "cut, {buffer}");
        for pieces in [vec![wire], wire.chunks(1).collect(), cut(wire, cuts)] {
            assert_eq!(feed_in_chunks(&mut end(), &pieces, |_| 0), expected, "{buffer}");
            assert_eq!(feed_in_chunks(&mut end(), &pieces, |n| n * n), expected, "{buffer}");
            assert_eq!(feed_in_chunks(&mut end(), &pieces, |n| n / 2), expected, "{buffer}");
            assert_eq!(feed_halves(end(), &pieces), expected, "in halves, {buffer}");
        }
    }
    expected
}

/// What a script should be seen as, up to its Close.
fn expected_events(script: &[Step]) -> Vec<Seen> {
    let control = |(ping, body): &Control| match ping {
        true => Seen::Ping(body.clone()),
        false => Seen::Pong(body.clone()),
    };
    let mut events = vec![];
    for step in script {
        match step {
            Step::Control(step) => events.push(control(step)),
            Step::Close(_) => break,
            Step::Message { text, payload, cuts, between } => {
                events.extend(between.iter().take(cuts.len()).flatten().map(control));
                events.push(match text {
                    true => Seen::Text(String::from_utf8(payload.clone()).expect("it was text")),
                    false => Seen::Binary(payload.clone()),
                });
            }
        }
    }
    events
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn a_valid_stream_is_read_the_same_at_any_cut(
        role in role(),
        script in script(),
        keys in vec(any::<[u8; 4]>(), 1..5),
        cuts in vec(any::<Index>(), 0..12),
    ) {
        let wire = encode(role, &script, &keys);
        let (mut events, _, error, ..) = assert_invariant(role, false, &wire, &cuts);
        if error.is_none() {
            events.retain(|event| !matches!(event, Seen::Close(_)));
            prop_assert_eq!(events, expected_events(&script));
        }
    }

    #[test]
    fn a_stream_with_faults_fails_the_same_at_any_cut(
        role in role(),
        script in script(),
        keys in vec(any::<[u8; 4]>(), 1..5),
        cuts in vec(any::<Index>(), 0..12),
        flips in vec((any::<Index>(), 0..8u8), 0..4),
        end in any::<Index>(),
        tight in any::<bool>(),
    ) {
        let mut wire = encode(role, &script, &keys);
        if let Some(last) = wire.len().checked_sub(1) {
            flips.iter().for_each(|(at, bit)| wire[at.index(last + 1)] ^= 1 << bit);
        }
        wire.truncate(end.index(wire.len() * 3 + 1));
        assert_invariant(role, tight, &wire, &cuts);
    }

    #[test]
    fn noise_is_read_the_same_at_any_cut(
        role in role(),
        mut wire in vec(any::<u8>(), 0..200),
        cuts in vec(any::<Index>(), 0..12),
        valid_start in any::<bool>(),
    ) {
        if valid_start && wire.len() > 2 {
            wire[0] = [0x01, 0x02, 0x81, 0x82, 0x88, 0x89][usize::from(wire[0]) % 6];
            wire[1] = wire[1] & 0x7f | if role == Role::Server { 0x80 } else { 0 };
        }
        assert_invariant(role, true, &wire, &cuts);
    }
}

/// Something that one end says.
#[derive(Clone, Debug)]
enum Command {
    Text(String),
    Binary(Vec<u8>),
    Fragments(Vec<String>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
}

fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        string().prop_map(Command::Text),
        vec(any::<u8>(), 0..200).prop_map(Command::Binary),
        (any::<u8>(), 4000..20_000usize).prop_map(|(byte, len)| Command::Binary(vec![byte; len])),
        vec(string(), 1..5).prop_map(Command::Fragments),
        vec(any::<u8>(), 0..126).prop_map(Command::Ping),
        vec(any::<u8>(), 0..126).prop_map(Command::Pong),
    ]
}

/// Does a command; what went onto the wire at once, by `step` bytes a frame, is added to `wire`.
fn run(end: &mut End, command: &Command, step: usize, wire: &mut Vec<u8>) {
    let End { conn, tx, .. } = end;
    let fragments = match command {
        Command::Fragments(fragments) => fragments.iter().map(|f| Payload::text(f)).collect(),
        _ => vec![],
    };
    for (i, fragment) in fragments.iter().enumerate() {
        conn.send_fragment(*fragment, i + 1 == fragments.len(), tx).unwrap().queue();
    }
    let mut transmit = match command {
        Command::Text(text) => conn.send_text(text, tx),
        Command::Binary(bytes) => conn.send_binary(bytes, tx),
        Command::Ping(body) => conn.ping(body, tx),
        Command::Pong(body) => conn.pong(body, tx),
        Command::Fragments(_) => Ok(tx.transmit()),
    }
    .unwrap();
    let n = step.min(transmit.len());
    wire.extend(&transmit.slices().concat()[..n]);
    transmit.consume(n);
}

fn seen(command: &Command) -> Seen {
    match command.clone() {
        Command::Text(text) => Seen::Text(text),
        Command::Binary(bytes) => Seen::Binary(bytes),
        Command::Fragments(fragments) => Seen::Text(fragments.concat()),
        Command::Ping(body) => Seen::Ping(body),
        Command::Pong(body) => Seen::Pong(body),
    }
}

/// A different key at every call, and every byte in it.
fn next_key() -> Option<[u8; 4]> {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    Some(CALLS.fetch_add(0x9e37_79b9, Ordering::Relaxed).to_be_bytes())
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn what_one_end_says_the_other_hears_once_and_in_order(
        role in role(),
        commands in vec((command(), 0..30_000usize), 0..=STEPS),
        cuts in vec(any::<Index>(), 0..12),
    ) {
        let mut config = Config::default();
        config.limits.send_queue = usize::MAX;
        let (mut end, mut wire) = (End::new(role, &config), vec![]);
        if role == Role::Client {
            end.conn = Connection::client(&config, Agreed::default(), next_key);
        }
        for (command, step) in &commands {
            run(&mut end, command, *step, &mut wire);
        }
        let bye = CloseFrame { code: CloseCode::NORMAL, reason: "bye" };
        end.conn.close(Some(bye), &mut end.tx).unwrap().queue();
        wire.extend(end.drain());

        let mut expected: Vec<Seen> = commands.iter().map(|(command, _)| seen(command)).collect();
        expected.push(Seen::Close(Some((1000, "bye".into()))));
        let (peer, transport) = match role {
            Role::Client => (Role::Server, Transport::ShutDown),
            Role::Server => (Role::Client, Transport::AwaitEof),
        };
        for receive_buffer in BUFFERS {
            let mut peer = End::new(peer, &self::config(false, receive_buffer));
            let (events, _, error, state, then) = peer.feed(cut(&wire, &cuts));
            prop_assert!(events == expected);
            prop_assert_eq!((error, state, then), (None, State::Closed, transport));
        }
    }
}
