//! The adapters over a wire with a clock: blocking and tokio, whole, in halves, as `Stream` and
//! `Sink`, do what the core alone does, at the same time; and whichever futures are dropped, nothing
//! is lost that was accepted, and no frame is half sent.

mod blocking_forms;
mod free;
mod hasty;
mod opening;
mod peer;
mod reference;
mod scenario;
mod sound;
mod talk;
mod tokio_forms;
mod wire;

use std::pin::pin;
use std::sync::Once;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use sotong::{Opcode, Timeouts};
use tokio::runtime::{Builder, Runtime};
use tokio::time::{Instant, timeout};

use crate::common::Seen;
use peer::Peer;
use reference::Reference;
use scenario::{Scenario, never};
use sound::whole_frames;
use talk::{Ends, Fate, Say, Talk, converse};
use tokio_forms::Listening;

/// See [`Scenario::new`].
pub fn adapters(input: &[u8]) {
    // The adapter counts its time from when it was first asked for: before any of these clocks began.
    static EPOCH: Once = Once::new();
    EPOCH.call_once(|| {
        let silence = Scenario::new(&[0, 0, 0, 0, 0, 0x42, 0x55]);
        let _the_time = runtime().block_on(silence.over_tokio(Listening::Patient, false));
    });
    let scenario = Scenario::new(input);
    let fed = scenario.fed();
    let expected = scenario.over_core(scenario.timeouts.clone());
    scenario.assert_is_sound("the core", &expected, &fed);
    let runtime = runtime();
    for (listening, in_halves) in scenario.forms() {
        let trace =
            scenario.within_bounds(|| runtime.block_on(scenario.over_tokio(listening, in_halves)));
        let is_late = matches!(listening, Listening::ByItems);
        let what = format!("tokio, {listening:?}, halves: {in_halves}");
        let is_rough = expected.has_not_listened && scenario.timeouts.keepalive.is_some();
        // What cannot be written at once stays in the queue, and then pongs have no room.
        let may_lack_pongs = scenario.is_tight() && (is_late || !scenario.is_prompt());
        let lacks_pongs = may_lack_pongs && trace.pongs() != expected.pongs();
        let may_be_cut = scenario.has_deadlines() || scenario.stalls_for_ever();
        let is_unclear = scenario.has_deadlines() && !scenario.shows_what_it_takes();
        if is_rough || is_unclear || expected.is_tied || (may_be_cut && lacks_pongs) {
            // From when on it is silent, or takes nothing, depends on when it was polled.
            scenario.assert_is_sound(&what, &trace, &fed);
            continue;
        }
        if may_lack_pongs {
            scenario.assert_is_alike(&what, &trace, &expected);
        } else {
            assert_eq!(trace.peer.seen, expected.peer.seen, "{what}");
        }
        if !lacks_pongs {
            assert_eq!(trace.talk, expected.talk, "{what}");
        }
    }
    free::check(&scenario, &runtime, &fed);
    // Over the blocking adapter time passes as it likes, so there are no deadlines.
    let patient = match scenario.has_deadlines() {
        true => scenario.over_core(never()),
        false => expected,
    };
    if patient.is_over() {
        assert_eq!(patient.outcome(), Some(&fed.outcome[..]), "nobody gives up");
    }
    if patient.is_over() && !scenario.stalls_for_ever() {
        for in_halves in [false, true] {
            let trace = scenario.within_bounds(|| scenario.over_blocking(in_halves, never()));
            scenario.assert_is_alike(&format!("blocking, halves: {in_halves}"), &trace, &patient);
            // A receiver leaves its Close to the sender, who may be writing.
            assert!(in_halves || trace.talk.had_closed == patient.talk.had_closed, "a late Close");
        }
    }
    if scenario.has_deadlines() {
        hasty::check(&scenario, &fed);
    }
}

/// A clock that moves only when there is nothing else to do.
fn runtime() -> Runtime {
    let mut builder = Builder::new_current_thread();
    builder.enable_time().start_paused(true).build().expect("it needs nothing of the system")
}

/// What was said and heard, what the peer has seen of it, and when.
#[derive(Debug)]
struct Trace {
    talk: Talk,
    peer: Peer,
    /// Whether silence is not counted from the beginning.
    has_not_listened: bool,
    /// See [`Reference::is_tied`].
    is_tied: bool,
}

impl Trace {
    fn new(talk: Talk, peer: Peer, has_not_listened: bool) -> Self {
        // In which pieces a message came that is not complete is nobody's business.
        Self { talk: Talk { begun: vec![], ..talk }, peer, has_not_listened, is_tied: false }
    }

    /// Whether it came to an end.
    fn is_over(&self) -> bool {
        self.talk.outcome.is_some()
    }

    fn events(&self) -> Vec<&Seen> {
        self.talk.events.iter().map(|(_, seen)| seen).collect()
    }

    fn said(&self) -> Vec<(&Say, &Fate)> {
        self.talk.said.iter().map(|said| (&said.say, &said.fate)).collect()
    }

    /// How many pongs were sent, and whether one was begun.
    fn pongs(&self) -> (usize, bool) {
        let sent = self.peer.written();
        let (frames, left) = whole_frames(&sent);
        let pongs = frames.iter().filter(|(opcode, _)| *opcode == Opcode::Pong).count();
        (pongs, left.first().is_some_and(|first| first & 0x0f == Opcode::Pong as u8))
    }

    fn outcome(&self) -> Option<&str> {
        self.talk.outcome.as_ref().map(|(_, outcome)| &outcome[..])
    }
}

impl Scenario {
    /// What the core alone does.
    fn over_core(&self, timeouts: Timeouts) -> Trace {
        let config = self.config(timeouts.clone());
        let mut ends = Reference::new(self.end(timeouts), self.peer());
        let mut talk = Talk::default();
        {
            let mut talking = pin!(async {
                let opened = if self.opens { ends.accept(&config).await } else { Ok(()) };
                match opened {
                    Ok(()) => converse(&mut ends, &self.app, &mut talk).await,
                    error => talk.end(ends.now(), &error),
                }
            });
            // It waits for nobody, except for what never comes.
            let mut cx = Context::from_waker(Waker::noop());
            let _is_over: Poll<()> = talking.as_mut().poll(&mut cx);
        }
        Trace { is_tied: ends.is_tied, ..Trace::new(talk, ends.peer, ends.has_not_listened) }
    }

    async fn over_tokio(&self, listening: Listening, in_halves: bool) -> Trace {
        let (io, start, mut talk) = (self.io(), Instant::now(), Talk::default());
        let talking = async {
            let ws = match self.open_async(io.clone()).await {
                Ok(ws) => ws,
                Err(error) => return talk.end(start.elapsed(), &Err(error)),
            };
            if in_halves {
                let (receiver, sender) = ws.split();
                let io = io.clone();
                let mut ends = tokio_forms::Halves { receiver, sender, io, start, listening };
                converse(&mut ends, &self.app, &mut talk).await;
            } else {
                let mut ends = tokio_forms::Whole { ws, start, listening };
                converse(&mut ends, &self.app, &mut talk).await;
            }
        };
        let _is_over = timeout(FOR_EVER, talking).await;
        Trace::new(talk, io.peer(), true)
    }

    fn over_blocking(&self, in_halves: bool, timeouts: Timeouts) -> Trace {
        let (io, mut talk) = (self.io(), Talk::default());
        {
            let mut talking = pin!(async {
                let ws = match self.open(io.clone(), timeouts) {
                    Ok(ws) => ws,
                    Err(error) => return talk.end(Duration::ZERO, &Err(error)),
                };
                if in_halves {
                    let (receiver, sender) = ws.split().expect("the stream has two handles");
                    let mut ends = blocking_forms::Halves(receiver, sender, io.clone());
                    converse(&mut ends, &self.app, &mut talk).await;
                } else {
                    converse(&mut blocking_forms::Whole(ws), &self.app, &mut talk).await;
                }
            });
            let mut cx = Context::from_waker(Waker::noop());
            assert!(talking.as_mut().poll(&mut cx).is_ready(), "it blocks where it waits");
        }
        Trace::new(talk, io.peer(), true)
    }
}

impl Scenario {
    /// The same but for the time, and, where the queue is always full, for pongs that are left out.
    fn assert_is_alike(&self, what: &str, trace: &Trace, expected: &Trace) {
        assert_eq!(trace.events(), expected.events(), "{what}");
        assert_eq!(trace.said(), expected.said(), "{what}");
        assert_eq!(trace.outcome(), expected.outcome(), "{what}");
        let (sent, to_be_sent) = (trace.peer.written(), expected.peer.written());
        let frames = |sent| {
            let (mut frames, left) = whole_frames(sent);
            frames.retain(|(opcode, _)| *opcode != Opcode::Pong || !self.is_tight());
            (frames, left)
        };
        assert_eq!(frames(&sent), frames(&to_be_sent), "{what}");
        if self.is_prompt() {
            assert_eq!(trace.peer.is_shut_down, expected.peer.is_shut_down, "{what}");
        }
    }
}

/// Beyond all that a scenario waits for: it has 255 delays and as many stalls.
const FOR_EVER: Duration = Duration::from_secs(100);
