//! What a connection is: which end, what was agreed on, how far the closing handshake has come and what
//! that means for the stream below.

use crate::deflate::DeflateParameters;

/// Which end of the connection this is. A client masks what it sends, a server must not (section
/// 5.1).
///
/// ```
/// use sotong::{Agreed, Config, Connection, Role};
///
/// assert_eq!(Connection::server(Config::default(), Agreed::default()).role(), Role::Server);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The end that asked for the connection.
    Client,
    /// The end that accepted it.
    Server,
}

impl Role {
    /// The word for it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }
}

/// Where a client's masking keys come from: a fresh one at every call, that nobody can predict,
/// from a strong source of entropy (section 10.3); `None` if there is none, and then nothing is
/// sent.
///
/// ```
/// # #[cfg(feature = "std")] {
/// use sotong::{Agreed, Config, Connection};
///
/// fn key() -> Option<[u8; 4]> {
///     let mut key = [0; 4];
/// #   mod getrandom { pub fn fill(_: &mut [u8]) -> Result<(), ()> { Ok(()) } }
///     getrandom::fill(&mut key).ok()?; // of the crate `getrandom`
///     Some(key)
/// }
/// let conn = Connection::client(Config::default(), Agreed::default(), key);
/// # }
/// ```
pub type MaskingKeys = fn() -> Option<[u8; 4]>;

/// How far the closing handshake has come (section 7.1). Derived from whether a Close was sent and
/// whether one was received.
///
/// ```
/// use sotong::{Agreed, Config, Connection, SendBuffer, State};
///
/// let mut conn = Connection::server(Config::default(), Agreed::default());
/// assert_eq!(conn.state(), State::Open);
/// conn.close(None, &mut SendBuffer::new())?.queue();
/// assert_eq!(conn.state(), State::Closing);
/// # Ok::<(), sotong::SendError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Neither end has sent a Close frame.
    Open,
    /// A Close frame was sent or has come, or one is due.
    Closing,
    /// Close frames went both ways, or the connection has failed.
    Closed,
}

/// What to do with the stream below (section 7.1.1).
///
/// For an example see [the guide](crate#an-adapter-of-your-own).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// Read, and write what is queued.
    Keep,
    /// A client: write what is queued, then read and drop what comes until the stream ends. The
    /// server closes first, after a failure too: a proxy may take a client's shutdown for the end
    /// of both directions, and our Close frame would never reach the server.
    AwaitEof,
    /// A server: write what is queued, shut the writing direction down, then read and drop what
    /// comes until the stream ends. To close at once would let unread bytes reset the stream and
    /// lose our Close frame.
    ShutDown,
    /// Close the stream: it has ended, or it was waited for long enough.
    Close,
}

/// What the opening handshake agreed on beyond the protocol itself: the extensions in use (section
/// 9).
///
/// For an example see [`Connection`](crate::Connection): nothing, by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Agreed {
    /// How messages may be compressed (RFC 7692); `None` if they may not.
    pub deflate: Option<DeflateParameters>,
}
