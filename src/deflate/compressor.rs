//! Messages to DEFLATE data (RFC 7692, section 7.2.1).

use alloc::vec::Vec;
use core::fmt;

use zlib_rs::{DeflateConfig, DeflateFlush, Status};

use super::{Deflate, pool};

/// Compresses what one end sends.
pub(crate) struct Compressor {
    settings: Deflate,
    window_bits: u8,
    keeps_context: bool,
    /// There from the first message on, or while one is under way.
    state: Option<zlib_rs::Deflate>,
}

impl Compressor {
    /// "Remove 4 octets (that are 0x00 0x00 0xff 0xff) from the tail end."
    const TAIL: usize = 4;

    /// How much room is made at a time for what comes out, in bytes.
    const STEP: usize = 16 * 1024;

    /// One that keeps to what was agreed on and to the settings, which may ask for less.
    ///
    /// None for a window that it cannot keep to: then messages are sent as they are, which is always
    /// allowed (section 6).
    pub(crate) fn new(settings: &Deflate, window_bits: u8, keeps_context: bool) -> Option<Self> {
        let settings = settings.clamped();
        let window_bits = window_bits.min(settings.window_bits);
        let keeps_context = keeps_context && settings.context_takeover;
        let is_possible = (Deflate::MIN_WINDOW_BITS..=15).contains(&window_bits);
        is_possible.then_some(Self { settings, window_bits, keeps_context, state: None })
    }

    /// Whether messages refer to those before them.
    pub(crate) fn keeps_context(&self) -> bool {
        self.keeps_context
    }

    pub(crate) fn window_bits(&self) -> u8 {
        self.window_bits
    }

    /// The size in bytes from which compression pays.
    pub(crate) fn threshold(&self) -> usize {
        self.settings.threshold
    }

    /// What a message is compressed to on its own.
    pub(crate) fn compress_alone(&self, payload: &[u8]) -> Vec<u8> {
        let mut compressed = Vec::new();
        let mut alone = Self { keeps_context: false, state: None, ..*self };
        alone.compress(payload, true, &mut compressed);
        compressed
    }

    /// Appends to `out` what `payload` is compressed to; `fin` ends the message.
    ///
    /// All of it comes out at once, so that the peer need not wait for the next fragment.
    pub(crate) fn compress(&mut self, payload: &[u8], fin: bool, out: &mut Vec<u8>) {
        let config = self.config();
        let state = self.state.get_or_insert_with(|| pool::compressor(config));
        let start = out.len();
        let mut rest = payload;
        loop {
            // Most often one step: what is larger than the payload is rare.
            let step = (rest.len() + rest.len() / 8 + 64).min(Self::STEP);
            let end = out.len();
            out.resize(end + step, 0);
            let (total_in, total_out) = (state.total_in(), state.total_out());
            let status = state.compress(rest, &mut out[end..], DeflateFlush::SyncFlush);
            // It has no other errors than those of wrong arguments.
            assert!(matches!(status, Ok(Status::Ok | Status::BufError)), "deflate takes any bytes");
            rest = &rest[(state.total_in() - total_in) as usize..];
            let written = (state.total_out() - total_out) as usize;
            out.truncate(end + written);
            if written < step {
                break;
            }
        }
        if fin {
            // A flush with nothing to flush puts nothing out; section 7.2.3.6 has the empty block.
            match out.len() - start {
                0 => out.push(0),
                written => out.truncate(start + written - Self::TAIL),
            }
            if !self.keeps_context
                && let Some(state) = self.state.take()
            {
                pool::keep_compressor(config, state);
            }
        }
    }

    /// The bytes of memory that it has, in a box.
    pub(crate) fn memory_used(&self) -> usize {
        // zlib's: two windows and for each byte of one the place before with the same hash; a table of
        // 2^16 such places; seven bytes for each symbol that waits; and its own state, here measured.
        const TABLE: usize = 2 << 16;
        const STATE: usize = 6 * 1024;
        let symbols = 1 << (self.settings.memory_level + 6);
        let state = (4 << self.window_bits) + TABLE + 7 * symbols + STATE;
        size_of::<Self>() + self.state.as_ref().map_or(0, |_| state)
    }

    fn config(&self) -> DeflateConfig {
        DeflateConfig {
            level: i32::from(self.settings.level),
            mem_level: i32::from(self.settings.memory_level),
            window_bits: -i32::from(self.window_bits), // negative: no wrapper of zlib's
            ..DeflateConfig::default()
        }
    }
}

impl fmt::Debug for Compressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compressor")
            .field("settings", &self.settings)
            .field("window_bits", &self.window_bits)
            .field("keeps_context", &self.keeps_context)
            .finish_non_exhaustive()
    }
}
