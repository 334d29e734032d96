//! Conversations between a client and a server, joined by buffers under a virtual clock.

mod talking;
mod waiting;

use std::time::Duration;

use sotong::test_kit::{Pair, Seen, Side};
use sotong::{Config, Connection, Event, Role, SendBuffer, SendError, State, Transport};

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

/// Sends each text back, out of the receive buffer.
fn echo(conn: &mut Connection, event: Event<'_>, tx: &mut SendBuffer) {
    if let Event::Text(text) = event {
        conn.send_text(text, tx).unwrap().queue();
    }
}
