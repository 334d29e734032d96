//! wtx.

use ::wtx::collection::Vector;
use ::wtx::rng::Xorshift64;
use ::wtx::web_socket::{Frame, OpCode, WebSocketAcceptor, WebSocketOwned, WebSocketPayloadOrigin};
use tokio::net::TcpStream;

use super::{Member, Outcome, Peer};

pub struct Wtx;

impl Peer<TcpStream> for Wtx {
    type Message = bytes::Bytes;

    async fn echo(stream: TcpStream) -> Outcome {
        Self::send(stream).await
    }

    async fn send(stream: TcpStream) -> Outcome {
        let mut ws = accept(stream).await?;
        let (mut common, mut reader, mut writer) = ws.split_mut();
        let mut buffer = Vector::new();
        loop {
            let mut frame = reader
                .read_frame(&mut buffer, &mut common, WebSocketPayloadOrigin::Adaptive)
                .await?;
            match frame.op_code() {
                OpCode::Binary | OpCode::Text => {
                    writer.write_frame(&mut common, &mut frame).await?
                }
                OpCode::Close => return Ok(()),
                _ => {}
            }
        }
    }

    async fn broadcast(stream: TcpStream, member: Member<Self::Message>) -> Outcome {
        let Member { speaker, mut listener } = member;
        let parts = accept(stream).await?.into_split(TcpStream::into_split)?;
        let (mut reader, mut writer) = (parts.reader, parts.writer);
        tokio::spawn(async move {
            // It wants bytes that it may change, so each connection has a copy.
            let mut copy = Vec::new();
            while let Ok(message) = listener.next().await {
                copy.clear();
                copy.extend_from_slice(&message);
                writer.write_frame(&mut Frame::new_fin(OpCode::Binary, &mut copy[..])).await?;
            }
            Ok::<_, ::wtx::Error>(())
        });
        let mut buffer = Vector::new();
        loop {
            let origin = WebSocketPayloadOrigin::Adaptive;
            let frame = reader.read_frame(&mut buffer, origin).await?;
            match frame.op_code() {
                OpCode::Binary | OpCode::Text => {
                    speaker.tell(bytes::Bytes::copy_from_slice(frame.payload()));
                }
                OpCode::Close => return Ok(()),
                _ => {}
            }
        }
    }
}

type Connection = WebSocketOwned<(), Xorshift64, TcpStream, false>;

async fn accept(stream: TcpStream) -> Result<Connection, ::wtx::Error> {
    WebSocketAcceptor::default().no_masking(false).accept(stream).await
}
