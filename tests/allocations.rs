//! What a connection allocates: nothing per message, and never more than twice what has arrived.

#[path = "common/heap.rs"]
mod heap;
#[cfg(feature = "std")]
#[path = "allocations/memory_used.rs"]
mod memory_used;
#[path = "allocations/worst_case.rs"]
mod worst_case;

use std::sync::Arc;

use heap::{Heap, LIVE, measure};
use sotong::handshake::server;
use sotong::{
    Agreed, Chunk, Config, Connection, Event, ProtocolError, ReceiveBuffer, Role, SendBuffer,
    Transmit,
};

const NOTHING: Heap = Heap { allocations: 0, allocated: 0, peak: 0 };

/// After how many rounds of the same traffic the buffers have the size that they keep.
const WARM_UP: usize = 4;

/// One end and its buffers, after the example of an adapter that writes at once.
struct End {
    conn: Connection,
    rx: ReceiveBuffer,
    tx: SendBuffer,
    events: usize,
}

impl End {
    fn new(role: Role, config: &Config) -> Self {
        let conn = match role {
            Role::Client => Connection::client(config, Agreed::default(), || Some([1, 2, 3, 4])),
            Role::Server => Connection::server(config, Agreed::default()),
        };
        let rx = ReceiveBuffer::with_capacity(config.limits.receive_buffer);
        Self { conn, rx, tx: SendBuffer::new(), events: 0 }
    }

    /// Receives `bytes` by `step`, echoes messages if asked to, and writes what is due.
    fn receive(&mut self, bytes: &[u8], step: usize, echo: bool) -> Result<(), ProtocolError> {
        for mut piece in bytes.chunks(step) {
            while !piece.is_empty() {
                piece = &piece[self.rx.extend(piece)..];
                while let Some(event) = self.conn.next_event(&mut self.rx)? {
                    self.events += 1;
                    match event {
                        Event::Text(text) if echo => write(self.conn.send_text(text, &mut self.tx)),
                        Event::Binary(bytes) if echo => {
                            write(self.conn.send_binary(bytes, &mut self.tx));
                        }
                        _ => {}
                    }
                }
                self.conn.poll_transmit(&mut self.tx);
                write(Ok(self.tx.transmit()));
            }
        }
        Ok(())
    }
}

fn write(transmit: Result<Transmit<'_, '_>, sotong::SendError>) {
    let mut transmit = transmit.expect("it may be sent");
    transmit.consume(transmit.len());
}

/// A frame that goes to `role`, masked with zeros towards a server.
fn frame_to(role: Role, first: u8, payload: &[u8]) -> Vec<u8> {
    let mask_bit = if role == Role::Server { 0x80 } else { 0 };
    let len = payload.len() as u64;
    let mut bytes = vec![first];
    match len {
        0..126 => bytes.push(mask_bit | len as u8),
        126..0x1_0000 => bytes.extend([&[mask_bit | 126], &len.to_be_bytes()[6..]].concat()),
        _ => bytes.extend([&[mask_bit | 127], &len.to_be_bytes()[..]].concat()),
    }
    bytes.extend(if role == Role::Server { &[0; 4][..] } else { &[] });
    bytes.extend(payload);
    bytes
}

/// Messages of all kinds: short, long, larger than the receive buffer, in fragments, with pings.
fn traffic(role: Role) -> Vec<u8> {
    let long = "가".repeat(1000);
    let larger = vec![0xfe; 30_000];
    let list: [(u8, &[u8]); 10] = [
        (0x81, b"short"),
        (0x82, b""),
        (0x81, long.as_bytes()),
        (0x82, &larger),
        (0x01, b"frag"),
        (0x89, b"ping"),
        (0x00, long.as_bytes()),
        (0x80, b"ment"),
        (0x89, &[b'p'; 125]),
        (0x8a, b"pong"),
    ];
    list.iter().flat_map(|(first, payload)| frame_to(role, *first, payload)).collect()
}

#[test]
fn receiving_allocates_nothing_once_the_buffers_are_there() {
    for role in [Role::Server, Role::Client] {
        for step in [1, 1000, usize::MAX] {
            let (mut end, bytes) = (End::new(role, &Config::default()), traffic(role));
            (0..WARM_UP).for_each(|_| end.receive(&bytes, step, false).unwrap());
            let heap = measure(|| (0..10).for_each(|_| end.receive(&bytes, step, false).unwrap()));
            assert_eq!((heap, end.events), (NOTHING, (WARM_UP + 10) * 8), "{role:?} by {step}");
        }
    }
}

#[test]
fn an_echo_and_the_answers_to_pings_allocate_nothing_once_the_buffers_are_there() {
    for role in [Role::Server, Role::Client] {
        let (mut end, bytes) = (End::new(role, &Config::default()), traffic(role));
        (0..WARM_UP).for_each(|_| end.receive(&bytes, 5000, true).unwrap());
        let sent = end.tx.sent();
        let heap = measure(|| (0..WARM_UP).for_each(|_| end.receive(&bytes, 5000, true).unwrap()));
        assert_eq!((heap, end.events), (NOTHING, 2 * WARM_UP * 8), "{role:?}");
        assert_eq!(end.tx.sent(), 2 * sent);
    }
}

#[test]
fn a_server_sends_large_payloads_without_an_allocation() {
    let payload = vec![7; 1 << 20];
    let mut end = End::new(Role::Server, &Config::default());
    write(end.conn.send_binary(&payload, &mut end.tx));
    let heap = measure(|| (0..10).for_each(|_| write(end.conn.send_binary(&payload, &mut end.tx))));
    assert_eq!(heap, NOTHING);
}

#[test]
fn headers_that_announce_2_to_the_62_hold_nothing() {
    let mut config = Config::default();
    (config.limits.message, config.limits.frame) = (u64::MAX, u64::MAX);
    config.limits.receive_buffer = 512;
    let bytes = b"\x82\xff\x40\0\0\0\0\0\0\0\0\0\0\0payload";
    let mut ends: Vec<End> = (0..1000).map(|_| End::new(Role::Server, &config)).collect();
    let heap = measure(|| ends.iter_mut().for_each(|end| end.receive(bytes, 5, false).unwrap()));
    assert_eq!(heap.allocations, 2000, "a buffer and a place for the message's state each");
    assert!(heap.peak <= (512 + 128) * 1000, "{heap:?}");

    let mut end = End::new(Role::Server, &config);
    let heap = measure(|| {
        for _ in 0..1000 {
            assert_eq!(end.rx.extend(bytes), bytes.len());
            while let Some(chunk) = end.conn.next_chunk(&mut end.rx).unwrap() {
                assert!(matches!(chunk, Chunk::Binary { last: false, .. }));
            }
        }
    });
    assert_eq!(heap.allocations, 2, "all of it passes through one buffer");
    assert!(heap.peak <= 512 + 128, "{heap:?}");
}

/// What a message holds after each read stays below twice what has arrived, and one read.
fn assert_grows_with_what_arrives(role: Role, bytes: &[u8], step: usize) {
    let mut end = End::new(role, &Config::default());
    let capacity = Config::default().limits.receive_buffer;
    let (before, mut arrived) = (LIVE.get(), 0);
    for piece in bytes.chunks(step) {
        let live = LIVE.get() - before;
        let peak = live as usize + measure(|| end.receive(piece, step, false).unwrap()).peak;
        arrived += piece.len();
        let held = (LIVE.get() - before) as usize;
        assert!(held <= 2 * arrived + capacity, "{held} bytes are held for {arrived}");
        // To grow, the old memory and the new one are there for a moment.
        assert!(peak <= 3 * arrived + capacity, "{peak} bytes at once for {arrived}");
    }
    assert_eq!(end.events, 1);
}

#[test]
fn memory_grows_with_what_has_arrived_of_a_message() {
    let payload = vec![b'm'; 1 << 20];
    for role in [Role::Server, Role::Client] {
        for step in [700, 1400, 16_384, 50_000] {
            assert_grows_with_what_arrives(role, &frame_to(role, 0x81, &payload), step);
        }
    }
}

#[test]
fn memory_grows_with_what_has_arrived_of_fragments() {
    let piece = [b'm'; 100];
    for role in [Role::Server, Role::Client] {
        let mut bytes = frame_to(role, 0x01, &piece);
        bytes.extend(frame_to(role, 0x00, &piece).repeat(10_000));
        bytes.extend(frame_to(role, 0x80, &piece));
        for step in [700, 16_384] {
            assert_grows_with_what_arrives(role, &bytes, step);
        }
    }
}

#[test]
fn a_message_in_fragments_is_moved_a_bounded_number_of_times() {
    let mut config = Config::default();
    config.limits.receive_buffer = 512;
    let mut bytes = frame_to(Role::Server, 0x02, &[7; 100]);
    bytes.extend(frame_to(Role::Server, 0x00, &[7; 100]).repeat(10_000));
    bytes.extend(frame_to(Role::Server, 0x80, &[7; 100]));
    let mut end = End::new(Role::Server, &config);
    let heap = measure(|| end.receive(&bytes, 500, false).unwrap());
    // Growing by a factor allocates a small multiple of the message in all.
    assert!(heap.allocated <= 8 * bytes.len(), "{} for {}", heap.allocated, bytes.len());
}

#[test]
fn a_flood_of_pings_to_a_stream_that_takes_nothing_holds_a_bounded_amount() {
    for role in [Role::Server, Role::Client] {
        let bytes = frame_to(role, 0x89, &[b'p'; 125]).repeat(100);
        let mut end = End::new(role, &Config::default());
        let heap = measure(|| {
            for _ in 0..1000 {
                assert_eq!(end.rx.extend(&bytes), bytes.len());
                while end.conn.next_event(&mut end.rx).unwrap().is_some() {
                    end.conn.poll_transmit(&mut end.tx);
                }
            }
        });
        // The queue's mark, twice as a vector grows, once more while it moves; the read buffer.
        let read = Config::default().limits.receive_buffer;
        assert!(heap.peak <= 3 * 64 * 1024 + read + 1024, "{heap:?}");
        assert!(end.tx.len() < 64 * 1024 + 131, "{}", end.tx.len());
    }
}

#[test]
fn endless_empty_fragments_hold_nothing_and_end() {
    for role in [Role::Server, Role::Client] {
        let next = frame_to(role, 0x00, b"");
        let mut end = End::new(role, &Config::default());
        end.receive(&frame_to(role, 0x01, b""), 100, false).unwrap();
        let mut fragments = 1;
        let mut error = None;
        let heap = measure(|| {
            while error.is_none() && fragments < 200_000 {
                error = end.receive(&next, 100, false).err();
                fragments += 1;
            }
        });
        assert_eq!((heap, fragments), (NOTHING, 131_073));
        assert_eq!(error.map(|error| error.close_code().0), Some(1008));
    }
}

#[test]
fn an_idle_connection_gives_its_buffers_back() {
    for role in [Role::Server, Role::Client] {
        let message = frame_to(role, 0x81, b"a message");
        let with_ping = [&message[..], &frame_to(role, 0x89, b"and a ping")].concat();
        for (bytes, events) in [(message, 1), (with_ping, 2)] {
            let mut end = End::new(role, &Config::default());
            let before = LIVE.get();
            end.receive(&bytes, 7, true).unwrap();
            assert!(LIVE.get() > before);
            end.rx.release();
            end.tx.release();
            end.conn.release();
            assert_eq!(LIVE.get(), before);
            end.receive(&bytes, 7, true).unwrap();
            assert_eq!(end.events, 2 * events, "they come back");
        }
    }
}

#[test]
fn a_message_that_comes_whole_needs_no_memory_but_the_buffer() {
    let mut config = Config::default();
    for limit in [1 << 20, 5] {
        (config.limits.message, config.limits.frame) = (limit, limit);
        for role in [Role::Server, Role::Client] {
            let mut end = End::new(role, &config);
            let before = LIVE.get();
            end.receive(&frame_to(role, 0x81, b"whole"), usize::MAX, false).unwrap();
            end.rx.release();
            assert_eq!((end.events, LIVE.get()), (1, before));
        }
    }
}

#[test]
fn memory_beyond_the_capacity_is_given_back_after_a_large_message() {
    let capacity = Config::default().limits.receive_buffer as isize;
    let mut end = End::new(Role::Server, &Config::default());
    let large = frame_to(Role::Server, 0x82, &[7; 100_000]);
    let small = frame_to(Role::Server, 0x82, b"small");
    let before = LIVE.get();
    end.receive(&large, 5000, false).unwrap();
    assert!(LIVE.get() - before > 100_000);
    end.rx.shrink();
    end.conn.release();
    assert_eq!(LIVE.get(), before);
    end.receive(&small, 5000, false).unwrap();
    end.rx.shrink();
    let kept = LIVE.get() - before;
    assert!((capacity..=capacity + 64).contains(&kept), "{kept}: what is no larger is kept");
}

#[test]
fn a_request_holds_its_head_and_nothing_else() {
    let config = Arc::new(Config::default());
    let mut rx = ReceiveBuffer::with_capacity(config.limits.receive_buffer);
    let mut tx = SendBuffer::new();
    let head = b"GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    let mut shake_hands = || {
        assert_eq!(rx.extend(head), head.len());
        let request = server::Handshake::new(&config).receive(&mut rx).unwrap().unwrap();
        request.accept(&server::Response::default(), Arc::clone(&config), &mut tx).unwrap();
        write(Ok(tx.transmit()));
    };
    shake_hands();
    let heap = measure(shake_hands);
    assert_eq!((heap.allocations, heap.allocated), (1, head.len()));
}

#[test]
fn a_connection_is_a_few_hundred_bytes() {
    let (conn, buffers) =
        (size_of::<Connection>(), size_of::<ReceiveBuffer>() + size_of::<SendBuffer>());
    println!("a connection has {conn} bytes, its buffers {buffers}");
    assert!(conn <= 512 && buffers <= 160, "{conn}, {buffers}");
}

/// Peers that take nothing of a message that all get hold nothing of it: it is there once.
#[cfg(feature = "tokio")]
#[test]
fn a_prepared_message_is_not_copied_for_peers_that_are_slow() {
    use std::pin::Pin;
    use std::task::{Context, Poll, Waker};

    use sotong::Prepared;
    use sotong::tokio::{Parts, WebSocket};

    const PEERS: usize = 50;

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _guard = runtime.enter();
    let message = Prepared::new(&[7; 1 << 20][..]);
    let config = Arc::new(Config::default());
    let (near, _far): (Vec<_>, Vec<_>) = (0..PEERS).map(|_| tokio::io::duplex(4096)).unzip();
    let mut connections: Vec<_> = near
        .into_iter()
        .map(|io| {
            WebSocket::from_parts(Parts {
                io,
                connection: Connection::server(config.clone(), Agreed::default()),
                rx: ReceiveBuffer::with_capacity(4096),
                tx: SendBuffer::new(),
            })
        })
        .collect();
    let mut sending: Vec<Pin<Box<dyn Future<Output = _>>>> = Vec::new();
    let heap = measure(|| {
        for ws in &mut connections {
            sending.push(Box::pin(ws.send_prepared(&message)));
        }
        for send in &mut sending {
            let polled = send.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            assert!(matches!(polled, Poll::Pending));
        }
    });
    assert!(heap.peak < PEERS * 8192, "{heap:?}, of which the streams hold 4096 each");
}

#[cfg(feature = "deflate")]
mod deflate {
    use sotong::{Compress, Deflate, DeflateParameters, Payload};

    use super::*;

    /// What the two inflaters hold within a message, at most: a state and a window.
    const CODEC: usize = 50_000;

    /// An end of a connection that compresses in windows of this size.
    fn end(role: Role, window_bits: u8, keeps_context: bool, config: &Config) -> End {
        let mut deflate = DeflateParameters::default();
        (deflate.server_max_window_bits, deflate.client_max_window_bits) =
            (window_bits, window_bits);
        (deflate.server_no_context_takeover, deflate.client_no_context_takeover) =
            (!keeps_context, !keeps_context);
        let mut agreed = Agreed::default();
        agreed.deflate = Some(deflate);
        let mut end = End::new(role, config);
        end.conn = match role {
            Role::Client => Connection::client(config, agreed, || Some([1, 2, 3, 4])),
            Role::Server => Connection::server(config, agreed),
        };
        end
    }

    fn compressed(window_bits: u8, level: u8, bytes: &[u8]) -> Vec<u8> {
        let mut config = Config::default();
        let mut settings = Deflate::default();
        settings.level = level;
        config.deflate = Some(settings);
        let mut sender = end(Role::Server, window_bits, false, &config);
        let message = Payload::binary(bytes).compress(Compress::Yes);
        sender.conn.send(message, &mut sender.tx).unwrap().slices().concat()
    }

    #[test]
    fn a_bomb_holds_the_limit_and_one_read_and_no_more() {
        for window_bits in [15, 9] {
            // 1,029 to 1, and as much as 100,000 bytes to 114.
            for len in [16 << 20, 100_000] {
                let bomb = compressed(window_bits, 9, &vec![0; len]);
                assert!(bomb.len() < len / 60, "{} for {len}", bomb.len());
                for limit in [20_000, 64_000, 1 << 20] {
                    for step in [1, 100, 1 << 20] {
                        if len < limit {
                            continue;
                        }
                        let mut config = Config::default();
                        config.limits.message = limit as u64;
                        config.limits.inflation = u32::MAX;
                        let mut end = end(Role::Client, window_bits, true, &config);
                        let before = LIVE.get();
                        let mut error = None;
                        let heap = measure(|| error = end.receive(&bomb, step, false).err());
                        assert_eq!(error, Some(ProtocolError::MessageTooBig));
                        // A byte beyond the limit, the bytes of one read, and the inflater.
                        let held = (LIVE.get() - before) as usize;
                        let most = limit + 1 + config.limits.receive_buffer;
                        assert!(held <= most.max(32 << 10) + CODEC, "{held} for {limit}");
                        // Growing counts the old storage too.
                        assert!(heap.peak <= 2 * most.max(32 << 10) + CODEC, "{heap:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn many_bombs_are_bounded_by_what_came_of_each() {
        let bomb = compressed(15, 9, &vec![0; 1 << 20]);
        let beginning = &bomb[..100];
        let mut ends: Vec<End> =
            (0..50).map(|_| end(Role::Client, 15, true, &Config::default())).collect();
        let heap = measure(|| {
            for end in &mut ends {
                let error = end.receive(beginning, 100, false).err();
                assert_eq!(error, None, "100 bytes become less than what is let through");
            }
        });
        let read = Config::default().limits.receive_buffer;
        assert!(heap.peak < 50 * (150_000 + 2 * read + CODEC), "{heap:?}");
        let error = ends[0].receive(&bomb[100..], 100, false).err();
        assert_eq!(error, Some(ProtocolError::InflatesTooMuch));
    }

    #[test]
    fn a_message_read_in_pieces_passes_through_flat_memory() {
        let text: Vec<u8> = (0..1_000_000_u32).flat_map(u32::to_be_bytes).collect();
        for window_bits in [15, 9] {
            let wire = compressed(window_bits, 1, &text);
            let mut config = Config::default();
            (config.limits.message, config.limits.frame) = (1 << 30, 1 << 30);
            let mut end = end(Role::Client, window_bits, false, &config);
            let mut len = 0;
            let heap = measure(|| {
                for mut piece in wire.chunks(4096) {
                    while !piece.is_empty() {
                        piece = &piece[end.rx.extend(piece)..];
                        while let Some(chunk) = end.conn.next_chunk(&mut end.rx).unwrap() {
                            let Chunk::Binary { piece, .. } = chunk else { panic!("{chunk:?}") };
                            len += piece.len();
                        }
                    }
                }
            });
            assert_eq!(len, text.len());
            assert!(heap.peak <= 150_000 + CODEC, "{heap:?}");
        }
    }

    #[test]
    fn text_read_in_pieces_passes_through_flat_memory_though_characters_are_cut() {
        let text = format!("a{}", "😀".repeat(1 << 20)).into_bytes();
        let mut wire = compressed(15, 1, &text);
        wire[0] ^= 3; // text instead of bytes
        let mut config = Config::default();
        (config.limits.message, config.limits.inflation) = (1 << 30, u32::MAX);
        let mut end = end(Role::Client, 15, false, &config);
        let mut len = 0;
        let heap = measure(|| {
            for mut piece in wire.chunks(9000) {
                while !piece.is_empty() {
                    piece = &piece[end.rx.extend(piece)..];
                    while let Some(chunk) = end.conn.next_chunk(&mut end.rx).unwrap() {
                        let Chunk::Text { piece, .. } = chunk else { panic!("{chunk:?}") };
                        len += piece.len();
                    }
                }
            }
        });
        assert_eq!(len, text.len());
        assert!(heap.peak <= 150_000 + CODEC, "{heap:?}");
    }

    #[test]
    fn plain_and_compressed_messages_in_turn_grow_nothing() {
        let mut config = Config::default();
        config.limits.message = u64::MAX;
        let mut end = end(Role::Client, 15, true, &config);
        let hello = b"\xc2\x07\xf2\x48\xcd\xc9\xc9\x07\x00";
        let heap = measure(|| {
            for _ in 0..1000 {
                // The first byte of the next one is always there, so that the storage is never free.
                end.receive(b"\x82\x05plain\xc2", 100, false).unwrap();
                end.receive(&hello[1..], 100, false).unwrap();
            }
        });
        assert_eq!(end.events, 2000);
        // Old and new storage; the new one has room for a step of inflating.
        let most = 2 * config.limits.receive_buffer + 64 * 1024;
        assert!(heap.peak <= most + CODEC, "{heap:?}");
    }

    #[test]
    fn where_no_context_is_kept_nothing_is_held_between_messages() {
        let mut settings = Deflate::default();
        (settings.threshold, settings.context_takeover) = (0, true);
        let mut config = Config::default();
        config.deflate = Some(settings);
        let text = b"a text that is long enough to be compressed, and to be inflated again";
        for (keeps_context, at_least, at_most) in [(false, 0, 0), (true, 100_000, 500_000)] {
            let mut server = end(Role::Server, 15, keeps_context, &config);
            let mut client = end(Role::Client, 15, keeps_context, &config);
            write(server.conn.send(&text[..], &mut server.tx)); // the thread's own compressor is there
            server = end(Role::Server, 15, keeps_context, &config);
            let before = LIVE.get();
            for _ in 0..3 {
                let wire = server.conn.send(&text[..], &mut server.tx).unwrap().slices().concat();
                write(Ok(server.tx.transmit()));
                client.receive(&wire, 9, false).unwrap();
                client.rx.release();
                client.conn.release();
                server.tx.release();
            }
            let held = (LIVE.get() - before) as usize;
            assert!((at_least..=at_most).contains(&held), "{held}");
            assert_eq!(client.events, 3);
        }
    }

    #[test]
    fn small_compressed_messages_allocate_nothing_where_context_is_kept() {
        let mut config = Config::default();
        let mut settings = Deflate::default();
        (settings.threshold, settings.context_takeover) = (0, true);
        config.deflate = Some(settings);
        let mut server = end(Role::Server, 15, true, &config);
        let mut client = end(Role::Client, 15, true, &config);
        let mut wire = [0; 400];
        let mut exchange = |n: usize| {
            let text = [b'a' + (n % 20) as u8; 300];
            let mut transmit = server.conn.send(&text[..], &mut server.tx).unwrap();
            let len = transmit.len();
            wire[..len].copy_from_slice(transmit.slices()[0]);
            transmit.consume(len);
            drop(transmit);
            client.receive(&wire[..len], 50, false).unwrap();
        };
        (0..WARM_UP).for_each(&mut exchange);
        assert_eq!(measure(|| (0..1000).for_each(exchange)), NOTHING);
    }
}
