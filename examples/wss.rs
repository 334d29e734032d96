//! An echo server with TLS: `wss [--listen ADDR] [--adapter tokio|blocking] [--certificate FILE]`.
//!
//! It makes itself a certificate for `localhost`, good for as long as it runs, and writes it to the
//! file, so that clients can be told to trust it: `client --trust FILE wss://localhost:9443/`. A real
//! server reads certificate and key from files instead.

use std::io::Write;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use sotong::blocking::{self, TlsStream};
use sotong::{Config, Event, tokio as asynchronous};
use tokio_rustls::TlsAcceptor;

type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

const USAGE: &str = "usage: wss [--listen ADDR] [--adapter tokio|blocking] [--certificate FILE]";

struct Options {
    listen: String,
    certificate: String,
    blocking: bool,
}

fn main() -> ExitCode {
    if std::env::args().any(|arg| matches!(&*arg, "--help" | "-h")) {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    let options = match parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(problem) => {
            eprintln!("{problem}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let served = if options.blocking { serve_blocking(&options) } else { serve(&options) };
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

/// Settings of a server that is `localhost`; the certificate goes to the file.
fn throw_away_certificate(file: &str) -> Result<Arc<ServerConfig>> {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".into()])?;
    std::fs::write(file, cert.pem()).map_err(|error| format!("{file}: {error}"))?;
    eprintln!("the certificate was written to {file}");
    let key = PrivateKeyDer::Pkcs8(signing_key.serialize_der().into());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)?;
    Ok(Arc::new(config))
}

#[tokio::main]
async fn serve(options: &Options) -> Result<()> {
    let listener = tokio::net::TcpListener::bind(&options.listen)
        .await
        .map_err(|error| format!("cannot listen on {}: {error}", options.listen))?;
    let tls = throw_away_certificate(&options.certificate)?;
    ready(listener.local_addr()?)?;
    let (acceptor, config) = (TlsAcceptor::from(tls), Arc::new(Config::default()));
    loop {
        let Ok((stream, peer)) = listener.accept().await else {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await; // out of descriptors
            continue;
        };
        let (acceptor, config) = (acceptor.clone(), Arc::clone(&config));
        tokio::spawn(async move {
            if let Err(error) = echo(stream, acceptor, config).await {
                eprintln!("{peer}: {error}");
            }
        });
    }
}

async fn echo(
    stream: tokio::net::TcpStream,
    acceptor: TlsAcceptor,
    config: Arc<Config>,
) -> Result<()> {
    stream.set_nodelay(true)?;
    // A client that says nothing has no longer for TLS than for the opening handshake.
    let patience = config.timeouts.handshake.ok_or("no patience")?;
    let stream = tokio::time::timeout(patience, acceptor.accept(stream)).await??;
    let mut ws = asynchronous::accept(stream, config).await?;
    while let Some((event, mut reply)) = ws.recv_reply().await? {
        match event {
            Event::Text(text) => reply.feed(text).await?,
            Event::Binary(bytes) => reply.feed(bytes).await?,
            Event::Ping(_) | Event::Pong(_) | Event::Close(_) => {}
        }
    }
    Ok(())
}

fn serve_blocking(options: &Options) -> Result<()> {
    let listener = std::net::TcpListener::bind(&options.listen)
        .map_err(|error| format!("cannot listen on {}: {error}", options.listen))?;
    let tls = throw_away_certificate(&options.certificate)?;
    ready(listener.local_addr()?)?;
    let config = Arc::new(Config::default());
    loop {
        let Ok((stream, peer)) = listener.accept() else {
            std::thread::sleep(std::time::Duration::from_millis(50)); // out of descriptors
            continue;
        };
        let (tls, config) = (Arc::clone(&tls), Arc::clone(&config));
        std::thread::spawn(move || {
            if let Err(error) = echo_blocking(stream, tls, config) {
                eprintln!("{peer}: {error}");
            }
        });
    }
}

fn echo_blocking(
    stream: std::net::TcpStream,
    tls: Arc<ServerConfig>,
    config: Arc<Config>,
) -> Result<()> {
    // TLS's handshake takes place under the deadline of ours.
    let mut ws = blocking::accept(TlsStream::server(stream, tls)?, config)?;
    while let Some((event, mut reply)) = ws.recv_reply()? {
        match event {
            Event::Text(text) => reply.feed(text)?,
            Event::Binary(bytes) => reply.feed(bytes)?,
            Event::Ping(_) | Event::Pong(_) | Event::Close(_) => {}
        }
    }
    Ok(())
}

fn ready(address: SocketAddr) -> std::io::Result<()> {
    println!("listening on {address}");
    std::io::stdout().flush()
}

fn parse(mut args: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options {
        listen: "127.0.0.1:9443".into(),
        certificate: "certificate.pem".into(),
        blocking: false,
    };
    while let Some(flag) = args.next() {
        let mut value = || args.next().ok_or(format!("{flag} wants a value"));
        match &*flag {
            "--listen" => options.listen = value()?,
            "--certificate" => options.certificate = value()?,
            "--adapter" => {
                options.blocking = match &*value()? {
                    "tokio" => false,
                    "blocking" => true,
                    other => return Err(format!("{other} is no adapter")),
                }
            }
            _ => return Err(format!("{flag} is not known")),
        }
    }
    Ok(options)
}
