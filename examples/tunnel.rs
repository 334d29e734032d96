//! TCP through a WebSocket.
//!
//! * `tunnel server --to ADDR [--listen ADDR]`: WebSockets come in, TCP goes out.
//! * `tunnel client --to URI [--listen ADDR]`: TCP comes in, WebSockets go out.
//! * `tunnel try [--mib N]`: sends 1 GiB, or so much, through both of them to an echo and back, and
//!   tells how long that took and the most memory it needed.
//!
//! Says `listening on ADDR` when it is ready. A WebSocket cannot end one direction alone: when one
//! end of a connection stops sending, the other gets all that was sent, but may answer no more.

use std::io::Write;
use std::net::ToSocketAddrs;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sotong::Config;
use sotong::dial::Dialer;
use sotong::handshake::server::Response;
use sotong::tokio::{Upgrade, WebSocket, connect};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::io::{copy, copy_bidirectional_with_sizes, sink};
use tokio::net::{TcpListener, TcpStream};

type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

const USAGE: &str = "usage: tunnel server --to ADDR [--listen ADDR]
       tunnel client --to URI [--listen ADDR]
       tunnel try [--mib N]";

/// What is read at a time, in bytes.
const READ: usize = 64 * 1024;

enum Task {
    Serve { listen: String, to: To },
    Try { mib: u32 },
}

#[derive(Clone)]
enum To {
    Server(String),
    Client(Arc<Dialer>),
}

#[tokio::main]
async fn main() -> ExitCode {
    if std::env::args().any(|arg| matches!(&*arg, "--help" | "-h")) {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    let task = match parse(std::env::args().skip(1)) {
        Ok(task) => task,
        Err(problem) => {
            eprintln!("{problem}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let done = match task {
        Task::Serve { listen, to } => run(&listen, to).await,
        Task::Try { mib } => attempt(mib).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

async fn run(listen: &str, to: To) -> Result<()> {
    let listener = TcpListener::bind(listen)
        .await
        .map_err(|error| format!("cannot listen on {listen}: {error}"))?;
    println!("listening on {}", listener.local_addr()?);
    std::io::stdout().flush()?;
    serve(listener, to).await
}

async fn serve(listener: TcpListener, to: To) -> Result<()> {
    loop {
        let Ok((tcp, peer)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(50)).await; // out of descriptors
            continue;
        };
        let to = to.clone();
        tokio::spawn(async move {
            if let Err(error) = pass_on(tcp, to).await {
                eprintln!("{peer}: {error}");
            }
        });
    }
}

async fn pass_on(tcp: TcpStream, to: To) -> Result<()> {
    tcp.set_nodelay(true)?;
    match to {
        To::Server(address) => {
            let config = Arc::new(Config::default());
            let upgrade = Upgrade::receive(tcp, Arc::clone(&config)).await?;
            let request = upgrade.request();
            // Who may not come in is not to reach what stands behind; `accept` refuses such requests.
            if request.upgrade().and_then(|()| request.check_origin(&config.origins)).is_err() {
                upgrade.accept(&Response::default()).await?;
                return Ok(());
            }
            match TcpStream::connect(address).await {
                Ok(tcp) => {
                    tcp.set_nodelay(true)?;
                    join(upgrade.accept(&Response::default()).await?, tcp).await
                }
                Err(error) => {
                    upgrade.reject(502, &[], b"nobody answers there\n").await?;
                    Err(error.into())
                }
            }
        }
        To::Client(dialer) => {
            let (ws, _response) = connect(&*dialer).await?;
            join(ws, tcp).await
        }
    }
}

/// Copies both ways until both have ended. Each waits when the other one does not take more.
async fn join<S>(ws: WebSocket<S>, mut tcp: TcpStream) -> Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut ws = ws.into_byte_stream();
    copy_bidirectional_with_sizes(&mut ws, &mut tcp, READ, READ).await?;
    Ok(())
}

/// Near end ─► tunnel ═► tunnel ─► echo, and back.
async fn attempt(mib: u32) -> Result<()> {
    let echo = TcpListener::bind("127.0.0.1:0").await?;
    let server = TcpListener::bind("127.0.0.1:0").await?;
    let client = TcpListener::bind("127.0.0.1:0").await?;
    let near = client.local_addr()?;
    let to_echo = To::Server(echo.local_addr()?.to_string());
    let dialer = Dialer::new(&format!("ws://{}/", server.local_addr()?))?;
    let to_server = To::Client(Arc::new(dialer));
    tokio::spawn(serve(server, to_echo));
    tokio::spawn(serve(client, to_server));
    tokio::spawn(async move {
        let (mut read, mut write) = echo.accept().await?.0.into_split();
        copy(&mut read, &mut write).await
    });

    let (mut read, mut write) = TcpStream::connect(near).await?.into_split();
    let (start, before) = (Instant::now(), most_memory());
    let len = u64::from(mib) << 20;
    let sending = tokio::spawn(async move {
        let bytes = vec![0x5a; READ];
        for _ in 0..len / READ as u64 {
            write.write_all(&bytes).await?;
        }
        Ok::<_, std::io::Error>(write) // not dropped: that would end both directions
    });
    let received = copy(&mut (&mut read).take(len), &mut sink()).await?;
    sending.await??.shutdown().await?;
    assert_eq!((received, read.read(&mut [0]).await?), (len, 0), "all came back, then the end");

    println!("{mib} MiB there and back in {:.1} s", start.elapsed().as_secs_f64());
    if let (Some(before), Some(after)) = (before, most_memory()) {
        println!("{after} KiB of memory at most, {} KiB more than at the start", after - before);
    }
    Ok(())
}

/// The most memory this process has had, in KiB, where the system tells.
fn most_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

fn parse(mut args: impl Iterator<Item = String>) -> Result<Task, String> {
    let role = args.next().ok_or("server, client or try?")?;
    if !matches!(&*role, "server" | "client" | "try") {
        return Err(format!("{role} is not known"));
    }
    let (mut listen, mut to, mut mib) = ("127.0.0.1:9002".to_owned(), None, 1024);
    while let Some(flag) = args.next() {
        let mut value = || args.next().ok_or(format!("{flag} wants a value"));
        match (&*role, &*flag) {
            ("server" | "client", "--listen") => listen = value()?,
            ("server" | "client", "--to") => to = Some(value()?),
            ("try", "--mib") => {
                let value = value()?;
                mib = value.parse().map_err(|_| format!("{value} is no number of MiB"))?;
            }
            _ => return Err(format!("{flag} is not known to {role}")),
        }
    }
    let to = match (&*role, to) {
        ("try", _) => return Ok(Task::Try { mib }),
        (_, None) => return Err(format!("{role} wants --to")),
        // Looked up for each connection, too; what has no address now is most likely misspelt.
        ("server", Some(address)) => match address.to_socket_addrs() {
            Ok(_) => To::Server(address),
            Err(error) => return Err(format!("no way to {address}: {error}")),
        },
        (_, Some(uri)) => match Dialer::new(&uri) {
            Ok(dialer) => To::Client(Arc::new(dialer)),
            Err(error) => return Err(format!("no way to {uri}: {error}")),
        },
    };
    Ok(Task::Serve { listen, to })
}
