//! What is told to whoever listens, each event in one place: its level, its fields, its words.
//!
//! An event belongs to the span that it happens in: put one around a connection's task or thread,
//! and its events say whose they are. None comes for a message, nor for its bytes, so a busy
//! connection is as quiet as an idle one.
//!
//! Of what a peer sends only numbers are told: no header field, no target, no reason of a Close
//! frame, which may be secrets, or lines made to look like other lines of a log.

use core::fmt::Display;
use core::time::Duration;

use tracing::{debug, error, info, trace, warn};

use crate::close::CloseCode;
use crate::error::{ProtocolError, TimedOut};

/// The peer broke a rule, went beyond a limit, or is just gone.
pub(crate) fn failed(role: &str, error: ProtocolError) {
    let (section, code) = (error.section(), error.close_code().0);
    match error {
        ProtocolError::UnexpectedEof => debug!(role, %error, section, code, "connection lost"),
        _ => warn!(role, %error, section, code, "connection failed"),
    }
}

pub(crate) fn close_received(role: &str, code: Option<CloseCode>) {
    let code = code.map(|code| code.0);
    debug!(role, code, "Close received");
}

pub(crate) fn close_sent(role: &str, code: Option<CloseCode>) {
    let code = code.map(|code| code.0);
    debug!(role, code, "Close sent");
}

/// The stream has ended after a closing handshake.
pub(crate) fn closed(role: &str) {
    debug!(role, "connection closed");
}

pub(crate) fn timed_out(role: &str, error: TimedOut) {
    debug!(role, %error, "timed out");
}

#[cfg(feature = "std")]
pub(crate) fn stream_failed(error: &dyn Display) {
    debug!(%error, "stream failed");
}

/// A ping asks a silent peer whether it is there.
pub(crate) fn keepalive(role: &str) {
    trace!(role, "keepalive ping");
}

pub(crate) fn measured(role: &str, round_trip: Duration) {
    trace!(role, ?round_trip, "pong to a ping");
}

/// A limit of ours keeps something from being sent.
pub(crate) fn queue_full(role: &str, queued: usize) {
    trace!(role, queued, "send queue full");
}

pub(crate) fn no_masking_key() {
    error!("no randomness for a masking key");
}

/// A server has let a client in.
pub(crate) fn accepted(subprotocol: Option<&str>, is_compressed: bool) {
    debug!(subprotocol, deflate = is_compressed, "handshake accepted");
}

/// A server has sent a client away that broke a rule.
pub(crate) fn refused(error: &dyn Display, section: Option<&str>, status: u16) {
    info!(%error, section, status, "handshake refused");
}

/// A server's application has answered with something else.
pub(crate) fn rejected(status: u16) {
    debug!(status, "handshake rejected");
}

/// A client is let in.
pub(crate) fn opened<'r>(subprotocol: impl Fn() -> Option<&'r str>, is_compressed: bool) {
    debug!(subprotocol = subprotocol(), deflate = is_compressed, "connection opened");
}

/// A server has answered a client with something else.
pub(crate) fn refusal(status: u16) {
    info!(status, "server refused");
}

/// A server broke a rule in its answer.
pub(crate) fn handshake_failed(error: &dyn Display, section: Option<&str>) {
    info!(%error, section, "handshake failed");
}

/// How far dialing has come, and to whom.
#[cfg(feature = "dial")]
pub(crate) fn dialing(stage: &dyn Display, host: &str, port: u16) {
    debug!(%stage, ?host, port, "dialing");
}

#[cfg(feature = "dial")]
pub(crate) fn redirected(status: u16, host: &str, port: u16) {
    debug!(status, ?host, port, "redirected");
}

#[cfg(feature = "dial")]
pub(crate) fn dial_failed(stage: &dyn Display, error: &dyn Display) {
    info!(%stage, %error, "dialing failed");
}

/// A server goes down, and tells so many.
#[cfg(feature = "tokio")]
pub(crate) fn draining(connections: usize) {
    info!(connections, "draining");
}

#[cfg(feature = "tokio")]
pub(crate) fn drained(closed: usize, cut: usize) {
    info!(closed, cut, "drained");
}
