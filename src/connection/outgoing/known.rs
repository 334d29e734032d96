//! What the writing half knows of itself: what it has sent, what it holds.

use alloc::sync::Arc;

use super::{Outgoing, Sent};
use crate::buffer::SendBuffer;
use crate::config::Config;

impl Outgoing {
    /// What was sent so far.
    ///
    /// For an example see [`Incoming::statistics`](crate::Incoming::statistics).
    pub fn statistics(&self, tx: &SendBuffer) -> Sent {
        self.sent(tx.sent(), tx.len())
    }

    /// As [`statistics`](Self::statistics), when the stream has taken so many bytes and so many are
    /// queued.
    pub(crate) fn sent(&self, bytes: u64, queued: usize) -> Sent {
        self.tally.sent(bytes, queued, self.timing.round_trip())
    }

    /// The bytes of memory that it has at the moment, itself and what it holds on the heap, with its
    /// configuration if no other connection shares that.
    ///
    /// For an example see [`Connection::release`](crate::Connection::release).
    pub fn memory_used(&self) -> usize {
        /// Both halves of a connection have the configuration.
        const HALVES: usize = 2;
        let config = match Arc::strong_count(&self.config) {
            0..=HALVES => size_of::<(usize, usize, Config)>(),
            _ => 0,
        };
        size_of::<Self>()
            + config
            + self.compressor.as_ref().map_or(0, |compressor| compressor.memory_used())
            + self.reply.memory_used()
    }
}
