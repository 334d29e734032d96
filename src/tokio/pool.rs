//! Memory for whoever has bytes to read or to write: an idle connection holds none, a busy thread
//! needs little.

use std::cell::RefCell;
use std::io;
use std::task::Poll;
use std::vec::Vec;

use ::tokio::io::ReadBuf;

use crate::buffer::{ReceiveBuffer, SendBuffer};

/// What a thread keeps for its connections to use.
struct Pool {
    storages: Vec<Vec<u8>>,
    /// How many bytes those are.
    held: usize,
}

impl Pool {
    /// A task holds a storage between a read and the end of what came with it, so one is enough unless
    /// tasks wait in between.
    const STORAGES: usize = 16;

    /// The most bytes that are kept; what is beyond goes back to the allocator.
    const HELD: usize = 4 * 1024 * 1024;

    const fn new() -> RefCell<Self> {
        RefCell::new(Self { storages: Vec::new(), held: 0 })
    }

    fn take(&mut self) -> Option<Vec<u8>> {
        let storage = self.storages.pop()?;
        self.held -= storage.capacity();
        Some(storage)
    }

    fn put(&mut self, storage: Vec<u8>) {
        let held = self.held + storage.capacity();
        if self.storages.len() < Self::STORAGES && held <= Self::HELD {
            self.held = held;
            self.storages.push(storage);
        }
    }
}

std::thread_local! {
    static RECEIVING: RefCell<Pool> = const { Pool::new() };
    static SENDING: RefCell<Pool> = const { Pool::new() };
}

/// Reads what fits; how many bytes that is. Nothing is held while there is nothing to read.
pub(super) fn poll_read(
    rx: &mut ReceiveBuffer,
    poll_read: impl FnOnce(&mut ReadBuf<'_>) -> Poll<io::Result<()>>,
) -> Poll<io::Result<usize>> {
    if rx.is_detached()
        && let Some(storage) = RECEIVING.with_borrow_mut(Pool::take)
    {
        rx.attach(storage);
    }
    let mut buf = ReadBuf::new(rx.spare());
    let polled = poll_read(&mut buf);
    let n = buf.filled().len();
    rx.filled(n);
    if polled.is_pending()
        && let Some(storage) = rx.detach()
    {
        RECEIVING.with_borrow_mut(|pool| pool.put(storage));
    }
    polled.map_ok(|()| n)
}

/// Gives a queue memory to send from, if it has none.
pub(super) fn attach(tx: &mut SendBuffer) {
    if tx.is_detached()
        && let Some(storage) = SENDING.with_borrow_mut(Pool::take)
    {
        tx.attach(storage);
    }
}

/// Takes the memory of a queue back, if nothing is queued.
pub(super) fn detach(tx: &mut SendBuffer) {
    if let Some(storage) = tx.detach() {
        SENDING.with_borrow_mut(|pool| pool.put(storage));
    }
}
