//! One of our ends, doing what it is told: `peer tokio|blocking server|client [--deflate] [--trust
//! FILE] [--keepalive MILLISECONDS]`.
//!
//! Orders come as lines of JSON on standard input, what happens is told as such lines on standard
//! output; `pairs.mjs` beside it has the words for both. A thread or a task receives, while the
//! orders are carried out by the sending half.

use std::io::{BufRead, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::pki_types::{CertificateDer, pem::PemObject};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use sotong::dial::Dialer;
use sotong::handshake::HandshakeError;
use sotong::{CloseCode, CloseFrame, Config, Deflate, Error, Event, Payload, SendError};
use sotong::{blocking, tokio as asynchronous};
use tokio::runtime::{Handle, Runtime};

type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

/// What is the same for all connections of this process.
struct Peer {
    config: Config,
    tls: Option<Arc<ClientConfig>>,
    /// The adapter: a runtime, or none.
    runtime: Option<Runtime>,
    /// Of the connection that is open.
    sender: Mutex<Option<Sender>>,
}

enum Sender {
    Blocking(blocking::Sender<blocking::MaybeTls>),
    Tokio(asynchronous::Sender<asynchronous::MaybeTls>, Handle),
}

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let runtime = match args.next().as_deref() {
        Some("tokio") => Some(Runtime::new()?),
        Some("blocking") => None,
        _ => return Err("tokio or blocking?".into()),
    };
    let is_server = args.next().as_deref() == Some("server");
    let mut peer = Peer { config: config(), tls: None, runtime, sender: Mutex::default() };
    let mut deflate = None;
    while let Some(flag) = args.next() {
        match &*flag {
            "--deflate" => deflate = peer.config.deflate,
            "--trust" => peer.tls = Some(trusting(&args.next().ok_or("which file?")?)?),
            "--keepalive" => {
                let millis = args.next().ok_or("after how long?")?.parse()?;
                peer.config.timeouts.keepalive = Some(Duration::from_millis(millis));
            }
            _ => return Err(format!("{flag} is not known").into()),
        }
    }
    let peer = Arc::new(peer);
    if is_server {
        let (listener, server) = (TcpListener::bind("127.0.0.1:0")?, peer.clone());
        tell(json!({ "event": "listening", "port": listener.local_addr()?.port() }));
        let config = Arc::new(peer.config_with(deflate));
        std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                let (server, config) = (server.clone(), config.clone());
                std::thread::spawn(move || match server.accept(stream, &config) {
                    // A browser connects in advance, and may never ask.
                    Ok(()) | Err(Error::TimedOut(_)) => {}
                    Err(Error::Handshake(HandshakeError::UnexpectedEof)) => {}
                    Err(error) => {
                        tell(json!({ "event": "refused", "error": error.to_string() }));
                    }
                });
            }
        });
    }
    for line in std::io::stdin().lock().lines() {
        peer.carry_out(&serde_json::from_str(&line?)?)?;
    }
    Ok(())
}

/// The defaults, and a compressor that keeps its context.
fn config() -> Config {
    let mut deflate = Deflate::default();
    (deflate.context_takeover, deflate.peer_context_takeover) = (true, true);
    let mut config = Config::default();
    config.deflate = Some(deflate);
    config
}

fn trusting(file: &str) -> Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(file)?)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
}

impl Peer {
    fn carry_out(self: &Arc<Self>, order: &Value) -> Result<()> {
        if order["order"] == "open" {
            return self.connect(order);
        }
        let mut sender = self.sender.lock().expect("nobody panics");
        let sender = sender.as_mut().ok_or("nothing is open")?;
        let sent = match order["order"].as_str() {
            Some("send") => sender.send(order["text"] == true, &parts(order)?),
            Some("ping") => sender.ping(order["payload"].as_str().ok_or("no payload")?),
            Some("close") => {
                let code = order["code"].as_u64().map(u16::try_from).transpose()?;
                let reason = order["reason"].as_str().unwrap_or_default();
                sender.close(code.map(|code| CloseFrame { code: CloseCode(code), reason }))
            }
            _ => return Err(format!("{order} is no order").into()),
        };
        // Of a connection that is over its other half tells.
        match sent {
            Err(Error::Io(_) | Error::Send(SendError::Closing)) => Ok(()),
            sent => Ok(sent?),
        }
    }

    fn config_with(&self, deflate: Option<Deflate>) -> Config {
        let mut config = self.config.clone();
        config.deflate = deflate;
        config
    }

    fn connect(self: &Arc<Self>, order: &Value) -> Result<()> {
        let deflate = self.config.deflate.filter(|_| order["deflate"] == true);
        let url = order["url"].as_str().ok_or("no URL")?;
        let mut dialer = Dialer::new(url)?.config(self.config_with(deflate));
        if let Some(tls) = &self.tls {
            dialer = dialer.tls(tls.clone());
        }
        if let Some(origin) = order["origin"].as_str() {
            dialer = dialer.origin(origin);
        }
        let opened = match &self.runtime {
            Some(runtime) => runtime
                .block_on(asynchronous::connect(&dialer))
                .map(|(ws, _)| self.receive(runtime, ws)),
            None => blocking::connect(&dialer).map(|(ws, _)| self.receive_blocking(ws)),
        };
        match opened {
            Ok(received) => Ok(received?),
            Err(error) => {
                let status = error.refusal().map(|response| response.status());
                tell(json!({ "event": "refused", "status": status, "error": error.to_string() }));
                Ok(())
            }
        }
    }

    fn accept(self: &Arc<Self>, stream: TcpStream, config: &Arc<Config>) -> sotong::Result<()> {
        let Some(runtime) = &self.runtime else {
            let stream = blocking::MaybeTls::Plain(stream);
            return self.receive_blocking(blocking::accept(stream, config.clone())?);
        };
        let ws = runtime.block_on(async {
            stream.set_nonblocking(true)?;
            stream.set_nodelay(true)?;
            let stream = tokio::net::TcpStream::from_std(stream)?;
            asynchronous::accept(asynchronous::MaybeTls::Plain(stream), config.clone()).await
        })?;
        self.receive(runtime, ws)
    }

    fn receive_blocking(
        self: &Arc<Self>,
        ws: blocking::WebSocket<blocking::MaybeTls>,
    ) -> sotong::Result<()> {
        let is_compressed = ws.agreed().deflate.is_some();
        let (mut receiver, sender) = ws.split()?;
        self.open(Sender::Blocking(sender), is_compressed);
        let peer = Arc::clone(self);
        std::thread::spawn(move || {
            let mut close = None;
            let end = loop {
                match receiver.recv() {
                    Ok(Some(event)) => tell_event(event, &mut close),
                    Ok(None) => break Ok(()),
                    Err(error) => break Err(error),
                }
            };
            peer.closed(close, end);
        });
        Ok(())
    }

    fn receive(
        self: &Arc<Self>,
        runtime: &Runtime,
        ws: asynchronous::WebSocket<asynchronous::MaybeTls>,
    ) -> sotong::Result<()> {
        let is_compressed = ws.agreed().deflate.is_some();
        let (mut receiver, sender) = ws.split();
        self.open(Sender::Tokio(sender, runtime.handle().clone()), is_compressed);
        let peer = Arc::clone(self);
        runtime.spawn(async move {
            let mut close = None;
            let end = loop {
                match receiver.recv().await {
                    Ok(Some(event)) => tell_event(event, &mut close),
                    Ok(None) => break Ok(()),
                    Err(error) => break Err(error),
                }
            };
            peer.closed(close, end);
        });
        Ok(())
    }

    fn open(&self, sender: Sender, is_compressed: bool) {
        *self.sender.lock().expect("nobody panics") = Some(sender);
        tell(json!({ "event": "open", "compressed": is_compressed }));
    }

    /// Tells what the other end said when it closed: nothing is 1005, no Close at all is 1006.
    fn closed(&self, close: Option<(u16, String)>, end: sotong::Result<()>) {
        self.sender.lock().expect("nobody panics").take();
        let error = end.err();
        let (code, reason) = close.unwrap_or_else(|| {
            let code = error.as_ref().and_then(Error::close_code);
            (code.unwrap_or(CloseCode::ABNORMAL).0, String::new())
        });
        let error = error.map(|error| error.to_string());
        tell(json!({ "event": "closed", "code": code, "reason": reason, "error": error }));
    }
}

impl Sender {
    /// A message of one part goes as it is, one of several in as many fragments.
    fn send(&mut self, is_text: bool, parts: &[Vec<u8>]) -> sotong::Result<()> {
        for (i, part) in parts.iter().enumerate() {
            let part = match is_text {
                true => Payload::text(std::str::from_utf8(part).expect("text is UTF-8")),
                false => Payload::binary(part),
            };
            let fin = i + 1 == parts.len();
            match self {
                Self::Blocking(sender) if parts.len() == 1 => sender.send_message(part),
                Self::Blocking(sender) => sender.send_fragment(part, fin),
                Self::Tokio(sender, runtime) if parts.len() == 1 => {
                    runtime.block_on(sender.send_message(part))
                }
                Self::Tokio(sender, runtime) => runtime.block_on(sender.send_fragment(part, fin)),
            }?;
        }
        Ok(())
    }

    fn ping(&mut self, payload: &str) -> sotong::Result<()> {
        match self {
            Self::Blocking(sender) => sender.ping(payload.as_bytes()),
            Self::Tokio(sender, runtime) => runtime.block_on(sender.ping(payload.as_bytes())),
        }
    }

    fn close(&mut self, frame: Option<CloseFrame<'_>>) -> sotong::Result<()> {
        match self {
            Self::Blocking(sender) => sender.send_close(frame),
            Self::Tokio(sender, runtime) => runtime.block_on(sender.send_close(frame)),
        }
    }
}

fn tell_event(event: Event<'_>, close: &mut Option<(u16, String)>) {
    let message = |text, payload: &[u8]| {
        tell(json!({ "event": "message", "text": text, "payload": hex(payload) }));
    };
    match event {
        Event::Text(text) => message(true, text.as_bytes()),
        Event::Binary(bytes) => message(false, bytes),
        // An empty one answers a ping that nobody ordered, one that keeps alive.
        Event::Pong(payload) if !payload.is_empty() => {
            tell(json!({ "event": "pong", "payload": String::from_utf8_lossy(payload) }));
        }
        Event::Ping(_) | Event::Pong(_) => {}
        Event::Close(Some(CloseFrame { code, reason })) => *close = Some((code.0, reason.into())),
        Event::Close(None) => *close = Some((CloseCode::NO_STATUS.0, String::new())),
    }
}

/// Writes a line; a thread and a task do.
fn tell(event: Value) {
    let mut line = event.to_string();
    line.push('\n');
    let mut out = std::io::stdout().lock();
    // Without anybody who listens there is nothing left to do.
    if out.write_all(line.as_bytes()).and_then(|()| out.flush()).is_err() {
        std::process::exit(1);
    }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| char::from(DIGITS[usize::from(value)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// The parts of a message that is to be sent.
fn parts(order: &Value) -> Result<Vec<Vec<u8>>> {
    let parts = order["parts"].as_array().ok_or("no parts")?.iter();
    parts.map(|part| unhex(part.as_str().ok_or("no digits")?)).collect()
}

fn unhex(digits: &str) -> Result<Vec<u8>> {
    let pairs = digits.as_bytes().chunks(2);
    pairs.map(|pair| Ok(u8::from_str_radix(std::str::from_utf8(pair)?, 16)?)).collect()
}
