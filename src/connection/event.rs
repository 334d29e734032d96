//! What a connection hands over, and what it is given to send.

use crate::close::CloseFrame;
use crate::frame::Opcode;

/// Something that came: a whole message, or a control frame.
///
/// It borrows from the [`ReceiveBuffer`](crate::ReceiveBuffer), not from the connection: it may be
/// answered while it is still looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'b> {
    /// A text message.
    Text(&'b str),
    /// A binary message.
    Binary(&'b [u8]),
    /// A ping; its pong is due already.
    Ping(&'b [u8]),
    /// A pong, asked for or not.
    Pong(&'b [u8]),
    /// The peer's Close frame, and what it says; ours is due already. Nothing comes after it.
    Close(Option<CloseFrame<'b>>),
}

/// Something that came: a part of a message, or a control frame.
///
/// The pieces of a message follow each other; control frames may stand between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chunk<'b> {
    /// A piece of a text message, of whole characters.
    Text {
        /// The piece; empty only if it is the last.
        piece: &'b str,
        /// Whether the message ends here.
        last: bool,
    },
    /// A piece of a binary message.
    Binary {
        /// The piece; empty only if it is the last.
        piece: &'b [u8],
        /// Whether the message ends here.
        last: bool,
    },
    /// A ping; its pong is due already.
    Ping(&'b [u8]),
    /// A pong, asked for or not.
    Pong(&'b [u8]),
    /// The peer's Close frame, and what it says; ours is due already. Nothing comes after it.
    Close(Option<CloseFrame<'b>>),
}

/// The payload of a message, or of a fragment of one: text or bytes.
///
/// ```
/// use sotong::Payload;
///
/// assert_eq!(Payload::from("소통"), Payload::Text("소통"));
/// assert_eq!(Payload::from(&[1, 2]), Payload::Binary(&[1, 2]));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload<'p> {
    /// Text. Fragments of a message are each whole characters.
    Text(&'p str),
    /// Bytes.
    Binary(&'p [u8]),
}

impl<'p> Payload<'p> {
    /// The opcode of a frame that begins with it.
    pub(crate) const fn opcode(self) -> Opcode {
        match self {
            Self::Text(_) => Opcode::Text,
            Self::Binary(_) => Opcode::Binary,
        }
    }

    /// The payload as it goes on the wire, before masking.
    pub const fn as_bytes(self) -> &'p [u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }
}

impl<'p> From<&'p str> for Payload<'p> {
    fn from(text: &'p str) -> Self {
        Self::Text(text)
    }
}

impl<'p> From<&'p [u8]> for Payload<'p> {
    fn from(bytes: &'p [u8]) -> Self {
        Self::Binary(bytes)
    }
}

impl<'p, const N: usize> From<&'p [u8; N]> for Payload<'p> {
    fn from(bytes: &'p [u8; N]) -> Self {
        Self::Binary(bytes)
    }
}
