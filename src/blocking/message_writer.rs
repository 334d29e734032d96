//! One long message as `Write`.

use std::io::{self, Write};

use super::ends::Sends;
use super::{Sender, Stream, TryClone, WebSocket};
use crate::adapter::{Fragments, Result};
use crate::deflate::Compress;
use crate::frame::Opcode;

impl<S: Stream> WebSocket<S> {
    /// Begins a text message that is written bit by bit, of any size.
    ///
    /// What is written must be UTF-8, and may be cut anywhere. See [`MessageWriter`].
    ///
    /// ```no_run
    /// # fn example(mut ws: sotong::blocking::WebSocket<std::net::TcpStream>) -> sotong::Result<()> {
    /// use std::io::Write;
    ///
    /// let mut message = ws.text_writer();
    /// for line in 0..1_000_000 {
    ///     writeln!(message, "line {line}")?;
    /// }
    /// message.finish()?;
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
    /// # use sotong::{Config, Event, test_kit::{Manner, blocking_pair}};
    /// # let (mut ws, mut peer) = blocking_pair(&Config::default(), Manner::sound());
    /// # let mut picture = &[7; 10_000][..]; // as a `File`
    ///
    /// let mut message = ws.binary_writer().compress(Compress::No); // pictures are, as a rule
    /// std::io::copy(&mut picture, &mut message)?;
    /// message.finish()?;
    /// # assert_eq!(peer.recv()?, Some(Event::Binary(&[7; 10_000])));
    /// # Ok::<(), sotong::Error>(())
    /// ```
    pub fn binary_writer(&mut self) -> MessageWriter<'_, Self> {
        MessageWriter { ws: self, fragments: Fragments::new(Opcode::Binary) }
    }
}

impl<S: TryClone> Sender<S> {
    /// As [`WebSocket::text_writer`].
    ///
    /// For an example see there.
    pub fn text_writer(&mut self) -> MessageWriter<'_, Self> {
        MessageWriter { ws: self, fragments: Fragments::new(Opcode::Text) }
    }

    /// As [`WebSocket::binary_writer`].
    ///
    /// For an example see there.
    pub fn binary_writer(&mut self) -> MessageWriter<'_, Self> {
        MessageWriter { ws: self, fragments: Fragments::new(Opcode::Binary) }
    }
}

/// One message, to be written bit by bit; see [`WebSocket::text_writer`].
///
/// It leaves in fragments of 64 KiB (section 5.4), and so does what is there when it is flushed.
/// [`finish`](Self::finish) sends the last fragment; a message that fits into one goes
/// unfragmented. An end that only writes answers no pings: for messages of unbounded size
/// [split](WebSocket::split) the connection, and go on receiving.
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
impl<W: Sends> MessageWriter<'_, W> {
    /// Sends the end of the message, and waits until the stream has taken it.
    ///
    /// For an example see [`WebSocket::text_writer`].
    ///
    /// # Errors
    ///
    /// As of [`WebSocket::send_text`]; that of [`MessageWriter`] if a text ends within a character.
    pub fn finish(&mut self) -> Result<()> {
        if !self.fragments.is_finished() {
            self.fragments.check_end()?;
            self.send(true)?;
        }
        self.ws.flush()
    }

    /// Sends what is there as a fragment.
    fn send(&mut self, fin: bool) -> Result<()> {
        let Self { ws, fragments } = self;
        let mut is_encoded = false;
        let sent = ws.send(|outgoing, tx| {
            let transmit = fragments.encode(fin, outgoing, tx)?;
            is_encoded = true;
            Ok(transmit)
        });
        // What could not be written is queued.
        if is_encoded {
            fragments.sent(fin);
        }
        sent
    }
}

impl<W: Sends> Write for MessageWriter<'_, W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if self.fragments.is_full() {
            self.send(false)?;
        }
        self.fragments.take(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.fragments.is_ready() {
            self.send(false)?;
        }
        self.ws.flush().map_err(Into::into)
    }
}
