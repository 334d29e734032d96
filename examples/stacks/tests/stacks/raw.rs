//! Clients that know nothing of this crate: bytes over HTTP/1.1, `h2` over HTTP/2.

use bytes::Bytes;
use h2::client::SendRequest;
use h2::ext::Protocol;
use http::{Request, Response};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

const HEAD: &str = "GET /echo HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";

/// "Hello" (section 5.7), a ping and a Close with 1000, masked with zeros but for the first.
const FRAMES: &[u8] =
    b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58\x89\x81\0\0\0\0!\x88\x82\0\0\0\0\x03\xe8";

/// What comes back for them.
const REPLIES: &[u8] = b"\x81\x05Hello\x8a\x01!\x88\x02\x03\xe8";

/// Writes all at once; the head that comes back, and what is behind it up to the end.
async fn ask(server: Server, more: &str, frames: &[u8]) -> (String, Vec<u8>) {
    let mut io = server.connect().await;
    io.write_all(&[HEAD.as_bytes(), more.as_bytes(), b"\r\n", frames].concat()).await.unwrap();
    let mut answer = vec![];
    if frames.is_empty() {
        io.shutdown().await.unwrap();
    }
    io.read_to_end(&mut answer).await.unwrap();
    let end = answer.windows(4).position(|end| end == b"\r\n\r\n").expect("a head") + 4;
    (String::from_utf8(answer[..end].to_vec()).unwrap(), answer[end..].to_vec())
}

#[tokio::test]
async fn frames_that_come_with_the_request_are_answered_behind_the_101() {
    for server in SERVERS {
        let (head, behind) = soon(ask(server, "", FRAMES)).await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{server:?} {head}");
        assert!(
            head.contains("\r\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"),
            "{head}"
        );
        assert_eq!(behind, REPLIES, "{server:?}");
    }
}

#[tokio::test]
async fn pages_of_other_sites_are_refused_over_http_1() {
    for server in SERVERS {
        for (origin, status) in [
            ("https://chat.example", 101),
            ("https://example.com", 403),
            ("https://chat.example.evil.example", 403),
        ] {
            let (head, _) = soon(ask(server, &format!("Origin: {origin}\r\n"), b"")).await;
            assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{server:?} {head}");
        }
    }
}

#[tokio::test]
async fn the_extractor_chooses_a_subprotocol() {
    let hello = |reply: &[u8]| reply.starts_with(b"\x81\x05Hello");
    let loud = |reply: &[u8]| reply.starts_with(b"\x81\x05HELLO");
    for (offered, chosen, is_right) in [
        ("plain, loud", Some("plain"), &hello as &dyn Fn(&[u8]) -> bool),
        ("x, loud, plain", Some("loud"), &loud),
        ("LOUD", None, &hello),
    ] {
        let more = format!("Sec-WebSocket-Protocol: {offered}\r\n");
        let (head, behind) = soon(ask(Server::Axum, &more, FRAMES)).await;
        let says = head.lines().find_map(|line| line.strip_prefix("sec-websocket-protocol: "));
        assert_eq!(says, chosen, "{head}");
        assert!(is_right(&behind), "{offered}: {}", behind.escape_ascii());
    }
}

#[tokio::test]
async fn what_is_no_request_for_a_websocket_is_told_so() {
    for server in SERVERS {
        let mut io = server.connect().await;
        let plain = b"GET /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        io.write_all(plain).await.unwrap();
        let mut answer = String::new();
        soon(io.read_to_string(&mut answer)).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 426 "), "{server:?} {answer}");
        assert!(answer.contains("\r\nupgrade: websocket\r\n"), "{answer}");
        assert!(answer.contains("\r\nsec-websocket-version: 13\r\n"), "{answer}");
    }
}

/// A connection of HTTP/2 whose server knows the extended CONNECT.
async fn connect_h2(server: Server) -> SendRequest<Bytes> {
    let (sender, connection) = h2::client::handshake(server.connect().await).await.unwrap();
    tokio::spawn(async move { drop(connection.await) });
    let mut sender = sender.ready().await.unwrap();
    while !sender.is_extended_connect_protocol_enabled() {
        tokio::task::yield_now().await; // its settings come soon
        sender = sender.ready().await.unwrap();
    }
    sender
}

/// An extended CONNECT for this protocol.
fn connect(protocol: &'static str) -> http::request::Builder {
    let request = Request::connect("https://example.com/echo").version(http::Version::HTTP_2);
    request.extension(Protocol::from_static(protocol)).header("sec-websocket-version", "13")
}

/// Asks, and sends frames without waiting; the answer, and what comes behind it up to the end.
async fn ask_h2(
    sender: &mut SendRequest<Bytes>,
    request: Request<()>,
    frames: &'static [u8],
) -> (Response<()>, Vec<u8>) {
    let (answer, mut body) = sender.send_request(request, false).unwrap();
    body.send_data(Bytes::from_static(frames), frames.is_empty()).unwrap();
    let (head, mut body) = answer.await.unwrap().into_parts();
    let mut behind = vec![];
    while let Some(piece) = body.data().await {
        behind.extend_from_slice(&piece.unwrap());
    }
    (Response::from_parts(head, ()), behind)
}

#[tokio::test]
async fn a_stream_of_http_2_is_a_websocket_beside_other_requests() {
    for server in SERVERS {
        let talk = async {
            let mut sender = connect_h2(server).await;
            for _ in 0..2 {
                let request = connect("websocket").body(()).unwrap();
                let (answer, behind) = ask_h2(&mut sender, request, FRAMES).await;
                assert_eq!(answer.status(), 200, "{server:?}");
                assert!(!answer.headers().contains_key("sec-websocket-accept"), "{answer:?}");
                assert_eq!(behind, REPLIES, "{server:?}");
            }
            let page = Request::get("https://example.com/").body(()).unwrap();
            let (answer, page) = ask_h2(&mut sender, page, b"").await;
            assert_eq!((answer.status().as_u16(), page.is_empty()), (200, false));
        };
        soon(talk).await;
    }
}

#[tokio::test]
async fn a_connect_that_is_not_allowed_is_refused() {
    for server in SERVERS {
        let talk = async {
            let mut sender = connect_h2(server).await;
            let table = [
                (connect("websocket").header("origin", "https://chat.example"), 200),
                (connect("websocket").header("origin", "https://example.com"), 403),
                (connect("websocket").header("origin", "null"), 403),
                (connect("connect-udp"), 501),
                (connect("websocket").header("sec-websocket-version", "8"), 400),
                (Request::get("https://example.com/echo"), 405),
            ];
            for (request, status) in table {
                let request = request.body(()).unwrap();
                let (answer, behind) = ask_h2(&mut sender, request, b"").await;
                assert_eq!(answer.status(), status, "{server:?} {answer:?}");
                assert_eq!(behind.is_empty(), status == 200, "a refusal says why");
            }
        };
        soon(talk).await;
    }
}
