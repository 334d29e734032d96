use bytes::Bytes;
use futures_util::SinkExt;
use yawc::frame::{Frame, OpCode};
use yawc::{Options, WebSocket};

use super::{
    Answering, MAX_MESSAGE, Outcome, Receiver, Receiving, Role, Seen, Sender, Sending,
    answer_with_hyper,
};
use crate::memory::wire::{Wire, block_on};

pub const RECEIVING: Receiving = Receiving {
    name: "yawc",
    note: "`WebSocket::next_frame`, feature `simd`, with the check of UTF-8 switched on; read \
           buffer as by default",
    make: |wire| Box::new(web_socket(wire, Role::Server)),
};

pub const SENDING: Sending = Sending {
    name: "yawc",
    note: "`SinkExt::send` of `Bytes` that are shared",
    make: |wire, role, payload| Some(Box::new((web_socket(wire, role), Bytes::from(payload)))),
};

pub const ANSWERING: Answering = Answering {
    name: "yawc",
    note: "`WebSocket::upgrade` in a service of hyper, to which it leaves HTTP",
    answer: Some(|wire| {
        answer_with_hyper(wire, |mut request| {
            let upgraded = WebSocket::<yawc::HttpStream>::upgrade(&mut request);
            Ok(upgraded.map(|(response, _)| response)?)
        })
    }),
};

fn web_socket(wire: Wire, role: Role) -> WebSocket<Wire> {
    let role = match role {
        Role::Server => yawc::Role::Server,
        Role::Client => yawc::Role::Client,
    };
    let options = Options::default()
        .with_utf8()
        .with_max_payload_read(MAX_MESSAGE)
        .with_max_read_buffer(MAX_MESSAGE);
    WebSocket::from_stream(wire, role, options).expect("no extensions that could be wrong")
}

impl Receiver for WebSocket<Wire> {
    fn receive(&mut self, messages: usize, seen: &mut Seen) -> Outcome {
        block_on(async {
            for _ in 0..messages {
                let frame = self.next_frame().await?;
                seen.take(frame.opcode() == OpCode::Text, frame.payload());
            }
            Ok(())
        })
    }
}

impl Sender for (WebSocket<Wire>, Bytes) {
    fn send(&mut self, messages: usize) -> Outcome {
        let (web_socket, payload) = self;
        block_on(async {
            for _ in 0..messages {
                SinkExt::send(web_socket, Frame::binary(payload.clone())).await?;
            }
            Ok(())
        })
    }
}
