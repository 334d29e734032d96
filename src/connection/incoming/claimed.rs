//! Readers: a message, or all that comes, byte by byte.
//!
//! A reader takes as much of a piece as it has room for, so a piece that was found stays until its
//! last byte was taken:
//!
//! ```text
//!   advance_* ─► left ─► consume ─► left ─► consume ─► advance_* ─► ...
//! ```
//!
//! A message that is claimed is its reader's alone: whoever looks for something else skips what that
//! one has left of it.

use super::{Incoming, Portion, Ready};
use crate::buffer::ReceiveBuffer;
use crate::error::ProtocolError;
use crate::utf8;

impl Incoming {
    /// Claims the message of which [`advance_chunk`](Self::advance_chunk) has found something; whether
    /// it is text, and `None` if that is no message.
    ///
    /// # Errors
    ///
    /// It is no text although it should be.
    pub(crate) fn claim(&mut self, rx: &ReceiveBuffer) -> Result<Option<bool>, ProtocolError> {
        let (is_text, len, last) = match self.ready {
            // The only place where text is checked, if it came in one piece.
            Some(Ready::Message { is_text: true }) if utf8::whole(rx.kept()).is_err() => {
                return Err(self.fail(ProtocolError::TextNotUtf8));
            }
            Some(Ready::Message { is_text }) => (is_text, rx.kept().len(), true),
            Some(Ready::Piece { len, last }) => (self.is_text(), len, last),
            _ => return Ok(None),
        };
        if let Some(message) = self.message.get_mut() {
            message.is_claimed = true;
        }
        self.ready = Some(Ready::Claimed { len, last });
        Ok(Some(is_text))
    }

    /// Looks for more of the message that is claimed, or for a control frame within it.
    ///
    /// # Errors
    ///
    /// As of [`advance`](Self::advance).
    pub(crate) fn advance_claimed(
        &mut self,
        rx: &mut ReceiveBuffer,
    ) -> Result<bool, ProtocolError> {
        let found = self.advance_stages(Portion::Claimed, rx)?;
        if let Some(Ready::Piece { len, last }) = self.ready {
            self.ready = Some(Ready::Claimed { len, last });
        }
        Ok(found)
    }

    /// Looks for a piece of whatever binary message, or for a control frame.
    ///
    /// # Errors
    ///
    /// As of [`advance`](Self::advance); [`ProtocolError::UnexpectedText`].
    pub(crate) fn advance_bytes(&mut self, rx: &mut ReceiveBuffer) -> Result<bool, ProtocolError> {
        let found = self.advance_in_pieces(Portion::Bytes, rx)?;
        let is_text = match self.ready {
            Some(Ready::Message { is_text }) => is_text,
            Some(Ready::Piece { .. }) => self.is_text(),
            _ => false,
        };
        if is_text { Err(self.fail(ProtocolError::UnexpectedText)) } else { Ok(found) }
    }

    /// Whether what was found is of a message.
    pub(crate) fn has_data(&self) -> bool {
        !matches!(self.ready, None | Some(Ready::Control { .. }))
    }

    /// What is left of the piece that was found, and whether its message ends there.
    pub(crate) fn left<'b>(&self, rx: &'b ReceiveBuffer) -> Option<(&'b [u8], bool)> {
        match self.ready? {
            Ready::Message { .. } => Some((rx.kept(), true)),
            Ready::Piece { len, last } | Ready::Claimed { len, last } => {
                Some((&rx.kept()[..len], last))
            }
            Ready::Control { .. } => None,
        }
    }

    /// Whether nothing is left, and the message ends there.
    pub(crate) fn is_at_end(&self, rx: &ReceiveBuffer) -> bool {
        self.left(rx).is_some_and(|(left, last)| left.is_empty() && last)
    }

    /// Takes the first `n` bytes of what is left; whether the message ends there.
    ///
    /// # Panics
    ///
    /// If so much is not left.
    pub(crate) fn consume(&mut self, n: usize, rx: &mut ReceiveBuffer) -> bool {
        let Some((left, last)) = self.left(rx) else { return false };
        let len = left.len().checked_sub(n).expect("more was consumed than there was");
        if len == 0 {
            self.drop_piece(n, last, rx);
            return last;
        }
        rx.take_kept(n);
        self.ready = Some(match self.ready {
            Some(Ready::Claimed { .. }) => Ready::Claimed { len, last },
            _ => Ready::Piece { len, last },
        });
        false
    }

    /// Passes over the control frame that was found; `false` if it is something else, or a Close frame:
    /// that one stays for whoever wants to know how the connection ends.
    pub(crate) fn pass_over_control(&mut self, rx: &mut ReceiveBuffer) -> bool {
        match self.ready {
            Some(Ready::Control { len, .. }) if !self.is_closed() => {
                rx.take(len);
                self.ready = None;
                true
            }
            _ => false,
        }
    }
}
