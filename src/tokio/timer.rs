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
    sleep: Option<Pin<Box<Sleep>>>,
    /// As the sleep was left. A connection that waits again for the same task need not look at the
    /// sleep, which lies elsewhere in memory.
    armed: Option<Armed>,
}

/// A sleep that goes off at a time, and whom it wakes then.
#[derive(Debug)]
struct Armed {
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
        self.sleep.as_ref().map_or(0, |_| size_of::<Sleep>())
    }

    /// The steps in which tokio's timers go.
    const GRANULE: Duration = Duration::from_millis(1);

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
        if outgoing.deadline_stands(seen) && self.wakes(cx.waker()) {
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
            if self.armed.as_ref().is_some_and(|armed| armed.is_enough(now, at, cx.waker())) {
                return Poll::Pending;
            }
            let soonest = deadline.max(clock + Self::GRANULE);
            let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(soonest)));
            if sleep.is_elapsed() && sleep.deadline() >= deadline {
                return Poll::Ready(outgoing.handle_timeout(now, seen).map_err(Into::into));
            }
            if sleep.is_elapsed() || sleep.deadline() > soonest {
                sleep.as_mut().reset(soonest);
            }
            // A task that has used up its budget, as with a peer that never pauses, would be sent away
            // before the sleep knows whom to wake.
            if pin!(unconstrained(sleep.as_mut())).poll(cx).is_pending() {
                let at = sleep.deadline().duration_since(epoch);
                self.armed = Some(Armed { at, waker: cx.waker().clone() });
                return Poll::Pending;
            }
        }
    }

    /// Whether the sleep has yet to wake who waits with `waker`.
    #[inline(always)]
    fn wakes(&self, waker: &Waker) -> bool {
        self.armed.as_ref().is_some_and(|armed| armed.waker.will_wake(waker))
            && self.sleep.as_ref().is_some_and(|sleep| !sleep.is_elapsed())
    }
}

impl Armed {
    /// Whether who waits with `waker` will be woken in time for `deadline`.
    #[inline(always)]
    fn is_enough(&self, now: Duration, deadline: Duration, waker: &Waker) -> bool {
        now < self.at && self.at <= deadline && self.waker.will_wake(waker)
    }
}
