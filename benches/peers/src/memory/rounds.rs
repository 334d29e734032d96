//! Rounds in which every candidate takes its turn, so that what disturbs one disturbs all. What
//! counts is the thread's own time on the core: other programs take the core, but not our time.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Does the work at least this many times, and says how many times it was.
pub type Turn<'w> = Box<dyn FnMut(usize) -> usize + 'w>;

/// Nanoseconds for one time: the quartiles of the rounds.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    pub low: f64,
    pub median: f64,
    pub high: f64,
}

/// Measures all turns in this many rounds; another one begins each round.
pub fn measure(turns: &mut [Turn<'_>], rounds: usize) -> Vec<Timing> {
    let times: Vec<_> = turns.iter_mut().map(calibrate).collect();
    let mut samples = vec![Vec::with_capacity(rounds); turns.len()];
    for round in 0..rounds {
        for place in 0..turns.len() {
            let at = (place + round) % turns.len();
            samples[at].push(nanoseconds(&mut turns[at], times[at]));
        }
    }
    samples.into_iter().map(quartiles).collect()
}

/// How often the work is done in a turn.
fn calibrate(turn: &mut Turn<'_>) -> usize {
    let mut times = 1;
    loop {
        let start = now();
        turn(times);
        let took = now() - start;
        if took >= TURN / 2 {
            let exact = times as f64 * TURN.as_secs_f64() / took.as_secs_f64();
            return (exact as usize).max(1);
        }
        times *= 2;
    }
}

fn nanoseconds(turn: &mut Turn<'_>, times: usize) -> f64 {
    let start = now();
    let done = turn(times);
    (now() - start).as_nanos() as f64 / done as f64
}

fn now() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn quartiles(mut samples: Vec<f64>) -> Timing {
    samples.sort_by(f64::total_cmp);
    let at = |part: usize| samples[(samples.len() - 1) * part / 4];
    Timing { low: at(1), median: at(2), high: at(3) }
}

/// Long against the clock and the first misses of the cache, short against what else the machine
/// does.
const TURN: Duration = Duration::from_millis(5);
