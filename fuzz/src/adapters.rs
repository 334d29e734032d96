//! The adapters over a scripted stream: the blocking and the tokio one, whole and in halves, do
//! what the core does; and whichever futures are dropped, no event is lost and no frame is half
//! sent.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use sotong::{CloseCode, Event, Opcode, Payload, Role, SendBuffer};
use sotong::{blocking, tokio as asynchronous};
use tokio::runtime::Runtime;

use crate::common::{End, Seen};
use crate::model::script::{Choices, cut, rules, wire};
use crate::model::{Rules, check};
use crate::scripted::{Scripted, frames, paused};

/// What happened: the events, the bytes that were sent, how it ended.
type Trace = (Vec<Seen>, Vec<u8>, String);

/// Two bytes of rules, where it is a client instead of having sent a Close; one that says how to
/// cut, one how many bytes a write takes, one when futures are dropped; then a script.
pub fn adapters(input: &[u8]) {
    let mut choices = Choices(input);
    let role = if input.first().is_some_and(|first| first & 0x04 != 0) {
        Role::Client
    } else {
        Role::Server
    };
    let (rules, receive_buffer) = rules(role, &mut choices);
    let rules = Rules { close_sent: false, ..rules };
    let (way, max_write, drops) = (choices.byte(), choices.byte(), choices.byte());
    let wire = wire(&rules, &mut choices);
    let reads = cut(&wire, way);

    let agreed = check::agreed(&rules);
    let mut config = check::config(&rules, receive_buffer);
    // With a queue that is always full an echo waits, and pongs may be left out.
    let is_tight = max_write % 2 == 1;
    config.limits.send_queue = if is_tight { 1 } else { usize::MAX };
    let end = || End::with(role, &config, agreed);
    let expected = over_core(end(), &reads);
    let parts = || {
        let (end, io) = (end(), Scripted::new(&reads).hesitant(1 + usize::from(max_write)));
        blocking::Parts { io, connection: end.conn, rx: end.rx, tx: end.tx }
    };
    let assert_is_expected = |what, trace: Trace| match is_tight {
        false => assert_eq!(trace, expected, "{what}"),
        true => assert_eq!(without_pongs(&trace), without_pongs(&expected), "{what}"),
    };
    assert_is_expected("blocking", over_blocking(parts()));
    assert_is_expected("blocking halves", over_blocking_halves(parts()));
    RUNTIME.with(|runtime| {
        let _guard = runtime.enter();
        assert_is_expected("tokio", runtime.block_on(over_tokio(parts())));
        assert_is_expected("tokio halves", runtime.block_on(over_tokio_halves(parts())));
        drop_futures(parts(), drops, &expected);
    });
}

type Frames = Vec<(bool, Opcode, Vec<u8>)>;

fn without_pongs((events, sent, outcome): &Trace) -> (&[Seen], Frames, &str) {
    let mut frames = frames(sent);
    frames.retain(|frame| frame.1 != Opcode::Pong);
    (events, frames, outcome)
}

thread_local! {
    /// To make one takes longer than all that is done with it.
    static RUNTIME: Runtime = paused();
}

/// What is echoed: messages, unless they say how to end it.
fn reply<'e>(event: &Event<'e>) -> Option<Payload<'e>> {
    match *event {
        Event::Text(text) => Some(Payload::text(text)),
        Event::Binary(bytes) => Some(Payload::binary(bytes)),
        _ => None,
    }
}

fn over_core(mut end: End, reads: &[&[u8]]) -> Trace {
    let (mut events, mut sent) = (vec![], vec![]);
    for mut read in reads.iter().copied() {
        while !read.is_empty() {
            read = &read[end.rx.extend(read)..];
            while let Ok(Some(event)) = end.conn.next_event(&mut end.rx) {
                end.conn.poll_transmit(&mut end.tx);
                sent.extend(take(&mut end.tx));
                events.push(event.into());
                if let Some(payload) = reply(&event) {
                    end.conn.send(payload, &mut end.tx).expect("it is open").queue();
                    sent.extend(take(&mut end.tx));
                }
            }
            sent.extend(end.drain());
        }
    }
    let outcome = end.conn.handle_eof().map_err(sotong::Error::from);
    (events, sent, format!("{outcome:?}"))
}

/// Takes what is queued, while an event is still looked at.
fn take(tx: &mut SendBuffer) -> Vec<u8> {
    let mut transmit = tx.transmit();
    let bytes = transmit.slices().concat();
    transmit.consume(bytes.len());
    bytes
}

fn over_blocking(parts: blocking::Parts<Scripted>) -> Trace {
    let io = parts.io.clone();
    let mut ws = blocking::WebSocket::from_parts(parts).expect("the stream is ready");
    let mut events = vec![];
    let outcome = loop {
        match ws.recv_reply() {
            Ok(Some((event, mut responder))) => {
                events.push(event.into());
                if let Some(payload) = reply(&event) {
                    responder.feed(payload).expect("it is open");
                }
            }
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    (events, io.written(), format!("{outcome:?}"))
}

fn over_blocking_halves(parts: blocking::Parts<Scripted>) -> Trace {
    let io = parts.io.clone();
    let ws = blocking::WebSocket::from_parts(parts).expect("the stream is ready");
    let (mut receiver, mut sender) = ws.split().expect("the stream has two handles");
    let mut events = vec![];
    let outcome = loop {
        match receiver.recv() {
            Ok(Some(event)) => {
                events.push(event.into());
                if let Some(payload) = reply(&event) {
                    sender.feed_message(payload).expect("it is open");
                }
            }
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    (events, io.written(), format!("{outcome:?}"))
}

async fn over_tokio(parts: blocking::Parts<Scripted>) -> Trace {
    let io = parts.io.clone();
    let mut ws = asynchronous::WebSocket::from_parts(parts);
    let mut events = vec![];
    let outcome = loop {
        match ws.recv_reply().await {
            Ok(Some((event, mut responder))) => {
                events.push(event.into());
                if let Some(payload) = reply(&event) {
                    responder.feed(payload).await.expect("it is open");
                }
            }
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    (events, io.written(), format!("{outcome:?}"))
}

async fn over_tokio_halves(parts: blocking::Parts<Scripted>) -> Trace {
    let io = parts.io.clone();
    let (mut receiver, mut sender) = asynchronous::WebSocket::from_parts(parts).split();
    let mut events = vec![];
    let outcome = loop {
        match receiver.recv().await {
            Ok(Some(event)) => {
                events.push(event.into());
                if let Some(payload) = reply(&event) {
                    sender.feed_message(payload).await.expect("it is open");
                }
            }
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    (events, io.written(), format!("{outcome:?}"))
}

/// Receives everything with futures that are dropped after a few polls, and between them sends,
/// which is dropped as well: the events are all there, and what was written are whole frames.
fn drop_futures(parts: blocking::Parts<Scripted>, drops: u8, (expected, _, outcome): &Trace) {
    let io = parts.io.clone();
    let mut ws = asynchronous::WebSocket::from_parts(parts);
    let (polls, sends) = (1 + usize::from(drops % 7), drops >= 128);
    let mut events: Vec<Seen> = vec![];
    let mut done = vec![];
    let mut rounds = 0_u32;
    let end = loop {
        rounds += 1;
        assert!(rounds < 1_000_000, "it never ends");
        match poll_some(ws.recv(), polls) {
            None => {}
            Some(Ok(Some(event))) => events.push(event.into()),
            Some(Ok(None)) => break Ok(()),
            Some(Err(error)) => break Err(error),
        }
        if sends && rounds < 20 {
            let payload = rounds.to_be_bytes();
            if let Some(Ok(())) = poll_some(ws.send_binary(&payload), rounds as usize % 4) {
                done.push(payload);
            }
        }
        if drops == 255 && rounds == 10 {
            poll_some(ws.send_close(Some(CloseCode::NORMAL.into())), 1);
        }
    };
    // A Close of ours changes how it ends, and what is answered, but not what has come.
    assert_eq!(&events, expected);
    if drops != 255 {
        assert_eq!(&format!("{end:?}"), outcome);
    }
    let frames = frames(&io.written());
    let mut sent = frames.iter().filter(|frame| frame.2.len() == 4).map(|frame| &frame.2[..]);
    for payload in done {
        assert!(sent.any(|sent| sent == payload), "what was sent is there, in its order");
    }
}

/// Polls a future `polls` times, then drops it; what it gave, if it was ready.
fn poll_some<T>(future: impl Future<Output = T>, polls: usize) -> Option<T> {
    let mut future = pin!(future);
    let mut cx = Context::from_waker(Waker::noop());
    (0..polls).find_map(|_| match future.as_mut().poll(&mut cx) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    })
}
