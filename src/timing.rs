//! Deadlines, without a clock.
//!
//! The caller says what time it is, as a [`Duration`] since an epoch of its own, when it is about
//! to wait ([`Timing::poll`]) and when a deadline has passed ([`Timing::handle`]). All that
//! happened in between is read off counters, so nothing on the way of a message asks for the time.

use core::num::{NonZeroU16, NonZeroU32, NonZeroU64};
use core::time::Duration;

use crate::config::Timeouts;
use crate::error::TimedOut;

/// What has moved by some moment; all that the deadlines depend on.
///
/// It is what [`Outgoing::poll_timeout`](crate::Outgoing::poll_timeout) wants, where the buffers are
/// elsewhere; for an example with a whole connection see [`TimedOut`](crate::TimedOut).
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
    /// The ping whose pong tells the round-trip time: since when it is under way, and which it is.
    asked: Option<Moment>,
    asked_for: Option<Token>,
    /// The last round-trip time in microseconds: an idle connection has no room for more.
    round_trip: Option<NonZeroU32>,
}

/// By which the pong of a ping is known, which has "identical "Application data"" (section 5.5.3):
/// not the data itself, for which an idle connection has no room. One of 65,535 other pongs is
/// taken for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token(NonZeroU16);

impl Token {
    /// The hash of Fowler, Noll and Vo (FNV-1a) in 32 bits, folded.
    pub(crate) fn of(payload: &[u8]) -> Self {
        let hash = payload.iter().fold(0x811c_9dc5_u32, |hash, octet| {
            (hash ^ u32::from(*octet)).wrapping_mul(0x0100_0193)
        });
        let folded = (hash >> 16) as u16 ^ hash as u16;
        Self(NonZeroU16::new(folded).unwrap_or(NonZeroU16::MIN))
    }
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

    /// Whether the time that [`poll`](Self::poll) told last is still right, since nothing has moved that
    /// counts: nothing came, and what goes out goes out at once.
    #[cfg(feature = "tokio")]
    pub(crate) fn stands(&self, seen: Traffic) -> bool {
        self.heard.is_some()
            && seen.received == Some(self.received)
            && self.stalled.is_none()
            && !seen.queued
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
            self.ask(now, Token::of(&[]));
        }
        Ok(ping)
    }

    /// A ping is due, or leaves, whose pong tells the round-trip time. "A Pong frame for only the most
    /// recently processed Ping" is enough (section 5.5.3), so only the latest is waited for.
    pub(crate) fn ask(&mut self, now: Duration, ping: Token) {
        (self.asked, self.asked_for) = (Some(Moment::at(now)), Some(ping));
    }

    /// A ping leaves at a time that nobody knows: a pong that might be of this one tells nothing.
    pub(crate) fn ask_untimed(&mut self, ping: Token) {
        if self.asked_for == Some(ping) {
            (self.asked, self.asked_for) = (None, None);
        }
    }

    /// Whether a pong would tell the round-trip time.
    pub(crate) fn has_asked(&self) -> bool {
        self.asked.is_some()
    }

    /// A pong has come: the round-trip time, if it is the one that was waited for.
    pub(crate) fn answer(&mut self, now: Duration, pong: Token) -> Option<Duration> {
        let asked = self.asked.filter(|_| self.asked_for == Some(pong))?;
        let micros = now.saturating_sub(asked.since_epoch()).as_micros();
        let micros = u32::try_from(micros).unwrap_or(u32::MAX);
        self.round_trip = Some(NonZeroU32::new(micros).unwrap_or(NonZeroU32::MIN));
        (self.asked, self.asked_for) = (None, None);
        self.round_trip()
    }

    /// The last round-trip time.
    pub(crate) fn round_trip(&self) -> Option<Duration> {
        self.round_trip.map(|micros| Duration::from_micros(micros.get().into()))
    }

    /// Forgets all times: the caller's epoch is another one from now on.
    #[cfg(feature = "std")]
    pub(crate) fn restart(&mut self) {
        *self = Self { round_trip: self.round_trip, ..Self::default() };
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
    use alloc::vec::Vec;

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
    fn what_had_piled_up_before_a_ping_and_goes_out_is_a_sign_of_life() {
        let queued = |sent| Traffic { received: Some(0), sent, queued: true };
        for (piled_up, deadline) in [(secs(29), secs(61)), (secs(31), secs(50))] {
            let mut timing = timing();
            timing.poll(secs(0), QUIET, false);
            if piled_up < secs(30) {
                timing.poll(piled_up, queued(0), false);
                assert_eq!(timing.handle(secs(30), queued(0), false), Ok(true), "a ping");
            } else {
                assert_eq!(timing.handle(secs(30), QUIET, false), Ok(true), "a ping");
                timing.poll(piled_up, queued(0), false);
            }
            assert_eq!(timing.poll(secs(31), queued(0), false), Some(secs(50)), "its pong");
            assert_eq!(timing.poll(secs(31), queued(5), false), Some(deadline));
        }
    }

    #[cfg(feature = "tokio")]
    #[test]
    fn a_deadline_stands_until_something_comes_or_waits_to_go_out() {
        let mut timing = timing();
        assert!(!timing.0.stands(QUIET), "there was none");
        let deadline = timing.poll(secs(0), QUIET, false);
        let sent = Traffic { sent: 7, ..QUIET };
        for seen in [QUIET, sent] {
            assert!(timing.0.stands(seen));
            assert_eq!(timing.poll(secs(1), seen, false), deadline);
        }
        let queued = Traffic { queued: true, ..QUIET };
        let came = Traffic { received: Some(1), ..QUIET };
        for seen in [queued, came, Traffic { received: None, ..QUIET }] {
            assert!(!timing.0.stands(seen));
        }
        timing.poll(secs(2), queued, false);
        assert!(!timing.0.stands(QUIET), "the peer has taken what had piled up");
    }

    #[test]
    fn few_pings_share_a_token() {
        let mut tokens: Vec<u16> =
            (0..1000_u32).map(|n| Token::of(&n.to_be_bytes()).0.get()).collect();
        tokens.sort_unstable();
        tokens.dedup();
        assert!(tokens.len() > 980, "{}", tokens.len());
    }

    #[cfg(feature = "std")]
    #[test]
    fn with_another_epoch_all_begins_anew_but_what_was_measured() {
        let mut timing = timing();
        let ping = Token::of(b"?");
        timing.0.ask(secs(100), ping);
        assert_eq!(timing.0.answer(secs(101), ping), Some(secs(1)));
        assert_eq!(timing.poll(secs(101), QUIET, false), Some(secs(131)));
        timing.0.restart();
        assert_eq!(timing.poll(secs(0), QUIET, false), Some(secs(30)));
        assert_eq!(timing.0.round_trip(), Some(secs(1)));
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

    #[test]
    fn the_pong_of_the_ping_that_keeps_alive_tells_the_round_trip_time() {
        let mut timing = timing();
        let ms = Duration::from_millis;
        timing.poll(secs(0), QUIET, false);
        assert_eq!(timing.0.answer(secs(1), Token::of(b"")), None, "nobody asked");
        assert_eq!((timing.0.has_asked(), timing.0.round_trip()), (false, None));
        assert_eq!(timing.handle(secs(30), QUIET, false), Ok(true));
        assert_eq!(timing.0.answer(secs(30) + ms(1), Token::of(b"unasked")), None);
        assert_eq!((timing.0.has_asked(), timing.0.round_trip()), (true, None));
        assert_eq!(timing.0.answer(secs(30) + ms(25), Token::of(b"")), Some(ms(25)));
        assert_eq!((timing.0.has_asked(), timing.0.round_trip()), (false, Some(ms(25))));
        assert_eq!(timing.0.answer(secs(31), Token::of(b"")), None);
        assert_eq!(timing.0.round_trip(), Some(ms(25)), "an answer is given once");
    }

    #[test]
    fn only_the_latest_ping_is_timed_and_none_that_may_be_another() {
        let mut timing = Timing::default();
        timing.ask(secs(1), Token::of(b"1"));
        timing.ask(secs(2), Token::of(b"2"));
        timing.answer(secs(3), Token::of(b"1"));
        assert_eq!((timing.has_asked(), timing.round_trip()), (true, None));
        timing.ask_untimed(Token::of(b"1"));
        timing.answer(secs(3), Token::of(b"2"));
        assert_eq!(timing.round_trip(), Some(secs(1)));
        timing.ask(secs(4), Token::of(b"3"));
        timing.ask_untimed(Token::of(b"3"));
        timing.answer(secs(9), Token::of(b"3"));
        assert_eq!((timing.has_asked(), timing.round_trip()), (false, Some(secs(1))));
    }

    #[test]
    fn a_round_trip_takes_a_microsecond_at_least_and_what_a_number_can_tell_at_most() {
        let mut timing = Timing::default();
        let most = Duration::from_micros(u32::MAX.into());
        for (time, told) in [
            (Duration::ZERO, Duration::from_micros(1)),
            (Duration::from_nanos(2_999), Duration::from_micros(2)),
            (most, most),
            (most + secs(9), most),
        ] {
            timing.ask(secs(100), Token::of(b""));
            timing.answer(secs(100) + time, Token::of(b""));
            assert_eq!(timing.round_trip(), Some(told));
        }
        timing.ask(secs(100), Token::of(b""));
        timing.answer(secs(99), Token::of(b""));
        assert_eq!(timing.round_trip(), Some(Duration::from_micros(1)), "a clock that went back");
    }

    #[test]
    fn a_pong_is_told_from_others_by_what_it_brings_back() {
        let payloads: [&[u8]; 7] = [b"", b"\0", b"1", b"2", b"3", b"31", b"13"];
        for (i, one) in payloads.iter().enumerate() {
            for (j, other) in payloads.iter().enumerate() {
                assert_eq!(Token::of(one) == Token::of(other), i == j, "{one:?}, {other:?}");
            }
        }
    }
}
