//! A stream with two ends, in memory.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use crate::blocking::{Stream, TryClone};

/// A stream with two ends, which are as sockets: what one writes the other reads, at most
/// `capacity` bytes lie between them in each direction, and either end may go.
///
/// ```
/// # #[cfg(feature = "std")] {
/// use sotong::handshake::client::Request;
/// use sotong::test_kit::pipe;
/// use sotong::{Config, blocking};
///
/// let (near, far) = pipe(4096);
/// let server = std::thread::spawn(move || {
///     let upgrade = blocking::Upgrade::receive(far, Config::default())?;
///     upgrade.reject(404, &[], b"nothing here\n")
/// });
/// let refused = blocking::connect_over(near, &Request::default(), Config::default());
/// assert!(matches!(refused, Err(sotong::Error::Refused(response)) if response.status() == 404));
/// # server.join().unwrap()?;
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn pipe(capacity: usize) -> (Pipe, Pipe) {
    let [there, back] = [(); 2].map(|()| Arc::new(Direction::new(capacity.max(1))));
    let end = |rx: &Arc<Direction>, tx: &Arc<Direction>| Pipe {
        end: Arc::new(End { rx: Arc::clone(rx), tx: Arc::clone(tx) }),
        tick: None,
    };
    (end(&back, &there), end(&there, &back))
}

/// One end of a [`pipe`], or one of several handles of it: the other end sees that it is gone when
/// all are dropped.
///
/// It blocks, and gives up now and then if it is [made to](Stream::prepare); under tokio it waits
/// as a socket does, and as with those of several tasks that wait to read, or to write, only the
/// last is woken.
///
/// For an example see [`pipe`].
#[derive(Clone, Debug)]
pub struct Pipe {
    end: Arc<End>,
    /// When the blocking kind gives up waiting.
    tick: Option<Duration>,
}

/// What is dropped with the last handle.
#[derive(Debug)]
struct End {
    rx: Arc<Direction>,
    tx: Arc<Direction>,
}

impl Drop for End {
    fn drop(&mut self) {
        self.tx.change(|bytes| bytes.is_ended = true);
        self.rx.change(|bytes| bytes.is_broken = true);
    }
}

/// What lies between the ends in one direction.
#[derive(Debug)]
struct Direction {
    bytes: Mutex<Bytes>,
    changed: Condvar,
}

#[derive(Debug)]
struct Bytes {
    queue: VecDeque<u8>,
    capacity: usize,
    /// Whether nothing more is written.
    is_ended: bool,
    /// Whether nobody reads.
    is_broken: bool,
    /// Tasks that wait for a change.
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Direction {
    fn new(capacity: usize) -> Self {
        let bytes = Bytes {
            queue: VecDeque::new(),
            capacity,
            is_ended: false,
            is_broken: false,
            reader: None,
            writer: None,
        };
        Self { bytes: Mutex::new(bytes), changed: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Bytes> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes something, and wakes whoever waits for that.
    fn change<T>(&self, change: impl FnOnce(&mut Bytes) -> T) -> T {
        let mut bytes = self.lock();
        let changed = change(&mut bytes);
        let wakers = [bytes.reader.take(), bytes.writer.take()];
        drop(bytes);
        self.changed.notify_all();
        wakers.into_iter().flatten().for_each(Waker::wake);
        changed
    }

    /// Waits until something can be done, or for a tick.
    fn block<T>(
        &self,
        tick: Option<Duration>,
        mut act: impl FnMut(&mut Bytes) -> Poll<io::Result<T>>,
    ) -> io::Result<T> {
        let mut bytes = self.lock();
        loop {
            if let Poll::Ready(done) = act(&mut bytes) {
                drop(bytes);
                self.change(|_| ());
                return done;
            }
            bytes = match tick {
                None => self.changed.wait(bytes).unwrap_or_else(PoisonError::into_inner),
                Some(tick) => {
                    let waited = self.changed.wait_timeout(bytes, tick);
                    let (bytes, timed) = waited.unwrap_or_else(PoisonError::into_inner);
                    if timed.timed_out() {
                        return Err(ErrorKind::WouldBlock.into());
                    }
                    bytes
                }
            };
        }
    }
}

impl Bytes {
    fn read(&mut self, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        if self.queue.is_empty() && !self.is_ended && !buf.is_empty() {
            return Poll::Pending;
        }
        Poll::Ready(self.queue.read(buf))
    }

    fn write(&mut self, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        if self.is_broken || self.is_ended {
            return Poll::Ready(Err(ErrorKind::BrokenPipe.into()));
        }
        let room = self.capacity - self.queue.len();
        let before = self.queue.len();
        self.queue.extend(bufs.iter().flat_map(|buf| buf.iter()).take(room));
        match self.queue.len() - before {
            0 if bufs.iter().any(|buf| !buf.is_empty()) => Poll::Pending,
            n => Poll::Ready(Ok(n)),
        }
    }
}

impl Read for Pipe {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.end.rx.block(self.tick, |bytes| bytes.read(buf))
    }
}

impl Write for Pipe {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(buf)])
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.end.tx.block(self.tick, |bytes| bytes.write(bufs))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for Pipe {
    fn prepare(&mut self, tick: Option<Duration>) -> io::Result<bool> {
        self.tick = tick;
        Ok(tick.is_some())
    }

    fn takes_slices(&self) -> bool {
        true
    }

    fn shut_down(&mut self) -> io::Result<bool> {
        self.end.tx.change(|bytes| bytes.is_ended = true);
        Ok(true)
    }
}

impl TryClone for Pipe {
    fn try_clone(&self) -> io::Result<Self> {
        Ok(self.clone())
    }
}

#[cfg(feature = "tokio")]
mod asynchronous {
    use std::pin::Pin;
    use std::task::Context;

    use ::tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

    use super::{IoSlice, Pipe, Poll, Stream, io};

    impl AsyncRead for Pipe {
        fn poll_read(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buf: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            let rx = &self.end.rx;
            let mut bytes = rx.lock();
            let polled = bytes.read(buf.initialize_unfilled());
            if polled.is_pending() {
                bytes.reader = Some(cx.waker().clone());
                return Poll::Pending;
            }
            drop(bytes);
            rx.change(|_| ());
            polled.map_ok(|n| buf.advance(n))
        }
    }

    impl AsyncWrite for Pipe {
        fn poll_write(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buf: &[u8],
        ) -> Poll<io::Result<usize>> {
            self.poll_write_vectored(cx, &[IoSlice::new(buf)])
        }

        fn poll_write_vectored(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            bufs: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            let tx = &self.end.tx;
            let mut bytes = tx.lock();
            let polled = bytes.write(bufs);
            if polled.is_pending() {
                bytes.writer = Some(cx.waker().clone());
                return Poll::Pending;
            }
            drop(bytes);
            tx.change(|_| ());
            polled
        }

        fn is_write_vectored(&self) -> bool {
            true
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(self.shut_down().map(|_| ()))
        }
    }
}
