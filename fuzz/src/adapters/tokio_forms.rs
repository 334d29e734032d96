//! The tokio adapter: whole, in halves, and as `Stream` and `Sink`. Receiving is dropped after so
//! many polls and begun anew, which nothing may depend on.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use futures_core::Stream;
use futures_sink::Sink;
use sotong::tokio::{Receiver, Sender, WebSocket};
use sotong::{Compress, Error, Message as Owned, Result, State};
use tokio::time::Instant;

use super::talk::{Ends, Heard, Say, Talk, Way, close_frame, heard, heard_whole};
use super::wire::Wire;
use crate::common::Seen;

/// A whole connection.
pub struct Whole {
    pub ws: WebSocket<Wire>,
    pub start: Instant,
    pub listening: Listening,
}

/// Its halves.
pub struct Halves {
    pub receiver: Receiver<Wire>,
    pub sender: Sender<Wire>,
    pub io: Wire,
    pub start: Instant,
    pub listening: Listening,
}

/// How it listens.
#[derive(Clone, Copy, Debug)]
pub enum Listening {
    /// By futures that are waited for.
    Patient,
    /// By futures that are dropped after so many polls.
    Dropped(usize),
    /// As a stream of messages, which are sent into a sink.
    ByItems,
}

impl Listening {
    fn is_by_items(self) -> bool {
        matches!(self, Self::ByItems)
    }
}

/// Polls a future so often at most; it is dropped when it is woken after that.
pub async fn at_most<T>(polls: usize, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(|cx| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        future.as_mut().poll(cx).map(Some)
    })
    .await
}

impl Ends for Whole {
    async fn recv(
        &mut self,
        in_pieces: bool,
        echoes: bool,
        talk: &mut Talk,
    ) -> Result<Option<Heard>> {
        let Self { ws, start, listening } = self;
        let polls = match listening {
            Listening::ByItems => return next(ws).await,
            Listening::Dropped(polls) => *polls,
            Listening::Patient if !echoes || in_pieces || !talk.begun.is_empty() => usize::MAX,
            Listening::Patient => {
                let Some((event, mut reply)) = ws.recv_reply().await? else { return Ok(None) };
                let seen = event.into();
                let (echo, say) = (Talk::echo(&event), Say::echo(&seen));
                talk.events.push((start.elapsed(), seen));
                if let (Some(echo), Some(say)) = (echo, say) {
                    talk.begin(&say, start.elapsed());
                    let said = reply.feed(echo).await;
                    talk.note(say, start.elapsed(), said);
                }
                return Ok(Some(Heard::Done));
            }
        };
        loop {
            let received = match in_pieces {
                true => at_most(polls, async { Ok(heard(ws.recv_chunk().await?, talk)) }).await,
                false => at_most(polls, async { Ok(heard_whole(ws.recv().await?, talk)) }).await,
            };
            if let Some(received) = received {
                return received;
            }
        }
    }

    async fn say(&mut self, say: &Say) -> Result<()> {
        match owned(say) {
            Some(item) if self.listening.is_by_items() => put(&mut self.ws, item).await,
            _ => self::say(&mut self.ws, say).await,
        }
    }

    fn has_closed(&self) -> bool {
        self.ws.stream().has_close()
    }

    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn ends_with_nothing(&self) -> bool {
        self.listening.is_by_items()
    }
}

pub async fn say(ws: &mut WebSocket<Wire>, say: &Say) -> Result<()> {
    match say {
        Say::Message { message, way } => match way {
            Way::Send => ws.send_message(message.payload()).await,
            Way::Feed => ws.feed_message(message.payload()).await,
            Way::SendPrepared => ws.send_prepared(&message.prepared()).await,
            Way::FeedPrepared => ws.feed_prepared(&message.prepared()).await,
            Way::InPlace => ws.send_binary_in_place(&mut message.bytes.clone()).await,
        },
        Say::Fragment { message, fin } => ws.send_fragment(message.payload(), *fin).await,
        Say::Ping(body) => ws.ping(body).await,
        Say::Flush => ws.flush().await,
        Say::Close(close) => ws.send_close(close_frame(close)).await,
    }
}

impl Ends for Halves {
    async fn recv(&mut self, in_pieces: bool, _: bool, talk: &mut Talk) -> Result<Option<Heard>> {
        let Self { receiver, listening, .. } = self;
        let polls = match listening {
            Listening::ByItems => return next(receiver).await,
            Listening::Dropped(polls) => *polls,
            Listening::Patient => usize::MAX,
        };
        loop {
            let received = match in_pieces {
                true => {
                    at_most(polls, async { Ok(heard(receiver.recv_chunk().await?, talk)) }).await
                }
                false => {
                    at_most(polls, async { Ok(heard_whole(receiver.recv().await?, talk)) }).await
                }
            };
            if let Some(received) = received {
                return received;
            }
        }
    }

    async fn say(&mut self, say: &Say) -> Result<()> {
        let Self { sender, listening, .. } = self;
        match (say, owned(say)) {
            // A sink that is closing already has no objection.
            (Say::Close(None), _) if listening.is_by_items() && sender.state() == State::Open => {
                // It would not wait for room, as all others do.
                poll_fn(|cx| Pin::new(&mut *sender).poll_ready(cx)).await?;
                close(sender).await
            }
            (_, Some(item)) if listening.is_by_items() => put(sender, item).await,
            _ => say_by_half(sender, say).await,
        }
    }

    fn has_closed(&self) -> bool {
        self.io.has_close()
    }

    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn ends_with_nothing(&self) -> bool {
        self.listening.is_by_items()
    }
}

pub async fn say_by_half(sender: &mut Sender<Wire>, say: &Say) -> Result<()> {
    match say {
        Say::Message { message, way } => match way {
            Way::Send => sender.send_message(message.payload()).await,
            Way::Feed => sender.feed_message(message.payload()).await,
            Way::SendPrepared => sender.send_prepared(&message.prepared()).await,
            Way::FeedPrepared => sender.feed_prepared(&message.prepared()).await,
            Way::InPlace => sender.send_binary_in_place(&mut message.bytes.clone()).await,
        },
        Say::Fragment { message, fin } => sender.send_fragment(message.payload(), *fin).await,
        Say::Ping(body) => sender.ping(body).await,
        Say::Flush => sender.flush().await,
        Say::Close(close) => sender.send_close(close_frame(close)).await,
    }
}

/// Closes a sink.
pub async fn close(sender: &mut Sender<Wire>) -> Result<()> {
    poll_fn(|cx| Pin::new(&mut *sender).poll_close(cx)).await
}

/// The next item of a stream.
async fn next(stream: &mut (impl Stream<Item = Result<Owned>> + Unpin)) -> Result<Option<Heard>> {
    let item = poll_fn(|cx| Pin::new(&mut *stream).poll_next(cx)).await;
    Ok(item.transpose()?.map(|message| Heard::Event(seen(message))))
}

/// Puts a message into a sink.
async fn put(
    sink: &mut (impl Sink<Owned, Error = Error> + Unpin),
    (message, is_fed): (Owned, bool),
) -> Result<()> {
    let mut sink = Pin::new(sink);
    poll_fn(|cx| sink.as_mut().poll_ready(cx)).await?;
    sink.as_mut().start_send(message)?;
    if is_fed {
        // As feeding does, it waits until the queue has room for what is left.
        return poll_fn(|cx| sink.as_mut().poll_ready(cx)).await;
    }
    poll_fn(|cx| sink.as_mut().poll_flush(cx)).await
}

/// The message for a sink, if there is one for this, and whether it is not to be flushed.
fn owned(say: &Say) -> Option<(Owned, bool)> {
    Some(match say {
        Say::Message { message, way: way @ (Way::Send | Way::Feed) }
            if message.compress == Compress::Auto =>
        {
            let bytes = message.bytes.clone();
            let message = match (message.is_text, String::from_utf8(bytes)) {
                (true, Ok(text)) => Owned::from(text),
                _ => Owned::from(message.bytes.clone()),
            };
            (message, *way == Way::Feed)
        }
        Say::Ping(body) => (Owned::Ping(body.clone().into()), false),
        Say::Close(close) => {
            (Owned::Close(close_frame(close).map(|f| (f.code, f.reason.into()))), false)
        }
        _ => return None,
    })
}

fn seen(message: Owned) -> Seen {
    match message {
        Owned::Text(text) => Seen::Text(text.to_string()),
        Owned::Binary(bytes) => Seen::Binary(bytes.into()),
        Owned::Ping(body) => Seen::Ping(body.into()),
        Owned::Pong(body) => Seen::Pong(body.into()),
        Owned::Close(close) => {
            Seen::Close(close.map(|(code, reason)| (code.0, reason.to_string())))
        }
    }
}
