//! What stands for the codec without the feature `deflate`: types without values.

use alloc::vec::Vec;
use core::marker::PhantomData;

use super::{Deflate, DeflateParameters};
use crate::error::ProtocolError;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Codec(Never);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Never {}

#[derive(Debug)]
pub(crate) struct PerWindow<T>(PhantomData<T>);

#[derive(Debug)]
pub(crate) enum Compressor {}

#[derive(Debug)]
pub(crate) enum Decompressor {}

impl<T> PerWindow<T> {
    pub(crate) fn new() -> Self {
        Self(PhantomData)
    }

    pub(crate) fn get(&self, _: u8, _: impl FnOnce() -> T) -> Option<&T> {
        None
    }
}

impl Compressor {
    pub(crate) fn new(settings: &Deflate, _: u8, _: bool) -> Option<Self> {
        match settings.codec.0 {}
    }

    pub(crate) fn keeps_context(&self) -> bool {
        match *self {}
    }

    pub(crate) fn window_bits(&self) -> u8 {
        match *self {}
    }

    pub(crate) fn threshold(&self) -> usize {
        match *self {}
    }

    pub(crate) fn compress(&mut self, _: &[u8], _: bool, _: &mut Vec<u8>) {
        match *self {}
    }

    pub(crate) fn compress_alone(&self, _: &[u8]) -> Vec<u8> {
        match *self {}
    }

    pub(crate) fn memory_used(&self) -> usize {
        match *self {}
    }
}

impl Decompressor {
    pub(crate) fn new(agreed: &DeflateParameters, _: u8, _: bool) -> Option<Self> {
        match agreed.codec.0 {}
    }

    pub(crate) fn inflate(
        &mut self,
        _: &[u8],
        _: &mut [u8],
    ) -> Result<(usize, usize), ProtocolError> {
        match *self {}
    }

    pub(crate) fn has_more(&self) -> bool {
        match *self {}
    }

    pub(crate) fn memory_used(&self) -> usize {
        match *self {}
    }

    pub(crate) fn finish(&mut self, _: &mut [u8]) -> Result<(usize, bool), ProtocolError> {
        match *self {}
    }
}
