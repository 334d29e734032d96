//! From a URI to a connection.

use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::string::String;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};
use std::vec::Vec;

use super::handshake::{Opening, from_now, open};
use super::{MaybeTls, WebSocket};
use crate::adapter::{Error, Result};
use crate::buffer::SendBuffer;
use crate::dial::{DialError, Dialer, Hop, Kind, Progress, Stage, interleave, is_open};
use crate::error::TimedOut;
use crate::handshake::HandshakeError;
use crate::handshake::client::Response;

/// Connects to a URI, or as a [`Dialer`] says.
///
/// All addresses of the host are tried, those of both families by turns, a quarter of a second after
/// each other, and the first that answers is taken (RFC 8305). `TCP_NODELAY` is set.
///
/// Names are looked up, and addresses tried, by threads of their own: the system has no way to end
/// that at a deadline, and what comes too late is dropped.
///
/// For an example see [the guide](crate#a-client-in-ten-lines), for a longer one
/// [`dial`](crate::dial).
///
/// # Errors
///
/// [`DialError`] says at which stage it failed. All of them have until
/// [`Timeouts::handshake`](crate::Timeouts::handshake) is over.
pub fn connect<D>(to: D) -> Result<(WebSocket<MaybeTls>, Response), DialError>
where
    D: TryInto<Dialer>,
    DialError: From<D::Error>,
{
    let dialer = to.try_into()?;
    let limit = dialer.config.timeouts.handshake;
    let deadline = Deadline(from_now(limit));
    let mut progress = Progress::START;
    dial(&dialer, deadline, &mut progress).map_err(|error| DialError::told(progress, error))
}

fn dial(
    dialer: &Dialer,
    deadline: Deadline,
    progress: &mut Progress,
) -> Result<(WebSocket<MaybeTls>, Response)> {
    let mut hop = Hop::first(dialer);
    loop {
        hop.reach(Stage::Resolve, progress);
        let neighbour = hop.neighbour();
        let addresses = look_up(neighbour.host.clone(), neighbour.port, deadline)?;
        hop.reach(Stage::Connect, progress);
        let mut tcp = first_to_connect(interleave(addresses), deadline)?;
        if let Some(kind) = hop.proxy() {
            hop.reach(Stage::Proxy, progress);
            tcp = pass(tcp, kind, &hop, deadline)?;
        }
        let io = if hop.is_secure() {
            hop.reach(Stage::Tls, progress);
            set_up_tls(tcp, &hop, deadline)?
        } else {
            MaybeTls::Plain(tcp)
        };
        hop.reach(Stage::Handshake, progress);
        let fields = hop.fields();
        let opened = open(io, &fields.request(), Arc::clone(hop.settings()), deadline.0);
        drop(fields);
        match opened {
            Err(Error::Refused(refusal)) => hop = hop.redirected(refusal, progress)?,
            done => return done,
        }
    }
}

/// When dialing must be over.
#[derive(Clone, Copy)]
struct Deadline(Option<Instant>);

impl Deadline {
    /// What is left until then; no end is far away.
    fn left(self) -> Result<Duration> {
        let Some(deadline) = self.0 else { return Ok(Duration::MAX) };
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(TimedOut::Handshake.into()) } else { Ok(left) }
    }
}

/// The addresses of a host.
fn look_up(host: String, port: u16, deadline: Deadline) -> Result<Vec<SocketAddr>> {
    let (tell, told) = mpsc::channel();
    thread::Builder::new().spawn(move || {
        let addresses = (host, port).to_socket_addrs();
        tell.send(addresses.map(Vec::from_iter)).ok(); // or it was too late
    })?;
    match told.recv_timeout(deadline.left()?) {
        Ok(addresses) => Ok(addresses?),
        Err(_) => Err(TimedOut::Handshake.into()),
    }
}

/// How long an address has a start on the next (RFC 8305, section 5).
const START: Duration = Duration::from_millis(250);

/// Tries the addresses one after the other and side by side.
fn first_to_connect(addresses: Vec<SocketAddr>, deadline: Deadline) -> Result<TcpStream> {
    let (tell, told) = mpsc::channel();
    let mut failure = io::ErrorKind::AddrNotAvailable.into();
    let mut addresses = addresses.into_iter();
    let mut under_way = 0;
    loop {
        let left = deadline.left()?;
        let patience = match addresses.next() {
            Some(address) => {
                let tell = tell.clone();
                let attempt = move || tell.send(TcpStream::connect_timeout(&address, left));
                if let Err(error) = thread::Builder::new().spawn(attempt) {
                    failure = error; // of this attempt; another one may be under way
                    continue;
                }
                under_way += 1;
                START.min(left)
            }
            None if under_way == 0 => return Err(Error::Io(failure)),
            None => left,
        };
        match told.recv_timeout(patience) {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => {
                failure = error;
                under_way -= 1;
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
        }
    }
}

/// Has a proxy connect us with the server.
fn pass(tcp: TcpStream, kind: Kind, hop: &Hop<'_>, deadline: Deadline) -> Result<TcpStream> {
    let mut opening = Opening::start(tcp, hop.settings(), deadline.0)?;
    match kind {
        Kind::Http => {
            let mut tx = SendBuffer::new();
            let mut tunnel = hop.start_tunnel(&mut tx);
            opening.write(&mut tx)?;
            while !is_open(tunnel.receive(&mut opening.rx)?)? {
                if opening.read()? == 0 {
                    return Err(HandshakeError::UnexpectedEof.into());
                }
            }
        }
        #[cfg(feature = "socks")]
        Kind::Socks => socks::pass(&mut opening, hop)?,
    }
    Ok(opening.io)
}

#[cfg(feature = "rustls")]
fn set_up_tls(tcp: TcpStream, hop: &Hop<'_>, deadline: Deadline) -> Result<MaybeTls> {
    let (config, server) = hop.tls()?;
    let tls = super::TlsStream::client(tcp, config, server).map_err(io::Error::other)?;
    // Flushed is what the peer could read, and before the handshake that is nothing.
    let mut opening = Opening::start(tls, hop.settings(), deadline.0)?;
    opening.write(&mut SendBuffer::new())?;
    Ok(MaybeTls::Tls(opening.io))
}

#[cfg(not(feature = "rustls"))]
fn set_up_tls(_: TcpStream, _: &Hop<'_>, _: Deadline) -> Result<MaybeTls> {
    Err(crate::dial::no_tls().into())
}

/// The SOCKS library is asynchronous; over a stream that never has it wait it is not.
#[cfg(feature = "socks")]
mod socks {
    use std::future::Future;
    use std::io::{self, Read, Write};
    use std::net::TcpStream;
    use std::pin::{Pin, pin};
    use std::task::{Context, Poll, Waker};

    use crate::adapter::{Error, Result};
    use crate::blocking::handshake::Opening;
    use crate::dial::Hop;
    use crate::dial::socks::{AsyncSocket, pass as ask};

    pub(super) fn pass(opening: &mut Opening<TcpStream>, hop: &Hop<'_>) -> Result<()> {
        let asked = pin!(ask(Socket(opening), hop)).poll(&mut Context::from_waker(Waker::noop()));
        match asked {
            Poll::Ready(Ok(())) => Ok(()),
            Poll::Ready(Err(error)) => {
                opening.check_deadline()?;
                Err(error.into())
            }
            Poll::Pending => unreachable!("the stream never has it wait"),
        }
    }

    /// Blocks where others would be pending.
    struct Socket<'o>(&'o mut Opening<TcpStream>);

    impl Socket<'_> {
        fn block<T>(&mut self, work: impl FnMut(&mut TcpStream) -> io::Result<T>) -> io::Result<T> {
            self.0.retry(work).map_err(|error| match error {
                Error::Io(error) => error,
                error => io::Error::other(error), // our deadline
            })
        }
    }

    impl AsyncSocket for Socket<'_> {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buf: &mut [u8],
        ) -> Poll<io::Result<usize>> {
            Poll::Ready(self.block(|io| io.read(buf)))
        }

        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buf: &[u8],
        ) -> Poll<io::Result<usize>> {
            Poll::Ready(self.block(|io| io.write(buf)))
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::dial::deaf::Deaf;
    use std::net::TcpListener;
    use std::process::Command;
    use std::string::ToString;
    use std::{env, vec};

    fn patience() -> Deadline {
        Deadline(from_now(Some(Duration::from_secs(20))))
    }

    #[test]
    fn an_address_that_does_not_answer_has_a_start_on_the_next_and_no_more() {
        let (deaf, server) = (Deaf::new(), TcpListener::bind("127.0.0.1:0").unwrap());
        let good = server.local_addr().unwrap();
        let begun = Instant::now();
        let tcp = first_to_connect(vec![deaf.address, good], patience()).unwrap();
        assert_eq!(tcp.peer_addr().unwrap(), good);
        assert!((START..START * 20).contains(&begun.elapsed()), "{:?}", begun.elapsed());
    }

    /// In a program whose threads are to have larger stacks than there is memory.
    #[test]
    fn a_thread_that_cannot_be_made_is_an_error() {
        const NAME: &str = "blocking::dial::tests::a_thread_that_cannot_be_made_is_an_error";
        const STACK: &str = "RUST_MIN_STACK";
        let too_much = (usize::MAX / 4 * 3).to_string();
        if env::var(STACK).is_ok_and(|bytes| bytes == too_much) {
            look_up("127.0.0.1".into(), 80, patience()).unwrap_err();
            let server = TcpListener::bind("127.0.0.1:0").unwrap();
            let addresses = vec![server.local_addr().unwrap(); 2];
            first_to_connect(addresses, patience()).unwrap_err();
            return;
        }
        let mut program = Command::new(env::current_exe().unwrap());
        program.args([NAME, "--exact", "--test-threads=1"]).env(STACK, too_much);
        let output = program.output().unwrap();
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && told.contains("1 passed"), "{told}");
    }
}
