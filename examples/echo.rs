//! An echo server: `echo [--listen ADDR] [--adapter tokio|blocking] [--max-message BYTES]
//! [--origins same|any|ORIGIN,...] [--deflate]`.
//!
//! Pages of other sites are refused unless `--origins` names them, as `https://chat.example`;
//! programs that are no browsers are not. Says `listening on ADDR` when it is ready. Replies are
//! fed, not sent: those to all messages that came with one read leave with one write.

use std::io::Write;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use sotong::{Config, Deflate, Event, Origins, Result, blocking, tokio as asynchronous};

const USAGE: &str = "usage: echo [--listen ADDR] [--adapter tokio|blocking] [--max-message BYTES] \
                     [--origins same|any|ORIGIN,...] [--deflate]";

struct Options {
    listen: String,
    blocking: bool,
    config: Config,
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
    let served = if options.blocking { serve_blocking(options) } else { serve(options) };
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn serve(options: Options) -> Result<(), Box<dyn std::error::Error>> {
    let listener = tokio::net::TcpListener::bind(&options.listen)
        .await
        .map_err(|error| format!("cannot listen on {}: {error}", options.listen))?;
    ready(listener.local_addr()?)?;
    let config = Arc::new(options.config);
    loop {
        let Ok((stream, peer)) = listener.accept().await else {
            // Out of descriptors, most likely; connections that end give some back.
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            continue;
        };
        let config = Arc::clone(&config);
        tokio::spawn(async move {
            if let Err(error) = echo(stream, config).await {
                eprintln!("{peer}: {error}");
            }
        });
    }
}

async fn echo(stream: tokio::net::TcpStream, config: Arc<Config>) -> Result<()> {
    stream.set_nodelay(true)?;
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

fn serve_blocking(options: Options) -> Result<(), Box<dyn std::error::Error>> {
    let listener = std::net::TcpListener::bind(&options.listen)
        .map_err(|error| format!("cannot listen on {}: {error}", options.listen))?;
    ready(listener.local_addr()?)?;
    let config = Arc::new(options.config);
    loop {
        let Ok((stream, peer)) = listener.accept() else {
            std::thread::sleep(std::time::Duration::from_millis(50));
            continue;
        };
        let config = Arc::clone(&config);
        std::thread::spawn(move || {
            if let Err(error) = echo_blocking(stream, config) {
                eprintln!("{peer}: {error}");
            }
        });
    }
}

fn echo_blocking(stream: std::net::TcpStream, config: Arc<Config>) -> Result<()> {
    let mut ws = blocking::accept(stream, config)?;
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
    let mut config = Config::default();
    // An echo server is there to be tried out with anything.
    (config.limits.message, config.limits.frame) = (16 << 20, 16 << 20);
    let mut options = Options { listen: "127.0.0.1:9001".into(), blocking: false, config };
    while let Some(flag) = args.next() {
        let mut value = || args.next().ok_or(format!("{flag} wants a value"));
        match &*flag {
            "--listen" => options.listen = value()?,
            "--adapter" => {
                options.blocking = match &*value()? {
                    "tokio" => false,
                    "blocking" => true,
                    other => return Err(format!("{other} is no adapter")),
                }
            }
            "--origins" => options.config.origins = origins(&value()?)?,
            "--max-message" => {
                let value = value()?;
                let bytes = value.parse().map_err(|_| format!("{value} is no number of bytes"))?;
                options.config.limits.message = bytes;
                options.config.limits.frame = bytes;
            }
            "--deflate" => {
                let mut deflate = Deflate::default();
                deflate.level = 1; // what is sent back at once is to be sent back fast
                (deflate.context_takeover, deflate.peer_context_takeover) = (true, true);
                deflate.threshold = 128; // with context short messages gain too
                options.config.deflate = Some(deflate);
            }
            _ => return Err(format!("{flag} is not known")),
        }
    }
    Ok(options)
}

/// Whose pages may connect: `same`, `any`, or those of a list.
fn origins(value: &str) -> Result<Origins, String> {
    match value {
        "same" => Ok(Origins::same()),
        "any" => Ok(Origins::any()),
        list => Origins::list(list.split(',')).map_err(|error| error.to_string()),
    }
}
