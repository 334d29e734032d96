//! One long message as `AsyncWrite`.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use ::tokio::io::{AsyncRead, AsyncWrite};

use super::writer::{Access, Writer};
use super::{Sender, WebSocket};
use crate::adapter::{Fragments, Result};
use crate::deflate::Compress;
use crate::frame::Opcode;

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// Begins a text message that is written bit by bit, of any size.
    ///
    /// What is written must be UTF-8, and may be cut anywhere. See [`MessageWriter`].
    ///
    /// ```
    /// use tokio::io::AsyncWriteExt;
    ///
    /// # use sotong::{Config, Event, test_kit::{Manner, tokio_pair}};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> sotong::Result<()> {
    /// # let (mut peer, mut ws) = tokio_pair(&Config::default(), Manner::sound());
    /// let mut message = ws.text_writer();
    /// message.write_all(b"a long ").await?;
    /// message.write_all(b"story").await?;
    /// message.finish().await?;
    /// # assert_eq!(peer.recv().await?, Some(Event::Text("a long story")));
    /// # Ok(())
    /// # }
    /// ```
    pub fn text_writer(&mut self) -> MessageWriter<'_, Self> {
        MessageWriter { ws: self, fragments: Fragments::new(Opcode::Text) }
    }

    /// Begins a binary message that is written bit by bit, of any size. See [`MessageWriter`].
    ///
    /// ```
    /// use sotong::Compress;
    ///
    /// # use sotong::{Config, Event, test_kit::{Manner, tokio_pair}};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> sotong::Result<()> {
    /// # let (mut peer, mut ws) = tokio_pair(&Config::default(), Manner::sound());
    /// # let mut picture = &[7; 100][..];
    /// let mut message = ws.binary_writer().compress(Compress::No); // a picture is small already
    /// tokio::io::copy(&mut picture, &mut message).await?;
    /// message.finish().await?;
    /// # assert_eq!(peer.recv().await?, Some(Event::Binary(&[7; 100])));
    /// # Ok(())
    /// # }
    /// ```
    pub fn binary_writer(&mut self) -> MessageWriter<'_, Self> {
        MessageWriter { ws: self, fragments: Fragments::new(Opcode::Binary) }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Sender<S> {
    /// As [`WebSocket::text_writer`].
    ///
    /// For an example see [`WebSocket::text_writer`].
    pub fn text_writer(&mut self) -> MessageWriter<'_, Self> {
        MessageWriter { ws: self, fragments: Fragments::new(Opcode::Text) }
    }

    /// As [`WebSocket::binary_writer`].
    ///
    /// For an example see [`WebSocket::binary_writer`].
    pub fn binary_writer(&mut self) -> MessageWriter<'_, Self> {
        MessageWriter { ws: self, fragments: Fragments::new(Opcode::Binary) }
    }
}

/// One message, to be written bit by bit; see [`WebSocket::text_writer`].
///
/// It leaves in fragments of 64 KiB (section 5.4), and so does what is there when it is flushed.
/// Writing waits while the send queue is full. [`finish`](Self::finish), or `shutdown`, sends the
/// last fragment; a message that fits into one goes unfragmented. An end that only writes answers
/// no pings: for messages of unbounded size [split](WebSocket::split) the connection, and go on
/// receiving.
///
/// Dropped before that, it leaves the message incomplete: if nothing of it was sent it is as if it
/// had never been, and else other messages fail with
/// [`SendError::MessageUnfinished`](crate::SendError::MessageUnfinished), which leaves nothing but
/// to close the connection.
///
/// For an example see [`WebSocket::text_writer`].
///
/// # Errors
///
/// Writing fails as [`WebSocket::send_text`] does, with that error as the source; with
/// [`InvalidData`](io::ErrorKind::InvalidData) where text is not UTF-8, and then nothing of what
/// was to be written is taken; with [`BrokenPipe`](io::ErrorKind::BrokenPipe) behind the end of the
/// message.
///
/// # Cancel safety
///
/// `write` took something or nothing when its future is dropped, `flush` and `shutdown` may be
/// called again. `write_all` has taken some part.
#[derive(Debug)]
pub struct MessageWriter<'w, W> {
    ws: &'w mut W,
    fragments: Fragments,
}

impl<W> MessageWriter<'_, W> {
    /// Says whether to compress the message, where compression was agreed on. To be called before
    /// anything is written; unless it is, the first fragment decides by its size.
    ///
    /// For an example see [`WebSocket::binary_writer`].
    #[must_use]
    pub fn compress(mut self, compress: Compress) -> Self {
        self.fragments.compress(compress);
        self
    }
}

#[expect(private_bounds, reason = "the two types that may stand there are told")]
impl<W: Access> MessageWriter<'_, W> {
    /// Sends the end of the message, and waits until the stream has taken it.
    ///
    /// For an example see [`WebSocket::text_writer`].
    ///
    /// # Errors
    ///
    /// As of [`WebSocket::send_text`]; that of [`MessageWriter`] if a text ends within a character.
    ///
    /// # Cancel safety
    ///
    /// The last fragment is queued whole or not at all; call it again.
    pub async fn finish(&mut self) -> Result<()> {
        poll_fn(|cx| self.poll_finish(cx)).await
    }

    fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        if !self.fragments.is_finished() {
            self.fragments.check_end()?;
            ready!(self.poll_send(true, cx))?;
        }
        self.ws.with_writer(cx, Writer::poll_flush)
    }

    /// Sends what is there as a fragment.
    fn poll_send(&mut self, fin: bool, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let Self { ws, fragments } = self;
        let mut is_encoded = false;
        let sent = ws.with_writer(cx, |writer, cx| {
            writer.poll_encode_and_queue(
                |outgoing, tx| {
                    let transmit = fragments.encode(fin, outgoing, tx)?;
                    is_encoded = true;
                    Ok(transmit)
                },
                cx,
            )
        });
        // What could not be written is queued.
        if is_encoded {
            fragments.sent(fin);
        }
        sent
    }
}

impl<W: Access + Unpin> AsyncWrite for MessageWriter<'_, W> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.fragments.is_full() {
            ready!(this.poll_send(false, cx))?;
        }
        Poll::Ready(this.fragments.take(buf))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.fragments.is_ready() {
            ready!(this.poll_send(false, cx))?;
        }
        this.ws.with_writer(cx, Writer::poll_flush).map_err(Into::into)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_finish(cx).map_err(Into::into)
    }
}
