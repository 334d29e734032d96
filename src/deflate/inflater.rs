//! The two inflaters.
//!
//! zlib's keeps 32 KiB whatever the window, and lets distances reach through all of them: right for
//! the full window, wrong for a smaller one. There the other inflater writes into a ring that is the
//! window, and so neither reaches further nor needs more memory.

use alloc::boxed::Box;
use alloc::vec;
use core::fmt;

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::{
    TINFL_FLAG_HAS_MORE_INPUT, TINFL_FLAG_STOP_ON_BLOCK_BOUNDARY,
    TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF,
};
use miniz_oxide::inflate::core::{DecompressorOxide, decompress_with_limit};
use zlib_rs::{Inflate, InflateFlush, Status};

use crate::error::ProtocolError;

/// How far a step went.
pub(super) struct Step {
    /// Bytes of the input.
    pub(super) taken: usize,
    /// Bytes of the output.
    pub(super) made: usize,
    /// Whether a block ended that was marked as final.
    pub(super) ended: bool,
    /// Whether what follows is no DEFLATE data. Then the next step says so, after what was put out
    /// before has been looked at: whatever the steps, the same comes first.
    pub(super) failed: bool,
}

/// A stream of DEFLATE blocks, with what later ones may refer to.
pub(super) enum Inflater {
    Full(Inflate),
    Ring(Ring),
}

impl Inflater {
    pub(super) fn new(window_bits: u8) -> Self {
        match window_bits {
            15 => Self::Full(Inflate::new(false, 15)),
            smaller => Self::Ring(Ring::new(1 << smaller)),
        }
    }

    /// The bytes of memory behind it.
    pub(super) fn memory_used(&self) -> usize {
        /// zlib's: a window of 32 KiB, and its state, here measured.
        const FULL: usize = 46 * 1024;
        match self {
            Self::Full(_) => FULL,
            Self::Ring(ring) => {
                let state = ring.state.as_ref().map_or(0, |_| size_of::<DecompressorOxide>());
                ring.window.len() + state
            }
        }
    }

    /// Inflates until the input or the output ends, or a final block does.
    pub(super) fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, ProtocolError> {
        match self {
            Self::Full(zlib) => step(zlib, input, output, InflateFlush::NoFlush),
            Self::Ring(ring) => ring.step(input, output),
        }
    }

    /// Begins a stream that refers to nothing before it.
    pub(super) fn restart(&mut self) {
        match self {
            Self::Full(zlib) => zlib.reset(false),
            Self::Ring(ring) => ring.restart(),
        }
    }

    /// Takes the tail of a message: whether a block ends with it, and nothing was put out.
    ///
    /// A block cannot end within the tail and another one at its end: what is left of the tail would
    /// begin a stored block, of which it is too short, or be no block at all.
    pub(super) fn ends_with(&mut self, tail: [u8; 4]) -> bool {
        let end = match self {
            Self::Full(zlib) => {
                // It stops after a block, and takes the byte behind the tail only if none has ended.
                let [a, b, c, d] = tail;
                step(zlib, &[a, b, c, d, 0], &mut [0], InflateFlush::Block)
            }
            Self::Ring(ring) => ring.take_tail(&tail),
        };
        let Ok(Step { taken: 4, made: 0, mut ended, .. }) = end else { return false };
        let mut is_clean = true;
        match self {
            _ if ended => {}
            Self::Full(zlib) => {
                // Bits of the tail that the block left over would begin a final block. An empty one that is
                // not final, and stops where it should, tells that there are none.
                let probe = step(zlib, &[0, 0, 0, 0xff, 0xff, 0], &mut [0], InflateFlush::Block);
                ended = matches!(probe, Ok(Step { taken: 0, made: 0, ended: true, .. }));
                is_clean =
                    ended || matches!(probe, Ok(Step { taken: 5, made: 0, ended: false, .. }));
            }
            Self::Ring(ring) => is_clean = ring.is_between_blocks(),
        }
        if ended {
            self.restart();
        }
        is_clean
    }
}

impl fmt::Debug for Inflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "Full",
            Self::Ring(_) => "Ring",
        })
    }
}

fn step(
    zlib: &mut Inflate,
    input: &[u8],
    output: &mut [u8],
    flush: InflateFlush,
) -> Result<Step, ProtocolError> {
    let (total_in, total_out) = (zlib.total_in(), zlib.total_out());
    let status = zlib.decompress(input, output, flush);
    let taken = (zlib.total_in() - total_in) as usize;
    let made = (zlib.total_out() - total_out) as usize;
    match status {
        Err(_) if made == 0 => Err(ProtocolError::NotDeflate),
        _ => {
            let ended = status == Ok(Status::StreamEnd);
            Ok(Step { taken, made, ended, failed: status.is_err() })
        }
    }
}

/// An inflater whose window has exactly the size that was agreed on.
pub(super) struct Ring {
    /// There within a message; at its end nothing is left to remember but the window.
    state: Option<Box<DecompressorOxide>>,
    window: Box<[u8]>,
    at: usize,
    /// Whether all of the window was written; before, a reference must not go beyond its start.
    is_full: bool,
}

impl Ring {
    fn new(size: usize) -> Self {
        Self { state: None, window: vec![0; size].into(), at: 0, is_full: false }
    }

    fn restart(&mut self) {
        if let Some(state) = &mut self.state {
            state.init();
        }
        (self.at, self.is_full) = (0, false);
    }

    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, ProtocolError> {
        let (mut taken, mut made) = (0, 0);
        loop {
            let room = output.len() - made;
            let (status, took, put) = self.inflate(&input[taken..], room, 0);
            taken += took;
            output[made..made + put].copy_from_slice(&self.window[self.at..self.at + put]);
            made += put;
            self.at += put;
            if self.at == self.window.len() {
                (self.at, self.is_full) = (0, true);
            }
            match status {
                TINFLStatus::HasMoreOutput if made < output.len() => {} // at the end of the ring
                TINFLStatus::HasMoreOutput | TINFLStatus::NeedsMoreInput | TINFLStatus::Done => {
                    let ended = status == TINFLStatus::Done;
                    return Ok(Step { taken, made, ended, failed: false });
                }
                _ if made > 0 => return Ok(Step { taken, made, ended: false, failed: true }),
                _ => return Err(ProtocolError::NotDeflate),
            }
        }
    }

    fn take_tail(&mut self, tail: &[u8]) -> Result<Step, ProtocolError> {
        match self.inflate(tail, 1, TINFL_FLAG_STOP_ON_BLOCK_BOUNDARY) {
            (TINFLStatus::Failed, ..) => Err(ProtocolError::NotDeflate),
            (status, taken, made) => {
                Ok(Step { taken, made, ended: status == TINFLStatus::Done, failed: false })
            }
        }
    }

    /// Whether a block has ended and no bit was left of its last byte. Then nothing but the window
    /// needs to be remembered.
    fn is_between_blocks(&mut self) -> bool {
        let state = self.state.take().and_then(|state| state.block_boundary_state());
        state.is_some_and(|state| state.num_bits == 0)
    }

    /// One call of the inflater, from here to the end of the ring at most.
    fn inflate(&mut self, input: &[u8], room: usize, flags: u32) -> (TINFLStatus, usize, usize) {
        let wrapping = if self.is_full { 0 } else { TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF };
        let flags = flags | wrapping | TINFL_FLAG_HAS_MORE_INPUT;
        let state = self.state.get_or_insert_default();
        decompress_with_limit(state, input, &mut self.window, self.at, room, flags)
    }
}
