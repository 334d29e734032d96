//! `Stream` and `Sink` of owned messages.
//!
//! A message taken from a stream is copied once; in exchange it can be kept, cloned and sent to
//! other tasks.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use ::tokio::io::{AsyncRead, AsyncWrite};
use futures_core::Stream;
use futures_sink::Sink;

use super::reader::{Link, Reader, WHOLE};
use super::writer::{Access, Writer};
use super::{Halves, Receiver, Sender, WebSocket};
use crate::adapter::{Error, Result};
use crate::buffer::{SendBuffer, Transmit};
use crate::close::CloseFrame;
use crate::connection::Outgoing;
use crate::error::SendError;
use crate::message::Message;

impl<S: AsyncRead + AsyncWrite + Unpin> Stream for WebSocket<S> {
    type Item = Result<Message>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Halves { reader, writer } = &mut *self.get_mut().halves;
        reader.poll_message(writer, cx)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream for Receiver<S> {
    type Item = Result<Message>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Self { reader, link } = self.get_mut();
        reader.poll_message(link, cx)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Sink<Message> for WebSocket<S> {
    type Error = Error;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.get_mut().halves.writer.poll_room(cx)
    }

    fn start_send(self: Pin<&mut Self>, message: Message) -> Result<()> {
        self.get_mut().halves.writer.queue(&message)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.get_mut().halves.writer.poll_flush(cx)
    }

    /// Sends a Close frame, and waits for the peer's and for the end of the stream; messages that
    /// are still under way are dropped.
    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let Halves { reader, writer } = &mut *self.get_mut().halves;
        writer.queue_close(None)?;
        while ready!(reader.poll_message(writer, cx)?).is_some() {}
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Sink<Message> for Sender<S> {
    type Error = Error;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.get_mut().with_writer(cx, Writer::poll_room)
    }

    fn start_send(self: Pin<&mut Self>, message: Message) -> Result<()> {
        self.get_mut().change_writer(|writer| writer.queue(&message))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.get_mut().with_writer(cx, Writer::poll_flush)
    }

    /// Sends a Close frame; the receiver waits for the peer's.
    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.get_mut().with_writer(cx, |writer, cx| {
            writer.queue_close(None)?;
            writer.poll_flush(cx)
        })
    }
}

impl Reader {
    fn poll_message<L: Link>(
        &mut self,
        link: &mut L,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Message>>> {
        // An error is the last item: a loop that passes over errors would never end otherwise.
        if self.has_told_error {
            return Poll::Ready(None);
        }
        loop {
            match ready!(self.poll_advance::<_, WHOLE>(link, cx)) {
                Ok(true) => {}
                Ok(false) => return Poll::Ready(None),
                Err(error) => {
                    self.has_told_error = true;
                    return Poll::Ready(Some(Err(error)));
                }
            }
            if let Ok(Some(event)) = self.incoming.next_event(self.rx.get()) {
                return Poll::Ready(Some(Ok(event.into())));
            }
            // Text that was found wrong when it was lent: the next turn ends the connection and
            // tells why.
        }
    }
}

impl<W: AsyncWrite + Unpin> Writer<W> {
    fn queue(&mut self, message: &Message) -> Result<()> {
        let Self { outgoing, tx, .. } = self;
        encode(message, outgoing, tx.get())?.queue();
        Ok(())
    }

    /// Queues a Close frame, unless one was sent or the connection is over.
    pub(super) fn queue_close(&mut self, frame: Option<CloseFrame<'_>>) -> Result<()> {
        let Self { outgoing, tx, .. } = self;
        match outgoing.close(frame, tx.get()).map(Transmit::queue) {
            Ok(()) | Err(SendError::Closing) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

fn encode<'t, 'm>(
    message: &'m Message,
    outgoing: &mut Outgoing,
    tx: &'t mut SendBuffer,
) -> Result<Transmit<'t, 'm>, SendError> {
    match message {
        Message::Text(text) => outgoing.send(&**text, tx),
        Message::Binary(bytes) => outgoing.send(&**bytes, tx),
        Message::Ping(payload) => outgoing.ping(payload, tx),
        Message::Pong(payload) => outgoing.pong(payload, tx),
        Message::Close(frame) => {
            let frame = frame.as_ref().map(|(code, reason)| CloseFrame { code: *code, reason });
            outgoing.close(frame, tx)
        }
    }
}
