//! RFC 6455, sections 5 to 8, and RFC 7692, read slowly: bytes that a peer has sent in; events,
//! replies and the verdict out.
//!
//! Written from the RFCs, not from the crate: octet by octet, with everything at hand that has come
//! so far, and the sentence beside the line that it decides. What the RFCs leave open is policy:
//! the limits, as `Limits` documents them, and that the close code of a reply is that of the peer.

pub mod check;
pub mod inflate;
pub mod script;

use inflate::{Inflater, Stop as InflateStop};
use sotong::{Role, State, Transport};

use crate::common::{Seen, frame};

/// One end of a connection, before any byte has come.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    pub role: Role,
    /// Whether it has sent a Close frame already.
    pub close_sent: bool,
    /// The largest message and the largest frame.
    pub message: u64,
    pub frame: u64,
    pub fragments: u32,
    pub inflation: u32,
    /// If compression was agreed on: the peer's window in bits, and whether it keeps its context.
    pub deflate: Option<(u8, bool)>,
}

/// What bytes lead to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    pub events: Vec<Seen>,
    /// The frames that answer, a client's masked with zeros.
    pub replies: Vec<u8>,
    pub verdict: Verdict,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// There is more to come.
    Waits,
    /// The peer has closed.
    Closed,
    /// The connection fails with this close code.
    Fails(u16),
}

impl Reading {
    /// How far the closing handshake has come, and what to do with the stream (section 7.1.1: "the
    /// server MUST close the connection immediately", the client waits for that, whoever failed).
    pub fn end(&self, rules: &Rules) -> (State, Transport) {
        match (self.verdict, rules.role) {
            (Verdict::Waits, _) if rules.close_sent => (State::Closing, Transport::Keep),
            (Verdict::Waits, _) => (State::Open, Transport::Keep),
            (_, Role::Client) => (State::Closed, Transport::AwaitEof),
            (_, Role::Server) => (State::Closed, Transport::ShutDown),
        }
    }
}

/// The most octets behind a fault in DEFLATE data that an inflater may want to have before it sees
/// it, where there are that many: some look at several fields at once, and zlib takes a code of no
/// code lengths for one of zeros, which has to have come for 286 and 30 symbols.
pub const LOOKAHEAD: usize = 3 + (286 + 30) / 8;

/// Reads all that has come, by an inflater that wants to have so many octets behind a fault.
pub fn read(rules: &Rules, bytes: &[u8], lookahead: usize) -> Reading {
    let mut reader = Reader {
        rules,
        message: None,
        inflater: rules.deflate.map(|(bits, keeps_context)| Inflater::new(bits, keeps_context)),
        lookahead,
        behind_the_fault: None,
        events: vec![],
        replies: vec![],
    };
    let mut at = 0;
    let verdict = loop {
        match reader.frame(&bytes[at..]) {
            Ok(len) => at += len,
            Err(Stop::More) => break Verdict::Waits,
            Err(Stop::Closed) => break Verdict::Closed,
            Err(Stop::Fails(code)) => break Verdict::Fails(code),
        }
    };
    // "Upon either sending or receiving a Close control frame ..." an endpoint that fails the
    // connection "SHOULD send a Close frame with an appropriate status code" (7.1.7), once.
    if let (Verdict::Fails(code), false) = (verdict, rules.close_sent) {
        reader.replies.extend(reply(rules.role, 0x88, &code.to_be_bytes()));
    }
    Reading { events: reader.events, replies: reader.replies, verdict }
}

/// Why there is no further frame.
enum Stop {
    More,
    Closed,
    Fails(u16),
}

const PROTOCOL_ERROR: Stop = Stop::Fails(1002);
/// "Data within a message that was not consistent with the type of the message (e.g., non-UTF-8)".
const INVALID_DATA: Stop = Stop::Fails(1007);
const POLICY: Stop = Stop::Fails(1008);
const TOO_BIG: Stop = Stop::Fails(1009);

struct Reader<'r> {
    rules: &'r Rules,
    message: Option<Message>,
    inflater: Option<Inflater>,
    lookahead: usize,
    /// How much of the payload has come behind what is no DEFLATE data.
    behind_the_fault: Option<usize>,
    events: Vec<Seen>,
    replies: Vec<u8>,
}

/// The message whose final frame has not come.
struct Message {
    is_text: bool,
    is_compressed: bool,
    fragments: u128,
    /// The payload lengths of its frames.
    announced: u128,
    octets: Vec<u8>,
    /// The octets of a character that is not complete.
    character: Vec<u8>,
}

impl Reader<'_> {
    /// The frame at the front (section 5.2), and its length.
    fn frame(&mut self, bytes: &[u8]) -> Result<usize, Stop> {
        let [first, second, ..] = *bytes else { return Err(Stop::More) };
        let fin = first & 0b1000_0000 != 0;
        let rsv1 = first & 0b0100_0000 != 0;
        let rsv2_or_3 = first & 0b0011_0000 != 0;
        let opcode = first & 0b0000_1111;
        let is_masked = second & 0b1000_0000 != 0;
        let length = second & 0b0111_1111;
        let is_control = opcode >= 8;

        // "MUST be 0 unless an extension is negotiated that defines meanings for non-zero values.
        // If a nonzero value is received ... the receiving endpoint MUST _Fail the WebSocket
        // Connection_." RFC 7692, 6: RSV1 on the first fragment of a data message, and nowhere
        // else.
        let may_be_compressed = self.inflater.is_some() && (opcode == 1 || opcode == 2);
        if rsv2_or_3 || (rsv1 && !may_be_compressed) {
            return Err(PROTOCOL_ERROR);
        }
        // "If an unknown opcode is received ..." the same.
        if !matches!(opcode, 0x0 | 0x1 | 0x2 | 0x8 | 0x9 | 0xa) {
            return Err(PROTOCOL_ERROR);
        }
        // 5.1: a server closes upon a frame that is not masked, a client upon one that is.
        if is_masked != (self.rules.role == Role::Server) {
            return Err(PROTOCOL_ERROR);
        }
        // 5.5: "All control frames MUST have a payload length of 125 bytes or less and MUST NOT be
        // fragmented."
        if is_control && (length > 125 || !fin) {
            return Err(PROTOCOL_ERROR);
        }
        // 5.4: a continuation continues a message, and messages do not interleave.
        if !is_control && (opcode == 0) != self.message.is_some() {
            return Err(PROTOCOL_ERROR);
        }
        // "The minimal number of bytes MUST be used to encode the length", "the most significant
        // bit MUST be 0".
        let (length, mut at) = match length {
            126 => {
                let [high, low] = *bytes[2..].first_chunk().ok_or(Stop::More)?;
                (u64::from(high) << 8 | u64::from(low), 4)
            }
            127 => (u64::from_be_bytes(*bytes[2..].first_chunk().ok_or(Stop::More)?), 10),
            short => (u64::from(short), 2),
        };
        if (at == 4 && length < 126) || (at == 10 && length < 65536) || length >= 1 << 63 {
            return Err(PROTOCOL_ERROR);
        }
        let mut key = [0; 4];
        if is_masked {
            key = *bytes[at..].first_chunk().ok_or(Stop::More)?;
            at += 4;
        }
        let arrived = &bytes[at..];
        let arrived = &arrived[..arrived.len().min(usize::try_from(length).unwrap_or(usize::MAX))];
        // 5.3: "Octet i of the transformed data is the XOR of octet i of the original data with
        // octet at index i modulo 4 of the masking key".
        let payload: Vec<u8> =
            arrived.iter().enumerate().map(|(i, octet)| octet ^ key[i % 4]).collect();
        let is_whole = payload.len() as u64 == length;
        if is_control {
            return if is_whole { self.control(opcode, payload) } else { Err(Stop::More) }
                .map(|()| at + arrived.len());
        }
        let message = self.message.get_or_insert_with(|| Message {
            is_text: opcode == 1,
            is_compressed: rsv1,
            fragments: 0,
            announced: 0,
            octets: vec![],
            character: vec![],
        });
        message.announce(self.rules, length)?;
        self.payload(&payload)?;
        if !is_whole {
            return Err(Stop::More);
        }
        if fin {
            self.end_message()?;
        }
        Ok(at + arrived.len())
    }

    fn control(&mut self, opcode: u8, body: Vec<u8>) -> Result<(), Stop> {
        match opcode {
            0x9 => {
                // 5.5.3: "identical Application data as found in the message body of the Ping".
                self.replies.extend(reply(self.rules.role, 0x8a, &body));
                self.events.push(Seen::Ping(body));
            }
            0xa => self.events.push(Seen::Pong(body)),
            _ => {
                let close = read_close(&body)?;
                // 5.5.1: "If an endpoint receives a Close frame and did not previously send a Close
                // frame, the endpoint MUST send a Close frame in response." It "typically echos the
                // status code".
                if !self.rules.close_sent {
                    let code = &body[..body.len().min(2)];
                    self.replies.extend(reply(self.rules.role, 0x88, code));
                }
                self.events.push(Seen::Close(close));
                return Err(Stop::Closed);
            }
        }
        Ok(())
    }

    /// Payload of a data frame, as much of it as has come.
    fn payload(&mut self, payload: &[u8]) -> Result<(), Stop> {
        let Some(message) = &mut self.message else { return Ok(()) };
        let Some(inflater) = self.inflater.as_mut().filter(|_| message.is_compressed) else {
            return payload.iter().try_for_each(|octet| message.octet(self.rules, *octet));
        };
        for octet in payload {
            inflater.push(&[*octet]);
            self.behind_the_fault = self.behind_the_fault.map(|octets| octets + 1);
            while self.behind_the_fault.is_none() {
                let made = inflater.out.len();
                match inflater.step() {
                    Ok(()) => {}
                    Err(InflateStop::Unfinished) => break,
                    Err(InflateStop::Wrong) => self.behind_the_fault = Some(0),
                }
                for octet in &inflater.out[made..] {
                    message.octet(self.rules, *octet)?;
                }
            }
            if self.behind_the_fault.is_some_and(|octets| octets >= self.lookahead) {
                return Err(INVALID_DATA);
            }
        }
        Ok(())
    }

    fn end_message(&mut self) -> Result<(), Stop> {
        let Some(message) = self.message.take() else { return Ok(()) };
        let inflater = self.inflater.as_mut().filter(|_| message.is_compressed);
        let is_inflated = inflater.is_none_or(|inflater| inflater.finish().is_ok());
        if self.behind_the_fault.is_some() || !is_inflated {
            return Err(INVALID_DATA);
        }
        self.events.push(match message.is_text {
            false => Seen::Binary(message.octets),
            // 8.1: the message as a whole is to be UTF-8.
            true => Seen::Text(String::from_utf8(message.octets).map_err(|_| INVALID_DATA)?),
        });
        Ok(())
    }
}

impl Message {
    /// A further frame, against the limits of what may come (section 10.4): they are known to be
    /// broken when the header says so. Compressed, what is not worth it may be larger by an eighth,
    /// and by 64 bytes for each frame.
    fn announce(&mut self, rules: &Rules, length: u64) -> Result<(), Stop> {
        self.fragments += 1;
        self.announced += u128::from(length);
        let limit = |limit: u64, frames: u128| match self.is_compressed {
            true => u128::from(limit) + u128::from(limit / 8) + 64 * frames,
            false => u128::from(limit),
        };
        if u128::from(length) > limit(rules.frame, 1)
            || self.announced > limit(rules.message, self.fragments)
        {
            return Err(TOO_BIG);
        }
        if self.fragments > u128::from(rules.fragments) { Err(POLICY) } else { Ok(()) }
    }

    /// An octet of the message as it was before it was compressed.
    fn octet(&mut self, rules: &Rules, octet: u8) -> Result<(), Stop> {
        self.octets.push(octet);
        if self.is_text {
            // 8.1: not UTF-8 is what no octet that follows can make UTF-8.
            self.character.push(octet);
            match std::str::from_utf8(&self.character) {
                Ok(_) => self.character.clear(),
                Err(error) if error.error_len().is_none() => {}
                Err(_) => return Err(INVALID_DATA),
            }
        }
        if !self.is_compressed {
            return Ok(());
        }
        let size = self.octets.len() as u128;
        let times = self.announced * u128::from(rules.inflation);
        if size > u128::from(rules.message) || size > times.max(64 * 1024) {
            return Err(TOO_BIG);
        }
        Ok(())
    }
}

/// The body of a Close frame (sections 5.5.1 and 7.4).
fn read_close(body: &[u8]) -> Result<Option<(u16, String)>, Stop> {
    // "If there is a body, the first two bytes of the body MUST be a 2-byte unsigned integer".
    let (code, reason) = match body {
        [] => return Ok(None),
        [_] => return Err(PROTOCOL_ERROR),
        [high, low, reason @ ..] => (u16::from(*high) << 8 | u16::from(*low), reason),
    };
    match code {
        0..=999 => return Err(PROTOCOL_ERROR), // "are not used"
        1000..=1003 | 1007..=1011 => {}
        1004 => return Err(PROTOCOL_ERROR), // "Reserved."
        1005 | 1006 | 1015 => return Err(PROTOCOL_ERROR), // "MUST NOT be set as a status code"
        1012..=1014 => {}                   // registered since, see section 11.7
        1016..=2999 => return Err(PROTOCOL_ERROR), // for later revisions
        3000..=4999 => {}                   // libraries, frameworks, private use
        5000.. => return Err(PROTOCOL_ERROR),
    }
    let reason = String::from_utf8(reason.to_vec()).map_err(|_| INVALID_DATA)?;
    Ok(Some((code, reason)))
}

/// A frame of ours; a client's is masked, with zeros.
fn reply(role: Role, first: u8, body: &[u8]) -> Vec<u8> {
    frame(first, (role == Role::Client).then_some([0; 4]), body)
}
