//! A stream whose n-th operation fails, and the peer at its other end, who speaks only when it has
//! seen what it waits for.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use sotong::handshake::server;
use sotong::test_kit::{Fault, Operation, What};
use sotong::{Config, FrameHeader, Opcode, ReceiveBuffer, SendBuffer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What the peer sends at once, when it has seen so many heads and frames.
#[derive(Clone, Debug)]
pub struct Step {
    pub after: usize,
    pub bytes: Bytes,
}

#[derive(Clone, Debug)]
pub enum Bytes {
    Literal(Vec<u8>),
    /// The answer to the request that came.
    Acceptance,
}

/// When the peer ends the stream.
#[derive(Clone, Copy, Debug, Default)]
pub struct End {
    pub after: usize,
    pub after_shutdown: bool,
}

/// What a stream can do beyond reading and writing.
#[derive(Clone, Copy, Debug)]
pub struct Abilities {
    /// Reads and writes of the blocking kind give up now and then.
    pub ticks: bool,
    /// It writes several slices at once, and at once; others, as TLS does, keep what is written
    /// until they are flushed.
    pub slices: bool,
}

#[derive(Clone, Debug)]
pub struct Faulty {
    shared: Arc<(Mutex<Inner>, Condvar)>,
    abilities: Abilities,
}

struct Inner {
    script: VecDeque<Step>,
    end: End,
    fault: Option<Fault>,
    has_hit: bool,
    /// What everything gives after a fatal fault; of a fault in writing, after what has come.
    dead: Option<What>,
    operations: [usize; 4],
    is_shut_down: bool,
    /// Whether that was before what comes had ended or failed.
    is_shut_down_first: bool,
    has_ended: bool,
    /// What was written and waits to be flushed.
    kept: Vec<u8>,
    keeps: bool,
    written: Vec<u8>,
    delivered: Vec<u8>,
    /// Whoever waits to read, and whoever waits for the rest: only the last one is remembered.
    wakers: [Option<Waker>; 2],
}

impl Faulty {
    /// A write takes no more than this, so that a large message needs several.
    const MAX_WRITE: usize = 4_000;

    /// Far beyond what any scenario needs.
    const MAX_OPERATIONS: usize = 20_000;

    pub fn new(script: &[Step], end: End, fault: Option<Fault>, abilities: Abilities) -> Self {
        let inner = Inner {
            script: script.iter().cloned().collect(),
            end,
            fault,
            has_hit: false,
            dead: None,
            operations: [0; 4],
            is_shut_down: false,
            is_shut_down_first: false,
            has_ended: false,
            kept: vec![],
            keeps: !abilities.slices,
            written: vec![],
            delivered: vec![],
            wakers: [None, None],
        };
        Self { shared: Arc::new((Mutex::new(inner), Condvar::new())), abilities }
    }

    pub fn has_hit(&self) -> bool {
        self.lock().has_hit
    }

    pub fn is_shut_down(&self) -> bool {
        self.lock().is_shut_down
    }

    pub fn is_shut_down_first(&self) -> bool {
        self.lock().is_shut_down_first
    }

    pub fn written(&self) -> Vec<u8> {
        self.lock().written.clone()
    }

    pub fn delivered(&self) -> Vec<u8> {
        self.lock().delivered.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.shared.0.lock().unwrap()
    }

    /// As a blocking stream: waits, or gives up for a moment if it does that.
    fn block<T>(
        &self,
        operation: Operation,
        mut act: impl FnMut(&mut Inner, Option<What>) -> Poll<io::Result<T>>,
    ) -> io::Result<T> {
        let mut inner = self.lock();
        let mut what = inner.meet(operation);
        if what == Some(What::Pends) {
            what = Some(What::Fails(ErrorKind::WouldBlock));
        }
        loop {
            if let Poll::Ready(done) = act(&mut inner, what) {
                self.shared.1.notify_all();
                return done;
            }
            let limit = if self.abilities.ticks {
                Duration::from_millis(1)
            } else {
                Duration::from_secs(10)
            };
            let (woken, timed) = self.shared.1.wait_timeout(inner, limit).unwrap();
            inner = woken;
            if timed.timed_out() {
                assert!(self.abilities.ticks, "it waits for a peer that waits for it: {inner:?}");
                return Err(ErrorKind::WouldBlock.into());
            }
        }
    }

    /// As an asynchronous stream; whoever has to wait for a fault to pass is woken by another task.
    fn poll<T>(
        &self,
        operation: Operation,
        cx: &Context<'_>,
        act: impl FnOnce(&mut Inner, Option<What>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let mut inner = self.lock();
        let slot = usize::from(operation != Operation::Read);
        let what = inner.meet(operation);
        if what == Some(What::Pends) {
            inner.wakers[slot] = Some(cx.waker().clone());
            let io = self.clone();
            tokio::spawn(async move {
                tokio::task::yield_now().await;
                let waker = io.lock().wakers[slot].take();
                waker.inspect(Waker::wake_by_ref);
            });
            return Poll::Pending;
        }
        let polled = act(&mut inner, what);
        if polled.is_pending() {
            inner.wakers[slot] = Some(cx.waker().clone());
        } else if operation != Operation::Read
            && let Some(waker) = inner.wakers[0].take()
        {
            waker.wake();
        }
        polled
    }
}

/// Without the bytes, which are many.
impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { end, operations, is_shut_down, dead, script, .. } = self;
        let (left, frames) = (script.len(), frames(&self.written));
        write!(f, "{left} steps to {end:?}, {operations:?}, {is_shut_down}, {dead:?}, {frames:?}")
    }
}

impl Inner {
    /// What goes wrong with this operation.
    fn meet(&mut self, operation: Operation) -> Option<What> {
        let n = self.operations[operation as usize];
        self.operations[operation as usize] += 1;
        assert!(n < Faulty::MAX_OPERATIONS, "it goes on for ever");
        if operation != Operation::Read && self.dead.is_some() {
            return self.dead;
        }
        let fault = self.fault.filter(|fault| (fault.operation, fault.nth) == (operation, n))?;
        self.has_hit = true;
        if fault.lasts {
            self.dead = Some(fault.what);
            if operation == Operation::Read {
                self.script.clear();
            }
        }
        Some(fault.what)
    }

    fn read(&mut self, buf: &mut [u8], what: Option<What>) -> Poll<io::Result<usize>> {
        if let Some(What::Fails(kind)) = what {
            return Poll::Ready(Err(kind.into()));
        }
        let seen = units(&self.written);
        let is_there = self.script.front().is_some_and(|step| step.after <= seen);
        if what == Some(What::Zero) || !is_there {
            let is_over = self.script.is_empty()
                && seen >= self.end.after
                && (self.is_shut_down || !self.end.after_shutdown);
            return match self.dead {
                Some(What::Fails(kind)) => Poll::Ready(Err(kind.into())),
                None if !is_over => Poll::Pending,
                _ => {
                    self.has_ended = true;
                    Poll::Ready(Ok(0))
                }
            };
        }
        let bytes = match self.script.pop_front().expect("it was looked at").bytes {
            Bytes::Literal(bytes) => bytes,
            Bytes::Acceptance => acceptance(&self.written),
        };
        let most = if what == Some(What::Short) { 1 } else { buf.len() };
        let n = bytes.len().min(most);
        buf[..n].copy_from_slice(&bytes[..n]);
        self.delivered.extend_from_slice(&bytes[..n]);
        if n < bytes.len() {
            let rest = Bytes::Literal(bytes[n..].to_vec());
            self.script.push_front(Step { after: 0, bytes: rest });
        }
        Poll::Ready(Ok(n))
    }

    fn write(&mut self, bufs: &[IoSlice<'_>], what: Option<What>) -> io::Result<usize> {
        let most = match what {
            Some(What::Fails(kind)) => return Err(kind.into()),
            Some(What::Zero) => return Ok(0),
            Some(What::Short) => 1,
            _ => Faulty::MAX_WRITE,
        };
        let before = self.kept.len();
        self.kept.extend(bufs.iter().flat_map(|buf| buf.iter()).take(most));
        let n = self.kept.len() - before;
        if !self.keeps {
            self.written.append(&mut self.kept);
        }
        Ok(n)
    }

    fn flush(&mut self, what: Option<What>) -> io::Result<()> {
        settle(what)?;
        self.written.append(&mut self.kept);
        Ok(())
    }

    fn shut_down(&mut self, what: Option<What>) -> io::Result<()> {
        self.flush(what)?;
        self.is_shut_down_first |= !self.has_ended && self.dead.is_none();
        self.is_shut_down = true;
        Ok(())
    }
}

/// What an operation gives that moves nothing.
fn settle(what: Option<What>) -> io::Result<()> {
    match what {
        Some(What::Fails(kind)) => Err(kind.into()),
        Some(What::Zero) => Err(ErrorKind::WriteZero.into()),
        _ => Ok(()),
    }
}

/// How many heads and frames these bytes are, whole ones.
fn units(written: &[u8]) -> usize {
    let (head, frames_behind) = parts(written);
    usize::from(!head.is_empty()) + frames(frames_behind).len()
}

/// The kinds of the whole frames, and how long they are.
pub fn frames(mut bytes: &[u8]) -> Vec<(Opcode, u64)> {
    let mut frames = vec![];
    while let Ok(Some((header, len))) = FrameHeader::decode(bytes) {
        let Some(rest) = bytes.get(len + header.payload_len as usize..) else { break };
        frames.push((header.opcode, header.payload_len));
        bytes = rest;
    }
    frames
}

/// The head of HTTP, if there is one, and the frames behind it; nothing for half a head.
pub fn parts(bytes: &[u8]) -> (&[u8], &[u8]) {
    if ![&b"GET "[..], b"POST ", b"HTTP/"].iter().any(|start| bytes.starts_with(start)) {
        return (&[], bytes);
    }
    match bytes.windows(4).position(|four| four == b"\r\n\r\n") {
        Some(end) => bytes.split_at(end + 4),
        None => (&[], &[]),
    }
}

pub fn acceptance(request: &[u8]) -> Vec<u8> {
    let config = Config::default();
    let (mut rx, mut tx) = (ReceiveBuffer::with_capacity(request.len()), SendBuffer::new());
    assert_eq!(rx.extend(request), request.len());
    let request = server::Handshake::new(&config).receive(&mut rx).unwrap().expect("it is whole");
    request.accept(&server::Response::default(), config, &mut tx).unwrap();
    tx.transmit().slices().concat()
}

impl Read for Faulty {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.block(Operation::Read, |inner, what| inner.read(buf, what))
    }
}

impl Write for Faulty {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(buf)])
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.block(Operation::Write, |inner, what| Poll::Ready(inner.write(bufs, what)))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.block(Operation::Flush, |inner, what| Poll::Ready(inner.flush(what)))
    }
}

impl sotong::blocking::Stream for Faulty {
    fn prepare(&mut self, _: Option<Duration>) -> io::Result<bool> {
        Ok(self.abilities.ticks)
    }

    fn takes_slices(&self) -> bool {
        self.abilities.slices
    }

    fn shut_down(&mut self) -> io::Result<bool> {
        self.block(Operation::ShutDown, |inner, what| {
            Poll::Ready(inner.shut_down(what).map(|()| true))
        })
    }
}

impl sotong::blocking::TryClone for Faulty {
    fn try_clone(&self) -> io::Result<Self> {
        Ok(self.clone())
    }
}

impl AsyncRead for Faulty {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll(Operation::Read, cx, |inner, what| {
            inner.read(buf.initialize_unfilled(), what).map_ok(|n| buf.advance(n))
        })
    }
}

impl AsyncWrite for Faulty {
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
        self.poll(Operation::Write, cx, |inner, what| Poll::Ready(inner.write(bufs, what)))
    }

    fn is_write_vectored(&self) -> bool {
        self.abilities.slices
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll(Operation::Flush, cx, |inner, what| Poll::Ready(inner.flush(what)))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll(Operation::ShutDown, cx, |inner, what| Poll::Ready(inner.shut_down(what)))
    }
}
