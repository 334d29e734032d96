//! Over loopback: what a server takes of its core, and of memory, for the same traffic.
//!
//! Each candidate serves in a process of its own, pinned to one core; the load generator has the
//! other. What counts is the server's time on the core for each message, by the kernel's account. A
//! round gives each candidate a short turn, so that what else the machine does hits all alike; rows
//! have the median of the rounds.

mod idle;
mod load;
mod process;
mod script;
mod servers;
mod storm;
mod tls;

use std::time::Duration;

use crate::asked::{is_candidate_wanted, is_work_wanted};
use crate::results::{Of, Results, Row, Target};
use load::{Load, Tally};
use process::{GENERATOR_CORE, Pinned, Server};
use script::Script;
use servers::{Candidate, Mode};

/// Measures all there is.
pub fn run(results: &mut Results, quick: bool) {
    let _pinned = Pinned::to(GENERATOR_CORE);
    let descriptors = process::raise_descriptor_limit();
    let effort = if quick { QUICK } else { FULL };
    for work in WORKS.iter().chain(&TLS_WORKS).filter(|work| is_work_wanted(work.name)) {
        work.run(&effort, results);
    }
    if is_work_wanted("idle") {
        idle::run(results);
    }
    if is_work_wanted("storm") {
        storm::run(results, descriptors);
    }
    require(results);
}

/// Runs one server; the arguments are those behind `serve`.
pub fn serve(args: &[String]) {
    if let Err(error) = servers::serve(args) {
        eprintln!("{error}");
        std::process::exit(1);
    }
}

/// Those that were asked for.
fn taking_part(candidates: &[Candidate]) -> impl Iterator<Item = Candidate> {
    candidates.iter().copied().filter(|candidate| is_candidate_wanted(candidate.name()))
}

/// How long to measure.
struct Effort {
    /// How many processes of a server take part: what lies where in its memory makes a difference
    /// of a third for large messages, and does not change while it runs.
    processes: usize,
    /// For each process.
    rounds: usize,
    warm_up: Duration,
    turn: Duration,
}

const FULL: Effort = Effort {
    processes: 3,
    rounds: 3,
    warm_up: Duration::from_millis(40),
    turn: Duration::from_millis(200),
};
const QUICK: Effort = Effort {
    processes: 1,
    rounds: 3,
    warm_up: Duration::from_millis(30),
    turn: Duration::from_millis(150),
};

/// One kind of traffic.
struct Work {
    name: &'static str,
    connections: usize,
    /// Messages in flight on each connection; of a broadcast, in a burst.
    window: usize,
    payload: usize,
    mode: Mode,
    tls: bool,
}

const WORKS: [Work; 16] = [
    Work::echo("1 × 1, 16 B", 1, 1, 16),
    Work::echo("64 × 1, 16 B", 64, 1, 16),
    Work::echo("64 × 1, 1 KiB", 64, 1, 1024),
    Work::echo("64 × 1, 16 KiB", 64, 1, 16 * 1024),
    Work::echo("64 × 1, 1 MiB", 64, 1, 1024 * 1024),
    Work::echo("1,000 × 1, 16 B", 1000, 1, 16),
    Work::echo("1,000 × 1, 1 KiB", 1000, 1, 1024),
    Work::echo("64 × 64, 16 B", 64, 64, 16),
    Work::echo("64 × 64, 125 B", 64, 64, 125),
    Work::echo("64 × 64, 1 KiB", 64, 64, 1024),
    Work::echo("64 × 64, 16 KiB", 64, 64, 16 * 1024),
    Work::send("64 × 64, 16 B, each sent", 64, 64, 16),
    Work::send("64 × 64, 1 KiB, each sent", 64, 64, 1024),
    Work::broadcast("1 → 1,000, 125 B", 1001, 1, 125),
    Work::broadcast("1 → 1,000, 1 KiB", 1001, 1, 1024),
    Work::broadcast("1 → 1,000, 16 at a time, 125 B", 1001, 16, 125),
];

const TLS_WORKS: [Work; 4] = [
    Work::tls("64 × 1, 16 B", 64, 1, 16),
    Work::tls("64 × 8, 1 KiB", 64, 8, 1024),
    Work::tls("16 × 1, 16 KiB", 16, 1, 16 * 1024),
    Work::tls("16 × 1, 1 MiB", 16, 1, 1024 * 1024),
];

impl Work {
    const fn echo(name: &'static str, connections: usize, window: usize, payload: usize) -> Self {
        Self { name, connections, window, payload, mode: Mode::Echo, tls: false }
    }

    const fn send(name: &'static str, connections: usize, window: usize, payload: usize) -> Self {
        Self { mode: Mode::Send, ..Self::echo(name, connections, window, payload) }
    }

    const fn broadcast(
        name: &'static str,
        connections: usize,
        burst: usize,
        payload: usize,
    ) -> Self {
        Self { mode: Mode::Broadcast, ..Self::echo(name, connections, burst, payload) }
    }

    const fn tls(name: &'static str, connections: usize, window: usize, payload: usize) -> Self {
        Self { tls: true, ..Self::echo(name, connections, window, payload) }
    }

    fn run(&self, effort: &Effort, results: &mut Results) {
        let mut runs: Vec<_> = taking_part(self.candidates()).map(Run::new).collect();
        for _ in 0..effort.processes {
            for run in &mut runs {
                run.start(self);
            }
            for _ in 0..effort.rounds {
                let mut raw = None;
                for run in &mut runs {
                    run.turn(self, effort, &mut raw);
                }
                // The first is what the others are held against; of them it is another's turn.
                if let [_, others @ ..] = &mut runs[..] {
                    others.rotate_left(others.len().min(1));
                }
            }
        }
        runs.sort_by_key(|run| run.candidate);
        for run in &runs {
            self.report(run, results);
        }
    }

    fn candidates(&self) -> &[Candidate] {
        let all = &Candidate::ALL;
        // The first three are generic over their stream, and TLS costs all the same.
        if self.tls { &all[..3] } else { all }
    }

    /// One write for each message is all there is to one in flight, so a peer is spared what it
    /// takes to batch.
    fn mode_of(&self, candidate: Candidate) -> Mode {
        let is_single = self.mode == Mode::Echo && self.window == 1;
        if is_single && candidate != Candidate::Sotong { Mode::Send } else { self.mode }
    }

    fn table(&self, of: Figure) -> String {
        let work = match (self.mode, self.tls) {
            (Mode::Broadcast, _) => "Loopback, broadcast",
            (_, true) => "Loopback, TLS",
            _ => "Loopback",
        };
        format!("{work}: {}", of.title())
    }

    fn report(&self, run: &Run, results: &mut Results) {
        let candidate = run.candidate.name();
        let note = run.candidate.note(self.mode_of(run.candidate));
        for figure in Figure::ALL.into_iter().filter(|&figure| self.has(figure)) {
            let (table, unit) = (self.table(figure), figure.unit());
            let row = match &run.failure {
                Some(why) => Row::failed(&table, self.name, candidate, unit, why),
                None => {
                    let values = run.samples.iter().map(|sample| figure.of(sample)).collect();
                    let [low, median, high] = quartiles(values);
                    Row::new(&table, self.name, candidate, median, unit).spread(low, high)
                }
            };
            results.add(if run.failure.is_some() || figure != Figure::Cpu {
                row
            } else {
                row.note(note)
            });
        }
    }

    fn has(&self, figure: Figure) -> bool {
        match figure {
            Figure::Cpu | Figure::Ratio | Figure::Rate => true,
            Figure::Median | Figure::Slowest => {
                !self.tls && self.mode == Mode::Echo && self.window == 1
            }
            Figure::Records => self.tls,
        }
    }
}

/// A candidate at one kind of work.
struct Run {
    candidate: Candidate,
    serving: Option<(Server, Load)>,
    /// Why it is out, if it is.
    failure: Option<String>,
    samples: Vec<Sample>,
}

/// What one turn came to, for each message where nothing else is said.
struct Sample {
    cpu_ns: f64,
    /// The server's time beside that of the raw one in the same round.
    percent_of_raw: f64,
    per_second: f64,
    median_us: f64,
    slowest_us: f64,
    tls_records: f64,
}

impl Run {
    fn new(candidate: Candidate) -> Self {
        Self { candidate, serving: None, failure: None, samples: Vec::new() }
    }

    /// Starts a process of its server, in the place of another.
    fn start(&mut self, work: &Work) {
        self.serving = None;
        let start = || {
            let server = Server::start(self.candidate, work.mode_of(self.candidate), work.tls)?;
            let script = match self.candidate {
                Candidate::Raw => Script::plain(work.payload, work.window),
                _ => Script::masked(work.payload, work.window),
            };
            let load = Load::connect(&server, work.connections, script)?;
            Ok((server, load))
        };
        if self.failure.is_none() {
            match start() {
                Ok(serving) => self.serving = Some(serving),
                Err::<_, String>(why) => self.failure = Some(why),
            }
        }
    }

    /// A turn of a round; `raw` is the first candidate's time in it.
    fn turn(&mut self, work: &Work, effort: &Effort, raw: &mut Option<f64>) {
        let Some((server, load)) = &mut self.serving else { return };
        let mut measure = || {
            load.drive(work, effort.warm_up)?;
            let before = server.cpu();
            let tally = load.drive(work, effort.turn)?;
            Ok(Sample::new(tally, server.cpu() - before))
        };
        match measure() {
            Ok(mut sample) => {
                sample.percent_of_raw = 100.0 * sample.cpu_ns / *raw.get_or_insert(sample.cpu_ns);
                self.samples.push(sample);
            }
            Err::<_, String>(why) => {
                let turns = self.samples.len();
                self.failure = Some(format!("failed after {turns} turns: {why}"));
                self.serving = None;
            }
        }
    }
}

impl Load {
    fn drive(&mut self, work: &Work, duration: Duration) -> Result<Tally, String> {
        match work.mode {
            Mode::Echo | Mode::Send => self.echo(work.window, duration),
            Mode::Broadcast => self.broadcast(work.window, duration),
        }
    }
}

impl Sample {
    fn new(tally: Tally, cpu: u64) -> Self {
        let Tally { messages, elapsed, mut latencies, tls_records } = tally;
        let messages = messages as f64;
        latencies.sort_unstable();
        let percentile = |percent: usize| {
            let at = (latencies.len() * percent / 100).min(latencies.len().saturating_sub(1));
            latencies.get(at).map_or(0.0, |&ns| f64::from(ns) / 1000.0)
        };
        Self {
            cpu_ns: cpu as f64 / messages,
            percent_of_raw: 100.0,
            per_second: messages / elapsed.as_secs_f64(),
            median_us: percentile(50),
            slowest_us: percentile(99),
            tls_records: tls_records as f64 / messages,
        }
    }
}

/// What a table is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Figure {
    Cpu,
    Ratio,
    Rate,
    Median,
    Slowest,
    Records,
}

impl Figure {
    const ALL: [Self; 6] =
        [Self::Cpu, Self::Ratio, Self::Rate, Self::Median, Self::Slowest, Self::Records];

    fn title(self) -> &'static str {
        match self {
            Self::Cpu => "server CPU per message",
            Self::Ratio => "server CPU beside raw TCP",
            Self::Rate => "messages",
            Self::Median => "median latency",
            Self::Slowest => "latency, 99th percentile",
            Self::Records => "TLS records per message",
        }
    }

    fn unit(self) -> &'static str {
        match self {
            Self::Cpu => "ns",
            Self::Ratio => "% of raw",
            Self::Rate => "messages/s",
            Self::Median | Self::Slowest => "µs",
            Self::Records => "records",
        }
    }

    fn of(self, sample: &Sample) -> f64 {
        match self {
            Self::Cpu => sample.cpu_ns,
            Self::Ratio => sample.percent_of_raw,
            Self::Rate => sample.per_second,
            Self::Median => sample.median_us,
            Self::Slowest => sample.slowest_us,
            Self::Records => sample.tls_records,
        }
    }
}

/// What our rows are held against.
fn require(results: &mut Results) {
    for work in &WORKS {
        let percent = match (work.mode, work.connections, work.window, work.payload) {
            (Mode::Echo, 1, ..) => Some(103.0),
            (Mode::Echo, _, 1, ..=1024) => Some(108.0),
            (Mode::Echo, _, 64, ..=125) => Some(130.0),
            (Mode::Echo, ..) => Some(115.0),
            _ => None,
        };
        if let Some(percent) = percent {
            let table = work.table(Figure::Ratio);
            results.require(Target::new(&table, work.name, percent, Of::Fixed));
        }
        // With a single connection nobody can be beaten; with many in flight raw is the measure. Peers are
        // compared by their ratios to raw too: each is of one round, whatever the machine did in it.
        let is_held_to_peers =
            work.mode != Mode::Echo || (work.connections > 1 && work.window == 1);
        if is_held_to_peers {
            let table = work.table(Figure::Ratio);
            results.require(Target::new(&table, work.name, 1.0, Of::BestPeer));
        }
    }
    for work in &TLS_WORKS {
        for figure in [Figure::Ratio, Figure::Records] {
            let table = work.table(figure);
            results.require(Target::new(&table, work.name, 1.0, Of::BestPeer));
        }
    }
    for work in idle::WORKS {
        results.require(Target::new(idle::TABLE, work, idle::BYTES_AT_MOST, Of::Fixed));
    }
}

/// The quartiles of some values: low, median, high.
fn quartiles(mut values: Vec<f64>) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    let last = values.len() - 1;
    [last / 4, values.len() / 2, last - last / 4].map(|at| values[at])
}
