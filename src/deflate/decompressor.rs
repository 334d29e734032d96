//! DEFLATE data to messages (RFC 7692, section 7.2.2), with the checks that inflaters leave to
//! others.

use super::DeflateParameters;
use super::inflater::Inflater;
use crate::error::ProtocolError;

/// Inflates what one end receives.
#[derive(Debug)]
pub(crate) struct Decompressor {
    window_bits: u8,
    keeps_context: bool,
    /// There from the first message on, or while one is under way.
    inflater: Option<Inflater>,
    /// Whether there were bytes since the message began or since the last final block.
    is_within: bool,
    /// Whether there may be more to come of what was taken: there was no room, or it fails.
    is_cut_short: bool,
}

/// "Append 4 octets of 0x00 0x00 0xff 0xff to the tail end of the payload of the message."
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

impl Decompressor {
    /// One for a window that was agreed on.
    pub(crate) fn new(_: &DeflateParameters, window_bits: u8, keeps_context: bool) -> Option<Self> {
        Some(Self {
            window_bits,
            keeps_context,
            inflater: None,
            is_within: false,
            is_cut_short: false,
        })
    }

    /// Inflates; how many bytes were taken and how many were put out. It stops where either ends: if
    /// `output` is full there may be more.
    pub(crate) fn inflate(
        &mut self,
        input: &[u8],
        output: &mut [u8],
    ) -> Result<(usize, usize), ProtocolError> {
        let (mut taken, mut made) = (0, 0);
        loop {
            let inflater = self.inflater.get_or_insert_with(|| Inflater::new(self.window_bits));
            let step = match inflater.step(&input[taken..], &mut output[made..]) {
                Err(_) if made > 0 => {
                    self.is_cut_short = true; // what was made is looked at first, then it fails again
                    return Ok((taken, made));
                }
                step => step?,
            };
            taken += step.taken;
            made += step.made;
            self.is_within |= step.taken > 0;
            self.is_cut_short = made == output.len() || step.failed;
            if !step.ended {
                return Ok((taken, made));
            }
            // "DEFLATE blocks with BFINAL set to 1" may be used, and "the next DEFLATE block follows": such
            // a block ends its stream, but not the message. Whoever sends one has begun anew.
            inflater.restart();
            self.is_within = false;
            if taken == input.len() || made == output.len() {
                return Ok((taken, made));
            }
        }
    }

    /// Whether there may be more to come of bytes that were taken.
    pub(crate) fn has_more(&self) -> bool {
        self.is_cut_short
    }

    /// The bytes of memory that it has, in a box.
    pub(crate) fn memory_used(&self) -> usize {
        size_of::<Self>() + self.inflater.as_ref().map_or(0, Inflater::memory_used)
    }

    /// Ends a message whose bytes were all taken; how many bytes were put out, and whether those are
    /// the last. If not, it is to be called again.
    ///
    /// A message may also end with its final block, or have no bytes at all: compressors that flush
    /// twice put nothing out.
    pub(crate) fn finish(&mut self, output: &mut [u8]) -> Result<(usize, bool), ProtocolError> {
        let made = if self.is_cut_short { self.inflate(&[], output)?.1 } else { 0 };
        if self.is_cut_short {
            return Ok((made, false));
        }
        if self.is_within
            && !self.inflater.as_mut().is_some_and(|inflater| inflater.ends_with(TAIL))
        {
            return Err(ProtocolError::DeflateUnfinished);
        }
        self.is_within = false;
        if !self.keeps_context {
            self.inflater = None;
        }
        Ok((made, true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deflate::{Compressor, Deflate};
    use alloc::vec::Vec;
    use alloc::{format, vec};

    /// An interpreter is slow: it tries every so-manieth step, and fewer windows.
    const STRIDE: usize = if cfg!(miri) { 63 } else { 1 };
    const WINDOWS: &[u8] = if cfg!(miri) { &[15, 9] } else { &[15, 14, 9, 8] };
    const LARGE: usize = if cfg!(miri) { 3_000 } else { 100_000 };
    const LARGEST_WINDOW: u8 = if cfg!(miri) { 9 } else { 15 };

    #[test]
    fn a_codec_tells_what_it_is_and_not_what_it_has_seen() {
        let compressor = Compressor::new(&Deflate::default(), 15, true).unwrap();
        assert!(format!("{compressor:?}").contains("window_bits: 15"));
        for (window_bits, name) in [(15, "Full"), (9, "Ring")] {
            let mut decompressor = decompressor(window_bits, true);
            let idle = decompressor.memory_used();
            decompressor.inflate(b"\xf2H", &mut [0; 9]).unwrap();
            assert!(decompressor.memory_used() >= idle + (1 << window_bits), "{name}");
            assert!(format!("{decompressor:?}").contains(name), "{decompressor:?}");
        }
    }

    fn decompressor(window_bits: u8, keeps_context: bool) -> Decompressor {
        let agreed = DeflateParameters::default();
        Decompressor::new(&agreed, window_bits, keeps_context).expect("the codec is there")
    }

    /// The messages, each inflated from pieces of `cut` bytes in output steps of `step` bytes, up to
    /// the first that fails.
    fn inflate(
        mut decompressor: Decompressor,
        messages: &[&[u8]],
        cut: usize,
        step: usize,
    ) -> Result<Vec<Vec<u8>>, ProtocolError> {
        let mut inflated = vec![];
        let mut room = vec![0; step];
        for message in messages {
            let mut out = vec![];
            for mut piece in message.chunks(cut) {
                loop {
                    let (taken, made) = decompressor.inflate(piece, &mut room)?;
                    out.extend_from_slice(&room[..made]);
                    piece = &piece[taken..];
                    if made < step && piece.is_empty() {
                        break;
                    }
                }
            }
            loop {
                let (made, is_over) = decompressor.finish(&mut room)?;
                out.extend_from_slice(&room[..made]);
                if is_over {
                    break;
                }
            }
            inflated.push(out);
        }
        Ok(inflated)
    }

    /// With every cut into equal pieces and every step from 1 to 64 bytes, in both inflaters.
    fn check(messages: &[&[u8]], expected: Result<&[&[u8]], ProtocolError>) {
        let expected = expected.map(|texts| texts.iter().map(|t| t.to_vec()).collect::<Vec<_>>());
        let longest = messages.iter().map(|m| m.len()).max().unwrap_or(0).max(1);
        for &window_bits in WINDOWS {
            for keeps_context in [true, false] {
                for cut in (1..=longest).step_by(STRIDE.min(6)) {
                    for step in (1..=64).step_by(STRIDE) {
                        let decompressor = decompressor(window_bits, keeps_context);
                        let inflated = inflate(decompressor, messages, cut, step);
                        assert_eq!(
                            inflated, expected,
                            "{messages:x?}, {window_bits} bits, {cut} in, {step} out"
                        );
                    }
                }
            }
        }
    }

    const HELLO: &[u8] = &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];

    #[test]
    fn the_examples_of_section_7_2_3_are_hello() {
        let table: [&[u8]; 7] = [
            HELLO,
            // Stored, section 7.2.3.3.
            b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00",
            // A final block, section 7.2.3.4.
            b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00",
            // Two blocks, section 7.2.3.5.
            b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00",
            // What ends with its final block.
            b"\xf3\x48\xcd\xc9\xc9\x07\x00",
            // A final block that is the empty one at the end, and stored ones before it.
            b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x01",
            // Two final blocks, each a stream of its own.
            b"\x01\x02\x00\xfd\xffHe\x01\x03\x00\xfc\xffllo",
        ];
        for message in table {
            check(&[message], Ok(&[b"Hello"]));
            // The next message is not touched by how this one ended.
            check(&[message, HELLO, message], Ok(&[b"Hello", b"Hello", b"Hello"]));
        }
    }

    #[test]
    fn an_empty_message_is_a_byte_or_none() {
        check(&[b"\x00", b"", HELLO, b"", b"\x00"], Ok(&[b"", b"", b"Hello", b"", b""]));
    }

    #[test]
    fn what_is_no_deflate_data_fails() {
        let table: [&[u8]; 8] = [
            b"\x06",                                         // block type 3
            b"\x07",                                         // the same, final
            b"\x00\x05\x00\x00\x00\x48\x65\x6c\x6c\x6f\x00", // a length without its complement
            b"\x78\x9c\xf2\x48\xcd\xc9\xc9\x07\x00",         // in a wrapper of zlib's
            b"\xf3\x48\xcd\xc9\xc9\x07\x00\xde\xad\xbe\xef", // a final block and rubbish
            b"\xf3\x48\xcd\xc9\xc9\x07\x00\x06",
            b"\x01\x00\x00\xff\xff\xff",
            b"\xff",
        ];
        for message in table {
            check(&[message], Err(ProtocolError::NotDeflate));
            check(&[HELLO, message], Err(ProtocolError::NotDeflate));
        }
        check(&[b"\x02\x02\x00"], Err(ProtocolError::NotDeflate)); // a distance before the start
    }

    #[test]
    fn what_was_made_before_a_fault_comes_out_before_it() {
        // A stored block, final or not, and then one of type 3.
        for message in [b"\x00\x05\x00\xfa\xffHello\x06", b"\x01\x05\x00\xfa\xffHello\x06"] {
            for &window_bits in WINDOWS {
                let (mut decompressor, mut room) = (decompressor(window_bits, true), [0; 64]);
                let (taken, made) = decompressor.inflate(message, &mut room).expect("Hello");
                assert_eq!((&room[..made], decompressor.has_more()), (&b"Hello"[..], true));
                let rest = decompressor.inflate(&message[taken..], &mut room);
                assert_eq!(rest, Err(ProtocolError::NotDeflate), "{window_bits} bits");
            }
        }
    }

    #[test]
    fn what_does_not_end_with_a_block_fails() {
        let mut table: Vec<&[u8]> = (1..HELLO.len() - 1).map(|n| &HELLO[..n]).collect();
        table.extend([
            &b"\xf3\x48\xcd"[..],                            // within a final block
            b"\x00\x05\x00\xfa\xff\x48\x65",                 // within a stored block
            b"\x00\x05\x00",                                 // within its length
            b"\xf2\x48\xcd\xc9\xc9\x07\x00\x00\x00\xff\xff", // with the tail, which is to be removed
            b"\xf2\x48\xcd\xc9\xc9\x07\x00\x00",
            b"\x00\x00\x00\xff",
        ]);
        for message in table {
            for window_bits in [15, 9] {
                for step in [1, 3, 64] {
                    let inflated = inflate(decompressor(window_bits, true), &[message], 99, step);
                    let error = inflated.expect_err("it is not complete");
                    let fitting = [ProtocolError::DeflateUnfinished, ProtocolError::NotDeflate];
                    assert!(fitting.contains(&error), "{message:x?}");
                }
            }
            let first = inflate(decompressor(15, true), &[message], 1, 1);
            check(&[message], first.as_ref().map(|_| &[][..]).map_err(|error| *error));
        }
    }

    #[test]
    fn a_message_refers_to_those_before_it_only_where_context_is_kept() {
        let settings = Deflate { context_takeover: true, ..Deflate::default() };
        let mut compressor = Compressor::new(&settings, 15, true).unwrap();
        let mut send = |text: &[u8]| {
            let mut out = vec![];
            compressor.compress(text, true, &mut out);
            out
        };
        let text = b"a text that is repeated, a text that is repeated";
        let (first, again) = (send(text), send(text));
        assert!(again.len() < 8 && first.len() > 20, "{} {}", first.len(), again.len());
        for window_bits in [15, 10] {
            for step in [1, 7, 100] {
                let both = inflate(decompressor(window_bits, true), &[&first, &again], 9, step);
                assert_eq!(both, Ok(vec![text.to_vec(), text.to_vec()]));
                let forgotten =
                    inflate(decompressor(window_bits, false), &[&first, &again], 9, step);
                assert_eq!(forgotten, Err(ProtocolError::NotDeflate));
                let final_block: &[u8] = b"\x03\x00\x00";
                let reset = [&first[..], final_block, &again];
                let forgotten = inflate(decompressor(window_bits, true), &reset, 9, step);
                assert_eq!(forgotten, Err(ProtocolError::NotDeflate));
            }
        }
    }

    /// The last bytes of what is the same all over hold some matches of 258 bytes each.
    #[test]
    fn what_the_last_bytes_hold_comes_out_at_the_end_in_as_many_steps_as_it_takes() {
        let settings = Deflate { level: 9, ..Deflate::default() };
        let text = vec![b'a'; LARGE];
        for window_bits in [15, 9] {
            let compressor = Compressor::new(&settings, window_bits, false).unwrap();
            let compressed = compressor.compress_alone(&text);
            for step in [1, 7, 50] {
                let mut decompressor = decompressor(window_bits, false);
                let (mut rest, mut room, mut out) = (&compressed[..], vec![0; step], vec![]);
                while !rest.is_empty() {
                    let (taken, made) = decompressor.inflate(rest, &mut room).unwrap();
                    out.extend_from_slice(&room[..made]);
                    rest = &rest[taken..];
                }
                let mut steps = 0;
                loop {
                    let (made, is_over) = decompressor.finish(&mut room).unwrap();
                    out.extend_from_slice(&room[..made]);
                    steps += 1;
                    if is_over {
                        break;
                    }
                }
                assert!(steps > 2 && out == text, "{window_bits} bits, {step} out: {steps}");
            }
        }
    }

    /// A block of the fixed codes: literals of zeros, then a match of three bytes at a distance from
    /// 257 to 32,768 whose lowest code bits are written by hand.
    fn far_match(literals: usize, distance: usize) -> Vec<u8> {
        let mut bits = vec![0, 1, 0]; // not final, fixed codes
        for _ in 0..literals {
            bits.extend([0, 0, 1, 1, 0, 0, 0, 0]); // literal 0
        }
        bits.extend([0, 0, 0, 0, 0, 0, 1]); // length 3
        let extra = (distance - 1).ilog2() as usize - 1; // RFC 1951, section 3.2.5
        let code = 2 * (extra + 1) + ((distance - 1) >> extra & 1);
        bits.extend((0..5).rev().map(|i| (code >> i & 1) as u8));
        bits.extend((0..extra).map(|i| ((distance - 1) >> i & 1) as u8));
        bits.extend([0; 7]); // the end of the block
        bits.extend([0, 0, 0]); // the empty block, of which the tail is the rest
        bits.chunks(8).map(|byte| byte.iter().rev().fold(0, |sum, bit| sum << 1 | bit)).collect()
    }

    #[test]
    fn nothing_reaches_beyond_the_window_whatever_the_steps() {
        for window_bits in 8..=LARGEST_WINDOW {
            let window = 1_usize << window_bits;
            for (distance, is_allowed) in [(window, true), (window + 1, window_bits == 15)] {
                if !(257..=32_768).contains(&distance) {
                    continue;
                }
                let message = far_match(distance + 10, distance);
                for step in [1, 2, 63, 64, 1000, 100_000].into_iter().step_by(STRIDE.min(4)) {
                    for cut in [1, 100, 100_000].into_iter().step_by(STRIDE.min(2)) {
                        let inflater = decompressor(window_bits, true);
                        let inflated = inflate(inflater, &[&message], cut, step);
                        let expected = match is_allowed {
                            true => Ok(vec![vec![0; distance + 13]]),
                            false => Err(ProtocolError::NotDeflate),
                        };
                        assert_eq!(inflated, expected, "{window_bits}: {distance}, {step}");
                    }
                }
            }
            // Nor behind the start, however small the distance.
            let message = far_match(300, 301);
            let inflated = inflate(decompressor(window_bits, true), &[&message], 9, 9);
            assert_eq!(inflated, Err(ProtocolError::NotDeflate));
        }
    }
}
