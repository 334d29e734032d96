//! Masking of payload data (RFC 6455, section 5.3).
//!
//! "Octet i of the transformed data is the XOR of octet i of the original data with octet at index
//! i modulo 4 of the masking key." A [`Mask`] is the key as a value that carries its phase: a
//! payload may be transformed in as many steps as it arrives in.

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
pub struct Mask([u8; 4]);

impl Mask {
    /// The key as it stands in the frame's header.
    pub const fn new(key: [u8; 4]) -> Self {
        Self(key)
    }

    /// Transforms the next octets of the payload in place.
    #[inline]
    pub fn apply(&mut self, payload: &mut [u8]) {
        let Self([a, b, c, d]) = *self;
        let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);

        // Eight octets at a time are what a compiler turns into vector instructions.
        let (words, rest) = payload.as_chunks_mut::<8>();
        for word in words {
            *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
        }
        let (half, rest) = rest.as_chunks_mut::<4>();
        for word in half {
            *word = (u32::from_ne_bytes(*word) ^ u32::from_ne_bytes([a, b, c, d])).to_ne_bytes();
        }
        for (octet, key) in rest.iter_mut().zip([a, b, c]) {
            *octet ^= key;
        }
        self.turn(rest.len());
    }

    /// Passes over some octets, of which only the last up to three count.
    fn turn(&mut self, octets: usize) {
        self.0 = u32::from_le_bytes(self.0).rotate_right(8 * (octets % 4) as u32).to_le_bytes();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn naive(key: [u8; 4], payload: &[u8]) -> Vec<u8> {
        payload.iter().enumerate().map(|(i, octet)| octet ^ key[i % 4]).collect()
    }

    #[test]
    fn every_length_alignment_and_split_gives_what_the_rfc_says() {
        let source: Vec<u8> = (0..80u8).map(|i| i.wrapping_mul(37)).collect();
        for key in [[0; 4], [0xff; 4], [0x37, 0xfa, 0x21, 0x3d]] {
            for start in 0..8 {
                for end in start..source.len() {
                    let expected = naive(key, &source[start..end]);
                    for cut in start..=end {
                        let mut bytes = source.clone();
                        let mut mask = Mask::new(key);
                        mask.apply(&mut bytes[start..cut]);
                        mask.apply(&mut bytes[cut..end]);
                        assert_eq!(bytes[start..end], expected, "{start}..{cut}..{end}");
                    }
                }
            }
        }
    }
}
