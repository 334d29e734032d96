//! A message that is encoded once and sent to many.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::event::Payload;
use crate::frame::{FrameHeader, Opcode};

/// A message encoded once, to be sent to any number of connections.
///
/// The frames of a server carry no masking key, so the same bytes go to every client and only the
/// handle is cloned. A client may send a prepared message too; its payload is then masked each
/// time.
///
/// ```
/// use sotong::{Config, Connection, Prepared, SendBuffer};
///
/// let news = Prepared::new("소통");
/// let mut clients = [(); 3].map(|()| (Connection::server(&Config::default()), SendBuffer::new()));
/// for (conn, tx) in &mut clients {
///     let transmit = conn.send_prepared(&news, tx)?;
///     assert_eq!(transmit.slices().concat(), b"\x81\x06\xec\x86\x8c\xed\x86\xb5");
/// }
/// # Ok::<(), sotong::SendError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Prepared {
    frame: Arc<[u8]>,
    opcode: Opcode,
    header_len: u8,
}

impl Prepared {
    /// Encodes a message.
    pub fn new<'p>(message: impl Into<Payload<'p>>) -> Self {
        let message = message.into();
        let opcode = message.opcode();
        let payload = message.as_bytes();
        let payload_len = payload.len() as u64;
        let header =
            FrameHeader { fin: true, reserved: 0, opcode, masking_key: None, payload_len }.encode();
        let header = header.as_ref();
        let mut frame = Vec::with_capacity(header.len() + payload.len());
        frame.extend_from_slice(header);
        frame.extend_from_slice(payload);
        Self { frame: frame.into(), opcode, header_len: header.len() as u8 }
    }

    pub(crate) fn opcode(&self) -> Opcode {
        self.opcode
    }

    /// The whole frame, as a server sends it.
    pub(crate) fn frame(&self) -> &[u8] {
        &self.frame
    }

    pub(crate) fn payload(&self) -> &[u8] {
        &self.frame[usize::from(self.header_len)..]
    }
}
