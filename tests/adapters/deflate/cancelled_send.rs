//! A send that is dropped at any poll: the message is there whole or not at all, and what comes later
//! may refer to what came before.

use std::pin::Pin;

use futures_util::{Sink, SinkExt};
use sotong::tokio::WebSocket;
use sotong::{Error, SendError};

use super::ways::{Async, HALVES, Halves, Sending, WHOLE, Way, Whole};
use super::*;
use crate::cancel::{in_runtime, poll_some};
use crate::scripted::{Scripted, frames, hesitant, paused};

/// Who sends, on what was agreed, over what stream.
#[derive(Clone, Copy, Debug)]
struct Case {
    role: Role,
    agreed: Agreed,
    /// What the stream takes in one write.
    max_write: usize,
    /// How much is queued before a send waits.
    send_queue: usize,
}

impl Case {
    fn all() -> impl Iterator<Item = Self> {
        let agreed = [
            (Role::Server, both(15, true)),
            (Role::Client, both(15, true)),
            // The window holds the last three messages.
            (Role::Server, both(9, true)),
            (Role::Server, both(15, false)),
        ];
        // Every message waits for the one before it, or none does.
        let paces = [(7, 1), (20, 64 * 1024)];
        agreed.into_iter().flat_map(move |(role, agreed)| {
            paces.map(|(max_write, send_queue)| Self { role, agreed, max_write, send_queue })
        })
    }

    /// The stream, and the end of a connection over it.
    fn open(&self) -> (Scripted, Whole) {
        let mut config = config(|_| {});
        config.limits.send_queue = self.send_queue;
        let io = hesitant([b""; 0], self.max_write);
        let connection = connection(self.role, &config, self.agreed);
        (io.clone(), WebSocket::from_parts(parts(io, connection)))
    }

    fn received(&self, written: &[u8]) -> Vec<Message> {
        frames(written); // no half a frame
        Peer::of(self.role, self.agreed).receive(written)
    }
}

fn text(i: usize) -> String {
    format!("{i}: {LONG}\n")
}

/// To its end.
fn complete(sending: Sending<'_>) {
    poll_some(sending, usize::MAX).unwrap().unwrap();
}

/// Polls so many times; whether it came to its end.
fn attempt(sending: Sending<'_>, polls: usize) -> bool {
    poll_some(sending, polls).map(Result::unwrap).is_some()
}

/// Sends messages in a row, each dropped after so many polls, and one more with `last`, which is
/// not; for each whether it arrived and whether its call came to its end.
fn send_and_drop<S>(
    case: Case,
    open: fn(Whole) -> S,
    (way, last): (Way<Async<S>>, Async<S>),
    polls: usize,
) -> Vec<(bool, bool)> {
    let what = format!("{}, {case:?}, {polls} polls", way.name);
    let texts: Vec<String> = (0..5).map(text).collect();
    let (io, ws) = case.open();
    let mut ws = open(ws);
    let mut done: Vec<bool> = texts[..4]
        .iter()
        .map(|text| attempt((way.send)(&mut ws, text[..].into()), polls))
        .collect();
    complete(last(&mut ws, texts[4][..].into()));
    done.push(true);

    let written = io.inner().written();
    let arrived = case.received(&written);
    let messages = texts.iter().map(|text| Message::from(&text[..]));
    let there: Vec<bool> = messages.clone().map(|message| arrived.contains(&message)).collect();
    let in_order = messages.zip(&there).filter(|(_, is_there)| **is_there);
    let in_order: Vec<Message> = in_order.map(|(message, _)| message).collect();
    assert_eq!(arrived, in_order, "{what}: once each, in order");
    if case.agreed == both(15, true) && arrived.len() == 5 {
        assert!(written.len() < 2 * LONG.len(), "{what}: nothing refers to what came before");
    }
    let fates: Vec<(bool, bool)> = there.into_iter().zip(done).collect();
    assert!(!fates.contains(&(false, true)), "{what}: lost, {fates:?}");
    fates
}

/// Tries every number of polls, until all calls come to their end.
fn at_every_poll<S>(
    cases: impl Iterator<Item = Case>,
    open: fn(Whole) -> S,
    ways: &[Way<Async<S>>],
) {
    for case in cases {
        let mut fates = vec![];
        for way in ways {
            for polls in 0.. {
                let new = send_and_drop(case, open, (*way, ways[0].send), polls);
                let are_done = new.iter().all(|(_, is_done)| *is_done);
                fates.extend(new);
                if are_done {
                    break;
                }
            }
        }
        for fate in [(false, false), (true, false)] {
            assert!(fates.contains(&fate), "{case:?}: never dropped so that {fate:?}");
        }
    }
}

#[test]
fn a_dropped_send_leaves_the_context_as_the_peer_knows_it() {
    in_runtime(|| at_every_poll(Case::all(), |ws| ws, &WHOLE));
}

#[test]
fn a_dropped_send_of_a_half_leaves_the_context_as_the_peer_knows_it() {
    let server = Case::all().filter(|case| case.role == Role::Server);
    in_runtime(|| at_every_poll(server, Whole::split, &HALVES));
}

type SendPart<S> = for<'a> fn(&'a mut S, &'a str, bool) -> Sending<'a>;

/// Sends a message in parts, each but the last dropped after so many polls, and another message;
/// whether all parts came to their end.
fn send_parts_and_drop<S>(
    case: Case,
    open: fn(Whole) -> S,
    send: SendPart<S>,
    polls: usize,
) -> bool {
    let what = format!("{case:?}, {polls} polls");
    let parts: Vec<String> = (0..5).map(text).collect();
    let (io, ws) = case.open();
    let mut ws = open(ws);
    let mut done: Vec<bool> =
        parts[..3].iter().map(|part| attempt(send(&mut ws, part, false), polls)).collect();
    complete(send(&mut ws, &parts[3], true));
    complete(send(&mut ws, &parts[4], true));
    done.push(true);

    let written = io.inner().written();
    let [Message::Text(message), next] = &case.received(&written)[..] else {
        panic!("{what}: two messages were sent")
    };
    assert_eq!(*next, Message::from(&parts[4][..]), "{what}");
    let there = parts[..4].iter().filter(|part| message.contains(&part[..]));
    assert_eq!(there.map(|part| &part[..]).collect::<String>(), message[..], "{what}: whole parts");
    for (part, is_done) in parts.iter().zip(&done) {
        assert!(message.contains(&part[..]) || !is_done, "{what}: lost");
    }
    // "MUST NOT be set on ... non-first fragments" (RFC 7692, section 6), whichever came first.
    let frames = compressed(&written);
    let continued = vec![false; frames.len() - 2];
    assert_eq!(frames, [vec![true], continued, vec![true]].concat(), "{what}");
    done.iter().all(|is_done| *is_done)
}

#[test]
fn a_dropped_part_is_a_part_of_its_message_or_not() {
    let whole: SendPart<Whole> = |ws, part, fin| Box::pin(ws.send_fragment(part, fin));
    let half: SendPart<Halves> = |(_, sender), part, fin| Box::pin(sender.send_fragment(part, fin));
    in_runtime(|| {
        for case in Case::all() {
            let all_polls = 0_usize..;
            let is_over = |polls: &usize| send_parts_and_drop(case, |ws| ws, whole, *polls);
            all_polls.clone().find(is_over);
            let is_over = |polls: &usize| send_parts_and_drop(case, Whole::split, half, *polls);
            all_polls.clone().find(is_over);
        }
    });
}

/// Queues messages without a look at whether there is room, and writes now and then; what arrives is
/// what was not refused.
async fn overfill<S>(
    case: Case,
    mut ws: S,
    sink: fn(&mut S) -> &mut (dyn Sink<Message, Error = Error> + Unpin),
    io: &Scripted,
) {
    let sink = sink(&mut ws);
    let (mut accepted, mut refused) = (vec![], 0);
    for i in 0..40 {
        let message = Message::from(text(i));
        match Pin::new(&mut *sink).start_send(message.clone()) {
            Ok(()) => accepted.push(message),
            Err(Error::Send(SendError::QueueFull)) => refused += 1,
            Err(error) => panic!("{error}"),
        }
        if i % 7 == 0 {
            sink.flush().await.unwrap();
        }
    }
    sink.flush().await.unwrap();
    assert!(accepted.len() >= 6 && refused >= 6, "{case:?}: {} {refused}", accepted.len());
    assert_eq!(case.received(&io.inner().written()), accepted, "{case:?}");
}

#[test]
fn what_a_full_queue_refuses_leaves_the_context_as_the_peer_knows_it() {
    paused().block_on(async {
        for case in Case::all() {
            // Room for one message that is new, or for a few that refer to it.
            let case = Case { send_queue: 30, ..case };
            let (io, ws) = case.open();
            overfill(case, ws, |ws| ws, &io).await;
            let (io, ws) = case.open();
            overfill(case, ws.split(), |(_, sender)| sender, &io).await;
        }
    });
}
