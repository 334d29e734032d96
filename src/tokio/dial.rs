//! From a URI to a connection.

use std::boxed::Box;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use std::time::Duration;
use std::vec::Vec;

#[cfg(feature = "socks")]
use ::tokio::io::{AsyncRead, AsyncWrite};
use ::tokio::net::{TcpStream, lookup_host};
use ::tokio::time::{sleep, timeout};

use super::handshake::{connect_over, read, write};
use super::pool::Pooled;
use super::{MaybeTls, WebSocket};
use crate::adapter::{Error, Result, head_buffer};
use crate::buffer::SendBuffer;
#[cfg(feature = "socks")]
use crate::dial::socks;
use crate::dial::{DialError, Dialer, Hop, Kind, Progress, Stage, interleave, is_open};
use crate::error::TimedOut;
use crate::handshake::HandshakeError;
use crate::handshake::client::Response;

/// Connects to a URI, or as a [`Dialer`] says.
///
/// All addresses of the host are tried, those of both families by turns, a quarter of a second after
/// each other, and the first that answers is taken (RFC 8305). `TCP_NODELAY` is set.
///
/// For an example see [the guide](crate#a-client-in-ten-lines), for a longer one
/// [`dial`](crate::dial).
///
/// # Errors
///
/// [`DialError`] says at which stage it failed. All of them have until
/// [`Timeouts::handshake`](crate::Timeouts::handshake) is over.
///
/// # Cancel safety
///
/// Nothing is left behind: what was connected is closed.
pub async fn connect<D>(to: D) -> Result<(WebSocket<MaybeTls>, Response), DialError>
where
    D: TryInto<Dialer>,
    DialError: From<D::Error>,
{
    let dialer = to.try_into()?;
    let limit = dialer.config.timeouts.handshake;
    let mut progress = Progress::START;
    // On the heap, for as long as it lasts, as the other handshakes.
    let dialing = Box::pin(dial(&dialer, &mut progress));
    let dialed = match limit {
        Some(limit) => timeout(limit, dialing).await.unwrap_or(Err(TimedOut::Handshake.into())),
        None => dialing.await,
    };
    dialed.map_err(|error| DialError::told(progress, error))
}

async fn dial(dialer: &Dialer, progress: &mut Progress) -> Result<(WebSocket<MaybeTls>, Response)> {
    let mut hop = Hop::first(dialer);
    loop {
        hop.reach(Stage::Resolve, progress);
        let neighbour = hop.neighbour();
        let addresses = lookup_host((&*neighbour.host, neighbour.port)).await?;
        hop.reach(Stage::Connect, progress);
        let mut tcp = first_to_connect(interleave(addresses)).await?;
        tcp.set_nodelay(true)?;
        if let Some(kind) = hop.proxy() {
            hop.reach(Stage::Proxy, progress);
            pass(&mut tcp, kind, &hop).await?;
        }
        let io = if hop.is_secure() {
            hop.reach(Stage::Tls, progress);
            MaybeTls::client(tcp, &hop).await?
        } else {
            MaybeTls::Plain(tcp)
        };
        hop.reach(Stage::Handshake, progress);
        let fields = hop.fields();
        let opened = connect_over(io, &fields.request(), Arc::clone(hop.settings())).await;
        drop(fields);
        match opened {
            Err(Error::Refused(response)) => hop = hop.redirected(response, progress)?,
            done => return done,
        }
    }
}

/// How long an address has a start on the next (RFC 8305, section 5).
const START: Duration = Duration::from_millis(250);

/// Tries the addresses one after the other and side by side.
async fn first_to_connect(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let mut failure = io::ErrorKind::AddrNotAvailable.into();
    let mut attempts: Vec<Pin<Box<_>>> = Vec::new();
    for address in addresses {
        attempts.push(Box::pin(TcpStream::connect(address)));
        let mut start = pin!(sleep(START));
        let connected = poll_fn(|cx| {
            if let Poll::Ready(stream) = poll_first(&mut attempts, &mut failure, cx) {
                return Poll::Ready(Some(stream));
            }
            let is_over = attempts.is_empty() || start.as_mut().poll(cx).is_ready();
            if is_over { Poll::Ready(None) } else { Poll::Pending }
        });
        if let Some(stream) = connected.await {
            return Ok(stream);
        }
    }
    poll_fn(|cx| match poll_first(&mut attempts, &mut failure, cx) {
        Poll::Ready(stream) => Poll::Ready(Some(stream)),
        Poll::Pending if attempts.is_empty() => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    })
    .await
    .ok_or(failure)
}

/// The first of the attempts that has succeeded; those that have failed are let go.
fn poll_first<F: Future<Output = io::Result<TcpStream>>>(
    attempts: &mut Vec<Pin<Box<F>>>,
    failure: &mut io::Error,
    cx: &mut Context<'_>,
) -> Poll<TcpStream> {
    let mut connected = Poll::Pending;
    attempts.retain_mut(|attempt| match attempt.as_mut().poll(cx) {
        Poll::Ready(Ok(stream)) => {
            connected = Poll::Ready(stream);
            false
        }
        Poll::Ready(Err(error)) => {
            *failure = error;
            false
        }
        Poll::Pending => true,
    });
    connected
}

/// Has a proxy connect us with the server.
async fn pass(tcp: &mut TcpStream, kind: Kind, hop: &Hop<'_>) -> Result<()> {
    match kind {
        Kind::Http => {
            let mut rx = Pooled::new(head_buffer(hop.settings()));
            let mut tx = SendBuffer::new();
            let mut tunnel = hop.start_tunnel(&mut tx);
            write(tcp, &mut tx).await?;
            while !is_open(tunnel.receive(rx.get())?)? {
                if read(tcp, &mut rx).await? == 0 {
                    return Err(HandshakeError::UnexpectedEof.into());
                }
            }
            Ok(())
        }
        #[cfg(feature = "socks")]
        Kind::Socks => Ok(socks::pass(Socket(tcp), hop).await?),
    }
}

/// What the SOCKS library wants of a stream.
#[cfg(feature = "socks")]
struct Socket<'s>(&'s mut TcpStream);

#[cfg(feature = "socks")]
impl socks::AsyncSocket for Socket<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut buf = ::tokio::io::ReadBuf::new(buf);
        let read = AsyncRead::poll_read(Pin::new(&mut *self.0), cx, &mut buf);
        read.map_ok(|()| buf.filled().len())
    }

    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        AsyncWrite::poll_write(Pin::new(&mut *self.0), cx, buf)
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::dial::deaf::Deaf;
    use std::net::TcpListener;
    use std::time::Instant;

    #[::tokio::test]
    async fn an_address_that_does_not_answer_has_a_start_on_the_next_and_no_more() {
        let (deaf, server) = (Deaf::new(), TcpListener::bind("127.0.0.1:0").unwrap());
        let good = server.local_addr().unwrap();
        let begun = Instant::now();
        let dialing = first_to_connect(std::vec![deaf.address, good]);
        let tcp = timeout(START * 20, dialing).await.unwrap().unwrap();
        assert_eq!(tcp.peer_addr().unwrap(), good);
        assert!(begun.elapsed() >= START, "{:?}", begun.elapsed());
    }
}
