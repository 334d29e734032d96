//! From a URI to a connection, by both adapters: over TLS, through proxies, along redirects, and every
//! stage at which it can fail.
#![cfg(all(feature = "tokio", feature = "rustls", feature = "socks"))]

mod proxies;
mod redirects;
mod servers;
mod stages;
mod tls;

use std::time::Duration;

use sotong::dial::{DialError, Dialer};
use sotong::handshake::client::Response;
use sotong::{Config, Event, blocking, tokio as asynchronous};

/// Who dials.
#[derive(Clone, Copy, Debug)]
enum Adapter {
    Blocking,
    Tokio,
}

const ADAPTERS: [Adapter; 2] = [Adapter::Blocking, Adapter::Tokio];

impl Adapter {
    /// Connects, sends a message, which the server must send back, and closes.
    fn echo(self, dialer: &Dialer) -> Result<Response, DialError> {
        match self {
            Self::Blocking => {
                let (mut ws, response) = blocking::connect(dialer)?;
                ws.send_text(GREETING).unwrap();
                assert_eq!(ws.recv().unwrap(), Some(Event::Text(GREETING)));
                ws.close(None).unwrap();
                Ok(response)
            }
            Self::Tokio => block_on(async {
                let (mut ws, response) = asynchronous::connect(dialer).await?;
                ws.send_text(GREETING).await.unwrap();
                assert_eq!(ws.recv().await.unwrap(), Some(Event::Text(GREETING)));
                ws.close(None).await.unwrap();
                Ok(response)
            }),
        }
    }

    /// Fails to connect.
    fn fail(self, dialer: &Dialer) -> DialError {
        self.echo(dialer).expect_err("there is no way to that server")
    }
}

const GREETING: &str = "안녕 🦑";

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.unwrap().block_on(work)
}

/// Gives up after so many milliseconds.
fn patient(millis: u64) -> Config {
    let mut config = Config::default();
    config.timeouts.handshake = Some(Duration::from_millis(millis));
    config
}
