//! The wire to a [`Peer`] as a stream: for the blocking adapter time passes when it waits, for the
//! tokio adapter it is the time of the runtime.

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use sotong::blocking;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::peer::{Later, Peer};

const READING: usize = 0;
const WRITING: usize = 1;

/// What a stream is like, beside its peer.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    pub takes_slices: bool,
    /// Reads and writes of the blocking kind give up while they have to wait.
    pub ticks: bool,
    /// Whatever is done is pending once before.
    pub is_hesitant: bool,
}

/// A handle; all handles are of one stream.
#[derive(Clone, Debug)]
pub struct Wire {
    shared: Arc<Mutex<Shared>>,
    manner: Manner,
}

#[derive(Debug)]
struct Shared {
    peer: Peer,
    /// The time of the blocking kind.
    now: Duration,
    /// How often it has waited for what never comes, within a call and since something came or time
    /// went on.
    in_vain: usize,
    start: Option<Instant>,
    sleeps: [Option<Pin<Box<Sleep>>>; 2],
    /// Whether it has hesitated to read or to write, and not done it since.
    hesitated: [bool; 2],
    /// Who waits to read. As a stream should it remembers one, and so does a sleep.
    reader: Option<Waker>,
}

impl Wire {
    pub fn new(peer: Peer, manner: Manner) -> Self {
        let shared = Shared {
            peer,
            now: Duration::ZERO,
            in_vain: 0,
            start: None,
            sleeps: [None, None],
            hesitated: [false; 2],
            reader: None,
        };
        Self { shared: Arc::new(Mutex::new(shared)), manner }
    }

    /// The peer, as it is now.
    pub fn peer(&self) -> Peer {
        self.lock().peer.clone()
    }

    /// Whether the peer has seen a Close frame.
    pub fn has_close(&self) -> bool {
        self.lock().peer.has_close()
    }

    /// Another call begins.
    pub fn begin(&self) {
        self.lock().in_vain = 0;
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().expect("no other thread has it")
    }

    /// As a blocking stream: waits, or gives up and has waited then.
    fn block<T>(
        &self,
        mut act: impl FnMut(&mut Peer, Duration) -> Result<T, Later>,
    ) -> io::Result<T> {
        let mut shared = self.lock();
        loop {
            let Shared { peer, now, in_vain, .. } = &mut *shared;
            match (act(peer, *now), self.manner.ticks) {
                (Ok(done), _) => return Ok(done),
                (Err(Later(Some(time))), ticks) => {
                    (*now, *in_vain) = (time, 0);
                    if ticks {
                        return Err(ErrorKind::WouldBlock.into());
                    }
                }
                (Err(Later(None)), _) => {
                    // Somebody has to come and cut the wire.
                    *in_vain += 1;
                    peer.is_cut |= !self.manner.ticks || *in_vain > Self::PATIENCE;
                    assert!(*in_vain < 10 * Self::PATIENCE, "it goes on when the stream is gone");
                    return Err(match peer.is_cut {
                        true => io::Error::other("nothing ever happens"),
                        false => ErrorKind::WouldBlock.into(),
                    });
                }
            }
        }
    }

    /// More ticks than anybody needs to look at all deadlines.
    const PATIENCE: usize = 50;

    /// As an asynchronous stream.
    fn poll<T>(
        &self,
        direction: usize,
        cx: &mut Context<'_>,
        act: impl FnOnce(&mut Peer, Duration) -> Result<T, Later>,
    ) -> Poll<io::Result<T>> {
        let mut shared = self.lock();
        let Shared { peer, start, sleeps, hesitated, reader, .. } = &mut *shared;
        if self.manner.is_hesitant && !hesitated[direction] {
            hesitated[direction] = true;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let start = *start.get_or_insert_with(Instant::now);
        match act(peer, start.elapsed()) {
            Ok(done) => {
                hesitated[direction] = false;
                // It may end the stream, now that it has seen our goodbye.
                if direction == WRITING
                    && peer.is_over()
                    && let Some(waker) = reader.take()
                {
                    waker.wake();
                }
                Poll::Ready(Ok(done))
            }
            Err(Later(time)) => {
                if direction == READING {
                    *reader = Some(cx.waker().clone());
                }
                let Some(time) = time else { return Poll::Pending };
                let time = start + time;
                let sleep = sleeps[direction].get_or_insert_with(|| Box::pin(sleep_until(time)));
                if sleep.deadline() != time {
                    sleep.as_mut().reset(time);
                }
                if sleep.as_mut().poll(cx).is_ready() {
                    cx.waker().wake_by_ref();
                }
                Poll::Pending
            }
        }
    }
}

impl Read for Wire {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.block(|peer, now| peer.read(now, buf))?;
        if n > 0 {
            // Whoever reads on may try to write once more.
            self.lock().in_vain = 0;
        }
        Ok(n)
    }
}

impl Write for Wire {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(buf)])
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.block(|peer, now| peer.write(now, bufs))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.block(Peer::flush)
    }
}

impl blocking::Stream for Wire {
    fn prepare(&mut self, _: Option<Duration>) -> io::Result<bool> {
        Ok(self.manner.ticks)
    }

    fn takes_slices(&self) -> bool {
        self.manner.takes_slices
    }

    fn shut_down(&mut self) -> io::Result<bool> {
        self.block(Peer::shut_down).map(|()| true)
    }
}

impl blocking::TryClone for Wire {
    fn try_clone(&self) -> io::Result<Self> {
        Ok(self.clone())
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let unfilled = buf.initialize_unfilled();
        self.poll(READING, cx, |peer, now| peer.read(now, unfilled)).map_ok(|n| buf.advance(n))
    }
}

impl AsyncWrite for Wire {
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
        self.poll(WRITING, cx, |peer, now| peer.write(now, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        self.manner.takes_slices
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll(WRITING, cx, Peer::flush)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll(WRITING, cx, Peer::shut_down)
    }
}
