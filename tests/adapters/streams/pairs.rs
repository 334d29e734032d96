//! Two ends that talk to each other: tunnels, backpressure, halves, compression.

use std::net::{TcpListener, TcpStream};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use futures_util::Sink;
use sotong::handshake::client::Request;
use sotong::{Compress, Error, Message};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, WriteHalf, duplex};

use super::*;
use crate::subject::block_on;

/// A client and a server over `a` and `b`.
async fn connect<S: AsyncRead + AsyncWrite + Unpin>(
    a: S,
    b: S,
    config: &Config,
) -> (asynchronous::WebSocket<S>, asynchronous::WebSocket<S>) {
    let request = Request { host: "a", ..Request::default() };
    let client = asynchronous::connect_over(a, &request, config);
    let (client, server) = tokio::join!(client, asynchronous::accept(b, config));
    (client.unwrap().0, server.unwrap())
}

/// The same over the blocking adapter and a socket.
fn connect_blocking(
    config: &Config,
) -> (blocking::WebSocket<TcpStream>, blocking::WebSocket<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let config = config.clone();
    thread::scope(|scope| {
        let client = scope.spawn(|| {
            let request = Request { host: "a", ..Request::default() };
            blocking::connect_over(stream, &request, &config).unwrap().0
        });
        let server = blocking::accept(listener.accept().unwrap().0, &config).unwrap();
        (client.join().unwrap(), server)
    })
}

/// Configurations without compression and with it.
fn configs() -> Vec<Config> {
    #[cfg(feature = "deflate")]
    return vec![Config::default(), crate::deflate::config(|_| {})];
    #[cfg(not(feature = "deflate"))]
    return vec![Config::default()];
}

/// Bytes that are like themselves in places, as a compressor likes them.
fn bytes(len: usize, seed: u32) -> Vec<u8> {
    (0..len as u32).map(|i| (i.wrapping_mul(seed) >> 11 & i >> 3) as u8).collect()
}

#[test]
fn a_tunnel_carries_both_directions_and_ends_with_either() {
    const LEN: usize = 700_000;
    for config in configs() {
        for buffer in [64, 5_000, 1 << 20] {
            let (there, back) = (bytes(LEN, 7), bytes(LEN, 31));
            block_on(async {
                let (a, b) = duplex(buffer);
                let (client, server) = connect(a, b, &config).await;
                let (mut near, near_end) = duplex(1_000);
                let (far_end, mut far) = duplex(1_000);
                let forward = |ws: asynchronous::WebSocket<_>, mut tcp: DuplexStream| async move {
                    let mut ws = ws.into_byte_stream();
                    tokio::io::copy_bidirectional(&mut ws, &mut tcp).await
                };
                let ends = async {
                    // What the far end says comes all, since the near one waits for it before it
                    // closes.
                    let (mut from_far, mut from_near) = (vec![0; LEN], vec![0; LEN]);
                    let near = async {
                        let (mut read, mut write) = tokio::io::split(&mut near);
                        let (said, heard) =
                            tokio::join!(write.write_all(&there), read.read_exact(&mut from_far));
                        said.unwrap();
                        heard.unwrap();
                        write.shutdown().await.unwrap();
                        assert_eq!(read.read(&mut [0]).await.unwrap(), 0);
                    };
                    let far = async {
                        let (mut read, mut write) = tokio::io::split(&mut far);
                        let (said, heard) =
                            tokio::join!(write.write_all(&back), read.read_exact(&mut from_near));
                        said.unwrap();
                        heard.unwrap();
                        assert_eq!(read.read(&mut [0]).await.unwrap(), 0);
                        write.shutdown().await.unwrap();
                    };
                    tokio::join!(near, far);
                    assert!(from_far == back && from_near == there);
                };
                let (client, server, ()) =
                    tokio::join!(forward(client, near_end), forward(server, far_end), ends);
                assert_eq!(client.unwrap(), (LEN as u64, LEN as u64));
                assert_eq!(server.unwrap(), (LEN as u64, LEN as u64));
            });
        }
    }
}

#[test]
fn a_writer_waits_for_a_reader_and_a_reader_takes_no_more_than_its_buffer() {
    /// What lies between a writer that waits and a reader that does not read: a queue with one
    /// message above its mark, the stream, a read.
    const BETWEEN: usize = 2 * 64 * 1024 + STREAM + 64 * 1024;
    const STREAM: usize = 10_000;
    crate::scripted::paused().block_on(async {
        let mut config = Config::default();
        config.timeouts.send = None;
        let (a, b) = duplex(STREAM);
        let (client, server) = connect(a, b, &config).await;
        let (mut a, mut b) = (client.into_byte_stream(), server.into_byte_stream());
        let (mut written, mut read, mut buf) = (0, 0, vec![0; 1_000]);
        for _ in 0..50 {
            loop {
                let soon = std::time::Duration::from_millis(10);
                match tokio::time::timeout(soon, a.write(&[7; 100_000])).await {
                    Ok(n) => written += n.unwrap(),
                    Err(_elapsed) => break,
                }
            }
            assert!(written - read <= BETWEEN, "{written} were written, {read} read");
            assert!(written - read > STREAM, "and it is worth to write");
            read += b.read(&mut buf).await.unwrap();
        }
        assert!(read > 10_000);
    });
}

#[test]
fn a_writer_whose_peer_never_reads_is_given_up_in_time() {
    crate::scripted::paused().block_on(async {
        let (a, b) = duplex(100);
        let (client, _server) = connect(a, b, &Config::default()).await;
        let mut a = client.into_byte_stream();
        let error = loop {
            if let Err(error) = a.write(&[7; 1_000]).await {
                break error;
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        let cause = error.get_ref().unwrap().downcast_ref().unwrap();
        assert!(matches!(cause, Error::TimedOut(sotong::TimedOut::Send)));
    });
}

#[test]
fn halves_carry_a_long_message_each_way_at_the_same_time() {
    const LEN: usize = 3_000_000;
    for mut config in configs() {
        config.limits.in_pieces = Some(LEN as u64);
        let message = bytes(LEN, 77);
        block_on(async {
            let (a, b) = duplex(3_000);
            let (client, server) = connect(a, b, &config).await;
            let talk = async |ws: asynchronous::WebSocket<_>| {
                let (mut receiver, mut sender) = ws.split();
                let sending = async {
                    let mut writer = sender.binary_writer();
                    writer.write_all(&message).await.unwrap();
                    writer.finish().await.unwrap();
                    let mut text = sender.text_writer().compress(Compress::No);
                    text.write_all("끝".as_bytes()).await.unwrap();
                    text.shutdown().await.unwrap();
                };
                let receiving = async {
                    let mut seen = vec![];
                    let mut reader = receiver.recv_reader().await.unwrap().unwrap();
                    reader.read_to_end(&mut seen).await.unwrap();
                    assert!(!reader.is_text() && seen == message);
                    let mut text = String::new();
                    let mut reader = receiver.recv_reader().await.unwrap().unwrap();
                    reader.read_to_string(&mut text).await.unwrap();
                    assert!(reader.is_text() && text == "끝");
                };
                tokio::join!(sending, receiving);
            };
            tokio::join!(talk(client), talk(server));
        });

        let (client, server) = connect_blocking(&config);
        thread::scope(|scope| {
            for ws in [client, server] {
                let (mut receiver, mut sender) = ws.split().unwrap();
                let message = &message;
                scope.spawn(move || {
                    let mut writer = sender.binary_writer();
                    writer.write_all(message).unwrap();
                    writer.finish().unwrap();
                    let mut text = sender.text_writer().compress(Compress::No);
                    text.write_all("끝".as_bytes()).unwrap();
                    text.finish().unwrap();
                });
                scope.spawn(move || {
                    let mut seen = vec![];
                    let mut reader = receiver.recv_reader().unwrap().unwrap();
                    reader.read_to_end(&mut seen).unwrap();
                    assert!(!reader.is_text() && seen == *message);
                    let mut text = String::new();
                    let mut reader = receiver.recv_reader().unwrap().unwrap();
                    reader.read_to_string(&mut text).unwrap();
                    assert!(reader.is_text() && text == "끝");
                });
            }
        });
    }
}

#[test]
fn a_reader_dropped_within_a_compressed_message_leaves_the_next_one_readable() {
    for config in configs() {
        let (first, second) = (bytes(200_000, 5), bytes(150_000, 5));
        for taken in [0, 1, 1_000, 40_000, 199_999, 200_000] {
            let (mut client, mut server) = connect_blocking(&config);
            thread::scope(|scope| {
                let (first, second) = (&first, &second);
                scope.spawn(move || {
                    client.send_binary(first).unwrap();
                    let mut writer = client.binary_writer();
                    writer.write_all(second).unwrap();
                    writer.finish().unwrap();
                    client.close(None).unwrap();
                });
                let mut buf = vec![0; taken];
                let mut reader = server.recv_reader().unwrap().unwrap();
                reader.read_exact(&mut buf).unwrap();
                assert!(first.starts_with(&buf));
                match server.recv().unwrap() {
                    Some(sotong::Event::Binary(seen)) => assert!(seen == *second, "{taken}"),
                    other => panic!("{other:?}"),
                }
                assert!(server.recv_reader().unwrap().is_none());
            });
        }
    }
}

#[test]
fn a_stream_that_goes_away_within_a_connection_is_an_error_and_not_the_end() {
    block_on(async {
        let (a, b) = duplex(1_000);
        let (client, server) = connect(a, b, &Config::default()).await;
        let (mut a, mut b) = (client.into_byte_stream(), server.into_byte_stream());
        a.write_all(b"all of it?").await.unwrap();
        drop(a);
        let mut seen = vec![];
        let error = b.read_to_end(&mut seen).await.unwrap_err();
        assert_eq!((&seen[..], error.kind()), (&b"all of it?"[..], io::ErrorKind::UnexpectedEof));
    });
}

/// Counts how often it was asked to wake.
#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Who waits for a flush goes on to be woken, whatever is queued meanwhile.
#[test]
fn to_start_a_send_takes_no_waker_away() {
    in_runtime(|| {
        let (io, mut peer) = duplex(64);
        let (_receiver, mut sender) = server(io, &Config::default()).split();
        let count = Arc::new(Count::default());
        let waker = Waker::from(count.clone());
        let mut cx = Context::from_waker(&waker);
        let mut sink = Pin::new(&mut sender);
        assert!(sink.as_mut().poll_ready(&mut cx).is_ready());
        sink.as_mut().start_send(Message::from(vec![7; 500])).unwrap();
        assert!(sink.as_mut().poll_flush(&mut cx).is_pending());
        sink.as_mut().start_send(Message::from("more")).unwrap();
        let before = count.0.load(Ordering::Relaxed);
        let mut buf = [0; 64];
        let read = pin!(peer.read(&mut buf)).poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(read, Poll::Ready(Ok(64))));
        assert!(count.0.load(Ordering::Relaxed) > before, "there is room");
    });
}

/// A stream below knows one waker for each direction, and whoever reads also writes.
#[test]
fn both_tasks_that_have_a_part_of_a_stream_are_woken() {
    in_runtime(|| {
        let (a, mut b) = duplex(1_000);
        let (mut read, mut write) =
            tokio::io::split(server(a, &Config::default()).into_byte_stream());
        let (reader, writer) = (Arc::new(Count::default()), Arc::new(Count::default()));
        let poll = |work: Pin<&mut dyn Future<Output = io::Result<usize>>>, who: &Arc<Count>| {
            let waker = Waker::from(who.clone());
            work.poll(&mut Context::from_waker(&waker)).map(Result::unwrap)
        };
        let fill = |write: &mut WriteHalf<_>| {
            while poll(pin!(write.write(&[7; 5_000])), &writer).is_ready() {}
        };
        for writer_is_first in [true, false] {
            let mut buf = [0; 10];
            if writer_is_first {
                fill(&mut write);
                assert!(poll(pin!(read.read(&mut buf)), &reader).is_pending());
            } else {
                assert!(poll(pin!(read.read(&mut buf)), &reader).is_pending());
                fill(&mut write);
            }
            let count = |who: &Arc<Count>| who.0.swap(0, Ordering::Relaxed);
            let _ = (count(&reader), count(&writer));
            poll_some(b.read_exact(&mut [0; 1_000]), 1).unwrap().unwrap();
            assert!(count(&writer) > 0, "there is room to write: {writer_is_first}");
            // Whoever is polled first does not take the other's turn from it.
            assert!(poll(pin!(read.read(&mut buf)), &reader).is_pending());
            let _ = (count(&reader), count(&writer));
            poll_some(b.read_exact(&mut [0; 1_000]), 1).unwrap().unwrap();
            fill(&mut write);
            poll_some(b.write_all(&crate::scripted::masked(0x82, b"hi")), 1).unwrap().unwrap();
            assert!(count(&reader) > 0, "there is something to read: {writer_is_first}");
            assert_eq!(poll(pin!(read.read(&mut buf)), &reader), Poll::Ready(2));
        }
    });
}
