//! This crate's clients, over the clients of hyper.

use http::uri::Scheme;
use http::{HeaderValue, Response};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper::ext::Protocol;
use hyper::upgrade::Upgraded;
use hyper_util::rt::{TokioExecutor, TokioIo};
use sotong::handshake::client::{self, Outcome};
use sotong::http::Handshake;
use sotong::tokio::{Parts, WebSocket};
use sotong::{Config, Event};

use super::*;

const WANTED: client::Request<'static> = client::Request {
    host: "example.com",
    target: "/echo",
    origin: Some("https://chat.example"),
    subprotocols: &["loud"],
    headers: &[],
};

/// The version of HTTP that is spoken.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Over {
    Http1,
    Http2,
}

/// Asks; the verdict, and what the stack answered.
async fn ask(
    server: Server,
    over: Over,
    wanted: &client::Request<'_>,
) -> (Outcome, Response<Incoming>) {
    let io = TokioIo::new(server.connect().await);
    let config = Config::default();
    let (handshake, response) = match over {
        Over::Http1 => {
            let (mut sender, connection) = http1::handshake(io).await.unwrap();
            tokio::spawn(connection.with_upgrades());
            let (handshake, request) = Handshake::upgrade(wanted, config).unwrap();
            (handshake, sender.send_request(request).await.unwrap())
        }
        Over::Http2 => {
            let (mut sender, connection) =
                http2::handshake(TokioExecutor::new(), io).await.unwrap();
            tokio::spawn(connection);
            // The server's settings come before any answer of it.
            let page = http::Request::get("https://example.com/").body(String::new()).unwrap();
            assert_eq!(sender.send_request(page).await.unwrap().status(), 200);
            let (handshake, mut request) =
                Handshake::connect(wanted, Scheme::HTTPS, config).unwrap();
            request.extensions_mut().insert(Protocol::from_static("websocket"));
            (handshake, sender.send_request(request).await.unwrap())
        }
    };
    (handshake.receive(&response).unwrap(), response)
}

async fn open(server: Server, over: Over) -> WebSocket<TokioIo<Upgraded>> {
    let (outcome, response) = ask(server, over, &WANTED).await;
    let Outcome::Open(connection, _) = outcome else { panic!("{outcome:?}") };
    let stream = hyper::upgrade::on(response).await.unwrap();
    WebSocket::from_parts(Parts::new(TokioIo::new(stream), connection, b""))
}

#[tokio::test]
async fn clients_talk_to_the_examples_over_both_versions() {
    // More than the windows of HTTP/2 hold at first, which are 64 KiB.
    let long = "긴 말 ".repeat(100_000);
    for server in SERVERS {
        for over in [Over::Http1, Over::Http2] {
            let talk = async {
                let mut ws = open(server, over).await;
                for text in ["hello", &long] {
                    ws.send_text(text).await.unwrap();
                    let expected = match server {
                        Server::Hyper => text.to_owned(),
                        Server::Axum => text.to_uppercase(), // it is `loud`
                    };
                    let reply = ws.recv().await.unwrap();
                    assert!(reply == Some(Event::Text(&expected)), "{server:?} {over:?}");
                }
                ws.close(None).await.unwrap();
            };
            soon(talk).await;
        }
    }
}

#[tokio::test]
async fn the_subprotocol_is_told() {
    for over in [Over::Http1, Over::Http2] {
        for (server, expected) in [(Server::Hyper, None), (Server::Axum, Some("loud"))] {
            let (outcome, response) = soon(ask(server, over, &WANTED)).await;
            let Outcome::Open(_, told) = outcome else { panic!("{outcome:?}") };
            assert_eq!(told.subprotocol(), expected, "{over:?}");
            let field = response.headers().get("sec-websocket-protocol");
            assert_eq!(field, expected.map(HeaderValue::from_static).as_ref());
        }
    }
}

#[tokio::test]
async fn refusals_are_told_over_both_versions() {
    for server in SERVERS {
        for over in [Over::Http1, Over::Http2] {
            let table = [
                (client::Request { origin: Some("https://evil.example"), ..WANTED }, 403),
                (client::Request { target: "/elsewhere", ..WANTED }, 404),
            ];
            for (wanted, expected) in table {
                let (outcome, _) = soon(ask(server, over, &wanted)).await;
                let Outcome::Refused(response) = outcome else { panic!("{outcome:?}") };
                assert_eq!(response.status(), expected, "{server:?} {over:?}");
            }
        }
    }
}
