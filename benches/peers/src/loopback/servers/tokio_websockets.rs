//! tokio-websockets.

use ::tokio_websockets::{Config, Error, Message, ServerBuilder, WebSocketStream};
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;

use super::stream_and_sink::{at_hand, echo_each, relay};
use super::{Failure, Member, Outcome, Peer};

pub struct TokioWebsockets;

impl Peer<TcpStream> for TokioWebsockets {
    type Message = Message;

    async fn echo(stream: TcpStream) -> Outcome {
        let mut ws = accept(stream).await?;
        // Each look at what comes flushes, so replies wait until there is nothing more to look at.
        let mut batch = Vec::new();
        while let Some(item) = ws.next().await {
            batch.extend(data(item)?);
            while batch.len() < BATCH
                && let Some(item) = at_hand(&mut ws).await
            {
                batch.extend(data(item)?);
            }
            for message in batch.drain(..) {
                ws.feed(message).await?;
            }
            ws.flush().await?;
        }
        Ok(())
    }

    async fn send(stream: TcpStream) -> Outcome {
        echo_each(accept(stream).await?, data).await
    }

    async fn broadcast(stream: TcpStream, member: Member<Message>) -> Outcome {
        relay(accept(stream).await?, member, data).await
    }
}

async fn accept(stream: TcpStream) -> Result<WebSocketStream<TcpStream>, Error> {
    // By default it writes whenever 8 KiB are queued; a batch is to leave in one write.
    let config = Config::default().flush_threshold(1 << 20);
    let (_, ws) = ServerBuilder::new().config(config).accept(stream).await?;
    Ok(ws)
}

fn data(item: Result<Message, Error>) -> Result<Option<Message>, Failure> {
    Ok(Some(item?).filter(|message| message.is_text() || message.is_binary()))
}

/// The most replies that wait for each other.
const BATCH: usize = 256;
