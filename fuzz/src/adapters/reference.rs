//! What an adapter is to do, over the core alone: without wakers, halves or futures to be dropped,
//! and with a clock that is a number.

use std::future::pending;
use std::io::IoSlice;
use std::time::Duration;

use sotong::{
    Chunk, Incoming, Outgoing, ReceiveBuffer, Result, SendBuffer, SendError, State, Traffic,
    Transport,
};

use super::peer::{Later, Peer};
use super::talk::{Ends, Heard, Say, Talk, Way, close_frame};
use crate::common::End;
use crate::ways::join;

/// An end whose every wait is a step of its clock. What would wait for ever is pending.
pub struct Reference {
    pub peer: Peer,
    pub(super) incoming: Incoming,
    pub(super) outgoing: Outgoing,
    pub(super) rx: ReceiveBuffer,
    pub(super) tx: SendBuffer,
    pub(super) now: Duration,
    /// Whether the stream may hold something back.
    pub(super) unflushed: bool,
    /// How many bytes it does not hold back.
    taken: u64,
    /// Whether it had no room for the last write.
    waits: bool,
    /// Whether it was so busy to send that it did not look whether anything came.
    pub has_not_listened: bool,
    /// Whether something could move at the very moment of a deadline: then it depends on a poll more or
    /// less what comes first.
    pub is_tied: bool,
}

impl Reference {
    pub fn new(end: End, peer: Peer) -> Self {
        let (incoming, outgoing) = end.conn.split();
        Self {
            peer,
            incoming,
            outgoing,
            rx: end.rx,
            tx: end.tx,
            now: Duration::ZERO,
            unflushed: true,
            taken: 0,
            waits: false,
            has_not_listened: false,
            is_tied: false,
        }
    }

    /// Queues what is due and writes what there is.
    pub(super) fn write(&mut self) -> Result<(), Later> {
        self.outgoing.answer(&mut self.incoming);
        loop {
            self.outgoing.poll_transmit(&mut self.tx);
            let mut transmit = self.tx.transmit();
            if transmit.is_empty() {
                break;
            }
            self.unflushed = true;
            match self.peer.write(self.now, &transmit.slices().map(IoSlice::new)) {
                Ok(n) => transmit.consume(n),
                Err(later) => {
                    drop(transmit);
                    self.taken = self.tx.sent();
                    self.waits = true;
                    return Err(later);
                }
            }
            drop(transmit);
            if std::mem::take(&mut self.waits) {
                self.taken = self.tx.sent();
            }
        }
        if self.unflushed {
            self.peer.flush(self.now)?;
            self.unflushed = false;
        }
        self.taken = self.tx.sent();
        Ok(())
    }

    /// Writes until nothing is left.
    async fn flush(&mut self) -> Result<()> {
        self.write_until(|_| false).await
    }

    /// Writes until the queue has room. What the stream holds back is no longer in it.
    async fn make_room(&mut self) -> Result<()> {
        if !self.outgoing.is_full(&self.tx) {
            return Ok(());
        }
        self.write_until(|end| !end.outgoing.is_full(&end.tx)).await
    }

    /// Writes until this is enough, or nothing is left.
    async fn write_until(&mut self, is_enough: impl Fn(&Self) -> bool) -> Result<()> {
        while let Err(later) = self.write() {
            if self.outgoing.transport() == Transport::Close {
                return Err(SendError::Closing.into());
            }
            if is_enough(self) {
                break;
            }
            self.has_not_listened = true;
            self.wait([Some(later), None], false).await?;
        }
        Ok(())
    }

    /// Writes, behind a large message, until the queue has room for what is left. What is due meanwhile is not
    /// written, as it comes after.
    async fn write_what_has_no_room(&mut self) -> Result<()> {
        self.unflushed = true;
        let mut is_first = true;
        loop {
            let mut transmit = self.tx.transmit();
            let mut later = None;
            while later.is_none() && !transmit.is_empty() {
                match self.peer.write(self.now, &transmit.slices().map(IoSlice::new)) {
                    Ok(n) => transmit.consume(n),
                    Err(pause) => later = Some(pause),
                }
            }
            drop(transmit);
            let is_full = self.outgoing.is_full(&self.tx);
            if is_full || !is_first && (later.is_some() || self.waits) {
                self.taken = self.tx.sent();
            }
            self.waits = later.is_some();
            if !is_full {
                return Ok(());
            }
            if self.outgoing.transport() == Transport::Close {
                return Err(SendError::Closing.into());
            }
            self.has_not_listened = true;
            self.wait([later, None], false).await?;
            is_first = false;
        }
    }

    /// Waits until something can be moved or is due.
    async fn wait(&mut self, laters: [Option<Later>; 2], reads: bool) -> Result<()> {
        let queued = self.unflushed || !self.tx.is_empty();
        let received = reads.then(|| self.rx.received());
        let seen = Traffic { received, sent: self.taken, queued };
        let deadline = self.outgoing.poll_timeout(self.now, seen);
        let moves = laters.into_iter().flatten().filter_map(|Later(time)| time).min();
        self.is_tied |= moves.is_some() && moves == deadline;
        match (moves, deadline) {
            (Some(time), None) => self.now = time,
            (Some(time), Some(deadline)) if time <= deadline => self.now = time,
            (_, Some(deadline)) => {
                self.now = self.now.max(deadline);
                self.outgoing.handle_timeout(self.now, seen)?;
            }
            (None, None) => pending().await,
        }
        Ok(())
    }

    /// Looks for something to hand over.
    fn advance(&mut self, in_pieces: bool) -> Result<bool> {
        let Self { incoming, rx, .. } = self;
        Ok(if in_pieces { incoming.advance_chunk(rx) } else { incoming.advance(rx) }?)
    }

    /// Queues the reply to what is handed over. A Close leaves before.
    async fn hand_over(&mut self) {
        if self.incoming.is_closed() {
            let _unless_late = self.flush().await;
        } else {
            self.outgoing.answer(&mut self.incoming);
            self.outgoing.poll_transmit(&mut self.tx);
        }
    }

    /// Says goodbye and waits for the end of the stream. How it ended is the core's to say.
    async fn end(&mut self) -> Result<()> {
        let mut scratch = [0; 4096];
        loop {
            let written = self.write();
            if self.outgoing.transport() == Transport::Close {
                break;
            }
            let mut is_said = written.is_ok();
            match self.outgoing.transport() {
                Transport::Keep if is_said => break,
                Transport::ShutDown if is_said && !self.peer.is_shut_down => {
                    let _pauses = self.peer.shut_down(self.now);
                }
                _ => {}
            }
            is_said &= written.is_ok();
            let later = match self.peer.read(self.now, &mut scratch) {
                Ok(0) if is_said => match self.peer.shut_down(self.now) {
                    Ok(()) => break,
                    Err(later) => Some(later),
                },
                Ok(1..) => continue,
                Ok(0) => None,
                Err(later) => Some(later),
            };
            if self.wait([later, written.err()], false).await.is_err() {
                break;
            }
        }
        self.outgoing.end();
        Ok(self.incoming.handle_eof()?)
    }
}

impl Ends for Reference {
    async fn recv(&mut self, in_pieces: bool, _: bool, talk: &mut Talk) -> Result<Option<Heard>> {
        loop {
            match self.advance(in_pieces) {
                Ok(false) => {}
                Ok(true) => {
                    self.hand_over().await;
                    let Self { incoming, rx, .. } = self;
                    let chunk = match in_pieces {
                        true => incoming.next_chunk(rx),
                        false => incoming.next_event(rx).map(|event| event.map(Chunk::from)),
                    };
                    if let Ok(Some(chunk)) = chunk {
                        let event = join(&mut talk.begun, chunk).map(Heard::Event);
                        return Ok(Some(event.unwrap_or(Heard::Piece)));
                    }
                    let error = chunk.expect_err("there was something to lend");
                    let _the_same = self.end().await;
                    return Err(error.into());
                }
                Err(_) => return self.end().await.map(|()| None),
            }
            let written = self.write();
            let is_open = self.outgoing.state() == State::Open;
            if !is_open && self.outgoing.transport() != Transport::Keep {
                return self.end().await.map(|()| None);
            }
            match self.peer.read(self.now, self.rx.spare()) {
                Ok(0) => {
                    let _unless_late = self.flush().await;
                    return self.end().await.map(|()| None);
                }
                Ok(n) => self.rx.filled(n),
                Err(later) => self.wait([Some(later), written.err()], true).await?,
            }
        }
    }

    async fn say(&mut self, say: &Say) -> Result<()> {
        if let Say::Flush = say {
            return self.flush().await;
        }
        self.outgoing.poll_transmit(&mut self.tx);
        self.make_room().await?;
        let Self { outgoing, tx, .. } = self;
        let (prepared, mut copy);
        let transmit = match say {
            Say::Message { message, way: Way::SendPrepared | Way::FeedPrepared } => {
                prepared = message.prepared();
                outgoing.send_prepared(&prepared, tx)?
            }
            Say::Message { message, way: Way::InPlace } => {
                copy = message.bytes.clone();
                outgoing.send_binary_in_place(&mut copy, tx)?
            }
            Say::Message { message, .. } => outgoing.send(message.payload(), tx)?,
            Say::Fragment { message, fin } => {
                outgoing.send_fragment(message.payload(), *fin, tx)?
            }
            Say::Ping(body) => outgoing.ping(body, tx)?,
            Say::Close(close) => outgoing.close(close_frame(close), tx)?,
            Say::Flush => tx.transmit(),
        };
        let is_fed = matches!(say, Say::Message { way: Way::Feed | Way::FeedPrepared, .. });
        let is_large = transmit.len() >= outgoing.high_water();
        transmit.queue();
        match (is_fed, is_large) {
            (false, _) => self.flush().await?,
            (true, false) => {}
            (true, true) => self.write_what_has_no_room().await?,
        }
        Ok(())
    }

    fn has_closed(&self) -> bool {
        self.peer.has_close()
    }

    fn now(&self) -> Duration {
        self.now
    }
}
