//! The halves of the blocking adapter in two threads, over a stream that makes them wait.

use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;
use std::time::Duration;

use loom::sync::{Condvar, Mutex};
use loom::thread::{self, ThreadId};
use sotong::blocking::{Parts, Sender, Stream, TryClone, WebSocket};
use sotong::{CloseCode, ReceiveBuffer, SendBuffer};

use crate::peer::Peer;
use crate::scenario::{Record, Scenario, Step};

/// A handle of the stream.
#[derive(Clone, Debug)]
struct Wire(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    peer: Mutex<Peer>,
    moved: Condvar,
    /// The thread that does not wait for ever to write.
    ticking: Option<ThreadId>,
}

impl Wire {
    fn new(scenario: &Scenario) -> Self {
        let ticking = scenario.ticks.then(|| thread::current().id());
        Self(Arc::new(Inner { peer: Mutex::new(scenario.peer()), moved: Condvar::new(), ticking }))
    }

    /// Waits until `io` goes on, and tells whoever waits for what it has changed.
    fn wait(&self, mut io: impl FnMut(&mut Peer) -> Option<usize>) -> usize {
        let Inner { peer, moved, .. } = &*self.0;
        let mut peer = peer.lock().unwrap();
        loop {
            if let Some(n) = io(&mut peer) {
                moved.notify_all();
                return n;
            }
            peer = moved.wait(peer).unwrap();
        }
    }
}

impl Read for Wire {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self.wait(|peer| peer.read(buf)) {
            0 if self.0.peer.lock().unwrap().has_failed() => Err(ErrorKind::ConnectionReset.into()),
            n => Ok(n),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let ticks = self.0.ticking == Some(thread::current().id());
        let failed = |peer: &Peer| peer.has_failed().then_some(0);
        match self.wait(|peer| peer.write(bytes).or(ticks.then_some(0)).or(failed(peer))) {
            0 if ticks => Err(ErrorKind::WouldBlock.into()),
            0 => Err(ErrorKind::ConnectionReset.into()),
            n => Ok(n),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for Wire {
    fn prepare(&mut self, _tick: Option<Duration>) -> io::Result<bool> {
        Ok(self.0.ticking.is_some())
    }

    fn shut_down(&mut self) -> io::Result<bool> {
        self.wait(|peer| {
            peer.shut_down();
            Some(0)
        });
        Ok(true)
    }
}

impl TryClone for Wire {
    fn try_clone(&self) -> io::Result<Self> {
        Ok(self.clone())
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
    let (mut receiver, sender) = WebSocket::from_parts(parts).unwrap().split().unwrap();
    let record = Record::default();
    let sending = {
        let (wire, record, steps) = (wire.clone(), record.clone(), scenario.steps);
        thread::spawn(move || send(sender, steps, &wire, &record))
    };
    loop {
        let received = receiver.recv();
        if !record.lock().unwrap().received(received) {
            break;
        }
    }
    sending.join().unwrap();
    scenario.check(&record.lock().unwrap(), &wire.0.peer.lock().unwrap());
}

fn send(mut sender: Sender<Wire>, steps: &[Step], wire: &Wire, record: &Record) {
    for step in steps {
        let sent = match *step {
            Step::Send(text) => sender.send_text(text),
            Step::Feed(text) => sender.feed_text(text),
            Step::Fragment(text, fin) => sender.send_fragment(text, fin),
            Step::Ping(body) => sender.ping(body.as_bytes()),
            Step::Close => sender.send_close(Some(CloseCode::NORMAL.into())),
        };
        let written = wire.0.peer.lock().unwrap().written.clone();
        if !record.lock().unwrap().sent(*step, sent, written) {
            return;
        }
    }
}

#[test]
fn two_threads_of_the_blocking_adapter() {
    for scenario in crate::scenario::SCENARIOS {
        scenario.explore(run);
    }
}
