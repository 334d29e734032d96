//! The writing half: encode, queue, write.

use std::io::{self, ErrorKind, IoSlice, Write};
use std::time::Duration;

use super::Stream;
use super::reader::{Clock, Link, check_time};
use crate::adapter::Result;
use crate::buffer::{SendBuffer, Transmit};
use crate::connection::{Outgoing, Transport};
use crate::error::SendError;
use crate::timing::Traffic;

/// The writing half, and what it writes to.
#[derive(Debug)]
pub(super) struct Writer<S> {
    pub(super) io: S,
    pub(super) outgoing: Outgoing,
    pub(super) tx: SendBuffer,
    pub(super) clock: Clock,
    pub(super) has_shut_down: bool,
}

impl<S: Stream> Writer<S> {
    /// Encodes something and queues it, or writes it if `now` or if it is too much for the queue.
    pub(super) fn encode<'p>(
        &mut self,
        now: bool,
        encode: impl for<'t> FnOnce(
            &mut Outgoing,
            &'t mut SendBuffer,
        ) -> Result<Transmit<'t, 'p>, SendError>,
    ) -> Result<()> {
        self.make_room()?;
        let mut transmit = encode(&mut self.outgoing, &mut self.tx)?;
        if !now && transmit.len() < self.outgoing.high_water() {
            transmit.queue();
            return Ok(());
        }
        match self.io.takes_slices() {
            true => transmit.join_short(),
            false => transmit.join_beginning(),
        }
        // What the stream does not take at once is queued, and a deadline watches over it.
        while !transmit.is_empty() {
            let written = write_some(&mut self.io, &mut transmit);
            if self.clock.pause(written)?.is_none() {
                break;
            }
        }
        drop(transmit);
        self.flush(true).map(|_| ())
    }

    fn make_room(&mut self) -> Result<()> {
        self.outgoing.poll_transmit(&mut self.tx);
        if self.outgoing.is_full(&self.tx) {
            check_not_over(&self.outgoing)?;
            self.flush(true)?;
        }
        Ok(())
    }
}

impl<S: Stream> Link for Writer<S> {
    fn clock(&self) -> Clock {
        self.clock
    }

    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.io.read(buf)
    }

    fn with_writer<T>(&mut self, f: impl FnOnce(&mut Outgoing, &mut SendBuffer) -> T) -> T {
        f(&mut self.outgoing, &mut self.tx)
    }

    fn traffic(&self, received: Option<u64>) -> Traffic {
        Traffic { received, sent: self.tx.sent(), queued: !self.tx.is_empty() }
    }

    fn flush(&mut self, _: bool) -> Result<bool> {
        loop {
            // A full queue holds replies back until it is written.
            self.outgoing.poll_transmit(&mut self.tx);
            let mut seen = self.traffic(None);
            if self.tx.is_empty() {
                if self.clock.pause(self.io.flush())?.is_some() {
                    return Ok(true);
                }
                seen.queued = true; // in the stream's own buffer
            } else {
                let written = write_some(&mut self.io, &mut self.tx.transmit());
                self.clock.pause(written)?;
                seen = self.traffic(None);
            }
            go_on(&mut self.outgoing, self.clock.now(), seen)?;
        }
    }

    fn shut_down(&mut self) -> Option<bool> {
        self.clock.shut_down(&mut self.io, &mut self.has_shut_down)
    }
}

/// Does what is due at `now`, between two writes.
pub(super) fn go_on(outgoing: &mut Outgoing, now: Duration, seen: Traffic) -> Result<()> {
    check_time(outgoing, now, seen)?;
    check_not_over(outgoing)
}

/// Nobody waits for room with a connection that is over.
pub(super) fn check_not_over(outgoing: &Outgoing) -> Result<()> {
    match outgoing.transport() {
        Transport::Close => Err(SendError::Closing.into()),
        _ => Ok(()),
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
