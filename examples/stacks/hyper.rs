//! WebSockets inside hyper, over HTTP/1.1 and HTTP/2: `hyper [--listen ADDR]
//! [--origins same|any|ORIGIN,...] [--certificate FILE]`.
//!
//! `/` is a page that talks to `/echo`, which sends back what it gets. Pages of other sites are
//! refused unless `--origins` names them, as `https://chat.example`.
//!
//! Browsers speak HTTP/2 over TLS alone: with `--certificate` the server makes itself a certificate
//! for `localhost`, good for as long as it runs, and writes it to the file for clients to trust.

use std::convert::Infallible;
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use hyper::body::Incoming;
use hyper::ext::Protocol;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use sotong::handshake::server;
use sotong::tokio::{Parts, WebSocket};
use sotong::{Config, Connection, Event, Origins};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;

type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

const USAGE: &str =
    "usage: hyper [--listen ADDR] [--origins same|any|ORIGIN,...] [--certificate FILE]";

/// Answers a request, with an echo behind the answer if it is for one.
async fn answer(mut request: Request<Incoming>, config: Arc<Config>) -> Response<String> {
    println!("{:?} {} {}", request.version(), request.method(), request.uri().path());
    match request.uri().path() {
        "/echo" => {}
        "/" => return page(200, PAGE),
        _ => return page(404, "<!doctype html><p>there is / and /echo\n"),
    }
    let protocol = request.extensions().get().map(Protocol::as_str); // of an extended CONNECT
    let asked = server::Request::from_http(&request, protocol);
    match asked.accept_http(&server::Response::default(), config) {
        Ok((answer, connection)) => {
            let stream = hyper::upgrade::on(&mut request);
            tokio::spawn(async move {
                if let Err(error) = echo(stream, connection).await {
                    eprintln!("/echo: {error}");
                }
            });
            answer
        }
        Err(error) => asked.refuse_http(error),
    }
}

/// Begins once the answer is out and the stream is ours.
async fn echo(stream: OnUpgrade, connection: Connection) -> Result<()> {
    // What the client sent without waiting comes first from it, so nothing is left over.
    let stream = TokioIo::new(stream.await?);
    let mut ws = WebSocket::from_parts(Parts::new(stream, connection, b""));
    while let Some((event, mut reply)) = ws.recv_reply().await? {
        match event {
            Event::Text(text) => reply.feed(text).await?,
            Event::Binary(bytes) => reply.feed(bytes).await?,
            Event::Ping(_) | Event::Pong(_) | Event::Close(_) => {}
        }
    }
    Ok(())
}

/// Serves the requests of one connection, whichever version it speaks.
pub async fn serve<S>(stream: S, config: Arc<Config>) -> Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut http = auto::Builder::new(TokioExecutor::new());
    // A head that does not end is waited for as long as one of ours.
    http.http1().timer(TokioTimer::new()).header_read_timeout(config.timeouts.handshake);
    http.http2().timer(TokioTimer::new()).enable_connect_protocol();
    let service = service_fn(move |request| {
        let config = Arc::clone(&config);
        async move { Ok::<_, Infallible>(answer(request, config).await) }
    });
    http.serve_connection_with_upgrades(TokioIo::new(stream), service).await
}

#[tokio::main]
async fn main() -> ExitCode {
    if std::env::args().any(|arg| matches!(&*arg, "--help" | "-h")) {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    let options = match parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(problem) => {
            eprintln!("{problem}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match run(options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: Options) -> Result<()> {
    let listener = tokio::net::TcpListener::bind(&options.listen)
        .await
        .map_err(|error| format!("cannot listen on {}: {error}", options.listen))?;
    let tls = options.certificate.map(|file| throw_away_certificate(&file)).transpose()?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    println!("listening on {scheme}://{}", listener.local_addr()?);
    std::io::stdout().flush()?;
    let config = Arc::new(options.config);
    loop {
        let Ok((stream, peer)) = listener.accept().await else {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await; // out of descriptors
            continue;
        };
        let (tls, config) = (tls.clone(), Arc::clone(&config));
        tokio::spawn(async move {
            let served = async {
                stream.set_nodelay(true)?;
                let Some(tls) = tls else { return serve(stream, config).await };
                // A client that says nothing has no longer for TLS than for the opening handshake.
                let patience = config.timeouts.handshake.ok_or("no patience")?;
                let stream = tokio::time::timeout(patience, tls.accept(stream)).await??;
                serve(stream, config).await
            };
            if let Err(error) = served.await {
                eprintln!("{peer}: {error}");
            }
        });
    }
}

/// Settings of a server that is `localhost`; the certificate goes to the file.
fn throw_away_certificate(file: &str) -> Result<TlsAcceptor> {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".into()])?;
    std::fs::write(file, cert.pem()).map_err(|error| format!("{file}: {error}"))?;
    let key = PrivateKeyDer::Pkcs8(signing_key.serialize_der().into());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

struct Options {
    listen: String,
    config: Config,
    certificate: Option<String>,
}

fn parse(mut args: impl Iterator<Item = String>) -> Result<Options, String> {
    let listen = "127.0.0.1:8080".into();
    let mut options = Options { listen, config: Config::default(), certificate: None };
    while let Some(flag) = args.next() {
        let mut value = || args.next().ok_or(format!("{flag} wants a value"));
        match &*flag {
            "--listen" => options.listen = value()?,
            "--certificate" => options.certificate = Some(value()?),
            "--origins" => options.config.origins = origins(&value()?)?,
            _ => return Err(format!("{flag} is not known")),
        }
    }
    Ok(options)
}

/// Whose pages may connect: `same`, `any`, or those of a list.
fn origins(value: &str) -> Result<Origins, String> {
    match value {
        "same" => Ok(Origins::same()),
        "any" => Ok(Origins::any()),
        list => Origins::list(list.split(',')).map_err(|error| error.to_string()),
    }
}

fn page(status: u16, text: &str) -> Response<String> {
    let page =
        Response::builder().status(status).header("Content-Type", "text/html; charset=utf-8");
    page.body(text.into()).expect("a status and a field that are right")
}

const PAGE: &str = "<!doctype html><title>echo</title><pre></pre><script>
const ws = new WebSocket(location.href.replace('http', 'ws') + 'echo');
const log = line => document.querySelector('pre').append(line + '\\n');
ws.onopen = () => ws.send('안녕');
ws.onmessage = message => { log(`echo: ${message.data}`); ws.close(1000); };
ws.onclose = event => log(`closed: ${event.code}, ${event.wasClean}`);
</script>
";
