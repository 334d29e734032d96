//! Frames to messages: the reading half of a connection (RFC 6455, sections 5.4 to 5.6 and 6.2).
//!
//! `advance` finds the next event and leaves its payload in the buffer; `next_event` lends it.
//! Nothing is allocated on what a header announces, and a connection that was failed or closed by
//! the peer is a stage in which all that comes is dropped.

#[cfg(feature = "std")]
mod claimed;
mod inflate;
mod message;
mod stages;

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::ops::Range;

use message::Slot;

use super::Role;
use super::event::{Chunk, Event};
use super::reply::{Ending, Reply};
use super::statistics::{Received, Tally};
use crate::buffer::ReceiveBuffer;
use crate::close::CloseFrame;
use crate::config::{Config, Limits};
use crate::deflate::Decompressor;
use crate::error::ProtocolError;
use crate::frame::{Opcode, SingleFrame};
use crate::mask::Mask;
use crate::trace;
use crate::utf8;

/// The reading half of a connection, for one thread; see
/// [`Connection::split`](crate::Connection::split).
///
/// Its methods are those of [`Connection`](crate::Connection) that read. What they make due is
/// handed over with [`Outgoing::answer`](crate::Outgoing::answer) as long as
/// [`has_reply`](Self::has_reply).
///
/// For an example see [`Connection::split`](crate::Connection::split).
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
    tally: Tally,
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
    /// As a piece, of a message that is its reader's alone.
    #[cfg_attr(not(feature = "std"), expect(dead_code, reason = "adapters have readers"))]
    Claimed { len: usize, last: bool },
    /// The first bytes not parsed yet.
    Control { opcode: Opcode, len: usize },
}

/// A message that came in one short frame and was unmasked, and where it lies.
pub(crate) struct Single {
    is_text: bool,
    payload: Range<usize>,
}

/// In which portions messages are handed over.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Portion {
    Whole,
    Pieces,
    /// Pieces of the message that was claimed.
    Claimed,
    /// Pieces of binary messages of any length, whose ends mean nothing.
    #[cfg_attr(not(feature = "std"), expect(dead_code, reason = "adapters have readers"))]
    Bytes,
}

impl Portion {
    /// The most bytes that a message may have which is read like this, where that is not as ever: what
    /// is not held takes no memory, however long or many its frames are.
    #[inline]
    fn limit(self, limits: &Limits) -> Option<u64> {
        match self {
            Self::Whole => None,
            Self::Pieces | Self::Claimed => limits.in_pieces,
            Self::Bytes => Some(u64::MAX),
        }
    }
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
            tally: Tally::default(),
        }
    }

    /// Drops whatever comes, as after a Close.
    pub(super) fn close(&mut self) {
        self.stage = Stage::Closed;
    }

    /// As [`Connection::advance`](crate::Connection::advance); for an example see there.
    ///
    /// # Errors
    ///
    /// The peer broke a rule; the same error comes again at every call.
    #[inline(always)]
    pub fn advance(&mut self, rx: &mut ReceiveBuffer) -> Result<bool, ProtocolError> {
        Ok(self.is_ready_whole(rx) || self.advance_by(Portion::Whole, rx)?)
    }

    /// As [`Connection::advance_chunk`](crate::Connection::advance_chunk); for an example
    /// see there.
    ///
    /// # Errors
    ///
    /// As of [`advance`](Self::advance).
    pub fn advance_chunk(&mut self, rx: &mut ReceiveBuffer) -> Result<bool, ProtocolError> {
        self.advance_in_pieces(Portion::Pieces, rx)
    }

    /// As [`Connection::next_event`](crate::Connection::next_event).
    ///
    /// For an example see [`Connection::split`](crate::Connection::split).
    ///
    /// # Errors
    ///
    /// As of [`advance`](Self::advance).
    #[inline(always)]
    pub fn next_event<'b>(
        &mut self,
        rx: &'b mut ReceiveBuffer,
    ) -> Result<Option<Event<'b>>, ProtocolError> {
        if let Some(single) = self.take_single(rx) {
            return self.lend_single(single, rx).map(Some);
        }
        if !self.is_ready_whole(rx) && !self.is_at_rest(rx) {
            self.advance_stages(Portion::Whole, rx)?;
        }
        self.lend(rx)
    }

    /// Lends what [`take_single`](Self::take_single) has taken.
    #[inline(always)]
    pub(crate) fn lend_single<'b>(
        &mut self,
        single: Single,
        rx: &'b mut ReceiveBuffer,
    ) -> Result<Event<'b>, ProtocolError> {
        let payload = rx.lend(single.payload);
        let event = if single.is_text {
            // The only place where text is checked, if it came in one piece.
            match utf8::whole(payload) {
                Ok(text) => Event::Text(text),
                Err(utf8::Invalid) => return Err(self.fail(ProtocolError::TextNotUtf8)),
            }
        } else {
            Event::Binary(payload)
        };
        self.tally.message(payload.len());
        Ok(event)
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
            // Of which `advance` leaves none.
            Some(Ready::Piece { .. } | Ready::Claimed { .. }) => return Ok(None),
            Some(Ready::Message { is_text }) => {
                self.message.clear();
                let payload = rx.take_kept(rx.kept().len());
                self.lend_single(Single { is_text, payload }, rx)?
            }
        }))
    }

    /// As [`Connection::next_chunk`](crate::Connection::next_chunk).
    ///
    /// For an example see [`Chunk`].
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
            Some(Ready::Piece { len, last } | Ready::Claimed { len, last }) => {
                (self.is_text(), len, last)
            }
        };
        if last {
            self.message.clear();
        }
        let piece = rx.take_kept(len);
        let piece = rx.lend(piece);
        let chunk = if is_text {
            match utf8::whole(piece) {
                Ok(piece) => Chunk::Text { piece, last },
                Err(utf8::Invalid) => return Err(self.fail(ProtocolError::TextNotUtf8)),
            }
        } else {
            Chunk::Binary { piece, last }
        };
        self.tally.part(len, last);
        Ok(Some(chunk))
    }

    /// As [`Connection::handle_eof`](crate::Connection::handle_eof); tell
    /// [`Outgoing::end`](crate::Outgoing::end) too.
    ///
    /// ```
    /// use sotong::{Agreed, Config, Connection, Event, ReceiveBuffer, Transport};
    ///
    /// let conn = Connection::server(Config::default(), Agreed::default());
    /// let (mut incoming, mut outgoing) = conn.split();
    /// let mut rx = ReceiveBuffer::with_capacity(512);
    /// rx.extend(b"\x88\x80\0\0\0\0");
    /// assert_eq!(incoming.next_event(&mut rx)?, Some(Event::Close(None)));
    /// assert!(incoming.is_closed());
    ///
    /// outgoing.end(); // the stream has ended too
    /// assert_eq!(incoming.handle_eof(), Ok(()));
    /// assert_eq!(outgoing.transport(), Transport::Close);
    /// # Ok::<(), sotong::ProtocolError>(())
    /// ```
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
    ///
    /// For an example see [`Connection::release`](crate::Connection::release).
    pub fn release(&mut self) {
        self.message.release();
        self.reply.release();
    }

    /// Whether the peer's Close frame has come; nothing comes after it.
    ///
    /// For an example see [`handle_eof`](Self::handle_eof).
    pub fn is_closed(&self) -> bool {
        matches!(self.stage, Stage::Closed)
    }

    /// Whether a pong or a Close is due because of what came, or a pong has come.
    ///
    /// For an example see [`Connection::split`](crate::Connection::split).
    #[inline]
    pub fn has_reply(&self) -> bool {
        self.reply.is_new()
    }

    /// What came so far.
    ///
    /// ```
    /// use sotong::{Agreed, Config, Connection, Event, ReceiveBuffer, SendBuffer};
    ///
    /// let (mut incoming, mut outgoing) =
    ///     Connection::server(Config::default(), Agreed::default()).split();
    /// let (mut rx, mut tx) = (ReceiveBuffer::with_capacity(512), SendBuffer::new());
    /// rx.extend(b"\x81\x82\0\0\0\0Hi");
    /// assert_eq!(incoming.next_event(&mut rx)?, Some(Event::Text("Hi")));
    /// outgoing.send("Hello", &mut tx)?.queue();
    /// assert_eq!(incoming.statistics(&rx).payload, 2);
    /// assert_eq!(outgoing.statistics(&tx).payload, 5);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn statistics(&self, rx: &ReceiveBuffer) -> Received {
        self.received(rx.received())
    }

    /// As [`statistics`](Self::statistics), after so many bytes.
    pub(crate) fn received(&self, bytes: u64) -> Received {
        self.tally.received(bytes)
    }

    /// The bytes of memory that it has at the moment, itself and what it holds on the heap, but for a
    /// configuration, which [`Outgoing`](crate::Outgoing) counts.
    ///
    /// For an example see [`Connection::release`](crate::Connection::release).
    pub fn memory_used(&self) -> usize {
        let decompressor = self.decompressor.as_ref();
        size_of::<Self>()
            + decompressor.map_or(0, |decompressor| decompressor.memory_used())
            + self.message.memory_used()
            + self.reply.memory_used()
    }

    /// What is due.
    pub(super) fn reply_mut(&mut self) -> &mut Reply {
        &mut self.reply
    }

    /// Whether something was found already that can be lent as an event. What was found in pieces is
    /// made a part of its message, or let go of.
    #[inline(always)]
    fn is_ready_whole(&mut self, rx: &mut ReceiveBuffer) -> bool {
        match self.ready {
            None => {}
            // What is kept of a message read in pieces so far becomes a part of the rest.
            Some(Ready::Piece { last: false, .. }) => self.ready = None,
            Some(Ready::Piece { last: true, .. }) => {
                self.ready = Some(Ready::Message { is_text: self.is_text() });
            }
            Some(Ready::Claimed { len, last }) => self.drop_piece(len, last, rx),
            Some(Ready::Message { .. } | Ready::Control { .. }) => return true,
        }
        false
    }

    fn advance_in_pieces(
        &mut self,
        by: Portion,
        rx: &mut ReceiveBuffer,
    ) -> Result<bool, ProtocolError> {
        if let Some(Ready::Claimed { len, last }) = self.ready {
            self.drop_piece(len, last, rx);
        }
        // What was gathered for a whole message so far is a piece of it.
        let is_open =
            matches!(self.stage, Stage::Header | Stage::Payload) && !self.message.is_empty();
        if is_open && self.ready.is_none() && !rx.kept().is_empty() {
            self.ready = self.piece(false, rx).map_err(|error| self.fail(error))?;
        }
        self.advance_by(by, rx)
    }

    #[inline(always)]
    fn advance_by(&mut self, by: Portion, rx: &mut ReceiveBuffer) -> Result<bool, ProtocolError> {
        if self.is_at_rest(rx) {
            return Ok(false);
        }
        let Limits { message, .. } = self.config.limits;
        let has_lower_limit = by.limit(&self.config.limits).is_some_and(|limit| limit < message);
        let single = if has_lower_limit { None } else { self.take_single(rx) };
        let Some(Single { is_text, payload }) = single else {
            return self.advance_stages(by, rx);
        };
        rx.keep_message(payload);
        self.ready = Some(Ready::Message { is_text });
        Ok(true)
    }

    /// Takes a message that is here in one short frame, to which nothing is left to do but to unmask
    /// it: nearly all are. Anything else, and anything wrong, is left to the stages.
    #[inline(always)]
    pub(crate) fn take_single(&mut self, rx: &mut ReceiveBuffer) -> Option<Single> {
        if !self.is_between_messages() {
            return None;
        }
        let single = SingleFrame::decode(rx.unparsed())?;
        let SingleFrame { is_text, masking_key, header_len, payload_len } = single;
        let Limits { message, frame, .. } = self.config.limits;
        let is_masked_as_due = masking_key.is_some() == (self.role == Role::Server);
        if !is_masked_as_due || payload_len as u64 > message.min(frame) {
            return None;
        }
        rx.skip(header_len);
        if let Some(key) = masking_key {
            Mask::new(key).apply(&mut rx.unparsed_mut()[..payload_len]);
        }
        Some(Single { is_text, payload: rx.take_message(payload_len) })
    }

    /// Whether nothing was found and the next byte is the first of a message or a control frame.
    #[inline(always)]
    fn is_between_messages(&self) -> bool {
        matches!(self.stage, Stage::Header) && self.message.is_empty() && self.ready.is_none()
    }

    /// Whether there is nothing to look at until more comes: asked before and after nearly every read.
    #[inline(always)]
    fn is_at_rest(&self, rx: &ReceiveBuffer) -> bool {
        self.is_between_messages() && rx.unparsed().is_empty()
    }

    /// Lets go of a piece that nobody takes any more.
    fn drop_piece(&mut self, len: usize, last: bool, rx: &mut ReceiveBuffer) {
        rx.take_kept(len);
        self.ready = None;
        if last {
            self.message.clear();
        }
    }

    /// Whether the message under way is text.
    fn is_text(&self) -> bool {
        self.message.get().is_some_and(|message| message.is_text)
    }

    /// Fails the connection (section 7.1.7).
    fn fail(&mut self, error: ProtocolError) -> ProtocolError {
        trace::failed(self.role.name(), error);
        (self.stage, self.ready) = (Stage::Failed(error), None);
        self.reply.end_with(Ending::Failed(error));
        error
    }
}

fn control_event(opcode: Opcode, body: &[u8]) -> Result<Event<'_>, ProtocolError> {
    Ok(match opcode {
        Opcode::Ping => Event::Ping(body),
        Opcode::Pong => Event::Pong(body),
        _ => Event::Close(CloseFrame::decode(body)?),
    })
}
