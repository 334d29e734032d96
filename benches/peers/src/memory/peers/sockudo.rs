use bytes::{Bytes, BytesMut};
use sockudo_ws::cork::ZERO_COPY_MIN;
use sockudo_ws::frame::{OpCode, encode_frame_header};
use sockudo_ws::handshake::{build_response, generate_accept_key, parse_request};
use sockudo_ws::protocol::Protocol;
use sockudo_ws::{Message, RECV_BUFFER_SIZE};
use tokio::io::AsyncReadExt;

use super::{Answering, MAX_MESSAGE, Outcome, Receiver, Receiving, Role, Seen, Sender, Sending};
use crate::memory::wire::{Wire, block_on};

pub const RECEIVING: Receiving = Receiving {
    name: "sockudo",
    note: "`Protocol::process_into`, which checks UTF-8, over one `BytesMut`; reads of 64 KiB, \
           reclaimed as its own stream does it",
    make: |wire| Box::new(Server::new(wire)),
};

pub const SENDING: Sending = Sending {
    name: "sockudo",
    note: "`Protocol::encode_message`; a server's payload from 8 KiB on stays where it is, behind \
           `encode_frame_header`, as in its own stream; feature `fastrand`: keys that can be \
           predicted",
    make: |wire, role, payload| Some(Box::new(End::new(wire, role, payload))),
};

pub const ANSWERING: Answering = Answering {
    name: "sockudo",
    note: "`parse_request`, `generate_accept_key`, `build_response`",
    answer: Some(answer),
};

struct Server {
    wire: Wire,
    protocol: Protocol,
    buffer: BytesMut,
    messages: Vec<Message>,
}

impl Server {
    fn new(wire: Wire) -> Self {
        let (buffer, messages) = (BytesMut::with_capacity(RECV_BUFFER_SIZE), Vec::new());
        Self { wire, protocol: protocol(Role::Server), buffer, messages }
    }
}

impl Receiver for Server {
    fn receive(&mut self, messages: usize, seen: &mut Seen) -> Outcome {
        let enough = seen.messages + messages;
        while seen.messages < enough {
            // Less than a page is not worth a read. No message is left: their memory serves again.
            if self.buffer.capacity() - self.buffer.len() < 4096 {
                self.buffer.reserve(RECV_BUFFER_SIZE);
            }
            block_on(self.wire.read_buf(&mut self.buffer))?;
            self.protocol.process_into(&mut self.buffer, &mut self.messages)?;
            for message in self.messages.drain(..) {
                match message {
                    Message::Text(text) => seen.take(true, &text),
                    Message::Binary(bytes) => seen.take(false, &bytes),
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

struct End {
    wire: Wire,
    protocol: Protocol,
    buffer: BytesMut,
    is_copying: bool,
    payload: Bytes,
}

impl End {
    fn new(wire: Wire, role: Role, payload: Vec<u8>) -> Self {
        let is_copying = role == Role::Client || payload.len() < ZERO_COPY_MIN;
        let (buffer, payload) = (BytesMut::new(), Bytes::from(payload));
        Self { wire, protocol: protocol(role), buffer, is_copying, payload }
    }
}

impl Sender for End {
    fn send(&mut self, messages: usize) -> Outcome {
        for _ in 0..messages {
            self.buffer.clear();
            if self.is_copying {
                let message = Message::Binary(self.payload.clone());
                self.protocol.encode_message(&message, &mut self.buffer)?;
                self.wire.write_slices(&[&self.buffer]);
            } else {
                let len = self.payload.len();
                encode_frame_header(&mut self.buffer, OpCode::Binary, len, true, None);
                self.wire.write_slices(&[&self.buffer, &self.payload]);
            }
        }
        Ok(())
    }
}

fn answer(mut wire: Wire) -> Outcome {
    let mut buffer = BytesMut::with_capacity(4096);
    block_on(wire.read_buf(&mut buffer))?;
    let (request, _) = parse_request(&buffer)?.ok_or("the request is not complete")?;
    let response = build_response(&generate_accept_key(request.key), None, None);
    wire.write_slices(&[&response]);
    Ok(())
}

fn protocol(role: Role) -> Protocol {
    let role = match role {
        Role::Server => sockudo_ws::Role::Server,
        Role::Client => sockudo_ws::Role::Client,
    };
    Protocol::new(role, MAX_MESSAGE, MAX_MESSAGE)
}
