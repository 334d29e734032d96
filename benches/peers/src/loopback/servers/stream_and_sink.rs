//! What the crates have in common whose connections are a `Stream` and a `Sink`.

use std::future::poll_fn;
use std::task::Poll;

use futures_util::{Sink, SinkExt, Stream, StreamExt};

use super::{Failure, Member, Outcome};

/// What to send for an item; nothing for a control frame.
pub type Data<I, M> = fn(I) -> Result<Option<M>, Failure>;

/// Queues the replies to all messages at hand, then flushes once.
pub async fn echo_batches<W, M>(mut ws: W, data: Data<W::Item, M>) -> Outcome
where
    W: Stream + Sink<M> + Unpin,
    Failure: From<W::Error>,
{
    while let Some(item) = ws.next().await {
        if let Some(message) = data(item)? {
            ws.feed(message).await?;
        }
        while let Some(item) = at_hand(&mut ws).await {
            if let Some(message) = data(item)? {
                ws.feed(message).await?;
            }
        }
        ws.flush().await?;
    }
    Ok(())
}

/// Answers each message at once.
pub async fn echo_each<W, M>(mut ws: W, data: Data<W::Item, M>) -> Outcome
where
    W: Stream + Sink<M> + Unpin,
    Failure: From<W::Error>,
{
    while let Some(item) = ws.next().await {
        if let Some(message) = data(item)? {
            ws.send(message).await?;
        }
    }
    Ok(())
}

/// Passes on what comes, and sends what others said.
pub async fn relay<W, M>(mut ws: W, member: Member<M>, data: Data<W::Item, M>) -> Outcome
where
    M: Clone,
    W: Stream + Sink<M> + Unpin,
    Failure: From<W::Error>,
{
    let Member { speaker, mut listener } = member;
    loop {
        tokio::select! {
            biased;
            message = listener.next() => {
                ws.feed(message?).await?;
                while let Some(message) = listener.at_hand() {
                    ws.feed(message).await?;
                }
                ws.flush().await?;
            }
            item = ws.next() => {
                let Some(item) = item else { return Ok(()) };
                if let Some(message) = data(item)? {
                    speaker.tell(message);
                }
            }
        }
    }
}

/// The next item if it is here; the end is left to whoever waits.
pub async fn at_hand<W: Stream + Unpin>(ws: &mut W) -> Option<W::Item> {
    poll_fn(|cx| match ws.poll_next_unpin(cx) {
        Poll::Ready(item) => Poll::Ready(item),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}
