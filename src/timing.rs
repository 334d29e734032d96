//! Deadlines, without a clock.
//!
//! The caller says what time it is, as a [`Duration`] since an epoch of its own, when it is about
//! to wait ([`Timing::poll`]) and when a deadline has passed ([`Timing::handle`]). All that
//! happened in between is read off counters, so nothing on the way of a message asks for the time.

use core::time::Duration;

use crate::config::Timeouts;
use crate::error::TimedOut;

/// What a connection looks like at some moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Observed {
    /// Bytes that came since the start; `None` while nobody reads, when silence says nothing.
    pub(crate) received: Option<u64>,
    /// Bytes that went out since the start.
    pub(crate) sent: u64,
    /// Whether more is to go out.
    pub(crate) queued: bool,
    /// Whether our Close frame is sent or due.
    pub(crate) closing: bool,
}

#[derive(Debug)]
pub(crate) struct Timing {
    timeouts: Timeouts,
    received: u64,
    /// When bytes last came.
    heard: Option<Duration>,
    /// When a ping went out, if nothing has come since.
    pinged: Option<Duration>,
    sent: u64,
    /// Since when bytes are queued and none goes out.
    stalled: Option<Duration>,
    closing: Option<Duration>,
}

impl Timing {
    pub(crate) fn new(timeouts: &Timeouts) -> Self {
        Self {
            timeouts: timeouts.clone(),
            received: 0,
            heard: None,
            pinged: None,
            sent: 0,
            stalled: None,
            closing: None,
        }
    }

    pub(crate) fn timeouts(&self) -> &Timeouts {
        &self.timeouts
    }

    /// The time at which to call [`handle`](Self::handle), if nothing happens until then.
    pub(crate) fn poll(&mut self, now: Duration, seen: Observed) -> Option<Duration> {
        self.observe(now, seen);
        let Timeouts { keepalive, pong, close, send, .. } = self.timeouts;
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
    pub(crate) fn handle(&mut self, now: Duration, seen: Observed) -> Result<bool, TimedOut> {
        self.observe(now, seen);
        let Timeouts { keepalive, pong, close, send, .. } = self.timeouts;
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
            self.pinged = Some(now);
        }
        Ok(ping)
    }

    fn observe(&mut self, now: Duration, seen: Observed) {
        if let Some(received) = seen.received
            && (self.received != received || self.heard.is_none())
        {
            self.received = received;
            self.heard = Some(now);
            self.pinged = None;
        }
        if !seen.queued {
            self.stalled = None;
        } else if self.sent != seen.sent || self.stalled.is_none() {
            self.stalled = Some(now);
        }
        self.sent = seen.sent;
        if seen.closing {
            self.closing.get_or_insert(now);
        }
    }
}

/// A time so far away that it never comes is no deadline.
fn deadline(since: Option<Duration>, after: Option<Duration>) -> Option<Duration> {
    since?.checked_add(after?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUIET: Observed = Observed { received: Some(0), sent: 0, queued: false, closing: false };

    fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn timing() -> Timing {
        Timing::new(&Timeouts::default())
    }

    #[test]
    fn silence_is_asked_about_and_then_ends() {
        let mut timing = timing();
        assert_eq!(timing.poll(secs(100), QUIET), Some(secs(130)));
        assert_eq!(timing.handle(secs(129), QUIET), Ok(false));
        assert_eq!(timing.handle(secs(130), QUIET), Ok(true));
        assert_eq!(timing.poll(secs(130), QUIET), Some(secs(150)));
        assert_eq!(timing.handle(secs(149), QUIET), Ok(false));
        assert_eq!(timing.handle(secs(150), QUIET), Err(TimedOut::Pong));
    }

    #[test]
    fn any_byte_is_a_sign_of_life() {
        let mut timing = timing();
        timing.poll(secs(0), QUIET);
        assert_eq!(timing.handle(secs(30), QUIET), Ok(true));
        let seen = Observed { received: Some(1), ..QUIET };
        assert_eq!(
            timing.handle(secs(50), seen),
            Ok(false),
            "it came before the deadline was looked at"
        );
        assert_eq!(timing.poll(secs(50), seen), Some(secs(80)));
    }

    #[test]
    fn a_peer_that_takes_a_byte_now_and_then_is_not_stalled() {
        let mut timing = timing();
        let queued = |sent, received| Observed {
            sent,
            received: Some(received),
            queued: true,
            closing: false,
        };
        assert_eq!(timing.poll(secs(0), queued(0, 0)), Some(secs(30)));
        assert_eq!(timing.handle(secs(29), queued(1, 1)), Ok(false));
        assert_eq!(timing.handle(secs(58), queued(1, 2)), Ok(false));
        assert_eq!(timing.poll(secs(58), queued(1, 2)), Some(secs(59)));
        assert_eq!(timing.handle(secs(59), queued(1, 2)), Err(TimedOut::Send));
    }

    #[test]
    fn a_close_has_its_own_deadline_whatever_still_comes() {
        let mut timing = timing();
        let closing = |received| Observed { received: Some(received), closing: true, ..QUIET };
        assert_eq!(timing.poll(secs(5), closing(0)), Some(secs(15)));
        assert_eq!(timing.poll(secs(14), closing(1_000)), Some(secs(15)));
        assert_eq!(timing.handle(secs(15), closing(1_000)), Err(TimedOut::Close));
    }

    #[test]
    fn silence_says_nothing_while_nobody_reads() {
        let mut timing = timing();
        let unread = Observed { received: None, ..QUIET };
        timing.poll(secs(0), QUIET);
        assert_eq!(timing.poll(secs(1), unread), None);
        assert_eq!(timing.handle(secs(1_000), unread), Ok(false));
        assert_eq!(timing.handle(secs(1_000), QUIET), Ok(true), "now it is asked about");
        assert_eq!(timing.handle(secs(2_000), unread), Ok(false));
    }

    #[test]
    fn without_timeouts_there_is_nothing_to_wait_for() {
        let mut timeouts = Timeouts::default();
        (timeouts.keepalive, timeouts.close, timeouts.send) = (None, None, Some(Duration::MAX));
        let mut timing = Timing::new(&timeouts);
        let all = Observed { received: Some(1), sent: 1, queued: true, closing: true };
        assert_eq!(timing.poll(secs(1), all), None);
        assert_eq!(timing.handle(secs(1_000_000), all), Ok(false));
    }
}
