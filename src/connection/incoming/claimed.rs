//! Readers: a message, or all that comes, byte by byte.
//!
//! A reader takes as much of a piece as it has room for, so a piece that was found stays until its
//! last byte was taken:
//!
//! ```text
//!   advance_* ─► left ─► consume ─► left ─► consume ─► advance_* ─► ...
//! ```
//!
//! A message that is claimed is its reader's alone: whoever looks for something else skips what
//! that one has left of it.

use super::{Incoming, Portion, Ready};
use crate::buffer::ReceiveBuffer;
use crate::error::ProtocolError;
use crate::utf8;

impl Incoming {
    /// Claims the message of which [`advance_chunk`](Self::advance_chunk) has found something;
    /// whether it is text, and `None` if that is no message.
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

    /// Passes over the control frame that was found; `false` if it is something else, or a Close
    /// frame: that one stays for whoever wants to know how the connection ends.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::connection::incoming::{Event, Role};
    use std::vec::Vec;

    /// A client to which these bytes have come.
    fn client(bytes: &[u8]) -> (Incoming, ReceiveBuffer) {
        let mut config = Config::default();
        (config.limits.message, config.limits.frame, config.limits.fragments) = (100, 100, 10);
        let incoming = Incoming::new(Role::Client, config.into(), None);
        let mut rx = ReceiveBuffer::with_capacity(4096);
        assert_eq!(rx.extend(bytes), bytes.len());
        (incoming, rx)
    }

    #[test]
    fn a_piece_stays_until_its_last_byte_was_taken() {
        let (mut incoming, mut rx) = client(b"\x82\x03abc\x02\x02de\x80\0");
        assert!(incoming.left(&rx).is_none() && !incoming.consume(0, &mut rx));
        for (taken, left) in [(0, "abc"), (1, "bc"), (0, "bc"), (1, "c")] {
            assert_eq!(incoming.advance_bytes(&mut rx), Ok(true));
            assert!(!incoming.consume(taken, &mut rx));
            assert_eq!(incoming.left(&rx), Some((left.as_bytes(), true)));
        }
        assert!(incoming.consume(1, &mut rx), "the message ends");
        assert_eq!((incoming.left(&rx), incoming.has_data()), (None, false));
        assert_eq!(incoming.advance_bytes(&mut rx), Ok(true));
        assert_eq!(
            (incoming.left(&rx), incoming.is_at_end(&rx)),
            (Some((&b"de"[..], false)), false)
        );
        assert!(!incoming.consume(1, &mut rx) && !incoming.consume(1, &mut rx));
        assert_eq!(incoming.advance_bytes(&mut rx), Ok(true));
        assert_eq!((incoming.left(&rx), incoming.is_at_end(&rx)), (Some((&b""[..], true)), true));
        assert!(incoming.consume(0, &mut rx));
        assert_eq!(incoming.advance_bytes(&mut rx), Ok(false));
    }

    #[test]
    #[should_panic(expected = "more was consumed than there was")]
    fn more_than_is_left_is_not_there_to_be_taken() {
        let (mut incoming, mut rx) = client(b"\x82\x03abc");
        incoming.advance_bytes(&mut rx).unwrap();
        incoming.consume(4, &mut rx);
    }

    type Advance = fn(&mut Incoming, &mut ReceiveBuffer) -> Result<bool, ProtocolError>;

    #[test]
    fn a_claimed_message_is_its_readers_and_skipped_by_all_others() {
        let others: [Advance; 3] =
            [Incoming::advance, Incoming::advance_chunk, Incoming::advance_bytes];
        // A message of five bytes, in one frame and in two with a ping and half a character
        // between.
        let whole: &[&[u8]] = &[b"\x82\x05abcde"];
        let parts: &[&[u8]] = &[b"\x02\x03abc", b"\x89\0", b"\x80\x02de"];
        let text: &[&[u8]] = &[b"\x01\x04abc\xc3", b"\x89\0", b"\x80\x02\xa9e"];
        for (message, len) in [(whole, 5), (parts, 5), (text, 6)] {
            for other in others {
                for taken in 0..=len {
                    // What comes may come while it is read, or behind.
                    for there in 1..=message.len() {
                        let (mut incoming, mut rx) = client(&message[..there].concat());
                        assert_eq!(incoming.advance_chunk(&mut rx), Ok(true));
                        let is_text = incoming.claim(&rx).unwrap();
                        assert_eq!(is_text, Some(message[0][0] & 1 == 1));
                        for _ in 0..taken {
                            while incoming.advance_claimed(&mut rx).unwrap()
                                && incoming.pass_over_control(&mut rx)
                            {}
                            incoming.consume(1, &mut rx);
                        }
                        let rest = [&message[there..].concat()[..], b"\x82\x01z"].concat();
                        assert_eq!(rx.extend(&rest), rest.len());
                        while other(&mut incoming, &mut rx).unwrap()
                            && incoming.pass_over_control(&mut rx)
                        {}
                        assert_eq!(
                            incoming.left(&rx),
                            Some((&b"z"[..], true)),
                            "{message:?}, {taken}"
                        );
                        assert_eq!(incoming.next_event(&mut rx), Ok(Some(Event::Binary(b"z"))));
                    }
                }
            }
        }
    }

    #[test]
    fn a_claimed_message_comes_piece_by_piece_and_its_end_is_known() {
        let (mut incoming, mut rx) = client(b"\x01\x02ab");
        assert_eq!(incoming.advance_chunk(&mut rx), Ok(true));
        assert_eq!(incoming.claim(&rx), Ok(Some(true)));
        assert_eq!(incoming.left(&rx), Some((&b"ab"[..], false)));
        assert!(!incoming.consume(2, &mut rx));
        assert_eq!(incoming.advance_claimed(&mut rx), Ok(false), "no more is here");
        assert_eq!(rx.extend(b"\x80\x01c\x81\x02\xc3\xa9"), 7);
        assert_eq!(incoming.advance_claimed(&mut rx), Ok(true));
        assert_eq!(incoming.left(&rx), Some((&b"c"[..], true)));
        assert!(!incoming.is_at_end(&rx));
        assert!(incoming.consume(1, &mut rx));
        // The next one came in one piece.
        assert_eq!(incoming.advance_chunk(&mut rx), Ok(true));
        assert_eq!(incoming.claim(&rx), Ok(Some(true)));
        assert_eq!(incoming.left(&rx), Some(("é".as_bytes(), true)));
    }

    #[test]
    fn control_frames_are_passed_over_but_for_a_close() {
        let (mut incoming, mut rx) = client(b"\x89\x01?\x8a\0\x82\x01a\x88\x02\x03\xe8");
        assert!(!incoming.pass_over_control(&mut rx));
        for _ in 0..2 {
            assert_eq!(incoming.advance_chunk(&mut rx), Ok(true));
            assert_eq!((incoming.has_data(), incoming.claim(&rx)), (false, Ok(None)));
            assert!(incoming.pass_over_control(&mut rx));
        }
        assert_eq!(incoming.advance_chunk(&mut rx), Ok(true));
        assert!(incoming.has_data() && !incoming.pass_over_control(&mut rx));
        incoming.consume(1, &mut rx);
        assert_eq!(incoming.advance_chunk(&mut rx), Ok(true));
        assert!(!incoming.has_data() && !incoming.pass_over_control(&mut rx));
        assert!(matches!(incoming.next_event(&mut rx), Ok(Some(Event::Close(Some(_))))));
    }

    #[test]
    fn what_is_no_text_cannot_be_claimed_and_text_is_no_bytes() {
        let (mut incoming, mut rx) = client(b"\x81\x02a\xff");
        assert_eq!(incoming.advance_chunk(&mut rx), Ok(true));
        assert_eq!(incoming.claim(&rx), Err(ProtocolError::TextNotUtf8));
        assert_eq!(incoming.advance(&mut rx), Err(ProtocolError::TextNotUtf8), "and stays so");
        for text in [&b"\x81\x01a"[..], b"\x01\x01a", b"\x01\0\x80\0", b"\x81\0"] {
            let (mut incoming, mut rx) = client(text);
            for _ in 0..2 {
                assert_eq!(incoming.advance_bytes(&mut rx), Err(ProtocolError::UnexpectedText));
            }
            assert_eq!(incoming.advance(&mut rx), Err(ProtocolError::UnexpectedText));
        }
        // A text that began before there was a stream of bytes is no part of it either.
        let (mut incoming, mut rx) = client(b"\x01\x01a\x00\x01b");
        assert!(incoming.next_chunk(&mut rx).unwrap().is_some());
        assert_eq!(incoming.advance_bytes(&mut rx), Err(ProtocolError::UnexpectedText));
    }

    #[test]
    fn for_bytes_no_message_is_too_long() {
        let long = [&b"\x02\x7e\0\xc8"[..], &[7; 200]].concat();
        let many: Vec<u8> = (0..50).flat_map(|_| [0, 3, 7, 7, 7]).collect();
        let (mut incoming, mut rx) = client(&[long, many, b"\x80\0".to_vec()].concat());
        let mut len = 0;
        while incoming.advance_bytes(&mut rx).unwrap() {
            let (left, _) = incoming.left(&rx).unwrap();
            len += left.len();
            incoming.consume(left.len(), &mut rx);
        }
        assert_eq!(len, 200 + 150);
    }
}
