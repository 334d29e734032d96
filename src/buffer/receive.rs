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

mod room;

use alloc::vec::Vec;
use core::ops::Range;

/// The buffer that a stream is read into and that events borrow from.
///
/// Read into [`spare`](Self::spare) and say how much came with [`filled`](Self::filled), or copy
/// bytes in with [`extend`](Self::extend); then ask the connection for events. Memory is taken at
/// the first read.
///
/// ```
/// use std::io::Read;
/// use sotong::ReceiveBuffer;
///
/// let mut stream = &b"\x81\x85\x37\xfa\x21\x3d"[..]; // whatever can be read
/// let mut rx = ReceiveBuffer::with_capacity(4096);
/// assert!(rx.is_empty());
/// let n = stream.read(rx.spare())?;
/// rx.filled(n);
/// assert_eq!(rx.extend(b"\x7f\x9f\x4d\x51\x58"), 5); // bytes that were read elsewhere
/// assert_eq!((rx.received(), rx.unparsed().len()), (11, 11));
/// assert!(rx.held() >= rx.capacity());
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// For an example with a connection see [`Connection`](crate::Connection), for a whole adapter
/// [the guide](crate#an-adapter-of-your-own).
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
    ///
    /// For an example see [`ReceiveBuffer`](Self).
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

    /// A buffer that holds bytes from the start, however many, and takes `capacity` at a time then.
    #[cfg(feature = "std")]
    pub(crate) fn holding(bytes: &[u8], capacity: usize) -> Self {
        let mut rx = Self::with_capacity(capacity);
        if !bytes.is_empty() {
            rx.storage = bytes.to_vec();
            rx.storage.resize(bytes.len().max(rx.capacity + CACHE_LINE), 0);
            (rx.unparsed, rx.received) = (0..bytes.len(), bytes.len() as u64);
        }
        rx
    }

    /// The place to read into; empty only if there is much to be looked at first.
    ///
    /// For an example see [`ReceiveBuffer`](Self).
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
    /// For an example see [`ReceiveBuffer`](Self).
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
    ///
    /// For an example see [`ReceiveBuffer`](Self).
    #[must_use = "not all bytes may have fitted"]
    pub fn extend(&mut self, bytes: &[u8]) -> usize {
        let spare = self.spare();
        let n = bytes.len().min(spare.len());
        spare[..n].copy_from_slice(&bytes[..n]);
        self.filled(n);
        n
    }

    /// The bytes that nobody has looked at yet, as what came behind an opening handshake.
    ///
    /// For an example see [`ReceiveBuffer`](Self).
    pub fn unparsed(&self) -> &[u8] {
        &self.storage[self.unparsed.clone()]
    }

    /// How many bytes it takes at a time.
    ///
    /// For an example see [`ReceiveBuffer`](Self).
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// How many bytes came in since the buffer was made.
    ///
    /// For an example see [`ReceiveBuffer`](Self).
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Whether nothing is held: no part of a message, no byte to look at.
    ///
    /// For an example see [`ReceiveBuffer`](Self).
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty() && self.unparsed.is_empty()
    }

    /// Gives the memory back if nothing is held, as while a connection is idle.
    ///
    /// For an example see [`Connection::release`](crate::Connection::release).
    pub fn release(&mut self) {
        if self.is_empty() {
            self.storage = Vec::new();
            self.room = 0;
            (self.kept, self.unparsed) = (0..0, 0..0);
        }
    }

    /// Gives the memory back if nothing is held and it is larger than a read and a step of inflating
    /// need, as after a large message.
    ///
    /// ```
    /// # use sotong::{Agreed, Config, Connection};
    /// use sotong::{Event, ReceiveBuffer};
    ///
    /// # let mut conn = Connection::server(Config::default(), Agreed::default());
    /// # let large = [b"\x82\xff\0\0\0\0\0\x01\x86\xa0\0\0\0\0", &[7; 100_000][..]].concat();
    /// # let mut bytes = &large[..];
    /// let mut rx = ReceiveBuffer::with_capacity(4096);
    /// while !conn.advance(&mut rx)? {
    ///     let n = rx.extend(bytes);
    ///     bytes = &bytes[n..];
    /// }
    /// let Some(Event::Binary(message)) = conn.next_event(&mut rx)? else { panic!() };
    /// assert_eq!(message.len(), 100_000);
    /// assert!(rx.held() >= 100_000);
    /// rx.shrink();
    /// assert_eq!(rx.held(), 0);
    /// # Ok::<(), sotong::ProtocolError>(())
    /// ```
    pub fn shrink(&mut self) {
        if self.storage.len() > self.capacity + Self::INFLATE_STEP {
            self.release();
        }
    }

    /// How many bytes of memory it has at the moment.
    ///
    /// For an example see [`ReceiveBuffer`](Self).
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

    /// As [`take`](Self::take), of bytes that are a message.
    #[inline(always)]
    pub(crate) fn take_message(&mut self, n: usize) -> Range<usize> {
        debug_assert!(self.kept.is_empty() && self.missing == 0);
        self.is_inflating = false;
        self.take(n)
    }

    /// Keeps a message that was [taken](Self::take_message).
    #[inline]
    pub(crate) fn keep_message(&mut self, taken: Range<usize>) {
        self.kept = taken;
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
}

const CACHE_LINE: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

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

    #[cfg(feature = "std")]
    #[test]
    fn bytes_that_others_have_read_are_held_and_there_is_room_for_more() {
        assert_eq!(ReceiveBuffer::holding(b"", 600).storage.capacity(), 0);
        for len in [1, 599, 600, 5_000] {
            let mut rx = ReceiveBuffer::holding(&vec![7; len], 600);
            assert_eq!((rx.unparsed(), rx.received()), (&vec![7; len][..], len as u64));
            assert_eq!(rx.storage.len(), len.max(600 + CACHE_LINE));
            rx.skip(len);
            assert!(rx.spare().len() >= 600);
        }
    }

    #[cfg(feature = "tokio")]
    #[test]
    fn a_buffer_that_goes_over_to_another_connection_counts_for_that_one() {
        let mut rx = ReceiveBuffer::with_capacity(600);
        let room = rx.spare().len();
        rx.filled(room);
        assert!(rx.awaits_more());
        rx.skip(room);
        rx.resume(77);
        assert_eq!((rx.received(), rx.awaits_more()), (77, false));
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
            let (header, payload) = (1, 512); // there is room for one more, wherever lines begin
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

    #[test]
    fn reads_take_a_quarter_of_the_capacity_or_more() {
        let mut rx = ReceiveBuffer::with_capacity(512);
        let start = rx.spare().len();
        assert_eq!((start, rx.capacity()), (512, 512));
        rx.filled(300);
        let end = rx.storage.len() - 128;
        (rx.unparsed.start, rx.unparsed.end) = (end - 70, end);
        assert_eq!((rx.spare().len(), rx.unparsed.end), (128, end));
        rx.filled(1);
        assert!(rx.spare().len() > 128 && rx.unparsed.end < end);
        assert_eq!(rx.unparsed().len(), 71);
    }

    #[test]
    fn a_large_message_is_read_in_portions_that_the_cache_holds() {
        let mut rx = ReceiveBuffer::with_capacity(512);
        rx.storage = vec![0; 1 << 20];
        for (kept, missing, large, room) in [
            (0, 511, None, 512),
            (0, 512, Some(512), 512),
            (0, 300_000, Some(300_000), 256 * 1024),
            (0, 256 * 1024, Some(256 * 1024), 256 * 1024),
            (0, 4_000, Some(4_000), 4_000),
            (500, 11, None, 512),
            (500, 12, Some(12), 12),
            (600, 1, Some(1), 1),
            (600, 0, None, 512),
        ] {
            (rx.kept, rx.unparsed, rx.missing) = (0..kept, 600..601, missing);
            assert_eq!((rx.large(), rx.spare().len()), (large, room), "{kept}, {missing}");
        }
    }

    #[test]
    fn a_read_that_takes_all_the_room_is_likely_not_the_last() {
        let mut rx = ReceiveBuffer::with_capacity(512);
        for (len, awaits_more) in [(600, true), (5, false), (600, true)] {
            rx.discard();
            let _ = rx.extend(&[7; 600][..len]);
            assert_eq!(rx.awaits_more(), awaits_more);
        }
        assert_eq!((rx.received(), rx.held()), (512 + 5 + 512, 512 + CACHE_LINE));
    }

    #[test]
    fn more_than_a_read_and_a_step_of_inflating_is_given_back() {
        for (size, then) in [(0, 0), (512, 512), (512 + 16_384, 512 + 16_384), (512 + 16_385, 0)] {
            let mut rx = ReceiveBuffer::with_capacity(512);
            rx.storage = vec![0; size];
            rx.shrink();
            assert_eq!(rx.held(), then);
            rx.storage = vec![0; size.max(1)];
            rx.unparsed = 0..1;
            rx.shrink();
            assert_eq!(rx.held(), size.max(1), "what is held stays");
        }
    }

    #[cfg(feature = "tokio")]
    #[test]
    fn for_another_connection_nothing_is_left_of_the_one_before() {
        let mut rx = ReceiveBuffer::with_capacity(512);
        let _ = rx.extend(&[7; 600]);
        rx.keep(512, 1000);
        rx.take_kept(512);
        rx.is_inflating = true;
        rx.resume(7);
        assert_eq!((rx.received(), rx.awaits_more(), rx.large()), (7, false, None));
        assert!(!rx.is_inflating);
    }
}
