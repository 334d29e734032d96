//! A message of any length passes in fragments and in small pieces.

use std::net::{TcpListener, TcpStream};
use std::thread;

use sotong::{Chunk, blocking, tokio as asynchronous};

use super::*;
use crate::sockets::{ADAPTERS, Adapter, nonblocking};
use crate::subject::block_on;

const FRAGMENT: usize = 64 * 1024;

/// The most that a piece may have, in bytes: what is worth to be handed over, and a step of inflating.
const MAX_PIECE: usize = 32 * 1024;

/// After so many bytes the message repeats itself.
const PERIOD: usize = 1_000;

/// Any part of the message begins within the first period.
fn message() -> Vec<u8> {
    noise(PERIOD).into_iter().cycle().take(PERIOD + FRAGMENT).collect()
}

/// Sends `len` bytes, a multiple of [`FRAGMENT`].
fn send(adapter: Adapter, io: TcpStream, config: &Config, agreed: Agreed, len: usize) {
    let message = message();
    let fragments = (FRAGMENT..=len).step_by(FRAGMENT).map(|end| {
        let start = (end - FRAGMENT) % PERIOD;
        (Payload::binary(&message[start..start + FRAGMENT]), end == len)
    });
    let connection = connection(Role::Client, config, agreed);
    match adapter {
        Adapter::Blocking => {
            let mut ws = blocking::WebSocket::from_parts(parts(io, connection)).unwrap();
            fragments.for_each(|(part, fin)| ws.send_fragment(part, fin).unwrap());
            while ws.recv().unwrap().is_some() {}
        }
        Adapter::Tokio => block_on(async {
            let mut ws = asynchronous::WebSocket::from_parts(parts(nonblocking(io), connection));
            for (part, fin) in fragments {
                ws.send_fragment(part, fin).await.unwrap();
            }
            while ws.recv().await.unwrap().is_some() {}
        }),
    }
}

/// Looks at what comes, piece by piece.
struct Inspector {
    message: Vec<u8>,
    len: usize,
}

impl Inspector {
    /// Whether this was the last piece.
    fn inspect(&mut self, chunk: Option<Chunk<'_>>) -> bool {
        let Some(Chunk::Binary { piece, last }) = chunk else { panic!("{chunk:?}") };
        assert!(piece.len() <= MAX_PIECE, "{}", piece.len());
        assert!(last || !piece.is_empty());
        let expected = &self.message[self.len % PERIOD..][..piece.len()];
        assert!(piece == expected, "behind {} bytes", self.len);
        self.len += piece.len();
        last
    }
}

/// Receives a message in pieces, then closes; how long it was.
fn receive(adapter: Adapter, io: TcpStream, config: &Config, agreed: Agreed) -> usize {
    let mut inspector = Inspector { message: message(), len: 0 };
    let connection = connection(Role::Server, config, agreed);
    match adapter {
        Adapter::Blocking => {
            let mut ws = blocking::WebSocket::from_parts(parts(io, connection)).unwrap();
            while !inspector.inspect(ws.recv_chunk().unwrap()) {}
            ws.close(None).unwrap();
        }
        Adapter::Tokio => block_on(async {
            let mut ws = asynchronous::WebSocket::from_parts(parts(nonblocking(io), connection));
            while !inspector.inspect(ws.recv_chunk().await.unwrap()) {}
            ws.close(None).await.unwrap();
        }),
    }
    inspector.len
}

#[test]
fn a_long_message_passes_in_fragments_and_in_small_pieces() {
    const MIB: usize = 1024 * 1024;
    let mut config = config(|_| {});
    config.limits.message = 32 * MIB as u64;
    let [blocking, tokio] = ADAPTERS;
    let table = [
        (blocking, tokio, both(15, true), 32 * MIB),
        (tokio, blocking, both(15, false), 2 * MIB),
        (tokio, tokio, both(14, false), MIB),
        (blocking, blocking, both(12, true), MIB),
    ];
    for (sender, receiver, agreed, len) in table {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let accepted = listener.accept().unwrap().0;
        let received = thread::scope(|scope| {
            scope.spawn(|| send(sender, stream, &config, agreed, len));
            receive(receiver, accepted, &config, agreed)
        });
        assert_eq!(received, len);
    }
}
