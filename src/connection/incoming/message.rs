//! The message under way, and the frame of it.

use alloc::boxed::Box;

use super::Portion;
use crate::config::Limits;
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
    pub(super) frame: Frame,
    pub(super) fragments: u32,
    /// Bytes that its frames have announced.
    pub(super) announced: u64,
    /// Bytes that it was inflated to.
    pub(super) inflated: u64,
    /// How much of what is kept is known to be text.
    pub(super) checked: usize,
}

/// The most that a message may have.
pub(super) struct Most {
    /// Bytes of payload.
    pub(super) message: u64,
    /// Bytes of payload in one frame.
    pub(super) frame: u64,
    pub(super) fragments: u32,
}

impl Message {
    /// What is allowed to it, if it is read like this.
    pub(super) fn most(&self, by: Portion, limits: &Limits) -> Most {
        // What is not held takes no memory, however long or many its frames are.
        let endless = |message| Most { message, frame: u64::MAX, fragments: u32::MAX };
        match limits.in_pieces {
            _ if by == Portion::Bytes => endless(u64::MAX),
            Some(message) if by != Portion::Whole || self.is_claimed => endless(message),
            _ => Most {
                message: limits.message,
                frame: limits.frame,
                fragments: limits.fragments.max(1),
            },
        }
    }

    /// What cannot be compressed becomes a little larger by it, zlib's own bound is an eighth; and
    /// each fragment may end with an empty block.
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

    /// Gives the memory back if there is no message.
    pub(super) fn release(&mut self) {
        if self.is_empty() {
            self.place = None;
        }
    }
}
