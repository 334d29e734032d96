//! One long message on its way out, gathered into fragments worth a frame (RFC 6455, section 5.4).

use std::fmt;
use std::io::{self, ErrorKind};
use std::vec::Vec;

use crate::adapter::Error;
use crate::buffer::{SendBuffer, Transmit};
use crate::connection::{Outgoing, Payload};
use crate::deflate::Compress;
use crate::error::SendError;
use crate::frame::Opcode;
use crate::utf8;

/// What of a message was not sent yet.
pub(crate) struct Fragments {
    opcode: Opcode,
    compress: Compress,
    buffer: Vec<u8>,
    /// How much of the buffer may be sent: of text whole characters.
    ready: usize,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Nothing was sent.
    Fresh,
    /// The message is open.
    Begun,
    /// Its last fragment was sent.
    Finished,
}

impl Fragments {
    /// The size of a fragment in bytes: what the queue holds by default, so that memory stays as it
    /// is, and large enough that headers and system calls do not count.
    pub(crate) const SIZE: usize = 64 * 1024;

    pub(crate) fn new(opcode: Opcode) -> Self {
        let (compress, stage) = (Compress::Auto, Stage::Fresh);
        Self { opcode, compress, buffer: Vec::new(), ready: 0, stage }
    }

    pub(crate) fn compress(&mut self, compress: Compress) {
        self.compress = compress;
    }

    /// Whether the next fragment is to be sent before more is taken.
    pub(crate) fn is_full(&self) -> bool {
        self.buffer.len() >= Self::SIZE
    }

    /// Whether there is something to send.
    pub(crate) fn is_ready(&self) -> bool {
        self.ready > 0
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.stage == Stage::Finished
    }

    /// Takes as much as there is room for; how much that was.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_finished() {
            return Err(io::Error::new(ErrorKind::BrokenPipe, "the message is finished"));
        }
        let before = self.buffer.len();
        let bytes = &bytes[..bytes.len().min(Self::SIZE - before)];
        self.buffer.extend_from_slice(bytes);
        if self.opcode == Opcode::Text {
            let Ok(valid) = utf8::valid_up_to(&self.buffer[self.ready..]) else {
                self.buffer.truncate(before);
                return Err(not_text());
            };
            self.ready += valid;
        } else {
            self.ready = self.buffer.len();
        }
        Ok(bytes.len())
    }

    /// Whether the message may end here.
    pub(crate) fn check_end(&self) -> Result<(), Error> {
        if self.ready < self.buffer.len() { Err(not_text().into()) } else { Ok(()) }
    }

    /// Encodes what is there as a fragment.
    pub(crate) fn encode<'t, 'p>(
        &'p self,
        fin: bool,
        outgoing: &mut Outgoing,
        tx: &'t mut SendBuffer,
    ) -> Result<Transmit<'t, 'p>, SendError> {
        // What somebody else has left open is not for this message to continue.
        if self.stage == Stage::Fresh && outgoing.is_within_message() {
            return Err(SendError::MessageUnfinished);
        }
        let part = Payload::of(self.opcode, &self.buffer[..self.ready]).compress(self.compress);
        outgoing.send_fragment(part, fin, tx)
    }

    /// Forgets what was encoded.
    pub(crate) fn sent(&mut self, fin: bool) {
        self.buffer.drain(..self.ready);
        self.ready = 0;
        self.stage = if fin { Stage::Finished } else { Stage::Begun };
    }
}

/// Without what it carries.
impl fmt::Debug for Fragments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fragments").field("stage", &self.stage).finish_non_exhaustive()
    }
}

fn not_text() -> io::Error {
    io::Error::new(ErrorKind::InvalidData, "a text message is UTF-8 (RFC 6455, section 8.1)")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::connection::{Agreed, Connection};

    #[test]
    fn what_others_have_left_open_is_not_continued() {
        let (_, mut outgoing) = Connection::server(Config::default(), Agreed::default()).split();
        let mut tx = SendBuffer::new();
        outgoing.send_fragment("theirs", false, &mut tx).unwrap().queue();
        let mut message = Fragments::new(Opcode::Text);
        assert_eq!(message.take(b"ours").unwrap(), 4);
        let refused = message.encode(true, &mut outgoing, &mut tx);
        assert_eq!(refused.err(), Some(SendError::MessageUnfinished));

        outgoing.send_fragment("", true, &mut tx).unwrap().queue();
        message.encode(false, &mut outgoing, &mut tx).unwrap().queue();
        message.sent(false);
        assert_eq!(message.take(b"and more").unwrap(), 8);
        message.encode(true, &mut outgoing, &mut tx).unwrap().queue();
        message.sent(true);
        assert!(message.is_finished() && message.take(b"and more").is_err());
        assert!(tx.transmit().slices().concat().ends_with(b"\x01\x04ours\x80\x08and more"));
    }
}
