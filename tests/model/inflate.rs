//! RFC 1951 read slowly: an inflater that goes bit by bit, remembers everything, and looks at every
//! rule. It knows of windows, of contexts and of where a message ends; it is the oracle of the
//! properties.

use std::rc::Rc;

/// "Append 4 octets of 0x00 0x00 0xff 0xff to the tail end of the payload of the message" (RFC
/// 7692, section 7.2.2).
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

/// Why there is no next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// There are too few bits for it.
    Unfinished,
    /// The bits mean nothing.
    Wrong,
}

type Read<T> = Result<T, Stop>;

/// The messages that come from one end, inflated by steps.
pub struct Inflater {
    /// All that was put out, of all messages.
    pub out: Vec<u8>,
    /// What lies before this is forgotten.
    from: usize,
    window: usize,
    keeps_context: bool,
    /// The payload of the message under way.
    bits: Bits,
    block: Block,
    /// Where in it the last final block ended, with which a message may end; so it may where it
    /// begins.
    may_end_at: usize,
}

/// What the next bits belong to.
#[derive(Clone)]
enum Block {
    Header,
    Stored { left: usize, is_final: bool },
    Coded { literals: Rc<Code>, distances: Rc<Code>, is_final: bool },
}

impl Inflater {
    pub fn new(window_bits: u8, keeps_context: bool) -> Self {
        Self {
            out: vec![],
            from: 0,
            window: 1 << window_bits,
            keeps_context,
            bits: Bits::default(),
            block: Block::Header,
            may_end_at: 0,
        }
    }

    /// Adds to the payload of the message under way.
    pub fn push(&mut self, payload: &[u8]) {
        self.bits.bytes.extend(payload);
    }

    /// Reads the header of a block, or one symbol, or one stored byte. Nothing is done if there are
    /// too few bits for it.
    pub fn step(&mut self) -> Read<()> {
        let start = self.bits.at;
        let next = match self.block.clone() {
            Block::Header => self.header(),
            Block::Stored { left, is_final } => self.stored(left, is_final),
            Block::Coded { literals, distances, is_final } => {
                self.symbol(literals, distances, is_final)
            }
        };
        if next.as_ref().err() == Some(&Stop::Unfinished) {
            self.bits.at = start;
        }
        self.block = next?;
        Ok(())
    }

    /// Ends the message: its bits and those of the tail are whole blocks. The tail belongs to an
    /// empty one (RFC 7692, section 7.2.1): it puts nothing out. It is not needed where a final
    /// block has just ended, nor where there is nothing at all.
    pub fn finish(&mut self) -> Read<()> {
        let tail = 8 * self.bits.bytes.len();
        loop {
            match self.step() {
                Ok(()) => {}
                Err(Stop::Unfinished) => break,
                Err(wrong) => return Err(wrong),
            }
        }
        if self.may_end_at != tail {
            self.push(&TAIL);
            let made = self.out.len();
            while self.bits.at < tail + 32 || !matches!(self.block, Block::Header) {
                self.step()?;
                if self.out.len() > made {
                    return Err(Stop::Wrong);
                }
            }
        }
        (self.bits, self.may_end_at) = (Bits::default(), 0);
        if !self.keeps_context {
            self.from = self.out.len();
        }
        Ok(())
    }

    /// The start of a block (section 3.2.3).
    fn header(&mut self) -> Read<Block> {
        let is_final = self.bits.number(1)? == 1;
        Ok(match self.bits.number(2)? {
            0 => {
                self.bits.align();
                let (len, complement) = (self.bits.number(16)?, self.bits.number(16)?);
                if len != !complement & 0xffff {
                    return Err(Stop::Wrong);
                }
                if len == 0 { self.end(is_final) } else { Block::Stored { left: len, is_final } }
            }
            1 => {
                let literals = (0..288).map(|symbol| match symbol {
                    0..144 => 8,
                    144..256 => 9,
                    256..280 => 7,
                    _ => 8,
                });
                let literals = Rc::new(Code(literals.collect()));
                Block::Coded { literals, distances: Rc::new(Code(vec![5; 32])), is_final }
            }
            2 => {
                let (literals, distances) = codes(&mut self.bits)?;
                let (literals, distances) = (Rc::new(literals), Rc::new(distances));
                Block::Coded { literals, distances, is_final }
            }
            _ => return Err(Stop::Wrong),
        })
    }

    fn stored(&mut self, left: usize, is_final: bool) -> Read<Block> {
        self.out.push(self.bits.number(8)? as u8);
        Ok(if left == 1 { self.end(is_final) } else { Block::Stored { left: left - 1, is_final } })
    }

    fn symbol(&mut self, literals: Rc<Code>, distances: Rc<Code>, is_final: bool) -> Read<Block> {
        match literals.symbol(&mut self.bits)? {
            symbol @ 0..256 => self.out.push(symbol as u8),
            256 => return Ok(self.end(is_final)),
            symbol => {
                let len = length(symbol - 257, &mut self.bits)?;
                let distance = distance(distances.symbol(&mut self.bits)?, &mut self.bits)?;
                if distance > self.window || distance > self.out.len() - self.from {
                    return Err(Stop::Wrong);
                }
                for _ in 0..len {
                    self.out.push(self.out[self.out.len() - distance]);
                }
            }
        }
        Ok(Block::Coded { literals, distances, is_final })
    }

    /// What follows a block. "Final" ends a stream of blocks: what follows it in the same message
    /// begins anew.
    fn end(&mut self, is_final: bool) -> Block {
        if is_final {
            self.bits.align();
            (self.from, self.may_end_at) = (self.out.len(), self.bits.at);
        }
        Block::Header
    }
}

#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    at: usize,
}

impl Bits {
    fn number(&mut self, len: usize) -> Read<usize> {
        let mut number = 0;
        for i in 0..len {
            let byte = self.bytes.get(self.at / 8).ok_or(Stop::Unfinished)?;
            number |= usize::from(byte >> (self.at % 8) & 1) << i;
            self.at += 1;
        }
        Ok(number)
    }

    fn align(&mut self) {
        self.at = self.at.next_multiple_of(8);
    }
}

/// A prefix code as the length of each symbol's code, 0 for none (section 3.2.2).
struct Code(Vec<u8>);

impl Code {
    /// Whether every sequence of bits means something, and only one thing; a single code of one bit
    /// is allowed where the RFC says so, of distances.
    fn is_complete(&self) -> bool {
        let used: u32 = self.0.iter().filter(|len| **len > 0).map(|len| 1 << (15 - len)).sum();
        used == 1 << 15
    }

    /// The codes of one length are consecutive, and follow those of the lengths before.
    fn symbol(&self, bits: &mut Bits) -> Read<usize> {
        let (mut code, mut first) = (0, 0);
        for len in 1..=15 {
            code = code << 1 | bits.number(1)?;
            first <<= 1;
            let symbols = || self.0.iter().enumerate().filter(|(_, l)| **l == len).map(|(s, _)| s);
            if let Some(symbol) = (code >= first).then(|| symbols().nth(code - first)).flatten() {
                return Ok(symbol);
            }
            first += symbols().count();
            if self.0.iter().all(|longest| *longest <= len) {
                break; // no code begins so
            }
        }
        Err(Stop::Wrong)
    }
}

/// The two codes of a block that brings its own (section 3.2.7).
fn codes(bits: &mut Bits) -> Read<(Code, Code)> {
    const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
    let (literals, distances) = (bits.number(5)? + 257, bits.number(5)? + 1);
    if literals > 286 || distances > 30 {
        return Err(Stop::Wrong);
    }
    let mut lengths = Code(vec![0; 19]);
    for place in &ORDER[..bits.number(4)? + 4] {
        lengths.0[*place] = bits.number(3)? as u8;
    }
    if !lengths.is_complete() {
        return Err(Stop::Wrong);
    }
    let mut all = vec![];
    while all.len() < literals + distances {
        let (len, times) = match lengths.symbol(bits)? {
            16 => (*all.last().ok_or(Stop::Wrong)?, 3 + bits.number(2)?),
            17 => (0, 3 + bits.number(3)?),
            18 => (0, 11 + bits.number(7)?),
            len => (len as u8, 1),
        };
        all.extend(std::iter::repeat_n(len, times));
    }
    if all.len() > literals + distances || all[256] == 0 {
        return Err(Stop::Wrong);
    }
    let distances = Code(all.split_off(literals));
    let literals = Code(all);
    let is_single = |code: &Code| code.0.iter().map(|len| u32::from(*len)).sum::<u32>() <= 1;
    let is_good = |code: &Code| code.is_complete() || is_single(code);
    if is_good(&literals) && is_good(&distances) {
        Ok((literals, distances))
    } else {
        Err(Stop::Wrong)
    }
}

fn length(symbol: usize, bits: &mut Bits) -> Read<usize> {
    match symbol {
        0..8 => Ok(symbol + 3),
        28 => Ok(258),
        8..28 => {
            let extra = symbol / 4 - 1;
            Ok(((4 + symbol % 4) << extra) + 3 + bits.number(extra)?)
        }
        _ => Err(Stop::Wrong),
    }
}

fn distance(symbol: usize, bits: &mut Bits) -> Read<usize> {
    match symbol {
        0..4 => Ok(symbol + 1),
        4..30 => {
            let extra = symbol / 2 - 1;
            Ok(((2 + symbol % 2) << extra) + 1 + bits.number(extra)?)
        }
        _ => Err(Stop::Wrong),
    }
}
