//! A server that ends its connections in the way that the path asks for.

use std::io::{ErrorKind, Read};
use std::net::TcpStream;
use std::sync::Arc;

use sotong::handshake::server::Response;
use sotong::{Config, Event, Result};
use sotong::{blocking, tokio as asynchronous};

/// More than what lies between two sockets whose buffers are small.
const FLOOD: usize = 400_000;

/// Serves one connection over the blocking adapter.
pub fn serve(stream: TcpStream, config: &Arc<Config>) -> Result<()> {
    let upgrade = blocking::Upgrade::receive(stream, Arc::clone(config))?;
    let path = upgrade.request().path().to_owned();
    match &*path {
        "/refuse" => return upgrade.reject(403, &[], b"no\n"),
        "/mute" => return wait_for_the_end(upgrade.stream()),
        _ => {}
    }
    let mut ws = upgrade.accept(&Response::default())?;
    match &*path {
        "/close" => return ws.close(None),
        "/drop" => return ws.recv().map(|_| ()),
        "/flood" => ws.send_binary(&vec![0; FLOOD])?,
        _ => {}
    }
    while let Some((event, mut reply)) = ws.recv_reply()? {
        match event {
            Event::Text(text) => reply.feed(text)?,
            Event::Binary(bytes) => reply.feed(bytes)?,
            _ => {}
        }
    }
    Ok(())
}

/// As [`serve`], over the tokio adapter.
pub async fn serve_async(stream: tokio::net::TcpStream, config: Arc<Config>) -> Result<()> {
    let upgrade = asynchronous::Upgrade::receive(stream, config).await?;
    let path = upgrade.request().path().to_owned();
    match &*path {
        "/refuse" => return upgrade.reject(403, &[], b"no\n").await,
        "/mute" => {
            while upgrade.stream().try_read(&mut [0; 64]).is_err() {
                upgrade.stream().readable().await?;
            }
            return Ok(());
        }
        _ => {}
    }
    let mut ws = upgrade.accept(&Response::default()).await?;
    match &*path {
        "/close" => return ws.close(None).await,
        "/drop" => return ws.recv().await.map(|_| ()),
        "/flood" => ws.send_binary(&vec![0; FLOOD]).await?,
        _ => {}
    }
    while let Some((event, mut reply)) = ws.recv_reply().await? {
        match event {
            Event::Text(text) => reply.feed(text).await?,
            Event::Binary(bytes) => reply.feed(bytes).await?,
            _ => {}
        }
    }
    Ok(())
}

fn wait_for_the_end(mut stream: &TcpStream) -> Result<()> {
    loop {
        match stream.read(&mut [0; 64]) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            end => return Ok(end.map(|_| ())?),
        }
    }
}
