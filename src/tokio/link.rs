//! The one loop that moves bytes between a stream and the core; a whole
//! [`WebSocket`](super::WebSocket) and the halves of one share it.
//!
//! Everything here is a `poll_*` that keeps its state in the two structs, so a caller that stops
//! waiting loses nothing.

use std::boxed::Box;
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use ::tokio::io::{AsyncWrite, ReadBuf};
use ::tokio::time::{Instant, Sleep, sleep_until};

use super::pool;
use crate::adapter::Result;
use crate::buffer::{ReceiveBuffer, SendBuffer, Transmit};
use crate::connection::{Chunk, Event, Incoming, Outgoing, State, Transport};
use crate::error::{ProtocolError, SendError};
use crate::timing::Traffic;

/// How the loop gets at the stream and at the writing half, which may be shared with another task.
pub(super) trait Link {
    type Write: AsyncWrite + Unpin;

    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>>;

    /// Runs `f` with the writing half, and with a context that wakes whoever waits for it.
    fn with_writer<T>(
        &mut self,
        cx: &mut Context<'_>,
        f: impl FnOnce(&mut Writer<Self::Write>, &mut Context<'_>) -> T,
    ) -> T;
}

/// The reading half.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) incoming: Incoming,
    pub(super) rx: ReceiveBuffer,
    pub(super) timer: Timer,
    /// Whether the error that ended the connection was an item of the stream.
    pub(super) has_told_error: bool,
}

/// The writing half, and what it writes to.
#[derive(Debug)]
pub(super) struct Writer<W> {
    pub(super) io: W,
    pub(super) outgoing: Outgoing,
    pub(super) tx: SendBuffer,
    pub(super) timer: Timer,
    /// Bytes were written since the stream was flushed.
    unflushed: bool,
    shut_down: bool,
}

/// Looks for something to hand over: [`Incoming::advance`] or [`Incoming::advance_chunk`].
pub(super) type Advance = fn(&mut Incoming, &mut ReceiveBuffer) -> Result<bool, ProtocolError>;

impl Reader {
    pub(super) async fn recv<L: Link>(&mut self, link: &mut L) -> Result<Option<Event<'_>>> {
        if !self.wait(link, Incoming::advance).await? {
            return Ok(None);
        }
        let Self { incoming, rx, timer, .. } = self;
        match incoming.next_event(rx) {
            Ok(event) => Ok(event),
            Err(error) => Err(fail(error, incoming, timer, link).await),
        }
    }

    pub(super) async fn recv_chunk<L: Link>(&mut self, link: &mut L) -> Result<Option<Chunk<'_>>> {
        if !self.wait(link, Incoming::advance_chunk).await? {
            return Ok(None);
        }
        let Self { incoming, rx, timer, .. } = self;
        match incoming.next_chunk(rx) {
            Ok(chunk) => Ok(chunk),
            Err(error) => Err(fail(error, incoming, timer, link).await),
        }
    }

    async fn wait<L: Link>(&mut self, link: &mut L, advance: Advance) -> Result<bool> {
        std::future::poll_fn(|cx| self.poll_advance(link, advance, cx)).await
    }

    /// Ready with whether there is something to lend; `false` once the connection is closed.
    pub(super) fn poll_advance<L: Link>(
        &mut self,
        link: &mut L,
        advance: Advance,
        cx: &mut Context<'_>,
    ) -> Poll<Result<bool>> {
        let mut has_read = false;
        loop {
            match advance(&mut self.incoming, &mut self.rx) {
                Ok(false) => {}
                Ok(true) if self.incoming.is_closed() => {
                    // Our Close leaves before theirs is handed over: the caller may drop everything
                    // then. If it cannot leave, the next call tells.
                    ready!(self.poll_flush(link, cx)).ok();
                    return Poll::Ready(Ok(true));
                }
                Ok(true) => {
                    if self.incoming.has_reply() {
                        // A pong goes before whatever the application answers to what came later.
                        link.with_writer(cx, |writer, _| {
                            writer.outgoing.answer(&mut self.incoming);
                            writer.outgoing.poll_transmit(&mut writer.tx);
                        });
                    }
                    return Poll::Ready(Ok(true));
                }
                Err(_) => return self.poll_end(link, cx),
            }
            match link.with_writer(cx, |writer, cx| writer.poll_replies(&mut self.incoming, cx)) {
                (State::Open, _) => {}
                (_, Transport::Keep) => {
                    // The deadline of a close holds even if the peer never pauses.
                    if has_read && let Poll::Ready(timed) = self.poll_timeout(link, cx) {
                        timed?;
                    }
                }
                _ => return self.poll_end(link, cx),
            }
            match self.poll_fill(link, cx) {
                Poll::Ready(Ok(0)) => {
                    // The peer may still read; if not, writing fails soon enough.
                    ready!(self.poll_flush(link, cx)).ok();
                    return self.poll_end(link, cx);
                }
                Poll::Ready(Ok(_)) => has_read = true,
                Poll::Ready(Err(error)) => {
                    link.with_writer(cx, |writer, _| writer.outgoing.end());
                    return Poll::Ready(Err(error.into()));
                }
                Poll::Pending => ready!(self.poll_timeout(link, cx))?,
            }
        }
    }

    /// Ends the connection; how it ended is the core's to say.
    fn poll_end<L: Link>(&mut self, link: &mut L, cx: &mut Context<'_>) -> Poll<Result<bool>> {
        ready!(poll_linger(&mut self.incoming, &mut self.timer, link, cx));
        Poll::Ready(self.incoming.handle_eof().map(|()| false).map_err(Into::into))
    }

    /// Reads what fits; nothing is held while there is nothing to read.
    fn poll_fill<L: Link>(
        &mut self,
        link: &mut L,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        pool::attach(&mut self.rx);
        let mut buf = ReadBuf::new(self.rx.spare());
        let polled = link.poll_read(cx, &mut buf);
        let n = buf.filled().len();
        self.rx.filled(n);
        if polled.is_pending() {
            pool::detach(&mut self.rx);
        }
        polled.map_ok(|()| n)
    }

    fn poll_flush<L: Link>(&mut self, link: &mut L, cx: &mut Context<'_>) -> Poll<Result<()>> {
        link.with_writer(cx, |writer, cx| {
            writer.outgoing.answer(&mut self.incoming);
            writer.poll_flush(cx)
        })
    }

    /// Ready when something was done because its time had come.
    fn poll_timeout<L: Link>(&mut self, link: &mut L, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let received = Some(self.rx.received());
        let timer = &mut self.timer;
        link.with_writer(cx, |writer, cx| {
            writer.tx.release();
            let seen = writer.traffic(received);
            timer.poll(&mut writer.outgoing, seen, cx)
        })
    }
}

/// Ends a connection that has failed, and gives its error back.
async fn fail<L: Link>(
    error: ProtocolError,
    incoming: &mut Incoming,
    timer: &mut Timer,
    link: &mut L,
) -> crate::Error {
    std::future::poll_fn(|cx| poll_linger(incoming, timer, link, cx)).await;
    error.into()
}

/// Writes what is queued, shuts down, and drops what comes until the stream ends or its time is over.
///
/// Whatever fails here ends the wait; how the connection ended is known already.
fn poll_linger<L: Link>(
    incoming: &mut Incoming,
    timer: &mut Timer,
    link: &mut L,
    cx: &mut Context<'_>,
) -> Poll<()> {
    // A peer may send for ever: after so many reads other tasks have their turn.
    const READS: usize = 64;

    for _ in 0..READS {
        let goodbye = link.with_writer(cx, |writer, cx| writer.poll_say_goodbye(incoming, cx));
        let dropped = poll_drop_input(link, cx);
        let is_said = goodbye.is_ready();
        let is_over = matches!(goodbye, Poll::Ready(Transport::Close | Transport::Keep))
            || matches!(dropped, Poll::Ready(Ok(0)) if is_said)
            || matches!(dropped, Poll::Ready(Err(_)));
        let timed = link.with_writer(cx, |writer, cx| {
            let seen = writer.traffic(None);
            timer.poll(&mut writer.outgoing, seen, cx)
        });
        if is_over || matches!(timed, Poll::Ready(Err(_))) {
            link.with_writer(cx, |writer, _| writer.outgoing.end());
            return Poll::Ready(());
        }
        // At the end of the input only the output is waited for.
        if !matches!(dropped, Poll::Ready(Ok(1..))) && timed.is_pending() {
            return Poll::Pending;
        }
    }
    cx.waker().wake_by_ref();
    Poll::Pending
}

/// Reads and forgets; how many bytes those were.
fn poll_drop_input<L: Link>(link: &mut L, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
    let mut scratch = [0; 4096];
    let mut dropped = ReadBuf::new(&mut scratch);
    link.poll_read(cx, &mut dropped).map_ok(|()| dropped.filled().len())
}

impl<W: AsyncWrite + Unpin> Writer<W> {
    pub(super) fn new(io: W, outgoing: Outgoing, tx: SendBuffer, timer: Timer) -> Self {
        // A stream that was used before may hold something back.
        Self { io, outgoing, tx, timer, unflushed: true, shut_down: false }
    }

    /// Encodes something, and writes it if `now`.
    pub(super) async fn encode<'p>(
        &mut self,
        now: bool,
        mut encode: impl for<'t> FnMut(
            &mut Outgoing,
            &'t mut SendBuffer,
        ) -> Result<Transmit<'t, 'p>, SendError>,
    ) -> Result<()> {
        std::future::poll_fn(|cx| self.poll_encode(&mut encode, now, cx)).await?;
        if now { self.flush().await } else { Ok(()) }
    }

    pub(super) async fn flush(&mut self) -> Result<()> {
        std::future::poll_fn(|cx| self.poll_flush(cx)).await
    }

    /// Encodes something and, if `now`, writes what the stream takes at once; the rest is queued.
    /// Waits while the queue is full.
    pub(super) fn poll_encode<'p>(
        &mut self,
        mut encode: impl for<'t> FnMut(
            &mut Outgoing,
            &'t mut SendBuffer,
        ) -> Result<Transmit<'t, 'p>, SendError>,
        now: bool,
        cx: &mut Context<'_>,
    ) -> Poll<Result<()>> {
        ready!(self.poll_room(cx))?;
        let Self { io, outgoing, tx, unflushed, .. } = self;
        let transmit = encode(outgoing, tx)?;
        if now {
            *unflushed = true;
            let _: Poll<()> = poll_write(io, transmit, cx)?;
        } else {
            transmit.queue();
        }
        Poll::Ready(Ok(()))
    }

    /// Waits while the queue is full.
    pub(super) fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.outgoing.poll_transmit(&mut self.tx);
        while self.outgoing.is_full(&self.tx) {
            ready!(self.poll_flush(cx))?;
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
    fn poll_replies(
        &mut self,
        incoming: &mut Incoming,
        cx: &mut Context<'_>,
    ) -> (State, Transport) {
        self.outgoing.answer(incoming);
        let _: Poll<io::Result<()>> = self.poll_write_queue(cx);
        (self.outgoing.state(), self.outgoing.transport())
    }

    /// Writes the last words and shuts down. Ready when all is written, with what to do then.
    fn poll_say_goodbye(
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
            self.outgoing.poll_transmit(&mut self.tx);
            if self.tx.is_empty() {
                break;
            }
            self.unflushed = true;
            ready!(poll_write(&mut self.io, self.tx.transmit(), cx))?;
        }
        if self.unflushed {
            ready!(Pin::new(&mut self.io).poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    fn traffic(&self, received: Option<u64>) -> Traffic {
        let queued = self.unflushed || !self.tx.is_empty();
        Traffic { received, sent: self.tx.sent(), queued }
    }

    fn poll_shut_down(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.shut_down {
            ready!(Pin::new(&mut self.io).poll_shutdown(cx))?;
            self.shut_down = true;
        }
        Poll::Ready(Ok(()))
    }
}

/// Writes until nothing is left; what the stream does not take stays in the queue.
fn poll_write<W: AsyncWrite + Unpin>(
    io: &mut W,
    mut transmit: Transmit<'_, '_>,
    cx: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    if !io.is_write_vectored() {
        transmit.join();
    }
    while !transmit.is_empty() {
        let slices = transmit.slices();
        let io = Pin::new(&mut *io);
        let n = match slices {
            [one, []] | [[], one] => ready!(io.poll_write(cx, one))?,
            _ => ready!(io.poll_write_vectored(cx, &slices.map(IoSlice::new)))?,
        };
        if n == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        transmit.consume(n);
    }
    Poll::Ready(Ok(()))
}

/// The deadlines of a connection on tokio's clock.
#[derive(Debug)]
pub(super) struct Timer {
    epoch: Instant,
    /// Set to some deadline of before: a later one is not worth to set it anew.
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Timer {
    pub(super) fn new() -> Self {
        Self { epoch: Instant::now(), sleep: None }
    }

    /// The steps in which tokio's timers go.
    const GRANULE: Duration = Duration::from_millis(1);

    /// Another one of the same epoch.
    pub(super) fn twin(&self) -> Self {
        Self { epoch: self.epoch, sleep: None }
    }

    /// Ready when a deadline has passed and something was done because of it.
    ///
    /// It is the timer that must have gone off, not the clock that is past the deadline: then the
    /// runtime has looked for input in between, and silence is silence.
    fn poll(
        &mut self,
        outgoing: &mut Outgoing,
        seen: Traffic,
        cx: &mut Context<'_>,
    ) -> Poll<Result<()>> {
        loop {
            let now = self.epoch.elapsed();
            let deadline = outgoing.poll_timeout(now, seen);
            // A time so far away that it cannot be told never comes.
            let Some(deadline) = deadline.and_then(|deadline| self.epoch.checked_add(deadline))
            else {
                return Poll::Pending;
            };
            let earliest = Instant::now() + Self::GRANULE;
            let sleep =
                self.sleep.get_or_insert_with(|| Box::pin(sleep_until(deadline.max(earliest))));
            if sleep.is_elapsed() && sleep.deadline() >= deadline {
                return Poll::Ready(outgoing.handle_timeout(now, seen).map_err(Into::into));
            }
            if sleep.is_elapsed() || sleep.deadline() > deadline.max(earliest) {
                sleep.as_mut().reset(deadline.max(earliest));
            }
            ready!(sleep.as_mut().poll(cx));
        }
    }
}
