//! The message under way, and the frame of it.

use alloc::boxed::Box;

use crate::config::Limits;
use crate::error::ProtocolError;
use crate::mask::Mask;

/// The frame of which payload is to come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    pub(super) fin: bool,
    pub(super) mask: Option<Mask>,
    /// Bytes of the payload that have not been taken yet.
    pub(super) remaining: u64,
    /// How many of those are here and unmasked, for the decompressor to take.
    pub(super) unmasked: usize,
}

/// The data message under way.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) is_text: bool,
    pub(super) is_compressed: bool,
    /// Whether it is for one reader, and is skipped once that one is gone.
    pub(super) is_claimed: bool,
    /// Whether it is larger than what may be held, as it may be in pieces.
    pub(super) is_long: bool,
    pub(super) frame: Frame,
    pub(super) fragments: u32,
    /// Bytes that its frames have announced.
    pub(super) announced: u64,
    /// Bytes that it was inflated to.
    pub(super) inflated: u64,
    /// How much of what is kept is known to be text.
    pub(super) checked: usize,
}

impl Message {
    /// Whether its frames announce more than so many bytes.
    #[inline]
    pub(super) fn is_larger_than(&self, limit: u64) -> bool {
        self.announced > self.with_slack(limit, self.fragments)
    }

    /// Checks it against the `limit` of its own.
    #[cold]
    pub(super) fn check_in_pieces(
        &mut self,
        limit: u64,
        limits: &Limits,
    ) -> Result<(), ProtocolError> {
        self.is_long = self.is_larger_than(limits.message);
        if self.is_larger_than(limit) { Err(ProtocolError::MessageTooBig) } else { Ok(()) }
    }

    /// What cannot be compressed becomes a little larger by it, zlib's own bound is an eighth; and
    /// each fragment may end with an empty block.
    #[inline]
    pub(super) fn with_slack(&self, limit: u64, frames: u32) -> u64 {
        match self.is_compressed {
            true => limit.saturating_add(limit / 8).saturating_add(64 * u64::from(frames)),
            false => limit,
        }
    }
}

/// The place of the message under way: apart, since most messages come whole and need none, and most
/// connections wait. It is used again until it is released.
#[derive(Debug, Default)]
pub(super) struct Slot {
    place: Option<Box<Message>>,
    is_taken: bool,
}

impl Slot {
    pub(super) fn get(&self) -> Option<&Message> {
        if self.is_taken { self.place.as_deref() } else { None }
    }

    pub(super) fn get_mut(&mut self) -> Option<&mut Message> {
        if self.is_taken { self.place.as_deref_mut() } else { None }
    }

    pub(super) fn put(&mut self, message: Message) -> &mut Message {
        self.is_taken = true;
        match &mut self.place {
            Some(place) => {
                **place = message;
                place
            }
            empty => empty.insert(Box::new(message)),
        }
    }

    pub(super) fn clear(&mut self) {
        self.is_taken = false;
    }

    pub(super) fn is_empty(&self) -> bool {
        !self.is_taken
    }

    /// The bytes of memory behind it.
    pub(super) fn memory_used(&self) -> usize {
        self.place.as_ref().map_or(0, |_| size_of::<Message>())
    }

    /// Gives the memory back if there is no message.
    pub(super) fn release(&mut self) {
        if self.is_empty() {
            self.place = None;
        }
    }
}
