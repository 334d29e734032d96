//! The one loop that reads; a whole [`WebSocket`](super::WebSocket) and the
//! [`Receiver`](super::Receiver) of a split one share it.
//!
//! Everything here is a `poll_*` that keeps its state in the struct, so a caller that stops waiting
//! loses nothing.

use std::future::poll_fn;
use std::io;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use ::tokio::io::ReadBuf;

use super::pool::Pooled;
use super::timer::{Timer, now};
use super::writer::{Access, uninterrupted};
use crate::adapter::Result;
use crate::buffer::ReceiveBuffer;
use crate::connection::{Chunk, Event, Incoming, State, Transport};
use crate::error::ProtocolError;
use crate::trace;

/// How the loop gets at the stream, and at the writing half.
pub(super) trait Link: Access {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>>;
}

/// The reading half.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) incoming: Incoming,
    pub(super) rx: Pooled<ReceiveBuffer>,
    pub(super) timer: Timer,
    /// Whether something was read since the deadlines were looked at.
    pub(super) has_read: bool,
    /// Whether the stream has ended, which a stream need not say twice.
    pub(super) has_ended: bool,
    /// Whether the error that ended the connection was an item of the stream.
    pub(super) has_told_error: bool,
}

// What to look for: events, pieces of any message, of the one that is claimed, bytes of all.
pub(super) const WHOLE: u8 = 0;
pub(super) const PIECES: u8 = 1;
pub(super) const CLAIMED: u8 = 2;
pub(super) const BYTES: u8 = 3;

impl Reader {
    pub(super) fn recv<'r, L: Link>(&'r mut self, link: &'r mut L) -> Recv<'r, L> {
        Recv::Waiting(Some((self, link)))
    }

    pub(super) async fn recv_chunk<L: Link>(&mut self, link: &mut L) -> Result<Option<Chunk<'_>>> {
        if !poll_fn(|cx| self.poll_advance::<_, PIECES>(link, cx)).await? {
            return Ok(None);
        }
        let Self { incoming, rx, timer, .. } = self;
        match incoming.next_chunk(rx.get()) {
            Ok(chunk) => Ok(chunk),
            Err(error) => Err(Fail { error, incoming, timer, link }.await),
        }
    }

    /// Lends what [`poll_advance`](Self::poll_advance) has found.
    pub(super) async fn lend<'r, L: Link>(
        &'r mut self,
        link: &'r mut L,
    ) -> Result<Option<Event<'r>>> {
        let Self { incoming, rx, timer, .. } = self;
        match incoming.lend(rx.get()) {
            Ok(event) => Ok(event),
            Err(error) => Err(Fail { error, incoming, timer, link }.await),
        }
    }

    /// Ready with whether there is a part of a message, control frames passed over; `false` if the
    /// connection is closed, or if the peer's Close frame is what has come.
    pub(super) fn poll_data<L: Link, const BY: u8>(
        &mut self,
        link: &mut L,
        cx: &mut Context<'_>,
    ) -> Poll<Result<bool>> {
        loop {
            if !ready!(self.poll_advance::<_, BY>(link, cx))? {
                return Poll::Ready(Ok(false));
            }
            if !self.incoming.pass_over_control(self.rx.get()) {
                return Poll::Ready(Ok(self.incoming.has_data()));
            }
        }
    }

    /// What is left of the piece that [`poll_data`](Self::poll_data) has found.
    pub(super) fn left(&mut self) -> &[u8] {
        self.incoming.left(self.rx.get()).map_or(&[], |(left, _)| left)
    }

    /// Ready with whether there is something to lend; `false` once the connection is closed.
    #[inline(always)]
    pub(super) fn poll_advance<L: Link, const BY: u8>(
        &mut self,
        link: &mut L,
        cx: &mut Context<'_>,
    ) -> Poll<Result<bool>> {
        loop {
            let (incoming, rx) = (&mut self.incoming, self.rx.get());
            let advanced = match BY {
                WHOLE => incoming.advance(rx),
                PIECES => incoming.advance_chunk(rx),
                CLAIMED => incoming.advance_claimed(rx),
                _ => incoming.advance_bytes(rx),
            };
            match advanced {
                Ok(true) => return self.poll_hand_over(link, cx).map(|()| Ok(true)),
                Ok(false) => {}
                Err(_) => return self.poll_end(link, cx),
            }
            match link.with_writer(cx, |writer, cx| writer.poll_replies(&mut self.incoming, cx)) {
                (State::Open, _) => {}
                (_, Transport::Keep) => {
                    // The deadline of a close holds even if the peer never pauses: it is looked at
                    // between two reads.
                    if mem::take(&mut self.has_read)
                        && let Poll::Ready(timed) = self.poll_timeout(link, cx)
                    {
                        timed?;
                    }
                }
                _ => return self.poll_end(link, cx),
            }
            let read = match self.has_ended {
                true => Poll::Ready(Ok(0)),
                false => self.rx.poll_read(|buf| link.poll_read(cx, buf)),
            };
            match read {
                Poll::Ready(Ok(0)) => {
                    self.has_ended = true;
                    // The peer may still read; if not, writing fails soon enough.
                    ready!(self.poll_flush(link, cx));
                    return self.poll_end(link, cx);
                }
                Poll::Ready(Ok(_)) => self.has_read = true,
                Poll::Ready(Err(error)) => {
                    trace::stream_failed(&error.kind());
                    link.with_writer(cx, |writer, _| writer.outgoing.end());
                    return Poll::Ready(Err(error.into()));
                }
                Poll::Pending => ready!(self.poll_timeout(link, cx))?,
            }
        }
    }

    /// Queues the reply to what is handed over, so that it goes before whatever the application says
    /// then. A Close leaves at once: the caller may drop everything after the peer's.
    fn poll_hand_over<L: Link>(&mut self, link: &mut L, cx: &mut Context<'_>) -> Poll<()> {
        if self.incoming.is_closed() {
            return self.poll_flush(link, cx);
        }
        if self.incoming.has_reply() {
            link.with_writer(cx, |writer, _| {
                writer.outgoing.answer(&mut self.incoming);
                if writer.outgoing.awaits_time() {
                    writer.outgoing.tell_time(now());
                }
                writer.queue_what_is_due();
            });
        }
        Poll::Ready(())
    }

    /// Ends the connection; how it ended is the core's to say.
    fn poll_end<L: Link>(&mut self, link: &mut L, cx: &mut Context<'_>) -> Poll<Result<bool>> {
        ready!(poll_linger(&mut self.incoming, &mut self.timer, link, cx));
        Poll::Ready(self.incoming.handle_eof().map(|()| false).map_err(Into::into))
    }

    /// Writes all that is queued. If it cannot be written, the next call tells.
    fn poll_flush<L: Link>(&mut self, link: &mut L, cx: &mut Context<'_>) -> Poll<()> {
        link.with_writer(cx, |writer, cx| {
            writer.outgoing.answer(&mut self.incoming);
            writer.poll_flush(cx).map(|_| ())
        })
    }

    /// Ready when something was done because its time had come.
    fn poll_timeout<L: Link>(&mut self, link: &mut L, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let received = Some(self.rx.moved());
        self.incoming.release();
        let timer = &mut self.timer;
        link.with_writer(cx, |writer, cx| {
            writer.release();
            let seen = writer.traffic(received);
            timer.poll(&mut writer.outgoing, seen, cx)
        })
    }
}

/// Waits for an event. By hand and inlined, since an event that is handed from one generated future
/// to the next takes longer than all that is done to find it.
pub(super) enum Recv<'r, L> {
    /// The reader and its link, until there is something to lend.
    Waiting(Option<(&'r mut Reader, &'r mut L)>),
    /// What was to be lent is no text.
    Failing(Fail<'r, L>),
}

impl<'r, L: Link> Recv<'r, L> {
    /// The event, and the link back.
    #[inline(always)]
    pub(super) fn poll_both(&mut self, cx: &mut Context<'_>) -> PollBoth<'r, L> {
        // What nearly always comes next takes neither a read nor a reply.
        if let Self::Waiting(halves) = self
            && let Some((reader, _)) = halves
            && let Some(single) = reader.incoming.take_single(reader.rx.get())
            && let Some((reader, link)) = halves.take()
        {
            let Reader { incoming, rx, timer, .. } = reader;
            match incoming.lend_single(single, rx.get()) {
                Ok(event) => return Poll::Ready(Ok(Some((event, link)))),
                Err(error) => *self = Self::Failing(Fail { error, incoming, timer, link }),
            }
        }
        // Taken apart and put together again: what a call returns lies in memory, and handed on as it is
        // it would have the event above lie there, too.
        match ready!(self.poll_any(cx)) {
            Ok(Some((event, link))) => Poll::Ready(Ok(Some((event, link)))),
            Ok(None) => Poll::Ready(Ok(None)),
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    /// As [`poll_both`](Self::poll_both), whatever comes. A call, so that an error is made in a place
    /// of its own: where it shares one with an event, compilers move the event in pieces.
    #[inline(never)]
    fn poll_any(&mut self, cx: &mut Context<'_>) -> PollBoth<'r, L> {
        loop {
            match self {
                Self::Waiting(halves) => {
                    let (reader, link) = halves.as_mut().expect(POLLED_AGAIN);
                    if !ready!(reader.poll_advance::<_, WHOLE>(*link, cx))? {
                        return Poll::Ready(Ok(None));
                    }
                    let (reader, link) = halves.take().expect(POLLED_AGAIN);
                    let Reader { incoming, rx, timer, .. } = reader;
                    match incoming.lend(rx.get()) {
                        Ok(event) => return Poll::Ready(Ok(event.map(|event| (event, link)))),
                        Err(error) => *self = Self::Failing(Fail { error, incoming, timer, link }),
                    }
                }
                Self::Failing(fail) => return Pin::new(fail).poll(cx).map(Err),
            }
        }
    }
}

type PollBoth<'r, L> = Poll<Result<Option<(Event<'r>, &'r mut L)>>>;

impl<'r, L: Link> Future for Recv<'r, L> {
    type Output = Result<Option<Event<'r>>>;

    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.poll_both(cx).map_ok(|both| both.map(|(event, _)| event))
    }
}

const POLLED_AGAIN: &str = "a future that is done is not polled again";

/// Ends a connection that has failed, and gives its error back.
pub(super) struct Fail<'r, L> {
    error: ProtocolError,
    incoming: &'r mut Incoming,
    timer: &'r mut Timer,
    link: &'r mut L,
}

impl<L: Link> Future for Fail<'_, L> {
    type Output = crate::Error;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { error, incoming, timer, link } = &mut *self;
        ready!(poll_linger(incoming, timer, *link, cx));
        Poll::Ready((*error).into())
    }
}

/// Writes what is queued, a server shuts down, and what comes is dropped until the stream ends or its
/// time is over. Then a client shuts down as well: whoever keeps its WebSocket would keep the peer
/// waiting.
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
        let dropped = poll_drop_input(|buf| link.poll_read(cx, buf));
        let is_over = match goodbye {
            Poll::Ready(Transport::Close | Transport::Keep) => true,
            Poll::Ready(_) if matches!(dropped, Poll::Ready(Ok(0))) => {
                link.with_writer(cx, |writer, cx| writer.poll_shut_down(cx)).is_ready()
            }
            _ => matches!(dropped, Poll::Ready(Err(_))),
        };
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
pub(super) fn poll_drop_input(
    mut poll_read: impl FnMut(&mut ReadBuf<'_>) -> Poll<io::Result<()>>,
) -> Poll<io::Result<usize>> {
    let mut scratch = [0; 4096];
    let mut dropped = ReadBuf::new(&mut scratch);
    uninterrupted(|| poll_read(&mut dropped)).map_ok(|()| dropped.filled().len())
}
