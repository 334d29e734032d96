//! What a connection has done so far, and what it takes.

use super::split::{Receiver, Sender};
use super::{Stream, TryClone, WebSocket};
use crate::connection::{Incoming, Outgoing, Sent, Statistics};

impl<S: Stream> WebSocket<S> {
    /// What it has done so far.
    pub fn statistics(&self) -> Statistics {
        let received = self.reader.incoming.statistics(&self.reader.rx);
        Statistics { received, sent: self.writer.outgoing.statistics(&self.writer.tx) }
    }

    /// The bytes of memory that it has at the moment, itself and what it holds on the heap, with its
    /// configuration if no other connection shares that. What the stream holds elsewhere is not known.
    ///
    /// Of a codec's memory the number is what it is found to take, within a tenth.
    pub fn memory_used(&self) -> usize {
        let incoming = self.reader.incoming.memory_used() - size_of::<Incoming>();
        let outgoing = self.writer.outgoing.memory_used() - size_of::<Outgoing>();
        size_of::<Self>() + incoming + self.reader.rx.held() + outgoing + self.writer.tx.held()
    }
}

impl<S: TryClone> Receiver<S> {
    /// As [`WebSocket::statistics`].
    pub fn statistics(&self) -> Statistics {
        let received = self.reader.incoming.statistics(&self.reader.rx);
        Statistics { received, sent: self.end.shared.statistics() }
    }

    /// As [`WebSocket::memory_used`], for this half.
    pub fn memory_used(&self) -> usize {
        let incoming = self.reader.incoming.memory_used() - size_of::<Incoming>();
        size_of::<Self>() + incoming + self.reader.rx.held()
    }
}

impl<S: TryClone> Sender<S> {
    /// What was sent so far; the [`Receiver`] knows what came too.
    pub fn statistics(&self) -> Sent {
        self.shared.statistics()
    }

    /// As [`WebSocket::memory_used`], for this half and what it shares with the other one.
    pub fn memory_used(&self) -> usize {
        size_of::<Self>() + self.shared.memory_used()
    }
}
