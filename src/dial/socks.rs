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
        Err(error) => Err(io::Error::other(error)),
    }
}
