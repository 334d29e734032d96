//! The two halves of a connection, each for one task.
//!
//! The receiver unmasks and checks outside of any lock. It takes the lock once before it waits, to
//! queue the replies that are due and to write; the sender takes it to encode and to write. Neither
//! holds it while it waits.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use ::tokio::io::{AsyncRead, AsyncWrite, ReadBuf, ReadHalf, WriteHalf};

use super::reader::{Link, Reader};
use super::timer::now;
use super::writer::{Access, Encode, Sending, Writer, in_place};
use super::{Halves, WebSocket};
use crate::adapter::{Mutex, Result, lock};
use crate::close::CloseFrame;
use crate::connection::{Chunk, Event, Payload, Prepared, Sent, State};

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// Splits the connection into halves that work from two tasks.
    ///
    /// The receiver goes on answering pings and driving the closing handshake, so it must go on
    /// receiving.
    ///
    /// For an example see [the guide](crate#sharing-a-connection-between-tasks).
    pub fn split(self) -> (Receiver<S>, Sender<S>) {
        let Halves { reader, writer } = *self.halves;
        let (read, writer) = writer.split();
        let shared = Arc::new(Shared { writer: Mutex::new(writer), waiting: Arc::default() });
        (Receiver { reader, link: End { read, shared: shared.clone() } }, Sender { shared })
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Writer<S> {
    fn split(self) -> (ReadHalf<S>, Writer<WriteHalf<S>>) {
        let Self { io, outgoing, tx, .. } = self;
        let (read, write) = ::tokio::io::split(io);
        (read, Writer::new(write, outgoing, tx.into_inner()))
    }
}

/// The half that receives; see [`WebSocket::split`].
///
/// For an example see [the guide](crate#sharing-a-connection-between-tasks).
#[derive(Debug)]
pub struct Receiver<S> {
    pub(super) reader: Reader,
    pub(super) link: End<S>,
}

/// The half that sends; see [`WebSocket::split`].
///
/// To send from several tasks give each a channel to the one that owns this, or put it into a lock.
///
/// For an example see [the guide](crate#sharing-a-connection-between-tasks).
#[derive(Debug)]
pub struct Sender<S> {
    pub(super) shared: Arc<Shared<S>>,
}

/// The receiver's end of the stream and of what is shared.
#[derive(Debug)]
pub(super) struct End<S> {
    read: ReadHalf<S>,
    pub(super) shared: Arc<Shared<S>>,
}

#[derive(Debug)]
pub(super) struct Shared<S> {
    writer: Mutex<Writer<WriteHalf<S>>>,
    waiting: Arc<Waiting>,
}

/// Who waits for the writing direction: a stream knows one waker only, so it gets one that wakes
/// both.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    pub(super) receiver: Mutex<Option<Waker>>,
    pub(super) sender: Mutex<Option<Waker>>,
}

impl Waiting {
    /// Who wakes both, this one and the other; `slot` is the place of this one.
    pub(super) fn both(self: &Arc<Self>, slot: &Mutex<Option<Waker>>, cx: &Context<'_>) -> Waker {
        let mut slot = lock(slot);
        if !slot.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            *slot = Some(cx.waker().clone());
        }
        Waker::from(self.clone())
    }
}

impl Wake for Waiting {
    fn wake(self: Arc<Self>) {
        for slot in [&self.receiver, &self.sender] {
            let waker = lock(slot).take();
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Shared<S> {
    /// Runs `f` with the writing half and a context that wakes both halves; `slot` is the caller's.
    fn with_writer<T>(
        &self,
        slot: &Mutex<Option<Waker>>,
        cx: &mut Context<'_>,
        f: impl FnOnce(&mut Writer<WriteHalf<S>>, &mut Context<'_>) -> T,
    ) -> T {
        let both = self.waiting.both(slot, cx);
        self.change_writer(|writer| f(writer, &mut Context::from_waker(&both)))
    }

    /// Runs `f` with the writing half.
    fn change_writer<T>(&self, f: impl FnOnce(&mut Writer<WriteHalf<S>>) -> T) -> T {
        let mut writer = lock(&self.writer);
        let before = (writer.outgoing.state(), writer.awaits_rest());
        let output = f(&mut writer);
        let is_as_before = (writer.outgoing.state(), writer.awaits_rest()) == before;
        drop(writer);
        if !is_as_before {
            // The other half has something to wait for, or to stop waiting for, that it did not know.
            self.waiting.clone().wake();
        }
        output
    }
}

impl<S> Shared<S> {
    /// What was sent so far.
    pub(super) fn statistics(&self) -> Sent {
        lock(&self.writer).statistics()
    }

    /// The bytes of memory that it has at the moment, with what counts the halves.
    pub(super) fn memory_used(&self) -> usize {
        let waiting = size_of::<(usize, usize, Waiting)>();
        size_of::<(usize, usize, Self)>() + waiting + lock(&self.writer).memory_behind()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Link for End<S> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.read).poll_read(cx, buf)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Access for Sender<S> {
    type Write = WriteHalf<S>;

    fn with_writer<T>(
        &mut self,
        cx: &mut Context<'_>,
        f: impl FnOnce(&mut Writer<WriteHalf<S>>, &mut Context<'_>) -> T,
    ) -> T {
        self.shared.with_writer(&self.shared.waiting.sender, cx, f)
    }

    fn change_writer<T>(&mut self, f: impl FnOnce(&mut Writer<Self::Write>) -> T) -> T {
        self.shared.change_writer(f)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Access for End<S> {
    type Write = WriteHalf<S>;

    fn with_writer<T>(
        &mut self,
        cx: &mut Context<'_>,
        f: impl FnOnce(&mut Writer<WriteHalf<S>>, &mut Context<'_>) -> T,
    ) -> T {
        self.shared.with_writer(&self.shared.waiting.receiver, cx, f)
    }

    fn change_writer<T>(&mut self, f: impl FnOnce(&mut Writer<Self::Write>) -> T) -> T {
        self.shared.change_writer(f)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Receiver<S> {
    /// As [`WebSocket::recv`].
    ///
    /// For an example see [the guide](crate#sharing-a-connection-between-tasks).
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped; call `recv` again.
    pub fn recv(&mut self) -> impl Future<Output = Result<Option<Event<'_>>>> {
        self.reader.recv(&mut self.link)
    }

    /// As [`WebSocket::recv_chunk`].
    ///
    /// For an example see [`WebSocket::recv_chunk`].
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Cancel safety
    ///
    /// As of [`recv`](Self::recv).
    pub async fn recv_chunk(&mut self) -> Result<Option<Chunk<'_>>> {
        self.reader.recv_chunk(&mut self.link).await
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Sender<S> {
    /// How far the closing handshake has come.
    ///
    /// ```
    /// use sotong::State;
    ///
    /// # use sotong::{Config, test_kit::{Manner, tokio_pair}};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> sotong::Result<()> {
    /// # let (mut peer, ws) = tokio_pair(&Config::default(), Manner::sound());
    /// # let other = tokio::spawn(async move {
    /// #     while peer.recv().await?.is_some() {}
    /// #     Ok::<_, sotong::Error>(())
    /// # });
    /// let (mut receiver, mut sender) = ws.split();
    /// assert_eq!(sender.state(), State::Open);
    /// sender.send_close(None).await?;
    /// assert_eq!(sender.state(), State::Closing);
    /// while receiver.recv().await?.is_some() {}
    /// assert_eq!(sender.state(), State::Closed);
    /// # other.await.unwrap()
    /// # }
    /// ```
    pub fn state(&self) -> State {
        lock(&self.shared.writer).outgoing.state()
    }

    /// As [`WebSocket::send_text`].
    ///
    /// For an example see [the guide](crate#sharing-a-connection-between-tasks).
    ///
    /// # Errors
    ///
    /// [`SendError`](crate::SendError), the stream failed, or the peer does not read.
    ///
    /// # Cancel safety
    ///
    /// It is queued whole or not at all; if it is, a later call writes it.
    pub fn send_text(&mut self, text: &str) -> impl Future<Output = Result<()>> {
        self.encode(true, move |outgoing, tx| outgoing.send(text, tx))
    }

    /// As [`WebSocket::send_binary`].
    ///
    /// For an example see [`WebSocket::send_text`].
    ///
    /// # Errors
    ///
    /// As of [`send_text`](Self::send_text).
    ///
    /// # Cancel safety
    ///
    /// As of [`send_text`](Self::send_text).
    pub fn send_binary(&mut self, bytes: &[u8]) -> impl Future<Output = Result<()>> {
        self.encode(true, move |outgoing, tx| outgoing.send(bytes, tx))
    }

    /// As [`WebSocket::send_binary_in_place`].
    ///
    /// For an example see [`WebSocket::send_text`].
    ///
    /// # Errors
    ///
    /// As of [`send_text`](Self::send_text).
    ///
    /// # Cancel safety
    ///
    /// As of [`send_text`](Self::send_text).
    pub fn send_binary_in_place(&mut self, bytes: &mut [u8]) -> impl Future<Output = Result<()>> {
        self.encode(true, in_place(bytes))
    }

    /// As [`WebSocket::send_message`].
    ///
    /// For an example see [`WebSocket::send_text`].
    ///
    /// # Errors
    ///
    /// As of [`send_text`](Self::send_text).
    ///
    /// # Cancel safety
    ///
    /// As of [`send_text`](Self::send_text).
    pub fn send_message<'p>(
        &mut self,
        message: impl Into<Payload<'p>>,
    ) -> impl Future<Output = Result<()>> {
        let message = message.into();
        self.encode(true, move |outgoing, tx| outgoing.send(message, tx))
    }

    /// As [`WebSocket::send_prepared`].
    ///
    /// For an example see [`WebSocket::send_text`].
    ///
    /// # Errors
    ///
    /// As of [`send_text`](Self::send_text).
    ///
    /// # Cancel safety
    ///
    /// As of [`send_text`](Self::send_text).
    pub fn send_prepared(&mut self, message: &Prepared) -> impl Future<Output = Result<()>> {
        self.encode(true, move |outgoing, tx| outgoing.send_prepared(message, tx))
    }

    /// As [`WebSocket::send_fragment`].
    ///
    /// For an example see [`WebSocket::send_fragment`].
    ///
    /// # Errors
    ///
    /// As of [`send_text`](Self::send_text).
    ///
    /// # Cancel safety
    ///
    /// As of [`send_text`](Self::send_text).
    pub fn send_fragment<'p>(
        &mut self,
        part: impl Into<Payload<'p>>,
        fin: bool,
    ) -> impl Future<Output = Result<()>> {
        let part = part.into();
        self.encode(true, move |outgoing, tx| outgoing.send_fragment(part, fin, tx))
    }

    /// As [`WebSocket::feed_text`], but for who writes it: [`flush`](Self::flush) does, or what is sent
    /// next. A receiver that waits is not told of it.
    ///
    /// For an example see [`WebSocket::feed_text`].
    ///
    /// # Errors
    ///
    /// As of [`send_text`](Self::send_text).
    ///
    /// # Cancel safety
    ///
    /// As of [`send_text`](Self::send_text).
    pub fn feed_text(&mut self, text: &str) -> impl Future<Output = Result<()>> {
        self.encode(false, move |outgoing, tx| outgoing.send(text, tx))
    }

    /// As [`WebSocket::feed_binary`], and as [`feed_text`](Self::feed_text).
    ///
    /// For an example see [`WebSocket::feed_text`].
    ///
    /// # Errors
    ///
    /// As of [`send_text`](Self::send_text).
    ///
    /// # Cancel safety
    ///
    /// As of [`send_text`](Self::send_text).
    pub fn feed_binary(&mut self, bytes: &[u8]) -> impl Future<Output = Result<()>> {
        self.encode(false, move |outgoing, tx| outgoing.send(bytes, tx))
    }

    /// As [`WebSocket::feed_message`], and as [`feed_text`](Self::feed_text).
    ///
    /// For an example see [`WebSocket::feed_text`].
    ///
    /// # Errors
    ///
    /// As of [`send_text`](Self::send_text).
    ///
    /// # Cancel safety
    ///
    /// As of [`send_text`](Self::send_text).
    pub fn feed_message<'p>(
        &mut self,
        message: impl Into<Payload<'p>>,
    ) -> impl Future<Output = Result<()>> {
        let message = message.into();
        self.encode(false, move |outgoing, tx| outgoing.send(message, tx))
    }

    /// As [`WebSocket::feed_prepared`], and as [`feed_text`](Self::feed_text).
    ///
    /// For an example see [`WebSocket::feed_text`].
    ///
    /// # Errors
    ///
    /// As of [`send_text`](Self::send_text).
    ///
    /// # Cancel safety
    ///
    /// As of [`send_text`](Self::send_text).
    pub fn feed_prepared(&mut self, message: &Prepared) -> impl Future<Output = Result<()>> {
        self.encode(false, move |outgoing, tx| outgoing.send_prepared(message, tx))
    }

    /// As [`WebSocket::ping`].
    ///
    /// For an example see [`WebSocket::ping`].
    ///
    /// # Errors
    ///
    /// As of [`send_text`](Self::send_text).
    ///
    /// # Cancel safety
    ///
    /// As of [`send_text`](Self::send_text).
    pub fn ping(&mut self, payload: &[u8]) -> impl Future<Output = Result<()>> {
        self.encode(true, move |outgoing, tx| outgoing.ping_at(now(), payload, tx))
    }

    /// As [`WebSocket::send_close`]. The receiver then waits for the peer's Close, within its
    /// deadline.
    ///
    /// For an example see [the guide](crate#sharing-a-connection-between-tasks).
    ///
    /// # Errors
    ///
    /// As of [`send_text`](Self::send_text).
    ///
    /// # Cancel safety
    ///
    /// As of [`send_text`](Self::send_text).
    pub fn send_close(
        &mut self,
        frame: Option<CloseFrame<'_>>,
    ) -> impl Future<Output = Result<()>> {
        self.encode(true, move |outgoing, tx| outgoing.close(frame, tx))
    }

    /// As [`WebSocket::flush`].
    ///
    /// For an example see [`WebSocket::feed_text`].
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Cancel safety
    ///
    /// What was not written stays queued.
    pub fn flush(&mut self) -> impl Future<Output = Result<()>> {
        poll_fn(|cx| self.with_writer(cx, Writer::poll_flush))
    }

    fn encode<'p>(
        &mut self,
        now: bool,
        encode: impl Encode<'p>,
    ) -> impl Future<Output = Result<()>> {
        Sending::new(self, now, encode)
    }
}
