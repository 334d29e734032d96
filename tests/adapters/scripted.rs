//! A stream that reads from a script and remembers what is written.

use std::io::{self, Read, Write};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use sotong::test_kit::{Adversarial, Manner};
use sotong::tokio::{Parts, WebSocket};
use sotong::{Agreed, Config, Connection, FrameHeader, Mask, Opcode, ReceiveBuffer, SendBuffer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::runtime::Runtime;

/// A [`Tape`], in the manner of some stream.
pub type Scripted = Adversarial<Tape>;

/// A stream that reads these, one by one, and takes what is written.
pub fn scripted(reads: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Scripted {
    Adversarial::new(Tape::new(reads), Manner::sound())
}

/// As [`scripted`]; all is put off once, and writes take `max_write` bytes.
pub fn hesitant(reads: impl IntoIterator<Item = impl AsRef<[u8]>>, max_write: usize) -> Scripted {
    Adversarial::new(Tape::new(reads), Manner::hesitant(max_write))
}

/// Reads give one piece of the script each, then the end; writes are kept, also when the stream is
/// gone.
#[derive(Clone, Debug, Default)]
pub struct Tape {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    reads: Vec<Vec<u8>>,
    written: Vec<u8>,
}

impl Tape {
    fn new(reads: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Self {
        let mut reads: Vec<Vec<u8>> =
            reads.into_iter().map(|read| read.as_ref().to_vec()).collect();
        reads.reverse();
        Self { inner: Arc::new(Mutex::new(Inner { reads, ..Inner::default() })) }
    }

    pub fn written(&self) -> Vec<u8> {
        self.inner.lock().unwrap().written.clone()
    }
}

impl Inner {
    fn read(&mut self, buf: &mut [u8]) -> usize {
        let Some(read) = self.reads.pop() else { return 0 };
        let n = read.len().min(buf.len());
        buf[..n].copy_from_slice(&read[..n]);
        if n < read.len() {
            self.reads.push(read[n..].to_vec());
        }
        n
    }
}

impl Read for Tape {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        Ok(self.inner.lock().unwrap().read(buf))
    }
}

impl Write for Tape {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.inner.lock().unwrap().written.extend_from_slice(buf);
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl sotong::blocking::Stream for Tape {}

impl sotong::blocking::TryClone for Tape {
    fn try_clone(&self) -> io::Result<Self> {
        Ok(self.clone())
    }
}

impl AsyncRead for Tape {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let n = self.read(buf.initialize_unfilled())?;
        buf.advance(n);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Tape {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(self.write(buf))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A server's end over `io`, its handshake done.
pub fn server<S: AsyncRead + AsyncWrite + Unpin>(io: S, config: &Config) -> WebSocket<S> {
    WebSocket::from_parts(parts(io, Connection::server(config, Agreed::default())))
}

/// What a WebSocket over `io` is made of when nothing has come or gone yet.
pub fn parts<S>(io: S, connection: Connection) -> Parts<S> {
    let rx = ReceiveBuffer::with_capacity(Config::default().limits.receive_buffer);
    Parts { io, connection, rx, tx: SendBuffer::new() }
}

/// A runtime whose clock moves only when there is nothing else to do.
pub fn paused() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap()
}

/// A frame as a client sends it.
pub fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    frame(first, payload, Some([0x37, 0xfa, 0x21, 0x3d]))
}

/// A frame as a server sends it.
pub fn plain(first: u8, payload: &[u8]) -> Vec<u8> {
    frame(first, payload, None)
}

fn frame(first: u8, payload: &[u8], key: Option<[u8; 4]>) -> Vec<u8> {
    let (bit, len) = (if key.is_some() { 0x80 } else { 0 }, payload.len());
    let mut bytes = match len {
        0..=125 => vec![first, bit | len as u8],
        126..=0xffff => [&[first, bit | 126][..], &(len as u16).to_be_bytes()].concat(),
        _ => [&[first, bit | 127][..], &(len as u64).to_be_bytes()].concat(),
    };
    let key_bytes = key.unwrap_or_default();
    bytes.extend_from_slice(&key_bytes[..if key.is_some() { 4 } else { 0 }]);
    bytes.extend(payload.iter().enumerate().map(|(i, octet)| octet ^ key_bytes[i % 4]));
    bytes
}

/// The frames in `bytes` without their masks; what is left at the end must be nothing.
pub fn frames(mut bytes: &[u8]) -> Vec<(bool, Opcode, Vec<u8>)> {
    let mut frames = vec![];
    while let Some((header, len)) = FrameHeader::decode(bytes).expect("what we send is valid") {
        let end = len + header.payload_len as usize;
        let mut payload = bytes[len..end].to_vec();
        if let Some(key) = header.masking_key {
            Mask::new(key).apply(&mut payload);
        }
        frames.push((header.fin, header.opcode, payload));
        bytes = &bytes[end..];
    }
    assert_eq!(bytes, b"", "half a frame was sent");
    frames
}
