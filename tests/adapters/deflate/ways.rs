//! All the ways to send a text message, in tables.

use std::pin::Pin;

use futures_util::SinkExt;
use sotong::{Message, Payload, Prepared, Result, blocking, tokio as asynchronous};

use crate::scripted::Scripted;

pub type BlockingWhole = blocking::WebSocket<Scripted>;
pub type BlockingHalves = (blocking::Receiver<Scripted>, blocking::Sender<Scripted>);
pub type Whole = asynchronous::WebSocket<Scripted>;
pub type Halves = (asynchronous::Receiver<Scripted>, asynchronous::Sender<Scripted>);

/// A way to send, or to queue, a text message.
#[derive(Clone, Copy)]
pub struct Way<F> {
    pub name: &'static str,
    /// Whether it can be told to compress or not to.
    pub is_told: bool,
    pub send: F,
}

pub type Blocking<S> = fn(&mut S, Payload<'_>) -> Result<()>;
pub type Async<S> = for<'a> fn(&'a mut S, Payload<'a>) -> Sending<'a>;
pub type Sending<'a> = Pin<Box<dyn Future<Output = Result<()>> + 'a>>;

const fn told<F>(name: &'static str, send: F) -> Way<F> {
    Way { name, is_told: true, send }
}

const fn untold<F>(name: &'static str, send: F) -> Way<F> {
    Way { name, is_told: false, send }
}

fn text(payload: Payload<'_>) -> &str {
    str::from_utf8(payload.as_bytes()).unwrap()
}

pub const BLOCKING_WHOLE: [Way<Blocking<BlockingWhole>>; 7] = [
    untold("send_text", |ws, payload| ws.send_text(text(payload))),
    untold("feed_text", |ws, payload| ws.feed_text(text(payload))),
    told("send_message", |ws, payload| ws.send_message(payload)),
    told("feed_message", |ws, payload| ws.feed_message(payload)),
    told("send_prepared", |ws, payload| ws.send_prepared(&Prepared::new(payload))),
    told("feed_prepared", |ws, payload| ws.feed_prepared(&Prepared::new(payload))),
    told("send_fragment", |ws, payload| ws.send_fragment(payload, true)),
];

/// Ways that need something to have come.
pub const BLOCKING_REPLIES: [Way<Blocking<BlockingWhole>>; 2] = [
    told("Responder::feed", |ws, payload| ws.recv_reply()?.unwrap().1.feed(payload)),
    told("Responder::send", |ws, payload| ws.recv_reply()?.unwrap().1.send(payload)),
];

pub const BLOCKING_HALVES: [Way<Blocking<BlockingHalves>>; 7] = [
    untold("send_text", |(_, sender), payload| sender.send_text(text(payload))),
    untold("feed_text", |(_, sender), payload| sender.feed_text(text(payload))),
    told("send_message", |(_, sender), payload| sender.send_message(payload)),
    told("feed_message", |(_, sender), payload| sender.feed_message(payload)),
    told("send_prepared", |(_, sender), payload| sender.send_prepared(&Prepared::new(payload))),
    told("feed_prepared", |(_, sender), payload| sender.feed_prepared(&Prepared::new(payload))),
    told("send_fragment", |(_, sender), payload| sender.send_fragment(payload, true)),
];

pub const WHOLE: [Way<Async<Whole>>; 9] = [
    untold("send_text", |ws, payload| Box::pin(ws.send_text(text(payload)))),
    untold("feed_text", |ws, payload| Box::pin(ws.feed_text(text(payload)))),
    untold("Sink::send", |ws, payload| Box::pin(SinkExt::send(ws, Message::from(text(payload))))),
    told("send_message", |ws, payload| Box::pin(ws.send_message(payload))),
    told("feed_message", |ws, payload| Box::pin(ws.feed_message(payload))),
    told("feed_message and flush", |ws, payload| {
        Box::pin(async move {
            ws.feed_message(payload).await?;
            ws.flush().await
        })
    }),
    told("send_prepared", |ws, payload| {
        Box::pin(async move { ws.send_prepared(&Prepared::new(payload)).await })
    }),
    told("feed_prepared", |ws, payload| {
        Box::pin(async move { ws.feed_prepared(&Prepared::new(payload)).await })
    }),
    told("send_fragment", |ws, payload| Box::pin(ws.send_fragment(payload, true))),
];

/// Ways that need something to have come.
pub const REPLIES: [Way<Async<Whole>>; 2] = [
    told("Responder::feed", |ws, payload| {
        Box::pin(async move { ws.recv_reply().await?.unwrap().1.feed(payload).await })
    }),
    told("Responder::send", |ws, payload| {
        Box::pin(async move { ws.recv_reply().await?.unwrap().1.send(payload).await })
    }),
];

pub const HALVES: [Way<Async<Halves>>; 8] = [
    untold("send_text", |(_, sender), payload| Box::pin(sender.send_text(text(payload)))),
    untold("feed_text", |(_, sender), payload| Box::pin(sender.feed_text(text(payload)))),
    untold("Sink::send", |(_, sender), payload| {
        Box::pin(SinkExt::send(sender, Message::from(text(payload))))
    }),
    told("send_message", |(_, sender), payload| Box::pin(sender.send_message(payload))),
    told("feed_message", |(_, sender), payload| Box::pin(sender.feed_message(payload))),
    told("send_prepared", |(_, sender), payload| {
        Box::pin(async move { sender.send_prepared(&Prepared::new(payload)).await })
    }),
    told("feed_prepared", |(_, sender), payload| {
        Box::pin(async move { sender.feed_prepared(&Prepared::new(payload)).await })
    }),
    told("send_fragment", |(_, sender), payload| Box::pin(sender.send_fragment(payload, true))),
];
