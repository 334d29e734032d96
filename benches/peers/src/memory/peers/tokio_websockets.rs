use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use tokio_websockets::{ClientBuilder, Config, Limits, Message, ServerBuilder, WebSocketStream};

use super::{Answering, Outcome, Receiver, Receiving, Role, Seen, Sender, Sending};
use crate::memory::wire::{Wire, block_on};

pub const RECEIVING: Receiving = Receiving {
    name: "tokio-websockets",
    note: "`WebSocketStream` as a `Stream`; it has a read buffer of 8 KiB, which grows",
    make: |wire| Box::new(web_socket(wire, Role::Server)),
};

pub const SENDING: Sending = Sending {
    name: "tokio-websockets",
    note: "`SinkExt::send` of `Bytes` that are shared, each message one frame; feature \
           `fastrand`: keys that can be predicted",
    make: |wire, role, payload| Some(Box::new((web_socket(wire, role), Bytes::from(payload)))),
};

pub const ANSWERING: Answering = Answering {
    name: "tokio-websockets",
    note: "`ServerBuilder::accept`, feature `sha1_smol`",
    answer: Some(|wire| Ok(block_on(ServerBuilder::new().accept(wire)).map(drop)?)),
};

fn web_socket(wire: Wire, role: Role) -> WebSocketStream<Wire> {
    let config = Config::default().frame_size(usize::MAX);
    let limits = Limits::unlimited();
    match role {
        Role::Server => ServerBuilder::new().config(config).limits(limits).serve(wire),
        Role::Client => ClientBuilder::new().config(config).limits(limits).take_over(wire),
    }
}

impl Receiver for WebSocketStream<Wire> {
    fn receive(&mut self, messages: usize, seen: &mut Seen) -> Outcome {
        block_on(async {
            for _ in 0..messages {
                let message = self.next().await.ok_or("the stream ended")??;
                seen.take(message.is_text(), message.as_payload());
            }
            Ok(())
        })
    }
}

impl Sender for (WebSocketStream<Wire>, Bytes) {
    fn send(&mut self, messages: usize) -> Outcome {
        let (web_socket, payload) = self;
        block_on(async {
            for _ in 0..messages {
                SinkExt::send(web_socket, Message::binary(payload.clone())).await?;
            }
            Ok(())
        })
    }
}
