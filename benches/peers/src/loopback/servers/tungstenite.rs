//! tungstenite, through tokio-tungstenite.

use tokio_tungstenite::tungstenite::{Error, Message, protocol::WebSocketConfig};
use tokio_tungstenite::{WebSocketStream, accept_async_with_config};

use super::stream_and_sink::{echo_batches, echo_each, relay};
use super::{Failure, Member, Outcome, Peer, Stream};

pub struct Tungstenite;

impl<S: Stream> Peer<S> for Tungstenite {
    type Message = Message;

    async fn echo(stream: S) -> Outcome {
        echo_batches(accept(stream).await?, data).await
    }

    async fn send(stream: S) -> Outcome {
        echo_each(accept(stream).await?, data).await
    }

    async fn broadcast(stream: S, member: Member<Message>) -> Outcome {
        relay(accept(stream).await?, member, data).await
    }
}

async fn accept<S: Stream>(stream: S) -> Result<WebSocketStream<S>, Error> {
    // It zeroes its buffer for each read, so the default of 128 KiB makes small messages slow.
    let config = WebSocketConfig::default().read_buffer_size(16 * 1024);
    accept_async_with_config(stream, Some(config)).await
}

fn data(item: Result<Message, Error>) -> Result<Option<Message>, Failure> {
    Ok(Some(item?).filter(|message| message.is_text() || message.is_binary()))
}
