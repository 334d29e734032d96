//! The halves of the blocking adapter when one of them cannot write.

use std::io::{self, ErrorKind, Read, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use sotong::blocking::{Receiver, Stream, TryClone, WebSocket};
use sotong::{Agreed, Config, Connection, Event};

use crate::scripted::{masked, parts};
use crate::subject::name;

/// A stream that reads what the test puts into it, and writes when the test lets it.
#[derive(Clone, Debug, Default)]
struct Gate(Arc<(Mutex<Inner>, Condvar)>);

#[derive(Debug, Default)]
struct Inner {
    input: Vec<u8>,
    written: Vec<u8>,
    is_open: bool,
    is_writing: bool,
    is_shut: bool,
    /// Gives up waiting at once.
    ticks: bool,
    /// The next write panics.
    panics: bool,
    cannot_shut_down: bool,
}

impl Gate {
    fn change(&self, change: impl FnOnce(&mut Inner)) {
        change(&mut self.0.0.lock().unwrap());
        self.0.1.notify_all();
    }

    /// What has to happen within a time that is more than enough.
    fn wait(&self, mut until: impl FnMut(&Inner) -> bool) -> MutexGuard<'_, Inner> {
        let inner = self.0.0.lock().unwrap();
        let limit = Duration::from_secs(20);
        let (inner, waited) =
            self.0.1.wait_timeout_while(inner, limit, |inner| !until(inner)).unwrap();
        assert!(!waited.timed_out(), "nobody goes on: {inner:?}");
        inner
    }
}

impl Read for Gate {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut inner = self.wait(|inner| !inner.input.is_empty() || inner.is_shut);
        let n = inner.input.len().min(buf.len());
        buf[..n].copy_from_slice(&inner.input[..n]);
        inner.input.drain(..n);
        inner.is_open |= inner.ticks; // the peer reads when it has been read
        self.0.1.notify_all();
        Ok(n)
    }
}

impl Write for Gate {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.change(|inner| inner.is_writing = true);
        let mut inner = self.wait(|inner| inner.is_open || inner.ticks);
        if std::mem::take(&mut inner.panics) {
            drop(inner);
            panic!("as the test wants it");
        }
        if !inner.is_open {
            return Err(ErrorKind::WouldBlock.into());
        }
        inner.written.extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for Gate {
    fn prepare(&mut self, _tick: Option<Duration>) -> io::Result<bool> {
        Ok(self.0.0.lock().unwrap().ticks)
    }

    fn shut_down(&mut self) -> io::Result<bool> {
        self.change(|inner| inner.is_shut = !inner.cannot_shut_down);
        Ok(!self.0.0.lock().unwrap().cannot_shut_down)
    }
}

impl TryClone for Gate {
    fn try_clone(&self) -> io::Result<Self> {
        Ok(self.clone())
    }
}

fn server(gate: &Gate) -> WebSocket<Gate> {
    let connection = Connection::server(Config::default(), Agreed::default());
    WebSocket::from_parts(parts(gate.clone(), connection)).unwrap()
}

/// All events, and how it ended.
fn receive_all(mut receiver: Receiver<Gate>) -> (Vec<String>, sotong::Result<()>) {
    let mut events = vec![];
    loop {
        match receiver.recv() {
            Ok(Some(event)) => events.push(name(&event)),
            Ok(None) => return (events, Ok(())),
            Err(error) => return (events, Err(error)),
        }
    }
}

/// The peer waits for the end of our stream, and nothing it sends could wake the receiver.
#[test]
fn a_close_that_comes_while_the_sender_writes_ends_the_stream() {
    let (broken, close) = (masked(0x83, b""), masked(0x88, b"\x03\xe8"));
    for (input, cannot_shut_down, code) in [
        (close.clone(), false, 1000),
        (close.clone(), true, 1000), // so that all of it has to be dropped
        ([broken, close].concat(), false, 1002_u16),
    ] {
        let gate = Gate::default();
        gate.change(|inner| inner.cannot_shut_down = cannot_shut_down);
        let (receiver, mut sender) = server(&gate).split().unwrap();
        let sending = std::thread::spawn(move || sender.send_text("a"));
        drop(gate.wait(|inner| inner.is_writing));
        let receiving = std::thread::spawn(move || receive_all(receiver));
        gate.change(|inner| inner.input = input);
        drop(gate.wait(|inner| inner.input.is_empty()));
        gate.change(|inner| inner.is_open = true);
        drop(gate.wait(|inner| inner.is_shut || cannot_shut_down));
        sending.join().unwrap().unwrap();
        let (events, end) = receiving.join().unwrap();
        assert_eq!((events.len(), end.is_ok()), if code == 1000 { (1, true) } else { (0, false) });
        let written = gate.0.0.lock().unwrap().written.clone();
        assert_eq!(written, [b"\x81\x01a\x88\x02", &code.to_be_bytes()[..]].concat());
    }
}

#[test]
fn a_sender_whose_stream_panics_does_not_keep_the_receiver_from_writing() {
    let gate = Gate::default();
    gate.change(|inner| (inner.is_open, inner.panics) = (true, true));
    let (receiver, mut sender) = server(&gate).split().unwrap();
    std::thread::spawn(move || sender.send_text("a")).join().unwrap_err();
    let receiving = std::thread::spawn(move || receive_all(receiver));
    gate.change(|inner| inner.input = masked(0x88, b""));
    let (events, end) = receiving.join().unwrap();
    assert!(matches!((&events[..], end), ([_], Ok(()))));
    assert_eq!(gate.0.0.lock().unwrap().written, b"\x81\x01a\x88\x00");
}

#[test]
fn a_receiver_that_cannot_write_goes_on_reading() {
    let gate = Gate::default();
    gate.change(|inner| (inner.ticks, inner.input) = (true, masked(0x81, b"b")));
    let (mut receiver, mut sender) = server(&gate).split().unwrap();
    sender.feed_text("a").unwrap();
    assert!(matches!(receiver.recv(), Ok(Some(Event::Text("b")))));
    sender.flush().unwrap();
    assert_eq!(gate.0.0.lock().unwrap().written, b"\x81\x01a");
}
