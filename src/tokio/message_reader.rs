//! One long message as `AsyncRead`.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use ::tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite, ReadBuf};

use super::ends::Receives;
use super::reader::{CLAIMED, PIECES};
use super::{Receiver, WebSocket};
use crate::adapter::{Error, Result};
use crate::error::ProtocolError;

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// The next message as a reader, from which it comes as it arrives: a message of any size
    /// passes through one buffer. `None` once the connection is closed cleanly.
    ///
    /// Control frames are passed over, pings are answered. Of a message of which pieces were received
    /// already it is the rest. [`Limits`](crate::Limits) hold, unless there is another one for
    /// messages [in pieces](crate::Limits::in_pieces).
    ///
    /// ```
    /// use tokio::io::AsyncReadExt;
    ///
    /// # use sotong::{Config, test_kit::{Manner, tokio_pair}};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> sotong::Result<()> {
    /// # let (mut client, mut ws) = tokio_pair(&Config::default(), Manner::sound());
    /// # client.send_text("a long story").await?;
    /// while let Some(mut message) = ws.recv_reader().await? {
    ///     assert!(message.is_text());
    ///     let mut story = String::new();
    ///     message.read_to_string(&mut story).await?;
    ///     assert_eq!(story, "a long story");
    /// #   break;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As of [`recv`](Self::recv).
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped; call it again.
    pub async fn recv_reader(&mut self) -> Result<Option<MessageReader<'_, Self>>> {
        next_message(self).await
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Receiver<S> {
    /// As [`WebSocket::recv_reader`].
    ///
    /// For an example see [`WebSocket::recv_reader`].
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Cancel safety
    ///
    /// As there.
    pub async fn recv_reader(&mut self) -> Result<Option<MessageReader<'_, Self>>> {
        next_message(self).await
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
///
/// # Cancel safety
///
/// `read` and `fill_buf` lose nothing when their futures are dropped.
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

impl<W: Receives> AsyncBufRead for MessageReader<'_, W> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let Self { ws, is_over, .. } = self.get_mut();
        let (reader, link) = ws.parts();
        if *is_over {
            return Poll::Ready(Ok(&[]));
        }
        if !ready!(reader.poll_data::<_, CLAIMED>(link, cx))? {
            return Poll::Ready(Err(Error::Protocol(ProtocolError::UnexpectedEof).into()));
        }
        if reader.incoming.is_at_end(reader.rx.get()) {
            reader.incoming.consume(0, reader.rx.get());
            *is_over = true;
            return Poll::Ready(Ok(&[]));
        }
        Poll::Ready(Ok(reader.left()))
    }

    fn consume(self: Pin<&mut Self>, amount: usize) {
        let Self { ws, is_over, .. } = self.get_mut();
        let (reader, _) = ws.parts();
        if !*is_over && amount > 0 {
            *is_over = reader.incoming.consume(amount, reader.rx.get());
        }
    }
}

impl<W: Receives> AsyncRead for MessageReader<'_, W> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        poll_read_buffered(self, cx, buf)
    }
}

/// Waits for a message, and claims it.
async fn next_message<W: Receives>(ws: &mut W) -> Result<Option<MessageReader<'_, W>>> {
    loop {
        let (reader, link) = ws.parts();
        if !poll_fn(|cx| reader.poll_data::<_, PIECES>(link, cx)).await? {
            match reader.incoming.lend(reader.rx.get()) {
                Ok(Some(_close)) => continue, // there is nothing behind it but the end
                _ => return Ok(None),
            }
        }
        // What is no text has failed the connection: the next turn ends it, and tells why.
        if let Ok(Some(is_text)) = reader.incoming.claim(reader.rx.get()) {
            return Ok(Some(MessageReader { ws, is_text, is_over: false }));
        }
    }
}

/// Reads from what is buffered.
pub(super) fn poll_read_buffered<R: AsyncBufRead>(
    mut from: Pin<&mut R>,
    cx: &mut Context<'_>,
    buf: &mut ReadBuf<'_>,
) -> Poll<io::Result<()>> {
    if buf.remaining() == 0 {
        return Poll::Ready(Ok(()));
    }
    let left = ready!(from.as_mut().poll_fill_buf(cx))?;
    let n = left.len().min(buf.remaining());
    buf.put_slice(&left[..n]);
    from.consume(n);
    Poll::Ready(Ok(()))
}
