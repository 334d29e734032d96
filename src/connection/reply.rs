//! What is owed to the peer without anybody's asking: the one value that both halves of a connection share.

use alloc::vec::Vec;
use core::mem;

use crate::close::CloseCode;

/// A pong and a Close that are due; at most one of each, so a flood of pings grows nothing.
#[derive(Debug, Default)]
pub(crate) struct Reply {
    /// The payload to send back, in memory that is used again.
    ping: Vec<u8>,
    pong_due: bool,
    close: Option<CloseReply>,
}

/// The code of a Close frame, or `None` for one with an empty body.
pub(crate) type CloseReply = Option<CloseCode>;

impl Reply {
    /// "An endpoint MAY elect to send a Pong frame for only the most recently processed Ping" (5.5.3).
    pub(crate) fn pong_with(&mut self, ping: &[u8]) {
        self.ping.clear();
        self.ping.extend_from_slice(ping);
        self.pong_due = true;
    }

    /// A Close answers the first cause there was.
    pub(crate) fn close_with(&mut self, close: CloseReply) {
        self.close.get_or_insert(close);
    }

    pub(crate) fn is_due(&self) -> bool {
        self.pong_due || self.close.is_some()
    }

    pub(crate) fn pong(&self) -> Option<&[u8]> {
        self.pong_due.then_some(&self.ping)
    }

    pub(crate) fn close(&self) -> Option<CloseReply> {
        self.close
    }

    pub(crate) fn pong_is_done(&mut self) {
        self.pong_due = false;
    }

    /// Takes over what has become due in `newer`.
    pub(crate) fn merge(&mut self, newer: &mut Reply) {
        if mem::take(&mut newer.pong_due) {
            mem::swap(&mut self.ping, &mut newer.ping);
            self.pong_due = true;
        }
        if let Some(close) = newer.close.take() {
            self.close_with(close);
        }
    }
}
