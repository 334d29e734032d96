//! Receive buffers for whoever has bytes to read: an idle connection holds none, a busy thread
//! needs few.

use std::cell::RefCell;
use std::io;
use std::task::Poll;
use std::vec::Vec;

use ::tokio::io::ReadBuf;

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

/// Reads what fits; how many bytes that is. Nothing is held while there is nothing to read.
pub(super) fn poll_read(
    rx: &mut ReceiveBuffer,
    poll_read: impl FnOnce(&mut ReadBuf<'_>) -> Poll<io::Result<()>>,
) -> Poll<io::Result<usize>> {
    attach(rx);
    let mut buf = ReadBuf::new(rx.spare());
    let polled = poll_read(&mut buf);
    let n = buf.filled().len();
    rx.filled(n);
    if polled.is_pending() {
        detach(rx);
    }
    polled.map_ok(|()| n)
}

/// Gives `rx` memory of the pool, if it has none.
fn attach(rx: &mut ReceiveBuffer) {
    if rx.is_detached()
        && let Some(storage) = POOL.with_borrow_mut(Vec::pop)
    {
        rx.attach(storage);
    }
}

/// Takes the memory of `rx` back, if it holds nothing.
fn detach(rx: &mut ReceiveBuffer) {
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
