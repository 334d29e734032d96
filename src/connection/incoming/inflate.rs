//! The frames of a compressed message: what has come is unmasked once, and inflated into the place
//! where the message is kept, step by step (RFC 7692, section 6.2).

use super::message::Frame;
use super::{Incoming, Portion};
use crate::buffer::ReceiveBuffer;
use crate::error::ProtocolError;

impl Incoming {
    /// A compressed message of up to this size in bytes is not measured by what came: it may be a
    /// line of spaces.
    const INFLATION_FREE: u64 = 64 * 1024;

    /// The largest piece of a compressed message in bytes.
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
            let room = match by {
                Portion::Whole => usize::MAX,
                _ => Self::PIECE.saturating_sub(rx.kept().len()),
            };
            if room == 0 {
                return Ok(false);
            }
            let is_last = frame.fin && frame.remaining == 0;
            if frame.unmasked == 0 && !is_last && !self.has_more() {
                return Ok(frame.remaining == 0);
            }
            if self.inflate_step(frame, by, is_last, room, rx)? {
                return Ok(true);
            }
        }
    }

    /// Whether there may be more to come of bytes that were taken.
    fn has_more(&self) -> bool {
        self.decompressor.as_ref().is_some_and(|decompressor| decompressor.has_more())
    }

    /// Takes what it can of a frame and makes at most `room` bytes of it; whether the message is over,
    /// which ends when its last byte was taken.
    fn inflate_step(
        &mut self,
        frame: &mut Frame,
        by: Portion,
        is_last: bool,
        room: usize,
        rx: &mut ReceiveBuffer,
    ) -> Result<bool, ProtocolError> {
        let (Some(decompressor), Some(message)) = (&mut self.decompressor, self.message.get_mut())
        else {
            return Ok(true);
        };
        let limits = &self.config.limits;
        let limit = by.limit(limits).unwrap_or(limits.message);
        let inflation = message.announced.saturating_mul(u64::from(limits.inflation));
        let inflation = inflation.max(Self::INFLATION_FREE);
        // One byte more than is allowed tells that there is too much.
        let most = limit.min(inflation).saturating_sub(message.inflated);
        let most = usize::try_from(most).unwrap_or(usize::MAX).saturating_add(1).min(room);
        let (input, output) = rx.inflate_room(frame.unmasked, most);
        let (taken, made, is_over) = if is_last {
            let (made, is_over) = decompressor.finish(output)?;
            (0, made, is_over)
        } else {
            let (taken, made) = decompressor.inflate(input, output)?;
            (taken, made, false)
        };
        frame.remaining -= taken as u64;
        frame.unmasked -= taken;
        rx.keep_inflated(taken, made);
        message.inflated += made as u64;
        if message.inflated > limit {
            return Err(ProtocolError::MessageTooBig);
        }
        if message.inflated > inflation {
            return Err(ProtocolError::InflatesTooMuch);
        }
        Ok(is_over)
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
