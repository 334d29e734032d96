//! The core beside the model: the same bytes, the same events, replies, close code and state.

use sotong::{Agreed, Config, DeflateParameters, Role};

use super::{LOOKAHEAD, Reading, Rules, Verdict, read};
use crate::common::{End, Seen, Trace};

/// Lets the core read `wire` in these pieces, and the model read it.
pub fn check(rules: &Rules, wire: &[u8], pieces: &[&[u8]], receive_buffer: usize) {
    assert_is_right(rules, &feed(rules, pieces, receive_buffer), wire);
}

/// Whether the core, which came to `trace`, has read what the model does.
pub fn assert_is_right(rules: &Rules, trace: &Trace, wire: &[u8]) {
    let (events, replies, error, state, transport) = trace;
    let verdict = match error {
        Some(error) => Verdict::Fails(error.close_code().0),
        None if events.iter().any(|event| matches!(event, Seen::Close(_))) => Verdict::Closed,
        None => Verdict::Waits,
    };
    let (events, replies) = (events.clone(), replies.clone());
    let seen = (Reading { events, replies, verdict }, (*state, *transport));
    let expected = |lookahead| {
        let reading = read(rules, wire, lookahead);
        let end = reading.end(rules);
        (reading, end)
    };
    let has_looked_ahead =
        rules.deflate.is_some() && (1..=LOOKAHEAD).any(|octets| seen == expected(octets));
    if !has_looked_ahead {
        assert_eq!(seen, expected(0), "{rules:?}\n{}", wire.escape_ascii());
    }
}

/// What the core makes of these pieces.
pub fn feed(rules: &Rules, pieces: &[&[u8]], receive_buffer: usize) -> Trace {
    let mut end = end(rules, receive_buffer);
    // After a read that filled the buffer text is not checked before the next read; an empty one
    // does.
    end.feed(pieces.iter().copied().chain([&[][..]]))
}

/// One end by these rules.
pub fn end(rules: &Rules, receive_buffer: usize) -> End {
    let mut end = End::with(rules.role, &config(rules, receive_buffer), agreed(rules));
    if rules.close_sent {
        end.conn.close(None, &mut end.tx).expect("it is open").queue();
        end.drain();
    }
    end
}

/// The limits by these rules.
pub fn config(rules: &Rules, receive_buffer: usize) -> Config {
    let mut config = Config::default();
    let limits = &mut config.limits;
    (limits.message, limits.frame, limits.fragments) =
        (rules.message, rules.frame, rules.fragments);
    (limits.inflation, limits.receive_buffer) = (rules.inflation, receive_buffer);
    config
}

/// What the opening handshake has agreed on: the window and the context of either end.
pub fn agreed(rules: &Rules) -> Agreed {
    let mut agreed = Agreed::default();
    agreed.deflate = rules.deflate.map(|(bits, keeps_context)| {
        let mut deflate = DeflateParameters::default();
        match rules.role {
            Role::Client => {
                deflate.server_max_window_bits = bits;
                deflate.server_no_context_takeover = !keeps_context;
            }
            Role::Server => {
                deflate.client_max_window_bits = bits;
                deflate.client_no_context_takeover = !keeps_context;
            }
        }
        deflate
    });
    agreed
}
