//! One end of a connection over the core, the blocking and the tokio adapter, whole and in halves:
//! whatever comes, all of them do the same.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

use sotong::{
    Agreed, CloseCode, CloseFrame, Compress, Config, Connection, Event, Payload, Result, Role,
};
use sotong::{blocking, tokio as asynchronous};

use crate::scripted::{Scripted, hesitant, parts, scripted};

/// What happened: the events as words, the bytes that were sent, how it ended.
pub type Trace = (Vec<String>, Vec<u8>, String);

/// The end under test, its opening handshake done.
pub struct Subject {
    pub role: Role,
    pub config: Config,
    pub agreed: Agreed,
}

/// What the application does about an event.
enum Reaction<'e> {
    Send(Payload<'e>),
    Ping,
    Close(CloseFrame<'static>),
    Nothing,
}

fn react<'e>(event: &Event<'e>) -> Reaction<'e> {
    match *event {
        Event::Text("ping me") => Reaction::Ping,
        Event::Text("go away") => {
            Reaction::Close(CloseFrame { code: CloseCode(4000), reason: "as you wish" })
        }
        Event::Text(text) if text.starts_with("secret") => {
            Reaction::Send(Payload::text(text).compress(Compress::No))
        }
        Event::Text(text) => Reaction::Send(Payload::text(text)),
        Event::Binary(bytes) => Reaction::Send(Payload::binary(bytes)),
        _ => Reaction::Nothing,
    }
}

/// An event in words, few of them for a long one.
pub fn name(event: &Event<'_>) -> String {
    let (kind, bytes) = match event {
        Event::Text(text) => ("Text", text.as_bytes()),
        Event::Binary(bytes) => ("Binary", *bytes),
        event => return format!("{event:?}"),
    };
    if bytes.len() <= 100 {
        return format!("{event:?}");
    }
    let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(bytes);
    format!("{kind} of {} bytes, {hash:x}", bytes.len())
}

impl Subject {
    pub fn connection(&self) -> Connection {
        match self.role {
            Role::Server => Connection::server(&self.config, self.agreed),
            Role::Client => Connection::client(&self.config, self.agreed, || Some([1, 2, 3, 4])),
        }
    }

    /// What happens when these bytes come, in each read so many of them.
    pub fn trace(&self, what: &str, reads: &[Vec<u8>]) -> Trace {
        let expected = self.core(reads);
        // The second one takes little at a time and lets everybody wait.
        for is_slow in [false, true] {
            let stream = || if is_slow { hesitant(reads, 3) } else { scripted(reads) };
            let fresh = || parts(stream(), self.connection());

            let ws = blocking::WebSocket::from_parts(fresh()).unwrap();
            assert_eq!(over_blocking(ws), expected, "{what}, blocking");
            let ws = blocking::WebSocket::from_parts(fresh()).unwrap();
            assert_eq!(over_blocking_halves(ws), expected, "{what}, blocking halves");

            let (whole, halves) = block_on(async {
                let ws = asynchronous::WebSocket::from_parts(fresh());
                let whole = over_tokio(ws).await;
                let ws = asynchronous::WebSocket::from_parts(fresh());
                (whole, over_tokio_halves(ws).await)
            });
            assert_eq!(whole, expected, "{what}, tokio");
            assert_eq!(halves, expected, "{what}, tokio halves");
        }
        expected
    }

    fn core(&self, reads: &[Vec<u8>]) -> Trace {
        let blocking::Parts { io: (), connection: mut conn, mut rx, mut tx } =
            parts((), self.connection());
        let (mut events, mut sent) = (vec![], vec![]);
        for read in reads {
            let mut rest = &read[..];
            while !rest.is_empty() {
                rest = &rest[rx.extend(rest)..];
                while let Ok(Some(event)) = conn.next_event(&mut rx) {
                    conn.poll_transmit(&mut tx);
                    events.push(name(&event));
                    match react(&event) {
                        // A reply to late data may come after our Close; then it is not sent.
                        Reaction::Send(payload) => {
                            let _sent =
                                conn.send(payload, &mut tx).map(|transmit| transmit.queue());
                        }
                        Reaction::Ping => conn.ping(b"?", &mut tx).unwrap().queue(),
                        Reaction::Close(frame) => conn.close(Some(frame), &mut tx).unwrap().queue(),
                        Reaction::Nothing => {}
                    }
                }
                conn.poll_transmit(&mut tx);
                let mut transmit = tx.transmit();
                sent.extend_from_slice(&transmit.slices().concat());
                transmit.consume(transmit.len());
            }
        }
        let outcome = conn.handle_eof().map_err(sotong::Error::from);
        (events, sent, format!("{outcome:?}"))
    }
}

/// What a connection that has only just begun does until its end.
pub fn over_blocking(mut ws: blocking::WebSocket<Scripted>) -> Trace {
    let io = ws.stream().clone();
    let start = io.inner().written().len();
    let mut events = vec![];
    let outcome = loop {
        let mut close = None;
        let mut ping = false;
        match ws.recv_reply() {
            Ok(Some((event, mut reply))) => {
                events.push(name(&event));
                match react(&event) {
                    Reaction::Send(payload) => drop(reply.feed(payload)),
                    Reaction::Ping => ping = true,
                    Reaction::Close(frame) => close = Some(frame),
                    Reaction::Nothing => {}
                }
            }
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
        if ping {
            ws.ping(b"?").unwrap();
        }
        if close.is_some() {
            ws.send_close(close).unwrap();
        }
    };
    end(events, &io, start, &outcome)
}

fn over_blocking_halves(ws: blocking::WebSocket<Scripted>) -> Trace {
    let io = ws.stream().clone();
    let (mut receiver, mut sender) = ws.split().unwrap();
    let mut events = vec![];
    let outcome = loop {
        let event = match receiver.recv() {
            Ok(Some(event)) => event,
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        };
        events.push(name(&event));
        match react(&event) {
            Reaction::Send(payload) => drop(sender.feed_message(payload)),
            Reaction::Ping => sender.ping(b"?").unwrap(),
            Reaction::Close(frame) => sender.send_close(Some(frame)).unwrap(),
            Reaction::Nothing => {}
        }
    };
    end(events, &io, 0, &outcome)
}

/// As [`over_blocking`].
pub async fn over_tokio(mut ws: asynchronous::WebSocket<Scripted>) -> Trace {
    let io = ws.stream().clone();
    let start = io.inner().written().len();
    let mut events = vec![];
    let outcome = loop {
        let mut close = None;
        let mut ping = false;
        match ws.recv_reply().await {
            Ok(Some((event, mut reply))) => {
                events.push(name(&event));
                match react(&event) {
                    Reaction::Send(payload) => drop(reply.feed(payload).await),
                    Reaction::Ping => ping = true,
                    Reaction::Close(frame) => close = Some(frame),
                    Reaction::Nothing => {}
                }
            }
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
        if ping {
            ws.ping(b"?").await.unwrap();
        }
        if close.is_some() {
            ws.send_close(close).await.unwrap();
        }
    };
    end(events, &io, start, &outcome)
}

async fn over_tokio_halves(ws: asynchronous::WebSocket<Scripted>) -> Trace {
    let io = ws.stream().clone();
    let (mut receiver, mut sender) = ws.split();
    let mut events = vec![];
    let outcome = loop {
        let event = match receiver.recv().await {
            Ok(Some(event)) => event,
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        };
        events.push(name(&event));
        match react(&event) {
            Reaction::Send(payload) => drop(sender.feed_message(payload).await),
            Reaction::Ping => sender.ping(b"?").await.unwrap(),
            Reaction::Close(frame) => sender.send_close(Some(frame)).await.unwrap(),
            Reaction::Nothing => {}
        }
    };
    end(events, &io, 0, &outcome)
}

fn end(events: Vec<String>, io: &Scripted, start: usize, outcome: &Result<()>) -> Trace {
    (events, io.inner().written()[start..].to_vec(), format!("{outcome:?}"))
}

pub fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}
