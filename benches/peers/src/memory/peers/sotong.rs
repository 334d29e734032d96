use std::cell::RefCell;
use std::sync::{Arc, LazyLock};

use sotong::handshake::server::{Handshake, Response};
use sotong::{Agreed, Config, Connection, Event, ReceiveBuffer, SendBuffer};

use super::{
    Answering, MAX_MESSAGE, Outcome, Receiver, Receiving, Role, Seen, Sender, Sending, told,
};
use crate::memory::wire::Wire;

pub const RECEIVING: Receiving = Receiving {
    name: "sotong",
    note: "the core; the receive buffer of `Limits::default()`, 64 KiB",
    make: |wire| Box::new(Server::new(wire)),
};

pub const SENDING: Sending = Sending {
    name: "sotong",
    note: "the core; keys of the operating system, 1,024 at a time as in the adapters",
    make: |wire, role, payload| Some(Box::new(End::new(wire, role, payload))),
};

pub const SENDING_IN_PLACE: Sending = Sending {
    name: "sotong",
    note: "`send_binary_in_place` of the core; the payload is masked where it lies, and lost; keys as above",
    make: |wire, role, payload| Some(Box::new(InPlace(End::new(wire, role, payload)))),
};

pub const ANSWERING: Answering = Answering {
    name: "sotong",
    note: "the core; the thread's buffers, as the tokio adapter uses them",
    answer: Some(answer),
};

struct Server {
    wire: Wire,
    conn: Connection,
    rx: ReceiveBuffer,
}

impl Server {
    fn new(wire: Wire) -> Self {
        let config = config();
        let conn = Connection::server(&config, Agreed::default());
        Self { wire, conn, rx: ReceiveBuffer::with_capacity(config.limits.receive_buffer) }
    }
}

impl Receiver for Server {
    fn receive(&mut self, messages: usize, seen: &mut Seen) -> Outcome {
        let enough = seen.messages + messages;
        while seen.messages < enough {
            match self.conn.next_event(&mut self.rx)? {
                Some(Event::Text(text)) => seen.take(true, text.as_bytes()),
                Some(Event::Binary(bytes)) => seen.take(false, bytes),
                Some(_) => {}
                None => {
                    let n = self.wire.read_into(self.rx.spare());
                    self.rx.filled(n);
                }
            }
        }
        Ok(())
    }
}

struct End {
    wire: Wire,
    conn: Connection,
    tx: SendBuffer,
    payload: Vec<u8>,
}

impl End {
    fn new(wire: Wire, role: Role, payload: Vec<u8>) -> Self {
        let conn = match role {
            Role::Server => Connection::server(config(), Agreed::default()),
            Role::Client => Connection::client(config(), Agreed::default(), masking_key),
        };
        Self { wire, conn, tx: SendBuffer::new(), payload }
    }
}

impl Sender for End {
    fn send(&mut self, messages: usize) -> Outcome {
        for _ in 0..messages {
            let mut transmit = self.conn.send_binary(&self.payload, &mut self.tx)?;
            self.wire.write_slices(&transmit.slices());
            transmit.consume(transmit.len());
        }
        Ok(())
    }
}

struct InPlace(End);

impl Sender for InPlace {
    fn send(&mut self, messages: usize) -> Outcome {
        let End { wire, conn, tx, payload } = &mut self.0;
        for _ in 0..messages {
            let mut transmit = conn.send_binary_in_place(payload, tx)?;
            wire.write_slices(&transmit.slices());
            transmit.consume(transmit.len());
        }
        Ok(())
    }
}

thread_local! {
    static BUFFERS: RefCell<(ReceiveBuffer, SendBuffer)> = RefCell::new((
        ReceiveBuffer::with_capacity(shared().limits.receive_buffer),
        SendBuffer::new(),
    ));
}

fn answer(mut wire: Wire) -> Outcome {
    let config = shared();
    BUFFERS.with_borrow_mut(|(rx, tx)| {
        let mut handshake = Handshake::new(&config);
        loop {
            let n = wire.read_into(rx.spare());
            rx.filled(n);
            let Some(request) = handshake.receive(rx)? else { continue };
            std::hint::black_box(request.accept(&Response::default(), config, tx)?);
            let mut transmit = tx.transmit();
            wire.write_slices(&transmit.slices());
            transmit.consume(transmit.len());
            return Ok(());
        }
    })
}

/// One for all connections.
fn shared() -> Arc<Config> {
    static CONFIG: LazyLock<Arc<Config>> = LazyLock::new(Arc::default);
    Arc::clone(&CONFIG)
}

fn config() -> Config {
    let mut config = Config::default();
    config.limits.message = MAX_MESSAGE as _;
    config.limits.frame = MAX_MESSAGE as _;
    config
}

/// As the adapters draw them.
fn masking_key() -> Option<[u8; 4]> {
    thread_local! {
        static KEYS: RefCell<Keys> = const { RefCell::new(Keys { fresh: [[0; 4]; 1024], left: 0 }) };
    }
    KEYS.with_borrow_mut(|keys| keys.next().map_err(told).ok())
}

struct Keys {
    fresh: [[u8; 4]; 1024],
    left: usize,
}

impl Keys {
    fn next(&mut self) -> Result<[u8; 4], getrandom::Error> {
        if self.left == 0 {
            getrandom::fill(self.fresh.as_flattened_mut())?;
            self.left = self.fresh.len();
        }
        self.left -= 1;
        Ok(std::mem::take(&mut self.fresh[self.left]))
    }
}
