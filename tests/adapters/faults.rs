//! Every operation on the stream fails once, in every way, in every scenario, over both adapters,
//! whole and in halves.
//!
//! After a fault that passes (a signal, a tick, a short count, a wait) everything is as if it had
//! not been: the same events, the same bytes, the same end. After one that does not, what has come
//! is still handed over, what the peer has seen is the beginning of what was to be sent, and the
//! error says what happened.

mod ends;
mod scenarios;
mod stream;

use std::io::ErrorKind;
use std::thread;
use std::time::Duration;

use sotong::handshake::HandshakeError;
use sotong::handshake::client::Request;
use sotong::test_kit::{Fault, Operation, What};
use sotong::{Error, FrameHeader, Mask, Opcode, ProtocolError, Role, SendError};
use sotong::{blocking, tokio as asynchronous};
use tokio::time::{Instant, timeout};

use crate::scripted::{parts, paused};
use ends::{Said, Talk, Tasks, Threads, Whole, converse};
use scenarios::Scenario;
pub use stream::acceptance;
use stream::{Abilities, Faulty};

const OPERATIONS: [Operation; 4] =
    [Operation::Read, Operation::Write, Operation::Flush, Operation::ShutDown];

/// Those after which a stream is gone.
const FATAL: [What; 4] = [
    What::Zero,
    What::Fails(ErrorKind::ConnectionReset),
    What::Fails(ErrorKind::UnexpectedEof),
    What::Fails(ErrorKind::Other),
];

/// Of a clock that moves only when there is nothing else to do.
const HOUR: Duration = Duration::from_secs(3_600);

#[derive(Clone, Copy, Debug)]
enum Way {
    Blocking,
    BlockingHalves,
    Tokio,
    TokioHalves,
}

/// What happened over a stream, and what it has seen of it.
#[derive(Debug)]
struct Run {
    talk: Talk,
    io: Faulty,
}

impl Scenario {
    async fn run(&self, way: Way, fault: Option<Fault>, abilities: Abilities) -> Run {
        let io = Faulty::new(&self.script, self.end, fault, abilities);
        let opened = match way {
            Way::Blocking | Way::BlockingHalves => self.open(&io).map(Some),
            Way::Tokio | Way::TokioHalves => Ok(None),
        };
        let talk = match (way, opened) {
            (Way::Blocking, Ok(Some(ws))) => converse(Whole::new(ws)).await,
            (Way::BlockingHalves, Ok(Some(ws))) => converse(Threads::new(ws)).await,
            (Way::Tokio, Ok(_)) => match self.open_async(&io).await {
                Ok(ws) => converse(Whole::new(ws)).await,
                Err(error) => Talk { outcome: Some(error), ..Talk::default() },
            },
            (_, Ok(_)) => match self.open_async(&io).await {
                Ok(ws) => converse(Tasks::new(ws)).await,
                Err(error) => Talk { outcome: Some(error), ..Talk::default() },
            },
            (_, Err(error)) => Talk { outcome: Some(error), ..Talk::default() },
        };
        Run { talk, io }
    }

    fn open(&self, io: &Faulty) -> sotong::Result<blocking::WebSocket<Faulty>> {
        let io = io.clone();
        match (self.opens, self.role) {
            (false, _) => blocking::WebSocket::from_parts(parts(io, self.connection())),
            (true, Role::Server) => blocking::accept(io, &self.config),
            (true, Role::Client) => {
                Ok(blocking::connect_over(io, &Request::default(), &self.config)?.0)
            }
        }
    }

    async fn open_async(&self, io: &Faulty) -> sotong::Result<asynchronous::WebSocket<Faulty>> {
        let io = io.clone();
        match (self.opens, self.role) {
            (false, _) => Ok(asynchronous::WebSocket::from_parts(parts(io, self.connection()))),
            (true, Role::Server) => asynchronous::accept(io, &self.config).await,
            (true, Role::Client) => {
                Ok(asynchronous::connect_over(io, &Request::default(), &self.config).await?.0)
            }
        }
    }
}

impl Run {
    /// All that may be compared with a run without a fault.
    fn trace(&self) -> (&[String], Vec<(Opcode, u64)>, String, bool) {
        let Talk { events, said: Said { failures, .. }, outcome, .. } = &self.talk;
        // A sender in another thread may be told so, or have said everything before.
        let is_over = |error: &&Error| matches!(error, Error::Send(SendError::Closing));
        let failures: Vec<_> = failures.iter().filter(|error| !is_over(error)).collect();
        let ends = format!("{failures:?}, {outcome:?}");
        let written = self.io.written();
        (events, stream::frames(stream::parts(&written).1), ends, self.io.is_shut_down())
    }
}

/// What was written, without what is random in it: the key of a request, the masks. Of half a
/// header at the end nothing remains.
fn unmasked(written: &[u8]) -> Vec<u8> {
    const KEY: &str = "Sec-WebSocket-Key: ";
    let (head, mut frames) = stream::parts(written);
    if head.starts_with(b"HTTP/") && !head.starts_with(b"HTTP/1.1 101 ") {
        return written.to_vec(); // a refusal, and its body
    }
    let mut bytes = head.to_vec();
    if let Some(at) = head.windows(KEY.len()).position(|start| start == KEY.as_bytes()) {
        bytes[at + KEY.len()..][..24].fill(b'.');
    }
    while let Some((header, len)) = FrameHeader::decode(frames).expect("what we send is valid") {
        let end = frames.len().min(len + header.payload_len as usize);
        bytes.extend(&frames[..len - 4 * usize::from(header.masking_key.is_some())]);
        let mut payload = frames[len..end].to_vec();
        if let Some(key) = header.masking_key {
            Mask::new(key).apply(&mut payload);
        }
        bytes.extend(payload);
        frames = &frames[end..];
    }
    bytes
}

/// Says which case it was, if it fails.
struct Case<'s>(Way, &'s Scenario, Fault);

impl Drop for Case<'_> {
    fn drop(&mut self) {
        let Self(way, scenario, fault) = self;
        if thread::panicking() {
            println!("{way:?}, {:?}, {}: {fault:?}", scenario.role, scenario.name);
        }
    }
}

/// Lets every operation fail in this way, and checks what came of it against a run without a fault;
/// how many runs that were.
fn try_all(
    ways: &[Way],
    abilities: Abilities,
    (what, lasts): (What, bool),
    check: fn(&Scenario, Fault, &Run, &Run),
) -> usize {
    let mut cases = 0;
    let runtime = paused();
    for scenario in &scenarios::all() {
        for &way in ways {
            let sound = runtime.block_on(scenario.run(way, None, abilities));
            for operation in OPERATIONS {
                for nth in 0.. {
                    let fault = Fault { operation, nth, what, lasts };
                    let _case = Case(way, scenario, fault);
                    let run = runtime.block_on(async {
                        let start = Instant::now();
                        let running = scenario.run(way, Some(fault), abilities);
                        let run = timeout(HOUR, running).await.expect("nobody wakes it up");
                        assert_eq!(start.elapsed(), Duration::ZERO, "a deadline ended it");
                        run
                    });
                    let is_client = scenario.role == Role::Client;
                    assert!(!is_client || !run.io.is_shut_down_first(), "the server ends it first");
                    if !run.io.has_hit() {
                        break;
                    }
                    check(scenario, fault, &run, &sound);
                    cases += 1;
                }
            }
        }
    }
    cases
}

fn nothing_has_changed(_: &Scenario, _: Fault, run: &Run, sound: &Run) {
    assert_eq!(run.trace(), sound.trace());
    assert!(unmasked(&run.io.written()) == unmasked(&sound.io.written()), "other bytes");
}

fn what_has_come_counts_and_the_error_is_told(
    scenario: &Scenario,
    fault: Fault,
    run: &Run,
    sound: &Run,
) {
    let (written, all) = (unmasked(&run.io.written()), unmasked(&sound.io.written()));
    assert!(all.starts_with(&written), "the peer has seen what was not sent, or not in order");

    let Talk { events, said, outcome, is_open } = &run.talk;
    let received = scenario.receive(&run.io.delivered());
    let has_all = run.io.delivered().len() == sound.io.delivered().len();
    let is_told = |error: &Error| tells(error, fault.what);
    if !is_open {
        let is_known = !sound.talk.is_open
            && has_all
            && format!("{outcome:?}") == format!("{:?}", sound.talk.outcome);
        assert!(is_known || outcome.as_ref().is_some_and(is_told), "{outcome:?}");
        return;
    }
    assert_eq!(events, &received.events, "what was read is handed over");
    match (outcome, received.error) {
        (None, None) => assert!(received.is_closed, "it is not closed"),
        (Some(Error::Protocol(told)), Some(error)) => assert_eq!(*told, error),
        (Some(told), None) => assert!(!received.is_closed && is_told(told), "{told:?}"),
        (told, error) => panic!("{told:?} for {error:?}"),
    }
    assert!(!said.hit_in_success, "the sender was not told");
    for failure in &said.failures {
        let is_over = matches!(failure, Error::Send(SendError::Closing));
        assert!(is_over || is_told(failure), "{failure:?}");
    }
}

/// Whether the error says that this was the fault.
fn tells(error: &Error, what: What) -> bool {
    match (error, what) {
        (Error::Io(error), What::Fails(kind)) => error.kind() == kind,
        (Error::Io(error), What::Zero) => error.kind() == ErrorKind::WriteZero,
        (Error::Protocol(error), What::Zero) => *error == ProtocolError::UnexpectedEof,
        (Error::Handshake(error), What::Zero) => *error == HandshakeError::UnexpectedEof,
        _ => false,
    }
}

const BLOCKING: [Way; 2] = [Way::Blocking, Way::BlockingHalves];
const TOKIO: [Way; 2] = [Way::Tokio, Way::TokioHalves];

/// A stream that ticks, or not, and writes several slices at once, or not.
fn abilities(ticks: bool) -> [Abilities; 2] {
    [false, true].map(|slices| Abilities { ticks, slices })
}

#[test]
fn a_fault_that_passes_changes_nothing_over_blocking_streams() {
    let mut cases = 0;
    for abilities in abilities(true) {
        for what in [
            What::Short,
            What::Fails(ErrorKind::Interrupted),
            What::Fails(ErrorKind::WouldBlock),
            What::Fails(ErrorKind::TimedOut),
        ] {
            cases += try_all(&BLOCKING, abilities, (what, false), nothing_has_changed);
        }
    }
    for abilities in abilities(false) {
        for what in [What::Short, What::Fails(ErrorKind::Interrupted)] {
            cases += try_all(&BLOCKING, abilities, (what, false), nothing_has_changed);
        }
    }
    println!("{cases} cases");
}

#[test]
fn a_fault_that_passes_changes_nothing_over_tokio_streams() {
    let mut cases = 0;
    for abilities in abilities(false) {
        for what in [What::Short, What::Pends, What::Fails(ErrorKind::Interrupted)] {
            cases += try_all(&TOKIO, abilities, (what, false), nothing_has_changed);
        }
    }
    println!("{cases} cases");
}

#[test]
fn after_a_fault_of_a_blocking_stream_what_has_come_counts_and_the_error_is_told() {
    let mut cases = 0;
    // Without ticks a stream that would block is one that nobody can wait for.
    let late = [What::Fails(ErrorKind::WouldBlock), What::Fails(ErrorKind::TimedOut)];
    let without_ticks = [&FATAL[..], &late].concat();
    for (ticks, fatal) in [(false, &without_ticks[..]), (true, &FATAL[..2])] {
        for abilities in abilities(ticks) {
            for what in fatal {
                cases += try_all(
                    &BLOCKING,
                    abilities,
                    (*what, true),
                    what_has_come_counts_and_the_error_is_told,
                );
            }
        }
    }
    println!("{cases} cases");
}

#[test]
fn after_a_fault_of_a_tokio_stream_what_has_come_counts_and_the_error_is_told() {
    let mut cases = 0;
    // Who waits says so and wakes; an error of this kind is one like any other.
    let late = What::Fails(ErrorKind::WouldBlock);
    for abilities in abilities(false) {
        for what in FATAL.iter().chain([&late]) {
            cases += try_all(
                &TOKIO,
                abilities,
                (*what, true),
                what_has_come_counts_and_the_error_is_told,
            );
        }
    }
    println!("{cases} cases");
}
