//! What the halves do at the same time, and what must come of it in whatever order they do it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use sotong::{Config, Connection, Error, Event, Opcode, ProtocolError, Role, SendError};

use crate::peer::{Frame, Peer, frames};

/// What the sender does, one after the other.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    Send(&'static str),
    Feed(&'static str),
    Fragment(&'static str, bool),
    Ping(&'static str),
    Close,
}

/// How often the schedules that are tried interrupt a thread that could go on; all that do so no more
/// often are tried. `LOOM_MAX_PREEMPTIONS` sets another bound.
const PREEMPTIONS: usize = 3;

/// The sender's steps, while the receiver receives until the end.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    pub name: &'static str,
    /// Which end we are.
    pub role: Role,
    /// What the peer has sent by the start: the first byte of each frame, and its payload.
    pub received: &'static [(u8, &'static [u8])],
    pub steps: &'static [Step],
    /// The peer reads nothing before all was read that it has sent.
    pub stubborn: bool,
    /// The peer reads nothing at all, and then the stream fails.
    pub lost: bool,
    /// The stream gives up waiting when the receiver wants to write and cannot, as sockets do.
    pub ticks: bool,
    /// The most that one write takes.
    pub max_write: usize,
}

/// What one run came to.
#[derive(Debug, Default)]
pub struct Outcome {
    /// What the receiver was given.
    pub events: Vec<(Opcode, Vec<u8>)>,
    /// How the connection failed.
    pub error: Option<ProtocolError>,
    /// How many halves were told that the stream has failed.
    pub failed: usize,
    /// Which steps were done, with what had been written when they were.
    pub done: Vec<(Step, Vec<u8>)>,
}

/// Filled by both halves. It is no lock of the model: nobody changes places while it is held.
pub type Record = Arc<Mutex<Outcome>>;

const CLOSING: &[(u8, &[u8])] = &[(0x89, b"1"), (0x88, b"\x03\xe8")];
const BROKEN: &[(u8, &[u8])] = &[(0x81, b"in"), (0x83, b"")];
const BROKEN_CLOSING: &[(u8, &[u8])] = &[(0x83, b""), (0x88, b"\x03\xea")];
/// More than one read takes.
const LONG: &[(u8, &[u8])] =
    &[(0x81, &[b'l'; 125]), (0x89, b"1"), HUNDRED, HUNDRED, HUNDRED, HUNDRED];
const HUNDRED: (u8, &[u8]) = (0x81, &[b'l'; 100]);
const PINGS: &[(u8, &[u8])] = &[(0x89, b"1"), (0x81, b"in"), (0x89, b"2")];

pub const SCENARIOS: [Scenario; 13] = {
    use Role::{Client, Server};
    use Step::{Close, Feed, Fragment, Ping, Send};
    let base = Scenario {
        name: "",
        role: Server,
        received: &[],
        steps: &[],
        stubborn: false,
        lost: false,
        ticks: false,
        max_write: usize::MAX,
    };
    [
        Scenario {
            name: "a message beside pongs",
            received: PINGS,
            steps: &[Send("a"), Close],
            ..base
        },
        Scenario { name: "a Close crosses the peer's", received: CLOSING, steps: &[Close], ..base },
        Scenario {
            name: "the same, of a client",
            role: Client,
            received: CLOSING,
            steps: &[Close],
            ..base
        },
        Scenario {
            name: "a message when the peer closes",
            received: CLOSING,
            steps: &[Send("a"), Send("b")],
            ..base
        },
        Scenario {
            name: "a peer that breaks a rule",
            received: BROKEN,
            steps: &[Send("a"), Send("b")],
            ..base
        },
        Scenario {
            name: "a peer that breaks a rule and closes",
            received: BROKEN_CLOSING,
            steps: &[Send("a"), Send("b")],
            ..base
        },
        Scenario {
            name: "fragments, and pongs between them",
            role: Client,
            received: PINGS,
            steps: &[Fragment("a", false), Fragment("b", true), Close],
            ..base
        },
        Scenario {
            name: "messages that are fed and a ping",
            received: PINGS,
            steps: &[Feed("a"), Ping("?"), Close],
            ..base
        },
        Scenario {
            name: "frames in two writes",
            received: PINGS,
            steps: &[Send("abcdef"), Close],
            max_write: 5,
            ..base
        },
        Scenario {
            name: "a peer that reads when it is read",
            received: PINGS,
            steps: &[Send("a"), Close],
            stubborn: true,
            ..base
        },
        Scenario {
            name: "a stream that fails while the sender waits",
            received: PINGS,
            steps: &[Send("abcdef"), Send("b")],
            lost: true,
            max_write: 5,
            ..base
        },
        Scenario {
            name: "a peer that reads when it is read, and the message is fed",
            received: PINGS,
            steps: &[Feed("a"), Close],
            stubborn: true,
            ticks: true,
            ..base
        },
        Scenario {
            name: "a peer that reads when all is read, and the ping is not the end of it",
            received: LONG,
            steps: &[Send("a"), Close],
            stubborn: true,
            ticks: true,
            ..base
        },
    ]
};

impl Scenario {
    pub fn peer(&self) -> Peer {
        let other = if self.role == Role::Server { Role::Client } else { Role::Server };
        let peer = Peer::new(other, self.received).max_write(self.max_write);
        match (self.stubborn, self.lost) {
            (false, false) => peer,
            (true, _) => peer.stubborn(),
            (false, true) => peer.lost(),
        }
    }

    pub fn connection(&self) -> Connection {
        let mut config = Config::default();
        // Whoever waits does so until it is woken: no deadline comes to the rescue.
        let timeouts = &mut config.timeouts;
        (timeouts.keepalive, timeouts.close, timeouts.send) = (None, None, None);
        match self.role {
            Role::Client => Connection::client(&config, Default::default(), || Some([1, 2, 3, 4])),
            Role::Server => Connection::server(&config, Default::default()),
        }
    }

    /// Whether the peer sends a frame that nothing defines.
    fn fails(&self) -> bool {
        self.received.iter().any(|(first, _)| *first == 0x83)
    }

    /// Whether the peer closes on its own.
    fn closes(&self) -> bool {
        self.received.iter().any(|(first, _)| *first == 0x88)
    }

    /// Lets `run` meet each schedule, and tells how many there were.
    pub fn explore(self, run: fn(&Scenario)) {
        let mut model = loom::model::Builder::new();
        model.max_branches = 100_000;
        model.preemption_bound = Some(model.preemption_bound.unwrap_or(PREEMPTIONS));
        let schedules = Arc::new(AtomicUsize::new(0));
        let (count, start) = (schedules.clone(), Instant::now());
        model.check(move || {
            count.fetch_add(1, Ordering::Relaxed);
            run(&self);
        });
        let (n, bound) = (schedules.load(Ordering::Relaxed), model.preemption_bound.unwrap_or(0));
        println!(
            "{n:>8} schedules of at most {bound} preemptions, {:.1?}: {}",
            start.elapsed(),
            self.name
        );
    }

    /// What holds after every schedule.
    pub fn check(&self, outcome: &Outcome, peer: &Peer) {
        if self.lost {
            // All was received, nothing sent, and both halves have noticed that.
            assert_eq!((outcome.events.len(), outcome.done.len()), (self.received.len(), 0));
            return assert!(outcome.failed > 0);
        }
        assert_eq!(outcome.failed, 0, "no stream has failed");
        let (written, rest) = frames(&peer.written);
        assert_eq!(rest, b"", "half a frame was written");
        let is_closed = |frame: &Frame| frame.0 == Opcode::Close;
        let closes = written.iter().filter(|frame| is_closed(frame)).count();
        assert_eq!(closes, 1, "one Close frame: {written:?}");
        let end = written.iter().position(is_closed).unwrap_or(0);
        let after = &written[end + 1..];
        assert!(after.iter().all(|frame| frame.0 == Opcode::Pong), "after Close: {written:?}");
        assert!(peer.is_shut, "both ends have ended the stream");
        self.check_received(outcome);
        self.check_sent(outcome, &written);
        self.check_pongs(&written);
    }

    /// All events, in order, and the Close last.
    fn check_received(&self, outcome: &Outcome) {
        let opcode = |first: u8| match first & 15 {
            1 => Opcode::Text,
            8 => Opcode::Close,
            _ => Opcode::Ping,
        };
        let understood = self.received.iter().take_while(|(first, _)| *first != 0x83);
        let mut expected: Vec<_> =
            understood.map(|(first, body)| (opcode(*first), body.to_vec())).collect();
        if !self.fails() && !self.closes() {
            expected.push((Opcode::Close, b"\x03\xe8".to_vec()));
        }
        assert_eq!(outcome.events, expected);
        assert_eq!(outcome.error, self.fails().then_some(ProtocolError::ReservedOpcode));
    }

    /// What was sent is there once and in order, nothing of it apart, and was when the step was done.
    fn check_sent(&self, outcome: &Outcome, written: &[Frame]) {
        let own = |frame: &&Frame| !matches!(frame.0, Opcode::Pong | Opcode::Close);
        let mut continued = false;
        let mut expected = vec![];
        for (step, by_then) in &outcome.done {
            let frame = match *step {
                Step::Send(text) | Step::Feed(text) => (Opcode::Text, true, text.into()),
                Step::Ping(body) => (Opcode::Ping, true, body.into()),
                Step::Fragment(text, fin) => {
                    let opcode = if continued { Opcode::Continuation } else { Opcode::Text };
                    continued = !fin;
                    (opcode, fin, text.into())
                }
                Step::Close => continue,
            };
            let is_fed = matches!(step, Step::Feed(_));
            assert!(is_fed || frames(by_then).0.contains(&frame), "{step:?} was not written");
            expected.push(frame);
        }
        let sent: Vec<Frame> = written.iter().filter(own).cloned().collect();
        assert_eq!(sent, expected);
        let refused = self.steps.len() - outcome.done.len();
        assert!(
            refused == 0 || self.closes() || self.fails(),
            "{refused} steps were refused in an open connection"
        );
    }

    /// Pongs come in the order of the pings. The last ping has one "unless it already received a Close
    /// frame" (section 5.5.2), as whoever is slow to answer has here.
    fn check_pongs(&self, written: &[Frame]) {
        let pings = self.received.iter().filter(|(first, _)| *first == 0x89);
        let pings: Vec<Vec<u8>> = pings.map(|(_, body)| body.to_vec()).collect();
        let mut left = pings.iter();
        let pongs = written.iter().filter(|frame| frame.0 == Opcode::Pong);
        let mut last = None;
        for (_, _, body) in pongs {
            assert!(left.any(|ping| ping == body), "a pong that nobody waits for: {written:?}");
            last = Some(body);
        }
        assert!(last == pings.last() || self.closes(), "the newest ping is answered: {written:?}");
    }
}

impl Outcome {
    /// Notes what the receiver was given; whether it goes on.
    pub fn received(&mut self, received: sotong::Result<Option<Event<'_>>>) -> bool {
        let goes_on = matches!(received, Ok(Some(_)));
        match received {
            Ok(event) => self.events.extend(event.map(noted)),
            Err(Error::Protocol(error)) => self.error = Some(error),
            Err(Error::Io(_)) => self.failed += 1,
            Err(error) => panic!("{error}"),
        }
        goes_on
    }

    /// Notes that a step was done, by when this was written; whether it goes on.
    pub fn sent(&mut self, step: Step, sent: sotong::Result<()>, written: Vec<u8>) -> bool {
        let goes_on = sent.is_ok();
        match sent {
            Ok(()) => self.done.push((step, written)),
            Err(Error::Send(SendError::Closing)) => {}
            Err(Error::Io(_)) => self.failed += 1,
            Err(error) => panic!("{error}"),
        }
        goes_on
    }
}

/// What of an event is kept.
fn noted(event: Event<'_>) -> (Opcode, Vec<u8>) {
    match event {
        Event::Text(text) => (Opcode::Text, text.into()),
        Event::Binary(bytes) => (Opcode::Binary, bytes.into()),
        Event::Ping(body) => (Opcode::Ping, body.into()),
        Event::Pong(body) => (Opcode::Pong, body.into()),
        Event::Close(frame) => {
            (Opcode::Close, frame.map_or(vec![], |frame| frame.code.0.to_be_bytes().into()))
        }
    }
}
