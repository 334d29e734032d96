//! What a client is told that is refused: an answer of the fault alone, whatever the request held.

use core::time::Duration;

use proptest::prelude::*;
use sotong::{Connection, SendError, State, TimedOut, Transport};

use super::*;

/// A request with a fault: what it is, and the request around bytes of the client's choice.
type Faulty = (HandshakeError, fn(&str) -> Vec<u8>);

/// Every fault for which there is an answer, but for the limits.
const FAULTS: [Faulty; 13] = [
    (HandshakeError::Malformed, |junk| with_more(&[&format!("X {junk}: a")])),
    (HandshakeError::BadTarget, |junk| with("GET", &[&format!("GET /{junk}# HTTP/1.1")])),
    (HandshakeError::MethodNotGet, |junk| with("GET", &[&format!("{junk} / HTTP/1.1")])),
    (HandshakeError::NotHttp11, |junk| with("GET", &[&format!("GET /{junk} HTTP/1.0")])),
    (HandshakeError::BadHost, |junk| with("Host", &[&format!("Host: {junk}/")])),
    (HandshakeError::NoUpgrade, |junk| with("Upgrade", &[&format!("Upgrade: {junk}")])),
    (HandshakeError::NoConnectionUpgrade, |junk| {
        with("Connection", &[&format!("Connection: {junk}")])
    }),
    (HandshakeError::UnsupportedVersion, |junk| {
        with("Sec-WebSocket-Version", &[&format!("Sec-WebSocket-Version: {junk}")])
    }),
    (HandshakeError::RepeatedVersion, |junk| {
        with_more(&[&format!("Sec-WebSocket-Version: {junk}")])
    }),
    (HandshakeError::BadKey, |junk| {
        with("Sec-WebSocket-Key", &[&format!("Sec-WebSocket-Key: {junk}")])
    }),
    (HandshakeError::UnexpectedBody, |junk| with_more(&[&format!("Content-Length: {junk}")])),
    (HandshakeError::BadSubprotocols, |junk| {
        with_more(&[&format!("Sec-WebSocket-Protocol: {junk} {junk}")])
    }),
    (HandshakeError::BadExtensions, |junk| {
        with_more(&[&format!("Sec-WebSocket-Extensions: {junk} {junk}")])
    }),
];

/// The limits, which the bytes go beyond.
const BEYOND: [Faulty; 3] = [
    (HandshakeError::TargetTooLong, |junk| junk.repeat(16 * 1024).into()),
    (HandshakeError::HeadTooLarge, |junk| with_more(&[&format!("X: {}", junk.repeat(16 * 1024))])),
    (HandshakeError::TooManyLines, |junk| with_more(&[&*format!("{junk}: {junk}"); 100])),
];

const NOT_ALLOWED: Faulty =
    (HandshakeError::OriginNotAllowed, |junk| with_more(&[&format!("Origin: https://{junk}")]));

fn refusal(error: HandshakeError) -> String {
    let mut tx = SendBuffer::new();
    refuse(error, &mut tx);
    String::from_utf8(tx.transmit().slices().concat()).unwrap()
}

fn faults() -> impl Iterator<Item = Faulty> {
    FAULTS.into_iter().chain([NOT_ALLOWED])
}

#[test]
fn every_refusal_is_there() {
    let mut answers: Vec<_> =
        faults().chain(BEYOND).map(|(error, _)| (refusal(error), error)).collect();
    for (error, request) in BEYOND {
        for junk in ["Q", "unheard-of"] {
            assert_eq!(answer(&request(junk)), refusal(error), "{error:?}");
        }
    }
    for (answer, error) in &answers {
        assert_eq!(Some(status(answer)), error.status());
        assert!(answer.len() < 256, "{answer}");
    }
    answers.sort_by_key(|(_, error)| format!("{error:?}"));
    answers.dedup();
    assert_eq!(answers.len(), 17, "each error that has a status, once");
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: if cfg!(miri) { 2 } else { 256 }, // each has heads of 16 KiB
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_refusal_is_the_same_whatever_the_request_holds(junk in "[A-Z]{1,3}Q[a-zA-Z]{0,200}") {
        for (error, request) in faults() {
            let bytes = request(&junk);
            let answer = answer(&bytes);
            // By this the answer is a constant of the fault: nothing of the request is in it.
            prop_assert_eq!(&answer, &refusal(error), "{:?} {}", error, bytes.escape_ascii());
        }
    }
}

/// An adapter need not tell a refusal from a connection that has failed.
#[test]
fn a_stream_whose_request_was_refused_ends_as_a_connection_that_failed_does() {
    let (mut rx, mut tx) = (ReceiveBuffer::with_capacity(4096), SendBuffer::new());
    refuse(HandshakeError::NoUpgrade, &mut tx);
    let answer = tx.transmit().slices().concat();
    let mut conn = Connection::refused(Config::default());
    assert_eq!((conn.state(), conn.transport()), (State::Closed, Transport::ShutDown));

    assert_eq!(rx.extend(b"\x89\x80\0\0\0\0 whatever still comes"), 27);
    assert_eq!(conn.next_event(&mut rx), Ok(None));
    assert!(rx.is_empty());
    assert_eq!(conn.send_text("no", &mut tx).err(), Some(SendError::Closing));
    conn.poll_transmit(&mut tx);
    assert_eq!(tx.transmit().slices().concat(), answer, "nothing follows the answer");

    let (now, close) = (Duration::from_secs(5), Duration::from_secs(10));
    assert_eq!(conn.poll_timeout(now, &rx, &tx), Some(now + close));
    assert_eq!(conn.handle_timeout(now + close, &rx, &tx), Err(TimedOut::Close));
    assert_eq!(conn.transport(), Transport::Close);
    assert_eq!(Connection::refused(Config::default()).handle_eof(), Ok(()));
}
