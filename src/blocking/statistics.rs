//! What a connection has done so far, and what it takes.

use super::split::{Receiver, Sender};
use super::{Stream, TryClone, WebSocket};
use crate::connection::{Incoming, Outgoing, Sent, Statistics};

impl<S: Stream> WebSocket<S> {
    /// What it has done so far.
    ///
    /// ```
    /// # use sotong::{Config, test_kit::{Manner, blocking_pair}};
    /// # let (mut ws, peer) = blocking_pair(&Config::default(), Manner::sound());
    /// ws.send_text("Hello")?;
    /// let sent = ws.statistics().sent;
    /// assert_eq!((sent.messages, sent.payload), (1, 5));
    ///
    /// # let connections = [ws, peer];
    /// // What all connections take together:
    /// let memory: usize = connections.iter().map(|ws| ws.memory_used()).sum();
    /// # assert!(memory > 0);
    /// # Ok::<(), sotong::Error>(())
    /// ```
    pub fn statistics(&self) -> Statistics {
        let received = self.reader.incoming.statistics(&self.reader.rx);
        Statistics { received, sent: self.writer.outgoing.statistics(&self.writer.tx) }
    }

    /// The bytes of memory that it has at the moment, itself and what it holds on the heap, with its
    /// configuration if no other connection shares that. What the stream holds elsewhere is not known.
    ///
    /// Of a codec's memory the number is what it is found to take, within a tenth.
    ///
    /// For an example see [`statistics`](Self::statistics).
    pub fn memory_used(&self) -> usize {
        let incoming = self.reader.incoming.memory_used() - size_of::<Incoming>();
        let outgoing = self.writer.outgoing.memory_used() - size_of::<Outgoing>();
        size_of::<Self>() + incoming + self.reader.rx.held() + outgoing + self.writer.tx.held()
    }
}

impl<S: TryClone> Receiver<S> {
    /// As [`WebSocket::statistics`].
    ///
    /// For an example see [`WebSocket::statistics`].
    pub fn statistics(&self) -> Statistics {
        let received = self.reader.incoming.statistics(&self.reader.rx);
        Statistics { received, sent: self.end.shared.statistics() }
    }

    /// As [`WebSocket::memory_used`], for this half.
    ///
    /// For an example see [`WebSocket::statistics`].
    pub fn memory_used(&self) -> usize {
        let incoming = self.reader.incoming.memory_used() - size_of::<Incoming>();
        size_of::<Self>() + incoming + self.reader.rx.held()
    }
}

impl<S: TryClone> Sender<S> {
    /// What was sent so far; the [`Receiver`] knows what came too.
    ///
    /// For an example see [`WebSocket::statistics`].
    pub fn statistics(&self) -> Sent {
        self.shared.statistics()
    }

    /// As [`WebSocket::memory_used`], for this half and what it shares with the other one.
    ///
    /// For an example see [`WebSocket::statistics`].
    pub fn memory_used(&self) -> usize {
        size_of::<Self>() + self.shared.memory_used()
    }
}
