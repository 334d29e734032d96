//! A connection as a stream of bytes: for tunnels, VNC, SSH.

use std::io::{self, BufRead, Read, Write};

use super::ends::{Receives, Sends};
use super::message_reader::read_buffered;
use super::{Receiver, Sender, Stream, TryClone, WebSocket};
use crate::adapter::{ByteEnd, Error, MAX_WRITE};
use crate::close::CloseCode;
use crate::connection::Incoming;
use crate::error::SendError;

impl<S: Stream> WebSocket<S> {
    /// The connection as a stream of bytes; see [`ByteStream`].
    ///
    /// ```
    /// use std::io::{Read, Write};
    /// # use sotong::{Config, test_kit::{Manner, blocking_pair}};
    /// # let (near, far) = blocking_pair(&Config::default(), Manner::sound());
    ///
    /// let (mut near, mut far) = (near.into_byte_stream(), far.into_byte_stream());
    /// near.write_all(b"SSH-")?;
    /// near.write_all(b"2.0-example\r\n")?; // another message
    /// let mut line = [0; 17];
    /// far.read_exact(&mut line)?;
    /// assert_eq!(&line, b"SSH-2.0-example\r\n");
    /// assert_eq!(near.inner().statistics().sent.messages, 2);
    /// near.into_inner().send_text("and on with messages")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn into_byte_stream(self) -> ByteStream<Self> {
        ByteStream::new(self)
    }
}

impl<S: TryClone> Receiver<S> {
    /// As [`WebSocket::into_byte_stream`], to read from.
    ///
    /// For an example see [`ByteStream`].
    pub fn into_byte_stream(self) -> ByteStream<Self> {
        ByteStream::new(self)
    }
}

impl<S: TryClone> Sender<S> {
    /// As [`WebSocket::into_byte_stream`], to write to.
    ///
    /// For an example see [`ByteStream`].
    pub fn into_byte_stream(self) -> ByteStream<Self> {
        ByteStream::new(self)
    }
}

/// A connection, or a half of one, as a plain stream of bytes, which travel in binary messages.
///
/// * Each write is one message, of at most 64 KiB, and waits until the stream below has taken it.
///   An end that only writes answers no pings: [split](WebSocket::split) the connection, and read
///   in another thread.
/// * Where messages end means nothing to a reader. They may have any length: no more of them is
///   held than one buffer, whatever [`Limits`](crate::Limits) say. Only `inflation` holds. Nothing
///   is read from the stream below before what has come was taken.
/// * [`shut_down`](Self::shut_down) sends a Close frame with code 1000. WebSocket has no half-open
///   state: the peer answers with its own as soon as it has read so far, and from then on its
///   writes fail with [`BrokenPipe`](io::ErrorKind::BrokenPipe). What it has sent until then can
///   still be read here.
/// * The end comes when the peer has closed the connection with code 1000, or without any. Read up
///   to it, also after [`shut_down`](Self::shut_down), for the connection to be closed as it should
///   be.
///
/// ```no_run
/// use std::io;
/// use std::net::TcpStream;
/// use sotong::blocking::WebSocket;
///
/// /// A tunnel: what comes from one goes to the other.
/// fn join(ws: WebSocket<TcpStream>, tcp: TcpStream) -> sotong::Result<()> {
///     let (receiver, sender) = ws.split()?;
///     let (mut from_ws, mut to_ws) = (receiver.into_byte_stream(), sender.into_byte_stream());
///     let mut from_tcp = tcp.try_clone()?;
///     let back = std::thread::spawn(move || {
///         io::copy(&mut from_tcp, &mut to_ws)?;
///         to_ws.shut_down()
///     });
///     io::copy(&mut from_ws, &mut &tcp)?;
///     tcp.shutdown(std::net::Shutdown::Both)?;
///     back.join().unwrap()?;
///     Ok(())
/// }
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
#[derive(Debug)]
pub struct ByteStream<W> {
    ws: W,
    end: ByteEnd,
}

impl<W> ByteStream<W> {
    fn new(ws: W) -> Self {
        Self { ws, end: ByteEnd::default() }
    }

    /// The connection, or the half, that this was made of. What is left of a message of which a
    /// part was read comes as that message.
    ///
    /// For an example see [`WebSocket::into_byte_stream`].
    pub fn into_inner(self) -> W {
        self.ws
    }

    /// The connection, or the half, that this was made of.
    ///
    /// For an example see [`WebSocket::into_byte_stream`].
    pub fn inner(&self) -> &W {
        &self.ws
    }
}

#[expect(private_bounds, reason = "the two types that may stand there are told")]
impl<W: Sends> ByteStream<W> {
    /// Says that nothing more is written: sends a Close frame with code 1000. Does nothing if the
    /// connection is closing already.
    ///
    /// For an example see [`ByteStream`](Self).
    ///
    /// # Errors
    ///
    /// As of [`WebSocket::send_close`].
    pub fn shut_down(&mut self) -> io::Result<()> {
        match self.ws.send(|outgoing, tx| outgoing.close(Some(CloseCode::NORMAL.into()), tx)) {
            Ok(()) | Err(Error::Send(SendError::Closing)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

impl<W: Receives> BufRead for ByteStream<W> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let Self { ws, end } = self;
        let (reader, link) = ws.parts();
        loop {
            if !reader.wait_for_data(link, Incoming::advance_bytes)? {
                if end.take_close(&mut reader.incoming, &mut reader.rx) {
                    continue;
                }
                return end.check().map(|()| &[][..]);
            }
            if !reader.left().is_empty() {
                return Ok(reader.left());
            }
            reader.incoming.consume(0, &mut reader.rx); // an empty message
        }
    }

    fn consume(&mut self, amount: usize) {
        let (reader, _) = self.ws.parts();
        if amount > 0 {
            reader.incoming.consume(amount, &mut reader.rx);
        }
    }
}

impl<W: Receives> Read for ByteStream<W> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        read_buffered(self, buf)
    }
}

impl<W: Sends> Write for ByteStream<W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let part = &buf[..buf.len().min(MAX_WRITE)];
        if !part.is_empty() {
            self.ws.send(|outgoing, tx| outgoing.send(part, tx))?;
        }
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.ws.flush().map_err(Into::into)
    }
}
