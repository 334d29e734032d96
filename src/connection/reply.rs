//! What is owed to the peer without anybody's asking: the one value that both halves of a
//! connection share.

use alloc::vec::Vec;
use core::mem;

use crate::close::CloseCode;
use crate::error::ProtocolError;

/// A pong that is due, and how the peer's side ended; at most one of each, so a flood grows
/// nothing.
#[derive(Debug, Default)]
pub(super) struct Reply {
    /// The payload to send back, in memory that is used again.
    ping: Vec<u8>,
    pong_due: bool,
    ending: Option<Ending>,
}

/// How the peer's side of the connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// With a Close frame and its code; ours answers it.
    Closed(Option<CloseCode>),
    /// With a broken rule; our Close says which.
    Failed(ProtocolError),
}

impl Reply {
    /// "An endpoint MAY elect to send a Pong frame for only the most recently processed Ping"
    /// (5.5.3).
    pub(super) fn pong_with(&mut self, ping: &[u8]) {
        self.ping.clear();
        self.ping.extend_from_slice(ping);
        self.pong_due = true;
    }

    pub(super) fn end_with(&mut self, ending: Ending) {
        self.ending.get_or_insert(ending);
    }

    #[inline]
    pub(super) fn is_due(&self) -> bool {
        self.pong_due || self.ending.is_some()
    }

    pub(super) fn pong(&self) -> Option<&[u8]> {
        self.pong_due.then_some(&self.ping)
    }

    pub(super) fn pong_is_done(&mut self) {
        self.pong_due = false;
    }

    pub(super) fn ending(&self) -> Option<Ending> {
        self.ending
    }

    /// Takes over what has become due in `newer`.
    pub(super) fn merge(&mut self, newer: &mut Reply) {
        if mem::take(&mut newer.pong_due) {
            mem::swap(&mut self.ping, &mut newer.ping);
            self.pong_due = true;
        }
        if let Some(ending) = newer.ending.take() {
            self.end_with(ending);
        }
    }
}
