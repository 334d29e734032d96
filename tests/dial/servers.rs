//! Servers to be dialed, each on a thread of its own that ends with the test.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use sotong::blocking::{Stream, Upgrade};
use sotong::handshake::server::Response;
use sotong::{Config, Event, Origins};

/// Runs `serve` with every connection that comes, on a thread for each.
pub fn listen(serve: impl Fn(TcpStream) + Clone + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let serve = serve.clone();
            thread::spawn(move || serve(stream.unwrap()));
        }
    });
    address
}

/// An echo server, and the requests that it gets, as their lines.
pub fn echo() -> (SocketAddr, Receiver<Vec<String>>) {
    let (tell, told) = channel();
    (listen(move |stream| serve_echo(stream, &tell)), told)
}

pub fn serve_echo(stream: impl Stream, tell: &Sender<Vec<String>>) {
    let mut config = Config::default();
    config.origins = Origins::any();
    let Ok(upgrade) = Upgrade::receive(stream, config) else { return };
    let request = upgrade.request();
    let headers = request.headers().iter();
    let headers = headers.map(|(name, value)| format!("{name}: {}", value.escape_ascii()));
    let lines = [format!("GET {}", request.target())].into_iter().chain(headers).collect();
    let wanted = request.subprotocols().next().map(str::to_owned);
    tell.send(lines).ok();
    let response = Response { subprotocol: wanted.as_deref(), ..Response::default() };
    let Ok(mut ws) = upgrade.accept(&response) else { return };
    while let Ok(Some((event, mut reply))) = ws.recv_reply() {
        if let Event::Text(text) = event {
            reply.feed(text).unwrap();
        }
    }
}

/// A server that gives this answer to every head.
pub fn answering(answer: impl Into<String>) -> SocketAddr {
    let answer = answer.into();
    listen(move |mut stream| {
        read_head(&mut stream);
        stream.write_all(answer.as_bytes()).ok();
        io::copy(&mut stream, &mut io::sink()).ok();
    })
}

/// A server that takes connections and says nothing.
pub fn silent() -> SocketAddr {
    listen(|mut stream| {
        io::copy(&mut stream, &mut io::sink()).ok();
    })
}

/// The lines of a head.
pub fn read_head(stream: &mut TcpStream) -> Vec<String> {
    let (mut head, mut byte) = (vec![], [0]);
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).unwrap_or(0) == 0 {
            break;
        }
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap().trim_end().split("\r\n").map(str::to_owned).collect()
}

/// Copies both ways until both ends have ended.
pub fn splice(one: TcpStream, other: TcpStream) {
    let (mut from, mut to) = (one.try_clone().unwrap(), other.try_clone().unwrap());
    let back = thread::spawn(move || pour(other, one));
    io::copy(&mut from, &mut to).ok();
    to.shutdown(std::net::Shutdown::Write).ok();
    back.join().unwrap();
}

fn pour(mut from: TcpStream, mut to: TcpStream) {
    io::copy(&mut from, &mut to).ok();
    to.shutdown(std::net::Shutdown::Write).ok();
}
