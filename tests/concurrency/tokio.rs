//! The halves of the tokio adapter in two tasks, each on a thread of its own: who is not woken
//! sleeps for ever.
//!
//! The stream below is polled within a lock of tokio's that the model checker does not know, so it
//! only touches what is `near`; before and after each poll a task moves bytes between that and the
//! peer, in a lock of the model. Wakers are called there, as by the driver of a real stream.

use std::collections::VecDeque;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use ::tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use loom::sync::{Condvar, Mutex};
use loom::thread;
use sotong::tokio::{Parts, Sender, WebSocket};
use sotong::{CloseCode, ReceiveBuffer, SendBuffer};

use crate::peer::Peer;
use crate::scenario::{Record, Scenario, Step};

#[derive(Clone)]
struct Wire(Arc<(Mutex<Peer>, std::sync::Mutex<Near>)>);

/// The stream's own buffers, and who waits for them.
#[derive(Default)]
struct Near {
    input: VecDeque<u8>,
    has_ended: bool,
    has_failed: bool,
    output: Vec<u8>,
    /// The most that `output` holds.
    room: usize,
    is_shut: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Wire {
    fn new(scenario: &Scenario) -> Self {
        let near = Near { room: scenario.max_write.min(1 << 16), ..Near::default() };
        Self(Arc::new((Mutex::new(scenario.peer()), std::sync::Mutex::new(near))))
    }

    /// Moves all bytes that can move, and wakes whoever waits for that.
    fn exchange(&self) {
        let woken = {
            let mut peer = self.0.0.lock().unwrap();
            let mut near = self.0.1.lock().unwrap();
            while near.step(&mut peer) {}
            let is_readable = near.has_ended || !near.input.is_empty();
            let is_writable = near.output.len() < near.room;
            let reader = near.reader.take_if(|_| is_readable);
            [reader, near.writer.take_if(|_| is_writable)]
        };
        woken.into_iter().flatten().for_each(Waker::wake);
    }

    fn near<T>(&self, f: impl FnOnce(&mut Near) -> T) -> T {
        f(&mut self.0.1.lock().unwrap())
    }
}

impl Near {
    /// Moves bytes in both directions; whether any moved.
    fn step(&mut self, peer: &mut Peer) -> bool {
        let mut sent = 0;
        if !self.output.is_empty() {
            sent = peer.write(&self.output).unwrap_or(0);
            self.output.drain(..sent);
        }
        if self.is_shut && self.output.is_empty() {
            peer.shut_down();
        }
        let mut came = 0;
        if self.input.is_empty() && !self.has_ended {
            let mut bytes = [0; 64];
            let read = peer.read(&mut bytes);
            self.has_ended = read == Some(0);
            self.has_failed = peer.has_failed() && self.has_ended;
            came = read.unwrap_or(0);
            self.input.extend(&bytes[..came]);
        }
        sent + came > 0
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.near(|near| {
            if near.input.is_empty() && !near.has_ended {
                near.reader = Some(cx.waker().clone());
                return Poll::Pending;
            }
            if near.has_failed {
                return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
            }
            let n = near.input.len().min(buf.remaining());
            near.input.drain(..n).for_each(|octet| buf.put_slice(&[octet]));
            Poll::Ready(Ok(()))
        })
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.near(|near| {
            let n = bytes.len().min(near.room - near.output.len());
            if n == 0 {
                near.writer = Some(cx.waker().clone());
                return Poll::Pending;
            }
            near.output.extend(&bytes[..n]);
            Poll::Ready(Ok(n))
        })
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.near(|near| near.is_shut = true);
        Poll::Ready(Ok(()))
    }
}

/// A task that sleeps until it is woken.
struct Task {
    is_woken: Mutex<bool>,
    woken: Condvar,
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        *self.is_woken.lock().unwrap() = true;
        self.woken.notify_one();
    }
}

fn block_on<T>(wire: &Wire, future: impl Future<Output = T>) -> T {
    let task = Arc::new(Task { is_woken: Mutex::new(false), woken: Condvar::new() });
    let waker = Waker::from(task.clone());
    let mut future = pin!(future);
    loop {
        wire.exchange();
        let polled = future.as_mut().poll(&mut Context::from_waker(&waker));
        wire.exchange();
        if let Poll::Ready(output) = polled {
            return output;
        }
        let mut is_woken = task.is_woken.lock().unwrap();
        while !*is_woken {
            is_woken = task.woken.wait(is_woken).unwrap();
        }
        *is_woken = false;
    }
}

fn run(scenario: &Scenario) {
    let wire = Wire::new(scenario);
    let parts = Parts {
        io: wire.clone(),
        connection: scenario.connection(),
        rx: ReceiveBuffer::with_capacity(4096),
        tx: SendBuffer::new(),
    };
    let (mut receiver, sender) = WebSocket::from_parts(parts).split();
    let record = Record::default();
    let sending = {
        let (wire, record, steps) = (wire.clone(), record.clone(), scenario.steps);
        thread::spawn(move || block_on(&wire.clone(), send(sender, steps, &wire, &record)))
    };
    block_on(&wire, async {
        loop {
            let received = receiver.recv().await;
            if !record.lock().unwrap().received(received) {
                break;
            }
        }
    });
    sending.join().unwrap();
    scenario.check(&record.lock().unwrap(), &wire.0.0.lock().unwrap());
    // Wakers hold tasks, and those are of the model: nothing of it may outlive it.
    wire.near(|near| (near.reader, near.writer) = (None, None));
}

async fn send(mut sender: Sender<Wire>, steps: &[Step], wire: &Wire, record: &Record) {
    for step in steps {
        let sent = match *step {
            Step::Send(text) => sender.send_text(text).await,
            Step::Feed(text) => sender.feed_text(text).await,
            Step::Fragment(text, fin) => sender.send_fragment(text, fin).await,
            Step::Ping(body) => sender.ping(body.as_bytes()).await,
            Step::Close => sender.send_close(Some(CloseCode::NORMAL.into())).await,
        };
        // What the stream has taken counts as written, wherever it is.
        let mut written = wire.0.0.lock().unwrap().written.clone();
        wire.near(|near| written.extend(&near.output));
        if !record.lock().unwrap().sent(*step, sent, written) {
            return;
        }
    }
}

#[test]
fn two_tasks_of_the_tokio_adapter() {
    for scenario in crate::scenario::SCENARIOS {
        scenario.explore(run);
    }
}
