//! What can go wrong in the protocol, split by whose fault it is, because fault decides what to do.
//!
//! [`ProtocolError`]: the peer broke a rule, and the connection has failed. [`SendError`]: we may not
//! send this now, and nothing was queued. [`TimedOut`]: a deadline passed. Errors of the opening
//! handshake are [`HandshakeError`](crate::handshake::HandshakeError)s.

use core::fmt;

/// The peer broke a rule of RFC 6455, or of RFC 7692 where it says so; the connection has failed
/// (section 7.1.7).
///
/// A Close frame with [`close_code`](ProtocolError::close_code) has been queued, where a Close
/// frame may still be sent; nothing that arrives later is looked at.
///
/// ```
/// use sotong::{Agreed, CloseCode, Config, Connection, ProtocolError, ReceiveBuffer};
///
/// let mut conn = Connection::server(Config::default(), Agreed::default());
/// let mut rx = ReceiveBuffer::with_capacity(512);
/// rx.extend(b"\x81\x05Hello"); // without a mask
/// let error = conn.next_event(&mut rx).unwrap_err();
/// assert_eq!(error, ProtocolError::NotMasked);
/// assert_eq!(error.close_code(), CloseCode::PROTOCOL_ERROR);
/// assert_eq!(error.section(), "RFC 6455, section 5.1");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProtocolError {
    /// A reserved bit is set and no extension defines it. Section 5.2; RFC 7692, section 6.
    ReservedBits,
    /// The opcode is one of those reserved for further frames. Section 5.2.
    ReservedOpcode,
    /// A client sent a frame that is not masked. Section 5.1.
    NotMasked,
    /// A server sent a frame that is masked. Section 5.1.
    Masked,
    /// A control frame is fragmented. Section 5.5.
    ControlFragmented,
    /// A control frame announces more than 125 bytes. Section 5.5.
    ControlTooLong,
    /// A continuation frame comes while no message is open. Section 5.4.
    NothingToContinue,
    /// A new message starts before the fragmented one is finished. Section 5.4.
    MessageUnfinished,
    /// The payload length is not in its shortest form. Section 5.2.
    LengthNotMinimal,
    /// The most significant bit of a 64-bit payload length is set. Section 5.2.
    LengthTooLarge,
    /// A frame announces more payload than [`Limits::frame`](crate::Limits::frame). Section 10.4.
    FrameTooBig,
    /// A message grows beyond [`Limits::message`](crate::Limits::message). Section 10.4.
    MessageTooBig,
    /// A message has more fragments than [`Limits::fragments`](crate::Limits::fragments). Section
    /// 10.4.
    TooManyFragments,
    /// A compressed message becomes more than [`Limits::inflation`](crate::Limits::inflation) times
    /// as large as what came. Section 10.4.
    InflatesTooMuch,
    /// A compressed message is no DEFLATE data, or refers to what lies beyond the window. RFC 7692,
    /// section 7.2.2.
    NotDeflate,
    /// A compressed message does not end where a block of DEFLATE data does. RFC 7692, section 7.2.1.
    DeflateUnfinished,
    /// A text message is not UTF-8. Section 8.1.
    TextNotUtf8,
    /// A text message came where bytes alone are taken: for a byte stream. Section 7.4.1.
    UnexpectedText,
    /// The body of a Close frame is a single byte. Section 5.5.1.
    CloseTruncated,
    /// A Close frame carries a code that may not appear on the wire. Section 7.4.
    CloseCodeForbidden,
    /// The reason in a Close frame is not UTF-8. Sections 5.5.1 and 8.1.
    ReasonNotUtf8,
    /// The stream ended before the closing handshake. Section 7.1.5.
    UnexpectedEof,
}

impl ProtocolError {
    /// The section that has the rule, as `RFC 6455, section 5.2`.
    ///
    /// For an example see [`ProtocolError`](Self).
    pub const fn section(self) -> &'static str {
        match self {
            Self::NotMasked | Self::Masked => "RFC 6455, section 5.1",
            Self::ReservedBits
            | Self::ReservedOpcode
            | Self::LengthNotMinimal
            | Self::LengthTooLarge => "RFC 6455, section 5.2",
            Self::NothingToContinue | Self::MessageUnfinished => "RFC 6455, section 5.4",
            Self::ControlFragmented | Self::ControlTooLong => "RFC 6455, section 5.5",
            Self::CloseTruncated => "RFC 6455, section 5.5.1",
            Self::UnexpectedEof => "RFC 6455, section 7.1.5",
            Self::CloseCodeForbidden => "RFC 6455, section 7.4",
            Self::UnexpectedText => "RFC 6455, section 7.4.1",
            Self::TextNotUtf8 | Self::ReasonNotUtf8 => "RFC 6455, section 8.1",
            Self::FrameTooBig
            | Self::MessageTooBig
            | Self::TooManyFragments
            | Self::InflatesTooMuch => "RFC 6455, section 10.4",
            Self::DeflateUnfinished => "RFC 7692, section 7.2.1",
            Self::NotDeflate => "RFC 7692, section 7.2.2",
        }
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self {
            Self::ReservedBits => "the peer set a reserved bit that no extension defines",
            Self::ReservedOpcode => "the peer sent a frame with a reserved opcode",
            Self::NotMasked => "the client sent a frame that is not masked",
            Self::Masked => "the server sent a masked frame",
            Self::ControlFragmented => "the peer fragmented a control frame",
            Self::ControlTooLong => "the peer sent a control frame of over 125 bytes",
            Self::NothingToContinue => "the peer continued a message that is not open",
            Self::MessageUnfinished => "the peer started a message within a message",
            Self::LengthNotMinimal => "the peer sent a length not in its shortest form",
            Self::LengthTooLarge => "the peer sent a length of 2^63 or more",
            Self::FrameTooBig => "the peer sent a frame larger than allowed",
            Self::MessageTooBig => "the peer sent a message larger than allowed",
            Self::TooManyFragments => "the peer sent a message in too many fragments",
            Self::InflatesTooMuch => "the peer sent a message that inflates too much",
            Self::NotDeflate => "the peer sent a message that cannot be inflated",
            Self::DeflateUnfinished => "the peer sent a message that ends within a block",
            Self::TextNotUtf8 => "the peer sent text that is not UTF-8",
            Self::CloseTruncated => "the peer sent a Close frame with half a code",
            Self::CloseCodeForbidden => "the peer sent a close code not for the wire",
            Self::ReasonNotUtf8 => "the peer sent a close reason that is not UTF-8",
            Self::UnexpectedText => "the peer sent text into a stream of bytes",
            Self::UnexpectedEof => "the stream ended without a closing handshake",
        };
        write!(f, "{what} ({})", self.section())
    }
}

impl core::error::Error for ProtocolError {}

/// This may not be sent now, and nothing was queued. The connection is as it was.
///
/// ```
/// use sotong::{Agreed, Config, Connection, SendBuffer, SendError};
///
/// let mut conn = Connection::server(Config::default(), Agreed::default());
/// let mut tx = SendBuffer::new();
/// conn.close(None, &mut tx)?.queue();
/// let error = conn.send_text("too late", &mut tx).unwrap_err();
/// assert_eq!(error, SendError::Closing);
/// assert_eq!(error.section(), Some("RFC 6455, section 5.5.1"));
/// # Ok::<(), SendError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SendError {
    /// The connection is closing or has failed: no more frames follow. Section 5.5.1.
    Closing,
    /// A fragmented message is open, and only it may be continued. Section 5.4.
    MessageUnfinished,
    /// A ping, a pong or a close reason does not fit into 125 bytes. Section 5.5.
    ControlTooLong,
    /// The close code may not appear on the wire. Section 7.4.
    CloseCodeForbidden,
    /// The queue stands at [`Limits::send_queue`](crate::Limits::send_queue); send what is queued
    /// first.
    QueueFull,
    /// There was no randomness for a masking key. Section 10.3.
    NoMaskingKey,
}

impl SendError {
    /// The section that has the rule, as `RFC 6455, section 5.4`; `None` for a limit of ours.
    ///
    /// For an example see [`SendError`](Self).
    pub const fn section(self) -> Option<&'static str> {
        Some(match self {
            Self::Closing => "RFC 6455, section 5.5.1",
            Self::MessageUnfinished => "RFC 6455, section 5.4",
            Self::ControlTooLong => "RFC 6455, section 5.5",
            Self::CloseCodeForbidden => "RFC 6455, section 7.4",
            Self::NoMaskingKey => "RFC 6455, section 10.3",
            Self::QueueFull => return None,
        })
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closing => "the connection is closing",
            Self::MessageUnfinished => "a fragmented message is open",
            Self::ControlTooLong => "more than 125 bytes for a control frame",
            Self::CloseCodeForbidden => "a close code not for the wire",
            Self::QueueFull => "the send queue is full",
            Self::NoMaskingKey => "no randomness for a masking key",
        })?;
        write_section(self.section(), f)
    }
}

/// Ends what an error says with where its rule stands.
pub(crate) fn write_section(
    section: Option<&'static str>,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    section.map_or(Ok(()), |section| write!(f, " ({section})"))
}

impl core::error::Error for SendError {}

/// A deadline passed. See [`Timeouts`](crate::Timeouts).
///
/// ```
/// use core::time::Duration;
/// use sotong::{Agreed, CloseCode, Config, Connection, ReceiveBuffer, SendBuffer, TimedOut};
///
/// let mut conn = Connection::server(Config::default(), Agreed::default());
/// let (rx, mut tx) = (ReceiveBuffer::with_capacity(512), SendBuffer::new());
/// let mut now = Duration::ZERO;
/// let outcome = loop {
///     // Nothing happens before the next deadline.
///     now = conn.poll_timeout(now, &rx, &tx).expect("there is always one");
///     if let Err(error) = conn.handle_timeout(now, &rx, &tx) {
///         break error;
///     }
///     conn.poll_transmit(&mut tx); // a ping
///     let ping = tx.len();
///     tx.transmit().consume(ping);
/// };
/// assert_eq!((outcome, now), (TimedOut::Pong, Duration::from_secs(30 + 20)));
/// assert_eq!(outcome.close_code(), Some(CloseCode::ABNORMAL));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TimedOut {
    /// The opening handshake was not over in time.
    Handshake,
    /// Nothing came in answer to a ping.
    Pong,
    /// The closing handshake was not over in time.
    Close,
    /// The peer took nothing of what is queued for it.
    Send,
}

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Handshake => "the opening handshake took too long",
            Self::Pong => "the peer did not answer a ping in time",
            Self::Close => "the closing handshake took too long",
            Self::Send => "the peer does not read what is sent",
        })
    }
}

impl core::error::Error for TimedOut {}
