//! Passes a message to all connections but the one it came from.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use super::Failure;

pub struct Hub<M> {
    all: broadcast::Sender<Item<M>>,
    members: Arc<AtomicUsize>,
}

/// A connection's place in the hub.
pub struct Member<M> {
    pub speaker: Speaker<M>,
    pub listener: Listener<M>,
}

pub struct Speaker<M> {
    id: usize,
    all: broadcast::Sender<Item<M>>,
}

pub struct Listener<M> {
    id: usize,
    inbox: broadcast::Receiver<Item<M>>,
}

/// A message, and who said it.
type Item<M> = (usize, M);

impl<M: Clone> Hub<M> {
    pub fn new() -> Self {
        // The generator has fewer messages under way.
        let (all, _) = broadcast::channel(1024);
        Self { all, members: Arc::default() }
    }

    pub fn member(&self) -> Member<M> {
        let id = self.members.fetch_add(1, Ordering::Relaxed);
        let (all, inbox) = (self.all.clone(), self.all.subscribe());
        Member { speaker: Speaker { id, all }, listener: Listener { id, inbox } }
    }
}

impl<M> Speaker<M> {
    pub fn tell(&self, message: M) {
        _ = self.all.send((self.id, message)); // there may be nobody
    }
}

impl<M: Clone> Listener<M> {
    /// The next message of another member.
    ///
    /// # Errors
    ///
    /// Messages were lost.
    pub async fn next(&mut self) -> Result<M, Failure> {
        loop {
            match self.inbox.recv().await {
                Ok((id, message)) if id != self.id => return Ok(message),
                Ok(_) => {}
                Err(RecvError::Lagged(_)) => return Err("messages were lost".into()),
                Err(RecvError::Closed) => std::future::pending().await,
            }
        }
    }

    /// One that is here already.
    pub fn at_hand(&mut self) -> Option<M> {
        std::iter::from_fn(|| self.inbox.try_recv().ok())
            .find_map(|(id, message)| (id != self.id).then_some(message))
    }
}
