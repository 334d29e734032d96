//! What must be true of every run, however it goes: what was accepted arrives, once and in order;
//! pongs answer pings; nothing comes behind a Close.

use sotong::{CloseFrame, Config, FrameHeader, Opcode, Role};

use super::Trace;
use super::scenario::Scenario;
use super::talk::{Fate, Message, Said, Say, Talk, close_frame};
use crate::common::{End, Seen};
use crate::heap::measure;
use crate::model::check;

/// What the core makes of all that the peer sends, with nothing said to it.
pub struct Fed {
    pub events: Vec<Seen>,
    pub outcome: String,
}

/// What it takes to note something down.
const NOTE: usize = 256;

/// Beside what moves: the wire, tasks and timers, buffers of their smallest size.
const HEAP: usize = 96 * 1024;

/// A compressor and a decompressor of the largest kind.
const CODEC: usize = 600 * 1024;

impl Scenario {
    /// Holds the memory of a run against all that has moved in it: each byte lies in the peer, in a
    /// buffer, and in what was noted down, and each of these may be there twice while it grows.
    pub fn within_bounds(&self, run: impl FnOnce() -> Trace) -> Trace {
        let mut trace = None;
        let heap = measure(|| trace = Some(run()));
        let trace = trace.expect("it has run");
        let lens = |seen: &Seen| match seen {
            Seen::Text(text) => text.len(),
            Seen::Binary(bytes) => bytes.len(),
            _ => 128,
        };
        let heard: usize = trace.events().into_iter().map(|seen| lens(seen) + NOTE).sum();
        // What was not waited for to its end was held by whoever said it all the same.
        let said: usize = trace.talk.said.iter().map(|said| said.say.len() + NOTE).sum();
        let seen = trace.peer.written().len() + NOTE * trace.peer.seen.len();
        // The script lies there piece by piece.
        let script = self.wire.len() + NOTE * self.peer().arrivals.len();
        let moved = script + heard + said + seen;
        let codec = self.rules.deflate.map_or(0, |_| CODEC);
        let most = HEAP + codec + 3 * self.receive_buffer() + 8 * moved;
        assert!(heap.peak <= most, "{heap:?}, {moved} bytes have moved");
        trace
    }

    pub fn fed(&self) -> Fed {
        let mut end = self.end(super::never());
        let (events, ..) = end.feed([&self.wire[..], &[]]);
        let outcome = end.conn.handle_eof().map_err(sotong::Error::from);
        Fed { events, outcome: format!("{outcome:?}") }
    }

    /// Whether what was heard and said is right in itself.
    pub fn assert_is_sound(&self, what: &str, trace: &Trace, fed: &Fed) {
        let Trace { talk, peer, .. } = trace;
        // The connection "SHOULD be closed first by the server" (section 7.1.1).
        let is_first = peer.is_shut_down && !(peer.arrivals.is_empty() && peer.is_over());
        let may_be_first = self.rules.role == Role::Server || self.has_deadlines();
        assert!(may_be_first || !is_first, "{what}: a client ends it");
        let events: Vec<&Seen> = trace.events();
        assert!(fed.events.iter().take(events.len()).eq(events.iter().copied()), "{what}: events");
        if !self.has_deadlines() && trace.outcome() == Some(&fed.outcome[..]) {
            assert_eq!(events.len(), fed.events.len(), "{what}: all events");
        }
        let written = peer.written();
        let (frames, left) = whole_frames(&written);
        let may_be_cut = self.has_deadlines() || self.stalls_for_ever();
        assert!(left.is_empty() || may_be_cut, "{what}: half a frame was sent, {trace:?}");
        let mut behind = frames.iter().skip_while(|(opcode, _)| *opcode != Opcode::Close).skip(1);
        // "Unless it already received a Close frame" every ping is answered (5.5.2).
        assert!(behind.all(|(opcode, _)| *opcode == Opcode::Pong), "{what}: more behind a Close");

        let mut heard = self.heard_by(&written);
        let mut pings = events.iter();
        heard.retain(|seen| match seen {
            Seen::Pong(body) => {
                let answered = Seen::Ping(body.clone());
                assert!(pings.any(|ping| **ping == answered), "{what}: a pong without its ping");
                false
            }
            // One that keeps alive; those of the application have a body.
            Seen::Ping(body) if body.is_empty() => {
                assert!(self.timeouts.keepalive.is_some(), "{what}: a ping that nobody sent");
                false
            }
            _ => true,
        });
        let is_all = !may_be_cut && trace.is_over();
        assert_is_heard(what, &heard, &spoken(talk), is_all, talk);
    }

    /// What a peer hears of what was written.
    fn heard_by(&self, written: &[u8]) -> Vec<Seen> {
        let role = match self.rules.role {
            Role::Client => Role::Server,
            Role::Server => Role::Client,
        };
        let mut config = Config::default();
        config.limits.message = 1 << 24;
        config.limits.frame = 1 << 24;
        let mut end = End::with(role, &config, check::agreed(&self.rules));
        let (events, _, error, ..) = end.feed([written, &[]]);
        assert_eq!(error, None, "what we send is valid");
        events
    }
}

/// The whole frames in these bytes, by kind, and what is left behind them.
pub fn whole_frames(mut bytes: &[u8]) -> (Vec<(Opcode, &[u8])>, &[u8]) {
    let mut frames = vec![];
    while let Some((header, len)) = FrameHeader::decode(bytes).expect("what we send is valid") {
        let len = len + header.payload_len as usize;
        let Some((frame, rest)) = bytes.split_at_checked(len) else { break };
        frames.push((header.opcode, frame));
        bytes = rest;
    }
    (frames, bytes)
}

/// A message or control frame, and whether it was accepted for certain.
type Spoken = (Seen, bool);

/// What was spoken, with the fragments of a message put together.
fn spoken(talk: &Talk) -> Vec<Spoken> {
    let (mut spoken, mut open) = (vec![], vec![]);
    let mut is_open_certain = true;
    for Said { say, fate, .. } in &talk.said {
        if let Fate::Refused(_) = fate {
            continue;
        }
        let is_certain = *fate == Fate::Accepted;
        let seen = match say {
            Say::Flush => continue,
            Say::Message { message, .. } => message.seen(),
            Say::Fragment { message, fin } => {
                open.extend_from_slice(&message.bytes);
                is_open_certain &= is_certain;
                if !fin {
                    continue;
                }
                let whole = Message { bytes: std::mem::take(&mut open), ..message.clone() };
                spoken.push((whole.seen(), std::mem::replace(&mut is_open_certain, true)));
                continue;
            }
            Say::Ping(body) => Seen::Ping(body.clone()),
            Say::Close(close) => {
                let close = close_frame(close);
                Seen::Close(close.map(|CloseFrame { code, reason }| (code.0, reason.into())))
            }
        };
        spoken.push((seen, is_certain));
    }
    spoken
}

impl Message {
    fn seen(&self) -> Seen {
        match String::from_utf8(self.bytes.clone()) {
            Ok(text) if self.is_text => Seen::Text(text),
            _ => Seen::Binary(self.bytes.clone()),
        }
    }
}

/// Whether what was heard was spoken, in this order, and, if it `is_all`, whether all that is
/// certain was heard.
fn assert_is_heard(what: &str, heard: &[Seen], spoken: &[Spoken], is_all: bool, talk: &Talk) {
    let mut spoken = spoken.iter();
    for seen in heard {
        let is_spoken = spoken.by_ref().find_map(|(said, is_certain)| {
            let is_it = said == seen;
            (is_it || *is_certain).then_some(is_it)
        });
        // A Close that answers, or that tells of a broken rule, was not spoken.
        let is_reply = matches!(seen, Seen::Close(_)) && is_spoken.is_none();
        assert!(is_reply || is_spoken == Some(true), "{what}: {seen:?} was heard, in {talk:?}");
    }
    if is_all {
        let lost = spoken.find(|(_, is_certain)| *is_certain);
        assert_eq!(lost, None, "{what}: it was accepted, and is lost");
    }
}
