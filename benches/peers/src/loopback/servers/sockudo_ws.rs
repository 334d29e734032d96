//! sockudo-ws, by its `WebSocketStream`.

use ::sockudo_ws::handshake::server_handshake;
use ::sockudo_ws::{Config, Error, Message, Role, WebSocketStream};
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;

use super::stream_and_sink::{echo_each, relay};
use super::{Failure, Member, Outcome, Peer};

pub struct SockudoWs;

impl Peer<TcpStream> for SockudoWs {
    type Message = Message;

    async fn echo(stream: TcpStream) -> Outcome {
        let mut ws = accept(stream).await?;
        while let Some(item) = ws.next().await {
            if let Some(message) = data(item)? {
                ws.feed(message).await?;
            }
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

async fn accept(mut stream: TcpStream) -> Result<WebSocketStream<TcpStream>, Error> {
    let leftover = server_handshake(&mut stream).await?.leftover;
    let config = Config::default();
    Ok(WebSocketStream::from_raw_with_leftover(stream, Role::Server, config, leftover))
}

fn data(item: Result<Message, Error>) -> Result<Option<Message>, Failure> {
    Ok(Some(item?).filter(|message| matches!(message, Message::Text(_) | Message::Binary(_))))
}
