//! What a run is narrowed to, as for a profiler.

use std::env;

/// Whether `PEERS_WORK`, a part of a name, asks for this work or is not there.
pub fn is_work_wanted(work: &str) -> bool {
    env::var("PEERS_WORK").map_or(true, |part| work.contains(&part))
}

/// Whether `PEERS_CANDIDATES`, names with commas, asks for this one or is not there.
pub fn is_candidate_wanted(name: &str) -> bool {
    env::var("PEERS_CANDIDATES").map_or(true, |all| all.split(',').any(|wanted| wanted == name))
}
