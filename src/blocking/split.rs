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
//! Encoding takes the queue for a moment. Who finds it with nobody writing takes what is queued over
//! to `Out` and writes it; whoever comes meanwhile only queues, and the writer takes that along.
//!
//! The receiver must not wait for a peer that reads nothing: that one may be waiting for us to read. So
//! it leaves to the sender what the sender is to write, and of the rest what the stream does not take
//! before it next gives up waiting (see [`Stream`]).

use std::io;
use std::sync::{Arc, PoisonError};

use super::reader::{Clock, Link, Reader};
use super::writer::{Writer, go_on, write_some};
use super::{Stream, TryClone, WebSocket};
use crate::adapter::{Condvar, Mutex, Result, lock};
use crate::buffer::{SendBuffer, Transmit};
use crate::close::CloseFrame;
use crate::connection::{Chunk, Event, Outgoing, Payload, Prepared, State, Transport};
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
        let queue = Queue {
            outgoing,
            tx,
            sent: 0,
            in_flight: 0,
            is_writing: false,
            is_promised: false,
            has_shut_down,
        };
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
    /// Whether the sender is about to write, as soon as it gets at the queue again.
    is_promised: bool,
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

    fn shut_down(&mut self, io: &mut impl Stream) -> bool {
        self.has_shut_down = self.has_shut_down || io.shut_down().unwrap_or(false);
        self.has_shut_down
    }
}

impl<S: TryClone> Shared<S> {
    /// Writes what is queued, and what is queued meanwhile. `false` if this thread is not to `wait`,
    /// and another one is writing or about to, or the stream takes nothing at the moment.
    fn flush(&self, wait: bool) -> Result<bool> {
        let mut queue = lock(&self.queue);
        if !wait && (queue.is_writing || queue.is_promised) {
            return Ok(false);
        }
        while queue.is_writing {
            queue = self.written.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        queue.is_promised = false;
        let mut out = lock(&self.out);
        loop {
            let Queue { outgoing, tx, in_flight, .. } = &mut *queue;
            outgoing.poll_transmit(tx);
            if out.tx.is_empty() {
                std::mem::swap(tx, &mut out.tx);
                *in_flight = out.tx.len();
            }
            if out.tx.is_empty() {
                out.io.flush()?;
                if queue.outgoing.transport() == Transport::ShutDown {
                    // The receiver may have left this to us, and wait for what the peer does then.
                    queue.shut_down(&mut out.io);
                }
                return Ok(true);
            }
            queue.is_writing = true;
            drop(queue);
            let written = self.write(&mut out, wait);
            queue = lock(&self.queue);
            queue.is_writing = false;
            self.written.notify_all();
            if !written? {
                return Ok(false);
            }
        }
    }

    /// Writes what has left the queue; whether that is all. It is not if this thread is not to `wait`
    /// and the stream pauses.
    fn write(&self, out: &mut Out<S>, wait: bool) -> Result<bool> {
        while !out.tx.is_empty() {
            let written = write_some(&mut out.io, &mut out.tx.transmit());
            let n = self.clock.pause(written)?;
            let mut queue = lock(&self.queue);
            queue.sent += n.unwrap_or(0) as u64;
            queue.in_flight = out.tx.len();
            if out.tx.is_empty() {
                break; // it went out, whatever the receiver has heard of the end since
            }
            let seen = queue.traffic(None);
            go_on(&mut queue.outgoing, self.clock.now(), seen)?;
            if n.is_none() && !wait {
                return Ok(false);
            }
        }
        Ok(true)
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

    fn flush(&mut self) -> Result<bool> {
        self.shared.flush(false)
    }

    fn shut_down(&mut self) -> bool {
        lock(&self.shared.queue).shut_down(&mut self.read)
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
        self.encode(true, |outgoing, tx| outgoing.send(text, tx))
    }

    /// As [`WebSocket::send_binary`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn send_binary(&mut self, bytes: &[u8]) -> Result<()> {
        self.encode(true, |outgoing, tx| outgoing.send(bytes, tx))
    }

    /// As [`WebSocket::send_message`].
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
    /// # Errors
    ///
    /// As there.
    pub fn send_prepared(&mut self, message: &Prepared) -> Result<()> {
        self.encode(true, |outgoing, tx| outgoing.send_prepared(message, tx))
    }

    /// As [`WebSocket::send_fragment`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn send_fragment<'p>(&mut self, part: impl Into<Payload<'p>>, fin: bool) -> Result<()> {
        let part = part.into();
        self.encode(true, |outgoing, tx| outgoing.send_fragment(part, fin, tx))
    }

    /// As [`WebSocket::feed_text`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn feed_text(&mut self, text: &str) -> Result<()> {
        self.encode(false, |outgoing, tx| outgoing.send(text, tx))
    }

    /// As [`WebSocket::feed_binary`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn feed_binary(&mut self, bytes: &[u8]) -> Result<()> {
        self.encode(false, |outgoing, tx| outgoing.send(bytes, tx))
    }

    /// As [`WebSocket::feed_message`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn feed_message<'p>(&mut self, message: impl Into<Payload<'p>>) -> Result<()> {
        let message = message.into();
        self.encode(false, |outgoing, tx| outgoing.send(message, tx))
    }

    /// As [`WebSocket::feed_prepared`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn feed_prepared(&mut self, message: &Prepared) -> Result<()> {
        self.encode(false, |outgoing, tx| outgoing.send_prepared(message, tx))
    }

    /// As [`WebSocket::ping`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn ping(&mut self, payload: &[u8]) -> Result<()> {
        self.encode(true, |outgoing, tx| outgoing.ping(payload, tx))
    }

    /// As [`WebSocket::send_close`]. The receiver then waits for the peer's Close, within its
    /// deadline.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn send_close(&mut self, frame: Option<CloseFrame<'_>>) -> Result<()> {
        self.encode(true, |outgoing, tx| outgoing.close(frame, tx))
    }

    /// As [`WebSocket::flush`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn flush(&mut self) -> Result<()> {
        self.shared.flush(true).map(|_| ())
    }

    /// Encodes something and queues it, and writes it if `now`.
    fn encode<'p>(
        &mut self,
        now: bool,
        encode: impl for<'t> FnOnce(
            &mut Outgoing,
            &'t mut SendBuffer,
        ) -> Result<Transmit<'t, 'p>, SendError>,
    ) -> Result<()> {
        loop {
            {
                let Queue { outgoing, tx, is_promised, .. } = &mut *lock(&self.shared.queue);
                outgoing.poll_transmit(tx);
                if !outgoing.is_full(tx) {
                    encode(outgoing, tx)?.queue();
                    *is_promised = now;
                    break;
                }
            }
            self.flush()?;
        }
        if now { self.flush() } else { Ok(()) }
    }
}
