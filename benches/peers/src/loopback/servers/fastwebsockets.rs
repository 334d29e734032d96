//! fastwebsockets.

use std::convert::Infallible;
use std::future::{Ready, ready};

use ::fastwebsockets::{
    FragmentCollector, FragmentCollectorRead, Frame, OpCode, Role, WebSocket, WebSocketWrite,
    after_handshake_split,
};
use hyper::Request;
use hyper::body::Incoming;
use tokio::io::BufWriter;
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use super::upgrade::{Answer, upgrade};
use super::{Failure, Member, Outcome, Peer, flush_before};

pub struct Fastwebsockets;

impl Peer<TcpStream> for Fastwebsockets {
    type Message = bytes::Bytes;

    async fn echo(stream: TcpStream) -> Outcome {
        let (mut reader, mut writer) = accept_halves(stream).await?;
        loop {
            let frame = flush_before(reader.read_frame(&mut no_answer), writer.flush()).await?;
            match frame.opcode {
                OpCode::Text | OpCode::Binary => writer.write_frame(frame).await?,
                OpCode::Close => return Ok(()),
                _ => {}
            }
        }
    }

    async fn send(stream: TcpStream) -> Outcome {
        let stream = upgrade(stream, respond).await?;
        let mut ws = FragmentCollector::new(WebSocket::after_handshake(stream, Role::Server));
        loop {
            let frame = ws.read_frame().await?;
            match frame.opcode {
                OpCode::Text | OpCode::Binary => ws.write_frame(frame).await?,
                OpCode::Close => return Ok(()),
                _ => {}
            }
        }
    }

    async fn broadcast(stream: TcpStream, member: Member<Self::Message>) -> Outcome {
        let Member { speaker, mut listener } = member;
        let (mut reader, mut writer) = accept_halves(stream).await?;
        tokio::spawn(async move {
            while let Ok(message) = listener.next().await {
                writer.write_frame(Frame::binary((&message[..]).into())).await?;
                while let Some(message) = listener.at_hand() {
                    writer.write_frame(Frame::binary((&message[..]).into())).await?;
                }
                writer.flush().await?;
            }
            Ok::<_, ::fastwebsockets::WebSocketError>(())
        });
        loop {
            let frame = reader.read_frame(&mut no_answer).await?;
            match frame.opcode {
                OpCode::Text | OpCode::Binary => {
                    speaker.tell(bytes::Bytes::copy_from_slice(&frame.payload));
                }
                OpCode::Close => return Ok(()),
                _ => {}
            }
        }
    }
}

type Reader = FragmentCollectorRead<OwnedReadHalf>;
type Writer = WebSocketWrite<BufWriter<OwnedWriteHalf>>;

async fn accept_halves(stream: TcpStream) -> Result<(Reader, Writer), Failure> {
    let (read, write) = upgrade(stream, respond).await?.into_split();
    let write = BufWriter::with_capacity(WRITE_BUFFER, write);
    let (reader, writer) = after_handshake_split(read, write, Role::Server);
    Ok((FragmentCollectorRead::new(reader), writer))
}

fn respond(mut request: Request<Incoming>) -> Answer {
    let (response, _) = ::fastwebsockets::upgrade::upgrade(&mut request)?;
    Ok(response)
}

/// The generator sends no pings, and closes without a word.
fn no_answer(_: Frame<'_>) -> Ready<Result<(), Infallible>> {
    ready(Ok(()))
}

/// What leaves in one write when many messages come at once.
const WRITE_BUFFER: usize = 16 * 1024;
