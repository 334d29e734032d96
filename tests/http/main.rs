//! WebSockets of HTTP stacks: the rules over HTTP/1.1 and HTTP/2. Over real connections of such
//! stacks they are tested where those are, in `examples/stacks`.
#![cfg(feature = "http")]

mod asked;
mod asking;

use http::{Request, Version};
use sotong::handshake::server;

/// A request that is accepted over this version of HTTP, and what `:protocol` says in it.
fn valid(version: Version) -> (Request<()>, Option<&'static str>) {
    let request = Request::builder().version(version).header("Sec-WebSocket-Version", "13");
    match version {
        Version::HTTP_2 | Version::HTTP_3 => {
            let request = request.method("CONNECT").uri("https://example.com/chat?room=1");
            (request.body(()).unwrap(), Some("websocket"))
        }
        _ => {
            let request = request
                .uri("/chat?room=1")
                .header("Host", "example.com")
                .header("Upgrade", "websocket")
                .header("Connection", "keep-alive, Upgrade")
                .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
            (request.body(()).unwrap(), None)
        }
    }
}

/// The versions over which a WebSocket is asked for, in both ways.
const VERSIONS: [Version; 3] = [Version::HTTP_11, Version::HTTP_2, Version::HTTP_3];

/// What a server sees of a valid request after a change.
fn changed(version: Version, change: impl FnOnce(&mut Request<()>)) -> server::Request {
    let (mut request, protocol) = valid(version);
    change(&mut request);
    server::Request::from_http(&request, protocol)
}

/// Puts fields in place of those of that name.
fn set(request: &mut Request<()>, name: &'static str, values: &[&str]) {
    request.headers_mut().remove(name);
    for value in values {
        let value = http::HeaderValue::from_bytes(value.as_bytes()).unwrap();
        request.headers_mut().append(name, value);
    }
}
