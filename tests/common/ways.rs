//! Other ways to read than whole messages from a whole connection.

use sotong::Chunk;

use crate::common::{End, Seen, Trace};

/// Like `End::feed`, but the n-th step reads a piece of a message or the whole of the rest,
/// at once or after it has looked.
pub fn feed_in_chunks(end: &mut End, pieces: &[&[u8]], way: impl Fn(usize) -> usize) -> Trace {
    let (mut events, mut replies, mut error) = (vec![], vec![], None);
    let (mut begun, mut step) = (vec![], 0);
    for mut piece in pieces.iter().copied() {
        loop {
            piece = &piece[end.rx.extend(piece)..];
            step += 1;
            assert!(step < 100_000, "nobody takes anything out of a full buffer");
            let next = match way(step) % 5 {
                0 | 2 => end.conn.next_chunk(&mut end.rx),
                4 if end.conn.advance_chunk(&mut end.rx) == Ok(true) => {
                    end.conn.next_event(&mut end.rx).map(|event| event.map(Chunk::from))
                }
                1 => end.conn.next_event(&mut end.rx).map(|event| event.map(Chunk::from)),
                _ if end.conn.advance(&mut end.rx) == Ok(true) => {
                    piece = &piece[end.rx.extend(piece)..];
                    end.conn.next_event(&mut end.rx).map(|event| event.map(Chunk::from))
                }
                _ => end.conn.next_chunk(&mut end.rx),
            };
            match next {
                Ok(Some(chunk)) => events.extend(join(&mut begun, chunk)),
                Ok(None) if piece.is_empty() => break,
                Ok(None) => {}
                Err(e) => {
                    error = Some(e);
                    if piece.is_empty() {
                        break;
                    }
                }
            }
            replies.extend(end.drain());
        }
        replies.extend(end.drain());
    }
    (events, replies, error, end.conn.state(), end.conn.transport())
}

/// Like `End::feed`, by the two halves of the connection, with other memory whenever none is held.
pub fn feed_halves(end: End, pieces: &[&[u8]]) -> Trace {
    let (mut events, mut replies, mut error) = (vec![], vec![], None);
    let End { conn, mut rx, mut tx } = end;
    let (mut incoming, mut outgoing) = conn.split();
    let mut steps = 0;
    for mut piece in pieces.iter().copied() {
        loop {
            steps += 1;
            assert!(steps < 100_000, "nobody takes anything out of a full buffer");
            rx.release();
            incoming.release();
            piece = &piece[rx.extend(piece)..];
            let waits = match incoming.next_event(&mut rx) {
                Ok(Some(event)) => {
                    events.push(event.into());
                    false
                }
                Ok(None) => true,
                Err(e) => {
                    error = Some(e);
                    true
                }
            };
            if incoming.has_reply() {
                outgoing.answer(&mut incoming);
            }
            outgoing.poll_transmit(&mut tx);
            let mut transmit = tx.transmit();
            replies.extend(transmit.slices().concat());
            transmit.consume(transmit.len());
            if waits && piece.is_empty() {
                break;
            }
        }
    }
    (events, replies, error, outgoing.state(), outgoing.transport())
}

/// Adds a piece to the message that has begun; the event, if it is complete.
pub fn join(begun: &mut Vec<u8>, chunk: Chunk<'_>) -> Option<Seen> {
    let (piece, last) = match chunk {
        Chunk::Text { piece, last } => (piece.as_bytes(), last),
        Chunk::Binary { piece, last } => (piece, last),
        Chunk::Ping(body) => return Some(Seen::Ping(body.into())),
        Chunk::Pong(body) => return Some(Seen::Pong(body.into())),
        Chunk::Close(frame) => {
            return Some(Seen::Close(frame.map(|f| (f.code.0, f.reason.into()))));
        }
    };
    assert!(last || !piece.is_empty(), "an empty piece is the last");
    begun.extend(piece);
    let whole = last.then(|| std::mem::take(begun))?;
    Some(match chunk {
        Chunk::Text { .. } => {
            Seen::Text(String::from_utf8(whole).expect("pieces of text are text"))
        }
        _ => Seen::Binary(whole),
    })
}
