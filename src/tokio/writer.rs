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

    pub(super) fn encode<'p>(
        &mut self,
        now: bool,
        encode: impl Encode<'p>,
    ) -> impl Future<Output = Result<()>> {
        Sending::new(self, now, encode)
    }

    pub(super) fn flush(&mut self) -> impl Future<Output = Result<()>> {
        poll_fn(|cx| self.poll_flush(cx))
    }

    /// Encodes something and, if `now` or if it is too much for the queue, writes what the stream takes
    /// at once. Waits while the queue is full. What comes of it is what to wait for then; `rest` is
    /// what is left of a payload, and to be written before anything else.
    fn poll_encode<'p>(
        &mut self,
        encode: &mut impl Encode<'p>,
        now: bool,
        rest: &mut &'p [u8],
        cx: &mut Context<'_>,
    ) -> Poll<Result<Step>> {
        let mut tx = self.tx.get();
        if self.outgoing.is_due() || self.outgoing.is_full(tx) {
            ready!(self.poll_room(cx))?;
            tx = self.tx.get();
        }
        let Self { io, outgoing, unflushed, waits, .. } = self;
        let mut transmit = encode(outgoing, tx)?;
        if !now && transmit.len() < outgoing.high_water() {
            transmit.queue();
            return Poll::Ready(Ok(Step::Encoded));
        }
        *unflushed = true;
        *waits = poll_write(io, &mut transmit, cx)?.is_pending();
        if transmit.len() < outgoing.high_water() {
            transmit.queue();
            return Poll::Ready(Ok(Step::Encoded));
        }
        *rest = transmit.set_aside();
        Poll::Ready(Ok(Step::ToMakeRoom))
    }

    /// Writes what is queued and what is left of a payload, until the queue has room for all of it.
    fn poll_rest(&mut self, rest: &mut &[u8], cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.poll_in_time(cx, |writer, cx| {
            let Self { io, outgoing, tx, .. } = writer;
            let mut transmit = tx.get().transmit_rest(rest);
            let written = poll_write(io, &mut transmit, cx);
            let has_room = transmit.len() < outgoing.high_water();
            *rest = &[];
            if has_room {
                transmit.queue();
            } else {
                *rest = transmit.set_aside();
            }
            writer.note_progress(&written);
            match written {
                Poll::Pending if has_room => Poll::Ready(Ok(())),
                written => written,
            }
        })
    }

    /// Encodes something, and writes what the stream takes at once; the rest is queued, however much
    /// that is. Waits while the queue is full.
    pub(super) fn poll_encode_and_queue<'p>(
        &mut self,
        mut encode: impl Encode<'p>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<()>> {
        let mut rest: &[u8] = &[];
        ready!(self.poll_encode(&mut encode, true, &mut rest, cx))?;
        if !rest.is_empty() {
            self.tx.get().transmit_rest(rest).queue();
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

    /// Writes all that is queued.
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.poll_in_time(cx, Self::poll_write_queue)
    }

    /// Writes within the deadline for a peer that does not read.
    fn poll_in_time(
        &mut self,
        cx: &mut Context<'_>,
        mut write: impl FnMut(&mut Self, &mut Context<'_>) -> Poll<io::Result<()>>,
    ) -> Poll<Result<()>> {
        loop {
            if let Poll::Ready(written) = write(self, cx) {
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
        if incoming.has_reply() {
            self.outgoing.answer(incoming);
        }
        if !self.is_at_rest() {
            let _: Poll<io::Result<()>> = self.poll_write_queue(cx);
        }
        (self.outgoing.state(), self.outgoing.transport())
    }

    /// Writes the last words, and a server shuts down. Ready when all is written, with what to do then.
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
        if self.awaits_rest() {
            return Poll::Pending; // whoever has it wakes us when it is written or queued
        }
        loop {
            // A full queue holds replies back until it is written.
            self.queue_what_is_due();
            if self.tx.is_empty() {
                break;
            }
            self.unflushed = true;
            let written = poll_write(&mut self.io, &mut self.tx.get().transmit(), cx);
            self.note_progress(&written);
            ready!(written)?;
        }
        if self.unflushed {
            ready!(uninterrupted(|| Pin::new(&mut self.io).poll_flush(cx)))?;
            self.unflushed = false;
        }
        self.taken = self.tx.moved();
        Poll::Ready(Ok(()))
    }

    /// Whether there is nothing to write: asked before nearly every read.
    #[inline(always)]
    fn is_at_rest(&self) -> bool {
        !self.unflushed && self.tx.is_empty() && !self.outgoing.is_due()
    }

    /// Keeps in mind what is known of how much the stream has taken.
    fn note_progress(&mut self, written: &Poll<io::Result<()>>) {
        if written.is_pending() || self.waits {
            self.taken = self.tx.moved();
        }
        self.waits = written.is_pending();
    }

    /// Whether the middle of a frame is yet to come from whoever sends it.
    pub(super) fn awaits_rest(&self) -> bool {
        self.tx.is_there_and(SendBuffer::awaits_rest)
    }

    /// Queues the pong, the ping or the Close that is due.
    pub(super) fn queue_what_is_due(&mut self) {
        if self.outgoing.is_due() && !self.awaits_rest() {
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

    /// Shuts the writing direction down, once.
    pub(super) fn poll_shut_down(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.shut_down {
            ready!(uninterrupted(|| Pin::new(&mut self.io).poll_shutdown(cx)))?;
            self.shut_down = true;
        }
        Poll::Ready(Ok(()))
    }
}

/// Puts something into the queue, or says of a large payload that it comes behind it.
pub(super) trait Encode<'p>:
    for<'t> FnMut(&mut Outgoing, &'t mut SendBuffer) -> Result<Transmit<'t, 'p>, SendError> + Unpin
{
}

impl<'p, F> Encode<'p> for F where
    F: for<'t> FnMut(&mut Outgoing, &'t mut SendBuffer) -> Result<Transmit<'t, 'p>, SendError>
        + Unpin
{
}

/// How to get at the writing half, which may be shared with another task.
pub(super) trait Access {
    type Write: AsyncWrite + Unpin;

    /// Runs `f` with the writing half, and with a context that wakes whoever waits for it.
    fn with_writer<T>(
        &mut self,
        cx: &mut Context<'_>,
        f: impl FnOnce(&mut Writer<Self::Write>, &mut Context<'_>) -> T,
    ) -> T;

    /// Runs `f` with the writing half, for something that waits for nothing: who is woken stays as it
    /// was.
    fn change_writer<T>(&mut self, f: impl FnOnce(&mut Writer<Self::Write>) -> T) -> T;
}

impl<W: AsyncWrite + Unpin> Access for Writer<W> {
    type Write = W;

    #[inline(always)]
    fn with_writer<T>(
        &mut self,
        cx: &mut Context<'_>,
        f: impl FnOnce(&mut Self, &mut Context<'_>) -> T,
    ) -> T {
        f(self, cx)
    }

    fn change_writer<T>(&mut self, f: impl FnOnce(&mut Self) -> T) -> T {
        f(self)
    }
}

/// Encodes something once, and waits until it is written or, if not `now`, until there is room for it
/// in the queue.
///
/// What the stream has not taken of a large payload stays where it is. If nobody waits any more it
/// is copied into the queue: a frame is never left half sent.
pub(super) struct Sending<'w, 'p, A: Access, E> {
    access: &'w mut A,
    encode: E,
    now: bool,
    step: Step,
    rest: &'p [u8],
}

/// What is done for it next.
#[derive(Clone, Copy)]
enum Step {
    ToEncode,
    ToMakeRoom,
    Encoded,
}

impl<'w, 'p, A: Access, E: Encode<'p>> Sending<'w, 'p, A, E> {
    pub(super) fn new(access: &'w mut A, now: bool, encode: E) -> Self {
        Self { access, encode, now, step: Step::ToEncode, rest: &[] }
    }
}

impl<'p, A: Access, E: Encode<'p>> Future for Sending<'_, 'p, A, E> {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let Self { access, encode, now, step, rest } = &mut *self;
        access.with_writer(cx, |writer, cx| {
            if let Step::ToEncode = step {
                *step = ready!(writer.poll_encode(encode, *now, rest, cx))?;
            }
            if let Step::ToMakeRoom = step {
                ready!(writer.poll_rest(rest, cx))?;
                *step = Step::Encoded;
            }
            if *now { writer.poll_flush(cx) } else { Poll::Ready(Ok(())) }
        })
    }
}

impl<A: Access, E> Drop for Sending<'_, '_, A, E> {
    fn drop(&mut self) {
        if !self.rest.is_empty() {
            self.access.change_writer(|writer| writer.tx.get().transmit_rest(self.rest).queue());
        }
    }
}

/// Encodes a message once, to be masked where it lies.
pub(super) fn in_place<'p>(mut bytes: &'p mut [u8]) -> impl Encode<'p> {
    move |outgoing: &mut Outgoing, tx| outgoing.send_binary_in_place(mem::take(&mut bytes), tx)
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

/// Writes until nothing is left.
pub(super) fn poll_write<W: AsyncWrite + Unpin>(
    io: &mut W,
    transmit: &mut Transmit<'_, '_>,
    cx: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    match io.is_write_vectored() {
        true => transmit.join_short(),
        false => transmit.join_beginning(),
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
