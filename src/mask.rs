//! Masking of payload data (RFC 6455, section 5.3).
//!
//! "Octet i of the transformed data is the XOR of octet i of the original data with octet at index
//! i modulo 4 of the masking key." A [`Mask`] is the key as a value that carries its phase: a
//! payload may be transformed in as many steps as it arrives in.

use alloc::vec::Vec;

/// A masking key, turned so that its first octet meets the next octet of the payload.
///
/// The same transformation masks and unmasks.
///
/// ```
/// use sotong::Mask;
///
/// let mut payload = *b"Hello";
/// let (head, tail) = payload.split_at_mut(3);
/// let mut mask = Mask::new([0x37, 0xfa, 0x21, 0x3d]);
/// mask.apply(head);
/// mask.apply(tail);
/// assert_eq!(payload, [0x7f, 0x9f, 0x4d, 0x51, 0x58]); // section 5.7
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mask(u32);

impl Mask {
    /// The key as it stands in the frame's header.
    ///
    /// For an example see [`Mask`](Self).
    pub const fn new(key: [u8; 4]) -> Self {
        Self(u32::from_ne_bytes(key))
    }

    /// Transforms the next octets of the payload in place.
    ///
    /// For an example see [`Mask`](Self).
    #[inline]
    pub fn apply(&mut self, payload: &mut [u8]) {
        #[cfg(feature = "std")]
        if payload.len() >= DISPATCH_FROM {
            return self.apply_with_widest_vectors(payload);
        }
        self.apply_with_any_vectors(payload);
    }

    /// Appends the next octets of the payload, transformed, to a queue. That is one pass, where to
    /// copy and then to [`apply`](Self::apply) are two.
    pub(crate) fn append(&mut self, payload: &[u8], queue: &mut Vec<u8>) {
        queue.reserve(payload.len());
        let (blocks, rest) = payload.as_chunks::<BLOCK>();
        match blocks.len() * BLOCK {
            #[cfg(feature = "std")]
            DISPATCH_FROM.. => self.append_with_widest_vectors(blocks, queue),
            _ => self.append_blocks(blocks, queue),
        }
        match rest.len() {
            0..4 => self.octets().zip(rest).for_each(|(key, octet)| queue.push(octet ^ key)),
            4..8 => self.append_by::<4>(rest, queue),
            8..16 => self.append_by::<8>(rest, queue),
            16..32 => self.append_by::<16>(rest, queue),
            32..64 => self.append_by::<32>(rest, queue),
            64.. => self.append_by::<64>(rest, queue),
        }
        *self = self.after(rest.len());
    }

    /// Transforms at least `N` octets, `V` at a time. The last `N` overlap those before them, so
    /// that nothing is left over: a loop over a remainder is a branch that is mispredicted whenever
    /// lengths vary, and that costs more than masking a short message does.
    #[inline(always)]
    fn apply_by<const N: usize, const V: usize>(self, payload: &mut [u8]) {
        let Some(&(mut last)) = payload.last_chunk::<N>() else { return };
        self.after(payload.len()).transform(&mut last);
        let whole = payload.len() / N * N;
        for vector in payload[..whole].as_chunks_mut::<V>().0 {
            self.transform(vector);
        }
        if let Some(end) = payload.last_chunk_mut() {
            *end = last;
        }
    }

    #[inline(always)]
    fn apply_with_any_vectors(&mut self, payload: &mut [u8]) {
        match payload.len() {
            0..4 => self.octets().zip(payload.iter_mut()).for_each(|(key, octet)| *octet ^= key),
            4..8 => self.apply_by::<4, 4>(payload),
            8..16 => self.apply_by::<8, 8>(payload),
            16..32 => self.apply_by::<16, 16>(payload),
            32..64 => self.apply_by::<32, 32>(payload),
            // Not 64 at a time: of that LLVM makes code ten times as slow with vectors of 512 bits.
            64.. => self.apply_by::<64, 32>(payload),
        }
        *self = self.after(payload.len());
    }

    /// Compiled for each kind of vectors, and chosen as the program runs.
    #[cfg(feature = "std")]
    #[inline(never)]
    fn apply_with_widest_vectors(&mut self, payload: &mut [u8]) {
        // A vector across two lines of the cache takes twice as long.
        let before_line = payload.as_ptr().align_offset(CACHE_LINE).min(payload.len());
        let (head, lines) = payload.split_at_mut(before_line);
        self.apply_with_any_vectors(head);
        let level = fearless_simd::Level::new();
        fearless_simd::dispatch!(level, _simd => self.apply_by::<64, 32>(lines));
        *self = self.after(lines.len());
    }

    /// As [`append_blocks`](Self::append_blocks), compiled and chosen as
    /// [`apply_with_widest_vectors`](Self::apply_with_widest_vectors).
    #[cfg(feature = "std")]
    #[inline(never)]
    fn append_with_widest_vectors(self, blocks: &[[u8; BLOCK]], queue: &mut Vec<u8>) {
        let level = fearless_simd::Level::new();
        fearless_simd::dispatch!(level, _simd => self.append_blocks(blocks, queue));
    }

    #[inline(always)]
    fn append_blocks(self, blocks: &[[u8; BLOCK]], queue: &mut Vec<u8>) {
        for &(mut block) in blocks {
            self.transform(&mut block);
            queue.extend_from_slice(&block);
        }
    }

    /// As [`apply_by`](Self::apply_by).
    #[inline(always)]
    fn append_by<const N: usize>(self, payload: &[u8], queue: &mut Vec<u8>) {
        let Some(&(mut last)) = payload.last_chunk::<N>() else { return };
        self.after(payload.len()).transform(&mut last);
        let start_of_last = queue.len() + payload.len() - N;
        for &(mut block) in payload.as_chunks::<N>().0 {
            self.transform(&mut block);
            queue.extend_from_slice(&block);
        }
        queue.truncate(start_of_last);
        queue.extend_from_slice(&last);
    }

    /// Transforms whole words.
    #[inline(always)]
    fn transform<const N: usize>(self, block: &mut [u8; N]) {
        for word in block.as_chunks_mut().0 {
            *word = (u32::from_ne_bytes(*word) ^ self.0).to_ne_bytes();
        }
    }

    fn octets(self) -> impl Iterator<Item = u8> {
        self.0.to_ne_bytes().into_iter()
    }

    /// The key for what comes after some octets more.
    #[inline(always)]
    fn after(self, octets: usize) -> Self {
        Self(u32::from_le(self.0.to_le().rotate_right(8 * (octets % 4) as u32)))
    }
}

/// What is masked on the stack before it is queued: enough to make little of the bookkeeping of a
/// `Vec`, and little enough to stay in the first-level cache.
const BLOCK: usize = 512;

#[cfg(any(feature = "std", test))]
const CACHE_LINE: usize = 64;

/// Below this the wider vectors gain nothing, and from here on more with each octet (Zen 5).
#[cfg(any(feature = "std", test))]
const DISPATCH_FROM: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    /// An interpreter takes a thousand times as long: it tries every so-manieth length.
    const STRIDE: usize = if cfg!(miri) { 37 } else { 1 };

    fn naive(key: [u8; 4], payload: &[u8]) -> Vec<u8> {
        payload.iter().enumerate().map(|(i, octet)| octet ^ key[i % 4]).collect()
    }

    fn source(len: usize) -> Vec<u8> {
        (0..len).map(|i| (i * 37 + i / 251) as u8).collect()
    }

    const KEYS: [[u8; 4]; 3] = [[0; 4], [0xff; 4], [0x37, 0xfa, 0x21, 0x3d]];

    #[test]
    fn every_length_alignment_and_split_gives_what_the_rfc_says() {
        // Two of the largest blocks that overlap, and some.
        let source = source(136);
        for key in KEYS {
            for start in (0..8).step_by(STRIDE.min(3)) {
                for end in (start..source.len()).step_by(STRIDE.min(17)) {
                    let expected = naive(key, &source[start..end]);
                    for cut in (start..=end).step_by(STRIDE) {
                        let mut bytes = source.clone();
                        let mut mask = Mask::new(key);
                        mask.apply(&mut bytes[start..cut]);
                        mask.apply(&mut bytes[cut..end]);
                        assert_eq!(bytes[start..end], expected, "{start}..{cut}..{end}");
                        assert_eq!(bytes[..start], source[..start]);
                        assert_eq!(bytes[end..], source[end..]);
                    }
                }
            }
        }
    }

    #[test]
    fn long_payloads_take_the_widest_vectors_at_any_alignment() {
        let source = source(CACHE_LINE + 3 * DISPATCH_FROM);
        for key in KEYS {
            for start in (0..CACHE_LINE).step_by(STRIDE) {
                let lengths = (DISPATCH_FROM - 1..DISPATCH_FROM + 130).step_by(STRIDE);
                for len in lengths.chain([3 * DISPATCH_FROM]) {
                    let end = start + len;
                    let (mut bytes, mut mask) = (source.clone(), Mask::new(key));
                    mask.apply(&mut bytes[start..end]);
                    assert_eq!(
                        bytes[start..end],
                        naive(key, &source[start..end]),
                        "{start}..{end}"
                    );
                    assert_eq!(
                        (&bytes[..start], &bytes[end..]),
                        (&source[..start], &source[end..])
                    );
                    assert_eq!(mask, Mask::new(key).after(len));
                }
            }
        }
    }

    #[test]
    fn what_is_appended_is_what_is_masked_in_place() {
        let source = source(2 * BLOCK + 136);
        for key in KEYS {
            for len in (0..source.len()).step_by(STRIDE * STRIDE.min(5)) {
                let expected = naive(key, &source[..len]);
                for cut in [0, 1, 7, 66, len / 2, len] {
                    let (head, tail) = source[..len].split_at(cut.min(len));
                    let (mut in_place, mut queue) = (source[..len].to_vec(), b"queued".to_vec());
                    let (head_in_place, tail_in_place) = in_place.split_at_mut(head.len());
                    let (mut mask, mut same_mask) = (Mask::new(key), Mask::new(key));
                    mask.apply(head_in_place);
                    mask.apply(tail_in_place);
                    same_mask.append(head, &mut queue);
                    same_mask.append(tail, &mut queue);
                    assert_eq!(in_place, expected, "{len}, cut at {cut}");
                    assert_eq!(queue.strip_prefix(b"queued"), Some(&expected[..]));
                    assert_eq!(mask, same_mask);
                }
            }
        }
    }
}
