//! A connection with TLS or without.

use std::io::{self, IoSlice, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

#[cfg(feature = "rustls")]
use super::TlsStream;
use super::{Stream, TryClone};

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
    Tls(TlsStream<TcpStream>),
}

/// Calls a method of the stream.
macro_rules! on_stream {
    ($this:expr, $stream:ident => $call:expr) => {
        match $this {
            Self::Plain($stream) => $call,
            #[cfg(feature = "rustls")]
            Self::Tls($stream) => $call,
        }
    };
}

impl MaybeTls {
    /// The socket.
    ///
    /// ```
    /// # use sotong::{Config, blocking::accept};
    /// # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// # let uri = &format!("ws://{}/", listener.local_addr()?);
    /// # let server = std::thread::spawn(move || accept(listener.accept()?.0, Config::default()));
    /// let (ws, _response) = sotong::blocking::connect(uri)?; // as "wss://example.com/chat"
    /// let address = ws.stream().tcp().peer_addr()?; // the one that answered first
    /// # assert!(address.ip().is_loopback());
    /// # server.join().unwrap()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(tcp) => tcp,
            #[cfg(feature = "rustls")]
            Self::Tls(tls) => tls.stream(),
        }
    }
}

impl Read for MaybeTls {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        on_stream!(self, stream => stream.read(buf))
    }
}

impl Write for MaybeTls {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        on_stream!(self, stream => stream.write(buf))
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        on_stream!(self, stream => stream.write_vectored(bufs))
    }

    fn flush(&mut self) -> io::Result<()> {
        on_stream!(self, stream => stream.flush())
    }
}

impl Stream for MaybeTls {
    fn prepare(&mut self, tick: Option<Duration>) -> io::Result<bool> {
        on_stream!(self, stream => stream.prepare(tick))
    }

    fn takes_slices(&self) -> bool {
        on_stream!(self, stream => stream.takes_slices())
    }

    fn shut_down(&mut self) -> io::Result<bool> {
        on_stream!(self, stream => stream.shut_down())
    }
}

impl TryClone for MaybeTls {
    fn try_clone(&self) -> io::Result<Self> {
        Ok(match self {
            Self::Plain(tcp) => Self::Plain(tcp.try_clone()?),
            #[cfg(feature = "rustls")]
            Self::Tls(tls) => Self::Tls(tls.try_clone()?),
        })
    }
}
