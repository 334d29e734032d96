//! A recv that is dropped at any poll, over streams that give few bytes at a time: nothing of a
//! compressed message is lost, and nothing is inflated twice.

use futures_util::StreamExt;
use sotong::tokio::WebSocket;
use sotong::{Chunk, Event, Opcode};

use super::*;
use crate::cancel::{in_runtime, poll_some};
use crate::scripted::{Scripted, frames, hesitant};

/// Messages that refer to each other and to none, in fragments with pings between them; and the bytes
/// that bring them to `role`.
fn script(role: Role, agreed: Agreed) -> (Vec<Message>, Vec<u8>) {
    let mut peer = Peer::of(role, agreed);
    let korean = "오징어와 문어 그리고 ".repeat(6);
    let mixed = [noise(70), noise(70)].concat();
    let bytes = [
        peer.message(LONG),
        peer.fragment(LONG, false),
        peer.ping(b"first"),
        peer.fragment("", false),
        peer.ping(b"second"),
        peer.fragment(", and ", false),
        peer.fragment(LONG, true),
        peer.message("short, and so it goes as it is"),
        peer.message(&korean[..]),
        peer.message(&mixed[..]),
        peer.ping(b"third"),
        peer.message(LONG),
        peer.close(),
    ];
    let messages = vec![
        LONG.into(),
        Message::Ping(b"first"[..].into()),
        Message::Ping(b"second"[..].into()),
        format!("{LONG}, and {LONG}").into(),
        "short, and so it goes as it is".into(),
        korean.into(),
        mixed.into(),
        Message::Ping(b"third"[..].into()),
        LONG.into(),
        Message::Close(Some((sotong::CloseCode::NORMAL, "".into()))),
    ];
    (messages, bytes.concat())
}

/// Who receives, and on what was agreed: one for each inflater.
fn agreements() -> [(Role, Agreed); 2] {
    [(Role::Server, both(15, true)), (Role::Client, both(9, true))]
}

/// How many bytes come at a time, and how many polls a call has, each of which sees one read.
const PACES: [(usize, usize); 7] = [(1, 1), (1, 2), (3, 1), (3, 2), (3, 3), (3, 4), (3, 7)];

/// A message that comes in pieces.
#[derive(Default)]
struct Pieces {
    text: String,
    bytes: Vec<u8>,
}

impl Pieces {
    fn add(&mut self, chunk: Chunk<'_>) -> Option<Message> {
        match chunk {
            Chunk::Text { piece, last } => {
                assert!(last || !piece.is_empty());
                self.text.push_str(piece);
                last.then(|| std::mem::take(&mut self.text).into())
            }
            Chunk::Binary { piece, last } => {
                assert!(last || !piece.is_empty());
                self.bytes.extend_from_slice(piece);
                last.then(|| std::mem::take(&mut self.bytes).into())
            }
            Chunk::Ping(body) => Some(Event::Ping(body).into()),
            Chunk::Pong(body) => Some(Event::Pong(body).into()),
            Chunk::Close(frame) => Some(Event::Close(frame).into()),
        }
    }
}

/// What comes out of a call that was dropped: nothing, an end, or what was received.
fn settled<T>(polled: Option<sotong::Result<Option<T>>>) -> Option<Option<T>> {
    polled.map(|received| received.unwrap())
}

/// Receives all with one way to receive, which is told how many polls it has.
type Way = fn(WebSocket<Scripted>, usize) -> Vec<Message>;

const WAYS: [(&str, Way); 6] = [
    ("recv", |mut ws, polls| {
        let mut messages = vec![];
        loop {
            match settled(poll_some(ws.recv(), polls)) {
                None => {}
                Some(Some(event)) => messages.push(event.into()),
                Some(None) => return messages,
            }
        }
    }),
    ("recv of a half", |ws, polls| {
        let (mut receiver, _sender) = ws.split();
        let mut messages = vec![];
        loop {
            match settled(poll_some(receiver.recv(), polls)) {
                None => {}
                Some(Some(event)) => messages.push(event.into()),
                Some(None) => return messages,
            }
        }
    }),
    ("recv_chunk", |mut ws, polls| {
        let (mut messages, mut pieces) = (vec![], Pieces::default());
        loop {
            match settled(poll_some(ws.recv_chunk(), polls)) {
                None => {}
                Some(Some(chunk)) => messages.extend(pieces.add(chunk)),
                Some(None) => return messages,
            }
        }
    }),
    ("recv_chunk of a half", |ws, polls| {
        let (mut receiver, _sender) = ws.split();
        let (mut messages, mut pieces) = (vec![], Pieces::default());
        loop {
            match settled(poll_some(receiver.recv_chunk(), polls)) {
                None => {}
                Some(Some(chunk)) => messages.extend(pieces.add(chunk)),
                Some(None) => return messages,
            }
        }
    }),
    // A message that is received partly in pieces is handed over as its rest.
    ("recv and recv_chunk in turn", |mut ws, polls| {
        let (mut messages, mut pieces) = (vec![], Pieces::default());
        for turn in 0.. {
            let received = match turn % 3 {
                0 => poll_some(ws.recv(), polls).map(|it| it.map(|it| it.map(Chunk::from))),
                _ => poll_some(ws.recv_chunk(), polls),
            };
            match settled(received) {
                None => {}
                Some(Some(chunk)) => messages.extend(pieces.add(chunk)),
                Some(None) => break,
            }
        }
        messages
    }),
    ("Stream::next", |mut ws, polls| {
        let mut messages = vec![];
        loop {
            match settled(poll_some(ws.next(), polls).map(Option::transpose)) {
                None => {}
                Some(Some(message)) => messages.push(message),
                Some(None) => return messages,
            }
        }
    }),
];

#[test]
fn a_dropped_recv_loses_nothing_of_a_compressed_message() {
    in_runtime(|| {
        for (role, agreed) in agreements() {
            let (messages, bytes) = script(role, agreed);
            for (name, receive) in WAYS {
                for (cut, polls) in PACES {
                    let io = hesitant(bytes.chunks(cut), 2);
                    let connection = connection(role, &config(|_| {}), agreed);
                    let ws = WebSocket::from_parts(parts(io.clone(), connection));
                    let what = format!("{name}, {role:?}, {agreed:?}, {polls} polls, by {cut}");
                    assert_eq!(receive(ws, polls), messages, "{what}");
                    let replies = [
                        (true, Opcode::Pong, b"first".to_vec()),
                        (true, Opcode::Pong, b"second".to_vec()),
                        (true, Opcode::Pong, b"third".to_vec()),
                        (true, Opcode::Close, b"\x03\xe8".to_vec()),
                    ];
                    assert_eq!(frames(&io.inner().written()), replies, "{what}");
                }
            }
        }
    });
}

#[test]
fn an_echo_whose_recv_is_dropped_says_the_same_in_the_same_order() {
    in_runtime(|| {
        for (role, agreed) in agreements() {
            let (messages, bytes) = script(role, agreed);
            let answers: Vec<Message> = messages
                .iter()
                .map(|message| match message {
                    Message::Ping(body) => Message::Pong(body.clone()),
                    message => message.clone(),
                })
                .collect();
            for (cut, polls) in PACES {
                let io = hesitant(bytes.chunks(cut), 2);
                let connection = connection(role, &config(|_| {}), agreed);
                let mut ws = WebSocket::from_parts(parts(io.clone(), connection));
                loop {
                    let Some(received) = poll_some(ws.recv_reply(), polls) else { continue };
                    let Some((event, mut reply)) = received.unwrap() else { break };
                    let fed = match event {
                        Event::Text(text) => poll_some(reply.feed(text), 1),
                        Event::Binary(bytes) => poll_some(reply.feed(bytes), 1),
                        _ => continue,
                    };
                    fed.expect("there is room in the queue").unwrap();
                }
                let received = Peer::of(role, agreed).receive(&io.inner().written());
                assert_eq!(received, answers, "{role:?}, {agreed:?}, {polls} polls, by {cut}");
            }
        }
    });
}
