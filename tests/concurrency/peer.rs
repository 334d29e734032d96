//! A peer that keeps to the protocol, and the stream to it. It answers at once to what it has read, so
//! it needs no thread of its own: when we see its answer is a matter of when ours run.

use std::collections::VecDeque;

use sotong::{FrameHeader, Mask, Opcode, Role};

/// A frame: its opcode, whether it is final, its payload without the mask.
pub type Frame = (Opcode, bool, Vec<u8>);

/// The most that one of our reads gives. How much room there is depends on where the allocator has
/// put the buffer, and a schedule must come to the same each time it is tried.
const MAX_READ: usize = 400;

#[derive(Debug)]
pub struct Peer {
    /// Which end it is.
    role: Role,
    /// What it has sent and we have not read.
    sent: VecDeque<u8>,
    /// How much we have read.
    read: usize,
    /// It reads nothing of ours before we have read this much.
    stubborn: usize,
    /// The most that one of our writes may take.
    max_write: usize,
    /// It reads nothing at all, and the stream fails when all was read that it has sent.
    is_lost: bool,
    /// What we have written.
    pub written: Vec<u8>,
    /// How much of it the peer has looked at.
    looked_at: usize,
    has_closed: bool,
    has_seen_close: bool,
    /// Whether we have seen the end of what it sends.
    has_told_end: bool,
    /// Whether our writing direction is shut down.
    pub is_shut: bool,
}

impl Peer {
    /// A peer that has sent these frames already.
    pub fn new(role: Role, sent: &[(u8, &[u8])]) -> Self {
        let has_closed = sent.iter().any(|(first, _)| *first == 0x88);
        let mut peer = Self {
            role,
            sent: VecDeque::new(),
            read: 0,
            stubborn: 0,
            max_write: usize::MAX,
            is_lost: false,
            written: vec![],
            looked_at: 0,
            has_closed,
            has_seen_close: false,
            has_told_end: false,
            is_shut: false,
        };
        for (first, payload) in sent {
            peer.send(*first, payload);
        }
        peer
    }

    /// It reads nothing before all was read that it has sent.
    pub fn stubborn(self) -> Self {
        Self { stubborn: self.sent.len(), ..self }
    }

    pub fn max_write(self, max_write: usize) -> Self {
        Self { max_write, ..self }
    }

    pub fn lost(self) -> Self {
        Self { is_lost: true, ..self }
    }

    /// Whether the stream has failed.
    pub fn has_failed(&self) -> bool {
        self.is_lost && self.sent.is_empty()
    }

    /// What our read gives; `None` while there is nothing.
    pub fn read(&mut self, buf: &mut [u8]) -> Option<usize> {
        if self.sent.is_empty() {
            self.has_told_end = self.has_ended() || self.has_failed();
            return self.has_told_end.then_some(0);
        }
        let n = buf.len().min(self.sent.len()).min(MAX_READ);
        for (octet, sent) in buf.iter_mut().zip(self.sent.drain(..n)) {
            *octet = sent;
        }
        self.read += n;
        Some(n)
    }

    /// How much our write takes; `None` while the peer does not read.
    pub fn write(&mut self, bytes: &[u8]) -> Option<usize> {
        assert!(!self.is_shut, "nothing is written after the end");
        if self.read < self.stubborn || self.is_lost {
            return None;
        }
        let n = bytes.len().min(self.max_write);
        self.written.extend(&bytes[..n]);
        self.answer();
        Some(n)
    }

    /// Our writing direction is shut down; a client waits for its server to do that first.
    pub fn shut_down(&mut self) {
        assert!(self.role == Role::Client || self.has_told_end, "the server ends the stream");
        self.is_shut = true;
    }

    /// "The server MUST close the connection immediately": a client waits for that (section 7.1.1).
    fn has_ended(&self) -> bool {
        let is_closed = self.has_closed && self.has_seen_close;
        is_closed && (self.role == Role::Server || self.is_shut)
    }

    /// Answers a Close frame with its own.
    fn answer(&mut self) {
        while let Some(((opcode, _, payload), len)) = next_frame(&self.written[self.looked_at..]) {
            self.looked_at += len;
            if opcode == Opcode::Close {
                self.has_seen_close = true;
                if !self.has_closed {
                    self.has_closed = true;
                    self.send(0x88, &payload);
                }
            }
        }
    }

    fn send(&mut self, first: u8, payload: &[u8]) {
        let mask_bit = if self.role == Role::Client { 0x80 } else { 0 };
        self.sent.extend([first, mask_bit | payload.len() as u8]);
        if self.role == Role::Client {
            self.sent.extend([0; 4]);
        }
        self.sent.extend(payload);
    }
}

/// The first frame and its length, if it is there as a whole.
fn next_frame(bytes: &[u8]) -> Option<(Frame, usize)> {
    let (header, start) = FrameHeader::decode(bytes).expect("what we write is valid")?;
    let end = start + header.payload_len as usize;
    let mut payload = bytes.get(start..end)?.to_vec();
    if let Some(key) = header.masking_key {
        Mask::new(key).apply(&mut payload);
    }
    Some(((header.opcode, header.fin, payload), end))
}

/// All frames that are there as a whole, and the rest.
pub fn frames(mut bytes: &[u8]) -> (Vec<Frame>, &[u8]) {
    let mut frames = vec![];
    while let Some((frame, len)) = next_frame(bytes) {
        frames.push(frame);
        bytes = &bytes[len..];
    }
    (frames, bytes)
}
