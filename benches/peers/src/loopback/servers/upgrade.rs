//! The opening handshake through hyper, for the crates that leave it to an HTTP server.

use std::convert::Infallible;

use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::{OnUpgrade, Parts};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use super::Failure;

/// What a crate answers to a request.
pub type Answer = Result<Response<Empty<Bytes>>, Failure>;

/// Lets the crate answer the request, and gives the bare stream back, which is faster than hyper's
/// own around it.
pub async fn upgrade(
    stream: TcpStream,
    respond: fn(Request<Incoming>) -> Answer,
) -> Result<TcpStream, Failure> {
    let (tell, upgraded) = oneshot::channel();
    let tell = std::sync::Mutex::new(Some(tell));
    let service = service_fn(|request: Request<Incoming>| {
        let pending = request.extensions().get::<OnUpgrade>().cloned();
        let response = respond(request);
        if let Some(tell) = tell.lock().expect("nobody panics with it").take() {
            _ = tell.send(pending);
        }
        async { Ok::<_, Infallible>(response.unwrap_or_else(|_| refusal())) }
    });
    http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades().await?;
    let upgraded = upgraded.await?.ok_or("hyper has nothing to upgrade")?.await?;
    let Parts { io, read_buf, .. } =
        upgraded.downcast::<TokioIo<TcpStream>>().map_err(|_| "hyper has another stream")?;
    if !read_buf.is_empty() {
        return Err("frames before the 101".into()); // the generator sends none
    }
    Ok(io.into_inner())
}

fn refusal() -> Response<Empty<Bytes>> {
    let mut response = Response::new(Empty::new());
    *response.status_mut() = hyper::StatusCode::BAD_REQUEST;
    response
}
