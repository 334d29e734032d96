use futures_util::io::BufReader;
use soketto::connection::{Builder, Mode, Receiver as Reading, Sender as Writing};
use soketto::handshake::Server;
use soketto::handshake::server::Response;

use super::{
    Answering, MAX_MESSAGE, Outcome, READ_BUFFER, Receiver, Receiving, Role, Seen, Sender, Sending,
};
use crate::memory::wire::{Wire, block_on};

pub const RECEIVING: Receiving = Receiving {
    name: "soketto",
    note: "`receive_data` into one `Vec`, over a `BufReader` of 16 KiB; it does not check UTF-8, \
           so each text is checked with simdutf8",
    make: |wire| {
        let wire = BufReader::with_capacity(READ_BUFFER, wire);
        let mut builder = Builder::new(wire, Mode::Server);
        builder.set_max_frame_size(MAX_MESSAGE);
        let (_, reading) = builder.finish();
        Box::new(End { reading, message: Vec::new() })
    },
};

pub const SENDING: Sending = Sending {
    name: "soketto",
    note: "`send_binary`: header and payload in two writes",
    make: |wire, role, payload| {
        let (writing, _) = Builder::new(wire, mode(role)).finish();
        Some(Box::new(Sharing { writing, payload }))
    },
};

pub const SENDING_IN_PLACE: Sending = Sending {
    name: "soketto",
    note: "`send_binary_mut`: the payload is masked where it lies, and lost",
    make: |wire, role, payload| {
        (role == Role::Client).then(|| -> Box<dyn Sender> {
            let (writing, _) = Builder::new(wire, mode(role)).finish();
            Box::new(InPlace { writing, payload })
        })
    },
};

pub const ANSWERING: Answering = Answering {
    name: "soketto",
    note: "`handshake::Server`",
    answer: Some(|wire| {
        block_on(async {
            let mut server = Server::new(wire);
            let key = server.receive_request().await?.key();
            server.send_response(&Response::Accept { key, protocol: None }).await?;
            Ok(())
        })
    }),
};

fn mode(role: Role) -> Mode {
    match role {
        Role::Server => Mode::Server,
        Role::Client => Mode::Client,
    }
}

struct End {
    reading: Reading<BufReader<Wire>>,
    message: Vec<u8>,
}

impl Receiver for End {
    fn receive(&mut self, messages: usize, seen: &mut Seen) -> Outcome {
        let Self { reading, message } = self;
        block_on(async {
            for _ in 0..messages {
                message.clear();
                let is_text = reading.receive_data(message).await?.is_text();
                if is_text {
                    simdutf8::basic::from_utf8(message)?;
                }
                seen.take(is_text, message);
            }
            Ok(())
        })
    }
}

struct Sharing {
    writing: Writing<Wire>,
    payload: Vec<u8>,
}

impl Sender for Sharing {
    fn send(&mut self, messages: usize) -> Outcome {
        let Self { writing, payload } = self;
        block_on(async {
            for _ in 0..messages {
                writing.send_binary(&*payload).await?;
            }
            Ok(())
        })
    }
}

struct InPlace {
    writing: Writing<Wire>,
    payload: Vec<u8>,
}

impl Sender for InPlace {
    fn send(&mut self, messages: usize) -> Outcome {
        let Self { writing, payload } = self;
        block_on(async {
            for _ in 0..messages {
                writing.send_binary_mut(&mut *payload).await?;
            }
            Ok(())
        })
    }
}
