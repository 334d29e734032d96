//! What a connection has done so far, counted as it goes by.

use core::time::Duration;

/// What a connection has done so far; see
/// [`Connection::statistics`](crate::Connection::statistics).
///
/// ```
/// use sotong::{Agreed, Config, Connection, Event, ReceiveBuffer, SendBuffer};
///
/// let mut conn = Connection::server(Config::default(), Agreed::default());
/// let (mut rx, mut tx) = (ReceiveBuffer::with_capacity(4096), SendBuffer::new());
/// let hello = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"; // of section 5.7
/// assert_eq!(rx.extend(hello), 11);
/// assert_eq!(conn.next_event(&mut rx)?, Some(Event::Text("Hello")));
/// conn.send_text("Hi", &mut tx)?.queue();
///
/// let statistics = conn.statistics(&rx, &tx);
/// assert_eq!((statistics.received.messages, statistics.received.payload), (1, 5));
/// assert_eq!((statistics.received.bytes, statistics.sent.queued), (11, 4));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// What came.
    pub received: Received,
    /// What was sent.
    pub sent: Sent,
}

/// What came of a connection's peer so far.
///
/// For an example see [`Statistics`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Received {
    /// Messages that were handed over to their ends.
    pub messages: u64,
    /// Bytes of messages that were handed over, inflated where they had been compressed.
    pub payload: u64,
    /// Bytes that were read from the stream: frames and, where it went through the same buffer, the
    /// opening handshake. What comes when the connection is over is not counted.
    pub bytes: u64,
    /// Pings; no more are counted than a `u32` can tell.
    pub pings: u32,
    /// Pongs, asked for or not; no more are counted than a `u32` can tell.
    pub pongs: u32,
}

/// What was sent to a connection's peer so far.
///
/// For an example see [`Statistics`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sent {
    /// Messages that were accepted to their ends; the last of them may still be queued.
    pub messages: u64,
    /// Bytes of messages that were accepted, before compression.
    pub payload: u64,
    /// Bytes that the stream has taken, as [`Received::bytes`].
    pub bytes: u64,
    /// Pings, those that keep the connection alive among them; no more are counted than a `u32` can
    /// tell.
    pub pings: u32,
    /// Pongs, which may answer several pings each; no more are counted than a `u32` can tell.
    pub pongs: u32,
    /// Bytes that are queued and that the stream has not taken yet. What is left of a large payload
    /// lies with whoever waits until it is sent, and is not counted.
    pub queued: usize,
    /// How long the latest ping took whose pong came and whose time was known: one that keeps the
    /// connection alive, or one of [`ping_at`](crate::Connection::ping_at). In whole microseconds,
    /// at least one and at most 71 minutes. The peer can make it longer, and if it guesses the ping
    /// shorter too.
    pub round_trip: Option<Duration>,
}

/// What is counted in one direction.
///
/// In this order, since compilers add to two neighbours with a vector, in thrice the instructions.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub(super) struct Tally {
    messages: u64,
    pings: u32,
    pongs: u32,
    payload: u64,
}

impl Tally {
    /// Counts a message that goes by whole.
    #[inline(always)]
    pub(super) fn message(&mut self, payload: usize) {
        self.messages += 1;
        self.payload += payload as u64;
    }

    /// Counts a part of a message.
    pub(super) fn part(&mut self, payload: usize, last: bool) {
        self.messages += u64::from(last);
        self.payload += payload as u64;
    }

    pub(super) fn ping(&mut self) {
        self.pings = self.pings.saturating_add(1);
    }

    pub(super) fn pong(&mut self) {
        self.pongs = self.pongs.saturating_add(1);
    }

    pub(super) fn received(&self, bytes: u64) -> Received {
        let Self { messages, pings, pongs, payload } = *self;
        Received { messages, payload, bytes, pings, pongs }
    }

    pub(super) fn sent(&self, bytes: u64, queued: usize, round_trip: Option<Duration>) -> Sent {
        let Self { messages, pings, pongs, payload } = *self;
        Sent { messages, payload, bytes, pings, pongs, queued, round_trip }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pings_and_pongs_beyond_what_can_be_told_are_not_counted() {
        let mut tally = Tally { pings: u32::MAX - 1, pongs: u32::MAX, ..Tally::default() };
        for _ in 0..3 {
            tally.ping();
            tally.pong();
        }
        let received = tally.received(0);
        assert_eq!((received.pings, received.pongs), (u32::MAX, u32::MAX));
    }
}
