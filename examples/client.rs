//! A WebSocket client for the terminal: `client [--subprotocol NAME]... [--header 'NAME: VALUE']...
//! [--deflate] [--redirects N] [--proxy URI] [--trust FILE] URI`.
//!
//! Each line of standard input goes out as a text message, each message that comes is printed as a
//! line. At the end of the input the connection is closed once nothing has come for a while; the
//! close code is shown on standard error. `--trust` names a certificate to be trusted besides those
//! that everybody trusts, as that of a server that is being tried out.

use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use sotong::dial::{DialError, Dialer, Proxy};
use sotong::{CloseCode, CloseFrame, Config, Deflate, Error, Event, SendError};
use tokio::sync::mpsc;

const USAGE: &str = "usage: client [--subprotocol NAME]... [--header 'NAME: VALUE']... [--deflate] \
                     [--redirects N] [--proxy URI] [--trust FILE] URI";

/// How long to wait for answers behind the end of the input.
const QUIET: Duration = Duration::from_millis(500);

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    if std::env::args().any(|arg| matches!(&*arg, "--help" | "-h")) {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    let dialer = match parse(std::env::args().skip(1).collect()) {
        Ok(dialer) => dialer,
        Err(problem) => {
            eprintln!("{problem}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match talk(&dialer).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            if let Some(refusal) = error.downcast_ref().and_then(DialError::refusal) {
                eprintln!("{}", String::from_utf8_lossy(refusal.body()));
            }
            ExitCode::FAILURE
        }
    }
}

async fn talk(dialer: &Dialer) -> Result<(), Box<dyn std::error::Error>> {
    let (mut ws, response) = sotong::tokio::connect(dialer).await?;
    let subprotocol = response.subprotocol().map(|name| format!(", subprotocol {name}"));
    let compression = if ws.agreed().deflate.is_some() { ", compression" } else { "" };
    eprintln!("connected{}{compression}", subprotocol.unwrap_or_default());

    let mut lines = lines_of_stdin();
    let mut at_end = false;
    // Both `recv` lose nothing when the other one is ready first.
    loop {
        tokio::select! {
            event = ws.recv() => match event? {
                Some(event) => show(&event),
                None => return Ok(()),
            },
            line = lines.recv(), if !at_end => match line {
                Some(line) => unless_closing(ws.send_text(&line?).await)?,
                None => at_end = true,
            },
            () = tokio::time::sleep(QUIET), if at_end => {
                unless_closing(ws.send_close(Some(CloseCode::NORMAL.into())).await)?;
            }
        }
    }
}

/// What cannot be sent since a close has gone ahead is no failure: `recv` tells how it ends.
fn unless_closing(sent: Result<(), Error>) -> Result<(), Error> {
    match sent {
        Err(Error::Send(SendError::Closing)) => Ok(()),
        sent => sent,
    }
}

/// Reads on a thread that nobody waits for. Tokio's own stdin would keep the program from ending until
/// somebody types.
fn lines_of_stdin() -> mpsc::Receiver<io::Result<String>> {
    let (lines, receiver) = mpsc::channel(1);
    thread::spawn(move || {
        for line in io::stdin().lines() {
            if lines.blocking_send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

fn show(event: &Event<'_>) {
    match event {
        Event::Text(text) => println!("{text}"),
        Event::Binary(bytes) => println!("{}", bytes.escape_ascii()),
        Event::Close(Some(CloseFrame { code, reason })) => eprintln!("closed with {code} {reason}"),
        Event::Close(None) => eprintln!("closed without a code"),
        Event::Ping(_) | Event::Pong(_) => {}
    }
}

fn parse(args: Vec<String>) -> Result<Dialer, Box<dyn std::error::Error>> {
    let (uri, options) = args.split_last().ok_or("which server?")?;
    let mut dialer = Dialer::new(uri).map_err(|error| {
        format!("{uri}: {error}; the server's URI comes last, behind all flags")
    })?;
    let mut options = options.iter();
    while let Some(option) = options.next() {
        let mut value = || options.next().ok_or(format!("{option} wants a value"));
        dialer = match &**option {
            "--subprotocol" => dialer.subprotocol(value()?),
            "--header" => {
                let (name, value) = value()?.split_once(':').ok_or("a header has a colon")?;
                dialer.header(name.trim(), value.trim())
            }
            "--deflate" => {
                let mut deflate = Deflate::default();
                deflate.threshold = 128; // lines are short
                let mut config = Config::default();
                config.deflate = Some(deflate);
                dialer.config(config)
            }
            "--redirects" => {
                let value = value()?;
                dialer.redirects(value.parse().map_err(|_| format!("{value} is no number"))?)
            }
            "--proxy" => {
                let uri = value()?;
                dialer.proxy(Proxy::new(uri).map_err(|error| format!("{uri}: {error}"))?)
            }
            "--trust" => {
                let file = value()?;
                dialer.tls(trusting(file).map_err(|error| format!("{file}: {error}"))?)
            }
            _ if !option.starts_with("--") => {
                return Err(format!("{option}: one URI is wanted, and behind all flags").into());
            }
            _ => return Err(format!("{option} is not known").into()),
        };
    }
    Ok(dialer)
}

fn trusting(file: &str) -> Result<Arc<ClientConfig>, Box<dyn std::error::Error>> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let known = roots.len();
    for certificate in CertificateDer::pem_file_iter(file)? {
        roots.add(certificate?)?;
    }
    if roots.len() == known {
        return Err("there is no certificate in it".into());
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
