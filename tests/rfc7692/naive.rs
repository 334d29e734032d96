//! RFC 1951 read slowly: an inflater that goes bit by bit, remembers everything, and looks at every
//! rule. It knows of windows, of contexts and of where a message ends; it is the oracle of the
//! properties.

const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

/// The messages up to the first that fails, and whether none did.
pub fn inflate(payloads: &[Vec<u8>], bits: u8, keeps_context: bool) -> (Vec<Vec<u8>>, bool) {
    let mut stream = Stream { out: vec![], from: 0, window: 1 << bits };
    let mut messages = vec![];
    for payload in payloads {
        if !keeps_context {
            stream.from = stream.out.len();
        }
        let start = stream.out.len();
        if !payload.is_empty() && stream.message(payload).is_none() {
            return (messages, false);
        }
        messages.push(stream.out[start..].to_vec());
    }
    (messages, true)
}

struct Stream {
    out: Vec<u8>,
    /// What lies before this is forgotten.
    from: usize,
    window: usize,
}

impl Stream {
    /// Blocks up to the end of the tail, or of a payload whose last block is final.
    ///
    /// The tail belongs to an empty block (RFC 7692, section 7.2.1): it puts nothing out.
    fn message(&mut self, payload: &[u8]) -> Option<()> {
        let bytes = [payload, &TAIL].concat();
        let mut bits = Bits { bytes: &bytes, at: 0, tail: 8 * payload.len() };
        while bits.at < 8 * bytes.len() {
            if self.block(&mut bits)? {
                bits.align();
                self.from = self.out.len();
                if bits.at == bits.tail {
                    return Some(());
                }
            }
        }
        Some(())
    }

    /// One block; whether it is final (section 3.2.3).
    fn block(&mut self, bits: &mut Bits<'_>) -> Option<bool> {
        let is_final = bits.number(1)? == 1;
        match bits.number(2)? {
            0 => self.stored(bits)?,
            1 => {
                let literals = (0..288).map(|symbol| match symbol {
                    0..144 => 8,
                    144..256 => 9,
                    256..280 => 7,
                    _ => 8,
                });
                self.coded(bits, &Code(literals.collect()), &Code(vec![5; 30]))?;
            }
            2 => {
                let (literals, distances) = codes(bits)?;
                self.coded(bits, &literals, &distances)?;
            }
            _ => return None,
        }
        Some(is_final)
    }

    fn stored(&mut self, bits: &mut Bits<'_>) -> Option<()> {
        bits.align();
        let (len, complement) = (bits.number(16)?, bits.number(16)?);
        if len != !complement & 0xffff {
            return None;
        }
        for _ in 0..len {
            self.out.push(bits.number(8)? as u8);
            bits.is_before_tail()?;
        }
        Some(())
    }

    fn coded(&mut self, bits: &mut Bits<'_>, literals: &Code, distances: &Code) -> Option<()> {
        loop {
            let symbol = literals.symbol(bits)?;
            match symbol {
                0..256 => self.out.push(symbol as u8),
                256 => return Some(()),
                _ => {
                    let len = length(symbol - 257, bits)?;
                    let distance = distance(distances.symbol(bits)?, bits)?;
                    if distance > self.window || distance > self.out.len() - self.from {
                        return None;
                    }
                    for _ in 0..len {
                        self.out.push(self.out[self.out.len() - distance]);
                    }
                }
            }
            bits.is_before_tail()?;
        }
    }
}

struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Where the tail begins.
    tail: usize,
}

impl Bits<'_> {
    fn number(&mut self, len: usize) -> Option<usize> {
        let mut number = 0;
        for i in 0..len {
            let byte = self.bytes.get(self.at / 8)?;
            number |= usize::from(byte >> (self.at % 8) & 1) << i;
            self.at += 1;
        }
        Some(number)
    }

    fn is_before_tail(&self) -> Option<()> {
        (self.at <= self.tail).then_some(())
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
    fn symbol(&self, bits: &mut Bits<'_>) -> Option<usize> {
        let (mut code, mut first) = (0, 0);
        for len in 1..=15 {
            code = code << 1 | bits.number(1)?;
            first <<= 1;
            let symbols = || self.0.iter().enumerate().filter(|(_, l)| **l == len).map(|(s, _)| s);
            if let Some(symbol) = (code >= first).then(|| symbols().nth(code - first)).flatten() {
                return Some(symbol);
            }
            first += symbols().count();
        }
        None
    }
}

/// The two codes of a block that brings its own (section 3.2.7).
fn codes(bits: &mut Bits<'_>) -> Option<(Code, Code)> {
    const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
    let (literals, distances) = (bits.number(5)? + 257, bits.number(5)? + 1);
    if literals > 286 || distances > 30 {
        return None;
    }
    let mut lengths = Code(vec![0; 19]);
    for place in &ORDER[..bits.number(4)? + 4] {
        lengths.0[*place] = bits.number(3)? as u8;
    }
    if !lengths.is_complete() {
        return None;
    }
    let mut all = vec![];
    while all.len() < literals + distances {
        let (len, times) = match lengths.symbol(bits)? {
            16 => (*all.last()?, 3 + bits.number(2)?),
            17 => (0, 3 + bits.number(3)?),
            18 => (0, 11 + bits.number(7)?),
            len => (len as u8, 1),
        };
        all.extend(std::iter::repeat_n(len, times));
    }
    if all.len() > literals + distances || all[256] == 0 {
        return None;
    }
    let distances = Code(all.split_off(literals));
    let literals = Code(all);
    let is_single = |code: &Code| code.0.iter().map(|len| u32::from(*len)).sum::<u32>() <= 1;
    let is_good = |code: &Code| code.is_complete() || is_single(code);
    (is_good(&literals) && is_good(&distances)).then_some((literals, distances))
}

fn length(symbol: usize, bits: &mut Bits<'_>) -> Option<usize> {
    match symbol {
        0..8 => Some(symbol + 3),
        28 => Some(258),
        8..28 => {
            let extra = symbol / 4 - 1;
            Some(((4 + symbol % 4) << extra) + 3 + bits.number(extra)?)
        }
        _ => None,
    }
}

fn distance(symbol: usize, bits: &mut Bits<'_>) -> Option<usize> {
    match symbol {
        0..4 => Some(symbol + 1),
        4..30 => {
            let extra = symbol / 2 - 1;
            Some(((2 + symbol % 2) << extra) + 1 + bits.number(extra)?)
        }
        _ => None,
    }
}
