//! Deadlines and ends of the tokio adapter, under a paused clock.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::{FutureExt, SinkExt, StreamExt};
use sotong::test_kit::{Pipe, pipe};
use sotong::tokio::WebSocket;
use sotong::{
    Agreed, CloseCode, Config, Connection, Error, Event, Message, ProtocolError, TimedOut,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::task::consume_budget;
use tokio::time::{Instant, sleep, timeout};

use crate::scripted::{masked, parts, server};

const HOUR: Duration = Duration::from_secs(3_600);

fn pair(config: &Config, capacity: usize) -> (WebSocket<Pipe>, Pipe) {
    let (near, far) = pipe(capacity);
    (server(near, config), far)
}

/// Takes every write into a buffer of its own, as TLS does, and never gets rid of it. That nothing
/// more comes it says once.
struct Hoarder {
    input: Option<Vec<u8>>,
}

impl AsyncRead for Hoarder {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.input {
            None => {
                self.input = Some(vec![]);
                Poll::Ready(Ok(()))
            }
            Some(input) if input.is_empty() => Poll::Pending,
            Some(input) => {
                buf.put_slice(&std::mem::take(input));
                Poll::Ready(Ok(()))
            }
        }
    }
}

impl AsyncWrite for Hoarder {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

#[tokio::test(start_paused = true)]
async fn a_pong_follows_an_echo_that_had_filled_the_queue() {
    let (mut ws, mut peer) = pair(&Config::default(), 1 << 20);
    peer.write_all(&[masked(0x82, &[7; 70_000]), masked(0x89, b"!")].concat()).await.unwrap();
    tokio::spawn(async move {
        while let Some((event, mut reply)) = ws.recv_reply().await.unwrap() {
            if let Event::Binary(bytes) = event {
                reply.feed(bytes).await.unwrap();
            }
        }
    });
    let start = Instant::now();
    let mut echo_and_pong = vec![0; 70_010 + 3];
    peer.read_exact(&mut echo_and_pong).await.unwrap();
    assert_eq!((&echo_and_pong[70_010..], start.elapsed()), (&b"\x8a\x01!"[..], Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn bytes_that_stay_in_the_streams_own_buffer_have_a_deadline_too() {
    let mut ws = server(Hoarder { input: Some(vec![]) }, &Config::default());
    let sent = timeout(HOUR, ws.send_text("x")).await.unwrap();
    assert!(matches!(sent, Err(Error::TimedOut(TimedOut::Send))), "{sent:?}");
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_stream_is_remembered_while_the_last_is_written() {
    let mut ws = server(Hoarder { input: None }, &Config::default());
    ws.feed_text("x").await.unwrap();
    let received = timeout(HOUR, ws.recv()).await.unwrap();
    assert!(matches!(received, Err(Error::Protocol(ProtocolError::UnexpectedEof))), "{received:?}");
}

#[tokio::test(start_paused = true)]
async fn there_is_room_again_when_the_stream_has_taken_the_queue_though_it_has_not_flushed_it() {
    let mut config = Config::default();
    config.limits.send_queue = 1;
    let mut ws = server(Hoarder { input: Some(vec![]) }, &config);
    let start = Instant::now();
    ws.feed_text("a").await.unwrap();
    ws.feed_text("b").await.unwrap();
    SinkExt::<Message>::feed(&mut ws, "c".into()).await.unwrap();
    let (_receiver, mut sender) = ws.split();
    sender.feed_text("d").await.unwrap();
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn pings_that_the_streams_own_buffer_takes_are_no_sign_of_life() {
    let mut config = Config::default();
    config.timeouts.keepalive = Some(Duration::from_secs(5));
    let mut ws = server(Hoarder { input: Some(vec![]) }, &config);
    ws.feed_text("x").await.unwrap();
    let start = Instant::now();
    let received = timeout(HOUR, ws.recv()).await.expect("a dead peer is missed");
    assert!(matches!(received, Err(Error::TimedOut(TimedOut::Pong))), "{received:?}");
    assert_eq!(start.elapsed().as_secs(), 25);
}

/// Nothing ever comes, and each write has to wait for its turn, as over a stream of HTTP/2.
#[derive(Default)]
struct TurnByTurn {
    has_waited: bool,
}

impl AsyncRead for TurnByTurn {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

impl AsyncWrite for TurnByTurn {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.has_waited = !self.has_waited;
        if self.has_waited {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test(start_paused = true)]
async fn a_ping_that_has_to_wait_before_it_goes_out_is_no_sign_of_life() {
    let mut ws = server(TurnByTurn::default(), &Config::default());
    let start = Instant::now();
    let received = timeout(HOUR, ws.recv()).await.expect("a dead peer is missed");
    assert!(matches!(received, Err(Error::TimedOut(TimedOut::Pong))), "{received:?}");
    assert_eq!(start.elapsed().as_secs(), 50);
}

#[tokio::test(start_paused = true)]
async fn a_close_that_cannot_be_answered_is_handed_over_all_the_same() {
    let mut ws = server(Hoarder { input: Some(masked(0x88, b"\x0f\xa1")) }, &Config::default());
    let event = timeout(HOUR, ws.recv()).await.unwrap().unwrap();
    assert_eq!(event, Some(Event::Close(Some(CloseCode(4001).into()))));
    assert!(timeout(HOUR, ws.recv()).await.unwrap().unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn an_error_is_the_last_item_of_a_stream() {
    let (ws, mut peer) = pair(&Config::default(), 4096);
    peer.write_all(b"\xff\xff").await.unwrap();
    drop(peer);
    let items: Vec<_> = ws.take(1_000).collect().await;
    assert!(
        matches!(items[..], [Err(Error::Protocol(ProtocolError::ReservedOpcode))]),
        "{items:?}"
    );
}

/// A client ends the stream first only if its server takes too long, which goes on sending meanwhile.
#[tokio::test(start_paused = true)]
async fn a_client_that_has_failed_waits_for_its_server_to_end_the_stream() {
    for (limit, patience, waits) in [(Some(10), 60, 10), (Some(10), 3, 3), (None, 600, 600)] {
        for in_halves in [false, true] {
            let mut config = Config::default();
            config.timeouts.close = limit.map(Duration::from_secs);
            let (near, far) = pipe(4096);
            let (mut reads, mut writes) = tokio::io::split(far);
            let key = || Some([1, 2, 3, 4]);
            let connection = Connection::client(config, Agreed::default(), key);
            let mut ws = WebSocket::from_parts(parts(near, connection));
            let failing = tokio::spawn(async move {
                if in_halves {
                    return ws.split().0.recv().await.map(|_| ());
                }
                ws.recv().await.map(|_| ())
            });
            let start = Instant::now();
            writes.write_all(b"\x83\x00").await.unwrap();
            let flooding = tokio::spawn(async move {
                while writes.write_all(&[0; 3000]).await.is_ok() {
                    sleep(Duration::from_millis(10)).await;
                }
            });
            let mut close = [0; 8];
            reads.read_exact(&mut close).await.unwrap();
            assert_eq!(&close, b"\x88\x82\x01\x02\x03\x04\x02\xe8", "1002, masked");

            let patience = Duration::from_secs(patience);
            let heard = timeout(patience, reads.read(&mut close)).await.ok().map(Result::unwrap);
            assert_eq!(heard, (waits == 10).then_some(0), "the end of the stream, {limit:?}");
            flooding.abort();
            flooding.await.ok();
            drop(reads);
            let ended = failing.await.unwrap();
            assert!(
                matches!(ended, Err(Error::Protocol(ProtocolError::ReservedOpcode))),
                "{ended:?}"
            );
            assert_eq!(start.elapsed().as_secs(), waits);
        }
    }
}

/// A server waits for that, and should not for as long as its client's program likes.
#[tokio::test(start_paused = true)]
async fn a_client_that_is_kept_has_ended_the_stream_in_its_direction() {
    for in_halves in [false, true] {
        let (near, mut peer) = pipe(64);
        let connection = Connection::client(Config::default(), Agreed::default(), || Some([0; 4]));
        let mut ws = WebSocket::from_parts(parts(near, connection));
        peer.write_all(b"\x88\x00").await.unwrap();
        AsyncWriteExt::shutdown(&mut peer).await.unwrap();
        let start = Instant::now();
        let mut said = vec![];
        let kept = if in_halves {
            let (mut receiver, sender) = ws.split();
            while receiver.recv().await.unwrap().is_some() {}
            timeout(HOUR, peer.read_to_end(&mut said))
                .await
                .map(|_| (None, Some((receiver, sender))))
        } else {
            ws.close(None).await.unwrap();
            timeout(HOUR, peer.read_to_end(&mut said)).await.map(|_| (Some(ws), None))
        };
        assert!(kept.is_ok(), "{kept:?}");
        assert_eq!(said, b"\x88\x80\0\0\0\0");
        assert_eq!(start.elapsed(), Duration::ZERO);
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_put_together_again_starts_its_times_anew() {
    let (mut ws, mut peer) = pair(&Config::default(), 4096);
    for _ in 0..120 {
        peer.write_all(&masked(0x8a, b"")).await.unwrap();
        ws.recv().await.unwrap();
        timeout(Duration::from_secs(29), ws.recv()).await.unwrap_err();
    }
    let mut ws = WebSocket::from_parts(ws.into_parts());
    let start = Instant::now();
    tokio::spawn(async move { ws.recv().await.map(|_| ()) });
    let mut ping = [0; 2];
    peer.read_exact(&mut ping).await.unwrap();
    assert_eq!((ping, start.elapsed().as_secs()), ([0x89, 0], 30));
}

#[tokio::test(start_paused = true)]
async fn whichever_way_a_sender_closes_the_receiver_has_a_deadline() {
    let mut config = Config::default();
    config.timeouts.keepalive = None;
    for by_sink in [false, true] {
        let (ws, _peer) = pair(&config, 4096);
        let (mut receiver, mut sender) = ws.split();
        let receiving = tokio::spawn(async move { receiver.recv().await.map(|_| ()) });
        sleep(Duration::from_millis(10)).await;
        let start = Instant::now();
        if by_sink {
            SinkExt::<Message>::close(&mut sender).await.unwrap();
        } else {
            sender.send_close(None).await.unwrap();
        }
        let ended = timeout(HOUR, receiving).await.unwrap().unwrap();
        assert!(matches!(ended, Err(Error::TimedOut(TimedOut::Close))), "{ended:?}");
        assert_eq!(start.elapsed().as_secs(), 10);
    }
}

#[tokio::test(start_paused = true)]
async fn a_receiver_learns_that_the_sender_gave_the_peer_up() {
    let (ws, _peer) = pair(&Config::default(), 4096);
    let (mut receiver, mut sender) = ws.split();
    let receiving = tokio::spawn(async move { receiver.recv().await.map(|event| event.is_some()) });
    let sent = sender.send_binary(&[0; 10_000]).await;
    assert!(matches!(sent, Err(Error::TimedOut(TimedOut::Send))), "{sent:?}");
    assert!(timeout(HOUR, receiving).await.unwrap().unwrap().is_err(), "not a clean end");
}

#[tokio::test(start_paused = true)]
async fn a_close_that_came_in_time_counts_however_late_it_is_looked_at() {
    let (mut ws, mut peer) = pair(&Config::default(), 4096);
    ws.send_close(None).await.unwrap();
    timeout(Duration::from_millis(1), ws.recv()).await.unwrap_err();
    peer.write_all(&[masked(0x81, b"last words"), masked(0x88, b"")].concat()).await.unwrap();
    sleep(Duration::from_secs(60)).await;
    assert_eq!(ws.recv().await.unwrap(), Some(Event::Text("last words")));
    assert_eq!(ws.recv().await.unwrap(), Some(Event::Close(None)));
}

/// What waits in a task of its own hears that the peer was given up.
async fn assert_given_up(waiting: impl Future<Output = Option<Error>> + Send + 'static) {
    let error = timeout(HOUR, tokio::spawn(waiting)).await.expect("nobody was woken").unwrap();
    assert!(matches!(error, Some(Error::TimedOut(TimedOut::Pong))), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn a_deadline_wakes_the_task_that_waits_now() {
    let (mut ws, _far) = pair(&Config::default(), 512);
    assert!(ws.recv().now_or_never().is_none(), "a task that is gone by then");
    assert_given_up(async move { ws.recv().await.err() }).await;
}

#[tokio::test(start_paused = true)]
async fn a_task_that_begins_to_wait_without_budget_has_its_deadline() {
    let (mut ws, _far) = pair(&Config::default(), 512);
    assert_given_up(async move {
        let mut waiting = pin!(ws.recv());
        poll_fn(|cx| {
            while pin!(consume_budget()).poll(cx).is_ready() {}
            assert!(waiting.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        waiting.await.err()
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_close_has_its_deadline_where_a_later_one_was_waited_for() {
    let (mut ws, _far) = pair(&Config::default(), 512);
    timeout(Duration::from_secs(1), ws.recv()).await.unwrap_err();
    let start = Instant::now();
    let closed = ws.close(None).await;
    assert!(matches!(closed, Err(Error::TimedOut(TimedOut::Close))), "{closed:?}");
    assert_eq!(start.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_beyond_all_times_never_comes() {
    let mut config = Config::default();
    config.timeouts.keepalive = Some(Duration::MAX);
    let (mut ws, _peer) = pair(&config, 4096);
    timeout(HOUR, ws.recv()).await.unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_is_not_taken_for_a_dead_one() {
    let (mut ws, mut peer) = pair(&Config::default(), 4096);
    timeout(Duration::from_millis(1), ws.feed_binary(&[7; 1_000_000])).await.unwrap_err();
    tokio::spawn(async move {
        loop {
            sleep(Duration::from_secs(1)).await;
            assert!(peer.read(&mut [0; 4_000]).await.unwrap() > 0);
        }
    });
    let received = timeout(Duration::from_secs(200), ws.recv()).await;
    assert!(received.is_err(), "{received:?}");
}
