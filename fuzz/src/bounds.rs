//! What reading may cost: memory bounded by what has come, work linear in it.

use crate::heap::measure;
use crate::model::Rules;
use crate::model::check::end;

/// Memory, at its peak: three times the bytes that came, since a buffer that grows to twice its
/// size is there twice while it moves; with compression three times what a message may become, too;
/// and a constant.
const HEAP_FACTOR: usize = 3;

/// The end itself, its configuration, the message under way, a pong, the first bytes of a queue.
const HEAP: usize = 8 * 1024;

/// A decompressor, and the room to inflate into, which may be there twice while it grows.
const CODEC: usize = 64 * 1024 + 3 * 16 * 1024;

/// Lets a fresh connection read the pieces, and drop what it reads.
///
/// Work is counted in calls, in allocations and in bytes that were allocated. What is moved within
/// a buffer is not seen here; there the time that libFuzzer gives to one input is the bound.
pub fn check(rules: &Rules, pieces: &[&[u8]], receive_buffer: usize) {
    let received: usize = pieces.iter().map(|piece| piece.len()).sum();
    let (mut calls, mut events, mut replies) = (0, 0, 0);
    let heap = measure(|| {
        let mut end = end(rules, receive_buffer);
        for mut piece in pieces.iter().copied() {
            let mut idle = 0;
            loop {
                let taken = end.rx.extend(piece);
                piece = &piece[taken..];
                calls += 1;
                match end.conn.next_event(&mut end.rx) {
                    Ok(Some(_)) => events += 1,
                    _ if piece.is_empty() => break,
                    _ => idle += 1,
                }
                // A full buffer takes nothing once; then it has been looked at. If that fails the
                // connection the next look empties it.
                idle = if taken > 0 { 0 } else { idle };
                assert!(idle < 3, "a full buffer, and nothing comes out of it");
                end.conn.poll_transmit(&mut end.tx);
                let mut transmit = end.tx.transmit();
                replies += transmit.len();
                transmit.consume(transmit.len());
            }
        }
    });
    // A frame has two bytes at least, and each brings one event at most.
    assert!(events <= received / 2, "{events} events of {received} bytes");
    // Each piece ends with a call in vain, and so does each read of what is larger than the buffer:
    // it takes a quarter of its capacity at least, or all that a frame lacks.
    let most = events + pieces.len() + received / (receive_buffer / 4) + received / 2 + 1;
    assert!(calls <= most, "{calls} calls for {events} events, {received} bytes");
    // A pong is as long as its ping and loses or gains a masking key; a Close has a code at most.
    assert!(replies <= 3 * received + 8, "{replies} bytes answer {received}");

    let inflated = rules.deflate.map_or(0, |_| CODEC + HEAP_FACTOR * rules.message as usize);
    let most = HEAP + HEAP_FACTOR * (received + receive_buffer) + inflated;
    assert!(heap.peak <= most, "{heap:?} for {received} bytes");
    // Without context each compressed message may take a decompressor of its own.
    let decompressors = match rules.deflate {
        Some((_, false)) => received / 2 * CODEC,
        _ => 0,
    };
    assert!(heap.allocated <= 2 * most + decompressors, "{heap:?} for {received} bytes");
    assert!(heap.allocations <= 64 + received, "{heap:?} for {received} bytes");
}
