//! The opening handshake of a server over the wire, which has a deadline as a whole.

use std::future::pending;
use std::time::Duration;

use sotong::handshake::server::{self, Response};
use sotong::{Config, Error, ReceiveBuffer, Result, TimedOut};

use super::peer::Later;
use super::reference::Reference;

/// What a client asks for, who is to have a connection.
pub const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";

impl Reference {
    /// Reads a request and answers it, or says that it came late.
    pub async fn accept(&mut self, config: &Config) -> Result<()> {
        let capacity = config.limits.receive_buffer.max(config.limits.head);
        self.rx = ReceiveBuffer::with_capacity(capacity);
        let limit = config.timeouts.handshake;
        let mut handshake = server::Handshake::new(config);
        let request = loop {
            if let Some(request) = handshake.receive(&mut self.rx)? {
                break request;
            }
            match self.peer.read(self.now, self.rx.spare()) {
                Ok(n) => self.rx.filled(n),
                Err(later) => match self.wait_until(later, limit).await {
                    Ok(()) => {}
                    Err(error) => {
                        let _the_cause_matters = self.refuse_late(config).await;
                        return Err(error);
                    }
                },
            }
        };
        let connection = request.accept(&Response::default(), config.clone(), &mut self.tx)?;
        (self.incoming, self.outgoing) = connection.split();
        self.write_by(limit.map(|limit| self.now + limit)).await?;
        // The connection knows nothing of what was before.
        self.unflushed = true;
        Ok(())
    }

    /// Answers with 408, and reads on until the client has seen it.
    async fn refuse_late(&mut self, config: &Config) -> Result<()> {
        server::refuse_late(&mut self.tx);
        self.write_by(config.timeouts.handshake.map(|limit| self.now + limit)).await?;
        let deadline = config.timeouts.close.map(|limit| self.now + limit);
        while let Err(later) = self.peer.shut_down(self.now) {
            self.wait_until(later, deadline).await?;
        }
        let mut scratch = [0; 4096];
        loop {
            match self.peer.read(self.now, &mut scratch) {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(later) => self.wait_until(later, deadline).await?,
            }
        }
    }

    async fn write_by(&mut self, deadline: Option<Duration>) -> Result<()> {
        while let Err(later) = self.write() {
            self.wait_until(later, deadline).await?;
        }
        Ok(())
    }

    async fn wait_until(&mut self, Later(time): Later, deadline: Option<Duration>) -> Result<()> {
        match (time, deadline) {
            (Some(time), deadline) if deadline.is_none_or(|deadline| time <= deadline) => {
                self.now = time;
                Ok(())
            }
            (_, Some(deadline)) => {
                self.now = deadline;
                Err(Error::TimedOut(TimedOut::Handshake))
            }
            _ => pending().await,
        }
    }
}
