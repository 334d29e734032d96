//! The most that one peer can make us hold at once: SECURITY.md's formula, derived from a `Config`,
//! and peers that do their worst.
//!
//! What is counted is the peak, where a buffer that grows is there twice. A formula that is far
//! above what a peer can reach would say nothing, so each attack must come to a third of it at
//! least: vectors grow by powers of two, and which one a limit comes to is chance.

use sotong::handshake::{HandshakeError, client};
use sotong::{Limits, SendError};

use super::*;

/// The most that a connection and its buffers take in bytes, before the application sends anything
/// and without compression.
fn worst_case(role: Role, limits: &Limits) -> usize {
    handshake(role, limits).max(FIXED + receive(limits) + send(limits, 0))
}

/// The connection itself, the message under way, a pong that is due, the first of each buffer: 4 KiB
/// on a machine of 64 bits.
const FIXED: usize = 256 * SLICE;

/// A message grows to half as much again as it has brought, beside the storage that it leaves: that
/// was full, so no larger than the message and a quarter of a read.
fn receive(limits: &Limits) -> usize {
    let message = usize::try_from(limits.message).unwrap();
    message / 2 * 5 + 2 * read(limits) + 2 * INFLATE_STEP
}

/// An adapter's buffer takes a head whole; up to 64 bytes more align it.
fn read(limits: &Limits) -> usize {
    limits.receive_buffer.max(limits.head).max(512) + 64
}

/// What may be inflated in one step.
const INFLATE_STEP: usize = 16 * 1024;

/// The queue begins a message below its mark. What was sent is given up when it is half of the
/// whole, and 32 KiB; a vector grows to twice its size, beside the memory that it leaves.
fn send(limits: &Limits, largest_message: usize) -> usize {
    3 * 2 * (limits.send_queue.max(1) + largest_message + REPLIES).max(32 * 1024)
}

/// A pong and a Close, with their headers, may stand above the mark.
const REPLIES: usize = 2 * (14 + 125);

/// The head where it was read, and once more, kept, with a place for each field.
///
/// A server looks for subprotocols that are named twice: a name of one byte with its comma takes
/// the place of a slice, in a vector that grows to twice its size beside the memory that it leaves.
/// A client keeps the body of a refusal, in such a vector too.
fn handshake(role: Role, limits: &Limits) -> usize {
    let head = read(limits) + limits.head + limits.head_lines * 2 * SLICE;
    FIXED
        + head
        + match role {
            Role::Server => limits.head / 2 * SLICE * 3,
            Role::Client => limits.refusal_body * 3,
        }
}

/// 16 bytes on a machine of 64 bits.
const SLICE: usize = size_of::<&[u8]>();

#[cfg(feature = "deflate")]
/// A compressor and a decompressor that keep their context, of the largest settings.
const CODEC: usize = 500_000 + 50_000;

fn configs() -> [Config; 4] {
    // (message, receive_buffer, send_queue, head)
    let table = [
        None,
        Some((64 << 10, 64 << 10, 64 << 10, 8 << 10)),
        Some((1 << 20, 4096, 1 << 20, 16 << 10)),
        Some((4 << 20, 1024, 4096, 512)),
    ];
    table.map(|limits| {
        let mut config = Config::default();
        if let Some((message, receive_buffer, send_queue, head)) = limits {
            (config.limits.message, config.limits.frame) = (message, message);
            config.limits.receive_buffer = receive_buffer;
            (config.limits.send_queue, config.limits.head) = (send_queue, head);
        }
        config
    })
}

/// An end whose buffer is as an adapter's, of the size for heads too.
fn adapters_end(role: Role, config: &Config) -> End {
    let mut end = End::new(role, config);
    end.rx = ReceiveBuffer::with_capacity(read(&config.limits) - 64);
    end
}

/// Receives, and lets the peer take only so many bytes of what is queued after each event.
fn receive_unread(end: &mut End, bytes: &[u8], taken_of_each: usize) {
    let mut rest = bytes;
    while !rest.is_empty() {
        rest = &rest[end.rx.extend(rest)..];
        while end.conn.next_event(&mut end.rx).expect("it keeps to the rules").is_some() {
            end.conn.poll_transmit(&mut end.tx);
            let mut transmit = end.tx.transmit();
            transmit.consume(taken_of_each.min(transmit.len()));
        }
    }
}

/// Pings without end of a peer that reads just slowly enough to keep the queue at its mark.
fn flood(end: &mut End, config: &Config, ping: &[u8]) {
    for taken in [0, 40, 131] {
        for _ in 0..2 * (config.limits.send_queue / 127 + 600) {
            receive_unread(end, ping, taken);
        }
    }
}

fn ping(role: Role) -> Vec<u8> {
    frame_to(role, 0x89, &[b'p'; 125])
}

/// A message up to a byte below its limit, in fragments of this size, that never ends.
fn unfinished(role: Role, config: &Config, fragment: usize) -> Vec<u8> {
    let len = config.limits.message as usize - 1;
    let body = vec![7; fragment];
    let fragments = (0..len).step_by(fragment).flat_map(|sent| {
        let first = if sent == 0 { 0x02 } else { 0x00 };
        frame_to(role, first, &body[..fragment.min(len - sent)])
    });
    fragments.collect()
}

#[test]
fn a_peer_that_does_its_worst_stays_within_the_formula_and_comes_near_it() {
    for role in [Role::Server, Role::Client] {
        for config in configs() {
            let most = worst_case(role, &config.limits);
            let mut worst = 0;
            for divisor in [1, 3, 20, 50, 300] {
                let fragment = (config.limits.message as usize / divisor).max(1);
                let (ping, message) = (ping(role), unfinished(role, &config, fragment));
                let mut end = None;
                let peak = measure(|| {
                    let end = end.insert(adapters_end(role, &config));
                    flood(end, &config, &ping);
                    receive_unread(end, &message, 0);
                })
                .peak;
                assert!(peak <= most, "{peak} of {most}, {role:?}, {divisor}, {config:?}");
                worst = worst.max(peak);
            }
            println!("{role:?}: {worst} of {most} bytes");
            assert!(
                worst >= most / 3,
                "{worst} of {most}: the formula is too generous, {config:?}"
            );
        }
    }
}

#[test]
fn a_message_stays_within_its_part_of_the_formula_wherever_its_limit_lies() {
    let mut config = Config::default();
    (config.limits.receive_buffer, config.limits.head) = (1024, 512);
    let mut worst = 0.0_f64;
    // Each limit is by a tenth larger than the one before, so that buffers grow just below some of
    // them.
    for limit in std::iter::successors(Some(50_000), |limit| Some(limit / 10 * 11)).take(25) {
        (config.limits.message, config.limits.frame) = (limit, limit);
        let most = FIXED + receive(&config.limits);
        for fragment in [1000, 20_000] {
            let message = unfinished(Role::Server, &config, fragment);
            let mut end = adapters_end(Role::Server, &config);
            let peak = measure(|| receive_unread(&mut end, &message, 0)).peak;
            assert!(peak <= most, "{peak} of {most} bytes for {limit}");
            worst = worst.max(peak as f64 / most as f64);
        }
    }
    assert!(worst > 0.8, "the formula is too generous, no limit comes nearer than {worst}");
}

#[test]
fn what_is_sent_to_a_peer_that_does_not_read_is_bounded_by_the_mark_and_one_message() {
    let config = Config::default();
    for len in [1, 1000, 60_000, 1 << 20] {
        let payload = vec![7; len];
        let most = FIXED + send(&config.limits, len);
        for taken in [0, len / 2, len - 1] {
            let mut end = End::new(Role::Client, &config);
            let mut full = 0;
            let heap = measure(|| {
                for _ in 0..200_000 / len.isqrt() {
                    match end.conn.send_binary(&payload, &mut end.tx) {
                        Ok(transmit) => transmit.queue(),
                        Err(SendError::QueueFull) => full += 1,
                        Err(error) => panic!("{error}"),
                    }
                    let mut transmit = end.tx.transmit();
                    transmit.consume(taken.min(transmit.len()));
                }
            });
            assert!(heap.peak <= most, "{heap:?}, {len}, {taken}");
            assert!(full > 0 || len == 1 || taken > 0, "{len}, {taken}");
        }
    }
}

/// Lets a server read a request by `step`, and says how that ends.
fn request(config: &Config, bytes: &[u8], step: usize) -> Option<HandshakeError> {
    let mut rx = ReceiveBuffer::with_capacity(read(&config.limits) - 64);
    let mut handshake = server::Handshake::new(config);
    for mut piece in bytes.chunks(step) {
        while !piece.is_empty() {
            piece = &piece[rx.extend(piece)..];
            match handshake.receive(&mut rx) {
                Ok(None) => {}
                Ok(Some(request)) => return request.upgrade().err(),
                Err(error) => return Some(error),
            }
        }
    }
    None
}

#[test]
fn a_handshake_stays_within_the_formula_and_comes_near_it() {
    for config in configs() {
        let most = handshake(Role::Server, &config.limits);
        let start = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";
        let room = config.limits.head - start.len() - 100;
        let subprotocols = format!("Sec-WebSocket-Protocol: {}a\r\n\r\n", "a,".repeat(room / 2));
        let quoted =
            format!("Sec-WebSocket-Extensions: a; b=\"{}\"\r\n\r\n", "\\c".repeat(room / 2));
        let offers = format!("Sec-WebSocket-Extensions: {}a\r\n\r\n", "a;b=c,".repeat(room / 6));
        let lines = "a:b\r\n".repeat(90.min(room / 5)) + "\r\n";
        let endless = "x".repeat(2 * config.limits.head);
        let mut worst = 0;
        for rest in [subprotocols, quoted, offers, lines, endless] {
            let bytes = [start, &rest].concat();
            for step in [1, 100, usize::MAX] {
                let mut error = None;
                let peak = measure(|| error = request(&config, bytes.as_bytes(), step)).peak;
                assert!(peak <= most, "{peak} of {most}, {error:?}, {config:?}");
                worst = worst.max(peak);
            }
        }
        println!("handshake: {worst} of {most} bytes");
        assert!(worst >= most / 3, "{worst} of {most}: the formula is too generous, {config:?}");
    }
}

#[test]
fn a_servers_refusal_stays_within_the_formula() {
    for config in configs() {
        let most = handshake(Role::Client, &config.limits);
        let (hello, mut worst) = (client::Request::default(), 0);
        let interim = "HTTP/1.1 103 Early Hints\r\n\r\n";
        let interim = interim.repeat(config.limits.head / interim.len());
        let fields = "a:b\r\n".repeat(80.min(config.limits.head / 5 - 20));
        let head = format!("HTTP/1.1 404 \r\n{fields}\r\n");
        let bytes = [interim, head, "x".repeat(1 << 20)].concat();
        for step in [1, 1000, usize::MAX] {
            let mut bytes = bytes.as_bytes();
            let mut tx = SendBuffer::new();
            let keys = || Some([0; 4]);
            let heap = measure(|| {
                let mut rx = ReceiveBuffer::with_capacity(read(&config.limits) - 64);
                let handshake = client::Handshake::start(&hello, &config, [0; 16], keys, &mut tx);
                let mut handshake = handshake.unwrap();
                while let Ok(None) = handshake.receive(&mut rx) {
                    let n = rx.extend(&bytes[..step.min(bytes.len())]);
                    bytes = &bytes[n..];
                }
            });
            assert!(heap.peak <= most, "{heap:?} of {most}, {config:?}");
            worst = worst.max(heap.peak);
        }
        println!("a client's handshake: {worst} of {most} bytes");
        assert!(worst >= most / 3, "{worst} of {most}: too generous, {config:?}");
    }
}

#[test]
fn what_security_md_says_is_what_the_formula_comes_to() {
    let limits = Config::default().limits;
    let parts = [
        ("| a connection, before you send anything |", worst_case(Role::Server, &limits)),
        ("| of it: the message that comes |", receive(&limits)),
        ("| of it: pongs that nobody reads |", send(&limits, 0)),
        ("| an opening handshake, as a server |", handshake(Role::Server, &limits)),
        ("| an opening handshake, as a client |", handshake(Role::Client, &limits)),
        #[cfg(feature = "deflate")]
        ("| compression with context, both ways |", CODEC),
    ];
    let page = include_str!("../../SECURITY.md");
    for (part, bytes) in parts {
        let line = page.lines().find(|line| line.starts_with(part)).expect(part);
        let told: String = line[part.len()..].chars().filter(char::is_ascii_digit).collect();
        let told: usize = told.parse().unwrap();
        // The page tells of machines of 64 bits; others take less.
        let is_right = if SLICE == 16 { told == bytes } else { told >= bytes };
        assert!(is_right, "{bytes}: {line}");
    }
}

#[cfg(feature = "deflate")]
#[test]
fn compression_adds_two_contexts_and_no_more() {
    use sotong::{Compress, Deflate, DeflateParameters, Payload};

    let mut settings = Deflate::default();
    (settings.level, settings.memory_level, settings.threshold) = (9, 9, 0);
    (settings.context_takeover, settings.peer_context_takeover) = (true, true);
    let mut agreed = Agreed::default();
    agreed.deflate = Some(DeflateParameters::default());
    let mut config = Config::default();
    config.deflate = Some(settings);
    let before = LIVE.get();
    let mut end = adapters_end(Role::Server, &config);
    end.conn = Connection::server(&config, agreed);
    write(end.conn.send_text("begins the context", &mut end.tx));
    receive_unread(&mut end, &frame_to(Role::Server, 0xc1, b"\xf2\x48\xcd\xc9\xc9\x07\x00"), 0);
    end.rx.release();
    end.tx.release();
    let contexts = (LIVE.get() - before) as usize;
    assert!((CODEC * 9 / 10..CODEC).contains(&contexts), "{contexts} of {CODEC}");

    for mut config in configs() {
        (config.deflate, config.limits.inflation) = (Some(settings), u32::MAX);
        let most = worst_case(Role::Server, &config.limits) + CODEC;
        let zeros = vec![0; config.limits.message as usize - 1];
        let mut sender = End::new(Role::Client, &config);
        sender.conn = Connection::client(&config, agreed, || Some([0; 4]));
        let bomb = Payload::binary(&zeros).compress(Compress::Yes);
        let bomb = sender.conn.send(bomb, &mut sender.tx).unwrap().slices().concat();
        let message = unfinished(Role::Server, &config, config.limits.message as usize / 3);
        let ping = ping(Role::Server);
        let mut end = None;
        let heap = measure(|| {
            let end = end.insert(adapters_end(Role::Server, &config));
            end.conn = Connection::server(&config, agreed);
            end.conn.send_text("begins the context", &mut end.tx).unwrap().queue();
            flood(end, &config, &ping);
            receive_unread(end, &bomb, 0);
            receive_unread(end, &message, 0);
        });
        println!("with compression: {} of {most} bytes", heap.peak);
        assert!(heap.peak <= most, "{heap:?} of {most}, {config:?}");
        assert!(heap.peak >= most / 3, "{heap:?} of {most}: too generous, {config:?}");
    }
}
