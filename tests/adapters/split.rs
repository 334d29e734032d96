//! The halves of a connection at work in two threads, two tasks.

use std::net::{TcpListener, TcpStream};

use sotong::handshake::client::Request;
use sotong::test_kit::pipe;
use sotong::{CloseCode, Compress, Config, Event, Payload, blocking, tokio as asynchronous};
use tokio::io::{AsyncRead, AsyncWrite};

/// What both ends send at the same time.
#[derive(Clone, Copy)]
pub struct Load {
    pub messages: u32,
    pub message: fn(u32) -> Vec<u8>,
    pub compress: fn(u32) -> Compress,
}

/// Messages that mix frames of every header length with ones larger than any socket buffer.
const LOAD: Load = Load {
    messages: 2_000,
    message: |i| [&i.to_be_bytes()[..], &vec![i as u8; size(i)]].concat(),
    compress: |_| Compress::Auto,
};

pub fn size(i: u32) -> usize {
    [0, 1, 125, 126, 4_000, 70_000][i as usize % 6]
}

#[test]
fn both_directions_are_full_at_the_same_time_from_two_threads() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        let ws = blocking::accept(listener.accept().unwrap().0, Config::default()).unwrap();
        exercise(ws, LOAD)
    });
    let request = Request { host: &address.to_string(), ..Request::default() };
    let stream = TcpStream::connect(address).unwrap();
    let (ws, _) = blocking::connect_over(stream, &request, Config::default()).unwrap();
    exercise(ws, LOAD);
    server.join().unwrap();
}

/// Sends all messages from one thread while another one receives the peer's; pings in between.
pub fn exercise(ws: blocking::WebSocket<TcpStream>, load: Load) {
    let Load { messages, message, compress } = load;
    let (mut receiver, mut sender) = ws.split().unwrap();
    let sending = std::thread::spawn(move || {
        for i in 0..messages {
            sender.send_message(Payload::binary(&message(i)).compress(compress(i))).unwrap();
            if i % 100 == 0 {
                sender.ping(&i.to_be_bytes()).unwrap();
            }
        }
        sender
    });
    let (mut next, mut pongs) = (0, 0);
    while next < messages || pongs < messages / 100 {
        match receiver.recv().unwrap().expect("nobody has closed yet") {
            Event::Binary(bytes) => {
                assert_eq!(bytes, message(next));
                next += 1;
            }
            // Of several pings only the latest is answered.
            Event::Pong(bytes) => pongs = u32::from_be_bytes(bytes.try_into().unwrap()) / 100 + 1,
            Event::Ping(_) => {}
            event => panic!("{event:?}"),
        }
    }
    let mut sender = sending.join().unwrap();
    // Both close at the same time, or one after the other.
    let _either = sender.send_close(Some(CloseCode::NORMAL.into()));
    while receiver.recv().unwrap().is_some() {}
    assert_eq!(sender.state(), sotong::State::Closed);
    assert!(sender.send_text("late").is_err());
}

#[test]
fn both_directions_are_full_at_the_same_time_from_two_tasks() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        for capacity in [1, 1_000, 1_000_000] {
            let (near, far) = pipe(capacity);
            let messages = if capacity == 1 { 12 } else { LOAD.messages };
            let load = Load { messages, ..LOAD };
            let server = tokio::spawn(async move {
                let ws = asynchronous::accept(far, &Config::default()).await.unwrap();
                exercise_async(ws, load).await;
            });
            let (ws, _) = asynchronous::connect_over(near, &Request::default(), &Config::default())
                .await
                .unwrap();
            exercise_async(ws, load).await;
            server.await.unwrap();
        }
    });
}

/// As [`exercise`], in two tasks.
pub async fn exercise_async<S>(ws: asynchronous::WebSocket<S>, load: Load)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Load { messages, message, compress } = load;
    let (mut receiver, mut sender) = ws.split();
    let sending = tokio::spawn(async move {
        for i in 0..messages {
            let message = message(i);
            let payload = Payload::binary(&message).compress(compress(i));
            sender.send_message(payload).await.unwrap();
            if i % 10 == 0 {
                sender.ping(b"?").await.unwrap();
            }
        }
        sender
    });
    let mut next = 0;
    while next < messages {
        if let Event::Binary(bytes) = receiver.recv().await.unwrap().expect("nobody has closed yet")
        {
            assert_eq!(bytes, message(next));
            next += 1;
        }
    }
    // The peer may wait for a pong of ours to go out with what is still to send.
    let receiving = tokio::spawn(async move { while receiver.recv().await.unwrap().is_some() {} });
    let mut sender = sending.await.unwrap();
    let _either = sender.send_close(Some(CloseCode::NORMAL.into())).await;
    receiving.await.unwrap();
    assert_eq!(sender.state(), sotong::State::Closed);
}
