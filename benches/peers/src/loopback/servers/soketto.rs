//! soketto.

use ::soketto::handshake::{Server, server::Response};
use ::soketto::{Data, Receiver, Sender};
use futures_util::io::{BufReader, BufWriter};
use tokio::net::TcpStream;
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt as _};

use super::{Failure, Member, Outcome, Peer, flush_before};

pub struct Soketto;

impl Peer<TcpStream> for Soketto {
    type Message = bytes::Bytes;

    async fn echo(stream: TcpStream) -> Outcome {
        let (mut sender, mut receiver) = accept(stream).await?;
        let mut message = Vec::new();
        loop {
            message.clear();
            let kind = flush_before(receiver.receive_data(&mut message), sender.flush()).await?;
            send(&mut sender, &kind, &message).await?;
        }
    }

    async fn send(stream: TcpStream) -> Outcome {
        let (mut sender, mut receiver) = accept(stream).await?;
        let mut message = Vec::new();
        loop {
            message.clear();
            let kind = receiver.receive_data(&mut message).await?;
            send(&mut sender, &kind, &message).await?;
            sender.flush().await?;
        }
    }

    async fn broadcast(stream: TcpStream, member: Member<Self::Message>) -> Outcome {
        let Member { speaker, mut listener } = member;
        let (mut sender, mut receiver) = accept(stream).await?;
        tokio::spawn(async move {
            while let Ok(message) = listener.next().await {
                sender.send_binary(&message).await?;
                while let Some(message) = listener.at_hand() {
                    sender.send_binary(&message).await?;
                }
                sender.flush().await?;
            }
            Ok::<_, ::soketto::connection::Error>(())
        });
        loop {
            let mut message = Vec::new();
            receiver.receive_data(&mut message).await?;
            speaker.tell(message.into());
        }
    }
}

type Buffered = BufReader<BufWriter<Compat<TcpStream>>>;

/// Buffers around the stream are what its examples have.
async fn accept(stream: TcpStream) -> Result<(Sender<Buffered>, Receiver<Buffered>), Failure> {
    let mut server = Server::new(BufReader::new(BufWriter::new(stream.compat())));
    let key = server.receive_request().await?.key();
    server.send_response(&Response::Accept { key, protocol: None }).await?;
    Ok(server.into_builder().finish())
}

/// Sends a message of the type that it came with; text is checked here, as the crate does not.
async fn send(sender: &mut Sender<Buffered>, kind: &Data, message: &[u8]) -> Outcome {
    if kind.is_text() {
        sender.send_text(std::str::from_utf8(message)?).await?;
    } else {
        sender.send_binary(message).await?;
    }
    Ok(())
}
