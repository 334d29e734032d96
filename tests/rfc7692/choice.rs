//! What is sent compressed, and what is not.

use sotong::{Compress, Payload, Prepared, SendBuffer, SendError};

use super::*;

const ZEROS: usize = if cfg!(miri) { 3_000 } else { 100_000 };

/// A sender, and a receiver that has agreed to the same.
struct Pair {
    sender: End,
    receiver: End,
}

impl Pair {
    fn new(role: Role, config: &Config, agreed: Agreed) -> Self {
        let other = if role == Role::Server { Role::Client } else { Role::Server };
        Self {
            sender: End::with(role, config, agreed),
            receiver: End::with(other, &Config::default(), agreed),
        }
    }

    /// Sends a message and has it received; whether it was compressed, and its size on the wire.
    fn pass(&mut self, message: Payload<'_>) -> (bool, usize) {
        self.sender.conn.send(message, &mut self.sender.tx).unwrap().queue();
        let bytes = self.sender.drain();
        let (events, _, error, ..) = self.receiver.feed(bytes.chunks(1000));
        let arrived: Vec<&[u8]> = events
            .iter()
            .map(|event| match event {
                Seen::Text(text) => text.as_bytes(),
                Seen::Binary(bytes) => bytes,
                _ => panic!("only messages are sent"),
            })
            .collect();
        assert_eq!((arrived, error), (vec![message.as_bytes()], None));
        (bytes[0] & 0x40 != 0, bytes.len())
    }
}

const LONG: &str = "a text that is long enough, a text that is repeated, a text that is long enough, \
                    a text that is repeated, and so on";

fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    std::iter::repeat_with(next).take(len).collect()
}

#[test]
fn messages_below_the_threshold_go_as_they_are() {
    for role in ROLES {
        for threshold in [0, 1, 64, LONG.len(), LONG.len() + 1] {
            let config = config(|deflate| deflate.threshold = threshold);
            let mut pair = Pair::new(role, &config, both(15, true));
            assert_eq!(pair.pass(Payload::text(LONG)).0, LONG.len() >= threshold);
            assert_eq!(pair.pass(Payload::binary(LONG.as_bytes())).0, LONG.len() >= threshold);
            assert_eq!(pair.pass(Payload::text("")).0, threshold == 0);
        }
    }
}

#[test]
fn a_message_says_for_itself_whether_it_is_compressed() {
    for role in ROLES {
        for agreed in [both(15, true), both(9, false)] {
            let mut pair = Pair::new(role, &config(|_| {}), agreed);
            let tiny = Payload::text("Hi");
            assert!(!pair.pass(tiny).0);
            assert!(pair.pass(tiny.compress(Compress::Yes)).0);
            let long = Payload::text(LONG).compress(Compress::Auto);
            assert!(pair.pass(long.compress(Compress::Yes)).0);
            assert!(!pair.pass(long.compress(Compress::No)).0);
            assert!(pair.pass(long.compress(Compress::Yes)).0, "the context has not moved");
        }
        let mut plain = Pair::new(role, &config(|_| {}), Agreed::default());
        assert!(!plain.pass(Payload::text(LONG).compress(Compress::Yes)).0);
    }
}

#[test]
fn what_is_not_smaller_goes_as_it_is_where_no_context_is_kept() {
    let noise = noise(5000);
    for role in ROLES {
        let header = if role == Role::Server { 4 } else { 8 };
        let mut pair = Pair::new(role, &config(|_| {}), both(15, false));
        assert_eq!(pair.pass(Payload::binary(&noise)), (false, header + noise.len()));
        assert!(pair.pass(Payload::binary(&noise).compress(Compress::Yes)).0);
        // Later messages may refer to it.
        let mut pair = Pair::new(role, &config(|_| {}), both(15, true));
        assert!(pair.pass(Payload::binary(&noise)).0);
        let (compressed, len) = pair.pass(Payload::binary(&noise));
        assert!(compressed && len < 100, "{len}");
    }
}

#[test]
fn the_settings_are_kept_to() {
    let distant = [noise(600), vec![b' '; 1000], noise(600)].concat();
    let size = |bits: u8, level: u8| {
        let config = config(|deflate| deflate.level = level);
        Pair::new(Role::Server, &config, both(bits, true)).pass(Payload::binary(&distant)).1
    };
    // The repetition lies 1,600 bytes back: beyond a window of 1 KiB, within one of 2 KiB.
    assert!(size(10, 9) > 1200 && size(11, 9) < 800, "{} {}", size(10, 9), size(11, 9));
    assert!(size(15, 0) > distant.len(), "level 0 only wraps");
    // Settings that do not exist are the nearest ones.
    let wild = config(|deflate| {
        (deflate.level, deflate.memory_level, deflate.window_bits) = (99, 0, 255);
        deflate.threshold = 0;
    });
    assert!(Pair::new(Role::Client, &wild, both(15, true)).pass(Payload::text(LONG)).0);
}

#[test]
fn the_first_fragment_decides_and_each_leaves_at_once() {
    for role in ROLES {
        for agreed in [both(15, true), both(9, false)] {
            let mut pair = Pair::new(role, &config(|_| {}), agreed);
            for (choice, is_compressed) in [(Compress::Yes, true), (Compress::No, false)] {
                let parts = ["one ", "", "two ", LONG, ""];
                let mut wire = vec![];
                for (i, part) in parts.iter().enumerate() {
                    // What later ones say is not asked.
                    let choice = if i == 0 { choice } else { Compress::Auto };
                    let part = Payload::text(part).compress(choice);
                    let fin = i + 1 == parts.len();
                    let End { conn, tx, .. } = &mut pair.sender;
                    conn.send_fragment(part, fin, tx).unwrap().queue();
                    conn.ping(b"between", tx).unwrap().queue();
                    let bytes = pair.sender.drain();
                    assert_eq!(bytes[0] & 0x40 != 0, is_compressed && i == 0);
                    wire.extend(bytes);
                }
                let (events, _, error, ..) = pair.receiver.feed([&wire[..]]);
                let pings = events.iter().filter(|e| matches!(e, Seen::Ping(_))).count();
                let whole = events.iter().find(|e| matches!(e, Seen::Text(_)));
                let expected = text(&parts.concat());
                assert_eq!((pings, whole, error), (5, Some(&expected), None));
            }
        }
    }
}

#[test]
fn a_prepared_message_is_compressed_once_for_all_that_keep_no_context() {
    let message = Prepared::new(LONG);
    let config = config(|deflate| deflate.threshold = 64);
    let send = |agreed, message: &Prepared| {
        let mut end = End::with(Role::Server, &config, agreed);
        end.conn.send_prepared(message, &mut end.tx).unwrap().slices().concat()
    };
    let compressed = send(both(15, false), &message);
    assert_eq!(compressed[0], 0xc1);
    assert!(compressed.len() < LONG.len() * 3 / 4);
    assert_eq!(send(both(15, false), &message.clone()), compressed);
    assert_eq!(send(both(9, false), &message)[0], 0xc1);
    assert_eq!(send(Agreed::default(), &message)[..2], [0x81, LONG.len() as u8]);
    // What is sent is the same memory, not only the same bytes.
    let mut ends = [(); 2].map(|()| End::with(Role::Server, &config, both(15, false)));
    let [one, other] = ends.each_mut().map(|end| {
        let transmit = end.conn.send_prepared(&message, &mut end.tx).unwrap();
        transmit
            .slices()
            .iter()
            .map(|slice| (slice.as_ptr(), slice.len()))
            .max_by_key(|place| place.1)
    });
    assert_eq!(one, other);

    // With context each connection compresses for itself: the second time is a reference.
    let mut pair = Pair::new(Role::Server, &config, both(15, true));
    let mut lens = vec![];
    for _ in 0..3 {
        pair.sender.conn.send_prepared(&message, &mut pair.sender.tx).unwrap().queue();
        let bytes = pair.sender.drain();
        assert_eq!(pair.receiver.feed([&bytes[..]]), open(vec![text(LONG)]));
        lens.push(bytes.len());
        pair.pass(Payload::text(LONG));
    }
    assert!(lens[1] < lens[0] / 3 && lens[2] < lens[0] / 3, "{lens:?}");

    // A message may refuse, and one that does not become smaller stays as it is.
    let secret = Prepared::new(Payload::text(LONG).compress(Compress::No));
    assert_eq!(send(both(15, false), &secret)[0], 0x81);
    let noise = noise(1000);
    assert_eq!(send(both(15, false), &Prepared::new(&noise[..]))[0], 0x82);
    let always = Payload::binary(&noise).compress(Compress::Yes);
    assert_eq!(send(both(15, false), &Prepared::new(always))[0], 0xc2);
}

#[test]
fn a_prepared_message_is_compressed_once_for_each_window() {
    // The second half repeats the first, from further back than the smallest window reaches.
    let half = noise(600);
    let message = Prepared::new(&[&half[..], &half].concat()[..]);
    let config = config(|deflate| deflate.threshold = 1200);
    let mut lens = vec![];
    for window_bits in [15, 9, 15] {
        let mut pair = Pair::new(Role::Server, &config, both(window_bits, false));
        pair.sender.conn.send_prepared(&message, &mut pair.sender.tx).unwrap().queue();
        let bytes = pair.sender.drain();
        let (events, _, error, ..) = pair.receiver.feed([&bytes[..]]);
        assert_eq!((events.len(), error), (1, None), "a window of {window_bits} bits");
        lens.push((bytes[0] == 0xc1 || bytes[0] == 0xc2, bytes.len() < 700));
    }
    // Noise that does not repeat itself within the window stays as it is.
    assert_eq!(lens, [(true, true), (false, false), (true, true)]);
    // A byte less than the threshold stays too.
    let below = Prepared::new(&[&half[..], &half[1..]].concat()[..]);
    let mut pair = Pair::new(Role::Server, &config, both(15, false));
    pair.sender.conn.send_prepared(&below, &mut pair.sender.tx).unwrap().queue();
    assert_eq!(pair.sender.drain()[0], 0x82);
}

/// However much it is, and wherever the bytes that have come of it end.
#[test]
fn what_a_fragment_inflates_to_comes_without_waiting_for_more() {
    let mut config = config(|deflate| deflate.threshold = 0);
    config.limits.inflation = u32::MAX;
    for window_bits in [15, 9] {
        let agreed = both(window_bits, false);
        let mut sender = End::with(Role::Server, &config, agreed);
        sender.conn.send_fragment(&[0; ZEROS][..], false, &mut sender.tx).unwrap().queue();
        let bytes = sender.drain();
        let received = |pieces: &[&[u8]]| {
            let mut receiver = End::with(Role::Client, &config, agreed);
            let mut len = 0;
            for piece in pieces {
                assert_eq!(receiver.rx.extend(piece), piece.len());
                while let Some(chunk) = receiver.conn.next_chunk(&mut receiver.rx).unwrap() {
                    let sotong::Chunk::Binary { piece, .. } = chunk else { panic!("{chunk:?}") };
                    len += piece.len();
                }
            }
            len
        };
        for end in 4..=bytes.len() {
            let byte_by_byte: Vec<&[u8]> = bytes[..end].chunks(1).collect();
            assert_eq!(received(&[&bytes[..end]]), received(&byte_by_byte), "{window_bits}, {end}");
        }
        assert_eq!(received(&[&bytes]), ZEROS);
    }
}

#[test]
fn a_client_masks_what_was_prepared_and_compressed() {
    let message = Prepared::new(LONG);
    let config = config(|deflate| deflate.threshold = 64);
    for keeps_context in [true, false] {
        let mut pair = Pair::new(Role::Client, &config, both(15, keeps_context));
        pair.sender.conn =
            sotong::Connection::client(&config, both(15, keeps_context), || Some([1, 2, 3, 4]));
        for _ in 0..3 {
            pair.sender.conn.send_prepared(&message, &mut pair.sender.tx).unwrap().queue();
            let bytes = pair.sender.drain();
            assert_eq!((bytes[0], &bytes[2..6]), (0xc1, &[1, 2, 3, 4][..]));
            assert_eq!(pair.receiver.feed([&bytes[..]]), open(vec![text(LONG)]));
        }
    }
}

#[test]
fn what_is_refused_leaves_the_context_as_it_was() {
    use std::cell::Cell;
    std::thread_local!(static HAS_KEYS: Cell<bool> = const { Cell::new(true) });
    let mut config = config(|deflate| deflate.threshold = 0);
    config.limits.send_queue = 10;
    let agreed = both(15, true);
    let mut pair = Pair::new(Role::Client, &config, agreed);
    pair.sender.conn =
        sotong::Connection::client(&config, agreed, || HAS_KEYS.get().then_some([9; 4]));
    pair.pass(Payload::text(LONG));
    let End { conn, tx, .. } = &mut pair.sender;
    HAS_KEYS.set(false);
    assert_eq!(conn.send_text("lost", tx).err(), Some(SendError::NoMaskingKey));
    assert_eq!(conn.send_fragment("lost", false, tx).err(), Some(SendError::NoMaskingKey));
    HAS_KEYS.set(true);
    conn.send_text("kept", tx).unwrap().queue();
    assert_eq!(conn.send_text("lost too", tx).err(), Some(SendError::QueueFull));
    let bytes = pair.sender.drain();
    assert_eq!(pair.receiver.feed([&bytes[..]]), open(vec![text("kept")]));
    pair.pass(Payload::text("lost, lost too, kept"));
}

#[test]
fn a_transmit_that_is_dropped_half_written_is_sent_whole() {
    for role in ROLES {
        let mut pair = Pair::new(role, &config(|_| {}), both(15, true));
        let mut sent = vec![];
        for written in [0, 1, 5, 20] {
            let mut queue = std::mem::replace(&mut pair.sender.tx, SendBuffer::new());
            let mut transmit = pair.sender.conn.send_text(LONG, &mut queue).unwrap();
            let bytes = transmit.slices().concat();
            let written = written.min(bytes.len());
            sent.extend(&bytes[..written]);
            transmit.consume(written);
            drop(transmit);
            pair.sender.tx = queue;
            sent.extend(pair.sender.drain());
        }
        let (events, _, error, ..) = pair.receiver.feed([&sent[..]]);
        assert_eq!((events, error), (vec![text(LONG); 4], None));
    }
}

#[test]
fn what_may_be_masked_in_place_is_compressed_as_any_other_message() {
    for role in ROLES {
        for agreed in [both(15, true), both(9, false)] {
            let mut pair = Pair::new(role, &config(|deflate| deflate.threshold = 64), agreed);
            for (bytes, expected) in [
                (LONG.as_bytes().to_vec(), true),
                (noise(63), false),
                (vec![b'a'; 64], true),
                (LONG.as_bytes()[..63].to_vec(), false),
            ] {
                let End { conn, tx, .. } = &mut pair.sender;
                conn.send_binary_in_place(&mut bytes.clone(), tx).unwrap().queue();
                let sent = pair.sender.drain();
                assert_eq!(sent[0], if expected { 0xc2 } else { 0x82 });
                let (events, _, error, ..) = pair.receiver.feed([&sent[..]]);
                assert_eq!((events, error), (vec![Seen::Binary(bytes)], None));
            }
        }
    }
}

#[test]
fn what_becomes_no_smaller_goes_as_it_is() {
    let config = config(|deflate| deflate.threshold = 0);
    let mut is_met = false;
    for len in 1..40 {
        let text = "a".repeat(len);
        let mut pair = Pair::new(Role::Server, &config, both(15, false));
        let (_, compressed) = pair.pass(Payload::text(&text).compress(Compress::Yes));
        let is_smaller = compressed < 2 + len;
        assert_eq!(pair.pass(Payload::text(&text)), (is_smaller, compressed.min(2 + len)));
        is_met |= compressed == 2 + len;
    }
    assert!(is_met, "one becomes as large as it is");
}
