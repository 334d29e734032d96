//! What the stream does not take of a large message at once stays where it is while it is waited for,
//! and is queued when it is not.

use std::pin::pin;
use std::time::Duration;

use sotong::tokio::{Receiver, Sender, WebSocket};
use sotong::{CloseCode, Config, Error, Event, Opcode, TimedOut};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::{Instant, sleep, timeout};

use crate::scripted::{frames, masked, server};

static LARGE: [u8; 1_000_000] = [7; 1_000_000];

/// A connection, and the other end of its stream, which holds so many bytes.
fn pair(capacity: usize) -> (WebSocket<DuplexStream>, DuplexStream) {
    let (near, far) = tokio::io::duplex(capacity);
    (server(near, &Config::default()), far)
}

/// All that comes until the stream ends, as frames.
async fn drain(mut peer: DuplexStream) -> Vec<(bool, Opcode, Vec<u8>)> {
    let mut bytes = Vec::new();
    peer.read_to_end(&mut bytes).await.unwrap();
    frames(&bytes)
}

/// How a large message is given to the sender.
#[derive(Clone, Copy, Debug)]
enum Way {
    Send,
    Feed,
    /// Not waited for to its end.
    Dropped,
}

/// A ping and a Close come while a large message is under way: both are answered behind it, though
/// only the receiver knows of them, and nothing waits for a deadline.
#[tokio::test(start_paused = true)]
async fn what_becomes_due_in_the_middle_of_a_frame_goes_behind_it() {
    let ways = [Way::Send, Way::Feed, Way::Dropped];
    // The stream takes what is left a little at a time, or all at once.
    for (way, capacity) in ways.into_iter().flat_map(|way| [(way, 4096), (way, 600_000)]) {
        let (ws, mut peer) = pair(capacity);
        let start = Instant::now();
        let (receiver, sender) = ws.split();
        let sending = tokio::spawn(give(sender, way));
        let receiving = tokio::spawn(receive_close(receiver));
        peer.write_all(&[masked(0x89, b"?"), masked(0x88, b"\x03\xe8")].concat()).await.unwrap();
        sleep(Duration::from_millis(5)).await;
        let got = drain(peer).await;
        sending.await.unwrap();
        receiving.await.unwrap();
        let replies = [(Opcode::Pong, &b"?"[..]), (Opcode::Close, &b"\x03\xe8"[..])];
        let [large, rest @ ..] = &got[..] else { panic!("{way:?}: nothing came") };
        assert_eq!((large.0, large.1, &large.2[..]), (true, Opcode::Binary, &LARGE[..]));
        assert!(rest.iter().map(|frame| (frame.1, &frame.2[..])).eq(replies), "{way:?}: {rest:?}");
        assert!(start.elapsed() < Duration::from_millis(10), "{way:?}: {:?}", start.elapsed());
    }
}

async fn give(mut sender: Sender<DuplexStream>, way: Way) {
    match way {
        Way::Send => sender.send_binary(&LARGE).await.unwrap(),
        Way::Feed => sender.feed_binary(&LARGE).await.unwrap(),
        Way::Dropped => {
            let sent = timeout(Duration::from_millis(2), sender.send_binary(&LARGE)).await;
            assert!(sent.is_err(), "nobody has read yet");
        }
    }
}

async fn receive_close(mut receiver: Receiver<DuplexStream>) {
    assert_eq!(receiver.recv().await.unwrap(), Some(Event::Ping(b"?")));
    let close = receiver.recv().await.unwrap();
    assert_eq!(close, Some(Event::Close(Some(CloseCode::NORMAL.into()))));
    assert_eq!(receiver.recv().await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn feed_waits_until_what_is_left_fits_into_the_queue() {
    let queue = Config::default().limits.send_queue;
    let (mut ws, mut peer) = pair(4096);
    let mut taken = vec![0; 10 + LARGE.len()];
    let mut end = 0;
    {
        let mut feeding = pin!(ws.feed_binary(&LARGE));
        while timeout(Duration::ZERO, &mut feeding).await.is_err() {
            end += peer.read(&mut taken[end..]).await.unwrap();
        }
    }
    let left = taken.len() - end;
    assert!((queue..queue + 4096).contains(&left), "{left}, of which the stream holds 4096");
    let (flushed, read) = tokio::join!(ws.flush(), peer.read_exact(&mut taken[end..]));
    assert!(flushed.is_ok() && read.is_ok());
    assert_eq!(frames(&taken), [(true, Opcode::Binary, LARGE.to_vec())]);
}

/// Buffers are shared by the connections of a thread while they are empty.
#[tokio::test(start_paused = true)]
async fn a_buffer_is_kept_while_the_middle_of_a_frame_is_to_come() {
    let (ws, mut peer) = pair(4096);
    let (mut receiver, mut sender) = ws.split();
    let sending = tokio::spawn(async move { sender.send_binary(&LARGE).await });
    tokio::spawn(async move { receiver.recv().await.map(|_| ()) });
    sleep(Duration::from_millis(1)).await;
    let (mut other, mut others_peer) = pair(4096);
    other.send_text("other").await.unwrap();
    others_peer.read_exact(&mut [0; 7]).await.unwrap();
    let mut got = vec![0; 10 + LARGE.len()];
    peer.read_exact(&mut got).await.unwrap();
    sending.await.unwrap().unwrap();
    assert_eq!(frames(&got), [(true, Opcode::Binary, LARGE.to_vec())]);
}

/// The deadline is for a peer that takes nothing, and what is left is queued when it has passed.
#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_nothing_is_given_up_in_the_middle_of_a_frame() {
    for is_slow in [false, true] {
        let (mut ws, mut peer) = pair(4096);
        let start = Instant::now();
        let reading = tokio::spawn(async move {
            for _ in 0..10 * i32::from(is_slow) {
                sleep(Duration::from_secs(20)).await;
                peer.read_exact(&mut [0; 1000]).await.unwrap();
            }
            peer
        });
        let sent = ws.send_binary(&LARGE).await;
        assert!(matches!(sent, Err(Error::TimedOut(TimedOut::Send))), "{sent:?}");
        let waited = 30 + 200 * u64::from(is_slow);
        assert_eq!(start.elapsed().as_secs(), waited);
        drop(reading);
    }
}

/// What is compressed lies in the queue, and is waited for all the same.
#[cfg(feature = "deflate")]
#[tokio::test(start_paused = true)]
async fn feed_waits_for_room_behind_a_large_compressed_message() {
    use sotong::tokio::Parts;
    use sotong::{Agreed, Compress, Connection, DeflateParameters, Payload};

    let mut config = Config::default();
    config.deflate = Some(sotong::Deflate::default());
    let mut agreed = Agreed::default();
    agreed.deflate = Some(DeflateParameters::default());
    let (near, mut far) = tokio::io::duplex(4096);
    let connection = Connection::server(&config, agreed);
    let mut ws = WebSocket::from_parts(Parts::new(near, connection, b""));
    let mut state = 1_u32;
    let noise: Vec<u8> = (0..300_000)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .collect();
    let message = Payload::binary(&noise).compress(Compress::Yes);
    let fed = timeout(Duration::from_millis(1), ws.feed_message(message)).await;
    assert!(fed.is_err(), "nobody has read yet");
    let flushing = tokio::spawn(async move { ws.flush().await });
    let mut len = 0;
    while let Ok(Ok(1..)) = timeout(Duration::from_millis(1), far.read(&mut [0; 4096])).await {
        len += 1;
    }
    flushing.await.unwrap().unwrap();
    assert!(len > 50, "it is all there");
}
