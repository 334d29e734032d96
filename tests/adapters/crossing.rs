//! The halves of the blocking adapter when one of them cannot write.

use std::io::{self, ErrorKind, Read, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use sotong::blocking::{Stream, TryClone, WebSocket};
use sotong::{Agreed, Config, Connection, Event};

use crate::scripted::{masked, parts};

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
        self.change(|inner| inner.is_shut = true);
        Ok(true)
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

/// The peer waits for the end of our stream, and nothing it sends could wake the receiver.
#[test]
fn a_close_that_comes_while_the_sender_writes_ends_the_stream() {
    for closing in [&[masked(0x88, b"")][..], &[masked(0x83, b""), masked(0x88, b"")]] {
        let gate = Gate::default();
        let (mut receiver, mut sender) = server(&gate).split().unwrap();
        let sending = std::thread::spawn(move || sender.send_text("a"));
        drop(gate.wait(|inner| inner.is_writing));
        let receiving = std::thread::spawn(move || while let Ok(Some(_)) = receiver.recv() {});
        gate.change(|inner| inner.input = closing.concat());
        drop(gate.wait(|inner| inner.input.is_empty()));
        gate.change(|inner| inner.is_open = true);
        drop(gate.wait(|inner| inner.is_shut));
        sending.join().unwrap().unwrap();
        receiving.join().unwrap();
        let written = gate.0.0.lock().unwrap().written.clone();
        assert_eq!(&written[..4], b"\x81\x01a\x88");
    }
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
