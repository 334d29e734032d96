//! yawc.

use ::yawc::{Frame, OpCode, Options, Role, WebSocket};
use tokio::net::TcpStream;

use super::stream_and_sink::{echo_batches, echo_each, relay};
use super::upgrade::upgrade;
use super::{Failure, Member, Outcome, Peer};

pub struct Yawc;

impl Peer<TcpStream> for Yawc {
    type Message = Frame;

    async fn echo(stream: TcpStream) -> Outcome {
        echo_batches(accept(stream).await?, data).await
    }

    async fn send(stream: TcpStream) -> Outcome {
        echo_each(accept(stream).await?, data).await
    }

    async fn broadcast(stream: TcpStream, member: Member<Frame>) -> Outcome {
        relay(accept(stream).await?, member, data).await
    }
}

async fn accept(stream: TcpStream) -> Result<WebSocket<TcpStream>, Failure> {
    let stream = upgrade(stream, |mut request| {
        let (response, _) = WebSocket::upgrade(&mut request)?;
        Ok(response)
    })
    .await?;
    Ok(WebSocket::from_stream(stream, Role::Server, options())?)
}

fn options() -> Options {
    // The limit of a payload is exclusive: 1 MiB does not pass the default. And by default it
    // writes whenever 8 KiB are queued; a batch is to leave in one write.
    Options::default().with_utf8().with_limits(4 << 20, 8 << 20).with_backpressure_boundary(1 << 20)
}

fn data(frame: Frame) -> Result<Option<Frame>, Failure> {
    Ok(matches!(frame.opcode(), OpCode::Text | OpCode::Binary).then_some(frame))
}
