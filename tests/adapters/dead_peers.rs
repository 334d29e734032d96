//! Peers that are slow, that stop, that vanish: over real sockets, both adapters, both roles. Every
//! deadline passes at about its time, and what came before is not lost.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use socket2::SockRef;
use sotong::handshake::client::Request;
use sotong::{Config, Error, Result, Role, TimedOut, blocking, tokio as asynchronous};

use crate::faults::acceptance;
use crate::scripted::{masked, plain};
use crate::sockets::{ADAPTERS, Adapter, REQUEST, nonblocking};
use crate::subject::{block_on, name};

const DEADLINE: Duration = Duration::from_millis(300);

/// Buffers that are soon full.
const SMALL: usize = 8 * 1024;

/// What our end does once it is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doing {
    Listen,
    Echo,
    Close,
    Flood,
}

/// Our end, and how it ended.
#[derive(Debug)]
struct Ended {
    events: Vec<String>,
    result: Result<()>,
    /// Since it was open, or had begun to open.
    after: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Ours {
    adapter: Adapter,
    role: Role,
    doing: Doing,
    /// The size of the buffers of both sockets.
    buffers: usize,
}

impl Ours {
    /// More than what lies between the sockets.
    fn flood(self) -> Vec<u8> {
        vec![7; 40 * self.buffers]
    }

    fn frame(self, first: u8, payload: &[u8]) -> Vec<u8> {
        (if self.role == Role::Server { masked } else { plain })(first, payload)
    }

    /// Starts our end, and gives the peer's.
    fn start(self, config: Config) -> (TcpStream, JoinHandle<Ended>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        SockRef::from(&listener).set_send_buffer_size(self.buffers).unwrap();
        SockRef::from(&listener).set_recv_buffer_size(self.buffers).unwrap();
        let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        SockRef::from(&peer).set_recv_buffer_size(self.buffers).unwrap();
        peer.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let (stream, _) = listener.accept().unwrap();
        let ours = thread::spawn(move || {
            let mut events = vec![];
            let mut since = Instant::now();
            let result = match self.adapter {
                Adapter::Blocking => self.run(stream, &config, &mut events, &mut since),
                Adapter::Tokio => {
                    block_on(self.run_async(stream, &config, &mut events, &mut since))
                }
            };
            Ended { events, result, after: since.elapsed() }
        });
        (peer, ours)
    }

    fn run(
        self,
        stream: TcpStream,
        config: &Config,
        events: &mut Vec<String>,
        since: &mut Instant,
    ) -> Result<()> {
        let mut ws = match self.role {
            Role::Server => blocking::accept(stream, config)?,
            Role::Client => blocking::connect_over(stream, &Request::default(), config)?.0,
        };
        *since = Instant::now();
        match self.doing {
            Doing::Close => return ws.close(None),
            Doing::Flood => ws.send_binary(&self.flood())?,
            Doing::Listen | Doing::Echo => {}
        }
        while let Some((event, mut reply)) = ws.recv_reply()? {
            events.push(name(&event));
            if let (sotong::Event::Binary(bytes), Doing::Echo) = (event, self.doing) {
                reply.feed(bytes)?;
            }
        }
        Ok(())
    }

    async fn run_async(
        self,
        stream: TcpStream,
        config: &Config,
        events: &mut Vec<String>,
        since: &mut Instant,
    ) -> Result<()> {
        let stream = nonblocking(stream);
        let mut ws = match self.role {
            Role::Server => asynchronous::accept(stream, config).await?,
            Role::Client => {
                asynchronous::connect_over(stream, &Request::default(), config).await?.0
            }
        };
        *since = Instant::now();
        match self.doing {
            Doing::Close => return ws.close(None).await,
            Doing::Flood => ws.send_binary(&self.flood()).await?,
            Doing::Listen | Doing::Echo => {}
        }
        while let Some((event, mut reply)) = ws.recv_reply().await? {
            events.push(name(&event));
            if let (sotong::Event::Binary(bytes), Doing::Echo) = (event, self.doing) {
                reply.feed(bytes).await?;
            }
        }
        Ok(())
    }

    /// As [`start`](Self::start), with the opening handshake done.
    fn open(self, config: Config) -> (TcpStream, JoinHandle<Ended>) {
        let (mut peer, ours) = self.start(config);
        match self.role {
            Role::Server => {
                peer.write_all(REQUEST).unwrap();
                read_head(&mut peer);
            }
            Role::Client => {
                let request = read_head(&mut peer);
                peer.write_all(&acceptance(&request)).unwrap();
            }
        }
        (peer, ours)
    }
}

/// Tries it with every adapter in these roles, all at the same time.
fn with_all(roles: &[Role], doing: Doing, test: impl Fn(Ours) + Sync) {
    thread::scope(|scope| {
        for (adapter, role) in ADAPTERS.iter().flat_map(|a| roles.iter().map(|r| (*a, *r))) {
            let test = &test;
            scope.spawn(move || test(Ours { adapter, role, doing, buffers: SMALL }));
        }
    });
}

const BOTH: [Role; 2] = [Role::Server, Role::Client];

/// Without deadlines but for those that a test is about.
fn patient() -> Config {
    let mut config = Config::default();
    config.timeouts.keepalive = None;
    config
}

/// Byte by byte, since what comes behind it is the test's.
fn read_head(peer: &mut TcpStream) -> Vec<u8> {
    let mut head = vec![];
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        peer.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    head
}

/// All that still comes, however it ends.
fn read_on(peer: &mut TcpStream) -> Vec<u8> {
    let mut bytes = vec![];
    let _either = peer.read_to_end(&mut bytes);
    bytes
}

/// The deadline was told, not before its time and not long after it.
fn assert_timed_out(ended: &Ended, late: TimedOut, deadline: Duration) {
    assert!(matches!(ended.result, Err(Error::TimedOut(told)) if told == late), "{ended:?}");
    assert_about(ended, deadline);
}

fn assert_about(ended: &Ended, deadline: Duration) {
    // A quarter is what a tick is, the rest is for machines that are busy.
    let latest = deadline + deadline / 4 + Duration::from_millis(1_500);
    assert!((deadline..latest).contains(&ended.after), "{ended:?}");
}

#[test]
fn a_peer_that_says_nothing_does_not_open_a_connection() {
    with_all(&BOTH, Doing::Listen, |ours| {
        let mut config = patient();
        config.timeouts.handshake = Some(DEADLINE);
        let (mut peer, ours_ends) = ours.start(config);
        let answer = read_on(&mut peer);
        match ours.role {
            Role::Server => assert!(answer.starts_with(b"HTTP/1.1 408 "), "{ours:?}"),
            Role::Client => assert!(answer.starts_with(b"GET "), "{ours:?}"),
        }
        drop(peer);
        assert_timed_out(&ours_ends.join().unwrap(), TimedOut::Handshake, DEADLINE);
    });
}

#[test]
fn an_answer_that_trickles_in_is_given_up_after_a_total_time() {
    with_all(&[Role::Client], Doing::Listen, |ours| {
        let mut config = patient();
        config.timeouts.handshake = Some(DEADLINE);
        let (mut peer, ours_ends) = ours.start(config);
        let answer = acceptance(&read_head(&mut peer));
        for byte in answer {
            // Each byte is in time; all of them are not.
            if peer.write_all(&[byte]).is_err() {
                break;
            }
            thread::sleep(DEADLINE / 10);
        }
        assert_timed_out(&ours_ends.join().unwrap(), TimedOut::Handshake, DEADLINE);
    });
}

#[test]
fn a_close_that_is_never_answered_ends_in_time() {
    with_all(&BOTH, Doing::Close, |ours| {
        let mut config = patient();
        config.timeouts.close = Some(DEADLINE);
        let (_peer, ours_ends) = ours.open(config);
        assert_timed_out(&ours_ends.join().unwrap(), TimedOut::Close, DEADLINE);
    });
}

#[test]
fn a_server_that_closes_and_does_not_end_the_stream_is_not_waited_for_for_ever() {
    with_all(&[Role::Client], Doing::Close, |ours| {
        let mut config = patient();
        config.timeouts.close = Some(DEADLINE);
        let (mut peer, ours_ends) = ours.open(config);
        peer.write_all(&plain(0x88, b"")).unwrap();
        let ended = ours_ends.join().unwrap();
        assert!(ended.result.is_ok(), "the closing handshake was complete: {ended:?}");
        assert_about(&ended, DEADLINE);
    });
}

#[test]
fn a_peer_that_vanishes_in_the_middle_of_a_frame_is_missed() {
    with_all(&BOTH, Doing::Listen, |ours| {
        let mut config = patient();
        config.timeouts.keepalive = Some(DEADLINE);
        config.timeouts.pong = Some(DEADLINE);
        let (mut peer, ours_ends) = ours.open(config);
        peer.write_all(&ours.frame(0x82, &[1; 50])).unwrap();
        peer.write_all(&ours.frame(0x82, &[2; 50])[..30]).unwrap();
        let ended = ours_ends.join().unwrap();
        assert_timed_out(&ended, TimedOut::Pong, 2 * DEADLINE);
        assert_eq!(ended.events.len(), 1, "{ended:?}");
        let ping = read_on(&mut peer);
        assert_eq!((ping[0], ping[1] & 0x7f), (0x89, 0), "it was asked");
        assert_eq!(ping.len(), if ours.role == Role::Server { 2 } else { 6 }, "once");
    });
}

#[test]
fn a_reset_in_the_middle_of_a_frame_is_told_at_once_and_loses_nothing() {
    with_all(&BOTH, Doing::Echo, |ours| {
        let (mut peer, ours_ends) = ours.open(patient());
        let message = ours.frame(0x82, &[1; 50]);
        peer.write_all(&[&message[..], &message, &message, &message[..30]].concat()).unwrap();
        let header = if ours.role == Role::Server { 2 } else { 6 };
        peer.read_exact(&mut vec![0; 3 * (header + 50)]).unwrap();
        reset(peer);
        let ended = ours_ends.join().unwrap();
        let Err(Error::Io(error)) = &ended.result else { panic!("{ours:?}: {ended:?}") };
        assert_eq!((error.kind(), ended.events.len()), (ErrorKind::ConnectionReset, 3));
        assert!(ended.result.as_ref().is_err_and(Error::is_abrupt_close));
        assert_about(&ended, Duration::ZERO);
    });
}

#[test]
fn a_reset_while_we_write_or_open_is_told_at_once() {
    with_all(&BOTH, Doing::Flood, |ours| {
        let (mut peer, ours_ends) = ours.open(patient());
        peer.read_exact(&mut [0; 1_000]).unwrap();
        reset(peer);
        let ended = ours_ends.join().unwrap();
        let kind = |error: &Error| match error {
            Error::Io(error) => Some(error.kind()),
            _ => None,
        };
        let told = ended.result.as_ref().err().and_then(kind);
        assert!(
            matches!(told, Some(ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)),
            "{ours:?}: {ended:?}"
        );
        assert_about(&ended, Duration::ZERO);

        let (mut peer, ours_ends) = ours.start(patient());
        peer.write_all(&REQUEST[..40]).unwrap();
        thread::sleep(DEADLINE / 3);
        reset(peer);
        let ended = ours_ends.join().unwrap();
        assert!(ended.result.as_ref().is_err_and(Error::is_abrupt_close), "{ours:?}: {ended:?}");
    });
}

#[test]
fn a_peer_that_never_reads_is_given_up() {
    with_all(&BOTH, Doing::Flood, |ours| {
        let mut config = patient();
        config.timeouts.send = Some(DEADLINE);
        let (_peer, ours_ends) = ours.open(config);
        assert_timed_out(&ours_ends.join().unwrap(), TimedOut::Send, DEADLINE);
    });
}

#[test]
fn a_peer_that_reads_slowly_is_waited_for() {
    with_all(&BOTH, Doing::Flood, |ours| {
        // Larger than a segment: a window that is smaller is opened by probes, five in a second.
        let ours = Ours { buffers: 128 * 1024, ..ours };
        let mut config = patient();
        config.timeouts.send = Some(2 * DEADLINE);
        let (mut peer, ours_ends) = ours.open(config);
        let start = Instant::now();
        let mut left = ours.flood().len();
        while left > 0 {
            thread::sleep(DEADLINE / 10);
            let n = peer.read(&mut vec![0; ours.buffers.min(left)]).unwrap();
            assert!(n > 0, "{ours:?}: {:?}", ours_ends.join().unwrap());
            left -= n;
        }
        assert!(start.elapsed() > 3 * DEADLINE, "it was not slow");
        peer.write_all(&ours.frame(0x88, b"\x03\xe8")).unwrap();
        drop(peer);
        let ended = ours_ends.join().unwrap();
        assert!(ended.events.iter().any(|event| event.starts_with("Close")), "{ended:?}");
    });
}

/// Ends the stream with RST, as if the process had died in the middle of it.
fn reset(peer: TcpStream) {
    SockRef::from(&peer).set_linger(Some(Duration::ZERO)).unwrap();
    drop(peer);
}
