//! Whatever is sent arrives, with any settings, fragments and cuts; and what random bytes inflate
//! to is what an inflater makes of them that was written for nothing but to be right.

use proptest::collection::vec;
use proptest::prelude::*;
use sotong::{Chunk, Compress, Payload};
use zlib_rs::{DeflateConfig, DeflateFlush, Strategy as ZStrategy};

use super::naive::Inflater;
use super::*;

/// Bytes with repetitions near and far, as runs of what came before.
fn compressible() -> impl Strategy<Value = Vec<u8>> {
    let run = (vec(any::<u8>(), 0..12), any::<prop::sample::Index>(), 0_usize..400);
    vec(run, 0..20).prop_map(|runs| {
        let mut bytes = vec![];
        for (fresh, from, len) in runs {
            bytes.extend(fresh);
            if !bytes.is_empty() {
                let from = from.index(bytes.len());
                (from..from + len).for_each(|i| bytes.push(bytes[i]));
            }
        }
        bytes
    })
}

#[derive(Clone, Debug)]
struct Message {
    payload: Vec<u8>,
    choice: Compress,
    /// Into how many fragments it is cut, with a ping behind each.
    fragments: usize,
}

fn message() -> impl Strategy<Value = Message> {
    let choice = prop_oneof![Just(Compress::Auto), Just(Compress::Yes), Just(Compress::No)];
    (compressible(), choice, 1_usize..5).prop_map(|(payload, choice, fragments)| Message {
        payload,
        choice,
        fragments,
    })
}

fn settings() -> impl Strategy<Value = (Config, Agreed)> {
    (9_u8..=15, any::<bool>(), 0_u8..=9, 1_u8..=9, 0_usize..200).prop_map(
        |(bits, keeps_context, level, memory_level, threshold)| {
            let config = config(|deflate| {
                (deflate.level, deflate.memory_level) = (level, memory_level);
                deflate.threshold = threshold;
            });
            (config, both(bits, keeps_context))
        },
    )
}

fn send(end: &mut End, messages: &[Message]) -> Vec<u8> {
    for Message { payload, choice, fragments } in messages {
        let End { conn, tx, .. } = end;
        let payload_of = |bytes| Payload::binary(bytes).compress(*choice);
        if *fragments == 1 {
            conn.send(payload_of(payload), tx).unwrap().queue();
            continue;
        }
        let len = payload.len().div_ceil(*fragments).max(1);
        for i in 0..*fragments {
            let part = &payload[payload.len().min(i * len)..payload.len().min((i + 1) * len)];
            conn.send_fragment(payload_of(part), i + 1 == *fragments, tx).unwrap().queue();
            conn.ping(b"?", tx).unwrap().queue();
        }
    }
    end.drain()
}

/// All binary messages, read whole or in pieces.
fn receive_all(end: &mut End, wire: &[u8], step: usize, whole: bool) -> Vec<Vec<u8>> {
    let (mut messages, mut open) = (vec![], vec![]);
    for mut bytes in wire.chunks(step) {
        while !bytes.is_empty() {
            bytes = &bytes[end.rx.extend(bytes)..];
            if whole {
                while let Some(event) = end.conn.next_event(&mut end.rx).unwrap() {
                    if let sotong::Event::Binary(bytes) = event {
                        messages.push(bytes.to_vec());
                    }
                }
                continue;
            }
            while let Some(chunk) = end.conn.next_chunk(&mut end.rx).unwrap() {
                if let Chunk::Binary { piece, last } = chunk {
                    open.extend_from_slice(piece);
                    if last {
                        messages.push(std::mem::take(&mut open));
                    }
                }
            }
        }
    }
    messages
}

proptest! {
    #[test]
    fn what_is_sent_arrives(
        (mut config, agreed) in settings(),
        messages in vec(message(), 0..6),
        from_client: bool,
        buffer in prop::sample::select(vec![512, 2000, 1 << 16]),
        step in 1_usize..3000,
        whole: bool,
    ) {
        let (from, to) = match from_client {
            true => (Role::Client, Role::Server),
            false => (Role::Server, Role::Client),
        };
        config.limits.send_queue = usize::MAX;
        config.limits.receive_buffer = buffer;
        let wire = send(&mut End::with(from, &config, agreed), &messages);
        let arrived = receive_all(&mut End::with(to, &config, agreed), &wire, step, whole);
        let sent: Vec<Vec<u8>> = messages.into_iter().map(|message| message.payload).collect();
        prop_assert_eq!(arrived, sent);
    }

    #[test]
    fn every_stream_is_what_rfc_1951_makes_of_it(
        payloads in vec(deflated(), 1..5),
        damage in vec(damage(), 0..3),
        bits in 9_u8..=15,
        keeps_context: bool,
        step in 1_usize..200,
    ) {
        let mut payloads = payloads;
        for (message, place, change) in damage {
            let message = message.get_mut(&mut payloads[..]);
            apply(message, place, change);
        }
        let (expected, is_expected) = inflate(&payloads, bits, keeps_context);
        let mut config = Config::default();
        config.limits.inflation = u32::MAX;
        for step in [step, usize::MAX] {
            let mut end = End::with(Role::Client, &config, both(bits, keeps_context));
            let mut seen = vec![];
            let mut is_good = true;
            for payload in &payloads {
                let frame = frame(0xc2, None, payload);
                let (events, _, error, ..) = end.feed(frame.chunks(step.min(frame.len())));
                is_good = error.is_none();
                seen.extend(events);
                if !is_good {
                    break;
                }
            }
            let expected: Vec<Seen> = expected.iter().cloned().map(Seen::Binary).collect();
            prop_assert_eq!((seen.len(), is_good), (expected.len(), is_expected));
            prop_assert!(seen == expected);
        }
    }
}

proptest! {
    #[test]
    fn any_cut_gives_the_same_verdict(
        mut payloads in vec(deflated(), 1..4),
        damage in vec(damage(), 0..3),
        bits in prop::sample::select(vec![9, 15]),
        is_text: bool,
        limit in prop_oneof![0_u64..2000, Just(u64::MAX)],
        step in 1_usize..50,
    ) {
        for (message, place, change) in damage {
            apply(message.get_mut(&mut payloads[..]), place, change);
        }
        let mut config = Config::default();
        config.limits.message = limit;
        let first = if is_text { 0xc1 } else { 0xc2 };
        let wire: Vec<u8> = payloads.iter().flat_map(|p| frame(first, None, p)).collect();
        let mut traces = [1, step, wire.len()].map(|step| {
            End::with(Role::Client, &config, both(bits, true)).feed(wire.chunks(step))
        });
        let last = traces[2].clone();
        for trace in &mut traces {
            prop_assert_eq!((trace.0.len(), trace.2), (last.0.len(), last.2));
            prop_assert!(*trace == last);
        }
    }
}

/// The payload of a message as some compressor makes it: its level, its strategy, how it flushes, and
/// whether it ends with a final block.
fn deflated() -> impl Strategy<Value = Vec<u8>> {
    let strategy = prop_oneof![
        Just(ZStrategy::Default),
        Just(ZStrategy::Fixed),
        Just(ZStrategy::HuffmanOnly),
        Just(ZStrategy::Rle),
    ];
    (compressible(), 9_i32..=15, 0_i32..=9, strategy, 1_usize..4, any::<bool>()).prop_map(
        |(bytes, bits, level, strategy, flushes, ends)| {
            let config =
                DeflateConfig { window_bits: -bits, level, strategy, ..DeflateConfig::default() };
            let mut deflate = zlib_rs::Deflate::new_with_config(config);
            let mut out = vec![0; bytes.len() * 2 + 1000];
            for part in bytes.chunks(bytes.len().div_ceil(flushes).max(1)) {
                let at = deflate.total_out() as usize;
                deflate.compress(part, &mut out[at..], DeflateFlush::SyncFlush).unwrap();
            }
            let at = deflate.total_out() as usize;
            if ends {
                deflate.compress(&[], &mut out[at..], DeflateFlush::Finish).unwrap();
                out.truncate(deflate.total_out() as usize);
                out.push(0);
            } else {
                out.truncate(at.saturating_sub(4));
            }
            out
        },
    )
}

#[derive(Clone, Debug)]
enum Change {
    Flip(u8),
    Cut,
    Insert(u8),
}

fn damage() -> impl Strategy<Value = (Pick, prop::sample::Index, Change)> {
    let change = prop_oneof![
        (0_u8..8).prop_map(|bit| Change::Flip(1 << bit)),
        Just(Change::Cut),
        any::<u8>().prop_map(Change::Insert),
    ];
    (any::<prop::sample::Index>().prop_map(Pick), any::<prop::sample::Index>(), change)
}

#[derive(Clone, Copy, Debug)]
struct Pick(prop::sample::Index);

impl Pick {
    fn get_mut<T>(self, items: &mut [T]) -> &mut T {
        let i = self.0.index(items.len());
        &mut items[i]
    }
}

fn apply(payload: &mut Vec<u8>, place: prop::sample::Index, change: Change) {
    let at = place.index(payload.len() + 1);
    match change {
        Change::Flip(bits) => {
            if let Some(byte) = payload.get_mut(at) {
                *byte ^= bits;
            }
        }
        Change::Cut => payload.truncate(at),
        Change::Insert(byte) => payload.insert(at, byte),
    }
}

/// What RFC 1951 makes of them: the messages up to the first that fails, and whether none did.
fn inflate(payloads: &[Vec<u8>], window_bits: u8, keeps_context: bool) -> (Vec<Vec<u8>>, bool) {
    let mut inflater = Inflater::new(window_bits, keeps_context);
    let mut messages = vec![];
    for payload in payloads {
        let start = inflater.out.len();
        inflater.push(payload);
        if inflater.finish().is_err() {
            return (messages, false);
        }
        messages.push(inflater.out[start..].to_vec());
    }
    (messages, true)
}
