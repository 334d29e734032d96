//! Any bytes as a scenario: the rules of one end, what its peer does, what its application says.

use std::collections::VecDeque;
use std::time::Duration;

use sotong::{Config, Result, Role, Timeouts, blocking, tokio as asynchronous};

use super::opening::REQUEST;
use super::peer::{Ends, Peer, Stall};
use super::talk::{App, turns};
use super::tokio_forms::Listening;
use super::wire::{Manner, Wire};
use crate::common::End;
use crate::model::script::{Choices, cut, rules, wire};
use crate::model::{Rules, check};

/// One end, its application and its peer.
#[derive(Debug)]
pub struct Scenario {
    pub rules: Rules,
    pub app: App,
    /// What the peer sends when the connection is open.
    pub wire: Vec<u8>,
    /// Whether it is opened over the wire, by a client that asks for it.
    pub opens: bool,
    pub timeouts: Timeouts,
    config: Config,
    peer: Peer,
    manner: Manner,
    /// After how many polls futures are dropped.
    pub polls: usize,
}

impl Scenario {
    /// The rules, where 0x04 makes it a client, and the receive buffer: two bytes. Then
    ///
    /// ```text
    ///   how the peer's bytes are cut
    ///   0x01  a queue that holds one message    0xfe  how many bytes a write takes, by its square
    ///   0x1f  which receivings are in pieces    0xe0  after how many polls futures are dropped
    ///   0x03  when the peer ends the stream     0x04  a stream that keeps what is not flushed
    ///   0x08  no slices    0x10  no ticks    0x20  no hesitation    0x40  no echo
    ///   0x80  it begins with the opening handshake
    ///   the timeouts, two bits each: see `TIMEOUTS`
    /// ```
    ///
    /// and, each with its length: the delays of the peer's pieces, the times when it takes nothing,
    /// what the application says. The rest is a script of what the peer sends.
    pub fn new(input: &[u8]) -> Self {
        let mut choices = Choices(input);
        let is_client = input.first().is_some_and(|first| first & 0x04 != 0);
        let role = if is_client { Role::Client } else { Role::Server };
        let (rules, receive_buffer) = rules(role, &mut choices);
        let rules = Rules { close_sent: false, ..rules };
        let (way, takes, listens) = (choices.byte(), choices.byte(), choices.byte());
        let (manner, times) = (choices.byte(), choices.byte());
        let mut delays = choices.string().iter();
        let stalls = stalls(&mut Choices(choices.string()));
        let turns = turns(&mut Choices(choices.string()));
        let wire = wire(&rules, &mut choices);
        // Compression is agreed on elsewhere.
        let opens = manner & 0x80 != 0 && !is_client && rules.deflate.is_none();
        let bytes = [if opens { REQUEST } else { &[] }, &wire].concat();

        let mut config = check::config(&rules, receive_buffer);
        // With a queue that is always full an echo waits.
        config.limits.send_queue = if takes % 2 == 1 { 1 } else { usize::MAX };
        let ends = [Ends::AtOnce, Ends::AfterGoodbye, Ends::Never, Ends::AfterGoodbye]
            [usize::from(manner % 4)];
        let arrivals = cut(&bytes, way).into_iter().map(|piece| {
            let delay = delays.next().map_or(0, |delay| DELAYS[usize::from(delay % 8)]);
            (Duration::from_millis(delay), piece.to_vec())
        });
        let mut peer = Peer::new(arrivals.collect(), ends, 1 + usize::from(takes / 2).pow(2));
        (peer.stalls, peer.keeps) = (stalls, manner & 0x04 != 0);
        if opens {
            peer.expect_head();
        }
        Self {
            rules,
            app: App { turns, echoes: manner & 0x40 == 0, pieces: listens & 0x1f },
            wire,
            opens,
            timeouts: timeouts(times),
            config,
            peer,
            manner: Manner {
                takes_slices: manner & 0x08 == 0,
                ticks: manner & 0x10 == 0,
                is_hesitant: manner & 0x20 == 0,
            },
            polls: 1 + usize::from(listens >> 5),
        }
    }

    pub fn config(&self, timeouts: Timeouts) -> Config {
        let mut config = self.config.clone();
        config.timeouts = timeouts;
        config
    }

    pub fn end(&self, timeouts: Timeouts) -> End {
        End::with(self.rules.role, &self.config(timeouts), check::agreed(&self.rules))
    }

    /// A peer of whom nobody has seen anything yet.
    pub fn peer(&self) -> Peer {
        self.peer.clone()
    }

    pub fn io(&self) -> Wire {
        Wire::new(self.peer(), self.manner)
    }

    pub fn open(&self, io: Wire, timeouts: Timeouts) -> Result<blocking::WebSocket<Wire>> {
        match self.opens {
            true => blocking::accept(io, self.config(timeouts)),
            false => blocking::WebSocket::from_parts(self.parts(io, timeouts)),
        }
    }

    pub async fn open_async(&self, io: Wire) -> Result<asynchronous::WebSocket<Wire>> {
        let timeouts = self.timeouts.clone();
        match self.opens {
            true => asynchronous::accept(io, self.config(timeouts)).await,
            false => Ok(asynchronous::WebSocket::from_parts(self.parts(io, timeouts))),
        }
    }

    fn parts(&self, io: Wire, timeouts: Timeouts) -> blocking::Parts<Wire> {
        let End { conn: connection, rx, tx } = self.end(timeouts);
        blocking::Parts { io, connection, rx, tx }
    }

    /// How the tokio adapter is used, and whether in halves.
    pub fn forms(&self) -> [(Listening, bool); 4] {
        let is_odd = self.polls % 2 == 1;
        [
            (Listening::Patient, false),
            (Listening::Patient, true),
            (Listening::Dropped(self.polls), is_odd),
            (Listening::ByItems, !is_odd),
        ]
    }

    /// Whether a message fills the queue.
    pub fn is_tight(&self) -> bool {
        self.config.limits.send_queue == 1
    }

    pub fn has_deadlines(&self) -> bool {
        self.timeouts != never()
    }

    pub fn stalls_for_ever(&self) -> bool {
        self.peer.stalls.iter().any(|stall| stall.lasts.is_none())
    }

    pub fn receive_buffer(&self) -> usize {
        let limits = &self.config.limits;
        if self.opens { limits.receive_buffer.max(limits.head) } else { limits.receive_buffer }
    }

    pub fn ends_at_once(&self) -> bool {
        self.peer.ends == Ends::AtOnce
    }

    pub fn ticks(&self) -> bool {
        self.manner.ticks
    }

    /// Whether a write that waits has found no room with the peer.
    pub fn shows_what_it_takes(&self) -> bool {
        !(self.manner.is_hesitant && self.peer.keeps)
    }

    /// Whether nothing is ever waited for but what comes.
    pub fn is_prompt(&self) -> bool {
        !self.manner.is_hesitant && self.peer.stalls.is_empty()
    }
}

/// In milliseconds: at once, mostly; before and after deadlines, but never at the same time, when
/// it would depend on a poll more or less what comes first: all are multiples of 16, and deadlines
/// are one more than that. What begins with a deadline may still end with another one; the reference
/// notices that.
const DELAYS: [u64; 8] = [0, 0, 16, 16, 32, 48, 64, 160];

/// Each has a size, a factor of it, and how long it lasts.
fn stalls(choices: &mut Choices<'_>) -> VecDeque<Stall> {
    let mut stalls = VecDeque::new();
    while !choices.is_empty() {
        let (after, lasts) = (choices.byte(), choices.byte());
        let lasts = match lasts % 8 {
            7 => None,
            n => Some(Duration::from_millis([16, 16, 32, 32, 48, 64, 160][usize::from(n)])),
        };
        stalls.push_back(Stall { after: usize::from(after & 0x7f) << (after >> 7 << 2), lasts });
    }
    stalls
}

/// None, short, about as long as a delay, long; the keepalive, the pong, the Close, sending.
fn timeouts(times: u8) -> Timeouts {
    const TIMEOUTS: [[u64; 3]; 4] = [[17, 33, 81], [17, 33, 49], [17, 33, 97], [17, 33, 113]];
    let timeout = |i: usize| {
        let choice = usize::from(times >> (2 * i) & 3);
        let millis = TIMEOUTS[i].get(choice.wrapping_sub(1))?;
        Some(Duration::from_millis(*millis))
    };
    let mut timeouts = never();
    timeouts.keepalive = timeout(0);
    // Without that a silent peer is asked again and again.
    let asked = timeouts.keepalive.map(|_| Duration::from_millis(TIMEOUTS[1][0]));
    timeouts.pong = timeout(1).or(asked);
    (timeouts.close, timeouts.send) = (timeout(2), timeout(3));
    timeouts.handshake = timeouts.close;
    timeouts
}

/// Everything is waited for.
pub fn never() -> Timeouts {
    let mut timeouts = Timeouts::default();
    (timeouts.handshake, timeouts.keepalive, timeouts.pong) = (None, None, None);
    (timeouts.close, timeouts.send) = (None, None);
    timeouts
}
