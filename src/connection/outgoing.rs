//! Messages to frames: the writing half of a connection (RFC 6455, sections 5.4 to 5.6 and 6.1).
//!
//! What every message passes through is inlined always: a [`Transmit`] that is returned through memory
//! costs three times as much as all that is done to send a short message.

mod compressed;
mod frame;
mod known;
mod time;

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::time::Duration;

use frame::Frame;

use super::event::Payload;
use super::incoming::Incoming;
use super::prepared::Prepared;
use super::reply::{Ending, Reply};
use super::statistics::{Sent, Tally};
use super::{Agreed, MaskingKeys, Role, State, Transport};
use crate::buffer::{SendBuffer, Transmit};
use crate::close::{CloseCode, CloseFrame};
use crate::config::{Config, Limits, Timeouts};
use crate::deflate::Compressor;
use crate::error::{ProtocolError, SendError};
use crate::frame::{FrameHeader, Opcode};
use crate::mask::Mask;
use crate::timing::{Timing, Token};
use crate::trace;

/// The writing half of a connection, for one thread; see
/// [`Connection::split`](crate::Connection::split).
///
/// Its methods are those of [`Connection`](crate::Connection) that write, and those that keep the
/// time.
///
/// For an example see [`Connection::split`](crate::Connection::split).
#[derive(Debug)]
pub struct Outgoing {
    /// Where a client's keys come from; a server masks nothing.
    masking_keys: Option<MaskingKeys>,
    config: Arc<Config>,
    agreed: Agreed,
    /// There if compression was agreed on.
    compressor: Option<Box<Compressor>>,
    /// The fragmented message under way.
    open: Option<Open>,
    reply: Reply,
    keepalive_due: bool,
    close_sent: bool,
    /// Whether the stream has ended, or nobody waits for it any more.
    ended: bool,
    timing: Timing,
    tally: Tally,
}

/// What the first fragment of a message decided.
#[derive(Clone, Copy, Debug)]
struct Open {
    opcode: Opcode,
    is_compressed: bool,
}

impl Outgoing {
    pub(crate) fn new(
        masking_keys: Option<MaskingKeys>,
        config: Arc<Config>,
        agreed: Agreed,
        compressor: Option<Compressor>,
    ) -> Self {
        Self {
            masking_keys,
            config,
            agreed,
            compressor: compressor.map(Box::new),
            open: None,
            reply: Reply::default(),
            keepalive_due: false,
            close_sent: false,
            ended: false,
            timing: Timing::default(),
            tally: Tally::default(),
        }
    }

    /// As [`Connection::send`](crate::Connection::send).
    ///
    /// For an example see [`Connection::send_text`](crate::Connection::send_text).
    ///
    /// # Errors
    ///
    /// As there.
    #[inline(always)]
    pub fn send<'t, 'p>(
        &mut self,
        message: impl Into<Payload<'p>>,
        tx: &'t mut SendBuffer,
    ) -> Result<Transmit<'t, 'p>, SendError> {
        self.check_open(tx)?;
        self.check_no_message()?;
        self.message(message.into(), tx)
    }

    /// As [`Connection::send_binary_in_place`](crate::Connection::send_binary_in_place); for an
    /// example see there.
    ///
    /// # Errors
    ///
    /// As there.
    #[inline(always)]
    pub fn send_binary_in_place<'t, 'p>(
        &mut self,
        bytes: &'p mut [u8],
        tx: &'t mut SendBuffer,
    ) -> Result<Transmit<'t, 'p>, SendError> {
        self.check_open(tx)?;
        self.check_no_message()?;
        let masking_key = self.masking_key()?;
        let frame = Frame { fin: true, opcode: Opcode::Binary, masking_key };
        self.tally.message(bytes.len());
        if self.compressor.is_some() && self.compressed_if_it_pays(frame, (&*bytes).into(), tx) {
            return Ok(tx.transmit());
        }
        if let Some(key) = masking_key {
            Mask::new(key).apply(bytes);
        }
        Ok(frame.encode_masked(0, bytes, tx))
    }

    /// As [`Connection::send_fragment`](crate::Connection::send_fragment).
    ///
    /// For an example see [`Connection::send_text`](crate::Connection::send_text).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn send_fragment<'t, 'p>(
        &mut self,
        payload: impl Into<Payload<'p>>,
        fin: bool,
        tx: &'t mut SendBuffer,
    ) -> Result<Transmit<'t, 'p>, SendError> {
        self.check_open(tx)?;
        let payload = payload.into();
        let (opcode, open) = match self.open {
            None => {
                let is_compressed = self.is_to_compress(payload);
                (payload.opcode(), Open { opcode: payload.opcode(), is_compressed })
            }
            Some(open) if open.opcode == payload.opcode() => (Opcode::Continuation, open),
            Some(_) => return Err(SendError::MessageUnfinished),
        };
        let frame = Frame { fin, opcode, masking_key: self.masking_key()? };
        self.open = (!fin).then_some(open);
        self.tally.part(payload.as_bytes().len(), fin);
        if open.is_compressed {
            self.compressed(frame, payload.as_bytes(), false, tx);
            return Ok(tx.transmit());
        }
        Ok(frame.encode(0, payload.as_bytes(), tx))
    }

    /// As [`Connection::send_prepared`](crate::Connection::send_prepared).
    ///
    /// For an example see [`Prepared`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn send_prepared<'t, 'p>(
        &mut self,
        message: &'p Prepared,
        tx: &'t mut SendBuffer,
    ) -> Result<Transmit<'t, 'p>, SendError> {
        self.check_open(tx)?;
        self.check_no_message()?;
        let Some(encoded) = message.encoded_for(self.compressor.as_deref()) else {
            return self.message(message.payload(), tx);
        };
        let masking_key = self.masking_key()?;
        self.tally.message(message.payload().as_bytes().len());
        match masking_key {
            None => Ok(tx.transmit_with(&encoded.frame)),
            masking_key => {
                let frame = Frame { fin: true, opcode: message.opcode(), masking_key };
                Ok(frame.encode(encoded.reserved, encoded.payload(), tx))
            }
        }
    }

    /// As [`Connection::ping`](crate::Connection::ping); for an example see there.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn ping<'t>(
        &mut self,
        payload: &[u8],
        tx: &'t mut SendBuffer,
    ) -> Result<Transmit<'t, 'static>, SendError> {
        self.check_open(tx)?;
        self.control(Opcode::Ping, payload, tx)?;
        self.tally.ping();
        self.timing.ask_untimed(Token::of(payload));
        Ok(tx.transmit())
    }

    /// As [`Connection::ping_at`](crate::Connection::ping_at); for an example see there.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn ping_at<'t>(
        &mut self,
        now: Duration,
        payload: &[u8],
        tx: &'t mut SendBuffer,
    ) -> Result<Transmit<'t, 'static>, SendError> {
        let transmit = self.ping(payload, tx)?;
        self.timing.ask(now, Token::of(payload));
        Ok(transmit)
    }

    /// As [`Connection::pong`](crate::Connection::pong).
    ///
    /// For an example see [`Connection::ping`](crate::Connection::ping).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn pong<'t>(
        &mut self,
        payload: &[u8],
        tx: &'t mut SendBuffer,
    ) -> Result<Transmit<'t, 'static>, SendError> {
        self.check_open(tx)?;
        self.control(Opcode::Pong, payload, tx)?;
        self.tally.pong();
        Ok(tx.transmit())
    }

    /// As [`Connection::close`](crate::Connection::close); for an example see there.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn close<'t>(
        &mut self,
        frame: Option<CloseFrame<'_>>,
        tx: &'t mut SendBuffer,
    ) -> Result<Transmit<'t, 'static>, SendError> {
        self.poll_transmit(tx);
        if self.is_closing() {
            return Err(SendError::Closing);
        }
        let mut body = [0; FrameHeader::MAX_CONTROL];
        let mut len = 0;
        if let Some(frame) = frame {
            len = 2 + frame.reason.len();
            body[..2].copy_from_slice(&frame.encode()?);
            body[2..len].copy_from_slice(frame.reason.as_bytes());
        }
        self.control(Opcode::Close, &body[..len], tx)?;
        self.close_sent = true;
        trace::close_sent(self.role().name(), frame.map(|frame| frame.code));
        Ok(tx.transmit())
    }

    /// Whether the queue stands at its high-water mark, so that sending would be
    /// [`SendError::QueueFull`].
    ///
    /// ```
    /// use sotong::{Agreed, Config, Connection, SendBuffer, SendError};
    ///
    /// let mut config = Config::default();
    /// config.limits.send_queue = 4096;
    /// let (_, mut outgoing) = Connection::server(&config, Agreed::default()).split();
    /// let mut tx = SendBuffer::new();
    /// while !outgoing.is_full(&tx) {
    ///     outgoing.send(&[7; 1000], &mut tx)?.queue();
    /// }
    /// assert!(tx.len() >= outgoing.high_water());
    /// assert_eq!(outgoing.send("more", &mut tx).err(), Some(SendError::QueueFull));
    /// # Ok::<(), SendError>(())
    /// ```
    pub fn is_full(&self, tx: &SendBuffer) -> bool {
        tx.len() >= self.high_water()
    }

    /// The high-water mark of the queue in bytes.
    ///
    /// For an example see [`is_full`](Self::is_full).
    pub fn high_water(&self) -> usize {
        self.config.limits.send_queue.max(1)
    }

    /// Whether a fragmented message is open.
    #[cfg(feature = "std")]
    pub(crate) fn is_within_message(&self) -> bool {
        self.open.is_some()
    }

    /// Takes over what has become due in the reading half, a pong, a Close, and what tells the
    /// round-trip time once the time is known.
    ///
    /// For an example see [`Connection::split`](crate::Connection::split).
    pub fn answer(&mut self, incoming: &mut Incoming) {
        self.reply.merge(incoming.reply_mut());
        if !self.timing.has_asked() {
            self.reply.take_ponged();
        }
    }

    /// Gives memory back that is not needed until something is due.
    ///
    /// For an example see [`Connection::release`](crate::Connection::release).
    pub fn release(&mut self) {
        self.reply.release();
    }

    /// The opening handshake was refused: there is nothing to send but the answer.
    pub(super) fn refuse(&mut self) {
        self.close_sent = true;
        self.reply.end_with(Ending::Closed(None));
    }

    /// Says that the stream has ended, or that nobody waits for it any more.
    ///
    /// For an example see [`Incoming::handle_eof`].
    pub fn end(&mut self) {
        let is_closed = self.close_sent && matches!(self.reply.ending(), Some(Ending::Closed(_)));
        if is_closed && !self.ended {
            trace::closed(self.role().name());
        }
        self.ended = true;
    }

    /// As [`Connection::poll_transmit`](crate::Connection::poll_transmit).
    ///
    /// Without randomness for a masking key what is due stays due.
    ///
    /// For an example see [`Connection::split`](crate::Connection::split).
    #[inline]
    pub fn poll_transmit(&mut self, tx: &mut SendBuffer) {
        if self.is_due() {
            self.queue_what_is_due(tx);
        }
    }

    /// Whether there may be something for [`poll_transmit`](Self::poll_transmit) to queue.
    ///
    /// For an example see [`Connection::split`](crate::Connection::split).
    #[inline]
    pub fn is_due(&self) -> bool {
        self.reply.is_due() || self.keepalive_due
    }

    fn queue_what_is_due(&mut self, tx: &mut SendBuffer) {
        // "Unless it already received a Close frame" every ping is answered (5.5.2), behind our Close too.
        if self.close_sent && self.reply.ending().is_some() {
            return;
        }
        // Behind the last pong there is only a Close, so it is queued whatever else is.
        if !self.is_full(tx) || self.reply.ending().is_some() {
            self.queue_pong_and_ping(tx);
        }
        let code = match self.reply.ending() {
            None | Some(Ending::Failed(ProtocolError::UnexpectedEof)) => return,
            Some(Ending::Closed(code)) => code,
            Some(Ending::Failed(error)) => Some(error.close_code()),
        };
        let body = code.map(|CloseCode(code)| code.to_be_bytes());
        let body = body.as_ref().map_or(&[][..], |body| &body[..]);
        self.close_sent = self.control(Opcode::Close, body, tx).is_ok();
        if self.close_sent {
            trace::close_sent(self.role().name(), code);
        }
    }

    /// As [`Connection::agreed`](crate::Connection::agreed).
    ///
    /// For an example see [`Connection::server`](crate::Connection::server).
    pub fn agreed(&self) -> Agreed {
        self.agreed
    }

    /// As [`Connection::state`](crate::Connection::state).
    ///
    /// For an example see [`State`].
    pub fn state(&self) -> State {
        match (self.close_sent, self.reply.ending()) {
            _ if self.ended => State::Closed,
            (false, None) => State::Open,
            (true, Some(_)) => State::Closed,
            _ => State::Closing,
        }
    }

    /// As [`Connection::transport`](crate::Connection::transport).
    ///
    /// For an example see [`Connection::close`](crate::Connection::close).
    pub fn transport(&self) -> Transport {
        match (self.role(), self.reply.ending()) {
            _ if self.ended => Transport::Close,
            _ if !self.close_sent => Transport::Keep,
            (_, None) => Transport::Keep,
            (Role::Client, Some(_)) => Transport::AwaitEof,
            (Role::Server, Some(_)) => Transport::ShutDown,
        }
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.config.limits
    }

    pub(super) fn timeouts(&self) -> &Timeouts {
        &self.config.timeouts
    }

    pub(super) fn role(&self) -> Role {
        if self.masking_keys.is_some() { Role::Client } else { Role::Server }
    }

    /// Whether no more messages may be sent.
    fn is_closing(&self) -> bool {
        self.close_sent || self.reply.ending().is_some() || self.ended
    }

    fn queue_pong_and_ping(&mut self, tx: &mut SendBuffer) {
        if let Some(ping) = self.reply.pong()
            && self.control(Opcode::Pong, ping, tx).is_ok()
        {
            self.reply.pong_is_done();
            self.tally.pong();
        }
        if self.keepalive_due && !self.is_closing() && self.control(Opcode::Ping, &[], tx).is_ok() {
            self.keepalive_due = false;
            self.tally.ping();
            trace::keepalive(self.role().name());
        }
    }

    #[inline(always)]
    fn check_open(&mut self, tx: &mut SendBuffer) -> Result<(), SendError> {
        self.poll_transmit(tx);
        if self.is_closing() {
            return Err(SendError::Closing);
        }
        if self.is_full(tx) { Err(self.queue_is_full(tx)) } else { Ok(()) }
    }

    #[cold]
    fn queue_is_full(&self, tx: &SendBuffer) -> SendError {
        trace::queue_full(self.role().name(), tx.len());
        SendError::QueueFull
    }

    /// "The fragments of one message MUST NOT be interleaved between the fragments of another"
    /// (5.4).
    #[inline]
    fn check_no_message(&self) -> Result<(), SendError> {
        self.open.map_or(Ok(()), |_| Err(SendError::MessageUnfinished))
    }

    fn control(
        &self,
        opcode: Opcode,
        payload: &[u8],
        tx: &mut SendBuffer,
    ) -> Result<(), SendError> {
        if payload.len() > FrameHeader::MAX_CONTROL {
            return Err(SendError::ControlTooLong);
        }
        let frame = Frame { fin: true, opcode, masking_key: self.masking_key()? };
        frame.encode(0, payload, tx).queue();
        Ok(())
    }

    /// A whole message, compressed if it is to be and if that pays.
    #[inline(always)]
    fn message<'t, 'p>(
        &mut self,
        message: Payload<'p>,
        tx: &'t mut SendBuffer,
    ) -> Result<Transmit<'t, 'p>, SendError> {
        let masking_key = self.masking_key()?;
        self.tally.message(message.as_bytes().len());
        let frame = Frame { fin: true, opcode: message.opcode(), masking_key };
        if self.compressor.is_some() && self.compressed_if_it_pays(frame, message, tx) {
            return Ok(tx.transmit());
        }
        Ok(frame.encode(0, message.as_bytes(), tx))
    }

    /// A fresh key, if this end masks. To be taken before anything is done that cannot be undone.
    #[inline]
    fn masking_key(&self) -> Result<Option<[u8; 4]>, SendError> {
        let Some(next_key) = self.masking_keys else { return Ok(None) };
        next_key().map(Some).ok_or_else(no_masking_key)
    }
}

#[cold]
fn no_masking_key() -> SendError {
    trace::no_masking_key();
    SendError::NoMaskingKey
}
