use tokio::io::BufReader;
use web_socket::{DataType, Event, MessageType, WebSocket};

use super::{
    Answering, MAX_MESSAGE, Outcome, READ_BUFFER, Receiver, Receiving, Role, Seen, Sender, Sending,
};
use crate::memory::wire::{Wire, block_on};

pub const RECEIVING: Receiving = Receiving {
    name: "web-socket",
    note: "`recv` over a `BufReader` of 16 KiB; it does not check UTF-8, so each text is checked \
           with simdutf8; it does not join fragments",
    make: |wire| {
        let mut web_socket = WebSocket::server(BufReader::with_capacity(READ_BUFFER, wire));
        web_socket.max_payload_len = MAX_MESSAGE;
        Box::new(web_socket)
    },
};

pub const SENDING: Sending = Sending {
    name: "web-socket",
    note: "`send`, vectored in the server's role",
    make: |wire, role, payload| {
        let web_socket = match role {
            Role::Server => WebSocket::server(wire),
            Role::Client => WebSocket::client(wire),
        };
        Some(Box::new((web_socket, payload)))
    },
};

pub const ANSWERING: Answering =
    Answering { name: "web-socket", note: "has no opening handshake", answer: None };

impl Receiver for WebSocket<BufReader<Wire>> {
    fn receive(&mut self, messages: usize, seen: &mut Seen) -> Outcome {
        block_on(async {
            for _ in 0..messages {
                match self.recv().await? {
                    Event::Data { ty: DataType::Complete(MessageType::Text), data } => {
                        simdutf8::basic::from_utf8(&data)?;
                        seen.take(true, &data);
                    }
                    Event::Data { data, .. } => seen.take(false, &data),
                    other => return Err(format!("{other:?}").into()),
                }
            }
            Ok(())
        })
    }
}

impl Sender for (WebSocket<Wire>, Vec<u8>) {
    fn send(&mut self, messages: usize) -> Outcome {
        let (web_socket, payload) = self;
        block_on(async {
            for _ in 0..messages {
                web_socket.send(&payload[..]).await?;
            }
            Ok(())
        })
    }
}
