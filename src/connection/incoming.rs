//! Frames to messages: the reading half of a connection (RFC 6455, sections 5.4 to 5.6 and 6.2).
//!
//! `advance` finds the next event and leaves its payload in the buffer; `next_event` lends it.
//! Nothing is allocated on what a header announces, and a connection that was failed or closed by
//! the peer is a stage in which all that comes is dropped.

mod inflate;
mod message;

use alloc::boxed::Box;
use alloc::sync::Arc;

use message::{Frame, Message, Slot};

use super::Role;
use super::event::{Chunk, Event};
use super::reply::{Ending, Reply};
use crate::buffer::ReceiveBuffer;
use crate::close::CloseFrame;
use crate::config::{Config, Limits};
use crate::deflate::Decompressor;
use crate::error::ProtocolError;
use crate::frame::{FirstTwo, FrameHeader, Opcode, RSV1, SingleFrame};
use crate::mask::Mask;
use crate::utf8;

/// The reading half of a connection, for one thread; see
/// [`Connection::split`](crate::Connection::split).
///
/// Its methods are those of [`Connection`](crate::Connection) that read. What they make due is
/// handed over with [`Outgoing::answer`](crate::Outgoing::answer) as long as
/// [`has_reply`](Self::has_reply).
#[derive(Debug)]
pub struct Incoming {
    role: Role,
    config: Arc<Config>,
    /// There if compression was agreed on.
    decompressor: Option<Box<Decompressor>>,
    stage: Stage,
    message: Slot,
    ready: Option<Ready>,
    reply: Reply,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    /// The next bytes are a header.
    Header,
    /// The next bytes are payload of a data frame.
    Payload,
    /// Close came: "any data received after it is ignored" (section 1.4).
    Closed,
    /// The connection has failed; no more of it is processed (section 7.1.7).
    Failed(ProtocolError),
}

/// What may be lent now.
#[derive(Clone, Copy, Debug)]
enum Ready {
    /// The message, as it is kept.
    Message { is_text: bool },
    /// This much of what is kept, and whether the message ends there.
    Piece { len: usize, last: bool },
    /// The first bytes not parsed yet.
    Control { opcode: Opcode, len: usize },
}

/// In which portions messages are handed over.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Portion {
    Whole,
    Pieces,
}

impl Incoming {
    pub(crate) fn new(role: Role, config: Arc<Config>, decompressor: Option<Decompressor>) -> Self {
        Self {
            role,
            config,
            decompressor: decompressor.map(Box::new),
            stage: Stage::Header,
            message: Slot::default(),
            ready: None,
            reply: Reply::default(),
        }
    }

    /// As [`Connection::advance`](crate::Connection::advance).
    ///
    /// # Errors
    ///
    /// The peer broke a rule; the same error comes again at every call.
    #[inline(always)]
    pub fn advance(&mut self, rx: &mut ReceiveBuffer) -> Result<bool, ProtocolError> {
        match self.ready {
            None => {}
            // What is kept of a message read in pieces so far becomes a part of the rest.
            Some(Ready::Piece { last: false, .. }) => self.ready = None,
            Some(Ready::Piece { last: true, .. }) => {
                self.ready = Some(Ready::Message { is_text: self.is_text() });
            }
            Some(Ready::Message { .. } | Ready::Control { .. }) => return Ok(true),
        }
        self.advance_by(Portion::Whole, rx)
    }

    /// As [`Connection::advance_chunk`](crate::Connection::advance_chunk).
    ///
    /// # Errors
    ///
    /// As of [`advance`](Self::advance).
    pub fn advance_chunk(&mut self, rx: &mut ReceiveBuffer) -> Result<bool, ProtocolError> {
        // What was gathered for a whole message so far is a piece of it.
        let is_open =
            matches!(self.stage, Stage::Header | Stage::Payload) && !self.message.is_empty();
        if is_open && self.ready.is_none() && !rx.kept().is_empty() {
            self.ready = self.piece(false, rx).map_err(|error| self.fail(error))?;
        }
        self.advance_by(Portion::Pieces, rx)
    }

    /// As [`Connection::next_event`](crate::Connection::next_event).
    ///
    /// # Errors
    ///
    /// As of [`advance`](Self::advance).
    #[inline(always)]
    pub fn next_event<'b>(
        &mut self,
        rx: &'b mut ReceiveBuffer,
    ) -> Result<Option<Event<'b>>, ProtocolError> {
        self.advance(rx)?;
        self.lend(rx)
    }

    /// Lends what [`advance`](Self::advance) has found.
    #[inline(always)]
    pub(crate) fn lend<'b>(
        &mut self,
        rx: &'b mut ReceiveBuffer,
    ) -> Result<Option<Event<'b>>, ProtocolError> {
        Ok(Some(match self.ready.take() {
            None => return Ok(None),
            Some(Ready::Control { opcode, len }) => {
                let body = rx.take(len);
                control_event(opcode, rx.lend(body))?
            }
            Some(Ready::Piece { .. }) => return Ok(None), // of which `advance` leaves none
            Some(Ready::Message { is_text }) => {
                self.message.clear();
                let payload = rx.take_kept(rx.kept().len());
                let payload = rx.lend(payload);
                if !is_text {
                    return Ok(Some(Event::Binary(payload)));
                }
                // The only place where text is checked, if it came in one piece.
                match utf8::whole(payload) {
                    Ok(text) => Event::Text(text),
                    Err(utf8::Invalid) => return Err(self.fail(ProtocolError::TextNotUtf8)),
                }
            }
        }))
    }

    /// As [`Connection::next_chunk`](crate::Connection::next_chunk).
    ///
    /// # Errors
    ///
    /// As of [`advance`](Self::advance).
    pub fn next_chunk<'b>(
        &mut self,
        rx: &'b mut ReceiveBuffer,
    ) -> Result<Option<Chunk<'b>>, ProtocolError> {
        self.advance_chunk(rx)?;
        let (is_text, len, last) = match self.ready.take() {
            None => return Ok(None),
            Some(Ready::Control { opcode, len }) => {
                let body = rx.take(len);
                return Ok(Some(control_event(opcode, rx.lend(body))?.into()));
            }
            Some(Ready::Message { is_text }) => (is_text, rx.kept().len(), true),
            Some(Ready::Piece { len, last }) => (self.is_text(), len, last),
        };
        if last {
            self.message.clear();
        }
        let piece = rx.take_kept(len);
        let piece = rx.lend(piece);
        if !is_text {
            return Ok(Some(Chunk::Binary { piece, last }));
        }
        match utf8::whole(piece) {
            Ok(piece) => Ok(Some(Chunk::Text { piece, last })),
            Err(utf8::Invalid) => Err(self.fail(ProtocolError::TextNotUtf8)),
        }
    }

    /// As [`Connection::handle_eof`](crate::Connection::handle_eof); tell
    /// [`Outgoing::end`](crate::Outgoing::end) too.
    ///
    /// # Errors
    ///
    /// [`ProtocolError::UnexpectedEof`] without a Close frame of the peer; the error with which the
    /// connection has failed before.
    pub fn handle_eof(&mut self) -> Result<(), ProtocolError> {
        match self.stage {
            Stage::Closed => Ok(()),
            Stage::Failed(error) => Err(error),
            Stage::Header | Stage::Payload => Err(self.fail(ProtocolError::UnexpectedEof)),
        }
    }

    /// Gives memory back that is not needed until more comes.
    pub fn release(&mut self) {
        self.message.release();
        self.reply.release();
    }

    /// Whether the peer's Close frame has come; nothing comes after it.
    pub fn is_closed(&self) -> bool {
        matches!(self.stage, Stage::Closed)
    }

    /// Whether a pong or a Close is due because of what came.
    #[inline]
    pub fn has_reply(&self) -> bool {
        self.reply.is_due()
    }

    /// What is due.
    pub(super) fn reply_mut(&mut self) -> &mut Reply {
        &mut self.reply
    }

    #[inline(always)]
    fn advance_by(&mut self, by: Portion, rx: &mut ReceiveBuffer) -> Result<bool, ProtocolError> {
        Ok(self.take_single(rx) || self.advance_stages(by, rx)?)
    }

    /// Not inlined: it needs far more stack than the short way.
    #[inline(never)]
    fn advance_stages(
        &mut self,
        by: Portion,
        rx: &mut ReceiveBuffer,
    ) -> Result<bool, ProtocolError> {
        while self.ready.is_none() {
            let went_on = match self.stage {
                Stage::Header => self.take_header(rx),
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

    /// Takes a message that is here in one short frame, to which nothing is left to do but to unmask
    /// it: nearly all are. Anything else, and anything wrong, is left to the stages.
    #[inline(always)]
    fn take_single(&mut self, rx: &mut ReceiveBuffer) -> bool {
        let is_between_messages =
            matches!(self.stage, Stage::Header) && self.message.is_empty() && self.ready.is_none();
        if !is_between_messages {
            return false;
        }
        let Some(single) = SingleFrame::decode(rx.unparsed()) else { return false };
        let SingleFrame { is_text, masking_key, header_len, payload_len } = single;
        let Limits { message, frame, .. } = self.config.limits;
        let is_masked_as_due = masking_key.is_some() == (self.role == Role::Server);
        if !is_masked_as_due || payload_len as u64 > message.min(frame) {
            return false;
        }
        rx.skip(header_len);
        if let Some(key) = masking_key {
            Mask::new(key).apply(&mut rx.unparsed_mut()[..payload_len]);
        }
        rx.keep(payload_len, 0);
        self.ready = Some(Ready::Message { is_text });
        true
    }

    /// Takes a control frame, or the header of a data frame.
    fn take_header(&mut self, rx: &mut ReceiveBuffer) -> Result<bool, ProtocolError> {
        let check = |start: &FirstTwo| self.check_first_two(start);
        let Some((header, len)) = FrameHeader::decode_where(rx.unparsed(), check)? else {
            return Ok(false);
        };
        if header.opcode.is_control() {
            return self.take_control(&header, len, rx);
        }
        self.open_or_continue(&header)?;
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
    fn open_or_continue(&mut self, header: &FrameHeader) -> Result<(), ProtocolError> {
        let limits = &self.config.limits;
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
        // What cannot be compressed becomes a little larger by it, zlib's own bound is an eighth; and
        // each fragment may end with an empty block.
        let with_slack = |limit: u64, frames: u32| match message.is_compressed {
            true => limit.saturating_add(limit / 8).saturating_add(64 * u64::from(frames)),
            false => limit,
        };
        if header.payload_len > with_slack(limits.frame, 1) {
            return Err(ProtocolError::FrameTooBig);
        }
        if message.announced > with_slack(limits.message, message.fragments) {
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
            Opcode::Ping => self.reply.pong_with(body),
            Opcode::Close => {
                let code = CloseFrame::decode(body)?.map(|frame| frame.code);
                self.reply.end_with(Ending::Closed(code));
                self.stage = Stage::Closed;
            }
            _ => {}
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
            Portion::Pieces => self.piece(last, rx)?,
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
    fn piece(&mut self, last: bool, rx: &ReceiveBuffer) -> Result<Option<Ready>, ProtocolError> {
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

    /// Whether the message under way is text.
    fn is_text(&self) -> bool {
        self.message.get().is_some_and(|message| message.is_text)
    }

    /// Fails the connection (section 7.1.7).
    fn fail(&mut self, error: ProtocolError) -> ProtocolError {
        self.stage = Stage::Failed(error);
        self.reply.end_with(Ending::Failed(error));
        error
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

fn control_event(opcode: Opcode, body: &[u8]) -> Result<Event<'_>, ProtocolError> {
    Ok(match opcode {
        Opcode::Ping => Event::Ping(body),
        Opcode::Pong => Event::Pong(body),
        _ => Event::Close(CloseFrame::decode(body)?),
    })
}
