//! Bytes that came in, and the payload that is taken out of them in place.
//!
//! ```text
//!   0        kept                gap         unparsed                    storage.len()
//!   ├────────┼───────────────────┼───────────┼───────────────────────────┤
//!   │  free  │ payload of the    │ headers,  │ bytes nobody     │ spare: │
//!   │        │ message under way │ old pings │ has looked at    │ read   │
//!   │        │                   │           │                  │ here   │
//! ```
//!
//! The spare place begins with a line of the processor's cache, wherever that is free to choose: a
//! read into the middle of one takes a third longer.
//!
//! A message that came in one frame is lent where it lies. Fragments are moved down over the gap,
//! each byte once. A message larger than the buffer is read straight into its own place: the
//! storage grows, by what has arrived and never by what was announced.
//!
//! A compressed message is inflated from the unparsed bytes into the gap, which is kept wide for it:
//! what is unparsed then lies at the end of the storage.

use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

/// The buffer that a stream is read into and that events borrow from.
///
/// Read into [`spare`](Self::spare) and say how much came with [`filled`](Self::filled), or copy
/// bytes in with [`extend`](Self::extend); then ask the connection for events. Memory is taken at
/// the first read.
#[derive(Debug)]
pub struct ReceiveBuffer {
    storage: Vec<u8>,
    kept: Range<usize>,
    unparsed: Range<usize>,
    /// What the frame under way still lacks; bounds growth.
    missing: usize,
    /// Whether messages are inflated into the gap.
    is_inflating: bool,
    /// How much may be put into the spare place, since it was lent.
    room: usize,
    /// Whether the last read took all the room there was.
    was_filled: bool,
    capacity: usize,
    received: u64,
}

impl ReceiveBuffer {
    /// The smallest capacity: a control frame with its header, and room to move.
    const MIN_CAPACITY: usize = 512;

    /// The most bytes that one read takes of a large message: they are still in the cache when they are
    /// unmasked.
    const READ: usize = 256 * 1024;

    /// The most bytes that are inflated in one step.
    const INFLATE_STEP: usize = 16 * 1024;

    /// A buffer that takes `capacity` bytes at a time (at least 512).
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            storage: Vec::new(),
            kept: 0..0,
            unparsed: 0..0,
            missing: 0,
            is_inflating: false,
            room: 0,
            was_filled: false,
            capacity: capacity.max(Self::MIN_CAPACITY),
            received: 0,
        }
    }

    /// The place to read into; empty only if there is much to be looked at first.
    pub fn spare(&mut self) -> &mut [u8] {
        if self.is_empty() {
            let start = if self.is_inflating { self.gap_end(0) } else { self.before_line(0) };
            (self.kept, self.unparsed) = (start..start, start..start);
        }
        // A large message is read up to the end of its frame: what follows begins anew, at the front, and
        // is never moved. Below a quarter of the capacity reads get too small to be worth a system call.
        let large = self.large();
        let enough = large.unwrap_or(usize::MAX).min(self.capacity.div_ceil(4));
        if self.storage.len() - self.unparsed.end < enough {
            self.make_room();
        }
        let most = large.map_or(self.capacity, |missing| missing.min(Self::READ));
        self.room = most.min(self.storage.len() - self.unparsed.end);
        &mut self.storage[self.unparsed.end..][..self.room]
    }

    /// What the frame under way still lacks, if its message takes up the whole buffer or more.
    fn large(&self) -> Option<usize> {
        let is_large = self.missing >= self.capacity.saturating_sub(self.kept.len());
        (is_large && self.missing > 0).then_some(self.missing)
    }

    /// Says that `n` bytes were read into [`spare`](Self::spare).
    ///
    /// # Panics
    ///
    /// If `n` is larger than the spare place was when it was lent.
    pub fn filled(&mut self, n: usize) {
        self.room = self.room.checked_sub(n).expect("more was filled than there was room for");
        self.was_filled = self.room == 0;
        self.unparsed.end += n;
        self.received += n as u64;
    }

    /// Copies as many of `bytes` as there is room for, and says how many those are.
    #[must_use = "not all bytes may have fitted"]
    pub fn extend(&mut self, bytes: &[u8]) -> usize {
        let spare = self.spare();
        let n = bytes.len().min(spare.len());
        spare[..n].copy_from_slice(&bytes[..n]);
        self.filled(n);
        n
    }

    /// The bytes that nobody has looked at yet, as what came behind an opening handshake.
    pub fn unparsed(&self) -> &[u8] {
        &self.storage[self.unparsed.clone()]
    }

    /// How many bytes it takes at a time.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// How many bytes came in since the buffer was made.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Whether nothing is held: no part of a message, no byte to look at.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty() && self.unparsed.is_empty()
    }

    /// Gives the memory back if nothing is held, as while a connection is idle.
    pub fn release(&mut self) {
        if self.is_empty() {
            self.storage = Vec::new();
            self.room = 0;
            (self.kept, self.unparsed) = (0..0, 0..0);
        }
    }

    /// Gives the memory back if nothing is held and it is larger than a read and a step of inflating
    /// need, as after a large message.
    pub fn shrink(&mut self) {
        if self.storage.len() > self.capacity + Self::INFLATE_STEP {
            self.release();
        }
    }

    /// How many bytes of memory it has at the moment.
    pub fn held(&self) -> usize {
        self.storage.len()
    }

    /// Goes over to another connection, of which so many bytes have come.
    #[cfg(feature = "tokio")]
    pub(crate) fn resume(&mut self, received: u64) {
        debug_assert!(self.is_empty());
        (self.missing, self.is_inflating, self.was_filled) = (0, false, false);
        self.received = received;
    }

    /// Whether more is likely to be on its way than there was room for.
    pub(crate) fn awaits_more(&self) -> bool {
        self.was_filled
    }

    #[inline(always)]
    pub(crate) fn unparsed_mut(&mut self) -> &mut [u8] {
        &mut self.storage[self.unparsed.clone()]
    }

    /// Passes over the first `n` unparsed bytes.
    #[inline]
    pub(crate) fn skip(&mut self, n: usize) {
        debug_assert!(n <= self.unparsed.len());
        self.unparsed.start += n;
    }

    /// Passes over the first `n` unparsed bytes and says where they lie, to be lent.
    #[inline]
    pub(crate) fn take(&mut self, n: usize) -> Range<usize> {
        let start = self.unparsed.start;
        self.skip(n);
        start..start + n
    }

    /// Adds the first `n` unparsed bytes to the message under way; its frame lacks `missing` more.
    #[inline]
    pub(crate) fn keep(&mut self, n: usize, missing: usize) {
        let piece = self.take(n);
        self.is_inflating = false;
        if self.kept.is_empty() {
            self.kept = piece;
        } else {
            if self.kept.end != piece.start {
                self.storage.copy_within(piece, self.kept.end);
            }
            self.kept.end += n;
        }
        self.missing = missing;
    }

    /// The first `n` unparsed bytes, and a place behind what is kept for what they inflate to: at
    /// least one byte, at most `most`, which is not 0.
    ///
    /// The storage grows by what was put there, and never beyond what is kept, `most` and one read.
    pub(crate) fn inflate_room(&mut self, n: usize, most: usize) -> (&[u8], &mut [u8]) {
        let step = most.min(Self::INFLATE_STEP);
        if self.kept.is_empty() {
            self.kept = 0..0;
        }
        // Below a quarter steps get too small to be worth a call.
        if self.unparsed.start - self.kept.end < step.min(Self::INFLATE_STEP / 4) {
            let size = self.storage.len();
            let needed = self.kept.len() + self.unparsed.len().max(self.capacity);
            self.is_inflating = true;
            self.lay_out(if size >= needed + step {
                size // to move what is held is enough
            } else {
                (size * 2).clamp(needed + step, needed.saturating_add(most))
            });
        }
        let (before, unparsed) = self.storage.split_at_mut(self.unparsed.start);
        let room = &mut before[self.kept.end..];
        let len = room.len().min(step);
        (&unparsed[..n], &mut room[..len])
    }

    /// Adds `made` bytes, which were put into [`inflate_room`](Self::inflate_room), to the message
    /// under way, and passes over the `taken` ones that they come from.
    pub(crate) fn keep_inflated(&mut self, taken: usize, made: usize) {
        self.skip(taken);
        self.kept.end += made;
        debug_assert!(self.kept.end <= self.unparsed.start);
        self.missing = 0; // what the frame lacks does not come here
    }

    /// The message under way, as much as was kept.
    #[inline]
    pub(crate) fn kept(&self) -> &[u8] {
        &self.storage[self.kept.clone()]
    }

    /// Lets go of the first `n` bytes kept and says where they lie, to be lent.
    #[inline]
    pub(crate) fn take_kept(&mut self, n: usize) -> Range<usize> {
        debug_assert!(n <= self.kept.len());
        let start = self.kept.start;
        self.kept.start += n;
        start..start + n
    }

    /// Bytes that were taken, until something else is written there.
    #[inline]
    pub(crate) fn lend(&self, taken: Range<usize>) -> &[u8] {
        &self.storage[taken]
    }

    /// Drops all that is held.
    pub(crate) fn discard(&mut self) {
        self.kept = 0..0;
        self.unparsed = 0..0;
        self.missing = 0;
    }

    /// Makes room to read, and grows if a message takes it up.
    fn make_room(&mut self) {
        let held = self.kept.len() + self.unparsed.len();
        let size = self.storage.len();
        self.lay_out(if self.is_inflating && size == 0 {
            self.capacity + Self::INFLATE_STEP
        } else if self.is_inflating {
            size.max(held + self.capacity)
        } else if size == 0 || self.kept.len() > size / 2 {
            // Twice what a message has brought so far, but not more than its frame lacks. Between fragments
            // nobody knows what comes; then half as much again, and the next read.
            let more = self.large().unwrap_or(held / 2 + self.capacity);
            let needed = more.saturating_add(held + CACHE_LINE);
            needed.min(size * 2).max(self.capacity + CACHE_LINE).max(size)
        } else {
            size
        });
    }

    /// Moves what is kept to the front, and what is unparsed behind it or behind the gap, in a storage
    /// of `size` bytes, which is not smaller than it was.
    fn lay_out(&mut self, size: usize) {
        self.room = 0; // the spare place is another one now
        if self.storage.is_empty() {
            self.storage = vec![0; size]; // which the allocator has at hand
        } else if size > self.storage.len() {
            // In place where the allocator can do that: there are never two of a large one.
            self.storage.reserve_exact(size - self.storage.len());
            self.storage.resize(size, 0);
        }
        let (kept, unparsed) = (self.kept.len(), self.unparsed.len());
        let start = if kept > 0 { self.kept.start } else { self.unparsed.start };
        let front = match start {
            _ if self.is_inflating => 0,
            ..CACHE_LINE if kept + unparsed > 0 => start, // to move it gains nothing
            _ => self.before_line(kept + unparsed),
        };
        if kept > 0 && self.kept.start != front {
            self.storage.copy_within(self.kept.clone(), front);
        }
        self.kept = front..front + kept;
        let start = if self.is_inflating { self.gap_end(unparsed) } else { self.kept.end };
        if unparsed > 0 && self.unparsed.start != start {
            self.storage.copy_within(self.unparsed.clone(), start);
        }
        self.unparsed = start..start + unparsed;
    }

    /// Where `held` bytes begin so that a line of the cache begins behind them.
    fn before_line(&self, held: usize) -> usize {
        let behind = self.storage.get(held..).unwrap_or_default();
        let gap = behind.as_ptr().align_offset(CACHE_LINE);
        if gap < behind.len() { gap } else { 0 }
    }

    /// Where `unparsed` bytes begin so that one read, or they, reach to the end of the storage.
    fn gap_end(&self, unparsed: usize) -> usize {
        self.storage.len().saturating_sub(unparsed.max(self.capacity))
    }
}

const CACHE_LINE: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    /// The largest message here; smaller under an interpreter, which is slow.
    const LARGE: usize = if cfg!(miri) { 5_000 } else { 100_000 };

    #[test]
    fn memory_is_taken_at_the_first_read_and_given_back_when_nothing_is_held() {
        let mut rx = ReceiveBuffer::with_capacity(1000);
        assert_eq!(rx.storage.capacity(), 0);
        assert!((1000..=1000 + CACHE_LINE).contains(&rx.spare().len()));
        assert_eq!(rx.extend(b"abc"), 3);
        rx.release();
        assert_eq!(rx.unparsed(), b"abc");
        rx.skip(3);
        rx.release();
        assert_eq!((rx.storage.capacity(), rx.is_empty(), rx.received()), (0, true, 3));
    }

    #[test]
    fn bytes_that_nobody_takes_are_bounded_by_the_capacity() {
        let mut rx = ReceiveBuffer::with_capacity(600);
        assert!(rx.extend(&[7; 1000]) >= 600);
        while rx.extend(&[7; 1000]) > 0 {}
        assert!(rx.unparsed().len() <= 600 + CACHE_LINE);
    }

    #[test]
    fn fragments_are_joined_over_what_lies_between_them() {
        let mut rx = ReceiveBuffer::with_capacity(512);
        assert_eq!(rx.extend(b"..one..two"), b"..one..two".len());
        rx.skip(2);
        rx.keep(3, 0);
        rx.skip(2);
        rx.keep(3, 0);
        assert_eq!(rx.kept(), b"onetwo");
        let all = rx.take_kept(6);
        assert_eq!(rx.lend(all), b"onetwo");
        assert!(rx.is_empty());
    }

    #[test]
    fn every_read_begins_a_line_of_the_cache_where_that_is_free_to_choose() {
        let mut rx = ReceiveBuffer::with_capacity(4096);
        for unread in [0, 1, 17, 64, 400, 1000] {
            rx.discard();
            let read = rx.spare().len();
            assert_eq!(rx.spare().as_ptr().align_offset(CACHE_LINE), 0);
            rx.filled(read);
            rx.skip(read - unread);
            assert_eq!(rx.spare().as_ptr().align_offset(CACHE_LINE), 0);
        }
    }

    #[test]
    fn a_large_message_grows_the_storage_with_what_came() {
        let mut rx = ReceiveBuffer::with_capacity(512);
        let (total, mut came) = (LARGE, 0);
        while came < total {
            let n = rx.spare().len().min(total - came);
            assert!(n > 0);
            rx.spare()[..n].fill(came as u8);
            rx.filled(n);
            came += n;
            rx.keep(n, total - came);
            assert!(rx.storage.len() <= 512 + 2 * came, "{} for {came}", rx.storage.len());
        }
        assert_eq!(rx.kept().len(), total);
        rx.take_kept(total);
        rx.spare();
        assert!(rx.storage.len() >= total, "while messages are large it is used again");
        rx.release();
        rx.spare();
        assert_eq!(rx.storage.len(), 512 + CACHE_LINE);
    }

    #[test]
    fn a_message_that_just_does_not_fit_is_read_up_to_its_end_and_stays_where_it_is() {
        let mut rx = ReceiveBuffer::with_capacity(512);
        for _ in 0..3 {
            let (header, payload) = (14, 512);
            assert_eq!(rx.extend(&[7; 2000]), 512);
            rx.skip(header);
            rx.keep(512 - header, payload + header - 512);
            let start = rx.kept.start;
            assert_eq!(rx.extend(&[7; 2000]), header, "what follows begins anew, at the front");
            rx.keep(header, 0);
            assert_eq!((rx.kept.start, rx.kept().len()), (start, payload));
            assert!(rx.storage.len() < 512 + 2 * CACHE_LINE, "{}", rx.storage.len());
            rx.take_kept(payload);
        }
    }

    #[test]
    #[should_panic(expected = "more was filled than there was room for")]
    fn a_reader_that_lies_is_found_out() {
        let mut rx = ReceiveBuffer::with_capacity(512);
        let room = rx.spare().len();
        rx.filled(room + 1);
    }
}
