//! Deadlines on tokio's clock.

use std::boxed::Box;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::OnceLock;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use ::tokio::task::coop::unconstrained;
use ::tokio::time::{Instant, Sleep, sleep_until};

use crate::adapter::Result;
use crate::connection::Outgoing;
use crate::timing::Traffic;

/// The deadlines of a connection.
#[derive(Debug, Default)]
pub(super) struct Timer {
    /// Set to some deadline of before: a later one is not worth to set it anew.
    alarm: Option<Box<Alarm>>,
}

/// A sleep, and what is known of it: a connection that waits again for the same task need not look at
/// the sleep itself, which has lines of the cache to its own.
#[derive(Debug)]
struct Alarm {
    sleep: Pin<Box<Sleep>>,
    /// When it goes off, and whom it wakes then.
    at: Duration,
    waker: Waker,
}

/// The epoch of all connections; a clock that tokio has paused may be a little behind it.
static EPOCH: OnceLock<std::time::Instant> = OnceLock::new();

fn epoch() -> Instant {
    Instant::from_std(*EPOCH.get_or_init(std::time::Instant::now))
}

/// The time since the epoch.
pub(super) fn now() -> Duration {
    Instant::now().duration_since(epoch())
}

impl Timer {
    /// The bytes that it holds on the heap.
    pub(super) fn memory_behind(&self) -> usize {
        self.alarm.as_ref().map_or(0, |_| size_of::<Alarm>() + size_of::<Sleep>())
    }

    /// Ready when a deadline has passed and something was done because of it.
    ///
    /// It is the timer that must have gone off, not the clock that is past the deadline: then the
    /// runtime has looked for input in between, and silence is silence.
    pub(super) fn poll(
        &mut self,
        outgoing: &mut Outgoing,
        seen: Traffic,
        cx: &mut Context<'_>,
    ) -> Poll<Result<()>> {
        let waker = cx.waker();
        if outgoing.deadline_stands(seen) && self.is_set(|alarm| alarm.has_yet_to_wake(waker)) {
            return Poll::Pending;
        }
        let epoch = epoch();
        loop {
            let clock = Instant::now();
            let now = clock.duration_since(epoch);
            let deadline = outgoing.poll_timeout(now, seen);
            // A time so far away that it cannot be told never comes.
            let at_and_deadline = deadline.and_then(|at| Some((at, epoch.checked_add(at)?)));
            let Some((at, deadline)) = at_and_deadline else {
                return Poll::Pending;
            };
            if self.is_set(|alarm| alarm.is_enough(now, at, waker)) {
                return Poll::Pending;
            }
            let soonest = deadline.max(clock + Alarm::GRANULE);
            let alarm = self.alarm.get_or_insert_with(|| Box::new(Alarm::until(soonest)));
            if alarm.sleep.is_elapsed() && alarm.sleep.deadline() >= deadline {
                return Poll::Ready(outgoing.handle_timeout(now, seen).map_err(Into::into));
            }
            if alarm.sleep.is_elapsed() || alarm.sleep.deadline() > soonest {
                alarm.sleep.as_mut().reset(soonest);
            }
            if alarm.poll(epoch, cx).is_pending() {
                return Poll::Pending;
            }
        }
    }

    fn is_set(&self, is: impl FnOnce(&Alarm) -> bool) -> bool {
        self.alarm.as_ref().is_some_and(|alarm| is(alarm))
    }
}

impl Alarm {
    /// The steps in which tokio's timers go.
    const GRANULE: Duration = Duration::from_millis(1);

    /// One that wakes nobody yet.
    fn until(deadline: Instant) -> Self {
        let sleep = Box::pin(sleep_until(deadline));
        Self { sleep, at: Duration::ZERO, waker: Waker::noop().clone() }
    }

    fn poll(&mut self, epoch: Instant, cx: &mut Context<'_>) -> Poll<()> {
        // A task that has used up its budget, as with a peer that never pauses, would be sent away
        // before the sleep knows whom to wake.
        let polled = pin!(unconstrained(self.sleep.as_mut())).poll(cx);
        if polled.is_pending() {
            self.at = self.sleep.deadline().duration_since(epoch);
            self.waker.clone_from(cx.waker());
        }
        polled
    }

    fn has_yet_to_wake(&self, waker: &Waker) -> bool {
        self.waker.will_wake(waker) && !self.sleep.is_elapsed()
    }

    /// Whether who waits with `waker` will be woken in time for `deadline`.
    fn is_enough(&self, now: Duration, deadline: Duration, waker: &Waker) -> bool {
        now < self.at && self.at <= deadline && self.waker.will_wake(waker)
    }
}
