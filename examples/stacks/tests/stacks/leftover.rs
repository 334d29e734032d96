//! Bytes that came behind a head and that the HTTP stack has read: none may be lost.

use std::convert::Infallible;

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::upgrade::on;
use hyper_util::rt::TokioIo;
use sotong::handshake::server;
use sotong::tokio::{Parts, WebSocket};
use sotong::{Agreed, Connection, Event};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::mpsc;

use super::*;

/// A masked frame of text.
fn frame(text: &str) -> Vec<u8> {
    let len = u16::try_from(text.len()).unwrap();
    let header = match len {
        ..126 => vec![0x81, 0x80 | len as u8],
        _ => [&[0x81, 0xfe][..], &len.to_be_bytes()].concat(),
    };
    [header, vec![0; 4], text.into()].concat()
}

/// How the stream of a server that was asked is taken over.
#[derive(Clone, Copy, Debug)]
enum Taken {
    AsItIs,
    Apart,
}

/// What a server gets that takes its stream over, and how much of it was left over.
async fn received(taken: Taken, bytes: Vec<u8>) -> (Vec<String>, usize) {
    let (mut near, far) = tokio::io::duplex(1 << 20);
    near.write_all(&bytes).await.unwrap();
    near.shutdown().await.unwrap();
    let (tell, mut told) = mpsc::channel(1);
    let service = service_fn(move |mut request: http::Request<Incoming>| {
        let asked = server::Request::from_http(&request, None);
        let accepted = asked.accept_http(&server::Response::default(), Config::default());
        let (answer, connection) = accepted.unwrap();
        let (stream, tell) = (on(&mut request), tell.clone());
        tokio::spawn(async move {
            let stream = stream.await.unwrap();
            let told = match taken {
                Taken::AsItIs => {
                    let parts = Parts::new(TokioIo::new(stream), connection, b"");
                    (texts(WebSocket::from_parts(parts)).await, 0)
                }
                Taken::Apart => {
                    let parts = stream.downcast::<TokioIo<DuplexStream>>().unwrap();
                    let (io, leftover) = (parts.io.into_inner(), parts.read_buf);
                    let ws = WebSocket::from_parts(Parts::new(io, connection, &leftover));
                    (texts(ws).await, leftover.len())
                }
            };
            tell.send(told).await.unwrap();
        });
        async { Ok::<_, Infallible>(answer) }
    });
    let http = hyper::server::conn::http1::Builder::new();
    http.serve_connection(TokioIo::new(far), service).with_upgrades().await.unwrap();
    let told = told.recv().await.unwrap();
    let mut answer = vec![];
    near.read_to_end(&mut answer).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 101 "));
    told
}

/// All text that comes.
async fn texts<S>(mut ws: WebSocket<S>) -> Vec<String>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let mut texts = vec![];
    while let Ok(Some(event)) = ws.recv().await {
        if let Event::Text(text) = event {
            texts.push(text.to_owned());
        }
    }
    texts
}

const HEAD: &[u8] =
    b"GET /chat HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

#[tokio::test]
async fn what_a_client_sends_without_waiting_is_received_in_order() {
    let long = "x".repeat(60_000);
    for taken in [Taken::AsItIs, Taken::Apart] {
        for said in [vec!["a"], vec!["a", "b", "c"], vec![&long, "a", &long, &long, "b"]] {
            let frames: Vec<u8> = said.iter().flat_map(|text| frame(text)).collect();
            let (texts, leftover) = soon(received(taken, [HEAD, &frames].concat())).await;
            assert!(texts == said, "{taken:?} {} of {}", texts.len(), said.len());
            if matches!(taken, Taken::Apart) {
                assert!(leftover > 0 && leftover <= frames.len(), "{leftover}");
            }
        }
    }
}

#[test]
fn leftovers_of_any_size_are_held_and_read_with_what_comes_later() {
    let mut config = Config::default();
    config.limits.receive_buffer = 512;
    let said: Vec<String> = (0..40).map(|i| format!("{i}").repeat(i * i)).collect();
    let bytes: Vec<u8> = said.iter().flat_map(|text| frame(text)).collect();
    for cut in [0, 1, 2, 7, 511, 512, 513, 1000, bytes.len() / 2, bytes.len() - 1, bytes.len()] {
        let (leftover, mut later) = bytes.split_at(cut);
        let connection = Connection::server(&config, Agreed::default());
        let Parts { mut connection, mut rx, .. } = Parts::new((), connection, leftover);
        assert_eq!((rx.unparsed(), rx.received()), (leftover, cut as u64));
        let mut texts = vec![];
        loop {
            while let Some(event) = connection.next_event(&mut rx).unwrap() {
                let Event::Text(text) = event else { panic!("{event:?}") };
                texts.push(text.to_owned());
            }
            if later.is_empty() {
                break;
            }
            let taken = rx.extend(&later[..later.len().min(100)]);
            assert!(taken > 0, "there is room once all was looked at");
            later = &later[taken..];
        }
        assert!(texts == said, "{cut}");
        rx.shrink();
        assert!(rx.held() <= 512 + 64 + 16 * 1024, "{}: what was held is given back", rx.held());
    }
}
