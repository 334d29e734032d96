//! The two halves of a connection, each for one thread.
//!
//! The receiver unmasks and checks outside of any lock. Two locks guard the way out:
//!
//! ```text
//!   sender ──┐           whoever sets is_writing
//!            ├─► Queue ─────────► Out ─► stream
//!   receiver ┘   (a moment)      (as long as writing takes)
//! ```
//!
//! Encoding takes the queue for a moment. Who finds it with nobody writing takes what is queued
//! over to `Out` and writes it; whoever comes meanwhile only queues, and the writer takes that
//! along. So the receiver never waits for a sender whose peer does not read, unless all that is
//! left to do is to shut down a stream that does not tick.

use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use super::reader::{Clock, Link, Reader};
use super::writer::{Writer, go_on, write_some};
use super::{TryClone, WebSocket};
use crate::adapter::{Result, lock};
use crate::buffer::{SendBuffer, Transmit};
use crate::close::CloseFrame;
use crate::connection::{Chunk, Event, Outgoing, Payload, Prepared, State};
use crate::error::SendError;
use crate::timing::Traffic;

impl<S: TryClone> WebSocket<S> {
    /// Splits the connection into halves that work from two threads.
    ///
    /// The receiver goes on answering pings and driving the closing handshake, so it must go on
    /// receiving.
    ///
    /// # Errors
    ///
    /// The stream has no second handle.
    pub fn split(self) -> Result<(Receiver<S>, Sender<S>)> {
        let read = self.writer.io.try_clone()?;
        let Writer { io, outgoing, tx, clock, has_shut_down } = self.writer;
        let queue = Queue { outgoing, tx, sent: 0, in_flight: 0, is_writing: false, has_shut_down };
        let out = Out { io, tx: SendBuffer::new() };
        let shared = Arc::new(Shared {
            queue: Mutex::new(queue),
            written: Condvar::new(),
            out: Mutex::new(out),
            clock,
        });
        let end = End { read, shared: shared.clone() };
        Ok((Receiver { reader: self.reader, end }, Sender { shared }))
    }
}

/// The half that receives; see [`WebSocket::split`].
#[derive(Debug)]
pub struct Receiver<S> {
    reader: Reader,
    end: End<S>,
}

/// The half that sends; see [`WebSocket::split`].
#[derive(Debug)]
pub struct Sender<S> {
    shared: Arc<Shared<S>>,
}

/// The receiver's end of the stream and of what is shared.
#[derive(Debug)]
struct End<S> {
    read: S,
    shared: Arc<Shared<S>>,
}

#[derive(Debug)]
struct Shared<S> {
    queue: Mutex<Queue>,
    /// Told whenever a thread is done with writing.
    written: Condvar,
    /// Taken by the thread that set `is_writing`, so nobody waits for it.
    out: Mutex<Out<S>>,
    clock: Clock,
}

#[derive(Debug)]
struct Queue {
    outgoing: Outgoing,
    tx: SendBuffer,
    /// Bytes that went out since the split.
    sent: u64,
    /// Bytes that have left `tx` and are being written.
    in_flight: usize,
    is_writing: bool,
    has_shut_down: bool,
}

/// Where bytes go that have left the queue.
#[derive(Debug)]
struct Out<S> {
    io: S,
    tx: SendBuffer,
}

impl Queue {
    fn traffic(&self, received: Option<u64>) -> Traffic {
        let queued = self.in_flight > 0 || !self.tx.is_empty();
        Traffic { received, sent: self.sent, queued }
    }
}

impl<S: TryClone> Shared<S> {
    /// Writes what is queued, and what is queued meanwhile. `false` if another thread is writing and
    /// this one is not to `wait` for it.
    fn flush(&self, wait: bool) -> Result<bool> {
        let mut queue = lock(&self.queue);
        while queue.is_writing {
            if !wait {
                return Ok(false);
            }
            queue = self.written.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        let mut out = lock(&self.out);
        let mut is_flushed = false;
        loop {
            let Queue { outgoing, tx, in_flight, .. } = &mut *queue;
            outgoing.poll_transmit(tx);
            if out.tx.is_empty() {
                std::mem::swap(tx, &mut out.tx);
                *in_flight = out.tx.len();
            }
            if out.tx.is_empty() && is_flushed {
                return Ok(true);
            }
            queue.is_writing = true;
            drop(queue);
            let written = self.write(&mut out);
            queue = lock(&self.queue);
            queue.is_writing = false;
            self.written.notify_all();
            written?;
            is_flushed = true;
        }
    }

    /// Writes what has left the queue, and flushes the stream.
    fn write(&self, out: &mut Out<S>) -> Result<()> {
        loop {
            let mut n = 0;
            if !out.tx.is_empty() {
                let written = write_some(&mut out.io, &mut out.tx.transmit());
                n = self.clock.pause(written)?.unwrap_or(0);
            } else if self.clock.pause(out.io.flush())?.is_some() {
                return Ok(());
            }
            let mut queue = lock(&self.queue);
            queue.sent += n as u64;
            queue.in_flight = out.tx.len();
            if n > 0 && out.tx.is_empty() {
                continue; // however the connection has ended meanwhile
            }
            // What is not in flight any more is still in the stream's own buffer.
            let seen = Traffic { queued: true, ..queue.traffic(None) };
            go_on(&mut queue.outgoing, self.clock.now(), seen)?;
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
        self.shared.flush(wait)
    }

    fn shut_down(&mut self) -> bool {
        let Self { read, shared } = self;
        shared.clock.shut_down(read, &mut lock(&shared.queue).has_shut_down)
    }
}

impl<S: TryClone> Receiver<S> {
    /// As [`WebSocket::recv`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn recv(&mut self) -> Result<Option<Event<'_>>> {
        self.reader.recv(&mut self.end)
    }

    /// As [`WebSocket::recv_chunk`].
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
    pub fn state(&self) -> State {
        lock(&self.shared.queue).outgoing.state()
    }

    /// As [`WebSocket::send_text`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn send_text(&mut self, text: &str) -> Result<()> {
        self.feed_text(text)?;
        self.flush()
    }

    /// As [`WebSocket::send_binary`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn send_binary(&mut self, bytes: &[u8]) -> Result<()> {
        self.feed_binary(bytes)?;
        self.flush()
    }

    /// As [`WebSocket::send_message`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn send_message<'p>(&mut self, message: impl Into<Payload<'p>>) -> Result<()> {
        self.feed_message(message)?;
        self.flush()
    }

    /// As [`WebSocket::send_prepared`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn send_prepared(&mut self, message: &Prepared) -> Result<()> {
        self.feed_prepared(message)?;
        self.flush()
    }

    /// As [`WebSocket::send_fragment`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn send_fragment<'p>(&mut self, part: impl Into<Payload<'p>>, fin: bool) -> Result<()> {
        let part = part.into();
        self.feed(|outgoing, tx| outgoing.send_fragment(part, fin, tx))?;
        self.flush()
    }

    /// As [`WebSocket::feed_text`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn feed_text(&mut self, text: &str) -> Result<()> {
        self.feed(|outgoing, tx| outgoing.send(text, tx))
    }

    /// As [`WebSocket::feed_binary`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn feed_binary(&mut self, bytes: &[u8]) -> Result<()> {
        self.feed(|outgoing, tx| outgoing.send(bytes, tx))
    }

    /// As [`WebSocket::feed_message`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn feed_message<'p>(&mut self, message: impl Into<Payload<'p>>) -> Result<()> {
        let message = message.into();
        self.feed(|outgoing, tx| outgoing.send(message, tx))
    }

    /// As [`WebSocket::feed_prepared`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn feed_prepared(&mut self, message: &Prepared) -> Result<()> {
        self.feed(|outgoing, tx| outgoing.send_prepared(message, tx))
    }

    /// As [`WebSocket::ping`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn ping(&mut self, payload: &[u8]) -> Result<()> {
        self.feed(|outgoing, tx| outgoing.ping(payload, tx))?;
        self.flush()
    }

    /// As [`WebSocket::send_close`]. The receiver then waits for the peer's Close, within its
    /// deadline.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn send_close(&mut self, frame: Option<CloseFrame<'_>>) -> Result<()> {
        self.feed(|outgoing, tx| outgoing.close(frame, tx))?;
        self.flush()
    }

    /// As [`WebSocket::flush`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn flush(&mut self) -> Result<()> {
        self.shared.flush(true).map(|_| ())
    }

    fn feed<'p>(
        &mut self,
        encode: impl for<'t> FnOnce(
            &mut Outgoing,
            &'t mut SendBuffer,
        ) -> Result<Transmit<'t, 'p>, SendError>,
    ) -> Result<()> {
        loop {
            {
                let Queue { outgoing, tx, .. } = &mut *lock(&self.shared.queue);
                outgoing.poll_transmit(tx);
                if !outgoing.is_full(tx) {
                    encode(outgoing, tx)?.queue();
                    return Ok(());
                }
            }
            self.shared.flush(true)?;
        }
    }
}
