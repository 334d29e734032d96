//! Closing, pinging and fragmentation, in every order: all that a client and a server can do within a
//! budget, and all that the stream can do with it, is done.
//!
//! These are the crate's own connections, not a model of them. At every step it is checked that
//! messages come once, in order and whole, that a pong answers the newest ping, that there is one
//! Close frame of each and nothing but pongs after it, that nothing is received after the peer's, and
//! what state that is; in the end, that there is a way out of every state.
//!
//! `CLOSING_MODEL=long cargo test --release --test closing_model -- --nocapture` has larger budgets.

mod search;
mod world;

use search::explore;
use world::Budget;

const BASE: Budget = Budget {
    messages: [0; 2],
    fragments: [0; 2],
    pings: [0; 2],
    closes: [1; 2],
    waits: 0,
    loss: false,
    pieces: false,
    send_queue: 1 << 16,
};

fn check(name: &str, short: Budget, long: Budget) {
    let is_long = std::env::var("CLOSING_MODEL").is_ok_and(|form| form == "long");
    let budget = if is_long { long } else { short };
    let start = std::time::Instant::now();
    println!("{name}: {:?}, {:.1?}", explore(budget), start.elapsed());
}

#[test]
fn messages_in_fragments_between_pings() {
    let short = Budget { fragments: [3, 2], pings: [1, 0], closes: [1, 0], ..BASE };
    check("fragments", short, Budget { pieces: true, closes: [1; 2], pings: [2, 0], ..short });
}

#[test]
fn pings_beside_a_close() {
    let short = Budget { pings: [2, 1], ..BASE };
    check("pings", short, Budget { pings: [2; 2], messages: [1, 0], pieces: true, ..short });
}

#[test]
fn queues_that_are_full() {
    let short = Budget { pings: [2, 1], messages: [1, 0], send_queue: 1, ..BASE };
    check("full queues", short, Budget { pings: [2; 2], messages: [1; 2], ..short });
}

#[test]
fn deadlines() {
    let short = Budget { waits: 2, ..BASE };
    check("deadlines", short, Budget { messages: [1, 0], waits: 3, ..short });
}

#[test]
fn a_stream_that_is_lost() {
    let short = Budget { messages: [1; 2], pings: [1, 0], loss: true, ..BASE };
    check("loss", short, Budget { fragments: [2, 0], pings: [1; 2], ..short });
}
