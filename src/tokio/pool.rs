//! Receive buffers for whoever has bytes to read: an idle connection holds none, a busy thread
//! needs few.

use std::cell::RefCell;
use std::vec::Vec;

use crate::buffer::ReceiveBuffer;

/// How many buffers a thread keeps. A task holds one between a read and the end of what came with
/// it, so one is enough unless tasks wait in between.
const MAX_BUFFERS: usize = 16;

/// The largest buffer that is kept, in bytes: one that grew for a large message goes back to the
/// allocator.
const MAX_SIZE: usize = 256 * 1024;

std::thread_local! {
    static POOL: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// Gives `rx` memory of the pool, if it has none.
pub(super) fn attach(rx: &mut ReceiveBuffer) {
    if rx.is_detached()
        && let Some(storage) = POOL.with_borrow_mut(Vec::pop)
    {
        rx.attach(storage);
    }
}

/// Takes the memory of `rx` back, if it holds nothing.
pub(super) fn detach(rx: &mut ReceiveBuffer) {
    if let Some(storage) = rx.detach()
        && storage.len() <= MAX_SIZE
    {
        POOL.with_borrow_mut(|pool| {
            if pool.len() < MAX_BUFFERS {
                pool.push(storage);
            }
        });
    }
}
