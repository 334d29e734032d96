//! Events that own what they carry, so that they may be collected and compared.

use alloc::string::String;
use alloc::vec::Vec;

use crate::connection::Event;

/// An event that outlives the receive buffer.
///
/// ```
/// use sotong::{CloseCode, Event, test_kit::Seen};
///
/// assert_eq!(Seen::from(Event::Text("소통")), Seen::Text("소통".into()));
/// let close = Event::Close(Some(CloseCode::NORMAL.into()));
/// assert_eq!(Seen::from(close), Seen::Close(Some((1000, "".into()))));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Vec<u8>),
    /// A ping.
    Ping(Vec<u8>),
    /// A pong.
    Pong(Vec<u8>),
    /// A Close frame: its code and its reason.
    Close(Option<(u16, String)>),
}

impl From<Event<'_>> for Seen {
    fn from(event: Event<'_>) -> Self {
        match event {
            Event::Text(text) => Self::Text(text.into()),
            Event::Binary(bytes) => Self::Binary(bytes.into()),
            Event::Ping(body) => Self::Ping(body.into()),
            Event::Pong(body) => Self::Pong(body.into()),
            Event::Close(frame) => Self::Close(frame.map(|f| (f.code.0, f.reason.into()))),
        }
    }
}
