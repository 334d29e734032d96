//! Messages and connections as readers and writers: both adapters, the same table for both.

mod byte_streams;
#[cfg(feature = "serde_json")]
mod json;
mod limits;
mod pairs;
mod readers;
mod writers;

use std::io::{self, Read, Write};

use sotong::{Config, Error, ProtocolError, Result};
use sotong::{blocking, tokio as asynchronous};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::cancel::{in_runtime, poll_some};
use crate::scripted::{Scripted, hesitant, parts, scripted, server};

/// A message that was read: whether it is text, its bytes, how reading ended.
type Taken = (bool, Vec<u8>, io::Result<()>);

/// An end over a script, of either adapter.
trait End {
    /// Reads a message by `size` bytes, `most` of them or a few more, through a reader that is
    /// dropped then.
    fn take_message(&mut self, size: usize, most: usize) -> Result<Option<Taken>>;

    /// As `recv`: the event in words.
    fn event(&mut self) -> Result<Option<String>>;

    /// As `recv_chunk`: the piece in words.
    fn chunk(&mut self) -> Result<Option<String>>;

    /// Writes a message by its parts, each `None` a flush; and finishes it, or drops the writer.
    fn write_message(
        &mut self,
        is_text: bool,
        parts: &[Option<&[u8]>],
        finish: bool,
    ) -> io::Result<()>;

    fn send_text(&mut self, text: &str) -> Result<()>;

    fn written(&self) -> Vec<u8>;
}

impl End for blocking::WebSocket<Scripted> {
    fn take_message(&mut self, size: usize, most: usize) -> Result<Option<Taken>> {
        let Some(mut reader) = self.recv_reader()? else { return Ok(None) };
        let (mut bytes, mut buf) = (vec![], vec![0; size]);
        let end = loop {
            if bytes.len() >= most {
                break Ok(());
            }
            match reader.read(&mut buf) {
                Ok(0) => break Ok(()),
                Ok(n) => bytes.extend(&buf[..n]),
                Err(error) => break Err(error),
            }
        };
        Ok(Some((reader.is_text(), bytes, end)))
    }

    fn event(&mut self) -> Result<Option<String>> {
        Ok(self.recv()?.map(|event| format!("{event:?}")))
    }

    fn chunk(&mut self) -> Result<Option<String>> {
        Ok(self.recv_chunk()?.map(|chunk| format!("{chunk:?}")))
    }

    fn write_message(
        &mut self,
        is_text: bool,
        parts: &[Option<&[u8]>],
        finish: bool,
    ) -> io::Result<()> {
        let mut writer = if is_text { self.text_writer() } else { self.binary_writer() };
        for part in parts {
            match part {
                Some(part) => writer.write_all(part)?,
                None => writer.flush()?,
            }
        }
        if finish { writer.finish().map_err(Into::into) } else { Ok(()) }
    }

    fn send_text(&mut self, text: &str) -> Result<()> {
        self.send_text(text)
    }

    fn written(&self) -> Vec<u8> {
        self.stream().inner().written()
    }
}

/// An end whose futures are dropped after so many polls.
struct Polled {
    ws: asynchronous::WebSocket<Scripted>,
    polls: usize,
}

impl End for Polled {
    fn take_message(&mut self, size: usize, most: usize) -> Result<Option<Taken>> {
        loop {
            let Some(reader) = poll_some(self.ws.recv_reader(), self.polls) else { continue };
            let Some(mut reader) = reader? else { return Ok(None) };
            let (mut bytes, mut buf) = (vec![], vec![0; size]);
            let end = loop {
                if bytes.len() >= most {
                    break Ok(());
                }
                match poll_some(reader.read(&mut buf), self.polls) {
                    None => {}
                    Some(Ok(0)) => break Ok(()),
                    Some(Ok(n)) => bytes.extend(&buf[..n]),
                    Some(Err(error)) => break Err(error),
                }
            };
            return Ok(Some((reader.is_text(), bytes, end)));
        }
    }

    fn event(&mut self) -> Result<Option<String>> {
        loop {
            if let Some(event) = poll_some(self.ws.recv(), self.polls) {
                return Ok(event?.map(|event| format!("{event:?}")));
            }
        }
    }

    fn chunk(&mut self) -> Result<Option<String>> {
        loop {
            if let Some(chunk) = poll_some(self.ws.recv_chunk(), self.polls) {
                return Ok(chunk?.map(|chunk| format!("{chunk:?}")));
            }
        }
    }

    fn write_message(
        &mut self,
        is_text: bool,
        parts: &[Option<&[u8]>],
        finish: bool,
    ) -> io::Result<()> {
        let polls = self.polls;
        let mut writer = if is_text { self.ws.text_writer() } else { self.ws.binary_writer() };
        for part in parts {
            let Some(mut part) = *part else {
                while poll_some(writer.flush(), polls).transpose()?.is_none() {}
                continue;
            };
            while !part.is_empty() {
                let taken = poll_some(writer.write(part), polls).transpose()?;
                part = &part[taken.unwrap_or(0)..];
            }
        }
        while finish && poll_some(writer.finish(), polls).transpose()?.is_none() {}
        Ok(())
    }

    fn send_text(&mut self, text: &str) -> Result<()> {
        poll_some(self.ws.send_text(text), usize::MAX).expect("it ends")
    }

    fn written(&self) -> Vec<u8> {
        self.ws.stream().inner().written()
    }
}

/// A server's end of either adapter over this script; streams that hesitate have futures dropped at
/// each poll.
fn servers(reads: &[Vec<u8>], config: &Config, mut test: impl FnMut(&str, &mut dyn End)) {
    let connection = || sotong::Connection::server(config, sotong::Agreed::default());
    let io = scripted(reads);
    let mut ws = blocking::WebSocket::from_parts(parts(io, connection())).unwrap();
    test("blocking", &mut ws);
    in_runtime(|| {
        test("tokio", &mut Polled { ws: server(scripted(reads), config), polls: usize::MAX });
        for polls in [1, 2, 3, 5] {
            let io = hesitant(reads, 1_000);
            let what = format!("tokio, {polls} polls each");
            test(&what, &mut Polled { ws: server(io, config), polls });
        }
    });
}

/// The rule that the peer broke, if that is why reading failed.
fn broken_rule(error: &io::Error) -> Option<ProtocolError> {
    match error.get_ref()?.downcast_ref()? {
        Error::Protocol(error) => Some(*error),
        _ => None,
    }
}

/// Bytes in reads of `step`.
fn cut(bytes: &[u8], step: usize) -> Vec<Vec<u8>> {
    bytes.chunks(step).map(<[u8]>::to_vec).collect()
}
