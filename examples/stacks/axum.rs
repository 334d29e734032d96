//! WebSockets inside axum, over HTTP/1.1 and HTTP/2: `axum [--listen ADDR]
//! [--origins same|any|ORIGIN,...]`.
//!
//! `/echo` sends back what it gets, in capitals if the subprotocol `loud` was agreed on, as it is
//! with `plain` or none. [`Upgrade`] is the extractor, for an application to copy.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use axum::Router;
use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts as Head;
use axum::response::Response;
use axum::routing::{any, get};
use axum::serve::ListenerExt;
use hyper::ext::Protocol;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use sotong::handshake::server;
use sotong::tokio::{Parts, WebSocket};
use sotong::{Config, Event, Origins, Result};

const USAGE: &str = "usage: axum [--listen ADDR] [--origins same|any|ORIGIN,...]";

/// A valid request for a WebSocket, from a page that may connect.
struct Upgrade {
    asked: server::Request,
    stream: OnUpgrade,
    config: Arc<Config>,
    subprotocol: Option<&'static str>,
}

impl<S: Send + Sync> FromRequestParts<S> for Upgrade
where
    Arc<Config>: FromRef<S>,
{
    type Rejection = Response<String>;

    async fn from_request_parts(head: &mut Head, state: &S) -> Result<Self, Response<String>> {
        let config = Arc::<Config>::from_ref(state);
        let protocol = head.extensions.get().map(Protocol::as_str); // of an extended CONNECT
        let asked = server::Request::from_http(&*head, protocol);
        let checked = asked.upgrade().and_then(|()| asked.check_origin(&config.origins));
        checked.map_err(|error| asked.refuse_http(error))?;
        match head.extensions.remove() {
            Some(stream) => Ok(Self { asked, stream, config, subprotocol: None }),
            None => Err(refusal(500)), // not served by hyper, or taken before
        }
    }
}

impl Upgrade {
    /// Chooses the subprotocol that the client wants most of those that are known here.
    fn subprotocols(mut self, known: &[&'static str]) -> Self {
        let known = |offered| known.iter().find(|known| **known == offered);
        self.subprotocol = self.asked.subprotocols().find_map(known).copied();
        self
    }

    /// Answers, and talks once the answer is out.
    fn on_upgrade<F>(self, talk: impl FnOnce(Stream) -> F + Send + 'static) -> Response<String>
    where
        F: Future<Output = Result<()>> + Send,
    {
        let path = self.asked.path().to_owned();
        let response = server::Response { subprotocol: self.subprotocol, headers: &[] };
        match self.asked.accept_http(&response, self.config) {
            Ok((answer, connection)) => {
                tokio::spawn(async move {
                    let Ok(stream) = self.stream.await else { return };
                    let parts = Parts::new(TokioIo::new(stream), connection, b"");
                    if let Err(error) = talk(WebSocket::from_parts(parts)).await {
                        eprintln!("{path}: {error}");
                    }
                });
                answer
            }
            Err(error) => self.asked.refuse_http(error),
        }
    }
}

type Stream = WebSocket<TokioIo<Upgraded>>;

fn refusal(status: u16) -> Response<String> {
    Response::builder().status(status).body(String::new()).expect("a status that is right")
}

async fn echo(upgrade: Upgrade) -> Response<String> {
    let upgrade = upgrade.subprotocols(&["plain", "loud"]);
    let is_loud = upgrade.subprotocol == Some("loud");
    upgrade.on_upgrade(move |mut ws| async move {
        while let Some((event, mut reply)) = ws.recv_reply().await? {
            match event {
                Event::Text(text) if is_loud => reply.feed(&*text.to_uppercase()).await?,
                Event::Text(text) => reply.feed(text).await?,
                Event::Binary(bytes) => reply.feed(bytes).await?,
                Event::Ping(_) | Event::Pong(_) | Event::Close(_) => {}
            }
        }
        Ok(())
    })
}

pub fn app(config: Config) -> Router {
    Router::new()
        .route("/", get(|| async { "talk to /echo\n" }))
        .route("/echo", any(echo)) // GET over HTTP/1.1, CONNECT over HTTP/2
        .with_state(Arc::new(config))
}

#[tokio::main]
async fn main() -> ExitCode {
    if std::env::args().any(|arg| matches!(&*arg, "--help" | "-h")) {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    let (listen, config) = match parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(problem) => {
            eprintln!("{problem}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match run(&listen, config).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

async fn run(listen: &str, config: Config) -> Result<(), Box<dyn std::error::Error>> {
    let listener = tokio::net::TcpListener::bind(listen)
        .await
        .map_err(|error| format!("cannot listen on {listen}: {error}"))?;
    println!("listening on http://{}", listener.local_addr()?);
    std::io::stdout().flush()?;
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    Ok(axum::serve(listener, app(config)).await?)
}

fn parse(mut args: impl Iterator<Item = String>) -> Result<(String, Config), String> {
    let (mut listen, mut config) = ("127.0.0.1:8080".to_owned(), Config::default());
    while let Some(flag) = args.next() {
        let mut value = || args.next().ok_or(format!("{flag} wants a value"));
        match &*flag {
            "--listen" => listen = value()?,
            "--origins" => config.origins = origins(&value()?)?,
            _ => return Err(format!("{flag} is not known")),
        }
    }
    Ok((listen, config))
}

/// Whose pages may connect: `same`, `any`, or those of a list.
fn origins(value: &str) -> Result<Origins, String> {
    match value {
        "same" => Ok(Origins::same()),
        "any" => Ok(Origins::any()),
        list => Origins::list(list.split(',')).map_err(|error| error.to_string()),
    }
}
