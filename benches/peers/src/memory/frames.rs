//! Messages, and the frames of RFC 6455, section 5.2, that carry them: the simplest code that is
//! right, to check the others against.

/// What messages consist of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    Binary,
    /// Korean mixed with ASCII, as in a chat.
    Korean,
    Ascii,
}

impl Content {
    pub fn is_text(self) -> bool {
        self != Self::Binary
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Binary => "binary",
            Self::Korean => "Korean text",
            Self::Ascii => "ASCII text",
        }
    }

    /// A message of exactly this length; another one for each number.
    pub fn message(self, len: usize, number: usize) -> Vec<u8> {
        let mut message = Vec::with_capacity(len);
        match self {
            Self::Binary => {
                let mut random = Random(number as u64 + 1);
                message.resize_with(len, || random.next() as u8);
            }
            Self::Korean => fill_with_text(&mut message, KOREAN, number),
            Self::Ascii => fill_with_text(&mut message, ENGLISH, number),
        }
        message
    }
}

/// Masked frames, all of one size, to be read in a circle.
pub struct Frames {
    pub is_text: bool,
    pub messages: Vec<Vec<u8>>,
    pub bytes: Vec<u8>,
    pub frame_len: usize,
}

impl Frames {
    /// As a client sends them, each with another masking key.
    pub fn from_client(content: Content, len: usize) -> &'static Self {
        let count = (CIRCLE / (len + 8)).max(2);
        let messages: Vec<_> = (0..count).map(|number| content.message(len, number)).collect();
        let mut random = Random(0x5eed);
        let mut bytes = Vec::new();
        for message in &messages {
            let key = (random.next() as u32).to_ne_bytes();
            encode(content.is_text(), Some(key), message, &mut bytes);
        }
        let frame_len = bytes.len() / count;
        Box::leak(Box::new(Self { is_text: content.is_text(), messages, bytes, frame_len }))
    }

    /// Bytes that are no frames, but are read whole.
    pub fn raw(bytes: Vec<u8>) -> &'static Self {
        let frame_len = bytes.len();
        Box::leak(Box::new(Self { is_text: false, messages: Vec::new(), bytes, frame_len }))
    }
}

/// Appends a frame.
fn encode(is_text: bool, key: Option<[u8; 4]>, payload: &[u8], bytes: &mut Vec<u8>) {
    let mask = if key.is_some() { 0x80 } else { 0 };
    bytes.push(if is_text { 0x81 } else { 0x82 });
    match payload.len() {
        len @ ..=125 => bytes.push(mask | len as u8),
        len @ ..=0xffff => {
            bytes.push(mask | 126);
            bytes.extend((len as u16).to_be_bytes());
        }
        len => {
            bytes.push(mask | 127);
            bytes.extend((len as u64).to_be_bytes());
        }
    }
    bytes.extend(key.into_iter().flatten());
    let key = key.unwrap_or_default();
    bytes.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
}

/// The first frame's payload, whether it was masked, and what lies behind the frame.
pub fn decode(bytes: &[u8]) -> Option<(Vec<u8>, bool, &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<2>()?;
    let is_masked = head[1] & 0x80 != 0;
    let (len, rest) = match head[1] & 0x7f {
        126 => {
            let (len, rest) = rest.split_first_chunk()?;
            (usize::from(u16::from_be_bytes(*len)), rest)
        }
        127 => {
            let (len, rest) = rest.split_first_chunk()?;
            (u64::from_be_bytes(*len) as usize, rest)
        }
        len => (usize::from(len), rest),
    };
    let (key, rest) = match is_masked {
        true => rest.split_first_chunk::<4>()?,
        false => (&[0; 4], rest),
    };
    let (payload, rest) = rest.split_at_checked(len)?;
    let payload = payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
    (head[0] == 0x82).then_some((payload, is_masked, rest))
}

/// Whole characters of `sample` as long as they fit, behind a number; dots fill the rest.
fn fill_with_text(message: &mut Vec<u8>, sample: &str, number: usize) {
    let len = message.capacity();
    let text = format!("{number}: ");
    let mut utf8 = [0; 4];
    for character in text.chars().chain(sample.chars().cycle()) {
        let bytes = character.encode_utf8(&mut utf8).as_bytes();
        if message.len() + bytes.len() > len {
            break;
        }
        message.extend_from_slice(bytes);
    }
    message.resize(len, b'.');
}

/// Xorshift: the same at every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32
    }
}

/// The bytes that go round for messages smaller than half of it: more than any read takes, less
/// than a core's second-level cache.
const CIRCLE: usize = 256 * 1024;

const KOREAN: &str = "오늘 점심은 김치찌개 어때요? OK, 12:30에 정문 앞에서 만나요 :) 회의 자료는 \
                      shared/plan.pdf 로 보냈습니다. ";
const ENGLISH: &str = "Lunch at half past twelve? Fine, meet you at the main gate :) The slides \
                       for the meeting are in shared/plan.pdf, last page is new. ";
