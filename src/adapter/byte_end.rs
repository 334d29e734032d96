//! Where a stream of bytes ends (RFC 6455, section 7.4.1).

use std::format;
use std::io::{self, ErrorKind};

use crate::buffer::ReceiveBuffer;
use crate::close::CloseCode;
use crate::connection::{Event, Incoming};

/// The most bytes that one write to a stream of bytes takes: what the queue holds by default, and
/// what a peer lets a compressed message inflate to freely.
pub(crate) const MAX_WRITE: usize = 64 * 1024;

/// How the peer has closed the connection, if it did.
#[derive(Debug, Default)]
pub(crate) struct ByteEnd {
    code: Option<CloseCode>,
}

impl ByteEnd {
    /// Takes the peer's Close frame; `false` if that is not what has come.
    pub(crate) fn take_close(&mut self, incoming: &mut Incoming, rx: &mut ReceiveBuffer) -> bool {
        let Ok(Some(Event::Close(frame))) = incoming.lend(rx) else { return false };
        self.code = frame.map(|frame| frame.code);
        true
    }

    /// Whether all has come: "1000 indicates a normal closure, meaning that the purpose for which
    /// the connection was established has been fulfilled".
    pub(crate) fn check(&self) -> io::Result<()> {
        match self.code {
            None | Some(CloseCode::NORMAL) => Ok(()),
            Some(code) => {
                let what = format!("the peer closed the connection with {code}");
                Err(io::Error::new(ErrorKind::ConnectionAborted, what))
            }
        }
    }
}
