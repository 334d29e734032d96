//! Whether a message is compressed: what was said of it holds for every way to send, in both adapters.

use sotong::{Compress, blocking, tokio as asynchronous};

use super::ways::{
    Async, BLOCKING_HALVES, BLOCKING_REPLIES, BLOCKING_WHOLE, Blocking, HALVES, REPLIES, WHOLE, Way,
};
use super::*;
use crate::scripted::{Scripted, masked, paused, plain, scripted};

/// One that is compressed on its own merits, and one below the threshold.
const TEXTS: [&str; 2] = [LONG, "na na na na na na na na na na na na na na"];

const CHOICES: [Compress; 3] = [Compress::Auto, Compress::Yes, Compress::No];

fn payloads() -> impl Iterator<Item = Payload<'static>> {
    CHOICES.into_iter().flat_map(|choice| TEXTS.map(|text| Payload::text(text).compress(choice)))
}

/// Which of [`payloads`] are compressed if they have a say, and if they have none.
const TOLD: [bool; 6] = [true, false, true, true, false, false];
const UNTOLD: [bool; 6] = [true, false, true, false, true, false];

/// Whoever sends, on whatever was agreed, with a queue that is never full and with one that every
/// message fills.
fn everybody() -> Vec<(Role, Agreed, Config)> {
    let mut everybody = vec![];
    for role in ROLES {
        for agreed in [both(15, true), both(15, false), both(9, false), Agreed::default()] {
            for send_queue in [64 * 1024, 1] {
                let mut config = config(|_| {});
                config.limits.send_queue = send_queue;
                everybody.push((role, agreed, config));
            }
        }
    }
    everybody
}

/// A stream that brings something to reply to for each of [`payloads`], by two ways to reply.
fn stream(role: Role) -> Scripted {
    let frame = if role == Role::Server { masked } else { plain };
    scripted(vec![frame(0x8a, b""); 12])
}

/// Sends in each of these ways.
fn send_all<S>(ws: &mut S, ways: &[Way<Blocking<S>>]) {
    for way in ways {
        payloads().for_each(|payload| (way.send)(ws, payload).unwrap());
    }
}

async fn send_all_async<S>(ws: &mut S, ways: &[Way<Async<S>>]) {
    for way in ways {
        for payload in payloads() {
            (way.send)(ws, payload).await.unwrap();
        }
    }
}

/// Whether the peer gets all that was sent in these ways, and compressed what should be.
fn check<F>((role, agreed): (Role, Agreed), io: &Scripted, ways: &[Way<F>]) {
    let written = io.inner().written();
    let frames = compressed(&written);
    assert_eq!(frames.len(), 6 * ways.len());
    for (way, frames) in ways.iter().zip(frames.chunks(6)) {
        let expected = match (agreed.deflate, way.is_told) {
            (None, _) => [false; 6],
            (_, true) => TOLD,
            (_, false) => UNTOLD,
        };
        assert_eq!(frames, expected, "{}, {role:?}, {agreed:?}", way.name);
    }
    let texts = TEXTS.into_iter().map(Message::from).cycle().take(frames.len());
    assert_eq!(Peer::of(role, agreed).receive(&written), texts.collect::<Vec<_>>());
}

#[test]
fn every_way_to_send_of_the_blocking_adapter_compresses_what_it_is_told() {
    for (role, agreed, config) in everybody() {
        let open = |io: &Scripted| {
            let connection = connection(role, &config, agreed);
            blocking::WebSocket::from_parts(parts(io.clone(), connection)).unwrap()
        };
        let (io, ways) = (stream(role), [&BLOCKING_WHOLE[..], &BLOCKING_REPLIES].concat());
        let mut ws = open(&io);
        send_all(&mut ws, &ways);
        ws.flush().unwrap();
        check((role, agreed), &io, &ways);

        let io = stream(role);
        let mut halves = open(&io).split().unwrap();
        send_all(&mut halves, &BLOCKING_HALVES);
        halves.1.flush().unwrap();
        check((role, agreed), &io, &BLOCKING_HALVES);
    }
}

#[test]
fn every_way_to_send_of_the_tokio_adapter_compresses_what_it_is_told() {
    paused().block_on(async {
        for (role, agreed, config) in everybody() {
            let open = |io: &Scripted| {
                let connection = connection(role, &config, agreed);
                asynchronous::WebSocket::from_parts(parts(io.clone(), connection))
            };
            let (io, ways) = (stream(role), [&WHOLE[..], &REPLIES].concat());
            let mut ws = open(&io);
            send_all_async(&mut ws, &ways).await;
            ws.flush().await.unwrap();
            check((role, agreed), &io, &ways);

            let io = stream(role);
            let mut halves = open(&io).split();
            send_all_async(&mut halves, &HALVES).await;
            halves.1.flush().await.unwrap();
            check((role, agreed), &io, &HALVES);
        }
    });
}
