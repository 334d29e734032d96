//! A message that is encoded once and sent to many.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::event::Payload;
use crate::deflate::{Compress, Compressor, PerWindow};
use crate::frame::{FrameHeader, Opcode, RSV1};

/// A message encoded once, to be sent to any number of connections.
///
/// The frames of a server carry no masking key, so the same bytes go to every client and only the
/// handle is cloned. A client may send a prepared message too; its payload is then masked each
/// time.
///
/// Where compression was agreed on, it is compressed once for all connections of the same window
/// that keep no context from message to message, with the settings of the first to send it. Those
/// that do keep one compress it each in their context.
///
/// ```
/// use sotong::{Agreed, Config, Connection, Prepared, SendBuffer};
///
/// let news = Prepared::new("소통");
/// let server = || Connection::server(Config::default(), Agreed::default());
/// let mut clients = [(); 3].map(|()| (server(), SendBuffer::new()));
/// for (conn, tx) in &mut clients {
///     let transmit = conn.send_prepared(&news, tx)?;
///     assert_eq!(transmit.slices().concat(), b"\x81\x06\xec\x86\x8c\xed\x86\xb5");
/// }
/// # Ok::<(), sotong::SendError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Prepared(Arc<Message>);

#[derive(Debug)]
struct Message {
    opcode: Opcode,
    /// As it is, and what decides whether it is to be compressed.
    plain: Encoded,
    compress: Compress,
    /// Compressed without context, where that is smaller.
    compressed: PerWindow<Option<Encoded>>,
}

/// A frame as a server sends it.
#[derive(Debug)]
pub(super) struct Encoded {
    pub(super) frame: Vec<u8>,
    header_len: usize,
    pub(super) reserved: u8,
}

impl Encoded {
    fn new(opcode: Opcode, reserved: u8, payload: &[u8]) -> Self {
        let payload_len = payload.len() as u64;
        let header =
            FrameHeader { fin: true, reserved, opcode, masking_key: None, payload_len }.encode();
        let header = header.as_ref();
        let mut frame = Vec::with_capacity(header.len() + payload.len());
        frame.extend_from_slice(header);
        frame.extend_from_slice(payload);
        Self { frame, header_len: header.len(), reserved }
    }

    pub(super) fn payload(&self) -> &[u8] {
        &self.frame[self.header_len..]
    }
}

impl Prepared {
    /// Encodes a message.
    ///
    /// For an example see [`Prepared`](Self).
    pub fn new<'p>(message: impl Into<Payload<'p>>) -> Self {
        let message = message.into();
        let opcode = message.opcode();
        Self(Arc::new(Message {
            opcode,
            plain: Encoded::new(opcode, 0, message.as_bytes()),
            compress: message.choice(),
            compressed: PerWindow::new(),
        }))
    }

    pub(super) fn opcode(&self) -> Opcode {
        self.0.opcode
    }

    pub(super) fn payload(&self) -> Payload<'_> {
        Payload::of(self.0.opcode, self.0.plain.payload()).compress(self.0.compress)
    }

    /// The frame that a connection with this compressor sends; `None` if it makes one of its own, in
    /// its context.
    pub(super) fn encoded_for(&self, compressor: Option<&Compressor>) -> Option<&Encoded> {
        let message = &*self.0;
        let Some(compressor) =
            compressor.filter(|compressor| self.payload().is_to_compress(compressor.threshold()))
        else {
            return Some(&message.plain);
        };
        if compressor.keeps_context() {
            return None;
        }
        let compressed = message.compressed.get(compressor.window_bits(), || {
            let payload = compressor.compress_alone(message.plain.payload());
            let pays = payload.len() < message.plain.payload().len();
            (pays || message.compress == Compress::Yes)
                .then(|| Encoded::new(message.opcode, RSV1, &payload))
        });
        compressed.map(|compressed| compressed.as_ref().unwrap_or(&message.plain))
    }
}
