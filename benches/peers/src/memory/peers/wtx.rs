use wtx::collection::Vector;
use wtx::rng::{Xorshift64, simple_seed};
use wtx::web_socket::{
    Frame, OpCode, WebSocketAcceptor, WebSocketBuffer, WebSocketOwned, WebSocketPayloadOrigin,
};

use super::{
    Answering, MAX_MESSAGE, Outcome, READ_BUFFER, Receiver, Receiving, Role, Seen, Sender, Sending,
    told,
};
use crate::memory::wire::{Wire, block_on};

pub const RECEIVING: Receiving = Receiving {
    name: "wtx",
    note: "`read_frame` with the payload lent from its buffer (`Adaptive`), which has 16 KiB; \
           feature `optimization`",
    make: |wire| Box::new(Server { web_socket: web_socket(wire), buffer: Vector::new() }),
};

pub const SENDING: Sending = Sending {
    name: "wtx",
    note: "`write_frame`; a client's payload is copied first, since it masks in place; keys of \
           `Xorshift64`, its default, which can be predicted",
    make: |wire, role, payload| {
        Some(match role {
            Role::Server => Box::new(InPlace::<false> { web_socket: web_socket(wire), payload }),
            Role::Client => {
                let inner = InPlace::<true> { web_socket: web_socket(wire), payload: Vec::new() };
                Box::new(Copying { inner, payload })
            }
        })
    },
};

pub const SENDING_IN_PLACE: Sending = Sending {
    name: "wtx",
    note: "`write_frame`; the payload is masked where it lies, and lost; keys as above",
    make: |wire, role, payload| {
        (role == Role::Client).then(|| -> Box<dyn Sender> {
            Box::new(InPlace::<true> { web_socket: web_socket(wire), payload })
        })
    },
};

pub const ANSWERING: Answering = Answering {
    name: "wtx",
    note: "`WebSocketAcceptor::accept`, feature `crypto-ring`",
    answer: Some(|wire| {
        let acceptor = WebSocketAcceptor::default();
        block_on(acceptor.accept(wire)).map(drop).map_err(told)
    }),
};

type WebSocket<const IS_CLIENT: bool> = WebSocketOwned<(), Xorshift64, Wire, IS_CLIENT>;

fn web_socket<const IS_CLIENT: bool>(wire: Wire) -> WebSocket<IS_CLIENT> {
    let buffer = WebSocketBuffer::with_capacity(READ_BUFFER, 0, 0).expect("memory is there");
    let random = Xorshift64::from(simple_seed());
    let mut web_socket = WebSocketOwned::new((), false, random, wire, buffer);
    web_socket.set_max_payload_len(MAX_MESSAGE);
    web_socket
}

struct Server {
    web_socket: WebSocket<false>,
    buffer: Vector<u8>,
}

impl Receiver for Server {
    fn receive(&mut self, messages: usize, seen: &mut Seen) -> Outcome {
        let Self { web_socket, buffer } = self;
        block_on(async {
            for _ in 0..messages {
                let origin = WebSocketPayloadOrigin::Adaptive;
                let frame = web_socket.read_frame(buffer, origin).await.map_err(told)?;
                seen.take(frame.op_code() == OpCode::Text, frame.payload());
            }
            Ok(())
        })
    }
}

struct InPlace<const IS_CLIENT: bool> {
    web_socket: WebSocket<IS_CLIENT>,
    payload: Vec<u8>,
}

impl<const IS_CLIENT: bool> Sender for InPlace<IS_CLIENT> {
    fn send(&mut self, messages: usize) -> Outcome {
        let Self { web_socket, payload } = self;
        block_on(async {
            for _ in 0..messages {
                let mut frame = Frame::new_fin(OpCode::Binary, &mut payload[..]);
                web_socket.write_frame(&mut frame).await.map_err(told)?;
            }
            Ok(())
        })
    }
}

struct Copying {
    inner: InPlace<true>,
    payload: Vec<u8>,
}

impl Sender for Copying {
    fn send(&mut self, messages: usize) -> Outcome {
        for _ in 0..messages {
            self.inner.payload.clone_from(&self.payload);
            self.inner.send(1)?;
        }
        Ok(())
    }
}
