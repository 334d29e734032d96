//! An owned message, for channels, `Stream` and `Sink`.

use bytes::Bytes;
use bytestring::ByteString;

use crate::close::{CloseCode, CloseFrame};
use crate::connection::Event;

/// A message or control frame that owns its payload; a clone shares it.
///
/// ```
/// use sotong::Message;
///
/// let hello = Message::from("소통");
/// assert_eq!(hello.clone(), Message::Text("소통".into()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// A text message.
    Text(ByteString),
    /// A binary message.
    Binary(Bytes),
    /// A ping. One that came is answered already.
    Ping(Bytes),
    /// A pong.
    Pong(Bytes),
    /// A Close frame: its code and reason, if it has any.
    Close(Option<(CloseCode, ByteString)>),
}

impl From<Event<'_>> for Message {
    /// Copies the payload.
    fn from(event: Event<'_>) -> Self {
        match event {
            Event::Text(text) => Self::Text(text.into()),
            Event::Binary(bytes) => Self::Binary(Bytes::copy_from_slice(bytes)),
            Event::Ping(bytes) => Self::Ping(Bytes::copy_from_slice(bytes)),
            Event::Pong(bytes) => Self::Pong(Bytes::copy_from_slice(bytes)),
            Event::Close(frame) => {
                Self::Close(frame.map(|CloseFrame { code, reason }| (code, reason.into())))
            }
        }
    }
}

impl From<&str> for Message {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<std::string::String> for Message {
    fn from(text: std::string::String) -> Self {
        Self::Text(text.into())
    }
}

impl From<Bytes> for Message {
    fn from(bytes: Bytes) -> Self {
        Self::Binary(bytes)
    }
}

impl From<std::vec::Vec<u8>> for Message {
    fn from(bytes: std::vec::Vec<u8>) -> Self {
        Self::Binary(bytes.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_made_of_whatever_holds_its_payload() {
        for text in [Message::from("hi"), Message::from(std::string::String::from("hi"))] {
            assert!(matches!(text, Message::Text(text) if *text == *"hi"));
        }
        for bytes in [Message::from(Bytes::from_static(b"hi")), Message::from(b"hi".to_vec())] {
            assert!(matches!(bytes, Message::Binary(bytes) if *bytes == *b"hi"));
        }
    }
}
