//! Section 5.7: its examples, received and sent.

use sotong::{Agreed, Config, Connection, MaskingKeys, Role, SendBuffer};

use super::*;

/// The key of the examples.
const KEY: MaskingKeys = || Some([0x37, 0xfa, 0x21, 0x3d]);

#[test]
fn the_examples_are_received() {
    let table: [(Role, &[u8], Seen, &[u8]); 5] = [
        (Role::Client, b"\x81\x05\x48\x65\x6c\x6c\x6f", text("Hello"), b""),
        (Role::Server, b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", text("Hello"), b""),
        (Role::Client, b"\x01\x03\x48\x65\x6c\x80\x02\x6c\x6f", text("Hello"), b""),
        (
            Role::Client,
            b"\x89\x05\x48\x65\x6c\x6c\x6f",
            ping(b"Hello"),
            b"\x8a\x85\0\0\0\0\x48\x65\x6c\x6c\x6f",
        ),
        (Role::Server, b"\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", pong(b"Hello"), b""),
    ];
    for (role, bytes, event, replies) in table {
        assert_eq!(receive(role, bytes), open(vec![event], replies));
    }
}

#[test]
fn the_examples_of_extended_lengths_are_received() {
    for (header, len) in
        [(&b"\x82\x7e\x01\x00"[..], 256), (b"\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00", 65_536)]
    {
        let payload = vec![0x5a; len];
        let bytes = [header, &payload].concat();
        let trace = End::new(Role::Client, &Config::default()).feed(bytes.chunks(997));
        assert!(trace == open(vec![binary(&payload)], b""), "{len}");
    }
}

#[test]
fn the_examples_are_sent() {
    let mut server = Connection::server(Config::default(), Agreed::default());
    let mut client = Connection::client(Config::default(), Agreed::default(), KEY);
    let mut tx = SendBuffer::new();
    let sent = |bytes: &[u8], tx: &mut SendBuffer| {
        let mut transmit = tx.transmit();
        assert_eq!(transmit.slices()[0], bytes);
        transmit.consume(bytes.len());
    };

    server.send_text("Hello", &mut tx).unwrap().queue();
    sent(b"\x81\x05\x48\x65\x6c\x6c\x6f", &mut tx);
    client.send_text("Hello", &mut tx).unwrap().queue();
    sent(b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", &mut tx);
    server.send_fragment("Hel", false, &mut tx).unwrap().queue();
    server.send_fragment("lo", true, &mut tx).unwrap().queue();
    sent(b"\x01\x03\x48\x65\x6c\x80\x02\x6c\x6f", &mut tx);
    server.ping(b"Hello", &mut tx).unwrap().queue();
    sent(b"\x89\x05\x48\x65\x6c\x6c\x6f", &mut tx);
    client.pong(b"Hello", &mut tx).unwrap().queue();
    sent(b"\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", &mut tx);
}

#[test]
fn the_examples_of_extended_lengths_are_sent() {
    for (header, len) in
        [(&b"\x82\x7e\x01\x00"[..], 256), (b"\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00", 65_536)]
    {
        let payload = vec![0x5a; len];
        let mut tx = SendBuffer::new();
        let mut server = Connection::server(Config::default(), Agreed::default());
        let wire = server.send_binary(&payload, &mut tx).unwrap().slices().concat();
        assert!(wire == [header, &payload].concat(), "{len}");
    }
}
