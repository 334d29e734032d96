//! Buffers for whoever has bytes to read or to write: an idle connection has none, a busy thread
//! needs few.

use std::boxed::Box;
use std::cell::RefCell;
use std::fmt;
use std::io;
use std::task::Poll;
use std::thread::LocalKey;
use std::vec::Vec;

use ::tokio::io::ReadBuf;

use super::writer::uninterrupted;
use crate::buffer::{ReceiveBuffer, SendBuffer};

/// A buffer that is there while it holds something, or is about to.
pub(super) struct Pooled<B: Buffer> {
    buffer: Option<Box<B>>,
    capacity: B::Capacity,
    /// How many bytes have passed through the buffers before this one.
    moved: u64,
}

/// What can be given to another connection when it is empty.
pub(super) trait Buffer: Sized + 'static {
    type Capacity: Copy + PartialEq;

    fn new(capacity: Self::Capacity) -> Self;
    fn capacity(&self) -> Self::Capacity;
    fn is_empty(&self) -> bool;
    /// The bytes of memory that it has.
    fn held(&self) -> usize;
    /// How many bytes have passed through it.
    fn moved(&self) -> u64;
    /// Goes over to another connection, which has moved so many bytes.
    fn resume(&mut self, moved: u64);
    /// The pool of this thread.
    fn pool() -> &'static LocalKey<RefCell<Pool<Self>>>;
}

impl<B: Buffer> Pooled<B> {
    pub(super) fn new(buffer: B) -> Self {
        let (capacity, moved) = (buffer.capacity(), buffer.moved());
        let has_memory = buffer.held() > 0;
        let mut pooled = Self { buffer: has_memory.then(|| Box::new(buffer)), capacity, moved };
        pooled.release();
        pooled
    }

    /// The buffer, from the pool if need be.
    #[inline(always)]
    pub(super) fn get(&mut self) -> &mut B {
        self.buffer.get_or_insert_with(|| Pool::buffer(self.capacity, self.moved))
    }

    /// Gives an empty buffer back.
    pub(super) fn release(&mut self) {
        if let Some(buffer) = self.buffer.take_if(|buffer| buffer.is_empty()) {
            self.moved = buffer.moved();
            B::pool().with_borrow_mut(|pool| pool.put(buffer));
        }
    }

    /// Whether there is a buffer, of which this is true.
    pub(super) fn is_there_and(&self, is: impl FnOnce(&B) -> bool) -> bool {
        self.buffer.as_ref().is_some_and(|buffer| is(buffer))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.buffer.as_ref().is_none_or(|buffer| buffer.is_empty())
    }

    /// How many bytes have passed.
    pub(super) fn moved(&self) -> u64 {
        self.buffer.as_ref().map_or(self.moved, |buffer| buffer.moved())
    }

    /// The bytes that it holds on the heap.
    pub(super) fn memory_behind(&self) -> usize {
        self.buffer.as_ref().map_or(0, |buffer| size_of::<B>() + buffer.held())
    }

    pub(super) fn into_inner(mut self) -> B {
        self.get();
        self.buffer.map_or_else(|| B::new(self.capacity), |buffer| *buffer)
    }
}

impl Pooled<SendBuffer> {
    /// How many bytes are queued.
    pub(super) fn len(&self) -> usize {
        self.buffer.as_ref().map_or(0, |buffer| buffer.len())
    }
}

impl Pooled<ReceiveBuffer> {
    /// Reads what fits; how many bytes that is. Nothing is held while there is nothing to read.
    pub(super) fn poll_read(
        &mut self,
        mut poll_read: impl FnMut(&mut ReadBuf<'_>) -> Poll<io::Result<()>>,
    ) -> Poll<io::Result<usize>> {
        let rx = self.get();
        let mut buf = ReadBuf::new(rx.spare());
        let polled = uninterrupted(|| poll_read(&mut buf));
        let n = buf.filled().len();
        rx.filled(n);
        if polled.is_pending() {
            self.release();
        }
        polled.map_ok(|()| n)
    }
}

impl<B: Buffer> fmt::Debug for Pooled<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pooled").field("is_there", &self.buffer.is_some()).finish_non_exhaustive()
    }
}

/// What a thread keeps for its connections to use.
pub(super) struct Pool<B> {
    buffers: Vec<Box<B>>,
    /// How many bytes of memory those have.
    held: usize,
}

impl<B: Buffer> Pool<B> {
    /// A task has a buffer between a read and the end of what came with it, so one is enough unless
    /// tasks wait in between.
    const BUFFERS: usize = 16;

    /// The most bytes that are kept; what is beyond goes back to the allocator.
    const HELD: usize = 4 * 1024 * 1024;

    const fn new() -> RefCell<Self> {
        RefCell::new(Self { buffers: Vec::new(), held: 0 })
    }

    /// A buffer of this thread, for a connection that has moved so many bytes.
    #[cold]
    fn buffer(capacity: B::Capacity, moved: u64) -> Box<B> {
        let pooled = B::pool().with_borrow_mut(Self::take);
        let mut buffer = pooled
            .filter(|buffer| buffer.capacity() == capacity)
            .unwrap_or_else(|| Box::new(B::new(capacity)));
        buffer.resume(moved);
        buffer
    }

    fn take(&mut self) -> Option<Box<B>> {
        let buffer = self.buffers.pop()?;
        self.held -= buffer.held();
        Some(buffer)
    }

    fn put(&mut self, buffer: Box<B>) {
        let held = self.held + buffer.held();
        if self.buffers.len() < Self::BUFFERS && held <= Self::HELD {
            self.held = held;
            self.buffers.push(buffer);
        }
    }
}

std::thread_local! {
    static RECEIVING: RefCell<Pool<ReceiveBuffer>> = const { Pool::new() };
    static SENDING: RefCell<Pool<SendBuffer>> = const { Pool::new() };
}

impl Buffer for ReceiveBuffer {
    type Capacity = usize;

    fn new(capacity: usize) -> Self {
        Self::with_capacity(capacity)
    }

    fn capacity(&self) -> usize {
        self.capacity()
    }

    fn is_empty(&self) -> bool {
        self.is_empty()
    }

    fn held(&self) -> usize {
        self.held()
    }

    fn moved(&self) -> u64 {
        self.received()
    }

    fn resume(&mut self, moved: u64) {
        self.resume(moved);
    }

    fn pool() -> &'static LocalKey<RefCell<Pool<Self>>> {
        &RECEIVING
    }
}

impl Buffer for SendBuffer {
    type Capacity = ();

    fn new((): ()) -> Self {
        Self::new()
    }

    fn capacity(&self) {}

    fn is_empty(&self) -> bool {
        self.is_empty() && !self.awaits_rest()
    }

    fn held(&self) -> usize {
        self.held()
    }

    fn moved(&self) -> u64 {
        self.sent()
    }

    fn resume(&mut self, moved: u64) {
        self.resume(moved);
    }

    fn pool() -> &'static LocalKey<RefCell<Pool<Self>>> {
        &SENDING
    }
}
