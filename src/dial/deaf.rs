//! For tests: a server that does not answer at all.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;
use std::vec::Vec;

use socket2::{Domain, Socket, Type};

/// A listener that answers no attempts to connect, since its backlog is full.
pub(crate) struct Deaf {
    pub(crate) address: SocketAddr,
    _listener: Socket,
    _backlog: Vec<TcpStream>,
}

impl Deaf {
    pub(crate) fn new() -> Self {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        listener.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
        listener.listen(0).unwrap();
        let address = listener.local_addr().unwrap().as_socket().unwrap();
        let connect = || TcpStream::connect_timeout(&address, Duration::from_millis(100)).ok();
        Self { address, _backlog: std::iter::from_fn(connect).collect(), _listener: listener }
    }
}
