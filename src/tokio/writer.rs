//! The writing half: encode, queue, write.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use ::tokio::io::AsyncWrite;

use super::pool::Pooled;
use super::timer::Timer;
use crate::adapter::Result;
use crate::buffer::{SendBuffer, Transmit};
use crate::connection::{Incoming, Outgoing, State, Transport};
use crate::error::SendError;
use crate::timing::Traffic;

/// The writing half, and what it writes to.
#[derive(Debug)]
pub(super) struct Writer<W> {
    pub(super) io: W,
    pub(super) outgoing: Outgoing,
    pub(super) tx: Pooled<SendBuffer>,
    pub(super) timer: Timer,
    /// Bytes were written since the stream was flushed.
    unflushed: bool,
    /// How many bytes have left the stream, as far as that is known: what it accepts may lie in a
    /// buffer of its own, until it is flushed or has to make room for more.
    taken: u64,
    /// Whether the last write found no room; what is accepted then shows that some was made.
    waits: bool,
    shut_down: bool,
}

impl<W: AsyncWrite + Unpin> Writer<W> {
    pub(super) fn new(io: W, outgoing: Outgoing, tx: SendBuffer) -> Self {
        let tx = Pooled::new(tx);
        // A stream that was used before may hold something back.
        Self {
            io,
            outgoing,
            taken: tx.moved(),
            tx,
            timer: Timer::default(),
            unflushed: true,
            waits: false,
            shut_down: false,
        }
    }

    /// Encodes something, and writes it if `now`.
    pub(super) fn encode<'p>(
        &mut self,
        now: bool,
        mut encode: impl for<'t> FnMut(
            &mut Outgoing,
            &'t mut SendBuffer,
        ) -> Result<Transmit<'t, 'p>, SendError>,
    ) -> impl Future<Output = Result<()>> {
        let mut is_encoded = false;
        poll_fn(move |cx| self.poll_encode_once(&mut is_encoded, &mut encode, now, cx))
    }

    pub(super) fn flush(&mut self) -> impl Future<Output = Result<()>> {
        poll_fn(|cx| self.poll_flush(cx))
    }

    /// Encodes something unless that is done, and then, if `now`, writes all that is queued.
    pub(super) fn poll_encode_once<'p>(
        &mut self,
        is_encoded: &mut bool,
        encode: impl for<'t> FnMut(
            &mut Outgoing,
            &'t mut SendBuffer,
        ) -> Result<Transmit<'t, 'p>, SendError>,
        now: bool,
        cx: &mut Context<'_>,
    ) -> Poll<Result<()>> {
        if !*is_encoded {
            ready!(self.poll_encode(encode, now, cx))?;
            *is_encoded = true;
        }
        if now { self.poll_flush(cx) } else { Poll::Ready(Ok(())) }
    }

    /// Encodes something and, if `now` or if it is too much for the queue, writes what the stream takes
    /// at once; the rest is queued. Waits while the queue is full.
    pub(super) fn poll_encode<'p>(
        &mut self,
        mut encode: impl for<'t> FnMut(
            &mut Outgoing,
            &'t mut SendBuffer,
        ) -> Result<Transmit<'t, 'p>, SendError>,
        now: bool,
        cx: &mut Context<'_>,
    ) -> Poll<Result<()>> {
        if self.outgoing.is_due() || self.outgoing.is_full(self.tx.get()) {
            ready!(self.poll_room(cx))?;
        }
        let Self { io, outgoing, tx, unflushed, waits, .. } = self;
        let transmit = encode(outgoing, tx.get())?;
        if now || transmit.len() >= outgoing.high_water() {
            *unflushed = true;
            *waits = poll_write(io, transmit, cx)?.is_pending();
        } else {
            transmit.queue();
        }
        Poll::Ready(Ok(()))
    }

    /// Queues what is due, and waits while the queue is full.
    pub(super) fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.queue_what_is_due();
        while self.outgoing.is_full(self.tx.get()) {
            // There may be room though the stream has not flushed yet what it took.
            let flushed = self.poll_flush(cx)?;
            if flushed.is_pending() && self.outgoing.is_full(self.tx.get()) {
                return Poll::Pending;
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Writes all that is queued, within the deadline for a peer that does not read.
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        loop {
            if let Poll::Ready(written) = self.poll_write_queue(cx) {
                return Poll::Ready(written.map_err(Into::into));
            }
            if self.outgoing.transport() == Transport::Close {
                return Poll::Ready(Err(SendError::Closing.into()));
            }
            let seen = self.traffic(None);
            ready!(self.timer.poll(&mut self.outgoing, seen, cx))?;
        }
    }

    /// Writes the replies that are due, as far as it goes now; what cannot be written yet is waited for
    /// together with what comes. If nothing can be written any more, what has come is still handed
    /// over: reading tells how the stream ended.
    pub(super) fn poll_replies(
        &mut self,
        incoming: &mut Incoming,
        cx: &mut Context<'_>,
    ) -> (State, Transport) {
        self.outgoing.answer(incoming);
        let _: Poll<io::Result<()>> = self.poll_write_queue(cx);
        (self.outgoing.state(), self.outgoing.transport())
    }

    /// Writes the last words and shuts down. Ready when all is written, with what to do then.
    pub(super) fn poll_say_goodbye(
        &mut self,
        incoming: &mut Incoming,
        cx: &mut Context<'_>,
    ) -> Poll<Transport> {
        self.outgoing.answer(incoming);
        if self.outgoing.transport() == Transport::Close {
            return Poll::Ready(Transport::Close); // nobody waits for it any more
        }
        match ready!(self.poll_write_queue(cx)) {
            Ok(()) if self.outgoing.transport() == Transport::ShutDown => {
                let _: Poll<io::Result<()>> = self.poll_shut_down(cx);
                Poll::Ready(Transport::ShutDown)
            }
            Ok(()) => Poll::Ready(self.outgoing.transport()),
            Err(_) => Poll::Ready(Transport::Close),
        }
    }

    fn poll_write_queue(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            // A full queue holds replies back until it is written.
            self.queue_what_is_due();
            if self.tx.is_empty() {
                break;
            }
            self.unflushed = true;
            let written = poll_write(&mut self.io, self.tx.get().transmit(), cx);
            if written.is_pending() || self.waits {
                self.taken = self.tx.moved();
            }
            self.waits = written.is_pending();
            ready!(written)?;
        }
        if self.unflushed {
            ready!(uninterrupted(|| Pin::new(&mut self.io).poll_flush(cx)))?;
            self.unflushed = false;
        }
        self.taken = self.tx.moved();
        Poll::Ready(Ok(()))
    }

    /// Queues the pong, the ping or the Close that is due.
    pub(super) fn queue_what_is_due(&mut self) {
        if self.outgoing.is_due() {
            self.outgoing.poll_transmit(self.tx.get());
        }
    }

    /// Gives memory back that is not needed while there is nothing to do.
    pub(super) fn release(&mut self) {
        self.tx.release();
        self.outgoing.release();
    }

    pub(super) fn traffic(&self, received: Option<u64>) -> Traffic {
        let queued = self.unflushed || !self.tx.is_empty();
        Traffic { received, sent: self.taken, queued }
    }

    fn poll_shut_down(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.shut_down {
            ready!(uninterrupted(|| Pin::new(&mut self.io).poll_shutdown(cx)))?;
            self.shut_down = true;
        }
        Poll::Ready(Ok(()))
    }
}

/// Encodes a message once, to be masked where it lies.
pub(super) fn in_place<'p>(
    mut bytes: &'p mut [u8],
) -> impl for<'t> FnMut(&mut Outgoing, &'t mut SendBuffer) -> Result<Transmit<'t, 'p>, SendError> {
    move |outgoing, tx| outgoing.send_binary_in_place(mem::take(&mut bytes), tx)
}

/// Polls until no signal comes in between: it is no failure, and nobody wakes who waits for it to
/// pass.
pub(super) fn uninterrupted<T>(
    mut poll: impl FnMut() -> Poll<io::Result<T>>,
) -> Poll<io::Result<T>> {
    loop {
        match poll() {
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
            polled => return polled,
        }
    }
}

/// Writes until nothing is left; what the stream does not take stays in the queue.
pub(super) fn poll_write<W: AsyncWrite + Unpin>(
    io: &mut W,
    mut transmit: Transmit<'_, '_>,
    cx: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    match io.is_write_vectored() {
        true => transmit.join_short(),
        false => transmit.join(),
    }
    while !transmit.is_empty() {
        let slices = transmit.slices();
        let n = ready!(uninterrupted(|| match slices {
            [one, []] | [[], one] => Pin::new(&mut *io).poll_write(cx, one),
            _ => Pin::new(&mut *io).poll_write_vectored(cx, &slices.map(IoSlice::new)),
        }))?;
        if n == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        transmit.consume(n);
    }
    Poll::Ready(Ok(()))
}
