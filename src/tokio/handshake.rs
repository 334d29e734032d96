//! The opening handshake over a stream.

use std::boxed::Box;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::ready;
use std::time::Duration;

use ::tokio::io::{AsyncRead, AsyncWrite};
use ::tokio::time::timeout;

use super::pool::Pooled;
use super::reader::poll_drop_input;
use super::writer::{poll_write, uninterrupted};
use super::{Parts, WebSocket};
use crate::adapter::{Error, Result, head_buffer, masking_key, nonce, refuse};
use crate::buffer::{ReceiveBuffer, SendBuffer};
use crate::config::Config;
use crate::error::TimedOut;
use crate::handshake::client::{self, Outcome};
use crate::handshake::server::{self, Request, Response};

/// Accepts whoever asks for a WebSocket, whatever the target, from a page of [`Config::origins`] or
/// from a program that is no browser.
///
/// Look at the request first with [`Upgrade::receive`] if more of it matters.
///
/// The [module](crate::tokio) has an example.
///
/// # Errors
///
/// What came was no request for a WebSocket, or its Origin is not allowed, and it was refused; the
/// stream failed; it took too long.
///
/// # Cancel safety
///
/// None: the stream is lost with the future.
pub async fn accept<S>(io: S, config: impl Into<Arc<Config>>) -> Result<WebSocket<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let config = config.into();
    // On the heap, for as long as it lasts: the task of a connection is as large as the largest of what
    // it ever waits for, and most of its life is not spent on this.
    Box::pin(async { Upgrade::receive(io, config).await?.accept(&Response::default()).await }).await
}

/// Asks for a WebSocket over a stream that is connected.
///
/// For an example see [`Upgrade`].
///
/// # Errors
///
/// [`Error::Refused`] with the server's answer; the server broke a rule; the stream failed; it took
/// too long; [`SendError::NoMaskingKey`](crate::SendError::NoMaskingKey) without randomness for the
/// nonce, and then nothing was sent.
///
/// # Cancel safety
///
/// None: the stream is lost with the future.
pub async fn connect_over<S>(
    mut io: S,
    request: &client::Request<'_>,
    config: impl Into<Arc<Config>>,
) -> Result<(WebSocket<S>, client::Response)>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let config = config.into();
    let mut tx = SendBuffer::new();
    let mut rx = Pooled::new(head_buffer(&config));
    let limit = config.timeouts.handshake;
    let mut handshake = client::Handshake::start(request, config, nonce()?, masking_key, &mut tx)?;
    let outcome = within(limit, async {
        write(&mut io, &mut tx).await?;
        loop {
            if let Some(outcome) = handshake.receive(rx.get())? {
                return Ok(outcome);
            }
            if read(&mut io, &mut rx).await? == 0 {
                return Ok(handshake.handle_eof()?);
            }
        }
    });
    match outcome.await? {
        Outcome::Open(connection, response) => {
            Ok((WebSocket::from_parts(Parts { io, connection, rx: rx.into_inner(), tx }), response))
        }
        Outcome::Refused(response) => Err(Error::Refused(response.into())),
    }
}

/// A request that waits for its answer.
///
/// ```
/// # use sotong::{Config, Result};
/// # use sotong::handshake::client::Request;
/// # use sotong::tokio::{Upgrade, connect_over};
/// use sotong::handshake::server::Response;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<()> {
/// # let (io, stream) = tokio::io::duplex(1024);
/// # let client = tokio::spawn(async move {
/// let request = Request { target: "/chat?room=1", subprotocols: &["chat"], ..Request::default() };
/// let (mut ws, response) = connect_over(io, &request, Config::default()).await?;
/// assert_eq!(response.subprotocol(), Some("chat"));
/// # ws.close(None).await
/// # });
///
/// // And the other end:
/// let upgrade = Upgrade::receive(stream, Config::default()).await?;
/// let request = upgrade.request();
/// let speaks_chat = request.subprotocols().any(|name| name == "chat");
/// if request.path() != "/chat" || !speaks_chat {
///     return upgrade.reject(404, &[], b"nothing here\n").await;
/// }
/// let response = Response { subprotocol: Some("chat"), ..Response::default() };
/// let mut ws = upgrade.accept(&response).await?;
/// # while ws.recv().await?.is_some() {}
/// # client.await.unwrap()
/// # }
/// ```
#[derive(Debug)]
pub struct Upgrade<S> {
    io: S,
    request: Request,
    rx: Pooled<ReceiveBuffer>,
    config: Arc<Config>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Upgrade<S> {
    /// Reads a request. Take what time it needs to decide; nothing is answered until then.
    ///
    /// The request may be for something else than a WebSocket: [`Request::upgrade`] tells, and
    /// [`reject`](Self::reject) can answer with a page.
    ///
    /// For an example see [`Upgrade`].
    ///
    /// # Errors
    ///
    /// What came is not HTTP, and was refused; the stream failed; it took too long and was answered
    /// with 408.
    ///
    /// # Cancel safety
    ///
    /// None: the stream is lost with the future.
    pub async fn receive(mut io: S, config: impl Into<Arc<Config>>) -> Result<Self> {
        let config = config.into();
        let mut rx = Pooled::new(head_buffer(&config));
        let mut handshake = server::Handshake::new(&config);
        let received = within(config.timeouts.handshake, async {
            loop {
                if let Some(request) = handshake.receive(rx.get())? {
                    return Ok(request);
                }
                if read(&mut io, &mut rx).await? == 0 {
                    return Err(crate::handshake::HandshakeError::UnexpectedEof.into());
                }
            }
        });
        match received.await {
            Ok(request) => Ok(Self { io, request, rx, config }),
            Err(error) => {
                let mut tx = SendBuffer::new();
                refuse(&error, &mut tx);
                finish(io, tx, config).await.ok(); // the cause is what matters
                Err(error)
            }
        }
    }

    /// What was asked for.
    ///
    /// For an example see [`Upgrade`].
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// The stream below.
    ///
    /// ```
    /// use sotong::handshake::server::Response;
    /// use sotong::tokio::Upgrade;
    /// use tokio::net::TcpStream;
    ///
    /// async fn answer(upgrade: Upgrade<TcpStream>) -> sotong::Result<()> {
    ///     if !upgrade.stream().peer_addr()?.ip().is_loopback() {
    ///         return upgrade.reject(403, &[], b"from this machine only\n").await;
    ///     }
    ///     upgrade.accept(&Response::default()).await?.send_text("welcome").await
    /// }
    /// ```
    pub fn stream(&self) -> &S {
        &self.io
    }

    /// Opens the connection.
    ///
    /// For an example see [`Upgrade`].
    ///
    /// # Errors
    ///
    /// The request is not for a WebSocket, or its Origin is not one of [`Config::origins`], and it was
    /// refused; the response must not be sent, and the client got a 500; the stream failed; it took too
    /// long.
    ///
    /// # Cancel safety
    ///
    /// None: the stream is lost with the future.
    pub async fn accept(mut self, response: &Response<'_>) -> Result<WebSocket<S>> {
        let mut tx = SendBuffer::new();
        match self.request.accept(response, Arc::clone(&self.config), &mut tx) {
            Ok(connection) => {
                within(self.config.timeouts.handshake, write(&mut self.io, &mut tx)).await?;
                Ok(WebSocket::from_parts(Parts {
                    io: self.io,
                    connection,
                    rx: self.rx.into_inner(),
                    tx,
                }))
            }
            Err(error) => {
                match error.status() {
                    Some(_) => server::refuse(error, &mut tx),
                    None => self.request.reject(500, &[], b"", &mut tx)?,
                }
                finish(self.io, tx, self.config).await.ok(); // the cause is what matters
                Err(error.into())
            }
        }
    }

    /// Answers with something else: a refusal, a redirect, a page. Then the stream is closed.
    ///
    /// For an example see [`Upgrade`].
    ///
    /// # Errors
    ///
    /// The answer must not be sent; the stream failed; it took too long.
    ///
    /// # Cancel safety
    ///
    /// None: the stream is lost with the future.
    pub async fn reject(self, status: u16, headers: &[(&str, &str)], body: &[u8]) -> Result<()> {
        let mut tx = SendBuffer::new();
        self.request.reject(status, headers, body, &mut tx)?;
        finish(self.io, tx, self.config).await
    }
}

async fn within<T>(limit: Option<Duration>, work: impl Future<Output = Result<T>>) -> Result<T> {
    match limit {
        Some(limit) => timeout(limit, work).await.unwrap_or(Err(TimedOut::Handshake.into())),
        None => work.await,
    }
}

pub(super) async fn read<S: AsyncRead + Unpin>(
    io: &mut S,
    rx: &mut Pooled<ReceiveBuffer>,
) -> Result<usize> {
    Ok(poll_fn(|cx| rx.poll_read(|buf| Pin::new(&mut *io).poll_read(cx, buf))).await?)
}

pub(super) async fn write<S: AsyncWrite + Unpin>(io: &mut S, tx: &mut SendBuffer) -> Result<()> {
    poll_fn(|cx| {
        ready!(poll_write(io, &mut tx.transmit(), cx))?;
        uninterrupted(|| Pin::new(&mut *io).poll_flush(cx)).map_err(Into::into)
    })
    .await
}

/// Writes the last words and reads on until the client has seen them: what is left unread would
/// reset the stream and take the answer with it.
///
/// On the heap, apart from the futures of those that are accepted.
fn finish<S>(
    mut io: S,
    mut tx: SendBuffer,
    config: Arc<Config>,
) -> Pin<Box<impl Future<Output = Result<()>>>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    Box::pin(async move {
        within(config.timeouts.handshake, write(&mut io, &mut tx)).await?;
        let _: Result<()> = within(config.timeouts.close, async {
            poll_fn(|cx| uninterrupted(|| Pin::new(&mut io).poll_shutdown(cx))).await?;
            while poll_fn(|cx| poll_drop_input(|buf| Pin::new(&mut io).poll_read(cx, buf))).await?
                > 0
            {}
            Ok(())
        })
        .await;
        Ok(())
    })
}
