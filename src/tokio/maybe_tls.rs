//! A connection with TLS or without.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use ::tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use ::tokio::net::TcpStream;

use crate::dial::Hop;

/// What a dialed connection goes over.
///
/// For an example of what connects over it see [the guide](crate#a-client-in-ten-lines).
#[derive(Debug)]
#[non_exhaustive]
pub enum MaybeTls {
    /// TCP alone, as `ws://` wants it.
    Plain(TcpStream),
    /// TLS, as `wss://` wants it.
    #[cfg(feature = "rustls")]
    Tls(std::boxed::Box<tokio_rustls::client::TlsStream<TcpStream>>),
}

impl MaybeTls {
    /// Sets up TLS.
    #[cfg(feature = "rustls")]
    pub(super) async fn client(tcp: TcpStream, hop: &Hop<'_>) -> io::Result<Self> {
        let (config, server_name) = hop.tls()?;
        let connector = tokio_rustls::TlsConnector::from(config);
        Ok(Self::Tls(connector.connect(server_name, tcp).await?.into()))
    }

    #[cfg(not(feature = "rustls"))]
    pub(super) async fn client(_: TcpStream, _: &Hop<'_>) -> io::Result<Self> {
        Err(crate::dial::no_tls())
    }

    /// The socket.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let (ws, _response) = sotong::tokio::connect("ws://example.com/").await?;
    /// println!("connected to {}", ws.stream().tcp().peer_addr()?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(tcp) => tcp,
            #[cfg(feature = "rustls")]
            Self::Tls(tls) => tls.get_ref().0,
        }
    }
}

/// Calls a method of the stream.
macro_rules! on_stream {
    ($this:expr, $stream:ident => $call:expr) => {
        match $this.get_mut() {
            Self::Plain(tcp) => {
                let $stream = Pin::new(tcp);
                $call
            }
            #[cfg(feature = "rustls")]
            Self::Tls(tls) => {
                let $stream = Pin::new(&mut **tls);
                $call
            }
        }
    };
}

impl AsyncRead for MaybeTls {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        on_stream!(self, stream => stream.poll_read(cx, buf))
    }
}

impl AsyncWrite for MaybeTls {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        on_stream!(self, stream => stream.poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        on_stream!(self, stream => stream.poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(tcp) => tcp.is_write_vectored(),
            #[cfg(feature = "rustls")]
            Self::Tls(tls) => tls.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_stream!(self, stream => stream.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_stream!(self, stream => stream.poll_shutdown(cx))
    }
}
