//! WebSocket (RFC 6455) as a sans-IO state machine, with thin blocking and tokio adapters.
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

extern crate alloc;
#[cfg(any(feature = "std", test))]
extern crate std;

#[cfg(feature = "std")]
mod adapter;
mod buffer;
mod close;
mod config;
mod connection;
mod error;
mod extension;
mod frame;
mod mask;
#[cfg(feature = "tokio")]
mod message;
mod timing;
mod utf8;

#[cfg(feature = "std")]
pub mod blocking;
pub mod handshake;
#[cfg(feature = "tokio")]
pub mod tokio;

#[cfg(feature = "std")]
pub use adapter::{Error, Result};

pub use buffer::{ReceiveBuffer, SendBuffer, Transmit};
pub use close::{CloseCode, CloseFrame};
pub use config::{Config, Limits, Timeouts};
pub use connection::{
    Chunk, Connection, Event, MaskingKeys, Payload, Prepared, Role, State, Transport,
};
pub use error::{ProtocolError, SendError, TimedOut};
pub use frame::{EncodedHeader, FrameHeader, Opcode};
pub use mask::Mask;
#[cfg(feature = "tokio")]
pub use message::Message;
