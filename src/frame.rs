//! The base framing protocol (RFC 6455, section 5.2).
//!
//! ```text
//!  first byte        second byte    0, 2 or 8 bytes      0 or 4 bytes
//!  FIN RSV1-3 opcode MASK length    extended length      masking key     payload ...
//! ```
//!
//! Usable alone: headers in and out, without allocation and without a connection.

use crate::error::ProtocolError;

/// What a frame is: the values that section 11.8 has registered.
///
/// For an example see [`FrameHeader`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Opcode {
    /// A further fragment of the message that is open.
    Continuation = 0x0,
    /// A text message, or its first fragment.
    Text = 0x1,
    /// A binary message, or its first fragment.
    Binary = 0x2,
    /// The end of what this endpoint has to say.
    Close = 0x8,
    /// A question whether the peer is there.
    Ping = 0x9,
    /// The answer to a ping, or a sign of life without one.
    Pong = 0xa,
}

impl Opcode {
    /// Whether this is a control frame: short, never fragmented, allowed between fragments.
    ///
    /// ```
    /// use sotong::Opcode;
    ///
    /// assert!(Opcode::Ping.is_control());
    /// assert!(!Opcode::Continuation.is_control());
    /// ```
    pub const fn is_control(self) -> bool {
        self as u8 & 0x8 != 0
    }

    const fn from_bits(bits: u8) -> Option<Self> {
        Some(match bits & 0x0f {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xa => Self::Pong,
            _ => return None,
        })
    }
}

/// The header of a frame.
///
/// ```
/// use sotong::{FrameHeader, Opcode};
///
/// let header = FrameHeader {
///     fin: true,
///     reserved: 0,
///     opcode: Opcode::Text,
///     masking_key: None,
///     payload_len: 5,
/// };
/// assert_eq!(header.encode().as_ref(), [0x81, 0x05]); // "Hello" follows, section 5.7
/// assert_eq!(FrameHeader::decode(&[0x81, 0x05]), Ok(Some((header, 2))));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// Whether this is the last fragment of its message.
    pub fin: bool,
    /// The bits RSV1 to RSV3 where they stand in the first byte: 0x40, 0x20, 0x10.
    pub reserved: u8,
    /// What the frame is.
    pub opcode: Opcode,
    /// The key of a masked frame.
    pub masking_key: Option<[u8; 4]>,
    /// The length of the payload in bytes, below 2^63.
    pub payload_len: u64,
}

impl FrameHeader {
    /// The longest header in bytes: two, eight for the length, four for the key.
    pub const MAX_LEN: usize = 14;

    /// The largest payload of a control frame in bytes (section 5.5).
    pub const MAX_CONTROL: usize = 125;

    /// Reads a header from the front of `bytes`, and says how long it is; `None` if there is more
    /// to come.
    ///
    /// ```
    /// use sotong::{FrameHeader, Mask};
    ///
    /// let mut bytes = *b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
    /// assert_eq!(FrameHeader::decode(&bytes[..4])?, None); // half of the masking key is missing
    /// let (header, len) = FrameHeader::decode(&bytes)?.expect("it is complete");
    /// let payload = &mut bytes[len..];
    /// if let Some(key) = header.masking_key {
    ///     Mask::new(key).apply(payload);
    /// }
    /// assert_eq!(payload, b"Hello");
    /// # Ok::<(), sotong::ProtocolError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Rules that hold in every connection: reserved opcodes, the limits of control frames, lengths
    /// in their shortest form and below 2^63. What depends on the role, on extensions and on the
    /// frames before is left to the caller.
    pub fn decode(bytes: &[u8]) -> Result<Option<(Self, usize)>, ProtocolError> {
        Self::decode_where(bytes, |_| Ok(()))
    }

    /// Like [`decode`](Self::decode), with rules of the connection on the first two bytes.
    ///
    /// The order of the checks is fixed, so that a verdict does not depend on how much has arrived:
    /// opcode, control frames' rules, `first_two`; then, with the whole header, the length.
    #[inline]
    pub(crate) fn decode_where(
        bytes: &[u8],
        first_two: impl FnOnce(&FirstTwo) -> Result<(), ProtocolError>,
    ) -> Result<Option<(Self, usize)>, ProtocolError> {
        let [first, second, rest @ ..] = bytes else { return Ok(None) };
        let start = FirstTwo::decode(*first, *second)?;
        first_two(&start)?;

        let (payload_len, rest) = match start.short_len {
            126 => {
                let Some((extended, rest)) = rest.split_first_chunk() else { return Ok(None) };
                let len = u16::from_be_bytes(*extended);
                if len < 126 {
                    return Err(ProtocolError::LengthNotMinimal);
                }
                (u64::from(len), rest)
            }
            127 => {
                let Some((extended, rest)) = rest.split_first_chunk() else { return Ok(None) };
                let len = u64::from_be_bytes(*extended);
                if len <= u64::from(u16::MAX) {
                    return Err(ProtocolError::LengthNotMinimal);
                }
                if len >> 63 != 0 {
                    return Err(ProtocolError::LengthTooLarge);
                }
                (len, rest)
            }
            short => (u64::from(short), rest),
        };
        let (masking_key, rest) = if start.masked {
            let Some((key, rest)) = rest.split_first_chunk() else { return Ok(None) };
            (Some(*key), rest)
        } else {
            (None, rest)
        };
        let FirstTwo { fin, reserved, opcode, .. } = start;
        let header = Self { fin, reserved, opcode, masking_key, payload_len };
        Ok(Some((header, bytes.len() - rest.len())))
    }

    /// The header as bytes, its length in the shortest form.
    ///
    /// For an example see [`FrameHeader`](Self).
    #[inline]
    pub const fn encode(&self) -> EncodedHeader {
        // Put together in a register; the first byte on the wire is the lowest, and the length is turned.
        let first = (self.fin as u8) << 7 | self.reserved & 0x70 | self.opcode as u8;
        let (short, extended, len) = match self.payload_len {
            short @ 0..=125 => (short as u8, 0, 2),
            len @ 126..=0xffff => (126, (len as u16).swap_bytes() as u64, 4),
            len => (127, len.swap_bytes(), 10),
        };
        let bits = first as u128 | (short as u128) << 8 | (extended as u128) << 16;
        let Some(key) = self.masking_key else {
            return EncodedHeader { bytes: bits.to_le_bytes(), len };
        };
        let key = u32::from_le_bytes(key) as u128;
        let bits = bits | 0x80 << 8 | key << (8 * len);
        EncodedHeader { bytes: bits.to_le_bytes(), len: len + 4 }
    }
}

/// The reserved bit that says that a message is compressed (RFC 7692, section 6).
pub(crate) const RSV1: u8 = 0x40;

/// A header ready for the wire.
///
/// For an example see [`FrameHeader`].
#[derive(Clone, Copy, Debug)]
pub struct EncodedHeader {
    bytes: [u8; 16],
    len: usize,
}

impl EncodedHeader {
    /// How many bytes the header has.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// The header and, behind it, zeros.
    pub(crate) const fn padded(&self) -> &[u8; 16] {
        &self.bytes
    }
}

impl AsRef<[u8]> for EncodedHeader {
    #[inline]
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// What the first two bytes of a frame say.
pub(crate) struct FirstTwo {
    pub(crate) fin: bool,
    pub(crate) reserved: u8,
    pub(crate) opcode: Opcode,
    pub(crate) masked: bool,
    /// The length itself, or 126 or 127 for an extended one.
    short_len: u8,
}

impl FirstTwo {
    fn decode(first: u8, second: u8) -> Result<Self, ProtocolError> {
        let fin = first & 0x80 != 0;
        let short_len = second & 0x7f;
        let opcode = Opcode::from_bits(first).ok_or(ProtocolError::ReservedOpcode)?;
        if opcode.is_control() {
            if !fin {
                return Err(ProtocolError::ControlFragmented);
            }
            if usize::from(short_len) > FrameHeader::MAX_CONTROL {
                return Err(ProtocolError::ControlTooLong);
            }
        }
        Ok(Self { fin, reserved: first & 0x70, opcode, masked: second & 0x80 != 0, short_len })
    }
}

/// A message in one frame, unmasked or masked, that is all here: not compressed, below 64 KiB, and
/// nothing wrong with it. What nearly all frames are can be told with a few comparisons.
pub(crate) struct SingleFrame {
    pub(crate) is_text: bool,
    pub(crate) masking_key: Option<[u8; 4]>,
    pub(crate) header_len: usize,
    pub(crate) payload_len: usize,
}

impl SingleFrame {
    /// Looks at the front of `bytes`; `None` says nothing.
    #[inline]
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let [first @ (0x81 | 0x82), second, rest @ ..] = bytes else { return None };
        let (payload_len, rest) = match second & 0x7f {
            short @ 0..126 => (usize::from(short), rest),
            126 => match rest.split_first_chunk()? {
                (&[0, 0..126], _) => return None,
                (extended, rest) => (u16::from_be_bytes(*extended).into(), rest),
            },
            _ => return None,
        };
        let (masking_key, payload) = match second & 0x80 {
            0 => (None, rest),
            _ => rest.split_first_chunk().map(|(key, payload)| (Some(*key), payload))?,
        };
        (payload_len <= payload.len()).then(|| Self {
            is_text: *first == 0x81,
            masking_key,
            header_len: bytes.len() - payload.len(),
            payload_len,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ProtocolError::*;
    use alloc::vec;

    const OPCODES: [Opcode; 6] = [
        Opcode::Continuation,
        Opcode::Text,
        Opcode::Binary,
        Opcode::Close,
        Opcode::Ping,
        Opcode::Pong,
    ];

    #[test]
    fn what_is_encoded_is_decoded_from_its_last_byte_on_and_not_before() {
        let lengths =
            [0, 1, 125, 126, 127, 0xffff, 0x1_0000, u64::from(u32::MAX) + 1, u64::MAX >> 1];
        for payload_len in lengths {
            for masking_key in [None, Some([0xde, 0xad, 0xbe, 0xef])] {
                for opcode in OPCODES {
                    if opcode.is_control() && payload_len > 125 {
                        continue;
                    }
                    for fin in [true, opcode.is_control()] {
                        let header =
                            FrameHeader { fin, reserved: 0x40, opcode, masking_key, payload_len };
                        let encoded = header.encode();
                        let bytes = encoded.as_ref();
                        for end in 0..bytes.len() {
                            assert_eq!(FrameHeader::decode(&bytes[..end]), Ok(None));
                        }
                        assert_eq!(FrameHeader::decode(bytes), Ok(Some((header, bytes.len()))));
                    }
                }
            }
        }
    }

    #[test]
    fn a_header_that_no_connection_allows_fails_as_soon_as_it_can() {
        // (the bytes, how many of them decide, the error)
        let table: [(&[u8], usize, ProtocolError); 14] = [
            (b"\x83\x80", 2, ReservedOpcode),
            (b"\x87\xff\x7f\xff\xff\xff\xff\xff\xff\xff", 2, ReservedOpcode),
            (b"\x8b\x80", 2, ReservedOpcode),
            (b"\x8f\x80", 2, ReservedOpcode),
            (b"\x09\x80", 2, ControlFragmented),
            (b"\x08\x80", 2, ControlFragmented),
            (b"\x0a\x80", 2, ControlFragmented),
            (b"\x89\xfe\x00\x7e", 2, ControlTooLong),
            (b"\x88\xfe", 2, ControlTooLong),
            (b"\x8a\xff", 2, ControlTooLong),
            (b"\x81\xfe\x00\x7d\0\0\0\0", 4, LengthNotMinimal),
            (b"\x81\xff\0\0\0\0\0\0\xff\xff\0\0\0\0", 10, LengthNotMinimal),
            (b"\x82\xff\x80\0\0\0\0\0\0\0\0\0\0\0", 10, LengthTooLarge),
            (b"\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff", 10, LengthTooLarge),
        ];
        for (bytes, deciding, error) in table {
            for end in 0..=bytes.len() {
                let expected = if end < deciding { Ok(None) } else { Err(error) };
                assert_eq!(FrameHeader::decode(&bytes[..end]), expected, "{bytes:x?} to {end}");
            }
        }
    }

    #[test]
    fn a_message_that_is_all_here_is_seen_at_once_and_nothing_else_is() {
        let look = |bytes: &[u8]| {
            let SingleFrame { is_text, masking_key, header_len, payload_len } =
                SingleFrame::decode(bytes)?;
            Some((is_text, masking_key, header_len, payload_len))
        };
        for len in [0, 1, 125, 126, 255, 256, 0xffff] {
            for masking_key in [None, Some([0xde, 0xad, 0xbe, 0xef])] {
                for opcode in [Opcode::Text, Opcode::Binary] {
                    let payload_len = len as u64;
                    let header =
                        FrameHeader { fin: true, reserved: 0, opcode, masking_key, payload_len };
                    let header = header.encode();
                    let header_len = header.as_ref().len();
                    let bytes = [header.as_ref(), &vec![0x81; len + 1]].concat();
                    let expected = Some((opcode == Opcode::Text, masking_key, header_len, len));
                    assert_eq!(look(&bytes), expected, "and more behind it");
                    assert_eq!(look(&bytes[..header_len + len]), expected);
                    for end in (0..header_len).chain([header_len + len - 1]) {
                        assert_eq!(look(&bytes[..end]), None, "{end} of {len}");
                    }
                }
            }
        }
        let other: [&[u8]; 9] = [
            b"\x01\x00",
            b"\x02\x00",
            b"\x80\x00",
            b"\x88\x00",
            b"\x89\x00",
            b"\xc1\x00",
            b"\x83\x00",
            b"\x81\x7e\x00\x7d", // a length not in its shortest form
            b"\x81\x7f\0\0\0\0\0\x01\0\0",
        ];
        for start in other {
            assert_eq!(look(&[start, &vec![0; 0x1_0000]].concat()), None, "{start:x?}");
        }
    }
}
