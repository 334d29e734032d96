//! Echoes through the tokio adapter, over a stream in memory: what a task does beyond the core.

use std::cell::Cell;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use sotong::tokio::{Parts, WebSocket};
use sotong::{Agreed, Config, Connection, Event, Opcode};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{Work, binary, masked, size};

/// Messages that come in one read.
const AT_ONCE: usize = 64;
/// Reads in one run.
const READS: usize = 16;

/// Brings the same bytes with each read, so many times, and counts what is written.
struct Wire {
    bytes: Vec<u8>,
    reads: Rc<Cell<usize>>,
    written: Rc<Cell<usize>>,
}

pub fn echo(len: usize) -> Work {
    let mut config = Config::default();
    // Without deadlines there is no timer, which would need a runtime.
    config.timeouts.keepalive = None;
    let (reads, written) = (Rc::default(), Rc::default());
    let (left, echoed): (Rc<Cell<usize>>, Rc<Cell<usize>>) =
        (Rc::clone(&reads), Rc::clone(&written));
    let bytes = masked(Opcode::Binary, &binary(len)).repeat(AT_ONCE);
    let io = Wire { bytes, reads, written };
    let conn = Connection::server(config, Agreed::default());
    let mut ws = WebSocket::from_parts(Parts::new(io, conn, b""));
    let run = move || {
        left.set(READS);
        echoed.set(0);
        let mut cx = Context::from_waker(Waker::noop());
        assert!(pin!(serve(&mut ws)).poll(&mut cx).is_pending(), "more could come");
        assert!(echoed.get() > READS * AT_ONCE * len);
    };
    let units = READS * AT_ONCE;
    Work {
        name: format!("echo over tokio {}", size(len)),
        units,
        bytes: units * len,
        run: Box::new(run),
    }
}

async fn serve(ws: &mut WebSocket<Wire>) -> sotong::Result<()> {
    while let Some((event, mut reply)) = ws.recv_reply().await? {
        match event {
            Event::Text(text) => reply.feed(text).await?,
            Event::Binary(bytes) => reply.feed(bytes).await?,
            Event::Ping(_) | Event::Pong(_) | Event::Close(_) => {}
        }
    }
    Ok(())
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Some(left) = self.reads.get().checked_sub(1) else { return Poll::Pending };
        self.reads.set(left);
        buf.put_slice(&self.bytes);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.written.set(self.written.get() + buf.len());
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
