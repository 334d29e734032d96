//! Whole connections and halves of them, for whatever reads and writes over either.
//!
//! What sends has [`Access`]: a [`WebSocket`] or a [`Sender`](super::Sender).

use std::task::Context;

use ::tokio::io::{AsyncRead, AsyncWrite};

use super::reader::{Link, Reader};
use super::split::End;
use super::writer::{Access, Writer};
use super::{Halves, Receiver, WebSocket};

/// What receives: a [`WebSocket`] or a [`Receiver`].
pub(super) trait Receives: Unpin {
    type Link: Link;

    fn parts(&mut self) -> (&mut Reader, &mut Self::Link);
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

impl<S: AsyncRead + AsyncWrite + Unpin> Access for WebSocket<S> {
    type Write = S;

    fn with_writer<T>(
        &mut self,
        cx: &mut Context<'_>,
        f: impl FnOnce(&mut Writer<S>, &mut Context<'_>) -> T,
    ) -> T {
        f(&mut self.halves.writer, cx)
    }

    fn change_writer<T>(&mut self, f: impl FnOnce(&mut Writer<S>) -> T) -> T {
        f(&mut self.halves.writer)
    }
}
