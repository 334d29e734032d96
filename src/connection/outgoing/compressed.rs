//! Messages as compressed frames (RFC 7692, section 6.1).

use super::super::event::Payload;
use super::Outgoing;
use super::frame::Frame;
use crate::buffer::SendBuffer;
use crate::deflate::Compress;
use crate::frame::{Opcode, RSV1};
use crate::mask::Mask;

impl Outgoing {
    /// Queues a whole message as a compressed frame, unless it is not to be compressed.
    pub(super) fn compressed_if_it_pays(
        &mut self,
        frame: Frame,
        message: Payload<'_>,
        tx: &mut SendBuffer,
    ) -> bool {
        let must_pay = message.choice() == Compress::Auto;
        self.is_to_compress(message) && self.compressed(frame, message.as_bytes(), must_pay, tx)
    }

    pub(super) fn is_to_compress(&self, message: Payload<'_>) -> bool {
        let compressor = self.compressor.as_ref();
        compressor.is_some_and(|compressor| message.is_to_compress(compressor.threshold()))
    }

    /// Queues a compressed frame. If it `must_pay` and does not it is not queued, unless later
    /// messages are to refer to it.
    pub(super) fn compressed(
        &mut self,
        frame: Frame,
        payload: &[u8],
        must_pay: bool,
        tx: &mut SendBuffer,
    ) -> bool {
        let Some(compressor) = &mut self.compressor else { return false };
        let must_pay = must_pay && !compressor.keeps_context();
        // "On the first fragment of a message ... RSV1 set" (RFC 7692, section 6).
        let reserved = if frame.opcode == Opcode::Continuation { 0 } else { RSV1 };
        let compressed = tx.push_frame(
            |queue| compressor.compress(payload, frame.fin, queue),
            |len| (!must_pay || len < payload.len()).then(|| frame.header(reserved, len).encode()),
        );
        let queued = compressed.is_some();
        if let (Some(compressed), Some(key)) = (compressed, frame.masking_key) {
            Mask::new(key).apply(compressed);
        }
        queued
    }
}
