//! Compressors that keep no context are shared: each thread has one at hand, and a connection has
//! one only while it compresses a message.
//!
//! To make one takes as long as to compress 200 bytes, and it is 400 KB large.

use std::cell::RefCell;

use zlib_rs::{Deflate, DeflateConfig};

std::thread_local! {
    static AT_HAND: RefCell<Option<(DeflateConfig, Deflate)>> = const { RefCell::new(None) };
}

/// A compressor that has compressed nothing.
pub(super) fn compressor(config: DeflateConfig) -> Deflate {
    match AT_HAND.take() {
        Some((made_with, mut state)) if made_with == config => {
            state.reset();
            state
        }
        _ => Deflate::new_with_config(config),
    }
}

/// Takes a compressor back.
pub(super) fn keep_compressor(config: DeflateConfig, state: Deflate) {
    AT_HAND.set(Some((config, state)));
}
