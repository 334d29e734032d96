//! Peers that never pause: whatever is waited for, time goes on, and who is told to leave hears it.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use sotong::tokio::{Drain, WebSocket};
use sotong::{Agreed, Config, Connection, Error, TimedOut, blocking};
use tokio::runtime::Builder;
use tokio::time::{sleep, timeout};

use crate::scripted::masked;
use crate::sockets::nonblocking;

const DEADLINE: Duration = Duration::from_millis(200);

/// Long enough for a machine that has much else to do.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server's end of a connection whose client sends short messages for as long as it can, and reads
/// nothing.
fn flooded() -> TcpStream {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    thread::spawn(move || {
        let messages = masked(0x82, b"").repeat(1 << 16);
        while client.write_all(&messages).is_ok() {}
    });
    listener.accept().unwrap().0
}

fn config() -> Config {
    let mut config = Config::default();
    (config.timeouts.close, config.timeouts.send) = (Some(DEADLINE), Some(DEADLINE));
    config
}

fn parts<S>(io: S) -> blocking::Parts<S> {
    blocking::Parts::new(io, Connection::server(config(), Agreed::default()), b"")
}

fn over_tokio() -> WebSocket<tokio::net::TcpStream> {
    WebSocket::from_parts(parts(nonblocking(flooded())))
}

/// What a task comes to, which must come to something. Only what is spawned has a budget.
fn outcome<T: Send + 'static>(task: impl Future<Output = T> + Send + 'static) -> T {
    within_patience(|| {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(runtime.spawn(task)).unwrap()
    })
}

fn within_patience<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> T {
    let (tell, told) = channel();
    thread::spawn(move || tell.send(run()).ok());
    told.recv_timeout(2 * PATIENCE).expect("it goes on for ever")
}

fn assert_in_time(start: Instant, result: Result<(), Error>, expected: TimedOut) {
    assert!(matches!(result, Err(Error::TimedOut(error)) if error == expected), "{result:?}");
    assert!(start.elapsed() >= DEADLINE && start.elapsed() < PATIENCE, "{:?}", start.elapsed());
}

/// As an application that has something to do for each message.
fn work() {
    for n in 0..1000_u32 {
        std::hint::black_box(n);
    }
}

#[test]
fn a_close_has_its_deadline() {
    let (start, result) = outcome(async {
        let (mut ws, start) = (over_tokio(), Instant::now());
        (start, ws.close(None).await)
    });
    assert_in_time(start, result, TimedOut::Close);

    let (start, result) = outcome(async {
        let (mut ws, start) = (over_tokio(), Instant::now());
        ws.send_close(None).await.unwrap();
        loop {
            match ws.recv().await {
                Ok(Some(_)) if start.elapsed() < PATIENCE => work(),
                other => return (start, other.map(|_| ())),
            }
        }
    });
    assert_in_time(start, result, TimedOut::Close);

    let (start, result) = within_patience(|| {
        let mut ws = blocking::WebSocket::from_parts(parts(flooded())).unwrap();
        (Instant::now(), ws.close(None))
    });
    assert_in_time(start, result, TimedOut::Close);
}

/// Nobody waits for the message any more: it is queued, and who receives is who has to give up.
#[test]
fn what_the_peer_does_not_take_has_its_deadline() {
    let (start, result) = outcome(async {
        let (mut ws, start) = (over_tokio(), Instant::now());
        let message = vec![7; 32 << 20]; // more than sockets hold
        let sending = timeout(DEADLINE / 4, ws.send_binary(&message));
        assert!(sending.await.is_err(), "nobody reads it");
        loop {
            match ws.recv().await {
                Ok(Some(_)) if start.elapsed() < PATIENCE => work(),
                other => return (start, other.map(|_| ())),
            }
        }
    });
    assert_in_time(start, result, TimedOut::Send);
}

#[test]
fn a_guest_is_told_and_cut() {
    let (start, result) = outcome(async {
        let drain = Drain::new();
        let mut guest = drain.guest();
        let received = tokio::spawn(async move {
            let (mut ws, start) = (over_tokio(), Instant::now());
            loop {
                match guest.recv(&mut ws).await {
                    Ok(Some(_)) if start.elapsed() < PATIENCE => work(),
                    other => return (start, other.map(|_| ())),
                }
            }
        });
        sleep(DEADLINE).await;
        drain.drain(Duration::ZERO).await;
        received.await.unwrap()
    });
    assert_in_time(start, result, TimedOut::Close);
}
