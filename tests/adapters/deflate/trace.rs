//! The same script of compressed messages through the core, the blocking and the tokio adapter: the
//! same events, the same bytes, however the script is cut.

use sotong::{CloseCode, Compress, ProtocolError};

use super::*;
use crate::scripted::{masked, plain};
use crate::subject::{Subject, Trace};

/// What comes, what is answered to it, and the error that ends it.
type Script = (&'static str, Vec<u8>, Vec<Message>, Option<ProtocolError>);

/// "Hello" as RFC 7692 compresses it, section 7.2.3.1.
const HELLO: &[u8] = b"\xf2\x48\xcd\xc9\xc9\x07\x00";

/// The largest message, in bytes.
const LIMIT: usize = 70_000;

fn closed(code: CloseCode) -> Message {
    Message::Close(Some((code, "".into())))
}

/// Scripts that end with a Close of the peer.
fn good(role: Role, agreed: Agreed) -> Vec<Script> {
    let script = |what, write: &dyn Fn(&mut Peer) -> Vec<Vec<u8>>, answers: Vec<Message>| {
        let mut peer = Peer::of(role, agreed);
        let bytes = [write(&mut peer).concat(), peer.close()].concat();
        (what, bytes, [answers, vec![closed(CloseCode::NORMAL)]].concat(), None)
    };
    let secret = format!("secret: {LONG}");
    let long = format!("{LONG} and again ").repeat(110);
    let noise = noise(500);
    // One byte inflates to a thousand: the last one comes when the step is full.
    let runs = [16_385, 16_600, 17_000, 33_000].map(|len| vec![0; len]);
    vec![
        script(
            "messages that refer to each other",
            &|peer| vec![peer.message(LONG), peer.message(LONG), peer.message(LONG)],
            vec![LONG.into(), LONG.into(), LONG.into()],
        ),
        script(
            "compressed and plain in turn",
            &|peer| {
                vec![
                    peer.message("plain"),
                    peer.message(LONG),
                    peer.message(Payload::text(LONG).compress(Compress::No)),
                    peer.message(&secret[..]),
                    peer.message(Payload::text("").compress(Compress::Yes)),
                    peer.message(&noise[..]),
                    peer.message(LONG),
                ]
            },
            vec![
                "plain".into(),
                LONG.into(),
                LONG.into(),
                secret.clone().into(),
                "".into(),
                noise.clone().into(),
                LONG.into(),
            ],
        ),
        script(
            "fragments around pings",
            &|peer| {
                vec![
                    peer.fragment(LONG, false),
                    peer.ping(b"1"),
                    peer.fragment("", false),
                    peer.ping(b"2"),
                    peer.fragment(LONG, true),
                    peer.message(LONG),
                ]
            },
            vec![
                Message::Pong(b"1"[..].into()),
                Message::Pong(b"2"[..].into()),
                LONG.repeat(2).into(),
                LONG.into(),
            ],
        ),
        script(
            "messages larger than a step of inflating",
            &|peer| vec![peer.message(&long[..]), peer.message(&long[..])],
            vec![long.clone().into(), long.clone().into()],
        ),
        script(
            "runs that end a little behind a step of inflating",
            &|peer| runs.iter().map(|run| peer.message(&run[..])).collect(),
            runs.iter().map(|run| run.clone().into()).collect(),
        ),
    ]
}

/// Scripts that break a rule after a first message, and go on after that.
fn bad(role: Role, agreed: Agreed) -> Vec<Script> {
    let frame = if role == Role::Server { masked } else { plain };
    let script = |what, write: &dyn Fn(&mut Peer) -> Vec<u8>, error, code| {
        let mut peer = Peer::of(role, agreed);
        let bytes = [peer.message(LONG), write(&mut peer), peer.message(LONG)].concat();
        (what, bytes, vec![LONG.into(), closed(CloseCode(code))], Some(error))
    };
    // Not so much of a repetition that it is taken for a bomb.
    let large = [noise(600), vec![b' '; LIMIT - 599]].concat();
    vec![
        script("no DEFLATE data", &|_| frame(0xc1, b"\x07"), ProtocolError::NotDeflate, 1007),
        script(
            "a message that ends within a block",
            &|_| frame(0xc1, &HELLO[..4]),
            ProtocolError::DeflateUnfinished,
            1007,
        ),
        script(
            "a fragment that goes wrong",
            &|_| [frame(0x41, HELLO), frame(0x80, b"\x05\x00\x00\x00")].concat(),
            ProtocolError::NotDeflate,
            1007,
        ),
        script(
            "text that is not UTF-8 once it is inflated",
            &|peer| {
                let mut bytes = peer.message(Payload::binary(b"\xc3\x28").compress(Compress::Yes));
                bytes[0] = 0xc1;
                bytes
            },
            ProtocolError::TextNotUtf8,
            1007,
        ),
        script(
            "a continuation that says it is compressed",
            &|_| [frame(0x41, HELLO), frame(0xc0, HELLO)].concat(),
            ProtocolError::ReservedBits,
            1002,
        ),
        script(
            "a ping that says it is compressed",
            &|_| frame(0xc9, b"?"),
            ProtocolError::ReservedBits,
            1002,
        ),
        script("another reserved bit", &|_| frame(0xe1, HELLO), ProtocolError::ReservedBits, 1002),
        script(
            "a message too big",
            &|peer| peer.message(&large[..]),
            ProtocolError::MessageTooBig,
            1009,
        ),
        script(
            "a bomb",
            &|peer| peer.message(&vec![b' '; LIMIT][..]),
            ProtocolError::InflatesTooMuch,
            1009,
        ),
    ]
}

/// What happens, however the bytes are cut.
fn trace(subject: &Subject, what: &str, bytes: &[u8]) -> Trace {
    let mut traces = [usize::MAX, 7, 1].into_iter().map(|cut| {
        let reads: Vec<_> = bytes.chunks(cut.min(bytes.len())).map(<[u8]>::to_vec).collect();
        (cut, subject.trace(&format!("{what}, by {cut}"), &reads))
    });
    let (_, whole) = traces.next().unwrap();
    traces.for_each(|(cut, trace)| assert_eq!(trace, whole, "{what}, by {cut}"));
    whole
}

fn check(scripts: fn(Role, Agreed) -> Vec<Script>) {
    let subjects = [
        (Role::Server, both(15, true)),
        (Role::Client, both(14, true)),
        (Role::Server, both(13, false)),
    ];
    for (role, agreed) in subjects {
        let mut config = config(|_| {});
        config.limits.message = LIMIT as u64;
        let subject = Subject { role, config, agreed };
        for (what, bytes, answers, error) in scripts(role, agreed) {
            let what = format!("{what}, {role:?}, {agreed:?}");
            let (_, sent, end) = trace(&subject, &what, &bytes);
            let expected = error.map_or(Ok(()), |error| Err(sotong::Error::from(error)));
            assert_eq!(end, format!("{expected:?}"), "{what}");
            assert_eq!(Peer::of(role, agreed).receive(&sent), answers, "{what}");
        }
    }
}

#[test]
fn compressed_messages_are_the_same_over_core_blocking_and_tokio() {
    check(good);
}

#[test]
fn what_is_wrong_with_compressed_messages_is_told_alike_over_core_blocking_and_tokio() {
    check(bad);
}

#[test]
fn a_message_that_says_it_is_compressed_fails_where_nothing_was_agreed() {
    for (role, frame) in [(Role::Server, masked as fn(_, &_) -> _), (Role::Client, plain)] {
        let subject = Subject { role, config: config(|_| {}), agreed: Agreed::default() };
        let (events, sent, end) =
            trace(&subject, "RSV1", &[frame(0x81, b"plain"), frame(0xc1, HELLO)].concat());
        assert_eq!(
            (events, end),
            (vec![r#"Text("plain")"#.into()], "Err(Protocol(ReservedBits))".into())
        );
        let answers = ["plain".into(), closed(CloseCode(1002))];
        assert_eq!(Peer::of(role, Agreed::default()).receive(&sent), answers);
    }
}
