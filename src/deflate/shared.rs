//! What is made once for each size of window.

/// One value for each window, 9 to 15 bits; without `std`, and without the feature, none.
#[derive(Debug, Default)]
pub(crate) struct PerWindow<T> {
    #[cfg(all(feature = "std", feature = "deflate"))]
    made: [std::sync::OnceLock<T>; 7],
    #[cfg(not(all(feature = "std", feature = "deflate")))]
    none: core::marker::PhantomData<T>,
}

impl<T> PerWindow<T> {
    pub(crate) fn new() -> Self {
        Self {
            #[cfg(all(feature = "std", feature = "deflate"))]
            made: Default::default(),
            #[cfg(not(all(feature = "std", feature = "deflate")))]
            none: core::marker::PhantomData,
        }
    }

    /// The value, made at the first call; `None` where values cannot be kept.
    #[cfg(all(feature = "std", feature = "deflate"))]
    pub(crate) fn get(&self, window_bits: u8, make: impl FnOnce() -> T) -> Option<&T> {
        let index = window_bits.checked_sub(super::Deflate::MIN_WINDOW_BITS)?;
        self.made.get(usize::from(index)).map(|slot| slot.get_or_init(make))
    }

    #[cfg(not(all(feature = "std", feature = "deflate")))]
    pub(crate) fn get(&self, _: u8, _: impl FnOnce() -> T) -> Option<&T> {
        None
    }
}
