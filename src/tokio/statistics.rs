//! What a connection has done so far, and what it takes.

use ::tokio::io::{AsyncRead, AsyncWrite};

use super::reader::Reader;
use super::split::{Receiver, Sender};
use super::writer::Writer;
use super::{Halves, WebSocket};
use crate::connection::{Incoming, Outgoing, Received, Sent, Statistics};

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// What it has done so far.
    pub fn statistics(&self) -> Statistics {
        let Halves { reader, writer } = &*self.halves;
        Statistics { received: reader.statistics(), sent: writer.statistics() }
    }

    /// The bytes of memory that it has at the moment, itself and what it holds on the heap, with its
    /// configuration if no other connection shares that. What the stream holds elsewhere is not known,
    /// what the runtime holds for it neither.
    ///
    /// Of a codec's memory the number is what it is found to take, within a tenth.
    pub fn memory_used(&self) -> usize {
        let Halves { reader, writer } = &*self.halves;
        size_of::<Self>() + size_of::<Halves<S>>() + reader.memory_behind() + writer.memory_behind()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Receiver<S> {
    /// As [`WebSocket::statistics`].
    pub fn statistics(&self) -> Statistics {
        Statistics { received: self.reader.statistics(), sent: self.link.shared.statistics() }
    }

    /// As [`WebSocket::memory_used`], for this half.
    pub fn memory_used(&self) -> usize {
        size_of::<Self>() + self.reader.memory_behind()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Sender<S> {
    /// What was sent so far; the [`Receiver`] knows what came too.
    pub fn statistics(&self) -> Sent {
        self.shared.statistics()
    }

    /// As [`WebSocket::memory_used`], for this half and what it shares with the other one.
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
