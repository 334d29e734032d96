//! The frames of a compressed message: what has come is unmasked once, and inflated into the place
//! where the message is kept, step by step (RFC 7692, section 6.2).

use super::{Frame, Incoming, Portion};
use crate::buffer::ReceiveBuffer;
use crate::error::ProtocolError;

impl Incoming {
    /// A compressed message of up to this size in bytes is not measured by what came: it may be a
    /// line of spaces.
    const INFLATION_FREE: u64 = 64 * 1024;

    /// What is inflated is handed over as a piece once it has this size in bytes; so no piece is
    /// twice as large.
    const PIECE: usize = 16 * 1024;

    /// Inflates what has come of a frame, or as much of it as makes a piece; whether that is the
    /// whole frame, and with the last one the whole message.
    pub(super) fn inflate(
        &mut self,
        frame: &mut Frame,
        by: Portion,
        rx: &mut ReceiveBuffer,
    ) -> Result<bool, ProtocolError> {
        unmask_arrived(frame, rx);
        loop {
            if by == Portion::Pieces && rx.kept().len() >= Self::PIECE {
                return Ok(false);
            }
            let Some((taken, made, is_over)) = self.inflate_step(frame, rx)? else {
                return Ok(frame.remaining == 0 && !frame.fin);
            };
            frame.remaining -= taken as u64;
            frame.unmasked -= taken;
            rx.keep_inflated(taken, made);
            if is_over {
                return Ok(true);
            }
        }
    }

    /// How many bytes were taken and made, and whether the message is over; `None` if there is
    /// nothing to take and nothing more to be made.
    fn inflate_step(
        &mut self,
        frame: &Frame,
        rx: &mut ReceiveBuffer,
    ) -> Result<Option<(usize, usize, bool)>, ProtocolError> {
        let (Some(decompressor), Some(message)) = (&mut self.decompressor, &mut self.message)
        else {
            return Ok(None);
        };
        // One byte more than is allowed tells that there is too much.
        let most = usize::try_from(self.max_message - message.inflated).unwrap_or(usize::MAX);
        let (input, output) = rx.inflate_room(frame.unmasked, most.saturating_add(1));
        let ends = frame.fin && frame.remaining == 0;
        let (taken, made, is_over) = if ends {
            let (made, is_over) = decompressor.finish(output)?;
            (0, made, is_over)
        } else {
            let (taken, made) = decompressor.inflate(input, output)?;
            (taken, made, false)
        };
        message.inflated += made as u64;
        if message.inflated > self.max_message {
            return Err(ProtocolError::MessageTooBig);
        }
        let most = message.announced.saturating_mul(u64::from(self.max_inflation));
        if message.inflated > most.max(Self::INFLATION_FREE) {
            return Err(ProtocolError::InflatesTooMuch);
        }
        let is_progress = taken > 0 || made > 0 || is_over;
        Ok(is_progress.then_some((taken, made, is_over)))
    }
}

/// Unmasks what has come of a frame and is not unmasked yet.
fn unmask_arrived(frame: &mut Frame, rx: &mut ReceiveBuffer) {
    let arrived = rx.unparsed_mut();
    let len = frame.remaining.min(arrived.len() as u64) as usize;
    if let Some(mask) = &mut frame.mask {
        mask.apply(&mut arrived[frame.unmasked..len]);
    }
    frame.unmasked = len;
}
