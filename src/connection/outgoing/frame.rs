//! A frame on its way out: its header into the queue, its payload behind it or lent.

use crate::buffer::{SendBuffer, Transmit};
use crate::frame::{FrameHeader, Opcode};
use crate::mask::Mask;

/// A frame to be sent, but for its payload.
#[derive(Clone, Copy)]
pub(super) struct Frame {
    pub(super) fin: bool,
    pub(super) opcode: Opcode,
    pub(super) masking_key: Option<[u8; 4]>,
}

impl Frame {
    pub(super) fn header(self, reserved: u8, payload_len: usize) -> FrameHeader {
        let Self { fin, opcode, masking_key } = self;
        FrameHeader { fin, reserved, opcode, masking_key, payload_len: payload_len as u64 }
    }

    #[inline(always)]
    pub(super) fn encode<'t, 'p>(
        self,
        reserved: u8,
        payload: &'p [u8],
        tx: &'t mut SendBuffer,
    ) -> Transmit<'t, 'p> {
        if let Some(key) = self.masking_key {
            self.queue_masked(key, reserved, payload, tx);
            return tx.transmit();
        }
        self.encode_masked(reserved, payload, tx)
    }

    /// Encodes it with a payload that goes out as it is.
    #[inline(always)]
    pub(super) fn encode_masked<'t, 'p>(
        self,
        reserved: u8,
        payload: &'p [u8],
        tx: &'t mut SendBuffer,
    ) -> Transmit<'t, 'p> {
        tx.push_header(&self.header(reserved, payload.len()).encode(), 0);
        tx.transmit_with(payload)
    }

    fn queue_masked(self, key: [u8; 4], reserved: u8, payload: &[u8], tx: &mut SendBuffer) {
        tx.push_header(&self.header(reserved, payload.len()).encode(), payload.len());
        tx.push_masked(payload, Mask::new(key));
    }
}
