//! The one loop that reads; a whole [`WebSocket`](super::WebSocket) and the
//! [`Receiver`](super::Receiver) of a split one share it.

use std::io::{self, ErrorKind};
use std::mem;
use std::time::{Duration, Instant};

use super::Stream;
use crate::adapter::{Advance, Error, Result, Told};
use crate::buffer::{ReceiveBuffer, SendBuffer};
use crate::connection::{Chunk, Event, Incoming, Outgoing, Transport};
use crate::error::{ProtocolError, TimedOut};
use crate::timing::Traffic;
use crate::trace;

/// How the loop gets at the stream and at the writing half, which may be shared with another thread.
pub(super) trait Link {
    fn clock(&self) -> Clock;

    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize>;

    /// Runs `f` with the writing half; never while anything is written.
    fn with_writer<T>(&mut self, f: impl FnOnce(&mut Outgoing, &mut SendBuffer) -> T) -> T;

    fn traffic(&self, received: Option<u64>) -> Traffic;

    /// Writes what is queued. `false` if this thread is not to `wait`, and another one is writing
    /// and takes it along, or the stream takes nothing at the moment.
    fn flush(&mut self, wait: bool) -> Result<bool>;

    /// Shuts the writing direction down; whether the stream did. `None` if it paused: the next call
    /// tries again.
    fn shut_down(&mut self) -> Option<bool>;
}

/// The reading half.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) incoming: Incoming,
    pub(super) rx: ReceiveBuffer,
    /// Whether something was read, or waited for, since the deadlines were looked at.
    pub(super) has_waited: bool,
}

/// The time since the connection began, and whether the stream lets us look at it now and then.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    pub(super) epoch: Instant,
    pub(super) ticks: bool,
}

impl Reader {
    pub(super) fn recv(&mut self, link: &mut impl Link) -> Result<Option<Event<'_>>> {
        if !self.wait(link, Incoming::advance)? {
            return Ok(None);
        }
        let Self { incoming, rx, .. } = self;
        incoming.next_event(rx).map_err(|error| fail(error, incoming, link))
    }

    pub(super) fn recv_chunk(&mut self, link: &mut impl Link) -> Result<Option<Chunk<'_>>> {
        if !self.wait(link, Incoming::advance_chunk)? {
            return Ok(None);
        }
        let Self { incoming, rx, .. } = self;
        incoming.next_chunk(rx).map_err(|error| fail(error, incoming, link))
    }

    /// Whether there is a part of a message, control frames passed over; `false` if the connection
    /// is closed, or if the peer's Close frame is what has come.
    pub(super) fn wait_for_data(&mut self, link: &mut impl Link, advance: Advance) -> Result<bool> {
        while self.wait(link, advance)? {
            if !self.incoming.pass_over_control(&mut self.rx) {
                return Ok(self.incoming.has_data());
            }
        }
        Ok(false)
    }

    /// What is left of the piece that was found.
    pub(super) fn left(&self) -> &[u8] {
        self.incoming.left(&self.rx).map_or(&[], |(left, _)| left)
    }

    /// Whether there is something to lend; `false` once the connection is closed.
    fn wait(&mut self, link: &mut impl Link, advance: Advance) -> Result<bool> {
        loop {
            match advance(&mut self.incoming, &mut self.rx) {
                Ok(false) => {}
                Ok(true) => {
                    if self.incoming.is_closed() {
                        // Our Close leaves before theirs is handed over: the caller may drop
                        // everything then. If it cannot leave, the next call tells.
                        write_replies(&mut self.incoming, link).ok();
                    } else if self.incoming.has_reply() {
                        // A pong goes before whatever the application answers to what came later.
                        queue_replies(&mut self.incoming, link);
                    }
                    return Ok(true);
                }
                Err(_) => return self.end(link),
            }
            match write_replies(&mut self.incoming, link) {
                // What has come is still handed over: reading tells how the stream ended.
                Ok(()) | Err(Error::Io(_) | Error::Send(_)) => {}
                Err(error) => return Err(error),
            }
            if mem::take(&mut self.has_waited) {
                check(link, Some(self.rx.received()))?;
            }
            if link.with_writer(|outgoing, _| outgoing.transport()) != Transport::Keep {
                return self.end(link);
            }
            self.rx.shrink();
            link.with_writer(|_, tx| tx.shrink());
            let read = link.read(self.rx.spare());
            match link.clock().pause(read) {
                Ok(Some(0)) => {
                    // The peer may still read; if not, writing fails soon enough.
                    link.flush(true).ok();
                    return self.end(link);
                }
                Ok(Some(n)) => self.rx.filled(n),
                Ok(None) => {}
                Err(error) => {
                    trace::stream_failed(&Told(&error));
                    link.with_writer(|outgoing, _| outgoing.end());
                    return Err(error);
                }
            }
            self.has_waited = true;
        }
    }

    /// Ends the connection; how it ended is the core's to say.
    fn end(&mut self, link: &mut impl Link) -> Result<bool> {
        linger(&mut self.incoming, link);
        self.incoming.handle_eof()?;
        Ok(false)
    }
}

/// Ends a connection that has failed, and gives its error back.
fn fail(error: ProtocolError, incoming: &mut Incoming, link: &mut impl Link) -> Error {
    linger(incoming, link);
    error.into()
}

fn queue_replies(incoming: &mut Incoming, link: &mut impl Link) {
    let clock = link.clock();
    link.with_writer(|outgoing, tx| {
        outgoing.answer(incoming);
        if outgoing.awaits_time() {
            outgoing.tell_time(clock.now());
        }
        outgoing.poll_transmit(tx);
    });
}

fn write_replies(incoming: &mut Incoming, link: &mut impl Link) -> Result<()> {
    queue_replies(incoming, link);
    link.flush(false).map(|_| ())
}

/// Writes what is queued, a server shuts down, and what comes is dropped until the stream ends or its
/// time is over. Then a client shuts down as well: whoever keeps its WebSocket would keep the peer
/// waiting.
///
/// Whatever fails here ends the wait; how the connection ended is known already.
fn linger(incoming: &mut Incoming, link: &mut impl Link) {
    let mut scratch = [0; 4096];
    let mut at_end = false;
    loop {
        queue_replies(incoming, link);
        // A peer that has sent its Close waits for ours and for the end of the stream, not for us to
        // read; and nothing that it sends would bring us back.
        let Ok(all_written) = link.flush(at_end || incoming.is_closed()) else { break };
        match link.with_writer(|outgoing, _| outgoing.transport()) {
            Transport::Close | Transport::Keep => break,
            // Without a way to say that this is the end, nobody ever answers it.
            Transport::ShutDown if all_written && link.shut_down() == Some(false) => break,
            Transport::ShutDown | Transport::AwaitEof => {}
        }
        let read = link.read(&mut scratch);
        at_end = match link.clock().pause(read) {
            // Nothing more comes, but the peer may still read.
            Ok(Some(0)) if !all_written || link.shut_down().is_none() => true,
            Ok(Some(0)) | Err(_) => break,
            Ok(_) => false,
        };
        if check(link, None).is_err() {
            break;
        }
    }
    link.with_writer(|outgoing, _| outgoing.end());
}

/// Does what is due by now.
fn check(link: &mut impl Link, received: Option<u64>) -> Result<()> {
    let (now, seen) = (link.clock().now(), link.traffic(received));
    Ok(link.with_writer(|outgoing, _| check_time(outgoing, now, seen))?)
}

/// Does what is due at `now`.
pub(super) fn check_time(
    outgoing: &mut Outgoing,
    now: Duration,
    seen: Traffic,
) -> Result<(), TimedOut> {
    match outgoing.poll_timeout(now, seen) {
        Some(deadline) if deadline <= now => outgoing.handle_timeout(now, seen),
        _ => Ok(()),
    }
}

impl Clock {
    pub(super) fn new(ticks: bool) -> Self {
        Self { epoch: Instant::now(), ticks }
    }

    /// What the stream did; `None` for a pause, which is no failure: a tick or a signal.
    pub(super) fn pause<T>(&self, done: io::Result<T>) -> Result<Option<T>> {
        match done {
            Ok(done) => Ok(Some(done)),
            Err(error) => match error.kind() {
                ErrorKind::Interrupted => Ok(None),
                ErrorKind::WouldBlock | ErrorKind::TimedOut if self.ticks => Ok(None),
                _ => Err(error.into()),
            },
        }
    }

    /// As [`Link::shut_down`], for a stream and whether it is shut down already.
    pub(super) fn shut_down(&self, io: &mut impl Stream, has_shut_down: &mut bool) -> Option<bool> {
        while !*has_shut_down {
            match self.pause(io.shut_down()) {
                Ok(None) if self.ticks => return None,
                Ok(None) => {}
                Ok(Some(true)) => *has_shut_down = true,
                Ok(Some(false)) | Err(_) => return Some(false),
            }
        }
        Some(true)
    }

    pub(super) fn now(&self) -> Duration {
        self.epoch.elapsed()
    }
}
