//! The same over streams in memory, which are as bad as streams may be.

use std::thread;
use std::time::{Duration, Instant};

use sotong::test_kit::{Adversarial, Manner, Pipe, blocking_pair, connections, pipe, tokio_pair};
use sotong::{
    Config, Event, ReceiveBuffer, Received, SendBuffer, Sent, Statistics, blocking,
    tokio as asynchronous,
};

const MANNERS: [Manner; 4] =
    [Manner::sound(), Manner::byte_by_byte(), Manner::hesitant(3), Manner::random(1)];

/// Longer than what goes at once in most manners.
const LONG: usize = 5_000;

/// How long the peer lets a ping wait.
const LATE: Duration = Duration::from_millis(60);

/// Far less than the deadlines, which the blocking adapter looks at a second apart.
const SOON: Duration = Duration::from_millis(500);

/// A runtime whose clock moves only when there is nothing else to do.
fn paused<T>(work: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().start_paused(true).build().unwrap().block_on(work)
}

/// After a text of five bytes each way, one of `LONG` there, and a ping there.
fn assert_of_client(statistics: &Statistics) {
    assert_of_client_sent(&statistics.sent);
    let Received { messages, payload, bytes, pings, pongs, .. } = statistics.received;
    assert_eq!((messages, payload, bytes, pings, pongs), (1, 5, 7 + 3, 0, 1));
}

fn assert_of_client_sent(sent: &Sent) {
    let Sent { messages, payload, bytes, queued, pings, pongs, .. } = *sent;
    let all = (2, 5 + LONG as u64, 11 + 8 + LONG as u64 + 7, 0, 1, 0);
    assert_eq!((messages, payload, bytes, queued, pings, pongs), all);
}

fn assert_of_server(statistics: &Statistics) {
    let Received { messages, payload, bytes, pings, pongs, .. } = statistics.received;
    let all = (2, 5 + LONG as u64, 11 + 8 + LONG as u64 + 7, 1, 0);
    assert_eq!((messages, payload, bytes, pings, pongs), all);
    let Sent { messages, payload, bytes, queued, pings, pongs, .. } = statistics.sent;
    assert_eq!((messages, payload, bytes, queued, pings, pongs), (1, 5, 7 + 3, 0, 0, 1));
}

/// Echoes a short text, and waits with the answer to a ping.
fn serve(mut ws: blocking::WebSocket<Adversarial<Pipe>>) {
    assert_eq!(ws.recv().unwrap(), Some(Event::Text("Hello")));
    ws.send_text("Hello").unwrap();
    assert!(matches!(ws.recv().unwrap(), Some(Event::Binary(_))));
    thread::sleep(LATE);
    assert_eq!(ws.recv().unwrap(), Some(Event::Ping(b"?")));
    ws.flush().unwrap();
    assert_of_server(&ws.statistics());
    while ws.recv().unwrap().is_some() {}
}

fn assert_is_late(round_trip: Option<Duration>) {
    let round_trip = round_trip.expect("the ping was answered");
    assert!((LATE / 2..SOON).contains(&round_trip), "{round_trip:?}");
}

#[test]
fn a_blocking_websocket_tells_what_it_has_done() {
    for manner in MANNERS {
        let (mut client, server) = blocking_pair(&Config::default(), manner);
        let serving = thread::spawn(|| serve(server));
        client.send_text("Hello").unwrap();
        client.send_binary(&[7; LONG]).unwrap();
        client.ping(b"?").unwrap();
        assert_eq!(client.recv().unwrap(), Some(Event::Text("Hello")));
        assert_eq!(client.recv().unwrap(), Some(Event::Pong(b"?")));
        assert_of_client(&client.statistics());
        if manner == Manner::sound() {
            assert_is_late(client.statistics().sent.round_trip);
        }
        client.close(None).unwrap();
        drop(client); // the server waits for the end of the stream
        serving.join().unwrap();
    }
}

#[test]
fn blocking_halves_tell_what_they_have_done() {
    for manner in MANNERS {
        let (client, server) = blocking_pair(&Config::default(), manner);
        let serving = thread::spawn(|| serve(server));
        let (mut receiver, mut sender) = client.split().unwrap();
        sender.send_text("Hello").unwrap();
        sender.send_binary(&[7; LONG]).unwrap();
        sender.ping(b"?").unwrap();
        assert_eq!(receiver.recv().unwrap(), Some(Event::Text("Hello")));
        assert_eq!(receiver.recv().unwrap(), Some(Event::Pong(b"?")));
        assert_of_client(&receiver.statistics());
        assert_of_client_sent(&sender.statistics());
        if manner == Manner::sound() {
            assert_is_late(sender.statistics().round_trip);
        }
        sender.feed_text("queued").unwrap();
        assert_eq!(sender.statistics().queued, 12);
        sender.send_close(None).unwrap();
        while receiver.recv().unwrap().is_some() {}
        drop((receiver, sender));
        serving.join().unwrap();
    }
}

#[test]
fn what_a_blocking_sender_waits_to_write_is_queued() {
    let (near, far) = pipe(10);
    let connection = connections(&Config::default(), &Config::default()).1;
    let (rx, tx) = (ReceiveBuffer::with_capacity(512), SendBuffer::new());
    let parts = blocking::Parts { io: near, connection, rx, tx };
    let (receiver, mut sender) = blocking::WebSocket::from_parts(parts).unwrap().split().unwrap();
    let sending = thread::spawn(move || sender.send_binary(&[7; 100]).unwrap_err());
    while receiver.statistics().sent.bytes < 10 {
        thread::yield_now();
    }
    let sent = receiver.statistics().sent;
    assert_eq!((sent.bytes, sent.queued, sent.messages), (10, 92, 1));
    drop(far);
    sending.join().unwrap();
}

/// As [`serve`].
async fn serve_async(mut ws: asynchronous::WebSocket<Adversarial<Pipe>>) {
    assert_eq!(ws.recv().await.unwrap(), Some(Event::Text("Hello")));
    ws.send_text("Hello").await.unwrap();
    assert!(matches!(ws.recv().await.unwrap(), Some(Event::Binary(_))));
    tokio::time::sleep(LATE).await;
    assert_eq!(ws.recv().await.unwrap(), Some(Event::Ping(b"?")));
    ws.flush().await.unwrap();
    assert_of_server(&ws.statistics());
    while ws.recv().await.unwrap().is_some() {}
}

#[test]
fn a_tokio_websocket_tells_what_it_has_done() {
    for manner in MANNERS {
        paused(async {
            let (mut client, server) = tokio_pair(&Config::default(), manner);
            let serving = tokio::spawn(serve_async(server));
            client.send_text("Hello").await.unwrap();
            client.feed_text("queued").await.unwrap();
            assert_eq!(client.statistics().sent.queued, 12);
            client.flush().await.unwrap();
            assert_eq!(client.statistics().sent.queued, 0);
            serving.abort();
        });
        paused(async {
            let (mut client, server) = tokio_pair(&Config::default(), manner);
            let serving = tokio::spawn(serve_async(server));
            client.send_text("Hello").await.unwrap();
            client.send_binary(&[7; LONG]).await.unwrap();
            client.ping(b"?").await.unwrap();
            assert_eq!(client.recv().await.unwrap(), Some(Event::Text("Hello")));
            assert_eq!(client.recv().await.unwrap(), Some(Event::Pong(b"?")));
            assert_of_client(&client.statistics());
            assert_is_late(client.statistics().sent.round_trip);
            client.close(None).await.unwrap();
            serving.await.unwrap();
        });
    }
}

#[test]
fn tokio_halves_tell_what_they_have_done() {
    for manner in MANNERS {
        paused(async {
            let (client, server) = tokio_pair(&Config::default(), manner);
            let serving = tokio::spawn(serve_async(server));
            let (mut receiver, mut sender) = client.split();
            sender.send_text("Hello").await.unwrap();
            sender.send_binary(&[7; LONG]).await.unwrap();
            sender.ping(b"?").await.unwrap();
            assert_eq!(receiver.recv().await.unwrap(), Some(Event::Text("Hello")));
            assert_eq!(receiver.recv().await.unwrap(), Some(Event::Pong(b"?")));
            assert_of_client(&receiver.statistics());
            assert_of_client_sent(&sender.statistics());
            assert_is_late(sender.statistics().round_trip);
            sender.send_close(None).await.unwrap();
            while receiver.recv().await.unwrap().is_some() {}
            serving.await.unwrap();
        });
    }
}

#[test]
fn keepalive_pings_of_the_adapters_tell_the_round_trip_time() {
    let mut config = Config::default();
    config.timeouts.keepalive = Some(Duration::from_millis(20));
    let (mut client, mut server) = blocking_pair(&config, Manner::sound());
    let answering = thread::spawn(move || while server.recv().unwrap().is_some() {});
    let start = Instant::now();
    while client.recv().unwrap() != Some(Event::Pong(b"")) {}
    assert!(client.statistics().sent.round_trip.is_some_and(|time| time < start.elapsed()));
    client.close(None).unwrap();
    drop(client);
    answering.join().unwrap();

    paused(async {
        let (mut client, mut server) = tokio_pair(&config, Manner::sound());
        let answering =
            tokio::spawn(async move { while server.recv().await.unwrap().is_some() {} });
        while client.recv().await.unwrap() != Some(Event::Pong(b"")) {}
        assert_eq!(client.statistics().sent.round_trip, Some(Duration::from_micros(1)));
        client.close(None).await.unwrap();
        answering.await.unwrap();
    });
}

#[test]
fn what_was_measured_is_kept_when_a_websocket_is_put_together_again() {
    paused(async {
        let (mut client, server) = tokio_pair(&Config::default(), Manner::sound());
        let serving = tokio::spawn(serve_async(server));
        client.send_text("Hello").await.unwrap();
        client.send_binary(&[7; LONG]).await.unwrap();
        client.ping(b"?").await.unwrap();
        while client.recv().await.unwrap() != Some(Event::Pong(b"?")) {}
        let before = client.statistics();
        let mut client = asynchronous::WebSocket::from_parts(client.into_parts());
        assert_eq!(client.statistics(), before);
        assert!(before.sent.round_trip.is_some());
        client.close(None).await.unwrap();
        serving.await.unwrap();
    });
}
