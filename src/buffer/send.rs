//! Bytes on their way out.
//!
//! ```text
//!   queue: │ already sent │ to be sent │    payload: │ to be sent, not copied │
//!          0              start                      └ belongs to the caller ─┘
//! ```

use alloc::vec::Vec;
#[cfg(feature = "tokio")]
use core::mem;

use crate::frame::{EncodedHeader, FrameHeader};
use crate::mask::Mask;

/// The queue of bytes for the stream.
///
/// ```
/// use std::io::Write;
/// use sotong::{Agreed, Config, Connection, SendBuffer};
///
/// let mut stream = Vec::new(); // whatever can be written to
/// let mut conn = Connection::server(Config::default(), Agreed::default());
/// let mut tx = SendBuffer::new();
/// conn.send_text("Hello", &mut tx)?.queue();
/// assert_eq!(tx.len(), 7);
/// let mut transmit = tx.transmit();
/// let n = stream.write(transmit.slices()[0])?;
/// transmit.consume(n);
/// drop(transmit);
/// assert_eq!((tx.sent(), tx.is_empty()), (7, true));
/// tx.shrink(); // so little memory is kept
/// assert!(tx.held() > 0);
/// tx.release();
/// assert_eq!(tx.held(), 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
pub struct SendBuffer {
    queue: Vec<u8>,
    start: usize,
    sent: u64,
    /// Whether a [`Transmit`] is about that still has payload to send, or what is left of one.
    awaits_tail: bool,
}

impl SendBuffer {
    /// What was sent is given up in portions of at least this many bytes: eight small pages.
    const SENT: usize = 32 * 1024;

    /// What [`shrink`](Self::shrink) leaves, in bytes: what a busy socket takes at once, and half as much.
    const KEEP: usize = 96 * 1024;

    /// An empty queue.
    ///
    /// For an example see [`SendBuffer`](Self).
    pub const fn new() -> Self {
        Self { queue: Vec::new(), start: 0, sent: 0, awaits_tail: false }
    }

    /// How many bytes are queued.
    ///
    /// For an example see [`SendBuffer`](Self).
    #[inline]
    pub fn len(&self) -> usize {
        self.queue.len() - self.start
    }

    /// Whether nothing is queued.
    ///
    /// For an example see [`SendBuffer`](Self).
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many bytes have gone out since the queue was made.
    ///
    /// For an example see [`SendBuffer`](Self).
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// What is queued, to be written.
    ///
    /// For an example see [`SendBuffer`](Self).
    #[inline]
    pub fn transmit(&mut self) -> Transmit<'_, 'static> {
        self.transmit_with(&[])
    }

    /// Gives the memory back if nothing is queued, as while a connection is idle.
    ///
    /// For an example see [`SendBuffer`](Self).
    pub fn release(&mut self) {
        if self.is_empty() {
            (self.queue, self.start) = Default::default();
        }
    }

    /// Gives the memory back if nothing is queued and it is more than a few messages need, as after a
    /// large one.
    ///
    /// For an example see [`SendBuffer`](Self).
    pub fn shrink(&mut self) {
        if self.queue.capacity() > Self::KEEP {
            self.release();
        }
    }

    /// How many bytes of memory it has at the moment.
    ///
    /// For an example see [`SendBuffer`](Self).
    pub fn held(&self) -> usize {
        self.queue.capacity()
    }

    /// Goes over to another connection, of which so many bytes have gone out.
    #[cfg(feature = "tokio")]
    pub(crate) fn resume(&mut self, sent: u64) {
        self.sent = sent;
    }

    /// What is queued and then `tail`, which stays where it is as long as it can.
    #[inline]
    pub(crate) fn transmit_with<'p>(&mut self, tail: &'p [u8]) -> Transmit<'_, 'p> {
        assert!(!self.awaits_tail, "a Transmit was leaked, and with it the rest of a frame");
        self.awaits_tail = !tail.is_empty();
        Transmit { tx: self, tail }
    }

    /// What is queued and then what was [set aside](Transmit::set_aside) of the payload behind it.
    #[cfg(feature = "tokio")]
    pub(crate) fn transmit_rest<'p>(&mut self, rest: &'p [u8]) -> Transmit<'_, 'p> {
        self.awaits_tail = false;
        self.transmit_with(rest)
    }

    /// Whether the rest of a frame was set aside, so that nothing may be queued or sent before it.
    #[cfg(feature = "tokio")]
    pub(crate) fn awaits_rest(&self) -> bool {
        self.awaits_tail
    }

    /// Pushes a header, and makes room for the payload that is to follow.
    #[inline]
    pub(crate) fn push_header(&mut self, header: &EncodedHeader, payload: usize) {
        self.queue.reserve(header.padded().len() + payload);
        // All its bytes and then fewer: a copy of constant length is two stores, and no call.
        let end = self.queue.len() + header.len();
        self.queue.extend_from_slice(header.padded());
        self.queue.truncate(end);
    }

    #[inline]
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.queue.extend_from_slice(bytes);
    }

    #[inline]
    pub(crate) fn push_masked(&mut self, payload: &[u8], mut mask: Mask) {
        mask.append(payload, &mut self.queue);
    }

    /// Pushes a frame whose length is known only when its payload is there: `write` appends the
    /// payload, `header` says what to put before it, if anything is to be sent. Lends the payload, to
    /// be masked in place.
    pub(crate) fn push_frame(
        &mut self,
        write: impl FnOnce(&mut Vec<u8>),
        header: impl FnOnce(usize) -> Option<EncodedHeader>,
    ) -> Option<&mut [u8]> {
        let start = self.queue.len();
        let payload = start + FrameHeader::MAX_LEN;
        self.queue.resize(payload, 0);
        write(&mut self.queue);
        let Some(header) = header(self.queue.len() - payload) else {
            self.queue.truncate(start);
            return None;
        };
        let header = header.as_ref();
        let end = start + header.len();
        self.queue[start..end].copy_from_slice(header);
        self.queue.copy_within(payload.., end);
        self.queue.truncate(self.queue.len() - (payload - end));
        Some(&mut self.queue[end..])
    }

    #[inline(always)]
    fn consume(&mut self, n: usize) {
        self.start += n;
        self.sent += n as u64;
        if self.is_empty() {
            self.start = 0;
            self.queue.clear();
        } else if self.start >= self.queue.len() / 2 && self.start >= Self::SENT {
            // What was sent is at least as much as what moves, so every byte moves at most once.
            self.queue.copy_within(self.start.., 0);
            self.queue.truncate(self.queue.len() - self.start);
            self.start = 0;
        }
    }
}

/// Bytes to write now: the queue, then the payload that was not copied into it.
///
/// Write [`slices`](Self::slices) in order, with one vectored write if the stream can, and say with
/// [`consume`](Self::consume) how much went out. Dropping a `Transmit` copies what is left of the
/// payload into the queue: a frame is never left half written, and nothing that was accepted is
/// lost. (One that was leaked makes the next use of the queue panic.)
///
/// ```
/// use sotong::{Agreed, Config, Connection, SendBuffer};
///
/// let mut conn = Connection::server(Config::default(), Agreed::default());
/// let mut tx = SendBuffer::new();
/// let large = vec![7; 100_000];
/// let mut transmit = conn.send_binary(&large, &mut tx)?;
/// assert_eq!(transmit.len(), 100_010); // with a header of 10 bytes
/// assert_eq!(transmit.slices()[1].as_ptr(), large.as_ptr()); // it was not copied
/// transmit.consume(60_000); // as much as the stream took
/// drop(transmit);
/// assert_eq!(tx.len(), 40_010); // the rest
/// # Ok::<(), sotong::SendError>(())
/// ```
#[derive(Debug)]
#[must_use = "what is not written now stays in the queue"]
pub struct Transmit<'t, 'p> {
    tx: &'t mut SendBuffer,
    tail: &'p [u8],
}

impl<'p> Transmit<'_, 'p> {
    /// To copy up to this many bytes takes less time than a second slice in a vectored write does.
    const SHORT: usize = 4096;

    /// What a record of TLS has room for.
    const RECORD: usize = 16 * 1024;

    /// The bytes to write, in order; either may be empty.
    ///
    /// For an example see [`consume`](Self::consume).
    #[inline(always)]
    pub fn slices(&self) -> [&[u8]; 2] {
        [&self.tx.queue[self.tx.start..], self.tail]
    }

    /// How many bytes there are to write.
    ///
    /// For an example see [`Transmit`](Self).
    #[inline]
    pub fn len(&self) -> usize {
        self.tx.len() + self.tail.len()
    }

    /// Whether nothing is left to write.
    ///
    /// For an example see [`consume`](Self::consume).
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Says that the first `n` bytes went out.
    ///
    /// ```
    /// # use sotong::{Agreed, Config, Connection, SendBuffer};
    /// use std::io::{IoSlice, Write};
    ///
    /// # let mut stream = Vec::new();
    /// # let mut conn = Connection::server(Config::default(), Agreed::default());
    /// # let mut tx = SendBuffer::new();
    /// let mut transmit = conn.send_text("Hello", &mut tx)?;
    /// while !transmit.is_empty() {
    ///     let n = stream.write_vectored(&transmit.slices().map(IoSlice::new))?;
    ///     transmit.consume(n);
    /// }
    /// # assert_eq!(stream, b"\x81\x05Hello");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Panics
    ///
    /// If `n` is larger than [`len`](Self::len).
    #[inline(always)]
    pub fn consume(&mut self, n: usize) {
        assert!(n <= self.len(), "more was sent than there was to send");
        let queued = n.min(self.tx.len());
        self.tx.consume(queued);
        self.tail = &self.tail[n - queued..];
        self.tx.sent += (n - queued) as u64;
    }

    /// Copies the beginning of a payload behind its header, as much as fits into a record of TLS, for a
    /// stream that cannot write two slices at once: a header alone is not worth a write.
    ///
    /// ```
    /// # use sotong::{Agreed, Config, Connection, SendBuffer};
    /// # let mut conn = Connection::server(Config::default(), Agreed::default());
    /// # let mut tx = SendBuffer::new();
    /// let payload = [7; 60_000];
    /// let mut transmit = conn.send_binary(&payload, &mut tx)?;
    /// assert_eq!(transmit.slices().map(<[u8]>::len), [4, 60_000]);
    /// transmit.join_beginning();
    /// assert_eq!(transmit.slices().map(<[u8]>::len), [16_384, 43_620]);
    /// # Ok::<(), sotong::SendError>(())
    /// ```
    #[inline]
    pub fn join_beginning(&mut self) {
        if !self.tx.is_empty() {
            let room = Self::RECORD.saturating_sub(self.tx.len());
            let (beginning, rest) = self.tail.split_at(self.tail.len().min(room));
            self.tx.push(beginning);
            self.tail = rest;
        }
    }

    #[inline]
    fn join(&mut self) {
        self.tx.awaits_tail = false;
        if !self.tail.is_empty() {
            self.tx.push(self.tail);
            self.tail = &[];
        }
    }

    /// Copies a short payload behind what goes before it, if anything does: one slice costs less to
    /// write than two.
    ///
    /// ```
    /// # use sotong::{Agreed, Config, Connection, SendBuffer};
    /// # let mut conn = Connection::server(Config::default(), Agreed::default());
    /// # let mut tx = SendBuffer::new();
    /// let mut transmit = conn.send_text("Hello", &mut tx)?;
    /// assert_eq!(transmit.slices(), [&b"\x81\x05"[..], b"Hello"]);
    /// transmit.join_short();
    /// assert_eq!(transmit.slices(), [&b"\x81\x05Hello"[..], b""]);
    /// # Ok::<(), sotong::SendError>(())
    /// ```
    #[inline]
    pub fn join_short(&mut self) {
        if self.tail.len() <= Self::SHORT && !self.tx.is_empty() {
            self.join();
        }
    }

    /// Leaves the payload where it is, and gives back what is left of it: for
    /// [`SendBuffer::transmit_rest`], before anything else.
    #[cfg(feature = "tokio")]
    pub(crate) fn set_aside(mut self) -> &'p [u8] {
        let rest = mem::take(&mut self.tail);
        self.tx.awaits_tail = !rest.is_empty();
        mem::forget(self); // it has nothing to queue
        rest
    }

    /// Leaves everything in the queue.
    ///
    /// For an example see [`SendBuffer`].
    pub fn queue(self) {}

    /// Writes until all is out or the stream would block, as one in an event loop may; what is left
    /// then stays in the queue.
    ///
    /// ```
    /// # use sotong::{Agreed, Config, Connection, SendBuffer};
    /// # let mut conn = Connection::server(Config::default(), Agreed::default());
    /// # let mut tx = SendBuffer::new();
    /// let mut stream = Vec::new(); // or a socket
    /// conn.send_text("Hello", &mut tx)?.write_to(&mut stream)?;
    /// assert_eq!(stream, b"\x81\x05Hello");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The stream failed.
    #[cfg(feature = "std")]
    pub fn write_to(mut self, io: &mut impl std::io::Write) -> std::io::Result<()> {
        use std::io::{ErrorKind, IoSlice};
        while !self.is_empty() {
            match io.write_vectored(&self.slices().map(IoSlice::new)) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(n) => self.consume(n),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl Drop for Transmit<'_, '_> {
    #[inline]
    fn drop(&mut self) {
        self.join();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Opcode;
    use alloc::vec;

    /// Enough to move what is queued some times; fewer under an interpreter, which is slow.
    const PUSHES: usize = if cfg!(miri) { 1_000 } else { 10_000 };

    #[cfg(feature = "tokio")]
    #[test]
    fn the_rest_of_a_frame_may_be_set_aside_and_is_sent_before_anything_else() {
        let mut tx = SendBuffer::new();
        tx.push(b"head");
        let mut transmit = tx.transmit_with(b"tail!");
        transmit.consume(6);
        let rest = transmit.set_aside();
        assert_eq!((rest, tx.is_empty(), tx.awaits_rest()), (&b"il!"[..], true, true));
        let mut transmit = tx.transmit_rest(rest);
        assert_eq!(transmit.slices().concat(), b"il!");
        transmit.consume(3);
        assert_eq!(transmit.set_aside(), b"");
        assert_eq!((tx.awaits_rest(), tx.sent()), (false, 9));
        tx.resume(100); // of another connection
        assert_eq!(tx.sent(), 100);
    }

    #[test]
    fn any_sequence_of_short_writes_sends_queue_and_tail_once_and_in_order() {
        for step in 1..=9 {
            for stop in 0..=9 {
                let mut tx = SendBuffer::new();
                tx.push(b"head");
                let mut transmit = tx.transmit_with(b"tail!");
                let mut out = Vec::new();
                while out.len() < stop && !transmit.is_empty() {
                    let all = transmit.slices().concat();
                    let n = step.min(all.len());
                    out.extend_from_slice(&all[..n]);
                    transmit.consume(n);
                }
                drop(transmit);
                out.extend_from_slice(&tx.transmit().slices().concat());
                assert_eq!(out, b"headtail!");
            }
        }
    }

    #[test]
    fn a_queue_that_never_runs_empty_does_not_grow() {
        let mut tx = SendBuffer::new();
        tx.push(&[1; 1000]);
        for _ in 0..PUSHES {
            tx.push(&[2; 100]);
            tx.transmit().consume(100);
        }
        assert_eq!((tx.len(), tx.sent()), (1000, 100 * PUSHES as u64));
        assert!(tx.queue.capacity() <= 4 * SendBuffer::SENT);
    }

    #[test]
    fn a_large_queue_gives_its_memory_back() {
        let mut tx = SendBuffer::new();
        for (len, kept) in [(1000, 1000), (1_000_000, 0)] {
            tx.push(&vec![1; len]);
            tx.shrink();
            assert_eq!(tx.len(), len, "what is queued stays");
            tx.transmit().consume(len);
            tx.shrink();
            assert_eq!(tx.queue.capacity().min(1000), kept);
        }
    }

    #[test]
    fn a_short_payload_is_copied_behind_its_header_a_longer_one_and_one_without_header_are_not() {
        let cases = [(2, 0, 0), (2, 1, 1), (2, 4096, 4096), (2, 4097, 0), (0, 0, 0), (0, 1, 0)];
        for (header, tail, copied) in cases {
            let (mut tx, tail) = (SendBuffer::new(), vec![1; tail]);
            tx.push(&vec![0; header]);
            let mut transmit = tx.transmit_with(&tail);
            let len = header + tail.len();
            assert_eq!((transmit.len(), transmit.is_empty()), (len, len == 0));
            transmit.join_short();
            assert_eq!(transmit.slices().map(<[u8]>::len), [header + copied, tail.len() - copied]);
            transmit.consume(len);
            assert!(transmit.is_empty());
        }
    }

    #[test]
    fn with_a_header_comes_the_room_for_its_payload() {
        let mut tx = SendBuffer::new();
        let header = FrameHeader {
            fin: true,
            reserved: 0,
            opcode: Opcode::Text,
            masking_key: None,
            payload_len: 9,
        };
        tx.push_header(&header.encode(), 1000);
        assert_eq!((&tx.queue[..], tx.held()), (&b"\x81\x09"[..], 16 + 1000));
    }

    #[test]
    fn what_a_few_messages_need_is_kept() {
        for (capacity, then) in [(0, 0), (1000, 1000), (98_304, 98_304), (98_305, 0)] {
            let mut tx = SendBuffer::new();
            tx.queue = Vec::with_capacity(capacity);
            assert_eq!(tx.held(), capacity);
            tx.shrink();
            assert_eq!(tx.held(), then);
        }
    }

    #[test]
    fn what_was_sent_is_given_up_once_it_is_large_and_no_less_than_what_is_left() {
        // (queued, sent, sent then)
        for (queued, first, second) in [(40_000, 32_767, 32_768), (100_000, 49_999, 50_000)] {
            let mut tx = SendBuffer::new();
            tx.push(&vec![1; queued]);
            tx.transmit().consume(first);
            assert_eq!((tx.start, tx.queue.len()), (first, queued));
            tx.transmit().consume(second - first);
            assert_eq!((tx.start, tx.queue.len(), tx.sent()), (0, queued - second, second as u64));
        }
    }

    /// A stream that does these things one after the other: takes so many bytes, or fails.
    #[cfg(feature = "std")]
    struct Script(Vec<std::io::Result<usize>>, Vec<u8>);

    #[cfg(feature = "std")]
    impl std::io::Write for Script {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let n = self.0.remove(0)?.min(bytes.len());
            self.1.extend_from_slice(&bytes[..n]);
            Ok(n)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[cfg(feature = "std")]
    #[test]
    fn what_a_stream_does_not_take_at_once_stays_queued() {
        use std::io::ErrorKind::{BrokenPipe, Interrupted, WouldBlock, WriteZero};
        // What the stream does, what has gone out, and how it ended.
        let scripts = [
            (vec![Ok(2), Ok(99), Ok(99)], "headtail!", None),
            (vec![Ok(2), Err(Interrupted), Ok(99), Ok(99)], "headtail!", None),
            (vec![Ok(4), Ok(3), Err(WouldBlock)], "headtai", None),
            (vec![Err(WouldBlock)], "", None),
            (vec![Ok(6), Ok(0)], "head", Some(WriteZero)),
            (vec![Ok(1), Err(BrokenPipe)], "h", Some(BrokenPipe)),
        ];
        for (script, out, end) in scripts {
            let script = script.into_iter().map(|step| step.map_err(Into::into)).collect();
            let (mut tx, mut io) = (SendBuffer::new(), Script(script, Vec::new()));
            tx.push(b"head");
            let written = tx.transmit_with(b"tail!").write_to(&mut io);
            assert_eq!(written.map_err(|error| error.kind()).err(), end);
            assert_eq!(io.1, out.as_bytes());
            assert_eq!(tx.transmit().slices().concat(), &b"headtail!"[out.len()..]);
        }
    }

    #[test]
    #[should_panic(expected = "a Transmit was leaked")]
    fn half_a_frame_is_never_followed_by_another_one() {
        let mut tx = SendBuffer::new();
        core::mem::forget(tx.transmit_with(b"payload"));
        tx.transmit().queue();
    }

    #[test]
    #[should_panic(expected = "more was sent than there was to send")]
    fn a_writer_that_lies_is_found_out() {
        SendBuffer::new().transmit().consume(1);
    }
}
