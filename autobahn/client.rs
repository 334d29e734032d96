//! Lets the Autobahn suite test our clients: `autobahn_client [--adapter tokio|blocking] URL
//! AGENT`.
//!
//! It asks the suite at URL for the number of cases, echoes every message in each of them, and has
//! the report written.

use std::net::TcpStream;

use sotong::handshake::client::Request;
use sotong::{Config, Deflate, Event, Result, blocking, tokio as asynchronous};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (adapter, url, agent) = match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--adapter", adapter @ ("tokio" | "blocking"), url, agent] => (adapter, url, agent),
        [url, agent] => ("tokio", url, agent),
        _ => return Err("usage: autobahn_client [--adapter tokio|blocking] URL AGENT".into()),
    };
    let host =
        url.strip_prefix("ws://").ok_or("the URL must be ws://HOST:PORT")?.trim_end_matches('/');
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let run = |target: String| match adapter {
        "tokio" => runtime.block_on(echo(host, &target)),
        _ => echo_blocking(host, &target),
    };
    let cases: u32 = run("/getCaseCount".into())?
        .ok_or("the suite did not say how many cases it has")?
        .parse()?;
    for case in 1..=cases {
        // How a case ends is for the suite to judge.
        if let Err(error) = run(format!("/runCase?case={case}&agent={agent}")) {
            println!("case {case}: {error}");
        }
    }
    run(format!("/updateReports?agent={agent}"))?;
    Ok(())
}

/// Echoes until the connection is closed; the last text that came.
async fn echo(host: &str, target: &str) -> Result<Option<String>> {
    let stream = tokio::net::TcpStream::connect(host).await?;
    stream.set_nodelay(true)?;
    let request = Request { host, target, ..Request::default() };
    let (mut ws, _) = asynchronous::connect_over(stream, &request, &config()).await?;
    let mut last = None;
    while let Some((event, mut reply)) = ws.recv_reply().await? {
        match event {
            Event::Text(text) => {
                last = Some(text.to_owned());
                reply.feed(text).await?;
            }
            Event::Binary(bytes) => reply.feed(bytes).await?,
            Event::Ping(_) | Event::Pong(_) | Event::Close(_) => {}
        }
    }
    Ok(last)
}

fn echo_blocking(host: &str, target: &str) -> Result<Option<String>> {
    let stream = TcpStream::connect(host)?;
    let request = Request { host, target, ..Request::default() };
    let (mut ws, _) = blocking::connect_over(stream, &request, config())?;
    let mut last = None;
    while let Some((event, mut reply)) = ws.recv_reply()? {
        match event {
            Event::Text(text) => {
                last = Some(text.to_owned());
                reply.feed(text)?;
            }
            Event::Binary(bytes) => reply.feed(bytes)?,
            Event::Ping(_) | Event::Pong(_) | Event::Close(_) => {}
        }
    }
    Ok(last)
}

/// Groups 9.1 and 9.2 send messages of 16 MiB, groups 12 and 13 compressed ones.
fn config() -> Config {
    let mut config = Config::default();
    let mut deflate = Deflate::default();
    deflate.level = 1;
    (deflate.context_takeover, deflate.peer_context_takeover) = (true, true);
    config.deflate = Some(deflate);
    (config.limits.message, config.limits.frame) = (16 << 20, 16 << 20);
    config
}
