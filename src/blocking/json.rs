//! Values in and out, one call each.

use serde::{Deserialize, Serialize};

use super::ends::Receives;
use super::{Receiver, Sender, Stream, TryClone, WebSocket};
use crate::adapter::Result;
use crate::connection::Incoming;
use crate::json::to_text;

impl<S: Stream> WebSocket<S> {
    /// The next message as the value that it tells as JSON; `None` once the connection is closed
    /// cleanly. The value may borrow from the message.
    ///
    /// Text and binary messages are taken alike. Control frames are passed over, pings are
    /// answered; [`recv`](Self::recv) with [`Event::json`](crate::Event::json) tells of them too.
    ///
    /// ```
    /// # use sotong::{Config, test_kit::{Manner, blocking_pair}};
    /// # let (mut peer, mut ws) = blocking_pair(&Config::default(), Manner::sound());
    /// ws.feed_json(&("join", [0, 0]))?;
    /// ws.send_json(&("move", [3, 4]))?; // both leave
    /// # for _ in 0..2 {
    /// #     let heard: (String, [i32; 2]) = peer.recv_json()?.unwrap();
    /// #     peer.feed_json(&heard)?;
    /// # }
    /// # peer.send_close(None)?;
    /// # drop(peer);
    /// # let mut heard = vec![];
    /// while let Some((action, to)) = ws.recv_json::<(String, [i32; 2])>()? {
    ///     println!("{action} to {to:?}");
    /// #   heard.push((action, to));
    /// }
    /// # assert_eq!(heard, [("join".into(), [0, 0]), ("move".into(), [3, 4])]);
    /// # Ok::<(), sotong::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Json`](crate::Error::Json) if the message is no JSON or not such a value: it is
    /// gone, and the next one can be received. Else as of [`recv`](Self::recv).
    pub fn recv_json<'v, T: Deserialize<'v>>(&'v mut self) -> Result<Option<T>> {
        recv(self)
    }

    /// Sends a value as JSON in a text message, and waits until the stream has taken it.
    ///
    /// For an example see [`recv_json`](Self::recv_json).
    ///
    /// # Errors
    ///
    /// [`Error::Json`](crate::Error::Json) if it cannot be told as JSON, and nothing was queued.
    /// Else as of [`send_text`](Self::send_text).
    pub fn send_json<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        self.send_text(&to_text(value)?)
    }

    /// Queues a value as JSON in a text message, as [`feed_text`](Self::feed_text).
    ///
    /// For an example see [`recv_json`](Self::recv_json).
    ///
    /// # Errors
    ///
    /// As of [`send_json`](Self::send_json).
    pub fn feed_json<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        self.feed_text(&to_text(value)?)
    }
}

impl<S: TryClone> Receiver<S> {
    /// As [`WebSocket::recv_json`].
    ///
    /// For an example see there.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn recv_json<'v, T: Deserialize<'v>>(&'v mut self) -> Result<Option<T>> {
        recv(self)
    }
}

impl<S: TryClone> Sender<S> {
    /// As [`WebSocket::send_json`].
    ///
    /// For an example see [`WebSocket::recv_json`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn send_json<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        self.send_text(&to_text(value)?)
    }

    /// As [`WebSocket::feed_json`].
    ///
    /// For an example see [`WebSocket::recv_json`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn feed_json<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        self.feed_text(&to_text(value)?)
    }
}

fn recv<'v, W: Receives, T: Deserialize<'v>>(ws: &'v mut W) -> Result<Option<T>> {
    let (reader, link) = ws.parts();
    while !reader.wait_for_data(link, Incoming::advance)? {
        match reader.incoming.lend(&mut reader.rx) {
            Ok(Some(_close)) => {} // there is nothing behind it but the end
            _ => return Ok(None),
        }
    }
    reader.recv(link)?.map(|message| message.json()).transpose()
}
