//! Events that own what they carry, so that they may be collected and compared.

use sotong::Event;

/// An event that outlives the receive buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
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
