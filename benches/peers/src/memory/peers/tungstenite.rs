use tungstenite::protocol::{Role as End, WebSocketConfig};
use tungstenite::{Bytes, Message, WebSocket};

use super::{
    Answering, MAX_MESSAGE, Outcome, READ_BUFFER, Receiver, Receiving, Role, Seen, Sender, Sending,
    told,
};
use crate::memory::wire::Wire;

pub const RECEIVING: Receiving = Receiving {
    name: "tungstenite",
    note: "`WebSocket` over blocking reads; a read buffer of 16 KiB, since it zeroes the buffer \
           before every read",
    make: |wire| Box::new(web_socket(wire, End::Server)),
};

pub const SENDING: Sending = Sending {
    name: "tungstenite",
    note: "`WebSocket::send` of `Bytes` that are shared, no write buffer",
    make: |wire, role, payload| {
        let end = match role {
            Role::Server => End::Server,
            Role::Client => End::Client,
        };
        Some(Box::new((web_socket(wire, end), Bytes::from(payload))))
    },
};

pub const ANSWERING: Answering = Answering {
    name: "tungstenite",
    note: "`accept`, blocking",
    answer: Some(|wire| tungstenite::accept(wire).map(drop).map_err(told)),
};

fn web_socket(wire: Wire, end: End) -> WebSocket<Wire> {
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE));
    WebSocket::from_raw_socket(wire, end, Some(config))
}

impl Receiver for WebSocket<Wire> {
    fn receive(&mut self, messages: usize, seen: &mut Seen) -> Outcome {
        for _ in 0..messages {
            match self.read()? {
                Message::Text(text) => seen.take(true, text.as_bytes()),
                Message::Binary(bytes) => seen.take(false, &bytes),
                _ => {}
            }
        }
        Ok(())
    }
}

impl Sender for (WebSocket<Wire>, Bytes) {
    fn send(&mut self, messages: usize) -> Outcome {
        let (web_socket, payload) = self;
        for _ in 0..messages {
            web_socket.send(Message::Binary(payload.clone()))?;
        }
        Ok(())
    }
}
