//! What an application may choose, with defaults that are safe on the open internet.

use alloc::sync::Arc;
use core::time::Duration;

use crate::deflate::Deflate;
use crate::origin::Origins;

/// The settings of a connection, or of many, which then share them in an `Arc`.
///
/// ```
/// let mut config = sotong::Config::default();
/// config.limits.message = 64 * 1024;
/// config.timeouts.keepalive = None;
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// How much a peer may make us hold.
    pub limits: Limits,
    /// How long a peer may make us wait.
    pub timeouts: Timeouts,
    /// How to compress, if the peer agrees; `None` is not to compress. Without the feature `deflate`
    /// there is nothing else.
    pub deflate: Option<Deflate>,
    /// Whose pages may open a connection to a server: by default those of its own host, and programs
    /// that are no browsers. A client does without.
    pub origins: Origins,
}

/// A copy for one connection. Where there are many, let them share an `Arc<Config>`.
impl From<&Config> for Arc<Config> {
    fn from(config: &Config) -> Self {
        Self::new(config.clone())
    }
}

/// How much a peer may make us hold, and what happens beyond it.
///
/// | limit | default | beyond it |
/// |---|---|---|
/// | [`message`](Self::message) | 1 MiB | the connection fails with 1009 |
/// | [`frame`](Self::frame) | 1 MiB | the connection fails with 1009, at the header |
/// | [`inflation`](Self::inflation) | 256 | the connection fails with 1009 |
/// | [`fragments`](Self::fragments) | 131,072 | the connection fails with 1008 |
/// | [`send_queue`](Self::send_queue) | 64 KiB | sending waits; pongs are not queued |
/// | [`receive_buffer`](Self::receive_buffer) | 64 KiB less 128 | one read takes no more, but for a message that is larger |
/// | [`in_pieces`](Self::in_pieces) | none: as whole messages | the connection fails with 1009 |
/// | [`head`](Self::head) | 16 KiB | 431, or 414 within the first line; a client gives up |
/// | [`head_lines`](Self::head_lines) | 100 | 431; a client gives up |
/// | [`refusal_body`](Self::refusal_body) | 16 KiB | the rest of the body is not read |
///
/// For an example see [`Config`]; what to change for which use is in
/// [the guide](crate#limits-and-timeouts).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The largest message in bytes, whether it comes whole, in fragments or is read in pieces. A
    /// compressed one counts as it is inflated.
    pub message: u64,
    /// The largest payload of one frame in bytes. A compressed one may be larger by an eighth and
    /// 64 bytes, which is the worst that a compressor makes of bytes that cannot be compressed.
    pub frame: u64,
    /// How many times as large as its frames a compressed message may become, once it is larger than
    /// 64 KiB. DEFLATE allows for 1,032.
    pub inflation: u32,
    /// The most fragments of one message; empty ones count.
    pub fragments: u32,
    /// The high-water mark of the send queue in bytes: nothing more is queued while it holds this
    /// much.
    ///
    /// A message that was begun below the mark is queued whole, so the queue may grow to the mark
    /// and one message.
    pub send_queue: usize,
    /// The size of the receive buffer in bytes, which bounds one read. It grows only while a
    /// message larger than that arrives, and at least 512 bytes are used.
    pub receive_buffer: usize,
    /// The largest message in bytes of which each piece is taken as it comes, with `recv_chunk` or
    /// by a reader. `None` makes no difference between those and others. With a limit of their own
    /// neither [`frame`](Self::frame) nor [`fragments`](Self::fragments) holds for them, since a
    /// frame is not held either; `u64::MAX` lets endless ones through. What such a message leaves
    /// for `recv` fails if the whole was larger than [`message`](Self::message).
    ///
    /// For a byte stream messages mean nothing, and may have any length.
    pub in_pieces: Option<u64>,
    /// The largest HTTP head in bytes: the first line, all header fields, the empty line.
    pub head: usize,
    /// The most lines in an HTTP head; header fields of the same name count each.
    pub head_lines: usize,
    /// How much of the body of a server's refusal a client keeps, in bytes.
    pub refusal_body: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // Larger than what chats and games send, small enough for thousands of hostile peers.
            message: 1 << 20,
            frame: 1 << 20,
            // Far more than text and data come to; an attacker has to send 4 KiB for 1 MiB.
            inflation: 256,
            // Twice what the most fragmented message of the Autobahn suite has, 65,537.
            fragments: 1 << 17,
            send_queue: 64 * 1024,
            // What a busy socket has at hand, and a little less than the largest segment that loopback or
            // offloading put together, of about 64 KiB: to read that and a part of the next costs half as
            // much again.
            receive_buffer: 64 * 1024 - 128,
            in_pieces: None,
            // What Node allows for a head: room for large cookies.
            head: 16 * 1024,
            head_lines: 100,
            refusal_body: 16 * 1024,
        }
    }
}

/// How long a peer may make us wait; `None` waits for ever.
///
/// | timeout | default | from | then |
/// |---|---|---|---|
/// | [`handshake`](Self::handshake) | 10 s | the start of the opening handshake to its end | 408, and the stream is closed |
/// | [`keepalive`](Self::keepalive) | 30 s | the last byte that came | a ping is sent |
/// | [`pong`](Self::pong) | 20 s | that ping, while nothing at all comes | [`TimedOut::Pong`] |
/// | [`close`](Self::close) | 10 s | our Close frame to the end of the stream | [`TimedOut::Close`] |
/// | [`send`](Self::send) | 30 s | the last byte the peer took, while more is queued | [`TimedOut::Send`] |
///
/// For an example see [`Config`]; what to change for which use is in
/// [the guide](crate#limits-and-timeouts).
///
/// [`TimedOut::Pong`]: crate::TimedOut::Pong
/// [`TimedOut::Close`]: crate::TimedOut::Close
/// [`TimedOut::Send`]: crate::TimedOut::Send
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timeouts {
    /// The opening handshake as a whole, not each read of it.
    pub handshake: Option<Duration>,
    /// The silence after which a ping asks whether the peer is still there.
    pub keepalive: Option<Duration>,
    /// The silence after that ping.
    pub pong: Option<Duration>,
    /// The closing handshake, and the end of the stream after it or after a failure. Without this a
    /// client waits for as long as its server leaves the stream open, and a server for its client.
    pub close: Option<Duration>,
    /// A peer that takes nothing of what is queued for it.
    pub send: Option<Duration>,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            handshake: Some(Duration::from_secs(10)),
            // Half of the 60 s after which common proxies drop a silent connection.
            keepalive: Some(Duration::from_secs(30)),
            pong: Some(Duration::from_secs(20)),
            close: Some(Duration::from_secs(10)),
            send: Some(Duration::from_secs(30)),
        }
    }
}
