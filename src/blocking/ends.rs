//! Whole connections and halves of them: for whatever reads and writes over either.

use super::reader::{Link, Reader};
use super::split::End;
use super::writer::Writer;
use super::{Receiver, Sender, Stream, TryClone, WebSocket};
use crate::adapter::Result;
use crate::buffer::{SendBuffer, Transmit};
use crate::connection::Outgoing;
use crate::error::SendError;

/// What receives: a [`WebSocket`] or a [`Receiver`].
pub(super) trait Receives {
    type Link: Link;

    fn parts(&mut self) -> (&mut Reader, &mut Self::Link);
}

/// What sends: a [`WebSocket`] or a [`Sender`].
pub(super) trait Sends {
    /// Encodes something and writes it.
    fn send<'p>(
        &mut self,
        encode: impl for<'t> FnOnce(
            &mut Outgoing,
            &'t mut SendBuffer,
        ) -> Result<Transmit<'t, 'p>, SendError>,
    ) -> Result<()>;

    fn flush(&mut self) -> Result<()>;
}

impl<S: Stream> Receives for WebSocket<S> {
    type Link = Writer<S>;

    fn parts(&mut self) -> (&mut Reader, &mut Writer<S>) {
        (&mut self.reader, &mut self.writer)
    }
}

impl<S: TryClone> Receives for Receiver<S> {
    type Link = End<S>;

    fn parts(&mut self) -> (&mut Reader, &mut End<S>) {
        (&mut self.reader, &mut self.end)
    }
}

impl<S: Stream> Sends for WebSocket<S> {
    fn send<'p>(
        &mut self,
        encode: impl for<'t> FnOnce(
            &mut Outgoing,
            &'t mut SendBuffer,
        ) -> Result<Transmit<'t, 'p>, SendError>,
    ) -> Result<()> {
        self.writer.encode(true, encode)
    }

    fn flush(&mut self) -> Result<()> {
        self.flush()
    }
}

impl<S: TryClone> Sends for Sender<S> {
    fn send<'p>(
        &mut self,
        encode: impl for<'t> FnOnce(
            &mut Outgoing,
            &'t mut SendBuffer,
        ) -> Result<Transmit<'t, 'p>, SendError>,
    ) -> Result<()> {
        self.encode(true, encode)
    }

    fn flush(&mut self) -> Result<()> {
        self.flush()
    }
}
