//! The ways in which a connection ends, as its client sees to it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use socket2::{Domain, SockRef, Socket, Type};
use sotong::handshake::client::Request;
use sotong::{CloseCode, Config, Error, Event, Result, TimedOut};
use sotong::{blocking, tokio as asynchronous};
use tokio::runtime::Handle;

use crate::common::frame;

/// The timeouts of whoever gives up in these tests.
pub const HASTE: Duration = Duration::from_millis(40);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    // By a client of ours.
    ClientCloses,
    ClientClosesInHalves,
    ServerCloses,
    ClientDrops,
    ServerDrops,
    Refused,
    ClientGivesUp,
    Compressed,
    // By a peer that keeps no rules.
    Reset,
    Abandoned,
    NoHttp,
    MidMessage,
    BrokenRule,
    // By the server, who has waited long enough.
    SlowHandshake,
    NoPong,
    NoClose,
    DoesNotRead,
}

/// How the server has seen it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    Clean,
    Abrupt,
    PeerFault,
    TimedOut,
}

impl Ending {
    pub const ALL: [Self; 17] = [
        Self::ClientCloses,
        Self::ClientClosesInHalves,
        Self::ServerCloses,
        Self::ClientDrops,
        Self::ServerDrops,
        Self::Refused,
        Self::ClientGivesUp,
        Self::Compressed,
        Self::Reset,
        Self::Abandoned,
        Self::NoHttp,
        Self::MidMessage,
        Self::BrokenRule,
        Self::SlowHandshake,
        Self::NoPong,
        Self::NoClose,
        Self::DoesNotRead,
    ];

    pub fn seen(self) -> Seen {
        match self {
            Self::ClientCloses
            | Self::ClientClosesInHalves
            | Self::ServerCloses
            | Self::ServerDrops
            | Self::Refused
            | Self::ClientGivesUp => Seen::Clean,
            Self::ClientDrops
            | Self::Compressed
            | Self::Reset
            | Self::Abandoned
            | Self::MidMessage => Seen::Abrupt,
            Self::NoHttp | Self::BrokenRule => Seen::PeerFault,
            Self::SlowHandshake | Self::NoPong | Self::NoClose | Self::DoesNotRead => {
                Seen::TimedOut
            }
        }
    }

    /// Brings a connection to this end; over tokio where there is a runtime and a client of ours.
    pub fn act(self, address: SocketAddr, runtime: Option<&Handle>, configs: &Configs) {
        if (self as usize) > (Self::Compressed as usize) {
            return self.misbehave(address);
        }
        let stream = connect(address);
        let ended = match runtime {
            None => self.end(stream, configs),
            Some(runtime) => runtime.block_on(async {
                stream.set_nonblocking(true).unwrap();
                self.end_async(tokio::net::TcpStream::from_std(stream).unwrap(), configs).await
            }),
        };
        match self {
            Self::Refused => assert!(matches!(ended, Err(Error::Refused(_))), "{ended:?}"),
            Self::ServerDrops => assert!(ended.is_err_and(|error| error.is_abrupt_close())),
            Self::ClientGivesUp => {
                assert!(matches!(ended, Err(Error::TimedOut(TimedOut::Handshake))), "{ended:?}");
            }
            _ => ended.unwrap(),
        }
    }

    fn target(self) -> &'static str {
        match self {
            Self::ServerCloses | Self::NoClose => "/close",
            Self::ServerDrops => "/drop",
            Self::Refused => "/refuse",
            Self::ClientGivesUp => "/mute",
            Self::DoesNotRead => "/flood",
            _ => "/echo",
        }
    }

    fn config(self, configs: &Configs) -> Arc<Config> {
        Arc::clone(match self {
            Self::ClientGivesUp => &configs.hasty,
            Self::Compressed => &configs.compressing,
            _ => &configs.patient,
        })
    }

    fn end(self, stream: TcpStream, configs: &Configs) -> Result<()> {
        let request = Request { host: "a", target: self.target(), ..Request::default() };
        let (mut ws, _) = blocking::connect_over(stream, &request, self.config(configs))?;
        match self {
            Self::ServerCloses => while ws.recv()?.is_some() {},
            Self::ClientClosesInHalves => {
                let (mut receiver, mut sender) = ws.split()?;
                let closing = thread::spawn(move || sender.send_close(None));
                while receiver.recv()?.is_some() {}
                closing.join().unwrap()?;
            }
            _ => {
                ws.send_text(&LONG.repeat(10))?;
                if self == Self::Compressed {
                    ws.send_fragment(LONG, false)?;
                }
                assert!(matches!(ws.recv()?, Some(Event::Text(_))));
                if self == Self::ClientCloses {
                    ws.close(Some(CloseCode::NORMAL.into()))?;
                }
            }
        }
        Ok(())
    }

    async fn end_async(self, stream: tokio::net::TcpStream, configs: &Configs) -> Result<()> {
        let request = Request { host: "a", target: self.target(), ..Request::default() };
        let (mut ws, _) =
            asynchronous::connect_over(stream, &request, self.config(configs)).await?;
        match self {
            Self::ServerCloses => while ws.recv().await?.is_some() {},
            Self::ClientClosesInHalves => {
                let (mut receiver, mut sender) = ws.split();
                let closing = tokio::spawn(async move { sender.send_close(None).await });
                while receiver.recv().await?.is_some() {}
                closing.await.unwrap()?;
            }
            _ => {
                ws.send_text(&LONG.repeat(10)).await?;
                if self == Self::Compressed {
                    ws.send_fragment(LONG, false).await?;
                }
                assert!(matches!(ws.recv().await?, Some(Event::Text(_))));
                if self == Self::ClientCloses {
                    ws.close(Some(CloseCode::NORMAL.into())).await?;
                }
            }
        }
        Ok(())
    }

    /// What only a peer does that writes its bytes itself.
    fn misbehave(self, address: SocketAddr) {
        let mut peer = connect(address);
        match self {
            Self::Abandoned => return peer.write_all(&request("/echo")[..60]).unwrap(),
            Self::NoHttp => peer.write_all(b"\x16\x03\x01 this is TLS\r\n\r\n").unwrap(),
            Self::SlowHandshake => peer.write_all(&request("/echo")[..60]).unwrap(),
            _ => open(&mut peer, self.target()),
        }
        let message = frame(0x82, KEY, &[7; 5_000]);
        match self {
            Self::Reset => {
                peer.write_all(&message[..3_000]).unwrap();
                SockRef::from(&peer).set_linger(Some(Duration::ZERO)).unwrap();
                return;
            }
            Self::MidMessage => {
                let first = frame(0x02, KEY, b"in the middle of ");
                let second = &frame(0x80, KEY, &[7; 5_000])[..3_000];
                return peer.write_all(&[&first, second].concat()).unwrap();
            }
            Self::BrokenRule => peer.write_all(&frame(0x83, KEY, b"")).unwrap(),
            // Then the server has given up, or waits for our pong.
            Self::DoesNotRead => thread::sleep(4 * HASTE),
            _ => {}
        }
        let mut rest = vec![];
        // A reset at the end is as good as an end.
        let _either = peer.read_to_end(&mut rest);
    }
}

/// For the ends that wait, those that do not, and those that compress.
pub struct Configs {
    pub patient: Arc<Config>,
    pub hasty: Arc<Config>,
    pub compressing: Arc<Config>,
}

impl Configs {
    pub fn new() -> Self {
        let patient = Config::default();
        let mut hasty = patient.clone();
        let timeouts = &mut hasty.timeouts;
        (timeouts.handshake, timeouts.keepalive) = (Some(HASTE), Some(HASTE));
        (timeouts.pong, timeouts.close, timeouts.send) = (Some(HASTE), Some(HASTE), Some(HASTE));
        let compressing = compressing(patient.clone());
        let [patient, hasty, compressing] = [patient, hasty, compressing].map(Arc::new);
        Self { patient, hasty, compressing }
    }
}

#[cfg(feature = "deflate")]
fn compressing(mut config: Config) -> Config {
    let mut deflate = sotong::Deflate::default();
    (deflate.context_takeover, deflate.peer_context_takeover) = (true, true);
    deflate.threshold = 10;
    config.deflate = Some(deflate);
    config
}

#[cfg(not(feature = "deflate"))]
fn compressing(config: Config) -> Config {
    config
}

const KEY: Option<[u8; 4]> = Some([1, 2, 3, 4]);

const LONG: &str = "Cuttlefish see the polarization of light, but no colours. ";

/// With a small buffer, which is soon full for whoever does not read.
fn connect(address: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(8_192).unwrap();
    socket.connect(&address.into()).unwrap();
    socket.set_tcp_nodelay(true).unwrap();
    socket.into()
}

fn request(target: &str) -> Vec<u8> {
    format!(
        "GET {target} HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    .into()
}

/// Shakes hands; a server that is hasty may have given up already.
fn open(peer: &mut TcpStream, target: &str) {
    let mut answer = [0; 129];
    let _either = peer.write_all(&request(target)).and_then(|()| peer.read_exact(&mut answer));
}
