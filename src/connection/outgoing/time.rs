//! The time, as the caller tells it: deadlines, and how long a ping takes.

use core::time::Duration;

use super::{Outgoing, State};
use crate::error::TimedOut;
use crate::timing::Traffic;
use crate::trace;

impl Outgoing {
    /// As [`Connection::poll_timeout`](crate::Connection::poll_timeout), from what the caller has counted.
    ///
    /// ```
    /// use core::time::Duration;
    /// use sotong::{Agreed, Config, Connection, SendBuffer, Traffic};
    ///
    /// let (_, mut outgoing) = Connection::server(Config::default(), Agreed::default()).split();
    /// let quiet = Traffic { received: Some(0), sent: 0, queued: false };
    /// let deadline = outgoing.poll_timeout(Duration::ZERO, quiet).expect("there is always one");
    /// assert_eq!(deadline, Duration::from_secs(30));
    /// outgoing.handle_timeout(deadline, quiet)?;
    /// let mut tx = SendBuffer::new();
    /// outgoing.poll_transmit(&mut tx);
    /// assert_eq!(tx.transmit().slices()[0], b"\x89\x00"); // a ping asks whether the peer is there
    /// # Ok::<(), sotong::TimedOut>(())
    /// ```
    pub fn poll_timeout(&mut self, now: Duration, seen: Traffic) -> Option<Duration> {
        if self.ended {
            return None;
        }
        self.tell_time(now);
        let closing = self.is_closing();
        self.timing.poll(&self.config.timeouts, now, seen, closing)
    }

    /// Whether the time that [`poll_timeout`](Self::poll_timeout) told last is still right, which takes
    /// no clock to know.
    #[cfg(feature = "tokio")]
    pub(crate) fn deadline_stands(&self, seen: Traffic) -> bool {
        !self.is_closing() && self.timing.stands(seen)
    }

    /// As [`Connection::handle_timeout`](crate::Connection::handle_timeout), from what the caller has
    /// counted.
    ///
    /// For an example see [`poll_timeout`](Self::poll_timeout).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn handle_timeout(&mut self, now: Duration, seen: Traffic) -> Result<(), TimedOut> {
        self.tell_time(now);
        let closing = self.is_closing();
        match self.timing.handle(&self.config.timeouts, now, seen, closing) {
            Ok(ping) => {
                self.keepalive_due |= ping;
                Ok(())
            }
            Err(error) => {
                // The closing handshake was complete, and only the end of the stream was waited for.
                let is_complete = self.state() == State::Closed && !seen.queued;
                self.ended = true;
                if is_complete {
                    return Ok(());
                }
                trace::timed_out(self.role().name(), error);
                Err(error)
            }
        }
    }

    /// Forgets all times: the caller's epoch is another one from now on.
    #[cfg(feature = "std")]
    pub(in crate::connection) fn restart_clock(&mut self) {
        self.timing.restart();
    }

    /// Whether a pong has come that tells the round-trip time, if only the time were known.
    #[cfg(feature = "std")]
    pub(crate) fn awaits_time(&self) -> bool {
        self.reply.has_ponged()
    }

    /// Says what time it is.
    pub(crate) fn tell_time(&mut self, now: Duration) {
        if let Some(pong) = self.reply.take_ponged()
            && let Some(round_trip) = self.timing.answer(now, pong)
        {
            trace::measured(self.role().name(), round_trip);
        }
    }
}

#[cfg(all(test, feature = "tokio"))]
mod tests {
    use alloc::sync::Arc;

    use super::super::Agreed;
    use super::*;
    use crate::buffer::SendBuffer;
    use crate::config::Config;

    #[test]
    fn a_deadline_stands_until_a_close_has_another() {
        let config = Arc::new(Config::default());
        let mut outgoing = Outgoing::new(None, config, Agreed::default(), None);
        let quiet = Traffic { received: Some(0), sent: 0, queued: false };
        assert!(!outgoing.deadline_stands(quiet), "there was none");
        outgoing.poll_timeout(Duration::ZERO, quiet);
        assert!(outgoing.deadline_stands(quiet));
        outgoing.close(None, &mut SendBuffer::new()).unwrap().queue();
        assert!(!outgoing.deadline_stands(quiet));
    }
}
