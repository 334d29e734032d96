//! Where in the storage things lie, and how large it becomes.
//!
//! Memory grows by what has come, and never by what was announced.

use alloc::vec;

use super::{CACHE_LINE, ReceiveBuffer};

impl ReceiveBuffer {
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

    /// Makes room to read, and grows if a message takes it up.
    pub(super) fn make_room(&mut self) {
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
        } else {
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
        if self.kept.start != front {
            self.storage.copy_within(self.kept.clone(), front);
        }
        self.kept = front..front + kept;
        let start = if self.is_inflating { self.gap_end(unparsed) } else { self.kept.end };
        if self.unparsed.start != start {
            self.storage.copy_within(self.unparsed.clone(), start);
        }
        self.unparsed = start..start + unparsed;
    }

    /// Where `held` bytes begin so that a line of the cache begins behind them.
    pub(super) fn before_line(&self, held: usize) -> usize {
        let behind = self.storage.get(held..).unwrap_or_default();
        let gap = behind.as_ptr().align_offset(CACHE_LINE);
        if gap < behind.len() { gap } else { 0 }
    }

    /// Where `unparsed` bytes begin so that one read, or they, reach to the end of the storage.
    pub(super) fn gap_end(&self, unparsed: usize) -> usize {
        self.storage.len().saturating_sub(unparsed.max(self.capacity))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::ops::Range;

    #[test]
    fn no_line_of_the_cache_begins_where_the_storage_ends() {
        let mut rx = holding(1000, 0..0, 0..0);
        let len = rx.storage.as_ptr().align_offset(CACHE_LINE) + 8 * CACHE_LINE;
        rx.storage.truncate(len);
        assert_eq!(rx.before_line(len - CACHE_LINE - 10), 10);
        assert_eq!(rx.before_line(len - 10), 0);
    }

    const STEP: usize = ReceiveBuffer::INFLATE_STEP;
    const NEVER: usize = usize::MAX;

    /// A buffer of capacity 512 in the middle of something: how large its storage is and what lies where,
    /// each byte with a value of its own.
    fn holding(size: usize, kept: Range<usize>, unparsed: Range<usize>) -> ReceiveBuffer {
        let mut rx = ReceiveBuffer::with_capacity(512);
        rx.storage = (0..size).map(|i| (i % 251) as u8).collect();
        (rx.kept, rx.unparsed) = (kept, unparsed);
        rx
    }

    /// What is kept and what is unparsed.
    fn held(rx: &ReceiveBuffer) -> [&[u8]; 2] {
        [rx.kept(), rx.unparsed()]
    }

    #[test]
    fn the_storage_grows_with_what_a_message_has_brought_and_up_to_its_end() {
        // (size, kept, unparsed, what the frame lacks, size then)
        let table = [
            (0, 0..0, 0..0, 0, 512 + 64),
            (0, 0..0, 0..0, 1 << 30, 512 + 64),
            (576, 200..500, 500..500, 1 << 30, 2 * 576),
            (576, 200..500, 500..500, NEVER, 2 * 576),
            (576, 200..500, 500..500, 400, 300 + 400 + 64),
            (576, 200..500, 510..520, 400, 310 + 400 + 64),
            (576, 200..500, 500..500, 0, 300 + 300 / 2 + 512 + 64),
            (576, 200..500, 510..520, 0, 310 + 310 / 2 + 512 + 64),
            (576, 200..488, 500..500, 1 << 30, 576), // to move it is enough
            (576, 200..489, 500..500, 1 << 30, 2 * 576),
            (577, 200..489, 500..500, 1 << 30, 2 * 577),
            (577, 200..488, 500..500, 1 << 30, 577),
            (2000, 0..1001, 1990..1999, 1, 2000),
            (280, 0..200, 200..200, 400, 512 + 64),
        ];
        for (size, kept, unparsed, missing, then) in table {
            let mut rx = holding(size, kept.clone(), unparsed.clone());
            rx.missing = missing;
            rx.make_room();
            let all = (rx.storage.len(), rx.storage.capacity());
            assert_eq!(all, (then, then), "{size}, {kept:?}, {unparsed:?}, {missing}");
        }
    }

    #[test]
    fn while_it_inflates_there_is_room_for_a_read_and_a_step() {
        for (size, kept, unparsed, then) in [
            (0, 0..0, 0..0, 512 + STEP),
            (600, 0..80, 600..600, 600),
            (600, 0..80, 592..600, 600),
            (600, 0..81, 592..600, 601),
            (600, 0..300, 500..600, 912),
        ] {
            let mut rx = holding(size, kept, unparsed);
            rx.is_inflating = true;
            let before = held(&rx).concat();
            rx.make_room();
            assert_eq!((rx.storage.len(), held(&rx).concat()), (then, before));
            assert_eq!((rx.kept.start, rx.unparsed.start), (0, then - 512));
        }
    }

    #[test]
    fn what_is_held_stays_where_it_is_near_the_front_and_is_else_moved_before_a_line_of_the_cache()
    {
        for (kept, unparsed) in [
            (0..0, 0..5),
            (0..0, 63..70),
            (500..500, 63..70),
            (0..5, 5..5),
            (63..70, 70..70),
            (63..70, 80..99),
            (5..5, 64..70),
            (64..70, 70..70),
            (64..70, 80..99),
            (400..450, 450..450),
            (400..450, 460..576),
            (9..9, 500..576),
        ] {
            let mut rx = holding(576, kept.clone(), unparsed.clone());
            let before = held(&rx).map(<[u8]>::to_vec);
            rx.lay_out(576);
            assert_eq!(held(&rx), before, "{kept:?}, {unparsed:?}");
            let start = if kept.is_empty() { unparsed.start } else { kept.start };
            if start < 64 {
                assert_eq!(rx.kept.start, start, "{kept:?}, {unparsed:?}");
            } else {
                let behind = rx.storage[rx.unparsed.end..].as_ptr();
                assert_eq!((rx.kept.start / 64, behind.align_offset(64)), (0, 0));
            }
            assert_eq!((rx.kept.end, rx.room), (rx.unparsed.start, 0));
        }
        let mut rx = holding(576, 5..5, 5..5);
        rx.lay_out(576);
        assert_eq!(rx.storage[rx.unparsed.end..].as_ptr().align_offset(64), 0);
    }

    #[test]
    fn no_line_of_the_cache_begins_at_the_end() {
        for size in (0..200).step_by(if cfg!(miri) { 7 } else { 1 }) {
            let rx = holding(size, 0..0, 0..0);
            for held in 0..=size {
                let start = rx.before_line(held);
                assert!(start == 0 || start < 64 && held + start < size, "{size}, {held}");
            }
        }
    }

    #[test]
    fn inflating_has_room_behind_what_is_kept() {
        // (size, kept, unparsed, most, size then, room)
        let table = [
            (600, 0..0, 0..99, NEVER, 512 + STEP, STEP),
            (600, 7..7, 0..99, 1, 600, 1),
            (600, 7..7, 9..99, 1, 600, 1),
            (600, 0..0, 20..99, 21, 600, 21),
            (600, 0..0, 20..99, 20, 600, 20),
            (600, 0..0, 20..599, 21, 600, 21),
            (600, 0..0, 20..600, 21, 601, 21),
            (20_000, 0..10_000, 12_000..12_100, 2_000, 20_000, 2_000),
            (20_000, 0..10_000, 14_096..14_100, NEVER, 20_000, 4_096),
            (20_000, 0..10_000, 14_095..14_100, NEVER, 40_000, STEP),
            (20_000, 0..10_000, 14_095..14_100, 5_000, 20_000, 5_000),
            (20_000, 0..10_000, 14_095..14_100, 9_488, 20_000, 9_488),
            (20_000, 0..10_000, 14_095..14_100, 9_489, 20_001, 9_489),
            (20_000, 0..10_000, 14_095..14_100, STEP + 99, 10_000 + 512 + STEP + 99, STEP),
            (20_000, 0..10_000, 14_095..19_000, STEP, 10_000 + 4_905 + STEP, STEP),
            (13_000, 0..10_000, 12_095..12_100, NEVER, 10_000 + 512 + STEP, STEP),
        ];
        for (size, kept, unparsed, most, then, room) in table {
            let mut rx = holding(size, kept.clone(), unparsed.clone());
            let before = held(&rx).map(<[u8]>::to_vec);
            let (input, output) = rx.inflate_room(3.min(unparsed.len()), most);
            assert_eq!((input, output.len()), (&before[1][..input.len()], room));
            assert_eq!(input.len(), 3.min(unparsed.len()));
            output.fill(0xff);
            let all = (rx.storage.len(), held(&rx).map(<[u8]>::to_vec));
            assert_eq!(all, (then, before), "{size}, {kept:?}, {unparsed:?}, {most}");
            assert_eq!(rx.kept.start, 0, "{kept:?}");
        }
    }
}
