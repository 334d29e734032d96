//! How messages go over and how connections end.

use sotong::handshake::{client, server};
use sotong::{ProtocolError, ReceiveBuffer};

use super::*;

/// An opening handshake in which no more than `portion` bytes come at a time.
fn open(config: &Config, portion: usize) -> (Pair, Option<String>) {
    let rx = || ReceiveBuffer::with_capacity(config.limits.receive_buffer);
    let (mut client_rx, mut server_rx, mut tx) = (rx(), rx(), SendBuffer::new());
    let keys = || Some([5, 6, 7, 8]);
    let request = client::Request { subprotocols: &["a", "b"], ..client::Request::default() };
    let mut asking = client::Handshake::start(&request, config, [9; 16], keys, &mut tx).unwrap();
    let mut waiting = server::Handshake::new(config);
    let wire = tx.transmit().slices().concat();
    let asked = wire.chunks(portion).find_map(|piece| {
        assert_eq!(server_rx.extend(piece), piece.len());
        waiting.receive(&mut server_rx).unwrap()
    });
    let response = server::Response { subprotocol: Some("b"), headers: &[] };
    let mut tx = SendBuffer::new();
    let server = asked.unwrap().accept(&response, config, &mut tx).unwrap();
    let wire = tx.transmit().slices().concat();
    let outcome = wire.chunks(portion).find_map(|piece| {
        assert_eq!(client_rx.extend(piece), piece.len());
        asking.receive(&mut client_rx).unwrap()
    });
    let Some(client::Outcome::Open(client, response)) = outcome else { panic!("it is open") };
    let chosen = response.subprotocol().map(Into::into);
    (Pair::of(Side::new(client, client_rx), Side::new(server, server_rx)), chosen)
}

#[test]
fn a_connection_is_opened_used_and_closed() {
    for portion in [1, 7, usize::MAX] {
        let (mut pair, subprotocol) = open(&Config::default(), portion);
        assert_eq!(subprotocol.as_deref(), Some("b"));
        pair.client.send("소통");
        pair.server.conn.send_binary(&[0xff], &mut pair.server.tx).unwrap().queue();
        pair.exchange();
        pair.client.close(1000, "done");
        pair.exchange();
        assert_eq!(pair.server.events, [text("소통"), close(1000, "done")]);
        assert_eq!(pair.client.events, [Seen::Binary(vec![0xff]), close(1000, "")]);
        assert_eq!((pair.client.eof, pair.server.eof), (Some(Ok(())), Some(Ok(()))));
    }
}

#[test]
fn an_echo_goes_out_of_the_buffer_it_came_in() {
    let mut pair = Pair::new(&Config::default());
    pair.server.react(echo);
    let long = "가나다".repeat(5000);
    let messages = ["", "short", &long];
    for message in messages {
        pair.client.send(message);
    }
    pair.exchange();
    assert_eq!(pair.client.events, messages.map(text));
}

#[test]
fn a_ping_goes_between_the_fragments_of_a_message() {
    let mut pair = Pair::new(&Config::default());
    let Side { conn, tx, .. } = &mut pair.client;
    conn.send_fragment("Hel", false, tx).unwrap().queue();
    conn.ping(b"?", tx).unwrap().queue();
    conn.send_fragment("lo", true, tx).unwrap().queue();
    pair.exchange();
    assert_eq!(pair.server.events, [Seen::Ping(b"?".into()), text("Hello")]);
    assert_eq!(pair.client.events, [Seen::Pong(b"?".into())]);
}

#[test]
fn either_end_may_close_and_the_server_ends_the_stream_first() {
    for closer in [Role::Client, Role::Server] {
        let mut pair = Pair::new(&Config::default());
        let (this, that) = match closer {
            Role::Client => (&mut pair.client, &mut pair.server),
            Role::Server => (&mut pair.server, &mut pair.client),
        };
        this.send("last");
        this.close(4001, "bye");
        that.send("last, too");
        pair.exchange();
        let (this, that) = match closer {
            Role::Client => (pair.client, pair.server),
            Role::Server => (pair.server, pair.client),
        };
        assert_eq!(that.events, [text("last"), close(4001, "bye")]);
        assert_eq!(this.events, [text("last, too"), close(4001, "")]);
        assert_eq!((this.eof, that.eof), (Some(Ok(())), Some(Ok(()))));
        assert_eq!(pair.finished, [Role::Server, Role::Client], "{closer:?} closed");
    }
}

#[test]
fn both_ends_close_at_once_and_each_says_it_once() {
    let mut pair = Pair::new(&Config::default());
    pair.client.close(1000, "");
    pair.server.close(1001, "restart");
    pair.exchange();
    assert_eq!(pair.client.events, [close(1001, "restart")]);
    assert_eq!(pair.server.events, [close(1000, "")]);
    assert_eq!(pair.states(), [State::Closed; 2]);
    assert_eq!((pair.client.tx.sent(), pair.server.tx.sent()), (8, 11));
    assert_eq!((pair.client.eof, pair.server.eof), (Some(Ok(())), Some(Ok(()))));
}

#[test]
fn the_client_waits_for_the_server_to_end_the_stream() {
    let mut pair = Pair::new(&quiet());
    pair.client.close(1000, "");
    pair.client.write(&mut pair.server, 100);
    assert_eq!(pair.transports(), [Transport::Keep; 2]);
    pair.server.read();
    assert_eq!(pair.transports(), [Transport::Keep; 2], "the answer is due");
    pair.server.conn.poll_transmit(&mut pair.server.tx);
    assert_eq!(pair.transports(), [Transport::Keep, Transport::ShutDown]);
    let bytes = pair.server.tx.transmit().slices().concat();
    pair.client.wire.extend(bytes);
    pair.client.read();
    assert_eq!(pair.transports(), [Transport::AwaitEof, Transport::ShutDown]);
    assert_eq!(pair.client.conn.handle_eof(), Ok(()));
    assert_eq!(pair.transports(), [Transport::Close, Transport::ShutDown]);
}

#[test]
fn what_was_sent_before_the_peers_close_still_arrives_behind_ours() {
    let mut pair = Pair::new(&Config::default());
    pair.client.reads = false;
    pair.server.close(1001, "");
    pair.exchange();
    pair.client.send("on its way");
    pair.exchange();
    assert_eq!(pair.states(), [State::Open, State::Closing]);
    pair.client.send("and more");
    pair.client.reads = true;
    pair.exchange();
    assert_eq!(pair.server.events, [text("on its way"), text("and more"), close(1001, "")]);
    assert_eq!(
        pair.client.conn.send_text("x", &mut pair.client.tx).err(),
        Some(SendError::Closing)
    );
}

#[test]
fn a_fault_of_the_peer_is_told_to_it_before_the_stream_ends() {
    let mut pair = Pair::new(&Config::default());
    pair.server.wire.extend(b"\x81\x81\0\0\0\0\xff");
    pair.exchange();
    assert_eq!(pair.client.events, [close(1007, "")]);
    assert_eq!(pair.server.eof, Some(Err(ProtocolError::TextNotUtf8)));
    assert_eq!((pair.client.eof, pair.states()), (Some(Ok(())), [State::Closed; 2]));
    assert_eq!(pair.finished, [Role::Server, Role::Client]);
}

#[test]
fn a_server_that_just_vanishes_is_an_abnormal_end() {
    let mut pair = Pair::new(&Config::default());
    pair.server.finished = true;
    pair.exchange();
    assert_eq!(pair.client.eof, Some(Err(ProtocolError::UnexpectedEof)));
    assert_eq!(pair.client.conn.transport(), Transport::Close);
    assert_eq!(
        pair.client.conn.send_text("a", &mut pair.client.tx).err(),
        Some(SendError::Closing)
    );
}
