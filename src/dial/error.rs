//! Why there is no connection.

use std::convert::Infallible;
use std::fmt;

use super::InvalidUri;
use crate::adapter::{Error, Told};
use crate::handshake::client::Response;
use crate::trace;

/// How far dialing came.
///
/// For an example see [`DialError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// The URI is read.
    Uri,
    /// The addresses of the server's or the proxy's host are looked up.
    Resolve,
    /// One of the addresses is connected to.
    Connect,
    /// The proxy is asked for the way to the server.
    Proxy,
    /// The server's certificate is checked and keys are agreed on.
    Tls,
    /// The opening handshake (RFC 6455, section 4).
    Handshake,
    /// The server sends us elsewhere, and there we do not go.
    Redirect,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Uri => "reading the URI",
            Self::Resolve => "looking up the host",
            Self::Connect => "connecting",
            Self::Proxy => "asking the proxy",
            Self::Tls => "setting up TLS",
            Self::Handshake => "opening the WebSocket",
            Self::Redirect => "following a redirect",
        })
    }
}

/// Why there is no connection, and at which stage that was found.
///
/// ```no_run
/// use sotong::blocking::connect;
/// use sotong::dial::Stage;
///
/// if let Err(error) = connect("ws://example.com/chat") {
///     match (error.stage(), error.refusal()) {
///         (_, Some(response)) => eprintln!("refused with {}", response.status()),
///         (Stage::Resolve | Stage::Connect, None) => eprintln!("nobody there: {error}"),
///         _ => eprintln!("{error}"),
///     }
/// }
/// ```
#[derive(Debug)]
pub struct DialError {
    stage: Stage,
    error: Error,
}

impl DialError {
    pub(crate) fn new(stage: Stage, error: Error) -> Self {
        Self { stage, error }
    }

    /// The same, and whoever listens is told.
    pub(crate) fn told(stage: Stage, error: Error) -> Self {
        trace::dial_failed(&stage, &Told(&error));
        Self::new(stage, error)
    }

    /// How far it came.
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// What went wrong.
    pub fn error(&self) -> &Error {
        &self.error
    }

    /// What the server answered, or the proxy at [`Stage::Proxy`], if it refused.
    pub fn refusal(&self) -> Option<&Response> {
        match &self.error {
            Error::Refused(response) => Some(response),
            _ => None,
        }
    }
}

impl fmt::Display for DialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.stage, self.error)
    }
}

impl std::error::Error for DialError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

impl From<InvalidUri> for DialError {
    fn from(error: InvalidUri) -> Self {
        Self::new(Stage::Uri, Error::Uri(error))
    }
}

/// For what is a [`Dialer`](super::Dialer) already.
impl From<Infallible> for DialError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// Forgets the stage.
impl From<DialError> for Error {
    fn from(error: DialError) -> Self {
        error.error
    }
}
