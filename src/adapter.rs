//! What the adapters share: their error, their parts, and randomness from the operating system.

mod byte_end;
mod fragments;
mod random;

use std::boxed::Box;
use std::fmt;
use std::io;
use std::sync::PoisonError;

use crate::buffer::{ReceiveBuffer, SendBuffer};
use crate::close::CloseCode;
use crate::config::Config;
use crate::connection::{Connection, Incoming};
#[cfg(feature = "dial")]
use crate::dial::{DialError, InvalidUri};
use crate::error::{ProtocolError, SendError, TimedOut};
use crate::handshake::{HandshakeError, client, server};

pub(crate) use byte_end::{ByteEnd, MAX_WRITE};
pub(crate) use fragments::Fragments;
pub(crate) use random::{masking_key, nonce};

// The locks of the halves; `tests/concurrency` puts those of a model checker in their place.
#[cfg(loom)]
pub(crate) use loom::sync::{Condvar, Mutex, MutexGuard};
#[cfg(not(loom))]
pub(crate) use std::sync::{Condvar, Mutex, MutexGuard};

/// What can go wrong in an adapter.
///
/// ```
/// use sotong::{CloseCode, Error, ProtocolError};
///
/// let error = Error::from(ProtocolError::MessageTooBig);
/// assert!(error.is_peer_fault() && !error.is_abrupt_close());
/// assert_eq!(error.close_code(), Some(CloseCode::TOO_BIG));
/// assert_eq!(error.section(), Some("RFC 6455, section 10.4"));
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The stream failed.
    Io(io::Error),
    /// The peer broke a rule, and was told so with a Close frame.
    Protocol(ProtocolError),
    /// This may not be sent now; nothing was queued.
    Send(SendError),
    /// The opening handshake failed.
    Handshake(HandshakeError),
    /// The server refused the opening handshake: a redirect, a demand for credentials, an error.
    Refused(Box<client::Response>),
    /// A deadline passed.
    TimedOut(TimedOut),
    /// A message is no JSON, or not what was asked for; or a value cannot be told as JSON, and
    /// nothing was queued. The connection is as it was: go on.
    ///
    /// What it displays says where, and not what: serde's own words, which may quote the message, are
    /// those of the error in it and of [`source`](std::error::Error::source).
    #[cfg(feature = "serde_json")]
    Json(serde_json::Error),
    /// What was to be dialed is no WebSocket URI.
    #[cfg(feature = "dial")]
    Uri(InvalidUri),
    /// There is no connection: what `?` makes of a [`DialError`], which says at which stage that was
    /// found, and holds what refused it.
    #[cfg(feature = "dial")]
    Dial(Box<DialError>),
}

/// A result with the adapters' [`Error`]; for an example see
/// [the guide](crate#a-server-in-ten-lines).
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Whether the peer broke a rule.
    ///
    /// For an example see [`Error`](Self).
    pub fn is_peer_fault(&self) -> bool {
        match self {
            Self::Protocol(error) => *error != ProtocolError::UnexpectedEof,
            Self::Handshake(error) => error.is_peer_fault(),
            #[cfg(feature = "dial")]
            Self::Dial(error) => error.error().is_peer_fault(),
            _ => false,
        }
    }

    /// Whether the stream just ended, without a closing handshake: a lost network, a process that
    /// died.
    ///
    /// For an example see [`Error`](Self).
    pub fn is_abrupt_close(&self) -> bool {
        use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
        match self {
            Self::Protocol(error) => *error == ProtocolError::UnexpectedEof,
            Self::Handshake(error) => *error == HandshakeError::UnexpectedEof,
            Self::Io(error) => {
                matches!(
                    error.kind(),
                    BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof
                )
            }
            #[cfg(feature = "dial")]
            Self::Dial(error) => error.error().is_abrupt_close(),
            _ => false,
        }
    }

    /// The close code that tells this error: the one that was sent, or 1006 for an end without a Close
    /// frame of the peer.
    ///
    /// For an example see [`Error`](Self).
    pub fn close_code(&self) -> Option<CloseCode> {
        match self {
            Self::Protocol(error) => Some(error.close_code()),
            Self::TimedOut(error) => error.close_code(),
            _ if self.is_abrupt_close() => Some(CloseCode::ABNORMAL),
            _ => None,
        }
    }

    /// What it is among errors of I/O.
    fn io_kind(&self) -> io::ErrorKind {
        use io::ErrorKind::{
            BrokenPipe, ConnectionRefused, InvalidData, InvalidInput, TimedOut, UnexpectedEof,
        };
        match self {
            Self::Io(error) => error.kind(),
            #[cfg(feature = "dial")]
            Self::Dial(error) => error.error().io_kind(),
            _ if self.is_abrupt_close() => UnexpectedEof,
            Self::Protocol(_) | Self::Handshake(_) => InvalidData,
            Self::Send(SendError::Closing) => BrokenPipe,
            Self::Send(_) => InvalidInput,
            Self::Refused(_) => ConnectionRefused,
            Self::TimedOut(_) => TimedOut,
            #[cfg(feature = "serde_json")]
            Self::Json(_) => InvalidData,
            #[cfg(feature = "dial")]
            Self::Uri(_) => InvalidInput,
        }
    }

    /// The section that has the rule that was broken, as `RFC 6455, section 5.2`, if it is one of the
    /// protocol.
    ///
    /// For an example see [`Error`](Self).
    pub fn section(&self) -> Option<&'static str> {
        match self {
            Self::Protocol(error) => Some(error.section()),
            Self::Send(error) => error.section(),
            Self::Handshake(error) => error.section(),
            #[cfg(feature = "dial")]
            Self::Dial(error) => error.error().section(),
            _ => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "the stream failed: {error}"),
            Self::Protocol(error) => error.fmt(f),
            Self::Send(error) => error.fmt(f),
            Self::Handshake(error) => error.fmt(f),
            Self::Refused(response) => {
                write!(f, "the server refused with status {}", response.status())
            }
            Self::TimedOut(error) => error.fmt(f),
            #[cfg(feature = "serde_json")]
            Self::Json(error) => fmt_json(error, f),
            #[cfg(feature = "dial")]
            Self::Uri(error) => error.fmt(f),
            #[cfg(feature = "dial")]
            Self::Dial(error) => error.fmt(f),
        }
    }
}

#[cfg(feature = "serde_json")]
fn fmt_json(error: &serde_json::Error, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    use serde_json::error::Category::{Data, Eof, Io, Syntax};
    let (line, column) = (error.line(), error.column());
    let what = match error.classify() {
        _ if line == 0 => {
            return f.write_str("a control frame, or a value that JSON does not have");
        }
        Syntax | Io => "no JSON",
        Eof => "JSON that ends too early",
        Data => "JSON, and not what was asked for",
    };
    write!(f, "{what}, at line {line} column {column}")
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            #[cfg(feature = "serde_json")]
            Self::Json(error) => Some(error),
            #[cfg(feature = "dial")]
            Self::Dial(error) => error.source(),
            _ => None,
        }
    }
}

/// For the readers and writers of bytes; the error itself is the source, to be found with
/// [`io::Error::downcast`].
impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Io(error) => error,
            error => Self::new(error.io_kind(), error),
        }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<ProtocolError> for Error {
    fn from(error: ProtocolError) -> Self {
        Self::Protocol(error)
    }
}

impl From<SendError> for Error {
    fn from(error: SendError) -> Self {
        Self::Send(error)
    }
}

impl From<HandshakeError> for Error {
    fn from(error: HandshakeError) -> Self {
        Self::Handshake(error)
    }
}

impl From<TimedOut> for Error {
    fn from(error: TimedOut) -> Self {
        Self::TimedOut(error)
    }
}

/// What is told of an error to whoever listens: what others write into an error of the stream, as
/// names in certificates, is not.
pub(crate) struct Told<'e>(pub(crate) &'e Error);

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Error::Io(error) => error.kind().fmt(f),
            error => error.fmt(f),
        }
    }
}

/// What a WebSocket of either adapter is made of.
///
/// [`new`](Self::new) has an example.
#[derive(Debug)]
pub struct Parts<S> {
    /// The stream.
    pub io: S,
    /// The state of the connection.
    pub connection: Connection,
    /// What came and was not looked at.
    pub rx: ReceiveBuffer,
    /// What is queued.
    pub tx: SendBuffer,
}

impl<S> Parts<S> {
    /// A connection over a stream on which its opening handshake was done by others, as by an HTTP
    /// stack. `leftover` is what they read of the stream behind the head, which is lost otherwise.
    ///
    /// ```
    /// use sotong::blocking::Parts;
    /// use sotong::{Agreed, Config, Connection, Event};
    ///
    /// let connection = Connection::server(Config::default(), Agreed::default());
    /// let leftover = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"; // a client that did not wait
    /// let mut parts = Parts::new(std::io::empty(), connection, leftover);
    /// assert_eq!(parts.connection.next_event(&mut parts.rx)?, Some(Event::Text("Hello")));
    /// # Ok::<(), sotong::ProtocolError>(())
    /// ```
    pub fn new(io: S, connection: Connection, leftover: &[u8]) -> Self {
        let rx = ReceiveBuffer::holding(leftover, connection.limits().receive_buffer);
        Self { io, connection, rx, tx: SendBuffer::new() }
    }
}

/// Looks for something to hand over: [`Incoming::advance`] or one of its kin.
pub(crate) type Advance = fn(&mut Incoming, &mut ReceiveBuffer) -> Result<bool, ProtocolError>;

/// A buffer that can hold the largest head allowed.
pub(crate) fn head_buffer(config: &Config) -> ReceiveBuffer {
    ReceiveBuffer::with_capacity(config.limits.receive_buffer.max(config.limits.head))
}

/// Queues what a server says to a client with whom the opening handshake failed.
pub(crate) fn refuse(error: &Error, tx: &mut SendBuffer) {
    match error {
        Error::Handshake(error) => server::refuse(*error, tx),
        Error::TimedOut(_) => server::refuse_late(tx),
        _ => {}
    }
}

/// A lock whose holder panicked is taken all the same: a frame is queued whole or not at all.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
