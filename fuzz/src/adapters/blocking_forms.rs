//! The blocking adapter, whole and in halves, which take turns.

use std::time::Duration;

use sotong::Result;
use sotong::blocking::{Receiver, Sender, WebSocket};

use super::talk::{Ends, Heard, Say, Talk, Way, close_frame, heard, heard_whole};
use super::wire::Wire;

/// A whole connection.
pub struct Whole(pub WebSocket<Wire>);

/// Its halves, and a handle of the wire.
pub struct Halves(pub Receiver<Wire>, pub Sender<Wire>, pub Wire);

impl Ends for Whole {
    async fn recv(
        &mut self,
        in_pieces: bool,
        echoes: bool,
        talk: &mut Talk,
    ) -> Result<Option<Heard>> {
        let Self(ws) = self;
        ws.stream().begin();
        if in_pieces {
            return Ok(heard(ws.recv_chunk()?, talk));
        }
        if !echoes || !talk.begun.is_empty() {
            return Ok(heard_whole(ws.recv()?, talk));
        }
        let Some((event, mut reply)) = ws.recv_reply()? else { return Ok(None) };
        let seen = event.into();
        if let (Some(echo), Some(say)) = (Talk::echo(&event), Say::echo(&seen)) {
            talk.note(say, Duration::ZERO, reply.feed(echo));
        }
        talk.events.push((Duration::ZERO, seen));
        Ok(Some(Heard::Done))
    }

    async fn say(&mut self, say: &Say) -> Result<()> {
        let Self(ws) = self;
        ws.stream().begin();
        match say {
            Say::Message { message, way } => match way {
                Way::Send => ws.send_message(message.payload()),
                Way::Feed => ws.feed_message(message.payload()),
                Way::SendPrepared => ws.send_prepared(&message.prepared()),
                Way::FeedPrepared => ws.feed_prepared(&message.prepared()),
                Way::InPlace => ws.send_binary_in_place(&mut message.bytes.clone()),
            },
            Say::Fragment { message, fin } => ws.send_fragment(message.payload(), *fin),
            Say::Ping(body) => ws.ping(body),
            Say::Flush => ws.flush(),
            Say::Close(close) => ws.send_close(close_frame(close)),
        }
    }

    fn has_closed(&self) -> bool {
        self.0.stream().has_close()
    }

    fn now(&self) -> Duration {
        Duration::ZERO
    }
}

impl Ends for Halves {
    async fn recv(&mut self, in_pieces: bool, _: bool, talk: &mut Talk) -> Result<Option<Heard>> {
        let Self(receiver, _, wire) = self;
        wire.begin();
        Ok(match in_pieces {
            true => heard(receiver.recv_chunk()?, talk),
            false => heard_whole(receiver.recv()?, talk),
        })
    }

    async fn say(&mut self, say: &Say) -> Result<()> {
        let Self(_, sender, wire) = self;
        wire.begin();
        match say {
            Say::Message { message, way } => match way {
                Way::Send => sender.send_message(message.payload()),
                // It has no room to mask in.
                Way::InPlace => sender.send_binary(&message.bytes),
                Way::Feed => sender.feed_message(message.payload()),
                Way::SendPrepared => sender.send_prepared(&message.prepared()),
                Way::FeedPrepared => sender.feed_prepared(&message.prepared()),
            },
            Say::Fragment { message, fin } => sender.send_fragment(message.payload(), *fin),
            Say::Ping(body) => sender.ping(body),
            Say::Flush => sender.flush(),
            Say::Close(close) => sender.send_close(close_frame(close)),
        }
    }

    fn has_closed(&self) -> bool {
        self.2.has_close()
    }

    fn now(&self) -> Duration {
        Duration::ZERO
    }
}
