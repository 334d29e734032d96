//! web-socket. It has no opening handshake of its own, so it is given the fixed one.

use ::web_socket::{DataType, Event, MessageType, WebSocket as Connection};
use tokio::io::{AsyncWrite, BufReader, BufWriter};
use tokio::net::TcpStream;

use super::{Member, Outcome, Peer, flush_before, raw};

pub struct WebSocket;

impl Peer<TcpStream> for WebSocket {
    type Message = bytes::Bytes;

    async fn echo(mut stream: TcpStream) -> Outcome {
        raw::shake_hands(&mut stream).await?;
        let (read, write) = stream.into_split();
        let mut reader = Connection::server(BufReader::with_capacity(BUFFER, read));
        let mut writer = Connection::server(BufWriter::with_capacity(BUFFER, write));
        loop {
            match flush_before(reader.recv(), writer.flash()).await? {
                Event::Data { ty, data } => send(&mut writer, &ty, &data).await?,
                Event::Close { .. } | Event::Error(_) => return Ok(()),
                _ => {}
            }
        }
    }

    async fn send(mut stream: TcpStream) -> Outcome {
        raw::shake_hands(&mut stream).await?;
        let mut ws = Connection::server(BufReader::with_capacity(BUFFER, stream));
        loop {
            match ws.recv().await? {
                Event::Data { ty, data } => send(&mut ws, &ty, &data).await?,
                Event::Close { .. } | Event::Error(_) => return Ok(()),
                _ => {}
            }
        }
    }

    async fn broadcast(mut stream: TcpStream, member: Member<Self::Message>) -> Outcome {
        let Member { speaker, mut listener } = member;
        raw::shake_hands(&mut stream).await?;
        let (read, write) = stream.into_split();
        let mut reader = Connection::server(BufReader::with_capacity(BUFFER, read));
        let mut writer = Connection::server(BufWriter::with_capacity(BUFFER, write));
        tokio::spawn(async move {
            while let Ok(message) = listener.next().await {
                writer.send(&message[..]).await?;
                while let Some(message) = listener.at_hand() {
                    writer.send(&message[..]).await?;
                }
                writer.flash().await?;
            }
            Ok::<_, std::io::Error>(())
        });
        loop {
            match reader.recv().await? {
                Event::Data { data, .. } => speaker.tell(data.into()),
                Event::Close { .. } | Event::Error(_) => return Ok(()),
                _ => {}
            }
        }
    }
}

/// Sends a message of the type that it came with.
async fn send<W: AsyncWrite + Unpin>(
    ws: &mut Connection<W>,
    ty: &DataType,
    data: &[u8],
) -> Result<(), super::Failure> {
    match ty {
        DataType::Complete(MessageType::Text) => ws.send(std::str::from_utf8(data)?).await?,
        _ => ws.send(data).await?,
    }
    Ok(())
}

/// It reads a header in two or three pieces, each a system call but for this.
const BUFFER: usize = 16 * 1024;
