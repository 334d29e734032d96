//! Whole connections and halves of them: for whatever reads and writes over either.

use std::task::Context;

use ::tokio::io::{AsyncRead, AsyncWrite, WriteHalf};

use super::reader::{Link, Reader};
use super::split::End;
use super::writer::Writer;
use super::{Halves, Receiver, Sender, WebSocket};

/// What receives: a [`WebSocket`] or a [`Receiver`].
pub(super) trait Receives: Unpin {
    type Link: Link;

    fn parts(&mut self) -> (&mut Reader, &mut Self::Link);
}

/// What sends: a [`WebSocket`] or a [`Sender`].
pub(super) trait Sends: Unpin {
    type Write: AsyncWrite + Unpin;

    /// Runs `f` with the writing half, and with a context that wakes whoever waits for it.
    fn with_writer<T>(
        &mut self,
        cx: &mut Context<'_>,
        f: impl FnOnce(&mut Writer<Self::Write>, &mut Context<'_>) -> T,
    ) -> T;
}

impl<S: AsyncRead + AsyncWrite + Unpin> Receives for WebSocket<S> {
    type Link = Writer<S>;

    fn parts(&mut self) -> (&mut Reader, &mut Writer<S>) {
        let Halves { reader, writer } = &mut *self.halves;
        (reader, writer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Receives for Receiver<S> {
    type Link = End<S>;

    fn parts(&mut self) -> (&mut Reader, &mut End<S>) {
        (&mut self.reader, &mut self.link)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Sends for WebSocket<S> {
    type Write = S;

    fn with_writer<T>(
        &mut self,
        cx: &mut Context<'_>,
        f: impl FnOnce(&mut Writer<S>, &mut Context<'_>) -> T,
    ) -> T {
        f(&mut self.halves.writer, cx)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Sends for Sender<S> {
    type Write = WriteHalf<S>;

    fn with_writer<T>(
        &mut self,
        cx: &mut Context<'_>,
        f: impl FnOnce(&mut Writer<WriteHalf<S>>, &mut Context<'_>) -> T,
    ) -> T {
        Sender::with_writer(self, cx, f)
    }
}
