//! What stands for the events without the feature `tracing`: functions that do nothing.

use core::fmt::Display;
use core::time::Duration;

use crate::close::CloseCode;
use crate::error::{ProtocolError, TimedOut};

pub(crate) fn failed(_: &str, _: ProtocolError) {}

pub(crate) fn close_received(_: &str, _: Option<CloseCode>) {}

pub(crate) fn close_sent(_: &str, _: Option<CloseCode>) {}

pub(crate) fn closed(_: &str) {}

pub(crate) fn timed_out(_: &str, _: TimedOut) {}

#[cfg(feature = "std")]
pub(crate) fn stream_failed(_: &dyn Display) {}

pub(crate) fn keepalive(_: &str) {}

pub(crate) fn measured(_: &str, _: Duration) {}

pub(crate) fn queue_full(_: &str, _: usize) {}

pub(crate) fn no_masking_key() {}

pub(crate) fn accepted(_: Option<&str>, _: bool) {}

pub(crate) fn refused(_: &dyn Display, _: Option<&str>, _: u16) {}

pub(crate) fn rejected(_: u16) {}

pub(crate) fn opened<'r>(_: impl Fn() -> Option<&'r str>, _: bool) {}

pub(crate) fn refusal(_: u16) {}

pub(crate) fn handshake_failed(_: &dyn Display, _: Option<&str>) {}

#[cfg(feature = "dial")]
pub(crate) fn dialing(_: &dyn Display, _: &str, _: u16) {}

#[cfg(feature = "dial")]
pub(crate) fn redirected(_: u16, _: &str, _: u16) {}

#[cfg(feature = "dial")]
pub(crate) fn dial_failed(_: &dyn Display, _: &dyn Display) {}

#[cfg(feature = "tokio")]
pub(crate) fn draining(_: usize) {}

#[cfg(feature = "tokio")]
pub(crate) fn drained(_: usize, _: usize) {}
