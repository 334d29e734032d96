//! What others have read behind the head, when they did the handshake.

use sotong::{Agreed, Config, Connection, Event};
use sotong::{blocking, tokio as asynchronous};

use crate::scripted::{masked, scripted};

/// Frames of some lengths, also longer than the buffer, cut where something is left or nothing.
#[tokio::test]
async fn what_was_read_behind_the_head_comes_before_what_is_read_later() {
    let lengths = [0, 1, 125, 126, 1_000, 70_000, 200_000, 3];
    let message = |len| vec![len as u8; len];
    let bytes = lengths.map(|len| masked(0x82, &message(len))).concat();
    for read in [0, 1, 5, 6, 7, 100, 1_400, 66_000, 140_000, bytes.len() - 1, bytes.len()] {
        let (leftover, later) = bytes.split_at(read);
        let parts = || {
            let connection = Connection::server(Config::default(), Agreed::default());
            blocking::Parts::new(scripted([later]), connection, leftover)
        };
        let mut blocking = blocking::WebSocket::from_parts(parts()).unwrap();
        let mut asynchronous = asynchronous::WebSocket::from_parts(parts());
        for len in lengths {
            let message = message(len);
            let expected = Some(Event::Binary(&message));
            assert!(blocking.recv().unwrap() == expected, "{len}, {read} were read");
            assert!(asynchronous.recv().await.unwrap() == expected, "{len}, {read} were read");
        }
    }
}
