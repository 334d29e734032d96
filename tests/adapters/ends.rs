//! Ends of the blocking adapter: what two threads and streams of less than full abilities make of a close.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use sotong::blocking::{Parts, Plain, Stream, TryClone, WebSocket};
use sotong::{
    Agreed, Config, Connection, Error, Event, ProtocolError, ReceiveBuffer, SendBuffer, TimedOut,
};

use crate::scripted::masked;

const LARGE: usize = 4_000_000;

fn quick() -> Config {
    let mut config = Config::default();
    config.timeouts.send = Some(Duration::from_millis(400));
    config.timeouts.close = Some(Duration::from_millis(400));
    config.timeouts.keepalive = None;
    config
}

/// With deadlines that a busy machine keeps to.
fn patient() -> Config {
    let mut config = quick();
    (config.timeouts.send, config.timeouts.close) = (None, Some(Duration::from_secs(10)));
    config
}

fn websocket<S: Stream>(io: S, connection: Connection) -> WebSocket<S> {
    let rx = ReceiveBuffer::with_capacity(16 * 1024);
    WebSocket::from_parts(Parts { io, connection, rx, tx: SendBuffer::new() }).unwrap()
}

fn server(config: &Config) -> (WebSocket<UnixStream>, UnixStream) {
    let (near, far) = UnixStream::pair().unwrap();
    (websocket(near, Connection::server(config, Agreed::default())), far)
}

/// What `work` gives, which must not take for ever.
fn in_time<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, wait) = mpsc::channel();
    thread::spawn(move || done.send(work()));
    wait.recv_timeout(Duration::from_secs(20)).expect("it hangs")
}

#[test]
fn a_pong_follows_an_echo_that_had_filled_the_queue() {
    // Over a stream that never ticks: nothing else would wake the server up.
    let (near, mut peer) = UnixStream::pair().unwrap();
    let mut ws = websocket(Plain(near), Connection::server(Config::default(), Agreed::default()));
    thread::spawn(move || {
        while let Ok(Some((event, mut reply))) = ws.recv_reply() {
            if let Event::Text(_) = event {
                reply.feed(&[7; 70_000]).unwrap();
            }
        }
    });
    peer.write_all(&[masked(0x81, b"go"), masked(0x89, b"!")].concat()).unwrap();
    let pong = in_time(move || {
        let mut echo_and_pong = vec![0; 70_010 + 3];
        peer.read_exact(&mut echo_and_pong).unwrap();
        echo_and_pong.split_off(70_010)
    });
    assert_eq!(pong, b"\x8a\x01!");
}

#[test]
fn a_sender_gives_up_on_a_peer_that_does_not_read_while_the_receiver_waits() {
    let (ws, _peer) = server(&quick());
    let (mut receiver, mut sender) = ws.split().unwrap();
    let receiving = thread::spawn(move || receiver.recv().map(|event| event.is_some()));
    let sent = in_time(move || sender.send_binary(&vec![0; LARGE]));
    // Whoever looks at the time first is told which deadline it was, the other one that it is over.
    let is_late = |error: &Error| matches!(error, Error::TimedOut(TimedOut::Send));
    let errors = [sent.unwrap_err(), receiving.join().unwrap().unwrap_err()];
    assert!(errors.iter().any(is_late), "{errors:?}");
}

/// Of a message that does not fit into the stream the peer has read so much: it is being written.
const BEGUN: usize = 10;

#[test]
fn a_receiver_ends_after_a_close_that_came_while_the_sender_was_writing() {
    let (ws, mut peer) = server(&patient());
    let (mut receiver, mut sender) = ws.split().unwrap();
    let sending = thread::spawn(move || sender.send_binary(&vec![0; LARGE]));
    peer.read_exact(&mut [0; BEGUN]).unwrap();
    peer.write_all(&masked(0x88, b"\x03\xe8")).unwrap();
    let (closed, end) = in_time(move || {
        let closed = matches!(receiver.recv(), Ok(Some(Event::Close(Some(_)))));
        thread::spawn(move || peer.read_to_end(&mut vec![]));
        (closed, receiver.recv().map(|event| event.is_some()))
    });
    assert!(closed);
    assert!(matches!(end, Ok(false)), "{end:?}");
    sending.join().unwrap().unwrap();
}

#[test]
fn a_failure_does_not_cut_the_frame_that_is_on_its_way() {
    let (ws, mut peer) = server(&patient());
    let (mut receiver, mut sender) = ws.split().unwrap();
    let sending = thread::spawn(move || sender.send_binary(&vec![0; LARGE]));
    peer.read_exact(&mut [0; BEGUN]).unwrap();
    peer.write_all(b"\xff\xff").unwrap();
    let receiving = thread::spawn(move || receiver.recv().map(|event| event.is_some()));
    thread::sleep(Duration::from_millis(100));
    let rest = in_time(move || {
        let mut rest = vec![];
        peer.read_to_end(&mut rest).unwrap();
        rest
    });
    let expected_len = 10 + LARGE + 4 - BEGUN;
    assert_eq!((rest.len(), &rest[rest.len() - 4..]), (expected_len, &b"\x88\x02\x03\xea"[..]));
    sending.join().unwrap().unwrap();
    let ended = receiving.join().unwrap();
    assert!(matches!(ended, Err(Error::Protocol(ProtocolError::ReservedOpcode))), "{ended:?}");
}

/// A client ends the stream first only if its server takes too long.
#[test]
fn a_client_that_has_failed_waits_for_its_server_to_end_the_stream() {
    let limit = quick().timeouts.close;
    for (limit, in_halves) in [(limit, false), (limit, true), (None, false), (None, true)] {
        let mut config = quick();
        config.timeouts.close = limit;
        let (near, mut peer) = UnixStream::pair().unwrap();
        let key = || Some([1, 2, 3, 4]);
        let mut ws = websocket(near, Connection::client(config, Agreed::default(), key));
        let failing = thread::spawn(move || {
            if in_halves {
                return ws.split().unwrap().0.recv().map(|_| ());
            }
            ws.recv().map(|_| ())
        });
        let start = Instant::now();
        peer.write_all(b"\x83\x00 and more").unwrap();
        let mut close = [0; 8];
        peer.read_exact(&mut close).unwrap();
        assert_eq!(&close, b"\x88\x82\x01\x02\x03\x04\x02\xe8", "1002, masked");
        let patience = Duration::from_millis(if limit.is_some() { 20_000 } else { 800 });
        peer.set_read_timeout(Some(patience)).unwrap();
        match (peer.read(&mut close), limit) {
            (Ok(0), Some(limit)) => assert!(start.elapsed() >= limit, "the client ended it first"),
            (Err(error), None) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
            (read, _) => panic!("{read:?} of {limit:?}"),
        }
        drop(peer);
        let ended = in_time(move || failing.join().unwrap());
        assert!(matches!(ended, Err(Error::Protocol(ProtocolError::ReservedOpcode))), "{ended:?}");
    }
}

/// A server waits for that, and should not for as long as its client's program likes.
#[test]
fn a_client_that_is_kept_has_ended_the_stream_in_its_direction() {
    for in_halves in [false, true] {
        let (near, mut peer) = UnixStream::pair().unwrap();
        let connection = Connection::client(patient(), Agreed::default(), || Some([0; 4]));
        let mut ws = websocket(near, connection);
        peer.write_all(b"\x88\x00").unwrap();
        peer.shutdown(std::net::Shutdown::Write).unwrap();
        peer.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut said = vec![];
        let kept = if in_halves {
            let (mut receiver, sender) = ws.split().unwrap();
            while receiver.recv().unwrap().is_some() {}
            peer.read_to_end(&mut said).map(|_| (None, Some((receiver, sender))))
        } else {
            ws.close(None).unwrap();
            peer.read_to_end(&mut said).map(|_| (Some(ws), None))
        };
        assert!(kept.is_ok(), "{kept:?}");
        assert_eq!(said, b"\x88\x80\0\0\0\0");
    }
}

#[test]
fn both_ends_of_plain_streams_come_to_an_end() {
    let (near, far) = UnixStream::pair().unwrap();
    let mut server = websocket(Plain(near), Connection::server(quick(), Agreed::default()));
    let mut client = websocket(
        Plain(far),
        Connection::client(quick(), Agreed::default(), || Some([1, 2, 3, 4])),
    );
    let serving = thread::spawn(move || {
        let events = std::iter::from_fn(|| server.recv().unwrap().map(|_| ())).count();
        (events, server.state())
    });
    in_time(move || client.close(None)).unwrap();
    assert_eq!(serving.join().unwrap(), (1, sotong::State::Closed));
}

#[test]
fn a_close_that_came_in_time_counts_however_late_it_is_looked_at() {
    let (mut ws, mut peer) = server(&quick());
    ws.send_close(None).unwrap();
    peer.write_all(&masked(0x81, b"last words")).unwrap();
    assert_eq!(ws.recv().unwrap(), Some(Event::Text("last words")));
    peer.write_all(&masked(0x88, b"")).unwrap();
    thread::sleep(Duration::from_millis(600));
    assert_eq!(ws.recv().unwrap(), Some(Event::Close(None)));
}

/// Gives its input and the end; the first write pauses.
#[derive(Clone)]
struct Pausing {
    input: Vec<u8>,
    has_paused: bool,
    written: Arc<Mutex<Vec<u8>>>,
}

impl Read for Pausing {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let input = std::mem::take(&mut self.input);
        buf[..input.len()].copy_from_slice(&input);
        Ok(input.len())
    }
}

impl Write for Pausing {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if !std::mem::replace(&mut self.has_paused, true) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.written.lock().unwrap().extend_from_slice(buf);
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for Pausing {
    fn prepare(&mut self, _: Option<Duration>) -> io::Result<bool> {
        Ok(true)
    }
}

impl TryClone for Pausing {
    fn try_clone(&self) -> io::Result<Self> {
        Ok(self.clone())
    }
}

#[test]
fn a_receiver_writes_what_is_queued_though_nothing_more_comes() {
    for (input, error, sent) in [
        (vec![0xff, 0xff], ProtocolError::ReservedOpcode, &b"\x88\x02\x03\xea"[..]),
        (masked(0x89, b"?"), ProtocolError::UnexpectedEof, b"\x8a\x01?"),
    ] {
        let written = Arc::<Mutex<Vec<u8>>>::default();
        let io = Pausing { input, has_paused: false, written: written.clone() };
        let ws = websocket(io, Connection::server(quick(), Agreed::default()));
        let (mut receiver, _sender) = ws.split().unwrap();
        let ended = loop {
            match receiver.recv() {
                Ok(Some(_)) => {}
                ended => break ended.map(|_| ()),
            }
        };
        assert!(matches!(ended, Err(Error::Protocol(told)) if told == error), "{ended:?}");
        assert_eq!(*written.lock().unwrap(), sent, "{error:?}");
    }
}

/// Counts writes.
struct Counting(usize);

impl Read for Counting {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Ok(0)
    }
}

impl Write for Counting {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0 += 1;
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_stream_that_cannot_write_slices_gets_no_header_in_a_write_of_its_own() {
    // (length, writes): what is longer than a record of TLS is not copied, so it comes in two.
    for (len, writes) in [(16_000, 1), (50_000, 2)] {
        let mut ws = websocket(Plain(Counting(0)), Connection::server(quick(), Agreed::default()));
        ws.send_binary(&vec![7; len]).unwrap();
        assert_eq!(ws.stream().0.0, writes);
    }
}
