//! The SOCKS library, at one of our proxies.

use std::io;

use tokio_socks::Error;
use tokio_socks::tcp::Socks5Stream;

pub(crate) use tokio_socks::io::AsyncSocket;

use super::Hop;

/// Has the neighbour connect us with the server; it looks up the server's host itself.
pub(crate) async fn pass<S: AsyncSocket + Unpin>(socket: S, hop: &Hop<'_>) -> io::Result<()> {
    let server = (&*hop.server().host, hop.server().port);
    let passed = match &hop.neighbour().user {
        None => Socks5Stream::connect_with_socket(socket, server).await,
        Some(user) => {
            let (name, password) = (&user.name, &user.password);
            Socks5Stream::connect_with_password_and_socket(socket, server, name, password).await
        }
    };
    match passed {
        Ok(_) => Ok(()),
        Err(Error::Io(error)) => Err(error),
        Err(error) => Err(io::Error::new(kind(&error), error)),
    }
}

/// What will be the same next time has a kind of its own, by which [`Reconnect`](super::Reconnect)
/// knows it.
fn kind(error: &Error) -> io::ErrorKind {
    match error {
        Error::NoAcceptableAuthMethods
        | Error::AuthorizationRequired
        | Error::PasswordAuthFailure(_)
        | Error::ConnectionNotAllowedByRuleset => io::ErrorKind::PermissionDenied,
        // A name or a password of more than 255 bytes, or of none (RFC 1929, section 2).
        Error::InvalidAuthValues(_) | Error::InvalidTargetAddress(_) => io::ErrorKind::InvalidInput,
        Error::CommandNotSupported | Error::AddressTypeNotSupported => io::ErrorKind::Unsupported,
        _ => io::ErrorKind::Other,
    }
}
