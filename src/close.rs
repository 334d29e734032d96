//! Close codes and the body of a Close frame (RFC 6455, sections 5.5.1 and 7.4).

use core::fmt;

use crate::error::{ProtocolError, SendError, TimedOut};
use crate::utf8;

/// Why a connection is closed: the number in a Close frame (section 7.4).
///
/// Names come from the registry of section 11.7. Codes 3000 to 3999 are registered by libraries and
/// frameworks, 4000 to 4999 are free for private use: `CloseCode(4001)`.
///
/// ```
/// use sotong::CloseCode;
///
/// assert_eq!(CloseCode::GOING_AWAY, CloseCode(1001));
/// assert!(CloseCode(4001).is_sendable());
/// assert!(!CloseCode::ABNORMAL.is_sendable());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CloseCode(pub u16);

impl CloseCode {
    /// 1000: the purpose of the connection is fulfilled.
    pub const NORMAL: Self = Self(1000);
    /// 1001: a server goes down, or a page is left.
    pub const GOING_AWAY: Self = Self(1001);
    /// 1002: the peer broke a rule of the protocol.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// 1003: a type of data that this endpoint does not take.
    pub const UNSUPPORTED: Self = Self(1003);
    /// 1005: there was no code. Never on the wire.
    pub const NO_STATUS: Self = Self(1005);
    /// 1006: there was no Close frame. Never on the wire.
    pub const ABNORMAL: Self = Self(1006);
    /// 1007: data that is not what its type says, as text that is not UTF-8.
    pub const INVALID_DATA: Self = Self(1007);
    /// 1008: a message that violates a policy.
    pub const POLICY: Self = Self(1008);
    /// 1009: a message that is too big to process.
    pub const TOO_BIG: Self = Self(1009);
    /// 1010: the server did not agree to an extension that the client needs.
    pub const EXTENSION_REQUIRED: Self = Self(1010);
    /// 1011: something unexpected kept the server from its work.
    pub const INTERNAL_ERROR: Self = Self(1011);
    /// 1012: the service restarts; come back, after a while.
    pub const RESTART: Self = Self(1012);
    /// 1013: the service is overloaded; come back later.
    pub const TRY_AGAIN_LATER: Self = Self(1013);
    /// 1014: a gateway got a bad answer from its upstream.
    pub const BAD_GATEWAY: Self = Self(1014);
    /// 1015: the TLS handshake failed. Never on the wire.
    pub const TLS: Self = Self(1015);

    /// Whether a Close frame may carry this code (section 7.4, and the registry for 1012 to 1014).
    ///
    /// For an example see [`CloseCode`](Self).
    pub const fn is_sendable(self) -> bool {
        matches!(self.0, 1000..=1003 | 1007..=1014 | 3000..=4999)
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The body of a Close frame: a code and a reason for people who read logs.
///
/// ```
/// use sotong::{CloseCode, CloseFrame};
///
/// let slow = CloseFrame { code: CloseCode::TRY_AGAIN_LATER, reason: "too slow" };
/// let bye = CloseFrame::from(CloseCode::NORMAL); // without a reason
/// # assert_eq!((slow.code.0, bye.reason), (1013, ""));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CloseFrame<'b> {
    /// Why.
    pub code: CloseCode,
    /// The same in words, at most 123 bytes; often empty.
    pub reason: &'b str,
}

impl<'b> CloseFrame<'b> {
    /// The largest reason, in bytes: a control frame carries 125, the code takes two.
    pub const MAX_REASON: usize = 123;

    /// Reads the body of a Close frame; an empty one is `None`.
    pub(crate) fn decode(body: &'b [u8]) -> Result<Option<Self>, ProtocolError> {
        let (code, reason) = match body {
            [] => return Ok(None),
            [_] => return Err(ProtocolError::CloseTruncated),
            [high, low, reason @ ..] => (CloseCode(u16::from_be_bytes([*high, *low])), reason),
        };
        if !code.is_sendable() {
            return Err(ProtocolError::CloseCodeForbidden);
        }
        let reason = utf8::whole(reason).map_err(|_| ProtocolError::ReasonNotUtf8)?;
        Ok(Some(Self { code, reason }))
    }

    /// The code's two bytes, once code and reason are known to fit into a Close frame.
    pub(crate) fn encode(&self) -> Result<[u8; 2], SendError> {
        if !self.code.is_sendable() {
            return Err(SendError::CloseCodeForbidden);
        }
        if self.reason.len() > Self::MAX_REASON {
            return Err(SendError::ControlTooLong);
        }
        Ok(self.code.0.to_be_bytes())
    }
}

impl From<CloseCode> for CloseFrame<'static> {
    fn from(code: CloseCode) -> Self {
        Self { code, reason: "" }
    }
}

impl ProtocolError {
    /// The code with which the connection fails (section 7.4.1).
    ///
    /// [`CloseCode::ABNORMAL`], which is never sent, stands for a stream that just ended.
    ///
    /// For an example see [`ProtocolError`](Self).
    pub const fn close_code(self) -> CloseCode {
        match self {
            Self::FrameTooBig | Self::MessageTooBig | Self::InflatesTooMuch => CloseCode::TOO_BIG,
            Self::TooManyFragments => CloseCode::POLICY,
            // "Data within a message that was not consistent with the type of the message".
            Self::TextNotUtf8
            | Self::ReasonNotUtf8
            | Self::NotDeflate
            | Self::DeflateUnfinished => CloseCode::INVALID_DATA,
            // "A type of data it cannot accept".
            Self::UnexpectedText => CloseCode::UNSUPPORTED,
            Self::UnexpectedEof => CloseCode::ABNORMAL,
            Self::ReservedBits
            | Self::ReservedOpcode
            | Self::NotMasked
            | Self::Masked
            | Self::ControlFragmented
            | Self::ControlTooLong
            | Self::NothingToContinue
            | Self::MessageUnfinished
            | Self::LengthNotMinimal
            | Self::LengthTooLarge
            | Self::CloseTruncated
            | Self::CloseCodeForbidden => CloseCode::PROTOCOL_ERROR,
        }
    }
}

impl TimedOut {
    /// The code under which such an end is counted: [`CloseCode::ABNORMAL`], which is never sent, since
    /// no Close frame of the peer came (section 7.1.5); `None` before there was a connection.
    ///
    /// For an example see [`TimedOut`](Self).
    pub const fn close_code(self) -> Option<CloseCode> {
        match self {
            Self::Handshake => None,
            Self::Pong | Self::Close | Self::Send => Some(CloseCode::ABNORMAL),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fewer under an interpreter, which takes a thousand times as long.
    const LAST_CODE: u16 = if cfg!(miri) { 5100 } else { u16::MAX };

    #[test]
    fn just_the_codes_of_section_7_4_and_its_registry_may_be_sent() {
        let sendable = |code: &u16| CloseCode(*code).is_sendable();
        let expected = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014];
        assert!((0..3000).filter(sendable).eq(expected));
        assert!((3000..=LAST_CODE).filter(sendable).eq(3000..5000));
    }

    type Decoded = Result<Option<CloseFrame<'static>>, ProtocolError>;

    #[test]
    fn a_body_is_nothing_or_a_code_and_text() {
        let frame = |code, reason| Ok(Some(CloseFrame { code: CloseCode(code), reason }));
        let table: [(&[u8], Decoded); 9] = [
            (b"", Ok(None)),
            (b"\x03", Err(ProtocolError::CloseTruncated)),
            (b"\x03\xe8", frame(1000, "")),
            (b"\x03\xe8bye", frame(1000, "bye")),
            (b"\x0b\xb8\xec\x86\x8c", frame(3000, "소")),
            (b"\x03\xe8\xc3\x28", Err(ProtocolError::ReasonNotUtf8)),
            (b"\x03\xe8\xec\x86", Err(ProtocolError::ReasonNotUtf8)),
            (b"\x03\xed", Err(ProtocolError::CloseCodeForbidden)), // 1005
            (b"\x03\xed\xff", Err(ProtocolError::CloseCodeForbidden)),
        ];
        for (body, expected) in table {
            assert_eq!(CloseFrame::decode(body), expected, "{body:x?}");
        }
    }
}
