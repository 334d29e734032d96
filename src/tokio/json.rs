//! Values in and out, one call each.

use std::future::poll_fn;

use ::tokio::io::{AsyncRead, AsyncWrite};
use serde::{Deserialize, Serialize};

use super::ends::Receives;
use super::reader::WHOLE;
use super::{Receiver, Sender, WebSocket};
use crate::adapter::Result;
use crate::json::to_text;

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// The next message as the value that it tells as JSON; `None` once the connection is closed
    /// cleanly. The value may borrow from the message.
    ///
    /// Text and binary messages are taken alike. Control frames are passed over, pings are
    /// answered; [`recv`](Self::recv) with [`Event::json`](crate::Event::json) tells of them too.
    ///
    /// ```
    /// # use sotong::{Config, test_kit::{Manner, tokio_pair}};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> sotong::Result<()> {
    /// # let (mut client, mut server) = tokio_pair(&Config::default(), Manner::sound());
    /// client.feed_json(&("move", [3, 4])).await?; // leaves with what is sent next
    /// client.send_json(&("turn", [0, 1])).await?;
    /// let (action, to): (String, [i32; 2]) = server.recv_json().await?.expect("it is open");
    /// assert_eq!((&action[..], to), ("move", [3, 4]));
    /// # assert_eq!(server.recv_json().await?, Some(("turn", [0, 1])));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Json`](crate::Error::Json) if the message is no JSON or not such a value: it is
    /// gone, and the next one can be received. Else as of [`recv`](Self::recv).
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped; call it again.
    pub async fn recv_json<'v, T: Deserialize<'v>>(&'v mut self) -> Result<Option<T>> {
        recv(self).await
    }

    /// Sends a value as JSON in a text message, and waits until the stream has taken it.
    ///
    /// For an example see [`recv_json`](Self::recv_json).
    ///
    /// # Errors
    ///
    /// [`Error::Json`](crate::Error::Json) if it cannot be told as JSON, and nothing was queued.
    /// Else as of [`send_text`](Self::send_text).
    ///
    /// # Cancel safety
    ///
    /// The message is queued whole or not at all; if it is, a later call writes it.
    pub async fn send_json<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        self.send_text(&to_text(value)?).await
    }

    /// Queues a value as JSON in a text message, as [`feed_text`](Self::feed_text).
    ///
    /// For an example see [`recv_json`](Self::recv_json).
    ///
    /// # Errors
    ///
    /// As of [`send_json`](Self::send_json).
    ///
    /// # Cancel safety
    ///
    /// As of [`send_json`](Self::send_json).
    pub async fn feed_json<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        self.feed_text(&to_text(value)?).await
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Receiver<S> {
    /// As [`WebSocket::recv_json`].
    ///
    /// For an example see [`WebSocket::recv_json`].
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Cancel safety
    ///
    /// As there.
    pub async fn recv_json<'v, T: Deserialize<'v>>(&'v mut self) -> Result<Option<T>> {
        recv(self).await
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Sender<S> {
    /// As [`WebSocket::send_json`].
    ///
    /// For an example see [`WebSocket::recv_json`].
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Cancel safety
    ///
    /// As there.
    pub async fn send_json<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        self.send_text(&to_text(value)?).await
    }

    /// As [`WebSocket::feed_json`].
    ///
    /// For an example see [`WebSocket::recv_json`].
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Cancel safety
    ///
    /// As there.
    pub async fn feed_json<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        self.feed_text(&to_text(value)?).await
    }
}

async fn recv<'v, W: Receives, T: Deserialize<'v>>(ws: &'v mut W) -> Result<Option<T>> {
    let (reader, link) = ws.parts();
    while !poll_fn(|cx| reader.poll_data::<_, WHOLE>(link, cx)).await? {
        match reader.incoming.lend(reader.rx.get()) {
            Ok(Some(_close)) => {} // there is nothing behind it but the end
            _ => return Ok(None),
        }
    }
    reader.lend(link).await?.map(|message| message.json()).transpose()
}
