//! What a connection has done so far, and what it takes.

use ::tokio::io::{AsyncRead, AsyncWrite};

use super::reader::Reader;
use super::split::{Receiver, Sender};
use super::writer::Writer;
use super::{Halves, WebSocket};
use crate::connection::{Incoming, Outgoing, Received, Sent, Statistics};

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// What it has done so far.
    ///
    /// ```
    /// # use sotong::{Config, Event, test_kit::{Manner, tokio_pair}};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> sotong::Result<()> {
    /// # let (mut peer, mut ws) = tokio_pair(&Config::default(), Manner::sound());
    /// ws.send_text("Hello").await?;
    /// assert_eq!(peer.recv().await?, Some(Event::Text("Hello")));
    /// let sent = ws.statistics().sent;
    /// assert_eq!((sent.messages, sent.payload, sent.queued), (1, 5, 0));
    /// assert_eq!(peer.statistics().received.messages, 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn statistics(&self) -> Statistics {
        let Halves { reader, writer } = &*self.halves;
        Statistics { received: reader.statistics(), sent: writer.statistics() }
    }

    /// The bytes of memory that it has at the moment, itself and what it holds on the heap, with its
    /// configuration if no other connection shares that. What the stream holds elsewhere is not known,
    /// what the runtime holds for it neither.
    ///
    /// Of a codec's memory the number is what it is found to take, within a tenth.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use sotong::{Agreed, Config, Connection};
    /// # use sotong::tokio::{Parts, WebSocket};
    /// # let (stream, _peer) = tokio::io::duplex(1024);
    /// # let config = Arc::new(Config::default());
    /// # let connection = Connection::server(Arc::clone(&config), Agreed::default());
    /// # let ws = WebSocket::from_parts(Parts::new(stream, connection, b""));
    /// assert!(ws.memory_used() < 500); // idle, and its configuration is of many connections
    /// ```
    pub fn memory_used(&self) -> usize {
        let Halves { reader, writer } = &*self.halves;
        size_of::<Self>() + size_of::<Halves<S>>() + reader.memory_behind() + writer.memory_behind()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Receiver<S> {
    /// As [`WebSocket::statistics`].
    ///
    /// For an example see [`WebSocket::statistics`].
    pub fn statistics(&self) -> Statistics {
        Statistics { received: self.reader.statistics(), sent: self.link.shared.statistics() }
    }

    /// As [`WebSocket::memory_used`], for this half.
    ///
    /// For an example see [`WebSocket::memory_used`].
    pub fn memory_used(&self) -> usize {
        size_of::<Self>() + self.reader.memory_behind()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Sender<S> {
    /// What was sent so far; the [`Receiver`] knows what came too.
    ///
    /// For an example see [`WebSocket::statistics`].
    pub fn statistics(&self) -> Sent {
        self.shared.statistics()
    }

    /// As [`WebSocket::memory_used`], for this half and what it shares with the other one.
    ///
    /// For an example see [`WebSocket::memory_used`].
    pub fn memory_used(&self) -> usize {
        size_of::<Self>() + self.shared.memory_used()
    }
}

impl Reader {
    fn statistics(&self) -> Received {
        self.incoming.received(self.rx.moved())
    }

    /// The bytes that it holds on the heap.
    fn memory_behind(&self) -> usize {
        let incoming = self.incoming.memory_used() - size_of::<Incoming>();
        incoming + self.rx.memory_behind() + self.timer.memory_behind()
    }
}

impl<W> Writer<W> {
    pub(super) fn statistics(&self) -> Sent {
        self.outgoing.sent(self.tx.moved(), self.tx.len())
    }

    /// The bytes that it holds on the heap.
    pub(super) fn memory_behind(&self) -> usize {
        let outgoing = self.outgoing.memory_used() - size_of::<Outgoing>();
        outgoing + self.tx.memory_behind() + self.timer.memory_behind()
    }
}
