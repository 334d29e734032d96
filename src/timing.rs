//! Deadlines, without a clock.
//!
//! The caller says what time it is, as a [`Duration`] since an epoch of its own, when it is about
//! to wait ([`Timing::poll`]) and when a deadline has passed ([`Timing::handle`]). All that
//! happened in between is read off counters, so nothing on the way of a message asks for the time.

use core::num::NonZeroU64;
use core::time::Duration;

use crate::config::Timeouts;
use crate::error::TimedOut;

/// What has moved by some moment; all that the deadlines depend on.
///
/// It is what [`Outgoing::poll_timeout`](crate::Outgoing::poll_timeout) wants, where the buffers are elsewhere; for an
/// example with a whole connection see [`TimedOut`](crate::TimedOut).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes that came since the start, as [`ReceiveBuffer::received`](crate::ReceiveBuffer::received)
    /// counts them; `None` while nobody reads, when silence says nothing.
    pub received: Option<u64>,
    /// Bytes that went out since the start, as [`SendBuffer::sent`](crate::SendBuffer::sent) counts them.
    pub sent: u64,
    /// Whether more is to go out, from the queue or from the stream's own buffer.
    pub queued: bool,
}

/// What the deadlines are counted from.
#[derive(Debug, Default)]
pub(crate) struct Timing {
    received: u64,
    /// When bytes last came.
    heard: Option<Moment>,
    /// When a ping went out, if nothing has come since.
    pinged: Option<Moment>,
    sent: u64,
    /// Since when bytes are queued and none goes out.
    stalled: Option<Moment>,
    closing: Option<Moment>,
}

/// A time since the epoch: nanoseconds and one, so that there is room for none. Many connections
/// have a few of these and nothing else to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Moment(NonZeroU64);

impl Timing {
    /// The time at which to call [`handle`](Self::handle), if nothing happens until then.
    pub(crate) fn poll(
        &mut self,
        timeouts: &Timeouts,
        now: Duration,
        seen: Traffic,
        closing: bool,
    ) -> Option<Duration> {
        self.observe(now, seen, closing);
        let Timeouts { keepalive, pong, close, send, .. } = *timeouts;
        let stalled = deadline(self.stalled, send);
        let other = match (self.closing, self.pinged) {
            (Some(since), _) => deadline(Some(since), close),
            (None, _) if seen.received.is_none() => None,
            (None, Some(since)) => deadline(Some(since), pong),
            (None, None) => deadline(self.heard, keepalive),
        };
        [stalled, other].into_iter().flatten().min()
    }

    /// Whether a ping is due now.
    ///
    /// # Errors
    ///
    /// The deadline that has passed.
    pub(crate) fn handle(
        &mut self,
        timeouts: &Timeouts,
        now: Duration,
        seen: Traffic,
        closing: bool,
    ) -> Result<bool, TimedOut> {
        self.observe(now, seen, closing);
        let Timeouts { keepalive, pong, close, send, .. } = *timeouts;
        let passed = |since, after| deadline(since, after).is_some_and(|deadline| deadline <= now);
        if passed(self.closing, close) {
            return Err(TimedOut::Close);
        }
        if passed(self.stalled, send) {
            return Err(TimedOut::Send);
        }
        if self.closing.is_some() || seen.received.is_none() {
            return Ok(false);
        }
        if self.pinged.is_some() {
            return if passed(self.pinged, pong) { Err(TimedOut::Pong) } else { Ok(false) };
        }
        let ping = passed(self.heard, keepalive);
        if ping {
            self.pinged = Some(Moment::at(now));
        }
        Ok(ping)
    }

    fn observe(&mut self, now: Duration, seen: Traffic, closing: bool) {
        let now = Moment::at(now);
        if let Some(received) = seen.received
            && (self.received != received || self.heard.is_none())
        {
            self.received = received;
            self.hear(now);
        }
        // What had piled up goes out: the peer takes it, so it is alive, and a ping behind it has not
        // reached it. That a ping itself goes out, or what follows it, answers nothing: some streams
        // let every write wait for a moment.
        if let Some(since) = self.stalled
            && self.sent != seen.sent
            && self.pinged.is_none_or(|pinged| since < pinged)
        {
            self.hear(now);
        }
        if !seen.queued {
            self.stalled = None;
        } else if self.sent != seen.sent || self.stalled.is_none() {
            self.stalled = Some(now);
        }
        self.sent = seen.sent;
        if closing {
            self.closing.get_or_insert(now);
        }
    }

    fn hear(&mut self, now: Moment) {
        self.heard = Some(now);
        self.pinged = None;
    }
}

impl Moment {
    /// The time, or the last one that can be told, 584 years after the epoch.
    fn at(now: Duration) -> Self {
        let nanos = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        Self(NonZeroU64::MIN.saturating_add(nanos))
    }

    fn since_epoch(self) -> Duration {
        Duration::from_nanos(self.0.get() - 1)
    }
}

/// A time so far away that it never comes is no deadline.
fn deadline(since: Option<Moment>, after: Option<Duration>) -> Option<Duration> {
    since?.since_epoch().checked_add(after?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUIET: Traffic = Traffic { received: Some(0), sent: 0, queued: false };

    fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    /// What is timed, and the timeouts.
    struct Timed(Timing, Timeouts);

    impl Timed {
        fn poll(&mut self, now: Duration, seen: Traffic, closing: bool) -> Option<Duration> {
            self.0.poll(&self.1, now, seen, closing)
        }

        fn handle(
            &mut self,
            now: Duration,
            seen: Traffic,
            closing: bool,
        ) -> Result<bool, TimedOut> {
            self.0.handle(&self.1, now, seen, closing)
        }
    }

    fn timing() -> Timed {
        Timed(Timing::default(), Timeouts::default())
    }

    #[test]
    fn silence_is_asked_about_and_then_ends() {
        let mut timing = timing();
        assert_eq!(timing.poll(secs(100), QUIET, false), Some(secs(130)));
        assert_eq!(timing.handle(secs(129), QUIET, false), Ok(false));
        assert_eq!(timing.handle(secs(130), QUIET, false), Ok(true));
        assert_eq!(timing.poll(secs(130), QUIET, false), Some(secs(150)));
        assert_eq!(timing.handle(secs(149), QUIET, false), Ok(false));
        assert_eq!(timing.handle(secs(150), QUIET, false), Err(TimedOut::Pong));
    }

    #[test]
    fn any_byte_is_a_sign_of_life() {
        let mut timing = timing();
        timing.poll(secs(0), QUIET, false);
        assert_eq!(timing.handle(secs(30), QUIET, false), Ok(true));
        let seen = Traffic { received: Some(1), ..QUIET };
        assert_eq!(
            timing.handle(secs(50), seen, false),
            Ok(false),
            "it came before the deadline was looked at"
        );
        assert_eq!(timing.poll(secs(50), seen, false), Some(secs(80)));
    }

    #[test]
    fn a_peer_that_takes_a_byte_now_and_then_is_not_stalled() {
        let mut timing = timing();
        let queued = |sent, received| Traffic { sent, received: Some(received), queued: true };
        assert_eq!(timing.poll(secs(0), queued(0, 0), false), Some(secs(30)));
        assert_eq!(timing.handle(secs(29), queued(1, 1), false), Ok(false));
        assert_eq!(timing.handle(secs(58), queued(1, 2), false), Ok(false));
        assert_eq!(timing.poll(secs(58), queued(1, 2), false), Some(secs(59)));
        assert_eq!(timing.handle(secs(59), queued(1, 2), false), Err(TimedOut::Send));
    }

    #[test]
    fn a_peer_that_takes_what_had_piled_up_is_alive() {
        let mut timing = timing();
        let queued = |sent| Traffic { sent, queued: true, ..QUIET };
        timing.poll(secs(0), queued(0), false);
        for now in (20..200).step_by(20) {
            assert_eq!(timing.handle(secs(now), queued(now), false), Ok(false));
        }
        assert_eq!(timing.poll(secs(180), queued(180), false), Some(secs(210)));
        // What goes out at once may just lie in some buffer: it says nothing.
        timing.poll(secs(181), QUIET, false);
        assert_eq!(timing.handle(secs(211), Traffic { sent: 999, ..QUIET }, false), Ok(true));
    }

    #[test]
    fn a_ping_that_has_to_wait_before_it_goes_out_is_no_sign_of_life() {
        let mut timing = timing();
        timing.poll(secs(0), QUIET, false);
        assert_eq!(timing.handle(secs(30), QUIET, false), Ok(true));
        timing.poll(secs(30), Traffic { queued: true, ..QUIET }, false);
        let pinged = Traffic { sent: 2, ..QUIET };
        assert_eq!(timing.poll(secs(31), pinged, false), Some(secs(50)));
        assert_eq!(timing.handle(secs(50), pinged, false), Err(TimedOut::Pong));
    }

    #[test]
    fn a_close_has_its_own_deadline_whatever_still_comes() {
        let mut timing = timing();
        let seen = |received| Traffic { received: Some(received), ..QUIET };
        assert_eq!(timing.poll(secs(5), seen(0), true), Some(secs(15)));
        assert_eq!(timing.poll(secs(14), seen(1_000), true), Some(secs(15)));
        assert_eq!(timing.handle(secs(15), seen(1_000), true), Err(TimedOut::Close));
    }

    #[test]
    fn silence_says_nothing_while_nobody_reads() {
        let mut timing = timing();
        let unread = Traffic { received: None, ..QUIET };
        timing.poll(secs(0), QUIET, false);
        assert_eq!(timing.poll(secs(1), unread, false), None);
        assert_eq!(timing.handle(secs(1_000), unread, false), Ok(false));
        assert_eq!(timing.handle(secs(1_000), QUIET, false), Ok(true), "now it is asked about");
        assert_eq!(timing.handle(secs(2_000), unread, false), Ok(false));
    }

    #[test]
    fn without_timeouts_there_is_nothing_to_wait_for() {
        let mut timeouts = Timeouts::default();
        (timeouts.keepalive, timeouts.close, timeouts.send) = (None, None, Some(Duration::MAX));
        let mut timing = Timed(Timing::default(), timeouts);
        let all = Traffic { received: Some(1), sent: 1, queued: true };
        assert_eq!(timing.poll(secs(1), all, true), None);
        assert_eq!(timing.handle(secs(1_000_000), all, true), Ok(false));
    }
}
