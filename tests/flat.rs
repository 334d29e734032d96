//! Much more than memory holds goes through a connection, and memory stays as it is: 64 MiB, and 1
//! GiB in a release build.
#![cfg(feature = "tokio")]

#[path = "common/heap.rs"]
mod heap;

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::thread;

use heap::measure;
use sotong::handshake::client::Request;
use sotong::{Config, blocking, tokio as asynchronous};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf, copy, duplex};

const LEN: u64 = if cfg!(debug_assertions) { 64 << 20 } else { 1 << 30 };

/// The most that is held for both ends at once, in bytes: each has a receive buffer and a queue of
/// 64 KiB with a message of as much above its mark, and grows by moving.
const MOST: usize = 1 << 20;

/// Bytes that repeat themselves only after so many, a prime, that no buffer fits to them.
const PERIOD: usize = 65_521;

/// A place within `LEN` bytes, which are made or checked there.
struct Bytes {
    pattern: Vec<u8>,
    at: u64,
}

impl Bytes {
    fn new() -> Self {
        let octet = |i: usize| (i.wrapping_mul(2_654_435_761) >> 13) as u8;
        Self { pattern: (0..2 * PERIOD).map(|i| octet(i % PERIOD)).collect(), at: 0 }
    }

    fn next(&mut self, most: usize) -> &[u8] {
        let start = (self.at % PERIOD as u64) as usize;
        let n = most.min(PERIOD).min((LEN - self.at).try_into().unwrap_or(usize::MAX));
        self.at += n as u64;
        &self.pattern[start..start + n]
    }

    fn check(&mut self, bytes: &[u8]) -> usize {
        let at = self.at;
        let expected = self.next(bytes.len());
        assert!(!expected.is_empty() && bytes.starts_with(expected), "behind {at} bytes");
        expected.len()
    }

    fn assert_complete(&self) {
        assert_eq!(self.at, LEN);
    }
}

impl Read for Bytes {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let bytes = self.next(buf.len());
        buf[..bytes.len()].copy_from_slice(bytes);
        Ok(bytes.len())
    }
}

impl Write for Bytes {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        Ok(self.check(buf))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsyncRead for Bytes {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let bytes = self.get_mut().next(buf.remaining());
        buf.put_slice(bytes);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Bytes {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(self.get_mut().check(buf)))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Asserts that what is done holds little at any time.
fn assert_flat(what: &str, work: impl FnOnce()) {
    let heap = measure(work);
    println!("{what}: {} MiB with at most {} KiB held", LEN >> 20, heap.peak >> 10);
    assert!(heap.peak <= MOST, "{what}: {heap:?}");
}

type WebSocket = asynchronous::WebSocket<tokio::io::DuplexStream>;

/// Lets a client and a server talk, in one thread.
fn talk<C: Future, S: Future>(
    config: &Config,
    client: impl FnOnce(WebSocket) -> C,
    server: impl FnOnce(WebSocket) -> S,
) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (a, b) = duplex(64 * 1024);
        let request = Request { host: "a", ..Request::default() };
        let (a, b) = tokio::join!(
            asynchronous::connect_over(a, &request, config),
            asynchronous::accept(b, config)
        );
        tokio::join!(client(a.unwrap().0), server(b.unwrap()));
    });
}

async fn copy_in(ws: WebSocket) {
    let mut stream = ws.into_byte_stream();
    assert_eq!(copy(&mut Bytes::new(), &mut stream).await.unwrap(), LEN);
    stream.shutdown().await.unwrap();
    assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
}

async fn copy_out(ws: WebSocket) {
    let (mut stream, mut bytes) = (ws.into_byte_stream(), Bytes::new());
    assert_eq!(copy(&mut stream, &mut bytes).await.unwrap(), LEN);
    bytes.assert_complete();
}

#[test]
fn a_stream_of_bytes_holds_no_more_however_much_goes_through_it() {
    assert_flat("from a client, tokio", || talk(&Config::default(), copy_in, copy_out));
    assert_flat("from a server, tokio", || talk(&Config::default(), copy_out, copy_in));
}

async fn write_message(mut ws: WebSocket) {
    let mut writer = ws.binary_writer();
    assert_eq!(copy(&mut Bytes::new(), &mut writer).await.unwrap(), LEN);
    writer.finish().await.unwrap();
    assert!(ws.recv_reader().await.unwrap().is_none());
}

async fn read_message(mut ws: WebSocket) {
    let mut reader = ws.recv_reader().await.unwrap().unwrap();
    let mut bytes = Bytes::new();
    assert_eq!(copy(&mut reader, &mut bytes).await.unwrap(), LEN);
    bytes.assert_complete();
    ws.close(None).await.unwrap();
}

#[test]
fn a_message_holds_no_more_however_long_it_is() {
    let mut config = Config::default();
    config.limits.in_pieces = Some(LEN);
    assert_flat("a client's message, tokio", || talk(&config, write_message, read_message));
    assert_flat("a server's message, tokio", || talk(&config, read_message, write_message));
}

#[test]
fn a_message_whose_reader_is_gone_is_skipped_and_not_held() {
    let mut config = Config::default();
    config.limits.in_pieces = Some(LEN);
    assert_flat("a message that is skipped, tokio", || {
        talk(&config, write_message, async |mut ws: WebSocket| {
            ws.recv_reader().await.unwrap().unwrap().read_exact(&mut [0]).await.unwrap();
            ws.close(None).await.unwrap();
        });
    });
}

#[cfg(feature = "deflate")]
#[test]
fn a_compressed_stream_holds_no_more_than_its_codecs() {
    let mut config = Config::default();
    let mut deflate = sotong::Deflate::default();
    (deflate.context_takeover, deflate.peer_context_takeover) = (true, true);
    (deflate.window_bits, deflate.memory_level, deflate.level) = (10, 1, 1);
    config.deflate = Some(deflate);
    assert_flat("compressed, tokio", || talk(&config, copy_in, copy_out));
}

/// Lets a blocking client and a server talk over a socket, from two threads.
fn talk_blocking(
    config: &Config,
    client: impl FnOnce(blocking::WebSocket<TcpStream>) + Send,
    server: impl FnOnce(blocking::WebSocket<TcpStream>),
) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::scope(|scope| {
        scope.spawn(move || {
            assert_flat("  a client, blocking", || {
                let request = Request { host: "a", ..Request::default() };
                let io = TcpStream::connect(address).unwrap();
                client(blocking::connect_over(io, &request, config).unwrap().0);
            });
        });
        assert_flat("  a server, blocking", || {
            server(blocking::accept(listener.accept().unwrap().0, config).unwrap());
        });
    });
}

#[test]
fn blocking_ends_hold_no_more_either() {
    talk_blocking(
        &Config::default(),
        |ws| {
            let mut stream = ws.into_byte_stream();
            assert_eq!(io::copy(&mut Bytes::new(), &mut stream).unwrap(), LEN);
            stream.shut_down().unwrap();
            assert_eq!(stream.read(&mut [0]).unwrap(), 0);
        },
        |ws| {
            let (mut stream, mut bytes) = (ws.into_byte_stream(), Bytes::new());
            assert_eq!(io::copy(&mut stream, &mut bytes).unwrap(), LEN);
            bytes.assert_complete();
        },
    );
    let mut config = Config::default();
    config.limits.in_pieces = Some(LEN);
    talk_blocking(
        &config,
        |mut ws| {
            let mut reader = ws.recv_reader().unwrap().unwrap();
            let mut bytes = Bytes::new();
            assert_eq!(io::copy(&mut reader, &mut bytes).unwrap(), LEN);
            bytes.assert_complete();
            ws.close(None).unwrap();
        },
        |mut ws| {
            let mut writer = ws.binary_writer();
            assert_eq!(io::copy(&mut Bytes::new(), &mut writer).unwrap(), LEN);
            writer.finish().unwrap();
            assert!(ws.recv_reader().unwrap().is_none());
        },
    );
}
