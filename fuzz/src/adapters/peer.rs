//! The peer of a connection, and the wire to it: what it sends and when, how much it takes and when
//! it takes nothing, when it ends the stream. It knows no clock: it is told what time it is.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::time::Duration;

use sotong::{FrameHeader, Opcode};

/// Not now: try again at this time, or when something else has happened.
#[derive(Clone, Copy, Debug)]
pub struct Later(pub Option<Duration>);

/// A time at which the peer takes nothing.
#[derive(Clone, Copy, Debug)]
pub struct Stall {
    /// How many bytes it takes before.
    pub after: usize,
    /// For ever, if this is nothing.
    pub lasts: Option<Duration>,
}

/// When the peer ends the stream, after all that it has to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    AtOnce,
    /// When it has seen our Close frame or the end of our stream.
    AfterGoodbye,
    Never,
}

/// What a peer does, and what it has seen.
#[derive(Clone, Debug)]
pub struct Peer {
    /// How long after what came before, and what.
    pub arrivals: VecDeque<(Duration, Vec<u8>)>,
    pub ends: Ends,
    /// The most that one write takes.
    pub takes: usize,
    pub stalls: VecDeque<Stall>,
    /// Whether the stream keeps what is written until it is flushed, as TLS does.
    pub keeps: bool,
    kept: Vec<u8>,
    /// When the last arrival came.
    came: Duration,
    /// Until when it takes nothing, and for how many bytes it does then.
    stalled: Option<Later>,
    /// What it has seen, and when, the head of an opening handshake as well.
    pub seen: Vec<(Duration, Vec<u8>)>,
    pub is_shut_down: bool,
    /// Whether it was waited for in vain, until somebody cut the wire.
    pub is_cut: bool,
    frames: Frames,
    operations: usize,
}

impl Peer {
    pub fn new(arrivals: VecDeque<(Duration, Vec<u8>)>, ends: Ends, takes: usize) -> Self {
        Self {
            arrivals,
            ends,
            takes,
            stalls: VecDeque::new(),
            keeps: false,
            kept: vec![],
            came: Duration::ZERO,
            stalled: None,
            seen: vec![],
            is_shut_down: false,
            is_cut: false,
            frames: Frames::default(),
            operations: 0,
        }
    }

    /// Expects the head of an opening handshake before the first frame.
    pub fn expect_head(&mut self) {
        self.frames.is_in_head = true;
    }

    /// Far beyond what any scenario needs: each byte moves once, and now and then it is waited.
    const MAX_OPERATIONS: usize = 2_000_000;

    /// Reads what has come, and of that one arrival; nothing at the end of the stream.
    pub fn read(&mut self, now: Duration, buf: &mut [u8]) -> Result<usize, Later> {
        self.count(now);
        let is_over = self.is_over();
        let Some((delay, bytes)) = self.arrivals.front_mut() else {
            return if is_over { Ok(0) } else { Err(Later(None)) };
        };
        let due = self.came + *delay;
        if due > now {
            return Err(Later(Some(due)));
        }
        let n = bytes.len().min(buf.len());
        buf[..n].copy_from_slice(&bytes[..n]);
        if n < bytes.len() {
            bytes.drain(..n);
            (*delay, self.came) = (Duration::ZERO, due);
        } else {
            self.arrivals.pop_front();
            self.came = due;
        }
        Ok(n)
    }

    /// Whether it ends the stream behind all that it has to say.
    pub fn is_over(&self) -> bool {
        match self.ends {
            Ends::AtOnce => true,
            Ends::AfterGoodbye => self.is_shut_down || self.frames.has_close,
            Ends::Never => false,
        }
    }

    pub fn write(&mut self, now: Duration, bufs: &[IoSlice<'_>]) -> Result<usize, Later> {
        assert!(!self.is_shut_down, "nothing is written behind the end");
        self.count(now);
        let most = if self.keeps { usize::MAX } else { self.room(now)? }.min(self.takes);
        let before = self.kept.len();
        for buf in bufs {
            let n = buf.len().min(most - (self.kept.len() - before));
            self.kept.extend_from_slice(&buf[..n]);
        }
        let n = self.kept.len() - before;
        if !self.keeps {
            self.see(now, n);
        }
        Ok(n)
    }

    pub fn flush(&mut self, now: Duration) -> Result<(), Later> {
        self.count(now);
        while !self.kept.is_empty() {
            let n = self.room(now)?.min(self.kept.len());
            self.see(now, n);
        }
        Ok(())
    }

    pub fn shut_down(&mut self, now: Duration) -> Result<(), Later> {
        self.flush(now)?;
        self.is_shut_down = true;
        Ok(())
    }

    /// Whether it has seen a Close frame.
    pub fn has_close(&self) -> bool {
        self.frames.has_close
    }

    /// All frames that it has seen.
    pub fn written(&self) -> Vec<u8> {
        self.seen.iter().flat_map(|(_, bytes)| bytes).skip(self.frames.head).copied().collect()
    }

    fn count(&mut self, now: Duration) {
        self.operations += 1;
        let Self { arrivals, ends, stalled, .. } = self;
        let left = arrivals.len();
        assert!(
            self.operations < Self::MAX_OPERATIONS,
            "it goes on for ever: at {now:?}, {left} pieces left, {ends:?}, {stalled:?}"
        );
    }

    /// How many bytes it takes now.
    fn room(&mut self, now: Duration) -> Result<usize, Later> {
        loop {
            match (self.stalled, self.stalls.front()) {
                (Some(Later(Some(until))), _) if until <= now => self.stalled = None,
                (Some(later), _) => return Err(later),
                (None, Some(Stall { after: 0, lasts })) => {
                    self.stalled = Some(Later(lasts.map(|lasts| now + lasts)));
                    self.stalls.pop_front();
                }
                (None, Some(stall)) => return Ok(stall.after),
                (None, None) => return Ok(usize::MAX),
            }
        }
    }

    /// Sees the first `n` bytes that are kept.
    fn see(&mut self, now: Duration, n: usize) {
        if n == 0 {
            return;
        }
        if let Some(stall) = self.stalls.front_mut() {
            stall.after -= n;
        }
        let bytes = self.kept.drain(..n);
        self.frames.look(bytes.as_slice());
        match self.seen.last_mut() {
            Some((time, seen)) if *time == now => seen.extend(bytes),
            _ => self.seen.push((now, bytes.collect())),
        }
    }
}

/// Looks for a Close frame in what passes, each byte once.
#[derive(Clone, Debug, Default)]
struct Frames {
    /// Whether a head of HTTP comes before, and its length so far.
    is_in_head: bool,
    head: usize,
    header: Vec<u8>,
    /// How much is left of the frame that passes.
    left: u64,
    has_close: bool,
}

impl Frames {
    fn look(&mut self, mut bytes: &[u8]) {
        while let Some((first, rest)) = bytes.split_first() {
            if self.left > 0 {
                let n = self.left.min(bytes.len() as u64);
                self.left -= n;
                bytes = &bytes[n as usize..];
                continue;
            }
            self.header.push(*first);
            bytes = rest;
            if self.is_in_head {
                self.head += 1;
                self.is_in_head = !self.header.ends_with(b"\r\n\r\n");
                if !self.is_in_head {
                    self.header.clear();
                }
                continue;
            }
            if let Some((header, _)) = FrameHeader::decode(&self.header).expect("we send no other")
            {
                self.left = header.payload_len;
                self.has_close |= header.opcode == Opcode::Close;
                self.header.clear();
            }
        }
    }
}
