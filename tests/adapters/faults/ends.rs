//! An application at one end of a [`Faulty`] stream: over either adapter, whole and in halves, it
//! answers what comes until it is told that the connection is over.

use std::sync::mpsc as blocking_channel;
use std::thread;

use sotong::{CloseCode, CloseFrame, Error, Result};
use sotong::{blocking, tokio as asynchronous};
use tokio::sync::mpsc;

use super::stream::Faulty;
use crate::subject::name;

/// What it has seen and done.
#[derive(Debug, Default)]
pub struct Talk {
    pub events: Vec<String>,
    pub said: Said,
    /// How the opening handshake failed, or how receiving ended.
    pub outcome: Option<Error>,
    pub is_open: bool,
}

/// What came of what it said.
#[derive(Debug, Default)]
pub struct Said {
    /// What sending gave, where it failed.
    pub failures: Vec<Error>,
    /// Whether it did not fail though the fault came in the middle of it, as far as that is known.
    pub hit_in_success: bool,
}

/// What it says.
#[derive(Clone, Debug)]
pub enum Say {
    Queued(String),
    Sent(Vec<u8>),
    Part(&'static str, bool),
    Ping,
    Close,
}

impl Said {
    fn note(&mut self, said: Result<()>, had_hit: bool, io: &Faulty) {
        self.hit_in_success |= said.is_ok() && !had_hit && io.has_hit();
        self.failures.extend(said.err());
    }
}

/// A connection, or its halves.
pub trait Ends {
    /// The next event, by its name.
    async fn recv(&mut self) -> Result<Option<String>>;
    async fn say(&mut self, say: Say);
    async fn finish(self) -> Said;
}

fn answers(event: &str) -> Vec<Say> {
    match event {
        "Text(\"ping me\")" => vec![Say::Ping],
        "Text(\"go away\")" => vec![Say::Close],
        "Text(\"in parts\")" => vec![Say::Part("in ", false), Say::Part("parts", true)],
        event if event.starts_with("Text") => vec![Say::Queued(event.into())],
        // As long as what came, so that it takes as many writes.
        event if event.starts_with("Binary of ") => {
            let len = event.split(' ').nth(2).and_then(|len| len.parse().ok()).unwrap();
            vec![Say::Sent(vec![7; len])]
        }
        event if event.starts_with("Binary") => vec![Say::Sent(event.into())],
        _ => vec![],
    }
}

/// Talks until the end, and makes sure that the end is the end.
pub async fn converse(mut ends: impl Ends) -> Talk {
    let mut talk = Talk { is_open: true, ..Talk::default() };
    loop {
        match ends.recv().await {
            Ok(Some(event)) => {
                for say in answers(&event) {
                    ends.say(say).await;
                }
                talk.events.push(event);
            }
            Ok(None) => break,
            Err(error) => {
                talk.outcome = Some(error);
                break;
            }
        }
    }
    for _ in 0..2 {
        assert!(!matches!(ends.recv().await, Ok(Some(_))), "something comes behind the end");
    }
    talk.said = ends.finish().await;
    talk
}

pub struct Whole<W> {
    ws: W,
    said: Said,
}

impl<W> Whole<W> {
    pub fn new(ws: W) -> Self {
        Self { ws, said: Said::default() }
    }
}

const GOODBYE: CloseFrame<'static> = CloseFrame { code: CloseCode(4000), reason: "as you wish" };

impl Ends for Whole<blocking::WebSocket<Faulty>> {
    async fn recv(&mut self) -> Result<Option<String>> {
        Ok(self.ws.recv()?.as_ref().map(name))
    }

    async fn say(&mut self, say: Say) {
        let had_hit = self.ws.stream().has_hit();
        let said = match say {
            Say::Queued(text) => self.ws.feed_text(&text),
            Say::Sent(bytes) => self.ws.send_binary(&bytes),
            Say::Part(part, fin) => self.ws.send_fragment(part, fin),
            Say::Ping => self.ws.ping(b"?"),
            Say::Close => self.ws.send_close(Some(GOODBYE)),
        };
        self.said.note(said, had_hit, self.ws.stream());
    }

    async fn finish(self) -> Said {
        self.said
    }
}

impl Ends for Whole<asynchronous::WebSocket<Faulty>> {
    async fn recv(&mut self) -> Result<Option<String>> {
        Ok(self.ws.recv().await?.as_ref().map(name))
    }

    async fn say(&mut self, say: Say) {
        let had_hit = self.ws.stream().has_hit();
        let said = match say {
            Say::Queued(text) => self.ws.feed_text(&text).await,
            Say::Sent(bytes) => self.ws.send_binary(&bytes).await,
            Say::Part(part, fin) => self.ws.send_fragment(part, fin).await,
            Say::Ping => self.ws.ping(b"?").await,
            Say::Close => self.ws.send_close(Some(GOODBYE)).await,
        };
        self.said.note(said, had_hit, self.ws.stream());
    }

    async fn finish(self) -> Said {
        self.said
    }
}

/// The receiver here, the sender in a thread of its own.
pub struct Threads {
    receiver: blocking::Receiver<Faulty>,
    says: blocking_channel::Sender<Say>,
    sending: thread::JoinHandle<Vec<Error>>,
}

impl Threads {
    pub fn new(ws: blocking::WebSocket<Faulty>) -> Self {
        let (receiver, mut sender) = ws.split().unwrap();
        let (says, to_say) = blocking_channel::channel();
        let sending = thread::spawn(move || {
            let say = |say| match say {
                Say::Queued(text) => sender.feed_text(&text).and_then(|()| sender.flush()),
                Say::Sent(bytes) => sender.send_binary(&bytes),
                Say::Part(part, fin) => sender.send_fragment(part, fin),
                Say::Ping => sender.ping(b"?"),
                Say::Close => sender.send_close(Some(GOODBYE)),
            };
            to_say.iter().map(say).filter_map(Result::err).collect()
        });
        Self { receiver, says, sending }
    }
}

impl Ends for Threads {
    async fn recv(&mut self) -> Result<Option<String>> {
        Ok(self.receiver.recv()?.as_ref().map(name))
    }

    async fn say(&mut self, say: Say) {
        self.says.send(say).unwrap();
    }

    async fn finish(self) -> Said {
        drop(self.says);
        Said { failures: self.sending.join().unwrap(), ..Said::default() }
    }
}

/// The receiver here, the sender in a task of its own.
pub struct Tasks {
    receiver: asynchronous::Receiver<Faulty>,
    says: mpsc::UnboundedSender<Say>,
    sending: tokio::task::JoinHandle<Vec<Error>>,
}

impl Tasks {
    pub fn new(ws: asynchronous::WebSocket<Faulty>) -> Self {
        let (receiver, mut sender) = ws.split();
        let (says, mut to_say) = mpsc::unbounded_channel();
        let sending = tokio::spawn(async move {
            let mut failures = vec![];
            while let Some(say) = to_say.recv().await {
                let said = match say {
                    Say::Queued(text) => match sender.feed_text(&text).await {
                        Ok(()) => sender.flush().await,
                        failed => failed,
                    },
                    Say::Sent(bytes) => sender.send_binary(&bytes).await,
                    Say::Part(part, fin) => sender.send_fragment(part, fin).await,
                    Say::Ping => sender.ping(b"?").await,
                    Say::Close => sender.send_close(Some(GOODBYE)).await,
                };
                failures.extend(said.err());
            }
            failures
        });
        Self { receiver, says, sending }
    }
}

impl Ends for Tasks {
    async fn recv(&mut self) -> Result<Option<String>> {
        Ok(self.receiver.recv().await?.as_ref().map(name))
    }

    async fn say(&mut self, say: Say) {
        self.says.send(say).unwrap();
    }

    async fn finish(self) -> Said {
        drop(self.says);
        Said { failures: self.sending.await.unwrap(), ..Said::default() }
    }
}
