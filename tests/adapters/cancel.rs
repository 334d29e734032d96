//! Futures dropped at every await point: `recv` loses nothing, a dropped `send` queued the message
//! whole or not at all.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use futures_util::SinkExt;
use sotong::tokio::WebSocket;
use sotong::{Chunk, CloseCode, Config, Message, Opcode, Prepared, SendError};

use crate::scripted::{Scripted, frames, hesitant, masked, paused, server};

/// Polls a future `polls` times, then drops it; what it gave, if it was ready.
pub fn poll_some<T>(future: impl Future<Output = T>, polls: usize) -> Option<T> {
    let mut future = pin!(future);
    let mut cx = Context::from_waker(Waker::noop());
    (0..polls).find_map(|_| match future.as_mut().poll(&mut cx) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    })
}

/// Within a runtime, since the adapter arms timers.
pub fn in_runtime<T>(work: impl FnOnce() -> T) -> T {
    let runtime = paused();
    let _guard = runtime.enter();
    work()
}

fn script() -> Vec<Vec<u8>> {
    let stream = [
        masked(0x81, "소통".as_bytes()),
        masked(0x01, b"one "),
        masked(0x89, b"!"),
        masked(0x80, b"two"),
        masked(0x82, &[9; 2_000]),
        masked(0x88, b"\x03\xe8"),
    ];
    stream.concat().chunks(3).map(<[u8]>::to_vec).collect()
}

/// All events, with every `recv` dropped after `polls` polls unless it was ready, and all bytes
/// written.
fn receive_all(polls: usize) -> (Vec<String>, Vec<u8>) {
    let io = hesitant(script(), 2);
    let mut ws = server(io.clone(), &Config::default());
    let mut events = vec![];
    for _ in 0..100_000 {
        match poll_some(ws.recv(), polls) {
            None => {}
            Some(Ok(Some(event))) => events.push(format!("{event:?}")),
            Some(Ok(None)) => return (events, io.inner().written()),
            Some(Err(error)) => panic!("{error}"),
        }
    }
    panic!("never ends with {polls} polls");
}

#[test]
fn recv_dropped_at_any_poll_loses_nothing() {
    in_runtime(|| {
        let expected = receive_all(usize::MAX);
        assert_eq!(expected.0.len(), 5);
        for polls in 1..40 {
            assert_eq!(receive_all(polls), expected, "{polls} polls each");
        }
    });
}

#[test]
fn recv_chunk_dropped_at_any_poll_loses_nothing() {
    let receive = |polls| {
        let mut ws = server(hesitant(script(), 2), &Config::default());
        let (mut text, mut bytes) = (String::new(), 0);
        loop {
            match poll_some(ws.recv_chunk(), polls) {
                None => {}
                Some(Ok(Some(Chunk::Text { piece, last }))) => {
                    text += &format!("{piece}{}", ["", "|"][usize::from(last)])
                }
                Some(Ok(Some(Chunk::Binary { piece, .. }))) => bytes += piece.len(),
                Some(Ok(Some(_))) => {}
                Some(Ok(None)) => return (text, bytes),
                Some(Err(error)) => panic!("{error}"),
            }
        }
    };
    in_runtime(|| {
        for polls in 1..20 {
            assert_eq!(receive(polls), ("소통|one two|".into(), 2_000));
        }
    });
}

/// Makes one call on a fresh connection and drops it after `polls` polls; then sends "next". The
/// frames sent, and whether the call was over.
async fn call_and_drop(
    polls: usize,
    max_write: usize,
    config: &Config,
    call: impl AsyncFnOnce(&mut WebSocket<Scripted>) -> sotong::Result<()>,
) -> (Vec<(bool, Opcode, Vec<u8>)>, bool) {
    let io = hesitant([b""; 0], max_write);
    let mut ws = server(io.clone(), config);
    ws.feed_text("before").await.unwrap();
    let done = poll_some(call(&mut ws), polls).is_some();
    match ws.send_text("next").await {
        Ok(()) | Err(sotong::Error::Send(SendError::Closing | SendError::MessageUnfinished)) => {}
        Err(error) => panic!("{error}"),
    }
    ws.flush().await.unwrap();
    (frames(&io.inner().written()), done)
}

/// Tries a call with every number of polls; its frame must be there whole if the call was over, and
/// else whole or not.
fn whole_or_not_at_all(
    config: &Config,
    frame: (bool, Opcode, &[u8]),
    call: impl AsyncFn(&mut WebSocket<Scripted>) -> sotong::Result<()>,
) {
    let runtime = paused();
    let frame = (frame.0, frame.1, frame.2.to_vec());
    let (mut outcomes, mut over) = ([0, 0], false);
    for polls in 0.. {
        let (mut sent, done) =
            runtime.block_on(call_and_drop(polls, 2 + frame.2.len() / 5, config, &call));
        assert_eq!(sent.remove(0).2, b"before");
        let there = sent.first() == Some(&frame);
        assert!(there || !done, "{polls} polls");
        outcomes[usize::from(there)] += 1;
        sent.drain(..usize::from(there));
        assert!(sent.is_empty() || sent == [(true, Opcode::Text, b"next".to_vec())], "{sent:?}");
        if over {
            break;
        }
        over = done;
    }
    assert!(outcomes.iter().all(|n| *n > 0), "both happened: {outcomes:?}");
}

#[test]
fn a_dropped_send_queued_the_message_whole_or_not_at_all() {
    let mut tight = Config::default();
    tight.limits.send_queue = 1;
    let prepared = Prepared::new("prepared");
    let large = vec![7; 10_000];
    for config in [&Config::default(), &tight] {
        let text = (true, Opcode::Text, &b"text"[..]);
        whole_or_not_at_all(config, text, async |ws| ws.send_text("text").await);
        whole_or_not_at_all(config, (true, Opcode::Binary, &large), async |ws| {
            ws.send_binary(&large).await
        });
        let encoded = (true, Opcode::Text, &b"prepared"[..]);
        whole_or_not_at_all(config, encoded, async |ws| ws.send_prepared(&prepared).await);
        let part = (false, Opcode::Text, &b"part"[..]);
        whole_or_not_at_all(config, part, async |ws| ws.send_fragment("part", false).await);
        whole_or_not_at_all(config, (true, Opcode::Ping, b"?"), async |ws| ws.ping(b"?").await);
        let close = (true, Opcode::Close, &b"\x03\xe8"[..]);
        whole_or_not_at_all(config, close, async |ws| {
            ws.send_close(Some(CloseCode::NORMAL.into())).await
        });
        whole_or_not_at_all(config, text, async |ws| {
            SinkExt::send(ws, Message::from("text")).await
        });
        whole_or_not_at_all(config, text, async |ws| {
            ws.feed_text("text").await?;
            ws.flush().await
        });
    }
}

#[test]
fn close_dropped_at_any_poll_can_be_called_again() {
    let runtime = paused();
    for polls in 0..30 {
        let io = hesitant([masked(0x81, b"late"), masked(0x88, b"\x03\xe8")], 3);
        let mut ws = server(io.clone(), &Config::default());
        runtime.block_on(async {
            poll_some(ws.close(Some(CloseCode::NORMAL.into())), polls);
            ws.close(Some(CloseCode::NORMAL.into())).await.unwrap();
        });
        assert_eq!(
            frames(&io.inner().written()),
            [(true, Opcode::Close, b"\x03\xe8".to_vec())],
            "{polls} polls"
        );
    }
}

#[test]
fn the_halves_are_as_safe_to_drop() {
    let runtime = paused();
    for polls in 0..30 {
        let io = hesitant(script(), 3);
        let (mut receiver, mut sender) = server(io.clone(), &Config::default()).split();
        let events = runtime.block_on(async {
            poll_some(sender.send_text("first"), polls);
            let mut events = 0;
            loop {
                match poll_some(receiver.recv(), polls.max(1)) {
                    None => {}
                    Some(Ok(Some(_))) => events += 1,
                    Some(end) => return end.map(|_| events).unwrap(),
                }
            }
        });
        assert_eq!(events, 5);
        let sent = frames(&io.inner().written());
        let expected =
            [(true, Opcode::Text, b"first".to_vec()), (true, Opcode::Pong, b"!".to_vec())];
        assert!(sent.starts_with(&expected[usize::from(polls == 0)..]), "{polls}: {sent:?}");
        assert_eq!(sent.last(), Some(&(true, Opcode::Close, b"\x03\xe8".to_vec())));
    }
}
