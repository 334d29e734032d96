//! What every connection sends, and whether what comes back is that.

/// A ring of messages of one length, as frames and as payloads.
#[derive(Clone)]
pub struct Script {
    /// The frames twice, so that any window is one slice.
    frames: Vec<u8>,
    frame_len: usize,
    payloads: Vec<u8>,
    payload_len: usize,
    count: usize,
}

impl Script {
    /// As a client sends it: masked, with a key of each frame's own.
    pub fn masked(payload_len: usize, window: usize) -> Self {
        Self::new(payload_len, window, true)
    }

    /// As a server sends it: for those who send back what came.
    pub fn plain(payload_len: usize, window: usize) -> Self {
        Self::new(payload_len, window, false)
    }

    pub fn frame_len(&self) -> usize {
        self.frame_len
    }

    /// At most so many bytes of the ring from there on.
    pub fn frames(&self, cursor: usize, len: usize) -> &[u8] {
        &self.frames[cursor..self.frames.len().min(cursor + len)]
    }

    /// Where the ring goes on behind them.
    pub fn after(&self, cursor: usize, len: usize) -> usize {
        (cursor + len) % (self.frame_len * self.count)
    }

    fn new(payload_len: usize, window: usize, masked: bool) -> Self {
        let count = window.max(2);
        let mut noise = Noise(0x9E37_79B9_7F4A_7C15);
        let payloads: Vec<u8> = (0..payload_len * count).map(|_| noise.byte()).collect();
        let mut frames = Vec::new();
        for payload in payloads.chunks(payload_len) {
            let key = std::array::from_fn(|_| if masked { noise.byte() } else { 0 });
            encode(payload, masked.then_some(key), &mut frames);
        }
        let frame_len = frames.len() / count;
        frames.extend_from_within(..);
        Self { frames, frame_len, payloads, payload_len, count }
    }

    fn payload(&self, message: u64) -> &[u8] {
        let at = (message % self.count as u64) as usize * self.payload_len;
        &self.payloads[at..at + self.payload_len]
    }
}

/// Reads the frames of a server (RFC 6455, 5.2) of one connection.
#[derive(Default)]
pub struct Replies {
    header: [u8; 10],
    header_len: usize,
    payload_left: u64,
    is_control: bool,
    is_final: bool,
    /// Of the message that is arriving.
    len: usize,
    /// That have come.
    messages: u64,
}

impl Replies {
    /// How many messages end in these bytes.
    ///
    /// # Errors
    ///
    /// The server sent something else than the script has.
    pub fn take(&mut self, mut bytes: &[u8], script: &Script) -> Result<usize, String> {
        let before = self.messages;
        while !bytes.is_empty() {
            if self.payload_left > 0 {
                let n = bytes.len().min(self.payload_left as usize);
                let (piece, rest) = bytes.split_at(n);
                (self.payload_left, bytes) = (self.payload_left - n as u64, rest);
                self.check(piece, script)?;
            } else {
                self.header[self.header_len] = bytes[0];
                (self.header_len, bytes) = (self.header_len + 1, &bytes[1..]);
                if self.header_len < 2 || self.header_len < header_len(self.header[1])? {
                    continue;
                }
                self.begin()?;
            }
            if self.payload_left == 0 && self.is_final && !self.is_control {
                if self.len != script.payload_len {
                    return Err(format!("{} bytes for {}", self.len, script.payload_len));
                }
                (self.len, self.messages, self.is_final) = (0, self.messages + 1, false);
            }
        }
        Ok((self.messages - before) as usize)
    }

    fn begin(&mut self) -> Result<(), String> {
        let [first, second, length @ ..] = self.header;
        self.payload_left = match second {
            126 => u16::from_be_bytes([length[0], length[1]]).into(),
            127 => u64::from_be_bytes(length),
            length => length.into(),
        };
        self.header_len = 0;
        self.is_final = first & FIN != 0;
        self.is_control = first & CONTROL != 0;
        match first & !FIN {
            BINARY if self.len == 0 => Ok(()),
            CONTINUATION if self.len > 0 => Ok(()),
            PING | PONG => Ok(()), // some ask after half a minute
            _ => Err(format!("a frame begins with {first:#04x}")),
        }
    }

    fn check(&mut self, piece: &[u8], script: &Script) -> Result<(), String> {
        if self.is_control {
            return Ok(());
        }
        let at = self.len;
        self.len += piece.len();
        let is_sample = self.messages < CHECKED || self.messages.is_multiple_of(EVERY);
        if is_sample && script.payload(self.messages).get(at..self.len) != Some(piece) {
            return Err(format!("message {} came back changed", self.messages));
        }
        Ok(())
    }
}

/// The length of a header by its second byte; a server does not mask.
fn header_len(second: u8) -> Result<usize, String> {
    match second {
        ..126 => Ok(2),
        126 => Ok(4),
        127 => Ok(10),
        _ => Err("the server masks".into()),
    }
}

fn encode(payload: &[u8], key: Option<[u8; 4]>, frames: &mut Vec<u8>) {
    let mask = if key.is_some() { MASKED } else { 0 };
    frames.push(FIN | BINARY);
    match payload.len() {
        len @ ..126 => frames.push(mask | len as u8),
        len @ ..65_536 => {
            frames.push(mask | 126);
            frames.extend_from_slice(&(len as u16).to_be_bytes());
        }
        len => {
            frames.push(mask | 127);
            frames.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    frames.extend_from_slice(&key.unwrap_or_default()[..if key.is_some() { 4 } else { 0 }]);
    let key = key.unwrap_or_default();
    frames.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
}

/// Bytes that no two messages share (xorshift64).
struct Noise(u64);

impl Noise {
    fn byte(&mut self) -> u8 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 32) as u8
    }
}

/// Of each connection's messages so many are compared from the first one on, then each so-manieth.
const CHECKED: u64 = 64;
const EVERY: u64 = 16;

const FIN: u8 = 0x80;
const MASKED: u8 = 0x80;
const CONTROL: u8 = 0x08;
const CONTINUATION: u8 = 0x0;
const BINARY: u8 = 0x2;
const PING: u8 = 0x9;
const PONG: u8 = 0xA;
