//! A connection as a stream of bytes: for tunnels, VNC, SSH.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use ::tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite, ReadBuf};

use super::ends::Receives;
use super::message_reader::poll_read_buffered;
use super::reader::BYTES;
use super::split::Waiting;
use super::writer::{Access, Writer};
use super::{Receiver, Sender, WebSocket};
use crate::adapter::{ByteEnd, MAX_WRITE};
use crate::close::CloseCode;
use crate::connection::Outgoing;

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// The connection as a stream of bytes.
    ///
    /// For an example see [`ByteStream`].
    pub fn into_byte_stream(self) -> ByteStream<Self> {
        ByteStream::new(self)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Receiver<S> {
    /// As [`WebSocket::into_byte_stream`], to read from.
    ///
    /// ```
    /// use sotong::tokio::WebSocket;
    /// use tokio::io::{AsyncWriteExt, copy};
    /// use tokio::net::TcpStream;
    ///
    /// async fn tunnel(ws: WebSocket<TcpStream>, mut tcp: TcpStream) -> std::io::Result<()> {
    ///     let (receiver, sender) = ws.split();
    ///     let mut from_peer = receiver.into_byte_stream();
    ///     let mut to_peer = sender.into_byte_stream();
    ///     let (mut from_tcp, mut to_tcp) = tcp.split();
    ///     let there = async {
    ///         copy(&mut from_tcp, &mut to_peer).await?;
    ///         to_peer.shutdown().await
    ///     };
    ///     let back = async {
    ///         copy(&mut from_peer, &mut to_tcp).await?;
    ///         to_tcp.shutdown().await
    ///     };
    ///     tokio::try_join!(there, back)?;
    ///     Ok(())
    /// }
    /// ```
    pub fn into_byte_stream(self) -> ByteStream<Self> {
        ByteStream::new(self)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Sender<S> {
    /// As [`WebSocket::into_byte_stream`], to write to.
    ///
    /// For an example see [`Receiver::into_byte_stream`].
    pub fn into_byte_stream(self) -> ByteStream<Self> {
        ByteStream::new(self)
    }
}

/// A connection, or a half of one, as a plain stream of bytes, which travel in binary messages.
///
/// * Each write is one message, of at most 64 KiB, on its way at once. It waits while the send
///   queue is full. An end that only writes answers no pings: read as well.
/// * Where messages end means nothing to a reader. They may have any length: no more of them is
///   held than one buffer, whatever [`Limits`](crate::Limits) say. Only `inflation` holds. Nothing
///   is read from the stream below before what has come was taken.
/// * `shutdown` sends a Close frame with code 1000. WebSocket has no half-open state: the peer
///   answers with its own as soon as it has read so far, and from then on its writes fail with
///   [`BrokenPipe`](io::ErrorKind::BrokenPipe). What it has sent until then can still be read here.
/// * The end comes when the peer has closed the connection with code 1000, or without any. Read up
///   to it, also after a `shutdown`, for the connection to be closed as it should be.
///
/// Two tasks can have the two directions: of `tokio::io::split`, or, without a lock around reading, of
/// [`WebSocket::split`].
///
/// ```
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
///
/// # use sotong::{Config, test_kit::{Manner, tokio_pair}};
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> sotong::Result<()> {
/// # let (client, server) = tokio_pair(&Config::default(), Manner::sound());
/// let (mut a, mut b) = (client.into_byte_stream(), server.into_byte_stream());
/// a.write_all(b"SSH-2.0-").await?;
/// a.write_all(b"example\r\n").await?;
/// a.shutdown().await?;
/// let mut greeting = String::new();
/// # let reading = async {
/// b.read_to_string(&mut greeting).await?;
/// # drop(b); Ok::<_, sotong::Error>(()) };
/// # let mut rest = [0];
/// # let (read, end) = tokio::join!(reading, a.read(&mut rest));
/// # read?; assert_eq!(end?, 0);
/// assert_eq!(greeting, "SSH-2.0-example\r\n");
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// Reading fails as [`WebSocket::recv`] does, with that error as the source: with
/// [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) if the stream below ends without a Close frame;
/// with [`InvalidData`](io::ErrorKind::InvalidData) for
/// [text](crate::ProtocolError::UnexpectedText), which fails the connection with 1003; with
/// [`ConnectionAborted`](io::ErrorKind::ConnectionAborted) if the peer's Close frame has any code
/// but 1000, which says that something went wrong. Writing fails as [`WebSocket::send_binary`]
/// does.
///
/// # Cancel safety
///
/// `read` and `fill_buf` lose nothing when their futures are dropped, `write` took something or
/// nothing, `flush` and `shutdown` may be called again.
#[derive(Debug)]
pub struct ByteStream<W> {
    ws: W,
    end: ByteEnd,
    /// Two tasks may have a part of it each, and the one that reads writes replies.
    waiting: Arc<Waiting>,
}

impl<W> ByteStream<W> {
    fn new(ws: W) -> Self {
        Self { ws, end: ByteEnd::default(), waiting: Arc::default() }
    }

    /// The connection, or the half, that this was made of. What is left of a message of which a
    /// part was read comes as that message.
    ///
    /// ```
    /// use sotong::{Event, State};
    /// use tokio::io::AsyncReadExt;
    ///
    /// # use sotong::{Config, test_kit::{Manner, tokio_pair}};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> sotong::Result<()> {
    /// # let (mut peer, ws) = tokio_pair(&Config::default(), Manner::sound());
    /// peer.send_binary(b"helo, and the rest").await?;
    /// let mut bytes = ws.into_byte_stream();
    /// let mut greeting = [0; 4];
    /// bytes.read_exact(&mut greeting).await?;
    /// assert_eq!(bytes.inner().state(), State::Open);
    /// let mut ws = bytes.into_inner();
    /// assert_eq!(ws.recv().await?, Some(Event::Binary(b", and the rest")));
    /// # Ok(())
    /// # }
    /// ```
    pub fn into_inner(self) -> W {
        self.ws
    }

    /// The connection, or the half, that this was made of.
    ///
    /// For an example see [`into_inner`](Self::into_inner).
    pub fn inner(&self) -> &W {
        &self.ws
    }
}

impl<W: Receives> AsyncBufRead for ByteStream<W> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let Self { ws, end, waiting } = self.get_mut();
        let both = waiting.both(&waiting.receiver, cx);
        let cx = &mut Context::from_waker(&both);
        let (reader, link) = ws.parts();
        loop {
            if !ready!(reader.poll_data::<_, BYTES>(link, cx))? {
                if end.take_close(&mut reader.incoming, reader.rx.get()) {
                    continue;
                }
                return Poll::Ready(end.check().map(|()| &[][..]));
            }
            let left = reader.incoming.left(reader.rx.get());
            if left.is_some_and(|(left, _)| !left.is_empty()) {
                break;
            }
            reader.incoming.consume(0, reader.rx.get()); // an empty message
        }
        Poll::Ready(Ok(reader.left()))
    }

    fn consume(self: Pin<&mut Self>, amount: usize) {
        let (reader, _) = self.get_mut().ws.parts();
        if amount > 0 {
            reader.incoming.consume(amount, reader.rx.get());
        }
    }
}

impl<W: Receives> AsyncRead for ByteStream<W> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        poll_read_buffered(self, cx, buf)
    }
}

impl<W: Access + Unpin> AsyncWrite for ByteStream<W> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let part = &buf[..buf.len().min(MAX_WRITE)];
        if part.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let written = with_writer(self, cx, |writer, cx| {
            writer.poll_encode_and_queue(|outgoing: &mut Outgoing, tx| outgoing.send(part, tx), cx)
        });
        written.map_ok(|()| part.len()).map_err(Into::into)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        with_writer(self, cx, Writer::poll_flush).map_err(Into::into)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        with_writer(self, cx, |writer, cx| {
            writer.queue_close(Some(CloseCode::NORMAL.into()))?;
            writer.poll_flush(cx).map_err(Into::into)
        })
    }
}

/// Lets `f` write, and wakes whoever reads as well.
fn with_writer<W: Access + Unpin, T>(
    stream: Pin<&mut ByteStream<W>>,
    cx: &mut Context<'_>,
    f: impl FnOnce(&mut Writer<W::Write>, &mut Context<'_>) -> T,
) -> T {
    let ByteStream { ws, waiting, .. } = stream.get_mut();
    let both = waiting.both(&waiting.sender, cx);
    ws.with_writer(&mut Context::from_waker(&both), f)
}
