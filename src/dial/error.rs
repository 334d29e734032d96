//! Why there is no connection.

use std::boxed::Box;
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
/// Printed with `{}` it says all of that in a line. Its [`source`](std::error::Error::source) is what
/// lies behind the error that is printed, so that nothing comes twice where a whole chain is printed;
/// the error itself is [`error`](Self::error).
///
/// ```no_run
/// use sotong::Error;
/// use sotong::blocking::connect;
/// use sotong::dial::Stage;
///
/// if let Err(error) = connect("ws://example.com/chat") {
///     match (error.stage(), error.refusal()) {
///         (_, Some(response)) => eprintln!("refused with {}", response.status()),
///         (Stage::Resolve | Stage::Connect, None) => eprintln!("nobody there: {error}"),
///         _ if matches!(error.error(), Error::TimedOut(_)) => eprintln!("try again later"),
///         _ => eprintln!("{error}"),
///     }
/// }
/// ```
#[derive(Debug)]
pub struct DialError {
    stage: Stage,
    /// Why a redirect is what it ended with.
    unfollowed: Option<Unfollowed>,
    error: Error,
}

impl DialError {
    pub(crate) fn new(stage: Stage, error: Error) -> Self {
        Self { stage, unfollowed: None, error }
    }

    /// What dialing ended with, and whoever listens is told.
    pub(crate) fn told(progress: Progress, error: Error) -> Self {
        let Progress { stage, unfollowed } = progress;
        trace::dial_failed(&stage, &Told(&error));
        Self { stage, unfollowed, error }
    }

    /// How far it came.
    ///
    /// For an example see [`DialError`].
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// What went wrong.
    ///
    /// For an example see [`DialError`].
    pub fn error(&self) -> &Error {
        &self.error
    }

    /// What the server answered, or the proxy at [`Stage::Proxy`], if it refused.
    ///
    /// For an example see [`DialError`].
    pub fn refusal(&self) -> Option<&Response> {
        match &self.error {
            Error::Refused(response) => Some(response),
            _ => None,
        }
    }
}

impl fmt::Display for DialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.stage)?;
        match &self.error {
            // It may be that there is no stream yet which could fail.
            Error::Io(error) => error.fmt(f)?,
            Error::TimedOut(_) => f.write_str("it took too long")?,
            Error::Refused(answer) if self.stage == Stage::Proxy => {
                write!(f, "the proxy refused with status {}", answer.status())?;
            }
            error => error.fmt(f)?,
        }
        match &self.unfollowed {
            None => Ok(()),
            Some(redirect) => write!(f, ", a redirect {redirect}"),
        }
    }
}

impl std::error::Error for DialError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&self.error)?.source()
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

impl From<DialError> for Error {
    fn from(error: DialError) -> Self {
        Self::Dial(Box::new(error))
    }
}

/// How far it came, as it goes on.
#[derive(Debug)]
pub(crate) struct Progress {
    pub(crate) stage: Stage,
    pub(crate) unfollowed: Option<Unfollowed>,
}

impl Progress {
    pub(crate) const START: Self = Self { stage: Stage::Resolve, unfollowed: None };
}

/// Why we do not go where a redirect leads.
#[derive(Debug)]
pub(crate) enum Unfollowed {
    /// Nobody has said that redirects are to be followed.
    NotAsked,
    /// As many as are allowed have been followed.
    OneTooMany,
    /// It does not say where it leads.
    NoLocation,
    /// It leads to what cannot be dialed.
    NoUri(InvalidUri),
    /// It leads from `wss` to `ws`.
    ToPlain,
}

impl fmt::Display for Unfollowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAsked => f.write_str("that is followed if `Dialer::redirects` says so"),
            Self::OneTooMany => f.write_str("more than `Dialer::redirects` allows"),
            Self::NoLocation => f.write_str("without a Location"),
            Self::NoUri(error) => write!(f, "with a Location that leads nowhere: {error}"),
            Self::ToPlain => f.write_str("from TLS to a server without"),
        }
    }
}
