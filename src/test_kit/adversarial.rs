//! A stream over a stream, which behaves as badly as it may.

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use std::vec::Vec;

use super::manner::{Conduct, Manner, Operation, What};
use crate::blocking::{Stream, TryClone};

/// A stream over a stream of any kind, which behaves as its [`Manner`] says.
///
/// ```
/// use std::io::Read;
/// use sotong::test_kit::{Adversarial, Manner};
///
/// let mut io = Adversarial::new(&b"Hello"[..], Manner::byte_by_byte());
/// let mut buf = [0; 5];
/// assert_eq!(io.read(&mut buf).unwrap_err().kind(), std::io::ErrorKind::Interrupted);
/// assert_eq!((io.read(&mut buf)?, buf[0]), (1, b'H'));
/// assert_eq!(*io.inner(), b"ello"); // is left
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Adversarial<S> {
    io: S,
    /// That of all handles.
    conduct: Arc<Mutex<Conduct>>,
    /// Whether reads and writes of the blocking kind may give up now and then.
    ticks: bool,
}

impl<S> Adversarial<S> {
    /// A stream over `io`.
    ///
    /// For an example see [`Adversarial`](Self).
    pub fn new(io: S, manner: Manner) -> Self {
        Self { io, conduct: Arc::new(Mutex::new(Conduct::new(manner))), ticks: false }
    }

    /// The stream below.
    ///
    /// For an example see [`Adversarial`](Self).
    pub fn inner(&self) -> &S {
        &self.io
    }

    /// What goes wrong with this operation, and how many bytes it may move.
    fn meet(&self, operation: Operation) -> (Option<What>, usize) {
        self.conduct.lock().unwrap_or_else(PoisonError::into_inner).meet(operation)
    }

    /// What an operation of the blocking kind comes to instead of what it should; else how many bytes
    /// it may move.
    fn block(&self, operation: Operation) -> Result<usize, io::Result<usize>> {
        match self.meet(operation) {
            (None | Some(What::Short), most) => Ok(most),
            (Some(What::Zero), _) => Err(Ok(0)),
            (Some(What::Fails(kind)), _) => Err(Err(kind.into())),
            (Some(What::Pends), _) if self.ticks => Err(Err(ErrorKind::WouldBlock.into())),
            (Some(What::Pends), _) => Err(Err(ErrorKind::Interrupted.into())),
        }
    }
}

impl<S: Read> Read for Adversarial<S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self.block(Operation::Read) {
            Ok(most) => {
                let most = most.min(buf.len());
                self.io.read(&mut buf[..most])
            }
            Err(instead) => instead,
        }
    }
}

impl<S: Write> Write for Adversarial<S> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self.block(Operation::Write) {
            Ok(most) => self.io.write(&buf[..most.min(buf.len())]),
            Err(instead) => instead,
        }
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        match self.block(Operation::Write) {
            Ok(most) => self.io.write_vectored(&up_to(bufs, most)),
            Err(instead) => instead,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.block(Operation::Flush).map_or_else(nothing_moved, |_| self.io.flush())
    }
}

impl<S: Stream> Stream for Adversarial<S> {
    fn prepare(&mut self, tick: Option<Duration>) -> io::Result<bool> {
        self.ticks = self.io.prepare(tick)?;
        Ok(self.ticks)
    }

    fn takes_slices(&self) -> bool {
        self.io.takes_slices()
    }

    fn shut_down(&mut self) -> io::Result<bool> {
        match self.block(Operation::ShutDown) {
            Ok(_) => self.io.shut_down(),
            Err(instead) => nothing_moved(instead).map(|()| true),
        }
    }
}

impl<S: TryClone> TryClone for Adversarial<S> {
    fn try_clone(&self) -> io::Result<Self> {
        let io = self.io.try_clone()?;
        Ok(Self { io, conduct: Arc::clone(&self.conduct), ticks: self.ticks })
    }
}

/// What an operation comes to that moves no bytes.
fn nothing_moved(instead: io::Result<usize>) -> io::Result<()> {
    match instead {
        Ok(_) => Err(ErrorKind::WriteZero.into()),
        Err(error) => Err(error),
    }
}

/// The first bytes of some slices.
fn up_to<'b>(bufs: &'b [IoSlice<'_>], most: usize) -> Vec<IoSlice<'b>> {
    let mut room = most;
    let firsts = bufs.iter().map(|buf| {
        let n = room.min(buf.len());
        room -= n;
        IoSlice::new(&buf[..n])
    });
    firsts.collect()
}

#[cfg(feature = "tokio")]
mod asynchronous {
    use std::pin::Pin;
    use std::task::{Context, Poll, ready};

    use ::tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

    use super::{Adversarial, IoSlice, Operation, What, io, nothing_moved, up_to};

    impl<S> Adversarial<S> {
        /// As [`block`](Self::block), of the asynchronous kind. What is put off can be done at once.
        fn poll(
            &self,
            operation: Operation,
            cx: &Context<'_>,
        ) -> Poll<Result<usize, io::Result<usize>>> {
            Poll::Ready(match self.meet(operation) {
                (None | Some(What::Short), most) => Ok(most),
                (Some(What::Zero), _) => Err(Ok(0)),
                (Some(What::Fails(kind)), _) => Err(Err(kind.into())),
                (Some(What::Pends), _) => {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
            })
        }
    }

    impl<S: AsyncRead + Unpin> AsyncRead for Adversarial<S> {
        fn poll_read(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buf: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            match ready!(self.poll(Operation::Read, cx)) {
                Ok(most) => {
                    let mut some = ReadBuf::new(buf.initialize_unfilled());
                    let most = most.min(some.remaining());
                    let mut some = some.take(most);
                    ready!(Pin::new(&mut self.io).poll_read(cx, &mut some))?;
                    let n = some.filled().len();
                    buf.advance(n);
                    Poll::Ready(Ok(()))
                }
                Err(instead) => Poll::Ready(instead.map(|_| ())),
            }
        }
    }

    impl<S: AsyncWrite + Unpin> AsyncWrite for Adversarial<S> {
        fn poll_write(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buf: &[u8],
        ) -> Poll<io::Result<usize>> {
            match ready!(self.poll(Operation::Write, cx)) {
                Ok(most) => Pin::new(&mut self.io).poll_write(cx, &buf[..most.min(buf.len())]),
                Err(instead) => Poll::Ready(instead),
            }
        }

        fn poll_write_vectored(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            bufs: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            match ready!(self.poll(Operation::Write, cx)) {
                Ok(most) => Pin::new(&mut self.io).poll_write_vectored(cx, &up_to(bufs, most)),
                Err(instead) => Poll::Ready(instead),
            }
        }

        fn is_write_vectored(&self) -> bool {
            self.io.is_write_vectored()
        }

        fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            match ready!(self.poll(Operation::Flush, cx)) {
                Ok(_) => Pin::new(&mut self.io).poll_flush(cx),
                Err(instead) => Poll::Ready(nothing_moved(instead)),
            }
        }

        fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            match ready!(self.poll(Operation::ShutDown, cx)) {
                Ok(_) => Pin::new(&mut self.io).poll_shutdown(cx),
                Err(instead) => Poll::Ready(nothing_moved(instead)),
            }
        }
    }
}
