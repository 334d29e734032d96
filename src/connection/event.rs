//! What a connection hands over, and what it is given to send.

use crate::close::CloseFrame;
use crate::deflate::Compress;
use crate::frame::Opcode;

/// Something that came: a whole message, or a control frame.
///
/// It borrows from the [`ReceiveBuffer`](crate::ReceiveBuffer), not from the connection: it may be
/// answered while it is still looked at.
///
/// For an example see [`Connection`](crate::Connection).
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
///
/// ```
/// use sotong::{Agreed, Chunk, Config, Connection, ReceiveBuffer};
///
/// let mut conn = Connection::server(Config::default(), Agreed::default());
/// let mut rx = ReceiveBuffer::with_capacity(512);
/// rx.extend(b"\x82\x85\0\0\0\0Hel"); // the beginning of a message of five bytes
/// assert_eq!(conn.next_chunk(&mut rx)?, Some(Chunk::Binary { piece: b"Hel", last: false }));
/// rx.extend(b"lo");
/// assert_eq!(conn.next_chunk(&mut rx)?, Some(Chunk::Binary { piece: b"lo", last: true }));
/// # Ok::<(), sotong::ProtocolError>(())
/// ```
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

impl<'b> From<Event<'b>> for Chunk<'b> {
    /// A whole message is its own last piece.
    fn from(event: Event<'b>) -> Self {
        match event {
            Event::Text(piece) => Chunk::Text { piece, last: true },
            Event::Binary(piece) => Chunk::Binary { piece, last: true },
            Event::Ping(body) => Chunk::Ping(body),
            Event::Pong(body) => Chunk::Pong(body),
            Event::Close(frame) => Chunk::Close(frame),
        }
    }
}

/// A message to be sent, or a fragment of one: text or bytes.
///
/// ```
/// use sotong::{Compress, Payload};
///
/// assert_eq!(Payload::from("소통"), Payload::text("소통"));
/// assert_eq!(Payload::from(&[1, 2]), Payload::binary(&[1, 2]));
/// let secret = Payload::text("session=8f3a").compress(Compress::No);
/// assert_eq!(secret.as_bytes(), b"session=8f3a");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payload<'p> {
    bytes: &'p [u8],
    is_text: bool,
    compress: Compress,
}

impl<'p> Payload<'p> {
    /// Text. Fragments of a message are each whole characters.
    ///
    /// For an example see [`Payload`](Self).
    pub const fn text(text: &'p str) -> Self {
        Self { bytes: text.as_bytes(), is_text: true, compress: Compress::Auto }
    }

    /// Bytes.
    ///
    /// For an example see [`Payload`](Self).
    pub const fn binary(bytes: &'p [u8]) -> Self {
        Self { bytes, is_text: false, compress: Compress::Auto }
    }

    /// Says whether to compress it, where compression was agreed on. Of a fragmented message the
    /// first fragment decides.
    ///
    /// For an example see [`Payload`](Self).
    pub const fn compress(self, compress: Compress) -> Self {
        Self { compress, ..self }
    }

    /// The opcode of a frame that begins with it.
    pub(crate) const fn opcode(self) -> Opcode {
        if self.is_text { Opcode::Text } else { Opcode::Binary }
    }

    /// The payload as it goes on the wire, before compression and masking.
    ///
    /// For an example see [`Payload`](Self).
    pub const fn as_bytes(self) -> &'p [u8] {
        self.bytes
    }

    /// What a message of this opcode has.
    pub(crate) const fn of(opcode: Opcode, bytes: &'p [u8]) -> Self {
        Self { is_text: matches!(opcode, Opcode::Text), ..Self::binary(bytes) }
    }

    pub(super) const fn choice(self) -> Compress {
        self.compress
    }

    /// Whether a compressor with this threshold is to compress it.
    pub(super) const fn is_to_compress(self, threshold: usize) -> bool {
        match self.compress {
            Compress::Auto => self.bytes.len() >= threshold,
            Compress::Yes => true,
            Compress::No => false,
        }
    }
}

impl<'p> From<&'p str> for Payload<'p> {
    fn from(text: &'p str) -> Self {
        Self::text(text)
    }
}

impl<'p> From<&'p [u8]> for Payload<'p> {
    fn from(bytes: &'p [u8]) -> Self {
        Self::binary(bytes)
    }
}

impl<'p, const N: usize> From<&'p [u8; N]> for Payload<'p> {
    fn from(bytes: &'p [u8; N]) -> Self {
        Self::binary(bytes)
    }
}
