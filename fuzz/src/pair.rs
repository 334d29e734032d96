//! Two ends that send to each other, over a wire that delivers what and when it likes: everything
//! sent arrives, once, in order, and in the end both have closed cleanly.

use std::sync::atomic::{AtomicU32, Ordering};

use sotong::{
    Agreed, Chunk, CloseCode, CloseFrame, Compress, Config, Connection, Deflate, DeflateParameters,
    Payload, Prepared, ReceiveBuffer, Role, SendBuffer, SendError, State,
};

use crate::common::{End, Seen};
use crate::model::script::Choices;
use crate::ways::join;

/// Two bytes of settings; then commands, each a byte that says what and which end, and its parts.
pub fn pair(input: &[u8]) {
    let mut choices = Choices(input);
    let (config, agreed) = settings(&mut choices);
    let mut sides =
        [Side::new(Role::Client, &config, agreed), Side::new(Role::Server, &config, agreed)];
    while !choices.is_empty() {
        let command = choices.byte();
        let [client, server] = &mut sides;
        let (side, peer) = if command & 0x80 == 0 { (client, server) } else { (server, client) };
        match command & 0x0f {
            0..=2 => side.send(&mut choices),
            3 | 4 => side.send_fragment(&mut choices),
            5 => side.ping(&mut choices),
            6 => side.pong(&mut choices),
            7 => side.send_prepared(&mut choices),
            8 | 9 => side.transmit(usize::from(choices.byte()) * usize::from(choices.byte())),
            10..=12 => {
                side.receive(&mut peer.wire, usize::from(choices.byte()), command & 0x10 != 0)
            }
            13 => side.receive(&mut peer.wire, usize::MAX, command & 0x10 != 0),
            14 => side.release(),
            _ => side.close(&mut choices),
        }
    }
    finish(&mut sides);
    let [client, server] = &sides;
    assert_heard(client, server);
    assert_heard(server, client);
}

/// The limits, and what the opening handshake agreed on.
fn settings(choices: &mut Choices<'_>) -> (Config, Agreed) {
    let (first, second) = (choices.byte(), choices.byte());
    let mut config = Config::default();
    // Long runs of one byte shrink to less than a peer takes by default.
    config.limits.inflation = u32::MAX;
    config.limits.receive_buffer = [512, 700, 1 << 16][usize::from(first % 3)];
    config.limits.send_queue = [1, 300, 1 << 20][usize::from(first / 3 % 3)];
    let mut agreed = Agreed::default();
    if first >= 0x80 {
        let mut deflate = Deflate::default();
        (deflate.level, deflate.memory_level) = (second % 10, 1 + second % 9);
        deflate.threshold = [0, 20][usize::from(second >> 7)];
        (deflate.context_takeover, deflate.peer_context_takeover) = (true, true);
        config.deflate = Some(deflate);
        let mut parameters = DeflateParameters::default();
        parameters.client_max_window_bits = 9 + second % 7;
        parameters.server_max_window_bits = 9 + second / 7 % 7;
        parameters.client_no_context_takeover = first & 0x20 != 0;
        parameters.server_no_context_takeover = first & 0x40 != 0;
        agreed.deflate = Some(parameters);
    }
    (config, agreed)
}

/// One end, the wire that it writes to, and what it has said and heard.
struct Side {
    end: End,
    wire: Vec<u8>,
    said: Vec<Seen>,
    heard: Vec<Seen>,
    /// Pieces of a message that is not complete, which it sends and which it receives.
    open: Option<(bool, Vec<u8>)>,
    begun: Vec<u8>,
}

impl Side {
    fn new(role: Role, config: &Config, agreed: Agreed) -> Self {
        let conn = match role {
            Role::Client => Connection::client(config, agreed, next_key),
            Role::Server => Connection::server(config, agreed),
        };
        let rx = ReceiveBuffer::with_capacity(config.limits.receive_buffer);
        let end = End { conn, rx, tx: SendBuffer::new() };
        Self { end, wire: vec![], said: vec![], heard: vec![], open: None, begun: vec![] }
    }

    /// Sends a message; what goes out at once is some part of it.
    fn send(&mut self, choices: &mut Choices<'_>) {
        let (payload, bytes, is_text, at_once) = message(choices);
        let End { conn, tx, .. } = &mut self.end;
        let sent = conn.send(payload.of(&bytes), tx).map(|mut transmit| {
            let written = transmit.len().min(at_once);
            self.wire.extend(&transmit.slices().concat()[..written]);
            transmit.consume(written);
        });
        match sent {
            Ok(()) => self.said.push(seen(is_text, bytes)),
            Err(SendError::MessageUnfinished) => assert!(self.open.is_some()),
            Err(error) => self.may_refuse(error),
        }
    }

    fn send_fragment(&mut self, choices: &mut Choices<'_>) {
        let (payload, bytes, is_text, at_once) = message(choices);
        let End { conn, tx, .. } = &mut self.end;
        let fin = at_once % 2 == 1;
        let sent = conn.send_fragment(payload.of(&bytes), fin, tx).map(|transmit| transmit.queue());
        match sent {
            Ok(()) => {
                let (is_text, mut whole) = self.open.take().unwrap_or((is_text, vec![]));
                whole.extend(bytes);
                match fin {
                    true => self.said.push(seen(is_text, whole)),
                    false => self.open = Some((is_text, whole)),
                }
            }
            Err(SendError::MessageUnfinished) => {
                assert!(self.open.as_ref().is_some_and(|open| open.0 != is_text));
            }
            Err(error) => self.may_refuse(error),
        }
    }

    fn send_prepared(&mut self, choices: &mut Choices<'_>) {
        let (payload, bytes, is_text, _) = message(choices);
        let prepared = Prepared::new(payload.of(&bytes));
        let End { conn, tx, .. } = &mut self.end;
        match conn.send_prepared(&prepared, tx).map(|transmit| transmit.queue()) {
            Ok(()) => self.said.push(seen(is_text, bytes)),
            Err(SendError::MessageUnfinished) => assert!(self.open.is_some()),
            Err(error) => self.may_refuse(error),
        }
    }

    /// A ping that is told from one that keeps alive.
    fn ping(&mut self, choices: &mut Choices<'_>) {
        let body = control(b'?', choices);
        let End { conn, tx, .. } = &mut self.end;
        match conn.ping(&body, tx).map(|transmit| transmit.queue()) {
            Ok(()) => self.said.push(Seen::Ping(body)),
            Err(error) => self.may_refuse(error),
        }
    }

    /// A pong that answers nothing, and is told from those that do.
    fn pong(&mut self, choices: &mut Choices<'_>) {
        let body = control(b'!', choices);
        let End { conn, tx, .. } = &mut self.end;
        match conn.pong(&body, tx).map(|transmit| transmit.queue()) {
            Ok(()) => self.said.push(Seen::Pong(body)),
            Err(error) => self.may_refuse(error),
        }
    }

    fn close(&mut self, choices: &mut Choices<'_>) {
        let code = [1000, 1001, 3000, 4999][usize::from(choices.byte() % 4)];
        let reason = ["", "bye", "안녕"][usize::from(choices.byte() % 3)];
        let frame = CloseFrame { code: CloseCode(code), reason };
        let End { conn, tx, .. } = &mut self.end;
        match conn.close(Some(frame), tx).map(|transmit| transmit.queue()) {
            Ok(()) => self.said.push(Seen::Close(Some((code, reason.into())))),
            Err(error) => self.may_refuse(error),
        }
    }

    fn may_refuse(&self, error: SendError) {
        let state = self.end.conn.state();
        match error {
            SendError::QueueFull => assert!(!self.end.tx.is_empty()),
            SendError::Closing => assert_ne!(state, State::Open),
            error => panic!("{error}"),
        }
    }

    /// Writes so many bytes of what is queued.
    fn transmit(&mut self, most: usize) {
        let End { conn, tx, .. } = &mut self.end;
        conn.poll_transmit(tx);
        let mut transmit = tx.transmit();
        let written = transmit.len().min(most);
        self.wire.extend(&transmit.slices().concat()[..written]);
        transmit.consume(written);
    }

    /// Reads so many bytes from the peer's wire, and all that is in them.
    fn receive(&mut self, wire: &mut Vec<u8>, most: usize, in_pieces: bool) {
        let mut left = wire.len().min(most);
        while left > 0 {
            let taken = self.end.rx.extend(&wire[..left]);
            wire.drain(..taken);
            left -= taken;
            self.hear(in_pieces);
        }
        if most == usize::MAX {
            self.hear(false); // what was begun in pieces may be complete
        }
    }

    fn hear(&mut self, in_pieces: bool) {
        let End { conn, rx, .. } = &mut self.end;
        loop {
            let next = match in_pieces {
                true => conn.next_chunk(rx),
                false => conn.next_event(rx).map(|event| event.map(Chunk::from)),
            };
            match next.expect("the peer keeps to the protocol") {
                Some(chunk) => self.heard.extend(join(&mut self.begun, chunk)),
                None => return,
            }
        }
    }

    fn release(&mut self) {
        self.end.conn.release();
        self.end.rx.release();
        self.end.tx.release();
    }
}

/// Lets everything flow; then, unless an end has closed already, the client closes.
fn finish(sides: &mut [Side; 2]) {
    let [client, server] = sides;
    for round in 0..1000 {
        client.transmit(usize::MAX);
        server.transmit(usize::MAX);
        if client.wire.is_empty() && server.wire.is_empty() {
            if client.end.conn.state() == State::Open {
                client.close(&mut Choices(&[]));
            } else {
                assert!(client.end.tx.is_empty() && server.end.tx.is_empty());
                break;
            }
        }
        server.receive(&mut client.wire, usize::MAX, round % 2 == 0);
        client.receive(&mut server.wire, usize::MAX, false);
        assert!(round < 999, "the two talk without end");
    }
    for side in [client, server] {
        assert_eq!(side.end.conn.state(), State::Closed);
        assert_eq!(side.end.conn.handle_eof(), Ok(()), "a clean end");
    }
}

/// Whether one side has heard what the other one has said, and pongs for its pings in their order.
fn assert_heard(listener: &Side, speaker: &Side) {
    let is_answer = |seen: &Seen| matches!(seen, Seen::Pong(body) if body.first() == Some(&b'?'));
    let (answers, heard): (Vec<Seen>, Vec<Seen>) =
        listener.heard.iter().cloned().partition(is_answer);
    let mut said = speaker.said.clone();
    if !said.iter().any(|seen| matches!(seen, Seen::Close(_))) {
        // The reply to the Close of the listener repeats its code.
        let close = listener.said.iter().find_map(|seen| match seen {
            Seen::Close(close) => close.as_ref(),
            _ => None,
        });
        said.push(Seen::Close(close.map(|(code, _)| (*code, String::new()))));
    }
    assert_eq!(heard, said);
    let mut pings = listener.said.iter();
    for answer in answers {
        let Seen::Pong(body) = answer else { continue };
        assert!(pings.any(|ping| *ping == Seen::Ping(body.clone())), "a pong without its ping");
    }
}

/// How a payload is to be sent.
#[derive(Clone, Copy)]
struct Way {
    is_text: bool,
    compress: Compress,
}

impl Way {
    fn of(self, bytes: &[u8]) -> Payload<'_> {
        let payload = match std::str::from_utf8(bytes) {
            Ok(text) if self.is_text => Payload::text(text),
            _ => Payload::binary(bytes),
        };
        payload.compress(self.compress)
    }
}

/// A message, whether it is text, and how much of it goes out at once.
fn message(choices: &mut Choices<'_>) -> (Way, Vec<u8>, bool, usize) {
    let (first, at_once) = (choices.byte(), usize::from(choices.byte()));
    let bytes = choices.string();
    let times = if first & 0x80 != 0 { usize::from(choices.byte()) } else { 1 };
    let mut bytes = bytes.repeat(times);
    let is_text = first & 1 != 0;
    if is_text {
        bytes = String::from_utf8_lossy(&bytes).into_owned().into_bytes();
    }
    let compress = [Compress::Auto, Compress::Yes, Compress::No][usize::from(first >> 1) % 3];
    (Way { is_text, compress }, bytes, is_text, at_once * usize::from(first))
}

fn control(first: u8, choices: &mut Choices<'_>) -> Vec<u8> {
    let body = choices.string();
    [&[first], &body[..body.len().min(124)]].concat()
}

fn seen(is_text: bool, bytes: Vec<u8>) -> Seen {
    match is_text {
        true => Seen::Text(String::from_utf8(bytes).expect("it was text")),
        false => Seen::Binary(bytes),
    }
}

/// A different key at every call, and every byte in it.
fn next_key() -> Option<[u8; 4]> {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    Some(CALLS.fetch_add(0x9e37_79b9, Ordering::Relaxed).to_be_bytes())
}
