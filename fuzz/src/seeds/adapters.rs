//! Seeds of the target `adapters`: peers with a clock, and applications that have something to say.

/// A scenario in its parts; see `Scenario::new`.
struct Seed {
    name: &'static str,
    rules: [u8; 2],
    /// How it is cut, how much a write takes, how it listens.
    cut: u8,
    takes: u8,
    listens: u8,
    manner: u8,
    times: u8,
    delays: &'static [u8],
    stalls: &'static [u8],
    says: &'static [u8],
    script: &'static [u8],
}

impl Seed {
    fn bytes(&self) -> Vec<u8> {
        let Self { rules: [first, second], cut, takes, listens, manner, times, .. } = *self;
        let mut bytes = vec![first, second, cut, takes, listens, manner, times];
        for part in [self.delays, self.stalls, self.says] {
            bytes.push(u8::try_from(part.len()).expect("seeds are small"));
            bytes.extend(part);
        }
        bytes.extend(self.script);
        bytes
    }
}

pub fn seeds() -> impl Iterator<Item = (&'static str, String, Vec<u8>)> {
    SEEDS.iter().map(|seed| ("adapters", seed.name.to_string(), seed.bytes()))
}

const SERVER: [u8; 2] = [0, 0];
const CLIENT: [u8; 2] = [4, 0];
const DEFLATE: [u8; 2] = [0xf8, 0];

// How the stream is: when it ends, and what it does not do.
const AFTER_GOODBYE: u8 = 0x01;
const NEVER_ENDS: u8 = 0x02;
const KEEPS: u8 = 0x04;
const NO_SLICES: u8 = 0x08;
const NO_TICKS: u8 = 0x10;
const PROMPT: u8 = 0x20;
const NO_ECHO: u8 = 0x40;
const OPENS: u8 = 0x80;

/// All four deadlines, and each of them alone where it is enough.
const ALL: u8 = 0x55;
const KEEPALIVE: u8 = 0x05;
const CLOSE: u8 = 0x10;
const SEND: u8 = 0x40;

const HELLO: &[u8] = b"\x80\x81\x05Hello\x80\x88\x02\x03\xe8";

/// A seed with which nothing is special.
const PLAIN: Seed = Seed {
    name: "plain",
    rules: SERVER,
    cut: 3,
    takes: 30,
    listens: 0x20,
    manner: 0,
    times: 0,
    delays: b"",
    stalls: b"",
    says: b"",
    script: HELLO,
};

const SEEDS: &[Seed] = &[
    Seed { name: "silence", manner: NEVER_ENDS | PROMPT, times: KEEPALIVE, script: b"", ..PLAIN },
    Seed { name: "silence-over-a-slow-stream", manner: NEVER_ENDS, times: ALL, ..PLAIN },
    Seed {
        name: "silence-broken-in-time",
        cut: 1,
        manner: AFTER_GOODBYE,
        times: KEEPALIVE,
        delays: b"\x05\x03\x04\x03\x04\x04\x03\x05\x03\x02\x07",
        script: b"\x80\x8a\x01?\x80\x8a\x01?",
        ..PLAIN
    },
    Seed {
        name: "never-read",
        manner: NEVER_ENDS,
        times: SEND,
        stalls: b"\x0a\x07",
        says: b"\x41\x08\x05Hello\x03\x01a\x8d",
        ..PLAIN
    },
    Seed {
        name: "read-late",
        takes: 8,
        stalls: b"\x05\x02\x07\x03\x02\x01\x10\x04",
        says: b"\x03\x05Hello\x41\x10\x05again\x04\x01!\x0d\x8c\x00\x41\x09\x01b",
        ..PLAIN
    },
    Seed {
        name: "read-late-from-a-full-queue",
        takes: 9,
        times: 0xc0,
        stalls: b"\x05\x02\x07\x03\x02\x01",
        says: b"\x03\x05Hello\x04\x05again\x8c\x00\x01\x01b",
        delays: b"\x00\x03\x04",
        ..PLAIN
    },
    Seed {
        name: "close-unanswered",
        manner: NEVER_ENDS | PROMPT,
        times: CLOSE,
        says: b"\x81\x03bye\x0e",
        script: b"\x80\x81\x05Hello",
        ..PLAIN
    },
    Seed {
        name: "close-before-a-keepalive",
        cut: 0,
        manner: NEVER_ENDS | PROMPT,
        times: 0x17,
        delays: b"\x02",
        says: b"\x8d\x0e",
        script: b"\x80\x81\x05Hello",
        ..PLAIN
    },
    Seed {
        name: "never-read-by-halves",
        takes: 4,
        manner: NEVER_ENDS,
        times: ALL,
        stalls: b"\x04\x07",
        says: b"\x01\x05Hello\x04\x01a",
        ..PLAIN
    },
    Seed {
        name: "close-answered",
        manner: AFTER_GOODBYE,
        delays: b"\x04\x02",
        times: 0x30,
        says: b"\x01\x03bye\x0f\x00",
        ..PLAIN
    },
    Seed {
        name: "close-of-a-client",
        rules: CLIENT,
        manner: AFTER_GOODBYE | NO_SLICES,
        times: ALL,
        says: b"\x8c\x01a\x0e",
        ..PLAIN
    },
    Seed {
        name: "failed-and-waiting",
        manner: NEVER_ENDS | KEEPS,
        times: ALL,
        delays: b"\x00\x04\x03",
        script: b"\x80\x81\x01\xff\x80\x82\x40aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        ..PLAIN
    },
    Seed {
        name: "said-in-fragments",
        listens: 0x60,
        says: b"\x0a\x02He\x0c\x01?\x8a\x02ll\x09\x01o\x0b\x01a\x2b\x01b",
        script: b"\x80\x81\x01a\x80\x89\x01!\x80\x82\x01b\x80\x88\x00",
        ..PLAIN
    },
    Seed {
        name: "all-ways-to-send",
        says: b"\x00\x01a\x01\x01b\x03\x01c\x04\x01d\x85\x01e\x06\x01f\x07\x01g\x0d\x0e",
        ..PLAIN
    },
    Seed {
        name: "all-ways-to-send-compressed",
        rules: DEFLATE,
        says: b"\x41\xff\x05aaaaa\x11\x03bbb\x14\x03ccc\x95\x03ddd\x16\x03eee\x17\x03fff\x1a\x01g\x19\x01h",
        ..PLAIN
    },
    Seed {
        name: "in-place",
        rules: CLIENT,
        takes: 40,
        manner: NO_ECHO,
        stalls: b"\x90\x02\x20\x03",
        says: b"\x47\x40\x08mask me!\x47\xff\x08and me!!",
        ..PLAIN
    },
    Seed {
        name: "received-in-pieces",
        listens: 0x1f,
        delays: b"\x02\x02\x00\x02",
        script: b"\x80\x01\x02He\x80\x89\x01?\x80\x00\x01l\x80\x80\x02lo\x05\x82\xff\x04abcd",
        ..PLAIN
    },
    Seed {
        name: "received-in-pieces-and-whole",
        rules: DEFLATE,
        listens: 0x4a,
        script: b"\x06\x81\x05Hello\x40\x09\x01\x03abc\x19\x81\x03def\x7f\x06\x01\x05Hello",
        ..PLAIN
    },
    Seed {
        name: "dropped-at-every-poll",
        takes: 3,
        listens: 0x05,
        delays: b"\x02\x02\x02\x02",
        stalls: b"\x04\x01",
        says: b"\x01\x05Hello\x80\x01a\x84\x01b",
        script: b"\x80\x81\x01a\x80\x89\x01!\x80\x82\x01b\x80\x88\x00",
        ..PLAIN
    },
    Seed {
        name: "kept-until-flushed",
        manner: KEEPS,
        times: ALL,
        stalls: b"\x03\x02\x03\x02",
        says: b"\x01\x05Hello\x83\x01a",
        delays: b"\x04\x04",
        ..PLAIN
    },
    Seed {
        name: "room-before-a-flush",
        takes: 3,
        manner: KEEPS | AFTER_GOODBYE | PROMPT,
        stalls: b"\x02\x02\x00\x02",
        script: b"\x80\x89\x01?\x80\x81\x05Hello\x80\x88\x00",
        ..PLAIN
    },
    Seed {
        name: "ended-and-never-read",
        times: SEND,
        stalls: b"\x02\x07",
        says: b"\x03\x05Hello",
        script: b"",
        ..PLAIN
    },
    Seed {
        name: "fed-last-by-halves",
        takes: 3,
        manner: KEEPS | AFTER_GOODBYE | NO_TICKS | PROMPT | NO_ECHO,
        stalls: b"\x02\x02\x02\x02",
        says: b"\x04\x01a",
        script: b"\x80\x81\x05Hello",
        ..PLAIN
    },
    Seed {
        name: "closed-before-there-is-room",
        takes: 9,
        times: CLOSE,
        stalls: b"\x05\x02\x07\x03\x02\x01",
        says: b"\x03\x05Hello\x04\x05again\x0e",
        ..PLAIN
    },
    Seed {
        name: "no-room-for-a-pong",
        rules: CLIENT,
        takes: 5,
        times: KEEPALIVE,
        stalls: b"\x0b\x01\x0d\x04\x10\x00",
        says: b"\x03\x05Hello",
        script: b"\x80\x89\x01?\x80\x83\x00",
        ..PLAIN
    },
    Seed {
        name: "without-ticks",
        manner: NO_TICKS | NO_SLICES | AFTER_GOODBYE,
        stalls: b"\x08\x04",
        delays: b"\x05",
        says: b"\x41\x08\x03abc\x8e",
        ..PLAIN
    },
    Seed { name: "opens", manner: OPENS | PROMPT, cut: 5, delays: b"\x02\x02", times: ALL, ..PLAIN },
    Seed { name: "opens-late", manner: OPENS, cut: 5, delays: b"\x02\x06", times: ALL, ..PLAIN },
    Seed { name: "opens-in-vain", manner: OPENS, times: ALL, stalls: b"\x20\x07", ..PLAIN },
    Seed {
        name: "a-faulty-server-that-pauses-often",
        rules: CLIENT,
        takes: 0,
        manner: AFTER_GOODBYE | KEEPS,
        stalls: &[0; 134],
        script: b"\x80\x83\x00",
        ..PLAIN
    },
    Seed {
        name: "a-stall-that-ends-with-a-deadline",
        rules: [0x00, 0x05],
        cut: 0,
        takes: 1,
        manner: AFTER_GOODBYE | NEVER_ENDS | NO_SLICES,
        times: 0x1e,
        delays: b"\x05",
        stalls: b"\x04\x02\x05",
        says: b"\x03\x03\x04",
        script: b"\x04\x00\x8a\x00\x07\x80\x01\x3f\x80\x8a\x01\x3f",
        ..PLAIN
    },
    Seed {
        name: "much-is-said-behind-the-end",
        takes: 1,
        manner: AFTER_GOODBYE | NO_SLICES,
        times: ALL,
        stalls: b"\x00\x07",
        says: &[0x3e; 120],
        script: b"\x80\x81\x05Hello\x80\x88\x02\x03\xe8",
        ..PLAIN
    },
];
