//! The limit: bytes back as they come, and buffers only for connections that have bytes.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::Poll;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf};

use super::{Member, Outcome, Peer, Stream};
use crate::loopback::load::ACCEPT;

pub struct Raw;

impl<S: Stream> Peer<S> for Raw {
    type Message = Bytes;

    async fn echo(mut stream: S) -> Outcome {
        shake_hands(&mut stream).await?;
        while let Some((buffer, n)) = read(&mut stream).await? {
            stream.write_all(&buffer[..n]).await?;
            stream.flush().await?;
            give_back(buffer);
        }
        Ok(())
    }

    async fn send(stream: S) -> Outcome {
        Self::echo(stream).await
    }

    async fn broadcast(mut stream: S, mut member: Member<Bytes>) -> Outcome {
        shake_hands(&mut stream).await?;
        loop {
            tokio::select! {
                biased;
                message = member.listener.next() => {
                    stream.write_all(&message?).await?;
                    while let Some(message) = member.listener.at_hand() {
                        stream.write_all(&message).await?;
                    }
                }
                bytes = read(&mut stream) => {
                    let Some((buffer, n)) = bytes? else { return Ok(()) };
                    member.speaker.tell(Bytes::copy_from_slice(&buffer[..n]));
                    give_back(buffer);
                }
            }
        }
    }
}

/// Answers whatever is asked with the one answer that the generator expects.
pub async fn shake_hands(stream: &mut impl Stream) -> io::Result<()> {
    let mut head = Vec::with_capacity(512);
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut head).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    let response = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {ACCEPT}\r\n\r\n"
    );
    stream.write_all(response.as_bytes()).await?;
    stream.flush().await
}

/// Reads into a buffer of the thread's; `None` at the end.
async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<(Box<[u8]>, usize)>> {
    poll_fn(|cx| {
        let mut buffer = take();
        let mut filled = ReadBuf::new(&mut buffer);
        let polled = Pin::new(&mut *stream).poll_read(cx, &mut filled);
        let n = filled.filled().len();
        match polled {
            Poll::Ready(Ok(())) if n > 0 => Poll::Ready(Ok(Some((buffer, n)))),
            Poll::Ready(Ok(())) => Poll::Ready(Ok(None)),
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => {
                give_back(buffer);
                Poll::Pending
            }
        }
    })
    .await
}

fn take() -> Box<[u8]> {
    BUFFERS.with_borrow_mut(Vec::pop).unwrap_or_else(|| vec![0; 64 * 1024].into())
}

fn give_back(buffer: Box<[u8]>) {
    BUFFERS.with_borrow_mut(|buffers| buffers.push(buffer));
}

std::thread_local! {
    static BUFFERS: RefCell<Vec<Box<[u8]>>> = const { RefCell::new(Vec::new()) };
}
