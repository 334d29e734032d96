//! What is made once for each size of window.

use std::sync::OnceLock;

use super::Deflate;

/// One value for each window, 9 to 15 bits.
#[derive(Debug)]
pub(crate) struct PerWindow<T>([OnceLock<T>; 7]);

impl<T> PerWindow<T> {
    pub(crate) fn new() -> Self {
        Self([const { OnceLock::new() }; 7])
    }

    /// The value for a window, made at the first call.
    pub(crate) fn get(&self, window_bits: u8, make: impl FnOnce() -> T) -> Option<&T> {
        let index = window_bits.checked_sub(Deflate::MIN_WINDOW_BITS)?;
        self.0.get(usize::from(index)).map(|slot| slot.get_or_init(make))
    }
}
