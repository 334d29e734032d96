//! Ours.

use std::sync::{Arc, LazyLock};

use ::sotong::tokio::accept;
use ::sotong::{Config, Event, Prepared};

use super::{Member, Outcome, Peer, Stream};

pub struct Sotong;

/// One for all connections.
fn config() -> Arc<Config> {
    static CONFIG: LazyLock<Arc<Config>> = LazyLock::new(Arc::default);
    Arc::clone(&CONFIG)
}

impl<S: Stream> Peer<S> for Sotong {
    type Message = Prepared;

    async fn echo(stream: S) -> Outcome {
        let mut ws = accept(stream, config()).await?;
        while let Some((event, mut reply)) = ws.recv_reply().await? {
            match event {
                Event::Text(text) => reply.feed(text).await?,
                Event::Binary(bytes) => reply.feed(bytes).await?,
                Event::Ping(_) | Event::Pong(_) | Event::Close(_) => {}
            }
        }
        Ok(())
    }

    async fn send(stream: S) -> Outcome {
        let mut ws = accept(stream, config()).await?;
        while let Some((event, mut reply)) = ws.recv_reply().await? {
            match event {
                Event::Text(text) => reply.send(text).await?,
                Event::Binary(bytes) => reply.send(bytes).await?,
                Event::Ping(_) | Event::Pong(_) | Event::Close(_) => {}
            }
        }
        Ok(())
    }

    async fn broadcast(stream: S, member: Member<Prepared>) -> Outcome {
        let Member { speaker, mut listener } = member;
        let mut ws = accept(stream, config()).await?;
        loop {
            tokio::select! {
                biased;
                message = listener.next() => {
                    let mut message = message?;
                    while let Some(next) = listener.at_hand() {
                        ws.feed_prepared(&message).await?;
                        message = next;
                    }
                    ws.send_prepared(&message).await?;
                }
                event = ws.recv() => match event? {
                    Some(Event::Text(text)) => speaker.tell(Prepared::new(text)),
                    Some(Event::Binary(bytes)) => speaker.tell(Prepared::new(bytes)),
                    Some(_) => {}
                    None => return Ok(()),
                },
            }
        }
    }
}
