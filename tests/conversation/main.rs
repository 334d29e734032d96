//! Conversations between a client and a server, joined by buffers under a virtual clock.

mod pair;
#[path = "../common/seen.rs"]
mod seen;
mod talking;
mod waiting;

use std::time::Duration;

use pair::{Pair, Side};
use seen::Seen;
use sotong::{Config, Role, SendError, State, Transport};

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// Without pings, where they are beside the point.
fn quiet() -> Config {
    let mut config = Config::default();
    config.timeouts.keepalive = None;
    config
}

fn text(text: &str) -> Seen {
    Seen::Text(text.into())
}

fn close(code: u16, reason: &str) -> Seen {
    Seen::Close(Some((code, reason.into())))
}
