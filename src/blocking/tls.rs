//! TLS for two threads.
//!
//! A session of rustls is one state for both directions, so it has a lock; but nobody waits for the
//! socket while he holds it. What is to go out is encrypted into `Outbox` and written from there, in
//! order, by whoever holds that:
//!
//! ```text
//!   write ─► Session ─► Outbox ─► socket
//!   read ◄── Session ◄────────── socket
//! ```

use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;
use std::time::Duration;
use std::vec;
use std::vec::Vec;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, Connection, ServerConfig, ServerConnection};

use super::{Stream, TryClone};
use crate::adapter::{Mutex, lock};

/// A stream with TLS, which two threads can use at the same time.
///
/// The handshake of TLS takes place with the first read or flush, by one thread: there is a second
/// handle only when it is over.
///
/// ```
/// use std::sync::Arc;
/// use sotong::Config;
/// use sotong::blocking::{TlsStream, accept, connect_over};
/// use sotong::handshake::client::Request;
/// # use std::net::{TcpListener, TcpStream};
/// # use rustls::{ClientConfig, RootCertStore, ServerConfig, pki_types::PrivateKeyDer};
/// # use rcgen::{CertifiedKey, generate_simple_self_signed};
///
/// # let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["example.com".into()])?;
/// # let key = PrivateKeyDer::Pkcs8(signing_key.serialize_der().into());
/// # let certificates = vec![cert.der().clone()];
/// # let mut roots = RootCertStore::empty();
/// # roots.add(cert.der().clone())?;
/// # let listener = TcpListener::bind("127.0.0.1:0")?;
/// # let near = TcpStream::connect(listener.local_addr()?)?;
/// # let far = listener.accept()?.0;
/// # let server = std::thread::spawn(move || {
/// let config = ServerConfig::builder().with_no_client_auth();
/// let config = Arc::new(config.with_single_cert(certificates, key)?);
/// let mut ws = accept(TlsStream::server(far, config)?, Config::default())?;
/// #     while ws.recv()?.is_some() {}
/// #     Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
/// # });
///
/// // And the other end:
/// let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
/// let tls = TlsStream::client(near, Arc::new(config), "example.com".try_into()?)?;
/// let request = Request { host: "example.com", ..Request::default() };
/// let (mut ws, _response) = connect_over(tls, &request, Config::default())?;
/// let version = ws.stream().with_session(|session| session.protocol_version());
/// assert_eq!(version, Some(rustls::ProtocolVersion::TLSv1_3));
/// println!("TLS 1.3 with {}", ws.stream().stream().peer_addr()?);
/// # ws.close(None)?;
/// # drop(ws);
/// # server.join().unwrap()?;
/// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
/// ```
///
/// The example `wss` is a server over it; [`connect`](super::connect) makes the client's end.
#[derive(Debug)]
pub struct TlsStream<S> {
    io: S,
    shared: Arc<Shared>,
    /// What a read of the socket puts here is the session's at once.
    scratch: Vec<u8>,
}

#[derive(Debug)]
struct Shared {
    session: Mutex<Session>,
    outbox: Mutex<Outbox>,
}

#[derive(Debug)]
struct Session {
    tls: Connection,
    /// Ciphertext that the session has not taken yet: it holds only so much plaintext.
    incoming: Vec<u8>,
    has_ended: bool,
}

/// Ciphertext on its way to the socket.
#[derive(Debug, Default)]
struct Outbox {
    bytes: Vec<u8>,
    written: usize,
}

/// The most ciphertext that one read takes: that of a full record (RFC 8446, section 5.2).
const READ: usize = 16 * 1024 + 256 + 5;

impl<S: Stream> TlsStream<S> {
    /// The client's end. `server` is whom the certificate must be for.
    ///
    /// For an example see [`TlsStream`](Self).
    ///
    /// # Errors
    ///
    /// The settings allow for nothing.
    pub fn client(
        io: S,
        config: Arc<ClientConfig>,
        server: ServerName<'static>,
    ) -> Result<Self, rustls::Error> {
        Ok(Self::new(io, ClientConnection::new(config, server)?.into()))
    }

    /// The server's end.
    ///
    /// For an example see [`TlsStream`](Self).
    ///
    /// # Errors
    ///
    /// The settings allow for nothing.
    pub fn server(io: S, config: Arc<ServerConfig>) -> Result<Self, rustls::Error> {
        Ok(Self::new(io, ServerConnection::new(config)?.into()))
    }

    fn new(io: S, tls: Connection) -> Self {
        let session = Session { tls, incoming: Vec::new(), has_ended: false };
        let shared = Shared { session: Mutex::new(session), outbox: Mutex::default() };
        Self { io, shared: Arc::new(shared), scratch: Vec::new() }
    }

    /// The stream below.
    ///
    /// For an example see [`TlsStream`](Self).
    pub fn stream(&self) -> &S {
        &self.io
    }

    /// What TLS has agreed on.
    ///
    /// For an example see [`TlsStream`](Self).
    pub fn with_session<T>(&self, look: impl FnOnce(&Connection) -> T) -> T {
        look(&lock(&self.shared.session).tls)
    }

    /// Waits for ciphertext; 0 is the end of the stream.
    fn read_more(&mut self) -> io::Result<usize> {
        self.scratch.resize(READ, 0);
        let n = self.io.read(&mut self.scratch)?;
        let taken = {
            let session = &mut *lock(&self.shared.session);
            session.incoming.extend_from_slice(&self.scratch[..n]);
            session.has_ended |= n == 0;
            session.take_in()
        };
        if taken.is_err() {
            self.write_in_passing().ok(); // the alert that tells the peer why (RFC 8446, section 6.2)
        }
        taken.map(|()| n)
    }

    /// Writes what the session wants to say, unless another thread is writing: that one may wait for
    /// the peer, who waits for us to read.
    fn write_in_passing(&mut self) -> io::Result<()> {
        match self.shared.outbox.try_lock() {
            Ok(mut outbox) => {
                outbox.fill(&mut lock(&self.shared.session));
                not_now(outbox.write_to(&mut self.io))
            }
            Err(_) => Ok(()),
        }
    }
}

impl Session {
    /// Takes ciphertext, as long as there is room for what it says.
    fn take_in(&mut self) -> io::Result<()> {
        let mut rest = &self.incoming[..];
        while !rest.is_empty() || self.has_ended {
            match self.tls.read_tls(&mut rest) {
                Ok(0) => break,
                Ok(_) => {}
                Err(_) => break, // it is full: first what it has is to be read
            }
            let processed = self.tls.process_new_packets();
            processed.map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
        }
        let taken = self.incoming.len() - rest.len();
        self.incoming.drain(..taken);
        Ok(())
    }
}

impl Outbox {
    /// Takes all that the session wants to say.
    fn fill(&mut self, session: &mut Session) {
        while session.tls.wants_write() {
            session.tls.write_tls(&mut self.bytes).expect("a vector takes all");
        }
    }

    fn write_to(&mut self, io: &mut impl Write) -> io::Result<()> {
        while let rest @ [_, ..] = &self.bytes[self.written..] {
            match io.write(rest)? {
                0 => return Err(ErrorKind::WriteZero.into()),
                n => self.written += n,
            }
        }
        self.bytes.clear();
        self.written = 0;
        Ok(())
    }
}

/// What was accepted may go out later, if the stream pauses now.
fn not_now(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if is_pause(&error) => Ok(()),
        done => done,
    }
}

fn is_pause(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

impl<S: Stream> Read for TlsStream<S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            let mut session = lock(&self.shared.session);
            let taken = session.take_in();
            let read = session.tls.reader().read(buf);
            let wants_write = session.tls.wants_write();
            drop(session);
            if wants_write {
                self.write_in_passing()?;
            }
            match read {
                Err(error) if error.kind() == ErrorKind::WouldBlock => taken?,
                read => return read,
            }
            self.read_more()?;
        }
    }
}

impl<S: Stream> Write for TlsStream<S> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let mut outbox = lock(&self.shared.outbox);
        outbox.write_to(&mut self.io)?;
        let n = {
            let session = &mut *lock(&self.shared.session);
            let n = session.tls.writer().write(buf)?;
            outbox.fill(session);
            n
        };
        not_now(outbox.write_to(&mut self.io))?;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        loop {
            let mut outbox = lock(&self.shared.outbox);
            let is_handshaking = {
                let session = &mut *lock(&self.shared.session);
                outbox.fill(session);
                session.tls.is_handshaking()
            };
            outbox.write_to(&mut self.io)?;
            drop(outbox);
            if !is_handshaking {
                return self.io.flush();
            }
            if self.read_more()? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

impl<S: Stream> Stream for TlsStream<S> {
    fn prepare(&mut self, tick: Option<Duration>) -> io::Result<bool> {
        self.io.prepare(tick)
    }

    fn shut_down(&mut self) -> io::Result<bool> {
        lock(&self.shared.session).tls.send_close_notify();
        self.flush()?;
        self.io.shut_down()
    }
}

impl<S: TryClone> TryClone for TlsStream<S> {
    fn try_clone(&self) -> io::Result<Self> {
        if lock(&self.shared.session).tls.is_handshaking() {
            return Err(io::Error::other(
                "the handshake of TLS is not over: flush the stream first",
            ));
        }
        let io = self.io.try_clone()?;
        Ok(Self { io, shared: Arc::clone(&self.shared), scratch: vec![] })
    }
}
