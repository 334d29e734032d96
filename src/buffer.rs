//! The two buffers that stand between a stream and a connection; the caller owns both.

mod receive;
mod send;

pub use receive::ReceiveBuffer;
pub use send::{SendBuffer, Transmit};
