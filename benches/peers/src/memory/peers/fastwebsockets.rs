use fastwebsockets::{FragmentCollector, Frame, OpCode, Payload, WebSocket};

use super::{
    Answering, MAX_MESSAGE, Outcome, Receiver, Receiving, Role, Seen, Sender, Sending,
    answer_with_hyper,
};
use crate::memory::wire::{Wire, block_on};

pub const RECEIVING: Receiving = Receiving {
    name: "fastwebsockets",
    note: "`FragmentCollector`, feature `simd`; it has a read buffer of 8 KiB",
    make: |wire| {
        let web_socket = web_socket(wire, Role::Server);
        Box::new(FragmentCollector::new(web_socket))
    },
};

pub const SENDING: Sending = Sending {
    name: "fastwebsockets",
    note: "`write_frame` of a payload that is borrowed, `writev` as by default",
    make: |wire, role, payload| {
        Some(Box::new(Borrowing { web_socket: web_socket(wire, role), payload }))
    },
};

pub const SENDING_IN_PLACE: Sending = Sending {
    name: "fastwebsockets",
    note: "`write_frame` of a payload that it may change: it is masked where it lies, and lost",
    make: |wire, role, payload| {
        (role == Role::Client).then(|| -> Box<dyn Sender> {
            Box::new(InPlace { web_socket: web_socket(wire, role), payload })
        })
    },
};

pub const ANSWERING: Answering = Answering {
    name: "fastwebsockets",
    note: "`upgrade` in a service of hyper, to which it leaves HTTP",
    answer: Some(|wire| {
        answer_with_hyper(wire, |mut request| {
            Ok(fastwebsockets::upgrade::upgrade(&mut request).map(|(response, _)| response)?)
        })
    }),
};

fn web_socket(wire: Wire, role: Role) -> WebSocket<Wire> {
    let role = match role {
        Role::Server => fastwebsockets::Role::Server,
        Role::Client => fastwebsockets::Role::Client,
    };
    let mut web_socket = WebSocket::after_handshake(wire, role);
    web_socket.set_max_message_size(MAX_MESSAGE);
    web_socket
}

impl Receiver for FragmentCollector<Wire> {
    fn receive(&mut self, messages: usize, seen: &mut Seen) -> Outcome {
        block_on(async {
            for _ in 0..messages {
                let frame = self.read_frame().await?;
                seen.take(frame.opcode == OpCode::Text, &frame.payload);
            }
            Ok(())
        })
    }
}

struct Borrowing {
    web_socket: WebSocket<Wire>,
    payload: Vec<u8>,
}

impl Sender for Borrowing {
    fn send(&mut self, messages: usize) -> Outcome {
        let Self { web_socket, payload } = self;
        block_on(async {
            for _ in 0..messages {
                web_socket.write_frame(Frame::binary(Payload::Borrowed(payload))).await?;
            }
            Ok(())
        })
    }
}

struct InPlace {
    web_socket: WebSocket<Wire>,
    payload: Vec<u8>,
}

impl Sender for InPlace {
    fn send(&mut self, messages: usize) -> Outcome {
        let Self { web_socket, payload } = self;
        block_on(async {
            for _ in 0..messages {
                web_socket.write_frame(Frame::binary(Payload::BorrowedMut(payload))).await?;
            }
            Ok(())
        })
    }
}
