//! Compression (RFC 7692) through the adapters.

mod broadcast;
mod cancelled_recv;
mod cancelled_send;
mod choice;
mod halves;
mod long;
mod sockets;
mod trace;
mod ways;

use std::iter;

use sotong::{
    Agreed, Config, Connection, Deflate, DeflateParameters, FrameHeader, Message, Payload,
    ReceiveBuffer, Role, SendBuffer,
};

use crate::scripted::parts;

const ROLES: [Role; 2] = [Role::Client, Role::Server];

/// Long enough to be compressed, and without repetitions of its own to speak of.
pub const LONG: &str = "Squids, cuttlefish and octopuses change the colour of their skin within a second: \
                    muscles pull thousands of small bags of pigment open, each under its own nerve.";

/// A configuration that compresses and keeps context, its settings changed a little.
pub fn config(change: impl FnOnce(&mut Deflate)) -> Config {
    let mut deflate = Deflate::default();
    (deflate.context_takeover, deflate.peer_context_takeover) = (true, true);
    deflate.threshold = LONG.len();
    change(&mut deflate);
    let mut config = Config::default();
    config.deflate = Some(deflate);
    config
}

/// The same windows and contexts in both directions.
pub fn both(window_bits: u8, keeps_context: bool) -> Agreed {
    let mut deflate = DeflateParameters::default();
    (deflate.server_max_window_bits, deflate.client_max_window_bits) = (window_bits, window_bits);
    (deflate.server_no_context_takeover, deflate.client_no_context_takeover) =
        (!keeps_context, !keeps_context);
    let mut agreed = Agreed::default();
    agreed.deflate = Some(deflate);
    agreed
}

fn other(role: Role) -> Role {
    match role {
        Role::Client => Role::Server,
        Role::Server => Role::Client,
    }
}

fn connection(role: Role, config: &Config, agreed: Agreed) -> Connection {
    match role {
        Role::Client => Connection::client(config, agreed, || Some([0x37, 0xfa, 0x21, 0x3d])),
        Role::Server => Connection::server(config, agreed),
    }
}

/// The other end, which writes scripts and reads what was written.
pub struct Peer {
    conn: Connection,
    rx: ReceiveBuffer,
    tx: SendBuffer,
}

impl Peer {
    /// The peer of an end that has this role and has agreed on this.
    pub fn of(role: Role, agreed: Agreed) -> Self {
        let parts = parts((), connection(other(role), &config(|_| {}), agreed));
        Self { conn: parts.connection, rx: parts.rx, tx: parts.tx }
    }

    /// A whole message on the wire.
    pub fn message<'p>(&mut self, message: impl Into<Payload<'p>>) -> Vec<u8> {
        self.conn.send(message, &mut self.tx).unwrap().queue();
        self.drain()
    }

    pub fn fragment(&mut self, part: &str, fin: bool) -> Vec<u8> {
        self.conn.send_fragment(part, fin, &mut self.tx).unwrap().queue();
        self.drain()
    }

    fn ping(&mut self, payload: &[u8]) -> Vec<u8> {
        self.conn.ping(payload, &mut self.tx).unwrap().queue();
        self.drain()
    }

    fn close(&mut self) -> Vec<u8> {
        self.conn.close(Some(sotong::CloseCode::NORMAL.into()), &mut self.tx).unwrap().queue();
        self.drain()
    }

    fn drain(&mut self) -> Vec<u8> {
        let mut transmit = self.tx.transmit();
        let bytes = transmit.slices().concat();
        transmit.consume(bytes.len());
        bytes
    }

    /// What it makes of bytes that must be whole frames, and all right.
    fn receive(&mut self, mut bytes: &[u8]) -> Vec<Message> {
        let mut messages = vec![];
        loop {
            let taken = self.rx.extend(bytes);
            bytes = &bytes[taken..];
            while let Some(event) = self.conn.next_event(&mut self.rx).unwrap() {
                messages.push(event.into());
            }
            if bytes.is_empty() {
                assert_eq!(self.rx.unparsed(), b"", "half a frame came");
                return messages;
            }
        }
    }
}

/// For each data frame on the wire whether it says that its message is compressed.
fn compressed(mut bytes: &[u8]) -> Vec<bool> {
    let mut compressed = vec![];
    while let Some((header, len)) = FrameHeader::decode(bytes).unwrap() {
        if !header.opcode.is_control() {
            compressed.push(header.reserved == 0x40);
        }
        bytes = &bytes[len + header.payload_len as usize..];
    }
    compressed
}

/// Bytes that no compressor makes smaller.
pub fn noise(len: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    iter::repeat_with(next).take(len).collect()
}
