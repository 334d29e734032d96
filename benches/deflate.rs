//! What compression costs: memory for each connection, and time beside the codec alone.
//!
//! `cargo bench --features deflate --bench deflate` prints the tables that the README shows.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Instant;

use sotong::{
    Agreed, Config, Connection, Deflate, DeflateParameters, Event, Payload, ReceiveBuffer,
    SendBuffer,
};
use zlib_rs::{DeflateConfig, DeflateFlush, Inflate, InflateFlush};

/// Counts the bytes that are allocated, and the most there ever were.
struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

fn count(more: usize, less: usize) {
    let held = HELD.fetch_add(more, Relaxed) + more - less;
    HELD.fetch_sub(less, Relaxed);
    PEAK.fetch_max(held, Relaxed);
}

// SAFETY: all calls go to the system's allocator as they came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        count(0, layout.size());
        unsafe { System.dealloc(ptr, layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size, layout.size());
        unsafe { System.realloc(ptr, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A server that sends, or a client that receives what a server sends.
struct End {
    conn: Connection,
    rx: ReceiveBuffer,
    tx: SendBuffer,
}

fn ends(settings: Deflate) -> (End, End) {
    let mut config = Config::default();
    config.deflate = Some(settings);
    let mut deflate = DeflateParameters::default();
    deflate.server_max_window_bits = settings.window_bits;
    deflate.server_no_context_takeover = !settings.context_takeover;
    let mut agreed = Agreed::default();
    agreed.deflate = Some(deflate);
    let end =
        |conn| End { conn, rx: ReceiveBuffer::with_capacity(16 << 10), tx: SendBuffer::new() };
    (
        end(Connection::server(&config, agreed)),
        end(Connection::client(&config, agreed, || Some([1, 2, 3, 4]))),
    )
}

impl End {
    /// Encodes a message as it comes to the stream; how many bytes that is.
    fn send(&mut self, message: &[u8]) -> usize {
        let mut transmit = self.conn.send(Payload::binary(message), &mut self.tx).unwrap();
        let len = transmit.len();
        transmit.consume(len);
        len
    }

    fn encode(&mut self, message: &[u8]) -> Vec<u8> {
        let mut transmit = self.conn.send(Payload::binary(message), &mut self.tx).unwrap();
        let bytes = transmit.slices().concat();
        transmit.consume(bytes.len());
        bytes
    }

    /// Receives one message; how long it is.
    fn receive(&mut self, mut bytes: &[u8]) -> usize {
        loop {
            let taken = self.rx.extend(bytes);
            bytes = &bytes[taken..];
            match self.conn.next_event(&mut self.rx).unwrap() {
                Some(Event::Binary(message)) => return message.len(),
                Some(_) => unreachable!("only binary messages are sent"),
                None => assert!(taken > 0),
            }
        }
    }
}

/// A line of a chat, different each time.
fn chat(n: usize) -> Vec<u8> {
    format!(
        r#"{{"type":"message","room":"general","from":"user{}","id":"{:016x}","sent":{},"text":"message number {} of the day, with a word or two to be read by {} others"}}"#,
        n % 37,
        n.wrapping_mul(0x9e37_79b9_7f4a_7c15),
        1_700_000_000_000 + n * 7919,
        n * 31 % 997,
        n % 89,
    )
    .into_bytes()
}

fn json(n: usize) -> Vec<u8> {
    let mut document = vec![];
    for i in 0.. {
        document.extend(chat(n * 1000 + i));
        document.push(b'\n');
        if document.len() >= 16 << 10 {
            document.truncate(16 << 10);
            return document;
        }
    }
    unreachable!()
}

fn noise(n: usize) -> Vec<u8> {
    let mut state = n as u64 + 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    std::iter::repeat_with(next).take(16 << 10).collect()
}

fn settings(window_bits: u8, memory_level: u8, level: u8, takeover: bool) -> Deflate {
    let mut settings = Deflate::default();
    (settings.window_bits, settings.memory_level) = (window_bits, memory_level);
    (settings.level, settings.context_takeover, settings.threshold) = (level, takeover, 0);
    settings
}

/// What is held after `f`, and the most that was held, beyond what there was before.
fn memory<T>(f: impl FnOnce() -> T) -> (usize, usize) {
    let before = HELD.load(Relaxed);
    PEAK.store(before, Relaxed);
    let made = f();
    let (held, peak) = (HELD.load(Relaxed) - before, PEAK.load(Relaxed) - before);
    drop(made);
    (held, peak)
}

fn memory_tables() {
    println!(
        "Memory of one direction of a connection in KB, kept between messages and while one is under way\n"
    );
    println!("| window | memory level | compressor, with takeover | without: kept, at work |");
    println!("|---:|---:|---:|---:|");
    for bits in [15, 13, 11, 9] {
        for memory_level in [9, 8, 5, 1] {
            let of = move |takeover| {
                // On a thread of its own, where no compressor is at hand.
                let run = move || {
                    memory(|| {
                        let (mut server, client) = ends(settings(bits, memory_level, 6, takeover));
                        server.send(&json(1));
                        server.tx.release();
                        (server, client)
                    })
                };
                std::thread::spawn(run).join().unwrap()
            };
            let ((kept, _), (_, at_work)) = (of(true), of(false));
            println!("| {bits} | {memory_level} | {:.1} | 0, {:.0} |", kb(kept), kb(at_work));
        }
    }
    println!("\n| window | decompressor, with takeover | without: kept, at work |");
    println!("|---:|---:|---:|");
    for bits in [15, 14, 13, 12, 11, 10, 9] {
        let of = |takeover| {
            let (mut server, mut client) = ends(settings(bits, 8, 6, takeover));
            let bytes = server.encode(&chat(1));
            let (kept, peak) = memory(|| {
                client.receive(&bytes);
                client.rx.release();
            });
            (kept, peak - (32 << 10)) // beside the receive buffer
        };
        let ((kept, _), (forgotten, at_work)) = (of(true), of(false));
        println!("| {bits} | {:.1} | {:.1}, {:.0} |", kb(kept), kb(forgotten), kb(at_work));
    }
}

fn kb(bytes: usize) -> f64 {
    bytes as f64 / 1024.0
}

/// The median time of each candidate for one message in nanoseconds; all take turns.
fn race<const N: usize>(messages: usize, candidates: [&mut dyn FnMut(); N]) -> [f64; N] {
    const ROUNDS: usize = 41;
    let mut times = [const { Vec::new() }; N];
    for round in 0..ROUNDS {
        for i in 0..N {
            let i = (i + round) % N;
            let start = Instant::now();
            candidates[i]();
            times[i].push(start.elapsed().as_nanos() as f64 / messages as f64);
        }
    }
    times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[ROUNDS / 2]
    })
}

fn speed_tables() {
    let workloads = [
        ("chat message, 240 B", (0..400).map(chat).collect::<Vec<_>>()),
        ("JSON, 16 KiB", (0..20).map(json).collect()),
        ("noise, 16 KiB", (0..10).map(noise).collect()),
    ];
    println!(
        "\nTime of the codec and of ours in ns, and the ratio; bytes are put into a buffer by both\n"
    );
    println!("| message | settings | size | compress | inflate | both |");
    println!("|---|---|---:|---:|---:|---:|");
    for (name, messages) in &workloads {
        for (bits, memory_level, level, takeover) in [
            (15, 8, 6, true),
            (15, 8, 6, false),
            (15, 8, 4, true),
            (15, 8, 4, false),
            (15, 8, 2, true),
            (15, 8, 2, false),
            (15, 8, 1, true),
            (15, 8, 1, false),
            (11, 5, 6, true),
            (11, 5, 6, false),
        ] {
            let settings = settings(bits, memory_level, level, takeover);
            let line = compare(messages, settings);
            let context = if takeover { "with context" } else { "each alone" };
            println!("| {name} | {bits} bits, level {level}, {context} | {line} |");
        }
    }
}

/// Ours beside the codec, both ways.
fn compare(messages: &[Vec<u8>], settings: Deflate) -> String {
    let total: usize = messages.iter().map(Vec::len).sum();
    let (mut server, mut client) = ends(settings);
    let mut codec = zlib_rs::Deflate::new_with_config(DeflateConfig {
        level: i32::from(settings.level),
        mem_level: i32::from(settings.memory_level),
        window_bits: -i32::from(settings.window_bits),
        ..DeflateConfig::default()
    });
    let mut room = vec![0; 40 << 10];
    let sent: Vec<Vec<u8>> = {
        let (mut server, _) = ends(settings);
        messages.iter().map(|message| server.encode(message)).collect()
    };
    let wire: usize = sent.iter().map(Vec::len).sum();
    let [compress, ours] = race(
        messages.len(),
        [
            &mut || {
                for message in messages {
                    if !settings.context_takeover {
                        codec.reset();
                    }
                    codec.compress(message, &mut room, DeflateFlush::SyncFlush).unwrap();
                }
            },
            &mut || {
                for message in messages {
                    server.send(message);
                }
            },
        ],
    );
    // A context goes on round the messages, as long as each round begins with the one that was sent
    // first, alone.
    let payloads: Vec<Vec<u8>> = sent
        .iter()
        .map(|frame| {
            let header = match frame[1] {
                126 => 4,
                127 => 10,
                _ => 2,
            };
            [&frame[header..], &[0, 0, 0xff, 0xff]].concat()
        })
        .collect();
    let is_compressed = sent.iter().all(|frame| frame[0] & 0x40 != 0);
    let mut inflater = Inflate::new(false, settings.window_bits);
    let (mut input, mut out) = (vec![0; 40 << 10], vec![0; 40 << 10]);
    let [inflate, ours_too] = race(
        messages.len(),
        [
            &mut || {
                for payload in payloads.iter().filter(|_| is_compressed) {
                    if !settings.context_takeover {
                        inflater = Inflate::new(false, settings.window_bits);
                    }
                    // As a read would put it there; ours is put into the receive buffer too.
                    input[..payload.len()].copy_from_slice(payload);
                    let payload = &input[..payload.len()];
                    inflater.decompress(payload, &mut out, InflateFlush::SyncFlush).unwrap();
                }
            },
            &mut || {
                for frame in &sent {
                    client.receive(frame);
                }
            },
        ],
    );
    let size = 100.0 * wire as f64 / total as f64;
    let ratio = |codec: f64, ours: f64| format!("{codec:.0}, {ours:.0}: {:.2}", ours / codec);
    let there = ratio(compress, ours);
    match is_compressed {
        true => {
            let (back, both) = (ratio(inflate, ours_too), (ours + ours_too) / (compress + inflate));
            format!("{size:.0} % | {there} | {back} | {both:.2}")
        }
        false => format!("{size:.0} % | {there} | sent as it is | |"),
    }
}

fn main() {
    memory_tables();
    speed_tables();
}
