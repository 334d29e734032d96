//! Slow, dead and rude peers over real sockets: every deadline fires, every task ends.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use sotong::handshake::HandshakeError;
use sotong::{
    Agreed, CloseCode, Config, Error, Event, ProtocolError, Result, TimedOut, blocking,
    tokio as asynchronous,
};

use crate::scripted::masked;
use crate::subject::block_on;

pub const REQUEST: &[u8] =
    b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

pub const ADAPTERS: [Adapter; 2] = [Adapter::Blocking, Adapter::Tokio];

#[derive(Clone, Copy, Debug)]
pub enum Adapter {
    Blocking,
    Tokio,
}

/// An echo server for one connection; what it agreed on and how it ended.
pub fn serve(
    adapter: Adapter,
    config: Config,
) -> (TcpStream, std::thread::JoinHandle<Result<Agreed>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    peer.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let (stream, _) = listener.accept().unwrap();
    let server = std::thread::spawn(move || match adapter {
        Adapter::Blocking => echo(stream, &config),
        Adapter::Tokio => block_on(async { echo_async(nonblocking(stream), &config).await }),
    });
    (peer, server)
}

pub fn nonblocking(stream: TcpStream) -> tokio::net::TcpStream {
    stream.set_nonblocking(true).unwrap();
    tokio::net::TcpStream::from_std(stream).unwrap()
}

fn echo(stream: TcpStream, config: &Config) -> Result<Agreed> {
    let mut ws = blocking::accept(stream, config)?;
    while let Some((event, mut reply)) = ws.recv_reply()? {
        match event {
            Event::Text(text) => reply.feed(text)?,
            Event::Binary(bytes) => reply.feed(bytes)?,
            _ => {}
        }
    }
    Ok(ws.agreed())
}

async fn echo_async(stream: tokio::net::TcpStream, config: &Config) -> Result<Agreed> {
    let mut ws = asynchronous::accept(stream, config).await?;
    while let Some((event, mut reply)) = ws.recv_reply().await? {
        match event {
            Event::Text(text) => reply.feed(text).await?,
            Event::Binary(bytes) => reply.feed(bytes).await?,
            _ => {}
        }
    }
    Ok(ws.agreed())
}

/// Timeouts that pass quickly, all but those a test is about.
fn quick() -> Config {
    let mut config = Config::default();
    config.timeouts.close = Some(Duration::from_millis(300));
    config
}

fn until_the_end(peer: &mut TcpStream) -> Vec<u8> {
    let mut bytes = vec![];
    // A reset at the end is as good as an end: what came before it is kept.
    let _either = peer.read_to_end(&mut bytes);
    bytes
}

fn open(peer: &mut TcpStream) {
    peer.write_all(REQUEST).unwrap();
    let mut answer = [0; 129];
    peer.read_exact(&mut answer).unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 101 ") && answer.ends_with(b"\r\n\r\n"));
}

#[test]
fn a_request_that_trickles_in_is_given_up_after_a_total_time() {
    for adapter in ADAPTERS {
        let mut config = quick();
        config.timeouts.handshake = Some(Duration::from_millis(400));
        let (mut peer, server) = serve(adapter, config);
        let start = Instant::now();
        for byte in REQUEST.iter().take(20) {
            // Each byte is in time; all of them are not.
            let _may_be_refused_already = peer.write_all(&[*byte]);
            std::thread::sleep(Duration::from_millis(50));
        }
        assert!(until_the_end(&mut peer).starts_with(b"HTTP/1.1 408 "), "{adapter:?}");
        assert!(matches!(server.join().unwrap(), Err(Error::TimedOut(TimedOut::Handshake))));
        assert!(start.elapsed() < Duration::from_secs(5));
    }
}

#[test]
fn a_peer_that_stops_reading_is_given_up() {
    for adapter in ADAPTERS {
        let mut config = quick();
        config.timeouts.send = Some(Duration::from_millis(400));
        let (mut peer, server) = serve(adapter, config);
        open(&mut peer);
        peer.set_write_timeout(Some(Duration::from_millis(100))).unwrap();
        let flood = masked(0x82, &vec![7; 500_000]);
        while !server.is_finished() {
            let _stuck = peer.write_all(&flood);
        }
        let ended = server.join().unwrap();
        assert!(matches!(ended, Err(Error::TimedOut(TimedOut::Send))), "{adapter:?}: {ended:?}");
    }
}

#[test]
fn a_peer_that_is_silent_is_pinged_and_then_given_up() {
    for adapter in ADAPTERS {
        let mut config = quick();
        config.timeouts.keepalive = Some(Duration::from_millis(200));
        config.timeouts.pong = Some(Duration::from_millis(200));
        let (mut peer, server) = serve(adapter, config);
        open(&mut peer);
        for _ in 0..3 {
            let mut ping = [0; 2];
            peer.read_exact(&mut ping).unwrap();
            assert_eq!(ping, [0x89, 0]);
            peer.write_all(&masked(0x8a, b"")).unwrap();
        }
        assert_eq!(until_the_end(&mut peer), [0x89, 0], "one more, which nobody answers");
        assert!(
            matches!(server.join().unwrap(), Err(Error::TimedOut(TimedOut::Pong))),
            "{adapter:?}"
        );
    }
}

#[test]
fn an_error_is_told_before_the_stream_ends_even_to_a_peer_in_full_flow() {
    for adapter in ADAPTERS {
        let mut config = quick();
        config.limits.frame = 1_000;
        let (mut peer, server) = serve(adapter, config);
        open(&mut peer);
        peer.write_all(&masked(0x82, &vec![0; 3_000_000])).unwrap();
        assert_eq!(until_the_end(&mut peer), [0x88, 2, 3, 0xf1], "1009, {adapter:?}");
        drop(peer);
        assert!(matches!(server.join().unwrap(), Err(Error::Protocol(ProtocolError::FrameTooBig))));
    }
}

#[test]
fn a_peer_that_goes_on_sending_after_the_close_is_cut_off() {
    for adapter in ADAPTERS {
        let (mut peer, server) = serve(adapter, quick());
        open(&mut peer);
        peer.write_all(&masked(0x88, b"\x03\xe8")).unwrap();
        let start = Instant::now();
        while peer.write_all(&masked(0x82, &[0; 10_000])).is_ok() {
            assert!(start.elapsed() < Duration::from_secs(10), "{adapter:?}");
        }
        server.join().unwrap().unwrap();
    }
}

#[test]
fn a_close_that_is_not_answered_ends_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    peer.write_all(REQUEST).unwrap();
    let mut ws = blocking::accept(listener.accept().unwrap().0, quick()).unwrap();
    let closed = ws.close(Some(CloseCode::GOING_AWAY.into()));
    assert!(matches!(closed, Err(Error::TimedOut(TimedOut::Close))), "{closed:?}");
}

#[test]
fn ends_without_a_close_are_told_apart_from_broken_rules() {
    for adapter in ADAPTERS {
        let (mut peer, server) = serve(adapter, quick());
        open(&mut peer);
        peer.write_all(&masked(0x82, &[1; 100])[..50]).unwrap();
        drop(peer);
        let error = server.join().unwrap().unwrap_err();
        assert!(error.is_abrupt_close() && !error.is_peer_fault(), "{adapter:?}: {error:?}");

        let (peer, server) = serve(adapter, quick());
        drop(peer);
        let error = server.join().unwrap().unwrap_err();
        assert!(
            matches!(error, Error::Handshake(HandshakeError::UnexpectedEof)),
            "{adapter:?}: {error:?}"
        );
    }
}

#[test]
fn messages_that_came_before_the_stream_broke_are_handed_over() {
    for adapter in ADAPTERS {
        let (mut peer, server) = serve(adapter, quick());
        open(&mut peer);
        let burst: Vec<u8> = (0..50).flat_map(|i| masked(0x82, &[i; 10])).collect();
        peer.write_all(&[burst, masked(0x88, b"\x03\xe8")].concat()).unwrap();
        drop(peer); // resets the stream as soon as an echo arrives
        let ended = server.join().unwrap();
        assert!(ended.is_ok() || ended.is_err_and(|error| error.is_abrupt_close()), "{adapter:?}");
    }
}
