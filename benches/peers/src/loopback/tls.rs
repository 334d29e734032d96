//! TLS of both ends, by rustls: the server's acceptor and a client session that counts records.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;

/// An acceptor with a fresh certificate, and that in hexadecimal.
pub fn acceptor() -> Result<(TlsAcceptor, String), Box<dyn std::error::Error + Send + Sync>> {
    let own = rcgen::generate_simple_self_signed([HOST.to_owned()])?;
    let key = PrivateKeyDer::try_from(own.signing_key.serialize_der())?;
    let certificate = own.cert.der().clone();
    let hexadecimal = certificate.iter().map(|byte| format!("{byte:02x}")).collect();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)?;
    Ok((TlsAcceptor::from(Arc::new(config)), hexadecimal))
}

/// A client that trusts this certificate, in hexadecimal.
pub fn client(certificate: &str) -> Result<Arc<ClientConfig>, String> {
    let digits: Vec<u8> = certificate.bytes().collect();
    let der: Option<Vec<u8>> = digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok())
        .collect();
    let mut roots = RootCertStore::empty();
    let der = CertificateDer::from(der.ok_or("a certificate is hexadecimal")?);
    roots.add(der).map_err(|error| error.to_string())?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// The client's side of a TLS connection.
pub struct Session {
    connection: ClientConnection,
    records: RecordCount,
}

impl Session {
    /// Shakes hands over a stream that blocks.
    pub fn start(config: &Arc<ClientConfig>, mut stream: &TcpStream) -> io::Result<Self> {
        let host = ServerName::try_from(HOST).expect("a name");
        let mut connection =
            ClientConnection::new(config.clone(), host).map_err(io::Error::other)?;
        connection.set_buffer_limit(None);
        while connection.is_handshaking() {
            connection.complete_io(&mut stream)?;
        }
        Ok(Self { connection, records: RecordCount::default() })
    }

    /// Records of the server since the start that carry something.
    pub fn records(&self) -> u64 {
        self.records.count
    }

    /// Encrypts, and writes what the stream takes.
    pub fn send(&mut self, bytes: &[u8], stream: &TcpStream) -> io::Result<()> {
        self.connection.writer().write_all(bytes)?;
        self.flush(stream)
    }

    /// Writes what the stream takes.
    pub fn flush(&mut self, mut stream: &TcpStream) -> io::Result<()> {
        while self.connection.wants_write() {
            match self.connection.write_tls(&mut stream) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                written => written?,
            };
        }
        Ok(())
    }

    /// Decrypts what came; `plain` is called with each piece.
    pub fn receive(
        &mut self,
        mut wire: &[u8],
        mut plain: impl FnMut(&[u8]) -> Result<(), String>,
    ) -> Result<(), String> {
        self.records.take(wire);
        let mut piece = [0; 16 * 1024];
        while !wire.is_empty() {
            self.connection.read_tls(&mut wire).map_err(|error| error.to_string())?;
            self.connection.process_new_packets().map_err(|error| error.to_string())?;
            loop {
                match self.connection.reader().read(&mut piece) {
                    Ok(0) => return Err("the server has ended TLS".into()),
                    Ok(n) => plain(&piece[..n])?,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error.to_string()),
                }
            }
        }
        Ok(())
    }
}

/// Counts records by their headers (RFC 8446, 5.1): type, version, length.
#[derive(Default)]
struct RecordCount {
    count: u64,
    header: Vec<u8>,
    body_left: usize,
}

impl RecordCount {
    fn take(&mut self, mut wire: &[u8]) {
        while !wire.is_empty() {
            let body = self.body_left.min(wire.len());
            self.body_left -= body;
            wire = &wire[body..];
            let header = (HEADER - self.header.len()).min(wire.len());
            self.header.extend_from_slice(&wire[..header]);
            wire = &wire[header..];
            if let &[kind, _, _, high, low] = self.header.as_slice() {
                self.body_left = u16::from_be_bytes([high, low]).into();
                self.count += u64::from(kind == APPLICATION_DATA);
                self.header.clear();
            }
        }
    }
}

const HEADER: usize = 5;
const APPLICATION_DATA: u8 = 23;
const HOST: &str = "localhost";
