//! From a header to a payload: the stages of a message that is not here in one short frame (RFC 6455,
//! sections 5.2 to 5.5).

use super::message::{Frame, Message};
use super::{Ending, Incoming, Portion, Ready, Role, Stage};
use crate::buffer::ReceiveBuffer;
use crate::close::CloseFrame;
use crate::error::ProtocolError;
use crate::frame::{FirstTwo, FrameHeader, Opcode, RSV1};
use crate::mask::Mask;
use crate::trace;
use crate::utf8;

impl Incoming {
    /// Not inlined: it needs far more stack than the short way.
    #[inline(never)]
    pub(super) fn advance_stages(
        &mut self,
        by: Portion,
        rx: &mut ReceiveBuffer,
    ) -> Result<bool, ProtocolError> {
        if by != Portion::Claimed && !self.leave_claimed(by, rx)? {
            return Ok(self.ready.is_some());
        }
        while self.ready.is_none() {
            let went_on = match self.stage {
                Stage::Header => self.take_header(by, rx),
                Stage::Payload => self.take_data(by, rx),
                Stage::Closed => {
                    rx.discard();
                    return Ok(false);
                }
                Stage::Failed(error) => {
                    rx.discard();
                    return Err(error);
                }
            };
            if !went_on.map_err(|error| self.fail(error))? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Skips what its reader has left of a message; whether that is over.
    fn leave_claimed(
        &mut self,
        by: Portion,
        rx: &mut ReceiveBuffer,
    ) -> Result<bool, ProtocolError> {
        while let Some(message) = self.message.get() {
            if !message.is_claimed {
                // What was read in pieces may be more than may be held.
                let is_too_long = message.is_long && by == Portion::Whole;
                return if is_too_long {
                    Err(self.fail(ProtocolError::MessageTooBig))
                } else {
                    Ok(true)
                };
            }
            self.advance_stages(Portion::Claimed, rx)?;
            let Some(Ready::Piece { len, last }) = self.ready else { return Ok(false) };
            self.drop_piece(len, last, rx);
        }
        Ok(true)
    }

    /// Takes a control frame, or the header of a data frame.
    fn take_header(&mut self, by: Portion, rx: &mut ReceiveBuffer) -> Result<bool, ProtocolError> {
        let check = |start: &FirstTwo| self.check_first_two(start);
        let Some((header, len)) = FrameHeader::decode_where(rx.unparsed(), check)? else {
            return Ok(false);
        };
        if header.opcode.is_control() {
            return self.take_control(&header, len, rx);
        }
        self.open_or_continue(by, &header)?;
        rx.skip(len);
        self.stage = Stage::Payload;
        Ok(true)
    }

    /// The rules that depend on the role, on extensions and on the frames before.
    fn check_first_two(&self, start: &FirstTwo) -> Result<(), ProtocolError> {
        // "This bit MUST NOT be set on control frames and on non-first fragments" (RFC 7692, section 6).
        let may_be_compressed =
            matches!(start.opcode, Opcode::Text | Opcode::Binary) && self.decompressor.is_some();
        if start.reserved != 0 && !(start.reserved == RSV1 && may_be_compressed) {
            return Err(ProtocolError::ReservedBits);
        }
        match (self.role, start.masked) {
            (Role::Server, false) => return Err(ProtocolError::NotMasked),
            (Role::Client, true) => return Err(ProtocolError::Masked),
            _ => {}
        }
        match (start.opcode, self.message.get()) {
            (Opcode::Continuation, None) => Err(ProtocolError::NothingToContinue),
            (Opcode::Text | Opcode::Binary, Some(_)) => Err(ProtocolError::MessageUnfinished),
            _ => Ok(()),
        }
    }

    /// Counts a data frame against the limits.
    fn open_or_continue(&mut self, by: Portion, header: &FrameHeader) -> Result<(), ProtocolError> {
        let frame = Frame {
            fin: header.fin,
            mask: header.masking_key.map(Mask::new),
            remaining: header.payload_len,
            unmasked: 0,
        };
        let message = match header.opcode {
            Opcode::Continuation => {
                self.message.get_mut().ok_or(ProtocolError::NothingToContinue)?
            }
            _ => self.message.put(Message {
                is_text: header.opcode == Opcode::Text,
                is_compressed: header.reserved == RSV1,
                is_claimed: false,
                is_long: false,
                frame,
                fragments: 0,
                announced: 0,
                inflated: 0,
                checked: 0,
            }),
        };
        message.frame = frame;
        message.announced = message.announced.saturating_add(header.payload_len);
        message.fragments = message.fragments.saturating_add(1);
        let limits = &self.config.limits;
        if let Some(limit) = by.limit(limits) {
            return message.check_in_pieces(limit, limits);
        }
        if header.payload_len > message.with_slack(limits.frame, 1) {
            return Err(ProtocolError::FrameTooBig);
        }
        if message.is_larger_than(limits.message) {
            return Err(ProtocolError::MessageTooBig);
        }
        if message.fragments > limits.fragments.max(1) {
            return Err(ProtocolError::TooManyFragments);
        }
        Ok(())
    }

    fn take_control(
        &mut self,
        header: &FrameHeader,
        header_len: usize,
        rx: &mut ReceiveBuffer,
    ) -> Result<bool, ProtocolError> {
        let len = header.payload_len as usize; // at most 125
        if rx.unparsed().len() < header_len + len {
            return Ok(false);
        }
        rx.skip(header_len);
        let body = &mut rx.unparsed_mut()[..len];
        if let Some(key) = header.masking_key {
            Mask::new(key).apply(body);
        }
        match header.opcode {
            Opcode::Ping => {
                self.tally.ping();
                self.reply.pong_with(body);
            }
            Opcode::Close => {
                let code = CloseFrame::decode(body)?.map(|frame| frame.code);
                trace::close_received(self.role.name(), code);
                self.reply.end_with(Ending::Closed(code));
                self.stage = Stage::Closed;
            }
            _ => {
                self.tally.pong();
                self.reply.ponged(body);
            }
        }
        self.ready = Some(Ready::Control { opcode: header.opcode, len });
        Ok(true)
    }

    fn take_data(&mut self, by: Portion, rx: &mut ReceiveBuffer) -> Result<bool, ProtocolError> {
        let Some(message) = self.message.get_mut() else { return Ok(true) };
        let mut frame = message.frame;
        let is_whole = if message.is_compressed {
            let inflated = self.inflate(&mut frame, by, rx);
            if inflated.is_err() {
                self.check_text(rx)?; // a wrong byte before it fails first, as it does if it comes alone
            }
            inflated?
        } else {
            keep_plain(&mut frame, rx);
            frame.remaining == 0
        };
        let last = is_whole && frame.fin;
        if is_whole {
            self.stage = Stage::Header;
        } else if let Some(message) = self.message.get_mut() {
            message.frame = frame;
        }
        self.ready = match by {
            Portion::Whole if last => Some(Ready::Message { is_text: self.is_text() }),
            Portion::Whole => {
                // Within a frame nothing else can happen, so while more is to be read the check can wait until
                // all is here and one pass is enough.
                if is_whole || !rx.awaits_more() {
                    self.check_text(rx)?;
                }
                None
            }
            _ => self.piece(last, rx)?,
        };
        Ok(is_whole || self.ready.is_some())
    }

    /// Fails at the first wrong byte of a text that is not complete (section 8.1).
    fn check_text(&mut self, rx: &ReceiveBuffer) -> Result<(), ProtocolError> {
        if let Some(message) = self.message.get_mut().filter(|message| message.is_text) {
            let unchecked = &rx.kept()[message.checked..];
            let valid = utf8::valid_up_to(unchecked).map_err(|_| ProtocolError::TextNotUtf8)?;
            message.checked += valid;
        }
        Ok(())
    }

    /// What of the bytes kept can be handed over as a piece.
    pub(super) fn piece(
        &mut self,
        last: bool,
        rx: &ReceiveBuffer,
    ) -> Result<Option<Ready>, ProtocolError> {
        let kept = rx.kept();
        let mut len = kept.len();
        if let Some(message) = self.message.get_mut().filter(|message| message.is_text) {
            message.checked = 0; // what was kept is about to be lent
            len = utf8::valid_up_to(kept).map_err(|_| ProtocolError::TextNotUtf8)?;
            if last && len < kept.len() {
                return Err(ProtocolError::TextNotUtf8);
            }
        }
        Ok((len > 0 || last).then_some(Ready::Piece { len, last }))
    }
}

/// Adds what has come of a frame to the message.
fn keep_plain(frame: &mut Frame, rx: &mut ReceiveBuffer) {
    let arrived = rx.unparsed_mut();
    let len = frame.remaining.min(arrived.len() as u64) as usize;
    if let Some(mask) = &mut frame.mask {
        mask.apply(&mut arrived[..len]);
    }
    frame.remaining -= len as u64;
    rx.keep(len, usize::try_from(frame.remaining).unwrap_or(usize::MAX));
}
