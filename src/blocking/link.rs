//! The one loop that moves bytes between a stream and the core; a whole
//! [`WebSocket`](super::WebSocket) and the halves of one share it.

use std::io::{self, ErrorKind, IoSlice, Write};
use std::time::Instant;

use crate::adapter::{Error, Result};
use crate::buffer::{ReceiveBuffer, SendBuffer, Transmit};
use crate::connection::{Chunk, Event, Incoming, Outgoing, Transport};
use crate::error::ProtocolError;

/// How the loop gets at the stream and at the writing half, which may be shared with another
/// thread.
pub(super) trait Link {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize>;

    /// Runs `f` with the writing half; never while anything is written.
    fn with_writer<T>(&mut self, f: impl FnOnce(&mut Outgoing, &mut SendBuffer, &Clock) -> T) -> T;

    /// Writes what is queued.
    fn flush(&mut self) -> Result<()>;

    fn shut_down(&mut self);
}

/// The reading half.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) incoming: Incoming,
    pub(super) rx: ReceiveBuffer,
}

/// The time since the connection began, and whether the stream lets us look at it now and then.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    pub(super) epoch: Instant,
    pub(super) ticks: bool,
}

/// Looks for something to hand over: [`Incoming::advance`] or [`Incoming::advance_chunk`].
type Advance = fn(&mut Incoming, &mut ReceiveBuffer) -> Result<bool, ProtocolError>;

impl Reader {
    pub(super) fn recv(&mut self, link: &mut impl Link) -> Result<Option<Event<'_>>> {
        if !self.wait(link, Incoming::advance)? {
            return Ok(None);
        }
        let Self { incoming, rx } = self;
        incoming.next_event(rx).map_err(|error| fail(error, incoming, link))
    }

    pub(super) fn recv_chunk(&mut self, link: &mut impl Link) -> Result<Option<Chunk<'_>>> {
        if !self.wait(link, Incoming::advance_chunk)? {
            return Ok(None);
        }
        let Self { incoming, rx } = self;
        incoming.next_chunk(rx).map_err(|error| fail(error, incoming, link))
    }

    /// Whether there is something to lend; `false` once the connection is closed.
    fn wait(&mut self, link: &mut impl Link, advance: Advance) -> Result<bool> {
        loop {
            let found = advance(&mut self.incoming, &mut self.rx)
                .map_err(|e| fail(e, &mut self.incoming, link))?;
            if found && !self.incoming.is_closed() {
                return Ok(true);
            }
            link.with_writer(|outgoing, _, _| outgoing.answer(&mut self.incoming));
            // Our Close leaves before theirs is handed over: the caller may drop everything then.
            flush(link)?;
            if found {
                return Ok(true);
            }
            if link.with_writer(|outgoing, _, _| outgoing.transport()) != Transport::Keep {
                linger(&mut self.incoming, link);
                return Ok(false);
            }
            if self.fill(link)? == 0 {
                link.with_writer(|outgoing, _, _| outgoing.end());
                self.incoming.handle_eof()?;
                return Ok(false);
            }
        }
    }

    /// Reads what fits, and looks at the time whenever the stream lets it.
    fn fill(&mut self, link: &mut impl Link) -> Result<usize> {
        loop {
            let read = link.read(self.rx.spare());
            self.rx.filled(*read.as_ref().unwrap_or(&0));
            let received = Some(self.rx.received());
            let paused = link.with_writer(|outgoing, tx, clock| {
                let paused = clock.pause(read);
                match &paused {
                    Err(Error::Io(error)) if error.kind() != ErrorKind::WouldBlock => {
                        outgoing.end()
                    }
                    _ => clock.check(outgoing, received, tx)?,
                }
                paused
            })?;
            if let Some(n) = paused {
                return Ok(n);
            }
            flush(link)?; // a ping may have become due
        }
    }
}

/// Writes what is queued. If it cannot be written, what has come is still handed over: reading
/// tells how the stream ended.
fn flush(link: &mut impl Link) -> Result<()> {
    match link.flush() {
        Err(Error::Io(_)) => Ok(()),
        flushed => flushed,
    }
}

/// Ends a connection that has failed, and gives its error back.
fn fail(error: ProtocolError, incoming: &mut Incoming, link: &mut impl Link) -> Error {
    linger(incoming, link);
    error.into()
}

/// Writes what is queued, shuts down, and drops what comes until the stream ends or its time is
/// over.
///
/// Whatever fails here ends the wait; how the connection ended is known already.
fn linger(incoming: &mut Incoming, link: &mut impl Link) {
    let mut scratch = [0; 4096];
    loop {
        let transport = link.with_writer(|outgoing, tx, _| {
            outgoing.answer(incoming);
            outgoing.poll_transmit(tx);
            outgoing.transport()
        });
        if matches!(transport, Transport::Close | Transport::Keep) || link.flush().is_err() {
            break;
        }
        if transport == Transport::ShutDown {
            link.shut_down();
        }
        let read = link.read(&mut scratch);
        let go_on = link.with_writer(|outgoing, tx, clock| {
            !matches!(clock.pause(read), Ok(Some(0)) | Err(_))
                && clock.check(outgoing, None, tx).is_ok()
        });
        if !go_on {
            break;
        }
    }
    link.with_writer(|outgoing, _, _| outgoing.end());
}

impl Clock {
    pub(super) fn new(ticks: bool) -> Self {
        Self { epoch: Instant::now(), ticks }
    }

    /// How much was read or written; `None` for a pause, which is no failure: a tick or a signal.
    pub(super) fn pause(&self, moved: io::Result<usize>) -> Result<Option<usize>> {
        match moved {
            Ok(n) => Ok(Some(n)),
            Err(error) => match error.kind() {
                ErrorKind::Interrupted => Ok(None),
                ErrorKind::WouldBlock | ErrorKind::TimedOut if self.ticks => Ok(None),
                _ => Err(error.into()),
            },
        }
    }

    /// Does what is due by now.
    pub(super) fn check(
        &self,
        outgoing: &mut Outgoing,
        received: Option<u64>,
        tx: &SendBuffer,
    ) -> Result<()> {
        let now = self.epoch.elapsed();
        match outgoing.poll_timeout(now, received, tx) {
            Some(deadline) if deadline <= now => Ok(outgoing.handle_timeout(now, received, tx)?),
            _ => Ok(()),
        }
    }
}

/// Writes once, as much as the stream takes.
pub(super) fn write_some(
    io: &mut impl Write,
    transmit: &mut Transmit<'_, '_>,
) -> io::Result<usize> {
    let n = match transmit.slices() {
        [one, []] | [[], one] => io.write(one)?,
        both => io.write_vectored(&both.map(IoSlice::new))?,
    };
    if n == 0 {
        return Err(ErrorKind::WriteZero.into());
    }
    transmit.consume(n);
    Ok(n)
}
