//! What is owed to the peer without anybody's asking: the one value that both halves of a
//! connection share.

use alloc::boxed::Box;
use core::mem;

use crate::close::CloseCode;
use crate::error::ProtocolError;
use crate::frame::FrameHeader;
use crate::timing::Token;

/// A pong that is due, one that has come, and how the peer's side ended; at most one of each, so a
/// flood grows nothing.
#[derive(Debug, Default)]
pub(super) struct Reply {
    /// The payload to send back, in memory that is used again until it is released.
    ping: Option<Box<Ping>>,
    pong_due: bool,
    /// The pong that came last, until its time is known.
    ponged: Option<Token>,
    ending: Option<Ending>,
    /// Whether anything of this is new to the half that sends: asked after each message, and so kept.
    is_new: bool,
}

/// The payload of a ping.
#[derive(Debug)]
struct Ping {
    bytes: [u8; FrameHeader::MAX_CONTROL],
    len: usize,
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
        let kept = self
            .ping
            .get_or_insert_with(|| Box::new(Ping { bytes: [0; FrameHeader::MAX_CONTROL], len: 0 }));
        kept.len = ping.len();
        kept.bytes[..ping.len()].copy_from_slice(ping);
        self.pong_due = true;
        self.is_new = true;
    }

    pub(super) fn end_with(&mut self, ending: Ending) {
        self.ending.get_or_insert(ending);
        self.is_new = true;
    }

    /// A pong has come.
    pub(super) fn ponged(&mut self, pong: &[u8]) {
        self.ponged = Some(Token::of(pong));
        self.is_new = true;
    }

    /// The pong that has come, once.
    pub(super) fn take_ponged(&mut self) -> Option<Token> {
        self.ponged.take()
    }

    /// Whether a pong has come that was not taken.
    #[cfg(feature = "std")]
    pub(super) fn has_ponged(&self) -> bool {
        self.ponged.is_some()
    }

    #[inline]
    pub(super) fn is_new(&self) -> bool {
        self.is_new
    }

    #[inline]
    pub(super) fn is_due(&self) -> bool {
        self.pong_due || self.ending.is_some()
    }

    pub(super) fn pong(&self) -> Option<&[u8]> {
        let ping = self.ping.as_ref().filter(|_| self.pong_due)?;
        Some(&ping.bytes[..ping.len])
    }

    pub(super) fn pong_is_done(&mut self) {
        self.pong_due = false;
    }

    /// The bytes of memory behind it.
    pub(super) fn memory_used(&self) -> usize {
        self.ping.as_ref().map_or(0, |_| size_of::<Ping>())
    }

    /// Gives the memory back if no pong is due.
    pub(super) fn release(&mut self) {
        if !self.pong_due {
            self.ping = None;
        }
    }

    pub(super) fn ending(&self) -> Option<Ending> {
        self.ending
    }

    /// Takes over what has become due in `newer`.
    pub(super) fn merge(&mut self, newer: &mut Reply) {
        newer.is_new = false;
        if mem::take(&mut newer.pong_due) {
            mem::swap(&mut self.ping, &mut newer.ping);
            self.pong_due = true;
        }
        self.ponged = newer.ponged.take().or(self.ponged);
        if let Some(ending) = newer.ending.take() {
            self.end_with(ending);
        }
    }
}
