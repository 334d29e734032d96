//! The echo servers, each in a process of its own: `peers serve CANDIDATE MODE [--tls]`.
//!
//! A server prints a line, its port and with TLS its certificate, then serves until it is killed.
//! All run on tokio's current-thread runtime, with a task for each connection.

mod fastwebsockets;
mod hub;
mod raw;
mod sockudo_ws;
mod soketto;
mod sotong;
mod stream_and_sink;
mod tokio_websockets;
mod tungstenite;
mod upgrade;
mod web_socket;
mod wtx;
mod yawc;

use std::error::Error;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::process::{self, SERVER_CORE};
use super::tls;
use hub::{Hub, Member};

/// Who is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Candidate {
    Raw,
    Sotong,
    Tungstenite,
    Fastwebsockets,
    TokioWebsockets,
    SockudoWs,
    Wtx,
    Yawc,
    Soketto,
    WebSocket,
}

impl Candidate {
    pub const ALL: [Self; 10] = [
        Self::Raw,
        Self::Sotong,
        Self::Tungstenite,
        Self::Fastwebsockets,
        Self::TokioWebsockets,
        Self::SockudoWs,
        Self::Wtx,
        Self::Yawc,
        Self::Soketto,
        Self::WebSocket,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Sotong => crate::results::OURS,
            Self::Tungstenite => "tokio-tungstenite",
            Self::Fastwebsockets => "fastwebsockets",
            Self::TokioWebsockets => "tokio-websockets",
            Self::SockudoWs => "sockudo-ws",
            Self::Wtx => "wtx",
            Self::Yawc => "yawc",
            Self::Soketto => "soketto",
            Self::WebSocket => "web-socket",
        }
    }

    /// How it serves, where that is not all in the mode's name.
    pub fn note(self, mode: Mode) -> &'static str {
        match (self, mode) {
            (Self::Raw, Mode::Broadcast) => "passes on what it reads, as it comes",
            (Self::Raw, _) => {
                "no WebSocket: bytes as they come, by 64 KiB (1 MiB goes faster with larger reads)"
            }
            (Self::Sotong, Mode::Echo) => {
                "`recv_reply` and `feed`: replies leave with the next wait"
            }
            (Self::Sotong, Mode::Send) => "`recv_reply` and `send`",
            (Self::Sotong, Mode::Broadcast) => {
                "`Prepared`: `feed_prepared`, and `send_prepared` for the last at hand"
            }
            (Self::Tungstenite, Mode::Echo) => {
                "all messages at hand, then one flush; 16 KiB to read"
            }
            (Self::TokioWebsockets | Self::Yawc, Mode::Echo) => {
                "all messages at hand, then one flush"
            }
            (Self::SockudoWs, Mode::Echo) => "`next` and `feed`: replies leave with the next wait",
            (Self::Fastwebsockets | Self::WebSocket, Mode::Echo) => {
                "halves, the writing one over a `BufWriter`, flushed when nothing is at hand"
            }
            (Self::Soketto, Mode::Echo) => "flushes when no message is at hand",
            (Self::Wtx, Mode::Echo) => "cannot batch: its echo is its send",
            _ => "",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|candidate| candidate.name() == name)
    }
}

/// What a server does with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Sends it back in the way that is fastest for the crate when many come at once.
    Echo,
    /// Sends it back at once, in a write of its own.
    Send,
    /// Sends it to all other connections.
    Broadcast,
}

impl Mode {
    const ALL: [Self; 3] = [Self::Echo, Self::Send, Self::Broadcast];

    pub fn name(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::Send => "send",
            Self::Broadcast => "broadcast",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.name() == name)
    }
}

/// Runs one server; the arguments are those behind `serve`.
pub fn serve(args: &[String]) -> Outcome {
    let [candidate, mode, rest @ ..] = args else { return Err(USAGE.into()) };
    let candidate = Candidate::named(candidate).ok_or(USAGE)?;
    let mode = Mode::named(mode).ok_or(USAGE)?;
    process::die_with_parent();
    process::pin(SERVER_CORE);
    process::raise_descriptor_limit();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = listen()?;
        match rest {
            [] => serve_plain(candidate, listener, mode).await,
            [flag] if flag == "--tls" => serve_tls(candidate, listener, mode).await,
            _ => Err(USAGE.into()),
        }
    })
}

/// A crate, or a limit, as a server over streams of one type.
trait Peer<S> {
    /// What a broadcast hands to each connection.
    type Message: Clone + Send + 'static;

    fn echo(stream: S) -> impl Future<Output = Outcome> + Send + 'static;

    fn send(stream: S) -> impl Future<Output = Outcome> + Send + 'static;

    fn broadcast(
        stream: S,
        member: Member<Self::Message>,
    ) -> impl Future<Output = Outcome> + Send + 'static;
}

/// A stream that a peer can be generic over.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl Stream for TcpStream {}
impl Stream for TlsStream<TcpStream> {}

type Failure = Box<dyn Error + Send + Sync>;
pub type Outcome = Result<(), Failure>;

async fn serve_plain(candidate: Candidate, listener: TcpListener, mode: Mode) -> Outcome {
    println!("{}", listener.local_addr()?.port());
    match candidate {
        Candidate::Raw => plain::<raw::Raw>(listener, mode).await,
        Candidate::Sotong => plain::<sotong::Sotong>(listener, mode).await,
        Candidate::Tungstenite => plain::<tungstenite::Tungstenite>(listener, mode).await,
        Candidate::Fastwebsockets => plain::<fastwebsockets::Fastwebsockets>(listener, mode).await,
        Candidate::TokioWebsockets => {
            plain::<tokio_websockets::TokioWebsockets>(listener, mode).await
        }
        Candidate::SockudoWs => plain::<sockudo_ws::SockudoWs>(listener, mode).await,
        Candidate::Wtx => plain::<wtx::Wtx>(listener, mode).await,
        Candidate::Yawc => plain::<yawc::Yawc>(listener, mode).await,
        Candidate::Soketto => plain::<soketto::Soketto>(listener, mode).await,
        Candidate::WebSocket => plain::<web_socket::WebSocket>(listener, mode).await,
    }
}

async fn serve_tls(candidate: Candidate, listener: TcpListener, mode: Mode) -> Outcome {
    let (acceptor, certificate) = tls::acceptor()?;
    println!("{} {certificate}", listener.local_addr()?.port());
    match candidate {
        Candidate::Raw => encrypted::<raw::Raw>(listener, acceptor, mode).await,
        Candidate::Sotong => encrypted::<sotong::Sotong>(listener, acceptor, mode).await,
        Candidate::Tungstenite => {
            encrypted::<tungstenite::Tungstenite>(listener, acceptor, mode).await
        }
        _ => Err("is not compared over TLS".into()),
    }
}

async fn plain<P: Peer<TcpStream>>(listener: TcpListener, mode: Mode) -> Outcome {
    match mode {
        Mode::Echo => accept(listener, P::echo).await,
        Mode::Send => accept(listener, P::send).await,
        Mode::Broadcast => {
            let hub = Hub::new();
            accept(listener, |stream| P::broadcast(stream, hub.member())).await
        }
    }
}

async fn encrypted<P: Peer<TlsStream<TcpStream>>>(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    mode: Mode,
) -> Outcome {
    match mode {
        Mode::Echo => {
            accept(listener, |stream| {
                let handshake = acceptor.accept(stream);
                async { P::echo(handshake.await?).await }
            })
            .await
        }
        Mode::Send => {
            accept(listener, |stream| {
                let handshake = acceptor.accept(stream);
                async { P::send(handshake.await?).await }
            })
            .await
        }
        Mode::Broadcast => Err("does not broadcast over TLS".into()),
    }
}

fn listen() -> std::io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(([127, 0, 0, 1], 0).into())?;
    socket.listen(u16::MAX.into()) // the kernel takes what it allows
}

/// A task for each connection. How it ends is nobody's business here: the generator sees it.
async fn accept<F>(listener: TcpListener, connection: impl Fn(TcpStream) -> F) -> Outcome
where
    F: Future<Output = Outcome> + Send + 'static,
{
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(connection(stream));
    }
}

/// Waits for what comes next; only if it is not here yet, `flush` runs before.
async fn flush_before<T, E>(
    next: impl Future<Output = Result<T, E>>,
    flush: impl Future<Output = Result<(), E>>,
) -> Result<T, E> {
    let mut next = pin!(next);
    let at_hand = poll_fn(|cx| match next.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    });
    match at_hand.await {
        Some(output) => output,
        None => {
            flush.await?;
            next.await
        }
    }
}

const USAGE: &str = "usage: peers serve CANDIDATE echo|send|broadcast [--tls]";
