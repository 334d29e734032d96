//! The examples, and clients of this crate, over real connections of HTTP stacks.

mod clients;
mod leftover;
mod raw;

use std::time::Duration;

use sotong::{Config, Origins};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

#[expect(dead_code, reason = "how it starts is for the command line")]
#[path = "../../axum.rs"]
mod axum_example;
#[expect(dead_code, reason = "how it starts is for the command line")]
#[path = "../../hyper.rs"]
mod hyper_example;

/// Which example answers; both have an echo.
#[derive(Clone, Copy, Debug)]
enum Server {
    Hyper,
    Axum,
}

const SERVERS: [Server; 2] = [Server::Hyper, Server::Axum];

impl Server {
    /// A connection to it. Pages of `https://chat.example` may connect.
    async fn connect(self) -> TcpStream {
        let mut config = Config::default();
        config.origins = Origins::list(["https://chat.example"]).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        match self {
            Self::Hyper => drop(tokio::spawn(async move {
                let (stream, _) = listener.accept().await.unwrap();
                hyper_example::serve(stream, config.into()).await.ok();
            })),
            Self::Axum => drop(tokio::spawn(async move {
                axum::serve(listener, axum_example::app(config)).await.unwrap();
            })),
        }
        TcpStream::connect(address).await.unwrap()
    }
}

async fn soon<T>(work: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(20), work).await.expect("it does not take long")
}
