//! One long message as `Read`.

use std::io::{self, BufRead, Read};

use super::ends::Receives;
use super::{Receiver, Stream, TryClone, WebSocket};
use crate::adapter::{Error, Result};
use crate::connection::Incoming;
use crate::error::ProtocolError;

impl<S: Stream> WebSocket<S> {
    /// The next message as a reader, from which it comes as it arrives: a message of any size
    /// passes through one buffer. `None` once the connection is closed cleanly.
    ///
    /// Control frames are passed over, pings are answered. Of a message of which pieces were received
    /// already it is the rest. [`Limits`](crate::Limits) hold, unless there is another one for
    /// messages [in pieces](crate::Limits::in_pieces).
    ///
    /// ```
    /// # use sotong::{Config, test_kit::{Manner, blocking_pair}};
    /// # let (mut peer, mut ws) = blocking_pair(&Config::default(), Manner::sound());
    /// # peer.send_text("a picture")?;
    /// # peer.send_binary(&[7; 10_000])?;
    /// # peer.send_close(None)?;
    /// # drop(peer);
    /// let mut file = Vec::new(); // or a `File`
    /// while let Some(mut upload) = ws.recv_reader()? {
    ///     if !upload.is_text() { // text is skipped
    ///         std::io::copy(&mut upload, &mut file)?;
    ///     }
    /// }
    /// # assert_eq!(file, [7; 10_000]);
    /// # Ok::<(), sotong::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As of [`recv`](Self::recv).
    pub fn recv_reader(&mut self) -> Result<Option<MessageReader<'_, Self>>> {
        next_message(self)
    }
}

impl<S: TryClone> Receiver<S> {
    /// As [`WebSocket::recv_reader`].
    ///
    /// For an example see there.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn recv_reader(&mut self) -> Result<Option<MessageReader<'_, Self>>> {
        next_message(self)
    }
}

/// One message, to be read as it arrives; see [`WebSocket::recv_reader`].
///
/// The bytes of a text message are UTF-8: they are checked before they are handed over. If the
/// reader is dropped before the end, the rest of the message is skipped by whatever receives next.
///
/// For an example see [`WebSocket::recv_reader`].
///
/// # Errors
///
/// Reading fails as [`WebSocket::recv`] does, with that error as the source; with
/// [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) where the peer closes the connection within the
/// message, and then the Close frame can be received still.
#[derive(Debug)]
pub struct MessageReader<'r, W> {
    ws: &'r mut W,
    is_text: bool,
    is_over: bool,
}

impl<W> MessageReader<'_, W> {
    /// Whether it is a text message; otherwise it is a binary one.
    ///
    /// For an example see [`WebSocket::recv_reader`].
    pub fn is_text(&self) -> bool {
        self.is_text
    }
}

impl<W: Receives> BufRead for MessageReader<'_, W> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let (reader, link) = self.ws.parts();
        if self.is_over {
            return Ok(&[]);
        }
        if !reader.wait_for_data(link, Incoming::advance_claimed)? {
            return Err(Error::Protocol(ProtocolError::UnexpectedEof).into());
        }
        if reader.incoming.is_at_end(&reader.rx) {
            self.is_over = reader.incoming.consume(0, &mut reader.rx);
            return Ok(&[]);
        }
        Ok(reader.left())
    }

    fn consume(&mut self, amount: usize) {
        let (reader, _) = self.ws.parts();
        if !self.is_over && amount > 0 {
            self.is_over = reader.incoming.consume(amount, &mut reader.rx);
        }
    }
}

impl<W: Receives> Read for MessageReader<'_, W> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        read_buffered(self, buf)
    }
}

/// Waits for a message, and claims it.
fn next_message<W: Receives>(ws: &mut W) -> Result<Option<MessageReader<'_, W>>> {
    loop {
        let (reader, link) = ws.parts();
        if !reader.wait_for_data(link, Incoming::advance_chunk)? {
            match reader.incoming.lend(&mut reader.rx) {
                Ok(Some(_close)) => continue, // there is nothing behind it but the end
                _ => return Ok(None),
            }
        }
        // What is no text has failed the connection: the next turn ends it, and tells why.
        if let Ok(Some(is_text)) = reader.incoming.claim(&reader.rx) {
            return Ok(Some(MessageReader { ws, is_text, is_over: false }));
        }
    }
}

/// Reads from what is buffered.
pub(super) fn read_buffered(from: &mut impl BufRead, buf: &mut [u8]) -> io::Result<usize> {
    if buf.is_empty() {
        return Ok(0);
    }
    let left = from.fill_buf()?;
    let n = left.len().min(buf.len());
    buf[..n].copy_from_slice(&left[..n]);
    from.consume(n);
    Ok(n)
}
