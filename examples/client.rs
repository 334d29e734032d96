//! A WebSocket client for the terminal: `client [--subprotocol NAME]... [--header 'NAME: VALUE']...
//! [--deflate] ws://HOST[:PORT][/PATH]`.
//!
//! Each line of standard input goes out as a text message, each message that comes is printed as a
//! line. At the end of the input the connection is closed once nothing has come for a while; the
//! close code is shown on standard error.

use std::process::ExitCode;
use std::time::Duration;

use sotong::handshake::client::Request;
use sotong::{CloseCode, CloseFrame, Config, Deflate, Error, Event};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;

const USAGE: &str = "usage: client [--subprotocol NAME]... [--header 'NAME: VALUE']... [--deflate] \
                     ws://HOST[:PORT][/PATH]";

/// How long to wait for answers behind the end of the input.
const QUIET: Duration = Duration::from_millis(500);

struct Options {
    host: String,
    target: String,
    subprotocols: Vec<String>,
    headers: Vec<(String, String)>,
    config: Config,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let options = match parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(problem) => {
            eprintln!("{problem}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match talk(&options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(Error::Refused(response)) => {
            eprintln!("refused with status {}", response.status());
            eprintln!("{}", String::from_utf8_lossy(response.body()));
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn talk(options: &Options) -> sotong::Result<()> {
    let stream = TcpStream::connect(with_port(&options.host)).await?;
    stream.set_nodelay(true)?;
    let subprotocols: Vec<&str> = options.subprotocols.iter().map(String::as_str).collect();
    let headers: Vec<(&str, &str)> =
        options.headers.iter().map(|(name, value)| (&**name, &**value)).collect();
    let request = Request {
        host: &options.host,
        target: &options.target,
        subprotocols: &subprotocols,
        headers: &headers,
        ..Request::default()
    };
    let (mut ws, response) = sotong::tokio::connect_over(stream, &request, &options.config).await?;
    let subprotocol = response.subprotocol().map(|name| format!(", subprotocol {name}"));
    let compression = if ws.agreed().deflate.is_some() { ", compression" } else { "" };
    eprintln!("connected{}{compression}", subprotocol.unwrap_or_default());

    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let mut at_end = false;
    // `recv` and `next_line` lose nothing when the other one is ready first.
    loop {
        tokio::select! {
            event = ws.recv() => match event? {
                Some(event) => show(&event),
                None => return Ok(()),
            },
            line = lines.next_line(), if !at_end => match line? {
                Some(line) => ws.send_text(&line).await?,
                None => at_end = true,
            },
            () = tokio::time::sleep(QUIET), if at_end => {
                match ws.send_close(Some(CloseCode::NORMAL.into())).await {
                    Ok(()) | Err(Error::Send(_)) => {}
                    Err(error) => return Err(error),
                }
            }
        }
    }
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

fn with_port(host: &str) -> String {
    // A colon within brackets belongs to an IPv6 address.
    match host.rsplit_once(':') {
        Some((_, port)) if !port.contains(']') => host.to_owned(),
        _ => format!("{host}:80"),
    }
}

fn parse(mut args: impl Iterator<Item = String>) -> Result<Options, String> {
    let (mut subprotocols, mut headers, mut url) = (vec![], vec![], None);
    let mut config = Config::default();
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or(format!("{arg} wants a value"));
        match &*arg {
            "--subprotocol" => subprotocols.push(value()?),
            "--header" => {
                let header = value()?;
                let (name, value) =
                    header.split_once(':').ok_or(format!("{header} has no colon"))?;
                headers.push((name.trim().to_owned(), value.trim().to_owned()));
            }
            "--deflate" => {
                let mut deflate = Deflate::default();
                deflate.threshold = 128; // lines are short
                config.deflate = Some(deflate);
            }
            _ if arg.starts_with("--") => return Err(format!("{arg} is not known")),
            _ => url = Some(arg),
        }
    }
    let url = url.ok_or("which server?")?;
    let rest = url.strip_prefix("ws://").ok_or("the URL must begin with ws://")?;
    let start = rest.find(['/', '?']).unwrap_or(rest.len());
    let (host, target) = rest.split_at(start);
    let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
    Ok(Options { host: host.to_owned(), target, subprotocols, headers, config })
}
