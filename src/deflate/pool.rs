//! Compressors that keep no context are shared: each thread has one at hand, and a connection has
//! one only while it compresses a message.
//!
//! To make one takes as long as to compress 200 bytes, and it is 200 KB large.

use zlib_rs::{Deflate, DeflateConfig};

#[cfg(feature = "std")]
std::thread_local! {
    static AT_HAND: core::cell::RefCell<Option<(DeflateConfig, Deflate)>> =
        const { core::cell::RefCell::new(None) };
}

/// A compressor that has compressed nothing.
pub(super) fn compressor(config: DeflateConfig) -> Deflate {
    #[cfg(feature = "std")]
    if let Some((_, mut state)) = AT_HAND.take().filter(|(made_with, _)| *made_with == config) {
        state.reset();
        return state;
    }
    Deflate::new_with_config(config)
}

/// Takes a compressor back.
pub(super) fn keep_compressor(config: DeflateConfig, state: Deflate) {
    #[cfg(feature = "std")]
    AT_HAND.set(Some((config, state)));
    #[cfg(not(feature = "std"))]
    drop((config, state));
}
