//! Idle connections: what the server's process keeps for each in resident memory.

use std::thread::sleep;
use std::time::Duration;

use super::load::Load;
use super::process::Server;
use super::script::Script;
use super::servers::{Candidate, Mode};
use super::taking_part;
use crate::results::{Results, Row};

pub const TABLE: &str = "Idle connections: resident memory of the server for each";
pub const WORKS: [&str; 2] = ["after the handshake", "after an echo of 64 KiB"];

/// 1.3 KiB.
pub const BYTES_AT_MOST: f64 = 1331.0;

pub fn run(results: &mut Results) {
    for candidate in taking_part(&Candidate::ALL) {
        let measured = measure(candidate);
        for (at, work) in WORKS.into_iter().enumerate() {
            let name = candidate.name();
            results.add(match &measured {
                Ok(bytes) => Row::new(TABLE, work, name, bytes[at], UNIT),
                Err(why) => Row::failed(TABLE, work, name, UNIT, why),
            });
        }
    }
}

fn measure(candidate: Candidate) -> Result<[f64; 2], String> {
    let script = match candidate {
        Candidate::Raw => Script::plain(PAYLOAD, 1),
        _ => Script::masked(PAYLOAD, 1),
    };
    let server = Server::start(candidate, Mode::Echo, false)?;
    // What a server keeps once for all is not counted.
    Load::connect(&server, 1, script.clone())?.echo_in_turn()?;
    let before = settled(&server);
    let mut loads = Vec::new();
    for _ in 0..CONNECTIONS / TOGETHER {
        loads.push(Load::connect(&server, TOGETHER, script.clone())?);
    }
    let connected = settled(&server);
    loads.iter_mut().try_for_each(Load::echo_in_turn)?;
    let echoed = settled(&server);
    let each = |bytes: u64| bytes.saturating_sub(before) as f64 / CONNECTIONS as f64;
    Ok([each(connected), each(echoed)])
}

fn settled(server: &Server) -> u64 {
    sleep(Duration::from_millis(50));
    server.resident()
}

const CONNECTIONS: usize = 3000;

/// How many connect at the same moment: what a storm leaves behind in the heap is measured elsewhere.
const TOGETHER: usize = 50;
const PAYLOAD: usize = 64 * 1024;
const UNIT: &str = "bytes";
