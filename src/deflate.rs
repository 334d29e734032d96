//! permessage-deflate (RFC 7692): what is agreed on, and the compressor and the decompressor of one
//! connection.
//!
//! Negotiation is always compiled. The codec comes with the feature `deflate`; without it the same
//! names stand for types that have no values, so that the rest of the crate needs no `cfg`.

mod negotiation;

#[cfg(feature = "deflate")]
mod compressor;
#[cfg(feature = "deflate")]
mod decompressor;
#[cfg(feature = "deflate")]
mod inflater;
#[cfg(feature = "deflate")]
mod per_window;
#[cfg(feature = "deflate")]
mod pool;

#[cfg(not(feature = "deflate"))]
mod absent;
#[cfg(not(feature = "deflate"))]
use absent as compressor;
#[cfg(not(feature = "deflate"))]
use absent as decompressor;
#[cfg(not(feature = "deflate"))]
use absent as per_window;

pub(crate) use compressor::Compressor;
pub(crate) use decompressor::Decompressor;
pub use negotiation::DeflateParameters;
pub(crate) use per_window::PerWindow;

/// How to compress, and what to agree on (RFC 7692): the settings of permessage-deflate.
///
/// Nothing is compressed unless both ends ask for it: a client offers it if
/// [`Config::deflate`](crate::Config::deflate) is set, and a server agrees if that is set.
/// [`Connection::agreed`](crate::Connection::agreed) tells what came of it.
///
/// The defaults keep no memory between messages, in either direction. With context takeover a
/// message may refer to those before it, which makes small, similar messages several times as small
/// and costs memory for as long as the connection lives; the README has numbers.
///
/// # Secrets
///
/// Where a secret and text of an attacker's choice are compressed together, the size of what goes
/// over the wire tells the attacker how much of the secret was guessed, encryption or not. Send
/// messages that hold secrets with [`Compress::No`], or do not agree to compress at all.
///
/// ```
/// # #[cfg(feature = "deflate")] {
/// let mut config = sotong::Config::default();
/// config.deflate = Some(sotong::Deflate::default());
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Deflate {
    /// How hard to look for repetitions: from 1, fast, to 9, small. 0 only wraps. What 6 saves beyond
    /// the default, 2, is a twentieth, for twice the time.
    pub level: u8,
    /// Memory of the compressor: from 1, little, to 9.
    pub memory_level: u8,
    /// The window of what we send, as a power of two: from 9, 512 bytes, to 15, 32 KiB. Larger ones
    /// find repetitions that are farther apart. The peer may ask for a smaller one.
    pub window_bits: u8,
    /// Whether what we send may refer to messages before it. The peer may forbid it.
    pub context_takeover: bool,
    /// The largest window that the peer may use, from 9 to 15, and so the memory for what comes. A
    /// client that cannot be told so gets no compression. The inflater of windows below 15 is slower:
    /// about twice the time for text, and up to 6 µs for each byte of a hostile message.
    pub peer_window_bits: u8,
    /// Whether what the peer sends may refer to messages before it.
    pub peer_context_takeover: bool,
    /// Messages of fewer bytes are sent as they are, unless they are sent with [`Compress::Yes`].
    pub threshold: usize,
    /// Says that the codec is there.
    codec: Codec,
}

/// Exists if the codec does.
#[cfg(feature = "deflate")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Codec;
#[cfg(not(feature = "deflate"))]
use absent::Codec;

impl Deflate {
    /// Alone, a message of fewer bytes saves little for its time, and fits one packet either way.
    const THRESHOLD: usize = 512;

    /// The default settings.
    const fn with(codec: Codec) -> Self {
        Self {
            level: 2,
            memory_level: 8,
            window_bits: 15,
            context_takeover: false,
            peer_window_bits: 15,
            peer_context_takeover: false,
            threshold: Self::THRESHOLD,
            codec,
        }
    }

    /// The nearest settings that exist.
    fn clamped(self) -> Self {
        Self {
            level: self.level.min(9),
            memory_level: self.memory_level.clamp(1, 9),
            window_bits: self.window_bits.clamp(Self::MIN_WINDOW_BITS, 15),
            peer_window_bits: self.peer_window_bits.clamp(Self::MIN_WINDOW_BITS, 15),
            ..self
        }
    }

    /// The smallest window that is agreed to: zlib's compressor takes 9 bits when it is told 8, so
    /// that 8 would be broken by us or by the peer.
    const MIN_WINDOW_BITS: u8 = 9;
}

#[cfg(feature = "deflate")]
impl Default for Deflate {
    fn default() -> Self {
        Self::with(Codec)
    }
}

/// Whether to compress a message; see [`Payload::compress`](crate::Payload::compress).
///
/// For an example see [`Payload`](crate::Payload).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compress {
    /// If it has at least [`Deflate::threshold`] bytes.
    #[default]
    Auto,
    /// Yes, if it was agreed on, however small it is.
    Yes,
    /// No: it holds a secret, or is compressed already as pictures are.
    No,
}
