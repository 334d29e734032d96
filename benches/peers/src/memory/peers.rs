//! The candidates, and what is asked of each: a file for each crate.
//!
//! Every crate is driven in the fastest of its public modes that does all that a server must do:
//! masks, UTF-8, messages in several frames. The note beside it says which mode that is.

mod fastwebsockets;
mod limits;
mod sockudo;
mod soketto;
mod sotong;
mod tokio_websockets;
mod tungstenite;
mod web_socket;
mod wtx;
mod yawc;

use std::error::Error;
use std::hint::black_box;

use hyper::Response;
use hyper::body::{Body, Incoming};
use hyper_util::rt::TokioIo;

use super::frames::Frames;
use super::wire::{Wire, block_on};

pub type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

/// Takes messages from a wire that it owns, in the server's role.
pub trait Receiver {
    /// Takes at least this many messages, and shows each.
    fn receive(&mut self, messages: usize, seen: &mut Seen) -> Outcome;
}

/// Sends one message again and again to a wire that it owns.
pub trait Sender {
    /// Sends it this often; each time all of it is written before the next.
    fn send(&mut self, messages: usize) -> Outcome;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Server,
    Client,
}

/// One who receives.
pub struct Receiving {
    pub name: &'static str,
    pub note: &'static str,
    pub make: fn(Wire) -> Box<dyn Receiver>,
}

/// One who sends.
pub struct Sending {
    pub name: &'static str,
    pub note: &'static str,
    pub make: MakeSender,
}

/// Makes a sender of this payload, if the role is one of the candidate's.
type MakeSender = fn(Wire, Role, Vec<u8>) -> Option<Box<dyn Sender>>;

/// One who answers the opening handshake of the wire.
pub struct Answering {
    pub name: &'static str,
    pub note: &'static str,
    pub answer: Option<fn(Wire) -> Outcome>,
}

/// The messages that came so far.
#[derive(Default)]
pub struct Seen {
    /// What they are to be; `None` while the time is taken.
    expected: Option<&'static Frames>,
    pub messages: usize,
    pub bytes: usize,
    pub wrong: Option<String>,
}

impl Seen {
    /// Compares every message with what was sent.
    pub fn checking(frames: &'static Frames) -> Self {
        Self { expected: Some(frames), ..Self::default() }
    }

    /// A message, as the application would look at it.
    pub fn take(&mut self, is_text: bool, payload: &[u8]) {
        black_box(payload);
        if let Some(frames) = self.expected {
            self.compare(frames, is_text, payload);
        }
        self.messages += 1;
        self.bytes += payload.len();
    }

    #[cold]
    fn compare(&mut self, frames: &Frames, is_text: bool, payload: &[u8]) {
        let sent = &frames.messages[self.messages % frames.messages.len()];
        if (is_text, payload) != (frames.is_text, sent) && self.wrong.is_none() {
            self.wrong = Some(format!("message {} is not what was sent", self.messages));
        }
    }
}

/// Serves one connection with hyper, as crates do it that leave HTTP to it.
fn answer_with_hyper<B, F>(wire: Wire, upgrade: F) -> Outcome
where
    B: Body<Error: Error + Send + Sync> + 'static,
    F: Fn(hyper::Request<Incoming>) -> Result<Response<B>, Box<dyn Error + Send + Sync>>,
{
    let service = hyper::service::service_fn(|request| std::future::ready(upgrade(request)));
    let http = hyper::server::conn::http1::Builder::new();
    let connection = http.serve_connection(TokioIo::new(wire), service).with_upgrades();
    Ok(block_on(connection)?)
}

/// The text of an error that is no `std::error::Error`, or is not `Send`.
fn told(error: impl std::fmt::Debug) -> Box<dyn Error + Send + Sync> {
    format!("{error:?}").into()
}

pub const RECEIVERS: [Receiving; 10] = [
    sotong::RECEIVING,
    tungstenite::RECEIVING,
    fastwebsockets::RECEIVING,
    tokio_websockets::RECEIVING,
    sockudo::RECEIVING,
    wtx::RECEIVING,
    yawc::RECEIVING,
    soketto::RECEIVING,
    web_socket::RECEIVING,
    limits::COPYING,
];

pub const SENDERS: [Sending; 9] = [
    sotong::SENDING,
    tungstenite::SENDING,
    fastwebsockets::SENDING,
    tokio_websockets::SENDING,
    sockudo::SENDING,
    wtx::SENDING,
    yawc::SENDING,
    soketto::SENDING,
    web_socket::SENDING,
];

/// Clients that destroy the payload.
pub const SENDERS_IN_PLACE: [Sending; 4] = [
    sotong::SENDING_IN_PLACE,
    fastwebsockets::SENDING_IN_PLACE,
    wtx::SENDING_IN_PLACE,
    soketto::SENDING_IN_PLACE,
];

pub const ANSWERERS: [Answering; 10] = [
    sotong::ANSWERING,
    tungstenite::ANSWERING,
    fastwebsockets::ANSWERING,
    tokio_websockets::ANSWERING,
    sockudo::ANSWERING,
    wtx::ANSWERING,
    yawc::ANSWERING,
    soketto::ANSWERING,
    web_socket::ANSWERING,
    limits::HASHING,
];

/// What the largest message may be, with room to spare: some limits are exclusive.
const MAX_MESSAGE: usize = 64 * 1024 * 1024;

/// The buffer of those who read through one that we choose.
const READ_BUFFER: usize = 16 * 1024;
