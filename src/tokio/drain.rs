//! To leave in an orderly way: a server that goes down tells all its clients and waits for them.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use ::tokio::io::{AsyncRead, AsyncWrite};
use ::tokio::sync::watch;
use ::tokio::time::timeout;

use super::reader::WHOLE;
use super::{Halves, WebSocket};
use crate::adapter::Result;
use crate::close::CloseCode;
use crate::connection::Event;
use crate::error::TimedOut;
use crate::trace;

/// Brings all connections of a server to an end.
///
/// ```no_run
/// # async fn example() -> std::io::Result<()> {
/// use std::time::Duration;
/// use sotong::Config;
/// use sotong::tokio::Drain;
///
/// let drain = Drain::new();
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
/// let until_asked_to = tokio::signal::ctrl_c();
/// tokio::pin!(until_asked_to);
/// loop {
///     let (stream, _) = tokio::select! {
///         accepted = listener.accept() => accepted?,
///         _ = &mut until_asked_to => break,
///     };
///     let mut guest = drain.guest();
///     tokio::spawn(async move {
///         let mut ws = sotong::tokio::accept(stream, Config::default()).await?;
///         while let Some(event) = guest.recv(&mut ws).await? {
///             println!("{event:?}");
///         }
///         Ok::<_, sotong::Error>(())
///     });
/// }
/// drop(listener); // nobody else is let in
/// let drained = drain.drain(Duration::from_secs(10)).await;
/// println!("{} closed, {} cut", drained.closed, drained.cut);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Drain {
    stage: watch::Sender<Stage>,
    /// Has a receiver for each guest.
    guests: watch::Sender<()>,
    /// How many there have been.
    arrived: AtomicUsize,
}

/// How far draining has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Serving,
    Leaving,
    Cut,
}

/// How it ended for those who were there, or came late.
///
/// For an example see [`Drain`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drained {
    /// Those who were gone in time.
    pub closed: usize,
    /// Those who were not: their connections end without a closing handshake.
    pub cut: usize,
}

impl Default for Drain {
    fn default() -> Self {
        Self::new()
    }
}

impl Drain {
    /// For a server without connections.
    ///
    /// For an example see [`Drain`].
    pub fn new() -> Self {
        Self {
            stage: watch::Sender::new(Stage::Serving),
            guests: watch::Sender::new(()),
            arrived: AtomicUsize::new(0),
        }
    }

    /// For a connection that is to be waited for, from now until the guest is dropped. One that comes
    /// late is told at once.
    ///
    /// For an example see [`Drain`].
    pub fn guest(&self) -> Guest {
        self.arrived.fetch_add(1, Ordering::Relaxed);
        let _is_here = self.guests.subscribe();
        Guest { stage: self.stage.subscribe(), _is_here, has_left: false }
    }

    /// Tells all guests, waits until they are gone, or for the time given, and cuts the others.
    ///
    /// For an example see [`Drain`].
    ///
    /// # Cancel safety
    ///
    /// Guests stay told; call it again to wait for them.
    pub async fn drain(&self, within: Duration) -> Drained {
        let present = self.guests.receiver_count();
        let gone_before = self.arrived.load(Ordering::Relaxed).saturating_sub(present);
        trace::draining(present);
        self.stage.send_replace(Stage::Leaving);
        let cut = match timeout(within, self.guests.closed()).await {
            Ok(()) => 0,
            Err(_) => self.guests.receiver_count(),
        };
        self.stage.send_replace(Stage::Cut);
        let arrived = self.arrived.load(Ordering::Relaxed);
        let drained = Drained { closed: arrived.saturating_sub(gone_before + cut), cut };
        trace::drained(drained.closed, cut);
        drained
    }
}

/// A connection, as a [`Drain`] knows it.
///
/// For an example see [`Drain`].
#[derive(Debug)]
pub struct Guest {
    stage: watch::Receiver<Stage>,
    /// Says so until it is dropped.
    _is_here: watch::Receiver<()>,
    /// Whether the connection was told to close.
    has_left: bool,
}

impl Guest {
    /// As [`WebSocket::recv`]. Once the server is to go down it sends a Close frame with 1001; what is
    /// still under way comes, and then `None`.
    ///
    /// For an example see [`Drain`].
    ///
    /// # Errors
    ///
    /// As there, and [`TimedOut::Close`] for a connection that is cut.
    ///
    /// # Cancel safety
    ///
    /// As there.
    pub async fn recv<'w, S>(&mut self, ws: &'w mut WebSocket<S>) -> Result<Option<Event<'w>>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let Self { stage, has_left, .. } = self;
        let Halves { reader, writer } = &mut *ws.halves;
        let has_event = loop {
            let next = if *has_left { Stage::Cut } else { Stage::Leaving };
            // A peer that never pauses must not keep us from being told.
            let is_told = *stage.borrow() >= next;
            let mut told = pin!(wait(stage, next));
            let advanced = poll_fn(|cx| {
                if is_told {
                    return Poll::Ready(None);
                }
                match reader.poll_advance::<_, WHOLE>(writer, cx) {
                    Poll::Ready(advanced) => Poll::Ready(Some(advanced)),
                    Poll::Pending => told.as_mut().poll(cx).map(|()| None),
                }
            });
            match advanced.await {
                Some(advanced) => break advanced?,
                None if *has_left => {
                    writer.outgoing.end();
                    return Err(TimedOut::Close.into());
                }
                None => {
                    *has_left = true;
                    writer.queue_close(Some(CloseCode::GOING_AWAY.into()))?;
                }
            }
        };
        if has_event { reader.lend(writer).await } else { Ok(None) }
    }

    /// Waits until the server is to go down; for those who do more than to receive, as in halves. One
    /// `select!` may have both this and [`cut`](Self::cut):
    ///
    /// ```
    /// use sotong::tokio::{Guest, Sender, WebSocket};
    /// use sotong::{CloseCode, Result};
    /// use tokio::net::TcpStream;
    ///
    /// async fn serve(ws: WebSocket<TcpStream>, guest: Guest) -> Result<()> {
    ///     let (mut receiver, mut sender) = ws.split();
    ///     let mut has_left = false;
    ///     loop {
    ///         tokio::select! {
    ///             event = receiver.recv() => match event? {
    ///                 Some(event) => println!("{event:?}"),
    ///                 None => return Ok(()),
    ///             },
    ///             () = guest.leaving(), if !has_left => {
    ///                 has_left = true;
    ///                 sender.send_close(Some(CloseCode::GOING_AWAY.into())).await?;
    ///             }
    ///             () = guest.cut() => return Ok(()), // to drop both halves ends the connection
    ///         }
    ///     }
    /// }
    /// ```
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub async fn leaving(&self) {
        wait(&mut self.stage.clone(), Stage::Leaving).await;
    }

    /// Waits until this connection is to end at once.
    ///
    /// For an example see [`leaving`](Self::leaving).
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub async fn cut(&self) {
        wait(&mut self.stage.clone(), Stage::Cut).await;
    }
}

/// Waits for a stage; without a [`Drain`] it never comes.
async fn wait(stage: &mut watch::Receiver<Stage>, wanted: Stage) {
    if stage.wait_for(|stage| *stage >= wanted).await.is_err() {
        std::future::pending().await
    }
}
