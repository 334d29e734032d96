//! The two halves of a connection, each for one thread.
//!
//! The receiver unmasks and checks outside of any lock. One lock guards the way out:
//!
//! ```text
//!   sender ──┐             whose turn it is
//!            ├─► Queue ─────────► Out ─► stream
//!   receiver ┘   (a moment)      (as long as writing takes)
//! ```
//!
//! Encoding locks the queue for a moment. Whoever finds `Out` in it may take it, and then has the
//! turn: to write what is queued, and what is queued meanwhile, and to shut the stream down if that
//! was the last. `Out` goes back when the queue is found empty, so the receiver may leave to the
//! sender what it queues while `Out` is away.
//!
//! The receiver must not wait for a peer that reads nothing: that one may be waiting for us to read.
//! So it leaves to the sender what the sender waits to write, and to a later turn what the stream
//! does not take before it gives up waiting (see [`Stream`](super::Stream)).

use std::io;
use std::sync::{Arc, PoisonError};

use super::reader::{Clock, Link, Reader};
use super::writer::{Writer, check_not_over, go_on, write_some};
use super::{TryClone, WebSocket};
use crate::adapter::{Condvar, Mutex, MutexGuard, Result, lock};
use crate::buffer::{SendBuffer, Transmit};
use crate::close::CloseFrame;
use crate::connection::{Chunk, Event, Outgoing, Payload, Prepared, Sent, State, Transport};
use crate::error::SendError;
use crate::timing::Traffic;

impl<S: TryClone> WebSocket<S> {
    /// Splits the connection into halves that work from two threads.
    ///
    /// The receiver goes on answering pings and driving the closing handshake, so it must go on
    /// receiving.
    ///
    /// ```
    /// use sotong::{CloseCode, Event, State};
    /// # use sotong::{Config, test_kit::{Manner, blocking_pair}};
    /// # let (mut peer, ws) = blocking_pair(&Config::default(), Manner::sound());
    /// # let other = std::thread::spawn(move || {
    /// #     peer.send_text("one")?;
    /// #     assert_eq!(peer.recv()?, Some(Event::Text("two")));
    /// #     while peer.recv()?.is_some() {}
    /// #     Ok::<_, sotong::Error>(())
    /// # });
    ///
    /// let (mut receiver, mut sender) = ws.split()?;
    /// let reading = std::thread::spawn(move || {
    ///     let mut heard = Vec::new();
    ///     while let Some(event) = receiver.recv()? { // pings, too, are answered here
    ///         if let Event::Text(text) = event {
    ///             heard.push(text.to_owned());
    ///         }
    ///     }
    ///     Ok::<_, sotong::Error>(heard)
    /// });
    /// sender.send_text("two")?;
    /// sender.send_close(Some(CloseCode::NORMAL.into()))?; // the receiver sees it through
    /// assert_eq!(reading.join().unwrap()?, ["one"]);
    /// assert_eq!(sender.state(), State::Closed);
    /// # other.join().unwrap()?;
    /// # Ok::<(), sotong::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The stream has no second handle.
    pub fn split(self) -> Result<(Receiver<S>, Sender<S>)> {
        let read = self.writer.io.try_clone()?;
        let Writer { io, outgoing, tx, clock, has_shut_down } = self.writer;
        let sent = tx.sent();
        let queue = Queue {
            outgoing,
            tx,
            sent,
            accepted: sent,
            leaving: 0,
            in_flight: true, // a stream that was used before may hold something back
            has_shut_down,
            out: Some(Out { io, tx: SendBuffer::new(), waits: false }),
            is_awaited: false,
        };
        let shared = Arc::new(Shared { queue: Mutex::new(queue), is_back: Condvar::new(), clock });
        let end = End { read, shared: shared.clone() };
        Ok((Receiver { reader: self.reader, end }, Sender { shared }))
    }
}

/// The half that receives; see [`WebSocket::split`].
///
/// For an example see there.
#[derive(Debug)]
pub struct Receiver<S> {
    pub(super) reader: Reader,
    pub(super) end: End<S>,
}

/// The half that sends; see [`WebSocket::split`].
///
/// To send from several threads give each a channel to the one that owns this, or put it into a
/// lock. For an example see [`WebSocket::split`].
#[derive(Debug)]
pub struct Sender<S> {
    pub(super) shared: Arc<Shared<S>>,
}

/// The receiver's end of the stream and of what is shared.
#[derive(Debug)]
pub(super) struct End<S> {
    read: S,
    pub(super) shared: Arc<Shared<S>>,
}

#[derive(Debug)]
pub(super) struct Shared<S> {
    queue: Mutex<Queue<S>>,
    /// Told when `out` is back.
    is_back: Condvar,
    clock: Clock,
}

#[derive(Debug)]
struct Queue<S> {
    outgoing: Outgoing,
    tx: SendBuffer,
    /// Bytes that went out since the start, as far as that is known: what the stream accepts may lie
    /// in a buffer of its own, until it is flushed or has to make room for more.
    sent: u64,
    /// Bytes that the stream has accepted since the start.
    accepted: u64,
    /// How many bytes have left `tx` that the stream has not accepted yet.
    leaving: usize,
    /// Whether bytes that have left `tx` have not gone out yet, or lie in the stream's own buffer.
    in_flight: bool,
    has_shut_down: bool,
    /// Away while somebody writes.
    out: Option<Out<S>>,
    /// Whether somebody waits for `out`, to write what is queued then.
    is_awaited: bool,
}

/// Where bytes go that have left the queue.
#[derive(Debug)]
struct Out<S> {
    io: S,
    tx: SendBuffer,
    /// Whether the last write found no room; what is accepted then shows that some was made.
    waits: bool,
}

/// The turn to write. `out` goes back however it ends, also with a stream that panics.
struct Turn<'s, S> {
    shared: &'s Shared<S>,
    out: Option<Out<S>>,
}

impl<S> Drop for Turn<'_, S> {
    fn drop(&mut self) {
        if let Some(out) = self.out.take() {
            lock(&self.shared.queue).out = Some(out);
        }
        self.shared.is_back.notify_one();
    }
}

impl<S> Queue<S> {
    fn traffic(&self, received: Option<u64>) -> Traffic {
        let queued = self.in_flight || !self.tx.is_empty();
        Traffic { received, sent: self.sent, queued }
    }
}

impl<S> Shared<S> {
    /// What was sent so far.
    pub(super) fn statistics(&self) -> Sent {
        let queue = lock(&self.queue);
        queue.outgoing.sent(queue.accepted, queue.tx.len() + queue.leaving)
    }

    /// The bytes of memory that it has at the moment, with what counts the halves. While somebody
    /// writes, what is written counts as it is.
    pub(super) fn memory_used(&self) -> usize {
        let queue = lock(&self.queue);
        let outgoing = queue.outgoing.memory_used() - size_of::<Outgoing>();
        let out = queue.out.as_ref().map_or(queue.leaving, |out| out.tx.held());
        size_of::<(usize, usize, Self)>() + outgoing + queue.tx.held() + out
    }
}

impl<S: TryClone> Shared<S> {
    /// Writes what is queued, and what is queued meanwhile. `false` if this thread is not to `wait`,
    /// and the other one is writing or waits to, or the stream takes nothing at the moment.
    fn flush(&self, mut queue: MutexGuard<'_, Queue<S>>, wait: bool) -> Result<bool> {
        while wait && queue.out.is_none() {
            queue.is_awaited = true;
            queue = self.is_back.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        let Some(out) = queue.out.take() else { return Ok(false) };
        let mut turn = Turn { shared: self, out: Some(out) };
        let mut queue = queue; // unlocked before the turn is dropped
        queue.is_awaited &= !wait;
        while let Some(out) = &mut turn.out {
            let Queue { outgoing, tx, leaving, in_flight, is_awaited, .. } = &mut *queue;
            outgoing.poll_transmit(tx);
            if out.tx.is_empty() && (wait || !*is_awaited) {
                std::mem::swap(tx, &mut out.tx);
                *leaving = out.tx.len();
                *in_flight |= *leaving > 0;
            }
            if *in_flight {
                drop(queue);
                if !self.write(out, wait)? {
                    return Ok(false);
                }
                queue = lock(&self.queue);
            } else {
                if tx.is_empty() && outgoing.transport() == Transport::ShutDown {
                    // The receiver may have left this to us, and wait for what the peer does then.
                    drop(queue);
                    self.shut_down(&mut out.io);
                    queue = lock(&self.queue);
                }
                queue.out = turn.out.take();
            }
        }
        Ok(queue.tx.is_empty())
    }

    /// As [`Link::shut_down`], by a handle of the stream. Others may queue and look meanwhile.
    fn shut_down(&self, io: &mut S) -> Option<bool> {
        let mut has_shut_down = lock(&self.queue).has_shut_down;
        let done = self.clock.shut_down(io, &mut has_shut_down);
        lock(&self.queue).has_shut_down |= has_shut_down;
        done
    }

    /// Writes what has left the queue, and flushes the stream; whether that is all. It is not if
    /// this thread is not to `wait` and the stream pauses.
    fn write(&self, out: &mut Out<S>, wait: bool) -> Result<bool> {
        loop {
            let is_written = out.tx.is_empty();
            let done = match is_written {
                true => out.io.flush().map(|()| 0),
                false => write_some(&mut out.io, &mut out.tx.transmit()),
            };
            let n = self.clock.pause(done)?;
            let mut queue = lock(&self.queue);
            queue.accepted += n.unwrap_or(0) as u64;
            queue.leaving = out.tx.len();
            if !out.tx.is_empty() || out.waits || (is_written && n.is_some()) {
                queue.sent = queue.accepted;
            }
            out.waits = !is_written && n.is_none();
            queue.in_flight = !is_written || n.is_none();
            if !queue.in_flight {
                return Ok(true);
            }
            if n.is_some() && out.tx.is_empty() {
                continue; // however the connection has ended meanwhile
            }
            let seen = queue.traffic(None);
            go_on(&mut queue.outgoing, self.clock.now(), seen)?;
            // Without ticks it was a signal, and nothing would bring the receiver back.
            if n.is_none() && !wait && self.clock.ticks {
                return Ok(false);
            }
        }
    }
}

impl<S: TryClone> Link for End<S> {
    fn clock(&self) -> Clock {
        self.shared.clock
    }

    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.read.read(buf)
    }

    fn with_writer<T>(&mut self, f: impl FnOnce(&mut Outgoing, &mut SendBuffer) -> T) -> T {
        let Queue { outgoing, tx, .. } = &mut *lock(&self.shared.queue);
        f(outgoing, tx)
    }

    fn traffic(&self, received: Option<u64>) -> Traffic {
        lock(&self.shared.queue).traffic(received)
    }

    fn flush(&mut self, wait: bool) -> Result<bool> {
        self.shared.flush(lock(&self.shared.queue), wait)
    }

    fn shut_down(&mut self) -> Option<bool> {
        let Self { read, shared } = self;
        shared.shut_down(read)
    }
}

impl<S: TryClone> Receiver<S> {
    /// As [`WebSocket::recv`].
    ///
    /// For an example see [`WebSocket::split`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn recv(&mut self) -> Result<Option<Event<'_>>> {
        self.reader.recv(&mut self.end)
    }

    /// As [`WebSocket::recv_chunk`].
    ///
    /// For an example see there.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn recv_chunk(&mut self) -> Result<Option<Chunk<'_>>> {
        self.reader.recv_chunk(&mut self.end)
    }
}

impl<S: TryClone> Sender<S> {
    /// How far the closing handshake has come.
    ///
    /// For an example see [`WebSocket::split`].
    pub fn state(&self) -> State {
        lock(&self.shared.queue).outgoing.state()
    }

    /// As [`WebSocket::send_text`].
    ///
    /// For an example see [`WebSocket::split`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn send_text(&mut self, text: &str) -> Result<()> {
        self.encode(true, |outgoing, tx| outgoing.send(text, tx))
    }

    /// As [`WebSocket::send_binary`].
    ///
    /// For an example see [sending](WebSocket#sending).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn send_binary(&mut self, bytes: &[u8]) -> Result<()> {
        self.encode(true, |outgoing, tx| outgoing.send(bytes, tx))
    }

    /// As [`WebSocket::send_message`].
    ///
    /// For an example see [sending](WebSocket#sending).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn send_message<'p>(&mut self, message: impl Into<Payload<'p>>) -> Result<()> {
        let message = message.into();
        self.encode(true, |outgoing, tx| outgoing.send(message, tx))
    }

    /// As [`WebSocket::send_prepared`].
    ///
    /// For an example see [sending](WebSocket#sending).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn send_prepared(&mut self, message: &Prepared) -> Result<()> {
        self.encode(true, |outgoing, tx| outgoing.send_prepared(message, tx))
    }

    /// As [`WebSocket::send_fragment`].
    ///
    /// For an example see [sending](WebSocket#sending).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn send_fragment<'p>(&mut self, part: impl Into<Payload<'p>>, fin: bool) -> Result<()> {
        let part = part.into();
        self.encode(true, |outgoing, tx| outgoing.send_fragment(part, fin, tx))
    }

    /// Queues a text message; [`flush`](Self::flush) writes it, or what is sent next, or a queue that is
    /// full. A receiver that waits is not told of it.
    ///
    /// For an example see [sending](WebSocket#sending).
    ///
    /// # Errors
    ///
    /// As of [`WebSocket::feed_text`].
    pub fn feed_text(&mut self, text: &str) -> Result<()> {
        self.encode(false, |outgoing, tx| outgoing.send(text, tx))
    }

    /// As [`WebSocket::feed_binary`], and as [`feed_text`](Self::feed_text).
    ///
    /// For an example see [sending](WebSocket#sending).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn feed_binary(&mut self, bytes: &[u8]) -> Result<()> {
        self.encode(false, |outgoing, tx| outgoing.send(bytes, tx))
    }

    /// As [`WebSocket::feed_message`], and as [`feed_text`](Self::feed_text).
    ///
    /// For an example see [sending](WebSocket#sending).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn feed_message<'p>(&mut self, message: impl Into<Payload<'p>>) -> Result<()> {
        let message = message.into();
        self.encode(false, |outgoing, tx| outgoing.send(message, tx))
    }

    /// As [`WebSocket::feed_prepared`], and as [`feed_text`](Self::feed_text).
    ///
    /// For an example see [sending](WebSocket#sending).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn feed_prepared(&mut self, message: &Prepared) -> Result<()> {
        self.encode(false, |outgoing, tx| outgoing.send_prepared(message, tx))
    }

    /// As [`WebSocket::ping`].
    ///
    /// For an example see there.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn ping(&mut self, payload: &[u8]) -> Result<()> {
        let clock = self.shared.clock;
        self.encode(true, |outgoing, tx| outgoing.ping_at(clock.now(), payload, tx))
    }

    /// As [`WebSocket::send_close`]. The receiver then waits for the peer's Close, within its
    /// deadline.
    ///
    /// For an example see [`WebSocket::split`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn send_close(&mut self, frame: Option<CloseFrame<'_>>) -> Result<()> {
        self.encode(true, |outgoing, tx| outgoing.close(frame, tx))
    }

    /// As [`WebSocket::flush`].
    ///
    /// For an example see [sending](WebSocket#sending).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn flush(&mut self) -> Result<()> {
        self.shared.flush(lock(&self.shared.queue), true).map(|_| ())
    }

    /// Encodes something and queues it, and writes it if `now`.
    pub(super) fn encode<'p>(
        &mut self,
        now: bool,
        encode: impl for<'t> FnOnce(
            &mut Outgoing,
            &'t mut SendBuffer,
        ) -> Result<Transmit<'t, 'p>, SendError>,
    ) -> Result<()> {
        loop {
            let mut queue = lock(&self.shared.queue);
            let Queue { outgoing, tx, .. } = &mut *queue;
            outgoing.poll_transmit(tx);
            if !outgoing.is_full(tx) {
                encode(outgoing, tx)?.queue();
                // In one go: else the receiver might be the one to write it, and wait.
                return if now { self.shared.flush(queue, true).map(|_| ()) } else { Ok(()) };
            }
            check_not_over(outgoing)?;
            self.shared.flush(queue, true)?;
        }
    }
}
