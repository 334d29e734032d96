//! What happens over a stream when nothing goes wrong with it.

use sotong::{Agreed, Config, Connection, ProtocolError, Role};

use super::stream::{Bytes, End, Step, parts};
use crate::scripted::{self, masked, plain};
use crate::sockets::REQUEST;
use crate::subject::name;

const REFUSAL: &[u8] = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 4\r\n\r\nwho?";

/// One end under test, and what its peer does.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub name: &'static str,
    pub role: Role,
    pub config: Config,
    pub agreed: Agreed,
    /// Whether it begins with the opening handshake.
    pub opens: bool,
    pub script: Vec<Step>,
    pub end: End,
}

/// What the core makes of bytes, without a stream.
pub struct Received {
    pub events: Vec<String>,
    pub is_closed: bool,
    pub error: Option<ProtocolError>,
}

impl Scenario {
    fn new(role: Role, name: &'static str) -> Self {
        let end = End { after: 0, after_shutdown: role == Role::Server };
        let mut config = Config::default();
        config.limits.send_queue = 8_000; // less than the large message
        let agreed = Agreed::default();
        Self { name, role, config, agreed, opens: false, script: vec![], end }
    }

    /// The peer sends a frame when it has seen so many heads and frames.
    fn frame(self, after: usize, first: u8, payload: &[u8]) -> Self {
        let frame = if self.role == Role::Server { masked } else { plain };
        self.bytes(after, frame(first, payload))
    }

    fn bytes(mut self, after: usize, bytes: impl Into<Vec<u8>>) -> Self {
        self.script.push(Step { after, bytes: Bytes::Literal(bytes.into()) });
        self
    }

    /// The peer closes, and ends the stream when it has seen the answer.
    fn close(self, after: usize) -> Self {
        let mut closed = self.frame(after, 0x88, b"\x03\xe8");
        closed.end.after = after + 1;
        closed
    }

    /// The opening handshake, in two reads for a server.
    fn opening(mut self) -> Self {
        self.opens = true;
        if self.role == Role::Server {
            return self.bytes(0, &REQUEST[..50]).bytes(0, &REQUEST[50..]);
        }
        self.script.push(Step { after: 1, bytes: Bytes::Acceptance });
        self
    }

    pub fn connection(&self) -> Connection {
        match self.role {
            Role::Server => Connection::server(&self.config, self.agreed),
            Role::Client => Connection::client(&self.config, self.agreed, || Some([1, 2, 3, 4])),
        }
    }

    /// What is in the bytes that were read.
    pub fn receive(&self, delivered: &[u8]) -> Received {
        let mut frames = if self.opens { parts(delivered).1 } else { delivered };
        let scripted_parts = scripted::parts((), self.connection());
        let (mut conn, mut rx) = (scripted_parts.connection, scripted_parts.rx);
        let (mut events, mut error) = (vec![], None);
        while !frames.is_empty() && error.is_none() {
            frames = &frames[rx.extend(frames)..];
            loop {
                match conn.next_event(&mut rx) {
                    Ok(Some(event)) => events.push(name(&event)),
                    Ok(None) => break,
                    Err(failed) => {
                        error = Some(failed);
                        break;
                    }
                }
            }
        }
        let is_closed = events.last().is_some_and(|event| event.starts_with("Close"));
        Received { events, is_closed, error }
    }
}

pub fn all() -> Vec<Scenario> {
    [Role::Server, Role::Client].into_iter().flat_map(of).collect()
}

fn of(role: Role) -> Vec<Scenario> {
    let new = |name| Scenario::new(role, name);
    let scenarios = vec![
        new("handshake").opening().frame(1, 0x81, b"hello").close(2),
        refused(role),
        new("echo")
            .frame(0, 0x81, "소통".as_bytes())
            .frame(1, 0x82, &[3; 300])
            .frame(2, 0x82, &[4; 10_000])
            .frame(3, 0x89, b"!")
            .frame(4, 0x81, b"ping me")
            .close(5),
        new("many at once")
            .bytes(0, new("").frame(0, 0x81, b"a").frame(0, 0x82, b"b").frame(0, 0x81, b"c").sent())
            .close(3),
        new("fragments")
            .frame(0, 0x01, b"in ")
            .frame(0, 0x89, b"!")
            .frame(1, 0x00, b"par")
            .frame(1, 0x80, b"ts")
            .close(3),
        we_close(role),
        broken(role),
    ];
    #[cfg(feature = "deflate")]
    let scenarios = [scenarios, vec![compressed(role)]].concat();
    scenarios
}

fn refused(role: Role) -> Scenario {
    let mut refused = Scenario::new(role, "refusal");
    (refused.opens, refused.end.after) = (true, 1);
    match role {
        Role::Server => refused.bytes(0, [b"POST", &REQUEST[3..]].concat()),
        Role::Client => refused.bytes(1, &REFUSAL[..40]).bytes(1, &REFUSAL[40..]),
    }
}

/// What is on its way when we close is still handed over; answers to it are not sent.
fn we_close(role: Role) -> Scenario {
    let mut closing = Scenario::new(role, "close")
        .frame(0, 0x81, b"a")
        .frame(1, 0x81, b"go away")
        .frame(1, 0x81, b"late")
        .frame(2, 0x88, b"\x0f\xa0");
    closing.end.after = 2;
    closing
}

fn broken(role: Role) -> Scenario {
    let mut broken = Scenario::new(role, "broken rule")
        .frame(0, 0x81, b"a")
        .frame(1, 0x83, b"")
        .frame(1, 0x81, b"b");
    broken.end.after = 2;
    broken
}

#[cfg(feature = "deflate")]
fn compressed(role: Role) -> Scenario {
    use crate::deflate::{LONG, Peer, both, config, noise};

    let agreed = both(15, true);
    let mut peer = Peer::of(role, agreed);
    let config = config(|deflate| deflate.threshold = 10);
    Scenario { config, agreed, ..Scenario::new(role, "compressed") }
        .bytes(0, peer.message(LONG))
        .bytes(1, peer.message(LONG))
        .bytes(2, peer.message(&noise(3_000)[..]))
        .bytes(3, peer.fragment(LONG, false))
        .bytes(3, peer.fragment(LONG, true))
        .close(4)
}

impl Scenario {
    /// All that the peer sends.
    fn sent(self) -> Vec<u8> {
        let literal = |step| match step {
            Step { bytes: Bytes::Literal(bytes), .. } => bytes,
            step => panic!("{step:?} depends on what came"),
        };
        self.script.into_iter().flat_map(literal).collect()
    }
}
