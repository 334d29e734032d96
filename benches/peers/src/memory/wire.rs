//! A stream that is always ready: the same frames again and again, and a place for what is written.
//!
//! ```text
//!   frames: │ frame │ frame │ frame │ ... └► from the start again
//!           at ──────────►  stop: no read goes beyond it
//! ```
//!
//! It speaks all dialects of reading and writing that the peers ask for. The copy into a reader's
//! buffer stands for the system call's, and is part of everybody's time.

use std::future::Future;
use std::hint::black_box;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use super::frames::Frames;

/// How much one read may bring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Portion {
    /// As much as the reader has room for.
    Many,
    /// Nothing beyond the end of a frame.
    OneFrame,
}

/// One end of the stream.
#[derive(Clone, Copy)]
pub struct Wire {
    frames: &'static Frames,
    at: usize,
    stop: usize,
    portion: usize,
    sink: &'static Sink,
}

impl Wire {
    /// Brings these frames, and swallows what is written.
    ///
    /// What it refers to lives for ever: some peers want a stream that borrows nothing.
    pub fn new(frames: &'static Frames, portion: Portion, sink: &'static Sink) -> Self {
        let portion = match portion {
            Portion::Many => frames.bytes.len(),
            Portion::OneFrame => frames.frame_len,
        };
        Self { frames, at: 0, stop: portion, portion, sink }
    }

    pub fn frame_len(&self) -> usize {
        self.frames.frame_len
    }

    /// The next bytes, at most one portion.
    pub fn read_into(&mut self, place: &mut [u8]) -> usize {
        let bytes = self.take(place.len());
        place[..bytes.len()].copy_from_slice(bytes);
        bytes.len()
    }

    /// Takes slices that were written together.
    pub fn write_slices(&self, slices: &[&[u8]]) {
        self.sink.write(slices.iter().copied());
    }

    fn take(&mut self, most: usize) -> &'static [u8] {
        let start = self.at;
        self.at = self.stop.min(start + most);
        let bytes = &self.frames.bytes[start..self.at];
        if self.at == self.stop {
            if self.at == self.frames.bytes.len() {
                (self.at, self.stop) = (0, 0);
            }
            self.stop += self.portion;
        }
        bytes
    }

    fn write_vectored(&self, slices: &[IoSlice<'_>]) -> usize {
        self.sink.write(slices.iter().map(|slice| &**slice));
        slices.iter().map(|slice| slice.len()).sum()
    }
}

/// Where the bytes go that are written: nowhere, or where they can be checked.
#[derive(Default)]
pub struct Sink {
    is_recording: AtomicBool,
    recorded: Mutex<Vec<u8>>,
    writes: AtomicUsize,
}

impl Sink {
    pub fn leaked() -> &'static Self {
        Box::leak(Box::default())
    }

    /// What is written while `work` runs, and in how many writes.
    pub fn record<T>(&self, work: impl FnOnce() -> T) -> (T, Vec<u8>, usize) {
        self.is_recording.store(true, Ordering::Relaxed);
        let before = self.writes.load(Ordering::Relaxed);
        let result = work();
        self.is_recording.store(false, Ordering::Relaxed);
        let writes = self.writes.load(Ordering::Relaxed) - before;
        let recorded = std::mem::take(&mut *self.recorded.lock().expect("one thread"));
        (result, recorded, writes)
    }

    fn write<'s>(&self, slices: impl Iterator<Item = &'s [u8]>) {
        // One thread: a load and a store cost nothing, where an addition would lock the bus.
        let writes = self.writes.load(Ordering::Relaxed);
        self.writes.store(writes + 1, Ordering::Relaxed);
        let is_recording = self.is_recording.load(Ordering::Relaxed);
        for slice in slices {
            black_box(slice);
            if is_recording {
                self.recorded.lock().expect("one thread").extend_from_slice(slice);
            }
        }
    }
}

/// Runs a future whose streams are always ready, without the cost of a runtime.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
}

impl io::Read for Wire {
    fn read(&mut self, place: &mut [u8]) -> io::Result<usize> {
        Ok(self.read_into(place))
    }
}

impl io::Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_slices(&[bytes]);
        Ok(bytes.len())
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        Ok(Wire::write_vectored(self, slices))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl tokio::io::AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        place: &mut tokio::io::ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // Memory that was never written stays so until the bytes come, as with a system call.
        place.put_slice(self.get_mut().take(place.remaining()));
        Poll::Ready(Ok(()))
    }
}

impl tokio::io::AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.write_slices(&[bytes]);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(self.write_vectored(slices)))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl futures_util::io::AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        place: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(self.get_mut().read_into(place)))
    }
}

impl futures_util::io::AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.write_slices(&[bytes]);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl wtx::stream::StreamReader for Wire {
    async fn read(&mut self, place: &mut [u8]) -> wtx::Result<usize> {
        Ok(self.read_into(place))
    }
}

impl wtx::stream::StreamWriter for Wire {
    async fn write_all(&mut self, bytes: &[u8]) -> wtx::Result<()> {
        self.write_slices(&[bytes]);
        Ok(())
    }

    async fn write_all_vectored(&mut self, slices: &[&[u8]]) -> wtx::Result<()> {
        self.write_slices(slices);
        Ok(())
    }
}
